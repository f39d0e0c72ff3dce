"""The mechanism: factories, pytrees, values, registration, errors."""

import functools
import inspect
import pickle
import typing

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import Array

import lr_optax
from lr_optax import (
    Schedule,
    constant,
    cosine_decay,
    exponential_decay,
    join,
    linear,
    schedule,
    step_decay,
    warmup,
)
from lr_optax._core.hyperparameters import Period, Positive, Rate


def cosine():
    return cosine_decay(0.1, decay_steps=100)


@schedule
def sawtooth(step: Array, init_value: Rate, *, period: Period, floor: Positive = 0.5) -> Array:
    """A user's own schedule, in three lines."""
    return init_value * (1 - floor * ((step % period) / period))


def test_by_default_rates_fall_to_zero_and_phases_have_no_length():
    nothing = {"end_value", "min_value", "cooldown_steps", "warmup_steps", "rewarmup_steps"}
    for name, make in lr_optax.catalogue().items():
        for parameter in inspect.signature(make).parameters.values():
            if parameter.name in nothing and parameter.default not in (parameter.empty, None):
                lowest = 0.85 if name == "one_cycle_momentum" else 0
                assert parameter.default == lowest, (name, parameter)


def test_factory_keeps_signature_and_docstring():
    assert list(inspect.signature(step_decay).parameters) == [
        "init_value",
        "decay_rate",
        "decay_steps",
    ]
    kinds = [p.kind.name for p in inspect.signature(step_decay).parameters.values()]
    assert kinds == ["POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY", "KEYWORD_ONLY"]
    assert step_decay.__name__ == "step_decay"
    assert "η₀·γ^⌊t/T⌋" in step_decay.__doc__


def test_hyperparameters_are_attributes():
    s = cosine()
    assert s.name == "cosine_decay"
    assert (s.init_value, s.decay_steps, s.end_value, s.exponent) == (0.1, 100, 0.0, 1.0)
    assert "decay_steps" in dir(s)
    with pytest.raises(AttributeError, match="'decay_rate'; cosine_decay has init_value"):
        _ = s.decay_rate


def test_cannot_be_changed_but_replaced():
    s = cosine()
    with pytest.raises(AttributeError, match=r"use s\.replace\(decay_steps=\.\.\.\)"):
        s.decay_steps = 20
    assert s.replace(decay_steps=20) == cosine_decay(0.1, decay_steps=20)
    with pytest.raises(ValueError, match="`decay_steps` must be a whole number"):
        s.replace(decay_steps=-1)
    with pytest.raises(TypeError, match="cosine_decay: there is no argument 'steps'"):
        s.replace(steps=20)


def test_is_made_by_factories_only():
    with pytest.raises(TypeError, match="make a schedule with a function such as"):
        Schedule(1, 2, 3)
    assert typing.get_overloads(schedule)


def test_equality_and_hash_are_by_value():
    assert cosine() == cosine()
    assert hash(cosine()) == hash(cosine())
    assert cosine() != cosine_decay(0.1, decay_steps=101)
    assert cosine() != linear(0.1, end_value=0.0, transition_steps=100)
    assert cosine() != "cosine_decay(0.1, decay_steps=100)"
    arrays = [constant(np.float32([0.1, 0.2])) for _ in range(2)]
    assert arrays[0] == arrays[1]
    assert hash(arrays[0]) == hash(arrays[1])
    assert arrays[0] != constant(np.float32([0.1, 0.3]))
    assert arrays[0] != constant(np.float64([0.1, 0.2]))
    assert constant(jnp.float32(0.1)) == constant(jnp.float32(0.1))
    assert len({*arrays, cosine(), cosine()}) == 2


def test_array_hyperparameters_jit_print_and_pickle():
    s = constant(jnp.array([0.1, 0.2]))
    np.testing.assert_array_equal(jax.jit(s)(3), np.float32([0.1, 0.2]))
    assert repr(s) == "constant(array([0.1, 0.2], dtype='float32'))"
    assert pickle.loads(pickle.dumps(s)) == s


