"""Rules for another batch size: plain functions of numbers, for when a schedule is set up."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import (
    Fraction,
    NonNegative,
    Number,
    Period,
    Positive,
    Rate,
    exceeds,
    is_known,
    validated,
)
from lr_optax._core.schedule import Schedule
from lr_optax.schedules.combine import Inner, scale


@validated
def linear_scaling(rate: Rate, *, batch_size: Positive, base_batch_size: Positive) -> Number:
    """The rate of SGD for another batch size: η·B/B₀ (Goyal et al. 2017, arXiv:1706.02677).

    With a warm-up, as long as the batch is well below the gradient's noise scale.

    Args:
        rate: η, found with ``base_batch_size``.
        batch_size: B, the new size.
        base_batch_size: B₀, the old one, in the same unit.

    Returns:
        The rate for ``batch_size``.

    Example:
        >>> linear_scaling(0.1, batch_size=1024, base_batch_size=256)
        0.4
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

    With Adam and RMSprop, where the noise of the gradients outweighs the gradients; the number of
    steps falls by κ (Malladi et al. 2022, arXiv:2205.10287).

    Args:
        learning_rate: η, found with ``base_batch_size``.
        batch_size: B, the new size.
        base_batch_size: B₀, the old one, in the same unit.
        b1: β₁ of the old run.
        b2: β₂ of the old run.
        eps: ε of the old run.

    Raises:
        ValueError: the batch grows so much that a beta would fall below 0.

    Returns:
        The settings for ``batch_size``; they belong together.

    Example:
        >>> sqrt_scaling(1e-3, batch_size=1024, base_batch_size=256)
        AdamSettings(learning_rate=0.002, b1=0.6, b2=0.996, eps=5e-09)
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

    For Adam's β₂ when the batch size changes, above all to small batches (Marek et al. 2025,
    arXiv:2507.07101).

    Args:
        beta: β, the decay per step in the old run.
        batch_size: B, the new size.
        base_batch_size: B₀, the old one, in the same unit.

    Returns:
        The decay per step for ``batch_size``.

    Example:
        >>> round(beta_for_batch(0.95, batch_size=1, base_batch_size=512), 4)
        0.9999
    """
    return beta ** (batch_size / base_batch_size)


@validated
def beta_half_life(beta: Fraction, *, per_step: Positive = 1) -> Number:
    """After how long a value counts half in an average with decay β: ln ½ / ln β steps.

    Args:
        beta: β in [0, 1], the decay per step, a Python number; 1 never forgets.
        per_step: tokens or samples per step, > 0; 1 counts steps.

    Returns:
        Steps, or what ``per_step`` counts; infinite for β = 1.

    Example:
        >>> round(beta_half_life(0.95, per_step=1000))
        13513
    """
    rate = -math.log(beta) if beta else math.inf
    return per_step * math.log(2) / rate if rate else math.inf


@validated
def noise_scale_sgd(max_rate: Rate, *, batch_size: Positive, noise_scale: Positive) -> Number:
    """The best rate of SGD for a batch size: η_max/(1 + B_noise/B).

    From McCandlish et al., "An Empirical Model of Large-Batch Training", 2018, arXiv:1812.06162.

    Args:
        max_rate: η_max, the best rate without noise.
        batch_size: B.
        noise_scale: B_noise, the gradient noise scale, in the unit of B.

    Returns:
        The rate; half of ``max_rate`` at B = B_noise.

    Example:
        >>> noise_scale_sgd(0.4, batch_size=300, noise_scale=100)
        0.3
    """
    return max_rate / (1 + noise_scale / batch_size)


@validated
def noise_scale_adam(max_rate: Rate, *, batch_size: Positive, noise_scale: Positive) -> Number:
    """The best rate of Adam for a batch size: 2η_max/(√(B_noise/B) + √(B/B_noise)).

    From Li et al., "Surge Phenomenon in Optimal Learning Rate and Batch Size Scaling", 2024,
    arXiv:2405.14578.

    Args:
        max_rate: η_max, the best rate there is, at B = B_noise.
        batch_size: B.
        noise_scale: B_noise, in the unit of B.

    Returns:
        The rate. It rises like √B up to B_noise, and falls again.

    Example:
        >>> noise_scale_adam(0.5, batch_size=400, noise_scale=100)
        0.4
    """
    root = (noise_scale / batch_size) ** 0.5
    return 2 * max_rate / (root + 1 / root)


@validated
def adamw_timescale(rate: Rate, *, weight_decay: NonNegative) -> Number:
    """How many steps AdamW's weights remember: τ = 1/(η·λ).

    To compare runs: weights are an average over the last τ updates, and a good τ is a fixed share
    of the run or number of epochs. Keep η·λ·B fixed when the batch size changes (Wang and
    Aitchison 2024, arXiv:2405.13698).

    Args:
        rate: η.
        weight_decay: λ, decoupled and multiplied by the rate, as in ``optax.adamw``.

    Returns:
        Steps; infinite without weight decay.

    Example:
        >>> round(adamw_timescale(1e-3, weight_decay=0.1))
        10000
    """
    share = rate * weight_decay
    return 1 / share if exceeds(share, 0) or not is_known(share) else math.inf


@validated
def adamw_update_weights(
    schedule: Inner, *, weight_decay: NonNegative, total_steps: Period
) -> tuple[Array, Array]:
    """The shares of the initialization, s, and of AdamW's updates, all c_t, in the final weights.

    After n steps the weights are s·θ₀ + Σ c_t·(−u_t/λ), with the updates u_t,
    c_t = η_t·λ·∏_{j>t}(1 − η_j·λ), and s = ∏(1 − η_t·λ); all of them add up to 1 (Bergsma et al.
    2025, arXiv:2502.15938). With a decay to zero early updates keep their weight; with weight decay
    and a long run nothing is left of the initialization.

    Args:
        schedule: the rate η_t.
        weight_decay: λ, decoupled and multiplied by the rate, as in ``optax.adamw``.
        total_steps: n >= 1, the updates of the whole run.

    Returns:
        s, and the vector of all c_t.

    Example:
        >>> from lr_optax import constant
        >>> survival, weights = adamw_update_weights(constant(0.5), weight_decay=1.0,
        ...                                          total_steps=3)
        >>> print(survival, weights)
        0.125 [0.125 0.25  0.5  ]
    """
    shares = as_float(schedule(jnp.arange(total_steps))) * as_float(weight_decay)
    kept = jnp.cumprod((1 - shares)[::-1])[::-1]
    later = jnp.append(kept[1:], jnp.ones_like(kept[:1]))
    return kept[0], shares * later


@validated
def proportional_weight_decay(
    schedule: Inner, *, weight_decay: NonNegative, peak_value: Positive
) -> Schedule:
    """A weight decay that follows the rate: λ_t = λ·η_t/η_max (AdamC).

    For layers followed by a normalization, whose gradients otherwise grow at the end of training
    when the rate decays (Defazio 2025, arXiv:2506.02285).

    Args:
        schedule: the rate η_t.
        weight_decay: λ, the weight decay at the peak.
        peak_value: η_max, the peak of the rate.

    Returns:
        A schedule for the weight decay.

    Example:
        >>> from lr_optax import linear
        >>> s = proportional_weight_decay(linear(0.02, end_value=0.0, transition_steps=10),
        ...                               weight_decay=0.1, peak_value=0.02)
        >>> print(s(0), s(5), s(10))
        0.1 0.05 0.0
    """
    return scale(schedule, factor=weight_decay / peak_value)
