"""Warm-ups, recipes and cycles: against their formulas and against published values."""

import jax
import mpmath
import numpy as np
import pytest
from accuracy import LAST, check_accuracy, cosine, line
from mpmath import mpf

import lr_optax
from lr_optax import (
    constant,
    cosine_decay,
    inverse_sqrt_decay,
    parse,
    untuned_warmup,
    warmup,
    warmup_stable_decay,
)


def trapezoid(t, T, w, c, fall=lambda x: 1 - x):
    if t < w:
        return mpf(t) / w
    return fall(min(max(mpf(t - (T - c)) / c, 0), 1))


def exponential(x, a, b):
    return mpf(a) * (mpf(b) / mpf(a)) ** x


FORMULAS = {
    "warmup(constant(0.1), warmup_steps=1000, init_value=0.01, shape='cosine')": lambda t: (
        mpf(0.01) + (mpf(0.1) - mpf(0.01)) * (1 - cosine(line(t, 0, 1, 1000)))
    ),
    "warmup(constant(0.1), warmup_steps=1000, init_value=1e-6, shape='exponential')": (
        lambda t: exponential(line(t, 0, 1, 1000), 1e-6, 0.1)
    ),
    "warmup(constant(0.1), warmup_steps=1000003, shape='log')": lambda t: (
        mpf(0.1) * min(mpmath.log(t + 1) / mpmath.log(1000003), 1)
    ),
    "warmup(constant(0.1), warmup_steps=1000003, lead=1)": lambda t: (
        mpf(0.1) * min(mpf(t + 1) / 1000003, 1)
    ),
    "untuned_warmup(constant(0.1), b2=0.9999)": lambda t: (
        mpf(0.1) * (1 - mpmath.exp(-(1 - mpf(0.9999)) * (t + 1)))
    ),
    "untuned_warmup(constant(0.1), b2=0.999999)": lambda t: (
        mpf(0.1) * (1 - mpmath.exp(-(1 - mpf(0.999999)) * (t + 1)))
    ),
    "untuned_warmup(constant(0.1), b2=0.9999, shape='linear')": lambda t: (
        mpf(0.1) * min((1 - mpf(0.9999)) / 2 * (t + 1), 1)
    ),
    "warmup_cosine_decay(0.1, warmup_steps=1000, total_steps=1000000, end_value=0.001)": lambda t: (
        mpf(0.1) * t / 1000
        if t < 1000
        else mpf(0.001) + (mpf(0.1) - mpf(0.001)) * cosine(min(mpf(t - 1000) / (10**6 - 1000), 1))
    ),
    "warmup_linear_decay(0.1, warmup_steps=1000, total_steps=1000000)": lambda t: (
        mpf(0.1) * trapezoid(t, 10**6, 1000, 10**6 - 1000)
    ),
    "warmup_stable_decay(0.1, total_steps=1000000, cooldown_steps=900000, warmup_steps=100, "
    "shape='1-sqrt')": lambda t: (
        mpf(0.1) * trapezoid(t, 10**6, 100, 900000, lambda x: 1 - mpmath.sqrt(x))
    ),
    "warmup_stable_decay(0.1, total_steps=1000, cooldown_steps=990, shape='cosine')": (
        lambda t: mpf(0.1) * cosine(min(max(mpf(t - 10) / 990, 0), 1))
    ),
    "infinite(0.1, constant_value=0.04, warmup_steps=50, cooldown_steps=1000)": lambda t: (
        mpf(0.1) * t / 50
        if t < 50
        else mpf(0.04) + (mpf(0.1) - mpf(0.04)) * cosine(min(mpf(t - 50) / 1000, 1))
    ),
    "infinite(0.1, constant_value=0.04, warmup_steps=50, cooldown_steps=1000, shape='linear')": (
        lambda t: mpf(0.1) * t / 50 if t < 50 else line(t - 50, 0.1, 0.04, 1000)
    ),
    "tri_stage(0.1, warmup_steps=50, hold_steps=50, cooldown_steps=900)": lambda t: (
        mpf(0.1) * (mpf(0.01) + mpf(0.99) * t / 50)
        if t < 50
        else mpf(0.1) * mpf(0.01) ** min(max(mpf(t - 100) / 900, 0), 1)
    ),
    "multistep_811(0.1, total_steps=1003, warmup_steps=10)": lambda t: (
        mpf(0.1) * t / 10
        if t < 10
        else mpf(0.1) / mpmath.sqrt(10) ** ((t >= mpf(1003) * 4 / 5) + (t >= mpf(1003) * 9 / 10))
    ),
    "noam(1.0, model_size=512, warmup_steps=4000)": lambda t: (
        mpf(0)
        if t == 0
        else min(mpf(t) ** -mpf(0.5), t * mpf(4000) ** -mpf(1.5)) / mpmath.sqrt(512)
    ),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_accurate_at_any_step(text):
    check_accuracy(text, FORMULAS[text])


@pytest.mark.parametrize("b2", [0.9, 0.999, 1 - 1e-6, 1 - 2.0**-24])
def test_a_traced_beta_brings_its_own_rounding_and_no_other(b2):
    s, steps = untuned_warmup(constant(1.0)), np.array([0, 10, 10**4, 10**6])

    def exact(b2):
        return -np.expm1(-(1 - b2) * (steps + 1.0))

    held = np.float32(b2)
    rates = np.float64(jax.jit(lambda b2: s.replace(b2=b2)(steps))(held))
    np.testing.assert_allclose(rates, exact(float(held)), rtol=1e-6)
    own = 1e-6 + 2.0**-25 / (1 - b2)
    np.testing.assert_allclose(rates, exact(b2), rtol=own)


def test_linear_lr_as_in_torch():
    """LinearLR(start_factor=.5, total_iters=4) is a warm-up from half of the rate."""
    s = warmup(constant(1.0), warmup_steps=4, init_value=0.5)
    np.testing.assert_allclose(s(np.arange(6)), [0.5, 0.625, 0.75, 0.875, 1, 1])


@pytest.mark.parametrize(
    ("shape", "fall"),
    [
        ("linear", lambda q: 1 - q),
        ("cosine", lambda q: 0.5 * (1 + np.cos(np.pi * q))),
        ("1-sqrt", lambda q: 1 - np.sqrt(q)),
    ],
)
def test_warmup_stable_decay_as_in_transformers(shape, fall):
    """get_wsd_schedule: num_warmup_steps 5, num_stable_steps 10, num_decay_steps 20, ratio .1."""
    s = warmup_stable_decay(
        1.0,
        total_steps=35,
        cooldown_steps=20,
        warmup_steps=5,
        init_value=0.1,
        end_value=0.1,
        shape=shape,
    )
    t = np.arange(40)
    q = np.clip((t - 15) / 20, 0, 1)
    expected = np.where(t < 5, 0.1 + 0.9 * t / 5, np.where(t < 15, 1, 0.1 + 0.9 * fall(q)))
    np.testing.assert_allclose(s(t), expected, rtol=1e-6)


@pytest.mark.parametrize("w", [1, 3, 10, 41, 1000, 2345])
@pytest.mark.parametrize("shape", ["linear", "cosine", "exponential", "log"])
def test_every_warmup_ends_exactly_at_the_peak_under_jit(w, shape):
    decay = cosine_decay(0.3, decay_steps=100)
    s = warmup(decay, warmup_steps=w, init_value=0.1, shape=shape)
    start, peak, later = jax.jit(s)(np.array([0, w, w + 7]))
    assert start == np.float32(0.1) if w > 1 or shape != "log" else True
    assert peak == np.float32(0.3)
    assert later == decay(7)


def test_a_logarithmic_warm_up_of_two_steps():
    s = warmup(constant(0.1), warmup_steps=2, shape="log")
    np.testing.assert_array_equal(s(np.arange(3)), np.float32([0, 0.1, 0.1]))  # ln(t + 1)/ln 2


def test_phases_end_exactly_under_jit():
    for T in (100, 469 * 5, 10**6, LAST):
        s = warmup_stable_decay(0.3, total_steps=T, cooldown_steps=T // 5, warmup_steps=T // 7)
        steps = np.array([0, T // 7, T - T // 5, T])
        expected = np.array([0, 0.3, 0.3, 0], np.float32)
        np.testing.assert_array_equal(jax.jit(s)(steps), expected)


def test_noam_is_a_warmup_of_an_inverse_root():
    s = warmup(inverse_sqrt_decay(0.002, timescale=50), warmup_steps=50)
    noam = lr_optax.noam(0.002 * (64 * 50) ** 0.5, model_size=64, warmup_steps=50)
    np.testing.assert_allclose(noam(np.arange(1000)), s(np.arange(1000)), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("warmup_cosine_decay(0.1, warmup_steps=9, total_steps=8)", "got 9 > 8"),
        ("warmup_linear_decay(0.1, warmup_steps=9, total_steps=8)", "got 9 > 8"),
        (
            "warmup_stable_decay(0.1, total_steps=9, cooldown_steps=5, warmup_steps=5)",
            r"must fit into `total_steps`, got 5 \+ 5 > 9",
        ),
        (
            "warmup_stable_decay(0.1, total_steps=9, cooldown_steps=5, shape='exponential')",
            "`end_value` must be > 0",
        ),
        ("multistep_811(0.1, total_steps=10, warmup_steps=9)", "over at 80%"),
        (
            "one_cycle(0.1, total_steps=9, warmup_steps=5, three_phase=True)",
            r"`warmup_steps` \+ `warmup_steps` must fit into `total_steps`, got 5 \+ 5 > 9",
        ),
        ("one_cycle(0.1, total_steps=9, warmup_steps=0.3)", "whole number of steps"),
        (
            "warmup_stable_decay_cycles(0.1, boundaries=(10, 15), cooldown_steps=6)",
            "the one from 10 to 15",
        ),
        ("warmup_stable_decay_cycles(0.1, boundaries=(), cooldown_steps=6)", "at least one"),
        (
            "warmup(constant(0.1), warmup_steps=5, shape='exponential')",
            "`init_value` must be > 0",
        ),
    ],
)
def test_errors_name_the_field_and_the_rule(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_untuned_warmup_refuses_what_float32_would_change():
    near = 0.9999999
    exact = untuned_warmup(constant(0.1), b2=near)(99)
    np.testing.assert_allclose(exact, 0.1 * -np.expm1(-1e-5), rtol=1e-6)
    for b2 in (np.array(near), np.array([0.9, near]), jax.numpy.float32(near)):
        with pytest.raises(ValueError, match="`b2` must be a Python number if it is closer to 1"):
            untuned_warmup(constant(0.1), b2=b2)
    assert untuned_warmup(constant(0.1), b2=np.array(1.0))(5) == 0


def test_noam_with_less_than_one_for_the_product_of_width_and_warmup():
    s = lr_optax.noam(1.0, model_size=0.01, warmup_steps=4)
    np.testing.assert_allclose(s(4), 5.0, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda s: s(4))(s), 5.0, rtol=1e-6)
