"""Exact under jit with constant hyperparameters: where XLA's rewriting breaks other libraries.

Many horizons are compiled into one program, each as a constant of its own.
"""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lr_optax import (
    cosine_annealing,
    cosine_decay,
    cyclical,
    exponential_decay,
    join,
    linear,
    multistep_decay,
    parse,
    polynomial,
    shift,
    step_decay,
    warmup,
)
from lr_optax._core.clock import _times_over, cycle_progress

# Horizons at which Optax 0.2.8 fails on a CPU with FMA: NaN, late drops, an end below zero.
KNOWN_BAD = (10, 41, 47, 55, 61, 82, 83, 250, 500, 1000, 2000, 1700, 1900, 3400, 469 * 5, 469 * 10)
SAMPLE = sorted({*range(1, 24), *KNOWN_BAD, *(196 * 5, 390 * 5, 390 * 20, 938 * 5, 4999, 5000)})
BLOCKS = [range(begin, begin + 250) for begin in range(1, 5001, 250)]


def compiled(make, horizons, steps):
    """Rates at ``steps(T)`` for each constant T, in kernels of 25 horizons each.

    A row of a kernel's table for each horizon: XLA takes most of its time for each kernel, and
    rounds in one of many horizons as in that of a single one.
    """
    table = np.array([steps(T) for T in horizons], np.int32)
    kernels = [slice(start, start + 25) for start in range(0, len(horizons), 25)]

    def rates(table, some):
        row = jax.lax.broadcasted_iota(jnp.int32, table.shape, 0)
        return jax.lax.select_n(row, *[make(T)(table) for T in some])

    found = []
    for few in (kernels[start : start + 10] for start in range(0, len(kernels), 10)):
        program = jax.jit(lambda ts, few=few: [rates(ts[at], horizons[at]) for at in few])
        found += program(table)
    return np.concatenate(found)


DECAYS = {
    "linear": lambda T: linear(0.1, end_value=0.0, transition_steps=T),
    "linear to a rate": lambda T: linear(0.1, end_value=0.03, transition_steps=T),
    "linear up": lambda T: linear(0.0, end_value=0.1, transition_steps=T),
    "polynomial .9": lambda T: polynomial(0.1, end_value=0.0, power=0.9, transition_steps=T),
    "polynomial 2": lambda T: polynomial(0.1, end_value=0.01, power=2.0, transition_steps=T),
    "cosine": lambda T: cosine_decay(0.1, decay_steps=T),
    "cosine to a rate": lambda T: cosine_decay(0.1, decay_steps=T, end_value=0.001),
}


def check_decay(make, horizons):
    given = make(1).hyperparameters
    start, before, at, after = compiled(make, horizons, lambda T: [0, T - 1, T, T + 1]).T
    np.testing.assert_array_equal(start, np.float32(given["init_value"]))
    np.testing.assert_array_equal(at, np.float32(given["end_value"]))
    np.testing.assert_array_equal(after, at)
    assert (before != at).all()


@pytest.mark.parametrize("make", DECAYS.values(), ids=DECAYS.keys())
def test_decay_ends_exactly_and_at_its_end(make):
    check_decay(make, SAMPLE)


@pytest.mark.exhaustive
@pytest.mark.parametrize("horizons", BLOCKS, ids=repr)
@pytest.mark.parametrize("make", DECAYS.values(), ids=DECAYS.keys())
def test_decay_ends_exactly_and_at_its_end_for_every_horizon(make, horizons):
    check_decay(make, horizons)


# Every thirtieth of the first 3,000, and the sample; all of them take most of a minute.
TO_3000 = sorted({*SAMPLE, *range(1, 3001, 30)})
BLOCKS_TO_3000 = [pytest.param(block, marks=pytest.mark.exhaustive) for block in BLOCKS[:12]]


@pytest.mark.parametrize("horizons", [TO_3000, *BLOCKS_TO_3000], ids=lambda horizons: horizons[-1])
def test_linear_to_zero_ends_at_exactly_zero_for_every_horizon_to_3000(horizons):
    def make(T):
        return linear(1e-3, end_value=0.0, transition_steps=T)

    before, at, after = compiled(make, horizons, lambda T: [T - 1, T, T + 1]).T
    assert (before > 0).all()
    assert not at.any()
    assert not after.any()


