"""``lr-optax optimize``."""

from typing import Annotated

import typer

from lr_optax.cli import options
from lr_optax.cli.output import page_file, print_result, schedule_section

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
    from lr_optax import optimize_schedule
    from lr_optax.foresight._law_notes import same_peak
    from lr_optax.foresight._log import rounded

    fitted = options.fit_logged_runs(runs, schedules, law, step=step, loss=loss, rate=rate)
    low, high = min(fitted.peaks), max(fitted.peaks)
    if peak is None and not same_peak(low, high):
        raise ValueError(f"the runs' peaks range from {low:.4g} to {high:.4g}: choose one, --peak")
    peak = rounded(high) if peak is None else peak
    best = optimize_schedule(fitted, total_steps, peak, warmup_steps=warmup_steps)
    title = f"Predicted loss {best.losses[0]:.4g}; the nearest recipe costs {best.cost:.2g} more"
    sections = (
        best.section(),
        schedule_section(best.schedule),
        fitted.section("The law and the runs it was fitted to"),
    )
    print_result(best, png, save, page_file(report, title, sections))
    print(f"\n{best.schedule!r}")
