"""PyTorch's decays: each is one of this library's own, by another name."""

from typing import Literal

import optax

from lr_optax._parameters import validated
from lr_optax._schedule import Schedule
from lr_optax.compat._shared import at_most
from lr_optax.feedback import reduce_on_plateau
from lr_optax.hyperparameters import Boundaries, Count, Factor, Fraction, Period, Rate, Steps
from lr_optax.schedules import (
    constant,
    cosine_decay,
    exponential_decay,
    join,
    linear,
    multistep_decay,
    polynomial,
    step_decay,
)


@validated
def StepLR(base_lr: Rate, step_size: Period, gamma: Factor = 0.1) -> Schedule:
    """A drop every so many steps: η(t) = b·γ^⌊t/S⌋.

    Args:
        base_lr: b, the rate at step 0, >= 0.
        step_size: S, steps between drops, >= 1.
        gamma: γ, the factor at each drop, > 0.

    Returns:
        A :func:`lr_optax.step_decay`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = StepLR(0.1, step_size=30, gamma=0.1)
        >>> print(s(0), s(29), s(30), s(60))
        0.1 0.1 0.01 0.001

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.StepLR.
    """
    return step_decay(base_lr, decay_rate=gamma, decay_steps=step_size)


@validated
def MultiStepLR(base_lr: Rate, milestones: Boundaries, gamma: Factor = 0.1) -> Schedule:
    """A drop at each milestone: η(t) = b·γ^(number of milestones <= t).

    Args:
        base_lr: b, the rate at step 0, >= 0.
        milestones: the steps of the drops, ascending; one given twice counts twice.
        gamma: γ, the factor at each drop, > 0.

    Returns:
        A :func:`lr_optax.multistep_decay`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = MultiStepLR(0.1, milestones=[30, 80], gamma=0.1)
        >>> print(s(29), s(30), s(80))
        0.1 0.01 0.001

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.MultiStepLR.
    """
    return multistep_decay(base_lr, decay_rate=gamma, boundaries=milestones)


@validated
def ConstantLR(base_lr: Rate, factor: Fraction = 1 / 3, total_iters: Steps = 5) -> Schedule:
    """A share of the rate at first, then the whole: b·f for t < T, b from T on.

    Args:
        base_lr: b, the rate from ``total_iters`` on, >= 0.
        factor: f, in [0, 1].
        total_iters: T, steps, >= 0; at 0 the rate is b at once.

    Returns:
        A :func:`lr_optax.join` of two constants.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = ConstantLR(0.1, factor=0.5, total_iters=4)
        >>> print(s(0), s(3), s(4))
        0.05 0.05 0.1

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.ConstantLR.
    """
    return join((constant(base_lr * factor), constant(base_lr)), boundaries=(total_iters,))


@validated
def LinearLR(
    base_lr: Rate,
    start_factor: Fraction = 1 / 3,
    end_factor: Fraction = 1.0,
    total_iters: Steps = 5,
) -> Schedule:
    """A straight line between two shares of the rate: b·(s + (e − s)·min(t, T)/T).

    Args:
        base_lr: b, >= 0.
        start_factor: s, in [0, 1]; torch refuses 0, which is a warm-up from nothing.
        end_factor: e, in [0, 1].
        total_iters: T, steps, >= 0; at 0 the rate is b·e at once.

    Returns:
        A :func:`lr_optax.linear`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = LinearLR(0.1, start_factor=0.5, total_iters=4)
        >>> print(s(0), s(2), s(4))
        0.05 0.075 0.1

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.LinearLR.
    """
    return linear(
        base_lr * start_factor, end_value=base_lr * end_factor, transition_steps=total_iters
    )


