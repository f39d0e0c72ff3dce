"""The schedules of ``optax.schedules``, with the values of Optax 0.2.8 and exact edges.

Moving over is one changed import: ``from lr_optax.compat.optax import cosine_decay_schedule``.
Names, arguments and defaults are Optax's; what comes back is this library's own schedule of that
shape, which can be printed, compared, swept and traced. Values below zero are allowed, as there.
In formulas I and E are ``init_value`` and ``end_value``, any finite numbers, B and T the steps
``transition_begin`` and ``transition_steps`` or ``decay_steps``, and p > 0 a ``power`` or
``exponent``; up to step B the value is I.

Where Optax has a value for what cannot be meant, that value is followed with a warning: a
transition of no steps never moves, a beginning before step 0 is one there, a ``decay_rate`` of 0
keeps the rate, an ``end_value`` on the wrong side is the rate from the start, a ``peak_value`` of 0
is never left.

Deliberate differences:

* Ends are exact under ``jit``: there a linear decay to 0 ends a hair above or below it, a
  polynomial may end in NaN, a staircase may drop a step late, and the tail of a cosine is 0.
* ``linear_onecycle_schedule`` and ``cosine_onecycle_schedule`` keep phases of no length apart; in
  Optax two phases that end at the same step become one, so that ``pct_final=1.0`` ends at another
  rate. They take arrays of steps.
* Negative steps count as 0, and rates are never weakly typed.
* ``join_schedules`` wants as many boundaries as there are changes, in order; Optax drops schedules
  without saying so.
* A ``power``, ``exponent`` or ``decay_rate`` below 0, which end in infinity or NaN, are refused,
  and so are a ``power`` or ``exponent`` of 0, lengths between two steps, and in a one-cycle
  ``pct_start`` above ``pct_final``.
* Hyperparameters may be traced. A traced length is not compared: at 0 the transition is over.
* ``inject_hyperparams`` and its kin are not here: :func:`lr_optax.with_hyperparams`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from lr_optax._core.clock import as_float, at_least, is_number
from lr_optax._core.hyperparameters import (
    Boundaries,
    Fraction,
    NonNegative,
    Number,
    Offset,
    Period,
    Positive,
    Real,
    Steps,
    exceeds,
    is_known,
    must_not_exceed,
    one_fewer,
    validated,
)
from lr_optax._core.schedule import Schedule
from lr_optax.compat._shared import keeping, speaking_for, warn
from lr_optax.schedules import decays
from lr_optax.schedules.combine import Inners, add, clip, join, scale, shift
from lr_optax.schedules.decays import constant, cosine_decay, linear, polynomial
from lr_optax.schedules.tables import interpolate, piecewise_constant
from lr_optax.schedules.warmups import warmup_cosine_decay


@validated
def constant_schedule(value: Real) -> Schedule:
    """The same value at every step.

    Example:
        >>> print(constant_schedule(5)(100))
        5.0
    """
    return _signed(constant, value)


@validated
def linear_schedule(
    init_value: Real, end_value: Real, transition_steps: Offset, transition_begin: Offset = 0
) -> Schedule:
    """A straight line from one value to another: I + (E − I)·(t − B)/T, level before and after.

    Example:
        >>> s = linear_schedule(1.0, 0.0, transition_steps=100, transition_begin=10)
        >>> print(s(0), s(10), s(60), s(110))
        1.0 1.0 0.5 0.0
    """
    if _never_moves("linear_schedule", transition_steps):
        return _signed(constant, init_value)
    line = _line(init_value, end_value, transition_steps)
    return _begun("linear_schedule", line, transition_begin)


@validated
def polynomial_schedule(
    init_value: Real,
    end_value: Real,
    power: Positive,
    transition_steps: Offset,
    transition_begin: Offset = 0,
) -> Schedule:
    """A power of what is left: E + (I − E)·(1 − (t − B)/T)^p, level before and after.

    Example:
        >>> s = polynomial_schedule(1.0, 0.0, power=2, transition_steps=100)
        >>> print(s(0), s(50), s(100))
        1.0 0.25 0.0
    """
    if _never_moves("polynomial_schedule", transition_steps):
        return _signed(constant, init_value)
    settings = {"power": power, "transition_steps": transition_steps}
    curve = _signed(
        lambda init, end: polynomial(init, end_value=end, **settings), init_value, end_value
    )
    return _begun("polynomial_schedule", curve, transition_begin)


@validated
def exponential_decay(
    init_value: Real,
    transition_steps: Offset,
    decay_rate: NonNegative,
    transition_begin: Offset = 0,
    staircase: bool = False,
    end_value: Real | None = None,
) -> Schedule:
    """A factor over every so many steps: I·r^((t − B)/T), the exponent rounded down if wanted.

    Args:
        decay_rate: r > 0. At 0 the value stays I, with a warning.
        staircase: whether the exponent is rounded down.
        end_value: a lower bound if r < 1 and an upper one otherwise; None for none.

    Example:
        >>> s = exponential_decay(1.0, transition_steps=10, decay_rate=0.5, end_value=0.2)
        >>> print(s(0), s(10), s(20), s(30))
        1.0 0.5 0.25 0.2
    """
    if _never_moves("exponential_decay", transition_steps):
        return _signed(constant, init_value)
    if is_number(decay_rate) and decay_rate == 0:
        warn("exponential_decay: a `decay_rate` of 0 keeps the value at `init_value` forever")
        return _signed(constant, init_value)
    settings: dict[str, Any] = {"decay_steps": transition_steps, "staircase": staircase}
    decay = _signed(
        lambda init: decays.exponential_decay(init, decay_rate=decay_rate, **settings), init_value
    )
    if end_value is not None:
        decay = _bounded(decay, init_value, end_value, decay_rate)
    return _begun("exponential_decay", decay, transition_begin)


def _bounded(decay: Schedule, init_value: Any, end_value: Any, decay_rate: Any) -> Schedule:
    if not is_known(decay_rate):
        return decay.replace(end_value=end_value)
    from_below = bool(np.all(np.asarray(decay_rate) < 1))
    if exceeds(end_value, init_value) if from_below else exceeds(init_value, end_value):
        warn(
            f"exponential_decay: the value begins beyond its `end_value`, {init_value} and "
            f"{end_value}, and is held there"
        )
    if is_number(init_value) and init_value < 0:
        return scale(_clipped(decay.schedule, -end_value, not from_below), factor=-1.0)
    return _clipped(decay, end_value, from_below)


def _clipped(decay: Schedule, bound: Any, from_below: bool) -> Schedule:
    """A schedule >= 0 within a bound that may be below 0."""
    if from_below:
        return clip(decay, min_value=at_least(bound, 0))
    if exceeds(0, bound):
        return _signed(constant, bound)
    return clip(decay, max_value=bound)


@validated
def cosine_decay_schedule(
    init_value: Real, decay_steps: Period, alpha: Real = 0.0, exponent: Positive = 1.0
) -> Schedule:
    """Half a cosine: I·((1 − α)·(½(1 + cos(πt/T)))^p + α), then α·I.

    Args:
        alpha: α, the ratio of the last value to the first.

    Example:
        >>> s = cosine_decay_schedule(1.0, decay_steps=100, alpha=0.1)
        >>> print(s(0), s(50), s(100), s(150))
        1.0 0.55 0.1 0.1
    """
    settings = {"decay_steps": decay_steps, "exponent": exponent}
    return _signed(
        lambda init, end: cosine_decay(init, end_value=end, **settings),
        init_value,
        init_value * alpha,
    )


@validated
def piecewise_constant_schedule(
    init_value: Real, boundaries_and_scales: Mapping[int, Number] | None = None
) -> Schedule:
    """A factor at chosen steps: I times all factors whose step has come.

    Example:
        >>> s = piecewise_constant_schedule(1.0, {100: 0.1, 200: 0.5})
        >>> print(s(99), s(100), s(200))
        1.0 0.1 0.05
    """
    boundaries, scales = _table("piecewise_constant_schedule", boundaries_and_scales)
    return _signed(
        lambda *values: piecewise_constant(values, boundaries=boundaries),
        *_levels(init_value, scales),
    )


@validated
def piecewise_interpolate_schedule(
    interpolate_type: Literal["linear", "cosine"],
    init_value: Real,
    boundaries_and_scales: Mapping[int, Number] | None = None,
) -> Schedule:
    """From level to level: at each chosen step I times all factors so far, lines in between.

    Args:
        interpolate_type: "linear", or "cosine" for half cosines.
        boundaries_and_scales: from steps to factors >= 0; None for none.

    Example:
        >>> s = piecewise_interpolate_schedule("linear", 1.0, {4: 0.1, 8: 0.5})
        >>> print(s(0), s(2), s(4), s(6), s(8))
        1.0 0.55 0.1 0.075 0.05
    """
    boundaries, scales = _table("piecewise_interpolate_schedule", boundaries_and_scales)
    return _points(_levels(init_value, scales), (0, *boundaries), interpolate_type)


@validated
@keeping(must_not_exceed("pct_start", "pct_final"))
def linear_onecycle_schedule(
    transition_steps: Period,
    peak_value: Real,
    pct_start: Fraction = 0.3,
    pct_final: Fraction = 0.85,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
) -> Schedule:
    """Up to step ⌊``pct_start``·T⌋, down to the first value again, and far below it, in lines.

    Example:
        >>> s = linear_onecycle_schedule(100, 1.0)
        >>> print(s(0), s(30), s(85), s(100))
        0.04 1.0 0.04 4e-06
    """
    first = peak_value / div_factor
    ends = (0, *(_part(pct, transition_steps) for pct in (pct_start, pct_final)), transition_steps)
    return _points((first, peak_value, first, first / final_div_factor), ends, "linear")


@validated
def cosine_onecycle_schedule(
    transition_steps: Period,
    peak_value: Real,
    pct_start: Fraction = 0.3,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
) -> Schedule:
    """Half a cosine up, and half a cosine down to far below the first value.

    Example:
        >>> s = cosine_onecycle_schedule(100, 1.0)
        >>> print(s(0), s(15), s(30), s(100))
        0.04 0.52 1.0 4e-06
    """
    first = peak_value / div_factor
    ends = (0, _part(pct_start, transition_steps), transition_steps)
    return _points((first, peak_value, first / final_div_factor), ends, "cosine")


@validated
def warmup_constant_schedule(init_value: Real, peak_value: Real, warmup_steps: Offset) -> Schedule:
    """A straight line from one value to another, which is kept.

    Example:
        >>> s = warmup_constant_schedule(0.0, 1.0, warmup_steps=10)
        >>> print(s(0), s(5), s(10), s(11))
        0.0 0.5 1.0 1.0
    """
    if _never_moves("warmup_constant_schedule", warmup_steps, "warmup_steps"):
        return _signed(constant, init_value)
    return _line(init_value, peak_value, warmup_steps)


def _leaves_a_step(*, warmup_steps, decay_steps, **_: object) -> None:
    if is_known(warmup_steps, decay_steps) and not exceeds(decay_steps, warmup_steps):
        raise ValueError(
            "`decay_steps`, which include the warm-up, must exceed `warmup_steps`, "
            f"got {decay_steps} and {warmup_steps}"
        )


@validated
@keeping(_leaves_a_step)
def warmup_cosine_decay_schedule(
    init_value: Real,
    peak_value: Real,
    warmup_steps: Steps,
    decay_steps: Period,
    end_value: Real = 0.0,
    exponent: Positive = 1.0,
) -> Schedule:
    """A straight line up, then half a cosine down.

    Args:
        peak_value: the value at step ``warmup_steps``. At 0 the cosine is 0, with a warning.
        decay_steps: steps of the whole, the line among them, > ``warmup_steps``.

    Example:
        >>> s = warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=10, decay_steps=110)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 1.0 0.5 0.0
    """
    if is_number(peak_value) and peak_value == 0 and is_number(end_value) and end_value != 0:
        warn("warmup_cosine_decay_schedule: a `peak_value` of 0 is never left for `end_value`")
        end_value = 0.0
    settings = {"warmup_steps": warmup_steps, "total_steps": decay_steps, "exponent": exponent}
    return _signed(
        lambda init, peak, end: warmup_cosine_decay(
            peak, init_value=init, end_value=end, **settings
        ),
        init_value,
        peak_value,
        end_value,
    )


@validated
def warmup_exponential_decay_schedule(
    init_value: Real,
    peak_value: Real,
    warmup_steps: Steps,
    transition_steps: Offset,
    decay_rate: NonNegative,
    transition_begin: Offset = 0,
    staircase: bool = False,
    end_value: Real | None = None,
) -> Schedule:
    """A straight line up, then :func:`exponential_decay` on a clock of its own.

    Example:
        >>> s = warmup_exponential_decay_schedule(0.0, 1.0, 10, 20, decay_rate=0.5)
        >>> print(s(0), s(5), s(10), s(30))
        0.0 0.5 1.0 0.5
    """
    decay = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    rise = _line(init_value, peak_value, warmup_steps)
    return join((rise, decay), boundaries=(warmup_steps,))


@validated
def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Several :func:`warmup_cosine_decay_schedule` one after another.

    Args:
        cosine_kwargs: the arguments of each, at least one; its ``decay_steps`` is its length.

    Example:
        >>> cycle = {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 5, "decay_steps": 25}
        >>> s = sgdr_schedule([cycle, {**cycle, "peak_value": 0.5}])
        >>> print(s(0), s(5), s(25), s(30), s(50))
        0.0 1.0 0.0 0.5 0.0
    """
    cycles = list(cosine_kwargs) if isinstance(cosine_kwargs, Iterable) else []
    if not (cycles and all(isinstance(arguments, Mapping) for arguments in cycles)):
        raise TypeError(
            "sgdr_schedule: `cosine_kwargs` must hold the arguments of one cycle or more, each a "
            f"mapping, got {cosine_kwargs!r}"
        )
    with speaking_for("sgdr_schedule: a cycle", warmup_cosine_decay_schedule):
        schedules = [warmup_cosine_decay_schedule(**arguments) for arguments in cycles]
    ends = accumulate(arguments["decay_steps"] for arguments in cycles)
    return join(schedules, boundaries=tuple(ends)[:-1])


