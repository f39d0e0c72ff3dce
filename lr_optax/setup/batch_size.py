"""Rules for another batch size: plain functions of numbers, for when a schedule is set up."""

import math
from typing import NamedTuple

from lr_optax._core.arguments import Fraction, NonNegative, Number, Positive, Rate, exceeds
from lr_optax._core.signature import validated


@validated
def linear_scaling(rate: Rate, *, batch_size: Positive, base_batch_size: Positive) -> Number:
    """The rate of SGD for another batch size: η·B/B₀.

    Args:
        rate: η, found with ``base_batch_size``.
        batch_size: B, the new size.
        base_batch_size: B₀, the old one, in the same unit.

    Returns:
        The new rate.

    Example:
        >>> linear_scaling(0.1, batch_size=1024, base_batch_size=256)
        0.4

    When to use it:
        With SGD, as long as the batch is well below the gradient's noise scale, with a warm-up.

    Reference:
        P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
        arXiv:1706.02677.
    """
    return rate * (batch_size / base_batch_size)


class AdamSettings(NamedTuple):
    """What Adam is called with, in Optax's words."""

    learning_rate: Number
    b1: Number
    b2: Number
    eps: Number


@validated
def sqrt_scaling(
    learning_rate: Rate,
    *,
    batch_size: Positive,
    base_batch_size: Positive,
    b1: Fraction = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
) -> AdamSettings:
    """Adam for another batch size: with κ = B/B₀, η·√κ, 1 − κ(1 − β) for both betas, ε/√κ.

    Args:
        learning_rate: η, found with ``base_batch_size``.
        batch_size: B, the new size.
        base_batch_size: B₀, the old one, in the same unit.
        b1: β₁ of the old run.
        b2: β₂ of the old run.
        eps: ε of the old run.

    Returns:
        All four new settings; they belong together.

    Raises:
        ValueError: the batch grows so much that a beta would fall below 0.

    Example:
        >>> sqrt_scaling(1e-3, batch_size=1024, base_batch_size=256)
        AdamSettings(learning_rate=0.002, b1=0.6, b2=0.996, eps=5e-09)

    When to use it:
        With Adam and RMSprop, where the noise of the gradients outweighs the gradients; the number
        of steps falls by κ.

    Reference:
        S. Malladi, K. Lyu, A. Panigrahi, S. Arora, "On the SDEs and Scaling Rules for Adaptive
        Gradient Algorithms", 2022, arXiv:2205.10287.
    """
    ratio = batch_size / base_batch_size
    if exceeds(ratio * (1 - b1), 1) or exceeds(ratio * (1 - b2), 1):
        raise ValueError(
            f"sqrt_scaling: `batch_size` must be at most {1 / (1 - min(b1, b2)):.4g} times "
            f"`base_batch_size`, so that no beta falls below 0, got {ratio:.4g} times it"
        )
    return AdamSettings(
        learning_rate=learning_rate * ratio**0.5,
        b1=1 - ratio * (1 - b1),
        b2=1 - ratio * (1 - b2),
        eps=eps / ratio**0.5,
    )


@validated
def beta_for_batch(beta: Fraction, *, batch_size: Positive, base_batch_size: Positive) -> Number:
    """A beta whose average spans the same number of tokens: β^(B/B₀).

    Args:
        beta: β, the decay per step in the old run.
        batch_size: B, the new size.
        base_batch_size: B₀, the old one, in the same unit.

    Returns:
        The new decay per step.

    Example:
        >>> round(beta_for_batch(0.95, batch_size=1, base_batch_size=512), 4)
        0.9999

    When to use it:
        For Adam's β₂ when the batch size changes, most of all towards small batches.

    Reference:
        M. Marek, S. Lotfi, A. Somasundaram, A. G. Wilson, M. Goldblum, "Small Batch Size Training
        for Language Models: When Vanilla SGD Works, and Why Gradient Accumulation Is Wasteful",
        2025, arXiv:2507.07101.
    """
    return beta ** (batch_size / base_batch_size)


@validated
def beta_half_life(beta: Fraction, *, per_step: Positive = 1) -> Number:
    """How far back an average with decay β reaches: ln ½ / ln β steps, each worth ``per_step``.

    Args:
        beta: β in [0, 1], the decay per step, a Python number; 1 never forgets.
        per_step: tokens or samples per step, > 0; 1 counts steps.

    Returns:
        What goes by until a value's weight has halved.

    Example:
        >>> round(beta_half_life(0.95, per_step=1000))
        13513
    """
    rate = -math.log(beta) if beta else math.inf
    return per_step * math.log(2) / rate if rate else math.inf


@validated
def noise_scale_sgd(max_rate: Rate, *, batch_size: Positive, noise_scale: Positive) -> Number:
    """The best rate of SGD for a batch size: η_max/(1 + B_noise/B).

    Args:
        max_rate: η_max, the best rate without noise.
        batch_size: B.
        noise_scale: B_noise, the gradient noise scale, in the unit of B.

    Returns:
        The rate; half of ``max_rate`` at B = B_noise.

    Example:
        >>> noise_scale_sgd(0.4, batch_size=300, noise_scale=100)
        0.3

    Reference:
        S. McCandlish, J. Kaplan, D. Amodei, et al., "An Empirical Model of Large-Batch Training",
        2018, arXiv:1812.06162.
    """
    return max_rate / (1 + noise_scale / batch_size)


@validated
def noise_scale_adam(max_rate: Rate, *, batch_size: Positive, noise_scale: Positive) -> Number:
    """The best rate of Adam for a batch size: 2η_max/(√(B_noise/B) + √(B/B_noise)).

    Args:
        max_rate: η_max, the best rate there is, at B = B_noise.
        batch_size: B.
        noise_scale: B_noise, in the unit of B.

    Returns:
        The rate. It rises like √B, peaks at B_noise, and falls again.

    Example:
        >>> noise_scale_adam(0.5, batch_size=400, noise_scale=100)
        0.4

    Reference:
        S. Li et al., "Surge Phenomenon in Optimal Learning Rate and Batch Size Scaling", 2024,
        arXiv:2405.14578.
    """
    root = (noise_scale / batch_size) ** 0.5
    return 2 * max_rate / (root + 1 / root)
