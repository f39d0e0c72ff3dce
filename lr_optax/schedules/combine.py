"""Schedules that are made of schedules, and what an annotation accepts as one."""

import math
import operator
import traceback
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Annotated, Any, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from lr_optax._core import schedule as core
from lr_optax._core import shapes
from lr_optax._core.clock import (
    as_float,
    as_length,
    cycle,
    default_integer,
    is_number,
    later,
    phase,
    progress,
    since,
    until,
)
from lr_optax._core.hyperparameters import (
    PER_STEP,
    Boundaries,
    Count,
    Number,
    Offset,
    Period,
    Positive,
    Rate,
    RateFunction,
    Real,
    Rule,
    Steps,
    is_leaf,
    length_rule,
    must_not_exceed,
    one_fewer,
    show,
)
from lr_optax._core.powers import finite, geometric


class StepFunction:
    """An annotation: a function of a step whose value is not known when it is compiled."""

    def accept(self, value: object) -> RateFunction:
        """The function, which is tried once without a value."""
        if not callable(value):
            raise TypeError(f"must be a function of the step, got {value!r}")
        function = cast(RateFunction, value)
        try:
            # Not an array, with which JAX would start its devices before they may be chosen.
            step = jax.ShapeDtypeStruct((), default_integer())
            jax.eval_shape(lambda step: as_float(function(step)), step)
        except jax.errors.JAXTypeError as error:
            raise TypeError(
                f"must be written with jax.numpy: {_culprit(error) or repr(value)} needs the value "
                "of the step, which is not known when it is compiled. jnp.where does what `if` "
                "does, jnp.cos what math.cos does; or tabulate it: "
                "lookup(np.array([function(step) for step in range(total_steps)]))"
            ) from None
        except (TypeError, ValueError) as error:
            raise TypeError(f"must be a function from the step to a rate: {error}") from error
        return function


def _culprit(error: Exception) -> str | None:
    """The innermost function in an error's traceback that is the user's own, and its place."""
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in ("jax", "numpy", "lr_optax"):
            return f"{frame.f_code.co_name}, in {frame.f_code.co_filename} at line {line},"
    return None


@core.schedule
def from_function(
    step: Array, function: Annotated[RateFunction, StepFunction(), PER_STEP]
) -> ArrayLike:
    """Any other function of the step, such as a schedule of Optax: ``function(step)``.

    Combinators wrap what they are given in this, so it is seldom written. It has no text form and
    none of the guarantees of this library's own schedules.

    Args:
        function: from a step, an int32 or float32 array >= 0, to the rate, written with
            ``jax.numpy``. It is tried once, without a value, when the schedule is made. It is
            static: another function is another compilation.

    Raises:
        TypeError: ``function`` needs to know the step's value, as Python's ``if`` and ``math``
            do; or it cannot be hashed, and so cannot be static.

    Example:
        >>> s = from_function(lambda step: 1 / (step + 1))
        >>> print(s(0), s(1), s(3))
        1.0 0.5 0.25
    """
    return function(step)


class AsSchedule:
    """An annotation: a schedule, or a function of the step that becomes one."""

    words = "a schedule or a function of the step"

    def accept(self, value: object) -> core.Schedule:
        """A schedule as it is, a function as a :func:`from_function`."""
        if isinstance(value, core.Schedule):
            return value
        if callable(value):
            return from_function(StepFunction().accept(value))
        remedy = (
            f" (a constant rate is constant({value}))" if isinstance(value, int | float) else ""
        )
        raise TypeError(f"must be {self.words}, got {value!r}{remedy}")


class AsSchedules:
    """An annotation: one or more schedules."""

    def accept(self, value: object) -> tuple[core.Schedule, ...]:
        """Each as a schedule."""
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise TypeError(f"must be a sequence of one or more schedules, got {value!r}")
        return tuple(AsSchedule().accept(item) for item in value)


