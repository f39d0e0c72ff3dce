"""timm's schedulers, by its own figures: see reference_values/make_timm.py."""

import importlib.util
import json
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference_values import make_timm
from reference_values.agreement import assert_agrees, read

from lr_optax import constant, from_dict, observe, parse, to_dict
from lr_optax.compat import timm as lr_timm

FIGURES = read("timm")


def create(**args):
    return lr_timm.create_scheduler_v2(**args)[0]


def call(name):
    if name.startswith("v2"):
        return create
    return getattr(lr_timm, name.removesuffix(" in fractions"))


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    assert_agrees(call(name), FIGURES[name])


def test_figures_of_how_long_to_train():
    for case in [case for group in FIGURES.values() for case in group if "epochs" in case]:
        _, epochs = lr_timm.create_scheduler_v2(**case["args"])
        assert epochs == case["epochs"]


def test_cycles_that_grow_train_as_long_as_all_of_them():
    args = {"sched": "cosine", "num_epochs": 10, "cycle_limit": 3, "cooldown_epochs": 0}
    assert lr_timm.create_scheduler_v2(0.1, **args, cycle_mul=2)[1] == 10 + 20 + 40
    assert lr_timm.create_scheduler_v2(0.1, **args)[1] == 10 + 10 + 10


def test_a_cycle_by_default():
    for make in (
        lr_timm.CosineLRScheduler,
        lr_timm.PolyLRScheduler,
        lr_timm.TanhLRScheduler,
    ):
        assert make(0.1, t_initial=16)(np.array([16, 40])).max() < 1e-6
        both = make(0.1, t_initial=16, cycle_limit=2)
        assert both(16) == both(0)


def test_the_stable_phase_falls_by_a_clock_of_less_than_a_step():
    s = lr_timm.WSDLRScheduler(
        0.1, t_initial=100, decay_t=10, stable_fn="power", stable_power=2, stable_timescale=0.5
    )
    np.testing.assert_allclose(s(np.array([0, 1, 4])), [0.1, 0.1 / 9, 0.1 / 81], rtol=1e-6)


@pytest.fixture
def timm():
    reason = "timm and torch are not installed; their figures are compared above"
    pytest.importorskip("torch", reason=reason)
    if importlib.util.find_spec("timm") is None:
        pytest.skip(reason)
    return make_timm.timm_scheduler()


@pytest.mark.usefixtures("timm")
def test_live_over_other_arguments():
    for name, group in make_timm.cases(seed=1, sets=4).items():
        assert_agrees(call(name), group)


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


