"""Rules between hyperparameters: identities, limits and runs of the optimizers they speak of."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lr_optax import (
    AdamSettings,
    adamw_timescale,
    adamw_update_weights,
    beta_for_batch,
    beta_half_life,
    constant,
    cosine_decay,
    linear,
    linear_scaling,
    noise_scale_adam,
    noise_scale_sgd,
    proportional_weight_decay,
    sqrt_scaling,
)


def test_scaling_there_and_back():
    up = {"batch_size": 512, "base_batch_size": 128}
    down = {"batch_size": 128, "base_batch_size": 512}
    assert linear_scaling(linear_scaling(0.1, **up), **down) == pytest.approx(0.1)
    assert beta_for_batch(beta_for_batch(0.99, **up), **down) == pytest.approx(0.99)
    there = sqrt_scaling(1e-3, **up)
    assert there == pytest.approx((2e-3, 0.6, 0.996, 5e-9))
    learning_rate, b1, b2, eps = there
    back = sqrt_scaling(learning_rate, b1=b1, b2=b2, eps=eps, **down)
    assert back == pytest.approx((1e-3, 0.9, 0.999, 1e-8))


def test_settings_go_straight_into_adam():
    settings = sqrt_scaling(1e-3, batch_size=2, base_batch_size=1)
    assert isinstance(settings, AdamSettings)
    optax.adam(**settings._asdict())


def test_no_beta_below_zero():
    with pytest.raises(ValueError, match=r"at most 10 times `base_batch_size`.* got 16 times"):
        sqrt_scaling(1e-3, batch_size=4096, base_batch_size=256)


def test_half_life_in_tokens_is_kept():
    for batch in (1, 16, 4096):
        beta = beta_for_batch(0.95, batch_size=batch, base_batch_size=512)
        assert beta_half_life(beta, per_step=batch) == pytest.approx(
            beta_half_life(0.95, per_step=512)
        )
    assert 0.97 ** beta_half_life(0.97) == pytest.approx(0.5)
    assert beta_half_life(1) == np.inf
    assert beta_half_life(0) == 0


def test_noise_scale_limits():
    assert noise_scale_sgd(1.0, batch_size=1e9, noise_scale=1) == pytest.approx(1)
    small, double = (noise_scale_sgd(1.0, batch_size=b, noise_scale=1e6) for b in (1, 2))
    assert double / small == pytest.approx(2, rel=1e-5)
    small, four = (noise_scale_adam(1.0, batch_size=b, noise_scale=1e6) for b in (1, 4))
    assert four / small == pytest.approx(2, rel=1e-5)
    assert noise_scale_adam(1.0, batch_size=7, noise_scale=7) == 1
    sizes = jnp.array([1.0, 50.0, 100.0, 200.0])
    assert jnp.argmax(noise_scale_adam(1.0, batch_size=sizes, noise_scale=100.0)) == 2


def test_what_adamw_remembers():
    assert adamw_timescale(1e-3, weight_decay=0.1) == pytest.approx(10_000)
    assert adamw_timescale(1e-3, weight_decay=0) == np.inf
    survival, weights = adamw_update_weights(constant(1e-3), weight_decay=0.1, total_steps=20_000)
    assert survival == pytest.approx(np.exp(-2), rel=1e-3)
    assert weights[-1] / weights[-10_001] == pytest.approx(np.e, rel=1e-3)


@pytest.mark.parametrize(
    "schedule", [linear(0.3, end_value=0.0, transition_steps=40), cosine_decay(0.5, decay_steps=50)]
)
def test_update_weights_are_those_of_optax(schedule):
    decay, steps = 0.7, 40
    survival, weights = adamw_update_weights(schedule, weight_decay=decay, total_steps=steps)
    assert survival + weights.sum() == pytest.approx(1, rel=1e-6)
    updates = np.random.default_rng(0).normal(size=steps).astype(np.float32)
    tx = optax.chain(optax.add_decayed_weights(decay), optax.scale_by_learning_rate(schedule))
    params = jnp.float32(2.0)
    state = tx.init(params)
    for update in updates:
        change, state = tx.update(jnp.asarray(update), state, params)
        params = optax.apply_updates(params, change)
    expected = survival * 2.0 + jnp.sum(weights * -updates / decay)
    np.testing.assert_allclose(params, expected, rtol=1e-5, atol=1e-6)


def test_update_weights_and_survival_add_up_to_one():
    """The identity of AdamW's dual coefficients, to 1e-12 in double precision."""
    with jax.enable_x64(new_val=True):
        for decay in (0.0, 0.01, 0.7):
            survival, weights = adamw_update_weights(
                cosine_decay(0.5, decay_steps=1000), weight_decay=decay, total_steps=1000
            )
            assert weights.dtype == np.float64
            assert abs(survival + weights.sum() - 1) < 1e-12


def test_weight_decay_follows_the_rate():
    rate = cosine_decay(0.02, decay_steps=100)
    s = proportional_weight_decay(rate, weight_decay=0.1, peak_value=0.02)
    steps = np.arange(100)
    np.testing.assert_allclose(s(steps), 0.1 * rate(steps) / rate(0), rtol=1e-6)


def test_errors_name_the_field_and_the_rule():
    with pytest.raises(ValueError, match="linear_scaling: `batch_size` must be"):
        linear_scaling(0.1, batch_size=0, base_batch_size=1)
    with pytest.raises(
        ValueError, match="`total_steps` must be a whole number of steps >= 1, got 0"
    ):
        adamw_update_weights(constant(0.1), weight_decay=0.1, total_steps=0)
