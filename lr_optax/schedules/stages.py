"""Runs with a stable phase: warm-up, a level rate, and a fall that may come later.

The formula of a recipe is a composition of other schedules, called on the step.
"""

from itertools import chain, repeat

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import (
    Boundaries,
    NonNegative,
    Positive,
    Rate,
    Steps,
    exceeds,
    is_known,
)
from lr_optax._core.rules import fit, positive_ends, together
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import blend, later, passed, progress, since, until
from lr_optax.schedules.decay import shaped_decay
from lr_optax.schedules.retime import cooldown_from
from lr_optax.schedules.tables import as_table
from lr_optax.schedules.warmups import warmup


@schedule(
    check=together(
        fit("warmup_steps", "cooldown_steps", into="total_steps"), positive_ends("end_value")
    )
)
def warmup_stable_decay(
    step: Array,
    peak_value: Rate,
    *,
    total_steps: Steps,
    cooldown_steps: Steps,
    warmup_steps: Steps = 0,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    shape: shapes.Shape = "linear",
) -> ArrayLike:
    """Up, level, down (WSD): a trapezoid, or with a curve in its last phase.

    η(t) rises over w steps, stays at the peak until T − c, then falls over c steps.

    Args:
        peak_value: the rate of the stable phase, >= 0.
        total_steps: T >= w + c, steps of the whole run.
        cooldown_steps: c, steps of the last phase, >= 0.
        warmup_steps: w, steps of the first, >= 0; at 0 it is flat and then falls.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0; > 0 for the shapes "exponential" and "inverse".
        shape: the curve of the last phase, as in :func:`shaped_decay`; "linear" is the
            trapezoid, also known as knee, "cosine" without warm-up is fast.ai's flat-cosine.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        ValueError: the phases do not fit.

    Example:
        >>> s = warmup_stable_decay(0.1, total_steps=100, cooldown_steps=16, warmup_steps=10,
        ...                         shape="1-sqrt")
        >>> print(s(0), s(10), s(84), s(88), s(100))
        0.0 0.1 0.1 0.05 0.0

    When to use it:
        When the length of the run may change: go on in the stable phase for as long as there is
        budget, and cool down when a model is wanted. A cooldown of 20 % with "1-sqrt" matches a
        cosine; longer ones do better still.

    Reference:
        S. Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable
        Training Strategies", 2024, arXiv:2404.06395; A. Hägele et al., "Scaling Laws and
        Compute-Optimal Training Beyond Fixed Training Durations", 2024, arXiv:2405.18392.
    """

    def stable(step: Array) -> ArrayLike:
        return warmup.formula(
            step, lambda _: peak_value, warmup_steps=warmup_steps, init_value=init_value
        )

    return cooldown_from.formula(
        step,
        stable,
        begin=total_steps - cooldown_steps,
        cooldown_steps=cooldown_steps,
        end_value=end_value,
        shape=shape,
    )


