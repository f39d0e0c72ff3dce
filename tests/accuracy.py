"""Comparison with 50-digit arithmetic at every kind of step, eagerly and under jit."""

import jax
import mpmath
import numpy as np
from mpmath import mpf

from lr_optax import parse

mpmath.mp.dps = 50
LAST = 2**31 - 1
STEPS = np.unique(
    np.concatenate(
        [
            np.arange(120),
            [b + d for b in (990, 10**6, 10**7, LAST - 5) for d in range(-20, 6)],
            np.random.default_rng(0).integers(0, 2**31, 400),
            np.geomspace(1, LAST, 400).astype(np.int64),
        ]
    )
).clip(0, LAST)


def assert_accurate(rates, exact, peak, what):
    """Relative errors; rates that float32 can only hold as subnormals may be flushed to zero."""
    for step, rate, true in zip(STEPS, rates, exact, strict=True):
        if abs(true) < mpf("1e-37"):
            assert 0 <= rate <= 1.2e-37, (what, step)
        elif abs(true) < 3e38:
            error = abs(mpf(float(rate)) / true - 1)
            assert error <= (1e-6 if true > 1e-6 * peak else 1e-5), (what, int(step), float(error))


def check_accuracy(text, formula):
    """Compare ``parse(text)`` with a formula from a step, an int, to an mpf."""
    s = parse(text)
    exact = [formula(int(t)) for t in STEPS]
    peak = max(exact)
    assert_accurate(s(STEPS), exact, peak, "eager")
    assert_accurate(jax.jit(s)(STEPS), exact, peak, "jit")


def line(t, a, b, T):
    """From a to b over T steps."""
    return a + (b - a) * min(mpf(t) / T, 1) if T else b


def cosine(x):
    return (1 + mpmath.cos(mpmath.pi * x)) / 2
