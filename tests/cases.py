"""Schedules that the generic tests run over: every registered one, and every option of each."""

import jax

import lr_optax
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
    "nested": "product((warmup(join((constant(0.1), step_decay(0.1, decay_rate=0.5, decay_steps=3)), "
    "boundaries=(6,)), warmup_steps=4), scale(cosine_decay(1.0, decay_steps=30), factor=2.0)))",
}

CASES = {name: example(name) for name in lr_optax.catalogue()}
CASES["foreign"] = lr_optax.foreign(lambda step: 0.1 / (1.0 + step.astype("float32")))
CASES |= {name: lr_optax.parse(text) for name, text in VARIANTS.items()}

UNTOLD = sorted(name for name, case in CASES.items() if case is None)
CASES = {name: case for name, case in CASES.items() if case is not None}
WITH_LEAVES = {name: case for name, case in CASES.items() if jax.tree.leaves(case)}
WITH_FLOATS = {
    name: case
    for name, case in CASES.items()
    if any(isinstance(value, float) for value in case.hyperparameters.values())
}
TEXTUAL = {name: case for name, case in CASES.items() if name != "foreign"}
