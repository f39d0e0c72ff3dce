"""Schedules that are computed with: ``2 * s``, ``s + s``, ``1 - s``."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lr_optax import (
    add,
    constant,
    cosine_decay,
    from_dict,
    from_function,
    linear,
    parse,
    product,
    reduce_on_plateau,
    scale,
    to_dict,
    warmup,
)

S = warmup(cosine_decay(0.3, decay_steps=30, end_value=0.07), warmup_steps=10)
OTHER = linear(0.1, end_value=0.02, transition_steps=17)
STEPS = np.arange(50)

# What is written, the combinators it stands for, and the same in double precision.
WRITTEN = {
    "s * 3": (S * 3, scale(S, factor=3), lambda s, o: s * 3),
    "0.7 * s": (0.7 * S, scale(S, factor=0.7), lambda s, o: 0.7 * s),
    "s / 3": (S / 3, scale(S, factor=1 / 3), lambda s, o: s / 3),
    "-s": (-S, scale(S, factor=-1), lambda s, o: -s),
    "+s": (+S, S, lambda s, o: s),
    "s + o": (S + OTHER, add((S, OTHER)), lambda s, o: s + o),
    "s + 0.1": (S + 0.1, add((S, constant(0.1))), lambda s, o: s + 0.1),
    "0.1 + s": (0.1 + S, add((constant(0.1), S)), lambda s, o: 0.1 + s),
    "s - 0.1": (S - 0.1, add((S, scale(constant(1.0), factor=-0.1))), lambda s, o: s - 0.1),
    "s - o": (S - OTHER, add((S, scale(OTHER, factor=-1))), lambda s, o: s - o),
    "1 - s": (1 - S, add((constant(1), scale(S, factor=-1))), lambda s, o: 1 - s),
    "s * o": (S * OTHER, product((S, OTHER)), lambda s, o: s * o),
    "numpy": (np.float32(0.5) * S, scale(S, factor=0.5), lambda s, o: s / 2),
    "2 * (s + o) / 3 - s": (
        2 * (S + OTHER) / 3 - S,
        add((scale(scale(add((S, OTHER)), factor=2), factor=1 / 3), scale(S, factor=-1))),
        lambda s, o: 2 * (s + o) / 3 - s,
    ),
}
every_sum = pytest.mark.parametrize(
    ("written", "named", "exact"), WRITTEN.values(), ids=WRITTEN.keys()
)


@every_sum
def test_it_is_the_named_combinator_and_its_rate_the_sum_of_rates(written, named, exact):
    assert written == named
    rates = exact(np.float64(S(STEPS)), np.float64(OTHER(STEPS)))
    for evaluate in (written, jax.jit(lambda t: written(t)), jax.jit(jax.vmap(written))):
        np.testing.assert_allclose(evaluate(STEPS), rates, rtol=1e-6, atol=1e-8)
        assert evaluate(STEPS).dtype == jnp.float32


@every_sum
def test_it_is_text_data_and_a_tree(written, named, exact):
    assert parse(repr(written)) == written
    assert from_dict(json.loads(json.dumps(to_dict(written)))) == written
    assert pickle.loads(pickle.dumps(written)) == written
    stacked = jax.tree.map(lambda x: jnp.stack([jnp.asarray(x)] * 2), written)
    together = jax.vmap(lambda s: s(STEPS))(stacked)
    np.testing.assert_allclose(together, [named(STEPS)] * 2, rtol=2e-6, atol=1e-7)


def test_a_difference_with_itself_is_exactly_zero():
    np.testing.assert_array_equal(jax.jit(lambda t: (S - S)(t))(STEPS), 0)


def test_numbers_may_be_traced_or_arrays():
    def rates(c):
        return [s(STEPS) for s in (c * S, S * c, S / c, S + c, c + S, S - c, c - S)]

    expected = rates(0.5)
    for computed in (jax.jit(rates)(0.5), rates(jnp.float32(0.5)), rates(np.float64(0.5))):
        np.testing.assert_allclose(computed, expected, rtol=2e-6, atol=1e-7)
    several = np.float32([0.5, 2.0])
    np.testing.assert_allclose((several * S)(10), [0.15, 0.6], rtol=1e-6)
    np.testing.assert_allclose((several - S)(10), [0.2, 1.7], rtol=1e-6)
    assert jax.grad(lambda c: (c * S)(10))(1.0) == np.float32(0.3)


TYPES = [
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "bfloat16", "int4"),
]


@pytest.mark.parametrize("name", TYPES)
def test_numbers_of_every_type(name):
    """An unsigned number has no negative, and no small one's negative may overflow either."""
    dtype = jnp.dtype(name)
    half = constant(0.5)
    small = [] if name.startswith("u") else [-1, -8]
    for number in [2, *small]:
        expected = [0.5 * number, 0.5 / number, 0.5 + number, 0.5 - number]
        several = np.array([number, number], dtype)
        in_jax = several.astype(jax.dtypes.canonicalize_dtype(dtype))
        for c in (several[0], several[:1].reshape(()), several, jnp.asarray(in_jax)):
            compute = [s(0) for s in (half * c, half / c, half + c, half - c)]
            for rates, exact in zip(compute, expected, strict=True):
                np.testing.assert_allclose(rates, np.full(np.shape(c), exact), rtol=1e-6)
        traced = jax.jit(
            lambda c: [s(0) for s in (half * c, half / c, half + c, half - c, c - half)]
        )
        np.testing.assert_allclose(traced(in_jax[0]), [*expected, number - 0.5], rtol=1e-6)