class IsFunction:
    """An annotation: something that can be called."""

    def accept(self, value: object) -> Callable[..., object]:
        """The function as it is."""
        if not callable(value):
            raise TypeError(f"must be a function, got {show(value)} ({type(value).__name__})")
        return value


class RateOrSchedule(Rule):
    """The rule of a rate, which may be a schedule of them."""

    def accept(self, value: Any) -> Any:
        """A function as a schedule, a number as a rate is kept."""
        return AsSchedule().accept(value) if callable(value) else super().accept(value)


_RATE: Rule = get_args(Rate)[1]
Bound = Annotated[Number | RateFunction, RateOrSchedule(_RATE.words, _RATE.holds)]
"""A rate, or a schedule of them."""


Inner = Annotated[RateFunction, AsSchedule()]
"""A schedule inside another, or any function of the step."""


Inners = Annotated[Sequence[RateFunction], AsSchedules()]
"""Several schedules inside another."""


@core.schedule(check=one_fewer("boundaries", "schedules"))
def join(step: Array, schedules: Inners, *, boundaries: Boundaries) -> ArrayLike:
    """One schedule after another, each on a clock of its own that begins at 0.

    η(t) = s_i(t − b_i) for b_i <= t < b_{i+1}, with b_0 = 0.

    The last schedule goes on.

    Args:
        schedules: s_0, s_1, ..., at least one; schedules or other functions of the step.
        boundaries: b_1, b_2, ..., the steps at which the next schedule takes over, in ascending
            order, one fewer than schedules. Between two equal boundaries lies nothing.

    Raises:
        ValueError: the numbers do not match.

    Example:
        >>> from lr_optax import constant, join, linear
        >>> s = join((constant(0.1), linear(0.1, end_value=0.0, transition_steps=10)),
        ...          boundaries=(20,))
        >>> print(s(0), s(19), s(20), s(25), s(30))
        0.1 0.1 0.1 0.05 0.0

    When to use it:
        To build a plan of phases. A warm-up in front of a schedule is :func:`warmup`.
    """
    ends = [*boundaries, None]
    rate = schedules[0](phase(step, 0, ends[0]))
    for inner, begin, end in zip(schedules[1:], boundaries, ends[1:], strict=True):
        rate = jnp.where(until(step, begin) <= 0, inner(phase(step, begin, end)), rate)
    return rate


@core.schedule
def product(step: Array, schedules: Inners) -> ArrayLike:
    """Schedules multiplied with each other: η(t) = s_0(t)·s_1(t)·...

    Args:
        schedules: at least one; schedules or other functions of the step.

    Raises:
        TypeError: ``schedules`` is empty or holds something else.

    Example:
        >>> from lr_optax import constant, product, step_decay
        >>> s = product((constant(0.1), step_decay(1.0, decay_rate=0.5, decay_steps=10)))
        >>> print(s(0), s(9), s(10))
        0.1 0.1 0.05

    When to use it:
        To lay one change over another, such as drops over cycles.
    """
    rate = schedules[0](step)
    for inner in schedules[1:]:
        rate = finite(as_float(rate * inner(step)))
    return rate


@core.schedule
def add(step: Array, schedules: Inners) -> ArrayLike:
    """Schedules added to each other: η(t) = s_0(t) + s_1(t) + ...

    Args:
        schedules: at least one; schedules or other functions of the step.

    Raises:
        TypeError: ``schedules`` is empty or holds something else.

    Example:
        >>> from lr_optax import add, constant, linear
        >>> s = add((constant(0.1), linear(0.4, end_value=0.0, transition_steps=4)))
        >>> print(s(0), s(2), s(4))
        0.5 0.3 0.1

    When to use it:
        To lay a small cycle over a decay, or a fixed rate under one.
    """
    rate = schedules[0](step)
    for inner in schedules[1:]:
        rate = rate + inner(step)
    return rate


