"""The schedulers of ``timm.scheduler``, with the values of timm 1.0.31.

``CosineLRScheduler(optimizer, t_initial=300)`` becomes ``CosineLRScheduler(0.1, t_initial=300)``:
``base_lr`` stands where the optimizer stood. A step is whatever ``t`` counts there: with Optax,
which counts updates, give lengths in updates, or let :func:`create_scheduler_v2` do so with
``step_on_epochs=False``. With ``warmup_prefix=False``, the default of the cyclic ones, the
schedule's clock runs during the warm-up, and the rate jumps at the hand-off.

Milestones act one step early, at m − 1, as in timm, where that is intended
(:func:`lr_optax.multistep_decay` acts at m).

Deliberate differences:

* With ``cycle_mul`` the cycle is found by comparing with its boundaries. A rounded logarithm in
  timm puts some restarts at the end of the last cycle: with ``t_initial=1`` and ``cycle_mul=3``
  the one at step 121.
* There is no noise: its random numbers are torch's. ``noise_*`` arguments are refused.
* ``"none"`` gives a constant rate, where timm gives no scheduler.
* Step 0 has the rate of ``step(0)`` or ``step_update(0)``. timm's training script calls neither:
  it makes its first epoch or update with ``base_lr``, or ``warmup_lr_init`` if there is a warm-up.
  Without a warm-up these two differ for ``TanhLRScheduler``, by a factor of about
  1 − 1/(1 + e^−2lb), for a milestone at 0 or 1, with ``cycle_limit=0``, and below ``lr_min``.
* Where a drop or a cycle falls upon a step by the digits of two fractions, as with ``warmup_t=0.6``
  in front of ``decay_t=2.4``, it begins there as in exact arithmetic; in timm the rounded
  difference of the two decides. Alone, a fraction has timm's steps, every one.
* ``PlateauLRScheduler`` takes a whole warm-up; in timm the rate of one that ends between two checks
  never reaches ``base_lr``.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, Literal, cast, get_args

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import Progress, as_float, at_least, blend, is_number, turns, until
from lr_optax._core.hyperparameters import (
    Count,
    Fraction,
    Growth,
    Interval,
    Moments,
    NonNegative,
    Positive,
    Rate,
    Real,
    Shrinking,
    Span,
    exceeds,
    validated,
)
from lr_optax._core.powers import geometric
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.compat._shared import (
    hand_off,
    leg,
    lengths,
    portions,
    running,
    speaking_for,
    warmed_up,
)
from lr_optax.compat.torch import ReduceLROnPlateau
from lr_optax.feedback._transform import real, whole
from lr_optax.schedules.combine import StepFunction, join
from lr_optax.schedules.cycles import growing_cycles
from lr_optax.schedules.decays import constant, multistep_decay, step_decay
from lr_optax.schedules.warmups import warmup


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
        """See :class:`lr_optax._core.hyperparameters.Accepts`."""
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


def lead(warmup_t: Any, *, prefix: bool) -> float:
    """How far on a schedule's clock is when it takes over from a warm-up."""
    return hand_off(warmup_t)[1] if prefix else 0.0


def with_warmup(
    schedule: Schedule, base_lr: Any, warmup_t: Any, warmup_lr_init: Any, *, prefix: bool
) -> Schedule:
    """A straight rise to the base rate, with the schedule's clock held back or running."""
    if is_number(warmup_t) and warmup_t == 0:
        return schedule
    first, ahead = hand_off(warmup_t)
    after = schedule if prefix else running(schedule, first)
    if ahead == 0:
        return warmed_up(after, base_lr, warmup_t, warmup_lr_init)
    rise = leg(warmup_lr_init, end_value=base_lr, end=warmup_t)
    return join((rise, after), boundaries=(first,))


