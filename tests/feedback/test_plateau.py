"""reduce_on_plateau: the decisions of torch's ReduceLROnPlateau, and its own promises."""

from functools import partial
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_optax import reduce_on_plateau

with np.load(Path(__file__).parents[1] / "reference_values" / "plateau.npz") as file:
    FIGURES = dict(file)
ROWS = [
    {k: v[i].tolist() for k, v in FIGURES.items() if v.shape} for i in range(len(FIGURES["base"]))
]
MODES = [(mode, threshold_mode) for mode in ("min", "max") for threshold_mode in ("rel", "abs")]
every_mode = pytest.mark.parametrize(("mode", "threshold_mode"), MODES)
ONE = jnp.ones((), jnp.float32)
NAN, INF = float("nan"), float("inf")


def reference(row, size=abs):
    """The rates, and the best metrics, by the rule in plain Python.

    With ``size=float`` the relative margin is torch's, threshold·b, wherever b is negative too.
    """
    sign = 1 if row["mode"] == "min" else -1
    rate, best, bad, cooldown, rates, bests = row["base"], sign * INF, 0, 0, [], []
    for metric in row["metrics"]:
        share = size(best) if row["threshold_mode"] == "rel" else 1
        margin = row["threshold"] * share if np.isfinite(best) else 0
        if sign * metric < sign * (best - sign * margin):
            best, bad = metric, 0
        else:
            bad += 1
        if cooldown > 0:
            cooldown, bad = cooldown - 1, 0
        if bad > row["patience"]:
            cooldown, bad = row["cooldown"], 0
            lower = max(rate * row["factor"], row["min_lr"])
            rate = lower if rate - lower > row["eps"] else rate
        rates.append(rate)
        bests.append(best)
    return rates, bests


def arguments(row):
    """A row's settings in our words: shares of the base rate instead of rates."""
    alike = {k: row[k] for k in ("factor", "patience", "threshold", "cooldown")}
    return alike | {"min_scale": row["min_lr"] / row["base"], "eps": row["eps"] / row["base"]}


def scales(metrics, tx=None, **kwargs):
    """What an update of 1 becomes at every step, in one scan."""
    tx = tx or reduce_on_plateau(**kwargs)

    def step(state, metric):
        update, state = tx.update(ONE, state, value=metric)
        return state, update

    return jax.lax.scan(step, tx.init(ONE), jnp.asarray(metrics, jnp.float32))[1]


def feed(tx, metrics, state=None):
    """The same step by step, without jit, and the last state."""
    state, seen = state or tx.init(ONE), []
    for metric in metrics:
        update, state = tx.update(ONE, state, value=metric)
        seen.append(float(update))
    return seen, state


def assert_same_cuts_and_rates(seen, row):
    """Cuts at the same steps; a rate is rounded once for each cut, and once for a minimum."""
    expected = np.array(reference(row)[0])
    actual = np.asarray(seen, np.float64) * row["base"]
    cut = np.diff(expected, prepend=row["base"]) < 0
    np.testing.assert_array_equal(np.diff(actual, prepend=row["base"]) < 0, cut)
    assert np.all(np.abs(actual / expected - 1) <= 1.01 * 2.0**-24 * (1 + np.cumsum(cut)))


def assert_as_torch(rows, mode, threshold_mode):
    """Ours against the corrected rule, and that against torch; returns where they differ."""
    # One program for all settings, so that all of them are traced.
    run = jax.jit(jax.vmap(partial(scales, mode=mode, threshold_mode=threshold_mode)))
    kwargs = jax.tree.map(lambda *values: np.array(values), *map(arguments, rows))
    metrics = np.array([row["metrics"] for row in rows], np.float32)
    corrected = []
    for row, seen in zip(rows, run(metrics, **kwargs), strict=True):
        assert_same_cuts_and_rates(seen, row)
        assert reference(row, size=float)[0] == row["rates"]
        rates, bests = reference(row)
        if rates != row["rates"]:
            corrected.append(row["family"])
            assert threshold_mode == "rel"
            assert any(-INF < best < 0 for best in bests)
    return corrected


