"""Within 1e-6 of 50-digit arithmetic at every step, eagerly and under jit with constants."""

import jax
import mpmath
import numpy as np
import pytest
from accuracy import LAST, check_accuracy, cosine, line
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from lr_optax import parse
from lr_optax._core import shapes
from lr_optax._core.clock import Progress


def restarts(t, T, m):
    start, length, index = mpf(0), mpf(T), 0
    while start + length <= t:
        start, length, index = start + length, length * m, index + 1
    return index, (t - start) / length


def triangle(t, up, down):
    index, position = divmod(t, up + down)
    return index, mpf(position) / up if position < up else 1 - mpf(position - up) / down


# Each schedule with its formula in arbitrary precision, written from the paper, not from the code.
FORMULAS = {
    "constant(0.1)": lambda t: mpf(0.1),
    "step_decay(0.1, decay_rate=0.5, decay_steps=10)": lambda t: mpf(0.1) * mpf(0.5) ** (t // 10),
    "step_decay(0.1, decay_rate=0.999, decay_steps=30000)": lambda t: (
        mpf(0.1) * mpf(0.999) ** (t // 30000)
    ),
    "multistep_decay(0.1, decay_rate=0.1, boundaries=(30, 60, 90000))": lambda t: (
        mpf(0.1) * mpf(0.1) ** sum(t >= b for b in (30, 60, 90000))
    ),
    "exponential_decay(0.1, decay_rate=0.96, decay_steps=1000)": lambda t: (
        mpf(0.1) * mpf(0.96) ** (mpf(t) / 1000)
    ),
    "exponential_decay(0.1, decay_rate=0.999999, decay_steps=1)": lambda t: (
        mpf(0.1) * mpf(0.999999) ** t
    ),
    "exponential_decay(0.1, decay_rate=0.1, decay_steps=1000000007)": lambda t: (
        mpf(0.1) * mpf(0.1) ** (mpf(t) / 1000000007)
    ),
    "exponential_decay(1e-8, decay_rate=1.0000001, decay_steps=10)": lambda t: (
        mpf(1e-8) * mpf(1.0000001) ** (mpf(t) / 10)
    ),
    "inverse_time_decay(0.1, decay_rate=0.5, decay_steps=7)": lambda t: (
        mpf(0.1) / (1 + mpf(t) / 14)
    ),
    "inverse_time_decay(0.1, decay_rate=0.5, decay_steps=7, staircase=True)": lambda t: (
        mpf(0.1) / (1 + mpf(0.5) * (t // 7))
    ),
    "linear(0.1, end_value=0.0, transition_steps=1000000)": lambda t: line(t, mpf(0.1), 0, 10**6),
    "linear(1e-7, end_value=0.1, transition_steps=2147483647)": lambda t: line(
        t, mpf(1e-7), mpf(0.1), LAST
    ),
    "polynomial(0.1, end_value=0.0, power=0.9, transition_steps=1000000)": lambda t: (
        mpf(0.1) * line(t, 1, 0, 10**6) ** mpf(0.9)
    ),
    "polynomial(0.0, end_value=0.1, power=2.0, transition_steps=10000000)": lambda t: (
        mpf(0.1) * (1 - line(t, 1, 0, 10**7) ** 2)
    ),
    "polynomial(0.1, end_value=0.01, power=3, transition_steps=1000)": lambda t: (
        mpf(0.01) + (mpf(0.1) - mpf(0.01)) * line(t, 1, 0, 1000) ** 3
    ),
    "cosine_decay(0.1, decay_steps=1000000)": lambda t: mpf(0.1) * cosine(line(t, 0, 1, 10**6)),
    "cosine_decay(0.1, decay_steps=2000000011)": lambda t: (
        mpf(0.1) * cosine(line(t, 0, 1, 2000000011))
    ),
    "cosine_decay(0.1, decay_steps=1000, end_value=0.01, exponent=1.5)": lambda t: (
        mpf(0.01) + (mpf(0.1) - mpf(0.01)) * cosine(line(t, 0, 1, 1000)) ** mpf(1.5)
    ),
    "cosine_annealing(0.1, period=1000000, min_value=0.001)": lambda t: (
        mpf(0.001) + (mpf(0.1) - mpf(0.001)) * cosine(mpf(t % 10**6) / 10**6)
    ),
    "cosine_annealing(0.1, period=10, period_multiplier=2)": lambda t: (
        mpf(0.1) * cosine(restarts(t, 10, 2)[1])
    ),
    "cosine_annealing(0.1, period=8, period_multiplier=1.5, peak_decay=0.9)": lambda t: (
        mpf(0.1) * mpf(0.9) ** restarts(t, 8, mpf(1.5))[0] * cosine(restarts(t, 8, mpf(1.5))[1])
    ),
    "cyclical(0.0, max_value=0.1, step_size_up=1000, step_size_down=333)": lambda t: (
        mpf(0.1) * triangle(t, 1000, 333)[1]
    ),
    "cyclical(0.01, max_value=0.1, step_size_up=20000, mode='triangular2', shrink=1.9)": lambda t: (
        mpf(0.01)
        + (mpf(0.1) - mpf(0.01))
        * triangle(t, 20000, 20000)[1]
        * mpf(1.9 * 0.5) ** triangle(t, 20000, 20000)[0]
    ),
    "cyclical(0.0, max_value=0.1, step_size_up=20, mode='exp_range', gamma=0.999999)": lambda t: (
        mpf(0.1) * triangle(t, 20, 20)[1] * mpf(0.999999) ** t
    ),
    "warmup(cosine_decay(0.1, decay_steps=1000), warmup_steps=10000000)": lambda t: (
        mpf(0.1) * (mpf(t) / 10**7 if t < 10**7 else cosine(line(t - 10**7, 0, 1, 1000)))
    ),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_accurate_at_any_step(text):
    check_accuracy(text, FORMULAS[text])


@given(
    T=st.integers(1, LAST),
    power=st.floats(0.25, 3),
    share=st.floats(0, 1),
)
def test_decays_of_any_length_are_accurate(T, power, share):
    t = round(share * T)
    left = mpf(T - t) / T
    pairs = (
        (f"linear(1.0, end_value=0.0, transition_steps={T})", left),
        (
            f"polynomial(1.0, end_value=0.0, power={power}, transition_steps={T})",
            left ** mpf(power),
        ),
        (f"cosine_decay(1.0, decay_steps={T})", cosine(1 - left)),
    )
    for text, true in pairs:
        rate = mpf(float(parse(text)(t)))
        assert abs(rate - true) <= true * (1e-6 if true > 1e-6 else 1e-5), text


def test_the_last_step_of_a_long_cosine():
    """The cosine form is exactly 0 for the last 77 of 10⁶ steps in float32."""
    s = parse("cosine_decay(1.0, decay_steps=1000000)")
    steps = np.arange(10**6 - 600, 10**6)
    exact = np.array([float(cosine(mpf(int(t)) / 10**6)) for t in steps])
    np.testing.assert_allclose(jax.jit(s)(steps), exact, rtol=1e-6)


def test_the_fitted_sine_has_all_digits_of_float32():
    x = np.float32(np.concatenate([np.linspace(0, 1, 2001), np.geomspace(1e-9, 0.1, 500)]))
    rates = np.asarray(jax.jit(shapes.cosine)(Progress(x, x)).left)
    exact = [mpmath.sin(mpmath.pi * mpf(float(v)) / 2) ** 2 for v in x]
    assert (rates[0], rates[2000]) == (0, 1)
    assert rates.max() == 1
    for rate, true in zip(rates[1:], exact[1:], strict=True):
        assert abs(mpf(float(rate)) / true - 1) < 3e-7


@pytest.mark.parametrize("power", [0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2, 2.3, 3.0, 7.9])
def test_powers_by_products_and_roots_are_as_accurate(power):
    check_accuracy(
        f"polynomial(0.1, power={power}, transition_steps={LAST})",
        lambda t: mpf(0.1) * line(t, 1, 0, LAST) ** mpf(power),
    )
