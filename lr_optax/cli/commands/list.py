"""``lr-optax list``."""

import inspect
import re
import shutil
import sys
import textwrap

from lr_optax.cli import options

EXAMPLES = ("lr-optax list", "lr-optax list --import my_schedules")


def command(imports: options.ImportOption = None) -> None:
    """List every schedule by family, with its arguments and a summary."""
    from lr_optax import catalogue

    width = min(shutil.get_terminal_size().columns, 100)
    families: dict[str, list[str]] = {}
    for name, factory in catalogue().items():
        call = textwrap.fill(
            f"  {name}{inspect.signature(factory)}",
            width,
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        summary = textwrap.fill(_first_line(factory.__doc__), width - 6)
        entry = "\n".join(filter(None, [call, textwrap.indent(summary, " " * 6)]))
        families.setdefault(factory.__module__, []).append(entry)
    for family, entries in sorted(families.items()):
        name = family.removeprefix("lr_optax.schedules.")
        title = textwrap.fill(f"{name}: {_first_line(sys.modules[family].__doc__)}", width)
        print("\n".join([title, *entries, ""]))


def _first_line(docstring: str | None) -> str:
    """The first line of a docstring, without its marks."""
    line = (docstring or "").strip().partition("\n")[0]
    return re.sub(r":\w+:`~?([^`]*)`|``([^`]*)``", r"\1\2", line)
