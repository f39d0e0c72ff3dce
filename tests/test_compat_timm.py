"""timm's schedulers, by its own figures: see figures/make_timm.py."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from figures import make_timm
from figures.agreement import assert_agrees, read

from lr_optax import constant
from lr_optax.compat import timm as lr_timm

FIGURES = read("timm")
CLASSES = [name for name in FIGURES if not name.startswith("v2")]


def create(**args):
    return lr_timm.create_scheduler_v2(**args)[0]


@pytest.mark.parametrize("name", CLASSES)
def test_figures(name):
    assert_agrees(getattr(lr_timm, name), FIGURES[name])


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - set(CLASSES)))
def test_figures_by_name(name):
    assert_agrees(create, FIGURES[name])
    for case in FIGURES[name]:
        assert lr_timm.create_scheduler_v2(**case["args"])[1] == case["epochs"]


def test_live_over_other_arguments():
    reason = "timm and torch are not installed; their figures are compared above"
    pytest.importorskip("torch", reason=reason)
    if importlib.util.find_spec("timm") is None:
        pytest.skip(reason)
    for name, group in make_timm.cases(seed=1, sets=4).items():
        assert_agrees(create if name.startswith("v2") else getattr(lr_timm, name), group)


@pytest.mark.parametrize("scheduler", ["CosineLRScheduler", "PolyLRScheduler"])
@pytest.mark.parametrize("known", [True, False], ids=["constants", "arrays"])
def test_cycles_begin_on_time(scheduler, known):
    for length, multiplier in [(1, 3.0), (10, 3.0), (3, 10.0), (5, 2.0)]:
        s = getattr(lr_timm, scheduler)(1.0, length, cycle_mul=multiplier, cycle_limit=20)
        s = s if known else jax.tree.map(jnp.asarray, s)
        starts = [round(length * (multiplier**k - 1) / (multiplier - 1)) for k in range(10)]
        starts = np.array([b for b in starts if b < (2**31 if known else 10**4)])
        np.testing.assert_array_equal(s(starts), 1)


def test_milestones_act_a_step_early():
    s = lr_timm.MultiStepLRScheduler(1.0, [0, 5], 0.5)
    np.testing.assert_array_equal(s(np.array([0, 3, 4, 5])), [0.5, 0.5, 0.25, 0.25])


def test_the_clock_runs_during_a_warm_up_without_prefix():
    s = lr_timm.CosineLRScheduler(1.0, 10, warmup_t=5)
    np.testing.assert_allclose(s(np.array([4, 5])), [0.8, 0.5], rtol=1e-6)
    s = lr_timm.TanhLRScheduler(1.0, 10, warmup_t=7)
    np.testing.assert_allclose(s(np.array([0, 7])), [0, 0.5], rtol=1e-6)


def test_decay_by_a_function():
    s = lr_timm.WSDLRScheduler(0.1, 20, 10, lr_min=0.01, decay_fn=lambda x: (1 - x) ** 3)
    assert_close = np.testing.assert_allclose
    assert_close(s(np.array([10, 15, 20, 30])), [0.1, 0.01 + 0.09 / 8, 0.01, 0.01], rtol=1e-6)


def test_base_rate_below_the_lowest_rate():
    s = lr_timm.WSDLRScheduler(0.01, 20, 10, lr_min=0.1)
    np.testing.assert_allclose(s(np.arange(25)), 0.1, rtol=1e-6)


def test_no_scheduler_is_a_constant_rate():
    assert lr_timm.create_scheduler_v2(0.1, "none", num_epochs=7) == (constant(0.1), 7)


def test_plateau_is_a_transform():
    tx, epochs = lr_timm.create_scheduler_v2(0.1, "plateau", num_epochs=7, patience_epochs=0)
    assert isinstance(tx, optax.GradientTransformationExtraArgs)
    assert epochs == 7
    state = tx.init(None)
    for accuracy in (0.5, 0.6, 0.6):
        _, state = tx.update(None, state, value=accuracy)
    np.testing.assert_allclose(state.scale, 0.1)


def test_noise_is_refused():
    with pytest.raises(TypeError, match="there is no argument 'noise_range_t'"):
        lr_timm.CosineLRScheduler(0.1, 10, noise_range_t=5)
    with pytest.raises(TypeError, match="noise"):
        lr_timm.create_scheduler_v2(0.1, noise=0.5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: create(base_lr=0.1, sched="cos"), "`sched` must be one of cosine, tanh"),
        (lambda: create(base_lr=0.1, step_on_epochs=False), "`updates_per_epoch` must be"),
        (lambda: lr_timm.TanhLRScheduler(0.1, 5, lb=3.0), "`lb` must be below `ub`"),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 6), "`decay_t` must not exceed `t_initial`"),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 5, stable_fn="rsqrt"), "`stable_timescale` must"),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 5, decay_fn="sqrt"), "`decay_fn` must be"),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 5, decay_ratio=1.0), "`decay_ratio` must be"),
        (lambda: lr_timm.CosineLRScheduler(0.1, 0), "`t_initial` must be a whole number"),
    ],
)
def test_errors_name_argument_and_rule(build, message):
    with pytest.raises(ValueError, match=message):
        build()
