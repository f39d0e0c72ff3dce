"""``lr-optax show``."""

import inspect
import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli import options
from lr_optax.cli.output import check_distinct, console, picture, write_files

if TYPE_CHECKING:
    from lr_optax import Schedule

EXAMPLES = (
    'lr-optax show "cosine_decay(0.1, decay_steps=1000)" --total-steps 800',
    'lr-optax show "constant(0.1)" "linear(0.1, transition_steps=1000)" --png both.png',
    'lr-optax show "sine(0.1, period=50)" --import my_schedules',
    "lr-optax show cosine_decay",
)


def command(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="SCHEDULE",
            help="A schedule, such as 'constant(0.1)'; a name alone shows its arguments.",
        ),
    ],
    total_steps: Annotated[
        int, typer.Option(metavar="N", min=1, max=options.LAST_STEP, help="Length of the run.")
    ] = 1000,
    png: options.PictureOption = None,
    imports: options.ImportOption = None,
) -> None:
    """Show schedules in the terminal: a sketch, key points, and likely mistakes."""
    from lr_optax import catalogue

    check_distinct([], [png])
    names = [text.strip() for text in texts]
    if {*names} <= catalogue().keys():
        for name in names:
            print(f"{name}{inspect.signature(catalogue()[name])}")
        return
    schedules = options.parse_schedules(texts).values()
    for schedule in schedules:
        _print(schedule, total_steps)
    if png is not None:
        from lr_optax.inspection._plot import overview

        write_files({png: picture(lambda: overview([*schedules], total_steps), png)})


def _print(schedule: "Schedule", total_steps: int) -> None:
    from rich.table import Table

    from lr_optax.inspection._check import check
    from lr_optax.inspection.terminal import key_points, sketch

    print(repr(schedule))
    print(sketch(schedule, total_steps, width=min(64, shutil.get_terminal_size().columns)))
    table = Table("step", "rate", "", box=None, pad_edge=False)
    for step, rate, note in key_points(schedule, total_steps):
        table.add_row(str(step), f"{rate:.6g}", note)
    console().print(table)
    for warning in check(schedule, total_steps):
        print(f"! {warning}")
