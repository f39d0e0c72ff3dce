"""Schedules that have a warm-up, or stages.

The formula of a recipe, such as :func:`warmup_cosine_decay`, is a composition of others' formulas.
"""

from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import schedule as core
from lr_optax._core import shapes
from lr_optax._core.clock import (
    Progress,
    as_float,
    blend,
    is_number,
    later,
    progress,
    since,
    until,
)
from lr_optax._core.hyperparameters import (
    PER_STEP,
    Fraction,
    NonNegative,
    Number,
    Period,
    Positive,
    Rate,
    Steps,
    exceeds,
    is_known,
    must_fit,
    show,
    together,
)
from lr_optax.schedules.combine import Inner, beginning, cooldown_from
from lr_optax.schedules.decays import cosine_decay, inverse_sqrt_decay, linear, shaped_decay

Rise = Literal["linear", "cosine", "exponential", "log"]


@core.schedule(check=shapes.positive_ends("init_value"))
def warmup(
    step: Array,
    schedule: Inner,
    *,
    warmup_steps: Steps,
    init_value: Rate = 0.0,
    shape: Rise = "linear",
    lead: Steps = 0,
) -> ArrayLike:
    """A rise to where a schedule starts, then the schedule from its own step 0.

    η(t) = η₀ + (s(0) − η₀)·x for t < w, and s(t − w) from then on, where x is (t + l)/w for
    "linear", ½(1 − cos π(t + l)/w) for "cosine", and ln(t + 1)/ln w for "log". "exponential" is
    η₀·(s(0)/η₀)^((t + l)/w).

    The rate is exactly s(0) at step w. If s begins with a phase of length 0, which s(0) is past,
    the rise is to where that phase begins: a warm-up as long as the run rises to the peak.

    Args:
        schedule: s, a schedule or another function of the step.
        warmup_steps: w, steps, >= 0; 0 for no warm-up. The schedule ends that much later.
        init_value: η₀, the rate where the rise begins, >= 0. At the default the first update
            changes nothing. It must be > 0 for "exponential". A start factor f is f·s(0) here, and
            (t + 1)/(w + 1), as in nanoGPT, is s(0)/(w + 1).
        shape: how the rate rises.
        lead: l, steps the rise is ahead; 1 for the convention (t + 1)/w, in which the first update
            counts and the peak comes at t = w − 1. Ignored by "log", which begins like that.

    Example:
        >>> from lr_optax import cosine_decay, warmup
        >>> s = warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10)
        >>> print(s(0), s(5), s(10), s(55), s(100))
        0.0 0.05 0.1 0.05 0.0

    When to use it:
        With adaptive optimizers, large batches and transformers: the first gradients are large
        and Adam's averages are not yet settled. 1% to 5% of the run is usual. Optimizers that
        divide by a sum of rates, such as ``optax.contrib``'s prodigy and dadapt, are NaN forever
        after a first rate of 0: give them ``lead=1``.

    Reference:
        P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
        arXiv:1706.02677, section 2.2.
    """
    rate = schedule(since(step, warmup_steps))
    begun = beginning(schedule)
    top = rate if begun is schedule else begun(0)  # before step w both are s(0)
    return risen(
        step, top, rate, warmup_steps=warmup_steps, init_value=init_value, shape=shape, lead=lead
    )


def risen(
    step: Array,
    top: ArrayLike,
    rate: ArrayLike,
    *,
    warmup_steps: ArrayLike,
    init_value: ArrayLike = 0.0,
    shape: Rise = "linear",
    lead: Number = 0,
) -> Array:
    """A rise to ``top`` for ``warmup_steps``, as :func:`warmup` describes it, then ``rate``."""
    if shape == "log":
        rise = blend(_logarithm(step, warmup_steps), init_value, top)
    else:
        weights = progress(since(step, -lead), warmup_steps)
        rise = shapes.between(shape, weights, init_value, top)
    return jnp.where(until(step, warmup_steps) > 0, rise, rate)