@validated
def CosineLRScheduler(
    base_lr: Rate,
    t_initial: Interval,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = False,
    k_decay: Positive = 1.0,
) -> Schedule:
    """Cycles of half a cosine, then the lowest rate; see :func:`timm_cosine`.

    Args:
        base_lr: the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, > 0; may be a fraction.
        lr_min: where every cycle ends, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: each cycle's peak over the last one's, > 0.
        cycle_limit: how many cycles, >= 0.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0; may be a fraction.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether the first cycle begins after the warm-up, or at step 0.
        k_decay: k > 0, which delays a cycle's fall.

    Returns:
        A :func:`timm_cosine`, behind a warm-up if there is one.

    Example:
        >>> s = CosineLRScheduler(0.1, t_initial=10, warmup_t=4, warmup_prefix=True)
        >>> print(s(0), s(2), s(4), s(9), s(14))
        0.0 0.05 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.CosineLRScheduler.
    """
    cycles = timm_cosine(
        base_lr,
        t_initial=t_initial,
        lr_min=lr_min,
        cycle_mul=cycle_mul,
        cycle_decay=cycle_decay,
        cycle_limit=cycle_limit,
        k_decay=k_decay,
        ahead=lead(warmup_t, prefix=warmup_prefix),
    )
    return with_warmup(cycles, base_lr, warmup_t, warmup_lr_init, prefix=warmup_prefix)


@validated
def PolyLRScheduler(
    base_lr: Rate,
    t_initial: Interval,
    power: Positive = 0.5,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = False,
    k_decay: Positive = 1.0,
) -> Schedule:
    """Cycles of a power of what is left, then the lowest rate; see :func:`timm_poly`.

    Args:
        base_lr: the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, > 0; may be a fraction.
        power: the power, > 0.
        lr_min: where every cycle ends, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: each cycle's peak over the last one's, > 0.
        cycle_limit: how many cycles, >= 0.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0; may be a fraction.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether the first cycle begins after the warm-up, or at step 0.
        k_decay: k > 0, which delays a cycle's fall.

    Returns:
        A :func:`timm_poly`, behind a warm-up if there is one.

    Example:
        >>> s = PolyLRScheduler(0.1, t_initial=10, power=2.0)
        >>> print(s(0), s(5), s(10))
        0.1 0.025 0.0

    Reference:
        timm 1.0.31, timm.scheduler.PolyLRScheduler.
    """
    cycles = timm_poly(
        base_lr,
        t_initial=t_initial,
        power=power,
        lr_min=lr_min,
        cycle_mul=cycle_mul,
        cycle_decay=cycle_decay,
        cycle_limit=cycle_limit,
        k_decay=k_decay,
        ahead=lead(warmup_t, prefix=warmup_prefix),
    )
    return with_warmup(cycles, base_lr, warmup_t, warmup_lr_init, prefix=warmup_prefix)


@validated
def TanhLRScheduler(
    base_lr: Rate,
    t_initial: Interval,
    lb: Real = -7.0,
    ub: Real = 3.0,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = False,
) -> Schedule:
    """Cycles of a falling tanh, then the lowest rate; see :func:`timm_tanh`.

    Args:
        base_lr: about the peak of the first cycle, >= 0.
        t_initial: steps of the first cycle, > 0; may be a fraction.
        lb: where on the tanh a cycle begins, below ``ub``.
        ub: where it ends.
        lr_min: the rate after the last cycle, >= 0.
        cycle_mul: each cycle's length over the last one's, >= 1.
        cycle_decay: each cycle's peak over the last one's, > 0.
        cycle_limit: how many cycles, >= 0.
        warmup_t: steps of the warm-up, >= 0; may be a fraction. It is a straight line to
            ``base_lr``, or without ``warmup_prefix`` to the rate at its end, so that this one does
            not jump.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether the first cycle begins after the warm-up, or at step 0.

    Returns:
        A :func:`timm_tanh`, behind a warm-up if there is one.

    Raises:
        ValueError: ``lb`` is not below ``ub``.

    Example:
        >>> s = TanhLRScheduler(0.1, t_initial=10, warmup_t=7)
        >>> print(s(0), s(7), s(10))
        0.0 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.TanhLRScheduler.
    """
    if is_number(lb) and is_number(ub) and not lb < ub:
        raise ValueError(f"TanhLRScheduler: `lb` must be below `ub`, got {lb} and {ub}")
    cycles = timm_tanh(
        base_lr,
        t_initial=t_initial,
        lb=lb,
        ub=ub,
        lr_min=lr_min,
        cycle_mul=cycle_mul,
        cycle_decay=cycle_decay,
        cycle_limit=cycle_limit,
        ahead=lead(warmup_t, prefix=warmup_prefix),
    )
    first, ahead = hand_off(warmup_t)
    if warmup_prefix or (is_number(warmup_t) and warmup_t == 0):
        target = base_lr
    elif ahead == 0:
        return warmup(running(cycles, first), warmup_steps=first, init_value=warmup_lr_init)
    else:
        target = cycles(warmup_t)
    return with_warmup(cycles, target, warmup_t, warmup_lr_init, prefix=warmup_prefix)


