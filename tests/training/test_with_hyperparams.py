"""with_hyperparams: only what is named is scheduled, once a step, in types that stay."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lr_optax import (
    constant,
    cosine_annealing,
    cosine_decay,
    linear,
    multistep_decay,
    one_cycle,
    one_cycle_momentum,
    reduce_on_plateau,
    with_feedback,
    with_hyperparams,
)

PARAMS = {"w": jnp.arange(1.0, 4.0), "b": jnp.ones(())}
RATE = cosine_decay(0.1, decay_steps=10)


def standard(tx):
    """The same transform where Optax may mix types, as it does in Adam's b1 ** count."""

    def update(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"):
            return tx.update(*args, **kwargs)

    return optax.GradientTransformationExtraArgs(tx.init, update)


def train(tx, params=PARAMS, steps=12, **extra):
    """Parameters, last state and the history of the state, in one scan."""
    tx = standard(tx)
    with jax.numpy_dtype_promotion("standard"):
        first = tx.init(params)

    def step(carry, _):
        params, state = carry
        grads = jax.tree.map(lambda p: 2 * p, params)
        updates, state = tx.update(grads, state, params, **extra)
        return (optax.apply_updates(params, updates), state), state

    (params, state), history = jax.lax.scan(step, (params, first), length=steps)
    return params, state, history


def test_same_parameters_as_the_optimizer_with_a_schedule():
    expected, _, _ = train(optax.adamw(RATE, b1=0.8))
    for rate in (RATE, optax.cosine_decay_schedule(0.1, 10)):
        params, state, history = train(
            with_hyperparams(partial(optax.adamw, b1=0.8), learning_rate=rate)
        )
        chex.assert_trees_all_close(params, expected, rtol=1e-5)
        assert state.count == 12
        np.testing.assert_allclose(
            history.hyperparams["learning_rate"], RATE(np.arange(12)), rtol=1e-4, atol=1e-9
        )


def test_momentum_and_weight_decay_follow_schedules():
    rate = one_cycle(0.1, total_steps=10, warmup_steps=3)
    momentum = one_cycle_momentum(0.95, total_steps=10, warmup_steps=3, min_value=0.85)
    decay = linear(0.1, end_value=0.0, transition_steps=8)
    tx = with_hyperparams(optax.adamw, learning_rate=rate, b1=momentum, weight_decay=decay)
    params, _, history = train(tx)
    w = np.asarray(PARAMS["w"], np.float64)
    m = v = np.zeros(3)
    for t in range(12):
        b1, b2, g = float(momentum(t)), 0.999, 2 * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1 ** (t + 1)), v / (1 - b2 ** (t + 1))
        w = w - float(rate(t)) * (m_hat / (np.sqrt(v_hat) + 1e-8) + float(decay(t)) * w)
    np.testing.assert_allclose(params["w"], w, rtol=2e-5)
    np.testing.assert_allclose(history.hyperparams["b1"], momentum(np.arange(12)), rtol=1e-6)


