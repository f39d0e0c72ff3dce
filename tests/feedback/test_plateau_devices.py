"""reduce_on_plateau in a program: types, jit, other transforms, devices, errors."""

import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lr_optax
from lr_optax import PlateauState, cosine_decay, reduce_on_plateau

ONE = jnp.ones((), jnp.float32)
FLAT = [1.0] * 8
STATE_TYPES = tuple(map(jnp.dtype, ("float32", "float32", "int32", "int32", "float32", "int32")))


def feed(tx, metrics, params=ONE, *, compiled=True):
    """The last updates, for a gradient like the parameters, and the last state."""
    update = jax.jit(tx.update) if compiled else tx.update
    updates, state = params, tx.init(params)
    for metric in metrics:
        updates, state = update(params, state, params, value=metric)
    return updates, state


def types(state):
    assert isinstance(state, PlateauState)
    assert not any(leaf.weak_type or leaf.shape for leaf in jax.tree.leaves(state))
    return tuple(leaf.dtype for leaf in state[:-1])


PARAMS = {
    "bf16": jnp.ones(3, jnp.bfloat16),
    "f16": jnp.ones(3, jnp.float16),
    "integer": jnp.arange(3),
    "mixed": {"a": jnp.arange(3), "b": jnp.ones(2, jnp.float16), "c": jnp.ones(2)},
}


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS.keys())
@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_defect_7_state_has_types_of_its_own(params, x64, compiled):
    with jax.enable_x64(x64):
        tx = reduce_on_plateau(0.5, patience=2, accumulation_size=2)
        assert types(tx.init(params)) == STATE_TYPES
        for value in (7e4, np.float64(7e4), np.int64(70_000), jnp.float32(7e4)):
            updates, state = feed(tx, [value] * 8, params, compiled=compiled)
            assert types(state) == STATE_TYPES
            assert (state.best, state.scale) == (7e4, 0.5)  # 7e4 is infinite in float16
            chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


def test_defect_7_small_improvements_count_with_bfloat16_parameters():
    losses = np.float32(0.9995) ** np.arange(100, dtype=np.float32)
    _, state = feed(reduce_on_plateau(0.5, patience=5), losses, PARAMS["bf16"])
    assert (state.scale, state.best) == (1, losses[-1])


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_updates_keep_their_types_and_are_scaled_in_the_wider_one(compiled):
    tx = reduce_on_plateau(0.1, patience=0)
    values = jnp.arange(1, 257, dtype=jnp.float32)
    for dtype in (jnp.bfloat16, jnp.float16):
        updates, _ = feed(tx, [1.0, 1.0], values.astype(dtype), compiled=compiled)
        wide = np.float32(0.1) * np.asarray(values)
        np.testing.assert_array_equal(updates, jnp.asarray(wide).astype(dtype), strict=True)
        assert np.any(updates != dtype(0.1) * values.astype(dtype))
    tree = {"real": values, "complex": jax.lax.complex(values, 2 * values), "none": None}
    updates, _ = feed(tx, [1.0, 1.0], tree, compiled=compiled)
    assert updates["none"] is None
    np.testing.assert_array_equal(updates["real"], wide, strict=True)
    assert updates["complex"].dtype == jnp.complex64
    np.testing.assert_array_equal(updates["complex"].real, wide)
    np.testing.assert_array_equal(updates["complex"].imag, 2 * wide)
    with jax.enable_x64(True):
        updates, _ = feed(tx, [1.0, 1.0], jnp.float64(3), compiled=compiled)
        assert (updates.dtype, updates) == (jnp.float64, float(np.float32(0.1)) * 3)


def test_one_program_without_branches_or_callbacks():
    tx = reduce_on_plateau(0.5, patience=1, cooldown=1, accumulation_size=2, nonfinite="ignore")
    update = jax.jit(chex.assert_max_traces(tx.update, n=1))
    state = tx.init(ONE)
    text = update.lower(ONE, state, value=1.0).compile().as_text()
    for word in ("conditional", "callback", "custom-call", "while", "infeed", "outfeed"):
        assert f" {word}(" not in text
    for value in (1.0, 2.0, np.nan):
        _, state = update(ONE, state, value=value)
    # The words are those that XLA uses: Optax's transform has a branch.
    peer = optax.contrib.reduce_on_plateau()
    with jax.numpy_dtype_promotion("standard"):
        lowered = jax.jit(peer.update).lower(ONE, peer.init(ONE), value=1.0)
    assert " conditional(" in lowered.compile().as_text()


