"""Random trees of schedules, five deep, through every way a schedule can be evaluated."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from strategies import LAST, kinds, schedules

import lr_optax
from lr_optax import Schedule

NEAR = np.arange(24, dtype=np.int32)
FAR = np.array([100, 1000, 12_345, 10**6, 2**24 + 1, 2**30, LAST - 1, LAST], np.int32)
STEPS = np.concatenate([NEAR, FAR])


def assert_close(rates, expected):
    """Errors of 1e-6 add up; what has fallen far below the highest rate so far is less exact."""
    peak = np.maximum.accumulate(np.asarray(expected, np.float64))
    bound = 1e-5 * expected + 1e-10 * peak + 1e-36
    error = np.abs(np.asarray(rates, np.float64) - expected)
    assert (error <= bound).all(), (STEPS[: len(error)][error > bound], rates, expected)


def assert_sound(rates):
    assert rates.shape == STEPS.shape
    assert rates.dtype == jnp.float32
    assert np.isfinite(rates).all()
    assert (rates >= 0).all()


def parts(s):
    """A schedule and all that lie in it."""
    yield s
    for inner in jax.tree.leaves(s.hyperparameters, is_leaf=lambda x: isinstance(x, Schedule)):
        if isinstance(inner, Schedule):
            yield from parts(inner)


def check_tree(s):
    eager = s(STEPS)
    assert_sound(eager)

    @jax.jit
    def with_constants(steps):
        _, scanned = jax.lax.scan(lambda t, _: (t + 1, s(t)), jnp.int32(0), length=len(NEAR))
        return s(steps), jax.vmap(s)(steps), scanned

    compiled, mapped, scanned = with_constants(STEPS)
    assert_close(compiled, eager)
    assert_close(mapped, eager)
    assert_close(scanned, eager[: len(NEAR)])
    fits = jax.tree.map(lambda x: min(x, LAST) if isinstance(x, int) else x, s)
    assert_sound(jax.jit(lambda s, t: s(t))(fits, STEPS))
    with jax.enable_x64(True):
        wide = jax.jit(s)(STEPS)
        assert wide.dtype == np.float64
        assert np.isfinite(wide).all()
        # What overflows in float32 is held at its largest number, on the way as well.
        if all(float(part(t)) < 1e30 for part in parts(s) for t in (0, LAST)):
            assert_close(eager, wide)

    assert lr_optax.parse(repr(s)) == s
    assert lr_optax.from_dict(json.loads(json.dumps(lr_optax.to_dict(s)))) == s
    assert pickle.loads(pickle.dumps(s)) == s


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # trees are large


@settings(max_examples=10, suppress_health_check=SLOW, phases=[Phase.generate])
@given(schedules())
def test_any_tree_is_the_same_in_every_way(s):
    check_tree(s)


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", range(100))
def test_many_trees_are_the_same_in_every_way(number):
    drawn = settings(max_examples=10, derandomize=False, suppress_health_check=SLOW)
    drawn(seed(number)(given(schedules())(check_tree)))()


def test_every_registered_schedule_takes_part():
    own = {name for name, make in lr_optax.catalogue().items() if "schedules" in make.__module__}
    assert kinds().keys() >= own - {"from_function"}
