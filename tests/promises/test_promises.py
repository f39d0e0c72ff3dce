"""What every schedule promises (see the README), for every schedule there is.

Compiling is what these tests cost. So each schedule has its programs compiled once, by
``Programs``, and the tests read their results; pytest runs all tests of a schedule together.
Outside of programs JAX compiles every operation for every shape: most arrays have one shape.
"""

import copy
import functools
import json
import pickle
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import CASES, TEXTUAL, WITHOUT_EXAMPLE

import lr_optax
from lr_optax._core.clock import as_step

LAST = 2**31 - 1
STEPS = np.arange(48, dtype=np.int32)
LATE = np.array([511, 1025, 88_765, 10**6, LAST], np.int32)
WHOLE = np.concatenate([STEPS, LATE])
REAL = WHOLE.astype(np.float32)
REAL[-4:] = -0.5, 7.5, 10**6, 1e30
CLOSE = {"rtol": 1e-6, "atol": 1e-9}


def traced(s):
    """The same schedule with arrays for numbers, as inside jit with the schedule as argument."""
    return jax.tree.map(jnp.asarray, s)


def is_real(leaf):
    return np.asarray(leaf).dtype.kind == "f"


class Programs:
    """One schedule, and what its compiled programs give."""

    def __init__(self, s):
        self.s = s
        self.expected = np.asarray(s(WHOLE))

    @functools.cached_property
    def constant(self):
        """The compiled program with the hyperparameters as constants."""
        return jax.jit(lambda steps: self.s(steps)).lower(WHOLE).compile()

    @functools.cached_property
    def other_constants(self):
        """Rates of one program: scanned, at real steps, and with arrays as constants."""
        arrays = traced(self.s)

        @jax.jit
        def rates(whole, real):
            begin = jnp.int32(0)
            _, scanned = jax.lax.scan(lambda t, _: (t + 1, self.s(t)), begin, length=len(STEPS))
            return {"scan": scanned, "real": self.s(real), "arrays": arrays(whole)}

        return rates(WHOLE, REAL)

    @functools.cached_property
    def argument(self):
        """A function with the schedule as argument, its program, and a list of its traces."""
        traces = []

        @jax.jit
        def evaluate(s, steps):
            traces.append(s)
            return s(steps), s

        return evaluate, evaluate.lower(self.s, WHOLE).compile(), traces

    @functools.cached_property
    def variants(self):
        """Real-valued leaves vary, counts stay as they are: every stack is then a valid one."""
        return [
            jax.tree.map(lambda x, f=f: np.float32(x * f) if is_real(x) else np.asarray(x), self.s)
            for f in (1.0, 0.75, 0.5)
        ]

    @functools.cached_property
    def floats(self):
        return {n: v for n, v in self.s.hyperparameters.items() if isinstance(v, float)}

    @functools.cached_property
    def mapped(self):
        """Rates of stacked schedules, and of those that are built inside of jit and vmap."""
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *self.variants)
        numbers = {name: jnp.full(2, value, jnp.float32) for name, value in self.floats.items()}

        @jax.jit
        def rates(stacked, numbers):
            together = jax.vmap(lambda s: s(STEPS))(stacked) if jax.tree.leaves(stacked) else None
            built = jax.vmap(lambda numbers: self.s.replace(**numbers)(STEPS))
            return together, built(numbers) if numbers else None

        return rates(stacked, numbers)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def programs(request):
    return Programs(request.param)


def assert_sound(rate, shape):
    assert rate.shape == shape
    assert rate.dtype == jnp.float32
    assert not rate.weak_type
    assert np.isfinite(rate).all()
    assert (rate >= 0).all()


def test_every_registered_schedule_has_an_example():
    assert WITHOUT_EXAMPLE == []


