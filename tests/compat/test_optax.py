"""Optax's schedules under Optax's names, beside the installed Optax."""

import inspect
import random
import re
import unittest
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.schedules import _schedule_test

from lr_optax import Schedule, parse
from lr_optax.compat import optax as lr_optax_names

ABSENT = {
    "InjectHyperparamsState": "a state of inject_hyperparams",
    "InjectStatefulHyperparamsState": "a state of inject_stateful_hyperparams",
    "Schedule": "a type; this library's is lr_optax.Schedule",
    "StatefulSchedule": "a type; a rate set by a metric is a transform here",
    "WrappedSchedule": "wraps a schedule for inject_stateful_hyperparams",
    "inject_hyperparams": "lr_optax.with_hyperparams",
    "inject_stateful_hyperparams": "lr_optax.with_hyperparams",
}
NAMES = sorted({n for n in dir(optax.schedules) if n[0] != "_"} - ABSENT.keys())


def test_every_name_is_there_or_said_to_be_absent():
    assert len(NAMES) == 14
    assert [n for n in NAMES if not hasattr(lr_optax_names, n)] == []
    for name in NAMES:
        ours, theirs = getattr(lr_optax_names, name), getattr(optax.schedules, name)
        there = {n: p.default for n, p in inspect.signature(theirs).parameters.items()}
        assert {n: p.default for n, p in inspect.signature(ours).parameters.items()} == there


def arguments(rng):
    """Random arguments of every function, and the steps where something happens."""

    def value():
        return round(rng.uniform(-1, 2), 4)

    def length(least=1):
        return rng.randint(least, 60)

    def scales():
        steps = sorted(rng.sample(range(60), rng.randint(0, 4)))
        return {step: round(rng.uniform(0, 2), 3) for step in steps}

    def warm(**more):
        warm = rng.choice([0, length()])
        return {"init_value": value(), "peak_value": value(), "warmup_steps": warm, **more}

    def cosine():
        arguments = warm(end_value=value(), exponent=round(rng.uniform(0.3, 3), 2))
        return {**arguments, "decay_steps": arguments["warmup_steps"] + length()}

    def decaying():
        rate = round(rng.uniform(0.3, 1.3), 3)
        return {
            "transition_steps": length(),
            "decay_rate": rate,
            "transition_begin": rng.choice([0, length()]),
            "staircase": rng.random() < 0.5,
            "end_value": rng.choice([None, value()]),
        }

    def onecycle():
        # Where two phases end together, Optax loses one.
        return {
            "transition_steps": rng.randint(20, 60),
            "peak_value": value(),
            "pct_start": round(rng.uniform(0, 0.5), 3),
            "div_factor": round(rng.uniform(1, 30), 2),
            "final_div_factor": rng.choice([1.0, 100.0, 1e4]),
        }

    moving = {"init_value": value(), "end_value": value(), "transition_steps": length()}
    moving["transition_begin"] = rng.choice([0, length()])
    return {
        "constant_schedule": {"value": value()},
        "linear_schedule": moving,
        "polynomial_schedule": {**moving, "power": round(rng.uniform(0.3, 3), 2)},
        "exponential_decay": {"init_value": value(), **decaying()},
        "cosine_decay_schedule": {
            "init_value": value(),
            "decay_steps": length(),
            "alpha": rng.choice([0.0, value()]),
            "exponent": round(rng.uniform(0.3, 3), 2),
        },
        "piecewise_constant_schedule": {"init_value": value(), "boundaries_and_scales": scales()},
        "piecewise_interpolate_schedule": {
            "interpolate_type": rng.choice(["linear", "cosine"]),
            "init_value": value(),
            "boundaries_and_scales": scales(),
        },
        "linear_onecycle_schedule": {**onecycle(), "pct_final": round(rng.uniform(0.6, 0.9), 3)},
        "cosine_onecycle_schedule": onecycle(),
        "warmup_constant_schedule": {**warm(), "warmup_steps": length()},
        "warmup_cosine_decay_schedule": cosine(),
        "warmup_exponential_decay_schedule": warm(**decaying()),
        "sgdr_schedule": {"cosine_kwargs": [cosine() for _ in range(rng.randint(1, 3))]},
    }


