"""Transformers' schedules, by its own figures: see reference_values/make_transformers.py."""

import jax
import numpy as np
import optax
import pytest
from reference_values import make_transformers
from reference_values.agreement import assert_agrees, read

from lr_optax import parse
from lr_optax.compat import transformers as lr_transformers
from lr_optax.compat.transformers import get_scheduler

FIGURES = read("transformers")


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    assert_agrees(get_scheduler, FIGURES[name])


@pytest.mark.filterwarnings("ignore:Both num_training_steps and num_stable_steps are specified")
def test_live_over_other_arguments():
    reason = "transformers and torch are not installed; their figures are compared above"
    pytest.importorskip("torch", reason=reason)
    pytest.importorskip("transformers", reason=reason)
    for group in make_transformers.cases(seed=1, sets=4).values():
        assert_agrees(get_scheduler, group)


STAGES = {"num_decay_steps": 4.5, "min_lr_ratio": 0.1}
FRACTIONS = [
    ("linear", {}),
    ("cosine", {"num_cycles": 0.7}),
    ("cosine_with_restarts", {"num_cycles": 2.5}),
    ("polynomial", {"lr_end": 0.01, "power": 1.7}),
    ("constant_with_warmup", {}),
    ("inverse_sqrt", {}),
    ("inverse_sqrt", {"timescale": 0.5}),
    ("cosine_with_min_lr", {"min_lr": 0.1}),
    ("cosine_warmup_with_min_lr", {"min_lr": 0.1}),
    ("cosine_warmup_with_min_lr", {"min_lr": 0.1, "warmup_lr_rate": 0.2}),
    ("warmup_stable_decay", {**STAGES, "warmup_type": "cosine", "decay_type": "linear"}),
    ("warmup_stable_decay", {**STAGES, "warmup_type": "1-sqrt", "decay_type": "1-sqrt"}),
    ("warmup_stable_decay", {**STAGES, "num_decay_steps": 0.5, "num_stable_steps": 2.5}),
]


@pytest.mark.filterwarnings("ignore:Both num_training_steps and num_stable_steps are specified")
@pytest.mark.parametrize(("name", "more"), FRACTIONS)
def test_fractions_of_a_step_have_its_values(name, more):
    reason = "compares with transformers and torch themselves"
    torch = pytest.importorskip("torch", reason=reason)
    library = pytest.importorskip("transformers", reason=reason)
    for warm, whole in [(0.5, 20), (1.5, 21.5), (0, 9.25), (2.25, 7.5), (6.1, 40), (1.5, 2.0)]:
        if name == "warmup_stable_decay" and whole < warm + 4.5:
            continue
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        theirs = library.get_scheduler(name, optimizer, warm, whole, more).lr_lambdas[0]
        s = get_scheduler(name, 1.0, warm, whole, more)
        expected = [theirs(step) for step in range(60)]
        np.testing.assert_allclose(s(np.arange(60)), expected, rtol=2e-6, atol=1e-6)
        assert parse(repr(s)) == s


def test_cosine_rises_again():
    s = get_scheduler("cosine", 1.0, 2, 10)
    np.testing.assert_allclose(s(np.array([2, 6, 10, 14, 18])), [1, 0.5, 0, 0.5, 1], atol=1e-7)


def test_restarts_begin_on_time():
    for length, cycles in [(49, 49), (98, 49), (100, 7), (30, 7), (10**9, 1000)]:
        s = get_scheduler("cosine_with_restarts", 1.0, 0, length, {"num_cycles": cycles})
        starts = [k * length // cycles for k in range(cycles) if k * length % cycles == 0]
        np.testing.assert_array_equal(s(np.array(starts)), 1)  # there: 0 at step 8 of the first
        assert s(length) == 0


def test_restarts_may_be_traced():
    s = get_scheduler("cosine_with_restarts", 1.0, 0, 30, {"num_cycles": 3})
    steps = np.arange(31)
    traced = jax.jit(lambda cycles: s.replace(num_cycles=cycles)(steps))(3)
    np.testing.assert_allclose(traced, s(steps), rtol=1e-5, atol=1e-7)


def test_restarts_in_a_very_long_run():
    length, cycles = 10**9 + 7, 13
    s = get_scheduler("cosine_with_restarts", 1.0, 0, length, {"num_cycles": cycles})
    steps = np.array([1, length // 13, length // 13 + 1, 5 * length // 13 + 1, length - 1])
    exact = [np.cos(np.pi / 2 * (t * cycles % length) / length) ** 2 for t in steps.tolist()]
    np.testing.assert_allclose(s(steps), exact, rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize(("warm", "whole"), [(10, 10), (12, 10), (0, 0)])
@pytest.mark.parametrize("name", ["linear", "polynomial"])
def test_all_warm_up(name, warm, whole):
    s = get_scheduler(name, 1.0, warm, whole)
    end = 1e-7 if name == "polynomial" else 0
    rise = [t / warm for t in range(warm)]
    np.testing.assert_allclose(s(np.arange(warm + 3)), [*rise, end, end, end], rtol=1e-6)


def test_plateau_is_a_transform():
    tx = get_scheduler("reduce_lr_on_plateau", 0.1, scheduler_specific_kwargs={"patience": 2})
    assert isinstance(tx, optax.GradientTransformationExtraArgs)


@pytest.mark.parametrize(("losses", "rate"), [([1.0] * 40, 0.02), (range(40, 0, -1), 0.9)])
def test_greedy_stays_between_its_rates(losses, rate):
    settings = {"factor": 0.5, "patience": 0, "min_lr": 0.02, "max_lr": 0.9}
    tx = get_scheduler("greedy", 0.1, scheduler_specific_kwargs=settings)
    state = tx.init(None)
    for loss in losses:
        _, state = tx.update(None, state, value=float(loss))
    np.testing.assert_allclose(0.1 * state.scale, rate, rtol=1e-6)


def test_phases_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"`num_training_steps` must be .* 10 < 5 \+ 6"):
        get_scheduler("warmup_stable_decay", 0.1, 5, 10, {"num_decay_steps": 6})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("cosin", 0.1), "`name` must be one of linear, cosine"),
        (("linear", 0.1, None, 10), "'linear' requires `num_warmup_steps`"),
        (("linear", 0.1, 10), "'linear' requires `num_training_steps`"),
        (("cosine_with_min_lr", 0.1, 1, 10), "exactly one of `min_lr` and `min_lr_rate`"),
        (("polynomial", 1e-8, 1, 10), "`lr_end` must be below `base_lr`"),
        (("warmup_stable_decay", 0.1, 1, None, {"num_decay_steps": 2}), "must be given"),
        (("constant_with_warmup", -0.1, 1), "`base_lr` must be a finite number >= 0"),
    ],
)
def test_errors(args, message):
    with pytest.raises(ValueError, match=message):
        get_scheduler(*args)


def test_every_getter_is_public():
    assert {n for n in dir(lr_transformers) if n.startswith("get_")} == {
        "get_constant_schedule",
        "get_constant_schedule_with_warmup",
        "get_cosine_schedule_with_warmup",
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        "get_cosine_with_min_lr_schedule_with_warmup",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        "get_greedy_schedule",
        "get_inverse_sqrt_schedule",
        "get_linear_schedule_with_warmup",
        "get_polynomial_decay_schedule_with_warmup",
        "get_reduce_on_plateau_schedule",
        "get_scheduler",
        "get_wsd_schedule",
    }
