"""Learning rates for JAX: schedules, rates set by a metric, and tools to choose between them.

Names are looked up when they are first used, so that importing the package costs nothing and the
command line answers without loading JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lr_optax._schedule import Schedule as Schedule
    from lr_optax._schedule import schedule as schedule
    from lr_optax.adamw import adamw_timescale as adamw_timescale
    from lr_optax.adamw import adamw_update_weights as adamw_update_weights
    from lr_optax.adamw import proportional_weight_decay as proportional_weight_decay
    from lr_optax.feedback import GreedyState as GreedyState
    from lr_optax.feedback import PlateauState as PlateauState
    from lr_optax.feedback import greedy as greedy
    from lr_optax.feedback import observe as observe
    from lr_optax.feedback import reduce_on_plateau as reduce_on_plateau
    from lr_optax.feedback import with_feedback as with_feedback
    from lr_optax.rules import AdamSettings as AdamSettings
    from lr_optax.rules import beta_for_batch as beta_for_batch
    from lr_optax.rules import beta_half_life as beta_half_life
    from lr_optax.rules import linear_scaling as linear_scaling
    from lr_optax.rules import noise_scale_adam as noise_scale_adam
    from lr_optax.rules import noise_scale_sgd as noise_scale_sgd
    from lr_optax.rules import sqrt_scaling as sqrt_scaling
    from lr_optax.schedules import add as add
    from lr_optax.schedules import budget_aware_decay as budget_aware_decay
    from lr_optax.schedules import catalogue as catalogue
    from lr_optax.schedules import chebyshev as chebyshev
    from lr_optax.schedules import clip as clip
    from lr_optax.schedules import constant as constant
    from lr_optax.schedules import cooldown_from as cooldown_from
    from lr_optax.schedules import cosine_annealing as cosine_annealing
    from lr_optax.schedules import cosine_decay as cosine_decay
    from lr_optax.schedules import cyclical as cyclical
    from lr_optax.schedules import exponential_decay as exponential_decay
    from lr_optax.schedules import extend as extend
    from lr_optax.schedules import foreign as foreign
    from lr_optax.schedules import hyperbolic_decay as hyperbolic_decay
    from lr_optax.schedules import infinite as infinite
    from lr_optax.schedules import interpolate as interpolate
    from lr_optax.schedules import inverse_power_decay as inverse_power_decay
    from lr_optax.schedules import inverse_sqrt_decay as inverse_sqrt_decay
    from lr_optax.schedules import inverse_time_decay as inverse_time_decay
    from lr_optax.schedules import join as join
    from lr_optax.schedules import k_decay as k_decay
    from lr_optax.schedules import linear as linear
    from lr_optax.schedules import linear_cosine_decay as linear_cosine_decay
    from lr_optax.schedules import lookup as lookup
    from lr_optax.schedules import multistep_811 as multistep_811
    from lr_optax.schedules import multistep_decay as multistep_decay
    from lr_optax.schedules import natural_exp_decay as natural_exp_decay
    from lr_optax.schedules import noam as noam
    from lr_optax.schedules import one_cycle as one_cycle
    from lr_optax.schedules import one_cycle_momentum as one_cycle_momentum
    from lr_optax.schedules import piecewise_constant as piecewise_constant
    from lr_optax.schedules import polynomial as polynomial
    from lr_optax.schedules import polynomial_cycles as polynomial_cycles
    from lr_optax.schedules import power_law as power_law
    from lr_optax.schedules import product as product
    from lr_optax.schedules import repeat as repeat
    from lr_optax.schedules import scale as scale
    from lr_optax.schedules import shaped_decay as shaped_decay
    from lr_optax.schedules import shift as shift
    from lr_optax.schedules import silver as silver
    from lr_optax.schedules import snapshot_cycles as snapshot_cycles
    from lr_optax.schedules import step_decay as step_decay
    from lr_optax.schedules import stretch as stretch
    from lr_optax.schedules import switch as switch
    from lr_optax.schedules import tabulate as tabulate
    from lr_optax.schedules import tanh_decay as tanh_decay
    from lr_optax.schedules import tri_stage as tri_stage
    from lr_optax.schedules import untuned_warmup as untuned_warmup
    from lr_optax.schedules import warmup as warmup
    from lr_optax.schedules import warmup_cosine_decay as warmup_cosine_decay
    from lr_optax.schedules import warmup_linear_decay as warmup_linear_decay
    from lr_optax.schedules import warmup_stable_decay as warmup_stable_decay
    from lr_optax.schedules import warmup_stable_decay_cycles as warmup_stable_decay_cycles
    from lr_optax.text import from_dict as from_dict
    from lr_optax.text import parse as parse
    from lr_optax.text import to_dict as to_dict
    from lr_optax.training import HyperparamsState as HyperparamsState
    from lr_optax.training import continue_from as continue_from
    from lr_optax.training import next_hyperparams as next_hyperparams
    from lr_optax.training import read_hyperparams as read_hyperparams
    from lr_optax.training import with_hyperparams as with_hyperparams
    from lr_optax.units import Run as Run

    __version__: str

_NAMES = {
    "lr_optax.adamw": "adamw_timescale adamw_update_weights proportional_weight_decay",
    "lr_optax._schedule": "Schedule schedule",
    "lr_optax.feedback": """
        GreedyState PlateauState greedy observe reduce_on_plateau with_feedback
    """,
    "lr_optax.rules": """
        AdamSettings beta_for_batch beta_half_life linear_scaling noise_scale_adam noise_scale_sgd
        sqrt_scaling
    """,
    "lr_optax.schedules": """
        add budget_aware_decay catalogue chebyshev clip constant cooldown_from cosine_annealing
        cosine_decay cyclical exponential_decay extend foreign hyperbolic_decay infinite interpolate
        inverse_power_decay inverse_sqrt_decay inverse_time_decay join k_decay linear
        linear_cosine_decay lookup multistep_811 multistep_decay natural_exp_decay noam one_cycle
        one_cycle_momentum piecewise_constant polynomial polynomial_cycles power_law product repeat
        scale shaped_decay shift silver snapshot_cycles step_decay stretch switch tabulate
        tanh_decay tri_stage untuned_warmup warmup warmup_cosine_decay warmup_linear_decay
        warmup_stable_decay warmup_stable_decay_cycles
    """,
    "lr_optax.text": "from_dict parse to_dict",
    "lr_optax.training": """
        HyperparamsState continue_from next_hyperparams read_hyperparams with_hyperparams
    """,
    "lr_optax.units": "Run",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOME)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name == "__version__":
        value = import_module("importlib.metadata").version("lr_optax")
    else:
        raise AttributeError(f"module 'lr_optax' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
