"""``lr-optax optimize``."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli import options
from lr_optax.cli.output import check_distinct, print_result, schedule_section

if TYPE_CHECKING:
    from lr_optax.results.page import Section

EXAMPLES = (
    "lr-optax optimize level.csv falls.csv --total-steps 50000 --warmup-steps 300 --png best.png",
    'lr-optax optimize run.csv --schedule "constant(0.1)" --total-steps 2000 --peak 0.1',
)


def command(
    runs: options.RunsArgument,
    total_steps: options.TotalStepsOption,
    peak: Annotated[
        float | None, typer.Option(help="Peak rate.", show_default="that of the runs")
    ] = None,
    warmup_steps: Annotated[int, typer.Option(min=0, help="Steps of linear warm-up.")] = 0,
    schedules: options.SchedulesOption = None,
    law: options.LawOption = "multi_power",
    step: options.StepOption = None,
    loss: options.LossOption = None,
    rate: options.RateOption = None,
    png: options.PictureOption = None,
    save: options.SaveOption = None,
    report: options.ReportOption = None,
) -> None:
    """Find the schedule with the lowest predicted loss, and the named recipe nearest to it."""
    check_distinct(runs, [save, png, report])
    if warmup_steps > total_steps - 2:
        raise ValueError(
            f"--warmup-steps must be in [0, {total_steps - 2}], two fewer than --total-steps, "
            f"got {warmup_steps}"
        )
    logs = options.read_runs(runs, schedules, step=step, loss=loss, rate=rate)
    peak = _peak([log.peak for log in logs]) if peak is None else peak
    if not 0 < peak < math.inf:
        raise ValueError(f"--peak must be a finite number > 0, got {peak}")

    from lr_optax import fit_loss_law, optimize_schedule

    fitted = fit_loss_law(logs, law=law)
    best = optimize_schedule(fitted, total_steps, peak, warmup_steps=warmup_steps)
    title = f"Predicted loss {best.losses[0]:.4g}; the nearest recipe costs {best.cost:.2g} more"

    def sections() -> "Iterator[Section]":
        yield best.section()
        yield schedule_section(best.schedule)
        yield fitted.section("The law and the runs it was fitted to")

    print_result(best, title, sections, save=save, png=png, report=report)
    print(f"\n{best.schedule!r}")


def _peak(peaks: Sequence[float]) -> float:
    """The peak rate that runs share."""
    from lr_optax.foresight._law_notes import same_peak
    from lr_optax.foresight._log import rounded

    low, high = min(peaks), max(peaks)
    if not same_peak(low, high):
        raise ValueError(f"the runs' peaks range from {low:.4g} to {high:.4g}: choose one, --peak")
    return rounded(high)
