"""The program: its commands, its own options, and how it fails.

Everything heavy is imported by the command that needs it, so that ``--help`` answers at once.
"""

import inspect
import io
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated

try:
    import typer
    from typer.core import TyperGroup
except ModuleNotFoundError:
    print('lr-optax: it needs more packages: pip install "lr_optax[cli]"', file=sys.stderr)
    sys.exit(2)

from lr_optax.cli import commands
from lr_optax.cli.output import fail, print_in_any_encoding


class _Program(TyperGroup):
    """Prints an error in one line; ``python -X dev`` shows its traceback."""

    def main(self, *args: object, **kwargs: object) -> object:
        print_in_any_encoding()
        try:
            try:
                return super().main(*args, **kwargs)  # pyright: ignore[reportArgumentType]
            finally:
                sys.stdout.flush()
        except BrokenPipeError:  # `lr-optax list | head` has read enough
            sys.stdout = io.StringIO()
            sys.exit(1)
        except Exception as error:
            if sys.flags.dev_mode:
                raise
            fail(error)


def _examples(*lines: str) -> str:
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


_COMMANDS = {
    module.name.replace("_", "-"): import_module(f"{commands.__name__}.{module.name}")
    for module in iter_modules(commands.__path__)
}

app = typer.Typer(
    cls=_Program,
    epilog=_examples(*(module.EXAMPLES[0] for module in _COMMANDS.values())),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(*, value: bool) -> None:
    if value:
        import lr_optax

        print(f"lr-optax {lr_optax.__version__}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Learning-rate schedules for JAX and Optax."""


for _name, _module in _COMMANDS.items():
    _summary = (inspect.getdoc(_module.command) or "").partition("\n")[0]
    app.command(_name, short_help=_summary, epilog=_examples(*_module.EXAMPLES))(_module.command)
