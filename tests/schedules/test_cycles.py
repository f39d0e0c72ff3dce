"""Cycles: against published values, loops and closed forms; rates for problems without noise."""

import math

import jax
import mpmath
import numpy as np
import pytest
from accuracy import LAST

from lr_optax import (
    chebyshev,
    cosine_annealing,
    one_cycle,
    one_cycle_momentum,
    polynomial_cycles,
    silver,
    snapshot_cycles,
    warmup_stable_decay_cycles,
)


def order(doublings):
    """σ_1 = (1); σ_2T interleaves σ_T with 2T + 1 − σ_T (definition 2 of the paper)."""
    places = [1]
    for _ in range(doublings):
        size = 2 * len(places)
        places = [place for p in places for place in (p, size + 1 - p)]
    return places


@pytest.mark.parametrize("doublings", [0, 1, 2, 5, 10])
def test_rates_are_inverse_chebyshev_nodes_in_fractal_order(doublings):
    m, M = 0.01, 3.0
    T = 2**doublings
    nodes = [
        (M + m) / 2 - (M - m) / 2 * math.cos(math.pi * (p - 0.5) / T) for p in order(doublings)
    ]
    s = chebyshev(m, max_curvature=M, doublings=doublings)
    expected = 1 / np.array(nodes * 2)
    np.testing.assert_allclose(jax.jit(s)(np.arange(2 * T)), expected, rtol=1e-6)
    np.testing.assert_allclose(s(np.arange(2 * T)), expected, rtol=1e-6)


def test_a_period_shrinks_every_error_by_the_chebyshev_bound():
    m, M, k = 0.05, 1.0, 5
    rates = np.asarray(chebyshev(m, max_curvature=M, doublings=k)(np.arange(2**k)), np.float64)
    left = np.prod(1 - np.outer(rates, np.linspace(m, M, 500)), axis=0)
    ratio = (math.sqrt(M / m) - 1) / (math.sqrt(M / m) + 1)
    assert np.abs(left).max() <= 2 * ratio ** (2**k) * (1 + 1e-4)


# Values from PyTorch 2.13, from a rate of 1.
ONE_CYCLE = {
    "cosine": [0.04, 0.52, 1, 0.950485, 0.811746, 0.611262, 0.388742, 0.188258, 0.049519, 4e-6],
    "linear": [0.04, 0.52, 1, 0.857143, 0.714287, 0.57143, 0.428574, 0.285717, 0.142861, 4e-6],
}


@pytest.mark.parametrize("shape", ONE_CYCLE)
def test_one_cycle_as_in_torch(shape):
    """torch's T = 10 reaches its end at step 9, its peak at 0.3·10 − 1."""
    s = one_cycle(1.0, total_steps=9, warmup_steps=2, shape=shape)
    np.testing.assert_allclose(s(np.arange(10)), ONE_CYCLE[shape], rtol=1e-5, atol=6e-7)
    assert s(10) == s(9) == s(LAST) == np.float32(4e-6)


def test_one_cycle_with_three_phases_as_in_torch():
    torch = [0.04, 0.52, 1, 0.52, 0.04, 0.036181, 0.026182, 0.013822, 0.003823, 4e-6]
    s = one_cycle(1.0, total_steps=9, warmup_steps=2, three_phase=True)
    np.testing.assert_allclose(s(np.arange(10)), torch, rtol=1e-5, atol=6e-7)


def test_one_cycle_without_a_warm_up_starts_at_the_peak():
    s = one_cycle(1.0, total_steps=8, warmup_steps=0, shape="linear", final_div_factor=0.04)
    np.testing.assert_array_equal(s(np.array([0, 4, 8])), [1, 1, 1])
    s = one_cycle(1.0, total_steps=8, warmup_steps=0)
    np.testing.assert_allclose(s(np.array([0, 8])), [1, 4e-6], rtol=1e-6)


def test_one_cycle_as_in_fastai():
    """fit_one_cycle(lr_max, div=25, div_final=1e5, pct_start=.25) ends at lr_max/div_final."""
    s = one_cycle(0.5, total_steps=100, warmup_steps=25, final_div_factor=1e5 / 25)
    np.testing.assert_allclose(s(np.array([0, 25, 100])), [0.5 / 25, 0.5, 0.5 / 1e5], rtol=1e-6)


@pytest.mark.parametrize(
    ("three_phase", "shape"), [(False, "cosine"), (True, "cosine"), (False, "linear")]
)
def test_momentum_mirrors_the_rate(three_phase, shape):
    phases = {"total_steps": 90, "warmup_steps": 30, "three_phase": three_phase}
    steps = np.arange(61 if three_phase else 91)
    rate = one_cycle(1.0, div_factor=25.0, final_div_factor=1.0, shape=shape, **phases)(steps)
    momentum = one_cycle_momentum(0.95, min_value=0.85, shape=shape, **phases)(np.arange(91))
    height = (np.asarray(rate) - 0.04) / 0.96
    np.testing.assert_allclose(momentum[: len(steps)], 0.95 - 0.1 * height, rtol=1e-6)
    assert momentum[-1] == np.float32(0.95)


