"""What a command found: printed, and written into the files that were asked for."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lr_optax.cli.terminal import console
from lr_optax.cli.writing import check_file, write

if TYPE_CHECKING:
    from lr_optax.results._result import Result
    from lr_optax.results.page import Section

Picture = Annotated[
    Path | None,
    typer.Option("--png", metavar="FILE", help="Draw it into a file: .png, .svg, .pdf, ..."),
]
Saved = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Save it: all as .json, the table as .csv."),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Write one HTML page to look at in a browser, too."
    ),
]
_FILES = ("png", "save", "report", "out")


def check_files(picture: Path | None, saved: Path | None, report: Path | None) -> None:
    """Fail before the work if a file cannot be written.

    Raises:
        ValueError: its ending is of no use here, or it cannot be written where it is to be.
        ModuleNotFoundError: what writes it is not installed.
    """
    from lr_optax.results.figure import picture_format

    if picture is not None:
        picture_format(picture)
        check_file(picture)
    if saved is not None:
        if saved.suffix not in (".json", ".csv"):
            raise ValueError(f"{saved}: a result is saved as .json or .csv")
        check_file(saved)
    check_page(report)


def check_page(report: Path | None) -> None:
    """The same for a page alone."""
    if report is not None:
        from lr_optax.results.page import plotly

        check_file(report)
        plotly()


def say(result: "Result", picture: Path | None, saved: Path | None, pages: dict[Path, str]) -> None:
    """Print a result, and write its files, those of pages among them."""
    from lr_optax.results.figure import picture_format, rendered

    out = console()
    out.print(str(result), soft_wrap=True)
    files: dict[Path, str | bytes] = {}
    if saved is not None:
        files[saved] = result.written(saved.suffix)
    if picture is not None:
        files[picture] = rendered(result.plot(), picture_format(picture))
    files |= pages
    write(files)
    for path in files:
        kind = f" ({picture_format(path)})" if path == picture else ""
        out.print(f"wrote {path}{kind}", soft_wrap=True)


def page(
    report: Path | None,
    title: str,
    sections: "Sequence[Section]",
    context: typer.Context,
    **settled: Any,
) -> dict[Path, str]:
    """The page that a command was asked for, by its file; nothing if it was not.

    Args:
        report: the file.
        title: what was found, in one line.
        sections: what the page shows.
        context: the command's.
        settled: arguments whose defaults depend on others, by name.
    """
    if report is None:
        return {}
    from lr_optax.results import page as pages

    return {report: pages.page(title, sections, again(context, settled))}


def again(context: typer.Context, settled: Mapping[str, Any]) -> str:
    """The command that does the same again, whatever the defaults will be; without its files."""
    given = {**context.params, **settled}
    words = ["lr-optax", str(context.info_name)]
    for parameter in context.command.params:
        if parameter.name not in _FILES:
            option = parameter.opts[0] if parameter.param_type_name == "option" else None
            words += _words(option, given.get(str(parameter.name)))
    return shlex.join(words)


def _words(option: str | None, value: Any) -> Iterator[str]:
    if value is None:
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        if option:
            yield option
        yield str(one)