STEPS = np.arange(200)


@jax.numpy_dtype_promotion("standard")
@jax.numpy_rank_promotion("allow")
def exact_rates(schedule, steps):
    """What Optax says, op by op and in float64: compiled in float32 its ends are not exact."""
    with jax.enable_x64(True):
        return jax.vmap(lambda step: schedule(step) + 0.0)(jnp.asarray(steps, float))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "join_schedules"])
@pytest.mark.filterwarnings("ignore:exponential_decay.* the value begins beyond")
def test_live_over_random_arguments(name):
    groups = [arguments(random.Random(seed))[name] for seed in range(6)]
    ours = [getattr(lr_optax_names, name)(**group) for group in groups]
    compiled = jax.jit(lambda: [s(STEPS) for s in ours])()
    for group, s, rates in zip(groups, ours, compiled, strict=True):
        assert parse(repr(s)) == s
        expected = np.broadcast_to(
            exact_rates(getattr(optax.schedules, name)(**group), STEPS), STEPS.shape
        )
        tolerance = 1e-6 * np.abs(expected).max()
        for got in (s(STEPS), rates):
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=tolerance, err_msg=str(group))


def _third(step):
    return 0.3 / (1.0 + jnp.asarray(step, float))


def test_join():
    parts = ("linear_schedule", (0.0, 1.0, 4)), ("cosine_decay_schedule", (1.0, 10))
    ours = [getattr(lr_optax_names, name)(*args) for name, args in parts]
    theirs = [getattr(optax, name)(*args) for name, args in parts]
    s = lr_optax_names.join_schedules([*ours, _third], [5, 12])
    assert isinstance(s, Schedule)
    joined = optax.join_schedules([*theirs, _third], [5, 12])
    expected = exact_rates(joined, STEPS)
    np.testing.assert_allclose(s(STEPS), expected, rtol=1e-6, atol=1e-6)
    for boundaries in ([5], [5, 12, 20]):  # Optax: drops schedules, or boundaries
        with pytest.raises(ValueError, match=r"join_schedules: `boundaries` must be one fewer"):
            lr_optax_names.join_schedules([*ours, ours[0]], boundaries)


def test_optax_passes_its_own_tests_of_odd_arguments_with_these(monkeypatch):
    monkeypatch.setattr(_schedule_test, "_schedule", lr_optax_names)
    loaded = unittest.defaultTestLoader.loadTestsFromModule(_schedule_test)
    odd = re.compile("zero|nonvalid|test_negative|giant|exponent")
    chosen = [test for suite in loaded for test in suite if odd.search(test.id())]
    assert len(chosen) > 8
    result = unittest.TestResult()
    with warnings.catch_warnings(), jax.numpy_dtype_promotion("standard"):
        warnings.simplefilter("ignore")
        unittest.TestSuite(chosen).run(result)
    assert result.failures + result.errors == []


def test_a_boundary_at_step_0_acts_at_once():
    scales = {0: 0.5, 3: 0.5}
    steps = np.arange(6)
    with jax.numpy_dtype_promotion("standard"):
        theirs = [optax.piecewise_constant_schedule(1.0, scales)(t) for t in steps]
    ours = lr_optax_names.piecewise_constant_schedule(1.0, scales)(steps)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("length", [41, 250, 469 * 5, 1000])
def test_ends_are_exact_when_compiled(length):
    made = {
        "linear": lr_optax_names.linear_schedule(1e-3, 0.0, length),
        "polynomial": lr_optax_names.polynomial_schedule(1e-3, 0.0, 0.9, length),
        "staircase": lr_optax_names.exponential_decay(1e-3, length, 0.1, staircase=True),
        "cosine": lr_optax_names.cosine_decay_schedule(1e-3, length, 0.1),
        "onecycle": lr_optax_names.linear_onecycle_schedule(length, 1e-3),
    }
    at = jax.jit(lambda: {name: s(length) for name, s in made.items()})()
    ends = {"linear": 0, "polynomial": 0, "staircase": 1e-4, "cosine": 1e-4, "onecycle": 4e-9}
    for name, end in ends.items():
        np.testing.assert_allclose(at[name], np.float32(end), rtol=1.2e-7, err_msg=name)


