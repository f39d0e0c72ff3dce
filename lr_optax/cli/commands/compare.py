"""``lr-optax compare``."""

from pathlib import Path
from typing import Annotated

import typer

from lr_optax.cli.reading import Imports, import_modules, read
from lr_optax.cli.results import Page, check_page, page
from lr_optax.cli.tasks import Metric, TaskName, own
from lr_optax.cli.terminal import console
from lr_optax.cli.writing import check_folder, write

EXAMPLES = (
    "lr-optax compare --out results",
    "lr-optax compare --task text --report text.html",
    'lr-optax compare --schedule "one_cycle(0.1, total_steps=2000, warmup_steps=600)"',
    "lr-optax compare --total-steps 400 --seeds 2 --peaks 0.02,0.1",
    "lr-optax compare --task my_task:train --metric loss --total-steps 800 --peaks 0.01,0.1,1.0",
)


_SEEDS = 6  # the fewest that give an interval


def command(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(help="The folder for the picture, the result as JSON, and CSV files.")
    ] = Path("results"),
    task: TaskName = "digits",
    metric: Metric = None,
    report: Page = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(help="Add a schedule, as text; its highest rate is put at every peak."),
    ] = None,
    total_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**31 - 1,
            help="Optimizer steps, a multiple of 40 for a task from here.",
            show_default="what suits the task",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Runs for every strategy and peak.",
            show_default="what suits the task",
        ),
    ] = None,
    peaks: Annotated[
        str | None,
        typer.Option(
            help="Highest rates of a first round; a second looks around the best of them.",
            show_default="what suits the task",
        ),
    ] = None,
    imports: Imports = None,
) -> None:
    """Train a model under every root strategy, and report.

    For every strategy the peak rate with the best validation loss is chosen, and the test loss at
    that peak is reported. All strategies get the same first peaks and seeds. A function of yours
    has one metric for both, needs --total-steps and --peaks, and no plateau.
    """
    rates = None if peaks is None else _numbers(peaks)
    import_modules(imports)
    added = read(schedule or ())
    check_folder(out)
    check_page(report)

    import jax
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lr_optax import compare, root_strategies
    from lr_optax.foresight._compare import PLATEAU
    from lr_optax.inspection._check import check
    from lr_optax.results.figure import rendered
    from lr_optax.tasks._task import NAMES, load_task

    strategies = root_strategies()
    if task in NAMES:
        small = load_task(task)
        if metric is not None:
            raise ValueError(f"--metric is for a function of yours, got it with --task {task}")
        summary, strategies = small.summary, strategies | PLATEAU
        rates, seeds = rates or list(small.peaks), seeds or small.seeds
        length = total_steps or small.total_steps
        train = small.train(length)
        metrics = {"metric": "test_loss", "peak_metric": "validation_loss"}
        metrics["error_metric"] = "test_error"
    else:
        train, summary, metrics = own(task), task, {"metric": metric}
        if total_steps is None or rates is None:
            raise ValueError(
                f"--task {task} needs --total-steps, the length of its runs, and --peaks, such as "
                "0.01,0.03,0.1 (`lr-optax find` looks for them)"
            )
        length, seeds = total_steps, seeds or _SEEDS
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} runs"),
        TimeElapsedColumn(),
    )
    errors = console(stderr=True)
    warnings = [f"! {text}: {said}" for text, s in added.items() for said in check(s, length)]
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
        result = compare(
            train,
            jax.random.split(jax.random.key(0), seeds),
            strategies=strategies | added,
            peaks=rates,
            total_steps=length,
            **metrics,
            task=summary,
            progress=advance,
        )
    finally:
        bar.stop()
    files: dict[Path, str | bytes] = {
        out / "compare.png": rendered(result.plot(), "png"),
        out / "compare.json": result.written(".json"),
        **{out / name: content for name, content in result.files().items()},
    }
    settled = {
        "total_steps": length,
        "seeds": seeds,
        "peaks": ",".join(map(str, rates)),
    }
    files |= page(report, result.title, [result.section()], context, **settled)
    say = console()
    say.print(str(result), soft_wrap=True)
    write(files)
    for path in files:
        say.print(f"wrote {path}", soft_wrap=True)


def _numbers(peaks: str) -> list[float]:
    try:
        rates = [float(peak) for peak in peaks.split(",")]
    except ValueError:
        raise ValueError(f"--peaks takes numbers with commas between, got {peaks!r}") from None
    if len({*rates}) < len(rates):
        raise ValueError(f"--peaks must differ from each other, got {peaks}")
    return rates
