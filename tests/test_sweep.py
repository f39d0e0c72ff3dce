"""The sweep: the same results as a loop, in one program."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lr_optax import constant, cosine_decay, linear, multistep_decay
from lr_optax.foresight import sweep

KEYS = jax.random.split(jax.random.key(0), 3)
STEPS = 20


def train(schedule, key):
    """Noisy gradient descent on x²/2."""

    def step(x, t):
        x = x - schedule(t) * (x + jax.random.normal(jax.random.fold_in(key, t)))
        return x, x**2

    x, history = jax.lax.scan(step, jnp.float32(1), jnp.arange(STEPS))
    return {"last": x**2, "history": history}


ALIKE = [cosine_decay(p, decay_steps=STEPS) for p in (0.1, 0.3, 0.5)]
MIXED = [constant(0.1), ALIKE[0], multistep_decay(0.1, decay_rate=0.5, boundaries=(5, 9))]


@pytest.mark.parametrize("schedules", [ALIKE, MIXED], ids=["one kind", "several kinds"])
@pytest.mark.parametrize("batch_size", [None, 1, 2, 4, 100])
def test_equals_a_loop(schedules, batch_size):
    metrics = sweep(train, schedules, KEYS, steps=STEPS, batch_size=batch_size)
    assert metrics["last"].shape == (3, 3)
    assert metrics["history"].shape == (3, 3, STEPS)
    for i, schedule in enumerate(schedules):
        for j, key in enumerate(KEYS):
            one = jax.jit(train)(schedule, key)
            np.testing.assert_allclose(metrics["history"][i, j], one["history"], rtol=1e-4)


def test_is_compiled_once_for_all_batches():
    sweep(chex.assert_max_traces(train, n=1), MIXED, KEYS, steps=STEPS, batch_size=2)


def test_is_the_same_bit_for_bit_a_second_time():
    first, second = (sweep(train, MIXED, KEYS, steps=STEPS, batch_size=4) for _ in range(2))
    chex.assert_trees_all_equal(first, second)


def test_tells_how_far_it_is():
    calls = []
    sweep(train, ALIKE, KEYS, batch_size=4, progress=lambda *call: calls.append(call))
    assert calls == [(3, 9), (6, 9), (9, 9)]


def test_candidates_may_hold_schedules_among_numbers():
    def train(candidate, key):
        schedule, factor = candidate
        return factor * schedule(STEPS - 1)

    candidates = [(MIXED[0], 1.0), (linear(0.0, end_value=1.0, transition_steps=STEPS), 2.0)]
    metrics = sweep(train, candidates, KEYS, steps=STEPS)
    np.testing.assert_allclose(metrics, [[0.1] * 3, [1.9] * 3], rtol=1e-6)


@pytest.mark.parametrize(
    ("candidates", "options", "message"),
    [
        ([], {}, "there must be at least one candidate"),
        (MIXED, {}, "to stack schedules of different kinds, give `steps`"),
        ([MIXED[0], (MIXED[0], 1.0)], {"steps": 5}, "may differ in their schedules only"),
        (MIXED, {"steps": 0}, "`steps` must be a whole number >= 1, got 0"),
        (ALIKE, {"batch_size": 0}, "`batch_size` must be a whole number >= 1, got 0"),
    ],
)
def test_errors(candidates, options, message):
    with pytest.raises(ValueError, match=message):
        sweep(train, candidates, KEYS, **options)