@validated
def StepLRScheduler(
    base_lr: Rate,
    decay_t: Interval,
    decay_rate: Positive = 1.0,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = True,
) -> Schedule:
    """A drop every so many steps: b·r^⌊t/T⌋.

    Args:
        base_lr: b, >= 0.
        decay_t: T, steps between drops, > 0; may be a fraction, such as EfficientNet's 2.4 epochs.
        decay_rate: r, the factor at each drop, > 0.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0; may be a fraction.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether t counts from the end of the warm-up, or from step 0.

    Returns:
        A :func:`lr_optax.step_decay`, or for a fraction a :func:`timm_step`, behind a warm-up if
        there is one.

    Example:
        >>> s = StepLRScheduler(0.1, decay_t=10, decay_rate=0.5, warmup_t=4)
        >>> print(s(0), s(2), s(4), s(14))
        0.0 0.05 0.1 0.05

    Reference:
        timm 1.0.31, timm.scheduler.StepLRScheduler.
    """
    if isinstance(decay_t, float):
        ahead = lead(warmup_t, prefix=warmup_prefix)
        drops = timm_step(base_lr, decay_t=decay_t, decay_rate=decay_rate, ahead=ahead)
    else:
        # Between whole steps nothing depends on how far on the clock is.
        drops = step_decay(base_lr, decay_rate=decay_rate, decay_steps=decay_t)
    return with_warmup(drops, base_lr, warmup_t, warmup_lr_init, prefix=warmup_prefix)


@validated
def MultiStepLRScheduler(
    base_lr: Rate,
    decay_t: Moments,
    decay_rate: Positive = 1.0,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = True,
) -> Schedule:
    """A drop a step before each milestone: b·r^(number of milestones <= t + 1).

    Args:
        base_lr: b, >= 0.
        decay_t: the milestones, ascending, maybe fractions; the new rate holds from a step before
            each.
        decay_rate: r, the factor at each, > 0.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0; may be a fraction.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether t counts from the end of the warm-up, or from step 0.

    Returns:
        A :func:`lr_optax.multistep_decay`, behind a warm-up if there is one.

    Example:
        >>> s = MultiStepLRScheduler(0.1, decay_t=[10, 20], decay_rate=0.5)
        >>> print(s(8), s(9), s(18), s(19))
        0.1 0.05 0.05 0.025

    Reference:
        timm 1.0.31, timm.scheduler.MultiStepLRScheduler.
    """
    ahead = lead(warmup_t, prefix=warmup_prefix)
    early: Any = decay_t
    if isinstance(early, tuple):
        early = tuple(_from(m - 1 - ahead) for m in early)
    else:
        early = _from(early - 1)
    drops = multistep_decay(base_lr, decay_rate=decay_rate, boundaries=early)
    return with_warmup(drops, base_lr, warmup_t, warmup_lr_init, prefix=warmup_prefix)


def _from(time: Any) -> Any:
    """The first step not before a time."""
    return at_least(math.ceil(time) if is_number(time) else time, 0)


