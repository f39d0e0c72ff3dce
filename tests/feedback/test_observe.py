"""observe and with_feedback: a metric where and when it is known."""

import pickle
from typing import NamedTuple

import chex
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

from lr_optax import (
    constant,
    cosine_decay,
    greedy,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    warmup,
    with_feedback,
    with_hyperparams,
)

PARAMS = {"a": jnp.ones(3), "b": jnp.ones(2)}
LABELS = {"a": "a", "b": "b"}
PLATEAU = reduce_on_plateau(0.5, patience=1)
LOSSES = [1.0, 0.9, 0.9, 0.9, 0.9, 0.8, 0.9, 0.9]
SCALES = [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def scales(state):
    return [float(v) for n, v in read_hyperparams(state).items() if n.endswith("scale")]


NESTED = {
    "alone": PLATEAU,
    "chain": optax.chain(optax.adam(0.1), optax.chain(optax.identity(), PLATEAU)),
    "wrapper": with_hyperparams(lambda rate: optax.chain(optax.sgd(rate), PLATEAU), rate=0.1),
    "masked": optax.masked(PLATEAU, {"a": True, "b": False}),
    "apply_if_finite": optax.apply_if_finite(PLATEAU, 3),
    "MultiSteps": optax.MultiSteps(optax.chain(optax.adam(0.1), PLATEAU), 4),
    "lookahead": optax.lookahead(optax.chain(optax.sgd(0.1), PLATEAU), 5, 0.5),
    "partition": optax.partition({"a": PLATEAU, "b": optax.sgd(0.1)}, LABELS),
    "named_chain": optax.named_chain(("sgd", optax.sgd(0.1)), ("plateau", PLATEAU)),
}  # fmt: skip


@pytest.mark.parametrize("tx", NESTED.values(), ids=NESTED.keys())
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_every_plateau_is_stepped_wherever_it_is_nested(tx, compiled):
    step = jax.jit(chex.assert_max_traces(observe, n=1)) if compiled else observe
    state = first = tx.init(PARAMS)
    for loss, scale in zip(LOSSES, SCALES, strict=True):
        state = step(state, loss)
        assert scales(state) == [scale]
        chex.assert_trees_all_equal_shapes_and_dtypes(state, first)


def test_same_as_a_value_in_update_and_nothing_else_changes():
    tx = optax.chain(with_hyperparams(optax.sgd, learning_rate=0.1, momentum=0.9), PLATEAU)
    _, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    for loss in LOSSES:
        _, updated = tx.update(PARAMS, state, PARAMS, value=loss)
        observed = observe(state, loss)
        chex.assert_trees_all_equal(observed[1], updated[1])
        chex.assert_trees_all_equal(observed[0], state[0])
        state = observed


def test_epochs_in_one_scan():
    """Steps without a metric leave the counters alone; one metric an epoch."""
    tx = optax.chain(optax.sgd(0.1), PLATEAU)

    def epoch(state, loss):
        state, _ = jax.lax.scan(lambda s, _: (tx.update(PARAMS, s)[1], None), state, length=7)
        state = observe(state, loss)
        return state, state[1].scale

    _, seen = jax.lax.scan(epoch, tx.init(PARAMS), jnp.array(LOSSES))
    assert seen.tolist() == SCALES


def test_plateaus_of_groups_have_settings_of_their_own():
    def group(rate, plateau):
        return optax.chain(with_hyperparams(optax.sgd, learning_rate=rate), plateau)

    transforms = {"a": group(0.1, PLATEAU), "b": group(0.2, reduce_on_plateau(0.1, patience=3))}
    state = optax.partition(transforms, LABELS).init(PARAMS)
    for _ in range(5):
        state = observe(state, 1.0)
    seen = {name: round(float(v), 6) for name, v in read_hyperparams(state).items()}
    assert (seen["a/effective_learning_rate"], seen["b/effective_learning_rate"]) == (0.025, 0.02)
    updates, _ = optax.partition(transforms, LABELS).update(PARAMS, state, PARAMS)
    np.testing.assert_allclose(updates["a"], -0.025, rtol=1e-6)
    np.testing.assert_allclose(updates["b"], -0.02, rtol=1e-6)


def test_plateau_and_greedy_see_the_same_metric():
    tx = optax.chain(PLATEAU, greedy(0.5, patience=0))
    state = observe(tx.init(PARAMS), 1.0)
    assert [float(s.scale) for s in state] == [1, 2]


@pytest.mark.parametrize("axis", ["batch", ("batch",), ["batch"]], ids=["name", "tuple", "list"])
def test_an_axis_is_named_alone_or_with_others(axis):
    state = reduce_on_plateau(0.5).init(PARAMS)
    seen = jax.vmap(lambda value: observe(state, value, axis_name=axis), axis_name="batch")
    assert seen(jnp.array([1.0, 3.0])).best.tolist() == [2, 2]


def test_traced_settings():
    def last(factor, patience):
        state = reduce_on_plateau(factor, patience=patience).init(PARAMS)
        return jax.lax.scan(lambda s, v: (observe(s, v), None), state, jnp.ones(8))[0].scale

    seen = jax.jit(jax.vmap(last))(jnp.array([0.5, 0.5, 0.25]), jnp.array([0, 1, 3]))
    assert seen.tolist() == [0.5**7, 0.5**3, 0.25]


def test_defect_19_values_reach_what_optax_and_flax_do_not_forward_to():
    lookahead = NESTED["lookahead"]
    params = optax.LookaheadParams.init_synced(PARAMS)
    with pytest.raises(TypeError, match="value"):
        lookahead.update(PARAMS, lookahead.init(params), params, value=1.0)
    state = TrainState.create(apply_fn=None, params=PARAMS, tx=optax.chain(optax.sgd(0.1), PLATEAU))
    with pytest.raises(TypeError, match="value"):
        state.apply_gradients(grads=PARAMS, value=1.0)
    for loss in LOSSES[:4]:
        state = observe(state.apply_gradients(grads=PARAMS), loss)
    after = state.apply_gradients(grads=PARAMS)
    np.testing.assert_allclose(state.params["a"] - after.params["a"], 0.05, rtol=1e-5)
    assert after.step == 5


def test_nnx_optimizer():
    model = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.chain(optax.sgd(0.1), PLATEAU), wrt=nnx.Param)

    @nnx.jit
    def epoch(model, optimizer, loss):
        grads = nnx.grad(lambda m: m(jnp.ones((1, 2))).sum())(model)
        optimizer.update(model, grads)
        optimizer.opt_state = observe(optimizer.opt_state, loss)

    for loss, scale in zip(LOSSES, SCALES, strict=True):
        epoch(model, optimizer, loss)
        assert scales(optimizer) == [scale]


