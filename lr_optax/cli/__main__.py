"""``python -m lr_optax.cli``."""

import os
import sys

from lr_optax.cli import main

try:
    folder = os.getcwd()  # noqa: PTH109  # a text, and nothing is imported for it
except FileNotFoundError:  # it is gone
    folder = None
# `-m` puts the current folder first, where a file would stand in for an installed package.
if not sys.flags.safe_path and sys.path[0] == folder:
    del sys.path[0]
main()
