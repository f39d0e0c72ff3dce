"""The schedules of ``deepspeed.runtime.lr_schedules``, with the values of DeepSpeed 0.19.8.

Names, arguments and defaults are DeepSpeed's. ``LRRangeTest``, ``OneCycle`` and ``WarmupDecayLR``
have rates of their own and lose the optimizer only; for the other two the base rate stands where it
stood. Step t has the rate of the update that DeepSpeed makes after t calls of ``step()``: the
warm-ups count from the second of them, and so give the first two updates the lowest rate. A
``warmup_num_steps``, w, of 1 counts as 2.

Deliberate differences:

* Momentum is not scheduled along; ``OneCycle(0.9, 0.8, ...)`` with the same sides is OneCycle's.
  Its first value is the highest one there, where DeepSpeed makes the first update with the lowest;
  what lets it grow after the cycle, ``decay_mom_rate``, is left out.
* There is one rate, not a list for parameter groups; ``lr_range_test_staircase`` is given by name.
* An unknown ``warmup_type`` is refused, where DeepSpeed takes "log".
"""

from typing import Any, Literal

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.clock import (
    Progress,
    as_float,
    at_least,
    at_most,
    blend,
    cycle,
    is_number,
    later,
    progress,
    since,
    until,
)
from lr_optax._core.hyperparameters import (
    Count,
    Fraction,
    NonNegative,
    Period,
    Rate,
    Steps,
    validated,
)
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.schedules.combine import join, scale, shift
from lr_optax.schedules.decays import constant, cosine_decay, linear
from lr_optax.schedules.warmups import warmup


@schedule(name="deepspeed.range_test", positional=True)
def LRRangeTest(
    step: Array,
    lr_range_test_min_lr: Rate = 1e-3,
    lr_range_test_step_size: Period = 2000,
    lr_range_test_step_rate: NonNegative = 1.0,
    *,
    lr_range_test_staircase: bool = False,
) -> ArrayLike:
    """A rise without an end, to find the largest rate that works: m·(1 + r·t/S), in stairs or not.

    m, S and r are the smallest rate, the step size and the step rate.
    :func:`lr_optax.range_test` raises the rate by a factor instead, and reads the result.

    Example:
        >>> s = LRRangeTest(0.001, 100, lr_range_test_staircase=True)
        >>> print(s(0), s(99), s(100), s(200))
        0.001 0.001 0.002 0.003
    """
    index, position = cycle(step, lr_range_test_step_size)
    risen = as_float(index)
    if not lr_range_test_staircase:
        risen = risen + progress(position, lr_range_test_step_size).gone
    return lr_range_test_min_lr + lr_range_test_min_lr * lr_range_test_step_rate * risen


@schedule(name="deepspeed.one_cycle", positional=True)
def OneCycle(
    step: Array,
    cycle_min_lr: Rate,
    cycle_max_lr: Rate,
    decay_lr_rate: NonNegative = 0.0,
    cycle_first_step_size: Period = 2000,
    cycle_second_step_size: Steps | None = None,
    cycle_first_stair_count: Count = 0,
    cycle_second_stair_count: Count | None = None,
    decay_step_size: Steps = 0,
) -> ArrayLike:
    """One triangle of the rate, in stairs or not, then a decay with the inverse of time.

    Over F steps to the highest rate, over S steps back, then m/(1 + r·(t − F − S)/D), where m is
    ``cycle_min_lr`` and r ``decay_lr_rate``. A side with
    n stairs has the heights 0, 1/n, ..., 1, each held until the next one is reached.

    Args:
        cycle_first_step_size: F, steps up, >= 1.
        cycle_second_step_size: S, steps down, >= 0; None for F.
        cycle_first_stair_count: stairs of the rise, >= 0; 0 for a straight line.
        cycle_second_stair_count: stairs of the fall; None for as many as up.
        decay_step_size: D, >= 0; at 0 the rate does not fall afterwards.

    Example:
        >>> s = OneCycle(0.01, 0.1, 1.0, cycle_first_step_size=10, decay_step_size=10)
        >>> print(s(0), s(10), s(20), s(30), s(50))
        0.01 0.1 0.01 0.005 0.0025
    """
    first, second = cycle_first_step_size, cycle_second_step_size
    stairs, falling_stairs = cycle_first_stair_count, cycle_second_stair_count
    second = first if second is None else second
    end = later(first, second)
    rising = _stairs(step, first, stairs)
    back = jnp.maximum(until(step, end), 0)
    falling = _stairs(back, second, stairs if falling_stairs is None else falling_stairs)
    height = jnp.where(until(step, first) >= 0, rising, falling)
    size = as_float(decay_step_size)
    after = as_float(since(step, end)) / jnp.where(size > 0, size, 1)
    decay = jnp.where(size > 0, 1 + decay_lr_rate * after, 1)
    # XLA puts a rate whose last operation is a quotient into a kernel of its own.
    rate = blend(Progress(height, 1 - height), cycle_max_lr, cycle_min_lr)
    return jnp.where(back > 0, rate, cycle_min_lr / decay)


