"""PyTorch's schedulers, by its own figures: see reference_values/make_torch.py."""

import math
from functools import partial
from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference_values import make_torch
from reference_values.agreement import assert_agrees, read

from lr_optax import parse
from lr_optax.compat import torch as lr_torch

FIGURES = read("torch")


def sequential(base_lr, parts, milestones):
    children = [getattr(lr_torch, name)(base_lr, **args) for name, args in parts]
    return lr_torch.SequentialLR(children, milestones)


def chained(base_lr, parts):
    bases = [base_lr, *[1.0] * (len(parts) - 1)]
    children = [
        getattr(lr_torch, name)(base, **args)
        for base, (name, args) in zip(bases, parts, strict=True)
    ]
    return lr_torch.ChainedScheduler(children)


def maker(name):
    composed = {"SequentialLR": sequential, "ChainedScheduler": chained}
    return composed.get(name) or getattr(lr_torch, name)


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    assert_agrees(maker(name), FIGURES[name])


def test_live_over_other_arguments():
    pytest.importorskip("torch", reason="torch is not installed; its figures are compared above")
    for name, group in make_torch.cases(seed=1, sets=4).items():
        assert_agrees(maker(name), group)


VECTORS = {
    "constant": (lr_torch.ConstantLR(1.0, 0.5, 3), ".5 .5 .5 1 1"),
    "linear": (lr_torch.LinearLR(1.0, 0.5, 1.0, 4), ".5 .625 .75 .875 1 1"),
    "polynomial": (lr_torch.PolynomialLR(1.0, 4, 2.0), "1 .5625 .25 .0625 0 0"),
    "cosine": (
        lr_torch.CosineAnnealingLR(1.0, 4, 0.1),
        "1 .868198 .55 .231802 .1 .231802 .55 .868198 1 .868198",
    ),
    "restarts": (
        lr_torch.CosineAnnealingWarmRestarts(1.0, 2, 2, 0.1),
        "1 .55 1 .868198 .55 .231802 1 .965746",
    ),
    "one cycle": (
        lr_torch.OneCycleLR(1.0, 10),
        ".04 .52 1 .950485 .811746 .611262 .388742 .188258 .049519 4e-6",
    ),
    "one cycle, linear": (
        lr_torch.OneCycleLR(1.0, 10, anneal_strategy="linear"),
        ".04 .52 1 .857143 .714287 .57143 .428574 .285717 .142861 4e-6",
    ),
    "one cycle, three phases": (
        lr_torch.OneCycleLR(1.0, 10, three_phase=True),
        ".04 .52 1 .52 .04 .036181 .026182 .013822 .003823 4e-6",
    ),
    "triangular": (lr_torch.CyclicLR(0.1, 1.0, 2), ".1 .55 1 .55 .1"),
    "triangular2": (
        lr_torch.CyclicLR(0.1, 1.0, 2, 4, "triangular2"),
        ".1 .55 1 .775 .55 .325 .1 .325 .55 .4375 .325 .2125 .1",
    ),
    "exp_range": (
        lr_torch.CyclicLR(0.1, 1.0, 2, mode="exp_range", gamma=0.9),
        ".1 .505 .829 .42805 .1 .365721 .578297 .315234 .1",
    ),
    "swa, linear": (lr_torch.SWALR(1.0, 0.1, 4, "linear"), "1 .775 .55 .325 .1 .1"),
    "swa, cosine": (lr_torch.SWALR(1.0, 0.1, 4), "1 .868198 .55 .231802 .1"),
    "sequential": (
        lr_torch.SequentialLR(
            [lr_torch.LinearLR(1.0, 0.25, 1.0, 3), lr_torch.CosineAnnealingLR(1.0, 4)], [3]
        ),
        ".25 .5 .75 1 .853553 .5 .146447 0 .146447 .5",
    ),
    "chained": (
        lr_torch.ChainedScheduler(
            [lr_torch.ConstantLR(1.0, 0.1, 2), lr_torch.ExponentialLR(1.0, 0.5)]
        ),
        ".1 .05 .25 .125 .0625",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name):
    s, text = VECTORS[name]
    expected = [float(number) for number in text.split()]
    np.testing.assert_allclose(s(np.arange(len(expected))), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_holds_its_last_rate(strategy, three_phase):
    s = lr_torch.OneCycleLR(1.0, 10, anneal_strategy=strategy, three_phase=three_phase)
    np.testing.assert_array_equal(s(np.array([9, 10, 11, 10**6])), np.float32(4e-6))


def test_one_cycle_with_a_rise_of_one_step():
    s = lr_torch.OneCycleLR(1.0, 10, pct_start=0.1)
    assert s(0) == 1
    assert np.all(np.diff(s(np.arange(10))) < 0)


def test_one_cycle_that_only_rises_or_only_falls():
    rise = lr_torch.OneCycleLR(1.0, 10, pct_start=1.0, anneal_strategy="linear")
    np.testing.assert_allclose(rise(np.arange(11)), [*np.linspace(0.04, 1, 10), 1], rtol=1e-6)
    fall = lr_torch.OneCycleLR(1.0, 10, pct_start=0.0, anneal_strategy="linear")
    np.testing.assert_allclose(fall(np.arange(-1, 10))[1:], np.linspace(1, 4e-6, 11)[1:], rtol=1e-6)


def test_one_cycle_length_in_epochs():
    s = lr_torch.OneCycleLR(1.0, epochs=2, steps_per_epoch=5)
    np.testing.assert_array_equal(s(np.arange(12)), lr_torch.OneCycleLR(1.0, 10)(np.arange(12)))
    with pytest.raises(ValueError, match="`total_steps`, or both"):
        lr_torch.OneCycleLR(1.0, epochs=2)


def test_one_cycle_of_very_many_steps():
    total, pct = 10**8, 0.123456789
    s = lr_torch.OneCycleLR(1.0, total, pct_start=pct, anneal_strategy="linear")
    for step in (10**3, int(pct * total) - 10, int(pct * total) + 10, total - 1000, total - 2):
        peak_at, last = pct * total - 1, total - 1
        rise, fall = step / peak_at, (last - step) / (last - peak_at)
        exact = 0.04 + 0.96 * rise if step < peak_at else 4e-6 + (1 - 4e-6) * fall
        np.testing.assert_allclose(s(step), exact, rtol=1e-6)


def test_no_length_is_over_at_once():
    steps = np.arange(4)
    np.testing.assert_array_equal(lr_torch.LinearLR(1.0, total_iters=0)(steps), 1)
    np.testing.assert_array_equal(lr_torch.ConstantLR(1.0, total_iters=0)(steps), 1)
    np.testing.assert_array_equal(lr_torch.PolynomialLR(1.0, total_iters=0)(steps), 0)
    np.testing.assert_array_equal(lr_torch.SWALR(1.0, 0.5, 0)(steps), 0.5)


def test_constant_from_nothing():
    np.testing.assert_array_equal(lr_torch.ConstantLR(1.0, 0.0, 2)(np.arange(4)), [0, 0, 1, 1])


def test_warm_restart_where_torch_is_told_the_epoch():
    s = lr_torch.CosineAnnealingWarmRestarts(1.0, T_0=10, T_mult=3)
    assert s(10 * (3**5 - 1) // 2) == 1


def test_sequential_goes_on_where_the_last_one_ended():
    stages = [lr_torch.ExponentialLR(1.0, 0.5), lr_torch.StepLR(0.25, 2, 0.5)]
    s = lr_torch.SequentialLR(stages, [2])
    np.testing.assert_array_equal(s(np.arange(5)), [1, 0.5, 0.25, 0.25, 0.125])


def test_lambda():
    s = lr_torch.LambdaLR(0.1, lambda step: jnp.exp2(-step.astype(float)))
    np.testing.assert_allclose(s(np.arange(9)), 0.1 * 0.5 ** np.arange(9), rtol=1e-6)


def test_multiplicative():
    s = lr_torch.MultiplicativeLR(0.1, lambda t: 0.5 if t % 2 else 0.9, total_steps=6)
    factors = np.cumprod([0.1, 0.5, 0.9, 0.5, 0.9, 0.5])
    np.testing.assert_allclose(s(np.arange(6)), factors, rtol=1e-6)
    assert s(100) == s(5)


@pytest.mark.parametrize("mode", ["cycle", "iterations"])
def test_cyclic_with_a_scale_of_its_own(mode):
    def scale(x):
        return 1 / (1 + x)

    s = lr_torch.CyclicLR(0.1, 1.0, 2, 3, scale_fn=scale, scale_mode=mode)
    for t in range(25):
        index, position = divmod(t, 5)
        height = position / 2 if position <= 2 else (5 - position) / 3
        at = index + 1 if mode == "cycle" else t
        np.testing.assert_allclose(s(t), 0.1 + 0.9 * height * scale(at), rtol=1e-6)


@pytest.mark.parametrize(("floor", "cuts"), [(0.0, [1, 1, 0.1, 0.01]), (0.05, [1, 1, 0.5, 0.5])])
def test_plateau_floor_is_a_rate(floor, cuts):
    tx = lr_torch.ReduceLROnPlateau(0.1, patience=0, min_lr=floor)
    assert isinstance(tx, optax.GradientTransformationExtraArgs)
    state, scales = tx.init(None), [1.0]
    for _ in range(3):
        _, state = tx.update(None, state, value=1.0)
        scales.append(float(state.scale))
    np.testing.assert_allclose(scales, cuts, rtol=1e-6)


def test_plateau_with_a_negative_metric_that_stands_still():
    tx = lr_torch.ReduceLROnPlateau(0.1, patience=1)
    state = tx.init(None)
    for _ in range(3):  # torch takes the second and the third for improvements
        _, state = tx.update(None, state, value=-1.0)
    np.testing.assert_allclose(state.scale, 0.1)


def test_warm_up_from_nothing():
    np.testing.assert_allclose(lr_torch.LinearLR(1.0, 0.0, 1.0, 4)(np.arange(3)), [0, 0.25, 0.5])


def test_warm_restarts_refuse_a_floor_above_the_rate():
    with pytest.raises(ValueError, match="`eta_min` must not exceed `base_lr`"):
        lr_torch.CosineAnnealingWarmRestarts(0.1, 10, eta_min=0.2)


def test_plateau_ignores_cuts_below_eps_and_floors_above_the_rate():
    for settings in ({"eps": 0.095}, {"min_lr": 0.3}):
        tx = lr_torch.ReduceLROnPlateau(0.1, patience=0, **settings)
        state = tx.init(None)
        for _ in range(3):
            _, state = tx.update(None, state, value=1.0)
        assert state.scale == 1


@pytest.mark.parametrize("half_period", [7, 7.3, 1 / 3, 12345.678, 3e9])
@pytest.mark.parametrize("known", [True, False], ids=["constant", "array"])
def test_cosine_wave_against_its_formula(half_period, known):
    s = parse(f"compat.cosine_wave(0.1, half_period={half_period}, end_value=0.02)")
    top = 2**31 if known else 500
    steps = np.unique(np.concatenate([np.arange(60), np.geomspace(60, top - 1, 300).astype(int)]))
    steps = steps[steps < top]
    turns = [math.fmod(t, 2 * half_period) / half_period for t in steps.tolist()]
    expected = 0.02 + 0.08 * np.cos(np.array(turns) * math.pi / 2) ** 2
    s = s if known else jax.tree.map(jnp.asarray, s)
    np.testing.assert_allclose(s(steps), expected, rtol=2e-6 if known else 1e-4)


def test_without_gamma_the_range_of_a_cycle_is_kept():
    steps = np.arange(20)
    for make in (lr_torch.torch_cyclic_momentum, partial(lr_torch.CyclicLR, 0.1, 1.0)):
        kept, same = (
            make(step_size_up=4, mode=mode)(steps) for mode in ("exp_range", "triangular")
        )
        np.testing.assert_allclose(kept, same, rtol=1e-6)


@pytest.mark.parametrize("half_period", [7, 7.3])
@pytest.mark.parametrize("ahead", [1, 0.25, 1e6 + 0.5])
def test_cosine_wave_that_began_before_step_0(half_period, ahead):
    s = parse(f"compat.cosine_wave(0.1, half_period={half_period}, ahead={ahead})")
    turns = [math.fmod(t + ahead, 2 * half_period) / half_period for t in range(30)]
    expected = 0.1 * np.cos(np.array(turns) * math.pi / 2) ** 2
    np.testing.assert_allclose(s(np.arange(30)), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR", "CyclicLR", "ReduceLROnPlateau"])
def test_errors_name_the_library_s_argument(name):
    with pytest.raises(ValueError, match=rf"{name}: `.*_?lr` must be a finite number"):
        getattr(lr_torch, name)(*[-1.0] * (1 + (name == "CyclicLR")), *[1] * (name == "StepLR"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lr_torch.SequentialLR([f, f], []), "SequentialLR: `milestones` must be one fewer"),
        (lambda: lr_torch.CyclicLR(0.2, 0.1), "CyclicLR: `base_lr` must not exceed `max_lr`"),
        (lambda: lr_torch.MultiStepLR(0.1, [80, 30]), "`milestones` must be in ascending order"),
        (lambda: lr_torch.StepLR(0.1, 3, gamma=0.0), "StepLR: `gamma` must be a finite number > 0"),
        (lambda: lr_torch.StepLR([0.1, 0.2], 3), "StepLR: `base_lr` must be a finite number"),
        (lambda: lr_torch.LambdaLR(0.1, [f, f]), "LambdaLR: `lr_lambda` must be a schedule or a"),
    ],
)
def test_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def f(step):
    return 1.0


FRACTIONS = [
    ("StepLR", {"step_size": 2.5, "gamma": 0.5}),  # drops every 5 steps
    ("StepLR", {"step_size": 2.3, "gamma": 0.5}),  # never
    ("ConstantLR", {"factor": 0.5, "total_iters": 2.5}),
    ("LinearLR", {"start_factor": 0.25, "total_iters": 2.5}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 0.5}),
    ("PolynomialLR", {"total_iters": 2.5, "power": 2.0}),
    ("PolynomialLR", {"total_iters": 9.25, "power": 0.7}),
    ("CosineAnnealingLR", {"T_max": 2.5, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 0.7}),
    ("CyclicLR", {"max_lr": 3.0, "step_size_up": 2.5}),
    (
        "CyclicLR",
        {"max_lr": 3.0, "step_size_up": 2.5, "step_size_down": 3.75, "mode": "triangular2"},
    ),
    (
        "CyclicLR",
        {
            "max_lr": 3.0,
            "step_size_up": 2.3,
            "step_size_down": 0.4,
            "mode": "exp_range",
            "gamma": 0.97,
        },
    ),
    ("CyclicLR", {"max_lr": 3.0, "step_size_up": 2.5, "scale_fn": lambda x: 1 / (1.0 + x)}),
]


@pytest.mark.parametrize(("name", "args"), FRACTIONS)
def test_fractions_of_a_step_have_torch_s_values(name, args):
    torch = pytest.importorskip("torch", reason="compares with torch itself")
    theirs = {"base_lr": 1.0, **args} if name == "CyclicLR" else args
    make = getattr(torch.optim.lr_scheduler, name)
    steps = range(40)
    expected = make_torch.rates(lambda optimizer: make(optimizer, **theirs), steps)(1.0)
    s = getattr(lr_torch, name)(1.0, **args)
    np.testing.assert_allclose(s(np.arange(40)), expected, rtol=1e-6, atol=1e-6)
    if "scale_fn" not in args:
        assert parse(repr(s)) == s


def test_fractions_in_a_plateau_count_as_in_torch():
    torch = pytest.importorskip("torch", reason="compares with torch itself")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    settings = {"factor": 0.5, "patience": 1.5, "cooldown": 2.5}
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
    tx = lr_torch.ReduceLROnPlateau(1.0, **settings)
    state = tx.init(None)
    for _ in range(20):
        _, state = tx.update(None, state, value=1.0)
        theirs.step(1.0)
        assert state.scale == optimizer.param_groups[0]["lr"]
    assert state.scale < 0.2


def test_milestones_between_steps_are_refused():
    for call in (
        lambda: lr_torch.MultiStepLR(0.1, [2.5]),
        lambda: lr_torch.SequentialLR([f, f], [2.5]),
    ):
        with pytest.raises(ValueError, match=r"`milestones` must be a whole number of steps"):
            call()


def test_sequential_inside_chained_multiplies():
    """torch's sets the rate anew at the milestone, as the module says: the decay begins there."""
    torch = pytest.importorskip("torch", reason="shows a difference to torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    lib = torch.optim.lr_scheduler
    parts = lib.LinearLR(optimizer, 0.25, total_iters=3), lib.StepLR(optimizer, 4, 0.1)
    stages = lib.SequentialLR(optimizer, [*parts], [3])
    theirs, rates = lib.ChainedScheduler([stages, lib.ExponentialLR(optimizer, 0.5)]), []
    for _ in range(6):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    ours = lr_torch.SequentialLR(
        [lr_torch.LinearLR(1.0, 0.25, total_iters=3), lr_torch.StepLR(1.0, 4, 0.1)], [3]
    )
    s = lr_torch.ChainedScheduler([ours, lr_torch.ExponentialLR(1.0, 0.5)])
    product = [0.25, 0.5 * 0.5, 0.75 * 0.25, 0.125, 0.0625, 0.03125]
    np.testing.assert_allclose(s(np.arange(6)), product, rtol=1e-6)
    np.testing.assert_allclose(rates[:3], product[:3], rtol=1e-6)
    np.testing.assert_allclose(rates[3:], [0.5, 0.25, 0.125], rtol=1e-6)


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="did you mean 'gamma'"):
        lr_torch.StepLR(0.1, step_size=3, gama=0.5)
    assert "last_epoch" not in signature(lr_torch.StepLR).parameters


@pytest.mark.parametrize(
    "args",
    [
        {"step_size_up": 5},
        {"step_size_up": 4, "step_size_down": 7, "mode": "triangular2"},
        {"step_size_up": 3, "mode": "exp_range", "gamma": 0.9, "base_momentum": 0.7},
        {"step_size_up": 3, "scale_fn": lambda x: 1 / (1 + x), "max_momentum": 0.95},
    ],
)
def test_the_momentum_beside_a_cyclic_rate(args):
    torch = pytest.importorskip(
        "torch", reason="torch is not installed; its rate is compared above"
    )
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    there = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, **args)
    expected = []
    for _ in range(40):
        expected.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        there.step()
    momentum = lr_torch.torch_cyclic_momentum(**args)
    np.testing.assert_allclose(momentum(np.arange(40)), expected, rtol=1e-6)
