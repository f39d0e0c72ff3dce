"""The schedules of ``deepspeed.runtime.lr_schedules``, with the values of DeepSpeed 0.19.8.

``LRRangeTest``, ``OneCycle`` and ``WarmupDecayLR`` have rates of their own and lose the optimizer
only; for the other two ``base_lr`` stands where it stood. Step t has the rate of the update that
DeepSpeed makes after t calls of ``step()``: the warm-ups count from the second of them, and so give
the first two updates the lowest rate.

Deliberate differences:

* Momentum is not scheduled along; :func:`deepspeed_one_cycle` can make OneCycle's. Its first value
  is the highest one there, where DeepSpeed makes the first update with the lowest; what lets it
  grow after the cycle, ``decay_mom_rate``, is left out.
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


@schedule(name="deepspeed.range_test")
def deepspeed_range_test(
    step: Array,
    min_lr: Rate,
    *,
    step_size: Period,
    step_rate: NonNegative = 1.0,
    staircase: bool = False,
) -> ArrayLike:
    """A rise without an end: η(t) = m·(1 + r·t/S).

    Args:
        min_lr: m, the rate at step 0, >= 0.
        step_size: S, steps in which r times m is added, >= 1.
        step_rate: r >= 0.
        staircase: whether t/S is rounded down.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = deepspeed_range_test(0.001, step_size=100, step_rate=2.0)
        >>> print(s(0), s(50), s(100), s(1000))
        0.001 0.002 0.003 0.021

    When to use it:
        Through :func:`LRRangeTest`, to reproduce one. :func:`lr_optax.range_test` raises the rate
        by a factor instead, and reads the result.

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.LRRangeTest.
    """
    whole, position = cycle(step, step_size)
    risen = as_float(whole)
    if not staircase:
        risen = risen + progress(position, step_size)[1]
    return min_lr + min_lr * step_rate * risen


@validated
def LRRangeTest(
    lr_range_test_min_lr: Rate = 1e-3,
    lr_range_test_step_size: Period = 2000,
    lr_range_test_step_rate: NonNegative = 1.0,
    *,
    lr_range_test_staircase: bool = False,
) -> Schedule:
    """A rise without an end, to find the largest rate that works: m·(1 + r·t/S).

    Args:
        lr_range_test_min_lr: m, the rate at step 0, >= 0.
        lr_range_test_step_size: S, steps, >= 1.
        lr_range_test_step_rate: r, how many times m is added in S steps, >= 0.
        lr_range_test_staircase: whether t/S is rounded down.

    Returns:
        A :func:`deepspeed_range_test`.

    Example:
        >>> s = LRRangeTest(0.001, 100, lr_range_test_staircase=True)
        >>> print(s(0), s(99), s(100), s(200))
        0.001 0.001 0.002 0.003

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.LRRangeTest.
    """
    return deepspeed_range_test(
        lr_range_test_min_lr,
        step_size=lr_range_test_step_size,
        step_rate=lr_range_test_step_rate,
        staircase=lr_range_test_staircase,
    )


@schedule(name="deepspeed.one_cycle")
def deepspeed_one_cycle(
    step: Array,
    edge_value: Rate,
    *,
    mid_value: Rate,
    first_step_size: Period = 2000,
    second_step_size: Steps | None = None,
    first_stair_count: Count = 0,
    second_stair_count: Count | None = None,
    decay_step_size: Steps = 0,
    decay_rate: NonNegative = 0.0,
) -> ArrayLike:
    """One triangle, in stairs or not, then a decay with the inverse of time.

    Over F steps to ``mid_value``, over S steps back, then e/(1 + r·(t − F − S)/D). A side with n
    stairs has the heights 0, 1/n, ..., 1, each held until the next one is reached.

    Args:
        edge_value: e, the value at both ends of the triangle, >= 0.
        mid_value: the value between them, >= 0.
        first_step_size: F, >= 1.
        second_step_size: S, >= 0; None for F.
        first_stair_count: stairs of the first side, >= 0; 0 for a straight line.
        second_stair_count: stairs of the second side; None for as many as of the first.
        decay_step_size: D, >= 0; at 0 there is no decay.
        decay_rate: r >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = deepspeed_one_cycle(0.01, mid_value=0.1, first_step_size=6, first_stair_count=3)
        >>> print(s(0), s(1), s(2), s(6), s(7), s(12))
        0.01 0.01 0.04 0.1 0.07 0.01

    When to use it:
        To reproduce a run with DeepSpeed's OneCycle, and for the momentum beside its rate, which is
        ``deepspeed_one_cycle(0.9, mid_value=0.8, ...)`` with the same sides.
        :func:`lr_optax.one_cycle` is the schedule of the paper.

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.OneCycle; L. N. Smith, "A Disciplined
        Approach to Neural Network Hyper-Parameters: Part 1", 2018, arXiv:1803.09820.
    """
    second = first_step_size if second_step_size is None else second_step_size
    stairs = first_stair_count if second_stair_count is None else second_stair_count
    end = later(first_step_size, second)
    rising = _stairs(step, first_step_size, first_stair_count)
    falling = _stairs(jnp.maximum(until(step, end), 0), second, stairs)
    height = jnp.where(until(step, first_step_size) >= 0, rising, falling)
    height = jnp.where(until(step, end) > 0, height, 0)
    size = as_float(decay_step_size)
    decays = size > 0
    after = as_float(since(step, end)) / jnp.where(decays, size, 1)
    decay = jnp.where(decays, 1 + decay_rate * after, 1)
    return blend(Progress(height, 1 - height), mid_value, edge_value) / decay


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
def OneCycle(
    cycle_min_lr: Rate,
    cycle_max_lr: Rate,
    decay_lr_rate: NonNegative = 0.0,
    cycle_first_step_size: Period = 2000,
    cycle_second_step_size: Steps | None = None,
    cycle_first_stair_count: Count = 0,
    cycle_second_stair_count: Count | None = None,
    decay_step_size: Steps = 0,
) -> Schedule:
    """One triangle of the rate, in stairs or not, then a decay with the inverse of time.

    Args:
        cycle_min_lr: the rate at both ends of the triangle, >= 0.
        cycle_max_lr: the rate between them, >= 0.
        decay_lr_rate: r, how fast the rate falls afterwards, m/(1 + r·t/D), >= 0.
        cycle_first_step_size: steps up, >= 1.
        cycle_second_step_size: steps down, >= 0; None for as many as up.
        cycle_first_stair_count: stairs of the rise, >= 0; 0 for a straight line.
        cycle_second_stair_count: stairs of the fall; None for as many as up.
        decay_step_size: D, >= 0; at 0 the rate does not fall afterwards.

    Returns:
        A :func:`deepspeed_one_cycle`.

    Example:
        >>> s = OneCycle(0.01, 0.1, 1.0, cycle_first_step_size=10, decay_step_size=10)
        >>> print(s(0), s(10), s(20), s(30), s(50))
        0.01 0.1 0.01 0.005 0.0025

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.OneCycle.
    """
    return deepspeed_one_cycle(
        cycle_min_lr,
        mid_value=cycle_max_lr,
        first_step_size=cycle_first_step_size,
        second_step_size=cycle_second_step_size,
        first_stair_count=cycle_first_stair_count,
        second_stair_count=cycle_second_stair_count,
        decay_step_size=decay_step_size,
        decay_rate=decay_lr_rate,
    )


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
        warmup_num_steps: w, steps, >= 1; 1 counts as 2.
        warmup_type: "log" or "linear".

    Returns:
        A :func:`lr_optax.warmup` a step late.

    Example:
        >>> s = WarmupLR(0.1, warmup_num_steps=100)
        >>> print(s(0), s(1), s(10), s(100), s(1000))
        0.0 0.0 0.05 0.1 0.1

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.WarmupLR.
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
        warmup_min_lr: the lowest rate, >= 0.
        warmup_max_lr: the highest rate, >= 0.
        warmup_num_steps: w, steps, >= 1; 1 counts as 2.
        warmup_type: "log" or "linear".

    Returns:
        A :func:`lr_optax.warmup` of a :func:`lr_optax.linear`, a step late.

    Example:
        >>> s = WarmupDecayLR(100, warmup_max_lr=0.1, warmup_num_steps=20, warmup_type="linear")
        >>> print(s(0), s(11), s(21), s(61), s(101))
        0.0 0.05 0.1 0.05 0.0

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.WarmupDecayLR.
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
        warmup_num_steps: w, steps, >= 1; 1 counts as 2.
        cos_min_ratio: the last rate over b, in [0, 1].
        warmup_type: "log" or "linear".

    Returns:
        A composition of :func:`lr_optax.warmup` and :func:`lr_optax.cosine_decay`.

    Example:
        >>> s = WarmupCosineLR(0.1, 100, warmup_num_steps=20, cos_min_ratio=0.0)
        >>> print(s(0), s(1), s(20), s(60), s(100))
        0.0 0.0 0.1 0.05 0.0

    Reference:
        DeepSpeed 0.19.8, deepspeed.runtime.lr_schedules.WarmupCosineLR.
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
