"""Do range_test and tune find what a fine grid finds? Writes docs/evidence.md.

    python benchmarks/evidence.py

``tune`` sees the validation data and seeds of its own; the range test sees training losses alone.
What they found is then trained with fresh seeds beside a grid, in one sweep, and measured on the
test data. The best of the grid is chosen by these same runs, which flatters it and not the tools.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from lr_optax import (
    RangeTest,
    Schedule,
    Sweep,
    Tuning,
    constant,
    cosine_decay,
    cyclical,
    parse,
    range_test,
    step_decay,
    sweep,
    tune,
    warmup_cosine_decay,
    warmup_linear_decay,
    warmup_stable_decay,
)
from lr_optax.demo import digits, text
from lr_optax.demo.training import Task, of_schedules

RAMP, RAMPS, TUNED = 400, 12, 6
LOWEST, HIGHEST = 1e-4, 10.0

Family = Callable[[float], Schedule]


class Case(NamedTuple):
    """A task, and what it is trained with."""

    title: str
    task: Task
    steps: int
    seeds: int
    grid: np.ndarray
    families: dict[str, Family]


DIGITS = Case(
    "Digits",
    digits.TASK,
    steps=1000,
    seeds=12,
    grid=np.geomspace(0.005, 1.0, 20),
    families={
        "constant": constant,
        "step decay": lambda peak: step_decay(peak, decay_rate=0.5, decay_steps=200),
        "cosine to zero": lambda peak: cosine_decay(peak, decay_steps=1000),
    },
)
TEXT = Case(
    "Text",
    text.TASK,
    steps=1200,
    seeds=16,
    grid=np.geomspace(0.0005, 0.1, 20),
    families={
        "constant": constant,
        "warm-up, cosine": lambda peak: warmup_cosine_decay(
            peak, total_steps=1200, warmup_steps=60
        ),
        "warm-up, linear": lambda peak: warmup_linear_decay(
            peak, total_steps=1200, warmup_steps=60
        ),
        "warm-up, stable, decay": lambda peak: warmup_stable_decay(
            peak, total_steps=1200, warmup_steps=60, cooldown_steps=240
        ),
    },
)


class Found(NamedTuple):
    """What the tools say of a task."""

    ranges: RangeTest
    alone: dict[str, Tuning]  # over all decades
    within: dict[str, Tuning]  # in the range that the range test found
    top: Tuning  # of the triangles


def seeds(purpose: int, count: int) -> jax.Array:
    """Random keys; those of one purpose are no others'."""
    return jax.random.split(jax.random.key(purpose), count)


