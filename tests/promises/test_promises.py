"""What every schedule promises (see the README), for every schedule there is."""

import copy
import json
import pickle
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import CASES, TEXTUAL, UNTOLD, WITH_FLOATS, WITH_LEAVES

import lr_optax

STEPS = np.arange(48)
LAST = 2**31 - 1

every_case = pytest.mark.parametrize("s", CASES.values(), ids=CASES.keys())
every_with_floats = pytest.mark.parametrize("s", WITH_FLOATS.values(), ids=WITH_FLOATS.keys())
every_with_leaves = pytest.mark.parametrize("s", WITH_LEAVES.values(), ids=WITH_LEAVES.keys())
every_text = pytest.mark.parametrize("s", TEXTUAL.values(), ids=TEXTUAL.keys())


def traced(s):
    """The same schedule with arrays for numbers, as inside jit with the schedule as argument."""
    return jax.tree.map(jnp.asarray, s)


def test_every_registered_schedule_has_an_example():
    assert UNTOLD == []


@every_case
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("known", [True, False], ids=["constants", "arrays"])
def test_total_for_any_step_of_any_type(s, compiled, known):
    s = s if known else traced(s)
    f = jax.jit(lambda step: s(step)) if compiled else s
    at_zero, later = f(0), f(7)
    for step in (-5, np.int64(-5), jnp.int32(-5), -0.5):
        chex.assert_trees_all_equal(f(step), at_zero)
    for step in (np.int32(7), np.int64(7), np.uint8(7), jnp.uint32(7), jnp.int8(7)):
        chex.assert_trees_all_equal(f(step), later)
    for step in (7.0, np.float32(7), jnp.bfloat16(7), jnp.float32(7)):
        np.testing.assert_allclose(f(step), later, rtol=2e-6)
    for step in (0, 1, 10**6, LAST, jnp.uint32(2**32 - 1), np.float32(1e30), STEPS.reshape(6, 8)):
        rate = f(step)
        assert rate.shape == np.shape(step)
        assert rate.dtype == jnp.float32
        assert not rate.weak_type
        assert np.isfinite(rate).all()
        assert (rate >= 0).all()
    if not compiled:
        chex.assert_trees_all_equal(f(10**30), f(LAST))


@every_case
def test_same_eagerly_and_under_jit_vmap_and_scan(s):
    expected = np.stack([s(t) for t in STEPS])
    close = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(s(STEPS), expected, **close)
    np.testing.assert_allclose(jax.jit(s)(STEPS), expected, **close)
    np.testing.assert_allclose(jax.vmap(s)(STEPS), expected, **close)
    _, scanned = jax.lax.scan(lambda t, _: (t + 1, s(t)), jnp.int32(0), length=len(STEPS))
    np.testing.assert_allclose(scanned, expected, **close)


@every_case
def test_into_and_out_of_jit(s):
    np.testing.assert_allclose(
        jax.jit(lambda s, t: s(t))(s, STEPS), s(STEPS), rtol=5e-6, atol=1e-7 * float(s(0))
    )
    back = jax.jit(lambda s: s)(s)
    assert jax.tree.structure(back) == jax.tree.structure(s)
    chex.assert_trees_all_close(back, traced(s))


@every_case
def test_one_trace_for_any_values(s):
    @jax.jit
    @chex.assert_max_traces(n=1)
    def rate(s, step):
        return s(step)

    for factor in (1.0, 1.5, 2.0):
        changed = jax.tree.map(lambda x, f=factor: type(x)(x * f) if np.ndim(x) == 0 else x * f, s)
        assert np.isfinite(rate(changed, 3))


@every_with_leaves
def test_stacked_and_mapped_equals_a_loop(s):
    # Real-valued leaves vary, counts stay as they are: every stack is then a valid one.
    variants = [
        jax.tree.map(lambda x, f=f: np.float32(x * f) if is_real(x) else np.asarray(x), s)
        for f in (1.0, 0.75, 0.5)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *variants)
    together = jax.jit(jax.vmap(lambda s: s(STEPS)))(stacked)
    one_by_one = jnp.stack([v(STEPS) for v in variants])
    np.testing.assert_allclose(together, one_by_one, rtol=2e-5, atol=1e-7)


def is_real(leaf):
    return np.asarray(leaf).dtype.kind == "f"


