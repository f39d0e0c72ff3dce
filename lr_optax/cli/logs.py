"""Logs of runs from files, as ``predict`` and ``optimize`` take them."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lr_optax import LossLaw

Runs = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Logs: .csv, .jsonl, or event files of TensorBoard."),
]
TotalSteps = Annotated[
    int, typer.Option(min=2, max=2**31 - 1, help="The length of the run to come.")
]
Schedules = Annotated[
    list[str] | None,
    typer.Option(
        "--schedule",
        metavar="TEXT",
        help="The schedule of the runs, where they have no column of rates: once for all, or once "
        "for each.",
    ),
]
Step = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the steps.")]
Loss = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the loss.")]
Rate = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column with the rates.")]


class LawName(StrEnum):
    """The laws that can be asked for."""

    multi_power = "multi_power"
    functional = "functional"
    tissue = "tissue"


Law = Annotated[LawName, typer.Option(help="Which law.")]


def fit(
    runs: Sequence[Path],
    schedules: Sequence[str] | None,
    law: LawName,
    step: str | None,
    loss: str | None,
    rate: str | None,
) -> "LossLaw":
    """The law of the runs in files.

    Raises:
        FileNotFoundError, ValueError: a file cannot be read, or the texts are not as many.
    """
    from lr_optax import fit_loss_law, parse, read_log

    texts = list(schedules or ())
    if len(texts) not in (0, 1, len(runs)):
        raise ValueError(
            f"--schedule must be given once, or once for each of {len(runs)} runs, "
            f"got {len(texts)} times"
        )
    given = [*map(parse, texts)] * (len(runs) if len(texts) == 1 else 1) or [None] * len(runs)
    logs = [
        read_log(path, step=step, loss=loss, rate=rate, schedule=schedule)
        for path, schedule in zip(runs, given, strict=True)
    ]
    return fit_loss_law(logs, law=law.value)
