"""Rates set by a metric, as Optax transforms with their counters in a pytree."""

from lr_optax.feedback.greedylr import GreedyState as GreedyState
from lr_optax.feedback.greedylr import greedy as greedy
from lr_optax.feedback.observation import observe as observe
from lr_optax.feedback.plateau import PlateauState as PlateauState
from lr_optax.feedback.plateau import reduce_on_plateau as reduce_on_plateau
from lr_optax.feedback.transform import with_feedback as with_feedback
