"""The search for a peak: where the optimum is known, where there is none, and in one program."""

import math
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lr_optax import Tuning, constant, cosine_decay, linear, tune
from lr_optax.foresight import _program
from lr_optax.foresight._program import SweepProgram
from lr_optax.foresight._tune import Axis

BEST = 0.03


def train(schedule, key, noise=0.1):
    """A parabola in the logarithm of the rate, less sharp where every seed has its own."""
    own = noise * jax.random.normal(key, (2,))
    x = jnp.log10(schedule(0) / BEST) - own[0]
    return {"rate": schedule(0), "loss": 1 + x**2 + own[1]}


def exact(schedule, key):
    return train(schedule, key, noise=0.0)["loss"]


def keys(n, seed=0):
    return jax.random.split(jax.random.key(seed), n)


RANGE = {"min_value": 1e-5, "max_value": 10.0}


def test_finds_a_known_optimum_in_one_program():
    calls = []
    before = _program.compiled.cache_info().misses

    def own(schedule, key):
        return exact(schedule, key)

    found = tune(own, constant, keys(2), **RANGE, progress=lambda *call: calls.append(call))
    assert _program.compiled.cache_info().misses == before + 1
    assert calls[-1] == (48, 48)
    np.testing.assert_allclose(found.best["peak"], BEST, rtol=1e-3)
    assert found.schedule == constant(found.best["peak"])
    assert found.settings.shape == (24, 1)
    np.testing.assert_allclose(found.settings[:8, 0], np.geomspace(1e-5, 10, 8))
    assert found.notes() == ()


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_interval_covers_the_optimum_as_often_as_it_says(mode):
    def signed(schedule, key):
        metrics = train(schedule, key)
        return metrics | {"loss": metrics["loss"] * (1 if mode == "min" else -1)}

    covered = 0
    for seed in range(60):
        options = {"metric": "loss", "mode": mode, **RANGE}
        found = tune(signed, constant, keys(5, seed), **options)
        low, high = found.intervals["peak"]
        assert low < found.best["peak"] < high
        covered += low <= BEST <= high
    assert 52 <= covered <= 60  # 95 % of 60 is 57; below 52 has a chance of one in a thousand


def descend(schedule, key):
    """Noisy gradient descent, which diverges above a rate of 2."""

    def step(x, t):
        noise = jax.random.normal(jax.random.fold_in(key, t), (8,))
        return x - schedule(t) * (jnp.linspace(0.1, 1, 8) * x + noise), None

    x, _ = jax.lax.scan(step, jnp.full(8, 3.0), jnp.arange(100))
    return 0.5 * (x**2).sum()


def test_is_as_good_as_a_fine_grid_beside_a_cliff():
    def family(peak):
        return linear(peak, end_value=0.0, transition_steps=100)

    found = tune(descend, family, keys(8), min_value=1e-4, max_value=1e4)
    assert "runs diverged; " in str(found)
    grid = np.geomspace(0.02, 2, 40)
    rates = jnp.asarray([*grid, found.best["peak"]], jnp.float32)
    over_keys = jax.vmap(lambda rate, key: descend(family(rate), key), (None, 0))
    losses = jax.jit(jax.vmap(over_keys, (0, None)))(rates, keys(64, seed=1)).mean(1)
    assert losses[-1] < 1.1 * losses[:-1].min()


def test_other_hyperparameters_with_the_peak():
    def train(candidate, key):
        schedule, momentum = candidate
        x, y = jnp.log10(schedule(0) / BEST), (momentum - 0.8) / 0.1
        return x**2 + y**2 + x * y + 0.01 * jax.random.normal(key)

    found = tune(
        train,
        lambda peak, momentum: (constant(peak), momentum),
        keys(3),
        others={"momentum": (0.0, 0.99)},
        **RANGE,
    )
    assert abs(math.log10(found.best["peak"] / BEST)) < 0.01
    assert abs(found.best["momentum"] - 0.8) < 0.001
    assert found.schedule[1] == found.best["momentum"]
    found.plot()


@pytest.mark.parametrize("edge", [1e-5, 10.0])
def test_an_optimum_at_the_edge_is_said(edge):
    def train(schedule, key):
        return jnp.abs(jnp.log(schedule(0) / edge)) + 0.1 * jax.random.normal(key)

    found = tune(train, constant, keys(3), **RANGE)
    assert f"the best peak is at the edge of the range, {edge:.3g}" in str(found)
    assert abs(math.log(found.best["peak"] / edge)) < 0.7