def test_what_is_not_named_is_left_alone():
    """Masks are not called with a step, types and flags are not injected."""
    seen = []

    def mask(params):
        seen.append(params)
        return {"w": True, "b": False}

    made = []

    def adamw(learning_rate, b2=0.95):
        made.append(b2)
        return optax.adamw(learning_rate, b2=b2, mask=mask, mu_dtype=jnp.bfloat16, nesterov=True)

    tx = with_hyperparams(adamw, learning_rate=RATE)
    _, state, _ = train(tx)
    assert all(type(b2) is float and b2 == 0.95 for b2 in made)
    assert all(set(params) == {"w", "b"} for params in seen)
    assert list(state.hyperparams) == ["learning_rate"]
    assert optax.tree.get(state.inner_state, "mu")["w"].dtype == jnp.bfloat16


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@pytest.mark.parametrize("gradient", [jnp.bfloat16, jnp.float32])
def test_defect_8_low_precision_parameters_neither_round_the_rate_nor_give_nan(dtype, gradient):
    params = jax.tree.map(lambda p: p.astype(dtype), PARAMS)
    grads = jax.tree.map(lambda p: p.astype(gradient), PARAMS)
    momentum = linear(0.95, end_value=0.85, transition_steps=100)
    rate = cosine_decay(1e-3, decay_steps=20_000)
    tx = with_hyperparams(partial(optax.adamw, eps=1e-4), learning_rate=rate, b1=momentum)
    state = tx.init(params)
    first = state
    for t in range(3):
        updates, state = tx.update(grads, state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(state, first)
        assert state.hyperparams["learning_rate"] == rate(t)
        assert not any(leaf.weak_type for leaf in jax.tree.leaves(state.hyperparams))
        assert all(bool(jnp.isfinite(u).all()) for u in jax.tree.leaves(updates))
        wider = jnp.float32 if jnp.float32 in (dtype, gradient) else None
        if wider or dtype == gradient:
            assert updates["w"].dtype == (wider or dtype)
    # Optax's own loses b2 = 0.999 to bfloat16, where it is 1.
    if dtype == gradient == jnp.bfloat16:
        with jax.numpy_dtype_promotion("standard"):
            peer = optax.inject_hyperparams(optax.adamw)(learning_rate=1e-3)
            updates, _ = peer.update(grads, peer.init(params), params)
        assert jnp.isnan(updates["w"]).any()


def test_rates_are_not_rounded_to_bfloat16():
    rate = linear(1e-3, end_value=0.0, transition_steps=2000)
    params = jnp.ones(2, jnp.bfloat16)
    tx = with_hyperparams(optax.sgd, learning_rate=rate)
    step = jax.jit(lambda state: tx.update(jnp.ones(2, jnp.float32), state, params))
    state, seen = tx.init(params), set()
    for _ in range(200):
        updates, state = step(state)
        seen.add(float(updates[0]))
    assert len(seen) == 200


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
def test_types_are_stable_and_a_number_makes_the_state_of_a_schedule(x64):
    with jax.enable_x64(x64):
        params = {"w": jnp.ones(3, float), "i": jnp.ones(2, jnp.float32)}
        states = [
            with_hyperparams(optax.adamw, learning_rate=r).init(params)
            for r in (1, 0.1, np.float32(0.1), jnp.float32(0.1), constant(0.1), RATE)
        ]
        chex.assert_trees_all_equal_shapes_and_dtypes(*states)
        tx = with_hyperparams(optax.adamw, learning_rate=RATE)
        update = jax.jit(chex.assert_max_traces(tx.update, n=1))
        for state in states:
            updates, after = update(params, state, params)
            chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
            chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


def compiled(tx, leaves):
    params = {str(i): jnp.ones(i % 5 + 1) for i in range(leaves)}
    state = tx.init(params)
    return jax.jit(standard(tx).update).lower(params, state, params, value=1.0).compile().as_text()


def instructions(text):
    return text.count(" = ")


def test_defects_17_and_18_program_hardly_grows_with_the_schedule():
    short, long = (
        with_hyperparams(optax.adamw, learning_rate=multistep_decay(
            0.1, decay_rate=0.9, boundaries=tuple(range(10, 10 * n + 10, 10))))
        for n in (100, 1000)
    )  # fmt: skip
    few = instructions(compiled(long, 4)) - instructions(compiled(short, 4))
    many = instructions(compiled(long, 60)) - instructions(compiled(short, 60))
    # Ten times the boundaries take four more halvings of the search, once, not in every leaf.
    assert 0 < few < 4 * 40
    assert abs(many - few) < 20
    # Whatever a schedule costs, it costs once: not once for every parameter array.
    chain = cosine_annealing(0.1, period=7, period_multiplier=2)
    extra = [
        instructions(compiled(with_hyperparams(optax.adamw, learning_rate=chain), leaves))
        - instructions(compiled(with_hyperparams(optax.adamw, learning_rate=RATE), leaves))
        for leaves in (4, 60)
    ]
    assert abs(extra[1] - extra[0]) < 20
    direct = [instructions(compiled(optax.adamw(rate), 60)) for rate in (0.1, chain)]
    assert direct[1] - direct[0] > 60 * 10


def test_compiled_update_has_no_branch_loop_or_callback():
    feedback = with_feedback(cosine_annealing(0.1, period=7), reduce_on_plateau(0.5, patience=1))
    tx = with_hyperparams(
        optax.adamw,
        learning_rate=feedback,
        b1=one_cycle_momentum(0.95, total_steps=9, warmup_steps=3, min_value=0.8),
    )
    text = compiled(tx, 3)
    for word in ("conditional", "callback", "custom-call", "while", "infeed", "outfeed"):
        assert f" {word}(" not in text


def test_value_reaches_what_is_inside():
    def sgd(learning_rate):
        return optax.chain(optax.sgd(learning_rate), reduce_on_plateau(0.5, patience=0))

    _, state, _ = train(with_hyperparams(sgd, learning_rate=RATE), steps=3, value=1.0)
    assert state.inner_state[1].scale == 0.25


def test_optimizers_whose_parameters_are_no_tree_of_the_gradients():
    def lookahead(learning_rate):
        return optax.lookahead(optax.sgd(learning_rate), sync_period=2, slow_step_size=0.5)

    params = optax.LookaheadParams.init_synced(PARAMS)
    tx = with_hyperparams(lookahead, learning_rate=RATE)
    updates, state = standard(tx).update(PARAMS, tx.init(params), params, value=1.0)
    np.testing.assert_allclose(updates.fast["w"], -0.1 * PARAMS["w"], rtol=1e-6)
    assert state.count == 1


def test_buffers_may_be_donated_and_the_callers_array_lives():
    rate = jnp.float32(0.1)
    tx = with_hyperparams(optax.adam, learning_rate=rate, b1=rate)
    update = jax.jit(standard(tx).update, donate_argnums=(0, 1))
    state = tx.init(PARAMS)
    for _ in range(2):
        before = state
        _, state = update(jax.tree.map(jnp.copy, PARAMS), state, PARAMS)
        assert before.count.is_deleted()
    assert not rate.is_deleted()


def test_rates_may_be_traced_mapped_and_differentiated():
    def last(peak):
        tx = with_hyperparams(optax.sgd, learning_rate=cosine_decay(peak, decay_steps=10))
        return train(tx)[0]["w"].sum()

    peaks = jnp.array([0.01, 0.1, 0.2])
    mapped = jax.jit(jax.vmap(last))(peaks)
    np.testing.assert_allclose(mapped, [last(float(peak)) for peak in peaks], rtol=1e-5)
    assert jnp.isfinite(jax.grad(last)(0.1))


@pytest.mark.parametrize(
    ("factory", "hyperparams", "words"),
    [
        (optax.adamw, {}, "name at least one"),
        (optax.adamw, {"lerning_rate": 1}, "no argument 'lerning_rate'; did you mean 'learning_"),
        (partial(optax.adamw, 0.1), {"learning_rate": 1}, "no argument 'learning_rate'"),
        (optax.adamw, {"mask": {"w": True}}, "`mask` must be a number or a function.*partial"),
        (optax.adamw, {"nesterov": True}, "`nesterov` must be a number"),
        (optax.add_noise, {"seed": jax.random.key(0)}, "(?s)`seed` must be a number.*partial"),
        (optax.add_noise, {"seed": jax.random.PRNGKey(0)}, "`seed` must be a number.*partial"),
        (optax.adamw, {"b1": 0.9j}, "`b1` must be a number"),
        (optax.adam, {"learning_rate": reduce_on_plateau(0.1)}, "put it behind the optimizer"),
        ("adam", {"learning_rate": 0.1}, "takes the function that makes an optimizer"),
        (optax.adam(0.1), {"learning_rate": 0.1}, r"with_hyperparams\(optax.adam, learning_rate="),
        (optax.sgd, {"learning_rate": 0.1, "momentum": None}, "`momentum` must be a number"),
        (optax.adamw, {"mu_dtype": jnp.bfloat16}, "`mu_dtype` must be a number.*partial"),
        (optax.adamw, {"mu_dtype": np.float32}, "`mu_dtype` must be a number.*partial"),
        (optax.adamw, {"mu_dtype": "bfloat16"}, "`mu_dtype` must be a number.*partial"),
        (
            optax.adamw,
            {"mask": lambda p: jax.tree.map(lambda x: x.ndim > 1, p)},
            "`mask`(?s:.*)partial",
        ),
        (
            optax.adam,
            {},
            r"with_hyperparams\(adam, learning_rate=0.1\), not with_hyperparams\(adam\)\(learn",
        ),
        (optax.adam, {"static_args": "b1"}, "no argument 'static_args'.*functools.partial"),
    ],
)
def test_errors_when_it_is_made(factory, hyperparams, words):
    with pytest.raises(TypeError, match=words):
        with_hyperparams(factory, **hyperparams)


@pytest.mark.parametrize("value", [float("nan"), 10**40, -1e300, np.float32("nan"), 10**400])
def test_numbers_that_float32_cannot_hold_are_refused(value):
    with pytest.raises(ValueError, match="`learning_rate` must be a number that float32 can hold"):
        with_hyperparams(optax.sgd, learning_rate=value)
    limit = with_hyperparams(optax.clip_by_global_norm, max_norm=np.inf)
    assert limit.init(PARAMS).hyperparams["max_norm"] == np.inf


def test_a_value_put_into_the_state_by_hand_is_overwritten_unused():
    """Here the code decides, and a traced value is the way to set one from outside."""
    tx = with_hyperparams(optax.sgd, learning_rate=RATE)
    state = tx.init(PARAMS)
    by_hand = state._replace(hyperparams={"learning_rate": jnp.float32(0.7)})
    for after in (tx.update(PARAMS, state, PARAMS), tx.update(PARAMS, by_hand, PARAMS)):
        chex.assert_trees_all_equal(after[0], jax.tree.map(lambda p: -RATE(0) * p, PARAMS))
        assert after[1].hyperparams["learning_rate"] == RATE(0)

    @chex.assert_max_traces(n=1)
    def step(state, rate):
        return with_hyperparams(optax.sgd, learning_rate=rate).update(PARAMS, state, PARAMS)

    compiled = jax.jit(step)
    for rate in (0.5, 0.25):
        updates, state = compiled(state, rate)
        assert updates["b"] == -rate == -state.hyperparams["learning_rate"]
    assert state.count == 2


def test_what_is_not_named_is_static():
    """Flags decide in Python, and keys are not rounded to float32 nor kept in the state."""
    seen = []

    def noisy(learning_rate, key, nesterov):
        seen.append((key, nesterov is True))
        return optax.chain(optax.sgd(learning_rate, momentum=0.9, nesterov=nesterov))

    for key in (jax.random.key(7), jax.random.PRNGKey(7)):
        tx = with_hyperparams(partial(noisy, key=key, nesterov=True), learning_rate=RATE)
        _, state, _ = train(tx, steps=1)
        assert all(k is key and flag for k, flag in seen)
        assert list(state.hyperparams) == ["learning_rate"]
        seen.clear()


def test_what_is_told_about_inject_hyperparams():
    """The differences that the docstring of with_hyperparams states, of Optax itself."""

    def first(hyperparams, **by_hand):
        tx = optax.inject_hyperparams(optax.sgd)(**hyperparams)
        state = tx.init(PARAMS)
        state = state._replace(hyperparams={**state.hyperparams, **by_hand})
        return tx.update(PARAMS, state, PARAMS)[0]["b"]

    by_hand = jnp.float32(0.7)
    np.testing.assert_allclose(first({"learning_rate": RATE}, learning_rate=by_hand), -RATE(0))
    np.testing.assert_allclose(first({"learning_rate": 0.1}, learning_rate=by_hand), -by_hand)

    def kept(factory, /, **hyperparams):
        return optax.inject_hyperparams(factory)(**hyperparams).init(PARAMS).hyperparams.keys()

    assert kept(optax.sgd, learning_rate=0.1, nesterov=True) == {"learning_rate"}
    assert kept(optax.adamw, learning_rate=0.1) > {"learning_rate", "b2", "eps"}
    assert "key" in kept(optax.add_noise, eta=0.1, gamma=0.5, key=jax.random.key(0))
    ours = with_hyperparams(optax.adamw, learning_rate=0.1).init(PARAMS)
    assert ours.hyperparams.keys() == {"learning_rate"}


def test_errors_of_a_function_that_gives_no_number():
    with pytest.raises(TypeError, match="the factory must return an optimizer, got None"):
        with_hyperparams(lambda learning_rate: None, learning_rate=0.1).init(PARAMS)
    for wrong in (lambda step: {"w": True}, lambda step: jnp.ones(3), lambda step: 1j):
        with pytest.raises(TypeError, match="`learning_rate` must be a real scalar"):
            with_hyperparams(optax.sgd, learning_rate=wrong).init(PARAMS)


def test_multi_steps_takes_a_schedule_made_whole():
    """Optax compares the number of micro-batches in a cond, which wants integers."""
    sizes = linear(1.0, end_value=3.0, transition_steps=2)
    tx = optax.MultiSteps(optax.sgd(1.0), every_k_schedule=lambda n: sizes(n).astype(jnp.int32))
    state, made = tx.init(PARAMS), []
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(6):
            _, state = tx.update(PARAMS, state, PARAMS)
            made.append(int(state.gradient_step))
    assert made == [1, 1, 2, 2, 2, 3]


def test_schedule_free_weights_its_average_by_the_rate_of_the_step():
    """Given directly, a schedule is asked for the weight of the next step: S(t + 1)."""
    schedule = linear(0.1, end_value=0.5, transition_steps=4)

    def weight_sum(tx):
        state = tx.init(PARAMS)
        with jax.numpy_dtype_promotion("standard"):
            _, state = tx.update(PARAMS, state, PARAMS)
        return optax.tree.get(state, "weight_sum")

    direct = optax.contrib.schedule_free_sgd(schedule)
    ours = with_hyperparams(optax.contrib.schedule_free_sgd, learning_rate=schedule)
    np.testing.assert_allclose(weight_sum(direct), schedule(1) ** 2, rtol=1e-6)
    np.testing.assert_allclose(weight_sum(ours), schedule(0) ** 2, rtol=1e-6)
