"""Schedules whose rate comes back: cycles, restarts, one cycle for a whole run."""

import math
import operator
from collections.abc import Sequence
from functools import partial
from itertools import chain, pairwise, repeat
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike, DTypeLike

from lr_optax._core import shapes
from lr_optax._core.clock import (
    Progress,
    as_float,
    at_least,
    blend,
    cycle,
    cycle_progress,
    default_float,
    is_number,
    later,
    passed,
    progress,
    since,
    until,
)
from lr_optax._core.hyperparameters import (
    PER_STEP,
    Boundaries,
    Count,
    Fraction,
    Growth,
    Number,
    Period,
    Positive,
    Rate,
    Rule,
    Steps,
    exceeds,
    is_known,
    must_fit,
    must_not_exceed,
    together,
)
from lr_optax._core.powers import geometric
from lr_optax._core.schedule import schedule
from lr_optax.schedules.tables import as_table


def _gamma_in_its_mode(*, mode, gamma, **_: object) -> None:
    if mode != "exp_range" and is_known(gamma) and np.any(np.asarray(gamma) != 1):
        raise ValueError(f"`gamma` belongs to mode 'exp_range', got {gamma} with mode {mode!r}")


@schedule(check=together(must_not_exceed("min_value", "max_value"), _gamma_in_its_mode))
def cyclical(
    step: Array,
    min_value: Rate,
    *,
    max_value: Rate,
    step_size_up: Period,
    step_size_down: Period | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: Positive = 1.0,
    shrink: Positive = 1.0,
) -> ArrayLike:
    """Triangles: from the lowest rate up to the highest and back, repeated.

    In cycle i = ⌊t/(u + d)⌋, with x the height of a triangle that rises over u steps and falls
    over d, η(t) = η_min + (η_max − η_min)·x·g·σ^i, where g is 1 for "triangular", 2^−i for
    "triangular2" and γ^t for "exp_range".
    It goes on forever.

    Args:
        min_value: η_min, the rate at the start of every cycle, >= 0.
        max_value: η_max, the peak of the first cycle, >= ``min_value``.
        step_size_up: u, steps from the lowest rate to the peak, >= 1.
        step_size_down: d, steps back, >= 1; None for as many as up.
        mode: "triangular" keeps the range, "triangular2" halves it with every cycle, "exp_range"
            shrinks it by ``gamma`` at every step.
        gamma: γ > 0 per step, used by "exp_range" alone.
        shrink: σ > 0, a further factor on the range from each cycle to the next; 1 for none.

    Raises:
        ValueError: ``min_value`` exceeds ``max_value``.

    Example:
        >>> s = cyclical(0.01, max_value=0.1, step_size_up=5, shrink=0.5)
        >>> print(s(0), s(5), s(10), s(15), s(25))
        0.01 0.1 0.01 0.055 0.0325
        >>> s = cyclical(0.1, max_value=1.0, step_size_up=2, step_size_down=4, mode="triangular2")
        >>> print(s(jnp.arange(9)))
        [0.1   0.55  1.    0.775 0.55  0.325 0.1   0.325 0.55 ]

    When to use it:
        To cover a range of rates when the best one is not known, with bounds from a learning-rate
        range test; cycles of 4 to 20 epochs. Keep the model from the end of a cycle.

    Reference:
        L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
        arXiv:1506.01186.
    """
    up, down = step_size_up, step_size_up if step_size_down is None else step_size_down
    index, position = cycle(step, later(up, down))
    _, risen = progress(position, up)
    not_fallen, _ = progress(since(position, up), down)
    height = jnp.where(risen < 1, risen, not_fallen)
    per_cycle = shrink * 0.5 if mode == "triangular2" else shrink
    height = height * geometric(per_cycle, index)
    if mode == "exp_range":
        height = height * geometric(gamma, step)
    # A range that grows forever must not become the difference of two infinities.
    height = jnp.minimum(height, 2.0**96)
    return blend(Progress(height, 1 - height), max_value, min_value)