def triangles(low: float, high: float, steps: int) -> Schedule:
    """Four cycles between two rates."""
    return cyclical(low, max_value=high, step_size_up=steps // 8)


def search(case: Case) -> Found:
    """Ramp, then tune: with and without the range of the ramp."""
    data = case.task.load()
    train = of_schedules(case.task.trainer(data, case.steps))
    ramp = of_schedules(case.task.trainer(data, RAMP))
    ranges = range_test(
        ramp,
        seeds(0, RAMPS),
        min_value=LOWEST,
        max_value=HIGHEST,
        total_steps=RAMP,
    )
    low, high = ranges.search_range
    keys = seeds(1, TUNED)

    def tuned(family: Family, low: float, high: float) -> Tuning:
        return tune(train, family, keys, min_value=low, max_value=high, metric="validation")

    return Found(
        ranges,
        {name: tuned(family, LOWEST, HIGHEST) for name, family in case.families.items()},
        {name: tuned(family, low, high) for name, family in case.families.items()},
        tuned(lambda top: triangles(low, top, case.steps), low, high),
    )


def candidates(case: Case, found: Found) -> dict[str, Schedule]:
    """All that is compared, by the family and where its rate is from."""
    low, high = found.ranges.bounds
    all_of_them = {}
    for name, family in case.families.items():
        peaks = {f"grid {peak:.3g}": peak for peak in case.grid}
        peaks |= {
            "`range_test`, then `tune`": found.within[name].best["peak"],
            "`tune` alone": found.alone[name].best["peak"],
        }
        peaks |= {f"`range_test`, {s}": rate for s, rate in found.ranges.suggestions.items()}
        known = {source: peak for source, peak in peaks.items() if np.isfinite(peak)}
        all_of_them |= {f"{name}: {source}": family(peak) for source, peak in known.items()}
    cycles = {f"grid {top:.3g}": (top / 10, top) for top in case.grid}
    cycles["`range_test`, then `tune`"] = low, found.top.best["peak"]
    cycles["`range_test`, bounds"] = low, high
    return all_of_them | {
        f"triangles: {source}": triangles(*ends, case.steps) for source, ends in cycles.items()
    }


class Row(NamedTuple):
    """One line of the table of a task."""

    family: str
    source: str
    rate: float
    loss: float
    off: str
    words: str


def rows(case: Case, result: Sweep, family: str) -> list[Row]:
    """The best of a family's grid, and what the tools found beside it."""
    mine = {
        n.removeprefix(f"{family}: "): i
        for i, n in enumerate(result.names)
        if n.startswith(f"{family}: ")
    }
    means = result.values.mean(axis=1)
    grid = [i for source, i in mine.items() if source.startswith("grid")]
    best = grid[int(np.nanargmin(means[grid]))]
    beside = result.compared_with(best)
    lines = []
    for source, i in mine.items():
        rate = float(np.max(parse(result.texts[i])(np.arange(case.steps))))
        if i == best:
            lines.append(Row(family, "best of the grid", rate, float(means[i]), "", ""))
        elif i not in grid:
            off = f"{beside[i].mean:+.4f} ± {beside[i].margin:.4f}"
            lines.append(Row(family, source, rate, float(means[i]), off, beside[i].words))
    return lines


def shown(lines: list[Row]) -> str:
    """The table."""
    return "\n".join(
        f"| {r.family} | {r.source} | {r.rate:.3g} | "
        f"{f'{r.loss:.4f}' if np.isfinite(r.loss) else 'diverged'} | {r.off} | {r.words} |"
        for r in lines
    )


def verdicts(by_task: dict[str, list[Row]]) -> str:
    """Of how many schedules each tool's rate is as good as the best of the grid."""
    known: dict[str, dict[str, list[bool]]] = {}
    for task, lines in by_task.items():
        for row in lines:
            if row.words:
                tasks = known.setdefault(row.source, {name: [] for name in by_task})
                tasks[task].append(np.isfinite(row.loss) and row.words != "worse")
    head = [
        f"| rate from | {' | '.join(f'{task}: of its schedules' for task in by_task)} |",
        f"| --- |{' --- |' * len(by_task)}",
    ]
    return "\n".join(
        head
        + [
            f"| {source} | {' | '.join(f'{sum(t)} of {len(t)}' for t in tasks.values())} |"
            for source, tasks in known.items()
        ]
    )


def dynamic(case: Case, result: Sweep, lines: list[Row]) -> str:
    """Every schedule at the rate the tools found, beside the best constant rate of the grid."""
    (best,) = (r for r in lines if (r.family, r.source) == ("constant", "best of the grid"))
    reference = result.names.index(f"constant: grid {best.rate:.3g}")
    beside = result.compared_with(reference)
    head = "| schedule | test loss | above the best constant rate | in words |"
    table = [head, "| --- | --- | --- | --- |"]
    for family in [*case.families, "triangles"]:
        i = result.names.index(f"{family}: `range_test`, then `tune`")
        off = f"{beside[i].mean:+.4f} ± {beside[i].margin:.4f}"
        table.append(f"| {family} | {result.values[i].mean():.4f} | {off} | {beside[i].words} |")
    return "\n".join(table)


def section(case: Case) -> tuple[str, list[Row]]:
    """Tune, ramp, compare, write."""
    found = search(case)
    result = sweep(
        of_schedules(case.task.trainer(case.task.load(), case.steps)),
        candidates(case, found),
        seeds(2, case.seeds),
        metric="test_loss",
        progress=True,
    )
    lines = [row for f in [*case.families, "triangles"] for row in rows(case, result, f)]
    said = SECTION.format(
        title=case.title,
        name=case.task.name,
        summary=case.task.summary,
        steps=case.steps,
        seeds=case.seeds,
        points=len(case.grid),
        lowest=case.grid[0],
        highest=case.grid[-1],
        rows=shown(lines),
        dynamic=dynamic(case, result, lines),
        ranges=found.ranges,
        tunings="\n\n".join(
            f"{name}:\n\n```\n{tuning}\n```"
            for name, tuning in [*found.within.items(), ("triangles, the top", found.top)]
        ),
    )
    return said, lines


def main() -> None:
    """Both tasks, one page."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    begin = time.monotonic()
    sections = {case.title: section(case) for case in (DIGITS, TEXT)}
    page = PAGE.format(
        ramp=RAMP,
        ramps=RAMPS,
        tuned=TUNED,
        low=LOWEST,
        high=HIGHEST,
        seconds=round(time.process_time(), -1),
        verdicts=verdicts({title: lines for title, (_, lines) in sections.items()}),
        sections="\n".join(said for said, _ in sections.values()),
    )
    (Path(__file__).parents[1] / "docs" / "evidence.md").write_text(page)
    print(page)
    print(f"{time.monotonic() - begin:.0f} s")


SECTION = """## {title}

The task of `lr_optax/demo/{name}.py`:
{summary}.
{steps} steps. The grid has {points} rates from {lowest:.3g} to {highest:.3g}; every line is trained
with the same {seeds} fresh seeds.

| schedule | rate from | highest rate | test loss | above the grid's best | in words |
| --- | --- | --- | --- | --- | --- |
{rows}

Does a rate that moves improve the model over the best constant one? Every schedule at the rate that
`range_test`, then `tune` found, beside the constant rate that is the best of the grid:

{dynamic}

What `range_test` said:

```
{ranges}
```

What `tune` said, in the range that `range_test` found:

{tunings}
"""

PAGE = """# Do range_test and tune find what a fine grid finds?

Made by `benchmarks/evidence.py`, in {seconds:.0f} CPU seconds.

Two tasks, a few schedules each. `range_test` saw the training losses of {ramps} ramps of {ramp}
steps, from {low:g} to {high:g}. `tune` saw {tuned} other seeds and the validation data: alone,
over the same five decades; and after `range_test`, in the range that it found (`search_range`), as
`lr-optax find` does. Everything in the tables is then trained with the same fresh seeds and
measured on the test data; ± is the 95 % interval of the difference to the best of the grid, paired
by seed. That best is chosen on these same runs, which flatters it.

For how many schedules is what a tool found within noise of the grid's best, or better?

{verdicts}

So take **the range from `range_test` and the peak from `tune`**, under the schedule that will be
used: within noise of the grid's best, or better, for every schedule that has one peak, on both
tasks. `tune` alone does as well, if you know five decades in which the peak lies; the ramp names
the range, and says when it does not reach far enough. One suggestion for all schedules cannot be
right: on both tasks the best peak of a cosine is two to three times that of a constant rate. Which
suggestion is near which schedule changes with the task, and `slide` is far too high everywhere.

The bounds of a cyclical schedule are no better: triangles between the rates that the ramp names end
above the best triangles of the grid, which go from a tenth of the highest rate up to it. On the
digits the lowest rate is to blame, for the highest is nearly that of the grid: an exponential ramp
stays long at low rates, and the loss begins to fall early.

{sections}"""


if __name__ == "__main__":
    main()
