"""Choose a schedule before the compute is spent."""

from lr_optax.foresight.sweep import sweep as sweep