@schedule(check=must_not_exceed("min_value", "init_value"))
def cosine_annealing(
    step: Array,
    init_value: Rate,
    *,
    period: Period,
    min_value: Rate = 0.0,
    period_multiplier: Growth = 1,
    peak_decay: Positive = 1.0,
) -> ArrayLike:
    """Half a cosine down, then a jump back up, forever.

    In cycle i, T_i = T·m^i steps long, at position t_i: η(t) = η_min + ½(η_i − η_min)(1 +
    cos(πt_i/T_i)), with the peak η_i = max(η₀·d^i, η_min).
    It goes on forever.

    Args:
        init_value: η₀, the peak of the first cycle, >= 0.
        period: T, steps of the first cycle, >= 1. At t = T the next one begins.
        min_value: η_min, what every cycle falls towards, >= 0 and at most ``init_value``. It would
            be reached at the step where the rate restarts.
        period_multiplier: m >= 1, the ratio of each cycle's length to the previous one's.
        peak_decay: d > 0, the ratio of each cycle's peak to the previous one's; a peak stops at
            ``min_value``.

    Raises:
        ValueError: ``min_value`` exceeds ``init_value``.

    Example:
        >>> s = cosine_annealing(0.1, period=10, min_value=0.001)
        >>> print(s(0), s(5), s(10), s(15))
        0.1 0.0505 0.1 0.0505
        >>> s = cosine_annealing(0.1, period=10, period_multiplier=2, peak_decay=0.5)
        >>> print(s(10), s(20), s(30))
        0.05 0.025 0.025

    When to use it:
        To have a good model at the end of every cycle, for ensembles or when the run may be
        stopped; for a single run of known length a decay without restarts is better.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
        arXiv:1608.03983.
    """
    index, weights = growing_cycles(step, period, period_multiplier)
    peak = jnp.maximum(init_value * geometric(peak_decay, index), min_value)
    return blend(shapes.cosine(weights), peak, min_value)


def growing_cycles(
    step: Array, period: ArrayLike, multiplier: ArrayLike, ahead: ArrayLike = 0.0
) -> tuple[Array, Progress]:
    """A step's cycle, and what is left and gone of it; cycle i lasts period·multiplier^i.

    The first one begins ``ahead`` before step 0.
    """
    index, weights = cycle_progress(step, period, ahead)
    if is_number(multiplier) and multiplier == 1:
        return index, weights
    if is_number(period) and is_number(multiplier) and is_number(ahead):
        cycles = math.log1p(_LAST_STEP / period * (multiplier - 1)) / math.log1p(multiplier - 1)
        if cycles < _MOST_CYCLES:
            return _from_table(step, [start - ahead for start in _starts(period, multiplier)])
        return _from_blocks(step, period, multiplier, ahead, math.ceil(cycles / _MOST_CYCLES))
    multiplier = as_float(multiplier)
    grows = multiplier > 1
    growing = _from_series(
        as_float(step) + ahead, as_float(period), jnp.where(grows, multiplier, 2)
    )
    return jax.tree.map(partial(jnp.where, grows), growing, (as_float(index), weights))


_LAST_STEP = 2**31 - 1


# The length of a table at most; with more cycles than that an entry stands for several.
_MOST_CYCLES = 2**14


def _starts(period: float, multiplier: float) -> list[float]:
    """Where the cycles start, up to the first start that no int32 counter reaches."""
    starts: list[float] = [0]
    while starts[-1] <= _LAST_STEP:
        starts.append(starts[-1] * multiplier + period)
    return starts


def _from_table(step: Array, starts: list[float]) -> tuple[Array, Progress]:
    # Whole parts are subtracted as integers; what they leave out, fractions of a step and the end
    # of the last cycle, is never negative, so that adding it loses no digits.
    starts = [_snapped(start) for start in starts]
    begins, ends = starts[:-1], starts[1:]
    whole_begins = [math.ceil(begin) for begin in begins]
    whole_ends = [min(math.floor(end), _LAST_STEP) for end in ends]
    index = passed(step, whole_begins[1:])

    def at(table: Sequence[float], dtype: DTypeLike) -> Array:
        return jnp.asarray(np.asarray(table, dtype))[index]

    gone = as_float(step - at(whole_begins, step.dtype))
    gone = gone + at([w - b for w, b in zip(whole_begins, begins, strict=True)], gone.dtype)
    left = as_float(at(whole_ends, step.dtype) - step)
    left = left + at([e - w for w, e in zip(whole_ends, ends, strict=True)], left.dtype)
    return index, Progress(left / (left + gone), gone / (left + gone))


def _snapped(start: float) -> float:
    """A start that only rounding has moved off a whole step: the sum for 1.2 is 364 exactly."""
    nearest = round(start)
    return nearest if math.isclose(start, nearest, rel_tol=1e-11) else start


