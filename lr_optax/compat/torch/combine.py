"""PyTorch's schedulers made of functions, or of other schedulers."""

from collections.abc import Callable
from typing import cast

import numpy as np

from lr_optax._parameters import validated
from lr_optax._schedule import Schedule
from lr_optax.hyperparameters import Boundaries, Period, Rate
from lr_optax.schedules import join, lookup, product, scale
from lr_optax.schedules.inner import Inner, Inners


@validated
def LambdaLR(base_lr: Rate, lr_lambda: Inner) -> Schedule:
    """The rate times a function of the step: η(t) = b·λ(t).

    Args:
        base_lr: b, >= 0.
        lr_lambda: λ, a schedule, or a function of the step written with ``jax.numpy``.

    Returns:
        A :func:`lr_optax.scale`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = LambdaLR(0.1, lambda step: 1 / (1 + step))
        >>> print(s(0), s(1), s(3))
        0.1 0.05 0.025

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.LambdaLR.
    """
    return scale(lr_lambda, factor=base_lr)


@validated
def MultiplicativeLR(
    base_lr: Rate, lr_lambda: Callable[[int], float], *, total_steps: Period
) -> Schedule:
    """The rate times one more factor at every step: η(t) = b·λ(1)·λ(2)·...·λ(t).

    Args:
        base_lr: b, the rate at step 0, >= 0; known, not traced.
        lr_lambda: λ, any Python function of a whole number. It is called now, for all steps.
        total_steps: how many rates to tabulate, >= 1; from then on the last one is held.

    Returns:
        A :func:`lr_optax.lookup`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = MultiplicativeLR(0.1, lambda epoch: 0.5, total_steps=100)
        >>> print(s(0), s(1), s(2))
        0.1 0.05 0.025

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.MultiplicativeLR.
    """
    factors = map(lr_lambda, range(1, cast(int, total_steps)))
    return lookup(np.cumprod(np.asarray([base_lr, *factors], np.float64)))


@validated
def SequentialLR(schedulers: Inners, milestones: Boundaries) -> Schedule:
    """One schedule after another, each on a clock of its own that begins at its milestone.

    Args:
        schedulers: schedules, at least one, each with its own base rate.
        milestones: the steps at which the next one takes over, ascending, one fewer.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the numbers do not match.

    Example:
        >>> from lr_optax.compat.torch import CosineAnnealingLR, LinearLR
        >>> s = SequentialLR([LinearLR(1.0, start_factor=0.25, total_iters=3),
        ...                   CosineAnnealingLR(1.0, T_max=4)], milestones=[3])
        >>> print(s(0), s(2), s(3), s(5), s(7))
        0.25 0.75 1.0 0.5 0.0

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.SequentialLR.
    """
    return join(schedulers, boundaries=milestones)


@validated
def ChainedScheduler(schedulers: Inners) -> Schedule:
    """Several schedules at once: their product.

    One of them carries the base rate, the others are made with a base rate of 1. The values are
    torch's where its schedulers only multiply the rate: ConstantLR, LinearLR, ExponentialLR,
    StepLR, MultiStepLR, MultiplicativeLR, PolynomialLR, and CosineAnnealingLR up to its first
    minimum if that is zero. The others add to the rate or overwrite it in torch, so that what
    they do there depends on their order.

    Args:
        schedulers: schedules, at least one.

    Returns:
        A :func:`lr_optax.product`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> from lr_optax.compat.torch import ConstantLR, ExponentialLR
        >>> s = ChainedScheduler([ConstantLR(1.0, factor=0.1, total_iters=2),
        ...                       ExponentialLR(1.0, gamma=0.5)])
        >>> print(s(0), s(1), s(2), s(3))
        0.1 0.05 0.25 0.125

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.ChainedScheduler.
    """
    return product(schedulers)
