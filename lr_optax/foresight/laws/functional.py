"""The functional scaling law, from stochastic gradient descent in kernel regression.

    R_k = B·(D + S(k−1)^−α)·(1 − (1 + C·(S(t) − S(k−1)))^−β)

When to use it:
    To compare with the multi-power law. A drop counts more the earlier it comes, and its effect
    unfolds with the distance traveled alone.

Reference:
    B. Li et al., "Functional Scaling Laws in Kernel Regression: Loss Dynamics and Learning Rate
    Schedules", 2025, arXiv:2509.19189.
"""

import jax.numpy as jnp
from jax import Array

from lr_optax.foresight._law import POWER_LAW, Changes, Law, LawParameters, Parameter


def functional_response(p: LawParameters, changes: Changes, traveled: Array, steps: Array) -> Array:
    """What a drop of 1 has taken off the loss once the run has traveled on."""
    del steps
    # At the first step nothing has been traveled: S^-α would be infinite, so that step counts.
    before = jnp.where(changes.before > 0, changes.before, changes.rate)
    noise = p["D"] + before ** -p["alpha"]
    return p["B"] * noise * -jnp.expm1(-p["beta"] * jnp.log1p(p["C"] * traveled))


LAW = Law(
    functional_response,
    POWER_LAW
    | {
        "B": Parameter(
            0.04, 1.0, unit=lambda p, run: run.loss * run.distance ** p["alpha"] / run.peak
        ),
        "C": Parameter(1000.0, 2.0, unit=lambda p, run: 1 / run.distance),
        "beta": Parameter(0.6, 0.5),
        "D": Parameter(1.0, 2.0, unit=lambda p, run: run.distance ** -p["alpha"]),
    },
)
