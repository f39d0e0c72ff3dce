"""A schedule on another clock: repeated, held for longer, cut short, stretched."""

import math
from typing import Any, Optional, get_args

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import Boundaries, Offset, Period, Positive, Rate, Steps
from lr_optax._core.rules import positive_ends
from lr_optax._core.schedule import REGISTRY, Schedule, schedule
from lr_optax._core.steps import (
    as_float,
    cycle,
    geometric,
    is_number,
    later,
    phase,
    progress,
    since,
    until,
)
from lr_optax.schedules.inner import PER_STEP, Inner


@schedule
def repeat(
    step: Array, schedule: Inner, *, period: Period, peak_decay: Positive = 1.0
) -> ArrayLike:
    """A schedule from its start again and again: η(t) = c^⌊t/T⌋·s(t mod T).

    Args:
        schedule: s, a schedule or another function of the step.
        period: T, steps after which it begins again, >= 1.
        peak_decay: c > 0, the height of each cycle over the last one's.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on for ever.

    Example:
        >>> from lr_optax import linear, repeat
        >>> s = repeat(linear(0.4, end_value=0.0, transition_steps=4), period=4, peak_decay=0.5)
        >>> print(s(0), s(3), s(4), s(6), s(8))
        0.4 0.1 0.2 0.1 0.1

    When to use it:
        For warm restarts of any shape, warm-ups included, and for the sawtooth rates of stochastic
        weight averaging.

    Reference:
        P. Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
        2018, arXiv:1803.05407.
    """
    index, position = cycle(step, period)
    return geometric(peak_decay, index) * schedule(position)


@schedule
def extend(step: Array, schedule: Inner, *, begin: Steps, steps: Steps) -> ArrayLike:
    """A schedule that pauses, for a longer run without a jump.

    η(t) = s(t) for t <= b, s(b) for the next d steps, then s(t − d).

    Args:
        schedule: s, a schedule or another function of the step.
        begin: b, the step from which its rate is held.
        steps: d, how long it is held, and how much later everything after it comes; 0 for not.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> from lr_optax import extend, linear
        >>> s = extend(linear(0.4, end_value=0.0, transition_steps=4), begin=2, steps=10)
        >>> print(s(0), s(2), s(12), s(13), s(14))
        0.4 0.2 0.2 0.1 0.0

    When to use it:
        To train on when a run turns out too short: rates of the past stay as they were, and the
        decay is still to come. Extend in the stable phase where there is one.

    Reference:
        A. Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
        Durations", 2024, arXiv:2405.18392.
    """
    return schedule(phase(step, 0, begin) + since(step, later(begin, steps)))


@schedule(check=positive_ends("end_value"))
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

    Args:
        schedule: s, a schedule or another function of the step.
        begin: b, the last step at which it counts.
        cooldown_steps: how many steps later the end value is reached, >= 0.
        end_value: the rate from then on, >= 0; > 0 for the shapes "exponential" and "inverse".
        shape: one of :data:`lr_optax.typing.Shape`, such as "linear", "cosine", "1-sqrt".

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step b + ``cooldown_steps`` on.

    Example:
        >>> from lr_optax import constant, cooldown_from
        >>> s = cooldown_from(constant(0.1), begin=10, cooldown_steps=4)
        >>> print(s(0), s(10), s(12), s(14))
        0.1 0.1 0.05 0.0

    When to use it:
        To end a run that was planned without an end, or to branch a finished model off a longer
        one. With an end value above 0 it is the rate of stochastic weight averaging.

    Reference:
        A. Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
        Durations", 2024, arXiv:2405.18392.
    """
    level = schedule(phase(step, 0, begin))
    weights = progress(since(step, begin), cooldown_steps)
    falling = shapes.between(shape, weights, level, end_value)
    return jnp.where(until(step, begin) > 0, level, falling)


_LENGTHS = (Steps, Period, Offset, Boundaries)


def stretch(schedule: Schedule, factor: float) -> Schedule:
    """The same schedule for a run of another length: every length in it times a factor.

    Schedules inside schedules are stretched too. Whatever is stated per step, such as the ``gamma``
    of :func:`cyclical`, stays as it is.

    Args:
        schedule: any schedule whose time is told by lengths: not a table of steps (:func:`lookup`)
            nor a foreign function.
        factor: the new length over the old one, > 0. Lengths are rounded down to whole steps, so
            that phases which fit still fit; a period stays at least one step.

    Returns:
        A changed copy.

    Raises:
        TypeError: a part of it has no lengths that could be stretched, with its name, or
            hyperparameters without annotations, which do not tell whether they are lengths.
        ValueError: ``factor`` is not a finite number above 0.

    Example:
        >>> from lr_optax import cosine_decay, stretch, warmup
        >>> stretch(warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10), 2)
        warmup(cosine_decay(0.1, decay_steps=180), warmup_steps=20)
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"stretch: `factor` must be a finite number > 0, got {factor}")
    hints = REGISTRY[schedule.name].parameters.hints
    for name, hint in hints.items():
        if PER_STEP in get_args(hint) or not (hint is bool or get_args(hint)):
            raise TypeError(
                f"stretch: {schedule.name} has no lengths that could be stretched: `{name}` is "
                "given step by step, or not annotated with one of lr_optax.typing"
            )
    return schedule.replace(
        **{n: _stretched(v, hints[n], factor) for n, v in schedule.hyperparameters.items()}
    )


def _stretched(value: Any, hint: Any, factor: float) -> Any:
    if isinstance(value, Schedule):
        return stretch(value, factor)
    if isinstance(value, tuple):
        return tuple(_stretched(item, hint, factor) for item in value)
    is_length = any(hint in (length, Optional[length]) for length in _LENGTHS)  # noqa: UP045
    if value is None or not is_length:
        return value
    least = 1 if hint in (Period, Optional[Period]) else None  # noqa: UP045
    if is_number(value):
        # 30 * 0.7 is a hair below 21.
        stretched = math.floor(round(value * factor, 9))
        return stretched if least is None else max(stretched, least)
    return jnp.floor(as_float(value) * factor + 1e-6).astype(int).clip(least)
