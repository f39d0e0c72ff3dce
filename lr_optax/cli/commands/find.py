"""``lr-optax find``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lr_optax.cli.reading import Imports, import_modules, read
from lr_optax.cli.results import Page, check_page, page
from lr_optax.cli.tasks import Metric, TaskName, own
from lr_optax.cli.terminal import console
from lr_optax.cli.writing import check_folder, write

if TYPE_CHECKING:
    from lr_optax.results._result import Result

EXAMPLES = (
    "lr-optax find --total-steps 400 --out results",
    "lr-optax find --task my_task:train --metric loss --total-steps 800",
)


def command(
    context: typer.Context,
    task: TaskName = "digits",
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Whose peak to find, as text; its highest rate is put at every peak.",
            show_default="a cosine to zero",
        ),
    ] = None,
    min_value: Annotated[float, typer.Option(help="The lowest rate to try.")] = 1e-4,
    max_value: Annotated[float, typer.Option(help="The highest rate to try.")] = 10.0,
    total_steps: Annotated[
        int, typer.Option(min=1, max=2**31 - 1, help="The length of the task's runs.")
    ] = 1000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs for every rate.")] = 4,
    metric: Metric = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for both results, as JSON, CSV and pictures.")
    ] = None,
    report: Page = None,
    imports: Imports = None,
) -> None:
    """Find a good peak rate: a range test for the order of magnitude, and a search.

    The range test lets the rate climb through one run and reads off its loss between which rates
    the best should lie. There the search trains whole runs under the schedule, a grid of peaks
    first and then around the best. Where the loss never falls, all rates are searched. The metric
    of a function of yours is its training loss at every step, or at the last of every so many.
    """
    import_modules(imports)
    shapes = read([schedule] if schedule else [f"cosine_decay(1.0, decay_steps={total_steps})"])
    if out is not None:
        check_folder(out)
    check_page(report)

    import jax

    from lr_optax import range_test, scale, tabulate, tune
    from lr_optax.results.page import Section, code
    from lr_optax.tasks._task import NAMES, load_task

    if task in NAMES:
        train, climbing, final = load_task(task).train(total_steps), "loss", "validation_loss"
    else:
        train, climbing, final = own(task), metric, metric
    (shape,) = shapes.values()
    highest = float(tabulate(shape, total_steps).values.max())
    if highest <= 0:
        raise ValueError(f"{shape!r} has no rate above 0 in {total_steps} steps")
    keys = jax.random.split(jax.random.key(0), seeds)
    ranges = range_test(
        train,
        keys,
        min_value=min_value,
        max_value=max_value,
        total_steps=total_steps,
        metric=metric or climbing,
    )
    _say("range_test", ranges, out)
    low, high = ranges.search_range
    if not low < high:
        low, high = min_value, max_value
    found = tune(
        train,
        lambda peak: scale(shape, factor=peak / highest),
        keys,
        min_value=low,
        max_value=high,
        metric=metric or final,
    )
    _say("tune", found, out)
    title, text = "Every run of the search diverged", ""
    if found.schedule is not None:
        title, text = f"A good peak rate is {found.best['peak']:.3g}", code(repr(found.schedule))
    sections = (
        found.section("The search"),
        Section("", text),
        ranges.section("The range test"),
    )
    write(page(report, title, sections, context, schedule=next(iter(shapes))))
    if report is not None:
        console().print(f"wrote {report}", soft_wrap=True)
    if found.schedule is not None:
        console().print(repr(found.schedule), soft_wrap=True)


def _say(name: str, result: "Result", out: Path | None) -> None:
    say = console()
    say.print(f"{name}\n{result}", soft_wrap=True)
    if out is None:
        return
    from lr_optax.results.figure import rendered

    write(
        {
            out / f"{name}.png": rendered(result.plot(), "png"),
            **{out / f"{name}{ending}": result.written(ending) for ending in (".json", ".csv")},
        }
    )
    say.print(f"wrote {out / name}.png, .json and .csv", soft_wrap=True)