def _from_blocks(
    step: Array, period: float, multiplier: float, ahead: float, size: int
) -> tuple[Array, Progress]:
    """For cycles that hardly grow: a table of every ``size``-th start, and a sum from there."""
    growth = multiplier - 1
    powers = np.expm1(np.arange(_MOST_CYCLES + 1) * (size * math.log1p(growth)))
    begins, lengths = period * powers / growth - ahead, period * (1 + powers)
    begins = np.array(list(map(_snapped, begins.tolist())))
    block = passed(step, [math.ceil(begin) for begin in begins[1:] if begin <= _LAST_STEP])

    def at(table: np.ndarray, dtype: DTypeLike) -> Array:
        return jnp.asarray(table.clip(max=_LAST_STEP).astype(dtype))[block]

    clock, rest = step - at(np.floor(begins), step.dtype), at(begins % 1, default_float())
    whole, length = at(np.floor(lengths), step.dtype), at(lengths, default_float())
    part = at(lengths % 1, default_float())

    def since_start(cycle: Array) -> tuple[Array, Array]:
        """Steps since a cycle of the block began: whole ones, as integers, and what is too much."""
        n = as_float(cycle)
        grown = length * (growth / 2) * n * (n - 1) * (1 + growth / 3 * (n - 2))
        return as_float(clock - whole * cycle), rest + part * n + grown

    def has_begun(cycle: Array) -> Array:
        steps, excess = since_start(cycle)
        return steps >= excess * (1 - 1e-6)  # as far as float32 knows the excess

    cycles = as_float(clock) / length
    cycle = jnp.floor(cycles / (1 + growth / 2 * cycles)).astype(step.dtype)
    # The estimate is off by one at most.
    cycle = cycle + has_begun(cycle + 1).astype(step.dtype)
    cycle = cycle - (~has_begun(cycle)).astype(step.dtype)
    gone = jnp.maximum(operator.sub(*since_start(cycle)), 0)
    left = jnp.maximum(-operator.sub(*since_start(cycle + 1)), 0)
    return block * size + cycle, Progress(left / (left + gone), gone / (left + gone))


def _from_series(step: Array, period: Array, multiplier: Array) -> tuple[Array, Progress]:
    """For traced values: the sum of a geometric series, solved for the number of its terms."""
    period = jnp.maximum(period, 1)

    def start(index: Array) -> Array:
        first = period * jnp.expm1(index * jnp.log(multiplier)) / (multiplier - 1)
        # What float32 holds of a multiplier such as 1.2 moves whole starts by a few roundings.
        off = jnp.round(first) - first
        near = jnp.abs(off) <= jnp.minimum(16 * jnp.finfo(first.dtype).eps * first, 0.1)
        return first + lax.stop_gradient(jnp.where(near, off, 0))

    terms = jnp.log1p(step / period * (multiplier - 1)) / jnp.log(multiplier)
    index = lax.stop_gradient(jnp.floor(terms))
    # The logarithm may round across a boundary: compare with the boundaries themselves.
    index = index + as_float(step >= start(index + 1)) - as_float(step < start(index))
    length = period * jnp.exp(index * jnp.log(multiplier))
    gone = ((step - start(index)) / length).clip(0, 1)
    return index, Progress(1 - gone, gone)


def _corners_fit(*, three_phase: bool, **values: Any) -> None:
    must_fit(*["warmup_steps"] * (2 if three_phase else 1), into="total_steps")(**values)


