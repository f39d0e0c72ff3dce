"""Keras's schedules, by its own figures: see reference_values/make_keras.py."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_values import make_keras
from reference_values.agreement import assert_agrees, read

from lr_optax import cosine_decay, from_dict, to_dict
from lr_optax.compat import keras as lr_keras

FIGURES = read("keras")


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    assert_agrees(getattr(lr_keras, name), FIGURES[name])


def test_live_over_other_arguments():
    pytest.importorskip("keras", reason="keras is not installed; its figures are compared above")
    for name, group in make_keras.cases(seed=1, sets=4).items():
        assert_agrees(getattr(lr_keras, name), group)


VECTORS = {
    "piecewise": (
        lr_keras.PiecewiseConstantDecay([3, 6], [1.0, 0.1, 0.01]),
        "1 1 1 1 .1 .1 .1 .01",
    ),
    "polynomial cycles": (
        lr_keras.PolynomialDecay(1.0, 4, 0.1, cycle=True),
        "1 .775 .55 .325 .1 .4375 .325 .2125 .1 .325 .25",
    ),
    "cosine with a warm-up": (
        lr_keras.CosineDecay(0.0, 6, 0.1, warmup_target=1.0, warmup_steps=3),
        "0 .333333 .666667 1 .9397114 .775 .55 .325 .1602886 .1",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name):
    s, text = VECTORS[name]
    expected = [float(number) for number in text.split()]
    np.testing.assert_allclose(s(np.arange(len(expected))), expected, rtol=2e-6)


def test_restarts_begin_on_time():
    for multiplier in (2, 3, 5, 10):
        for length in (1, 7, 100):
            s = lr_keras.CosineDecayRestarts(1.0, length, t_mul=float(multiplier))
            starts = [length * (multiplier**k - 1) // (multiplier - 1) for k in range(9)]
            np.testing.assert_array_equal(s(np.array([b for b in starts if b < 2**31])), 1)
    assert lr_keras.CosineDecayRestarts(1.0, 2, t_mul=1.5)(5) == 1  # Keras: 0


def test_cycles_and_staircases_end_on_time():
    ends = np.array([3, 7, 11, 13])
    for length in range(1, 200, 7):
        s = lr_keras.PolynomialDecay(1.0, length, 0.1, cycle=True)
        np.testing.assert_array_equal(s(length * ends), np.float32(0.1))
        s = lr_keras.ExponentialDecay(1.0, length, 0.5, staircase=True)
        np.testing.assert_array_equal(s(length * ends), 0.5**ends)


def test_polynomial_cycles_late_in_a_long_run():
    s = lr_keras.PolynomialDecay(1.0, 1000, 0.0, cycle=True)
    t = 2**31 - 1
    n = -(-t // 1000)
    np.testing.assert_allclose(s(t), (n * 1000 - t) / (n * 1000), rtol=1e-6)


def test_cosine_without_a_target_has_no_warm_up():
    s = lr_keras.CosineDecay(1.0, 10, warmup_steps=5)
    assert s == cosine_decay(1.0, decay_steps=10, end_value=0.0)


def test_piecewise_takes_arrays():
    s = lr_keras.PiecewiseConstantDecay(jnp.array([3, 6]), jnp.array([1.0, 0.1, 0.01]))
    np.testing.assert_allclose(s(np.array([3, 4, 7])), [1, 0.1, 0.01])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lr_keras.ExponentialDecay(0.1, 0, 0.5), "`decay_steps` must be a whole number"),
        (lambda: lr_keras.PiecewiseConstantDecay([3], [1.0]), "must be one fewer than `values`"),
        (lambda: lr_keras.CosineDecayRestarts(0.1, 5, t_mul=0.5), "`t_mul` must be .* >= 1"),
    ],
)
def test_errors_name_argument_and_rule(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_tail_of_a_cosine_keeps_its_digits():
    """Keras 3.15 is off by 2.8e-5 of the rate at step 989 of 1000."""
    steps = np.arange(900, 1000)
    exact = np.sin(np.pi / 2 * (1000 - steps) / 1000) ** 2
    s = lr_keras.CosineDecay(1.0, decay_steps=1000)
    np.testing.assert_allclose(jax.jit(s)(steps), exact, rtol=1e-6)


CONFIGS = {
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [3, 6], "values": [1.0, 0.1, 0.01]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "cycle": True},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.1},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_of_keras_are_read_and_kept_as_our_json(name):
    config = {"name": name, **CONFIGS[name]}
    s = lr_keras.deserialize({"class_name": name, "config": config})
    assert s == getattr(lr_keras, name)(**CONFIGS[name])
    assert from_dict(json.loads(json.dumps(to_dict(s)))) == s


def test_configs_that_keras_writes_are_read():
    reason = "keras is not installed; configs of its form are read above"
    schedules = pytest.importorskip("keras", reason=reason).optimizers.schedules
    for name, config in CONFIGS.items():
        written = schedules.serialize(getattr(schedules, name)(**config))
        assert lr_keras.deserialize(written) == getattr(lr_keras, name)(**config)


@pytest.mark.parametrize("config", [{}, 3, {"class_name": "CosineDecay"}, CONFIGS["CosineDecay"]])
def test_what_is_no_config_is_refused(config):
    with pytest.raises(ValueError, match="deserialize: `config` must be"):
        lr_keras.deserialize(config)


def test_errors_of_a_config_name_class_and_argument():
    with pytest.raises(TypeError, match="CosineDecay: there is no argument 'decay_step'; did you"):
        lr_keras.deserialize({"class_name": "CosineDecay", "config": {"decay_step": 3}})
