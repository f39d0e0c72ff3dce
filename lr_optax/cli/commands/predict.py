"""``lr-optax predict``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli.logs import Law, LawName, Loss, Rate, Runs, Schedules, Step, TotalSteps, fit
from lr_optax.cli.reading import Imports, import_modules, read
from lr_optax.cli.results import Page, Picture, Saved, check_files, page, say
from lr_optax.cli.terminal import console

if TYPE_CHECKING:
    from lr_optax import LossLaw, Ranking, Schedule
    from lr_optax.results.page import Section

EXAMPLES = (
    'lr-optax predict level.csv falls.csv --total-steps 50000 --candidate "constant(1e-3)" '
    '--candidate "cosine_decay(1e-3, decay_steps=50000)"',
    'lr-optax predict run.csv --loss val/loss --schedule "constant(0.1)" --total-steps 2000 '
    '--candidate "linear(0.1, transition_steps=2000)" --png predicted.png',
)


def command(
    context: typer.Context,
    runs: Runs,
    total_steps: TotalSteps,
    candidate: Annotated[
        list[str], typer.Option(metavar="TEXT", help="A schedule to predict. May be repeated.")
    ],
    schedules: Schedules = None,
    law: Law = LawName.multi_power,
    step: Step = None,
    loss: Loss = None,
    rate: Rate = None,
    png: Picture = None,
    save: Saved = None,
    report: Page = None,
    imports: Imports = None,
) -> None:
    """Predict the final losses of schedules that nobody has run, from a few logged runs.

    A loss law is fitted to the runs; the losses come with the spread of an ensemble, and it is said
    which differences exceed it.
    """
    import_modules(imports)
    candidates = read(candidate)

    from lr_optax.results.panels import short

    check_files(png, save, report)
    fitted = fit(runs, schedules, law, step, loss, rate)
    console().print(f"{fitted}\n", soft_wrap=True)
    ranking = fitted.rank(candidates, total_steps)
    near = sum(not ranking.differs(ranking.best, name) for name in ranking.names) - 1
    title = f"{short(ranking.best, 60)} is predicted to end lowest"
    if near:
        title += f", by too little to tell it from {near} of {len(candidates) - 1}"
    sections = () if report is None else _sections(fitted, ranking, candidates, total_steps)
    say(ranking, png, save, page(report, title, sections, context))


def _sections(
    law: "LossLaw", ranking: "Ranking", candidates: "Mapping[str, Schedule]", total_steps: int
) -> "tuple[Section, ...]":
    from lr_optax.foresight._prediction import curves_of
    from lr_optax.results.page import Section

    predictions = {name: law.predict(candidates[name], total_steps) for name in ranking.names}
    said = "<p>Shaded: 90%. Grey: the logged runs. A click on a name shows or hides it.</p>"
    return (
        ranking.section(),
        Section("Predicted curves", said, curves_of(predictions, law.logs)),
        law.section("The law, and the runs it was fitted to"),
    )
