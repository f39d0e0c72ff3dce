"""``lr-optax refine``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lr_optax.cli import options
from lr_optax.cli.output import check_distinct, print_result, schedule_section

if TYPE_CHECKING:
    from lr_optax.foresight._refine import Norm

EXAMPLES = (
    "lr-optax refine run.csv --total-steps 20000 --peak 0.01 --png refined.png",
    "lr-optax refine run.jsonl --norm l1 --column optim/grad_l1",
)


def command(
    log: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Log: .csv, .jsonl, or TensorBoard event files."),
    ],
    column: Annotated[str | None, options.column("gradient norms")] = None,
    step: options.StepOption = None,
    norm: Annotated[
        str,
        typer.Option(
            metavar="l2|l1", help="Which norm was logged: l2 suits SGD, l1 Adam and its variants."
        ),
    ] = "l2",
    total_steps: Annotated[
        int | None,
        options.option(
            "Length of the planned run.",
            "N",
            default="that of the log",
            at_least=1,
            at_most=options.LAST_STEP,
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
        norm=cast("Norm", norm),
        smoothing=smoothing,
    )
    title = f"Warm up for {refined.peak_step} of {refined.total_steps} steps"
    print_result(
        refined,
        title,
        lambda: [refined.section(), schedule_section(refined.schedule)],
        save=save,
        png=png,
        report=report,
    )
    print(f"\n{refined.schedule!r}")
