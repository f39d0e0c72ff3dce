"""``python -m lr_optax.cli``."""

from lr_optax.cli import main

main()
