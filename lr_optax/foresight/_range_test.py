"""The learning-rate range test: one short run in which the rate climbs, and what its loss says."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jax import Array

from lr_optax._core.hyperparameters import Positive, Size, validated
from lr_optax.foresight._sweep import sweep
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color
from lr_optax.schedules.decays import exponential_decay, linear

_MEMORY = 0.98  # of the moving average

_WINDOW = 0.05  # of the run, on either side, for the bounds

_EDGE = 0.05  # of the fall, at either end of it

_DIVERGED = 4  # times the lowest loss so far

_SPREAD = 10.0  # between suggestions, and

_NOISE = 3.0  # between seeds, as factors: beyond them there is a note

_UNCOUNTED = "#d9d9d9"  # what is drawn of a curve after it has diverged


def smoothed(losses: np.ndarray, memory: float = _MEMORY) -> np.ndarray:
    """A moving average over the last axis that forgets, s_i = Σⱼ β^(i−j)·x_j / Σⱼ β^(i−j)."""
    total, weight, means = np.zeros(losses.shape[:-1]), 0.0, []
    for x in np.moveaxis(np.asarray(losses, np.float64), -1, 0):
        total, weight = memory * total + x, memory * weight + 1
        means.append(total / weight)
    return np.stack(means, axis=-1)


def counted(smooth: np.ndarray) -> slice:
    """The part of a smoothed curve that counts, as fast.ai cuts it.

    It ends where the loss has risen to four times the lowest before, or is no number; then the
    first tenth and the last five go.
    """
    best = np.minimum.accumulate(smooth)
    risen = smooth > best + (_DIVERGED - 1) * np.abs(best)
    end = int(np.argmax(risen)) + 1 if risen.any() else len(smooth)
    strange = ~np.isfinite(smooth)
    end = min(end - 5, int(np.argmax(strange)) if strange.any() else end)
    return slice(len(smooth) // 10, max(end, 0))


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest over the logarithm of the rate."""
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))])


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate with the lowest loss."""
    return float(rates[np.argmin(losses)] / 10)


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Half way down the longest fall: its first third, and half a third more.

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


@dataclasses.dataclass(frozen=True, eq=False)
class RangeTest(Result):
    """Losses on a ramp of rates, and the rates they suggest.

    Losses of your own can be read as well: ``RangeTest(rates, losses)``.

    Attributes:
        rates: the rate at every loss, ascending, > 0, of shape (n,).
        losses: as they were measured, of shape (seeds, n); what is no number has diverged.
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

    @functools.cached_property
    def by_seed(self) -> dict[str, np.ndarray]:
        """The suggestions by name, one of each seed; NaN where there is none."""
        curves = [(self.rates[s], y[s]) for s, y in zip(self.spans, self.smooth, strict=True)]
        return {
            name: np.array([suggest(*c) if len(c[0]) >= 3 else math.nan for c in curves])
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
        and where the fall stops it would name rates several times too high.
        """
        memory = max(1 - 1 / (_WINDOW * len(self.rates)), 0)
        return tuple(
            fall(self.rates, losses, span.stop, memory)
            for span, losses in zip(self.spans, self.losses, strict=True)
        )

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
        the rate at which the loss stops falling, and how far above no ramp can tell.
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
        seeds = len(self.losses)
        start = next((s.start for s in self.spans), 0)
        early = sum(s.stop - s.start < 3 for s in self.spans)
        falling = sum(f.lost == self.rates[-1] for f in self.falls)
        level = sum(
            bool(len(y[s])) and np.argmin(y[s]) == 0
            for s, y in zip(self.spans, self.smooth, strict=True)
        )
        found = {name: v for name, v in self.suggestions.items() if math.isfinite(v)}
        notes = []
        if early:
            notes.append(
                f"{early} of {seeds} runs diverged before rate {self.rates[start]:.3g}, or have "
                "too few steps: lower `min_value`, or take more steps"
            )
        if falling:
            notes.append(
                f"in {falling} of {seeds} runs the loss did not rise again by half of its fall: "
                f"the best rates may lie above {self.rates[-1]:.3g}, so raise `max_value`"
            )
        if level:
            notes.append(f"in {level} of {seeds} runs the loss never fell")
        if found and max(found.values()) > _SPREAD * min(found.values()):
            low, high = min(found, key=lambda n: found[n]), max(found, key=lambda n: found[n])
            notes.append(
                f"the suggestions disagree: {low} says {found[low]:.3g}, {high} {found[high]:.3g}"
            )
        for name in found:
            low, high = _extremes(self.by_seed[name])
            if low is not None and high is not None and high > _NOISE * low:
                notes.append(f"{name} differs between seeds, from {low:.3g} to {high:.3g}")
        return tuple(notes)

    def panels(self) -> Sequence[Panel]:
        """Every seed's smoothed curve, what does not count in grey, and the suggestions."""
        curves = [Curve(self.rates, smooth, color=_UNCOUNTED) for smooth in self.smooth]
        spans, limits = [], None
        counting = [(s, c[s]) for s, c in zip(self.spans, self.smooth, strict=True) if len(c[s])]
        for span, smooth in counting:
            curves.append(Curve(self.rates[span], smooth, "seeds", palette_color(0)))
        if counting:
            low, high = min(c.min() for _, c in counting), max(c.max() for _, c in counting)
            limits = low - 0.1 * (high - low or 1), high + 0.3 * (high - low or 1)
        for place, (name, rate) in enumerate(self.suggestions.items(), start=1):
            if math.isfinite(rate):
                spans.append(Marker(rate, rate, f"{name} {rate:.3g}", palette_color(place)))
        marked = {
            "search": (self.search_range, GRAY),
            "cycle": (self.bounds, palette_color(0)),
        }
        for name, ((low, high), color) in marked.items():
            if low < high:
                spans.append(Marker(low, high, f"{name} {low:.3g} to {high:.3g}", color))
        words = f"{self.metric}, smoothed"
        return (Panel("learning rate", words, tuple(curves), tuple(spans), "x", limits),)


def fall(rates: np.ndarray, losses: np.ndarray, end: int, memory: float) -> Fall:
    """Where the first ``end`` losses fall and rise again, by an average that does not trail."""
    part = losses[: max(end, 0)]
    if len(part) < 3:
        return Fall(math.nan, math.nan, math.nan)
    middle = (smoothed(part, memory) + smoothed(part[::-1], memory)[::-1]) / 2
    lowest = int(np.argmin(middle))
    if lowest == 0:
        return Fall(math.nan, math.nan, math.nan)
    fallen = (middle[0] - middle) / (middle[0] - middle[lowest])
    begins, stops = (rates[np.argmax(fallen >= share)] for share in (_EDGE, 1 - _EDGE))
    risen = fallen[lowest:] <= 0.5
    whole = end == len(rates) - 5  # of which fast.ai leaves the last five out
    last = lowest + int(np.argmax(risen)) if risen.any() else len(rates) - 1 if whole else end - 1
    return Fall(float(begins), float(stops), float(rates[last]))


def _median(values: Sequence[float] | np.ndarray) -> float:
    found = np.asarray(values)[np.isfinite(values)]
    return float(np.exp(np.median(np.log(found)))) if len(found) else math.nan


def _extremes(values: np.ndarray) -> tuple[float | None, float | None]:
    found = values[np.isfinite(values)]
    return (float(found.min()), float(found.max())) if len(found) else (None, None)


_SHAPES: dict[str, Callable[[Any, Any, int], Any]] = {
    "exponential": lambda low, high, n: exponential_decay(
        low, decay_rate=high / low, decay_steps=n
    ),
    "linear": lambda low, high, n: linear(low, end_value=high, transition_steps=n),
}


@validated
def range_test(
    train: Callable[[Any, Array], Any],
    keys: Array,
    *,
    min_value: Positive = 1e-7,
    max_value: Positive = 10.0,
    total_steps: Size = 100,
    shape: Literal["exponential", "linear"] = "exponential",
    metric: str | None = "loss",
) -> RangeTest:
    """Let the rate climb from far too low to far too high, and read good rates off the loss.

    The ramp is a schedule like others, η(t) = a·(b/a)^(t/T) or a + (b − a)·t/T, so ``train`` is
    the function that every tool here takes. All keys run at once, in one compiled program.

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
        A :class:`~lr_optax.foresight._range_test.RangeTest`.

    Raises:
        TypeError: ``keys`` are no keys, or ``train`` cannot be traced.
        ValueError: a number is out of its range, there is no such metric, or it is no history
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
        >>> found = range_test(train, keys, min_value=1e-3, total_steps=200)
        >>> print(f"{found.suggestions['valley']:.2f}")
        0.07

    When to use it:
        For an order of magnitude at the price of one short run: the bounds of a cyclical schedule,
        or, as ``search_range``, the lowest and highest peak for ``tune``, which is dearer, and asks
        what is wanted instead: the final loss.

    Reference:
        L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
        arXiv:1506.01186. The suggestions are those of the fast.ai library, version 2.
    """
    ramp = _SHAPES[shape](min_value, max_value, total_steps)
    rates = np.asarray(ramp(np.arange(total_steps)))
    known = np.finfo(rates.dtype)
    if not known.tiny <= min_value < max_value <= known.max * min(min_value, 1):
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
    every = total_steps // losses.shape[1]
    return RangeTest(rates[every - 1 :: every], losses, result.metric)