@schedule(check=_corners_fit)
def one_cycle(
    step: Array,
    peak_value: Rate,
    *,
    total_steps: Steps,
    warmup_steps: Steps,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
    three_phase: bool = False,
    shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """One rise from a fraction of the peak, and one fall to far below: Smith's 1cycle.

    η goes from η_max/d up to η_max at t = w, and down to η_max/(d·f) at t = T. With three phases
    it is back at η_max/d at t = 2w, and then goes down to the end.
    The last rate is held.

    Args:
        peak_value: η_max, >= 0.
        total_steps: T, steps of the whole run, >= w, or >= 2w with three phases.
        warmup_steps: w, steps up, >= 0; 30% of the run is usual.
        div_factor: d > 0, the peak over the first rate.
        final_div_factor: f > 0, the first rate over the last, as in PyTorch. fast.ai divides the
            peak itself, by ``div_final``: that is f = div_final/d.
        three_phase: whether the fall has a stage of its own back to the first rate.
        shape: "cosine", "linear" or another of :data:`lr_optax.typing.Shape`.

    Raises:
        ValueError: the phases do not fit.

    Example:
        >>> s = one_cycle(1.0, total_steps=9, warmup_steps=2)
        >>> print(s(0), s(1), s(2), s(9))
        0.04 0.52 1.0 4e-06

    When to use it:
        To train a network with large rates in few epochs, with momentum on the opposite course
        (:func:`one_cycle_momentum`).

    Reference:
        L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
        Large Learning Rates", 2017, arXiv:1708.07120.
    """
    low = peak_value / _divisor(div_factor)
    values = (low, peak_value, *((low,) if three_phase else ()), low / _divisor(final_div_factor))
    return _legs(step, values, _corners(total_steps, warmup_steps, three_phase=three_phase), shape)


@schedule(check=_corners_fit)
def one_cycle_momentum(
    step: Array,
    max_value: Fraction = 0.95,
    *,
    min_value: Fraction = 0.85,
    total_steps: Steps,
    warmup_steps: Steps,
    three_phase: bool = False,
    shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """The momentum to go with :func:`one_cycle`: low where the rate is high.

    It goes from the highest momentum down to the lowest at t = w and back up at t = T, or already
    at t = 2w with three phases.
    The last momentum is held.

    Args:
        max_value: the momentum at both ends, in [0, 1].
        min_value: the momentum at the peak of the rate, in [0, 1].
        total_steps: T, as for the rate.
        warmup_steps: w, as for the rate.
        three_phase: as for the rate.
        shape: as for the rate.

    Raises:
        ValueError: the phases do not fit.

    Example:
        >>> s = one_cycle_momentum(0.95, total_steps=9, warmup_steps=2)
        >>> print(s(0), s(1), s(2), s(9))
        0.95 0.9 0.85 0.95

    When to use it:
        Together with :func:`one_cycle`, as the momentum of SGD or the β₁ of Adam, through
        ``optax.inject_hyperparams``.

    Reference:
        L. N. Smith, "A Disciplined Approach to Neural Network Hyper-Parameters: Part 1", 2018,
        arXiv:1803.09820.
    """
    values = (max_value, min_value, *((max_value,) if three_phase else ()), max_value)
    return _legs(step, values, _corners(total_steps, warmup_steps, three_phase=three_phase), shape)


def _divisor(value: ArrayLike) -> ArrayLike:
    if is_number(value):
        return value
    value = as_float(value)
    return jnp.where(value > 0, value, 1)


def _corners(
    total_steps: ArrayLike, warmup_steps: ArrayLike, *, three_phase: bool
) -> tuple[ArrayLike, ...]:
    """The steps at which one leg ends and the next one begins."""
    back = (later(warmup_steps, warmup_steps),) if three_phase else ()
    return (0, warmup_steps, *back, total_steps)


def _legs(
    step: Array, values: Sequence[ArrayLike], corners: Sequence[Any], shape: shapes.Shape
) -> ArrayLike:
    """From each value to the next one, between one corner and the next."""
    rate = values[0]
    for (low, high), (begin, end) in zip(pairwise(values), pairwise(corners), strict=True):
        weights = progress(since(step, begin), end - begin)
        leg = shapes.between(shape, weights, low, high)
        rate = jnp.where(until(step, begin) <= 0, leg, rate)
    return rate


@schedule(check=must_not_exceed("min_value", "init_value"))
def snapshot_cycles(
    step: Array, init_value: Rate, *, total_steps: Steps, cycles: Count, min_value: Rate = 0.0
) -> ArrayLike:
    """Cosine annealing with equal cycles that fill a run: M of them, ⌈T/M⌉ steps each.

    It goes on forever.

    Args:
        init_value: the peak of every cycle, >= 0.
        total_steps: T, steps of the run, >= 0.
        cycles: M, the number of cycles, one snapshot each, >= 0; 0 counts as 1.
        min_value: what every cycle falls towards, >= 0 and at most ``init_value``.

    Example:
        >>> s = snapshot_cycles(0.1, total_steps=100, cycles=5)
        >>> print(s(0), s(10), s(20), s(90))
        0.1 0.05 0.1 0.05

    When to use it:
        To collect an ensemble from one run: keep the model at the end of every cycle.

    Reference:
        G. Huang et al., "Snapshot Ensembles: Train 1, Get M for Free", 2017, arXiv:1704.00109.
    """
    period = at_least(-(-total_steps // at_least(cycles, 1)), 1)
    return cosine_annealing.formula(step, init_value, period=period, min_value=min_value)


@schedule
def polynomial_cycles(
    step: Array, init_value: Rate, *, end_value: Rate = 0.0, power: Positive, period: Period
) -> ArrayLike:
    """A polynomial decay whose horizon grows by T whenever it is reached.

    η(t) = η₁ + (η₀ − η₁)·(1 − t/(nT))^p with n = max(⌈t/T⌉, 1).
    It goes on forever.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate at every multiple of T, >= 0.
        power: p > 0.
        period: T, steps, >= 1. Right after a multiple the rate is back at a lower peak, about
            1/n of the way up.

    Example:
        >>> s = polynomial_cycles(1.0, end_value=0.1, power=1, period=4)
        >>> print(s(0), s(2), s(4), s(5), s(8), s(9))
        1.0 0.55 0.1 0.4375 0.1 0.325

    When to use it:
        To go on past a planned end with warm restarts that shrink by themselves.
    """
    index, position = cycle(step, period)
    horizon = jnp.maximum(as_float(period), 1) * (as_float(index) + 1)
    reached = (position <= 0) & (index > 0)
    left = jnp.where(reached, 0, as_float(until(position, period)) / horizon)
    gone = jnp.where(reached, 1, as_float(step) / horizon)
    return blend(shapes.power(Progress(left, gone), power), init_value, end_value)


def _phases_fit_cycles(
    *, boundaries, cooldown_steps, warmup_steps, rewarmup_steps, **_: object
) -> None:
    if not is_known(boundaries, cooldown_steps, warmup_steps, rewarmup_steps):
        return
    if len(boundaries) == 0:
        raise ValueError("`boundaries` must hold the end of at least one cycle, got none")
    rises = chain((warmup_steps,), repeat(rewarmup_steps))
    for begin, end, rise in zip((0, *boundaries), boundaries, rises, strict=False):
        if exceeds(rise + cooldown_steps, end - begin):
            raise ValueError(
                f"warm-up and `cooldown_steps` must fit into each cycle, "
                f"got {rise} + {cooldown_steps} for the one from {begin} to {end}"
            )


@schedule(check=together(_phases_fit_cycles, shapes.positive_ends("end_value")))
def warmup_stable_decay_cycles(
    step: Array,
    peak_value: Rate,
    *,
    boundaries: Boundaries,
    cooldown_steps: Steps,
    warmup_steps: Steps = 0,
    rewarmup_steps: Steps = 0,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    shape: shapes.Shape = "linear",
) -> ArrayLike:
    """A cooldown at the end of every budget, and back up to go on (WSD-S).

    Each cycle is a :func:`warmup_stable_decay`; a new one begins at each boundary but the last.

    The rate is exactly ``end_value`` from the last boundary on.

    Args:
        peak_value: the rate of all stable phases, >= 0.
        boundaries: where the cycles end, steps in ascending order, at least one; the last is the
            end of the run.
        cooldown_steps: steps of the last phase of every cycle, >= 0.
        warmup_steps: steps up in the first cycle, >= 0.
        rewarmup_steps: steps up in all others, from ``end_value``, >= 0; at 0 the rate jumps.
        init_value: the rate at step 0, >= 0.
        end_value: what every cycle falls to, >= 0; > 0 for the shapes "exponential" and
            "inverse". It is reached where the next cycle begins: exactly, if that rises slowly.
        shape: the curve of the last phase, as in :func:`shaped_decay`; the authors' is
            "inverse", with an end at a tenth of the peak.

    Raises:
        ValueError: the phases do not fit.

    Example:
        >>> s = warmup_stable_decay_cycles(0.1, boundaries=(40, 80), cooldown_steps=10,
        ...                                warmup_steps=5, rewarmup_steps=2)
        >>> print(s(0), s(5), s(30), s(35), s(40), s(41), s(42), s(75), s(80))
        0.0 0.1 0.1 0.05 0.0 0.05 0.1 0.05 0.0

    When to use it:
        To get a finished model at each of several budgets out of one run, each trained on from
        the one before.

    Reference:
        K. Wen et al., "Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss
        Landscape Perspective", 2024, arXiv:2410.05192.
    """
    ends = as_table(boundaries, step.dtype)
    if isinstance(boundaries, Sequence) and all(map(is_number, (cooldown_steps, *boundaries))):
        cooldowns = as_table([end - cooldown_steps for end in boundaries], step.dtype)
    else:
        cooldowns = ends - jnp.asarray(cooldown_steps, ends.dtype)
    index = passed(step, boundaries).clip(max=len(ends) - 1)
    first = index == 0
    begin = jnp.where(first, 0, ends[index - 1])
    rise_steps = jnp.where(first, warmup_steps, rewarmup_steps)
    rise = progress(since(step, begin), rise_steps)
    rising = blend(rise, jnp.where(first, init_value, end_value), peak_value)
    cooldown_begin = cooldowns[index]
    fall = progress(since(step, cooldown_begin), cooldown_steps)
    falling = shapes.between(shape, fall, peak_value, end_value)
    rate = jnp.where(until(step, cooldown_begin) > 0, peak_value, falling)
    return jnp.where(rise.left > 0, rising, rate)


_SILVER = 1 + math.sqrt(2)


@schedule
def silver(step: Array, scale: Annotated[Rate, PER_STEP]) -> ArrayLike:
    """Silver step sizes: η(t) = c·(1 + ρ^(ν−1)), ρ = 1 + √2, 2^ν the power of 2 in t + 1.

    It goes on forever; longer steps come ever more rarely.

    Args:
        scale: c, one over the Lipschitz constant of the gradient, >= 0.

    Example:
        >>> s = silver(1.0)
        >>> print(s(0), s(1), s(2), s(3))
        1.4142135 2.0 1.4142135 3.4142137

    When to use it:
        For gradient descent without noise on a smooth convex problem, stopped after 2^k − 1
        steps; it gets there faster than with any constant rate. Not for stochastic gradients.

    Reference:
        J. M. Altschuler, P. A. Parrilo, "Acceleration by Stepsize Hedging I: Multi-Step Descent
        and the Silver Stepsize Schedule", 2023, arXiv:2309.07879.
    """
    step = step.astype(int)
    twos = lax.population_count(step & ~(step + 1))  # 2^ν divides t + 1 if t ends with ν ones
    return scale * (1 + geometric(_SILVER, twos) / _SILVER)


Doublings = Annotated[
    Number,
    Rule("a whole number from 0 to 30", lambda x: np.isin(x, range(31)), whole=True),
    PER_STEP,
]


@schedule(check=must_not_exceed("min_curvature", "max_curvature"))
def chebyshev(
    step: Array, min_curvature: Positive, *, max_curvature: Positive, doublings: Doublings
) -> ArrayLike:
    """Chebyshev steps in fractal order: η(t) = 1/(½(M + m) − ½(M − m)·cos(π(σ_t + ½)/T)), T = 2^k.

    Its period is 2^k.

    Args:
        min_curvature: m > 0, the smallest curvature of the problem.
        max_curvature: M >= m, the largest; rates lie between 1/M and 1/m.
        doublings: k in [0, 30]; T = 2^k steps use every rate once, then they begin again. σ is
            the order in which long steps are followed by short ones that make up for them.

    Raises:
        ValueError: ``min_curvature`` exceeds ``max_curvature``.

    Example:
        >>> s = chebyshev(1.0, max_curvature=3.0, doublings=1)
        >>> print(s(0), s(1), s(2))
        0.7734591 0.3693981 0.7734591

    When to use it:
        For gradient descent without noise on a quadratic, or nearly so, whose extreme curvatures
        are known; as fast as momentum. Single steps may raise the loss. Not for stochastic
        gradients.

    Reference:
        N. Agarwal, S. Goel, C. Zhang, "Acceleration via Fractal Learning Rate Schedules", 2021,
        arXiv:2103.01338.
    """
    size = jnp.asarray(doublings).astype(jnp.uint32)
    order, total = as_float(_fractal(step, size)), jnp.ldexp(as_float(1), size.astype(jnp.int32))
    left, gone = (total - order - 0.5) / total, (order + 0.5) / total
    curvature = as_float(blend(shapes.cosine(Progress(left, gone)), min_curvature, max_curvature))
    return jnp.where(curvature > 0, 1 / jnp.where(curvature > 0, curvature, 1), 0)


def _fractal(step: Array, size: Array) -> Array:
    """The place of a step in the order that interleaves each half with its mirror image.

    σ_1 = (0) and σ_2T = (σ_T(0), 2T − 1 − σ_T(0), σ_T(1), ...): in bits, the sums modulo 2 of the
    step's lowest bits, read backwards.
    """
    bits = step.astype(jnp.uint32)
    for shift in (1, 2, 4, 8, 16):
        bits = bits ^ (bits << shift)
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        bits = ((bits >> shift) & np.uint32(mask)) | ((bits & np.uint32(mask)) << shift)
    bits = (bits >> 16) | (bits << 16)
    return jnp.where(size > 0, bits >> (32 - jnp.maximum(size, 1)), 0)
