"""Are range_test and tune as good as a fine grid? Writes docs/evidence.md.

    python benchmarks/evidence.py

``tune`` uses the validation data and its own seeds; the range test uses only training losses. What
they find is then trained with new seeds together with a grid, in one sweep, and measured on the
test data. The best of the grid is chosen on these same runs, which favors the grid.
"""

import functools
import os
import time
from collections.abc import Callable, Mapping
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
from lr_optax.foresight._statistics import paired
from lr_optax.results._result import Result
from lr_optax.tasks._task import Task, load_task

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
    load_task("digits"),
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
    load_task("text"),
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
    """The results of the tools on a task."""

    ramps: dict[str, RangeTest]
    alone: dict[str, Tuning]  # over all decades
    within: dict[str, Tuning]  # in the range that the range test found
    cycles: dict[str, Tuning]  # the highest rate of triangles, by where their lowest is from


def seeds(purpose: int, count: int) -> jax.Array:
    """Random keys, different for each purpose."""
    return jax.random.split(jax.random.key(purpose), count)


def triangles(low: float, high: float, steps: int) -> Schedule:
    """Four cycles between two rates."""
    return cyclical(low, max_value=high, step_size_up=steps // 8)


def climb(case: Case) -> dict[str, RangeTest]:
    """An exponential ramp over all decades, and a linear one, Smith's, in the range it found."""
    ramp = case.task.train(RAMP)
    run = functools.partial(range_test, ramp, seeds(0, RAMPS), total_steps=RAMP)
    ranges = run(min_value=LOWEST, max_value=HIGHEST)
    low, high = ranges.search_range
    linear = run(min_value=low, max_value=high, shape="linear")
    return {"`range_test`": ranges, "linear `range_test`": linear}


def search(case: Case) -> Found:
    """Ramp, then tune: with and without the range of the ramp."""
    train = case.task.train(case.steps)
    ramps = climb(case)
    low, high = ramps["`range_test`"].search_range

    def tuned(family: Family, low: float, high: float) -> Tuning:
        return tune(
            train, family, seeds(1, TUNED), min_value=low, max_value=high, metric="validation_loss"
        )

    def cycle(low: float) -> Tuning:
        return tuned(lambda top: triangles(low, top, case.steps), low, high)

    tenth = tuned(lambda top: triangles(top / 10, top, case.steps), low, high)
    return Found(
        ramps,
        {name: tuned(family, LOWEST, HIGHEST) for name, family in case.families.items()},
        {name: tuned(family, low, high) for name, family in case.families.items()},
        {"`range_test`, then `tune`": tenth}
        | {f"{n}, lowest; highest by `tune`": cycle(r.bounds[0]) for n, r in ramps.items()},
    )


def candidates(case: Case, found: Found) -> dict[str, Schedule]:
    """The schedules with one peak, by family and by the source of the peak."""
    all_of_them = {}
    for name, family in case.families.items():
        peaks = {f"grid {peak:.3g}": peak for peak in case.grid}
        peaks |= {
            "`range_test`, then `tune`": found.within[name].best["peak"],
            "`tune` alone": found.alone[name].best["peak"],
        }
        suggested = found.ramps["`range_test`"].suggestions
        peaks |= {f"`range_test`, {s}": rate for s, rate in suggested.items()}
        known = {source: peak for source, peak in peaks.items() if np.isfinite(peak)}
        all_of_them |= {f"{name}: {source}": family(peak) for source, peak in known.items()}
    return all_of_them


def cycles(case: Case, found: Found) -> dict[str, Schedule]:
    """Triangles, by the source of their rates; those of the grid begin at a tenth of the top."""
    ends = {f"grid {top:.3g}": (top / 10, top) for top in case.grid}
    for source, tuning in found.cycles.items():
        top = tuning.best["peak"]
        ramp = found.ramps.get(source.partition(", lowest")[0])
        ends[source] = (ramp.bounds[0] if ramp else top / 10), top
    ends |= {f"{name}, bounds": ramp.bounds for name, ramp in found.ramps.items()}
    return {f"triangles: {source}": triangles(*e, case.steps) for source, e in ends.items()}


class Row(NamedTuple):
    """One line of the table of a task."""

    family: str
    source: str
    rate: float
    loss: float
    off: str
    words: str


def rows(case: Case, result: Sweep, family: str) -> list[Row]:
    """The best of a family's grid, and what the tools found, compared with it."""
    mine = {
        n.removeprefix(f"{family}: "): i
        for i, n in enumerate(result.names)
        if n.startswith(f"{family}: ")
    }
    means = result.values.mean(axis=1)
    grid = [i for source, i in mine.items() if source.startswith("grid")]
    best = grid[int(np.nanargmin(means[grid]))]
    differences = result.compared_with(best)
    lines = []
    for source, i in mine.items():
        rate = float(np.max(parse(result.texts[i])(np.arange(case.steps))))
        if i == best:
            lines.append(Row(family, "best of the grid", rate, float(means[i]), "", ""))
        elif i not in grid:
            off = f"{differences[i].mean:+.4f} ± {differences[i].margin:.4f}"
            lines.append(Row(family, source, rate, float(means[i]), off, differences[i].words))
    return lines


def shown(lines: list[Row]) -> str:
    """The rows as text."""
    return "\n".join(
        f"| {r.family} | {r.source} | {r.rate:.3g} | "
        f"{f'{r.loss:.4f}' if np.isfinite(r.loss) else 'diverged'} | {r.off} | {r.words} |"
        for r in lines
    )


def verdicts(by_task: dict[str, list[Row]]) -> str:
    """A table: for how many schedules each tool's rate is as good as the best of the grid."""
    known: dict[str, dict[str, list[bool]]] = {}
    for task, lines in by_task.items():
        for row in lines:
            if row.words:
                tasks = known.setdefault(row.source, {name: [] for name in by_task})
                tasks[task].append(np.isfinite(row.loss) and row.words != "worse")
    head = [
        f"| rate from | {' | '.join(by_task)} |",
        f"| --- |{' --- |' * len(by_task)}",
    ]
    return "\n".join(
        head
        + [
            f"| {source} | {' | '.join(f'{sum(t)} of {len(t)}' for t in tasks.values())} |"
            for source, tasks in known.items()
        ]
    )


def dynamic(case: Case, peaks: Sweep, cycles: Sweep, lines: list[Row]) -> str:
    """Every schedule at the rate the tools found, compared with the best constant rate."""
    (best,) = (r for r in lines if (r.family, r.source) == ("constant", "best of the grid"))
    reference = peaks.values[peaks.names.index(f"constant: grid {best.rate:.3g}")]
    head = "| schedule | test loss | above the best constant rate | verdict |"
    table = [head, "| --- | --- | --- | --- |"]
    for family in [*case.families, "triangles"]:
        result = cycles if family == "triangles" else peaks
        values = result.values[result.names.index(f"{family}: `range_test`, then `tune`")]
        difference = paired(values, reference)
        off = f"{difference.mean:+.4f} ± {difference.margin:.4f}"
        table.append(f"| {family} | {values.mean():.4f} | {off} | {difference.words} |")
    return "\n".join(table)


def blocks(results: Mapping[str, Result]) -> str:
    """Results as they print, by name."""
    return "\n\n".join(f"{name}:\n\n```\n{result}\n```" for name, result in results.items())


def section(case: Case) -> tuple[str, list[Row]]:
    """Tune, ramp, compare, write."""
    found = search(case)
    train = case.task.train(case.steps)

    def measure(candidates: dict[str, Schedule]) -> Sweep:
        keys = seeds(2, case.seeds)
        return sweep(train, candidates, keys, metric="test_loss", progress=True)

    peaks, triangular = measure(candidates(case, found)), measure(cycles(case, found))
    lines = [row for family in case.families for row in rows(case, peaks, family)]
    lines += rows(case, triangular, "triangles")
    text_of_section = SECTION.format(
        title=case.title,
        name=case.task.name,
        summary=case.task.summary,
        steps=case.steps,
        seeds=case.seeds,
        points=len(case.grid),
        lowest=case.grid[0],
        highest=case.grid[-1],
        rows=shown(lines),
        dynamic=dynamic(case, peaks, triangular, lines),
        ranges=blocks(found.ramps),
        tunings=blocks(
            found.within | {f"triangles, {name}": tuning for name, tuning in found.cycles.items()}
        ),
    )
    return text_of_section, lines


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
        seconds=round(time.process_time(), -2),
        verdicts=verdicts({title: lines for title, (_, lines) in sections.items()}),
        sections="\n".join(words for words, _ in sections.values()),
    )
    (Path(__file__).parents[1] / "docs" / "evidence.md").write_text(page)
    print(page)
    print(f"{time.monotonic() - begin:.0f} s")