def test_numbers_stay_as_they_were_given():
    s = step_decay(np.float64(0.1), decay_rate=np.float32(0.5), decay_steps=np.int64(10))
    assert repr(s) == "step_decay(0.1, decay_rate=0.5, decay_steps=10)"
    assert step_decay(0.1, decay_rate=0.5, decay_steps=1e4).decay_steps == 10_000


def test_key_paths_name_the_hyperparameters():
    s = warmup(join((constant(0.1), cosine()), boundaries=(5,)), warmup_steps=3)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(s)]
    assert paths[:3] == [
        ".schedule.schedules[0].value",
        ".schedule.schedules[1].init_value",
        ".schedule.schedules[1].decay_steps",
    ]
    assert ".schedule.boundaries[0]" in paths


def test_static_hyperparameters_are_no_leaves():
    s = exponential_decay(0.1, decay_rate=0.5, decay_steps=10)
    assert jax.tree.leaves(s) == [0.1, 0.5, 10]
    assert jax.tree.structure(s) != jax.tree.structure(s.replace(staircase=True))
    assert jax.tree.structure(s) != jax.tree.structure(s.replace(end_value=0.01))


@pytest.mark.parametrize(
    "leaf", [None, object(), "text", -1.0, jax.ShapeDtypeStruct((), "float32")]
)
def test_unflattening_never_validates(leaf):
    s = exponential_decay(0.1, decay_rate=0.5, decay_steps=10)
    odd = jax.tree.map(lambda _: leaf, s)
    assert odd.decay_rate is leaf or odd.decay_rate == leaf
    assert odd.end_value is None
    structure = jax.tree.structure(s)
    assert jax.tree.structure(jax.tree.unflatten(structure, [1, 2, 3])) == structure
    # None filled in and taken out again, as filtering libraries do it
    back = jax.tree.map(lambda x, _: x, s, odd, is_leaf=lambda x: x is None)
    assert back == s


def test_traced_hyperparameters_print_and_build():
    @jax.jit
    def f(peak):
        s = cosine_decay(peak, decay_steps=100)
        assert repr(s) == "cosine_decay(<traced float32[]>, decay_steps=100)"
        assert s == s
        assert s != cosine_decay(0.1, decay_steps=100)
        return s(50)

    np.testing.assert_allclose(f(0.1), 0.05, rtol=1e-6)


def test_gradient_is_a_schedule_of_derivatives():
    def rate(peak):
        return linear(peak, end_value=0.0, transition_steps=10)(5)

    np.testing.assert_allclose(jax.grad(rate)(0.3), 0.5, rtol=1e-6)
    floats = jax.tree.map(float, linear(0.3, end_value=0.0, transition_steps=10))
    slopes = jax.grad(lambda s: s(5))(floats)
    # η = η₀(1 − t/T) + η₁t/T: derivatives ½, ½ and (η₀ − η₁)t/T² = .015
    np.testing.assert_allclose(jax.tree.leaves(slopes), [0.5, 0.5, 0.015], rtol=1e-6)
    assert isinstance(slopes, Schedule)


def quadratic(s, steps=50):
    tx = optax.inject_hyperparams(optax.sgd)(learning_rate=s, momentum=0.9)

    def step(carry, _):
        w, state = carry
        updates, state = tx.update(2 * w, state, w)
        return (w + updates, state), None

    start = jnp.float32(1)
    (w, _), _ = jax.lax.scan(step, (start, tx.init(start)), length=steps)
    return w**2


def test_whole_training_runs_map_over_stacked_schedules():
    variants = [cosine_decay(p, decay_steps=n) for p in (0.01, 0.1) for n in (30, 50)]
    stacked = jax.tree.map(lambda *x: jnp.asarray(x, jnp.float32), *variants)
    together = jax.jit(jax.vmap(quadratic))(stacked)
    np.testing.assert_allclose(together, [quadratic(s) for s in variants], rtol=1e-4)
    slope = jax.grad(lambda p: quadratic(cosine_decay(p, decay_steps=50)))(0.01)
    assert np.isfinite(slope)
    assert slope != 0


