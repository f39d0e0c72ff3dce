"""The commands, a file each: ``range_test.py`` is ``range-test``.

A file has a function ``command``, whose annotations are the options and whose docstring is the
help, and ``EXAMPLES``, lines to call it by.
"""
