"""timm's own formulas: a limited number of cycles, each longer and lower than the last."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import (
    Count,
    Fraction,
    Growth,
    Interval,
    Positive,
    Rate,
    Real,
    exceeds,
)
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import Progress, as_float, blend, geometric, is_number, turns, until
from lr_optax.compat._shared import lengths, portions
from lr_optax.schedules.cycles import growing_cycles
from lr_optax.schedules.inner import StepFunction


@schedule(name="timm.cosine")
def timm_cosine(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Interval,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    k_decay: Positive = 1.0,
    ahead: Fraction = 0.0,
) -> ArrayLike:
    """Cycles of half a cosine: η_min + ½(b·d^i − η_min)(1 + cos πx^k), then η_min.

    Args:
        base_lr: b, the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, > 0; may be a fraction.
        lr_min: η_min, where every cycle ends, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: d > 0, each cycle's peak over the last one's.
        cycle_limit: how many cycles, >= 0.
        k_decay: k > 0; above 1 a cycle falls later.
        ahead: how far into the first cycle step 0 is, in [0, 1] steps: what a warm-up that ends
            between two steps leaves.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = timm_cosine(0.1, t_initial=10, cycle_decay=0.5, cycle_limit=2)
        >>> print(s(0), s(5), s(10), s(15), s(20))
        0.1 0.05 0.05 0.025 0.0

    When to use it:
        Through :func:`CosineLRScheduler`, to reproduce a run.

    Reference:
        timm 1.0.31, timm.scheduler.CosineLRScheduler.
    """

    def falling(x: Progress) -> Progress:
        return shapes.cosine(shapes.delayed(x, k_decay))

    index, weights = growing_cycles(step, t_initial, cycle_mul, ahead)
    return _limited(falling(weights), index, base_lr, lr_min, cycle_decay, cycle_limit)


@schedule(name="timm.poly")
def timm_poly(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Interval,
    power: Positive = 0.5,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    k_decay: Positive = 1.0,
    ahead: Fraction = 0.0,
) -> ArrayLike:
    """Cycles of a power of what is left: η_min + (b·d^i − η_min)(1 − x^k)^p, then η_min.

    Args:
        base_lr: b, the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, > 0; may be a fraction.
        power: p > 0.
        lr_min: η_min, where every cycle ends, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: d > 0, each cycle's peak over the last one's.
        cycle_limit: how many cycles, >= 0.
        k_decay: k > 0; above 1 a cycle falls later.
        ahead: how far into the first cycle step 0 is, in [0, 1] steps: what a warm-up that ends
            between two steps leaves.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = timm_poly(0.1, t_initial=16)
        >>> print(s(0), s(12), s(15), s(16))
        0.1 0.05 0.025 0.0

    When to use it:
        Through :func:`PolyLRScheduler`, to reproduce a run.

    Reference:
        timm 1.0.31, timm.scheduler.PolyLRScheduler.
    """

    def falling(x: Progress) -> Progress:
        return shapes.power(shapes.delayed(x, k_decay), power)

    index, weights = growing_cycles(step, t_initial, cycle_mul, ahead)
    return _limited(falling(weights), index, base_lr, lr_min, cycle_decay, cycle_limit)


@schedule(name="timm.tanh")
def timm_tanh(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Interval,
    lb: Real = -7.0,
    ub: Real = 3.0,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    ahead: Fraction = 0.0,
) -> ArrayLike:
    """Cycles of a falling tanh: η_min + ½(b·d^i − η_min)(1 − tanh(l + (u − l)x)), then η_min.

    Args:
        base_lr: b, about the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, > 0; may be a fraction.
        lb: l, where on the tanh a cycle begins.
        ub: u, where it ends; the last step of a cycle is above η_min.
        lr_min: η_min, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: d > 0, each cycle's peak over the last one's.
        cycle_limit: how many cycles, >= 0.
        ahead: how far into the first cycle step 0 is, in [0, 1] steps.

    Returns:
        A :class:`~lr_optax.Schedule`.

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

    def falling(x: Progress) -> Progress:
        # As a share of the way between the ends, whose values are then the same however compiled.
        first, last = _tanh(lb), _tanh(ub)
        weights = shapes.tanh(x, lb, ub)
        return Progress(
            as_float(blend(weights, (1 - first) / 2, (1 - last) / 2)),
            as_float(blend(weights, (1 + first) / 2, (1 + last) / 2)),
        )

    index, weights = growing_cycles(step, t_initial, cycle_mul, ahead)
    return _limited(falling(weights), index, base_lr, lr_min, cycle_decay, cycle_limit)


