"""Decays that rise again on their way."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, blend, cycle, is_number, noise, progress, until
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Count, Factor, Number, Period, Rate, Steps


@schedule
def polynomial_cycles(
    step: Array, init_value: Rate, *, end_value: Rate, power: Factor, period: Period
) -> ArrayLike:
    """A polynomial decay whose horizon grows by T whenever it is reached.

    η(t) = η₁ + (η₀ − η₁)·(1 − t/(nT))^p with n = max(⌈t/T⌉, 1).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate at every multiple of T, >= 0.
        power: p > 0.
        period: T, steps, >= 1. Right after a multiple the rate is back at a lower peak, about
            1/n of the way up.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on for ever.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = polynomial_cycles(1.0, end_value=0.1, power=1, period=4)
        >>> print(s(0), s(2), s(4), s(5), s(8), s(9))
        1.0 0.55 0.1 0.4375 0.1 0.325

    When to use it:
        To go on past a planned end with warm restarts that shrink by themselves.

    Reference:
        M. Abadi et al., "TensorFlow: Large-Scale Machine Learning on Heterogeneous Distributed
        Systems", 2016, arXiv:1603.04467, whose polynomial_decay has this as ``cycle=True``.
    """
    index, position = cycle(step, period)
    horizon = jnp.maximum(as_float(period), 1) * (as_float(index) + 1)
    reached = (position <= 0) & (index > 0)
    left = jnp.where(reached, 0, as_float(until(period, position)) / horizon)
    gone = jnp.where(reached, 1, as_float(step) / horizon)
    return blend(shapes.power((left, gone), power), init_value, end_value)


@schedule
def linear_cosine_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    num_periods: Rate = 0.5,
    alpha: Rate = 0.0,
    beta: Rate = 0.001,
    initial_variance: Rate | None = None,
    variance_decay: Rate = 0.55,
    seed: Count = 0,
) -> ArrayLike:
    """A line times a cosine, with noise on the line if wanted.

    η(t) = η₀·((α + 1 − x + ε)·½(1 + cos 2πnx) + β), x = min(t/T, 1), never below 0, where ε is
    normal with variance v/(1 + min(t, T))^k, drawn anew at every step.

    Args:
        init_value: η₀, >= 0; the rate at step 0 is η₀·(1 + α + β).
        decay_steps: T, steps, >= 0; then the rate is held. With the default ``num_periods`` it is
            η₀·β there.
        num_periods: n >= 0, periods of the cosine over T.
        alpha: α >= 0, raises the line.
        beta: β >= 0, a floor, in units of η₀.
        initial_variance: v >= 0, the variance of the noise at step 0; None for no noise.
        variance_decay: k >= 0, how fast it falls.
        seed: chooses the noise, which is a function of seed and step alone.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = linear_cosine_decay(0.1, decay_steps=10)
        >>> print(s(0), s(5), s(10))
        0.1001 0.0251 0.0001

    When to use it:
        To reproduce results that used it: it came out of a search over formulas for optimizers.

    Reference:
        I. Bello, B. Zoph, V. Vasudevan, Q. V. Le, "Neural Optimizer Search with Reinforcement
        Learning", 2017, arXiv:1709.07417.
    """
    left, gone = progress(step, decay_steps)
    # ½(1 + cos 2πnx) = sin²(π(½ − nx)), counted in turns from the nearer end.
    from_start, from_end = 0.5 - _turn(num_periods * gone), _turn(num_periods * left)
    turns = jnp.where(gone < left, from_start, _turn(0.5 - num_periods) + from_end)
    wave = jnp.sin(math.pi * _turn(turns)) ** 2
    line = alpha + left
    if initial_variance is not None:
        time = jnp.minimum(as_float(step), as_float(decay_steps))
        line = line + _root(initial_variance) * noise(seed, step) * (1 + time) ** (
            -0.5 * as_float(variance_decay)
        )
    return init_value * jnp.maximum(line * wave + beta, 0)


def _turn(turns: Number) -> Number:
    """What a number of turns leaves to whole ones."""
    return turns - jnp.round(turns)


def _root(value: ArrayLike) -> ArrayLike:
    if is_number(value):
        return math.sqrt(value)
    value = as_float(value)
    return jnp.where(value > 0, jnp.sqrt(jnp.where(value > 0, value, 1)), 0)