@core.schedule
def switch(step: Array, schedules: Inners, *, index: Count) -> ArrayLike:
    """One schedule out of several, chosen by a number that may be traced: η(t) = s_i(t).

    Args:
        schedules: s_0, s_1, ..., at least one; schedules or other functions of the step.
        index: i, >= 0; beyond the last schedule it means the last.

    Example:
        >>> from lr_optax import constant, linear, switch
        >>> s = switch((constant(0.1), linear(0.2, end_value=0.0, transition_steps=4)), index=1)
        >>> print(s(0), s(2), s.replace(index=0)(2))
        0.2 0.1 0.1

    When to use it:
        To compare schedules of different kinds in one compiled program, with ``jax.vmap`` over
        ``index``, or to let each member of a population choose its own.
    """
    rate = schedules[0](step)
    for i, inner in enumerate(schedules[1:], start=1):
        rate = jnp.where(index >= i, inner(step), rate)
    return rate


@core.schedule
def scale(step: Array, schedule: Inner, *, factor: Real) -> ArrayLike:
    """A schedule times a number: η(t) = c·s(t).

    Args:
        schedule: s, a schedule or another function of the step.
        factor: c, any finite number; -1 turns a rate into the factor of a descent step.

    Example:
        >>> from lr_optax import linear, scale
        >>> s = scale(linear(0.1, end_value=0.0, transition_steps=10), factor=0.5)
        >>> print(s(0), s(5), s(10))
        0.05 0.025 0.0

    When to use it:
        To give groups of parameters the same schedule at different heights, or to sweep the
        height of a whole schedule.
    """
    return factor * schedule(step)


@core.schedule(check=must_not_exceed("min_value", "max_value"))
def clip(
    step: Array, schedule: Inner, *, min_value: Bound = 0.0, max_value: Bound | None = None
) -> ArrayLike:
    """A schedule kept between two rates: η(t) = min(max(s(t), η_min), η_max).

    Args:
        schedule: s, a schedule or another function of the step.
        min_value: η_min, the floor, >= 0; or a schedule, for the maximum of two.
        max_value: η_max, the ceiling, at least ``min_value``; or a schedule, for the minimum of
            two; None for none.

    Raises:
        ValueError: ``min_value`` exceeds ``max_value``.

    Example:
        >>> from lr_optax import clip, linear
        >>> s = clip(linear(0.1, end_value=0.0, transition_steps=10), min_value=0.02)
        >>> print(s(0), s(5), s(10))
        0.1 0.05 0.02

    When to use it:
        To put a floor under a decay that has none, such as :func:`inverse_time_decay`, or to take
        the larger or smaller of two schedules.
    """
    rate = jnp.maximum(schedule(step), _bound(min_value, step))
    return rate if max_value is None else jnp.minimum(rate, _bound(max_value, step))


def _bound(value: Number | RateFunction, step: Array) -> ArrayLike:
    if callable(value):
        return value(step)
    return float(value) if is_number(value) else as_float(value)


@core.schedule
def shift(step: Array, schedule: Inner, *, steps: Offset) -> ArrayLike:
    """A schedule that begins later or earlier: η(t) = s(max(t − d, 0)).

    Args:
        schedule: s, a schedule or another function of the step.
        steps: d, steps; positive holds s(0) that long first, negative begins at s(−d).

    Example:
        >>> from lr_optax import linear, shift
        >>> s = shift(linear(0.1, end_value=0.0, transition_steps=10), steps=5)
        >>> print(s(0), s(5), s(10), s(15))
        0.1 0.1 0.05 0.0
        >>> print(s.replace(steps=-5)(0))
        0.05

    When to use it:
        To delay a decay, or to go on with a schedule in a run whose counter begins at 0 again.
    """
    return schedule(since(step, steps))