def test_optimizer_inside_jit_traces_once_for_any_rate():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def update(s):
        tx = optax.sgd(s)
        w = jnp.float32(1)
        return tx.update(w, tx.init(w), w)[0]

    for peak in (0.1, 0.2, 0.3):
        np.testing.assert_allclose(update(constant(peak)), -peak, rtol=1e-6)


def test_user_defined_schedules_get_everything():
    s = sawtooth(0.4, period=4)
    np.testing.assert_allclose(s(np.array([0, 2, 4])), [0.4, 0.3, 0.4], rtol=1e-6)
    assert lr_optax.parse("sawtooth(0.4, period=4)") == s
    assert lr_optax.catalogue()["sawtooth"] is sawtooth
    assert pickle.loads(pickle.dumps(s)) == s
    with pytest.raises(ValueError, match="sawtooth: `period` must be a whole number of steps >= 1"):
        sawtooth(0.4, period=0)
    stacked = jax.tree.map(lambda x: jnp.array([x, x]), s)
    np.testing.assert_allclose(jax.vmap(lambda s: s(2))(stacked), [0.3, 0.3], rtol=1e-6)


@schedule(name="ours.Sawtooth", positional=True)
def Sawtooth(step: Array, base_lr: Rate, period: Period = 4, end_lr: Rate = 0.0) -> Array:
    """Another library's call: several positional arguments, and a name of its own in text."""
    return end_lr + (base_lr - end_lr) * (1 - step % period / period)


def test_a_library_formula_takes_positional_names():
    s = Sawtooth(0.4, 8, 0.2)
    assert s == Sawtooth(0.4, end_lr=0.2, period=8)
    np.testing.assert_allclose(s(np.array([0, 4, 8])), [0.4, 0.3, 0.4], rtol=1e-6)
    assert repr(s) == "ours.Sawtooth(0.4, period=8, end_lr=0.2)"
    assert repr(Sawtooth(0.4)) == "ours.Sawtooth(0.4)"
    assert list(inspect.signature(Sawtooth).parameters) == ["base_lr", "period", "end_lr"]
    assert Sawtooth.__name__ == "Sawtooth"
    assert "Another library" in Sawtooth.__doc__
    assert pickle.loads(pickle.dumps(s)) == s
    assert "ours.Sawtooth" not in lr_optax.catalogue()
    with pytest.raises(ValueError, match=r"^Sawtooth: `period` must be a whole number of steps"):
        Sawtooth(0.4, 0)
    with pytest.raises(TypeError, match=r"^Sawtooth\(base_lr, period=4, end_lr=0\.0\): "):
        Sawtooth()
    for wrong in ({"positional": True}, {"positional": True, "name": "sawtooths"}):
        with pytest.raises(TypeError, match=r"positional=True is for a library's name"):
            schedule(**wrong)(lambda step, base_lr, period: base_lr)


def test_a_name_belongs_to_one_module():
    def linear(step, init_value):
        return init_value

    with pytest.raises(
        ValueError,
        match=r"there is a schedule 'linear' already, in lr_optax\.schedules\.decays; give yours",
    ):
        schedule(linear)
    assert lr_optax.catalogue()["linear"] is lr_optax.linear

    def run_cell():
        @schedule
        def of_a_cell(step, init_value):
            return init_value

        return of_a_cell

    run_cell()
    again = run_cell()
    assert lr_optax.catalogue()["of_a_cell"] is again


@pytest.mark.parametrize("taken", ["init", "update", "replace", "name"])
def test_some_names_of_hyperparameters_are_taken(taken):
    scope = {}
    exec(f"def odd(step, {taken}): return {taken}", scope)
    with pytest.raises(TypeError, match=f"odd: a hyperparameter may not be called '{taken}'"):
        schedule(scope["odd"])


def test_a_functions_annotations_may_be_text():
    def quoted(step: "Array", init_value: "Rate") -> "Array":
        return init_value * (step + 1)

    with pytest.raises(
        ValueError, match="quoted: `init_value` must be a finite number >= 0, got -1"
    ):
        schedule(quoted)(-1)


