"""A model, a loss and data become a pure function: the same as a loop by hand."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scripts import run_script

from lr_optax import constant, linear, reduce_on_plateau, sweep, training_run, with_hyperparams

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype(np.float32)
DATA = {"x": X, "y": np.sin(X.sum(1))}
KEY = jax.random.key(3)
STEPS = 12


def loss_fn(params, batch, key):
    x = batch["x"] if key is None else batch["x"] + 0.1 * jax.random.normal(key, (8, 4))
    return ((x @ params["w"] + params["b"] - batch["y"]) ** 2).mean()


def init(key):
    return {"w": jax.random.normal(key, (4,)), "b": jnp.zeros(())}


def make(optimizer=optax.sgd, **options):
    arguments = {"data": DATA, "total_steps": STEPS, "batch_size": 8, **options}
    return training_run(loss_fn, init, optimizer, **arguments)


def by_hand(schedule, key, checks):
    """The same run as a Python loop: the keys in the same order."""
    init_key, key = jax.random.split(key)
    params = init(init_key)
    losses, validations = [], []
    t = 0
    for check_key in jax.random.split(key, checks):
        for step_key in jax.random.split(check_key, STEPS // checks):
            rows_key, noise_key = jax.random.split(step_key)
            rows = jax.random.randint(rows_key, (8,), 0, 60)
            batch = {"x": jnp.asarray(X)[rows], "y": jnp.asarray(DATA["y"])[rows]}
            loss, grads = jax.value_and_grad(loss_fn)(params, batch, noise_key)
            params = jax.tree.map(lambda p, g, t=t: p - schedule(t) * g, params, grads)
            losses.append(loss)
            t += 1
        validations.append(loss_fn(params, {k: jnp.asarray(v[:20]) for k, v in DATA.items()}, None))
    return np.array(losses), np.array(validations)


@pytest.mark.parametrize("checks", [1, 3, 12])
def test_equals_a_loop_by_hand(checks):
    schedule = linear(0.1, end_value=0.0, transition_steps=STEPS)
    held_out = {k: v[:20] for k, v in DATA.items()}
    metrics = jax.jit(make(validation=held_out, checks=checks))(schedule, KEY)
    losses, validations = by_hand(schedule, KEY, checks)
    assert metrics.keys() == {"loss", "validation_loss"}
    np.testing.assert_allclose(metrics["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(metrics["validation_loss"], validations, rtol=1e-5)


@pytest.mark.parametrize("nonfinite", ["compare", "ignore"])
def test_a_plateau_sees_each_validation_loss_once(nonfinite):
    def optimizer(schedule):
        return optax.chain(
            with_hyperparams(optax.sgd, learning_rate=schedule),
            reduce_on_plateau(0.5, patience=0, threshold=0.0, nonfinite=nonfinite),
        )

    # A rate of zero: the loss never improves, so every check but the first cuts.
    metrics = make(optimizer, validation=DATA, checks=4)(constant(0.0), KEY)
    assert set(metrics["rate"].tolist()) == {0.0}
    metrics = make(optimizer, validation=DATA, checks=4)(constant(1e-30), KEY)
    np.testing.assert_allclose(metrics["rate"] / 1e-30, np.repeat([1, 1, 0.5, 0.25], 3), rtol=1e-6)


def test_without_validation_the_value_is_the_batch_loss():
    def optimizer(schedule):
        return optax.chain(
            with_hyperparams(optax.sgd, learning_rate=schedule),
            reduce_on_plateau(0.5, patience=0, threshold=1e9, threshold_mode="abs"),
        )

    metrics = make(optimizer)(constant(1e-30), KEY)
    np.testing.assert_allclose(metrics["rate"] / 1e-30, 0.5 ** np.arange(STEPS), rtol=1e-6)


def test_diverged_runs_go_on_with_what_is_no_number():
    result = sweep(make(), [constant(1e30), constant(0.01)], jax.random.split(KEY, 2))
    np.testing.assert_array_equal(result.diverged, [[True, True], [False, False]])


def test_half_precision_parameters_and_pairs_as_candidates():
    def narrow(key):
        return jax.tree.map(lambda x: x.astype(jnp.bfloat16), init(key))

    def loss(params, batch, key):
        return loss_fn(jax.tree.map(lambda x: x.astype(jnp.float32), params), batch, None)

    def optimizer(candidate):
        schedule, decay = candidate
        return with_hyperparams(optax.adamw, learning_rate=schedule, weight_decay=decay)

    train = training_run(loss, narrow, optimizer, DATA, total_steps=4, batch_size=8)
    metrics = train((constant(0.1), 0.01), KEY)
    assert {x.dtype for x in metrics.values()} == {jnp.dtype("float32")}


def test_models_of_every_library():
    """The example asserts that each has learnt."""
    pytest.importorskip("equinox", reason="equinox is not installed")
    example = Path(__file__).parents[2] / "examples" / "training_runs.py"
    done = run_script(example)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"total_steps": 0}, ValueError, "`total_steps` must be a whole number >= 1, got 0"),
        ({"batch_size": 2.5}, ValueError, "`batch_size` must be a whole number >= 1, got 2.5"),
        (
            {"checks": 5, "validation": X},
            ValueError,
            "`checks` must be a divisor of `total_steps`, got 5 and 12",
        ),
        ({"checks": 2}, ValueError, "2 `checks` need a set for `validation`"),
        ({"data": {}}, ValueError, "`data` must be arrays of one length >= 1"),
        ({"data": (X, X[:3])}, ValueError, r"of one length >= 1, got the shapes \(60, 4\), \(3,"),
        ({"validation": X[:0]}, ValueError, "`validation` must be arrays of one length >= 1"),
        ({"optimizer": optax.sgd(0.1)}, TypeError, "`optimizer` must be a function"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("init", "optimizer", "message"),
    [
        (lambda key: {"w": jnp.zeros(4, int)}, optax.sgd, "real arrays, all of them trained"),
        (lambda key: {"w": jnp.zeros(4), "f": jnp.tanh}, optax.sgd, "as by nnx.split or equinox"),
        (init, lambda schedule: schedule, r"`optimizer` must return a transform, got constant\("),
    ],
)
def test_what_cannot_be_trained(init, optimizer, message):
    train = training_run(loss_fn, init, optimizer, DATA, total_steps=4, batch_size=8)
    with pytest.raises(TypeError, match=message):
        train(constant(0.1), KEY)