@validated
@keeping(one_fewer("boundaries", "schedules"))
def join_schedules(schedules: Inners, boundaries: Boundaries) -> Schedule:
    """One schedule after another, each on a clock of its own that begins at its boundary.

    Example:
        >>> s = join_schedules([linear_schedule(0.0, 1.0, 10), constant_schedule(0.5)], [10])
        >>> print(s(5), s(9), s(10))
        0.5 0.9 0.5
    """
    return join(schedules, boundaries=boundaries)


def _signed(make: Callable[..., Schedule], *values: Any) -> Schedule:
    """A schedule that is linear in its values, which may be below 0: a part up, a part down."""
    if not any(is_known(value) and np.any(np.asarray(value) < 0) for value in values):
        return make(*values)
    below = scale(make(*(at_least(-value, 0) for value in values)), factor=-1.0)
    if all(is_known(value) and np.all(np.asarray(value) <= 0) for value in values):
        return below
    return add((make(*(at_least(value, 0) for value in values)), below))


def _line(init_value: Any, end_value: Any, steps: Any) -> Schedule:
    return _signed(
        lambda init, end: linear(init, end_value=end, transition_steps=steps),
        init_value,
        end_value,
    )


def _never_moves(function: str, steps: Any, name: str = "transition_steps") -> bool:
    """Whether a transition has no steps, for which Optax keeps the first value forever."""
    never = is_number(steps) and steps <= 0
    if never:
        warn(f"{function}: with `{name}` = {steps} the value stays at `init_value` forever")
    return never


