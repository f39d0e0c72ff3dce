"""``lr-optax refine``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lr_optax.cli.results import Page, Picture, Saved, check_files, page, say
from lr_optax.cli.terminal import console

EXAMPLES = (
    "lr-optax refine run.csv --total-steps 20000 --peak 0.01 --png refined.png",
    "lr-optax refine run.jsonl --norm l1 --column optim/grad_l1",
)


class Norm(StrEnum):
    """Which norms a log holds."""

    l2 = "l2"
    l1 = "l1"


def command(
    context: typer.Context,
    log: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="The log of a run: .csv, .jsonl, or TensorBoard's event files."
        ),
    ],
    column: Annotated[
        str | None, typer.Option(help="The column of gradient norms, if not found by itself.")
    ] = None,
    step: Annotated[
        str | None, typer.Option(help="The column of steps, if not found by itself.")
    ] = None,
    norm: Annotated[
        Norm, typer.Option(help="l2 for norms of SGD, l1 for those of Adam and its kin.")
    ] = Norm.l2,
    total_steps: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="The length of the new run.")
    ] = None,
    peak: Annotated[float, typer.Option(help="The highest rate of the new schedule.")] = 1.0,
    smoothing: Annotated[
        float, typer.Option(help="The share of the run that a running median looks at.")
    ] = 0.1,
    png: Picture = None,
    save: Saved = None,
    report: Page = None,
) -> None:
    """Make a schedule of the gradient norms of a run: how long to warm up, how to decay.

    The norms count as they are in a log of the whole run, from its first step to its last.
    """
    check_files(png, save, report)

    from lr_optax import read_norms, refine
    from lr_optax.results.page import Section, code

    steps, norms = read_norms(log, step=step, norm=column)
    found = refine(
        norms,
        steps=steps,
        total_steps=total_steps,
        peak_value=peak,
        norm=norm.value,
        smoothing=smoothing,
    )
    title = f"Warm up for {found.peak_step} of {found.total_steps} steps"
    sections = (
        found.section(),
        Section("The schedule", code(repr(found.schedule))),
    )
    settled = {"total_steps": found.total_steps}
    say(found, png, save, page(report, title, sections, context, **settled))
    console().print(f"\n{found.schedule!r}", soft_wrap=True)
