"""Choose a schedule before the compute is spent."""

from lr_optax.foresight.sweeping import sweep as sweep
