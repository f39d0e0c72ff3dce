"""``lr-optax compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli.reading import Imports, import_modules, read
from lr_optax.cli.terminal import console
from lr_optax.cli.writing import check_folder, write

if TYPE_CHECKING:
    from lr_optax.demo.comparison import Comparison

EXAMPLES = (
    "lr-optax compare --out results",
    'lr-optax compare --schedule "one_cycle(0.1, total_steps=2000, warmup_steps=600)"',
    "lr-optax compare --total-steps 400 --seeds 2 --peaks 0.02,0.1",
)


def command(
    out: Annotated[Path, typer.Option(help="The folder for the picture and the CSV files.")] = Path(
        "results"
    ),
    schedule: Annotated[
        list[str] | None,
        typer.Option(help="Add a schedule, as text; its highest rate is put at every peak."),
    ] = None,
    total_steps: Annotated[
        int, typer.Option(min=1, max=2**31 - 1, help="Optimizer steps, a multiple of 40.")
    ] = 2000,
    seeds: Annotated[
        int, typer.Option(min=1, max=10_000, help="Runs for every strategy and peak.")
    ] = 8,
    peaks: Annotated[
        str, typer.Option(help="Highest rates to try.")
    ] = "0.005,0.01,0.02,0.035,0.05,0.1,0.2,0.5",
    imports: Imports = None,
) -> None:
    """Train a Flax model on handwritten digits under every root strategy, and report.

    For every strategy the peak rate with the best validation loss is chosen, and the test loss at
    that peak is reported. All strategies get the same peaks and seeds.
    """
    rates = _numbers(peaks)
    import_modules(imports)
    added = read(schedule or ())
    check_folder(out)

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lr_optax.demo import comparison as task
    from lr_optax.inspection.checks import check

    strategies = task.ROOTS | {text: task.shaped_like(s) for text, s in added.items()}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} runs"),
        TimeElapsedColumn(),
    )
    errors = console(stderr=True)
    warnings = [f"! {text}: {said}" for text, s in added.items() for said in check(s, total_steps)]
    bar = Progress(*columns, console=errors, disable=not errors.is_terminal)
    job = bar.add_task("compiling", total=None)

    def advance(done: int, total: int) -> None:
        if not done:  # the arguments are good
            for warning in warnings:
                errors.print(warning, soft_wrap=True)
            bar.start()
        bar.update(
            job, completed=done, total=total, description="training" if done else "compiling"
        )

    try:
        result = task.compare(
            strategies, peaks=rates, seeds=seeds, total_steps=total_steps, progress=advance
        )
    finally:
        bar.stop()
    _report(result, out, seeds)


def _numbers(peaks: str) -> list[float]:
    try:
        rates = [float(peak) for peak in peaks.split(",")]
    except ValueError:
        raise ValueError(f"--peaks takes numbers with commas between, got {peaks!r}") from None
    if len({*rates}) < len(rates):
        raise ValueError(f"--peaks must differ from each other, got {peaks}")
    return rates


def _report(result: "Comparison", out: Path, seeds: int) -> None:
    import numpy as np
    from rich.table import Table

    from lr_optax.demo.comparison import csv_files
    from lr_optax.inspection.plots import rendered, small_multiples

    table = Table("strategy", "best peak", "test loss", "test error", "gain", box=None)
    for row in result.rows:
        table.add_row(
            row.strategy,
            f"{row.peak:g}{' (edge)' if row.at_edge else ''}",
            _spread(f"{row.test_loss:.4f}", f"{row.test_loss_sd:.4f}", seeds),
            _spread(f"{row.test_error:.2%}", f"{row.test_error_sd:.2%}", seeds),
            f"{row.gain:+.1%}",
        )
    say = console()
    say.print(table)
    mean = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    say.print(
        f"digits, {result.total_steps} steps of 8 images; {mean} at "
        "the peak that was best on validation;\ngain: how much of the constant rate's test loss is "
        "gone; (edge): the best of the peaks tried is the lowest or highest",
        soft_wrap=True,
    )
    lost = [row.strategy for row in result.rows if not np.isfinite(row.test_loss)]
    if lost:
        say.print(f"! the loss is no number, at every peak: {', '.join(lost)}", soft_wrap=True)
    constant = next(row for row in result.rows if row.strategy == "constant")
    curves = [
        (
            f"{row.strategy}, peak {row.peak:g}",
            np.asarray(row.run.rate.mean(0)),
            np.asarray(row.run.validation.mean(0)),
        )
        for row in result.rows
    ]
    checks = len(constant.run.rate[0])
    figure = small_multiples(
        curves,
        np.arange(1, checks + 1) * (result.total_steps // checks),
        np.asarray(constant.run.validation.mean(0)),
        f"Digits, mean of {seeds} seeds, each strategy at its best peak rate; best test loss first",
    )
    files = {"compare.png": rendered(figure, "png"), **csv_files(result)}
    write({out / name: content for name, content in files.items()})
    for name in files:
        say.print(f"wrote {out / name}", soft_wrap=True)


def _spread(mean: str, sd: str, seeds: int) -> str:
    return f"{mean} ± {sd}" if seeds > 1 else mean