@pytest.mark.parametrize("interval", [2.4, 1.1, 0.3, 3002.4, 77.7, 5.000001])
def test_drops_after_a_fraction_of_a_step_come_at_the_exact_step(interval):
    """12 // 2.4 is 5, and 11 // 1.1 is 9: the digits of the interval decide, late in a run too."""
    last = min(2**31 - 1, int(2**20 * interval))
    drops = np.linspace(0, last / interval, 300).astype(int)
    steps = [math.ceil(k * Fraction(interval)) + d for k in drops for d in (-1, 0, 1)]
    steps = np.array([t for t in [*steps, *range(30)] if 0 <= t <= last], np.int32)
    s = lr_timm.StepLRScheduler(1.0, interval, 1 + 2**-20)
    expected = (1 + 2**-20) ** np.array([int(t) // interval for t in steps])
    for rates in (s(steps), jax.jit(s)(steps)):
        np.testing.assert_allclose(rates, expected, rtol=3e-7)
    with jax.enable_x64():
        np.testing.assert_allclose(s(steps.astype(np.int64)), expected, rtol=1e-14)


def test_the_recipe_of_efficientnet():
    s = create(
        base_lr=0.016,
        sched="step",
        decay_epochs=2.4,
        decay_rate=0.97,
        warmup_epochs=3,
        warmup_lr=1e-6,
        step_on_epochs=False,
        updates_per_epoch=1251,
    )
    t = np.array([0, 1876, 3752, 3753, 6004, 6005, 100_000], np.int32)
    rise = 1e-6 + (0.016 - 1e-6) * t / 3753
    expected = np.where(t < 3753, rise, 0.016 * 0.97 ** np.floor(t / 3002.4))
    np.testing.assert_allclose(s(t), expected, rtol=1e-6)


def test_text_of_fractions_is_read():
    for s in (
        lr_timm.StepLRScheduler(0.1, 2.4, 0.97, warmup_t=1.5),
        lr_timm.WSDLRScheduler(0.1, 20.5, 4.2, warmup_t=2.5, decay_fn="exp"),
        lr_timm.CosineLRScheduler(0.1, 10.5, warmup_t=0.5, warmup_prefix=True),
    ):
        assert parse(repr(s)) == s
        assert from_dict(json.loads(json.dumps(to_dict(s)))) == s


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda b, n: lr_timm.CosineLRScheduler(b, n, cycle_limit=3),
        lambda b, n: lr_timm.TanhLRScheduler(b, n, cycle_limit=3, warmup_t=2),
        lambda b, n: lr_timm.StepLRScheduler(b, n, 0.5),
        lambda b, n: lr_timm.WSDLRScheduler(b, n, 3.5, warmup_t=2, decay_fn="exp"),
    ],
)
def test_fractions_may_be_traced_and_have_a_slope(scheduler):
    t = np.arange(20)
    known = scheduler(0.1, 6.3)(t)
    np.testing.assert_allclose(jax.jit(lambda n: scheduler(0.1, n)(t))(6.3), known, rtol=1e-4)
    slope = jax.jacobian(lambda b: scheduler(b, 6.3)(t))(0.1)
    np.testing.assert_allclose(slope, known / 0.1, rtol=1e-5, atol=1e-7)


def training(there, epochs, metrics=None):
    """The rates of the epochs of timm's training script: no step before the first of them."""
    rates = []
    for epoch in range(epochs):
        rates.append(there.optimizer.param_groups[0]["lr"])
        there.step(epoch + 1, None if metrics is None else metrics[epoch])
    return rates


def optimizer(base_lr):
    import torch

    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base_lr)


@pytest.mark.parametrize(
    ("scheduler", "args", "first"),
    [
        ("CosineLRScheduler", {"t_initial": 5}, 0.1),
        ("CosineLRScheduler", {"t_initial": 5, "warmup_t": 2, "warmup_lr_init": 0.01}, 0.01),
        ("StepLRScheduler", {"decay_t": 2, "decay_rate": 0.5}, 0.1),
        ("MultiStepLRScheduler", {"decay_t": [1, 3], "decay_rate": 0.5}, 0.05),
        ("TanhLRScheduler", {"t_initial": 5, "lb": -1.0}, 0.1 * (1 - 1 / (1 + math.exp(2)))),
        ("CosineLRScheduler", {"t_initial": 5, "cycle_limit": 0}, 0.0),
        ("WSDLRScheduler", {"t_initial": 5, "decay_t": 2, "lr_min": 0.2}, 0.2),
    ],
)
def test_the_first_step_of_a_training_with_timm(timm, scheduler, args, first):
    """Its script asks for no rate before the first epoch; where that differs is listed."""
    s = getattr(lr_timm, scheduler)(0.1, **args)
    np.testing.assert_allclose(s(0), first, rtol=1e-6)
    there = getattr(timm, scheduler)(optimizer(0.1), **args)
    rates = training(there, 6)
    np.testing.assert_allclose(s(np.arange(1, 6)), rates[1:], rtol=1e-6, atol=1e-9)
    assert rates[0] == (0.01 if "warmup_t" in args else 0.1)


