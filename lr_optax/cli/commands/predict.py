"""``lr-optax predict``."""

from typing import Annotated

import typer

from lr_optax.cli.logs import Law, LawName, Loss, Rate, Runs, Schedules, Step, TotalSteps, fit
from lr_optax.cli.reading import Imports, import_modules, read
from lr_optax.cli.results import Picture, Saved, check_files, say
from lr_optax.cli.terminal import console

EXAMPLES = (
    'lr-optax predict level.csv falls.csv --total-steps 50000 --candidate "constant(1e-3)" '
    '--candidate "cosine_decay(1e-3, decay_steps=50000)"',
    'lr-optax predict run.csv --loss val/loss --schedule "constant(0.1)" --total-steps 2000 '
    '--candidate "linear(0.1, transition_steps=2000)" --png predicted.png',
)


def command(
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
    imports: Imports = None,
) -> None:
    """Predict the final losses of schedules that nobody has run, from a few logged runs.

    A loss law is fitted to the runs; the losses come with the spread of an ensemble, and it is said
    which differences exceed it.
    """
    import_modules(imports)
    candidates = read(candidate)
    check_files(png, save)
    fitted = fit(runs, schedules, law, step, loss, rate)
    console().print(f"{fitted}\n", soft_wrap=True)
    say(fitted.rank(candidates, total_steps), png, save)