def _begun(function: str, schedule: Schedule, begin: Any) -> Schedule:
    if is_number(begin) and begin <= 0:
        if begin < 0:
            warn(f"{function}: `transition_begin` = {begin} counts as 0")
        return schedule
    return shift(schedule, steps=begin)


def _table(function: str, scales: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Steps in order, and their factors."""
    if scales is None:
        return (), ()
    if not isinstance(scales, Mapping):
        raise TypeError(
            f"{function}: `boundaries_and_scales` must be a mapping from steps to factors, "
            f"got {scales!r}"
        )
    for step, factor in scales.items():
        if not (is_number(step) and 0 <= step == math.floor(step)):
            raise ValueError(
                f"{function}: `boundaries_and_scales` must have whole numbers of steps >= 0 as "
                f"keys, got {step!r}"
            )
        if is_known(factor) and not (np.isfinite(factor) and factor >= 0):
            raise ValueError(
                f"{function}: `boundaries_and_scales` must have finite factors >= 0 as values, "
                f"got {factor}"
            )
    steps = sorted(scales)
    return tuple(steps), tuple(scales[step] for step in steps)


def _levels(init_value: Any, scales: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(accumulate(scales, lambda level, factor: level * factor, initial=init_value))


def _points(values: tuple[Any, ...], steps: tuple[Any, ...], shape: Any) -> Schedule:
    return _signed(lambda *values: interpolate(values, boundaries=steps, shape=shape), *values)


def _part(share: Any, whole: Any) -> Any:
    """The whole steps in a share of a length."""
    if is_number(share) and is_number(whole):
        return int(share * whole)
    return jnp.floor(as_float(share) * as_float(whole)).astype(int)