def test_warmup_reaches_the_peak_and_the_decay_behind_it_its_end():
    def make(T):
        return warmup(linear(0.1, end_value=0.0, transition_steps=T), warmup_steps=T)

    rates = compiled(make, SAMPLE, lambda T: [0, T, 2 * T, 3 * T])
    np.testing.assert_array_equal(rates, [np.float32([0, 0.1, 0, 0])] * len(SAMPLE))


STAIRCASES = {
    "step": lambda T: step_decay(1.0, decay_rate=0.5, decay_steps=T),
    "exponential": lambda T: exponential_decay(1.0, decay_rate=0.5, decay_steps=T, staircase=True),
    "multistep": lambda T: multistep_decay(1.0, decay_rate=0.5, boundaries=(T, 2 * T, 3 * T)),
}


def check_staircase(make, horizons):
    rates = compiled(make, horizons, lambda T: [0, T - 1, T, 2 * T - 1, 2 * T, 3 * T - 1, 3 * T])
    np.testing.assert_array_equal(rates, [[1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]] * len(horizons))


@pytest.mark.parametrize("make", STAIRCASES.values(), ids=STAIRCASES.keys())
def test_staircase_drops_on_time(make):
    check_staircase(make, SAMPLE)


@pytest.mark.exhaustive
@pytest.mark.parametrize("horizons", BLOCKS, ids=repr)
@pytest.mark.parametrize("make", STAIRCASES.values(), ids=STAIRCASES.keys())
def test_staircase_drops_on_time_for_every_horizon(make, horizons):
    check_staircase(make, horizons)


def test_staircase_drops_on_time_late_in_a_run():
    s = step_decay(1.0, decay_rate=0.999, decay_steps=1000)
    boundaries = np.array([10_800_000, 16_778_000, 2_147_483_000])
    before, at = jax.jit(s)(boundaries - 1), jax.jit(s)(boundaries)
    np.testing.assert_array_less(at[:2], before[:2])
    np.testing.assert_array_equal(s(boundaries + 999), at)


def test_cycles_start_and_peak_exactly():
    def restarts(T):
        return cosine_annealing(0.1, period=T, min_value=0.001)

    rates = compiled(restarts, SAMPLE, lambda T: [0, T, 2 * T, 1000 * T])
    np.testing.assert_array_equal(rates, np.float32(0.1))

    def triangles(T):
        return cyclical(0.01, max_value=0.1, step_size_up=T, step_size_down=2 * T)

    rates = compiled(triangles, SAMPLE, lambda T: [0, T, 3 * T, 4 * T, 3000 * T, 3001 * T])
    expected = np.float32([0.01, 0.1] * 3)
    np.testing.assert_array_equal(rates, [expected] * len(SAMPLE))