@pytest.mark.parametrize("name", [n for n in TYPES if n not in ("bfloat16", "int4")])
def test_numpy_numbers_on_the_left(name):
    number = np.dtype(name).type(2)
    rates = [s(0) for s in (number * S, number + S, number - S)]
    np.testing.assert_allclose(rates, [0.0, 2.0, 2.0], rtol=1e-6)


def test_a_truth_value_is_not_a_number():
    for value in (True, np.bool_(1), np.array(True), jnp.array(True)):
        with pytest.raises(TypeError, match="operand"):
            S - value


def test_other_functions_of_the_step_join_in():
    theirs = optax.linear_schedule(1.0, 0.0, 10)
    rates = [s(5) for s in (S * theirs, theirs * S, S + theirs, theirs - S, S - theirs)]
    np.testing.assert_allclose(rates, [0.075, 0.075, 0.65, 0.35, -0.35], rtol=1e-6)
    np.testing.assert_allclose(sum([S, theirs])(5), 0.15 + 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("compute", "error", "message"),
    [
        (lambda s: 1 / s, TypeError, r"from_function\(lambda step: 1 / s\(step\)\)"),
        (lambda s: s / s, TypeError, "divided by numbers"),
        (lambda s: s**2, TypeError, "divided by numbers"),
        (lambda s: 2**s, TypeError, "divided by numbers"),
        (lambda s: s // 2, TypeError, "divided by numbers"),
        (lambda s: s % 2, TypeError, "divided by numbers"),
        (lambda s: s * "2", TypeError, "Schedule"),
        (lambda s: s + None, TypeError, "'Schedule' and 'NoneType'"),
        (lambda s: s - True, TypeError, "'Schedule' and 'bool'"),
        (lambda s: s * float("nan"), ValueError, "scale: `factor` must be a finite number"),
        (lambda s: s + float("inf"), ValueError, "constant: `value` must be a finite number"),
        (lambda s: s / 0, ZeroDivisionError, "zero"),
        (lambda s: s + reduce_on_plateau(0.1), TypeError, "an Optax transform"),
        (np.asarray, TypeError, r"call it, s\(step\)"),
        (jnp.asarray, TypeError, r"call it, s\(step\)"),
    ],
)
def test_what_cannot_be_computed_says_what_can(compute, error, message):
    with pytest.raises(error, match=message):
        compute(S)


def test_it_stays_a_function_and_a_value():
    assert (S == 2) is False
    assert len({S * 2, 2 * S, S + S}) == 2
    assert np.array([S, OTHER], object).tolist() == [S, OTHER]
    assert from_function(S * 2)(3) == (S * 2)(3)


def schedule_free(rate, **kwargs):
    """Parameters after ten updates by Optax's schedule-free AdamW."""
    tx = optax.contrib.schedule_free_adamw(rate, **kwargs)
    w = jnp.float32([1.0, -2.0])
    state = tx.init(w)
    for _ in range(10):
        updates, state = tx.update(2 * w, state, w)
        w = w + updates
    return w


def test_a_wrapper_of_optax_that_computes_with_rates():
    """Its warm-up asks the rate for a number; a schedule has the same warm-up of its own."""
    with pytest.raises(TypeError, match=r"as in warmup\(s, warmup_steps=10\)"):
        schedule_free(constant(0.1), warmup_steps=3)
    with jax.numpy_dtype_promotion("standard"):
        np.testing.assert_allclose(
            schedule_free(warmup(constant(0.1), warmup_steps=3)),
            schedule_free(0.1, warmup_steps=3),
            rtol=1e-5,
        )
