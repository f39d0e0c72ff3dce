"""The learning-rate range test: one short run in which the rate climbs, and rates read off it."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jax import Array

from lr_optax._core.hyperparameters import Number, Positive, Size, validated
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._program import Train
from lr_optax.foresight._sweep import sweep
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color
from lr_optax.schedules.decays import exponential_decay, linear

MEMORY = 0.98
"""Of the moving average, as in fast.ai."""

DIVERGED = 4
"""As in fast.ai, a ramp is over at a loss of so many times the lowest so far."""

WINDOW = 0.05
"""Of the run, on either side: the average for the bounds. With fast.ai's, which trails behind the
ramp, a cycle between the bounds ended 160% above the best of a grid on the digits; so it is 3%."""

EDGE = 0.05
"""Of the fall, at either end: a cycle's bounds enclose nine tenths of it."""

DISAGREE = 10.0
"""Suggestions further apart than this factor, an order of magnitude, get a note."""

NOISE = 3.0
"""So do the seeds of one suggestion, half an order of magnitude apart."""

UNCOUNTED = "#d9d9d9"  # lighter than gray: the part of a curve that does not count


def smoothed(losses: np.ndarray, memory: float = MEMORY) -> np.ndarray:
    """A moving average over the last axis that forgets, s_i = Σⱼ β^(i−j)·x_j / Σⱼ β^(i−j)."""
    total, weight, means = np.zeros(losses.shape[:-1]), 0.0, []
    for x in np.moveaxis(np.asarray(losses, np.float64), -1, 0):
        total, weight = memory * total + x, memory * weight + 1
        means.append(total / weight)
    return np.stack(means, axis=-1)


