"""``lr-optax optimize``."""

from typing import Annotated

import typer

from lr_optax.cli.logs import Law, LawName, Loss, Rate, Runs, Schedules, Step, TotalSteps, fit
from lr_optax.cli.results import Page, Picture, Saved, check_files, page, say
from lr_optax.cli.terminal import console

EXAMPLES = (
    "lr-optax optimize level.csv falls.csv --total-steps 50000 --warmup-steps 300 --png best.png",
    'lr-optax optimize run.csv --schedule "constant(0.1)" --total-steps 2000 --peak 0.1',
)


def command(
    context: typer.Context,
    runs: Runs,
    total_steps: TotalSteps,
    peak: Annotated[
        float | None, typer.Option(help="The highest rate; without it that of the runs.")
    ] = None,
    warmup_steps: Annotated[int, typer.Option(min=0, help="Steps of a linear rise from 0.")] = 0,
    schedules: Schedules = None,
    law: Law = LawName.multi_power,
    step: Step = None,
    loss: Loss = None,
    rate: Rate = None,
    png: Picture = None,
    save: Saved = None,
    report: Page = None,
) -> None:
    """Find the schedule with the lowest predicted loss, and the named recipe that is nearest."""
    check_files(png, save, report)
    fitted = fit(runs, schedules, law, step, loss, rate)

    from lr_optax import optimize_schedule
    from lr_optax.results.page import Section, code

    low, high = min(fitted.peaks), max(fitted.peaks)
    if peak is None and high > 1.01 * low:
        raise ValueError(f"the runs' peaks go from {low:.4g} to {high:.4g}: choose one with --peak")
    chosen = float(f"{high:.7g}") if peak is None else peak
    found = optimize_schedule(
        fitted,
        total_steps,
        chosen,
        warmup_steps=warmup_steps,
    )
    title = (
        f"A loss of {found.losses[0]:.4g} is predicted; the nearest recipe costs {found.cost:.2g}"
    )
    sections = (
        found.section(),
        Section("The schedule", code(repr(found.schedule))),
        fitted.section("The law, and the runs it was fitted to"),
    )
    say(found, png, save, page(report, title, sections, context, peak=chosen))
    console().print(f"\n{found.schedule!r}", soft_wrap=True)
