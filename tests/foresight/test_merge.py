"""Averages of checkpoints equal the cooldown they stand for."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_optax import (
    average_checkpoints,
    cosine_decay,
    linear,
    merge_weights,
    merged_schedule,
    piecewise_constant,
    shaped_decay,
)

RATE = 0.1
COOLDOWNS = {
    "linear": linear(RATE, end_value=0.0, transition_steps=60),
    "cosine": cosine_decay(RATE, decay_steps=60),
    "1-sqrt": shaped_decay(RATE, decay_steps=60, shape="1-sqrt"),
    "to a floor": linear(RATE, end_value=0.03, transition_steps=30),
    "up and down": piecewise_constant((RATE, 0.15, 0.02), boundaries=(20, 45)),
}


@pytest.mark.parametrize("every", [1, 5, 60])
@pytest.mark.parametrize("name", COOLDOWNS)
def test_frozen_gradients_give_the_cooldown_itself(name, every):
    """To 1e-12, with the rate of each interval the mean of the cooldown's over it."""
    cooldown, count = COOLDOWNS[name], 60 // every
    with jax.enable_x64(new_val=True):
        rates = np.asarray(cooldown(jnp.arange(60)), np.float64)
    gradients = np.random.default_rng(0).normal(size=(60, 3))
    if every > 1:  # within an interval all steps have one gradient, whatever their rates
        gradients = np.repeat(gradients[::every], every, axis=0)
    decayed = -(rates[:, None] * gradients).sum(0)
    steady = np.cumsum(-rates[0] * gradients, axis=0)[every - 1 :: every]
    checkpoints = [np.zeros(3), *steady]
    weights = merge_weights(cooldown, checkpoints=count, every=every)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    merged = average_checkpoints(iter(checkpoints), weights)
    np.testing.assert_allclose(merged, decayed, rtol=1e-12, atol=1e-12)


def test_real_training_on_a_plane_is_close():
    """Where gradients depend little on the parameters, the average is near the real cooldown."""
    target = jnp.array([1.0, -2.0])

    def run(schedule, params, steps):
        tx = optax.sgd(schedule)
        state, seen = tx.init(params), [params]
        for _ in range(steps):
            grads = 0.01 * (params - target)
            updates, state = tx.update(grads, state)
            params = optax.apply_updates(params, updates)
            seen.append(params)
        return seen

    start = jnp.zeros(2)
    decayed = run(COOLDOWNS["linear"], start, 60)[-1]
    weights = merge_weights(COOLDOWNS["linear"], checkpoints=60)
    merged = average_checkpoints(run(RATE, start, 60), weights)
    plain = run(RATE, start, 60)[-1]
    assert np.abs(merged - decayed).max() < 0.02 * np.abs(plain - decayed).max()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(1, 1000))
def test_a_schedule_and_its_weights_are_inverse(falls, every):
    shares = np.cumprod([1.0, *falls])
    weights = np.append(0.0, shares - np.append(shares[1:], 0))
    schedule = merged_schedule(weights, peak_value=RATE, every=every)
    again = merge_weights(schedule, checkpoints=len(shares), every=every)
    np.testing.assert_allclose(again, weights, atol=2e-6)


def test_equal_weights_are_a_linear_decay():
    schedule = merged_schedule(np.full(11, 1 / 11), peak_value=1.0)
    np.testing.assert_allclose(schedule(np.arange(10)), np.arange(10, 0, -1) / 11, rtol=1e-6)


def test_types_and_counters():
    def checkpoint(value):
        return {
            "half": np.full(3, value, ml_dtypes.bfloat16),
            "device": jnp.full(2, value, jnp.float16),
            "double": np.full(2, value),
            "count": np.int32(value),
            "mask": np.array([value > 1]),
        }

    merged = average_checkpoints(map(checkpoint, (1.0, 2.0, 4.0)), (0.25, 0.25, 0.5))
    for name, leaf in checkpoint(4.0).items():
        assert np.asarray(merged[name]).dtype == leaf.dtype
        expected = 2.75 if leaf.dtype.kind not in "ib" else leaf
        np.testing.assert_array_equal(np.asarray(merged[name], float), np.asarray(expected, float))