def _logarithm(step: Array, length: ArrayLike) -> Progress:
    time, length = as_float(step) + 1, jnp.maximum(as_float(length), 2)
    left = jnp.maximum(jnp.log(length / time), 0) / jnp.log(length)
    return Progress(jnp.where(step <= 0, 1, left), jnp.minimum(jnp.log(time) / jnp.log(length), 1))


def _far_from_one(*, b2, **_: object) -> None:
    if is_number(b2) or not is_known(b2):
        return
    # Closer to 1, float32 is off by more than a percent.
    distance = 1 - np.asarray(b2, np.float64)
    if np.any((distance > 0) & (distance < 0.999e-6)):
        raise ValueError(
            f"`b2` must be a Python number if it is closer to 1 than 1e-6, got {show(b2)}"
        )


@core.schedule(check=_far_from_one)
def untuned_warmup(
    step: Array,
    schedule: Inner,
    *,
    b2: Annotated[Fraction, PER_STEP] = 0.999,
    shape: Literal["exponential", "linear"] = "exponential",
) -> ArrayLike:
    """A factor on a schedule's start that follows from Adam's β₂ alone.

    η(t) = s(t)·(1 − e^(−(1−β₂)(t+1))) for "exponential", s(t)·min(1, (1−β₂)(t+1)/2) for "linear".

    Args:
        schedule: s, a schedule or another function of the step; it runs on meanwhile.
        b2: β₂ in [0, 1], the decay of Adam's average of squared gradients. 0.999 takes 2000
            steps linearly; at 1 the rate stays 0. As a traced float32 it brings the error of its
            own rounding, up to 3e-8/(1 − β₂): 1.3% at 1 − 1e-6, 19% at 1 − 1e-7. A Python number
            is exact. Arrays with a β₂ in (1 − 1e-6, 1) are refused.
        shape: "exponential" never quite ends, "linear" ends after 2/(1 − β₂) steps.

    Example:
        >>> from lr_optax import constant, untuned_warmup
        >>> s = untuned_warmup(constant(0.1), b2=0.99, shape="linear")
        >>> print(s(0), s(99), s(199), s(1000))
        0.0005 0.05 0.1 0.1

    When to use it:
        With Adam, to leave out one hyperparameter: this does for it what RAdam does.

    Reference:
        J. Ma, D. Yarats, "On the Adequacy of Untuned Warmup for Adaptive Optimization", 2019,
        arXiv:1910.04209.
    """
    time = (1 - b2) * (as_float(step) + 1)
    factor = jnp.minimum(time / 2, 1) if shape == "linear" else -jnp.expm1(-time)
    return schedule(step) * factor


@core.schedule(check=must_fit("warmup_steps", into="total_steps"))
def warmup_cosine_decay(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    total_steps: Steps,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    exponent: Positive = 1.0,
) -> ArrayLike:
    """A line up to the peak, then half a cosine down: :func:`warmup` of :func:`cosine_decay`.

    The rate is exactly ``end_value`` from step T on.

    Args:
        peak_value: the rate at t = w, >= 0.
        warmup_steps: w, steps, >= 0; 0 for no warm-up.
        total_steps: T >= w, steps of the whole run, warm-up included.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0.
        exponent: > 0, the power the cosine is raised to.

    Raises:
        ValueError: the warm-up is longer than the run.

    Example:
        >>> s = warmup_cosine_decay(0.1, warmup_steps=10, total_steps=110)
        >>> print(s(0), s(5), s(10), s(60), s(110))
        0.0 0.05 0.1 0.05 0.0

    When to use it:
        As the usual choice for transformers and for adaptive optimizers. The length of the run
        must be known; if it may change, see :func:`warmup_stable_decay`.
    """
    rate = cosine_decay.formula(
        since(step, warmup_steps),
        peak_value,
        decay_steps=total_steps - warmup_steps,
        end_value=end_value,
        exponent=exponent,
    )
    return risen(step, peak_value, rate, warmup_steps=warmup_steps, init_value=init_value)


