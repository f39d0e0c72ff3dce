"""Smooth decays: to an end value over a length, or for ever."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import (
    as_float,
    blend,
    cycle,
    geometric,
    progress,
)
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Factor, Period, Rate, Steps, is_known


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
    decay_rate: Factor,
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
        TypeError, ValueError: an argument breaks its rule, or ``end_value`` lies on the wrong side
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
    decay_rate: Rate,
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

    Raises:
        TypeError, ValueError: an argument breaks its rule.

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
def linear(step: Array, init_value: Rate, *, end_value: Rate, transition_steps: Steps) -> ArrayLike:
    """A straight line from one rate to another, then level: η(t) = η₀ + (η₁ − η₀)·min(t/T, 1).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate from ``transition_steps`` on, >= 0; may be larger (a warm-up).
        transition_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = linear(0.1, end_value=0.0, transition_steps=1000)
        >>> print(s(0), s(500), s(1000))
        0.1 0.05 0.0

    When to use it:
        As the default for a run of known length: decay to zero matches or beats cosine in most
        published comparisons, and convex theory predicts it.

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831.
    """
    return blend(shapes.linear(*progress(step, transition_steps)), init_value, end_value)


@schedule
def polynomial(
    step: Array, init_value: Rate, *, end_value: Rate, power: Factor, transition_steps: Steps
) -> ArrayLike:
    """A power of what is left: η(t) = η₁ + (η₀ − η₁)·(1 − t/T)^p, then η₁.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate from ``transition_steps`` on, >= 0.
        power: p > 0; 1 is :func:`linear`, below 1 the fall comes late, above 1 early.
        transition_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = polynomial(0.01, end_value=0, power=0.9, transition_steps=1000)
        >>> print(s(0), s(500), s(1000))
        0.01 0.0053588673 0.0

    When to use it:
        In semantic segmentation, where power 0.9 is customary; elsewhere to bend a linear decay.

    Reference:
        W. Liu, A. Rabinovich, A. C. Berg, "ParseNet: Looking Wider to See Better", 2015,
        arXiv:1506.04579.
    """
    weights = shapes.linear(*progress(step, transition_steps))
    return blend(shapes.power(weights, power), init_value, end_value)


@schedule
def cosine_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    exponent: Factor = 1.0,
) -> ArrayLike:
    """Half a cosine: η(t) = η₁ + (η₀ − η₁)·(½(1 + cos(πt/T)))^p, then η₁.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        exponent: p > 0; above 1 the fall comes earlier.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on; it does not rise again.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = cosine_decay(0.1, decay_steps=1000, end_value=0.01)
        >>> print(s(0), s(500), s(1000), s(2000))
        0.1 0.055 0.01 0.01

    When to use it:
        As a smooth decay over a run of known length, usually behind :func:`warmup`. Let it end
        near zero: an end at a tenth of the peak costs more than the choice of shape.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
        arXiv:1608.03983, equation 5, without restarts.
    """
    weights = shapes.cosine(*progress(step, decay_steps))
    return blend(shapes.power(weights, exponent), init_value, end_value)
