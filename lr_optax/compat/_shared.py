"""Formulas that several libraries share, and a clock for phases that end between two steps."""

import functools
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import (
    Progress,
    as_float,
    blend,
    cycle_position,
    is_number,
    since,
    until,
)
from lr_optax._core.hyperparameters import IN_STEPS, CrossRule, Positive, Rate, Real, Span
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.schedules.combine import join, shift
from lr_optax.schedules.decays import linear

R = TypeVar("R")


def keeping(rule: CrossRule) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Check several arguments together, of a function that is then ``validated``."""

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(function)
        def checked(**arguments: object) -> R:
            try:
                rule(**arguments)
            except ValueError as error:
                raise ValueError(f"{function.__name__}: {error}") from None
            return function(**arguments)

        return checked

    return decorate


@contextmanager
def speaking_for(function: str, inner: Callable[..., object]) -> Iterator[None]:
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


def first_step(time: Any) -> tuple[Any, float]:
    """The first step at or after a time, and how long after it that is."""
    first = math.ceil(time) if is_number(time) else time
    return first, first - time if is_number(time) else 0.0


def is_between_steps(*times: Any) -> bool:
    """Whether one of some times is known not to be a step."""
    return any(is_number(time) and time % 1 != 0 for time in times)


def elapsed(step: Array, begin: ArrayLike) -> Array:
    """``step - begin``, negative before; ``begin`` may lie between two steps, or before step 0."""
    if not is_number(begin):
        return -as_float(until(step, begin))
    whole = math.floor(begin)
    return -as_float(until(step, whole)) - (begin - whole)


def time_progress(step: Array, begin: ArrayLike, end: ArrayLike) -> Progress:
    """The progress of a phase that begins and ends at any times; without length it is over."""
    left, gone = jnp.maximum(-elapsed(step, end), 0), jnp.maximum(elapsed(step, begin), 0)
    span = left + gone
    if is_number(begin) and is_number(end):
        span = as_float(end - begin)
    span = jnp.where(span > 0, span, 1)
    over = left <= 0
    left = jnp.where(gone <= 0, 1, jnp.minimum(left / span, 1))
    gone = jnp.where(over, 1, jnp.minimum(gone / span, 1))
    return Progress(jnp.where(over, 0, left), gone)


def behind_warmup(
    step: Array,
    formula: Callable[[Array, float], ArrayLike],
    rise: tuple[ArrayLike, ArrayLike],
    warmup_steps: Any,
    *,
    from_start: bool = False,
) -> ArrayLike:
    """A straight line between two rates, then a formula of a clock and of how far on that is.

    The clock begins at the first step after the warm-up, or ``from_start`` at step 0.
    """
    if is_number(warmup_steps) and warmup_steps == 0:
        return formula(step, 0.0)
    first, ahead = first_step(warmup_steps)
    rate = formula(step, 0.0) if from_start else formula(since(step, first), ahead)
    line = blend(time_progress(step, 0, warmup_steps), *rise)
    return jnp.where(until(step, first) > 0, line, rate)


def warmed_up(schedule: Schedule, base_lr: Any, warmup_steps: Any) -> Schedule:
    """A straight rise to the base rate, then a schedule, wherever that one starts."""
    first, ahead = first_step(warmup_steps)
    rise = (
        leg(0.0, end_value=base_lr, end=warmup_steps)
        if ahead
        else linear(0.0, end_value=base_lr, transition_steps=first)
    )
    return join((rise, schedule), boundaries=(first,))


def running(schedule: Schedule, steps: Any) -> Schedule:
    """A schedule whose clock stands at ``steps`` when it begins."""
    return shift(schedule, steps=-steps)


@schedule(name="compat.leg")
def leg(
    step: Array,
    init_value: Rate,
    *,
    end_value: Rate,
    end: Span,
    begin: Annotated[Real, IN_STEPS] = 0.0,
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

    Example:
        >>> s = leg(0.0, end_value=0.1, end=2.5)
        >>> print(s(0), s(1), s(2), s(3))
        0.0 0.04 0.08 0.1
    """
    x = shapes.power(time_progress(step, begin, end), power)
    return shapes.between(shape, x, init_value, end_value)


@schedule(name="compat.cosine_wave")
def cosine_wave(
    step: Array,
    init_value: Rate,
    *,
    half_period: Annotated[Positive, IN_STEPS],
    end_value: Rate = 0.0,
    ahead: Annotated[Rate, IN_STEPS] = 0.0,
) -> ArrayLike:
    """A cosine that falls and rises again, forever: η₁ + (η₀ − η₁)·½(1 + cos(π(t + a)/H)).

    Args:
        init_value: η₀, the rate at step 0 and every 2H steps, >= 0.
        half_period: H, steps from ``init_value`` to ``end_value``, > 0; may be a fraction.
        end_value: η₁, the rate at steps H, 3H, ..., >= 0.
        ahead: a >= 0, how long before step 0 it began, in steps and fractions of one.

    Example:
        >>> s = cosine_wave(0.1, half_period=10)
        >>> print(s(0), s(5), s(10), s(15), s(20))
        0.1 0.05 0.0 0.05 0.1
    """
    _, position, length = cycle_position(step, 2 * half_period, ahead)
    # From the trough, where a rate near 0 needs all digits: twice the half left, in whole units.
    distance = jnp.abs(as_float(until(position, until(position, length)))) / as_float(length)
    return blend(shapes.cosine(Progress(distance, 1 - distance)), init_value, end_value)