@validated
def ExponentialLR(base_lr: Rate, gamma: Factor) -> Schedule:
    """The same factor at every step: η(t) = b·γ^t.

    Args:
        base_lr: b, the rate at step 0, >= 0.
        gamma: γ, > 0.

    Returns:
        A :func:`lr_optax.exponential_decay`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = ExponentialLR(0.1, gamma=0.5)
        >>> print(s(0), s(1), s(2))
        0.1 0.05 0.025

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.ExponentialLR.
    """
    return exponential_decay(base_lr, decay_rate=gamma, decay_steps=1)


@validated
def PolynomialLR(base_lr: Rate, total_iters: Steps = 5, power: Factor = 1.0) -> Schedule:
    """A power of what is left, to zero: η(t) = b·(1 − min(t, T)/T)^p.

    Args:
        base_lr: b, the rate at step 0, >= 0.
        total_iters: T, steps, >= 0; at 0 the rate is 0 at once.
        power: p > 0.

    Returns:
        A :func:`lr_optax.polynomial`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = PolynomialLR(0.1, total_iters=4, power=2.0)
        >>> print(s(0), s(2), s(4))
        0.1 0.025 0.0

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.PolynomialLR.
    """
    return polynomial(base_lr, end_value=0.0, power=power, transition_steps=total_iters)


@validated
def SWALR(
    base_lr: Rate,
    swa_lr: Rate,
    anneal_epochs: Steps = 10,
    anneal_strategy: Literal["cos", "linear"] = "cos",
) -> Schedule:
    """From the rate to the one for averaging weights, by half a cosine or a straight line.

    Args:
        base_lr: the rate at step 0, >= 0.
        swa_lr: the rate from ``anneal_epochs`` on, >= 0.
        anneal_epochs: steps, >= 0; at 0 the rate is ``swa_lr`` at once.
        anneal_strategy: "cos" or "linear".

    Returns:
        A :func:`lr_optax.cosine_decay` or :func:`lr_optax.linear`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = SWALR(1.0, swa_lr=0.1, anneal_epochs=4)
        >>> print(s(0), s(2), s(4))
        1.0 0.55 0.1

    Reference:
        PyTorch 2.13, torch.optim.swa_utils.SWALR.
    """
    if anneal_strategy == "cos":
        return cosine_decay(base_lr, decay_steps=anneal_epochs, end_value=swa_lr)
    return linear(base_lr, end_value=swa_lr, transition_steps=anneal_epochs)


@validated
def ReduceLROnPlateau(
    base_lr: Factor,
    mode: Literal["min", "max"] = "min",
    factor: Factor = 0.1,
    patience: Count = 10,
    threshold: Rate = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: Count = 0,
    min_lr: Rate = 0.0,
    eps: Rate = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    The rate is ``base_lr`` times the transform's ``scale``: ``optax.chain(optax.sgd(base_lr), tx)``
    updated with ``value=metric``.

    Args:
        base_lr: the optimizer's rate, > 0; ``min_lr`` and ``eps`` are relative to it here.
        mode: whether the metric should fall, "min", or rise, "max".
        factor: what the rate is multiplied by, between 0 and 1.
        patience: how many bad checks in a row are tolerated, >= 0.
        threshold: the smallest improvement that counts, >= 0.
        threshold_mode: whether the threshold is relative to the best metric, "rel", or "abs".
        cooldown: how many checks after a cut are never bad, >= 0.
        min_lr: the smallest rate, >= 0.
        eps: a cut that would lower the rate by no more than this is not made, >= 0.

    Returns:
        A :func:`lr_optax.reduce_on_plateau`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> tx = ReduceLROnPlateau(0.1, factor=0.5, patience=0)
        >>> state = tx.init(None)
        >>> for loss in (1.0, 1.0):
        ...     _, state = tx.update(None, state, value=loss)
        >>> print(0.1 * state.scale)
        0.05

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.ReduceLROnPlateau.
    """
    return reduce_on_plateau(
        factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        mode=mode,
        cooldown=cooldown,
        # A floor above the rate makes torch never cut; so does one equal to it.
        min_scale=at_most(1.0, min_lr / base_lr),
        eps=eps / base_lr,
    )
