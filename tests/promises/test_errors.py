"""What is said about bad input: the field, the rule, the value, and the remedy where there is one."""

import numpy as np
import pytest

from lr_optax import (
    constant,
    cosine_decay,
    cyclical,
    exponential_decay,
    join,
    multistep_decay,
    step_decay,
    warmup,
)


def cosine():
    return cosine_decay(0.1, decay_steps=100)


ERRORS = {
    "negative rate": (
        lambda: constant(-0.1),
        "constant: `value` must be a finite number >= 0, got -0.1",
    ),
    "nan": (lambda: constant(float("nan")), "`value` must be a finite number >= 0, got nan"),
    "inf": (lambda: constant(float("inf")), "`value` must be a finite number >= 0, got inf"),
    "huge int": (lambda: constant(10**400), "`value` must be a finite number >= 0"),
    "in an array": (lambda: constant(np.array([0.1, -1])), "got array"),
    "text": (lambda: constant("0.1"), "`value` must be a finite number >= 0, got '0.1' (str)"),
    "bool": (lambda: constant(True), "got True (bool)"),
    "None": (lambda: constant(None), "got None (NoneType)"),
    "complex": (lambda: constant(1j), "got 1j (complex)"),
    "list": (lambda: constant([0.1]), "got [0.1] (list)"),
    "zero factor": (
        lambda: step_decay(0.1, decay_rate=0, decay_steps=10),
        "step_decay: `decay_rate` must be a finite number > 0, got 0",
    ),
    "zero period": (
        lambda: step_decay(0.1, decay_rate=0.5, decay_steps=0),
        "step_decay: `decay_steps` must be a whole number of steps >= 1, got 0",
    ),
    "a fraction": (
        lambda: cosine_decay(0.1, decay_steps=0.25),
        "got 0.25 (that fraction of a run of n steps is round(0.25 * n))",
    ),
    "half a step": (lambda: cosine_decay(0.1, decay_steps=10.5), "steps >= 0, got 10.5"),
    "missing": (
        lambda: step_decay(0.1, decay_rate=0.5),
        "missing a required argument: 'decay_steps'",
    ),
    "misspelt": (
        lambda: cosine_decay(0.1, decay_step=10),
        "cosine_decay: there is no argument 'decay_step'; did you mean 'decay_steps'?",
    ),
    "unknown": (lambda: constant(0.1, warmup=3), "there is no argument 'warmup'; it takes value"),
    "positional": (lambda: cosine_decay(0.1, 100), "too many positional arguments"),
    "choice": (
        lambda: cyclical(0.1, max_value=1, step_size_up=2, mode="sine"),
        "`mode` must be 'triangular' or 'triangular2' or 'exp_range', got 'sine'",
    ),
    "flag": (
        lambda: exponential_decay(0.1, decay_rate=0.5, decay_steps=9, staircase=1),
        "`staircase` must be True or False, got 1 (int)",
    ),
    "unsorted": (
        lambda: multistep_decay(0.1, decay_rate=0.5, boundaries=(20, 10)),
        "`boundaries` must be in ascending order, got (20, 10)",
    ),
    "boundary": (
        lambda: multistep_decay(0.1, decay_rate=0.5, boundaries=(-1,)),
        "`boundaries` must be a whole number of steps >= 0, got -1",
    ),
    "no sequence": (
        lambda: multistep_decay(0.1, decay_rate=0.5, boundaries=10),
        "`boundaries` must be a sequence",
    ),
    "not a schedule": (
        lambda: warmup(0.1, warmup_steps=10),
        "`schedule` must be a schedule or a function of the step, got 0.1 (a constant rate is constant(0.1))",
    ),
    "no schedules": (
        lambda: join((), boundaries=()),
        "must be a sequence of one or more schedules",
    ),
    "too few boundaries": (
        lambda: join((cosine(), cosine()), boundaries=()),
        "join: `boundaries` must be one fewer than `schedules`, got 0 for 2",
    ),
    "range upside down": (
        lambda: cyclical(1.0, max_value=0.1, step_size_up=2),
        "cyclical: `min_value` must not exceed `max_value`, got 1.0 > 0.1",
    ),
    "unused gamma": (
        lambda: cyclical(0.1, max_value=1.0, step_size_up=2, gamma=0.9),
        "`gamma` belongs to mode 'exp_range', got 0.9 with mode 'triangular'",
    ),
    "end on the wrong side": (
        lambda: exponential_decay(0.1, decay_rate=0.5, decay_steps=9, end_value=0.2),
        "`end_value` must lie where the rate goes",
    ),
    "end on the wrong side of growth": (
        lambda: exponential_decay(0.1, decay_rate=1.5, decay_steps=9, end_value=0.05),
        "`end_value` must lie where the rate goes",
    ),
    "step of text": (lambda: cosine()("7"), "a step must be a real number"),
    "step of truth": (lambda: cosine()(np.array([True])), "a step must be a real number"),
}


@pytest.mark.parametrize(("call", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_errors_name_field_rule_and_value(call, message):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert message in str(error.value)