def _tanh(x: ArrayLike) -> Any:
    return math.tanh(x) if is_number(x) else jnp.tanh(as_float(x))


def _limited(
    weights: Progress,
    index: Array,
    base_lr: ArrayLike,
    lr_min: ArrayLike,
    cycle_decay: ArrayLike,
    cycle_limit: ArrayLike,
) -> ArrayLike:
    """The rate in a cycle, or after the last one."""
    rate = blend(weights, base_lr * geometric(cycle_decay, index), lr_min)
    return jnp.where(as_float(index) < as_float(cycle_limit), rate, lr_min)


@schedule(name="timm.step")
def timm_step(
    step: Array,
    base_lr: Rate,
    *,
    decay_t: Interval,
    decay_rate: Positive = 1.0,
    ahead: Fraction = 0.0,
) -> ArrayLike:
    """A drop after every so many steps, which need not be whole: b·r^⌊t/T⌋.

    Args:
        base_lr: b, >= 0.
        decay_t: T, steps between drops, > 0; may be a fraction. Traced, it is what float32 holds:
            2.4 is a little more than itself there, and the fifth drop comes after step 12.
        decay_rate: r, the factor at each drop, > 0.
        ahead: how far on the clock is at step 0, in [0, 1] steps.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = timm_step(0.1, decay_t=2.5, decay_rate=0.5)
        >>> print(s(0), s(2), s(3), s(4), s(5), s(10))
        0.1 0.1 0.05 0.05 0.025 0.00625

    When to use it:
        Through :func:`StepLRScheduler`, to reproduce a run: EfficientNet's recipe drops by 3 %
        every 2.4 epochs.

    Reference:
        timm 1.0.31, timm.scheduler.StepLRScheduler; M. Tan, Q. V. Le, "EfficientNet: Rethinking
        Model Scaling for Convolutional Neural Networks", 2019, arXiv:1905.11946.
    """
    return base_lr * geometric(decay_rate, turns(step, decay_t, ahead)[0])


Stable = Literal["constant", "rsqrt", "power"]
Decay = Literal["linear", "1-sqrt", "cosine", "power", "exp"]


class _DecayFunction:
    """An annotation: the name of a decay, or a function of its progress."""

    def accept(self, value: Any) -> Any:
        """See :class:`lr_optax._core.arguments.Check`."""
        if callable(value):
            return StepFunction().accept(value)
        if not isinstance(value, str) or value not in get_args(Decay):
            names = ", ".join(map(repr, get_args(Decay)))
            raise ValueError(f"must be {names} or a function, got {value!r}")
        return value


def _stages_fit(*, t_initial, decay_t, decay_ratio, **_: object) -> None:
    if exceeds(decay_t, t_initial):
        raise ValueError(f"`decay_t` must not exceed `t_initial`, got {decay_t} > {t_initial}")
    if exceeds(decay_ratio, np.nextafter(1, 0)):
        raise ValueError(f"`decay_ratio` must be below 1, got {decay_ratio}")