def test_defect_20_multi_steps_with_the_mean_of_the_micro_batches():
    """The plateau behind MultiSteps averages as many metrics as there are micro-batches."""
    k, losses = 4, np.array([[0, 4, 4, 4], [1, 1, 1, 5], [6, 2, 2, 2], [9, 0, 0, 3]], np.float32)
    inner = optax.MultiSteps(with_hyperparams(optax.sgd, learning_rate=0.1), k)
    tx = optax.chain(
        inner.gradient_transformation(), reduce_on_plateau(0.5, patience=0, accumulation_size=k)
    )
    state, seen = tx.init(PARAMS), []
    with jax.numpy_dtype_promotion("standard"):
        for loss in losses.ravel():
            updates, state = tx.update(PARAMS, state, PARAMS, value=loss)
            seen.append(round(float(-updates["a"][0]), 6))
    # Means 3, 2, 3, 3: good, good, bad, bad. The last of each would say good, bad, good, bad.
    expected = np.zeros((4, k))
    expected[:, -1] = [0.1, 0.1, 0.05, 0.025]
    assert seen == expected.ravel().round(6).tolist()
    assert state[1].best == 2


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize(
    "attach", [with_hyperparams, lambda factory, **kw: optax.inject_hyperparams(factory)(**kw)]
)
def test_schedule_with_feedback(x64, attach):
    base = warmup(cosine_decay(0.1, decay_steps=10), warmup_steps=3)
    with jax.enable_x64(x64):
        params = jax.tree.map(lambda p: p.astype(float), PARAMS)
        tx = attach(optax.sgd, learning_rate=with_feedback(base, PLATEAU))
        update = jax.jit(chex.assert_max_traces(tx.update, n=1), donate_argnums=1)
        state = tx.init(params)
        types = [leaf.dtype for leaf in jax.tree.leaves(state)]
        for t, (loss, scale) in enumerate(zip(LOSSES, SCALES, strict=True)):
            updates, state = update(params, state, params, value=loss)
            np.testing.assert_allclose(
                state.hyperparams["learning_rate"], base(t) * scale, rtol=1e-6
            )
            np.testing.assert_allclose(updates["a"], -base(t) * scale, rtol=1e-6)
            assert [leaf.dtype for leaf in jax.tree.leaves(state)] == types
        state = observe(observe(state, 1.0), 1.0)
        _, state = tx.update(params, state, params)
        np.testing.assert_allclose(state.hyperparams["learning_rate"], base(8) * 0.125, rtol=1e-6)


