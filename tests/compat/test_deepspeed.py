"""DeepSpeed's schedules, by its own figures: see reference_values/make_deepspeed.py."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_values import make_deepspeed
from reference_values.agreement import assert_agrees, read

from lr_optax import parse
from lr_optax.compat import deepspeed as lr_deepspeed

FIGURES = read("deepspeed")


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    assert_agrees(getattr(lr_deepspeed, name), FIGURES[name])


def test_defaults_of_the_range_test():
    """As DeepSpeed documents them: a rate of 0.001, which grows by as much in 2000 steps."""
    rates = lr_deepspeed.LRRangeTest()(np.array([0, 2000, 5000]))
    np.testing.assert_allclose(rates, [0.001, 0.002, 0.0035], rtol=1e-6)


def test_live_over_other_arguments():
    reason = "deepspeed and torch are not installed; their figures are compared above"
    pytest.importorskip("torch", reason=reason)
    if importlib.util.find_spec("deepspeed") is None:
        pytest.skip(reason)
    for name, group in make_deepspeed.cases(seed=1, sets=4).items():
        assert_agrees(getattr(lr_deepspeed, name), group)


@pytest.mark.parametrize("known", [True, False], ids=["constants", "arrays"])
def test_every_stair_begins_at_its_step(known):
    """Stair j of n of a side of F steps begins at ⌈j·F/n⌉; a rounded share would be late."""
    for size, count in [(7, 7), (49, 7), (10**6, 999), (1000, 10), (3 * 10**7, 50)]:
        s = lr_deepspeed.OneCycle(
            0.0, 1.0, cycle_first_step_size=size, cycle_first_stair_count=count
        )
        s = s if known else jax.tree.map(jnp.asarray, s)
        begins = np.array([-(-j * size // count) for j in range(1, count + 1)], np.int32)
        stairs = np.arange(1, count + 1)
        np.testing.assert_allclose(jax.jit(s)(begins), stairs / count, rtol=1e-6)
        np.testing.assert_allclose(s(begins - 1), (stairs - 1) / count, rtol=1e-6)
        downs = 2 * size - begins
        np.testing.assert_allclose(s(downs), stairs / count, rtol=1e-6)
        before = np.where(downs + 1 <= 2 * size, stairs - 1, 0)
        np.testing.assert_allclose(s(downs + 1), before / count, rtol=1e-6)


def test_a_range_test_late_in_a_run_keeps_its_digits():
    t = np.array([2**31 - 1, 10**9 + 7], np.int64)
    s = lr_deepspeed.LRRangeTest(1e-6, 2000, 0.5)
    np.testing.assert_allclose(s(t), 1e-6 * (1 + 0.5 * t / 2000), rtol=1e-6)
    s = s.replace(lr_range_test_staircase=True)
    np.testing.assert_allclose(s(t), 1e-6 * (1 + 0.5 * (t // 2000)), rtol=1e-6)


def test_the_momentum_beside_the_rate():
    rate = lr_deepspeed.OneCycle(0.01, 0.1, cycle_first_step_size=20, cycle_first_stair_count=4)
    momentum = lr_deepspeed.OneCycle(0.9, 0.8, cycle_first_step_size=20, cycle_first_stair_count=4)
    t = np.arange(60)
    height = (np.asarray(rate(t)) - 0.01) / 0.09
    np.testing.assert_allclose(momentum(t), 0.9 - 0.1 * height, rtol=1e-6)


def test_text_and_traced_arguments():
    s = lr_deepspeed.OneCycle(0.01, 0.1, 1.0, 10, 7, 3, 2, 5)
    assert repr(s).startswith("deepspeed.one_cycle(")
    assert parse(repr(s)) == s
    t = np.arange(40)
    traced = jax.jit(lambda *args: lr_deepspeed.OneCycle(*args)(t))(0.01, 0.1, 1.0, 10, 7, 3, 2, 5)
    np.testing.assert_allclose(traced, s(t), rtol=1e-6)
    traced = jax.jit(lambda w: lr_deepspeed.WarmupCosineLR(0.1, 50, 0.0, w)(t))(9)
    np.testing.assert_allclose(traced, lr_deepspeed.WarmupCosineLR(0.1, 50, 0.0, 9)(t), rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lr_deepspeed.LRRangeTest(0.1, 0), "LRRangeTest: `lr_range_test_step_size` must"),
        (lambda: lr_deepspeed.OneCycle(-0.1, 0.2), "OneCycle: `cycle_min_lr` must be"),
        (lambda: lr_deepspeed.WarmupLR(0.1, warmup_type="cos"), "WarmupLR: `warmup_type` must be"),
        (lambda: lr_deepspeed.WarmupDecayLR(0), "WarmupDecayLR: `total_num_steps` must be"),
    ],
)
def test_errors_name_argument_and_rule(build, message):
    with pytest.raises(ValueError, match=message):
        build()