@schedule(check=_stages_fit, name="timm.wsd")
def timm_wsd(
    step: Array,
    base_lr: Rate,
    *,
    t_initial: Interval,
    decay_t: Interval,
    lr_min: Rate = 0.0,
    stable_fn: Stable = "constant",
    stable_timescale: Positive = 1.0,
    stable_power: Positive = 0.5,
    decay_fn: Annotated[Decay | Callable[[Any], ArrayLike], _DecayFunction()] = "1-sqrt",
    decay_power: Positive = 0.5,
    decay_ratio: Positive = 0.1,
    ahead: Fraction = 0.0,
) -> ArrayLike:
    """A stable phase S, and a decay f on top of it: η_min + (S(t) − η_min)·f(x).

    S is b, or max(b·(1 + t/τ)^−p, η_min); x goes from 0 to 1 in the last ``decay_t`` steps. From
    then on the rate is η_min.

    Args:
        base_lr: b, >= 0.
        t_initial: steps of the whole, > 0; may be a fraction.
        decay_t: steps of the decay, > 0, at most ``t_initial``; may be a fraction.
        lr_min: η_min, >= 0.
        stable_fn: "constant", "rsqrt", which is p = ½, or "power".
        stable_timescale: τ, steps, > 0.
        stable_power: p > 0, of "power".
        decay_fn: f, which is 1 − x for "linear", 1 − √x for "1-sqrt", ½(1 + cos πx) for "cosine",
            1 − x^q for "power", (r^x − r)/(1 − r) for "exp", or a function of x written with
            ``jax.numpy``.
        decay_power: q > 0, of "power".
        decay_ratio: r, between 0 and 1, of "exp".
        ahead: how far on the clock is at step 0, in [0, 1] steps.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        ValueError: ``decay_t`` exceeds ``t_initial``.

    Example:
        >>> s = timm_wsd(0.1, t_initial=96, decay_t=16)
        >>> print(s(0), s(80), s(84), s(96))
        0.1 0.1 0.05 0.0

    When to use it:
        Through :func:`WSDLRScheduler`, to reproduce a run.

    Reference:
        timm 1.0.31, timm.scheduler.WSDLRScheduler.
    """
    stable = base_lr
    if stable_fn != "constant":
        time = (as_float(step) + ahead) / jnp.where(stable_timescale > 0, stable_timescale, 1)
        stable = base_lr * (1 + time) ** (-0.5 if stable_fn == "rsqrt" else -as_float(stable_power))
    end = _earlier(t_initial, ahead)
    x = portions(*lengths(step, _earlier(end, decay_t), end))
    weights = {
        "linear": shapes.linear,
        "1-sqrt": shapes.one_minus_sqrt,
        "cosine": shapes.cosine,
        "power": lambda x: shapes.delayed(x, decay_power),
        "exp": lambda x: _bent(x, decay_ratio),
    }
    if callable(decay_fn):
        rest = as_float(decay_fn(x.gone))
        return blend(Progress(rest, 1 - rest), jnp.maximum(stable, lr_min), lr_min)
    return blend(weights[decay_fn](x), jnp.maximum(stable, lr_min), lr_min)


def _earlier(time: Any, by: Any) -> Any:
    """A difference of two times, which stays whole where both are."""
    if is_number(by) and (by == 0 or is_number(time)):
        return time if by == 0 else time - by
    return until(jnp.asarray(by), time)


def _bent(x: Progress, ratio: ArrayLike) -> Progress:
    """An exponential decay to a ratio, bent to end at 0: (r^x − r)/(1 − r)."""
    if is_number(ratio) and 0 < ratio < 1:
        log, share = math.log(ratio), 1 - ratio
    else:
        ratio = as_float(ratio).clip(1e-6, 1 - 1e-6)
        log, share = jnp.log(ratio), 1 - ratio
    left, gone = x
    falling = ratio * jnp.expm1(-left * log) / share
    risen = -jnp.expm1(gone * log) / share
    ends = (left >= 1) | (gone >= 1)
    return Progress(jnp.where(ends, left, falling), jnp.where(ends, gone, risen))