@pytest.mark.parametrize("multiplier", [2, 3, 10])
@pytest.mark.parametrize("known", [True, False], ids=["constant", "traced"])
def test_growing_cycles_restart_at_the_exact_step(multiplier, known):
    """Float logarithms put the boundary T(m^5 - 1)/(m - 1) into the wrong cycle (torch, timm)."""
    s = cosine_annealing(1.0, period=10, period_multiplier=multiplier)
    starts = [10 * (multiplier**i - 1) // (multiplier - 1) for i in range(1, 30)]
    starts = np.array([start for start in starts if start < 2**31])
    f = jax.jit(s) if known else lambda t: jax.jit(lambda s, t: s(t))(s, t)
    small = starts if known else starts[starts < 10**5]
    np.testing.assert_array_equal(f(small), 1.0)
    assert (f(small - 1) < 0.03).all()


@pytest.mark.parametrize(
    ("factor", "divisor"),
    [(5, 12), (10**6, 5_000_001), (13, 10**9 + 7), (2**30 - 1, 2**30), (7, 1)],
)
def test_products_beyond_the_counter_are_divided(factor, divisor):
    counts = np.random.default_rng(0).integers(divisor, size=100)
    counts[:2] = 0, divisor - 1
    quotients, rests = _times_over(jnp.asarray(counts), factor, divisor)
    expected = [divmod(int(count) * factor, divisor) for count in counts]
    np.testing.assert_array_equal(np.stack([quotients, rests], axis=1), expected)


@pytest.mark.parametrize("known", [True, False], ids=["constant", "traced"])
@pytest.mark.parametrize(
    ("period", "ahead"), [(2.5, 0.0), (7.3, 5.75), (0.75, 0.3), (4, 1.0), (4, 0.3), (1e6 + 0.1, 0)]
)
def test_cycles_of_a_fraction_of_a_step_against_fractions(period, ahead, known):
    steps = [0, 1, 2, 7, 1000, 10**6 + 1, 10**9 + 7][: 7 if known else 5]
    given = (period, ahead) if known else (jnp.float32(period), jnp.float32(ahead))
    index, (left, gone) = cycle_progress(jnp.asarray(steps), *given)
    exact = [(step + Fraction(ahead)) / Fraction(period) for step in steps]
    np.testing.assert_array_equal(index, list(map(math.floor, exact)))
    close = {"rtol": 3e-7, "atol": 1e-18} if known else {"atol": 2e-4}
    np.testing.assert_allclose(gone, [float(x % 1) for x in exact], **close)
    np.testing.assert_allclose(left, [float(1 - x % 1) for x in exact], **close)


def test_join_switches_at_the_exact_step():
    boundaries = (3, 41, 20_000_001, 2**31 - 2)
    s = join([parse(f"constant({i})") for i in range(5)], boundaries=boundaries)
    steps = np.array([[b - 1, b] for b in boundaries])
    np.testing.assert_array_equal(jax.jit(s)(steps), [[0, 1], [1, 2], [2, 3], [3, 4]])


def test_lengths_beyond_the_counter():
    steps = np.array([0, 10**9, 2**31 - 1])
    for T in (2**31 + 1000, 3 * 10**9, 10**13):
        s = linear(1.0, end_value=0.0, transition_steps=T)
        np.testing.assert_allclose(
            jax.jit(s)(steps), [float((T - int(t)) / T) for t in steps], rtol=3e-7
        )
        for s in (
            step_decay(1.0, decay_rate=0.5, decay_steps=T),
            multistep_decay(1.0, decay_rate=0.5, boundaries=(T,)),
            shift(linear(1.0, end_value=0.0, transition_steps=5), steps=T),
            join([parse("constant(1)"), parse("constant(0)")], boundaries=(T,)),
        ):
            np.testing.assert_array_equal(jax.jit(s)(steps), 1.0)


def test_the_figures_of_the_issue_that_started_this():
    s = polynomial(0.01, end_value=0, power=0.9, transition_steps=1000)
    np.testing.assert_array_equal(jax.jit(s)(np.arange(1000, 1200)), 0.0)
    s = exponential_decay(1.0, decay_rate=0.1, decay_steps=469 * 5, staircase=True)
    np.testing.assert_allclose(jax.jit(s)(np.array([2344, 2345])), [1.0, 0.1], rtol=1e-7)


def test_shift_saturates_instead_of_wrapping_around():
    s = shift(linear(1.0, end_value=0.0, transition_steps=10), steps=-5)
    np.testing.assert_array_equal(
        jax.jit(s)(np.array([0, 4, 5, 2**31 - 1])), np.float32([0.5, 0.1, 0, 0])
    )


def test_bf16_model_trains_without_nan():
    """Optax 0.2.8 with bf16 parameters: b2 rounds to 1 under inject_hyperparams, and gives NaN."""
    key = jax.random.key(0)
    w = {"w": jax.random.normal(key, (8, 1), jnp.bfloat16)}
    x = jax.random.normal(key, (64, 8), jnp.bfloat16)
    y = x @ jnp.ones((8, 1), jnp.bfloat16)
    s = warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10)
    tx = optax.adam(s)

    def loss(w):
        return jnp.mean((x @ w["w"] - y) ** 2)

    def step(carry, _):
        w, state = carry
        value, grads = jax.value_and_grad(loss)(w)
        updates, state = tx.update(grads, state, w)
        return (optax.apply_updates(w, updates), state), value

    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam mixes types
        (w, _), losses = jax.lax.scan(step, (w, tx.init(w)), length=100)
    assert w["w"].dtype == jnp.bfloat16
    assert np.isfinite(losses.astype(np.float32)).all()
    assert losses[-1] < 0.05 * losses[0]
