"""Refined schedules: constant norms, known shapes, the bound they were made for."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_optax import Refinement, bound_terms, parse, refine, refined_rates

T = 400
STEPS = np.arange(T)
# Ten times as large at first, and tending to 1.
SHRINKING = 1 + 9 * np.exp(-STEPS / 20)


def best_bound(rates, norms):
    with jax.enable_x64(new_val=True):
        start, noise = bound_terms(rates, grad_norms=norms)
        return float(2 * np.sqrt(start * noise))


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("size", [1e-30, 1.0, 7e20])
@pytest.mark.parametrize("n", [1, 2, 3, 400])
def test_constant_norms_refine_to_linear_decay(n, size, norm):
    rates = refined_rates(np.full(n, size), norm=norm)
    np.testing.assert_allclose(rates, 1 - np.arange(n + 1) / n, rtol=1e-14, atol=1e-15)
    schedule = refine(np.full(n, size), total_steps=1000, norm=norm, peak_value=0.1).schedule
    np.testing.assert_allclose(
        schedule(np.arange(1001)), 0.1 * (1 - np.arange(1001) / 1000), rtol=1e-5, atol=1e-7
    )


def test_the_reference_figures_of_shrinking_gradients():
    """Where linear decay has a bound of .2016 the refined rates have .1101, and peak at 112."""
    assert best_bound(1 - STEPS / T, SHRINKING) == pytest.approx(0.2016, abs=5e-5)
    # With a rate for the last step of 0, as the reference has it; here the 0 comes after it.
    reference = refined_rates(SHRINKING[:-1])
    assert best_bound(reference, SHRINKING) == pytest.approx(0.1101, abs=5e-5)
    assert reference.argmax() == 112
    ours = refined_rates(SHRINKING)
    assert 0.1094 < best_bound(ours[:-1], SHRINKING) < best_bound(reference, SHRINKING)
    assert refine(SHRINKING).peak_step == 112


@pytest.mark.parametrize("grown", [2.0, 3.0, 5.0])
def test_growing_gradients_want_an_earlier_decay(grown):
    norms = np.interp(STEPS, [0, 320, 399], [1, 1, grown])
    rates = refined_rates(norms)[:-1]
    assert best_bound(rates, norms) < best_bound(1 - STEPS / T, norms)
    assert rates[360] < 1 - 360 / T


def test_the_formula_as_it_is_written():
    random = np.random.default_rng(0)
    norms = random.uniform(0.5, 2, 50)
    weights = np.append(norms, norms[-1]) ** -1.0
    expected = [weights[t] * weights[t + 1 :].sum() for t in range(50)]
    rates = refined_rates(norms, norm="l1", smoothing=0.0)
    np.testing.assert_allclose(rates[:-1], expected / np.max(expected), rtol=1e-12)


def test_the_running_median():
    """Of 50 norms a tenth is 5: two on either side; past the end the last ones mirrored."""
    norms = np.random.default_rng(1).uniform(0.5, 2, 50)
    padded = np.concatenate([norms[[0, 0]], norms, norms[[-1, -2]]])
    medians = [np.median(padded[t : t + 5]) for t in range(50)]
    np.testing.assert_allclose(refined_rates(norms), refined_rates(medians, smoothing=0.0))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40),
    st.sampled_from(["l1", "l2"]),
    st.floats(0, 0.99),
    st.floats(1e-10, 1e10),
)
def test_unit_of_the_norms_has_no_part(norms, norm, smoothing, unit):
    rates = refined_rates(norms, norm=norm, smoothing=smoothing)
    assert rates.max() == 1
    assert rates[-1] == 0
    assert (rates >= 0).all()
    scaled = refined_rates(np.array(norms) * unit, norm=norm, smoothing=smoothing)
    np.testing.assert_allclose(scaled, rates, rtol=1e-9)


@pytest.mark.parametrize("first", [0, 1, 9, 10])
def test_the_first_step_tells_how_intervals_lie(first):
    steps = first + 10 * np.arange(40)
    assert refine(SHRINKING[::10], steps=steps).total_steps == T
    assert refine([1.0], steps=[first]).total_steps == max(first, 1)


def test_a_spike_is_smoothed_away():
    norms = np.ones(100)
    norms[[30, 31, 60]] = 1e6
    np.testing.assert_allclose(refined_rates(norms), 1 - np.arange(101) / 100, rtol=1e-12)
    assert refined_rates(norms, smoothing=0.0)[30] < 1e-9


def test_steps_total_steps_and_knots():
    every_ten = refine(SHRINKING[::10], steps=STEPS[::10])
    assert every_ten.total_steps == T
    whole = refine(SHRINKING, smoothing=0.0)
    assert abs(every_ten.peak_step - whole.peak_step) <= 20
    # Unevenly logged norms are read between the points.
    steps = np.unique(np.geomspace(1, 400, 80).astype(int)) - 1
    uneven = refine(np.interp(steps, STEPS, SHRINKING), steps=steps, smoothing=0.0, total_steps=T)
    assert abs(uneven.peak_step - whole.peak_step) <= 4
    # A long log keeps to 256 points, the peak among them, and another length stretches it.
    long = refine(np.repeat(SHRINKING, 100), total_steps=1000, peak_value=0.3)
    assert len(long.schedule.boundaries) <= 257
    assert float(long.schedule(long.peak_step)) == pytest.approx(0.3)
    assert long.peak_step == pytest.approx(112 * 1000 / T, abs=3)
    assert parse(repr(long.schedule)) == long.schedule
    # A run shorter than its log.
    short = refine(SHRINKING, total_steps=5)
    assert short.schedule.boundaries == (0, 1, 2, 3, 4, 5)
    assert float(short.schedule(5)) == 0


def test_prints_saves_and_draws(tmp_path):
    found = refine(SHRINKING, total_steps=1000)
    assert "warm-up until step 280, 28.0% of the run" in str(found)
    found.save(tmp_path / "refined.json")
    again = Refinement.load(tmp_path / "refined.json")
    assert str(again) == str(found)
    assert again.schedule == found.schedule
    above, below = found.plot(tmp_path / "refined.png").axes
    assert below.get_ylabel() == "gradient norm"
    assert above.get_xlim() == below.get_xlim()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grad_norms": []}, "must be a vector of norms, got shape"),
        ({"grad_norms": [[1.0]]}, r"got shape \(1, 1\)"),
        ({"grad_norms": [1.0, np.nan, 2.0]}, "numbers > 0, got nan at index 1 .leave"),
        ({"grad_norms": [1.0, 0.0]}, "got 0.0 at index 1"),
        ({"norm": "linf"}, "`norm` must be 'l2' or 'l1', got 'linf'"),
        ({"smoothing": 1.0}, r"`smoothing` must be a number in \[0, 1\), got 1.0"),
        ({"total_steps": 0}, "`total_steps` must be a whole number >= 1, got 0"),
        ({"peak_value": 0.0}, "`peak_value` must be a finite number > 0, got 0.0"),
        ({"total_steps": 10.5}, "`total_steps` must be a whole number >= 1, got 10.5"),
        ({"steps": [0, 1.5]}, "`steps` must be a whole number of steps >= 0, got 1.5"),
        ({"steps": [0, np.nan]}, "`steps` must be a whole number of steps >= 0, got nan"),
        ({"steps": [0]}, "as many as `grad_norms`, got 1 for 2"),
        ({"steps": [1, 1]}, "ascending, each once"),
        ({"steps": [-1, 1]}, "`steps` must be a whole number of steps >= 0, got -1"),
    ],
)
def test_errors(options, words):
    with pytest.raises(ValueError, match=words):
        refine(**{"grad_norms": [1.0, 2.0]} | options)