def _stairs(step: Array, size: Any, count: Any) -> Array:
    """The height of a side after some of its steps, rounded down to one of its stairs."""
    _, line = progress(step, size)
    # Beyond 2²³ float32 tells no stairs from a line.
    stairs = at_most(at_least(count, 1), 2**23)
    reached = jnp.floor(line * as_float(stairs))
    if not (is_number(size) and size > 2**30):
        # A rounded share may miss its stair by one: whole numbers tell, and where they wrap around,
        # the difference is right again.
        step, size, whole, times = (
            jnp.asarray(x, step.dtype) for x in (step, size, reached, stairs)
        )
        rest = step * times - whole * size
        reached = reached + as_float(rest >= size) - as_float(rest < 0)
    held = jnp.minimum(reached, as_float(stairs)) / as_float(stairs)
    return jnp.where(as_float(count) > 0, held, line)


@validated
def WarmupLR(
    base_lr: Rate,
    warmup_min_lr: Rate = 0.0,
    warmup_max_lr: Rate | None = None,
    warmup_num_steps: Period = 1000,
    warmup_type: Literal["log", "linear"] = "log",
) -> Schedule:
    """A rise with the logarithm of time, or a straight one, then a fixed rate.

    With u = t − 1 it is ln(u + 1)/ln w or u/w of the way up, for u < w.

    Args:
        base_lr: the last rate, >= 0, if ``warmup_max_lr`` is None.
        warmup_min_lr: the rate of the first two updates, >= 0.
        warmup_max_lr: the last rate, >= 0; None for ``base_lr``.

    Example:
        >>> s = WarmupLR(0.1, warmup_num_steps=100)
        >>> print(s(0), s(1), s(10), s(100), s(1000))
        0.0 0.0 0.05 0.1 0.1
    """
    last = base_lr if warmup_max_lr is None else warmup_max_lr
    return shift(_rise(constant(last), warmup_min_lr, warmup_num_steps, warmup_type), steps=1)


@validated
def WarmupDecayLR(
    total_num_steps: Period,
    warmup_min_lr: Rate = 0.0,
    warmup_max_lr: Rate = 0.001,
    warmup_num_steps: Period = 1000,
    warmup_type: Literal["log", "linear"] = "log",
) -> Schedule:
    """A rise as in :func:`WarmupLR`, then a straight fall back to the lowest rate.

    Args:
        total_num_steps: T, steps of the whole, >= 1; the rate is lowest from T + 1 on.

    Example:
        >>> s = WarmupDecayLR(100, warmup_max_lr=0.1, warmup_num_steps=20, warmup_type="linear")
        >>> print(s(0), s(11), s(21), s(61), s(101))
        0.0 0.05 0.1 0.05 0.0
    """
    fall = linear(
        warmup_max_lr,
        end_value=warmup_min_lr,
        transition_steps=at_least(total_num_steps - at_least(warmup_num_steps, 2), 0),
    )
    return shift(_rise(fall, warmup_min_lr, warmup_num_steps, warmup_type), steps=1)


@validated
def WarmupCosineLR(
    base_lr: Rate,
    total_num_steps: Period,
    warmup_min_ratio: Fraction = 0.0,
    warmup_num_steps: Period = 1000,
    cos_min_ratio: Fraction = 0.0001,
    warmup_type: Literal["log", "linear"] = "log",
) -> Schedule:
    """A rise as in :func:`WarmupLR`, then half a cosine, which begins at its second step.

    Args:
        base_lr: b, the rate at the end of the rise, >= 0. With "linear" no step has it.
        total_num_steps: T, steps of the whole, >= 1; the rate is lowest from T on.
        warmup_min_ratio: where the rise begins, over b, in [0, 1]; the first update has rate 0.
        cos_min_ratio: the last rate over b, in [0, 1].

    Example:
        >>> s = WarmupCosineLR(0.1, 100, warmup_num_steps=20, cos_min_ratio=0.0)
        >>> print(s(0), s(1), s(20), s(60), s(100))
        0.0 0.0 0.1 0.05 0.0
    """
    steps = at_least(warmup_num_steps, 2)
    fall = cosine_decay(
        1.0, decay_steps=at_least(total_num_steps - steps, 1), end_value=cos_min_ratio
    )
    rise = _rise(constant(1.0), warmup_min_ratio, warmup_num_steps, warmup_type)
    parts = constant(0.0), rise, shift(fall, steps=-1)
    return scale(join(parts, boundaries=(1, 1 + steps)), factor=base_lr)


def _rise(schedule: Schedule, start: Any, steps: Any, kind: Literal["log", "linear"]) -> Schedule:
    return warmup(schedule, warmup_steps=at_least(steps, 2), init_value=start, shape=kind)
