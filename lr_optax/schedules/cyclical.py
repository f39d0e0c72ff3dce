"""Cycles: a rate that rises and falls again and again."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike, DTypeLike

from lr_optax import shapes
from lr_optax._numerics import as_float, blend, cycle, geometric, is_number, passed, progress, since
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Factor, Growth, Period, Rate, exceeds, is_known


def _ordered(*, min_value, max_value, mode, gamma, **_: object) -> None:
    if exceeds(min_value, max_value):
        raise ValueError(f"`min_value` must not exceed `max_value`, got {min_value} > {max_value}")
    if mode != "exp_range" and is_known(gamma) and np.any(np.asarray(gamma) != 1):
        raise ValueError(f"`gamma` belongs to mode 'exp_range', got {gamma} with mode {mode!r}")


@schedule(check=_ordered)
def cyclical(
    step: Array,
    min_value: Rate,
    *,
    max_value: Rate,
    step_size_up: Period,
    step_size_down: Period | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: Factor = 1.0,
    shrink: Factor = 1.0,
) -> ArrayLike:
    """Triangles: from the lowest rate up to the highest and back, repeated.

    In cycle i = ⌊t/(u + d)⌋, with x the height of a triangle that rises over u steps and falls
    over d, η(t) = η_min + (η_max − η_min)·x·g·σ^i, where g is 1 for "triangular", 2^−i for
    "triangular2" and γ^t for "exp_range".

    Args:
        min_value: η_min, the rate at the start of every cycle, >= 0.
        max_value: η_max, the peak of the first cycle, >= ``min_value``.
        step_size_up: u, steps from the lowest rate to the peak, >= 1.
        step_size_down: d, steps back, >= 1; None for as many as up.
        mode: "triangular" keeps the range, "triangular2" halves it with every cycle, "exp_range"
            shrinks it by ``gamma`` at every step.
        gamma: γ > 0 per step, used by "exp_range" alone.
        shrink: σ > 0, a further factor on the range from each cycle to the next; 1 for none.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on for ever.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or ``min_value`` exceeds ``max_value``.

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
    index, position = cycle(step, up + down)
    _, risen = progress(position, up)
    not_fallen, _ = progress(since(up, position), down)
    height = jnp.where(risen < 1, risen, not_fallen)
    per_cycle = shrink * 0.5 if mode == "triangular2" else shrink
    height = height * geometric(per_cycle, index)
    if mode == "exp_range":
        height = height * geometric(gamma, step)
    return blend((height, 1 - height), max_value, min_value)


def _floor_below_peak(*, init_value, min_value, **_: object) -> None:
    if exceeds(min_value, init_value):
        raise ValueError(
            f"`min_value` must not exceed `init_value`, got {min_value} > {init_value}"
        )


@schedule(check=_floor_below_peak)
def cosine_annealing(
    step: Array,
    init_value: Rate,
    *,
    period: Period,
    min_value: Rate = 0.0,
    period_multiplier: Growth = 1,
    peak_decay: Factor = 1.0,
) -> ArrayLike:
    """Half a cosine down, then a jump back up, for ever.

    In cycle i, T_i = T·m^i steps long, at position t_i: η(t) = η_min + ½(η_i − η_min)(1 +
    cos(πt_i/T_i)), with the peak η_i = max(η₀·d^i, η_min).

    Args:
        init_value: η₀, the peak of the first cycle, >= 0.
        period: T, steps of the first cycle, >= 1. At t = T the next one begins.
        min_value: η_min, what every cycle falls towards, >= 0 and at most ``init_value``. It would
            be reached at the step where the rate restarts.
        period_multiplier: m >= 1, each cycle's length over the last one's.
        peak_decay: d > 0, each cycle's peak over the last one's; a peak stops at ``min_value``.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on for ever.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or ``min_value`` exceeds ``init_value``.

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
    index, weights = _growing_cycles(step, period, period_multiplier)
    peak = jnp.maximum(init_value * geometric(peak_decay, index), min_value)
    return blend(shapes.cosine(*weights), peak, min_value)


def _growing_cycles(
    step: Array, period: ArrayLike, multiplier: ArrayLike
) -> tuple[Array, tuple[Array, Array]]:
    """A step's cycle, and what is left and gone of it; cycle i lasts period·multiplier^i."""
    index, position = cycle(step, period)
    weights = progress(position, period)
    if is_number(multiplier) and multiplier == 1:
        return index, weights
    if is_number(period) and is_number(multiplier):
        starts = _starts(period, multiplier)
        if starts[-1] > _LAST_STEP:
            return _from_table(step, starts)
    multiplier = as_float(multiplier)
    grows = multiplier > 1
    growing = _from_series(as_float(step), as_float(period), jnp.where(grows, multiplier, 2))
    return jax.tree.map(partial(jnp.where, grows), growing, (as_float(index), weights))


_LAST_STEP = 2**31 - 1
_MOST_CYCLES = 2**14


def _starts(period: float, multiplier: float) -> list[float]:
    """Where the cycles start, up to the first start that no int32 counter reaches."""
    starts: list[float] = [0]
    while starts[-1] <= _LAST_STEP and len(starts) < _MOST_CYCLES:
        starts.append(starts[-1] * multiplier + period)
    return starts


def _from_table(step: Array, starts: list[float]) -> tuple[Array, tuple[Array, Array]]:
    # Whole parts are subtracted as integers; what they leave out, fractions of a step and the end
    # of the last cycle, is never negative, so that adding it loses no digits.
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
    return index, (left / (left + gone), gone / (left + gone))


def _from_series(step: Array, period: Array, multiplier: Array) -> tuple[Array, Any]:
    """For traced values: the sum of a geometric series, solved for the number of its terms."""
    period = jnp.maximum(period, 1)

    whole = (period == jnp.round(period)) & (multiplier == jnp.round(multiplier))

    def start(index: Array) -> Array:
        first = period * jnp.expm1(index * jnp.log(multiplier)) / (multiplier - 1)
        return jnp.where(whole, jnp.round(first), first)

    terms = jnp.log1p(step / period * (multiplier - 1)) / jnp.log(multiplier)
    index = lax.stop_gradient(jnp.floor(terms))
    # The logarithm may round across a boundary: compare with the boundaries themselves.
    index = index + as_float(step >= start(index + 1)) - as_float(step < start(index))
    length = period * jnp.exp(index * jnp.log(multiplier))
    gone = ((step - start(index)) / length).clip(0, 1)
    return index, (1 - gone, gone)
