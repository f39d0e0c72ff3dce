"""The command line: ``lr-optax``. Every file of ``commands`` is the command of its name."""


def main() -> None:
    """Run the command line."""
    from lr_optax.cli.output import exit_on_interrupt

    exit_on_interrupt()  # before the imports that take a while
    from lr_optax.cli.app import app

    app()