@core.schedule
def repeat(
    step: Array, schedule: Inner, *, period: Period, peak_decay: Positive = 1.0
) -> ArrayLike:
    """A schedule from its start again and again: η(t) = c^⌊t/T⌋·s(t mod T).

    It goes on forever.

    Args:
        schedule: s, a schedule or another function of the step.
        period: T, steps after which it begins again, >= 1.
        peak_decay: c > 0, the ratio of each cycle's height to the previous one's.

    Example:
        >>> from lr_optax import linear, repeat
        >>> s = repeat(linear(0.4, end_value=0.0, transition_steps=4), period=4, peak_decay=0.5)
        >>> print(s(0), s(3), s(4), s(6), s(8))
        0.4 0.1 0.2 0.1 0.1

    When to use it:
        For warm restarts of any shape, warm-ups included, and for the sawtooth rates of stochastic
        weight averaging.
    """
    index, position = cycle(step, period)
    return geometric(peak_decay, index) * schedule(position)


@core.schedule
def extend(step: Array, schedule: Inner, *, begin: Steps, steps: Steps) -> ArrayLike:
    """A schedule that pauses, for a longer run without a jump.

    η(t) = s(t) for t <= b, s(b) for the next d steps, then s(t − d).

    Args:
        schedule: s, a schedule or another function of the step.
        begin: b, the step from which its rate is held.
        steps: d, how long it is held, and how much later everything after it comes; 0 for not.

    Example:
        >>> from lr_optax import extend, linear
        >>> s = extend(linear(0.4, end_value=0.0, transition_steps=4), begin=2, steps=10)
        >>> print(s(0), s(2), s(12), s(13), s(14))
        0.4 0.2 0.2 0.1 0.0

    When to use it:
        To train on when a run turns out too short: rates of the past stay as they were, and the
        decay is still to come. Extend in the stable phase where there is one.
    """
    return schedule(phase(step, 0, begin) + since(step, later(begin, steps)))


@core.schedule(check=shapes.positive_ends("end_value"))
def cooldown_from(
    step: Array,
    schedule: Inner,
    *,
    begin: Steps,
    cooldown_steps: Steps,
    end_value: Rate = 0.0,
    shape: shapes.Shape = "linear",
) -> ArrayLike:
    """Anneal from wherever a schedule is: η(t) = s(t) for t <= b, then from s(b) to the end value.

    The rate is exactly ``end_value`` from step b + ``cooldown_steps`` on.

    Args:
        schedule: s, a schedule or another function of the step.
        begin: b, the last step at which it counts.
        cooldown_steps: how many steps later the end value is reached, >= 0.
        end_value: the rate from then on, >= 0; > 0 for the shapes "exponential" and "inverse".
        shape: one of :data:`lr_optax.typing.Shape`, such as "linear", "cosine", "1-sqrt".

    Example:
        >>> from lr_optax import constant, cooldown_from
        >>> s = cooldown_from(constant(0.1), begin=10, cooldown_steps=4)
        >>> print(s(0), s(10), s(12), s(14))
        0.1 0.1 0.05 0.0

    When to use it:
        To end a run that was planned without an end, or to branch a finished model off a longer
        one. With an end value above 0 it is the rate of stochastic weight averaging.
    """
    level = schedule(phase(step, 0, begin))
    weights = progress(since(step, begin), cooldown_steps)
    falling = shapes.between(shape, weights, level, end_value)
    return jnp.where(until(step, begin) > 0, level, falling)


def beginning(schedule: RateFunction) -> RateFunction:
    """The same, with phases of length 0 at one step: at step 0 the rate that they lead from.

    A warm-up of length 0 stays one. Where all lengths are known and above 0, it is ``schedule``.
    """
    if not isinstance(schedule, core.Schedule):
        return schedule
    hints = core.REGISTRY[schedule.name].parameters.hints
    before = schedule.hyperparameters
    values = {name: _begun(name, hints[name], value) for name, value in before.items()}
    changed = any(values[name] is not before[name] for name in values)
    return schedule._with_values(values) if changed else schedule


def _begun(name: str, hint: object, value: Any) -> Any:
    if isinstance(value, core.Schedule):
        return beginning(value)
    if isinstance(value, tuple) and any(isinstance(item, core.Schedule) for item in value):
        begun = tuple(map(beginning, value))
        return value if all(map(operator.is_, begun, value)) else begun
    rule = length_rule(hint)
    if rule is None or "warmup" in name or not is_leaf(value) or not rule.holds(np.zeros(())):
        return value
    length: Any = as_length(value)
    if is_number(length):
        return value if length else 1
    return jnp.where(length == 0, 1, length)


