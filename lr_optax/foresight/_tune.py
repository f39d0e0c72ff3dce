"""The best peak of a schedule, and of other hyperparameters with it: a coarse grid, then zooms."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from jax import Array

from lr_optax._core.hyperparameters import Positive, Size, show, validated
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._program import Train, Tree
from lr_optax.foresight._statistics import half_interval
from lr_optax.foresight._sweep import Mode, OnProgress, Sweep, check_keys, check_mode, sweep
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color

BEST_COLOR = palette_color(3)  # red

Place = TypeVar("Place", float, np.ndarray)


class Axis(NamedTuple):
    """A hyperparameter and its range, scaled to [0, 1]: logarithmic where it is positive."""

    name: str
    low: float
    high: float

    def value(self, unit: Place) -> Place:
        """The hyperparameter at a place in [0, 1]."""
        if self.low > 0:
            # From logarithms, since the ratio of the ends may be beyond all numbers.
            return np.exp((1 - unit) * np.log(self.low) + unit * np.log(self.high))
        return self.low + unit * (self.high - self.low)

    def unit(self, value: Place) -> Place:
        """The place of a hyperparameter."""
        if self.low > 0:
            low = np.log(self.low)
            return (np.log(value) - low) / (np.log(self.high) - low)
        return (value - self.low) / (self.high - self.low)


class Box(NamedTuple):
    """The part of the unit cube in which a round of the search tries settings."""

    center: np.ndarray
    half: float  # its half width on every axis


class Bowl(NamedTuple):
    """A quadratic through the metric in a box, and where it is lowest."""

    best: np.ndarray  # in [0, 1], on every axis
    margin: np.ndarray  # of the 95% interval, by the spread over seeds; NaN where unknown
    coefficients: np.ndarray  # by exponents, of distances from the box's center in half widths
    has_minimum: bool  # else `best` is the best setting tried


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

    axes: tuple[tuple[str, float, float], ...]
    settings: np.ndarray
    values: np.ndarray
    metric: str
    mode: Mode
    points: int
    rounds: int
    schedule: Tree = None

    def __post_init__(self) -> None:
        check_mode("Tuning", self.mode)

    @functools.cached_property
    def means(self) -> np.ndarray:
        """The metric's mean over seeds, of shape (tried,); NaN where a run diverged."""
        finite = np.asarray(np.isfinite(self.values).all(axis=1))
        return np.where(finite, np.where(finite[:, None], self.values, 0).mean(axis=1), np.nan)

    @property
    def finished_rounds(self) -> int:
        """How many rounds all of whose settings were tried."""
        return len(self.settings) // self.points

    @functools.cached_property
    def bowl(self) -> Bowl:
        """The quadratic in the last box."""
        return bowl_of(self, self.finished_rounds, box_of(self, self.finished_rounds - 1))

    @property
    def best(self) -> dict[str, float]:
        """The best hyperparameters by name; NaN if all runs diverged."""
        if not np.isfinite(self.means).any():
            return {name: math.nan for name, *_ in self.axes}
        return named_values(self, self.bowl.best)

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """By name, the 95% interval of the best over seeds, within the range; NaN if unknown."""
        if not np.isfinite(self.means).any():
            return {name: (math.nan, math.nan) for name, *_ in self.axes}
        low, high = (
            named_values(self, np.clip(self.bowl.best + sign * self.bowl.margin, 0, 1))
            for sign in (-1, 1)
        )
        return {name: (low[name], high[name]) for name in low}

    def table(self) -> Table:
        """A row for every hyperparameter: the best, and its interval."""
        rows = [
            (name, best, *(None if math.isnan(x) else x for x in self.intervals[name]))
            for name, best in self.best.items()
        ]
        return Table(("hyperparameter", "best", "95% from", "to"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Where the search did not find what it looked for, and what to change."""
        return tuning_notes(self)

    def panels(self) -> Sequence[Panel]:
        """Every seed as a dot and the means of each round, over each hyperparameter."""
        return [axis_panel(self, i) for i in range(len(self.axes))]


def axes_of(result: Tuning) -> list[Axis]:
    """Its axes, which are plain tuples where it was read from a file."""
    return [Axis(*axis) for axis in result.axes]


def sign_of(result: Tuning) -> int:
    """What makes lower better: the search minimizes the metric times this."""
    return 1 if result.mode == "min" else -1


def named_values(result: Tuning, units: np.ndarray) -> dict[str, float]:
    """Hyperparameters by name, at a place in the unit cube."""
    axes = zip(axes_of(result), units, strict=True)
    return {axis.name: float(axis.value(unit)) for axis, unit in axes}


def next_settings(result: Tuning) -> np.ndarray:
    """What the next round tries, of shape (points, axes)."""
    box, axes = box_of(result, result.finished_rounds), axes_of(result)
    if result.finished_rounds == 0 and len(axes) == 1:
        units = np.linspace(0, 1, result.points)[:, None]
    else:
        units = box.center + box.half * (2 * spread_places(result.points, len(axes)) - 1)
    columns = zip(axes, units.T, strict=True)
    return np.stack([axis.value(column) for axis, column in columns], axis=1)


def spread_places(points: int, dimensions: int) -> np.ndarray:
    """Places in the unit cube: the middles of even parts, then Roberts' additive recurrence.

    Its steps are powers of the root of x^(d+1) = x + 1 for d further dimensions.
    """
    ratio = 2.0
    for _ in range(50):  # a fixed point, whose error each turn at least halves
        ratio = (1 + ratio) ** (1 / dimensions)
    steps = ratio ** -np.arange(1.0, dimensions)
    n = np.arange(points)[:, None]
    return np.concatenate([(n + 0.5) / points, (0.5 + n * steps) % 1], axis=1)


def box_of(result: Tuning, i: int) -> Box:
    """The box of round i, from 0, by what the rounds before it found.

    The first is everything. The second reaches from the best of the first grid to its neighbors;
    each later one is half as wide, around the minimum of the quadratic in the one before.
    """
    dimensions = len(result.axes)
    if i == 0:
        return Box(np.full(dimensions, 0.5), 0.5)
    half = min(1 / (result.points ** (1 / dimensions) - 1), 0.5) / 2 ** (i - 1)
    if i == 1:
        center = places_of(result, 1)[lowest_of(result, 1)]
    else:
        center = bowl_of(result, i, box_of(result, i - 1)).best
    return Box(np.clip(center, half, 1 - half), half)


def places_of(result: Tuning, rounds: int) -> np.ndarray:
    """The settings of the first rounds in the unit cube, of shape (tried, axes)."""
    columns = zip(axes_of(result), result.settings[: rounds * result.points].T, strict=True)
    return np.stack([axis.unit(column) for axis, column in columns], axis=1)


def lowest_of(result: Tuning, rounds: int) -> int:
    """The number of the best setting in the first rounds."""
    means = sign_of(result) * result.means[: rounds * result.points]
    return int(np.argmin(np.where(np.isfinite(means), means, np.inf)))


def bowl_of(result: Tuning, rounds: int, box: Box) -> Bowl:
    """A quadratic through all settings of the first rounds in a box, seed by seed."""
    n, sign, places = rounds * result.points, sign_of(result), places_of(result, rounds)
    z = (places - box.center) / box.half
    inside = fitted_settings(z, sign * result.means[:n])
    design, best_tried = design_matrix(z[inside]), places[lowest_of(result, rounds)]
    unknown = np.full(len(box.center), np.nan)
    tried = Bowl(best_tried, unknown, np.zeros(design.shape[1]), has_minimum=False)
    if len(design) <= design.shape[1]:
        return tried
    by_seed, *_ = np.linalg.lstsq(design, sign * result.values[:n][inside], rcond=None)
    coefficients = by_seed.mean(axis=1)
    minimum = minimum_of(coefficients, len(box.center))
    if minimum is None:
        return tried
    seeds = by_seed.shape[1]
    spread = np.std(seed_shifts(by_seed, minimum), axis=0, ddof=1) if seeds > 1 else unknown
    best = np.clip(box.center + box.half * minimum, 0, 1)
    return Bowl(best, half_interval(box.half * spread, seeds), coefficients, has_minimum=True)


def fitted_settings(z: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Which settings a quadratic is fitted to: those in the box, -1 <= z <= 1, that are finite.

    Settings that rise more than five times as high as the median are on the way to divergence,
    where nothing is quadratic, and left out.
    """
    # But for rounding: a center may be a setting at the very edge of the box before.
    inside = np.isfinite(means) & (np.abs(z) <= 1 + 1e-9).all(axis=1)
    if not inside.any():
        return inside
    rise = means - means[inside].min()
    return inside & ~(rise > 5 * np.median(rise[inside]))


def minimum_of(coefficients: np.ndarray, dimensions: int) -> np.ndarray | None:
    """Where a quadratic is lowest; None if it is nowhere lowest within -1 <= z <= 1."""
    slope, curvature = derivatives(coefficients, dimensions)
    # A curvature of less than rounding errors is none.
    if np.linalg.eigvalsh(curvature)[0] <= 1e-9 * np.abs(coefficients).max():
        return None
    minimum = np.linalg.solve(curvature, -slope)
    # Beyond the settings it was fitted to, a quadratic means nothing.
    return None if (np.abs(minimum) > 1).any() else minimum


def seed_shifts(by_seed: np.ndarray, minimum: np.ndarray) -> list[np.ndarray]:
    """How each seed's coefficients, a column each, move the minimum, to first order."""
    _, curvature = derivatives(by_seed.mean(axis=1), len(minimum))
    shifts = []
    for coefficients in by_seed.T:
        seed_slope, seed_curvature = derivatives(coefficients, len(minimum))
        shifts.append(-np.linalg.solve(curvature, seed_slope + seed_curvature @ minimum))
    return shifts


def exponents(dimensions: int) -> list[tuple[int, ...]]:
    """Of which axes each term of a quadratic is the product: (), (0,), (0, 0), (0, 1), …."""
    axes = range(dimensions)
    return [t for n in range(3) for t in itertools.combinations_with_replacement(axes, n)]


def design_matrix(z: np.ndarray) -> np.ndarray:
    """The terms of a quadratic at places z, of shape (places, terms)."""
    return np.stack([z[:, list(t)].prod(axis=1) for t in exponents(z.shape[1])], axis=1)


def derivatives(coefficients: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a quadratic at 0, and its matrix of second derivatives."""
    slope, curvature = np.zeros(dimensions), np.zeros((dimensions, dimensions))
    for term, value in zip(exponents(dimensions), coefficients, strict=True):
        if len(term) == 1:
            slope[term[0]] = value
        elif len(term) == 2:
            i, j = term
            curvature[i, j] += value
            curvature[j, i] += value
    return slope, curvature


NO_MINIMUM = (
    "no minimum shows around the best of those tried: around it the metric is flat, or noise, and "
    "more seeds are needed to tell"
)


def tuning_notes(result: Tuning) -> tuple[str, ...]:
    """Where the search did not find what it looked for, and what to change."""
    seeds, lost = result.values.shape[1], int((~np.isfinite(result.values)).sum())
    if lost == result.values.size:
        return (f"all {lost} runs diverged: lower `min_value` and `max_value`",)
    done, notes = result.finished_rounds, []
    if done < result.rounds:
        notes.append(
            f"interrupted: {done} of {result.rounds} rounds are finished, with {seeds} keys"
        )
    differ = np.nanmin(result.means) < np.nanmax(result.means)
    notes += edge_notes(result) if differ else []
    if not result.bowl.has_minimum and not (differ and notes):
        notes.append(NO_MINIMUM)
    if seeds == 1:
        notes.append("one seed gives no interval: give several keys")
    if lost:
        highest = max(result.settings[np.isfinite(result.means), 0])
        runs = f"{lost} of {result.values.size} runs diverged"
        notes.append(f"{runs}; {highest:.3g} is the highest peak at which none did")
    return tuple(notes)


def edge_notes(result: Tuning) -> list[str]:
    """Where the best lies at the edge of a range."""
    near = box_of(result, 1).half / 2  # half way to the neighbor in the first grid
    return [
        f"the best {axis.name} is at the edge of the range, {edge:.3g}: a better one may lie beyond"
        for axis, place in zip(axes_of(result), result.bowl.best, strict=True)
        for end, edge in ((0, axis.low), (1, axis.high))
        if abs(place - end) <= near
    ]


def axis_panel(result: Tuning, i: int) -> Panel:
    """Every seed as a dot and the means of each round, over one hyperparameter."""
    axis, x = axes_of(result)[i], result.settings[:, i]
    curves = [Curve(x, seed, "seeds", GRAY, "dots") for seed in result.values.T]
    for r in range(-(-len(x) // result.points)):
        part = slice(r * result.points, (r + 1) * result.points)
        means, name = result.means[part], f"mean, round {r + 1}"
        curves.append(Curve(x[part], means, name, palette_color(r), "discs"))
    if len(result.axes) == 1 and np.isfinite(result.means).any() and result.bowl.has_minimum:
        curves.append(bowl_curve(result, axis))
    title, log = axis.name if i else "peak learning rate", "x" if axis.low > 0 else ""
    spans, limits = best_spans(result, axis.name), shown_limits(result)
    return Panel(title, result.metric, tuple(curves), spans, log, limits)


def best_spans(result: Tuning, name: str) -> tuple[Marker, ...]:
    """The best of a hyperparameter as a line, and its interval."""
    best, (low, high) = result.best[name], result.intervals[name]
    spans = []
    if math.isfinite(best):
        spans.append(Marker(best, best, f"best {name} {best:.3g}", BEST_COLOR))
    if low < high:
        spans.append(Marker(low, high, f"{name}, 95% interval", BEST_COLOR))
    return tuple(spans)


def bowl_curve(result: Tuning, axis: Axis) -> Curve:
    """The quadratic of one hyperparameter, over the last box."""
    box, z = box_of(result, result.finished_rounds - 1), np.linspace(-1, 1, 100)
    heights = design_matrix(z[:, None]) @ result.bowl.coefficients * sign_of(result)
    return Curve(axis.value(box.center + box.half * z), heights, "fit", BEST_COLOR, "dashes")


def shown_limits(result: Tuning) -> tuple[float, float] | None:
    """The heights to show: of all but the worst fifth of the means, next to a divergence."""
    sign = sign_of(result)
    means = np.sort(sign * result.means[np.isfinite(result.means)])
    if len(means) < 2:
        return None
    top = means[0] + 1.2 * (means[int(0.8 * (len(means) - 1))] - means[0])
    bottom = means[0] - 0.1 * (top - means[0])
    low, high = sorted((sign * bottom, sign * top))
    return (low, high) if low < high else None


@validated
def tune(
    train: Train,
    family: Callable[..., Tree],
    keys: Array,
    *,
    min_value: Positive,
    max_value: Positive,
    others: Mapping[str, tuple[float, float]] | None = None,
    metric: str | None = None,
    mode: Mode = "min",
    points: Size | None = None,
    rounds: Size = 3,
    progress: OnProgress = False,
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
        keys: random keys, one for each repetition. Three find the best; more narrow its interval.
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
        >>> result = tune(train, constant, keys, min_value=1e-5, max_value=10.0)
        >>> print(f"{result.best['peak']:.3f}", result.schedule.name)
        0.030 constant

    When to use it:
        Before schedules are compared: each does best at its own peak, and a comparison at a peak
        that suits one of them is unfair to the others. The best metric found here is optimistic,
        since it was searched for: for an unbiased one train again with fresh keys.
    """
    if not callable(family) or isinstance(family, Schedule):
        raise TypeError(
            "tune: `family` must be a function of the peak, as lambda peak: cosine_decay(peak, "
            f"decay_steps=1000), got {show(family)}"
        )
    check_keys(keys)
    axes = checked_axes(min_value, max_value, others or {})
    points = checked_points(points, rounds, len(axes))

    def candidate(setting: np.ndarray) -> Tree:
        values = dict(zip([axis.name for axis in axes], map(float, setting), strict=True))
        return family(values.pop("peak"), **values)

    def measure(candidates: list[Tree], i: int) -> Sweep:
        report = _of_all(progress, i, rounds)
        return sweep(train, candidates, keys, metric=metric, mode=mode, progress=report)

    nothing = Tuning(axes, np.zeros((0, len(axes))), np.zeros((0, 0)), "", mode, points, rounds)
    result = searched(nothing, candidate, measure)
    if not np.isfinite(result.means).any():
        return result
    return dataclasses.replace(result, schedule=candidate(np.array([*result.best.values()])))


def searched(
    result: Tuning,
    candidate: Callable[[np.ndarray], Tree],
    measure: Callable[[list[Tree], int], Sweep],
) -> Tuning:
    """The search after its rounds, or after those that were finished when something stopped it."""
    for i in range(result.rounds):
        settings = next_settings(result)
        candidates = list(map(candidate, settings))
        try:
            tried = measure(candidates, i)
        except (KeyboardInterrupt, Exception) as error:
            if i == 0:
                raise
            if isinstance(error, Exception):
                # Where the user calls `tune`, which is `validated`.
                warnings.warn(f"tune: stopped by {error!r}", RuntimeWarning, stacklevel=4)
            return result
        keys = np.asarray(tried.finished.all(axis=0))
        if i == 0 and not keys.any():
            raise KeyboardInterrupt("tune: not one key of the first round was finished")
        # A round with fewer keys than those before it could not be compared with them.
        if i == 0 or keys.all():
            result = with_round(result, settings, tried, keys)
        if not keys.all() or not np.isfinite(result.means).any():
            return result
    return result


def with_round(result: Tuning, settings: np.ndarray, tried: Sweep, keys: np.ndarray) -> Tuning:
    """The search after one more round, of which some keys count."""
    values = tried.values[:, keys]
    return dataclasses.replace(
        result,
        settings=np.concatenate([result.settings, settings]),
        values=np.concatenate([result.values, values]) if len(result.values) else values,
        metric=tried.metric,
    )


def checked_points(points: int | None, rounds: int, dimensions: int) -> int:
    """How many settings a round has: more than a quadratic has coefficients."""
    terms = len(exponents(dimensions))
    points = points or (8 if dimensions == 1 else 3 * terms)
    for name, value, least in (("points", points, terms + 1), ("rounds", rounds, 2)):
        if value < least:
            raise ValueError(f"tune: `{name}` must be >= {least}, got {value}")
    return points


def checked_axes(
    min_value: Positive, max_value: Positive, others: Mapping[str, tuple[float, float]]
) -> tuple[Axis, ...]:
    """The axes of a search, the peak's first."""
    if not isinstance(others, Mapping):
        raise TypeError(
            f"tune: `others` must be a mapping from names to ranges, got {show(others)}"
        )
    if "peak" in others:
        raise ValueError(
            "tune: `others` must not name the peak: it has `min_value` and `max_value`"
        )
    peak = checked_axis("peak", (min_value, max_value), "`min_value` and `max_value`")
    return peak, *(checked_axis(n, ends, f"the range of `{n}`") for n, ends in others.items())


def checked_axis(name: str, ends: tuple[Positive, Positive], field: str) -> Axis:
    """An axis, if its ends are finite and in order."""
    try:
        low, high = map(float, ends)
    except (TypeError, ValueError):
        raise TypeError(f"tune: {field} must be two numbers, got {show(ends)}") from None
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            f"tune: {field} must be finite, lowest < highest, got {low!r} and {high!r}"
        )
    return Axis(name, low, high)


def _of_all(progress: OnProgress, i: int, rounds: int) -> OnProgress:
    if not callable(progress):
        return progress
    return lambda done, total: progress(i * total + done, rounds * total)
