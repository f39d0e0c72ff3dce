"""Formulas that several libraries share, and a clock for phases that end between two steps."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import Progress, as_float, at_least, blend, cycle, is_number, until
from lr_optax._core.hyperparameters import Positive, Rate, Real, Span, exceeds
from lr_optax._core.powers import can_wrap, nearest_turn, wrapped
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.schedules.combine import join, shift
from lr_optax.schedules.decays import linear


def hand_off(end: Any) -> tuple[Any, float]:
    """The first step at or after a time, and how long after it that is."""
    first = math.ceil(end) if is_number(end) else end
    return first, first - end if is_number(end) else 0.0


def warmed_up(schedule: Schedule, base_lr: Any, warmup_steps: Any, start: Any = 0.0) -> Schedule:
    """A straight rise to the base rate, then a schedule, wherever that one starts."""
    first, ahead = hand_off(warmup_steps)
    # The line goes through the base rate at a time that is no step, and is not followed to there.
    top = start + (base_lr - start) * first / at_least(warmup_steps, 1) if ahead else base_lr
    rise = linear(start, end_value=top, transition_steps=first)
    return join((rise, schedule), boundaries=(first,))


def running(schedule: Schedule, steps: Any) -> Schedule:
    """A schedule whose clock stands at ``steps`` when it begins."""
    return shift(schedule, steps=-steps)


def ordered(function: str, **pair: Any) -> None:
    """Raise ``ValueError`` if the first of two arguments is known to exceed the second."""
    (small, low), (large, high) = pair.items()
    if exceeds(low, high):
        raise ValueError(f"{function}: `{small}` must not exceed `{large}`, got {low} > {high}")


def one_fewer(function: str, **pair: Any) -> None:
    """Raise ``ValueError`` if the first of two arguments is not one shorter than the second."""
    (changes, ends), (parts, inner) = pair.items()
    if len(ends) != len(inner) - 1:
        raise ValueError(
            f"{function}: `{changes}` must be one fewer than `{parts}`, "
            f"got {len(ends)} for {len(inner)}"
        )


@contextmanager
def speaking_for(function: str, inner: Callable[..., Any]) -> Iterator[None]:
    """Errors of a function that does the work name the one that was called."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(function + str(error).removeprefix(inner.__name__)) from None


def warn(text: str) -> None:
    """Warn about a call, at the line outside of this library that made it."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].startswith("lr_optax."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


def elapsed(step: Array, begin: ArrayLike) -> Array:
    """``step - begin``, negative before; ``begin`` may lie between two steps, or before step 0."""
    if not is_number(begin):
        return -as_float(until(step, begin))
    whole = math.floor(begin)
    return -as_float(until(step, whole)) - (begin - whole)


def lengths(step: Array, begin: ArrayLike, end: ArrayLike) -> tuple[Array, Array]:
    """How many steps of a phase are left and gone, for ends between two steps."""
    return jnp.maximum(-elapsed(step, end), 0), jnp.maximum(elapsed(step, begin), 0)


def portions(left: Array, gone: Array) -> Progress:
    """Lengths as shares of the phase, like :func:`progress`; without any the phase is over."""
    share = shapes.shares(left, gone)
    return share._replace(gone=jnp.where(left + gone > 0, share.gone, 1))


@schedule(name="compat.leg")
def leg(
    step: Array,
    init_value: Rate,
    *,
    end_value: Rate,
    end: Span,
    begin: Real = 0.0,
    shape: shapes.Shape = "linear",
    power: Positive = 1.0,
) -> ArrayLike:
    """From one rate to another by a time that may lie between two steps.

    Args:
        init_value: the rate at ``begin``, >= 0.
        end_value: the rate from ``end`` on, >= 0.
        end: a time in steps, >= 0; at 0 the rate is ``end_value`` at once.
        begin: a time in steps, which may lie before step 0.
        shape: how it goes, of :data:`lr_optax.typing.Shape`.
        power: what is left of the time is raised to it first, > 0.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = leg(0.0, end_value=0.1, end=2.5)
        >>> print(s(0), s(1), s(2), s(3))
        0.0 0.04 0.08 0.1

    When to use it:
        For the phases of libraries that take a fraction of a step.

    Reference:
        timm 1.0.31, timm.scheduler.StepLRScheduler.
    """
    left, gone = lengths(step, begin, end)
    known = is_number(begin) and is_number(end)
    span = max(end - begin, 0) or 1 if known else left + gone
    x = shapes.power(_parts(left, gone, span), power)
    return shapes.between(shape, x, init_value, end_value)


def _parts(left: Array, gone: Array, span: ArrayLike) -> Progress:
    """Lengths over that of their phase; beyond its ends exactly 0 and 1, and over without any."""
    span = jnp.where(as_float(span) > 0, span, 1)
    over = left <= 0
    left = jnp.where(gone <= 0, 1, jnp.minimum(left / span, 1))
    gone = jnp.where(over, 1, jnp.minimum(gone / span, 1))
    return Progress(jnp.where(over, 0, left), gone)


@schedule(name="compat.cosine_wave")
def cosine_wave(
    step: Array,
    init_value: Rate,
    *,
    half_period: Positive,
    end_value: Rate = 0.0,
    ahead: Rate = 0.0,
) -> ArrayLike:
    """A cosine that falls and rises again, for ever: η₁ + (η₀ − η₁)·½(1 + cos(π(t + a)/H)).

    Args:
        init_value: η₀, the rate at step 0 and every 2H steps, >= 0.
        half_period: H, steps from ``init_value`` to ``end_value``, > 0; may be a fraction.
        end_value: η₁, the rate at steps H, 3H, ..., >= 0.
        ahead: a >= 0, how long before step 0 it began, in steps and fractions of one.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = cosine_wave(0.1, half_period=10)
        >>> print(s(0), s(5), s(10), s(15), s(20))
        0.1 0.05 0.0 0.05 0.1

    When to use it:
        To reproduce runs of libraries whose cosine rises again after its end. Where the end is
        the end of the run, :func:`lr_optax.cosine_decay` is the same and safer.

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.CosineAnnealingLR; Transformers 5.23,
        get_cosine_schedule_with_warmup.
    """
    left = _distance_from_trough(step, half_period, ahead)
    return blend(shapes.cosine(Progress(left, 1 - left)), init_value, end_value)


def _distance_from_trough(step: Array, half_period: Any, ahead: Any) -> Array:
    """A zigzag: 1 at step 0, 0 after half a period, 1 again after a whole one."""
    known = is_number(half_period) and is_number(ahead)
    if known and ahead == 0 and half_period == math.floor(half_period) > 0:
        _, position = cycle(step, 2 * int(half_period))
        return jnp.abs(as_float(until(position, int(half_period)))) / half_period
    if known and half_period > 0 and can_wrap(step):
        turns = _turns_from_half(step, 1 / (2 * half_period), ahead)
    else:
        half_period = as_float(half_period)
        period = 2 * jnp.where(half_period > 0, half_period, 1)
        turns = (as_float(step) + ahead) / period % 1 - 0.5
    return 2 * jnp.abs(turns)


def _turns_from_half(step: Array, rate: float, ahead: float) -> Array:
    """``(step + ahead) * rate - ½`` less its nearest whole number."""
    bits, rest = wrapped(step, rate)
    # As a signed number it is smallest where the wave turns, and has the most digits there.
    signed = lax.bitcast_convert_type(bits + np.uint32(2**31), jnp.int32)
    return nearest_turn(as_float(signed) * 2.0**-32 + rest + ahead * rate % 1)
