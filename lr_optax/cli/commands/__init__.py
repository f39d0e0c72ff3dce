"""The commands, a file each, found by itself: ``find.py`` is ``lr-optax find``.

A file has a function ``command``, whose annotations are the options and whose docstring is the
help, and ``EXAMPLES``, lines that call it.
"""
