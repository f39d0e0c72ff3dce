"""Each warning appears for the schedule that deserves it, and for no other."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lr_optax
from lr_optax import check, cosine_decay, extend, from_function, linear, parse, scale, shift

FINE = [
    "linear(0.1, end_value=0.0, transition_steps=1000)",
    "cosine_decay(0.1, decay_steps=1000)",
    "warmup(cosine_decay(0.1, decay_steps=900), warmup_steps=100, init_value=0.001)",
    "warmup(cosine_decay(0.1, decay_steps=900), warmup_steps=100)",
    "warmup(linear(0.1, end_value=0.0, transition_steps=990), warmup_steps=10)",
    "multistep_decay(0.1, decay_rate=0.1, boundaries=(300, 600))",
    "step_decay(0.1, decay_rate=0.1, decay_steps=300)",
    "exponential_decay(0.1, decay_rate=0.01, decay_steps=1000)",
    "polynomial(0.1, end_value=0.0, power=2.0, transition_steps=1000)",
    "warmup(linear(0.1, transition_steps=900), warmup_steps=100)",
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
    "one_cycle_momentum(total_steps=1000, warmup_steps=300)": "it stays between 0.85 and 0.95 and is lowest in the middle",
    "scale(linear(0.1, transition_steps=1000), factor=-1.0)": "the rate is -0.1 at step 0: below 0",
    "constant(0.1)": "the rate ends at 100% of its peak",
    "cosine_decay(0.1, decay_steps=1000, end_value=0.01)": "the rate ends at 10% of its peak",
    "constant(0.0)": "the rate is 0 at every step",
}


@pytest.mark.parametrize("text", FINE)
def test_a_sound_schedule_has_no_warnings(text):
    assert check(parse(text), 1000) == []


@pytest.mark.parametrize(("text", "warning"), DESERVED.items())
def test_one_warning_for_one_fault(text, warning):
    warnings = check(parse(text), 1000)
    assert len(warnings) == 1, warnings
    assert warning in warnings[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_tiny_runs_are_checked_too(steps):
    assert check(parse("linear(0.1, end_value=0.0, transition_steps=5)"), steps) is not None


@pytest.mark.parametrize("length", [0, -3, 10.5, 0.5, float("nan"), float("inf")])
def test_total_steps_is_checked(length):
    with pytest.raises(ValueError, match="check: `total_steps` must be a whole number >= 1, got"):
        check(parse("constant(0.1)"), length)


def test_a_whole_number_of_any_type_is_a_length():
    linear = parse("linear(0.1, transition_steps=1000)")
    assert check(linear, 1000.0) == check(linear, np.int64(1000)) == []


def test_a_function_of_the_step_is_checked_too():
    constant = optax.constant_schedule(0.1)  # returns a Python number
    assert check(constant, 10) == check(lr_optax.constant(0.1), 10)
    assert check(lambda step: 0.0, 10) == ["the rate is 0 at every step: nothing is learned"]
    theirs, ours = optax.cosine_decay_schedule(0.1, 2000), cosine_decay(0.1, decay_steps=2000)
    with jax.numpy_dtype_promotion("standard"):  # whole steps times floats, in Optax
        assert check(theirs, 1000) == check(ours, 1000)
    (jump, _) = check(constant, 10, since=lambda step: 0.05, at=5)
    assert jump.startswith("at step 5 the rate jumps from 0.05 to 0.1")


def test_a_function_that_cannot_be_compiled_gets_the_remedy():
    with pytest.raises(TypeError, match=r"a schedule must be written with jax\.numpy: <lambda>"):
        check(lambda step: 0.1 if step < 5 else 0.01, 10)


@pytest.mark.parametrize("total", [1, 100, 2000, 10_000, 200_000])
@pytest.mark.parametrize(
    "text",
    [
        "multistep_decay(0.1, decay_rate=0.1, boundaries=(210000, 250000))",
        "warmup_stable_decay(0.1, total_steps=300000, cooldown_steps=90000)",
    ],
)
def test_a_milestone_is_seen_however_far_away_it_is(text, total):
    (warning,) = check(parse(text), total)
    assert "the schedule is longer than the run: it ends at 100% of its peak" in warning


def test_a_far_rise_is_seen_too():
    (warning,) = check(parse("join((constant(0.1), constant(0.2)), boundaries=(100000000,))"), 1000)
    assert "the run does not reach the peak" in warning
    assert check(parse("constant(0.1)"), 1000)[0].startswith("the rate ends at 100%")


OLD, NEW = (cosine_decay(0.1, decay_steps=n) for n in (1000, 2000))


def test_a_changed_horizon_warns_of_the_jump_and_the_remedies_have_none():
    (warning,) = check(NEW, 2000, since=OLD, at=500)
    assert "at step 500 the rate jumps from 0.05 to 0.0854, by a factor of 1.71" in warning
    factor = 0.05 / (0.05 + 0.05 * 0.5**0.5)
    assert f"scale(new, factor={factor:.6g})" in warning
    assert "extend(old, begin=500, steps=...)" in warning
    assert check(scale(NEW, factor=factor), 2000, since=OLD, at=500) == []
    assert check(extend(OLD, begin=500, steps=1000), 2000, since=OLD, at=500) == []
    (warning,) = check(OLD, 1000, since=NEW, at=500)
    assert "from 0.0854 to 0.05, by a factor of 0.586" in warning


def test_a_finished_run_continues_from_a_new_beginning():
    warnings = check(NEW, 2000, since=OLD, at=1000)
    assert "from 0 to 0.05; shift(new, steps=1000) starts the new schedule" in warnings[0]
    assert shift(NEW, steps=1000)(1000) == NEW(0)


def test_early_and_small_changes_are_not_jumps():
    assert check(NEW, 2000, since=OLD, at=10) == []
    assert check(NEW, 2000, since=NEW, at=1999) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"since": OLD}, "`since` and `at` must be given together"),
        ({"at": 3}, "`since` and `at` must be given together"),
        ({"since": OLD, "at": 2000}, "`at` must be a step from 0 to 1999, got 2000"),
        ({"since": OLD, "at": 1.5}, "`at` must be a step from 0 to 1999, got 1.5"),
        ({"since": OLD, "at": -1}, "`at` must be a step from 0 to 1999, got -1"),
    ],
)
def test_since_and_at_are_checked(given, message):
    with pytest.raises(ValueError, match=message):
        check(NEW, 2000, **given)


def test_the_longest_runs_are_checked_in_bounded_memory():
    total = 2**31 - 1
    assert check(linear(0.1, transition_steps=total), total) == []
    (warning,) = check(linear(0.1, transition_steps=total // 2), total)
    begin, end = (int(n) for n in re.findall(r"from step (\d+) to (\d+)", warning)[0])
    assert begin == pytest.approx(total // 2, rel=1e-5)
    assert end == total - 1


def test_the_last_of_many_late_restarts_is_named():
    warnings = check(parse("cosine_annealing(0.1, period=10)"), 100_000)
    assert warnings == [
        "the rate restarts at step 99990, 10 before the end: the final model comes from a high rate",
        "the rate jumps up 9799 times, first at step 10",
    ]


def test_invalid_rates_are_the_only_warning():
    broken = from_function(lambda step: jnp.where(step > 5, jnp.nan, 0.1))
    assert check(broken, 1000) == ["the rate is nan at step 6: the weights are lost"]