def counted(smooth: np.ndarray) -> slice:
    """The part of a smoothed curve that counts, as fast.ai cuts it.

    It ends where the loss has risen to four times the lowest before, or is not a number; then the
    first tenth and the last five go.
    """
    lowest = np.minimum.accumulate(smooth)
    risen = smooth > lowest + (DIVERGED - 1) * np.abs(lowest)
    end = int(np.argmax(risen)) + 1 if risen.any() else len(smooth)
    lost = ~np.isfinite(smooth)
    end = min(end - 5, int(np.argmax(lost)) if lost.any() else end)
    return slice(len(smooth) // 10, max(end, 0))


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest over the logarithm of the rate."""
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))])


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate with the lowest loss."""
    return float(rates[np.argmin(losses)] / 10)


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Halfway down the longest fall: its first third, and half a third more.

    The fall is the longest subsequence in which each loss is lower than the one before.
    """
    length = np.ones(len(losses), int)
    for i in range(1, len(losses)):
        length[i] = 1 + max(length[:i][losses[:i] > losses[i]], default=0)
    end = int(np.argmax(length))
    start = end - int(length[end]) if end else 0
    third = (end - start) / 3
    return float(rates[start + int(third) + int(third / 2)])


def slide(rates: np.ndarray, losses: np.ndarray, width: int = 15, flat: float = 0.005) -> float:
    """From the right, the last rate before the slope is the same at both ends of a window."""
    if len(losses) <= width:
        return math.nan
    slope = np.gradient(losses)
    differ = np.abs(slope[width:] - slope[:-width])[::-1] > flat
    moves = len(differ) if differ.all() else int(np.argmin(differ))
    return float(rates[len(losses) - width - max(moves, 1)])


SUGGESTIONS = {"steep": steep, "valley": valley, "minimum": minimum, "slide": slide}
"""The suggestions by name: functions of rates in ascending order and smoothed losses."""


class Fall(NamedTuple):
    """Rates at which a loss falls and rises again; NaN where it never fell."""

    begins: float  # a twentieth of the fall is behind
    stops: float  # nineteen twentieths are
    lost: float  # half of it is lost again; else where the curve ends


NO_FALL = Fall(math.nan, math.nan, math.nan)


def fall(rates: np.ndarray, losses: np.ndarray, end: int, memory: float) -> Fall:
    """Where the first ``end`` losses fall and rise again, by an average that does not trail."""
    part = losses[: max(end, 0)]
    if len(part) < 3:
        return NO_FALL
    smooth = (smoothed(part, memory) + smoothed(part[::-1], memory)[::-1]) / 2
    lowest = int(np.argmin(smooth))
    if lowest == 0:
        return NO_FALL
    fallen = (smooth[0] - smooth) / (smooth[0] - smooth[lowest])
    begins, stops = (rates[np.argmax(fallen >= share)] for share in (EDGE, 1 - EDGE))
    half_lost = fallen[lowest:] <= 0.5
    if half_lost.any():
        last = lowest + int(np.argmax(half_lost))
    else:  # a curve that never diverged ends with its ramp: fast.ai leaves out the last five
        last = len(rates) - 1 if end == len(rates) - 5 else end - 1
    return Fall(float(begins), float(stops), float(rates[last]))


@dataclasses.dataclass(frozen=True, eq=False)
class RangeTest(Result):
    """Losses on a ramp of rates, and the rates they suggest.

    Losses of your own can be read as well: ``RangeTest(rates, losses)``.

    Attributes:
        rates: the rate at every loss, ascending, > 0, of shape (n,).
        losses: as they were measured, of shape (seeds, n); a run has diverged where its loss is
            not a number.
        metric: their name.
    """

    rates: np.ndarray
    losses: np.ndarray
    metric: str = "loss"

    @functools.cached_property
    def smooth(self) -> np.ndarray:
        """The losses, smoothed by a moving average with memory 0.98, of shape (seeds, n)."""
        return smoothed(self.losses)

    @functools.cached_property
    def spans(self) -> tuple[slice, ...]:
        """The part of each seed's curve that counts."""
        return tuple(map(counted, self.smooth))

    @property
    def counting(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each seed's curve, the rates and the smoothed losses that count."""
        return [(self.rates[s], y[s]) for s, y in zip(self.spans, self.smooth, strict=True)]

    @functools.cached_property
    def by_seed(self) -> dict[str, np.ndarray]:
        """The suggestions by name, one of each seed; NaN where there is none."""
        return {
            name: np.array([suggest(*c) if len(c[0]) >= 3 else math.nan for c in self.counting])
            for name, suggest in SUGGESTIONS.items()
        }

    @property
    def suggestions(self) -> dict[str, float]:
        """The suggestions by name, each the median over seeds; NaN where there is none."""
        return {name: _median(values) for name, values in self.by_seed.items()}

    @functools.cached_property
    def falls(self) -> tuple[Fall, ...]:
        """Of each seed's curve that counts, where it falls and rises again.

        It is smoothed from both sides here: the average of the suggestions trails behind the ramp,
        and would give a rate several times too high for the end of the fall.
        """
        memory = max(1 - 1 / (WINDOW * len(self.rates)), 0)
        curves = zip(self.spans, self.losses, strict=True)
        return tuple(fall(self.rates, losses, span.stop, memory) for span, losses in curves)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and highest rate for a cyclical schedule, medians over seeds.

        Between them lie nine tenths of the fall: where the loss has begun to fall, by a twentieth
        of it, and where it has as good as stopped, after nineteen twentieths.

        Smith's ramp is linear. An exponential one stays long at low rates, so that the lowest comes
        out lower. A linear one up to the end of ``search_range`` is for the lowest; the highest is
        better found by :func:`~lr_optax.tune`.
        """
        return _median([f.begins for f in self.falls]), _median([f.stops for f in self.falls])

    @property
    def search_range(self) -> tuple[float, float]:
        """The lowest and highest peak for a search, as :func:`~lr_optax.tune`; medians over seeds.

        From where the loss has begun to fall to where half of the fall is lost again, or, if it is
        not, to where the ramp diverged or ended. A schedule that decays is best at a peak above
        the rate at which the loss stops falling, and no ramp can tell how far above.
        """
        return _median([f.begins for f in self.falls]), _median([f.lost for f in self.falls])

    def table(self) -> Table:
        """Each suggestion, and its lowest and highest value over seeds."""
        rows = [
            (name, median, *_extremes(self.by_seed[name]))
            for name, median in self.suggestions.items()
        ]
        for name, (low, high) in (("cycle", self.bounds), ("search", self.search_range)):
            rows += [(f"{name}, lowest", low, None, None), (f"{name}, highest", high, None, None)]
        return Table(("suggestion", "rate", "lowest seed", "highest seed"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Where the suggestions cannot be trusted, and what to change."""
        return (*ramp_notes(self), *agreement_notes(self))

    def panels(self) -> Sequence[Panel]:
        """Every seed's smoothed curve, what does not count in light gray, and the suggestions."""
        return (ramp_panel(self),)


def ramp_notes(result: RangeTest) -> list[str]:
    """What was wrong with the ramp: it diverged early, ended early, or never lowered the loss."""
    seeds, curves, notes = len(result.losses), result.counting, []
    early = sum(len(rates) < 3 for rates, _ in curves)
    if early:
        start = result.spans[0].start
        notes.append(
            f"{early} of {seeds} runs diverged before rate {result.rates[start]:.3g}, or have "
            "too few steps: lower `min_value`, or take more steps"
        )
    falling = sum(f.lost == result.rates[-1] for f in result.falls)
    if falling:
        notes.append(
            f"in {falling} of {seeds} runs the loss did not rise again by half of its fall: "
            f"the best rates may lie above {result.rates[-1]:.3g}, so raise `max_value`"
        )
    level = sum(bool(len(losses)) and np.argmin(losses) == 0 for _, losses in curves)
    if level:
        notes.append(f"in {level} of {seeds} runs the loss never fell")
    return notes


def agreement_notes(result: RangeTest) -> list[str]:
    """Where suggestions disagree with each other, or between seeds."""
    rates = {name: rate for name, rate in result.suggestions.items() if math.isfinite(rate)}
    notes = []
    if rates and max(rates.values()) > DISAGREE * min(rates.values()):
        low, high = min(rates, key=lambda n: rates[n]), max(rates, key=lambda n: rates[n])
        notes.append(
            f"the suggestions disagree: {low} says {rates[low]:.3g}, {high} {rates[high]:.3g}"
        )
    for name in rates:
        low, high = _extremes(result.by_seed[name])
        if low is not None and high is not None and high > NOISE * low:
            notes.append(f"{name} differs between seeds, from {low:.3g} to {high:.3g}")
    return notes


def ramp_panel(result: RangeTest) -> Panel:
    """Every seed's smoothed curve over the rate, and the suggestions."""
    curves = [Curve(result.rates, smooth, color=UNCOUNTED) for smooth in result.smooth]
    counting = [(rates, losses) for rates, losses in result.counting if len(losses)]
    curves += [Curve(*curve, "seeds", palette_color(0)) for curve in counting]
    limits = None
    if counting:
        low, high = min(y.min() for _, y in counting), max(y.max() for _, y in counting)
        height = high - low or 1
        limits = low - 0.1 * height, high + 0.3 * height
    spans = [
        Marker(rate, rate, f"{name} {rate:.3g}", palette_color(number))
        for number, (name, rate) in enumerate(result.suggestions.items(), start=1)
        if math.isfinite(rate)
    ]
    marked = {"search": (result.search_range, GRAY), "cycle": (result.bounds, palette_color(0))}
    for name, ((low, high), color) in marked.items():
        if low < high:
            spans.append(Marker(low, high, f"{name} {low:.3g} to {high:.3g}", color))
    title = f"{result.metric}, smoothed"
    return Panel("learning rate", title, tuple(curves), tuple(spans), "x", limits)


def _median(values: Sequence[float] | np.ndarray) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.exp(np.median(np.log(finite)))) if len(finite) else math.nan


def _extremes(values: np.ndarray) -> tuple[float | None, float | None]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (None, None)


RAMPS: dict[str, Callable[[Number, Number, int], Schedule]] = {
    "exponential": lambda low, high, n: exponential_decay(
        low, decay_rate=high / low, decay_steps=n
    ),
    "linear": lambda low, high, n: linear(low, end_value=high, transition_steps=n),
}


@validated
def range_test(
    train: Train,
    keys: Array,
    *,
    min_value: Positive = 1e-7,
    max_value: Positive = 10.0,
    total_steps: Size = 100,
    shape: Literal["exponential", "linear"] = "exponential",
    metric: str | None = "loss",
) -> RangeTest:
    """Let the rate climb from far too low to far too high, and read good rates off the loss.

    The ramp is a schedule, η(t) = a·(b/a)^(t/T) or a + (b − a)·t/T, so ``train`` is the same
    function that ``sweep`` and ``tune`` take. All keys run at once, in one compiled program.

    Args:
        train: a pure function ``(schedule, key) -> metrics`` of ``total_steps`` optimizer steps.
            The metric is its training loss at every step, an array of shape (total_steps,), or at
            the last of every so many steps.
        keys: random keys, one for each repetition, at least one.
        min_value: a, the rate at step 0, > 0.
        max_value: b, the rate that the ramp has reached at step T, > ``min_value``.
        total_steps: T, the length of a run in optimizer steps, >= 1. About a hundred are usual,
            more are smoother.
        shape: ``"exponential"``, or ``"linear"`` (Smith's, when the order of magnitude is known).
        metric: the name of the loss among the metrics; None where there is only one.

    Returns:
        The losses and what they suggest, by seed, as a :class:`RangeTest`.

    Raises:
        TypeError: ``keys`` are not random keys, or ``train`` cannot be traced.
        ValueError: a number is out of its range, there is no such metric, or it is not a history
            whose length divides ``total_steps``.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from lr_optax import range_test
        >>> def train(schedule, key):  # noisy gradient descent on x²/2, which diverges above 2
        ...     def step(x, t):
        ...         noise = jax.random.normal(jax.random.fold_in(key, t))
        ...         return x - schedule(t) * (x + noise), 0.5 * x**2
        ...     return {"loss": jax.lax.scan(step, jnp.float32(9), jnp.arange(200))[1]}
        >>> keys = jax.random.split(jax.random.key(0), 3)
        >>> result = range_test(train, keys, min_value=1e-3, total_steps=200)
        >>> print(f"{result.suggestions['valley']:.2f}")
        0.07

    When to use it:
        For an order of magnitude at the price of one short run: the bounds of a cyclical schedule,
        or, as ``search_range``, the lowest and highest peak for ``tune``. That costs more, but
        decides by what is wanted: the final loss.

    Reference:
        L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
        arXiv:1506.01186. The suggestions are those of the fast.ai library, version 2.
    """
    ramp = RAMPS[shape](min_value, max_value, total_steps)
    rates = np.asarray(ramp(np.arange(total_steps)))
    limits = np.finfo(rates.dtype)
    if not limits.tiny <= min_value < max_value <= limits.max * min(min_value, 1):
        raise ValueError(
            "range_test: `min_value` and `max_value` must be rates with min_value < max_value, "
            f"which {rates.dtype} can hold, and their ratio, got {min_value!r} and {max_value!r}"
        )
    result = sweep(train, [ramp], keys, metric=metric)
    (losses,) = result.metrics[result.metric]
    if losses.ndim != 2 or total_steps % losses.shape[1]:
        raise ValueError(
            f"range_test: the metric {result.metric!r} must be a history whose length is "
            f"`total_steps` or divides it, got the shape {losses.shape[1:]} for `total_steps` = "
            f"{total_steps}; `total_steps` must be the length of the runs"
        )
    stride = total_steps // losses.shape[1]
    return RangeTest(rates[stride - 1 :: stride], losses, result.metric)