SECTION = """## {title}

The task of `lr_optax/tasks/_{name}.py`:
{summary}.
{steps} steps. The grid has {points} rates from {lowest:.3g} to {highest:.3g}. Every row is trained
with the same {seeds} new seeds.

| schedule | rate from | highest rate | test loss | above the grid's best | verdict |
| --- | --- | --- | --- | --- | --- |
{rows}

Does a schedule improve the model over the best constant rate? Every schedule, at the rate found by
`range_test` and then `tune`, compared with the best constant rate of the grid:

{dynamic}

The results of `range_test`, on an exponential ramp and on a linear one up to the end of the range
that was found:

{ranges}

The results of `tune`, in the range that `range_test` found:

{tunings}
"""

PAGE = """# Are `range_test` and `tune` as good as a fine grid?

`benchmarks/evidence.py` makes this page in about {seconds:.0f} CPU seconds.

There are two tasks with a few schedules each.

- `range_test` used the training losses of {ramps} ramps of {ramp} steps, from {low:g} to {high:g}.
- `tune` used {tuned} other seeds and the validation data. It ran alone over the same five decades,
  and after `range_test` in the range that this found (`search_range`), as `lr-optax find` does.
- The rates that were found, and those of the grid, were then trained with the same new seeds and
  measured on the test data. ± is the 95% interval of the difference to the best of the grid, paired
  by seed. That best is chosen on these same runs, so its loss is optimistic.
- Triangles are four cycles. Those of the grid, and those where `tune` follows `range_test`, begin
  at a tenth of their highest rate.

For how many schedules did the tool find a rate at least as good as the grid's best, within noise?

{verdicts}

So take **the range from `range_test` and the peak from `tune`**, under the schedule that you will
use. For every schedule on both tasks this is as good as the grid's best, within noise. `tune` alone
does as well if you know five decades that contain the peak; the ramp finds the range, and warns
when it does not reach far enough. No single suggestion suits all schedules: on both tasks the best
peak of a cosine is two to three times that of a constant rate. Which suggestion is near which
schedule depends on the task, and `slide` is far too high everywhere.

For a cyclical schedule, a linear ramp such as Smith's can give the lowest rate; `tune` should find
the highest. Triangles between the two rates that a ramp suggests end above the best of the grid on
both tasks: the highest rate is too high on the text, and an exponential ramp, which stays at low
rates for long, suggests a lowest rate that is too low. (The first run had only these two cases. The
linear ramp, and a lowest rate of a tenth of the highest as in the grid, were added after it. Steps,
seeds and grids were fixed before and not changed.)

Compared with the best constant rate, every schedule that changes the rate improves the model on the
digits. On the text, with so few steps, only the one that cools down at the end does, by 1.2%.

{sections}"""


if __name__ == "__main__":
    main()
