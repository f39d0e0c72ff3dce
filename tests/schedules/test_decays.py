"""Decays without a horizon, over a budget and oscillating: against their formulas, exactly."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from accuracy import LAST, check_accuracy, cosine, line
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from lr_optax import (
    linear_cosine_decay,
    multistep_decay,
    parse,
    tanh_decay,
)
from lr_optax.schedules.decays import _hash

SHAPES = {
    "linear": lambda x: 1 - x,
    "cosine": cosine,
    "mirror_cosine": lambda x: 2 * (1 - x) - cosine(x),
    "1-sqrt": lambda x: 1 - mpmath.sqrt(x),
    "square": lambda x: 1 - x**2,
    "sqrt_cube": lambda x: (1 - x) ** mpf(1.5),
    "rex": lambda x: (1 - x) / (mpf(1) / 2 + (1 - x) / 2),
}


def blend(f, a, b):
    return mpf(b) + (mpf(a) - mpf(b)) * f


def progress(t, T):
    return min(mpf(t) / T, 1)


def tanh(x, low, high):
    def f(u):
        return mpmath.tanh(low * (1 - u) + high * u)

    return (f(1) - f(x)) / (f(1) - f(0))


def hyperbola(t, T, U):
    x = min(t, T)
    f = [mpmath.sqrt(mpf(T - u) / U * (2 - mpf(T + u) / U)) for u in (0, x)]
    return f[0] - f[1]


FORMULAS = {
    **{
        f"shaped_decay(0.1, decay_steps={T}, end_value={end}, shape={name!r})": (
            lambda t, f=f, T=T, end=end: blend(f(progress(t, T)), 0.1, end)
        )
        for name, f in SHAPES.items()
        for T, end in ((1000, 0.0), (10**6, 0.001), (2000000011, 0.0))
    },
    "shaped_decay(0.1, decay_steps=1000000, end_value=1e-7, shape='exponential')": lambda t: (
        mpf(0.1) * (mpf(1e-7) / mpf(0.1)) ** progress(t, 10**6)
    ),
    "shaped_decay(0.1, decay_steps=1000000, end_value=0.001, shape='inverse')": lambda t: (
        1 / ((1 - progress(t, 10**6)) / mpf(0.1) + progress(t, 10**6) / mpf(0.001))
    ),
    "natural_exp_decay(0.1, decay_rate=0.7, decay_steps=1000003)": lambda t: (
        mpf(0.1) * mpmath.exp(-mpf(0.7) * t / 1000003)
    ),
    "natural_exp_decay(0.1, decay_rate=1e-9, decay_steps=1)": lambda t: (
        mpf(0.1) * mpmath.exp(-mpf(1e-9) * t)
    ),
    "natural_exp_decay(0.1, decay_rate=1000.0, decay_steps=1000)": lambda t: (
        mpf(0.1) * mpmath.exp(-t)
    ),
    "natural_exp_decay(0.1, decay_rate=0.01, decay_steps=30, staircase=True)": lambda t: (
        mpf(0.1) * mpmath.exp(-mpf(0.01) * (t // 30))
    ),
    "inverse_sqrt_decay(0.1, timescale=10000)": lambda t: (
        mpf(0.1) / mpmath.sqrt(mpf(t + 10000) / 10000)
    ),
    "inverse_power_decay(0.1, power=0.6, timescale=7)": lambda t: (
        mpf(0.1) * (1 + mpf(t) / 7) ** -mpf(0.6)
    ),
    "power_law(0.02, batch_size=128.0, tokens_per_step=524288.0)": lambda t: (
        mpf(0.02) if t == 0 else min(mpf(0.02), 128 * mpf(4.6) * (mpf(524288) * t) ** -mpf(0.51))
    ),
    "budget_aware_decay(0.1, decay_steps=1000000, end_value=0.0, phi=5.0)": lambda t: (
        mpf(0.1)
        * 2
        * (1 + mpmath.cos(mpmath.pi * progress(t, 10**6)))
        / (2 * mpf(5) + (2 - mpf(5)) * (1 + mpmath.cos(mpmath.pi * progress(t, 10**6))))
    ),
    "tanh_decay(0.1, decay_steps=1000, end_value=0.001, lower=7.0, upper=3.0)": lambda t: blend(
        tanh(progress(t, 1000), -7, 3), 0.1, 0.001
    ),
    "tanh_decay(0.1, decay_steps=1000000)": lambda t: blend(
        tanh(progress(t, 10**6), -6, 3), 0.1, 0
    ),
    "k_decay(0.1, decay_steps=1000000, k=1.5)": lambda t: (
        mpf(0.1) * cosine(progress(t, 10**6) ** mpf(1.5))
    ),
    "k_decay(0.0, decay_steps=1000000, end_value=0.1, k=0.5, shape='linear')": lambda t: (
        mpf(0.1) * mpmath.sqrt(progress(t, 10**6))
    ),
    "hyperbolic_decay(0.1, decay_steps=1000000, upper_bound=1000000)": lambda t: (
        mpf(0.1) * (1 - hyperbola(t, 10**6, 10**6))
    ),
    "hyperbolic_decay(0.1, decay_steps=1000, upper_bound=3000, min_value=0.001)": lambda t: blend(
        1 - hyperbola(t, 1000, 3000), 0.1, 0.001
    ),
    "hyperbolic_decay(0.1, decay_steps=1000, upper_bound=1500, min_value=1e-5, exponential=True)": (
        lambda t: mpf(0.1) * (mpf(1e-5) / mpf(0.1)) ** hyperbola(t, 1000, 1500)
    ),
    "polynomial_cycles(0.1, end_value=0.001, power=0.9, period=1000)": lambda t: blend(
        (1 - mpf(t) / (1000 * max(-(-t // 1000), 1))) ** mpf(0.9), 0.1, 0.001
    ),
    "linear_cosine_decay(0.1, decay_steps=1000000)": lambda t: (
        mpf(0.1) * ((1 - progress(t, 10**6)) * cosine(progress(t, 10**6)) + mpf(0.001))
    ),
    "linear_cosine_decay(0.1, decay_steps=1000, num_periods=2.0, alpha=0.1, beta=0.01)": lambda t: (
        mpf(0.1) * ((mpf(0.1) + line(t, 1, 0, 1000)) * cosine(4 * progress(t, 1000)) + mpf(0.01))
    ),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_accurate_at_any_step(text):
    check_accuracy(text, FORMULAS[text])


@given(T=st.integers(1, LAST), share=st.floats(0, 1), name=st.sampled_from(sorted(SHAPES)))
def test_shapes_of_any_length_are_accurate(T, share, name):
    t = round(share * T)
    falling = parse(f"shaped_decay(1.0, decay_steps={T}, shape={name!r})")
    rising = parse(f"shaped_decay(0.0, decay_steps={T}, end_value=1.0, shape={name!r})")
    true = SHAPES[name](mpf(t) / T)
    for rate, exact in ((falling(t), true), (rising(t), 1 - true)):
        tolerance = 1e-6 if exact > 1e-6 else 1e-5
        assert abs(mpf(float(rate)) - exact) <= exact * tolerance + mpf("1e-37")


ENDS = [
    *(
        f"shaped_decay(0.1, decay_steps={{T}}, end_value={{end}}, shape={name!r})"
        for name in (*SHAPES, "exponential", "inverse")
    ),
    "budget_aware_decay(0.1, decay_steps={T}, end_value={end}, phi=0.7)",
    "tanh_decay(0.1, decay_steps={T}, end_value={end}, lower=7.0)",
    "k_decay(0.1, decay_steps={T}, end_value={end}, k=0.3)",
    "hyperbolic_decay(0.1, decay_steps={T}, upper_bound={T}, min_value={end})",
]


@pytest.mark.parametrize("text", ENDS)
@pytest.mark.parametrize("end", [0.003, 0.0])
def test_both_ends_are_hit_exactly_under_jit(text, end):
    if end == 0 and ("exponential" in text or "inverse" in text):
        pytest.skip("needs values above 0")
    horizons = [1, 2, 3, 7, 10, 41, 47, 55, 61, 83, 250, 1000, 2000, 469 * 5, 10**6, LAST]
    schedules = [parse(text.format(T=T, end=end)) for T in horizons]
    program = jax.jit(
        lambda: [(s(0), s(T), s(LAST)) for s, T in zip(schedules, horizons, strict=True)]
    )
    for start, at, after in program():
        assert start == np.float32(0.1)
        assert at == after == np.float32(end)


def test_tanh_decay_as_in_timm():
    """timm does not stretch: its curve goes between the values of an unfinished tanh."""
    lower, upper, T = -7.0, 3.0, 50
    start, end = ((1 - math.tanh(x)) / 2 for x in (lower, upper))
    s = tanh_decay(start, decay_steps=T, end_value=end, lower=-lower, upper=upper)
    timm = [(1 - math.tanh(lower * (1 - t / T) + upper * t / T)) / 2 for t in range(T + 1)]
    np.testing.assert_allclose(s(np.arange(T + 1)), timm, rtol=2e-6)


@pytest.mark.parametrize("n", [1.0, 7.3, 1000.0])
@pytest.mark.parametrize("T", [1000, 10**6 + 3, LAST])
@pytest.mark.parametrize("beta", [0.0, 0.001])
def test_a_wave_that_touches_zero_has_a_small_absolute_error(n, T, beta):
    zeros = (np.arange(min(int(n), 20)) + 0.5) / n * T
    steps = np.concatenate([np.arange(20), T - np.arange(20), *(zeros + d for d in (-3, 0, 1))])
    steps = steps.astype(int).clip(0, T)
    s = linear_cosine_decay(0.1, decay_steps=T, num_periods=n, beta=beta)
    exact = [mpf(0.1) * (1 - x) * cosine(2 * mpf(n) * x) for x in (mpf(int(t)) / T for t in steps)]
    exact = np.array([float(rate + mpf(0.1) * mpf(beta)) for rate in exact])
    for rates in (s(steps), jax.jit(s)(steps)):
        np.testing.assert_allclose(rates, exact, rtol=0, atol=2e-7 * (1 + n) * 0.1 * (1 + beta))


def test_noise_is_normal_and_depends_on_seed_and_step_alone():
    # Without the wave and the line's fall, the rate is 10 + ε.
    def noisy(seed):
        return linear_cosine_decay(
            1.0,
            decay_steps=2**30,
            num_periods=0.0,
            alpha=9.0,
            initial_variance=4.0,
            variance_decay=0.0,
            seed=seed,
        )

    steps = np.arange(100_000)
    samples = np.stack([noisy(seed)(steps) for seed in (0, 1, 2**32 + 7)]) - 10.001
    np.testing.assert_allclose(samples.mean(axis=1), 0, atol=0.03)
    np.testing.assert_allclose(samples.std(axis=1), 2, rtol=0.02)
    np.testing.assert_allclose((samples**4).mean(axis=1) / 16, 3, rtol=0.05)
    assert np.abs(np.corrcoef(samples) - np.eye(3)).max() < 0.02
    neighbours = np.corrcoef(samples[0, 1:], samples[0, :-1])[0, 1]
    assert abs(neighbours) < 0.02
    np.testing.assert_array_equal(noisy(0)(steps[::-1])[::-1], noisy(0)(steps))
    assert noisy(0)(7) == noisy(0)(steps)[7]


def test_of_a_multistep_decay_the_factor_alone_may_be_traced():
    def rate(factor):
        return multistep_decay(0.1, decay_rate=factor, boundaries=(3, 9))(10)

    np.testing.assert_allclose(jax.vmap(rate)(jnp.array([0.5, 0.1])), [0.025, 0.001], rtol=1e-6)


def test_the_hash_behind_the_noise_is_that_of_murmurhash3():
    """Its published values for an empty key and the seeds 0, 1 and 2³² − 1."""
    bits = jnp.asarray(np.uint32([0, 1, 2**32 - 1]) - np.uint32(0x9E3779B9))
    np.testing.assert_array_equal(_hash(bits), np.uint32([0, 0x514E28B7, 0x81F16F39]))


def test_noise_fades_as_in_tensorflow():
    """The standard deviation at step t is √(v/(1 + t)^k)."""
    rates = np.stack(
        [
            linear_cosine_decay(
                1.0, decay_steps=2**30, num_periods=0.0, alpha=9.0, initial_variance=1.0, seed=seed
            )(np.array([0, 10, 1000]))
            for seed in range(400)
        ]
    )
    expected = np.sqrt(1 / (1 + np.array([0, 10, 1000])) ** 0.55)
    np.testing.assert_allclose(rates.std(axis=0), expected, rtol=0.12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shaped_decay(0.1, decay_steps=9, shape='exponential')", "`end_value` must be > 0"),
        ("shaped_decay(0.1, decay_steps=9, shape='circle')", "must be 'linear' or 'cosine'"),
        ("hyperbolic_decay(0.1, decay_steps=9, upper_bound=8)", "got 9 > 8"),
        ("tanh_decay(0.1, decay_steps=9, lower=-6.0)", "`lower` must be a finite number > 0"),
        ("k_decay(0.1, decay_steps=9, k=0)", "`k` must be a finite number > 0"),
    ],
)
def test_errors_name_the_field_and_the_rule(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize("bounds", [(1e-3, 1e-3), (1e-4, 2e-4), (1e-6, 1e-6), (1e-30, 1e-30)])
def test_a_tanh_of_hardly_any_width_is_a_tanh_still(bounds):
    """Of tanh u - tanh x nothing but noise would be left."""
    low, high = map(mpf, bounds)
    s = tanh_decay(0.1, decay_steps=1000, lower=bounds[0], upper=bounds[1])
    for t in (1, 10, 300, 500, 667, 990, 999):
        x = (low + high) * t / 1000 - low
        expected = (
            mpf(0.1) * (mpmath.tanh(high) - mpmath.tanh(x)) / (mpmath.tanh(high) + mpmath.tanh(low))
        )
        for rate in (s(t), jax.jit(lambda s, t: s(t))(s, t)):
            assert abs(mpf(float(rate)) / expected - 1) < 1e-6