def test_annotations_that_type_checkers_see():
    """The factories' types are checked in CI; here, that the aliases survive at run time."""
    hints = typing.get_type_hints(step_decay.__wrapped__, include_extras=True)
    assert hints["decay_steps"] is Period


@pytest.mark.parametrize(
    "value",
    [0.1, 1, np.float64(0.1), np.float16(0.1), jnp.bfloat16(0.1), jnp.asarray(0.1), jnp.int32(1)],
    ids=lambda value: type(value).__name__ + str(getattr(value, "dtype", "")),
)
def test_whatever_a_formula_returns_the_rate_is_a_strong_float_of_the_steps_shape(value):
    s = lr_optax.from_function(lambda step: value)
    for rate in (s(3), jax.jit(s)(3), s(np.arange(3))):
        assert rate.dtype == jnp.float32
        assert not rate.weak_type
    assert s(np.arange(3)).shape == (3,)


def test_two_local_schedules_of_one_name_are_refused():
    def one():
        @lr_optax.schedule
        def twice_named(step, height):
            return height

        return twice_named

    def other():
        @lr_optax.schedule
        def twice_named(step, height):
            return 2 * height

    assert one()(0.1) != one()(0.1)  # made anew, as in a notebook
    with pytest.raises(ValueError, match="there is a schedule 'twice_named' already"):
        other()


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda: None, "a function with a name"),
        (functools.partial(max, 1), "a function with a name"),
    ],
)
def test_what_is_no_formula_is_refused_at_the_decoration(formula, message):
    with pytest.raises(TypeError, match=message):
        lr_optax.schedule(formula)


def test_formulas_of_another_form_are_refused_at_the_decoration():
    def no_step(): ...
    def starred(step, *heights): ...
    def nameless(step, height, /): ...
    def second_positional(step, height, every): ...

    for formula, message in [
        (no_step, "no_step: a formula must take the step as its first argument"),
        (starred, r"starred: hyperparameters must be named, which '\*heights' is not"),
        (nameless, "nameless: hyperparameters must be named"),
        (second_positional, r"put a \* before 'every'"),
    ]:
        with pytest.raises(TypeError, match=message):
            lr_optax.schedule(formula)


def test_a_schedule_keeps_its_own_numbers():
    values = np.array([0.1, 0.2])
    s = lr_optax.lookup(values)
    values[0] = 9.0
    assert s(0) == np.float32(0.1)
    with pytest.raises(ValueError, match="read-only"):
        s.values[0] = 9.0
    with pytest.raises(AttributeError, match="cannot be changed"):
        del s._values


def test_as_arrays_is_the_same_schedule_in_one_program_for_all_values():
    equinox = pytest.importorskip("equinox")
    traces = []

    @equinox.filter_jit
    def rate(s):
        traces.append(s)
        return s(5)

    for peak, steps in [(0.1, 10), (0.2, 20), (0.3, 10**12)]:
        s = warmup(cosine_decay(peak, decay_steps=20), warmup_steps=steps)
        arrays = s.as_arrays()
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(arrays))
        np.testing.assert_allclose(rate(arrays), s(5), rtol=1e-6)
        assert len(traces) == 1 + (steps > 2**31)  # beyond the counter, a length is a float
    stairs = lr_optax.multistep_decay(0.1, decay_rate=0.5, boundaries=(3, 5))
    np.testing.assert_array_equal(stairs.as_arrays()(np.arange(9)), stairs(np.arange(9)))


def test_an_eager_call_is_no_transfer_that_a_guard_is_for():
    schedules = [linear(0.1, transition_steps=10), cosine_decay(0.1, decay_steps=90)]
    on_device = jax.device_put(np.int32(3))
    with jax.transfer_guard("disallow"):
        rates = [s(step) for s in schedules for step in (3, np.arange(4), on_device)]
    for rate, s in zip(rates[::3], schedules, strict=True):
        np.testing.assert_array_equal(rate, jax.jit(s)(3))
