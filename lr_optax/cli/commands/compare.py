"""``lr-optax compare``."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lr_optax.cli import options
from lr_optax.cli.output import check_distinct, console, page_file, picture, write_files
from lr_optax.results.printable import printable

if TYPE_CHECKING:
    from lr_optax import Comparison
    from lr_optax.tasks._task import Task

EXAMPLES = (
    "lr-optax compare --out results",
    "lr-optax compare --task text --report text.html",
    'lr-optax compare --schedule "one_cycle(0.1, total_steps=2000, warmup_steps=600)"',
    "lr-optax compare --total-steps 400 --seeds 2 --peaks 0.02,0.1",
    "lr-optax compare --task my_task:train --metric loss --total-steps 800 --peaks 0.01,0.1,1.0",
)

_DEFAULT = "depends on the task"

_SEEDS = 6  # the fewest that give an interval

_FILES = ("compare.json", "compare.csv", "runs.csv", "curves.csv", "compare.png")


def command(
    out: Annotated[Path, options.OUT] = Path("results"),
    task: options.TaskOption = "digits",
    metric: options.MetricOption = None,
    report: options.ReportOption = None,
    schedule: Annotated[
        list[str] | None,
        options.option("Add a schedule; it is scaled to each peak. Can be repeated.", "TEXT"),
    ] = None,
    total_steps: Annotated[
        int | None,
        options.total_steps_option(
            "Length of a run, a multiple of 40 for digits and text.", 1, _DEFAULT
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        options.option(
            "Runs per strategy and peak.", "N", default=_DEFAULT, at_least=1, at_most=10_000
        ),
    ] = None,
    peaks: Annotated[
        str | None,
        options.option(
            "Peak rates of the first round, separated by commas; a second round narrows in on the "
            "best.",
            "RATES",
            default=_DEFAULT,
        ),
    ] = None,
    imports: options.ImportOption = None,
) -> None:
    """Rank learning-rate strategies by training a model with each.

    Each strategy runs at its best peak rate by validation loss, and is ranked by its test loss.
    All strategies start from the same peaks and use the same seeds. For your own function,
    --total-steps and --peaks are required, one metric is used for both, and the plateau is left
    out.
    """
    added = options.parse_schedules(schedule or ())
    rates = None if peaks is None else _parse_peaks(peaks)
    strategies, metrics = _strategies_and_metrics(task, metric)
    chosen = _task(task, total_steps, rates)
    length = total_steps or chosen.total_steps
    check_distinct([], [report, *(out / name for name in _FILES)])

    import jax

    from lr_optax import check, compare

    warnings = [
        printable(f"! {text}: {line}") for text, s in added.items() for line in check(s, length)
    ]
    with _progress_bar(warnings) as advance:
        result = compare(
            chosen.train(length),
            jax.random.split(jax.random.key(0), seeds or chosen.seeds),
            peaks=rates or chosen.peaks,
            total_steps=length,
            strategies=strategies | added,
            **metrics,
            task=chosen.summary,
            progress=advance,
        )
    print(result)
    _write(result, out, report)


def _write(result: "Comparison", out: Path, report: Path | None) -> None:
    files = {name: partial(str, text) for name, text in result.files().items()}
    files |= {
        "compare.json": lambda: result.written(".json"),
        "compare.png": picture(result.plot, Path("compare.png")),
    }
    write_files({out / name: files[name] for name in _FILES})
    write_files(page_file(report, result.title, lambda: [result.section()]))


def _parse_peaks(text: str) -> list[float]:
    try:
        peaks = [float(peak) for peak in text.split(",")]
    except ValueError:
        raise ValueError(f"--peaks takes numbers separated by commas, got {text!r}") from None
    if len({*peaks}) < len(peaks):
        raise ValueError(f"--peaks must differ from each other, got {text}")
    return peaks


def _strategies_and_metrics(
    task: str, metric: str | None
) -> tuple[dict[str, Any], dict[str, str | None]]:
    """What ``compare`` tries, and its arguments that name metrics."""
    from lr_optax import root_strategies
    from lr_optax.foresight._compare import PLATEAU
    from lr_optax.tasks._task import NAMES

    if task not in NAMES:
        return root_strategies(), {"metric": metric}
    if metric is not None:
        raise ValueError(f"--metric only applies to your own function, got --task {task}")
    metrics = {"peak_metric": "validation_loss", "error_metric": "test_error"}
    return root_strategies() | PLATEAU, {"metric": "test_loss", **metrics}


def _task(name: str, total_steps: int | None, peaks: Sequence[float] | None) -> "Task":
    """A task that comes with the library, or a user's own."""
    from lr_optax.tasks._task import NAMES, Task, load_task

    if name in NAMES:
        return load_task(name)
    train = options.users_train(name)
    if total_steps is None or peaks is None:
        raise ValueError(
            f"--task {name} needs --total-steps, the length of a run, and --peaks, such as "
            "0.01,0.03,0.1 (`lr-optax find` looks for them)"
        )
    return Task(name, name, lambda _: train, tuple(peaks), _SEEDS, total_steps)


@contextmanager
def _progress_bar(warnings: Sequence[str]) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal. Warnings are printed first, once the other arguments are valid."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    errors = console(stderr=True)
    runs = TextColumn("{task.completed} of {task.total} runs")
    columns = TextColumn("{task.description}"), BarColumn(), runs, TimeElapsedColumn()
    bar = Progress(*columns, console=errors, disable=not errors.is_terminal)
    job = bar.add_task("compiling", total=None)

    def advance(done: int, total: int) -> None:
        if not done:
            print("".join(f"{warning}\n" for warning in warnings), end="", file=sys.stderr)
            bar.start()
        phase = "training" if done else "compiling"
        bar.update(job, completed=done, total=total, description=phase)

    try:
        yield advance
    finally:
        bar.stop()
