"""Decays that need no horizon: a rate that goes on falling for ever."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.arguments import NonNegative, Period, Positive, Rate, is_known
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import (
    as_float,
    cycle,
    exponential,
    geometric,
    is_number,
)


def _ends_beyond(*, init_value, decay_rate, end_value, **_: object) -> None:
    if end_value is None or not is_known(init_value, decay_rate, end_value):
        return
    init_value, decay_rate, end_value = map(np.asarray, (init_value, decay_rate, end_value))
    if np.any(np.where(decay_rate < 1, end_value > init_value, end_value < init_value)):
        raise ValueError(
            f"`end_value` must lie where the rate goes, below `init_value` for a `decay_rate` < 1 "
            f"and above it otherwise, got {end_value} with {init_value} and {decay_rate}"
        )


@schedule(check=_ends_beyond)
def exponential_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_rate: Positive,
    decay_steps: Period,
    staircase: bool = False,
    end_value: Rate | None = None,
) -> ArrayLike:
    """The rate falls by a factor over every so many steps: η(t) = η₀·α^(t/t₀).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: α, the factor over ``decay_steps``, > 0; above 1 the rate grows.
        decay_steps: t₀, steps, >= 1.
        staircase: whether the exponent is rounded down, ⌊t/t₀⌋, as in :func:`step_decay`.
        end_value: where the rate stops, a floor if α < 1 and a ceiling if α > 1; None for never.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        ValueError: ``end_value`` lies on the wrong side
            of ``init_value``.

    Example:
        >>> s = exponential_decay(0.1, decay_rate=0.96, decay_steps=1000)
        >>> print(s(0), s(500), s(1000), s(50_000))
        0.1 0.09797959 0.096 0.012988579
        >>> print(s.replace(staircase=True)(1999), s.replace(end_value=0.05)(100_000))
        0.096 0.05

    When to use it:
        When each step should shrink the rate by the same share, whatever the horizon; with a rate
        above 1 as the ramp of a learning-rate range test.

    Reference:
        Z. Li, S. Arora, "An Exponential Learning Rate Schedule for Deep Learning", 2019,
        arXiv:1910.07454.
    """
    if staircase:
        drops, _ = cycle(step, decay_steps)
        rate = init_value * geometric(decay_rate, drops)
    else:
        rate = init_value * geometric(decay_rate, step, decay_steps)
    if end_value is None:
        return rate
    falls = jnp.asarray(decay_rate) < 1
    return jnp.where(falls, jnp.maximum(rate, end_value), jnp.minimum(rate, end_value))


@schedule
def inverse_time_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_rate: NonNegative,
    decay_steps: Period,
    staircase: bool = False,
) -> ArrayLike:
    """The rate falls with the inverse of time: η(t) = η₀/(1 + k·t/T).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: k, the slope of the denominator over ``decay_steps``, >= 0; 0 keeps the rate.
        decay_steps: T, steps, >= 1. At t = T the rate is η₀/(1 + k).
        staircase: whether t/T is rounded down.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Example:
        >>> s = inverse_time_decay(0.1, decay_rate=1.0, decay_steps=10)
        >>> print(s(0), s(10), s(30))
        0.1 0.05 0.025

    When to use it:
        Where theory asks for a rate like 1/t, as for strongly convex problems, or when the
        horizon is not known.

    Reference:
        H. Robbins, S. Monro, "A Stochastic Approximation Method", Annals of Mathematical
        Statistics 22(3), 1951.
    """
    if staircase:
        time = as_float(cycle(step, decay_steps)[0])
    else:
        time = as_float(step) / jnp.maximum(as_float(decay_steps), 1)
    return init_value / (1 + decay_rate * time)


@schedule
def natural_exp_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_rate: NonNegative,
    decay_steps: Period,
    staircase: bool = False,
) -> ArrayLike:
    """The rate falls in proportion to itself: η(t) = η₀·e^(−k·t/T).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: k, the share lost over a T cut into many parts, >= 0; 0 keeps the rate.
        decay_steps: T, steps, >= 1. At t = T the rate is η₀/e^k.
        staircase: whether t/T is rounded down.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Example:
        >>> s = natural_exp_decay(0.1, decay_rate=0.5, decay_steps=10)
        >>> print(s(0), s(10), s(20))
        0.1 0.060653067 0.03678795

    When to use it:
        Where a time constant is given, T/k. With a factor over T steps instead, it is
        :func:`exponential_decay`.

    Reference:
        M. Abadi et al., "TensorFlow: Large-Scale Machine Learning on Heterogeneous Distributed
        Systems", 2016, arXiv:1603.04467, whose natural_exp_decay this is.
    """
    if staircase:
        drops, _ = cycle(step, decay_steps)
        return init_value * exponential(-decay_rate, drops)
    return init_value * exponential(-decay_rate, step, decay_steps)


@schedule
def inverse_sqrt_decay(step: Array, init_value: Rate, *, timescale: Period) -> ArrayLike:
    """The rate falls with the root of time: η(t) = η₀/√(1 + t/τ).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        timescale: τ, steps, >= 1. At t = 3τ the rate is half of η₀.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Example:
        >>> from lr_optax import warmup
        >>> s = inverse_sqrt_decay(0.1, timescale=100)
        >>> print(s(0), s(300), s(1500))
        0.1 0.05 0.025
        >>> print(warmup(s, warmup_steps=100)(400))  # η₀·√(w/t), if τ = w
        0.05

    When to use it:
        Behind :func:`warmup`, when the length of the run is not known, with a cooldown whenever a
        model is wanted (:func:`cooldown_from`).

    Reference:
        X. Zhai, A. Kolesnikov, N. Houlsby, L. Beyer, "Scaling Vision Transformers", 2021,
        arXiv:2106.04560, section 3.5.
    """
    timescale = jnp.maximum(as_float(timescale), 1)
    return init_value * jnp.sqrt(timescale / (timescale + as_float(step)))


@schedule
def inverse_power_decay(
    step: Array, init_value: Rate, *, power: NonNegative, timescale: Period
) -> ArrayLike:
    """The rate falls with a power of time: η(t) = η₀·(1 + t/τ)^−p.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        power: p >= 0; ½ is :func:`inverse_sqrt_decay`, 1 is :func:`inverse_time_decay`, 0 keeps
            the rate.
        timescale: τ, steps, >= 1. At t = τ the rate is η₀/2^p.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Example:
        >>> s = inverse_power_decay(0.1, power=2.0, timescale=10)
        >>> print(s(0), s(10), s(30))
        0.1 0.025 0.00625

    When to use it:
        For a run that may stop at any time, together with an average of the weights. Between ½
        and 1 the sum of rates diverges and that of their squares converges, as convergence
        theorems ask.

    Reference:
        H. Robbins, S. Monro, "A Stochastic Approximation Method", Annals of Mathematical
        Statistics 22(3), 1951.
    """
    timescale = jnp.maximum(as_float(timescale), 1)
    return init_value * (1 + as_float(step) / timescale) ** -as_float(power)


@schedule
def power_law(
    step: Array,
    max_value: Rate,
    *,
    batch_size: Positive,
    tokens_per_step: Positive,
    amplitude: NonNegative = 4.6,
    exponent: NonNegative = 0.51,
) -> ArrayLike:
    """The power scheduler: a rate set by the tokens seen, η(t) = min(η_max, β·a·(n·t)^−b).

    Args:
        max_value: η_max, the ceiling, which is the rate at step 0, >= 0.
        batch_size: β, sequences in a batch, > 0.
        tokens_per_step: n, tokens in a batch, > 0.
        amplitude: a >= 0.
        exponent: b >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Example:
        >>> s = power_law(0.02, batch_size=16.0, tokens_per_step=1e4, amplitude=1.0, exponent=0.5)
        >>> print(s(0), s(64), s(256), s(1024))
        0.02 0.02 0.01 0.005

    When to use it:
        In the pre-training of language models with μP, to move one setting across batch sizes and
        numbers of tokens; with :func:`warmup` in front and :func:`cooldown_from` at the end. The
        defaults are the authors'.

    Reference:
        Y. Shen et al., "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate
        Scheduler", 2024, arXiv:2408.13359.
    """
    begun = step > 0
    time = jnp.where(begun, as_float(step), 1)
    if is_number(tokens_per_step) and is_number(exponent):
        height = tokens_per_step**-exponent
    else:
        tokens = as_float(tokens_per_step)
        height = jnp.where(tokens > 0, tokens, 1) ** -as_float(exponent)
    rate = batch_size * amplitude * height * time ** -as_float(exponent)
    return jnp.where(begun, jnp.minimum(rate, max_value), max_value)
