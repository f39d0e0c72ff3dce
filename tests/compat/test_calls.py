"""Other libraries' calls make ordinary schedules: traced arguments, text, one face for users."""

import jax
import numpy as np
import pytest

from lr_optax import Schedule, parse, stretch
from lr_optax.compat import keras, timm, torch
from lr_optax.compat.transformers import get_scheduler

# A base rate, a length and a share to each; every length is at least 4.
CALLS = {
    "StepLR": lambda b, n, f: torch.StepLR(b, n, f),
    "MultiStepLR": lambda b, n, f: torch.MultiStepLR(b, (n, 2 * n), f),
    "ConstantLR": lambda b, n, f: torch.ConstantLR(b, f, n),
    "LinearLR": lambda b, n, f: torch.LinearLR(b, f, 1.0, n),
    "ExponentialLR": lambda b, n, f: torch.ExponentialLR(b, f),
    "PolynomialLR": lambda b, n, f: torch.PolynomialLR(b, n, f),
    "CosineAnnealingLR": lambda b, n, f: torch.CosineAnnealingLR(b, n, b * f),
    "CosineAnnealingWarmRestarts": lambda b, n, f: torch.CosineAnnealingWarmRestarts(b, n, 2),
    "CyclicLR": lambda b, n, f: torch.CyclicLR(b * f, b, n, mode="triangular2"),
    "OneCycleLR": lambda b, n, f: torch.OneCycleLR(b, 6 * n, pct_start=f),
    "SWALR": lambda b, n, f: torch.SWALR(b, b * f, n),
    "ExponentialDecay": lambda b, n, f: keras.ExponentialDecay(b, n, f, staircase=True),
    "InverseTimeDecay": lambda b, n, f: keras.InverseTimeDecay(b, n, f),
    "PiecewiseConstantDecay": lambda b, n, f: keras.PiecewiseConstantDecay((n,), (b, b * f)),
    "PolynomialDecay": lambda b, n, f: keras.PolynomialDecay(b, n, power=f, cycle=True),
    "CosineDecay": lambda b, n, f: keras.CosineDecay(0.0, n, f, b, n),
    "CosineDecayRestarts": lambda b, n, f: keras.CosineDecayRestarts(b, n, m_mul=f, alpha=f),
    "CosineLRScheduler": lambda b, n, f: timm.CosineLRScheduler(
        b, n, b * f, 2.0, f, 2, n, warmup_prefix=True, k_decay=f
    ),
    "PolyLRScheduler": lambda b, n, f: timm.PolyLRScheduler(b, n, f, warmup_t=4),
    "TanhLRScheduler": lambda b, n, f: timm.TanhLRScheduler(b, 2 * n, warmup_t=n),
    "StepLRScheduler": lambda b, n, f: timm.StepLRScheduler(b, n, f, n),
    "MultiStepLRScheduler": lambda b, n, f: timm.MultiStepLRScheduler(b, [n, 2 * n], f, n),
    "WSDLRScheduler": lambda b, n, f: timm.WSDLRScheduler(
        b, 3 * n, n, b * f, "rsqrt", decay_fn="exp", decay_ratio=f, warmup_t=n
    ),
    **{
        name: lambda b, n, f, name=name: get_scheduler(name, b, n, 5 * n)
        for name in ("linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt")
    },
    "cosine_with_min_lr": lambda b, n, f: get_scheduler(
        "cosine_with_min_lr", b, n, 5 * n, {"min_lr_rate": f}
    ),
    "cosine_warmup_with_min_lr": lambda b, n, f: get_scheduler(
        "cosine_warmup_with_min_lr", b, n, 5 * n, {"min_lr": b * f, "num_cycles": f}
    ),
    "warmup_stable_decay": lambda b, n, f: get_scheduler(
        "warmup_stable_decay", b, n, 5 * n, {"num_decay_steps": n, "min_lr_ratio": f}
    ),
}
NUMBERS = (0.1, 6, 0.25)
STEPS = np.arange(40)


def test_arguments_may_be_traced():
    traced = jax.jit(lambda *numbers: {n: f(*numbers)(STEPS) for n, f in CALLS.items()})(*NUMBERS)
    for name, make in CALLS.items():
        known = make(*NUMBERS)(STEPS)
        np.testing.assert_allclose(traced[name], known, rtol=2e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("name", CALLS)
def test_it_is_an_ordinary_schedule(name):
    s = CALLS[name](*NUMBERS)
    assert isinstance(s, Schedule)
    assert parse(repr(s)) == s
    rates = s(STEPS)
    assert np.isfinite(rates).all()
    assert (rates >= 0).all()
    assert s(-3) == s(0)


STRETCHED = {
    "StepLRScheduler": timm.StepLRScheduler(0.1, 2.5, 0.5, 1.5),
    "MultiStepLRScheduler": timm.MultiStepLRScheduler(0.1, (4, 8.5), 0.5, 3),
    "PolyLRScheduler": timm.PolyLRScheduler(0.1, 10, warmup_t=4, warmup_prefix=True),
    "CyclicLR": torch.CyclicLR(0.1, 0.2, 2.5, 4),
    "inverse_sqrt": get_scheduler("inverse_sqrt", 0.1, 4),
}


@pytest.mark.parametrize("name", STRETCHED)
def test_lengths_are_stretched_between_steps_too(name):
    s = STRETCHED[name]
    slow = stretch(s, 2)
    for field, value in s.hyperparameters.items():
        lengths = ("_t", "t_initial", "step_size", "num_warmup_steps")
        if isinstance(value, float | int) and any(length in field for length in lengths):
            assert slow.hyperparameters[field] == 2 * value, field
    assert stretch(slow, 0.5) == s
    if name != "MultiStepLRScheduler":  # its drops come one step early, however long it is
        np.testing.assert_allclose(slow(2 * STEPS), s(STEPS), rtol=1e-6, atol=1e-9)
