"""``lr-optax predict``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli import options
from lr_optax.cli.output import check_distinct, print_result

if TYPE_CHECKING:
    from lr_optax.results.page import Section

EXAMPLES = (
    'lr-optax predict level.csv falls.csv --total-steps 50000 --candidate "constant(1e-3)" '
    '--candidate "cosine_decay(1e-3, decay_steps=50000)"',
    'lr-optax predict run.csv --loss val/loss --schedule "constant(0.1)" --total-steps 2000 '
    '--candidate "linear(0.1, transition_steps=2000)" --png predicted.png',
)


def command(
    runs: options.RunsArgument,
    total_steps: options.TotalStepsOption,
    candidate: Annotated[
        list[str], typer.Option(metavar="TEXT", help="Schedule to predict. Can be repeated.")
    ],
    schedules: options.SchedulesOption = None,
    law: options.LawOption = "multi_power",
    step: options.StepOption = None,
    loss: options.LossOption = None,
    rate: options.RateOption = None,
    png: options.PictureOption = None,
    save: options.SaveOption = None,
    report: options.ReportOption = None,
    imports: options.ImportOption = None,
) -> None:
    """Predict the final losses of untried schedules from a few logged runs.

    A loss law is fitted to the runs. An ensemble of fits gives each loss its spread, and the table
    marks the differences that exceed it.
    """
    check_distinct(runs, [save, png, report])
    candidates = options.parse_schedules(candidate)
    options.check_rates(candidates, total_steps)
    logs = options.read_runs(runs, schedules, step=step, loss=loss, rate=rate)

    from lr_optax import fit_loss_law
    from lr_optax.foresight._predict import curves_of
    from lr_optax.results.page import Section
    from lr_optax.results.panels import short

    fitted = fit_loss_law(logs, law=law)
    print(f"{fitted}\n")
    ranking = fitted.rank(candidates, total_steps)
    title = f"{short(ranking.best, 60)} is predicted to end lowest"
    others = [name for name in ranking.names if name != ranking.best]
    if near := [name for name in others if not ranking.differs(ranking.best, name)]:
        title += f", not significantly below {len(near)} of {len(others)}"

    def sections() -> "Iterator[Section]":
        yield ranking.section()
        curves = {name: fitted.predict(candidates[name], total_steps) for name in ranking.names}
        caption = "<p>Shaded: 90%. Gray: the logged runs. Click a name to show or hide it.</p>"
        yield Section("Predicted curves", caption, curves_of(curves, fitted.logs))
        yield fitted.section("The law and the runs it was fitted to")

    print_result(ranking, title, sections, save=save, png=png, report=report)