def test_figures_cover_what_they_are_for():
    assert len(ROWS) >= 1200
    assert str(FIGURES["torch_version"]).startswith("2.13")
    for family in ("positive", "negative", "crossing zero", "with NaN", "with +inf", "with -inf"):
        for modes in MODES:
            rows = [
                r for r in ROWS if (r["family"], r["mode"], r["threshold_mode"]) == (family, *modes)
            ]
            assert sum(len(set(row["rates"])) for row in rows) > 100


@every_mode
def test_same_trajectory_as_torch(mode, threshold_mode):
    rows = [r for r in ROWS if (r["mode"], r["threshold_mode"]) == (mode, threshold_mode)]
    corrected = assert_as_torch(rows, mode, threshold_mode)
    # Where the margins differ so do some rates: the correction is seen, not only allowed.
    assert (corrected.count("negative") > 10) == (threshold_mode == "rel")
    assert "positive" not in corrected


@every_mode
def test_same_trajectory_as_torch_with_constants(mode, threshold_mode):
    rows = [r for r in ROWS if (r["mode"], r["threshold_mode"]) == (mode, threshold_mode)]
    for row in rows[::25]:
        tx = reduce_on_plateau(mode=mode, threshold_mode=threshold_mode, **arguments(row))
        assert_same_cuts_and_rates(jax.jit(partial(scales, tx=tx))(row["metrics"]), row)
        assert_same_cuts_and_rates(feed(tx, row["metrics"])[0], row)


@every_mode
def test_same_trajectory_as_the_torch_that_is_installed(mode, threshold_mode):
    pytest.importorskip("torch", reason="torch is not installed: its recorded figures are tested")
    from figures.make_plateau import FAMILIES, draw

    rng = np.random.default_rng(7)
    drawn = [draw(rng, family, mode, threshold_mode) for family in FAMILIES * 10]
    rows = [row | {"metrics": row["metrics"].tolist()} for row in drawn]
    assert_as_torch(rows, mode, threshold_mode)


def test_defaults_cut_at_the_steps_of_torch_and_stop_where_it_does():
    seen = np.array(scales([1.0] * 130))
    cuts = np.flatnonzero(np.diff(seen, prepend=1) < 0) + 1
    assert cuts.tolist() == [12 + 11 * i for i in range(8)]  # 1e-8 stays, by eps
    np.testing.assert_allclose(seen[-1], 1e-8, rtol=1e-6)
    # A drop must exceed eps: one of just eps is not made.
    assert feed(reduce_on_plateau(0.5, patience=0, eps=0.25), [1.0] * 4)[0] == [1, 0.5, 0.5, 0.5]