def test_state_may_be_donated():
    tx = reduce_on_plateau(0.5, patience=0)
    update = jax.jit(lambda state, value: tx.update(ONE, state, value=value), donate_argnums=0)
    state = tx.init(ONE)
    for value in (1.0, 1.0):
        before, (_, state) = state, update(state, value)
        assert before.scale.is_deleted()
    assert state.scale == 0.5


@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_no_nan_is_made_on_the_way(threshold_mode):
    tx = reduce_on_plateau(0.5, patience=1, threshold=0.0, threshold_mode=threshold_mode)
    with jax.debug_nans(True):
        for compiled in (False, True):
            assert feed(tx, [1.0] * 3, compiled=compiled)[1].scale == 0.5


@pytest.mark.parametrize("whole", [jnp.int32, jnp.uint8, jnp.float32])
def test_traced_factor_and_patience(whole):
    def last_scale(factor, patience, size):
        tx = reduce_on_plateau(factor, patience=patience, cooldown=patience, accumulation_size=size)
        return feed(tx, FLAT, compiled=False)[1].scale

    factors, patiences = jnp.array([0.5, 0.5, 0.25, 0.5]), jnp.array([0, 1, 3, 0])
    sizes = jnp.array([1, 1, 1, 2])
    seen = jax.jit(jax.vmap(last_scale))(factors, patiences.astype(whole), sizes.astype(whole))
    # Cuts at checks 2-8; at 3 and 6; at 5; and at checks 2-4 of 4.
    assert seen.tolist() == [0.5**7, 0.5**2, 0.25, 0.5**3]


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
def test_injected_hyperparameters_can_be_changed_under_jit(x64):
    with jax.enable_x64(x64):
        tx = optax.inject_hyperparams(reduce_on_plateau)(factor=0.5, patience=2)
        update, state = jax.jit(tx.update), tx.init(ONE)
        for _ in FLAT[:4]:
            updates, state = update(ONE, state, value=1.0)
        assert updates == 0.5
        state.hyperparams["factor"] = jnp.float32(0.1)
        state.hyperparams["patience"] = jnp.asarray(0)
        updates, state = update(ONE, state, value=1.0)
        np.testing.assert_allclose(updates, 0.05, rtol=1e-7)
        assert types(state.inner_state) == STATE_TYPES


@pytest.mark.parametrize("adam", [optax.adam, optax.inject_hyperparams(optax.adam)])
def test_behind_adam_in_a_chain(adam):
    params = {"w": jnp.ones(3), "b": jnp.zeros(())}
    rate = cosine_decay(0.1, decay_steps=20)
    alone, chained = adam(rate), optax.chain(adam(rate), reduce_on_plateau(0.5, patience=1))

    def run(tx, with_value):
        def step(carry, value):
            params, state = carry
            grads = jax.grad(lambda p: jnp.sum((p["w"] - 3) ** 2) + p["b"])(params)
            extra = {"value": value} if with_value else {}
            updates, state = tx.update(grads, state, params, **extra)
            # Not applied: both runs see the same gradients.
            return (params, state), updates

        return jax.lax.scan(step, (params, tx.init(params)), jnp.array(FLAT))[1]

    run = jax.jit(run, static_argnums=(0, 1))
    scales = np.array([1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125], np.float32)
    with jax.numpy_dtype_promotion("standard"):  # for Adam's decay ** count
        expected, seen = run(alone, False), run(chained, True)
    np.testing.assert_allclose(seen["b"], expected["b"] * scales, rtol=1e-6)
    np.testing.assert_allclose(seen["w"], expected["w"] * scales[:, None], rtol=1e-6)


