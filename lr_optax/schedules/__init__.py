"""The catalogue: every schedule, by family."""

from collections.abc import Callable

from lr_optax._schedule import REGISTRY, Schedule
from lr_optax.schedules.anytime import inverse_power_decay as inverse_power_decay
from lr_optax.schedules.anytime import inverse_sqrt_decay as inverse_sqrt_decay
from lr_optax.schedules.anytime import natural_exp_decay as natural_exp_decay
from lr_optax.schedules.anytime import power_law as power_law
from lr_optax.schedules.budget import budget_aware_decay as budget_aware_decay
from lr_optax.schedules.budget import hyperbolic_decay as hyperbolic_decay
from lr_optax.schedules.budget import k_decay as k_decay
from lr_optax.schedules.budget import shaped_decay as shaped_decay
from lr_optax.schedules.budget import tanh_decay as tanh_decay
from lr_optax.schedules.combine import add as add
from lr_optax.schedules.combine import clip as clip
from lr_optax.schedules.combine import join as join
from lr_optax.schedules.combine import product as product
from lr_optax.schedules.combine import scale as scale
from lr_optax.schedules.combine import shift as shift
from lr_optax.schedules.combine import switch as switch
from lr_optax.schedules.cycles import one_cycle as one_cycle
from lr_optax.schedules.cycles import one_cycle_momentum as one_cycle_momentum
from lr_optax.schedules.cycles import snapshot_cycles as snapshot_cycles
from lr_optax.schedules.cyclical import cosine_annealing as cosine_annealing
from lr_optax.schedules.cyclical import cyclical as cyclical
from lr_optax.schedules.decay import cosine_decay as cosine_decay
from lr_optax.schedules.decay import exponential_decay as exponential_decay
from lr_optax.schedules.decay import inverse_time_decay as inverse_time_decay
from lr_optax.schedules.decay import linear as linear
from lr_optax.schedules.decay import polynomial as polynomial
from lr_optax.schedules.inner import foreign as foreign
from lr_optax.schedules.noiseless import chebyshev as chebyshev
from lr_optax.schedules.noiseless import silver as silver
from lr_optax.schedules.oscillating import linear_cosine_decay as linear_cosine_decay
from lr_optax.schedules.oscillating import polynomial_cycles as polynomial_cycles
from lr_optax.schedules.recipes import multistep_811 as multistep_811
from lr_optax.schedules.recipes import noam as noam
from lr_optax.schedules.recipes import warmup_cosine_decay as warmup_cosine_decay
from lr_optax.schedules.recipes import warmup_linear_decay as warmup_linear_decay
from lr_optax.schedules.retime import cooldown_from as cooldown_from
from lr_optax.schedules.retime import extend as extend
from lr_optax.schedules.retime import repeat as repeat
from lr_optax.schedules.retime import stretch as stretch
from lr_optax.schedules.stable import infinite as infinite
from lr_optax.schedules.stable import tri_stage as tri_stage
from lr_optax.schedules.stable import warmup_stable_decay as warmup_stable_decay
from lr_optax.schedules.stable import warmup_stable_decay_cycles as warmup_stable_decay_cycles
from lr_optax.schedules.staged import untuned_warmup as untuned_warmup
from lr_optax.schedules.staged import warmup as warmup
from lr_optax.schedules.steps import constant as constant
from lr_optax.schedules.steps import multistep_decay as multistep_decay
from lr_optax.schedules.steps import step_decay as step_decay
from lr_optax.schedules.tables import interpolate as interpolate
from lr_optax.schedules.tables import lookup as lookup
from lr_optax.schedules.tables import piecewise_constant as piecewise_constant
from lr_optax.schedules.tables import tabulate as tabulate


def catalogue() -> dict[str, Callable[..., Schedule]]:
    """Every registered schedule by name, your own included.

    Returns:
        A new dictionary from names to the functions that make schedules, sorted by name.

    Example:
        >>> catalogue()["linear"](0.1, end_value=0.0, transition_steps=10)
        linear(0.1, end_value=0.0, transition_steps=10)
    """
    return {name: REGISTRY[name].factory for name in sorted(REGISTRY)}
