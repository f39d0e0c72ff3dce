"""The range test: fast.ai's suggestions by their definitions, and what a ramp cannot tell."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lr_optax import RangeTest, cyclical, range_test
from lr_optax.foresight import _program
from lr_optax.foresight._range_test import SUGGESTIONS, counted, smoothed

KEYS = jax.random.split(jax.random.key(0), 3)


def train(schedule, key, steps=200):
    """Noisy gradient descent on a long valley."""
    curvatures = jnp.logspace(-3, 0, 20)

    def step(x, t):
        noise = jax.random.normal(jax.random.fold_in(key, t), (20,))
        loss = 0.5 * (curvatures * x**2).sum()
        return x - schedule(t) * (curvatures * x + 0.1 * noise), loss

    return {"loss": jax.lax.scan(step, jnp.ones(20), jnp.arange(steps))[1]}


def published(name, rates, losses):
    """The definitions as they are published, one number at a time."""
    n = len(losses)
    if name == "minimum":
        return rates[min(range(n), key=lambda i: losses[i])] / 10
    if name == "steep":
        slopes = [
            (losses[i + 1] - losses[i]) / (math.log(rates[i + 1]) - math.log(rates[i]))
            for i in range(n - 1)
        ]
        return rates[slopes.index(min(slopes))]
    if name == "valley":
        longest, start, end = [1] * n, 0, 0
        for i in range(1, n):
            for j in range(i):
                if losses[i] < losses[j]:
                    longest[i] = max(longest[i], longest[j] + 1)
            if longest[i] > longest[end]:
                end, start = i, i - longest[i]
        third = (end - start) / 3
        return rates[start + int(third) + int(third / 2)]
    slopes = [losses[1] - losses[0]]
    slopes += [(losses[i + 1] - losses[i - 1]) / 2 for i in range(1, n - 1)]
    slopes += [losses[-1] - losses[-2]]
    right, left = -1, -16
    best = rates[left]
    while left >= -n and abs(slopes[right] - slopes[left]) > 0.005:
        best = rates[left]
        right, left = right - 1, left - 1
    return best


@pytest.mark.parametrize("name", SUGGESTIONS)
def test_suggestions_are_those_published(name):
    random = np.random.default_rng(0)
    for trial in range(300):
        n = int(random.integers(16, 90))
        x = np.linspace(-3, 2, n)
        curve = np.exp(np.maximum(x - 1, 0) ** 2) - 1 / (1 + np.exp(-2 * x))
        losses = (0.05, 0.3, 2)[trial % 3] * curve + random.normal(size=n) * (0, 0.02, 1)[trial % 3]
        if trial % 5 == 0:
            losses = np.round(losses, 1)  # ties
        rates = np.geomspace(1e-6, 10, n)
        assert SUGGESTIONS[name](rates, losses) == published(name, rates, losses), trial


def test_smoothing_and_cut_are_those_published():
    random = np.random.default_rng(1)
    lengths = set()
    for trial in range(100):
        losses = np.cumsum(random.normal(size=60)) + random.uniform(1, 30)
        if trial % 3 == 0:
            losses[random.integers(5, 60) :] = (np.nan, np.inf)[trial % 2]
        total, best, kept, smooth = 0.0, math.inf, 0, []
        for i, loss in enumerate(losses):
            total = 0.98 * total + 0.02 * loss
            smooth.append(total / (1 - 0.98 ** (i + 1)))
            kept += 1
            best = min(best, smooth[-1])
            if smooth[-1] > 4 * best and best > 0:
                break
        curve = smooth[6 : kept - 5]
        bad = [i for i, value in enumerate(curve) if not math.isfinite(value)]
        curve = curve[: bad[0]] if bad else curve
        if min(losses[np.isfinite(losses)]) < 0:
            continue
        found = smoothed(losses)
        np.testing.assert_allclose(found[counted(found)], curve, rtol=1e-9)
        lengths.add(len(curve))
    assert len(lengths) > 10


@pytest.mark.parametrize(("shape", "low", "high"), [("exponential", 1e-3, 10), ("linear", 0.1, 5)])
def test_rates_are_those_the_run_used(shape, low, high):
    def train(schedule, key):
        return {"loss": jax.vmap(schedule)(jnp.arange(50))}

    found = range_test(train, KEYS, min_value=low, max_value=high, shape=shape, total_steps=50)
    space = np.geomspace if shape == "exponential" else np.linspace
    np.testing.assert_allclose(found.rates, space(low, high, 51)[:-1], rtol=1e-5)
    np.testing.assert_allclose(found.losses, [found.rates] * 3, rtol=1e-6)


def test_bounds_do_not_trail_behind_the_ramp():
    rates = np.geomspace(1e-5, 10, 400)
    losses = 0.5 + 1 / (1 + (rates / 0.01) ** 2)  # falls by 5 % at 0.01/√19, by 95 % at 0.01·√19
    for end in (0.1, 1.0, 10.0):  # then it diverges
        found = RangeTest(rates, np.where(rates < end, losses, np.nan)[None])
        ratios = np.array(found.bounds) / (0.01 / 19**0.5, 0.01 * 19**0.5)
        assert (np.abs(np.log2(ratios)) < 1).all(), ratios  # the average itself blurs a little


def test_a_search_ends_where_the_ramp_has_lost_half_or_broke_off():
    rates = np.geomspace(1e-5, 10, 400)
    losses = 0.5 + 1 / (1 + (rates / 0.01) ** 2)
    dead = losses + 1 / (1 + (rates / 1.0) ** -2)  # back where it began, and stays there
    broken = np.where(rates < 0.3, losses, np.nan)
    for curve, end in ((dead, 1.0), (broken, 0.3), (losses, 10.0)):
        found = RangeTest(rates, curve[None])
        low, high = found.search_range
        assert low == found.bounds[0]
        assert abs(np.log2(high / end)) < 0.5
        assert ("did not rise again" in str(found)) == (end == 10.0)


def test_losses_may_be_of_every_so_many_steps():
    def every_fourth(schedule, key):
        return {"loss": train(schedule, key)["loss"][3::4]}

    fine = range_test(train, KEYS, min_value=1e-3, total_steps=200)
    coarse = range_test(every_fourth, KEYS, min_value=1e-3, total_steps=200)
    np.testing.assert_array_equal(coarse.rates, fine.rates[3::4])


def test_is_one_program_and_ends_at_useful_rates(tmp_path):
    before = _program.compiled.cache_info().misses

    def own(schedule, key):
        return train(schedule, key)

    found = range_test(own, KEYS, min_value=1e-3, total_steps=200)
    assert _program.compiled.cache_info().misses == before + 1
    assert 0.02 < found.suggestions["valley"] < 0.5
    low, high = found.bounds
    assert 1e-3 < low < found.suggestions["valley"] < high < 2.5
    assert cyclical(low, max_value=high, step_size_up=5)
    for name, values in found.by_seed.items():
        assert values.shape == (3,)
        assert min(values) <= found.suggestions[name] <= max(values)
    found.plot(tmp_path / "range.png")
    found.save(tmp_path / "range.json")
    again = RangeTest.load(tmp_path / "range.json")
    np.testing.assert_array_equal(again.losses, found.losses)
    assert str(again) == str(found)


def test_says_what_a_ramp_cannot_tell(tmp_path):
    cases = {
        "in 3 of 3 runs the loss did not rise again": lambda rate: 1 / (1 + rate),
        "in 3 of 3 runs the loss never fell": lambda rate: 1 + rate,
        "3 of 3 runs diverged before rate 6.31e-07": lambda rate: jnp.nan * rate,
    }
    for note, loss in cases.items():
        found = range_test(
            lambda s, k, loss=loss: loss(jax.vmap(s)(jnp.arange(100))), KEYS, metric=None
        )
        assert note in str(found)
        found.plot(tmp_path / "picture.png")
    rates = [*found.suggestions.values(), *found.bounds, *found.search_range]
    assert all(map(math.isnan, rates))


def test_what_comes_after_divergence_does_not_count():
    losses = np.asarray(train(lambda t: 0.05 * 1.03 ** jnp.float32(t), KEYS[0])["loss"])
    losses = np.where(np.arange(200) < 150, losses, np.nan)
    later = np.where(np.isfinite(losses), losses, 1e-9)  # lower than ever, after a gap
    later[150:155] = np.inf
    rates = np.geomspace(1e-4, 10, 200)
    one, other = RangeTest(rates, losses[None]), RangeTest(rates, later[None])
    assert one.suggestions == other.suggestions
    assert all(map(math.isfinite, one.suggestions.values()))


def test_disagreement_is_said():
    random = np.random.default_rng(0)
    found = RangeTest(np.geomspace(1e-7, 10, 100), 1 + random.normal(size=(5, 100)))
    assert "the suggestions disagree" in str(found)
    assert "differs between seeds" in str(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": jax.random.key(0)}, "`keys` must be several"),
        ({"keys": KEYS[:0]}, "`keys` must be one axis of random keys"),
        ({"min_value": 0.0}, "`min_value` must be a finite number > 0, got 0.0"),
        ({"min_value": 1.0, "max_value": 0.1}, "min_value < max_value, which float32 can hold"),
        ({"min_value": 1e-50}, "float32 can hold, and their ratio, got 1e-50 and 10.0"),
        ({"max_value": 1e35}, "float32 can hold, and their ratio, got 1e-07 and 1e\\+35"),
        ({"max_value": math.inf}, "`max_value` must be a finite number > 0, got inf"),
        ({"shape": "cosine"}, "`shape` must be 'exponential' or 'linear', got 'cosine'"),
        ({"total_steps": 20.5}, "`total_steps` must be a whole number >= 1, got 20.5"),
        ({"total_steps": 0}, "`total_steps` must be a whole number >= 1, got 0"),
        ({"total_steps": 300}, "got the shape .200,. for `total_steps` = 300"),
        ({"metric": "accuracy"}, "one of what `train` returns, loss; got 'accuracy'"),
        ({"train": lambda s, k: {"loss": s(0)}}, "must be a history whose"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        range_test(**{"train": train, "keys": KEYS, "total_steps": 200, **options})
