"""timm's own formulas: a limited number of cycles, each longer and lower than the last."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import Count, Fraction, Growth, Period, Positive, Rate, Real, Steps
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import as_float, blend, geometric, is_number, progress
from lr_optax.schedules.cycles import _growing_cycles


@schedule(name="timm.cosine")
def timm_cosine(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Period,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    k_decay: Positive = 1.0,
) -> ArrayLike:
    """Cycles of half a cosine: η_min + ½(b·d^i − η_min)(1 + cos πx^k), then η_min.

    Args:
        base_lr: b, the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, >= 1.
        lr_min: η_min, where every cycle ends, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: d > 0, each cycle's peak over the last one's.
        cycle_limit: how many cycles, >= 0.
        k_decay: k > 0; above 1 a cycle falls later.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = timm_cosine(0.1, t_initial=10, cycle_decay=0.5, cycle_limit=2)
        >>> print(s(0), s(5), s(10), s(15), s(20))
        0.1 0.05 0.05 0.025 0.0

    When to use it:
        Through :func:`CosineLRScheduler`, to reproduce a run.

    Reference:
        timm 1.0.31, timm.scheduler.CosineLRScheduler.
    """

    def falling(left: Array, gone: Array) -> shapes.Weights:
        return shapes.cosine(*shapes.delayed((left, gone), k_decay))

    return _cycles(step, falling, base_lr, lr_min, t_initial, cycle_mul, cycle_decay, cycle_limit)


@schedule(name="timm.poly")
def timm_poly(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Period,
    power: Positive = 0.5,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    k_decay: Positive = 1.0,
) -> ArrayLike:
    """Cycles of a power of what is left: η_min + (b·d^i − η_min)(1 − x^k)^p, then η_min.

    Args:
        base_lr: b, the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, >= 1.
        power: p > 0.
        lr_min: η_min, where every cycle ends, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: d > 0, each cycle's peak over the last one's.
        cycle_limit: how many cycles, >= 0.
        k_decay: k > 0; above 1 a cycle falls later.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = timm_poly(0.1, t_initial=16)
        >>> print(s(0), s(12), s(15), s(16))
        0.1 0.05 0.025 0.0

    When to use it:
        Through :func:`PolyLRScheduler`, to reproduce a run.

    Reference:
        timm 1.0.31, timm.scheduler.PolyLRScheduler.
    """

    def falling(left: Array, gone: Array) -> shapes.Weights:
        return shapes.power(shapes.delayed((left, gone), k_decay), power)

    return _cycles(step, falling, base_lr, lr_min, t_initial, cycle_mul, cycle_decay, cycle_limit)


@schedule(name="timm.tanh")
def timm_tanh(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Period,
    lb: Real = -7.0,
    ub: Real = 3.0,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
) -> ArrayLike:
    """Cycles of a falling tanh: η_min + ½(b·d^i − η_min)(1 − tanh(l + (u − l)x)), then η_min.

    Args:
        base_lr: b, about the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, >= 1.
        lb: l, where on the tanh a cycle begins.
        ub: u, where it ends; the last step of a cycle is above η_min.
        lr_min: η_min, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: d > 0, each cycle's peak over the last one's.
        cycle_limit: how many cycles, >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = timm_tanh(0.1, t_initial=10)
        >>> print(s(0), s(7), s(10))
        0.09999992 0.05 0.0

    When to use it:
        Through :func:`TanhLRScheduler`, to reproduce a run. :func:`lr_optax.tanh_decay` reaches
        its ends.

    Reference:
        timm 1.0.31, timm.scheduler.TanhLRScheduler.
    """

    def falling(left: Array, gone: Array) -> tuple[Any, Any]:
        # As a share of the way between the ends, whose values are then the same however compiled.
        first, last = _tanh(lb), _tanh(ub)
        weights = shapes.tanh(left, gone, lb, ub)
        rest = blend(weights, (1 - first) / 2, (1 - last) / 2)
        return rest, blend(weights, (1 + first) / 2, (1 + last) / 2)

    return _cycles(step, falling, base_lr, lr_min, t_initial, cycle_mul, cycle_decay, cycle_limit)


def _tanh(x: ArrayLike) -> Any:
    return math.tanh(x) if is_number(x) else jnp.tanh(as_float(x))


def _cycles(
    step: Array,
    shape: Callable[[Array, Array], tuple[Any, Any]],
    base_lr: ArrayLike,
    lr_min: ArrayLike,
    t_initial: ArrayLike,
    cycle_mul: ArrayLike,
    cycle_decay: ArrayLike,
    cycle_limit: ArrayLike,
) -> ArrayLike:
    index, weights = _growing_cycles(step, t_initial, cycle_mul)
    rate = blend(shape(*weights), base_lr * geometric(cycle_decay, index), lr_min)
    return jnp.where(as_float(index) < as_float(cycle_limit), rate, lr_min)


@schedule(name="timm.exp_decay")
def timm_exp_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    decay_ratio: Fraction = 0.1,
) -> ArrayLike:
    """An exponential bent to end at a given rate: η₁ + (η₀ − η₁)(r^x − r)/(1 − r), x = t/T.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        decay_ratio: r, in (0, 1), what the exponential would end at by itself.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = timm_exp_decay(0.1, decay_steps=10, decay_ratio=0.25)
        >>> print(s(0), s(5), s(10))
        0.1 0.0333333 0.0

    When to use it:
        Through :func:`WSDLRScheduler`, to reproduce a run.

    Reference:
        timm 1.0.31, timm.scheduler.WSDLRScheduler with ``decay_fn="exp"``.
    """
    left, gone = progress(step, decay_steps)
    if is_number(decay_ratio) and 0 < decay_ratio < 1:
        log, share = math.log(decay_ratio), 1 - decay_ratio
    else:
        ratio = as_float(decay_ratio).clip(1e-6, 1 - 1e-6)
        log, share = jnp.log(ratio), 1 - ratio
    falling = decay_ratio * jnp.expm1(-left * log) / share
    risen = -jnp.expm1(gone * log) / share
    ends = (left >= 1) | (gone >= 1)
    weights = (jnp.where(ends, left, falling), jnp.where(ends, gone, risen))
    return blend(weights, init_value, end_value)
