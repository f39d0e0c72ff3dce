"""``lr-optax refine``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lr_optax.cli import options
from lr_optax.cli.output import check_distinct, print_result, schedule_section

EXAMPLES = (
    "lr-optax refine run.csv --total-steps 20000 --peak 0.01 --png refined.png",
    "lr-optax refine run.jsonl --norm l1 --column optim/grad_l1",
)


class NormChoice(StrEnum):
    """The norms that can be asked for."""

    l2 = "l2"
    l1 = "l1"


def command(
    log: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Log: .csv, .jsonl, or TensorBoard event files."),
    ],
    column: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of gradient norms, if not found by its name."),
    ] = None,
    step: options.StepOption = None,
    norm: Annotated[
        NormChoice,
        typer.Option(help="Which norm was logged: l2 suits SGD, l1 Adam and its variants."),
    ] = NormChoice.l2,
    total_steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=options.LAST_STEP,
            help="Length of the planned run.",
            show_default="that of the log",
        ),
    ] = None,
    peak: Annotated[float, typer.Option(help="Peak rate of the new schedule.")] = 1.0,
    smoothing: Annotated[
        float, typer.Option(help="Window of the running median, as a fraction of the run.")
    ] = 0.1,
    png: options.PictureOption = None,
    save: options.SaveOption = None,
    report: options.ReportOption = None,
) -> None:
    """Derive a schedule from a run's gradient norms: how long to warm up, and how to decay.

    The log must cover the whole run, from its first step to its last.
    """
    check_distinct([log], [save, png, report])

    from lr_optax import read_norms, refine

    steps, norms = read_norms(log, step=step, norm=column)
    refined = refine(
        norms,
        steps=steps,
        total_steps=total_steps,
        peak_value=peak,
        norm=norm.value,
        smoothing=smoothing,
    )
    title = f"Warm up for {refined.peak_step} of {refined.total_steps} steps"
    sections = (refined.section(), schedule_section(refined.schedule))
    print_result(refined, title, sections, save=save, png=png, report=report)
    print(f"\n{refined.schedule!r}")