@schedule
def infinite(
    step: Array,
    peak_value: Rate,
    *,
    constant_value: Rate,
    warmup_steps: Steps,
    cooldown_steps: Steps,
    init_value: Rate = 0.0,
    shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """Up, down to a rate to live with, and level for ever.

    Args:
        peak_value: the rate after the warm-up, >= 0.
        constant_value: the rate that is held, >= 0.
        warmup_steps: steps up, >= 0.
        cooldown_steps: steps from the peak down to the constant rate, >= 0.
        init_value: the rate at step 0, >= 0.
        shape: the curve of the way down, as in :func:`shaped_decay`.

    Returns:
        A :class:`~lr_optax.Schedule`. It has no end; :func:`cooldown_from` anneals it.

    Example:
        >>> from lr_optax import cooldown_from
        >>> s = infinite(0.1, constant_value=0.04, warmup_steps=10, cooldown_steps=20)
        >>> print(s(0), s(10), s(20), s(30), s(1000))
        0.0 0.1 0.07 0.04 0.04
        >>> ended = cooldown_from(s, begin=1000, cooldown_steps=100, end_value=0.0004,
        ...                       shape="exponential")
        >>> print(ended(1000), ended(1050), ended(1100))
        0.04 0.004 0.0004

    When to use it:
        For continual pre-training, where more data will come: go on from before the annealing,
        without a new warm-up and the forgetting that it brings.

    Reference:
        A. Ibrahim et al., "Simple and Scalable Strategies to Continually Pre-train Large Language
        Models", 2024, arXiv:2403.08763; V. Singh et al., "Beyond Cosine Decay: On the
        Effectiveness of Infinite Learning Rate Schedule for Continual Pre-training", 2025,
        arXiv:2503.02844.
    """

    def decay(step: Array) -> ArrayLike:
        return shaped_decay.formula(
            step, peak_value, decay_steps=cooldown_steps, end_value=constant_value, shape=shape
        )

    return warmup.formula(step, decay, warmup_steps=warmup_steps, init_value=init_value)


@schedule
def tri_stage(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    hold_steps: Steps,
    cooldown_steps: Steps,
    init_factor: NonNegative = 0.01,
    end_factor: Positive = 0.01,
) -> ArrayLike:
    """Up, level, and down exponentially, from and to a share of the peak.

    Args:
        peak_value: η, the rate of the second stage, >= 0.
        warmup_steps: steps of the first stage, a line, >= 0.
        hold_steps: steps of the second, >= 0.
        cooldown_steps: steps of the third, η·r^x with x from 0 to 1, >= 0.
        init_factor: the rate at step 0 over the peak, >= 0.
        end_factor: r > 0, the rate at the end over the peak.

    Returns:
        A :class:`~lr_optax.Schedule`. The last rate is held.

    Example:
        >>> s = tri_stage(0.1, warmup_steps=10, hold_steps=20, cooldown_steps=30)
        >>> print(s(0), s(10), s(30), s(45), s(60))
        0.001 0.1 0.1 0.01 0.001

    When to use it:
        For speech recognition and self-supervised audio models, whose recipes have it.

    Reference:
        D. S. Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
        Recognition", 2019, arXiv:1904.08779.
    """
    held = warmup.formula(
        step,
        lambda _: peak_value,
        warmup_steps=warmup_steps,
        init_value=peak_value * init_factor,
    )
    begin = later(warmup_steps, hold_steps)
    end_value = peak_value * end_factor
    weights = progress(since(step, begin), cooldown_steps)
    falling = shapes.between("exponential", weights, peak_value, end_value)
    return jnp.where(until(step, begin) > 0, held, falling)


def _stages_fit(*, boundaries, cooldown_steps, warmup_steps, rewarmup_steps, **_: object) -> None:
    if not is_known(boundaries, cooldown_steps, warmup_steps, rewarmup_steps):
        return
    if len(boundaries) == 0:
        raise ValueError("`boundaries` must hold the end of at least one cycle, got none")
    rises = chain((warmup_steps,), repeat(rewarmup_steps))
    for begin, end, rise in zip((0, *boundaries), boundaries, rises, strict=False):
        if exceeds(rise + cooldown_steps, end - begin):
            raise ValueError(
                f"warm-up and `cooldown_steps` must fit into each cycle, "
                f"got {rise} + {cooldown_steps} for the one from {begin} to {end}"
            )


@schedule(check=together(_stages_fit, positive_ends("end_value")))
def warmup_stable_decay_cycles(
    step: Array,
    peak_value: Rate,
    *,
    boundaries: Boundaries,
    cooldown_steps: Steps,
    warmup_steps: Steps = 0,
    rewarmup_steps: Steps = 0,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    shape: shapes.Shape = "linear",
) -> ArrayLike:
    """A cooldown at the end of every budget, and back up to go on (WSD-S).

    Each cycle is a :func:`warmup_stable_decay`; a new one begins at each boundary but the last.

    Args:
        peak_value: the rate of all stable phases, >= 0.
        boundaries: where the cycles end, steps in ascending order, at least one; the last is the
            end of the run.
        cooldown_steps: steps of the last phase of every cycle, >= 0.
        warmup_steps: steps up in the first cycle, >= 0.
        rewarmup_steps: steps up in all others, from ``end_value``, >= 0; at 0 the rate jumps.
        init_value: the rate at step 0, >= 0.
        end_value: what every cycle falls to, >= 0; > 0 for the shapes "exponential" and
            "inverse". It is reached where the next cycle begins: exactly, if that rises slowly.
        shape: the curve of the last phase, as in :func:`shaped_decay`; the authors' is
            "inverse", with an end at a tenth of the peak.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from the last boundary on.

    Raises:
        ValueError: the phases do not fit.

    Example:
        >>> s = warmup_stable_decay_cycles(0.1, boundaries=(40, 80), cooldown_steps=10,
        ...                                warmup_steps=5, rewarmup_steps=2)
        >>> print(s(0), s(5), s(30), s(35), s(40), s(41), s(42), s(75), s(80))
        0.0 0.1 0.1 0.05 0.0 0.05 0.1 0.05 0.0

    When to use it:
        To get a finished model at each of several budgets out of one run, each trained on from
        the one before.

    Reference:
        K. Wen et al., "Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss
        Landscape Perspective", 2024, arXiv:2410.05192.
    """
    ends = as_table(boundaries, step.dtype)
    index = passed(step, ends).clip(max=len(ends) - 1)
    first = index == 0
    begin, end = jnp.where(first, 0, ends[index - 1]), ends[index]
    rise_steps = jnp.where(first, warmup_steps, rewarmup_steps)
    rise = progress(since(step, begin), rise_steps)
    rising = blend(rise, jnp.where(first, init_value, end_value), peak_value)
    cooldown_begin = end - jnp.asarray(cooldown_steps, end.dtype)
    fall = progress(since(step, cooldown_begin), cooldown_steps)
    falling = shapes.between(shape, fall, peak_value, end_value)
    rate = jnp.where(until(step, cooldown_begin) > 0, peak_value, falling)
    return jnp.where(rise.left > 0, rising, rate)
