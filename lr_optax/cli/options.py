"""Options that several commands share, and what their texts stand for.

A file is checked, and a module imported, while the options are read: so a command that starts its
work can end it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lr_optax.cli.output import check_file, check_folder
from lr_optax.foresight.laws import LAW_NAMES

if TYPE_CHECKING:
    from lr_optax import LossLaw, Schedule

MAX_STEPS = 2**31 - 1  # JAX counts steps in int32


def _imported(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        import_users_module(name, "--import")
    return names


def _folder(out: Path | None) -> Path | None:
    if out is not None:
        check_folder(out)
    return out


def _picture(path: Path | None) -> Path | None:
    if path is not None:
        from lr_optax.results.figure import picture_format

        picture_format(path)
        check_file(path)
    return path


def _saved(path: Path | None) -> Path | None:
    if path is not None:
        if path.suffix.lower() not in (".json", ".csv"):
            raise ValueError(f"{path}: a result is saved as .json or .csv")
        check_file(path)
    return path


def _report(path: Path | None) -> Path | None:
    if path is not None:
        from lr_optax.results.page import plotly

        check_file(path)
        plotly()
    return path


ImportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        callback=_imported,
        is_eager=True,  # its schedules are known to every other option
        help="Import a module of your own first, so that schedules it defines with @schedule are "
        "known by name. Can be repeated.",
    ),
]
OUT = typer.Option(
    metavar="FOLDER", callback=_folder, help="Folder for the results, as JSON, CSV and pictures."
)
PictureOption = Annotated[
    Path | None,
    typer.Option(
        "--png", metavar="FILE", callback=_picture, help="Write a picture: .png, .svg, .pdf, ..."
    ),
]
SaveOption = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="FILE",
        callback=_saved,
        help="Save the result: everything as .json, the table as .csv.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", callback=_report, help="Write an HTML report."),
]
TaskOption = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="NAME",
        help="What to train: digits, text (a small language model), or MODULE:FUNCTION for your "
        "own pure, JAX-traceable train(schedule, key) -> metrics.",
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The metric to minimize, if `train` returns several (the last value of a history).",
    ),
]
RunsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Logs: .csv, .jsonl, or TensorBoard event files."),
]
TotalStepsOption = Annotated[
    int, typer.Option(metavar="N", min=2, max=MAX_STEPS, help="Length of the planned run.")
]
SchedulesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--schedule",
        metavar="TEXT",
        help="Schedule of the logged runs, if the logs have no column of rates: once for all runs, "
        "or once for each.",
    ),
]
StepOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of steps, if not found by its name.")
]
LossOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of losses, if not found by its name.")
]
RateOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of rates, if not found by its name.")
]


LawOption = Annotated[str, typer.Option(metavar="|".join(LAW_NAMES), help="Loss law to fit.")]


def import_users_module(name: str, option: str) -> ModuleType:
    """A user's module, imported as ``python -m`` would.

    Raises:
        ValueError: there is none of that name, or it fails.
    """
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # a text
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        remedy = "; give a module's name, as in `import`" if name.endswith(".py") else ""
        raise ValueError(f"{option} {name}: {reason}{remedy}") from error


def users_train(task: str) -> "Callable[..., Any]":
    """A user's own function to train with.

    Raises:
        ValueError: there is none, or its module fails.
    """
    module, _, function = task.partition(":")
    if not function:
        raise ValueError(f"--task takes digits, text, or your own MODULE:FUNCTION, got {task!r}")
    train = getattr(import_users_module(module, "--task"), function, None)
    if not callable(train):
        raise ValueError(f"--task {task}: {module} has no function {function!r}")
    return train


def parse_schedules(texts: Iterable[str]) -> "dict[str, Schedule]":
    """The schedules that texts describe, by text.

    Raises:
        ValueError: a text describes none, or the same as another.
    """
    from lr_optax import parse

    schedules: dict[str, Schedule] = {}
    for text in texts:
        # A name alone is parsed as a call without arguments: the error lists the arguments.
        schedule = parse(f"{text}()" if text.strip().isidentifier() else text)
        if schedule in schedules.values():
            raise ValueError(f"{text} is given twice")
        schedules[text] = schedule
    return schedules


def fit_logged_runs(
    runs: Sequence[Path],
    schedules: Sequence[str] | None,
    law: str,
    *,
    step: str | None,
    loss: str | None,
    rate: str | None,
) -> "LossLaw":
    """The loss law of runs whose logs are files.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file cannot be read, or there are not as many schedules as runs.
    """
    from lr_optax import fit_loss_law, parse, read_log

    texts = list(schedules or [])
    if len(texts) not in (0, 1, len(runs)):
        raise ValueError(
            f"--schedule must be given once, or once for each of {len(runs)} runs, "
            f"got {len(texts)} times"
        )
    parsed = [*map(parse, texts)] or [None]
    if len(parsed) == 1:
        parsed *= len(runs)
    logs = [
        read_log(path, step=step, loss=loss, rate=rate, schedule=schedule)
        for path, schedule in zip(runs, parsed, strict=True)
    ]
    return fit_loss_law(logs, law=law)
