"""The record of gradient norms: complete, bounded, restored, the same under jit."""

import pickle

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lr_optax import read_grad_norms, record_grad_norms, reduce_on_plateau

PARAMS = {"w": jnp.zeros((2, 3)), "b": jnp.zeros(2, jnp.bfloat16)}


def gradients(size):
    return {
        "w": jnp.full((2, 3), size, jnp.float32),
        "b": jnp.full(2, -size, jnp.bfloat16),
    }


def recorded(tx, sizes, state=None):
    state = tx.init(PARAMS) if state is None else state
    update = jax.jit(tx.update)
    for size in sizes:
        _, state = update(gradients(size), state)
    return state


@pytest.mark.parametrize(("norm", "unit"), [("l2", np.sqrt(8)), ("l1", 8.0)])
@pytest.mark.parametrize("steps", [0, 1, 7, 8, 9, 16, 31, 32, 100, 1000])
def test_means_over_equal_intervals(steps, norm, unit):
    sizes = 1 + np.arange(steps) / 64  # exact in bfloat16 up to step 64, and 1/8 % off beyond
    norms, every = read_grad_norms(recorded(record_grad_norms(norm, capacity=8), sizes))
    assert every & (every - 1) == 0
    assert len(norms) == steps // every
    assert len(norms) < 8
    assert steps < 8 or len(norms) >= 4
    whole = sizes[: len(norms) * every].reshape(-1, every)
    np.testing.assert_allclose(norms, unit * whole.mean(axis=1), rtol=2e-3)


def test_updates_pass_through_untouched():
    tx = record_grad_norms()
    updates, _ = tx.update(gradients(2.0), tx.init(PARAMS))
    for name, leaf in gradients(2.0).items():
        assert updates[name].dtype == leaf.dtype
        np.testing.assert_array_equal(updates[name], leaf)


def test_half_precision_gradients_are_summed_wide():
    tx = record_grad_norms("l1")
    params = jnp.zeros(4096, jnp.bfloat16)
    _, state = tx.update(jnp.ones_like(params), tx.init(params))
    assert read_grad_norms(state)[0] == 4096


def test_norms_that_are_not_finite_are_passed_over():
    tx = record_grad_norms("l1", capacity=4)
    bad = [np.nan, np.inf]
    norms, every = read_grad_norms(recorded(tx, [1.0, np.nan, 2.0, 4.0]))
    assert every == 2
    np.testing.assert_array_equal(norms, [8.0, 24.0])  # of the first pair one counts
    norms, _ = read_grad_norms(recorded(tx, bad))
    assert np.isnan(norms).all()
    norms, every = read_grad_norms(recorded(tx, [*bad, 1.0, 3.0]))
    assert every == 2
    np.testing.assert_array_equal(norms, [np.nan, 16.0])


@pytest.mark.parametrize("cut", [3, 8, 13])
def test_a_restored_record_goes_on(cut):
    tx = record_grad_norms(capacity=8)
    sizes = np.linspace(1, 2, 20)
    whole = recorded(tx, sizes)
    half = recorded(tx, sizes[:cut])
    blank = tx.init(PARAMS)
    restored = {
        "flax": flax.serialization.from_bytes(blank, flax.serialization.to_bytes(half)),
        "pickle": pickle.loads(pickle.dumps(half)),
    }
    for state in restored.values():
        for a, b in zip(recorded(tx, sizes[cut:], state), whole, strict=True):
            np.testing.assert_array_equal(a, b)


def test_found_in_any_optimizer_and_scanned():
    tx = optax.chain(record_grad_norms(), optax.sgd(0.1), reduce_on_plateau(0.5))

    @jax.jit
    def train(key):
        def step(state, key):
            noise = jax.random.normal(key)
            _, state = tx.update(
                jax.tree.map(lambda g: g * noise.astype(g.dtype), gradients(1.0)),
                state,
                PARAMS,
                value=noise,
            )
            return state, jnp.abs(noise)

        return jax.lax.scan(step, tx.init(PARAMS), jax.random.split(key, 50))

    state, noises = train(jax.random.key(0))
    norms, every = read_grad_norms(state)
    assert every == 1
    np.testing.assert_allclose(norms, np.sqrt(8) * noises, rtol=1e-2)
    states, _ = jax.vmap(train)(jax.random.split(jax.random.key(0), 3))
    assert states[0].norms.shape == (3, 512)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_buffers_can_be_donated(compiled):
    tx = record_grad_norms(capacity=4)
    update = jax.jit(tx.update, donate_argnums=1)
    state = (jax.jit(tx.init) if compiled else tx.init)(PARAMS)
    for _ in range(3):
        _, state = update(gradients(1.0), state)
    assert len(read_grad_norms(state)[0]) == 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: record_grad_norms("max"), "`norm` must be 'l2' or 'l1', got 'max'"),
        (lambda: record_grad_norms(capacity=7), "an even number >= 2, got 7"),
        (lambda: record_grad_norms(capacity=0), "an even number >= 2, got 0"),
        (lambda: read_grad_norms(optax.sgd(0.1).init(PARAMS)), "one record .*, got 0 .put it fi"),
        (lambda: read_grad_norms([record_grad_norms().init(PARAMS)] * 2), "got 2"),
    ],
)
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
