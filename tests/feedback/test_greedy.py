"""greedy: the decisions of GreedyLR in Transformers, and its own promises."""

from functools import partial
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lr_optax import GreedyState, greedy, observe

with np.load(Path(__file__).parents[1] / "reference_values" / "greedy.npz") as file:
    FIGURES = dict(file)
ROWS = [
    {k: v[i].tolist() for k, v in FIGURES.items() if v.shape} for i in range(len(FIGURES["factor"]))
]
MODES = [(mode, threshold_mode) for mode in ("min", "max") for threshold_mode in ("rel", "abs")]
ONE = jnp.ones((), jnp.float32)
NAN = float("nan")
NO_METRIC = np.finfo(np.float32).max


def scales(metrics, **kwargs):
    """What an update of 1 becomes at every step, in one scan."""
    tx = greedy(**kwargs)

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


def arguments(row):
    alike = ("factor", "patience", "threshold", "cooldown", "warmup", "eps")
    renamed = {"min_scale": "min_lr", "max_scale": "max_lr", "reset_after": "reset_start"}
    return {k: row[k] for k in alike} | {ours: row[theirs] for ours, theirs in renamed.items()}


def assert_same_moves(seen, expected):
    """Rises and falls at the same steps, and rates that differ by rounding only."""
    seen, expected = np.asarray(seen), np.asarray(expected, np.float32)
    for sign in (1, -1):
        moves = sign * np.diff(expected, prepend=1) > 1e-6
        np.testing.assert_array_equal(sign * np.diff(seen, prepend=1) > 1e-6, moves)
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


def test_figures_cover_what_they_are_for():
    assert len(ROWS) >= 400
    assert str(FIGURES["transformers_version"]).startswith("5.23")
    for modes in MODES:
        for smooth in (True, False):
            rows = [r for r in ROWS if (r["mode"], r["threshold_mode"]) == modes]
            rates = np.array([r["rates"] for r in rows if (r["window_size"] > 1) == smooth])
            changes = np.diff(rates, prepend=1)
            assert np.sum(changes > 0) > 50
            assert np.sum(changes < 0) > 50
            low = [r["min_lr"] for r in rows if (r["window_size"] > 1) == smooth]
            back = (rates[:, :-1] <= np.float32(low)[:, None]) & (rates[:, 1:] == 1)
            assert back.sum() > 5  # resets


@pytest.mark.parametrize(("mode", "threshold_mode"), MODES)
def test_same_trajectory_as_transformers(mode, threshold_mode):
    rows = [r for r in ROWS if (r["mode"], r["threshold_mode"]) == (mode, threshold_mode)]
    for size in {row["window_size"] for row in rows}:
        group = [row for row in rows if row["window_size"] == size]
        fixed = {"mode": mode, "threshold_mode": threshold_mode, "window_size": size}
        run = jax.jit(jax.vmap(partial(scales, **fixed)))
        kwargs = jax.tree.map(lambda *values: np.array(values), *map(arguments, group))
        metrics = np.array([row["metrics"] for row in group], np.float32)
        for row, seen in zip(group, run(metrics, **kwargs), strict=True):
            assert_same_moves(seen, row["rates"])


def test_same_trajectory_with_constants():
    for row in ROWS[::40]:
        fixed = {k: row[k] for k in ("mode", "threshold_mode", "window_size")}
        assert_same_moves(feed(greedy(**arguments(row), **fixed), row["metrics"])[0], row["rates"])


def test_rises_falls_waits_and_starts_anew():
    tx = greedy(0.5, patience=0, warmup=1, cooldown=2, min_scale=0.5, max_scale=3, reset_after=2)
    # The first metric raises it; the next is passed over; then up to the maximum; passed over.
    seen, state = feed(tx, [5.0, 4.0, 3.0, 9.0])
    assert seen == [2, 2, 3, 3]
    assert state.best == 3
    # A rise by no more than eps is not made.
    assert feed(greedy(0.5, patience=0, eps=0.5, max_scale=1.4), [2.0, 1.0])[0] == [1, 1]
    # Cuts, each followed by two that are passed over, even if they are good.
    seen, state = feed(tx, [3, 0, 0, 3, 0, 0, 3, 0, 0, 3], state)
    np.testing.assert_allclose(seen, [1.5] * 3 + [0.75] * 3 + [0.5] * 3 + [1])
    assert (state.best, state.checks_to_skip, state.cuts_at_min) == (NO_METRIC, 2, 0)