def stretch(schedule: core.Schedule, factor: float) -> core.Schedule:
    """The same schedule for a run of another length: every length in it times a factor.

    z(c·t) = s(t), up to whole steps, in schedules inside schedules too. The ``gamma`` of
    :func:`cyclical` and the noise of :func:`linear_cosine_decay` stay as they are at every step.

    Args:
        schedule: any schedule whose time is given by lengths: not a table of steps (:func:`lookup`)
            nor a foreign function, and not one whose rates follow from something else, as in
            :func:`noam`, :func:`power_law`, :func:`silver`, :func:`untuned_warmup` or the shape
            "log" of :func:`warmup`.
        factor: the ratio of the new length to the old one, > 0. Lengths are rounded down to whole
            steps, so that phases which fit still fit; a period stays at least one step.

    Returns:
        A changed copy.

    Raises:
        TypeError: a part of it has no lengths that could be stretched, with its name, or
            hyperparameters without annotations, so that it is not known whether they are lengths.
        ValueError: ``factor`` is not a finite number above 0.

    Example:
        >>> from lr_optax import cosine_decay, stretch, warmup
        >>> stretch(warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10), 2)
        warmup(cosine_decay(0.1, decay_steps=180), warmup_steps=20)
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"stretch: `factor` must be a finite number > 0, got {factor}")
    hints = core.REGISTRY[schedule.name].parameters.hints
    values = schedule.hyperparameters
    for name, hint in hints.items():
        logarithm = isinstance(values[name], str) and values[name] == "log"  # of the step
        if logarithm or PER_STEP in get_args(hint) or not (hint is bool or get_args(hint)):
            raise TypeError(
                f"stretch: {schedule.name} has no lengths that could be stretched: `{name}` is "
                "given step by step, or not annotated with one of lr_optax.typing"
            )
    return schedule.replace(
        **{name: _stretched(value, hints[name], factor) for name, value in values.items()}
    )


def _stretched(value: Any, hint: object, factor: float) -> Any:
    if isinstance(value, core.Schedule):
        return stretch(value, factor)
    if isinstance(value, tuple):
        return tuple(_stretched(item, hint, factor) for item in value)
    rule = length_rule(hint)
    if rule is None or value is None:
        return value
    if isinstance(value, Tracer):
        return _stretched_tracer(value, rule, factor)
    numbers = np.asarray(value).ravel().tolist()
    stretched = [_stretched_number(number, rule, factor) for number in numbers]
    return stretched[0] if is_number(value) else np.array(stretched).reshape(np.shape(value))


def _stretched_number(value: float, rule: Rule, factor: float) -> float:
    # In decimals, since 30 * 0.7 is a hair below 21; to nine of them, for factors such as 1/3.
    stretched = round(Fraction(repr(float(factor))) * Fraction(value), 9)
    if rule.holds_for(0.5):  # it may lie between two steps
        return int(stretched) if stretched.denominator == 1 else float(stretched)
    whole = math.floor(stretched)
    return whole if rule.holds_for(whole) else 1


def _stretched_tracer(value: Array, rule: Rule, factor: float) -> Array:
    if rule.holds_for(0.5) or not jnp.issubdtype(value.dtype, jnp.integer):
        stretched = as_float(value) * factor
        return stretched if rule.holds_for(0.5) else jnp.floor(stretched + 1e-6)
    # In two halves, so that no float is so large that it loses the fraction of a step.
    high, low = value >> 16, value & 0xFFFF
    whole = math.floor(factor * 2**16)
    rest = as_float(high) * (factor * 2**16 - whole) + as_float(low) * factor
    stretched = high * whole + jnp.floor(rest + 1e-3).astype(value.dtype)
    return stretched if rule.holds_for(0) else jnp.maximum(stretched, 1)
