"""Do range_test and tune find what a fine grid finds? Writes docs/evidence.md, in some minutes.

    python benchmarks/evidence.py

``tune`` sees the validation data and seeds of its own; the range test sees training losses alone.
What they found is then trained with fresh seeds beside a grid, in one sweep, and measured on the
test data. The best of the grid is chosen by these same runs, which flatters it and not the tools.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

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
    training_run,
    tune,
)
from lr_optax.demo import digits

STEPS = 1000
RAMP = 400
SEEDS = 12
GRID = np.geomspace(0.005, 1.0, 20)
TUNING, RANGE, FRESH = jax.random.split(jax.random.key(0), 3)

Family = Callable[[float], Schedule]
FAMILIES: dict[str, Family] = {
    "constant": lambda peak: constant(peak),
    "step decay": lambda peak: step_decay(peak, decay_rate=0.5, decay_steps=STEPS // 5),
    "cosine to zero": lambda peak: cosine_decay(peak, decay_steps=STEPS),
}


def triangles(low: float, high: float) -> Schedule:
    """Four cycles between two rates."""
    return cyclical(low, max_value=high, step_size_up=STEPS // 8)


def trainer(steps: int, validation: digits.Split) -> Callable[[Any, jax.Array], Any]:
    """The digits of ``lr_optax.demo``, with SGD and momentum, as every tool wants them."""
    graph, _ = nnx.split(digits.Classifier(nnx.Rngs(0)))

    def loss_fn(params: Any, batch: digits.Split, key: jax.Array | None) -> jax.Array:
        images, labels = batch
        if key is not None:
            images += digits.NOISE * jax.random.normal(key, images.shape)
        logits = nnx.merge(graph, params)(images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    return training_run(
        loss_fn,
        lambda key: nnx.state(digits.Classifier(nnx.Rngs(key))),
        lambda schedule: optax.sgd(schedule, momentum=0.9),
        digits.load().train,
        total_steps=steps,
        batch_size=digits.BATCH,
        validation=validation,
    )


def candidates(tunings: dict[str, Tuning], ranges: RangeTest) -> dict[str, Schedule]:
    """All that is compared, by the family and where its rate is from."""
    all_of_them = {}
    for name, family in FAMILIES.items():
        peaks = {f"grid {peak:.3g}": peak for peak in GRID}
        peaks |= {"`tune`": tunings[name].best["peak"]}
        peaks |= {f"`range_test`, {s}": rate for s, rate in ranges.suggestions.items()}
        known = {source: peak for source, peak in peaks.items() if np.isfinite(peak)}
        all_of_them |= {f"{name}: {source}": family(peak) for source, peak in known.items()}
    all_of_them |= {f"triangles: grid {high:.3g}": triangles(high / 10, high) for high in GRID}
    all_of_them["triangles: `range_test`, bounds"] = triangles(*ranges.bounds)
    return all_of_them


def rows(result: Sweep, family: str) -> list[str]:
    """The best of a family's grid, and what the tools found beside it."""
    mine = {n.partition(": ")[2]: i for i, n in enumerate(result.names) if n.startswith(family)}
    means = result.values.mean(axis=1)
    grid = [i for source, i in mine.items() if source.startswith("grid")]
    best = grid[int(np.nanargmin(means[grid]))]
    beside = result.compared_with(best)
    lines = []
    for source, i in mine.items():
        if i in grid and i != best:
            continue
        off, words = f"{beside[i].mean:+.4f} ± {beside[i].margin:.4f}", beside[i].words
        if i == best:
            source, off, words = f"best of the grid, {source.split()[1]}", "", ""
        loss = f"{means[i]:.4f}" if np.isfinite(means[i]) else "diverged"
        lines.append(
            f"| {family} | {source} | {rate(result.texts[i])} | {loss} | {off} | {words} |"
        )
    return lines


def verdicts(lines: list[str]) -> str:
    """Of how many schedules each tool's rate is as good as the best of the grid."""
    known: dict[str, list[bool]] = {}
    for line in lines:
        _, _, source, *_, words, _ = map(str.strip, line.split("|"))
        if words:
            known.setdefault(source, []).append(words != "worse")
    return "\n".join(
        f"- {source}: within noise of the grid's best, or better, for {sum(good)} of {len(good)}"
        for source, good in known.items()
    )


def rate(text: str) -> str:
    """The highest rate of a schedule, from its text."""
    return f"{float(np.max(parse(text)(np.arange(STEPS)))):.3g}"


def main() -> None:
    """Tune, ramp, compare, write."""
    data = digits.load()
    train = trainer(STEPS, data.validation)
    keys = jax.random.split(TUNING, 6)
    tunings = {
        name: tune(train, family, keys, min_value=1e-3, max_value=3.0, metric="validation_loss")
        for name, family in FAMILIES.items()
    }
    ramp = trainer(RAMP, data.validation)
    ranges = range_test(ramp, jax.random.split(RANGE, SEEDS), min_value=1e-4, total_steps=RAMP)
    result = sweep(
        trainer(STEPS, data.test),
        candidates(tunings, ranges),
        jax.random.split(FRESH, SEEDS),
        metric="validation_loss",
        progress=True,
    )
    lines = [line for family in [*FAMILIES, "triangles"] for line in rows(result, family)]
    page = TEXT.format(
        steps=STEPS,
        seeds=SEEDS,
        ramp=RAMP,
        points=len(GRID),
        lowest=GRID[0],
        highest=GRID[-1],
        rows="\n".join(lines),
        tunings="\n\n".join(f"{name}:\n\n```\n{found}\n```" for name, found in tunings.items()),
        ranges=ranges,
        verdicts=verdicts(lines),
    )
    (Path(__file__).parents[1] / "docs" / "evidence.md").write_text(page)
    print(page)


TEXT = """# Do range_test and tune find what a fine grid finds?

Made by `benchmarks/evidence.py`.

## Digits

The task of `lr_optax/demo/digits.py`: {steps} steps of SGD with momentum 0.9 on noisy batches of 8
images. The grid has {points} rates from {lowest:.3g} to {highest:.3g}. `tune` saw 6 other seeds and
the validation data, `range_test` the training losses of {seeds} ramps of {ramp} steps. Everything
in the table is then trained with the same {seeds} fresh seeds and measured on the test data; ± is
the 95 % interval of the difference to the best of the grid, paired by seed. That best is chosen on
these same runs, which flatters it.

| schedule | rate from | highest rate | test loss | above the grid's best | in words |
| --- | --- | --- | --- | --- | --- |
{rows}

{verdicts}

So a peak is tuned under the schedule that will be used: the best peak of a schedule that decays is
three times that of a constant rate, and one ramp of the rate cannot know which it will be.

What `range_test` said:

```
{ranges}
```

What `tune` said:

{tunings}
"""


if __name__ == "__main__":
    main()
