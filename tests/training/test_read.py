"""read_hyperparams, next_hyperparams: the rate in any optimizer's state."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

from lr_optax import (
    constant,
    linear,
    next_hyperparams,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    with_feedback,
    with_hyperparams,
)

PARAMS = {"encoder": jnp.ones(3), "decoder": jnp.ones(2)}
LABELS = {"encoder": "encoder", "decoder": "decoder"}
RATE = linear(0.8, end_value=0.0, transition_steps=8)
TX = with_hyperparams(optax.sgd, learning_rate=RATE)
PLATEAU = reduce_on_plateau(0.5, patience=0)


def run(tx, steps=3, **extra):
    """The state after some updates."""
    state = tx.init(PARAMS)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(steps):
            _, state = tx.update(PARAMS, state, PARAMS, **extra)
    return state


def read(state):
    """What is read, in and outside jit, as Python numbers."""
    seen = read_hyperparams(state)
    assert jax.jit(read_hyperparams)(state) == seen
    return {name: round(float(value), 6) for name, value in seen.items()}


def unscaled(rates):
    """What is read where no scale reaches a rate, by group."""
    names = ("learning_rate", "effective_learning_rate")
    return {f"{group}{name}": rate for group, rate in rates.items() for name in names}


def groups(**rates):
    return {label: with_hyperparams(optax.sgd, learning_rate=r) for label, r in rates.items()}


FOUND = {
    "alone": TX,
    "inject": optax.inject_hyperparams(optax.sgd)(learning_rate=RATE),
    "chain": optax.chain(optax.clip(1.0), optax.chain(TX, optax.identity())),
    "named_chain": optax.named_chain(("clip", optax.clip(1.0)), ("sgd", TX)),
    "masked": optax.masked(TX, {"encoder": True, "decoder": False}),
    "apply_if_finite": optax.apply_if_finite(TX, 3),
    "nested": optax.apply_if_finite(
        optax.masked(optax.chain(TX), {"encoder": True, "decoder": True}), 3
    ),
    "flatten": optax.flatten(TX),
}


@pytest.mark.parametrize("tx", FOUND.values(), ids=FOUND.keys())
def test_found_wherever_it_is_nested(tx):
    assert read(tx.init(PARAMS)) == unscaled({"": 0.8})
    assert read(run(tx)) == unscaled({"": 0.6})


def test_multi_steps_counts_whole_updates():
    tx = optax.MultiSteps(TX, every_k_schedule=2)
    assert [read(run(tx, steps))["learning_rate"] for steps in (0, 1, 2, 3, 4)] == [
        0.8, 0.8, 0.8, 0.8, 0.7
    ]  # fmt: skip


def test_every_hyperparameter_and_what_an_inner_wrapper_has():
    def inner(learning_rate):
        return with_hyperparams(partial(optax.sgd, learning_rate), momentum=RATE)

    outer = with_hyperparams(inner, learning_rate=0.1)
    assert read(run(outer)) == {"momentum": 0.6} | unscaled({"": 0.1})


def test_groups_are_told_apart_by_label():
    for partition in (optax.partition, optax.multi_transform):
        tx = partition(groups(encoder=RATE, decoder=0.1), LABELS)
        assert read(run(tx)) == unscaled({"decoder/": 0.1, "encoder/": 0.6})
    inner = optax.partition(groups(a=0.1, b=0.2), {"encoder": "a", "decoder": "b"})
    tx = optax.partition({"x": inner}, {"encoder": "x", "decoder": "x"})
    assert read(run(tx)) == unscaled({"x/a/": 0.1, "x/b/": 0.2})


def test_same_names_in_one_chain_are_told_apart_by_their_path():
    tx = optax.chain(TX, optax.identity(), with_hyperparams(optax.sgd, learning_rate=0.1))
    assert read(run(tx)) == unscaled({"0/": 0.6, "2/": 0.1})


def test_scale_and_effective_rate():
    tx = optax.chain(TX, PLATEAU)
    expected = {"learning_rate": 0.6, "scale": 0.25, "effective_learning_rate": 0.15}
    assert read(run(tx, value=1.0)) == expected
    updates, _ = tx.update(PARAMS, run(tx, 2, value=1.0), PARAMS, value=1.0)
    np.testing.assert_allclose(updates["encoder"], -0.15, rtol=1e-6)
    inside = with_hyperparams(
        lambda learning_rate: optax.chain(optax.sgd(learning_rate), PLATEAU), learning_rate=RATE
    )
    assert read(run(inside, value=1.0)) == expected
    assert read(run(PLATEAU, value=1.0)) == {"scale": 0.25}
    theirs = optax.chain(TX, optax.contrib.reduce_on_plateau(0.5, patience=1))
    assert read(run(theirs, value=1.0)) == expected | {
        "scale": read(run(theirs, value=1.0))["scale"],
        "effective_learning_rate": round(0.6 * read(run(theirs, value=1.0))["scale"], 6),
    }


def test_scales_reach_the_rates_of_their_chain():
    one = optax.chain(with_hyperparams(optax.sgd, learning_rate=0.4), PLATEAU)
    other = with_hyperparams(optax.sgd, learning_rate=0.2)
    tx = optax.chain(optax.partition({"encoder": one, "decoder": other}, LABELS), PLATEAU)
    assert read(run(tx, steps=2, value=1.0)) == {
        "encoder/learning_rate": 0.4,
        "encoder/scale": 0.5,
        "decoder/learning_rate": 0.2,
        "scale": 0.5,
        "encoder/effective_learning_rate": 0.1,
        "decoder/effective_learning_rate": 0.1,
    }


def test_a_schedule_with_feedback_is_read_as_one_value():
    for make in (with_hyperparams, lambda f, **kw: optax.inject_hyperparams(f)(**kw)):
        tx = make(optax.sgd, learning_rate=with_feedback(RATE, PLATEAU))
        assert read(run(tx, value=1.0)) == unscaled({"": 0.15})


def test_nothing_noted_is_nothing_found():
    assert read(run(optax.adam(0.1))) == {}


def test_train_state():
    state = TrainState.create(apply_fn=None, params=PARAMS, tx=optax.chain(TX, PLATEAU))
    for _ in range(3):
        state = state.apply_gradients(grads=PARAMS)
    assert read(state)["learning_rate"] == 0.6
    state = observe(observe(state, 1.0), 1.0)
    assert read(state)["effective_learning_rate"] == 0.3


def test_nnx_optimizer():
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.chain(TX, PLATEAU), wrt=nnx.Param)
    grads = nnx.grad(lambda m: m(jnp.ones((1, 2))).sum())(model)
    for _ in range(3):
        optimizer.update(model, grads, value=1.0)
    expected = {"learning_rate": 0.6, "scale": 0.25, "effective_learning_rate": 0.15}
    for state in (optimizer, optimizer.opt_state):
        seen = read_hyperparams(state)
        assert {name: round(float(value), 6) for name, value in seen.items()} == expected


def test_defect_10_unsigned_counters_are_read_right():
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, TX, wrt=nnx.Param)
    assert optimizer.step[...].dtype == jnp.uint32
    late = linear(0.8, end_value=0.0, transition_steps=8)
    drop = {"begin": optax.linear_schedule(1.0, 0.0, 8, transition_begin=5)}
    steps = jnp.arange(10, dtype=jnp.uint32)
    np.testing.assert_array_equal(late(steps), late(np.arange(10)))
    np.testing.assert_array_equal(jax.jit(late)(steps), late(np.arange(10)))
    assert drop["begin"](jnp.uint32(2)) != drop["begin"](jnp.int32(2))  # Optax's is not


def test_next_values_need_the_schedules():
    tx = optax.partition(groups(encoder=RATE, decoder=constant(0.1)), LABELS)
    schedules = {"encoder/learning_rate": RATE, "decoder/learning_rate": constant(0.1)}
    state = tx.init(PARAMS)
    for t in range(3):
        upcoming = next_hyperparams(state, schedules)
        assert upcoming["encoder/learning_rate"] == RATE(t)
        assert jax.jit(lambda s: next_hyperparams(s, schedules))(state) == upcoming
        _, state = tx.update(PARAMS, state, PARAMS)
        assert read_hyperparams(state).items() >= upcoming.items()
    assert next_hyperparams(state, {"decoder/learning_rate": 0.5}) == {"decoder/learning_rate": 0.5}
    with pytest.raises(KeyError, match="no hyperparameter 'learning_rate'; it has decoder/"):
        next_hyperparams(state, {"learning_rate": RATE})