def test_defect_4_patience_0_cuts_at_the_first_bad_check_and_at_no_good_one():
    tx = reduce_on_plateau(0.5, patience=0)
    assert feed(tx, [1.0, 0.9, 0.8, 0.8, 0.7, 0.7, 0.7])[0] == [1, 1, 1, 0.5, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("sign", [1, -1])
def test_defect_6_negative_metrics_that_stand_still_or_worsen_slowly_cut(sign):
    tx = reduce_on_plateau(0.5, patience=2, mode="min" if sign == 1 else "max")
    assert feed(tx, [-1.0 * sign] * 5)[0] == [1, 1, 1, 0.5, 0.5]
    seen, state = feed(tx, [sign * (-1 + 1e-5 * i) for i in range(5)])
    assert seen == [1, 1, 1, 0.5, 0.5]
    assert state.best == -1.0 * sign


def test_without_a_value_updates_are_scaled_and_nothing_is_counted():
    tx = reduce_on_plateau(0.5, patience=1, accumulation_size=2)
    before = feed(tx, [1.0] * 7)[1]
    assert (before.scale, before.bad_checks, before.metric_count) == (0.5, 0, 1)
    for extra in ({}, {"value": None}, {"loss": 1.0}, {"value": None, "params": ONE}):
        update, after = tx.update(ONE, before, **extra)
        assert update == 0.5
        chex.assert_trees_all_equal(after, before)
        chex.assert_trees_all_equal(jax.jit(tx.update)(ONE, before, **extra), (update, before))


def test_accumulated_metrics_are_averaged_for_one_check():
    tx = reduce_on_plateau(0.5, patience=0, accumulation_size=3)
    # Means 2, 1 and 1: good, good, bad. Single metrics, sums or last metrics say otherwise.
    seen, state = feed(tx, [1, 2, 3, 0, 3, 0, 3, 0, 0, 5])
    assert seen == [1] * 8 + [0.5] * 2
    assert (state.best, state.metric_sum, state.metric_count) == (1, 5, 1)
    once = reduce_on_plateau(0.5, patience=0)
    assert feed(once, [2, 1, 1])[1].best == feed(tx, [2] * 3 + [1] * 6)[1].best == 1


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_nonfinite_metrics_are_compared_or_ignored(bad):
    compare = reduce_on_plateau(0.5, patience=1)
    seen, state = feed(compare, [2.0, bad, bad, 1.0])
    assert seen == ([1, 1, 1, 0.5] if bad == -INF else [1, 1, 0.5, 0.5])
    assert state.best == (-INF if bad == -INF else 1)
    ignore = reduce_on_plateau(0.5, patience=1, nonfinite="ignore", accumulation_size=2)
    seen, state = feed(ignore, [bad, 4, bad, 2, bad, bad, 3, bad])
    assert seen == [1] * 8
    assert (state.best, state.bad_checks, state.metric_sum, state.metric_count) == (3, 0, 3, 1)


def test_defect_5_smaller_settings_on_resume_take_effect():
    longer, shorter = reduce_on_plateau(0.5, patience=10), reduce_on_plateau(0.5, patience=3)
    assert feed(shorter, [1.0], feed(longer, [1.0] * 7)[1])[0] == [0.5]
    more, fewer = (reduce_on_plateau(0.5, patience=0, accumulation_size=n) for n in (10, 5))
    _, state = feed(fewer, [1.0, 1.0, 1.0], feed(more, [1.0] * 7)[1])
    assert (state.best, state.metric_count) == (1, 2)
    assert feed(fewer, [1.0] * 3, state)[0] == [1, 1, 0.5]
    # A minimum above the scale that a run has come to does not raise it.
    low = feed(reduce_on_plateau(0.5, patience=0), [1.0] * 4)[1]
    assert feed(reduce_on_plateau(0.5, patience=0, min_scale=0.4), [1.0] * 2, low)[0] == [0.125] * 2


@pytest.mark.parametrize(
    "value", [2, 2.0, np.float64(2), np.int64(2), np.array(2), jnp.bfloat16(2)]
)
def test_any_real_scalar_is_a_value(value):
    state = feed(reduce_on_plateau(), [value])[1]
    assert (state.best, state.best.dtype) == (2, jnp.float32)


METRICS = st.lists(st.floats(width=32), min_size=12, max_size=12)
run = jax.jit(scales, static_argnames=("mode", "threshold_mode", "nonfinite"))


@given(
    metrics=METRICS,
    factor=st.floats(0, 1, exclude_min=True, exclude_max=True, width=32),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    threshold=st.floats(0, 2, width=32),
    min_scale=st.floats(0, 1, width=32),
    eps=st.floats(0, 0.5, width=32),
    threshold_mode=st.sampled_from(["rel", "abs"]),
)
def test_scale_never_rises_nor_falls_below_its_minimum(metrics, **kwargs):
    seen = np.array([1, *run(metrics, **kwargs)])
    assert np.all(np.diff(seen) <= 0)
    assert np.all(seen >= np.float32(kwargs["min_scale"]))
    mirrored = run(-np.array(metrics, np.float32), mode="max", **kwargs)
    np.testing.assert_array_equal(mirrored, seen[1:])


@given(metrics=METRICS)
def test_ignored_metrics_might_as_well_not_have_been(metrics):
    finite = np.isfinite(metrics)
    padded = np.append(np.array(metrics)[finite], np.zeros((~finite).sum()))
    without = run(padded, factor=0.5, patience=0)[: finite.sum()]
    np.testing.assert_array_equal(
        run(metrics, factor=0.5, patience=0, nonfinite="ignore")[finite], without
    )
