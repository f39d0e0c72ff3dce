"""Every root strategy against a constant rate, on the digits: same peaks, same seeds, no tuning."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from lr_optax import (
    Schedule,
    constant,
    cosine_annealing,
    cosine_decay,
    cyclical,
    exponential_decay,
    inverse_time_decay,
    linear,
    multistep_decay,
    polynomial,
    scale,
    step_decay,
    warmup,
)
from lr_optax.demo import digits
from lr_optax.demo.digits import Strategy
from lr_optax.foresight import sweep
from lr_optax.inspection.sampling import rates_at, run_steps

PEAKS = (0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.5)
SEEDS = 8
STEPS = 2000

Builder = Callable[[float, int], Strategy]


def _triangles(peak: float, steps: int, **options: Any) -> Strategy:
    quarter = max(steps // 4, 2)
    half = max(quarter // 2, 1)
    return Strategy(cyclical(peak / 10, max_value=peak, step_size_up=half, **options))


ROOTS: dict[str, Builder] = {
    "constant": lambda peak, n: Strategy(constant(peak)),
    "step decay": lambda peak, n: Strategy(
        step_decay(peak, decay_rate=0.5, decay_steps=max(n // 5, 1))
    ),
    "multistep decay": lambda peak, n: Strategy(
        multistep_decay(peak, decay_rate=0.1, boundaries=(n // 2, n * 3 // 4))
    ),
    "exponential decay": lambda peak, n: Strategy(
        exponential_decay(peak, decay_rate=0.01, decay_steps=n)
    ),
    "inverse time decay": lambda peak, n: Strategy(
        inverse_time_decay(peak, decay_rate=9.0, decay_steps=n)
    ),
    "polynomial, square": lambda peak, n: Strategy(
        polynomial(peak, end_value=0.0, power=2.0, transition_steps=n)
    ),
    "linear to zero": lambda peak, n: Strategy(linear(peak, end_value=0.0, transition_steps=n)),
    "cosine to zero": lambda peak, n: Strategy(cosine_decay(peak, decay_steps=n)),
    "warm-up, cosine": lambda peak, n: Strategy(
        warmup(cosine_decay(peak, decay_steps=n - n // 20), warmup_steps=n // 20)
    ),
    "cosine, 4 restarts": lambda peak, n: Strategy(
        cosine_annealing(peak, period=max(n // 4, 1), min_value=peak / 100)
    ),
    "triangular": lambda peak, n: _triangles(peak, n),
    "triangular2": lambda peak, n: _triangles(peak, n, mode="triangular2"),
    "exp_range": lambda peak, n: _triangles(peak, n, mode="exp_range", gamma=0.1 ** (1 / n)),
    "plateau": lambda peak, n: Strategy(constant(peak), plateau_factor=0.1),
}
"""Strategies by name: from a peak rate and a number of steps. Their shapes are textbook values."""


def shaped_like(schedule: Schedule) -> Builder:
    """A strategy with a schedule's shape, its highest rate put at each peak."""

    def build(peak: float, steps: int) -> Strategy:
        highest = float(rates_at(schedule, run_steps(steps)).max())
        if not highest > 0:
            raise ValueError(f"{schedule!r} has no rate above 0 in {steps} steps")
        return Strategy(scale(schedule, factor=peak / highest))

    return build


class Row(NamedTuple):
    """What one strategy reached at the peak that was best for it on the validation data."""

    strategy: str
    peak: float
    at_edge: bool  # the best peak is the lowest or highest tried: a better one may lie beyond
    test_loss: float
    test_loss_sd: float
    test_error: float
    test_error_sd: float
    gain: float  # by how much the constant rate's test loss shrinks, as a share of it
    run: digits.Run  # at that peak; the first axis is the seed


class Comparison(NamedTuple):
    """Every run, and a row for every strategy, best test loss first.

    Attributes:
        rows: the table.
        runs: by strategy: all runs, with leading axes peak and seed.
        peaks: the peak rates tried.
        total_steps: the length of a run.
    """

    rows: list[Row]
    runs: dict[str, digits.Run]
    peaks: Sequence[float]
    total_steps: int


