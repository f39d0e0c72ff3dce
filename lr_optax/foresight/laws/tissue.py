"""The annealing law of Tissue et al.: a drop works like momentum, step by step.

    R_k = C·(1 − λ^(t−k+1))/(1 − λ)

When to use it:
    As the simplest law: five parameters. Not to optimize a schedule.

Reference:
    H. Tissue et al., "Scaling Law with Learning Rate Annealing", 2024, arXiv:2408.11029.
"""

import jax.numpy as jnp
from jax import Array

from lr_optax.foresight._law import POWER_LAW, Changes, Law, LawParameters, Parameter


def tissue_response(p: LawParameters, changes: Changes, traveled: Array, steps: Array) -> Array:
    """The annealing momentum that a drop of 1 has brought after so many steps."""
    del changes, traveled
    decay = p["lambda"]
    return p["C"] * -jnp.expm1((steps + 1) * jnp.log(decay)) / (1 - decay)


LAW = Law(
    tissue_response,
    POWER_LAW
    | {
        "C": Parameter(4e-5, 1.0, unit=lambda p, run: run.loss / run.peak),
        "lambda": Parameter(0.999, 2.0, bounded=True),
    },
    not_to_optimize=(
        "under the tissue law the optimum is always to hold the peak until the last steps; "
        "optimize a multi_power fit instead"
    ),
)
