"""``lr-optax list``."""

import inspect
import re
import shutil
import sys
import textwrap

from lr_optax.cli.reading import Imports, import_modules

EXAMPLES = ("lr-optax list", "lr-optax list --import my_schedules")


def command(imports: Imports = None) -> None:
    """Every schedule by family: how it is called, and what it does."""
    from lr_optax import catalogue

    import_modules(imports)
    width = min(shutil.get_terminal_size().columns, 100)
    families: dict[str, list[str]] = {}
    for name, factory in catalogue().items():
        call = textwrap.fill(
            f"{name}{inspect.signature(factory)}",
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        said = textwrap.fill(
            first_line(factory.__doc__), width, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
        families.setdefault(factory.__module__, []).append(f"{call}\n{said}" if said else call)
    for family, lines in sorted(families.items()):
        title = first_line(sys.modules[family].__doc__)
        name = family.removeprefix("lr_optax.schedules.")
        print("\n".join([textwrap.fill(f"{name}: {title}", width), *lines, ""]))


def first_line(docstring: str | None) -> str:
    """The first line of a docstring, without its marks."""
    line = (docstring or "").strip().partition("\n")[0]
    return re.sub(r":\w+:`~?([^`]*)`|``([^`]*)``", r"\1\2", line)