def compare(
    strategies: Mapping[str, Builder],
    *,
    peaks: Sequence[float] = PEAKS,
    seeds: int = SEEDS,
    total_steps: int = STEPS,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Train the digits under every strategy, peak and seed.

    Args:
        strategies: builders by name; "constant" has to be among them.
        peaks: the highest rates to try, each > 0.
        seeds: repetitions; they differ in initialisation, batches and noise.
        total_steps: optimizer steps, a multiple of ``digits.CHECKS``.
        progress: called with the number of runs done and their total, first when the arguments are
            found to be good.

    Raises:
        ValueError: a number is out of its range.
    """
    if not peaks or not all(0 < peak < math.inf for peak in peaks):
        raise ValueError(f"`peaks` must be finite numbers > 0, got {list(peaks)}")
    if seeds < 1:
        raise ValueError(f"`seeds` must be >= 1, got {seeds}")
    if total_steps < 1 or total_steps % digits.CHECKS:
        raise ValueError(f"`total_steps` must be a multiple of {digits.CHECKS}, got {total_steps}")
    candidates = [build(peak, total_steps) for build in strategies.values() for peak in peaks]
    if progress:
        progress(0, len(candidates) * seeds)
    runs = sweep(
        digits.trainer(digits.load(), total_steps),
        candidates,
        jax.random.split(jax.random.key(0), seeds),
        metric="test_loss",
        progress=progress or False,
    )
    metrics: Any = runs.metrics
    by_name = {
        name: digits.Run(
            **{m: x[i * len(peaks) : (i + 1) * len(peaks)] for m, x in metrics.items()}
        )
        for i, name in enumerate(strategies)
    }
    best = {name: _best_peak(run) for name, run in by_name.items()}
    baseline = float(by_name["constant"].test_loss[best["constant"]].mean())
    rows = [_row(name, run, best[name], peaks, baseline) for name, run in by_name.items()]
    return Comparison(sorted(rows, key=lambda row: row.test_loss), by_name, peaks, total_steps)


def _best_peak(run: digits.Run) -> int:
    """The peak with the lowest final validation loss, averaged over seeds; NaN is the worst."""
    losses = run.validation[:, :, -1].mean(axis=1)
    return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))


def _row(name: str, run: digits.Run, best: int, peaks: Sequence[float], baseline: float) -> Row:
    run = jax.tree.map(lambda x: x[best], run)
    loss, error = run.test_loss, run.test_error
    return Row(
        strategy=name,
        peak=peaks[best],
        at_edge=len(peaks) > 1 and best in (0, len(peaks) - 1),
        test_loss=float(loss.mean()),
        test_loss_sd=_spread(loss),
        test_error=float(error.mean()),
        test_error_sd=_spread(error),
        gain=float(1 - loss.mean() / baseline),
        run=run,
    )


def _spread(values: Array) -> float:
    """The standard deviation over seeds, with n - 1; 0 for one seed."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def csv_files(comparison: Comparison) -> dict[str, str]:
    """The table, every run, and the curves of the best peaks, as files by name."""
    every = comparison.total_steps // digits.CHECKS
    return {
        "compare.csv": _csv(Row._fields[:-1], (row[:-1] for row in comparison.rows)),
        "runs.csv": _csv(
            ("strategy", "peak", "seed", "validation_loss", "test_loss", "test_error"),
            (
                (name, peak, seed, run.validation[i, seed, -1], run.test_loss[i, seed], error)
                for name, run in comparison.runs.items()
                for i, peak in enumerate(comparison.peaks)
                for seed, error in enumerate(run.test_error[i])
            ),
        ),
        "curves.csv": _csv(
            ("strategy", "step", "rate", "validation_loss"),
            (
                (row.strategy, (check + 1) * every, row.run.rate[:, check].mean(), loss)
                for row in comparison.rows
                for check, loss in enumerate(row.run.validation.mean(axis=0))
            ),
        ),
    }


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([header, *rows])
    return lines.getvalue()