def test_one_cycle_keeps_phases_of_no_length():
    s = lr_optax_names.linear_onecycle_schedule(100, 1.0, pct_final=1.0)
    np.testing.assert_allclose(s(np.array([0, 30, 100])), [0.04, 1, 4e-6], rtol=1e-6)  # Optax: 1e-4
    with pytest.raises(ValueError, match="`pct_start` must not exceed `pct_final`"):
        lr_optax_names.linear_onecycle_schedule(100, 1.0, pct_start=0.9)


@pytest.mark.parametrize(
    ("call", "said", "value"),
    [
        (lambda o: o.linear_schedule(1, 0, 0), "`transition_steps` = 0", 1),
        (lambda o: o.linear_schedule(0.5, 0, 9, -3), "`transition_begin` = -3", 0.5),
        (lambda o: o.polynomial_schedule(0.5, 0, 2, -1), "`transition_steps` = -1", 0.5),
        (lambda o: o.exponential_decay(0.5, 9, 0.0), "`decay_rate` of 0", 0.5),
        (lambda o: o.exponential_decay(0.5, 0, 0.9), "`transition_steps` = 0", 0.5),
        (lambda o: o.exponential_decay(0.5, 9, 0.9, end_value=0.7), "beyond its `end_value`", 0.7),
        (lambda o: o.warmup_constant_schedule(0.0, 0.5, 0), "`warmup_steps` = 0", 0),
        (lambda o: o.warmup_cosine_decay_schedule(0, 0, 0, 9, 0.3), "`peak_value` of 0", 0),
    ],
)
def test_nonsense_is_followed_with_a_warning(call, said, value):
    with pytest.warns(UserWarning, match=said) as caught:
        s = call(lr_optax_names)
    assert [w.filename for w in caught] == [__file__]
    np.testing.assert_allclose([s(0), call(optax)(0)], value)


BAD_CYCLE = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 9, "decay_steps": 9}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: o.cosine_decay_schedule(0.1, 0), "cosine_decay_schedule: `decay_steps`"),
        (lambda o: o.linear_onecycle_schedule(0, 0.1), "`transition_steps` must be a whole number"),
        (lambda o: o.warmup_cosine_decay_schedule(0, 0.1, 9, 9), "must exceed `warmup_steps`"),
        (lambda o: o.piecewise_constant_schedule(0.1, {3: -1.0}), "finite factors >= 0 as values"),
        (lambda o: o.piecewise_interpolate_schedule("linear", 0.1, {2.5: 1.0}), "whole numbers"),
        (lambda o: o.polynomial_schedule(0.1, 0, 0, 9), "polynomial_schedule: `power` must be"),
        (lambda o: o.exponential_decay(0.1, 9, -0.5), "exponential_decay: `decay_rate` must be"),
        (lambda o: o.sgdr_schedule([BAD_CYCLE]), "sgdr_schedule: a cycle: `decay_steps`, which"),
        (lambda o: o.linear_schedule(0.1, 0, 2.5), "linear_schedule: `transition_steps` must be"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(lr_optax_names)


def test_values_may_be_traced():
    def rates(a, b, n):
        o = lr_optax_names
        return (
            o.linear_schedule(a, -b, n)(STEPS),
            o.warmup_cosine_decay_schedule(a, b, 3, n)(STEPS),
            o.exponential_decay(a, n, b, end_value=a / 9)(STEPS),
            o.linear_onecycle_schedule(n, b)(STEPS),
            o.piecewise_constant_schedule(-a, {3: b})(STEPS),
            o.linear_schedule(-0.5, b, 10)(STEPS),
        )

    for traced, known in zip(jax.jit(rates)(0.4, 0.7, 40), rates(0.4, 0.7, 40), strict=True):
        np.testing.assert_allclose(traced, known, rtol=2e-5, atol=1e-7)
