"""Keras's ReduceLROnPlateau, by its own figures: see reference_values/make_keras_plateau.py."""

import contextlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference_values import make_keras_plateau

from lr_optax import observe, reduce_on_plateau
from lr_optax.compat import keras as lr_keras

SETTINGS = ("base", "factor", "patience", "min_delta", "cooldown", "min_lr")


def rates(metrics, base, **settings):
    """The rate after each metric; settings may be traced."""
    tx = lr_keras.ReduceLROnPlateau(base, **settings)

    def step(state, metric):
        _, state = tx.update(None, state, value=metric)
        return state, base * state.scale

    return jax.lax.scan(step, tx.init(None), metrics)[1]


def assert_same_trajectories(columns):
    """Of all sequences in one program a mode, by cuts and by rates."""
    for mode in ("min", "max"):
        rows = columns["mode"] == mode
        metrics, *settings = (jnp.asarray(columns[name][rows]) for name in ("metrics", *SETTINGS))

        def run(metrics, *settings, mode=mode):
            settings = dict(zip(SETTINGS, settings, strict=True))
            return rates(metrics, mode=mode, **settings)

        seen = np.asarray(jax.jit(jax.vmap(run))(metrics.astype(jnp.float32), *settings))
        np.testing.assert_allclose(seen, columns["rates"][rows], rtol=1e-5)


@pytest.fixture(scope="module")
def figures():
    with np.load(Path(__file__).parents[1] / "reference_values" / "keras_plateau.npz") as file:
        return {k: v for k, v in file.items() if v.shape}


def test_figures_cover_what_they_are_for(figures):
    cuts = (np.diff(figures["rates"], prepend=figures["base"][:, None]) < -1e-12).sum(1)
    assert (cuts == 0).any()
    assert (cuts > 5).any()
    for name in ("patience", "cooldown"):
        assert set(figures[name]) >= {0, 1, 2, 3}
    odd = ~np.isfinite(figures["metrics"])
    assert odd[:, 0].sum() > 20
    assert odd[:, 1:].any()


def test_same_trajectories(figures):
    assert_same_trajectories(figures)


def test_same_trajectories_with_constants(figures):
    for i in range(0, len(figures["base"]), 40):
        row = {name: figures[name][i].item() for name in (*SETTINGS, "mode")}
        seen = rates(figures["metrics"][i].astype(np.float32), **row)
        np.testing.assert_allclose(seen, figures["rates"][i], rtol=1e-5)


def test_live_over_other_sequences():
    pytest.importorskip("keras", reason="keras is not installed; its figures are compared above")
    found = make_keras_plateau.rows(seed=1, each=2)
    assert_same_trajectories({name: np.array([row[name] for row in found]) for name in found[0]})


def scales(tx, metrics):
    state, seen = tx.init(None), []
    for metric in metrics:
        _, state = tx.update(None, state, value=metric)
        seen.append(float(state.scale))
    return seen


def test_counts_are_those_of_keras():
    flat = [1.0] * 9
    build = lr_keras.ReduceLROnPlateau
    at_once = scales(build(0.1, factor=0.5, patience=0), flat)
    assert at_once == scales(build(0.1, factor=0.5, patience=1), flat)
    assert at_once[:3] == [1.0, 0.5, 0.25]
    cooled = scales(build(0.1, factor=0.5, patience=2, cooldown=2), flat)
    assert cooled == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


@pytest.mark.parametrize("first", [np.nan, -np.inf])
def test_a_first_metric_that_no_number_beats_stays_the_best(first):
    seen = scales(lr_keras.ReduceLROnPlateau(0.1, factor=0.5, patience=2), [first, 1.0, 0.5, 0.2])
    assert seen == [1, 1, 0.5, 0.5]


def test_a_first_infinity_is_no_bad_check():
    seen = scales(lr_keras.ReduceLROnPlateau(0.1, factor=0.5, patience=1), [np.inf, np.inf])
    assert seen == [1, 0.5]
    assert scales(reduce_on_plateau(0.5, patience=0), [np.inf]) == [0.5]


def test_observe_steps_it_and_it_follows_an_optimizer():
    tx = optax.chain(optax.sgd(0.1), lr_keras.ReduceLROnPlateau(0.1, factor=0.5, patience=1))
    state = tx.init({"w": jnp.ones(2)})
    for loss in (1.0, 1.0):
        state = observe(state, loss)
    updates, _ = tx.update({"w": jnp.ones(2)}, state)
    np.testing.assert_allclose(updates["w"], -0.05)


def test_auto_asks_the_name_of_the_metric():
    assert scales(lr_keras.ReduceLROnPlateau(0.1, "val_accuracy", patience=1), [0.5, 0.6]) == [1, 1]
    assert scales(lr_keras.ReduceLROnPlateau(0.1, "loss", patience=1), [0.5, 0.4]) == [1, 1]
    assert scales(lr_keras.ReduceLROnPlateau(0.1, "f", 0.5, 1, mode="max"), [2, 1]) == [1, 0.5]
    with pytest.raises(ValueError, match="`monitor` = 'val_score' does not tell"):
        lr_keras.ReduceLROnPlateau(0.1, "val_score")


def test_auto_knows_the_direction_of_every_metric_of_keras():
    keras = pytest.importorskip("keras", reason="keras is not installed: it has the directions")
    known = []
    for kind in vars(keras.metrics).values():
        with contextlib.suppress(TypeError):  # some need arguments, and some are functions
            metric = kind()
            known += [metric] * hasattr(metric, "_direction")
    assert len(known) > 25
    for metric in known:
        direction = {"up": "max", "down": "min"}[metric._direction]
        assert lr_keras._direction(f"val_{metric.name}") == direction


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"factor": 1.0}, "^ReduceLROnPlateau: `factor` must be a number between 0 and 1"),
        ({"patience": -1}, "^ReduceLROnPlateau: `patience` must be a whole number >= 0"),
        ({"min_delta": -0.1}, "^ReduceLROnPlateau: `min_delta` must be"),
        ({"mode": "most"}, "^ReduceLROnPlateau: `mode` must be 'auto' or 'min' or 'max'"),
    ],
)
def test_errors_name_argument_and_rule(settings, message):
    with pytest.raises(ValueError, match=message):
        lr_keras.ReduceLROnPlateau(0.1, **settings)
