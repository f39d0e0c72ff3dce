"""Rank the root strategies on a task: the same peaks and seeds for all, and no tuning."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import optax
from jax import Array

from lr_optax._core.hyperparameters import Size, show, validated
from lr_optax._core.schedule import Schedule
from lr_optax.feedback._plateau import reduce_on_plateau
from lr_optax.foresight._comparison import Comparison
from lr_optax.foresight._sweep import Sweep, check_keys, metrics_by_name, sweep
from lr_optax.results.sampling import rates_at, run_steps
from lr_optax.schedules.combine import scale
from lr_optax.schedules.cycles import cosine_annealing, cyclical
from lr_optax.schedules.decays import (
    constant,
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    linear,
    multistep_decay,
    polynomial,
    step_decay,
)
from lr_optax.schedules.warmups import warmup

_PATIENCE = 4  # checks: a tenth of the 40 in a run of the tasks that come with the library
_HISTORY_POINTS = 400  # of a history: as many as a picture has room for, so that files stay small


class Strategy(NamedTuple):
    """A schedule with a plateau: the scale never falls below ``min_scale``, so 1 is no plateau."""

    schedule: Schedule
    min_scale: float = 1.0


TaskCandidate = Schedule | Strategy
Builder = Callable[[float, int], Schedule]
"""From a peak rate and a number of steps."""
CandidateBuilder = Callable[[float, int], TaskCandidate]


def with_plateau(
    optimizer: Callable[[Schedule], optax.GradientTransformation],
) -> Callable[[TaskCandidate], optax.GradientTransformation]:
    """An optimizer for ``training_run`` that takes a schedule, with or without a plateau."""

    def build(candidate: TaskCandidate) -> optax.GradientTransformation:
        if not isinstance(candidate, Strategy):
            return optimizer(candidate)
        plateau = reduce_on_plateau(
            0.1, patience=_PATIENCE, min_scale=candidate.min_scale, nonfinite="ignore"
        )
        return optax.chain(optimizer(candidate.schedule), plateau)

    return build


def _triangles(peak: float, total_steps: int, **options: Any) -> Schedule:
    """Four cycles or so in a run, from a tenth of the peak: Smith's proportions."""
    half = max(max(total_steps // 4, 2) // 2, 1)
    return cyclical(peak / 10, max_value=peak, step_size_up=half, **options)


_ROOTS: dict[str, Builder] = {
    "constant": lambda peak, n: constant(peak),
    "step decay": lambda peak, n: step_decay(peak, decay_rate=0.5, decay_steps=max(n // 5, 1)),
    "multistep decay": lambda peak, n: multistep_decay(
        peak, decay_rate=0.1, boundaries=(n // 2, n * 3 // 4)
    ),
    "exponential decay": lambda peak, n: exponential_decay(peak, decay_rate=0.01, decay_steps=n),
    "inverse time decay": lambda peak, n: inverse_time_decay(peak, decay_rate=9.0, decay_steps=n),
    "polynomial, square": lambda peak, n: polynomial(
        peak, end_value=0.0, power=2.0, transition_steps=n
    ),
    "linear to zero": lambda peak, n: linear(peak, end_value=0.0, transition_steps=n),
    "cosine to zero": lambda peak, n: cosine_decay(peak, decay_steps=n),
    "warm-up, cosine": lambda peak, n: warmup(
        cosine_decay(peak, decay_steps=n - n // 20), warmup_steps=n // 20
    ),
    "cosine, 4 restarts": lambda peak, n: cosine_annealing(
        peak, period=max(n // 4, 1), min_value=peak / 100
    ),
    "triangular": _triangles,
    "triangular2": partial(_triangles, mode="triangular2"),
    "exp_range": lambda peak, n: _triangles(peak, n, mode="exp_range", gamma=0.1 ** (1 / n)),
}
"""Their shapes are textbook values, for a run of any length."""

PLATEAU: dict[str, CandidateBuilder] = {
    "plateau": lambda peak, n: Strategy(constant(peak), min_scale=0.0)
}
"""The one root strategy that needs a training run with a validation loss."""


def root_strategies() -> dict[str, Builder]:
    """The root strategies by name, as functions of a peak rate and a number of steps.

    A plateau is not among them: it needs a training run that reports a validation loss.

    Example:
        >>> root_strategies()["cosine to zero"](0.1, 2000)
        cosine_decay(0.1, decay_steps=2000)
    """
    return dict(_ROOTS)


@validated
def compare(
    train: Callable[[Any, Array], Any],
    keys: Array,
    *,
    peaks: Sequence[float],
    total_steps: Size,
    strategies: Mapping[str, Schedule | CandidateBuilder] | None = None,
    metric: str | None = None,
    peak_metric: str | None = None,
    error_metric: str | None = None,
    task: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Train under every strategy, peak and seed, and rank the strategies at their best peaks.

    There are two rounds of one program (:func:`~lr_optax.sweep`): the first runs every strategy at
    all ``peaks``, the second at as many again, between its best peak and the neighbors of that.

    Args:
        train: a pure function ``(schedule, key) -> metrics`` that JAX can trace, such as one of
            :func:`~lr_optax.training_run`.
        keys: random keys, one for each repetition; all strategies get the same. Fewer than six
            give no interval.
        peaks: the highest rates of the first round, each > 0. A single one is the only one tried.
        total_steps: the length of a run in optimizer steps, >= 1.
        strategies: by name, a schedule, whose highest rate is put at every peak, or a function
            ``(peak, total_steps) -> schedule``; None for :func:`~lr_optax.root_strategies`. A
            constant rate, with which the others are compared, is always among them.
        metric: the metric that ranks the strategies, by name: lower is better, and of a history
            the last value counts. None where ``train`` returns only one.
        peak_metric: the metric that chooses each strategy's peak, such as a validation loss; None
            for ``metric``, which makes all losses look a little better than they are.
        error_metric: one more metric to report, a share of wrong answers; None for none.
        task: what is trained, in half a sentence, for the legend.
        progress: called with the number of runs done and their total, first when the arguments
            are found to be valid.

    Returns:
        A :class:`Comparison`, which prints, plots and saves itself.

    Raises:
        TypeError: ``train`` cannot be traced, or a strategy is neither a schedule nor a function.
        ValueError: a number is out of its range, there is no such metric, or a schedule has no
            rate above 0.

    Example:
        >>> import jax
        >>> from lr_optax import compare, linear
        >>> def train(schedule, key):  # gradient descent on x², with noisy gradients
        ...     def step(x, t):
        ...         noise = jax.random.normal(jax.random.fold_in(key, t))
        ...         return x - schedule(t) * (x + noise), 0.5 * x**2
        ...     return jax.lax.scan(step, jax.numpy.float32(9), jax.numpy.arange(100))[1]
        >>> keys = jax.random.split(jax.random.key(0), 6)
        >>> strategies = {"linear": linear(1.0, end_value=0.0, transition_steps=100)}
        >>> result = compare(train, keys, peaks=[0.3], total_steps=100, strategies=strategies)
        >>> [row.strategy for row in result.rows]
        ['linear', 'constant']

    When to use it:
        To choose a kind of schedule on a small version of your task. To tune one of them further
        there is :func:`~lr_optax.tune`.
    """
    check_keys(keys)
    peaks = sorted(peaks)
    if not peaks or not all(0 < peak < math.inf for peak in peaks):
        raise ValueError(f"compare: `peaks` must be finite numbers > 0, got {peaks}")
    builders = _builders(root_strategies() if strategies is None else strategies)
    checked = _checking(train, peak_metric=peak_metric, error_metric=error_metric)
    names = (peak_metric, metric, error_metric)
    rounds = _Rounds(checked, keys, builders, total_steps, names, task)
    grid = np.tile(peaks, (len(builders), 1))
    rounds.candidates(grid)  # a bad strategy fails before the work
    report = progress or (lambda done, total: None)
    runs, several = grid.size * len(keys), len(peaks) > 1
    total = 2 * runs if several else runs
    report(0, total)
    first = rounds.run(grid, lambda done, _: report(done, total))
    if not several:
        return first
    finer = np.array([_between(peaks, best) for best in first.best])
    return _merged(first, rounds.run(finer, lambda done, _: report(runs + done, total)))


class _Rounds(NamedTuple):
    """What is the same in both rounds."""

    train: Callable[[Any, Array], dict[str, Array]]
    keys: Array
    builders: dict[str, CandidateBuilder]
    total_steps: int
    metrics: tuple[str | None, str | None, str | None]  # choosing peaks, ranking, and the error
    task: str

    def candidates(self, grid: np.ndarray) -> list[list[TaskCandidate]]:
        """Every strategy at its peaks; all have a plateau if one has: a sweep needs one form."""
        candidates = [
            [build(float(peak), self.total_steps) for peak in peaks]
            for build, peaks in zip(self.builders.values(), grid, strict=True)
        ]
        if not any(isinstance(candidate, Strategy) for row in candidates for candidate in row):
            return candidates
        return [[c if isinstance(c, Strategy) else Strategy(c) for c in row] for row in candidates]

    def run(self, grid: np.ndarray, progress: Callable[[int, int], None]) -> Comparison:
        """Train every strategy at its peaks."""
        candidates = self.candidates(grid)
        members = [candidate for row in candidates for candidate in row]
        peak_metric, metric, error_metric = self.metrics
        result = sweep(self.train, members, self.keys, metric=metric, progress=progress)
        names = (peak_metric or result.metric, result.metric, error_metric)
        return Comparison(
            names=tuple(self.builders),
            candidates=tuple(tuple(map(_schedule, row)) for row in candidates),
            peaks=grid,
            total_steps=self.total_steps,
            metrics=tuple(name for name in names if name is not None),
            task=self.task,
            **_arrays(result, grid.shape, peak_metric, error_metric),
        )


def _builders(
    strategies: Mapping[str, Schedule | CandidateBuilder],
) -> dict[str, CandidateBuilder]:
    """Functions of a peak and a number of steps; the constant rate comes first."""
    builders = {"constant": _ROOTS["constant"], **strategies}
    for name, strategy in builders.items():
        if not callable(strategy):
            raise TypeError(
                f"compare: {name!r} of `strategies` must be a schedule or a function of a peak and "
                f"a number of steps, got {show(strategy)}"
            )
    return {n: _shaped_like(s) if isinstance(s, Schedule) else s for n, s in builders.items()}


def _shaped_like(schedule: Schedule) -> Builder:
    """A strategy with a schedule's shape, its highest rate put at each peak."""

    def build(peak: float, total_steps: int) -> Schedule:
        highest = float(rates_at(schedule, run_steps(total_steps)).max())
        if not highest > 0:
            raise ValueError(f"{schedule!r} has no rate above 0 in {total_steps} steps")
        return scale(schedule, factor=peak / highest)

    return build


def _schedule(candidate: TaskCandidate) -> Schedule:
    return candidate.schedule if isinstance(candidate, Strategy) else candidate


def _checking(train: Callable[[Any, Array], Any], **names: str | None) -> Callable[..., Any]:
    """The same function, which fails while it is traced if it returns no such metrics."""

    def run(candidate: TaskCandidate, key: Array) -> dict[str, Array]:
        metrics = metrics_by_name(train(candidate, key))
        for argument, name in names.items():
            if name is not None and name not in metrics:
                raise ValueError(
                    f"compare: `{argument}` must be one of what `train` returns, "
                    f"{', '.join(metrics)}; got {name!r}"
                )
        return metrics

    return run


def _arrays(
    result: Sweep, shape: tuple[int, ...], peak_metric: str | None, error_metric: str | None
) -> dict[str, np.ndarray]:
    """What a comparison holds of a sweep: arrays with the axes strategy, peak and seed first."""

    def entries(name: str) -> np.ndarray:
        values = result.metrics[name]
        # Whole numbers become floats, so that what is missing can be NaN.
        values = values.astype(np.result_type(values.dtype, np.float32))
        return values.reshape(*shape, result.finished.shape[1], -1)

    history = entries(peak_metric or result.metric)
    points = min(history.shape[-1], _HISTORY_POINTS)
    arrays = {"history": _thinned(history, points), "final": entries(result.metric)[..., -1]}
    if error_metric is not None:
        arrays["error"] = entries(error_metric)[..., -1]
    if "scale" in result.metrics:
        arrays["scale"] = _thinned(entries("scale"), points)
    return arrays


def _thinned(history: np.ndarray, points: int) -> np.ndarray:
    """So many entries of a history, evenly spaced; the last is the last one's."""
    length = history.shape[-1]
    return history[..., np.linspace(length / points, length, points).astype(int) - 1]


def _between(peaks: Sequence[float], best: int) -> np.ndarray:
    """As many peaks as there are, evenly in log between the best and its neighbors.

    Beyond the lowest and the highest peak a neighbor is assumed, as far as that on the other side.
    """
    logs = np.log10(peaks)
    center = logs[best]
    below = logs[best - 1] if best else 2 * center - logs[1]
    above = logs[best + 1] if best + 1 < len(peaks) else 2 * center - logs[-2]
    half = len(peaks) // 2
    lower = np.linspace(below, center, half + 2)[1:-1]
    upper = np.linspace(center, above, len(peaks) - half + 2)[1:-1]
    # Two digits: peaks a few percent apart are not told apart by any loss.
    return np.array([float(f"{10**x:.2g}") for x in (*lower, *upper)])


def _merged(first: Comparison, second: Comparison) -> Comparison:
    """Two rounds as one."""
    arrays = {
        name: np.concatenate([getattr(first, name), getattr(second, name)], axis=1)
        for name in ("peaks", "history", "final", "error", "scale")
        if getattr(first, name) is not None
    }
    candidates = tuple(a + b for a, b in zip(first.candidates, second.candidates, strict=True))
    return replace(first, candidates=candidates, **arrays)
