"""The command line: ``lr-optax``. Every file of ``commands`` is a command of its name."""


def main() -> None:
    """Run the command line."""
    from lr_optax.cli.interrupts import exit_at_once

    exit_at_once()  # before the imports that take a while
    from lr_optax.cli.app import app

    app()
