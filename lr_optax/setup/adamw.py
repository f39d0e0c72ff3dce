"""AdamW's companions of the rate: its timescale, what survives of the start, weight decay."""

import math

import jax.numpy as jnp
from jax import Array

from lr_optax._core.arguments import NonNegative, Number, Period, Positive, Rate, exceeds, is_known
from lr_optax._core.schedule import Schedule
from lr_optax._core.signature import validated
from lr_optax._core.steps import as_float
from lr_optax.schedules.combine import scale
from lr_optax.schedules.inner import Inner


@validated
def adamw_timescale(rate: Rate, *, weight_decay: NonNegative) -> Number:
    """How many steps AdamW's weights remember: τ = 1/(η·λ).

    Args:
        rate: η.
        weight_decay: λ, decoupled and multiplied by the rate, as in ``optax.adamw``.

    Returns:
        Steps; infinite without weight decay.

    Example:
        >>> round(adamw_timescale(1e-3, weight_decay=0.1))
        10000

    When to use it:
        To compare runs: weights are an average over the last τ updates, and a good τ is a fixed
        share of the run or number of epochs. Keep η·λ·B fixed when the batch size changes.

    Reference:
        X. Wang, L. Aitchison, "How to Set AdamW's Weight Decay as You Scale Model and Dataset
        Size", 2024, arXiv:2405.13698.
    """
    share = rate * weight_decay
    return 1 / share if exceeds(share, 0) or not is_known(share) else math.inf


@validated
def adamw_update_weights(
    schedule: Inner, *, weight_decay: NonNegative, total_steps: Period
) -> tuple[Array, Array]:
    """How much each of AdamW's updates, and the initialisation, count in the final weights.

    After n steps the weights are s·θ₀ + Σ c_t·(−u_t/λ), with the updates u_t,
    c_t = η_t·λ·∏_{j>t}(1 − η_j·λ), and s = ∏(1 − η_t·λ); all of them add up to 1.

    Args:
        schedule: the rate η_t.
        weight_decay: λ, decoupled and multiplied by the rate, as in ``optax.adamw``.
        total_steps: n >= 1, the updates of the whole run.

    Returns:
        s, the share of the initialisation that survives, and the vector of all c_t.

    Example:
        >>> from lr_optax import constant
        >>> survival, weights = adamw_update_weights(constant(0.5), weight_decay=1.0,
        ...                                          total_steps=3)
        >>> print(survival, weights)
        0.125 [0.125 0.25  0.5  ]

    When to use it:
        To see how a schedule averages: with a decay to zero early updates keep their weight, and
        with weight decay and a long run nothing is left of the initialisation.

    Reference:
        S. Bergsma et al., "Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works
        Best for LLMs", 2025, arXiv:2502.15938.
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

    Args:
        schedule: the rate η_t.
        weight_decay: λ, the weight decay at the peak.
        peak_value: η_max, the peak of the rate.

    Returns:
        A :class:`~lr_optax.Schedule` for the weight decay.

    Example:
        >>> from lr_optax import linear
        >>> s = proportional_weight_decay(linear(0.02, end_value=0.0, transition_steps=10),
        ...                               weight_decay=0.1, peak_value=0.02)
        >>> print(s(0), s(5), s(10))
        0.1 0.05 0.0

    When to use it:
        For layers followed by a normalisation, whose gradients otherwise grow at the end of
        training when the rate decays.

    Reference:
        A. Defazio, "Why Gradients Rapidly Increase Near the End of Training", 2025,
        arXiv:2506.02285.
    """
    return scale(schedule, factor=weight_decay / peak_value)