def test_every_leaf_that_a_checkpoint_may_hold():
    """Scalars of every kind, complex numbers, random keys."""

    def checkpoint(value):
        return {
            "scalar": jnp.float32(value),
            "numpy": np.float64(value),
            "python": value,
            "complex": np.full(2, value * 1j, np.complex64),
            "key": jax.random.key(int(value)),
            "none": None,
            "name": "run",
        }

    merged = average_checkpoints(map(checkpoint, (1.0, 2.0, 4.0)), (0.25, 0.25, 0.5))
    assert merged["python"] == 2.75
    assert isinstance(merged["python"], float)
    for name in ("scalar", "numpy"):
        assert merged[name] == 2.75
        assert merged[name].dtype == checkpoint(1.0)[name].dtype
    np.testing.assert_array_equal(merged["complex"], np.full(2, 2.75j, np.complex64), strict=True)
    assert jax.random.key_data(merged["key"]).tolist() == [0, 4]
    assert (merged["none"], merged["name"]) == (None, "run")


def test_a_function_that_returns_a_number_is_a_cooldown():
    weights = merge_weights(optax.constant_schedule(RATE), checkpoints=2, every=3)
    np.testing.assert_array_equal(weights, [0, 0, 1])


def test_accumulates_wider_than_half_precision():
    ones = (np.ones(1, ml_dtypes.bfloat16) for _ in range(1000))
    assert average_checkpoints(ones, np.full(1000, 1e-3)) == 1


def test_memory_for_one_average():
    """Checkpoints are read one at a time, and none is kept or changed."""
    alive = []

    class Watched(np.ndarray):
        def __del__(self):
            alive.pop()

    def stream():
        for _ in range(5):
            alive.append(1)
            assert len(alive) <= 2
            yield np.ones(3).view(Watched)

    merged = average_checkpoints(stream(), np.full(5, 0.2))
    np.testing.assert_allclose(merged, 1)
    first = np.ones(3)
    average_checkpoints([first, first + 1], [0.5, 0.5])
    np.testing.assert_array_equal(first, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: merge_weights(COOLDOWNS["linear"], checkpoints=0), "`checkpoints` must be"),
        (lambda: merge_weights(COOLDOWNS["linear"], checkpoints=1, every=0), "`every` must be"),
        (
            lambda: merge_weights(linear(0.0, end_value=1.0, transition_steps=3), checkpoints=3),
            "must begin above 0, got 0.0",
        ),
        (lambda: merged_schedule([1.0]), "two or more that add up to 1"),
        (lambda: merged_schedule([0.5, 0.6]), "add up to 1, got"),
        (lambda: merged_schedule([0.25, 1.0, -0.25]), "those after checkpoint 1 add up to -0.25"),
        (
            lambda: merge_weights(lambda t: jnp.where(t > 1, jnp.nan, 1.0), checkpoints=3),
            r"`cooldown` must stay finite, got array\(\[ 1.,  1., nan\]\)",
        ),
        (lambda: merged_schedule([0.5, 0.5], every=0), "`every` must be"),
        (lambda: merged_schedule([0.5, 0.5], every=1.5), "`every` must be"),
        (lambda: merged_schedule([float("nan"), 0.5]), "`weights` must be a vector of finite num"),
        (lambda: merged_schedule([[0.5], [0.5]]), "`weights` must be a vector of finite numbers"),
        (lambda: average_checkpoints([np.ones(1)], [np.inf]), "`weights` must be a vector of"),
        (lambda: average_checkpoints([np.ones(1), np.ones(2)], [0.5, 0.5]), "number 2 .* its root"),
        (lambda: average_checkpoints([{"a": 1.0}, {"b": 1.0}], [0.5, 0.5]), r"at \['a'\], \['b'\]"),
        (lambda: average_checkpoints([{"a": 1.0}, {"a": 1}], [0.5, 0.0]), r"number 2 .* \['a'\]"),
        (lambda: merged_schedule([0.5, 0.5], peak_value=-1.0), "`peak_value` must be"),
        (lambda: average_checkpoints([], []), "there must be a checkpoint"),
        (lambda: average_checkpoints([np.ones(1)], [0.0]), "there must be a checkpoint"),
        (lambda: average_checkpoints([np.ones(1)], [0.5, 0.5]), "as many as .*, got 1 for 2"),
        (lambda: average_checkpoints([np.ones(1)] * 3, [0.5, 0.5]), "got more than 2"),
    ],
)
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