@core.schedule(check=must_fit("warmup_steps", into="total_steps"))
def warmup_linear_decay(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    total_steps: Steps,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
) -> ArrayLike:
    """A line up to the peak, then a line down to zero: :func:`warmup` of :func:`linear`.

    The rate is exactly ``end_value`` from step T on.

    Args:
        peak_value: the rate at t = w, >= 0.
        warmup_steps: w, steps, >= 0; 0 for no warm-up.
        total_steps: T >= w, steps of the whole run, warm-up included.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0.

    Raises:
        ValueError: the warm-up is longer than the run.

    Example:
        >>> s = warmup_linear_decay(0.1, warmup_steps=10, total_steps=110)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.05 0.0

    When to use it:
        As the first thing to try for a language model with a known budget: the more tokens per
        parameter, the more decay to zero gains over a cosine that ends at a tenth of the peak.
    """
    length = total_steps - warmup_steps
    rate = linear.formula(
        since(step, warmup_steps), peak_value, end_value=end_value, transition_steps=length
    )
    return risen(step, peak_value, rate, warmup_steps=warmup_steps, init_value=init_value)


@core.schedule(
    check=together(
        must_fit("warmup_steps", "cooldown_steps", into="total_steps"),
        shapes.positive_ends("end_value"),
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
    The rate is exactly ``end_value`` from step T on.

    Args:
        peak_value: the rate of the stable phase, >= 0.
        total_steps: T >= w + c, steps of the whole run.
        cooldown_steps: c, steps of the last phase, >= 0.
        warmup_steps: w, steps of the first, >= 0; at 0 it is flat and then falls.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0; > 0 for the shapes "exponential" and "inverse".
        shape: the curve of the last phase, as in :func:`shaped_decay`; "linear" is the
            trapezoid, also known as knee, "cosine" without warm-up is fast.ai's flat-cosine.

    Raises:
        ValueError: the phases do not fit.

    Example:
        >>> s = warmup_stable_decay(0.1, total_steps=100, cooldown_steps=16, warmup_steps=10,
        ...                         shape="1-sqrt")
        >>> print(s(0), s(10), s(84), s(88), s(100))
        0.0 0.1 0.1 0.05 0.0

    When to use it:
        When the length of the run may change: go on in the stable phase for as long as there is
        budget, and cool down when a model is wanted. A cooldown of 20% with "1-sqrt" matches a
        cosine; longer ones do better still.

    Reference:
        S. Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable
        Training Strategies", 2024, arXiv:2404.06395; A. Hägele et al., "Scaling Laws and
        Compute-Optimal Training Beyond Fixed Training Durations", 2024, arXiv:2405.18392.
    """

    def rise(step: Array) -> ArrayLike:
        level = as_float(peak_value)
        return risen(step, level, level, warmup_steps=warmup_steps, init_value=init_value)

    return cooldown_from.formula(
        step,
        rise,
        begin=total_steps - cooldown_steps,
        cooldown_steps=cooldown_steps,
        end_value=end_value,
        shape=shape,
    )


@core.schedule
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
    """Warm up, decay to a constant rate, then hold it.

    It has no end; :func:`cooldown_from` anneals it.

    Args:
        peak_value: the rate after the warm-up, >= 0.
        constant_value: the rate that is held, >= 0.
        warmup_steps: steps up, >= 0.
        cooldown_steps: steps from the peak down to the constant rate, >= 0.
        init_value: the rate at step 0, >= 0.
        shape: the curve of the way down, as in :func:`shaped_decay`.

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
    rate = shaped_decay.formula(
        since(step, warmup_steps),
        peak_value,
        decay_steps=cooldown_steps,
        end_value=constant_value,
        shape=shape,
    )
    return risen(step, peak_value, rate, warmup_steps=warmup_steps, init_value=init_value)


@core.schedule
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

    The last rate is held.

    Args:
        peak_value: η, the rate of the second stage, >= 0.
        warmup_steps: steps of the first stage, a line, >= 0.
        hold_steps: steps of the second, >= 0.
        cooldown_steps: steps of the third, η·r^x with x from 0 to 1, >= 0.
        init_factor: the rate at step 0 over the peak, >= 0.
        end_factor: r > 0, the rate at the end over the peak.

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
    first_value = peak_value * init_factor
    held = risen(step, peak_value, peak_value, warmup_steps=warmup_steps, init_value=first_value)
    begin = later(warmup_steps, hold_steps)
    end_value = peak_value * end_factor
    weights = progress(since(step, begin), cooldown_steps)
    falling = shapes.between("exponential", weights, peak_value, end_value)
    return jnp.where(until(step, begin) > 0, held, falling)


def _warmup_before_drops(*, warmup_steps, total_steps, **_: object) -> None:
    if exceeds(warmup_steps, total_steps - total_steps // 5):
        raise ValueError(
            f"`warmup_steps` must be over at 80% of `total_steps`, "
            f"got {warmup_steps} of {total_steps}"
        )


@core.schedule(check=_warmup_before_drops)
def multistep_811(
    step: Array,
    peak_value: Rate,
    *,
    total_steps: Steps,
    warmup_steps: Steps = 0,
    init_value: Rate = 0.0,
) -> ArrayLike:
    """Level for 80% of the run, then cut by √10, and again for the last 10%.

    The last rate, a tenth of the peak, is held.

    Args:
        peak_value: the rate of the first stage, >= 0.
        total_steps: T, steps of the whole run, warm-up included, >= 0. Drops come at T − ⌊T/5⌋
            and T − ⌊T/10⌋.
        warmup_steps: steps up, >= 0, over at 80% of T.
        init_value: the rate at step 0, >= 0.

    Raises:
        ValueError: the warm-up is too long.

    Example:
        >>> s = multistep_811(0.1, total_steps=100, warmup_steps=5)
        >>> print(s(0), s(5), s(79), s(80), s(90))
        0.0 0.1 0.1 0.03162278 0.01

    When to use it:
        In pre-training, when runs of several lengths are to share their first 80%. One such run
        also says more about other schedules than a smooth decay does.

    Reference:
        DeepSeek-AI, "DeepSeek LLM: Scaling Open-Source Language Models with Longtermism", 2024,
        arXiv:2401.02954, section 2.3.
    """
    first, second = total_steps - total_steps // 5, total_steps - total_steps // 10
    level = jnp.where(until(step, first) <= 0, peak_value * 10**-0.5, peak_value)
    level = jnp.where(until(step, second) <= 0, peak_value * 0.1, level)
    return risen(step, peak_value, level, warmup_steps=warmup_steps, init_value=init_value)


@core.schedule
def noam(
    step: Array,
    factor: Annotated[NonNegative, PER_STEP],
    *,
    model_size: Positive,
    warmup_steps: Period,
) -> ArrayLike:
    """The transformer's own: η(t) = c·d^−½·min(t^−½, t·w^−1.5).

    It goes on falling forever.

    Args:
        factor: c, >= 0; 1 in the paper.
        model_size: d, the width of the model, > 0.
        warmup_steps: w, steps up, >= 1. The peak, at t = w, is c/√(d·w).

    Example:
        >>> s = noam(1.0, model_size=100, warmup_steps=4)
        >>> print(s(0), s(1), s(4), s(16))
        0.0 0.0125 0.05 0.025

    When to use it:
        To reproduce the first transformers. :func:`warmup` of :func:`inverse_sqrt_decay` is the
        same with the peak given as it is.

    Reference:
        A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 5.3.
    """
    if is_number(model_size) and is_number(warmup_steps):
        area = model_size * warmup_steps
    else:
        area = as_float(model_size) * jnp.maximum(as_float(warmup_steps), 1)
        area = jnp.where(area > 0, area, 1)
    peak = factor * area**-0.5
    rate = inverse_sqrt_decay.formula(since(step, warmup_steps), peak, timescale=warmup_steps)
    return risen(step, peak, rate, warmup_steps=warmup_steps)
