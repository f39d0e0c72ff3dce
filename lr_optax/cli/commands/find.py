"""``lr-optax find``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli import options
from lr_optax.cli.output import (
    check_distinct,
    page_file,
    picture,
    schedule_section,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lr_optax import Schedule
    from lr_optax.results._result import Result
    from lr_optax.results.page import Section
    from lr_optax.tasks._task import Train

EXAMPLES = (
    "lr-optax find --total-steps 400 --out results",
    "lr-optax find --task my_task:train --metric loss --total-steps 800",
)

_FILES = tuple(
    f"{tool}{ending}" for tool in ("range_test", "tune") for ending in (".json", ".csv", ".png")
)


def command(
    task: options.TaskOption = "digits",
    schedule: Annotated[
        str | None,
        options.option(
            "Schedule to train with; it is scaled to each peak.", "TEXT", default="a cosine to zero"
        ),
    ] = None,
    min_value: Annotated[float, typer.Option(metavar="RATE", help="Lowest rate to try.")] = 1e-4,
    max_value: Annotated[float, typer.Option(metavar="RATE", help="Highest rate to try.")] = 10.0,
    total_steps: Annotated[int, options.total_steps_option("Length of a run.", 1)] = 1000,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Runs per rate.")] = 4,
    metric: options.MetricOption = None,
    out: Annotated[Path | None, options.OUT] = None,
    report: options.ReportOption = None,
    imports: options.ImportOption = None,
) -> None:
    """Find a good peak rate, with a range test and a search.

    The range test raises the rate in the course of one run, and reads from the loss where the best
    peak lies. The search trains whole runs with the schedule at several peaks in that range, then
    narrows in on the best. If the loss never falls in the range test, all rates are searched. For
    your own function, the metric must be its training loss, at every step or at regular intervals.
    """
    text = schedule or f"cosine_decay(1.0, decay_steps={total_steps})"
    with_peak = _with_peak(options.parse_schedules([text])[text], total_steps)
    train, step_metric, final_metric = _train(task, metric, total_steps)
    check_distinct([], [report, *(out / name for name in _FILES if out)])

    import jax

    from lr_optax import range_test, tune

    keys = jax.random.split(jax.random.key(0), seeds)
    low, high = min_value, max_value
    ranges = range_test(
        train, keys, min_value=low, max_value=high, total_steps=total_steps, metric=step_metric
    )
    _print_and_write("range_test", ranges, out)
    if ranges.search_range[0] < ranges.search_range[1]:
        low, high = ranges.search_range
    tuning = tune(train, with_peak, keys, min_value=low, max_value=high, metric=final_metric)
    _print_and_write("tune", tuning, out)
    title = "Every run of the search diverged"
    if tuning.schedule is not None:
        title = f"A good peak rate is {tuning.best['peak']:.3g}"

    def sections() -> "Iterator[Section]":
        yield tuning.section("The search")
        if tuning.schedule is not None:
            yield schedule_section(tuning.schedule)
        yield ranges.section("The range test")

    write_files(page_file(report, title, sections))
    if tuning.schedule is not None:
        print(repr(tuning.schedule))


def _train(
    task: str, metric: str | None, total_steps: int
) -> "tuple[Train, str | None, str | None]":
    """What to train, and its metrics at every step and at the end."""
    from lr_optax.tasks._task import NAMES, load_task

    if task in NAMES:
        return load_task(task).train(total_steps), metric or "loss", metric or "validation_loss"
    return options.users_train(task), metric, metric


def _with_peak(schedule: "Schedule", total_steps: int) -> "Callable[[float], Schedule]":
    """The schedule as a function of its highest rate."""
    from lr_optax import scale, tabulate

    highest = float(tabulate(schedule, total_steps).values.max())
    if highest <= 0:
        raise ValueError(f"{schedule!r} has no rate above 0 in {total_steps} steps")
    return lambda peak: scale(schedule, factor=peak / highest)


def _print_and_write(name: str, result: "Result", out: Path | None) -> None:
    print(f"{name}\n{result}")
    if out is not None:
        data, table, drawing = (out / file for file in _FILES if file.startswith(name))
        write_files(
            {
                data: lambda: result.written(".json"),
                table: lambda: result.written(".csv"),
                drawing: picture(result.plot, drawing),
            }
        )
