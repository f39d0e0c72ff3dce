"""The best peak of a schedule, and of other hyperparameters with it: a coarse grid, then zooms."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from scipy.special import stdtrit

from lr_optax._core.hyperparameters import Positive, Size, show, validated
from lr_optax.foresight._statistics import LEVEL
from lr_optax.foresight._sweep import Mode, Progress, check_keys, sweep
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color

_BEST = palette_color(3)  # red


class Axis(NamedTuple):
    """A hyperparameter and its range, scaled to [0, 1]: logarithmic where it is positive."""

    name: str
    low: float
    high: float

    def value(self, unit: Any) -> Any:
        """The hyperparameter at a place in [0, 1]."""
        if self.low > 0:
            return np.exp((1 - unit) * np.log(self.low) + unit * np.log(self.high))
        return self.low + unit * (self.high - self.low)

    def unit(self, value: Any) -> Any:
        """The place of a hyperparameter."""
        if self.low > 0:
            low = np.log(self.low)
            return (np.log(value) - low) / (np.log(self.high) - low)
        return (value - self.low) / (self.high - self.low)


class Fit(NamedTuple):
    """A quadratic through the metric in a box, and where it is lowest."""

    best: np.ndarray  # in [0, 1], on every axis
    margin: np.ndarray  # of the 95 % interval, by the spread over seeds; NaN where unknown
    coefficients: np.ndarray  # by exponents, of distances from the box's centre in half widths
    bowl: bool  # whether it has a minimum; else `best` is the best setting tried


@dataclasses.dataclass(frozen=True, eq=False)
class Tuning(Result):
    """Hyperparameters tried, what they reached, and the best of them with an interval.

    Attributes:
        axes: the hyperparameters, each its name, lowest and highest value.
        settings: what was tried, in rounds, of shape (tried, axes).
        values: the metric of every setting and seed, of shape (tried, seeds).
        metric: its name.
        mode: "min" if lower is better, "max" if higher is.
        points: settings in a round.
        rounds: planned.
        schedule: what the family makes of the best hyperparameters; None if all runs diverged.
    """

    axes: tuple[Any, ...]
    settings: np.ndarray
    values: np.ndarray
    metric: str
    mode: Mode
    points: int
    rounds: int
    schedule: Any = None

    @functools.cached_property
    def means(self) -> np.ndarray:
        """The metric's mean over seeds, of shape (tried,); NaN where a run diverged."""
        finite = np.asarray(np.isfinite(self.values).all(axis=1))
        return np.where(finite, np.where(finite[:, None], self.values, 0).mean(axis=1), np.nan)

    @functools.cached_property
    def fit(self) -> Fit:
        """The quadratic in the last box."""
        done = len(self.settings) // self.points
        return self._fit(done, *self._box(done - 1))

    @property
    def best(self) -> dict[str, float]:
        """The best hyperparameters by name; NaN if all runs diverged."""
        if not np.isfinite(self.means).any():
            return {name: math.nan for name, *_ in self.axes}
        return self._named(self.fit.best)

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """By name, the 95 % interval of the best over seeds, within the range; NaN if unknown."""
        if not np.isfinite(self.means).any():
            return {name: (math.nan, math.nan) for name, *_ in self.axes}
        ends = (np.clip(self.fit.best + s * self.fit.margin, 0, 1) for s in (-1, 1))
        low, high = map(self._named, ends)
        return {name: (low[name], high[name]) for name in low}

    def next_settings(self) -> np.ndarray:
        """What the next round tries, of shape (points, axes)."""
        done = len(self.settings) // self.points
        centre, half = self._box(done)
        if done == 0 and len(self.axes) == 1:
            units = np.linspace(0, 1, self.points)[:, None]
        else:
            units = centre + half * (2 * _spread(self.points, len(self.axes)) - 1)
        columns = zip(self._axes, units.T, strict=True)
        return np.stack([axis.value(column) for axis, column in columns], axis=1)

    def table(self) -> Table:
        """A row for every hyperparameter: the best, and its interval."""
        rows = [
            (name, best, *(None if math.isnan(x) else x for x in self.intervals[name]))
            for name, best in self.best.items()
        ]
        return Table(("hyperparameter", "best", "95 % from", "to"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Where the search did not find what it looked for, and what to change."""
        done = len(self.settings) // self.points
        lost = int((~np.isfinite(self.values)).sum())
        if lost == self.values.size:
            return (f"all {lost} runs diverged: lower `min_value` and `max_value`",)
        notes = []
        if done < self.rounds:
            notes.append(
                f"interrupted: {done} of {self.rounds} rounds are finished, with "
                f"{self.values.shape[1]} keys"
            )
        half = self._box(1)[1] / 2
        differ = np.nanmin(self.means) < np.nanmax(self.means)
        for axis, place in zip(self._axes, self.fit.best, strict=True):
            for end, edge in ((0, axis.low), (1, axis.high)):
                if differ and abs(place - end) <= half:
                    notes.append(
                        f"the best {axis.name} is at the edge of the range, {edge:.3g}: a better "
                        "one may lie beyond"
                    )
        if not self.fit.bowl and not (differ and notes):
            notes.append(
                "no minimum shows around the best of those tried: around it the metric is flat, or "
                "noise, and more seeds would tell"
            )
        if self.values.shape[1] == 1:
            notes.append("one seed tells no interval: give several keys")
        if lost:
            highest = max(s[0] for s, m in zip(self.settings, self.means, strict=True) if m == m)
            notes.append(
                f"{lost} of {self.values.size} runs diverged; {highest:.3g} is the highest peak "
                "at which none did"
            )
        return tuple(notes)

    def panels(self) -> Sequence[Panel]:
        """Every seed as a dot and the means of each round, over each hyperparameter."""
        limits, panels = self._limits(), []
        for i, axis in enumerate(self._axes):
            x = self.settings[:, i]
            curves = [Curve(x, seed, "seeds", GRAY, "dots") for seed in self.values.T]
            for r in range(-(-len(x) // self.points)):
                part = slice(r * self.points, (r + 1) * self.points)
                name = f"mean, round {r + 1}"
                curves.append(Curve(x[part], self.means[part], name, palette_color(r), "discs"))
            if self.fit.bowl and len(self.axes) == 1 and np.isfinite(self.means).any():
                centre, half = self._box(len(self.settings) // self.points - 1)
                z = np.linspace(-1, 1, 100)
                heights = _design(z[:, None]) @ self.fit.coefficients * self._sign
                curves.append(Curve(axis.value(centre + half * z), heights, "fit", _BEST, "dashes"))
            best, (low, high) = self.best[axis.name], self.intervals[axis.name]
            spans = []
            if math.isfinite(best):
                spans.append(Marker(best, best, f"best {axis.name} {best:.3g}", _BEST))
            if low < high:
                spans.append(Marker(low, high, f"{axis.name}, 95 % interval", _BEST))
            panels.append(
                Panel(
                    axis.name if i else "peak learning rate",
                    self.metric,
                    tuple(curves),
                    tuple(spans),
                    "x" if axis.low > 0 else "",
                    limits,
                )
            )
        return panels

    def _limits(self) -> tuple[float, float] | None:
        """The heights to show: of all but the worst fifth of the means."""
        good = np.sort(self._sign * self.means[np.isfinite(self.means)])
        if len(good) < 2:
            return None
        top = good[0] + 1.2 * (good[int(0.8 * (len(good) - 1))] - good[0])
        bottom = good[0] - 0.1 * (top - good[0])
        low, high = sorted((self._sign * bottom, self._sign * top))
        return (low, high) if low < high else None

    @property
    def _axes(self) -> list[Axis]:
        return [Axis(*axis) for axis in self.axes]  # read from a file, they are plain tuples

    @property
    def _sign(self) -> int:
        return 1 if self.mode == "min" else -1

    def _named(self, units: np.ndarray) -> dict[str, float]:
        return {axis.name: float(axis.value(u)) for axis, u in zip(self._axes, units, strict=True)}

    def _units(self, done: int) -> np.ndarray:
        columns = zip(self._axes, self.settings[: done * self.points].T, strict=True)
        return np.stack([axis.unit(column) for axis, column in columns], axis=1)

    def _box(self, i: int) -> tuple[np.ndarray, float]:
        """The centre and half width of round i, from 0, by what the rounds before it found."""
        dimensions = len(self.axes)
        if i == 0:
            return np.full(dimensions, 0.5), 0.5
        half = min(1 / (self.points ** (1 / dimensions) - 1), 0.5) / 2 ** (i - 1)
        first = self._units(1)[self._lowest(1)]
        centre = first if i == 1 else self._fit(i, *self._box(i - 1)).best
        return np.clip(centre, half, 1 - half), half

    def _lowest(self, done: int) -> int:
        means = self._sign * self.means[: done * self.points]
        return int(np.argmin(np.where(np.isfinite(means), means, np.inf)))

    def _fit(self, done: int, centre: np.ndarray, half: float) -> Fit:
        """A quadratic through all settings in a box, seed by seed, by least squares.

        What rises more than five times as high as the median is on the way to divergence, where
        nothing is quadratic, and left out.
        """
        units, n = self._units(done), done * self.points
        z = (units - centre) / half
        means = self._sign * self.means[:n]
        inside = np.isfinite(means) & (np.abs(z) <= 1 + 1e-9).all(axis=1)
        rise = means - means[inside].min(initial=np.inf)
        inside &= ~(rise > 5 * np.median(rise[inside])) if inside.any() else inside
        design, seeds = _design(z[inside]), self.values.shape[1]
        unknown = np.full(len(centre), np.nan)
        tried = Fit(units[self._lowest(done)], unknown, np.zeros(design.shape[1]), bowl=False)
        if len(design) <= design.shape[1]:
            return tried
        by_seed, *_ = np.linalg.lstsq(design, self._sign * self.values[:n][inside], rcond=None)
        coefficients = by_seed.mean(axis=1)
        slope, curvature = _derivatives(coefficients, len(centre))
        if np.linalg.eigvalsh(curvature)[0] <= 1e-9 * np.abs(coefficients).max():
            return tried
        best = np.linalg.solve(curvature, -slope)
        if (np.abs(best) > 1).any():  # beyond what was looked at, a quadratic says nothing
            return tried
        # How each seed moves the minimum, to first order
        moves = []
        for one in by_seed.T:
            its_slope, its_curvature = _derivatives(one, len(centre))
            moves.append(-np.linalg.solve(curvature, its_slope + its_curvature @ best))
        margin = unknown
        if seeds > 1:
            quantile = stdtrit(seeds - 1, 0.5 + LEVEL / 2)
            margin = half * quantile * np.std(moves, axis=0, ddof=1) / seeds**0.5
        place = np.clip(centre + half * best, 0, 1)
        return Fit(place, margin, coefficients, bowl=True)


def _exponents(dimensions: int) -> list[tuple[int, ...]]:
    """Of which axes each term of a quadratic is the product: (), (0,), (0, 0), (0, 1), …."""
    axes = range(dimensions)
    return [t for n in range(3) for t in itertools.combinations_with_replacement(axes, n)]


def _design(z: np.ndarray) -> np.ndarray:
    return np.stack([z[:, list(t)].prod(axis=1) for t in _exponents(z.shape[1])], axis=1)


def _derivatives(coefficients: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a quadratic at 0, and its matrix of second derivatives."""
    slope, curvature = np.zeros(dimensions), np.zeros((dimensions, dimensions))
    for term, value in zip(_exponents(dimensions), coefficients, strict=True):
        if len(term) == 1:
            slope[term[0]] = value
        elif len(term) == 2:
            i, j = term
            curvature[i, j] += value
            curvature[j, i] += value
    return slope, curvature


def _spread(points: int, dimensions: int) -> np.ndarray:
    """Places in the unit cube: the middles of even parts, then Roberts' additive recurrence."""
    ratio = 2.0
    for _ in range(50):
        ratio = (1 + ratio) ** (1 / dimensions)
    steps = ratio ** -np.arange(1.0, dimensions)
    n = np.arange(points)[:, None]
    return np.concatenate([(n + 0.5) / points, (0.5 + n * steps) % 1], axis=1)


@validated
def tune(
    train: Callable[[Any, Array], Any],
    family: Callable[..., Any],
    keys: Array,
    *,
    min_value: Positive,
    max_value: Positive,
    others: Mapping[str, tuple[float, float]] | None = None,
    metric: str | None = None,
    mode: Mode = "min",
    points: Size | None = None,
    rounds: Size = 3,
    progress: Progress = False,
) -> Tuning:
    """The peak rate that trains best, in few rounds of one compiled program.

    The first round is a grid over all decades. Each later one looks around the best so far, half
    as wide as the one before, and around the minimum of a quadratic in the logarithm of the rate,
    fitted to the metric of all seeds. All rounds have the same number of runs, so that there is
    one program.

    Args:
        train: a pure function ``(candidate, key) -> metrics`` that JAX can trace.
        family: ``peak -> candidate``, such as ``lambda peak: cosine_decay(peak,
            decay_steps=1000)``; of one kind for all peaks. With ``others``, ``(peak, **others) ->
            candidate``; a candidate may be a pair of a schedule and a number.
        keys: random keys, one for each repetition. Three tell where the best is, more how sure.
        min_value: the lowest peak, > 0.
        max_value: the highest, > ``min_value``. Decades apart cost little: the first round is
            spread over them.
        others: more real hyperparameters by name, with the lowest and highest value of each. An
            axis is logarithmic where the lowest is > 0, else linear. Each needs many more points.
        metric: which metric decides, by name; of a history its last value, so take one of a whole
            validation set rather than of a batch. None where ``train`` returns only one.
        mode: "min" if lower is better, "max" if higher is.
        points: how many candidates a round has, >= 4; None for 8, or with ``others`` three for
            each coefficient of the quadratic.
        rounds: >= 2. More only where ``points`` is small: noise, not width, is soon the limit.
        progress: as for :func:`~lr_optax.sweep`.

    Returns:
        A :class:`~lr_optax.foresight._tune.Tuning`. Interrupted by Ctrl-C or an error, it holds
        the rounds that are finished, and says so; in the first round, the keys that are.

    Raises:
        TypeError: ``train`` cannot be traced, or ``family`` makes no candidates.
        ValueError: a number is out of its range, or there is no such metric.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from lr_optax import constant, tune
        >>> def train(schedule, key):  # the loss is lowest at a rate of about 0.03
        ...     return jnp.log(schedule(0) / 0.03) ** 2 + 0.1 * jax.random.normal(key)
        >>> keys = jax.random.split(jax.random.key(0), 3)
        >>> found = tune(train, constant, keys, min_value=1e-5, max_value=10.0)
        >>> print(f"{found.best['peak']:.3f}", found.schedule.name)
        0.030 constant

    When to use it:
        Before schedules are compared: each does best at its own peak, and at a peak that suits one
        of them the comparison says nothing. The best metric found here is flattered by the search;
        train with fresh keys to know it.
    """
    if not callable(family):
        raise TypeError(f"tune: `family` must be a function of the peak, got {show(family)}")
    check_keys(keys)
    axes = _axes(min_value, max_value, others or {})
    terms = len(_exponents(len(axes)))
    count = points or (8 if not others else 3 * terms)
    for name, value, least in (("points", count, terms + 1), ("rounds", rounds, 2)):
        if value < least:
            raise ValueError(f"tune: `{name}` must be >= {least}, got {value}")

    def candidate(row: np.ndarray) -> Any:
        peak, *rest = map(float, row)
        return family(peak, **dict(zip([axis.name for axis in axes[1:]], rest, strict=True)))

    found = Tuning(axes, np.zeros((0, len(axes))), np.zeros((0, 0)), "", mode, count, rounds)
    for i in range(rounds):
        settings = found.next_settings()
        candidates = [candidate(row) for row in settings]
        report = _of_all(progress, i, rounds)
        try:
            result = sweep(train, candidates, keys, metric=metric, mode=mode, progress=report)
        except (KeyboardInterrupt, Exception) as error:
            if i == 0:
                raise
            if isinstance(error, Exception):
                warnings.warn(f"tune: stopped by {error!r}", RuntimeWarning, stacklevel=3)
            break
        whole = result.finished.all(axis=0)
        if i == 0:
            if not whole.any():
                raise KeyboardInterrupt("tune: not one key of the first round was finished")
            found = dataclasses.replace(found, values=np.zeros((0, whole.sum())))
        elif not whole.all():
            break
        found = dataclasses.replace(
            found,
            settings=np.concatenate([found.settings, settings]),
            values=np.concatenate([found.values, result.values[:, whole]]),
            metric=result.metric,
        )
        if not np.isfinite(found.means).any():
            return found
        if not whole.all():
            break
    return dataclasses.replace(found, schedule=candidate(np.array([*found.best.values()])))


def _axes(
    min_value: Any, max_value: Any, others: Mapping[str, tuple[float, float]]
) -> tuple[Axis, ...]:
    if not isinstance(others, Mapping):
        raise TypeError(
            f"tune: `others` must be a mapping from names to ranges, got {show(others)}"
        )
    if "peak" in others:
        raise ValueError(
            "tune: `others` must not name the peak: it has `min_value` and `max_value`"
        )
    axes = []
    for name, ends in (("peak", (min_value, max_value)), *others.items()):
        what = f"the range of `{name}`" if axes else "`min_value` and `max_value`"
        try:
            low, high = map(float, ends)
        except (TypeError, ValueError):
            raise TypeError(f"tune: {what} must be two numbers, got {show(ends)}") from None
        if not -math.inf < low < high < math.inf:
            raise ValueError(
                f"tune: {what} must be finite, lowest < highest, got {low!r} and {high!r}"
            )
        axes.append(Axis(name, low, high))
    return tuple(axes)


def _of_all(progress: Progress, i: int, rounds: int) -> Progress:
    if not callable(progress):
        return progress
    return lambda done, total: progress(i * total + done, rounds * total)
