"""The multi-power law: the default, and the one to optimize schedules with.

    R_k = B·(1 − (1 + C·η_k^−γ·(S(t) − S(k−1)))^−β)

When to use it:
    First: how fast the effect of a drop unfolds depends on the rate after it, so the law has an
    opinion on how a cooldown should end.

Reference:
    K. Luo et al., "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules",
    2025, arXiv:2503.12811.
"""

import jax.numpy as jnp
from jax import Array

from lr_optax.foresight._law import POWER_LAW, Changes, Law, LawParameters, Parameter


def multi_power_response(
    p: LawParameters, changes: Changes, traveled: Array, steps: Array
) -> Array:
    """What a drop of 1 has taken off the loss once the run has traveled on."""
    del steps
    progress = p["C"] * changes.rate ** -p["gamma"] * traveled
    return p["B"] * -jnp.expm1(-p["beta"] * jnp.log1p(progress))


LAW = Law(
    multi_power_response,
    POWER_LAW
    | {
        "B": Parameter(0.04, 1.0, unit=lambda p, run: run.loss / run.peak),
        "C": Parameter(
            1000.0, 2.0, unit=lambda p, run: run.peak ** (p["gamma"] - 1) / run.total_steps
        ),
        "beta": Parameter(0.6, 1.0, bounded=True),
        "gamma": Parameter(0.6, 1.0, bounded=True),
    },
)
