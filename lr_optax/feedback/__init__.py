"""Rates set by a metric, as Optax transforms with their counters in a pytree."""

from lr_optax.feedback.plateau import PlateauState as PlateauState
from lr_optax.feedback.plateau import reduce_on_plateau as reduce_on_plateau