def test_warmup_stable_decay_cycles_against_a_loop():
    peak, low, ends, cooldown = 0.1, 0.01, (30, 70, 150), 20
    s = warmup_stable_decay_cycles(
        peak,
        boundaries=ends,
        cooldown_steps=cooldown,
        warmup_steps=5,
        rewarmup_steps=4,
        end_value=low,
        shape="inverse",
    )

    def rate(t):
        if t >= ends[-1]:
            return low
        index = sum(t >= end for end in ends)
        begin, end = (0, *ends)[index], ends[index]
        rise, start = (4, low) if index else (5, 0)
        if t - begin < rise:
            return start + (peak - start) * (t - begin) / rise
        x = max(t - (end - cooldown), 0) / cooldown
        return 1 / ((1 - x) / peak + x / low)

    steps = np.arange(200)
    expected = [rate(int(t)) for t in steps]
    np.testing.assert_allclose(s(steps), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(s)(steps), expected, rtol=1e-6)
    assert s(ends[-1]) == s(LAST) == np.float32(low)


def test_snapshot_cycles_are_restarts_that_fill_the_run():
    s = snapshot_cycles(0.1, total_steps=10, cycles=3)
    np.testing.assert_array_equal(s(np.arange(20)), cosine_annealing(0.1, period=4)(np.arange(20)))


def test_polynomial_cycles_as_in_keras():
    """Keras 3.15: PolynomialDecay(1, 4, 0.1, power=1, cycle=True)."""
    keras = [1, 0.775, 0.55, 0.325, 0.1, 0.4375, 0.325, 0.2125, 0.1, 0.325, 0.25]
    s = polynomial_cycles(1.0, end_value=0.1, power=1, period=4)
    np.testing.assert_allclose(s(np.arange(11)), keras, rtol=1e-6)


def test_silver_steps_add_up():
    """Over 2^k − 1 steps they add up to ρ^k − 1, as the theorem needs them to."""
    for k in range(1, 12):
        total = np.asarray(silver(1.0)(np.arange(2**k - 1)), np.float64).sum()
        assert total == pytest.approx((1 + math.sqrt(2)) ** k - 1, rel=1e-6)


RESTARTS = {  # period, multiplier, steps at which a cycle begins
    "fraction": (100, 1.2, [100, 220, 364]),
    "half": (4, 1.5, [4, 10, 19]),
    "hardly growing": (10, 1.0005, [10, 21, 31]),
    "still less": (10, 1.0001, [10, 21, 31]),
    "a billionth": (7, 1 + 1e-9, [7, 15, 22]),
    "doubling": (3, 2, [3, 9, 21, 45]),
}


@pytest.mark.parametrize("case", RESTARTS)
def test_a_restart_is_at_the_peak(case):
    period, multiplier, restarts = RESTARTS[case]
    s = cosine_annealing(0.1, period=period, period_multiplier=multiplier)
    at, before = np.array(restarts), np.array(restarts) - 1
    for evaluate in (s, jax.jit(lambda t: s(t))):
        assert (np.asarray(evaluate(at)) > 0.09).all()
        assert (np.asarray(evaluate(before)) < np.asarray(evaluate(at)) / 2).all()
    if case in ("fraction", "half", "doubling"):  # what float32 holds of the others is another sum
        np.testing.assert_allclose(jax.jit(lambda s: s(at))(s), 0.1, rtol=1e-6)
    with jax.enable_x64(True):
        assert (np.asarray(jax.jit(lambda t: s(t))(at)) > 0.09).all()


@pytest.mark.parametrize("multiplier", [1.0007, 1.0005, 1.00001, 1.000001])
def test_restarts_that_hardly_grow_at_any_step(multiplier):
    """Against the sum of the series in 50 digits, over the whole counter."""
    period, m = 10, mpmath.mpf(multiplier)
    rng = np.random.default_rng(0)
    steps = np.unique([*range(300), *rng.integers(0, LAST, 200), LAST - 1, LAST])
    expected = []
    with mpmath.workdps(50):
        for t in map(int, steps):
            cycle = mpmath.floor(mpmath.log(1 + t * (m - 1) / period) / mpmath.log(m) + 1e-30)
            begin = period * (m**cycle - 1) / (m - 1)
            x = (t - begin) / (period * m**cycle)
            expected.append(float((1 + mpmath.cos(mpmath.pi * x)) / 2))
    s = cosine_annealing(1.0, period=period, period_multiplier=multiplier)
    rates = jax.jit(lambda t: s(t))(steps.astype(np.int32))
    np.testing.assert_allclose(rates, expected, atol=2e-5)
