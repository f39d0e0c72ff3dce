"""A fixed rate, and rates that drop at a step."""

import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.arguments import Boundaries, Period, Positive, Rate
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import (
    as_float,
    at_boundaries,
    cycle,
    default_float,
    geometric,
    is_number,
    passed,
)


@schedule
def constant(step: Array, value: Rate) -> ArrayLike:
    """The same rate at every step: η(t) = η₀.

    Args:
        value: η₀, the rate, >= 0. At 0 nothing is learned.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = constant(0.1)
        >>> print(s(0), s(10), s(1000))
        0.1 0.1 0.1

    When to use it:
        As the baseline that every other schedule has to beat, and inside :func:`join` or
        :func:`product`. With a fixed rate, training stops improving at a distance from the
        optimum that grows with the rate.

    Reference:
        L. Bottou, F. E. Curtis, J. Nocedal, "Optimization Methods for Large-Scale Machine
        Learning", 2016, arXiv:1606.04838, theorem 4.6.
    """
    return as_float(value)


@schedule
def step_decay(
    step: Array, init_value: Rate, *, decay_rate: Positive, decay_steps: Period
) -> ArrayLike:
    """A staircase: the rate is multiplied by a factor every so many steps, η(t) = η₀·γ^⌊t/T⌋.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: γ, the factor at each drop, > 0; 1 keeps the rate, more makes it grow.
        decay_steps: T, steps between drops, >= 1.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on dropping for ever.

    Example:
        >>> s = step_decay(0.1, decay_rate=0.5, decay_steps=10)
        >>> print(s(0), s(9), s(10), s(19), s(20), s(29))
        0.1 0.1 0.05 0.05 0.025 0.025

    When to use it:
        For networks trained with SGD in epochs, where drops at a fixed interval are known to
        work. Drops at chosen steps are :func:`multistep_decay`.

    Reference:
        R. Ge, S. M. Kakade, R. Kidambi, P. Netrapalli, "The Step Decay Schedule: A Near Optimal,
        Geometrically Decaying Learning Rate Procedure For Least Squares", 2019, arXiv:1904.12838.
    """
    drops, _ = cycle(step, decay_steps)
    return init_value * geometric(decay_rate, drops)


@schedule
def multistep_decay(
    step: Array, init_value: Rate, *, decay_rate: Positive, boundaries: Boundaries
) -> ArrayLike:
    """The rate is multiplied by a factor at chosen steps: η(t) = η₀·γ^(number of boundaries <= t).

    Args:
        init_value: η₀, the rate before the first boundary, >= 0.
        decay_rate: γ, the factor at each boundary, > 0.
        boundaries: the steps of the drops, whole numbers in ascending order; the new rate holds
            *at* the boundary. One given twice counts twice; an empty sequence drops never. A
            thousand of them cost one comparison.

    Returns:
        A :class:`~lr_optax.Schedule`. The last rate is held.

    Example:
        >>> s = multistep_decay(0.1, decay_rate=0.1, boundaries=(30, 60))
        >>> print(s(0), s(29), s(30), s(60))
        0.1 0.1 0.01 0.001

    When to use it:
        To reproduce recipes such as ResNet's, which divide the rate by 10 when the error
        plateaus at known epochs. If the plateaus are not known, use
        :func:`lr_optax.reduce_on_plateau`.

    Reference:
        K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", 2015,
        arXiv:1512.03385, section 4.2.
    """
    if not (is_number(init_value) and is_number(decay_rate)):
        return init_value * geometric(decay_rate, passed(step, boundaries))
    with np.errstate(over="ignore", under="ignore"):
        rates = init_value * np.float64(decay_rate) ** np.arange(len(boundaries) + 1)
        return at_boundaries(step, rates.astype(default_float()), boundaries)
