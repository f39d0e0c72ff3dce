"""What a command found: printed, and written into the files that were asked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli.terminal import console
from lr_optax.cli.writing import check_file, write

if TYPE_CHECKING:
    from lr_optax.foresight.results import Result

Picture = Annotated[
    Path | None,
    typer.Option("--png", metavar="FILE", help="Draw it into a file: .png, .svg, .pdf, ..."),
]
Saved = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Save it: all as .json, the table as .csv."),
]


def check_files(picture: Path | None, saved: Path | None) -> None:
    """Fail before the work if a file cannot be written.

    Raises:
        ValueError: its ending is of no use here, or it cannot be written where it is to be.
    """
    from lr_optax.inspection.plots import picture_format

    if picture is not None:
        picture_format(picture)
        check_file(picture)
    if saved is not None:
        if saved.suffix not in (".json", ".csv"):
            raise ValueError(f"{saved}: a result is saved as .json or .csv")
        check_file(saved)


def say(result: "Result", picture: Path | None, saved: Path | None) -> None:
    """Print a result, and write its files."""
    from lr_optax.inspection.plots import picture_format, rendered

    out = console()
    out.print(str(result), soft_wrap=True)
    if saved is not None:
        result.save(saved)
        out.print(f"wrote {saved}", soft_wrap=True)
    if picture is not None:
        kind = picture_format(picture)
        write({picture: rendered(result.plot(), kind)})
        out.print(f"wrote {picture} ({kind})", soft_wrap=True)
