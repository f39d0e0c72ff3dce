"""Whole runs in one line: warm-up, what comes after it, and the end.

The formula of a recipe is a composition of other schedules, called on the step. Lengths of the
whole run, ``decay_steps`` and ``total_steps``, include the warm-up.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, is_number, progress, since, until
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Factor, Period, Rate, Steps, exceeds
from lr_optax.schedules.anytime import inverse_sqrt_decay
from lr_optax.schedules.budget import shaped_decay
from lr_optax.schedules.decay import constant, cosine_decay, linear
from lr_optax.schedules.inner import unchecked
from lr_optax.schedules.retime import cooldown_from
from lr_optax.schedules.staged import warmup

_constant, _linear, _cosine = unchecked(constant), unchecked(linear), unchecked(cosine_decay)
_shaped, _inverse_sqrt = unchecked(shaped_decay), unchecked(inverse_sqrt_decay)
_warmup, _cooldown = unchecked(warmup), unchecked(cooldown_from)


def _fits(*, warmup_steps, decay_steps, **_: object) -> None:
    if exceeds(warmup_steps, decay_steps):
        raise ValueError(
            f"`warmup_steps` is part of `decay_steps` and must not exceed it, "
            f"got {warmup_steps} > {decay_steps}"
        )


@schedule(check=_fits)
def warmup_cosine_decay(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    decay_steps: Steps,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    exponent: Factor = 1.0,
) -> ArrayLike:
    """A line up to the peak, then half a cosine down: :func:`warmup` of :func:`cosine_decay`.

    Args:
        peak_value: the rate at t = w, >= 0.
        warmup_steps: w, steps, >= 0; 0 for no warm-up.
        decay_steps: T >= w, steps of the whole run, warm-up included.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0.
        exponent: > 0, the power the cosine is raised to.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the warm-up is longer than the run.

    Example:
        >>> s = warmup_cosine_decay(0.1, warmup_steps=10, decay_steps=110)
        >>> print(s(0), s(5), s(10), s(60), s(110))
        0.0 0.05 0.1 0.05 0.0

    When to use it:
        As the usual choice for transformers and for adaptive optimizers. The length of the run
        must be known; if it may change, see :func:`warmup_stable_decay`.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
        arXiv:1608.03983; P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1
        Hour", 2017, arXiv:1706.02677.
    """
    length = decay_steps - warmup_steps
    decay = _cosine(peak_value, decay_steps=length, end_value=end_value, exponent=exponent)
    return _warmup(decay, warmup_steps=warmup_steps, init_value=init_value)(step)


@schedule(check=_fits)
def warmup_linear_decay(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    decay_steps: Steps,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
) -> ArrayLike:
    """A line up to the peak, then a line down to zero: :func:`warmup` of :func:`linear`.

    Args:
        peak_value: the rate at t = w, >= 0.
        warmup_steps: w, steps, >= 0; 0 for no warm-up.
        decay_steps: T >= w, steps of the whole run, warm-up included.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the warm-up is longer than the run.

    Example:
        >>> s = warmup_linear_decay(0.1, warmup_steps=10, decay_steps=110)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.05 0.0

    When to use it:
        As the first thing to try for a language model with a known budget: the more tokens per
        parameter, the more decay to zero gains over a cosine that ends at a tenth of the peak.

    Reference:
        S. Bergsma et al., "Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works
        Best for LLMs", 2025, arXiv:2502.15938.
    """
    decay = _linear(peak_value, end_value=end_value, transition_steps=decay_steps - warmup_steps)
    return _warmup(decay, warmup_steps=warmup_steps, init_value=init_value)(step)


def _phases_fit(
    *, warmup_steps, cooldown_steps, total_steps, decay_shape, end_value, **_: object
) -> None:
    if exceeds(warmup_steps + cooldown_steps, total_steps):
        raise ValueError(
            f"`warmup_steps` and `cooldown_steps` must fit into `total_steps`, "
            f"got {warmup_steps} + {cooldown_steps} > {total_steps}"
        )
    shapes.check_ends(decay_shape, end_value=end_value)


@schedule(check=_phases_fit)
def warmup_stable_decay(
    step: Array,
    peak_value: Rate,
    *,
    total_steps: Steps,
    cooldown_steps: Steps,
    warmup_steps: Steps = 0,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    decay_shape: shapes.Shape = "linear",
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
        decay_shape: the curve of the last phase, as in :func:`shaped_decay`; "linear" is the
            trapezoid, also known as knee, "cosine" without warm-up is fast.ai's flat-cosine.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the phases do not fit.

    Example:
        >>> s = warmup_stable_decay(0.1, total_steps=100, cooldown_steps=16, warmup_steps=10,
        ...                         decay_shape="1-sqrt")
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
    stable = _warmup(_constant(peak_value), warmup_steps=warmup_steps, init_value=init_value)
    return _cooldown(
        stable,
        begin=total_steps - cooldown_steps,
        decay_steps=cooldown_steps,
        end_value=end_value,
        decay_shape=decay_shape,
    )(step)


@schedule
def infinite(
    step: Array,
    peak_value: Rate,
    *,
    constant_value: Rate,
    warmup_steps: Steps,
    cooldown_steps: Steps,
    init_value: Rate = 0.0,
    decay_shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """Up, down to a rate to live with, and level for ever.

    Args:
        peak_value: the rate after the warm-up, >= 0.
        constant_value: the rate that is held, >= 0.
        warmup_steps: steps up, >= 0.
        cooldown_steps: steps from the peak down to the constant rate, >= 0.
        init_value: the rate at step 0, >= 0.
        decay_shape: the curve of the way down, as in :func:`shaped_decay`.

    Returns:
        A :class:`~lr_optax.Schedule`. It has no end; :func:`cooldown_from` anneals it.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> from lr_optax import cooldown_from
        >>> s = infinite(0.1, constant_value=0.04, warmup_steps=10, cooldown_steps=20)
        >>> print(s(0), s(10), s(20), s(30), s(1000))
        0.0 0.1 0.07 0.04 0.04
        >>> ended = cooldown_from(s, begin=1000, decay_steps=100, end_value=0.0004,
        ...                       decay_shape="exponential")
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
    decay = _shaped(
        peak_value, decay_steps=cooldown_steps, end_value=constant_value, decay_shape=decay_shape
    )
    return _warmup(decay, warmup_steps=warmup_steps, init_value=init_value)(step)