def test_feedback_on_one_hyperparameter_leaves_the_others():
    decay = with_feedback(constant(0.1), PLATEAU)
    tx = with_hyperparams(optax.adamw, learning_rate=0.1, weight_decay=decay)
    state = tx.init(PARAMS)
    for _ in range(3):
        state = observe(state, 1.0)
    with jax.numpy_dtype_promotion("standard"):
        _, state = tx.update(PARAMS, state, PARAMS)
    np.testing.assert_allclose(state.hyperparams["weight_decay"], 0.05, rtol=1e-7)
    np.testing.assert_allclose(state.hyperparams["learning_rate"], 0.1, rtol=1e-7)


def test_errors():
    for state in (optax.adam(0.1).init(PARAMS), optax.contrib.reduce_on_plateau().init(PARAMS)):
        with pytest.raises(ValueError, match="no reduce_on_plateau or greedy of lr_optax"):
            observe(state, 1.0)
    with pytest.raises(ValueError, match="`value` must be a scalar"):
        observe(PLATEAU.init(PARAMS), jnp.ones(2))


@pytest.mark.parametrize("value", [None, "1.0", {}, np.datetime64("2020-01-01"), "nan"])
def test_what_numpy_would_take_for_a_number_is_no_metric(value):
    with pytest.raises(TypeError, match="`value` must be"):
        observe(PLATEAU.init(PARAMS), value)


@pytest.mark.parametrize(
    ("schedule", "feedback", "words"),
    [
        (0.1, PLATEAU, r"`schedule` must be a function of the step, got 0.1; .*constant\(0.1\)"),
        (PLATEAU, PLATEAU, "got <an Optax transform, made by reduce_on_plateau or greedy>"),
        (constant(0.1), constant(0.1), "`feedback` must be a transform"),
    ],
)
def test_errors_of_with_feedback(schedule, feedback, words):
    with pytest.raises(TypeError, match=words):
        with_feedback(schedule, feedback)


def test_a_schedule_with_feedback_prints():
    assert repr(with_feedback(constant(0.1), PLATEAU)).startswith("with_feedback(constant(0.1), <")


def test_settings_are_arrays_and_of_one_structure():
    """A checkpoint fits whatever the settings are, and whether they are numbers or arrays."""
    states = [
        reduce_on_plateau(0.5, patience=patience).init(PARAMS)
        for patience in (1, 10**10, jnp.int32(3), np.int64(2**40))
    ]
    for state in states:
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
        chex.assert_trees_all_equal_shapes_and_dtypes(state, states[0])
    assert states[1].settings.patience == states[3].settings.patience == 2**31 - 1


def test_an_update_takes_the_settings_from_the_code():
    before, after = (reduce_on_plateau(factor, patience=0) for factor in (0.1, 0.5))
    state = observe(before.init(PARAMS), 1.0)
    _, state = after.update(PARAMS, state, PARAMS, value=1.0)
    assert state.scale == 0.5


@pytest.mark.parametrize("feedback", [reduce_on_plateau, greedy])
def test_a_state_survives_pickle_and_the_export_of_its_program(feedback):
    pytest.importorskip("flatbuffers", reason="jax.export serializes with flatbuffers")
    state = observe(feedback(0.5, patience=1).init(PARAMS), 1.0)
    copy = pickle.loads(pickle.dumps(state))
    chex.assert_trees_all_equal(observe(copy, 1.0), observe(state, 1.0))
    program = jax.export.export(jax.jit(observe))(state, jnp.float32(1.0))
    read = jax.export.deserialize(program.serialize())
    chex.assert_trees_all_close(read.call(state, jnp.float32(1.0)), observe(state, 1.0))


@pytest.mark.parametrize("value", [np.int64(3 * 10**9), 3 * 10**9, 10**40, np.uint64(2**63)])
def test_metrics_beyond_32_bits_do_not_wrap(value):
    tx = reduce_on_plateau(0.5, patience=0, mode="max")
    state = observe(observe(tx.init(PARAMS), 1.0), value)
    assert state.best > 2e9
    assert state.scale == 1


@pytest.mark.parametrize(
    ("mode", "value"), [("max", 10**400), ("min", -(10**400))], ids=["max", "min"]
)
def test_metrics_beyond_any_float_are_infinite(mode, value):
    state = observe(reduce_on_plateau(mode=mode).init(PARAMS), value)
    assert state.best == (np.inf if value > 0 else -np.inf)