PLATEAUS = {
    "none": {},
    "warm-up": {"warmup_t": 3, "warmup_lr_init": 1e-3},
    "one check": {"warmup_t": 1, "decay_rate": 0.5, "patience_t": 0, "cooldown_t": 1},
    "falls": {"warmup_t": 4, "mode": "min", "lr_min": 0.02, "decay_rate": 0.3},
}
METRICS = [0.9, 0.1, 0.2, 0.3, 0.3, 0.2, 0.3, 0.31, 0.3, 0.3, 0.3, 0.3, 0.3, 0.1, 0.1, 0.1]


def plateau_rates(tx, base_lr):
    state, rates = tx.init(None), []
    for metric in METRICS:
        rates.append(float(base_lr * state.scale))
        _, state = tx.update(None, state, value=metric)
    return rates


@pytest.mark.parametrize("name", PLATEAUS)
def test_a_plateau_behind_a_warm_up_is_that_of_timm(timm, name):
    args = {"decay_rate": 0.1, "patience_t": 1, **PLATEAUS[name]}
    seen = plateau_rates(lr_timm.PlateauLRScheduler(0.1, **args), 0.1)
    with pytest.warns(FutureWarning, match="deprecated"):
        there = timm.PlateauLRScheduler(optimizer(0.1), **args)
    np.testing.assert_allclose(seen, training(there, len(METRICS), METRICS), rtol=1e-5)


def test_the_metrics_of_a_warm_up_are_not_looked_at():
    """The 0.9 in it would otherwise be the best for ever, and the first cut come at once."""
    tx = lr_timm.PlateauLRScheduler(0.1, 0.5, patience_t=2, warmup_t=3, warmup_lr_init=0.01)
    expected = [0.01, 0.04, 0.07, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025]
    np.testing.assert_allclose(plateau_rates(tx, 0.1)[:12], expected, rtol=1e-6)
    observed = tx.init(None)
    for metric in METRICS[:2]:
        observed = observe(observed, metric)
    np.testing.assert_allclose(0.1 * observed.scale, 0.07, rtol=1e-6)


def test_a_plateau_by_name_has_the_warm_up():
    tx, epochs = lr_timm.create_scheduler_v2(
        0.1, "plateau", num_epochs=7, warmup_epochs=2, warmup_lr=0.02, warmup_prefix=True
    )
    assert epochs == 9
    np.testing.assert_allclose(plateau_rates(tx, 0.1)[:3], [0.02, 0.06, 0.1], rtol=1e-6)
    with pytest.raises(ValueError, match="`warmup_t` must be a whole number"):
        lr_timm.create_scheduler_v2(0.1, "plateau", warmup_epochs=1.5)


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
        (lambda: create(base_lr=0.1, sched="cos"), "`sched` must be 'cosine' or 'tanh'"),
        (lambda: create(base_lr=0.1, step_on_epochs=False), "`updates_per_epoch` must be"),
        (lambda: create(base_lr=0.1, num_epochs=0), "`num_epochs` must be a number of steps > 0"),
        (lambda: create(base_lr=0.1, sched="wsd", num_epochs=5, decay_epochs=6), "`decay_epochs`"),
        (lambda: lr_timm.TanhLRScheduler(0.1, 5, lb=3.0), "`lb` must be below `ub`"),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 6), "^WSDLRScheduler: `decay_t` must not exceed"),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 5, stable_fn="rsqrt"), "`stable_timescale` must"),
        (
            lambda: lr_timm.WSDLRScheduler(0.1, 5, 5, decay_fn="sqrt"),
            "^WSDLRScheduler: `decay_fn` must be",
        ),
        (lambda: lr_timm.WSDLRScheduler(0.1, 5, 5, decay_ratio=1.0), "`decay_ratio` must be"),
        (lambda: lr_timm.CosineLRScheduler(0.1, 0), "`t_initial` must be a number of steps > 0"),
    ],
)
def test_errors_name_argument_and_rule(build, message):
    with pytest.raises(ValueError, match=message):
        build()