STEP_TYPES = [
    (np.int32(0), (-5, np.int64(-5), jnp.int32(-5), jnp.int8(-5), 0)),
    (np.int32(7), (7, np.int32(7), np.int64(7), np.uint8(7), jnp.uint32(7), jnp.int8(7))),
    (np.int32(LAST), (LAST, np.int64(LAST), jnp.uint32(2**32 - 1))),
    (np.float32(0), (-0.5, np.float64(-5), jnp.float32(-0.5), jnp.bfloat16(-1), -0.0)),
    (np.float32(7), (7.0, np.float32(7), np.float64(7), jnp.bfloat16(7), jnp.float16(7))),
    (np.float32(LAST), (1e30, np.float32(1e30), jnp.float32(jnp.inf), float(LAST))),
]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize(("step", "given"), STEP_TYPES, ids=[repr(s) for s, _ in STEP_TYPES])
def test_a_step_of_any_type_is_one_of_two_kinds(step, given, compiled):
    """A formula sees strong int32 or strong float32: no schedule can tell more types apart."""
    for value in given:
        for shaped in (value, jnp.full((2, 3), value)):
            seen = jax.jit(as_step)(shaped) if compiled else as_step(shaped)
            assert seen.dtype == step.dtype
            assert seen.shape == np.shape(shaped)
            assert not seen.weak_type
            np.testing.assert_array_equal(seen, np.full_like(seen, step))


@pytest.mark.parametrize("known", [True, False], ids=["constants", "arrays"])
def test_total_for_any_step_of_any_type(programs, known):
    s = programs.s if known else traced(programs.s)
    at_zero, later = s(0), s(7)
    for step in (-5, -0.5):
        chex.assert_trees_all_equal(s(step), at_zero)
    for step in (np.int64(7), jnp.uint32(7), jnp.int8(7)):
        chex.assert_trees_all_equal(s(step), later)
    for step in (7.0, jnp.bfloat16(7)):
        np.testing.assert_allclose(s(step), later, rtol=2e-6)
    for step in (7, WHOLE, REAL, jnp.uint32(2**32 - 1), np.float32(1e30)):
        assert_sound(s(step), np.shape(step))
    assert jax.eval_shape(s, STEPS.reshape(6, 8)).shape == (6, 8)
    chex.assert_trees_all_equal(s(10**30), s(LAST))


def test_total_in_a_compiled_program(programs):
    rates, others = programs.constant(WHOLE), programs.other_constants
    for rate in (rates, others["real"], others["arrays"]):
        assert_sound(rate, WHOLE.shape)
    assert_sound(others["scan"], STEPS.shape)
    real = np.asarray(others["real"])
    np.testing.assert_allclose(real[7], rates[7], rtol=2e-6)
    assert real[-4] == real[0]


def test_same_eagerly_and_under_jit_vmap_and_scan(programs):
    s, expected = programs.s, programs.expected
    some = STEPS[::3]  # each is a call of its own, and takes the way of the array
    np.testing.assert_allclose([s(t) for t in some], expected[some], **CLOSE)
    np.testing.assert_allclose(programs.constant(WHOLE), expected, **CLOSE)
    np.testing.assert_allclose(jax.vmap(s)(WHOLE), expected, **CLOSE)
    np.testing.assert_allclose(programs.other_constants["scan"], expected[STEPS], **CLOSE)


def test_into_and_out_of_jit(programs):
    s = programs.s
    rates, back = programs.argument[1](s, WHOLE)
    atol = 1e-7 * float(s(0))
    np.testing.assert_allclose(rates[: len(STEPS)], programs.expected[STEPS], rtol=5e-6, atol=atol)
    assert_sound(rates, WHOLE.shape)
    assert jax.tree.structure(back) == jax.tree.structure(s)
    chex.assert_trees_all_close(back, traced(s))


def test_one_trace_for_any_values(programs):
    evaluate, compiled, traces = programs.argument
    for factor in (1.0, 1.5, 2.0):
        changed = jax.tree.map(
            lambda x, f=factor: type(x)(x * f) if np.ndim(x) == 0 else x * f, programs.s
        )
        evaluate.trace(changed, WHOLE)
        assert np.isfinite(compiled(changed, WHOLE)[0][3])
    assert len(traces) == 1


def test_stacked_and_mapped_equals_a_loop(programs):
    together, _ = programs.mapped
    if together is None:  # it has no numbers that could be stacked
        return
    one_by_one = np.stack([np.asarray(v(WHOLE))[STEPS] for v in programs.variants])
    np.testing.assert_allclose(together, one_by_one, rtol=2e-5, atol=1e-7)


def test_built_inside_jit_of_vmap(programs):
    if not programs.floats:
        return
    for rates in programs.mapped[1]:
        np.testing.assert_allclose(rates, programs.expected[STEPS], rtol=5e-6, atol=1e-7)


GRADIENTS = jax.vmap(jax.grad(lambda s, t: s(t)), in_axes=(None, 0))


def with_lengths_and_without(s):
    floats = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), s)
    return floats, jax.tree.map(jnp.zeros_like, floats)