@validated
def PlateauLRScheduler(
    base_lr: Positive,
    decay_rate: Shrinking = 0.1,
    patience_t: Count = 10,
    threshold: NonNegative = 1e-4,
    cooldown_t: Count = 0,
    warmup_t: Count = 0,
    warmup_lr_init: Rate = 0.0,
    lr_min: Rate = 0.0,
    mode: Literal["min", "max"] = "max",
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    The rate is ``base_lr`` times the transform's ``scale``: ``optax.chain(optax.sgd(base_lr), tx)``
    updated, or :func:`lr_optax.observe` called, with the metric once an epoch. The first
    ``warmup_t`` metrics are not looked at: each takes the rate a step of the warm-up further.

    Args:
        base_lr: the optimizer's rate, > 0; ``lr_min`` is relative to it here.
        decay_rate: what the rate is multiplied by, between 0 and 1.
        patience_t: how many bad checks in a row are tolerated, >= 0.
        threshold: the smallest improvement that counts, relative to the best metric, >= 0.
        cooldown_t: how many checks after a cut are never bad, >= 0.
        warmup_t: checks of the warm-up, a straight line to ``base_lr``, >= 0; whole.
        warmup_lr_init: the rate at which it begins, >= 0.
        lr_min: the smallest rate, >= 0.
        mode: whether the metric should fall, "min", or rise, "max".

    Returns:
        A :func:`lr_optax.reduce_on_plateau`.

    Example:
        >>> tx = PlateauLRScheduler(0.1, 0.5, patience_t=0, warmup_t=2)
        >>> state = tx.init(None)
        >>> for accuracy in (0.5, 0.6, 0.7, 0.7):
        ...     _, state = tx.update(None, state, value=accuracy)
        ...     print(0.1 * state.scale)
        0.05
        0.1
        0.1
        0.05

    Reference:
        timm 1.0.31, timm.scheduler.PlateauLRScheduler.
    """
    tx = ReduceLROnPlateau(
        base_lr,
        mode=mode,
        factor=decay_rate,
        patience=patience_t,
        threshold=threshold,
        cooldown=cooldown_t,
        min_lr=lr_min,
    )

    def init(params: optax.Params) -> Any:
        state: Any = tx.init(params)
        warms = jnp.asarray(warmup_t) > 0
        return state._replace(
            scale=real(jnp.where(warms, warmup_lr_init / base_lr, 1)),
            bad_checks=whole(jnp.where(warms, -1 - warmup_t, 0)),
        )

    return tx._replace(init=init)


@validated
def WSDLRScheduler(
    base_lr: Rate,
    t_initial: Interval,
    decay_t: Interval,
    lr_min: Rate = 0.0,
    stable_fn: Stable = "constant",
    stable_timescale: Positive | None = None,
    stable_power: Positive = 0.5,
    decay_fn: Decay | Callable[[Any], ArrayLike] = "1-sqrt",
    decay_power: Positive = 0.5,
    decay_ratio: Positive = 0.1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
) -> Schedule:
    """Up, then a stable phase and a decay on top of it; see :func:`timm_wsd`.

    Args:
        base_lr: b, >= 0.
        t_initial: steps of the stable phase and the decay, > 0; the warm-up comes on top. Lengths
            may be fractions.
        decay_t: steps of the decay, > 0, at most ``t_initial``.
        lr_min: the last rate, >= 0.
        stable_fn: "constant", "rsqrt" or "power".
        stable_timescale: steps, > 0, of "rsqrt" and "power"; None for ``warmup_t``.
        stable_power: of "power", > 0.
        decay_fn: "linear", "1-sqrt", "cosine", "power", "exp", or a function of the decay's
            progress in [0, 1] written with ``jax.numpy``.
        decay_power: of "power", > 0.
        decay_ratio: of "exp", between 0 and 1.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0.
        warmup_lr_init: the rate at which it begins, >= 0.

    Returns:
        A :func:`timm_wsd`, behind a warm-up if there is one.

    Raises:
        ValueError: ``decay_t`` exceeds ``t_initial``.

    Example:
        >>> s = WSDLRScheduler(0.1, t_initial=96, decay_t=16, warmup_t=4)
        >>> print(s(0), s(2), s(4), s(84), s(88), s(100))
        0.0 0.05 0.1 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.WSDLRScheduler.
    """
    timescale = warmup_t if stable_timescale is None else stable_timescale
    if stable_fn == "constant":
        timescale = 1.0  # of nothing
    elif is_number(timescale) and timescale == 0:
        raise ValueError(
            "WSDLRScheduler: `stable_timescale` must be given if there is no warm-up, which it is "
            "otherwise"
        )
    with speaking_for("WSDLRScheduler", timm_wsd):
        stages = timm_wsd(
            base_lr,
            t_initial=t_initial,
            decay_t=decay_t,
            lr_min=lr_min,
            stable_fn=stable_fn,
            stable_timescale=timescale,
            stable_power=stable_power,
            decay_fn=decay_fn,
            decay_power=decay_power,
            decay_ratio=decay_ratio,
            ahead=lead(warmup_t, prefix=True),
        )
    return with_warmup(stages, base_lr, warmup_t, warmup_lr_init, prefix=True)


# What each name makes of the arguments, with lengths in steps.
_TABLE: dict[str, Callable[[Any], Any]] = {
    "cosine": lambda a: CosineLRScheduler(
        a.base_lr, a.whole, a.min_lr, **a.cycles, **a.warmup, k_decay=a.k_decay
    ),
    "tanh": lambda a: TanhLRScheduler(a.base_lr, a.whole, lr_min=a.min_lr, **a.cycles, **a.warmup),
    "step": lambda a: StepLRScheduler(a.base_lr, a.interval, a.decay_rate, **a.warmup),
    "constant": lambda a: StepLRScheduler(a.base_lr, 1, 1.0, **a.warmup),
    "multistep": lambda a: MultiStepLRScheduler(a.base_lr, a.milestones, a.decay_rate, **a.warmup),
    "plateau": lambda a: PlateauLRScheduler(
        a.base_lr, a.decay_rate, a.patience, lr_min=a.min_lr, mode=a.mode, **a.rise
    ),
    "poly": lambda a: PolyLRScheduler(
        a.base_lr, a.whole, a.decay_rate, a.min_lr, **a.cycles, **a.warmup, k_decay=a.k_decay
    ),
    "wsd": lambda a: WSDLRScheduler(
        a.base_lr, a.stages, a.end, a.min_lr, decay_fn=a.decay_fn or "1-sqrt", **a.rise
    ),
    "rsqrt": lambda a: WSDLRScheduler(
        a.base_lr,
        a.stages,
        a.end,
        a.min_lr,
        "rsqrt",
        a.timescale,
        decay_fn=a.decay_fn or "linear",
        **a.rise,
    ),
    "none": lambda a: constant(a.base_lr),
}

_CYCLIC = ("cosine", "tanh", "poly")

_STAGED = ("wsd", "rsqrt")


@validated
def create_scheduler_v2(
    base_lr: Rate,
    sched: Literal[
        "cosine", "tanh", "step", "constant", "multistep", "plateau", "poly", "wsd", "rsqrt", "none"
    ] = "cosine",
    num_epochs: Interval = 300,
    decay_epochs: Interval | None = None,
    decay_milestones: Moments = (90, 180, 270),
    cooldown_epochs: Span = 0,
    patience_epochs: Count = 10,
    decay_rate: Positive = 0.1,
    min_lr: Rate = 0.0,
    warmup_lr: Rate = 1e-5,
    warmup_epochs: Span = 0,
    *,
    warmup_prefix: bool = False,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 0.1,
    cycle_limit: Count = 1,
    k_decay: Positive = 1.0,
    decay_fn: Any = None,
    stable_timescale: Positive | None = None,
    plateau_mode: Literal["min", "max"] = "max",
    step_on_epochs: bool = True,
    updates_per_epoch: Count = 0,
) -> tuple[Schedule | optax.GradientTransformationExtraArgs, float]:
    """A scheduler by its name in timm, with lengths in epochs, and the epochs to train for.

    Epochs may be fractions, as in EfficientNet's drops every 2.4 epochs.

    Args:
        base_lr: the rate of the optimizer there.
        sched: "cosine", "tanh", "step", "constant", "multistep", "plateau", "poly", "wsd", "rsqrt"
            or "none".
        num_epochs: epochs of the schedule, without a warm-up if ``warmup_prefix``.
        decay_epochs: epochs between drops ("step"), or of the decay ("wsd", "rsqrt"), where a value
            in (0, 1) is a share; None for 90 and for 0.2.
        decay_milestones: epochs of the drops ("multistep").
        cooldown_epochs: epochs at the lowest rate afterwards; they only count in the result.
        patience_epochs: bad checks that are tolerated ("plateau").
        decay_rate: the factor at a drop, or the power ("poly").
        min_lr: the lowest rate.
        warmup_lr: the first rate of a warm-up.
        warmup_epochs: epochs of the warm-up.
        warmup_prefix: whether the warm-up comes on top of ``num_epochs``.
        cycle_mul: each cycle's length over the last one's ("cosine", "tanh", "poly").
        cycle_decay: each cycle's peak over the last one's.
        cycle_limit: how many cycles.
        k_decay: delays a cycle's fall ("cosine", "poly").
        decay_fn: how "wsd" and "rsqrt" decay; None for "1-sqrt" and "linear".
        stable_timescale: epochs, of "rsqrt"; None for ``warmup_epochs``.
        plateau_mode: whether the metric should fall, "min", or rise, "max".
        step_on_epochs: whether a step of the schedule is an epoch, or an update, as in Optax.
        updates_per_epoch: updates in an epoch, >= 1, needed for the latter.

    Returns:
        The schedule, for "plateau" a transform; and how many epochs to train for.

    Raises:
        TypeError, ValueError: there is no such name, or its schedule refuses a value.

    Example:
        >>> s, num_epochs = create_scheduler_v2(
        ...     0.1, "cosine", num_epochs=10, warmup_epochs=2, warmup_prefix=True,
        ...     step_on_epochs=False, updates_per_epoch=100)
        >>> print(num_epochs, s(200), s(700), s(1200))
        12 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.create_scheduler_v2.
    """
    if not step_on_epochs and updates_per_epoch < 1:
        raise ValueError(
            "create_scheduler_v2: `updates_per_epoch` must be at least 1 if `step_on_epochs` is "
            f"False, got {updates_per_epoch}"
        )
    if sched == "plateau" and not step_on_epochs:
        raise ValueError("create_scheduler_v2: 'plateau' needs `step_on_epochs`")
    unit: Any = 1 if step_on_epochs else updates_per_epoch
    whole, warmup_t = num_epochs * unit, warmup_epochs * unit
    stages = whole if warmup_prefix else whole - warmup_t
    share: Any = 0.2 if decay_epochs is None else decay_epochs
    end = round(share * stages if 0 < share < 1 else share * unit)
    if sched in _STAGED and not 0 < end <= stages:
        raise ValueError(
            f"create_scheduler_v2: `decay_epochs` must be at most what the warm-up leaves of "
            f"`num_epochs`, and no less than a step, got {end} of {stages} steps"
        )
    rise: dict[str, Any] = {"warmup_t": warmup_t, "warmup_lr_init": warmup_lr}
    scheduler = _TABLE[sched](
        SimpleNamespace(
            base_lr=base_lr,
            whole=whole,
            stages=stages,
            end=end,
            interval=(90 if decay_epochs is None else decay_epochs) * unit,
            milestones=[milestone * unit for milestone in decay_milestones],
            timescale=None if stable_timescale is None else stable_timescale * unit,
            decay_rate=decay_rate,
            decay_fn=decay_fn,
            k_decay=k_decay,
            min_lr=min_lr,
            patience=patience_epochs,
            mode=plateau_mode,
            cycles={"cycle_mul": cycle_mul, "cycle_decay": cycle_decay, "cycle_limit": cycle_limit},
            rise=rise,
            warmup={**rise, "warmup_prefix": warmup_prefix},
        )
    )
    if sched in _CYCLIC:
        steps = _length(whole, cycle_mul, cycle_limit) + warmup_prefix * warmup_t
    elif sched in _STAGED:
        steps = stages + warmup_t
    else:
        return scheduler, cast(Any, num_epochs) + warmup_prefix * warmup_epochs
    steps = steps + cooldown_epochs * unit
    return scheduler, steps if step_on_epochs else steps // unit


def _length(steps: Any, multiplier: Any, cycles: Any) -> Any:
    cycles = max(1, cycles)
    if multiplier == 1:
        return steps * cycles
    if cycles * math.log(multiplier) > 500:
        raise ValueError(
            "create_scheduler_v2: `cycle_limit` cycles, each `cycle_mul` times the last, "
            f"would not end, got {cycles} and {multiplier}"
        )
    return math.floor(steps * (multiplier**cycles - 1) / (multiplier - 1))
