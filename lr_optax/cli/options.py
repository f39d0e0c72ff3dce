"""Options that several commands share, and what their texts stand for.

A file is checked, and a module imported, while the options are read: so a command that starts its
work can end it.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, cast

import typer
from typer.models import OptionInfo

from lr_optax.cli.output import check_file, check_folder
from lr_optax.foresight.laws import LAW_NAMES

if TYPE_CHECKING:
    from lr_optax import Log, Schedule
    from lr_optax.tasks._task import Train

LAST_STEP = 2**31 - 1  # JAX counts steps in int32

_MAX_STEPS = 10**8
_STEP_BYTES = 170  # measured: two candidates and an optimization of 10 million steps took 1.7 GB


def _check_output(parameter: typer.CallbackParam, path: Path | None) -> Path | None:
    if path is None:
        return None
    match parameter.name:
        case "png":
            from lr_optax.results.figure import picture_format

            picture_format(path)
        case "save" if path.suffix.lower() not in (".json", ".csv"):
            raise ValueError(f"{path}: a result is saved as .json or .csv")
        case "report":
            from lr_optax.results.page import plotly

            plotly()
    (check_folder if parameter.name == "out" else check_file)(path)
    return path


def _check_length(total_steps: int | None) -> int | None:
    if total_steps is not None and total_steps > _MAX_STEPS:
        raise ValueError(
            f"--total-steps takes at most {_MAX_STEPS} here, got {total_steps}: the rates of all "
            f"steps are held in memory, about {total_steps * _STEP_BYTES / 1e9:.0f} GB"
        )
    return total_steps


def option(
    words: str,
    metavar: str,
    *,
    default: str | None = None,
    at_least: int | None = None,
    at_most: int | None = None,
) -> OptionInfo:
    """An option with its help, and what the help says of the default."""
    return typer.Option(
        metavar=metavar, min=at_least, max=at_most, help=words, show_default=default or True
    )


def total_steps_option(words: str, at_least: int, default: str | None = None) -> OptionInfo:
    """An option for the length of runs whose every step is computed."""
    length = option(words, "N", default=default, at_least=at_least)
    length.callback = _check_length
    return length


def _import_all(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        import_users_module(name, "--import")
    return names


def _file(name: str, words: str) -> OptionInfo:
    return typer.Option(name, metavar="FILE", callback=_check_output, help=words)


def column(values: str) -> OptionInfo:
    """An option that names a column of a log."""
    return option(f"Column of {values}, if not found by its name.", "COLUMN")


ImportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        callback=_import_all,
        is_eager=True,  # its schedules are known to every other option
        help="Import a module of your own first, so that schedules it defines with @schedule are "
        "known by name. Can be repeated.",
    ),
]
OUT = typer.Option(
    metavar="FOLDER",
    callback=_check_output,
    help="Folder for the results, as JSON, CSV and pictures.",
)
PictureOption = Annotated[Path | None, _file("--png", "Write a picture: .png, .svg, .pdf, ...")]
SaveOption = Annotated[
    Path | None, _file("--save", "Save the result: everything as .json, the table as .csv.")
]
ReportOption = Annotated[Path | None, _file("--report", "Write an HTML report.")]
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
    option("The metric to minimize, if `train` returns several (a history's last value).", "NAME"),
]
RunsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Logs: .csv, .jsonl, or TensorBoard event files."),
]
TotalStepsOption = Annotated[int, total_steps_option("Length of the planned run.", 2)]
SchedulesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--schedule",
        metavar="TEXT",
        help="Schedule of the logged runs, if the logs have no column of rates: once for all runs, "
        "or once for each.",
    ),
]
StepOption = Annotated[str | None, column("steps")]
LossOption = Annotated[str | None, column("losses")]
RateOption = Annotated[str | None, column("rates")]
LawOption = Annotated[str, typer.Option(metavar="|".join(LAW_NAMES), help="Loss law to fit.")]


def import_users_module(name: str, option: str) -> ModuleType:
    """A user's module, which may be in the current folder."""
    # After the installed packages, none of which a file there may stand in for; Python looks up
    # what "" means at each import, so a folder that is gone does not matter.
    if "" not in sys.path:
        sys.path.append("")
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        remedy = "; give a module's name, as in `import`" if name.endswith(".py") else ""
        raise ValueError(f"{option} {name}: {reason}{remedy}") from error


def users_train(task: str) -> "Train":
    """A user's own function to train with."""
    name, _, function = task.partition(":")
    if not function:
        raise ValueError(f"--task takes digits, text, or your own MODULE:FUNCTION, got {task!r}")
    module = import_users_module(name, "--task")
    train = getattr(module, function, None)
    if not callable(train):
        where = getattr(module, "__file__", "built into Python")
        raise ValueError(f"--task {task}: {name} has no function {function!r} ({where})")
    return cast("Train", train)


def parse_schedules(texts: Iterable[str]) -> "dict[str, Schedule]":
    """The schedules that texts describe, by text."""
    from lr_optax import parse

    schedules: dict[str, Schedule] = {}
    for text in texts:
        # A name alone is parsed as a call without arguments: the error lists the arguments.
        schedule = parse(f"{text}()" if text.strip().isidentifier() else text)
        if schedule in schedules.values():
            raise ValueError(f"{text} is given twice")
        schedules[text] = schedule
    return schedules


def check_rates(schedules: "Mapping[str, Schedule]", total_steps: int) -> None:
    """Fail before the work if a schedule's rates are not those of a run."""
    import numpy as np

    from lr_optax.results.sampling import rates_at, run_steps

    for text, schedule in schedules.items():
        rates = rates_at(schedule, run_steps(total_steps))
        if not np.all(np.isfinite(rates) & (rates >= 0)) or not rates.any():
            raise ValueError(f"{text}: rates must be finite and >= 0, and not all 0")


def read_runs(
    runs: Sequence[Path], schedules: Sequence[str] | None, **columns: str | None
) -> "list[Log]":
    """The logs of runs, with their schedules where they have no column of rates."""
    from lr_optax import parse, read_log

    texts = list(schedules or [])
    if len(texts) not in (0, 1, len(runs)):
        raise ValueError(
            f"--schedule must be given once, or once for each of {len(runs)} runs, "
            f"got {len(texts)} times"
        )
    parsed = [*map(parse, texts)] or [None]
    parsed *= len(runs) // len(parsed)
    return [
        read_log(path, schedule=schedule, **columns)
        for path, schedule in zip(runs, parsed, strict=True)
    ]