def test_gradients_are_finite_at_every_step_however_late(programs):
    floats, no_lengths = with_lengths_and_without(programs.s)
    chex.assert_tree_all_finite(GRADIENTS(floats, WHOLE))
    chex.assert_tree_all_finite(GRADIENTS(no_lengths, WHOLE))
    chex.assert_tree_all_finite((floats(WHOLE), no_lengths(WHOLE)))


def every(n, names):
    """Each nth in every run; the others are exhaustive."""
    marks = [[] if i % n == 0 else [pytest.mark.exhaustive] for i, _ in enumerate(names)]
    return [pytest.param(name, marks=mark) for name, mark in zip(names, marks, strict=True)]


@pytest.mark.parametrize("name", every(6, sorted(CASES)))
def test_gradients_are_finite_in_a_compiled_program(name):
    gradients = jax.jit(GRADIENTS)
    floats, no_lengths = with_lengths_and_without(CASES[name])
    chex.assert_tree_all_finite(gradients(floats, WHOLE))
    chex.assert_tree_all_finite(gradients(no_lengths, WHOLE))


def test_no_nan_arises_on_the_way(programs):
    with jax.debug_nans(True):
        for s in (programs.s, traced(programs.s)):
            s(WHOLE).block_until_ready()


@pytest.mark.parametrize("s", TEXTUAL.values(), ids=TEXTUAL.keys())
def test_round_trips(s):
    assert lr_optax.parse(repr(s)) == s
    assert lr_optax.from_dict(json.loads(json.dumps(lr_optax.to_dict(s)))) == s
    assert pickle.loads(pickle.dumps(s)) == s
    assert copy.deepcopy(s) == s
    assert s.replace() == s
    assert hash(lr_optax.parse(repr(s))) == hash(s)
    assert repr(lr_optax.parse(repr(s))) == repr(s)


def counting_from(state, steps):
    """An optimizer's state with its count of updates set, to one step or to many at once."""
    return jax.tree.map(lambda x: steps if x.dtype == jnp.int32 else x, state)


def test_optax_sees_the_same_rates(programs):
    """One update of ones is the rate: in sgd, inject_hyperparams and scale_by_schedule."""
    s = programs.s
    ways = {
        "sgd": optax.sgd(s),
        "inject": optax.inject_hyperparams(optax.sgd)(s),
        "scale": optax.chain(optax.scale_by_schedule(s), optax.scale(-1.0)),
    }
    params = {"w": jnp.zeros(len(WHOLE))}

    def step(state, tx):
        updates, state = tx.update({"w": jnp.ones(len(WHOLE))}, state, params)
        return state, -updates["w"]

    def scanned(states):  # a scan refuses a state whose types an update changes
        def update(states, _):
            return {name: step(states[name], tx)[0] for name, tx in ways.items()}, None

        return jax.lax.scan(update, states, length=2)

    jax.eval_shape(scanned, {name: tx.init(params) for name, tx in ways.items()})
    for name, tx in ways.items():
        _, rates = step(counting_from(tx.init(params), jnp.asarray(WHOLE)), tx)
        np.testing.assert_allclose(rates, programs.expected, **CLOSE, err_msg=name)


def test_compiles_to_one_kernel_without_control_flow(programs):
    constant, argument = programs.constant.as_text(), programs.argument[1].as_text()
    for program in (constant, argument):
        assert not re.search(r"\b(while|conditional|custom-call|infeed|outfeed)\(", program)
    entry, text = constant[constant.index("ENTRY") :], repr(programs.s)
    tables = re.search(r"boundaries|period_multiplier|cycle_mul", text) and "join" not in text
    # A long table is searched: a few look-ups for every halving.
    assert len(re.findall(r"\b(fusion|call)\(", entry)) <= (20 if tables else 1)


def test_optax_does_not_take_it_for_something_else(programs):
    assert not hasattr(programs.s, "init")
    assert not hasattr(programs.s, "update")


def test_under_x64_rates_are_float64(programs):
    s = programs.s
    with jax.enable_x64(True):
        wide = np.asarray(s(WHOLE))
        assert wide.dtype == np.float64
        assert jax.eval_shape(s, 7).dtype == jax.eval_shape(s, WHOLE).dtype == np.float64
    np.testing.assert_allclose(programs.expected[STEPS], wide[STEPS], **CLOSE)