def test_window_mean_decides_and_is_emptied_by_a_reset():
    tx = greedy(0.5, patience=0, window_size=2, min_scale=0.9, reset_after=1)
    seen, state = feed(tx, [4.0, 8.0])  # means 4 and 6: better, not better
    assert seen == [2, 1]
    assert (state.window_count, state.best) == (2, 4)
    seen, state = feed(tx, [8.0], state)  # 0.9 is the minimum: back to the beginning
    assert (seen, state.window_count, state.best) == ([1], 0, NO_METRIC)


def test_negative_metrics_that_stand_still_are_no_improvement():
    assert feed(greedy(0.5, patience=0, threshold_mode="rel", threshold=0.1), [-1.0] * 3)[0] == [
        2,
        1,
        0.5,
    ]


def test_state_has_types_of_its_own_and_one_program_without_branches():
    tx = greedy(0.5, patience=1, window_size=4, accumulation_size=2, nonfinite="ignore")
    params = jnp.ones(3, jnp.bfloat16)
    update = jax.jit(chex.assert_max_traces(tx.update, n=1))
    state = first = tx.init(params)
    text = jax.jit(tx.update).lower(params, state, value=1.0).compile().as_text()
    for word in ("conditional", "callback", "custom-call", "while", "scatter"):
        assert f" {word}(" not in text
    for value in (1.0, NAN, 2.0, 1.0, 1.0):
        updates, state = update(params, state, value=value)
        chex.assert_trees_all_equal_shapes_and_dtypes((updates, state), (params, first))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} == {"float32", "int32", "bool"}
    assert state.window_count == 2
    assert isinstance(state, GreedyState)


def test_without_a_value_nothing_is_counted():
    tx = greedy(0.5, patience=0)
    _, before = feed(tx, [1.0])
    for extra in ({}, {"value": None}):
        update, after = tx.update(ONE, before, **extra)
        assert update == 2
        chex.assert_trees_all_equal(after, before)


def test_state_may_be_donated():
    tx = greedy(0.5, patience=0)
    update = jax.jit(lambda state: tx.update(ONE, state, value=1.0)[1], donate_argnums=0)
    assert update(update(tx.init(ONE))).scale == 1


@pytest.mark.parametrize(
    ("error", "words", "wrong"),
    [
        (ValueError, "between 0 and 1, both excluded", {"factor": 1.0}),
        (ValueError, "a whole number >= 0", {"warmup": -1}),
        (ValueError, "a finite number >= 1", {"max_scale": 0.5}),
        (ValueError, r"a number in \[0, 1\]", {"min_scale": 2.0}),
        (ValueError, "a whole number of steps >= 1", {"window_size": 0}),
        (ValueError, "a whole number of steps >= 1", {"reset_after": 0}),
        (ValueError, "'min' or 'max'", {"mode": "mean"}),
    ],
)
def test_errors_name_the_field_the_rule_and_the_value(error, words, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(error, match=f"greedy: `{name}` must be.*{words}, got {value!r}"):
        greedy(**wrong)


def test_window_must_be_known():
    with pytest.raises(TypeError, match="`window_size` must be a Python number"):
        jax.jit(lambda n: greedy(window_size=n).init(ONE))(3)


def test_minimum_is_found_again_after_a_rise_however_it_is_rounded():
    def last(factor):
        tx = greedy(factor, patience=0, min_scale=0.3, reset_after=2)
        state = tx.init(ONE)._replace(scale=jnp.float32(0.3), best=jnp.float32(9))
        # One rise, a fall back to the minimum, and a second cut there: the beginning.
        return jax.lax.scan(lambda s, v: (observe(s, v), s.scale), state, jnp.ones(4))[1]

    seen = jax.jit(jax.vmap(last))(jnp.linspace(0.5, 0.95, 200))
    assert np.all(seen[:, 1] > 0.3)
    np.testing.assert_allclose(seen[:, 2], 0.3, rtol=1e-6)
    assert np.all(seen[:, 3] == 1)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("seen", [0, 2, 3, 4, 7])
def test_a_changed_window_keeps_as_many_of_the_last_metrics(seen, size):
    """The code decides about the window, too: from the first update after a restore on."""
    old, new = (greedy(0.5, patience=9, window_size=n) for n in (3, size))
    metrics = [float(n**2 % 11) for n in range(1, seen + 1)]
    _, state = feed(old, metrics)
    _, state = jax.jit(new.update)(ONE, state)
    kept = metrics[-min(3, size) :]
    assert (len(state.window), state.settings.patience) == (size, 9)
    for metric in (100.0, 200.0, 300.0):
        kept = [*kept, metric][-size:]
        _, state = new.update(ONE, state, value=metric)
        assert state.window.sum() == sum(kept)
    assert state.window_count == (seen if size == 3 else min(seen, 3, size)) + 3