def test_what_cannot_be_found_is_said(tmp_path):
    def diverging(schedule, key):
        return jnp.nan * schedule(0)

    found = tune(diverging, constant, keys(3), **RANGE)
    assert found.notes() == ("all 24 runs diverged: lower `min_value` and `max_value`",)
    assert found.schedule is None
    assert math.isnan(found.best["peak"])
    found.plot(tmp_path / "nothing.png")

    def noise(schedule, key):
        return jax.random.normal(jax.random.fold_in(key, (1e6 * schedule(0)).astype(int)))

    found = tune(lambda s, k: 0 * s(0), constant, keys(2), **RANGE)
    (note,) = found.notes()
    assert "the metric is flat, or noise" in note

    notes = {str(tune(noise, constant, keys(3, seed), **RANGE)) for seed in range(5)}
    assert any("no minimum shows" in note or "at the edge" in note for note in notes)

    found = tune(exact, constant, keys(1), **RANGE)
    assert "one seed gives no interval" in str(found)
    assert math.isnan(found.intervals["peak"][0])


def test_interrupted_after_a_round_nothing_is_lost():
    def stop(done, total):
        if done > 0.45 * total:  # in the second round, a batch of whose two is finished
            raise KeyboardInterrupt

    found = tune(exact, constant, keys(6), **RANGE, progress=stop)
    assert len(found.settings) == 8
    assert "1 of 3 rounds are finished, with 6 keys" in str(found)
    assert abs(math.log10(found.best["peak"] / BEST)) < 0.5
    found = tune(exact, constant, keys(6), **RANGE, progress=lambda *_: stop(1, 1))
    assert "1 of 3 rounds are finished, with 3 keys" in str(found)
    with pytest.raises(KeyboardInterrupt, match="not one key"):
        tune(exact, constant, keys(6), points=60, **RANGE, progress=lambda *_: stop(1, 1))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_stops_a_later_round_loses_none_before(monkeypatch, error):
    batches, calls = SweepProgram.batches, []

    def failing(self):
        calls.append(self)
        if len(calls) == 2:
            raise error
        return batches(self)

    monkeypatch.setattr(SweepProgram, "batches", failing)
    said = (
        nullcontext() if error is KeyboardInterrupt else pytest.warns(RuntimeWarning, match="by M")
    )
    with said:
        found = tune(exact, constant, keys(2), **RANGE)
    assert "1 of 3 rounds are finished, with 2 keys" in str(found)


def test_saved_drawn_and_read(tmp_path):
    found = tune(
        lambda s, k: train(s, k)["loss"],
        lambda peak: cosine_decay(peak, decay_steps=10),
        keys(3),
        **RANGE,
    )
    found.plot(tmp_path / "tuning.png")
    found.save(tmp_path / "tuning.json")
    again = Tuning.load(tmp_path / "tuning.json")
    assert str(again) == str(found)
    assert again.schedule == found.schedule
    np.testing.assert_array_equal(again.values, found.values)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"min_value": 0.0}, ValueError, "tune: `min_value` must be a finite number > 0, got 0.0"),
        ({"max_value": 1e-6}, ValueError, "must be finite, lowest < highest, got 1e-05 and 1e-06"),
        ({"max_value": math.inf}, ValueError, "`max_value` must be a finite number > 0, got inf"),
        ({"max_value": "1"}, TypeError, "`max_value` must be a finite number > 0, got '1'"),
        ({"others": {"b1": (0.9, 0.8)}}, ValueError, "the range of `b1` must be finite, lowest < "),
        ({"others": {"b1": 0.9}}, TypeError, "the range of `b1` must be two numbers, got 0.9"),
        ({"others": {"peak": (0, 1)}}, ValueError, "`others` must not name the peak"),
        ({"others": ["b1"]}, TypeError, "`others` must be a mapping from names to ranges"),
        ({"points": 3}, ValueError, "`points` must be >= 4, got 3"),
        ({"points": 4.5}, ValueError, "`points` must be a whole number >= 1, got 4.5"),
        ({"rounds": 1}, ValueError, "`rounds` must be >= 2, got 1"),
        ({"metric": None}, ValueError, "several metrics"),
        ({"mode": "low"}, ValueError, "`mode` must be 'min' or 'max', got 'low'"),
        ({"family": "constant"}, TypeError, "`family` must be a function of the peak"),
        ({"family": constant(0.1)}, TypeError, r"function of the peak, .* got constant\(0\.1\)"),
        ({"keys": jax.random.key(0)}, ValueError, "`keys` must be several"),
        ({"keys": 3}, TypeError, "`keys` must be an array of random keys"),
    ],
)
def test_errors(options, error, message):
    usual = {"family": constant, "keys": keys(2), "metric": "loss", **RANGE}
    with pytest.raises(error, match=message):
        tune(train, **{**usual, **options})


def test_a_range_wider_than_a_ratio_can_say():
    found = tune(
        lambda s, k: jnp.log(s(0)) ** 2, constant, keys(2), min_value=1e-30, max_value=1e30
    )
    assert 1e-3 < found.best["peak"] < 1e3
    assert Axis("x", 1e-300, 1e300).value(0.5) == pytest.approx(1)
    assert Axis("x", 1e-300, 1e300).unit(1.0) == pytest.approx(0.5)