def test_a_transform_where_a_rate_belongs_says_so():
    with pytest.raises(TypeError, match=r"not a learning rate: put it behind the optimizer"):
        optax.adam(reduce_on_plateau(0.1)).init(PARAMS)


@pytest.mark.parametrize("tx", [PLATEAU, reduce_on_plateau(0.5, mode="max"), greedy(0.5)])
def test_nothing_is_infinite_before_the_first_metric(tx):
    with jax.debug_infs(True):
        state = tx.init(PARAMS)
        for update in (tx.update, jax.jit(tx.update)):
            for value in ({}, {"value": 2.0}):
                _, after = update(PARAMS, state, **value)
        assert (jax.jit(observe)(state, 2.0).best, after.best) == (2, 2)
        assert observe(state, 2.0).best == 2


@pytest.mark.parametrize("tx", [PLATEAU, greedy(0.5, window_size=3)])
@pytest.mark.parametrize("value", [2.0, 2, np.float64(2), np.int8(2), jnp.bfloat16(2)])
def test_no_transfer_is_implicit(tx, value):
    with jax.transfer_guard("disallow"):
        _, state = tx.update(PARAMS, tx.init(PARAMS))
        _, updated = tx.update(PARAMS, state, value=value)
        observed = observe(state, value)
    assert updated.best == observed.best == 2


def test_a_schedule_with_feedback_is_not_a_rate():
    rate = with_feedback(constant(0.1), PLATEAU)
    tx = optax.sgd(rate)
    uses = (
        lambda: tx.update(PARAMS, tx.init(PARAMS)),
        lambda: -rate,
        lambda: rate * 2,
        lambda: 2 * rate,
        lambda: 1 - rate,
        lambda: rate / 2,
        lambda: float(rate),
        lambda: jnp.asarray(rate),
        lambda: jnp.float32(2) * rate,
        lambda: rate > 0,
        lambda: rate(3),
        lambda: warmup(rate, warmup_steps=3),
        lambda: with_feedback(rate, PLATEAU),
    )
    for use in uses:
        with pytest.raises(TypeError, match=r"with_hyperparams\(optax.adam, learning_rate=with_"):
            use()


def by_step(step):
    return 0.1 if step < 5 else 0.01


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (by_step, "must be written with jax.numpy: by_step, in .* needs the value"),
        (lambda step: 0.1 * np.cos(step / 10), "must be written with jax.numpy: <lambda>, in "),
        (np.cos, "must be written with jax.numpy: <ufunc 'cos'> needs the value"),
        (lambda params: params["w"] > 1, "must be a function from the step to a rate"),
        (lambda params: params.items(), "must be a function from the step to a rate"),
        (lambda: 0.1, "must be a function from the step to a rate"),
        (lambda step: [0.1], r"must be a real scalar at each step, got \[0.1\]"),
        (lambda step: jnp.ones(3), "must be a real scalar at each step"),
        (lambda step: step > 5, "must be a real scalar at each step"),
    ],
)
def test_a_function_is_tried_when_it_is_given(function, words):
    with pytest.raises(TypeError, match=f"with_feedback: `schedule` {words}"):
        with_feedback(function, PLATEAU)
    with pytest.raises(TypeError, match=rf"with_hyperparams: `b1` {words}(?s:.*)functools.partial"):
        with_hyperparams(optax.adam, b1=function)


def test_a_policy_of_ones_own():
    """A rule for the KL divergence between policies: half the rate, or twice, out of a band."""

    class KLState(NamedTuple):
        scale: jax.Array

    def update(updates, state, params=None, *, kl=None, **extra):
        del params, extra
        if kl is not None:
            factor = jnp.where(kl > 0.02, 0.5, jnp.where(kl < 0.005, 2.0, 1.0))
            state = KLState(jnp.clip(state.scale * factor, 0.01, 10))
        return jax.tree.map(lambda update: state.scale * update, updates), state

    policy = optax.GradientTransformationExtraArgs(lambda params: KLState(jnp.float32(1)), update)
    tx = with_hyperparams(optax.sgd, learning_rate=with_feedback(constant(0.25), policy))
    state, update = tx.init(PARAMS), jax.jit(tx.update)
    for kl, rate in ((0.01, 0.25), (0.03, 0.125), (0.001, 0.25), (0.001, 0.5)):
        updates, state = update(PARAMS, state, PARAMS, kl=kl)
        assert (updates["a"] == -rate).all()
        assert read_hyperparams(state)["learning_rate"] == rate
    updates, _ = update(PARAMS, state, PARAMS)
    assert (updates["a"] == -0.5).all()
