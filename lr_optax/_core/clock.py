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


def as_float(value: ArrayLike) -> Array:
    """``value`` as a strong array of the default float type."""
    return jnp.asarray(value, default_float())


def as_step(step: ArrayLike) -> Array:
    """Any step count as an array >= 0 of the default integer type, or of the default float type.

    Counts beyond the integer type saturate, as Optax's own counters do, fractional ones too.
    """
    integer = jax.dtypes.canonicalize_dtype(np.int64)
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
    """A length in the type of a step, whatever integer type it came in; others as they are."""
    if not isinstance(length, jax.Array | np.ndarray):
        return length
    integer = jax.dtypes.canonicalize_dtype(np.int64)
    if length.dtype == integer or not jnp.issubdtype(length.dtype, jnp.integer):
        return length
    limits = jnp.iinfo(length.dtype)
    low, high = max(limits.min, -_top(integer)), min(limits.max, _top(integer))
    return jnp.asarray(length.clip(low, high), integer)


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
    integer = jax.dtypes.canonicalize_dtype(np.int64)
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


def turns(step: Array, period: ArrayLike, ahead: ArrayLike = 0.0) -> tuple[Array, Progress]:
    """Which cycle ``step + ahead`` is in, and what is left and gone of it, as shares of it.

    A known period, and a known lead, may be fractions of a step: a cycle then begins at the very
    step at which it does in exact arithmetic on these two numbers, however late that is.
    """
    whole = not is_number(period) or period % 1 == 0
    if whole and is_number(ahead) and ahead == 0:
        index, position = cycle(step, period)
        return index, progress(position, period)
    exactly = _is_whole(step) and default_float() == np.float32
    if exactly and is_number(period) and is_number(ahead):
        return _long_division(step, Fraction(period), Fraction(ahead))
    period = as_float(period)
    period = jnp.where(period > 0, period, 1)
    index, position = jnp.divmod(as_float(step) + ahead, period)
    return index, Progress((period - position) / period, position / period)


def _long_division(step: Array, period: Fraction, ahead: Fraction) -> tuple[Array, Progress]:
    """``(step + ahead) / period`` to 96 binary places, 32 of them at a time.

    The quotient is never rounded to a whole number that it does not reach: a double has 53 places.
    """
    factor, first = (math.ceil(2**96 * x) for x in (1 / period, ahead / period))
    count, carried = step.astype(jnp.uint32), jnp.zeros_like(step, jnp.uint32)
    words = []
    for place in (0, 32, 64):
        word, more = (np.uint32(x >> place & 0xFFFFFFFF) for x in (factor, first))
        low = count * word
        total = low + carried
        words.append(total + more)
        spilled = (total < low).astype(jnp.uint32) + (words[-1] < total).astype(jnp.uint32)
        carried = _upper_half(count, word) + spilled
    whole = count * np.uint32(factor >> 96 & 0xFFFFFFFF) + np.uint32(first >> 96 & 0xFFFFFFFF)
    _, low, high = words
    gone = as_float(high) * 2.0**-32 + as_float(low) * 2.0**-64
    left = as_float(~high) * 2.0**-32 + as_float(~low) * 2.0**-64
    return (carried + whole).astype(int), Progress(left, gone)


def _upper_half(a: Array, b: np.uint32) -> Array:
    """The upper 32 of the 64 binary places of a product."""
    low, high = b & 0xFFFF, b >> 16
    middle = (a >> 16) * low + ((a & 0xFFFF) * low >> 16)
    return (a >> 16) * high + (middle >> 16) + ((a & 0xFFFF) * high + (middle & 0xFFFF) >> 16)


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
