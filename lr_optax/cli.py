"""The command line: ``lr-optax compare``, ``list`` and ``show``.

Everything heavy is imported by the command that needs it, so that ``--help`` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

try:
    import typer
except ModuleNotFoundError:
    sys.exit('lr-optax: the command line needs more packages: pip install "lr_optax[cli]"')

if TYPE_CHECKING:
    from lr_optax import Schedule
    from lr_optax.demo.comparison import Comparison

app = typer.Typer(
    help="Learning-rate schedules for JAX and Optax.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()


def _fail(message: object) -> NoReturn:
    typer.echo(f"lr-optax: {message}", err=True)
    raise typer.Exit(2)


def _parse(text: str) -> "Schedule":
    from lr_optax import parse

    try:
        return parse(text)
    except ValueError as error:
        _fail(error)


@app.command("list")
def list_schedules() -> None:
    """The catalogue: every schedule with one line."""
    from rich.console import Console
    from rich.table import Table

    from lr_optax import catalogue

    table = Table("schedule", "what it does", box=None, pad_edge=False)
    for name, factory in catalogue().items():
        table.add_row(name, (factory.__doc__ or "").strip().splitlines()[0])
    Console().print(table)


@app.command()
def show(
    text: Annotated[str, typer.Argument(help="A schedule, such as 'constant(0.1)'.")],
    steps: Annotated[int, typer.Option(min=1, help="The length of the run.")] = 1000,
    png: Annotated[Path | None, typer.Option(help="Write a plot to this file.")] = None,
) -> None:
    """Show a schedule: a small picture, key points, warnings, and a plot with --png."""
    from rich.console import Console
    from rich.table import Table

    from lr_optax.inspection.checks import check
    from lr_optax.inspection.terminal import key_points, sketch

    schedule = _parse(text)
    table = Table("step", "rate", "", box=None, pad_edge=False)
    for step, rate, note in key_points(schedule, steps):
        table.add_row(str(step), f"{rate:.6g}", note)
    console = Console(highlight=False, markup=False)
    console.print(repr(schedule), soft_wrap=True)
    console.print(sketch(schedule, steps))
    console.print(table)
    for warning in check(schedule, steps):
        console.print(f"! {warning}", soft_wrap=True)
    if png is not None:
        from lr_optax.inspection import plots

        _writable(png.parent)
        plots.save(schedule, steps, png)
        console.print(f"wrote {png}", soft_wrap=True)


@app.command()
def compare(
    out: Annotated[Path, typer.Option(help="The folder for the picture and the CSV files.")] = Path(
        "results"
    ),
    schedule: Annotated[
        list[str] | None,
        typer.Option(help="Add a schedule, as text; its highest rate is put at every peak."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps, a multiple of 40.")] = 2000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs for every strategy and peak.")] = 8,
    peaks: Annotated[
        str, typer.Option(help="Highest rates to try.")
    ] = "0.005,0.01,0.02,0.035,0.05,0.1,0.2,0.5",
) -> None:
    """Train a Flax model on handwritten digits under every root strategy, and report.

    For every strategy the peak rate with the best validation loss is chosen, and the test loss at
    that peak is reported. All strategies get the same peaks and seeds.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    try:
        rates = [float(peak) for peak in peaks.split(",")]
    except ValueError:
        _fail(f"--peaks takes numbers with commas between, got {peaks!r}")
    added = {text: _parse(text) for text in schedule or ()}
    _writable(out)

    from lr_optax.demo import comparison as task

    strategies = task.ROOTS | {text: task.shaped_like(s) for text, s in added.items()}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} runs"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        job = bar.add_task("compiling", total=len(strategies) * len(rates) * seeds)

        def advance(done: int, total: int) -> None:
            bar.update(job, completed=done, total=total, description="training")

        try:
            result = task.compare(
                strategies, peaks=rates, seeds=seeds, steps=steps, progress=advance
            )
        except ValueError as error:
            bar.stop()
            _fail(error)
    _report(result, out, seeds)


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _fail(f"cannot write into {folder}: {error.strerror}")


def _report(result: "Comparison", out: Path, seeds: int) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from lr_optax.demo.comparison import save_csv
    from lr_optax.inspection.plots import small_multiples

    table = Table("strategy", "best peak", "test loss", "test error", "gain", box=None)
    for row in result.rows:
        table.add_row(
            row.strategy,
            f"{row.peak:g}{' (edge)' if row.at_edge else ''}",
            f"{row.test_loss:.4f} ± {row.test_loss_sd:.4f}",
            f"{row.test_error:.2%} ± {row.test_error_sd:.2%}",
            f"{row.gain:+.1%}",
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(
        f"digits, {result.steps} steps of 8 images; mean ± standard deviation of {seeds} seeds at "
        "the peak that was best on validation;\ngain: how much of the constant rate's test loss is "
        "gone; (edge): the best of the peaks tried is the lowest or highest",
        soft_wrap=True,
    )
    files = save_csv(result, out)
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
    picture = out / "compare.png"
    small_multiples(
        curves,
        np.arange(1, checks + 1) * (result.steps // checks),
        np.asarray(constant.run.validation.mean(0)),
        f"Digits, mean of {seeds} seeds, each strategy at its best peak rate; best test loss first",
        picture,
    )
    for path in (picture, *files):
        console.print(f"wrote {path}", soft_wrap=True)


if __name__ == "__main__":
    main()
