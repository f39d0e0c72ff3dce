"""timm's schedulers that may begin again."""

from typing import Any

from lr_optax._core.arguments import Count, Growth, Interval, Positive, Rate, Real, Span
from lr_optax._core.schedule import Schedule
from lr_optax._core.signature import validated
from lr_optax._core.steps import is_number
from lr_optax.compat._shared import hand_off, leg, running, warmed_up
from lr_optax.compat.timm.formulas import timm_cosine, timm_poly, timm_tanh
from lr_optax.schedules.combine import join
from lr_optax.schedules.warmups import warmup


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
