"""Step arithmetic that stays exact when XLA compiles it.

XLA turns ``step / T`` with a constant ``T`` into a product with the rounded reciprocal and fuses
``1 - x * c`` into one operation. Both move the end of a phase by a rounding error: a staircase
drops a step late, a decay ends at 1e-11 or below zero. So everything here subtracts and divides
whole steps as integers, casts to float once, and names the ends of a phase instead of computing
them.

A length is a Python number, known when the program is built, or an array or tracer, which is never
checked: lengths below one step then count as one step where a cycle needs one, and as "over at
once" where a phase has to end.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from lr_optax._core.hyperparameters import is_number


def default_float() -> np.dtype:
    """The dtype of every rate: float32, or float64 under ``jax_enable_x64``."""
    return jax.dtypes.canonicalize_dtype(np.float64)


def default_integer() -> np.dtype:
    """The dtype of whole steps: int32, or int64 under ``jax_enable_x64``."""
    return jax.dtypes.canonicalize_dtype(np.int64)


def as_float(value: ArrayLike) -> Array:
    """``value`` as a strong array of the default float type."""
    return jnp.asarray(value, default_float())


def as_step(step: ArrayLike) -> Array:
    """Any step count as an array >= 0 of the default integer type, or of the default float type.

    Counts beyond the integer type saturate, as Optax's own counters do, fractional ones too.
    """
    integer = default_integer()
    if isinstance(step, int):
        step = np.asarray(min(max(step, 0), _top(integer)))
    elif not isinstance(step, jax.Array):
        step = np.asarray(step)
    if jnp.issubdtype(step.dtype, jnp.floating):
        return as_float(step).clip(0, _top(integer))
    if step.dtype == bool or not jnp.issubdtype(step.dtype, jnp.integer):
        raise TypeError(f"a step must be a real number or an array of them, got {step.dtype}")
    top = _top(step.dtype)
    step = step.clip(0) if top <= _top(integer) else step.clip(0, _top(integer))
    return jnp.asarray(step, integer)


def _top(dtype: DTypeLike) -> int:
    return int(jnp.iinfo(dtype).max)


def _is_whole(value: ArrayLike) -> bool:
    return isinstance(value, int) or jnp.issubdtype(jnp.result_type(value), jnp.integer)


def _together(step: Array, length: ArrayLike) -> tuple[Array, Array]:
    """Step and length as one type: integers if both are whole and fit, floats otherwise."""
    fits = not isinstance(length, int) or (_is_whole(step) and abs(length) <= _top(step.dtype))
    if fits and _is_whole(step) and _is_whole(length):
        return step, jnp.asarray(length, step.dtype)
    return as_float(step), as_float(length)


def as_length(length: object) -> object:
    """A length in the type of a step, whatever integer type it came in; others as they are.

    NumPy's are known. A single one is a Python number; several, if one is beyond the type of a
    step, are floats.
    """
    if isinstance(length, np.ndarray) and length.ndim == 0:
        return length.item()
    if not isinstance(length, jax.Array | np.ndarray):
        return length
    integer = default_integer()
    if length.dtype == integer or not jnp.issubdtype(length.dtype, jnp.integer):
        return length
    if isinstance(length, np.ndarray) and length.max() > _top(integer):
        return as_float(length)
    limits = jnp.iinfo(length.dtype)
    low, high = max(limits.min, -_top(integer)), min(limits.max, _top(integer))
    return jnp.asarray(length.clip(low, high), integer)


def as_places(places: object) -> object:
    """Places in time as :func:`as_length`; known ones beyond the type of a step as a tuple."""
    if isinstance(places, np.ndarray) and places.max() > _top(default_integer()):
        return tuple(places.tolist())
    return as_length(places)


def at_least(value: Any, low: float) -> Any:
    """``max(value, low)``, of a tracer too."""
    return max(value, low) if is_number(value) else jnp.maximum(value, low)


def at_most(value: Any, high: float) -> Any:
    """``min(value, high)``, of a tracer too."""
    return min(value, high) if is_number(value) else jnp.minimum(value, high)


def safe_sqrt(value: ArrayLike) -> Any:
    """The root of a number >= 0; 0 for less, with a slope of 0 there instead of infinity."""
    if is_number(value):
        return math.sqrt(max(value, 0))
    value = as_float(value)
    positive = value > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, value, 1)), 0)


def later(begin: Any, length: Any) -> Any:
    """``begin + length`` for two lengths >= 0; a sum beyond what a step can be saturates."""
    if is_number(begin) and is_number(length):
        return begin + length
    if not (_is_whole(begin) and _is_whole(length)):
        return as_float(begin) + as_float(length)
    integer = default_integer()
    top = _top(integer)
    begin, length = (
        jnp.asarray(min(x, top) if isinstance(x, int) else x, integer) for x in (begin, length)
    )
    return begin + jnp.minimum(length, top - begin)


def until(step: Array, length: ArrayLike) -> Array:
    """``length - step``, without rounding before the difference is taken."""
    if isinstance(length, int) and _is_whole(step) and length > (top := _top(step.dtype)):
        return as_float(length - top) + as_float(top - step)
    step, length = _together(step, length)
    return length - step


def since(step: Array, begin: ArrayLike) -> Array:
    """The clock of a phase that begins at ``begin``: ``step - begin``, 0 before it, saturating."""
    if isinstance(begin, int) and _is_whole(step):
        begin = min(max(begin, -_top(step.dtype)), _top(step.dtype))
    step, begin = _together(step, begin)
    if _is_whole(step):
        step = jnp.minimum(step, _top(step.dtype) + jnp.minimum(begin, 0))
    return jnp.maximum(step - begin, 0)


def phase(step: Array, begin: ArrayLike, end: ArrayLike | None) -> Array:
    """The clock of a phase, stopped at both ends, so that nothing runs where it is not used."""
    clock = since(step, begin)
    if end is None or (isinstance(end, int) and _is_whole(clock) and end > _top(clock.dtype)):
        return clock
    return jnp.minimum(*_together(clock, until(as_step(begin), end)))


class Progress(NamedTuple):
    """How much of a phase is left and how much is gone, or of the values it leads from and to.

    Two numbers in [0, 1] that add up to 1. Each is computed by itself, since the smaller one has
    no digits left in ``1 - larger``: at the last step of a million, 1 - 0.999999 is off by 1.3% in
    float32, which 1 / 1000000 is not.
    """

    left: Array
    gone: Array


def progress(step: Array, length: ArrayLike) -> Progress:
    """The progress of a phase, from whole steps.

    Exactly (1, 0) at step 0 and (0, 1) from ``length`` on; a phase of length 0 is over at once.
    """
    ahead = until(step, length)
    over = ahead <= 0
    # Not a constant, which XLA would multiply by its rounded reciprocal.
    span = jnp.where(over, 1, as_float(length))
    if is_number(length) and length > 0:
        left = jnp.where(step <= 0, 1, as_float(jnp.maximum(ahead, 0)) / span)
        return Progress(left, jnp.where(over, 1, as_float(step) / span))
    left = jnp.where(step <= 0, 1, jnp.minimum(as_float(ahead) / span, 1))
    gone = jnp.minimum(as_float(step) / span, 1)
    return Progress(jnp.where(over, 0, left), jnp.where(over, 1, gone))


def blend(weights: Progress, init_value: ArrayLike, end_value: ArrayLike) -> ArrayLike:
    """``init_value`` where the progress is (1, 0), ``end_value`` where it is (0, 1)."""
    falling, risen = weights
    # XLA would not drop a product with 0, nor the half of the shape that only it needs.
    if is_number(end_value) and end_value == 0:
        return init_value * falling
    if is_number(init_value) and init_value == 0:
        return end_value * risen
    return init_value * falling + end_value * risen


def cycle(step: Array, period: ArrayLike) -> tuple[Array, Array]:
    """Which cycle a step is in, and its position there, in [0, period)."""
    if isinstance(period, int) and _is_whole(step) and period > _top(step.dtype):
        return jnp.zeros_like(step), step
    step, period = _together(step, period)
    return jnp.divmod(step, jnp.maximum(period, 1))


def cycle_progress(
    step: Array, period: Fraction | ArrayLike, ahead: ArrayLike = 0.0
) -> tuple[Array, Progress]:
    """Which cycle ``step + ahead`` is in, and its progress; see :func:`cycle_position`."""
    index, position, length = cycle_position(step, period, ahead)
    return index, progress(position, length)


def cycle_position(
    step: Array, period: Fraction | ArrayLike, ahead: ArrayLike = 0.0
) -> tuple[Array, Array, ArrayLike]:
    """Which cycle ``step + ahead`` is in, the position there, and the length of a cycle.

    A known period, and a known ``ahead``, may be fractions of a step. Position and length are then
    whole numbers of a unit that divides a step: a period of 2.4 steps is 12 fifths.
    """
    at_zero = is_number(ahead) and ahead == 0
    if isinstance(period, float | Fraction) and period % 1 == 0:
        period = int(period)
    if isinstance(period, int | float | Fraction):
        if at_zero and isinstance(period, int):
            return *cycle(step, period), period
        if is_number(ahead) and period < _MOST_UNITS:
            return _counted(step, period, ahead)
        period = float(period)
    elif at_zero and _is_whole(period):
        return *cycle(step, period), period
    length = as_float(period)
    length = jnp.where(length > 0, length, 1)
    return *jnp.divmod(as_float(step) + ahead, length), length


# A cycle of up to so many units leaves room in a uint32 for what _times_over computes.
_MOST_UNITS = 2**30


def _counted(step: Array, period: float | Fraction, ahead: float) -> tuple[Array, Array, int]:
    """A position in units so small that both the period and ``ahead`` are whole.

    They are the units of the simplest fraction that is the same double: fifths for 2.4. A period
    of more digits than fit is the nearest fraction that does, within what float32 can show.
    """
    ratio = Fraction(period).limit_denominator(_MOST_UNITS // math.ceil(period))
    ratio = max(ratio, Fraction(1, _MOST_UNITS))
    begun = Fraction(ahead) * ratio.denominator
    begun = begun.limit_denominator(_MOST_UNITS // ratio.numerator)
    length, units = ratio.numerator * begun.denominator, ratio.denominator * begun.denominator
    cycles, begun = divmod(begun.numerator, length)
    if not _is_whole(step):
        index, position = jnp.divmod(step * units + begun, as_float(length))
        return index + cycles, position, length
    index, position = _times_over(step % length, units, length)
    index, position = step // length * units + index, position + begun
    if cycles:
        index = later(index, cycles)
    index, position = index + position // length, position % length
    if isinstance(period, float) and ahead == 0 and Fraction(period) > ratio:
        # The double is a hair longer: 11 // 1.1 is 9, as those who divide by it get, not 10.
        late = ((position == 0) & (step > 0)).astype(step.dtype)
        index, position = index - late, position + late * length
    return index, position, length


def _times_over(count: Array, factor: int, divisor: int) -> tuple[Array, Array]:
    """``divmod(count * factor, divisor)`` for a count below the divisor, which is at most 2³⁰.

    By the digits of the factor, to a base so small that no product is beyond uint32.
    """
    base, digits = 2**31 // divisor, []
    while factor:
        factor, digit = divmod(factor, base)
        digits.insert(0, np.uint32(digit))
    number, by, scale = count.astype(jnp.uint32), np.uint32(divisor), np.uint32(base)
    quotient = rest = jnp.zeros_like(number)
    for digit in digits:
        total = rest * scale + number * digit
        quotient, rest = quotient * scale + total // by, total % by
    return quotient.astype(count.dtype), rest.astype(count.dtype)


def at_boundaries(step: Array, values: Any, boundaries: Any) -> Array:
    """The value from the last boundary at or before ``step`` on, out of one more than boundaries.

    Among a few it is selected, among many looked up.
    """
    if len(boundaries) > _FEW:
        return jnp.asarray(values)[passed(step, boundaries)]
    if isinstance(boundaries, Sequence):
        boundaries = _stacked(boundaries, step)
    step, boundaries = _together(step, boundaries)
    value = jnp.asarray(values[0])
    for boundary, later_value in zip(boundaries, values[1:], strict=False):
        value = jnp.where(step >= boundary, later_value, value)
    return value


def passed(step: Array, boundaries: ArrayLike | Sequence[ArrayLike]) -> Array:
    """How many of the sorted boundaries lie at or before ``step``.

    A few are compared one by one, many are searched by halves: comparing all with all would need
    memory for steps × boundaries.
    """
    if isinstance(boundaries, Sequence):
        boundaries = _stacked(boundaries, step)
    step, boundaries = _together(step, boundaries)
    count = jnp.zeros_like(step, int)
    if len(boundaries) > _FEW:
        return _searched(step, jnp.asarray(boundaries), count)
    for boundary in boundaries:
        count = count + (step >= boundary).astype(int)
    return count


def _searched(step: Array, boundaries: Array, count: Array) -> Array:
    # Of jnp.searchsorted's ways one has a loop, one compares all with all, and one keeps every
    # halving's result for a million steps. With 2^k - 1 boundaries each halving is one comparison.
    halvings = len(boundaries).bit_length()
    missing = 2**halvings - 1 - len(boundaries)
    table = jnp.pad(boundaries, (0, missing), mode="edge")
    for half in (1 << k for k in reversed(range(halvings))):
        count = count + half * (step >= table[count + (half - 1)]).astype(int)
    return jnp.minimum(count, len(boundaries))


# Selecting among a few is faster than a search; a thousand would be as many nested selections.
_FEW = 8


def _stacked(boundaries: Sequence[ArrayLike], step: Array) -> ArrayLike:
    integers = [b for b in boundaries if isinstance(b, int)]
    if len(integers) < len(boundaries):
        dtype = int if all(map(_is_whole, boundaries)) else default_float()
        return jnp.stack([jnp.asarray(b, dtype) for b in boundaries])
    if not _is_whole(step):
        return np.asarray(integers, default_float())
    # A boundary beyond what the counter can hold is never reached.
    top = _top(step.dtype)
    return np.asarray([b for b in integers if b <= top], step.dtype)