@schedule
def tri_stage(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    hold_steps: Steps,
    cooldown_steps: Steps,
    init_factor: Rate = 0.01,
    end_factor: Factor = 0.01,
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

    Raises:
        TypeError, ValueError: an argument breaks its rule.

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
    held = _warmup(
        _constant(peak_value), warmup_steps=warmup_steps, init_value=peak_value * init_factor
    )
    begin = warmup_steps + hold_steps
    end_value = peak_value * end_factor
    weights = progress(since(begin, step), cooldown_steps)
    falling = shapes.between("exponential", weights, peak_value, end_value)
    return jnp.where(until(begin, step) > 0, held(step), falling)


def _warmup_before_drops(*, warmup_steps, decay_steps, **_: object) -> None:
    if exceeds(warmup_steps, decay_steps - decay_steps // 5):
        raise ValueError(
            f"`warmup_steps` must be over at 80 % of `decay_steps`, "
            f"got {warmup_steps} of {decay_steps}"
        )


@schedule(check=_warmup_before_drops)
def multistep_811(
    step: Array,
    peak_value: Rate,
    *,
    decay_steps: Steps,
    warmup_steps: Steps = 0,
    init_value: Rate = 0.0,
) -> ArrayLike:
    """Level for 80 % of the run, then cut by √10, and again for the last 10 %.

    Args:
        peak_value: the rate of the first stage, >= 0.
        decay_steps: T, steps of the whole run, warm-up included, >= 0. Drops come at T − ⌊T/5⌋
            and T − ⌊T/10⌋.
        warmup_steps: steps up, >= 0, over at 80 % of T.
        init_value: the rate at step 0, >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`. The last rate, a tenth of the peak, is held.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the warm-up is too long.

    Example:
        >>> s = multistep_811(0.1, decay_steps=100, warmup_steps=5)
        >>> print(s(0), s(5), s(79), s(80), s(90))
        0.0 0.1 0.1 0.03162278 0.01

    When to use it:
        In pre-training, when runs of several lengths are to share their first 80 %. One such run
        also tells more about other schedules than a smooth decay does.

    Reference:
        DeepSeek-AI, "DeepSeek LLM: Scaling Open-Source Language Models with Longtermism", 2024,
        arXiv:2401.02954, section 2.3.
    """
    first, second = decay_steps - decay_steps // 5, decay_steps - decay_steps // 10
    level = jnp.where(until(first, step) <= 0, peak_value * 10**-0.5, peak_value)
    level = jnp.where(until(second, step) <= 0, peak_value * 0.1, level)
    return _warmup(lambda _: level, warmup_steps=warmup_steps, init_value=init_value)(step)


@schedule
def noam(step: Array, factor: Rate, *, model_size: Factor, warmup_steps: Period) -> ArrayLike:
    """The transformer's own: η(t) = c·d^−½·min(t^−½, t·w^−1.5).

    Args:
        factor: c, >= 0; 1 in the paper.
        model_size: d, the width of the model, > 0.
        warmup_steps: w, steps up, >= 1. The peak, at t = w, is c/√(d·w).

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

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
        area = jnp.maximum(as_float(model_size) * as_float(warmup_steps), 1)
    decay = _inverse_sqrt(factor * area**-0.5, timescale=warmup_steps)
    return _warmup(decay, warmup_steps=warmup_steps)(step)
