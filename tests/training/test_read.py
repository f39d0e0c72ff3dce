"""read_hyperparams, next_hyperparams: the rate in any optimizer's state."""

from functools import partial
from typing import NamedTuple

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

from lr_optax import (
    constant,
    continue_from,
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


def group(rate, patience=0):
    return optax.chain(
        with_hyperparams(optax.sgd, learning_rate=rate), reduce_on_plateau(0.5, patience=patience)
    )


def effective(state):
    """The effective rates by the path of their wrapper."""
    name = "effective_learning_rate"
    return {n.removesuffix(name): v for n, v in read(state).items() if n.endswith(name)}


ENCODER, DECODER = {"encoder": True, "decoder": False}, {"encoder": False, "decoder": True}
BOTH = (optax.masked(group(0.1), ENCODER), optax.masked(group(0.2, 9), DECODER))
REACHED = {
    "masked": (optax.chain(*BOTH), (0.05, 0.2)),
    "masked in a chain": (optax.chain(*BOTH, PLATEAU), (0.025, 0.1)),
    "masked in nested chains": (
        optax.chain(optax.chain(optax.identity(), PLATEAU), optax.chain(*BOTH)),
        (0.025, 0.1),
    ),
    "named_chain": (
        optax.named_chain(("a", BOTH[0]), ("b", BOTH[1]), ("all", PLATEAU)),
        (0.025, 0.1),
    ),
    "partition": (optax.partition({"encoder": group(0.1), "decoder": group(0.2, 9)}, LABELS),
                  (0.05, 0.2)),
    "partition in a wrapper": (
        optax.apply_if_finite(optax.chain(PLATEAU, optax.partition(
            {"encoder": group(0.1), "decoder": group(0.2, 9)}, LABELS)), 3),
        (0.025, 0.1),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tx", "rates"), REACHED.values(), ids=REACHED.keys())
def test_the_effective_rate_is_the_one_that_is_used(tx, rates):
    state = run(tx, steps=2, value=1.0)
    assert sorted(effective(state).values()) == sorted(rates)
    updates, _ = tx.update(PARAMS, state, PARAMS)
    for name, rate in zip(("encoder", "decoder"), rates, strict=True):
        np.testing.assert_allclose(updates[name], -rate, rtol=1e-6)


class Optimizers(NamedTuple):
    generator: optax.OptState
    critic: optax.OptState


def test_states_side_by_side_are_groups():
    one, two = observe(observe(group(0.1).init(PARAMS), 1.0), 1.0), group(0.2).init(PARAMS)
    unrecorded = optax.chain(optax.adam(0.1), PLATEAU).init(PARAMS)
    unrecorded = observe(observe(unrecorded, 1.0), 1.0)
    for both in ({"a": one, "b": two}, (one, two), [one, two], Optimizers(one, two)):
        assert sorted(effective(both).values()) == [0.05, 0.2]
    for both in ({"a": unrecorded, "b": two}, [two, unrecorded], Optimizers(two, unrecorded)):
        assert list(effective(both).values()) == [0.2]


def test_chains_in_a_chain_scale_its_rates():
    links = {
        "nested": optax.chain(optax.chain(optax.identity(), PLATEAU), TX),
        "wrapped": optax.chain(TX, optax.apply_if_finite(PLATEAU, 3)),
        "before": optax.chain(PLATEAU, TX),
        "named": optax.named_chain(("sgd", TX), ("plateau", PLATEAU)),
    }
    for tx in links.values():
        assert list(effective(run(tx, 2, value=1.0)).values()) == [0.35]
    # Without the order of a named_chain, which some checkpoints lose.
    assert list(effective(dict(run(links["named"], 2, value=1.0))).values()) == [0.35]
    # A part of the parameters only.
    tx = optax.chain(TX, optax.masked(PLATEAU, ENCODER))
    assert list(effective(run(tx, 2, value=1.0)).values()) == [0.7]


def test_a_hyperparameter_that_is_called_scale_is_none_of_a_metric():
    def noisy(learning_rate, scale):
        return optax.chain(optax.add_noise(scale, 0.5, jax.random.key(0)), optax.sgd(learning_rate))

    tx = with_hyperparams(noisy, learning_rate=0.5, scale=0.25)
    assert read(tx.init(PARAMS)) == {"scale": 0.25} | unscaled({"": 0.5})


def test_a_state_with_a_field_called_opt_state():
    inner, adversary = group(0.1), optax.chain(optax.identity(), group(0.05))
    state = optax.contrib.sam(inner, adversary).init(PARAMS)
    state = state._replace(adv_state=observe(observe(state.adv_state, 1.0), 1.0))
    assert effective(state) == {"opt_state/0/": 0.1, "adv_state/1/0/": 0.025}
    names = {n: 0.1 for n in read(state) if n.endswith("/learning_rate")}
    assert set(next_hyperparams(state, names)) == set(names)
    again = continue_from(state, RATE, name="adv_state/1/0/learning_rate")
    np.testing.assert_allclose(again(0), 0.05, rtol=1e-6)


class Misnamed(nnx.Module):
    """Parameters whose names are those of our and others' states."""

    def __init__(self):
        names = ("hyperparams", "inner_states", "plateau_count", "opt_state", "scale", "settings")
        for name in names:
            setattr(self, name, nnx.Param(jnp.ones(2)))


class Fields(NamedTuple):
    hyperparams: dict
    inner_states: list
    inner_state: jax.Array
    opt_state: jax.Array
    scale: jax.Array
    count: jax.Array
    plateau_count: jax.Array


def test_the_names_of_parameters_mean_nothing():
    class Net(eqx.Module):
        hyperparams: dict = eqx.field(static=True)
        opt_state: jax.Array
        inner_states: list
        plateau_count: jax.Array

        def get_value(self, shape):
            return self.opt_state.reshape(shape)

    w = jnp.ones(2)
    fields = Fields({"learning_rate": w}, [w], w, w, w, w, w)
    for params in (
        Net({"depth": 2}, w, [w], w),
        fields,
        fields._asdict(),
        nnx.state(Misnamed()),
    ):
        tx = optax.chain(with_hyperparams(optax.trace, decay=0.9), PLATEAU, TX)
        seen = read_hyperparams(tx.init(params))
        assert seen.keys() == {"decay", "scale", "learning_rate", "effective_learning_rate"}
        state = observe(observe(tx.init(params), 1.0), 1.0)
        assert state[1].scale == 0.5
        chex.assert_trees_all_equal(state[0], tx.init(params)[0])
        assert continue_from(state, RATE)(0) == RATE(0)
    optimizer = nnx.Optimizer(Misnamed(), optax.chain(TX, PLATEAU), wrt=nnx.Param)
    assert effective(optimizer.opt_state) == effective(optimizer) == {"": 0.8}