ON_EIGHT_DEVICES = """
import warnings

warnings.simplefilter("error")
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

from lr_optax import reduce_on_plateau

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
assert jax.device_count() == 8
metrics = jnp.asarray(np.random.default_rng(0).normal(size=(8, 40)), jnp.float32)

def scales(metrics, axis_name):
    tx = reduce_on_plateau(0.9, patience=2, axis_name=axis_name)
    def step(state, value):
        update, state = tx.update(jnp.float32(1), state, value=value)
        return state, update
    return jax.lax.scan(step, tx.init(metrics), metrics)[1]

def mapped(shape, names, axis_name, check_vma, out=P()):
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(shape), names)
    f = lambda metrics: scales(metrics.reshape(40), axis_name).reshape(1, 40)
    specs = {"in_specs": P(names), "out_specs": out, "check_vma": check_vma}
    return np.asarray(jax.jit(jax.shard_map(f, mesh=mesh, **specs))(metrics))

expected = np.asarray(scales(metrics.mean(0), None))
assert expected[-1] < 0.5
alone = np.asarray(jax.vmap(lambda m: scales(m, None))(metrics))
assert len(set(alone[:, -1].tolist())) > 2  # they part unless they are averaged

for seen in (
    jax.pmap(lambda m: scales(m, "data"), axis_name="data")(metrics),
    jax.vmap(lambda m: scales(m, "data"), axis_name="data")(metrics),
    # Each device hands out its own copy where the types cannot be checked.
    mapped((8,), ("data",), "data", False, P("data")),
    mapped((2, 4), ("data", "model"), ("data", "model"), False, P(("data", "model"))),
    # With the check on, P() says, and JAX proves, that all have the same.
    mapped((8,), ("data",), "data", True),
    mapped((2, 4), ("data", "model"), ("data", "model"), True),
):
    seen = np.asarray(seen)
    assert np.all(seen == seen[:1]), "replicas differ"
    np.testing.assert_array_equal(seen[0], expected)

np.testing.assert_array_equal(mapped((8,), ("data",), None, False, P("data")), alone)
"""


def test_replicas_stay_identical_on_eight_devices():
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(Path(lr_optax.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", ON_EIGHT_DEVICES],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "words", "wrong"),
    [
        *(
            (ValueError, "between 0 and 1, both excluded", {"factor": f})
            for f in (0, 1, -1, np.nan)
        ),
        (TypeError, "between 0 and 1, both excluded", {"factor": "0.1"}),
        (ValueError, "a whole number >= 0", {"patience": -1}),
        (ValueError, "a whole number >= 0", {"patience": 2.5}),
        (TypeError, "a whole number >= 0", {"patience": True}),
        (ValueError, "a whole number >= 0", {"cooldown": -1}),
        (ValueError, "'min' or 'max'", {"mode": "foo"}),
        (ValueError, "'rel' or 'abs'", {"threshold_mode": "relative"}),
        (ValueError, "'compare' or 'ignore'", {"nonfinite": "raise"}),
        (ValueError, "a finite number >= 0", {"threshold": -1e-4}),
        (ValueError, "a finite number >= 0", {"eps": np.inf}),
        (ValueError, r"a number in \[0, 1\]", {"min_scale": 1.5}),
        (ValueError, "a whole number of steps >= 1", {"accumulation_size": 0}),
    ],
)
def test_errors_name_the_field_the_rule_and_the_value(error, words, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(error, match=f"{name}.*must be.*{words}, got {value!r}"):
        reduce_on_plateau(**wrong)


def test_errors_of_a_misspelt_argument_and_of_a_value():
    with pytest.raises(TypeError, match="no argument 'patiense'; did you mean 'patience'"):
        reduce_on_plateau(patiense=3)
    for value in (jnp.ones(1), np.ones((2, 3)), [1.0]):
        with pytest.raises(ValueError, match=r"`value` must be a scalar, got shape \("):
            feed(reduce_on_plateau(), [value], compiled=False)
    with pytest.raises(TypeError, match="`value` must be real, got complex64"):
        feed(reduce_on_plateau(), [1 + 2j])