@every_with_floats
def test_built_inside_jit_of_vmap(s):
    numbers = {n: v for n, v in s.hyperparameters.items() if isinstance(v, float)}

    def build(numbers):
        return s.replace(**numbers)(STEPS)

    stacked = {n: jnp.array([v, v], jnp.float32) for n, v in numbers.items()}
    for rates in jax.jit(jax.vmap(build))(stacked):
        np.testing.assert_allclose(rates, s(STEPS), rtol=5e-6, atol=1e-7)


@every_case
def test_gradients_are_finite_at_every_step(s):
    floats = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), s)
    no_lengths = jax.tree.map(jnp.zeros_like, floats)
    for schedule in (floats, no_lengths):
        grads = jax.jit(jax.vmap(jax.grad(lambda s, t: s(t)), in_axes=(None, 0)))(schedule, STEPS)
        chex.assert_tree_all_finite(grads)
        chex.assert_tree_all_finite(schedule(STEPS))


LATE = np.array([511, 1025, 88_765, 10**6, LAST], np.int32)


@every_case
def test_gradients_are_finite_however_late_the_step(s):
    floats = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), s)
    grads = jax.jit(jax.vmap(jax.grad(lambda s, t: s(t)), in_axes=(None, 0)))(floats, LATE)
    chex.assert_tree_all_finite(grads)


@every_case
def test_no_nan_arises_on_the_way(s):
    with jax.debug_nans(True):
        for schedule in (s, traced(s)):
            jax.jit(lambda s, t: s(t))(schedule, LATE).block_until_ready()
            jax.jit(lambda t, s=schedule: s(t))(STEPS).block_until_ready()


@every_text
def test_round_trips(s):
    assert lr_optax.parse(repr(s)) == s
    assert lr_optax.from_dict(json.loads(json.dumps(lr_optax.to_dict(s)))) == s
    assert pickle.loads(pickle.dumps(s)) == s
    assert copy.deepcopy(s) == s
    assert s.replace() == s
    assert hash(lr_optax.parse(repr(s))) == hash(s)
    assert repr(lr_optax.parse(repr(s))) == repr(s)


@every_case
def test_optax_sees_the_same_rates(s):
    """One update of ones is the rate: in sgd, inject_hyperparams and scale_by_schedule."""
    ways = {
        "sgd": optax.sgd(s),
        "inject": optax.inject_hyperparams(optax.sgd)(s),
        "scale": optax.chain(optax.scale_by_schedule(s), optax.scale(-1.0)),
    }
    for name, tx in ways.items():
        params = {"w": jnp.zeros(2)}

        def step(state, _, tx=tx, params=params):
            updates, state = tx.update(params | {"w": jnp.ones(2)}, state, params)
            return state, -updates["w"][0]

        _, rates = jax.lax.scan(step, tx.init(params), length=len(STEPS))
        np.testing.assert_allclose(rates, s(STEPS), rtol=1e-6, atol=1e-9, err_msg=name)


@every_case
@pytest.mark.parametrize("known", [True, False], ids=["constants", "arguments"])
def test_compiles_to_one_kernel_without_control_flow(s, known):
    f = jax.jit(lambda t: s(t)) if known else jax.jit(lambda t, s: s(t))
    program = f.lower(jnp.int32(0), *([] if known else [s])).compile().as_text()
    assert not re.search(r"\b(while|conditional|custom-call|infeed|outfeed)\(", program)
    entry = program[program.index("ENTRY") :]
    tables = (
        known
        and re.search(r"boundaries|period_multiplier|cycle_mul", repr(s))
        and "join" not in repr(s)
    )
    if known:  # a long table is searched: a few look-ups for every halving
        assert len(re.findall(r"\b(fusion|call)\(", entry)) <= (20 if tables else 1)


@every_case
def test_optax_does_not_take_it_for_something_else(s):
    assert not hasattr(s, "init")
    assert not hasattr(s, "update")


@every_case
def test_under_x64_rates_are_float64(s):
    with jax.enable_x64(True):
        wide = np.stack([s(t) for t in STEPS])
        assert wide.dtype == np.float64
        assert jax.jit(s)(STEPS).dtype == np.float64
    np.testing.assert_allclose(s(STEPS), wide, rtol=1e-6, atol=1e-9)
