"""Warnings: each for the schedule that deserves it, none for those that do not."""

import pytest

from lr_optax import parse
from lr_optax.inspection.checks import check

FINE = [
    "linear(0.1, end_value=0.0, transition_steps=1000)",
    "cosine_decay(0.1, decay_steps=1000)",
    "warmup(cosine_decay(0.1, decay_steps=900), warmup_steps=100, init_value=0.001)",
    "multistep_decay(0.1, decay_rate=0.1, boundaries=(300, 600))",
    "step_decay(0.1, decay_rate=0.1, decay_steps=300)",
    "exponential_decay(0.1, decay_rate=0.01, decay_steps=1000)",
    "polynomial(0.1, end_value=0.0, power=2.0, transition_steps=1000)",
    "cyclical(0.001, max_value=0.1, step_size_up=50)",
]

DESERVED = {
    "warmup(constant(0.1), warmup_steps=2000, init_value=0.01)": "the run does not reach the peak: its highest rate is 0.055, and 0.1 comes at about step 20",
    "linear(0.01, end_value=0.1, transition_steps=999)": "the rate still rises at the last step",
    "linear(0.1, end_value=0.0, transition_steps=600)": "the rate is 0 from step 600 to 999: 400 updates do nothing",
    "linear(0.1, end_value=0.001, transition_steps=600)": "shorter than the run: it holds 0.001 for the last 400 of 1000 steps",
    "cosine_decay(0.1, decay_steps=2000)": "longer than the run: it ends at 50% of its peak and falls to 0 later",
    "cosine_annealing(0.1, period=250)": "the rate jumps up 3 times, first at step 250",
    "join((constant(0.01), linear(0.1, end_value=0.0, transition_steps=500)), boundaries=(500,))": "the rate jumps up at step 500, to 0.1",
    "cosine_annealing(0.1, period=995)": "the rate restarts at step 995, 5 before the end",
    "warmup(linear(0.1, end_value=0.0, transition_steps=990), warmup_steps=10)": "the first update changes nothing",
    "constant(0.1)": "the rate ends at 100% of its peak",
    "cosine_decay(0.1, decay_steps=1000, end_value=0.01)": "the rate ends at 10% of its peak",
    "constant(0.0)": "the rate is 0 at every step",
}


@pytest.mark.parametrize("text", FINE)
def test_nothing_to_say_about_what_is_fine(text):
    assert check(parse(text), 1000) == []


@pytest.mark.parametrize(("text", "warning"), DESERVED.items())
def test_one_warning_for_one_fault(text, warning):
    warnings = check(parse(text), 1000)
    assert len(warnings) == 1, warnings
    assert warning in warnings[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_tiny_runs_are_checked_too(steps):
    assert check(parse("linear(0.1, end_value=0.0, transition_steps=5)"), steps) is not None


def test_total_steps_is_checked():
    with pytest.raises(ValueError, match="`total_steps` must be a whole number >= 1, got 0"):
        check(parse("constant(0.1)"), 0)
