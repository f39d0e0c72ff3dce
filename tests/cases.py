"""Schedules that the generic tests run over: every registered one, and every option of each."""

from typing import get_args

import jax

import lr_optax
import lr_optax.compat
from lr_optax._core.schedule import REGISTRY
from lr_optax._core.shapes import Shape
from lr_optax.text import example

VARIANTS = {
    "multistep_decay, no boundary": "multistep_decay(0.1, decay_rate=0.5, boundaries=())",
    "exponential_decay, staircase": "exponential_decay(0.1, decay_rate=0.9, decay_steps=7, staircase=True)",
    "exponential_decay, floor": "exponential_decay(0.1, decay_rate=0.9, decay_steps=7, end_value=0.03)",
    "exponential_decay, growing": "exponential_decay(0.01, decay_rate=1.1, decay_steps=7, end_value=0.5)",
    "inverse_time_decay, staircase": "inverse_time_decay(0.1, decay_rate=0.5, decay_steps=7, staircase=True)",
    "linear, rising": "linear(0.0, end_value=0.1, transition_steps=13)",
    "linear, no length": "linear(0.0, end_value=0.1, transition_steps=0)",
    "polynomial, rising": "polynomial(0.0, end_value=0.1, power=2.5, transition_steps=13)",
    "polynomial, root": "polynomial(0.1, end_value=0.0, power=0.5, transition_steps=13)",
    "polynomial, no length": "polynomial(0.1, end_value=0.01, power=0.5, transition_steps=0)",
    "cosine_decay, exponent": "cosine_decay(0.1, decay_steps=13, end_value=0.01, exponent=0.5)",
    "cyclical, sawtooth": "cyclical(0.01, max_value=0.1, step_size_up=3, step_size_down=8)",
    "cyclical, triangular2": "cyclical(0.0, max_value=0.1, step_size_up=4, mode='triangular2', shrink=0.9)",
    "cyclical, exp_range": "cyclical(0.01, max_value=0.1, step_size_up=4, mode='exp_range', gamma=0.99)",
    "cosine_annealing, doubling": "cosine_annealing(0.1, period=5, min_value=0.01, period_multiplier=2, peak_decay=0.5)",
    "cosine_annealing, fractional": "cosine_annealing(0.1, period=5, period_multiplier=1.5)",
    "warmup, none": "warmup(linear(0.1, end_value=0.0, transition_steps=10), warmup_steps=0)",
    "join, empty phase": "join((constant(0.1), constant(0.2), constant(0.3)), boundaries=(5, 5))",
    "shift, earlier": "shift(cosine_decay(0.1, decay_steps=20), steps=-5)",
    "clip, both": "clip(cosine_decay(0.1, decay_steps=20), min_value=0.02, max_value=0.08)",
    "warmup, cosine": "warmup(constant(0.1), warmup_steps=9, init_value=0.01, shape='cosine')",
    "warmup, exponential": "warmup(constant(0.1), warmup_steps=9, init_value=0.001, shape='exponential')",
    "warmup, log": "warmup(linear(0.1, end_value=0.0, transition_steps=20), warmup_steps=9, shape='log')",
    "warmup, (t + 1)/w": "warmup(linear(0.1, end_value=0.0, transition_steps=20), warmup_steps=9, lead=1)",
    "untuned_warmup, exponential": "untuned_warmup(constant(0.1), b2=0.9)",
    "natural_exp_decay, staircase": "natural_exp_decay(0.1, decay_rate=0.5, decay_steps=7, staircase=True)",
    "natural_exp_decay, level": "natural_exp_decay(0.1, decay_rate=0, decay_steps=7)",
    "power_law, capped": "power_law(0.01, batch_size=32.0, tokens_per_step=1e6)",
    "k_decay, linear": "k_decay(0.1, decay_steps=13, k=1.5, end_value=0.01, shape='linear')",
    "k_decay, no length": "k_decay(0.1, decay_steps=0, k=0.5)",
    "budget_aware_decay, level": "budget_aware_decay(0.1, decay_steps=13, phi=0.0)",
    "tanh_decay, no length": "tanh_decay(0.1, decay_steps=0, end_value=0.01)",
    "hyperbolic_decay, exponential": "hyperbolic_decay(0.1, decay_steps=13, upper_bound=20, min_value=0.001, exponential=True)",
    "hyperbolic_decay, whole": "hyperbolic_decay(0.1, decay_steps=13, upper_bound=13, min_value=0.01)",
    "hyperbolic_decay, no length": "hyperbolic_decay(0.1, decay_steps=0, upper_bound=13)",
    "polynomial_cycles, root": "polynomial_cycles(0.1, end_value=0.0, power=0.5, period=7)",
    "linear_cosine_decay, noisy": "linear_cosine_decay(0.1, decay_steps=13, num_periods=1.5, initial_variance=0.01, seed=3)",
    "interpolate, cosine": "interpolate((0.1, 0.02, 0.05), boundaries=(3, 9, 9), shape='cosine')",
    "interpolate, exponential": "interpolate((0.1, 0.02, 0.05), boundaries=(3, 9, 12), shape='exponential')",
    "interpolate, one point": "interpolate((0.1,), boundaries=(3,))",
    "piecewise_constant, one": "piecewise_constant((0.1,), boundaries=())",
    "extend, not": "extend(linear(0.1, end_value=0.0, transition_steps=9), begin=3, steps=0)",
    "repeat, warm-up": "repeat(warmup(linear(0.1, end_value=0.0, transition_steps=7), warmup_steps=3), period=10, peak_decay=0.9)",
    "cooldown_from, at once": "cooldown_from(constant(0.1), begin=5, cooldown_steps=0, end_value=0.01)",
    "infinite, annealed": "cooldown_from(infinite(0.1, constant_value=0.04, warmup_steps=5, cooldown_steps=9), "
    "begin=20, cooldown_steps=9, end_value=0.001, shape='exponential')",
    "warmup_stable_decay, whole": "warmup_stable_decay(0.1, total_steps=13, cooldown_steps=13)",
    "one_cycle, three phases": "one_cycle(0.1, total_steps=40, warmup_steps=15, three_phase=True, shape='linear')",
    "one_cycle, no warm-up": "one_cycle(0.1, total_steps=40, warmup_steps=0)",
    "one_cycle_momentum, three phases": "one_cycle_momentum(0.9, total_steps=40, warmup_steps=15, three_phase=True)",
    "warmup_stable_decay_cycles, inverse": "warmup_stable_decay_cycles(0.1, boundaries=(10, 20, 40), cooldown_steps=4, "
    "warmup_steps=3, rewarmup_steps=2, end_value=0.01, shape='inverse')",
    "snapshot_cycles, uneven": "snapshot_cycles(0.1, total_steps=10, cycles=3, min_value=0.01)",
    "compat.cosine_wave, ahead": "compat.cosine_wave(0.1, half_period=7.3, end_value=0.01, ahead=0.4)",
    "compat.leg, begun": "compat.leg(0.1, end_value=0.01, begin=-0.4, end=9.3, power=0.7)",
    "torch.cyclic, triangular2": "torch.cyclic(0.01, max_lr=0.1, step_size_up=2.3, step_size_down=3.1, mode='triangular2')",
    "torch.cyclic, exp_range": "torch.cyclic(0.01, max_lr=0.1, step_size_up=2.5, step_size_down=0.7, mode='exp_range', gamma=0.98)",
    "timm.cosine, behind": "timm.cosine(0.1, t_initial=7, cycle_mul=1.5, cycle_limit=3, warmup_t=4.5, warmup_prefix=True)",
    "timm.step, fraction": "timm.step(0.1, decay_t=2.5, decay_rate=0.9, warmup_t=3)",
    "transformers.inverse_sqrt, fraction": "transformers.inverse_sqrt(0.1, num_warmup_steps=4.5, timescale=2.5)",
    "nested": "product((warmup(join((constant(0.1), step_decay(0.1, decay_rate=0.5, decay_steps=3)), "
    "boundaries=(6,)), warmup_steps=4), scale(cosine_decay(1.0, decay_steps=30), factor=2.0)))",
}
VARIANTS |= {
    f"shaped_decay, {shape}": f"shaped_decay(0.1, decay_steps=13, end_value=0.001, shape={shape!r})"
    for shape in get_args(Shape)
}

CASES = {name: example(name) for name in sorted(REGISTRY)}
CASES["from_function"] = lr_optax.from_function(lambda step: 0.1 / (1.0 + step.astype("float32")))
CASES |= {name: lr_optax.parse(text) for name, text in VARIANTS.items()}

WITHOUT_EXAMPLE = sorted(name for name, case in CASES.items() if case is None)
CASES = {name: case for name, case in CASES.items() if case is not None}
WITH_LEAVES = {name: case for name, case in CASES.items() if jax.tree.leaves(case)}
WITH_FLOATS = {
    name: case
    for name, case in CASES.items()
    if any(isinstance(value, float) for value in case.hyperparameters.values())
}
TEXTUAL = {name: case for name, case in CASES.items() if name != "from_function"}
