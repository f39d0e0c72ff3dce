"""Chebyshev's steps against the recursion of the paper, and against what they are for."""

import math

import jax
import numpy as np
import pytest

from lr_optax import chebyshev


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
