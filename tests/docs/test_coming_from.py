"""Every row of docs/coming_from.md gives the values of the library it names."""

import importlib
import json
import random
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference_values import make_signatures

import lr_optax
import lr_optax.compat

PAGE = (Path(__file__).parents[2] / "docs/coming_from.md").read_text()
THEIRS = json.loads(make_signatures.FILE.read_text())


def section(title):
    """The text of one section."""
    return re.split(r"^## ", PAGE.split(f"## {title}", 1)[1], flags=re.MULTILINE)[0]


def rows(title):
    """The cells of a section's tables, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if set(row[0]) != {"-"}][1:]


def code(cell):
    """The first piece of code in a cell."""
    return re.search(r"`([^`]+)`", cell).group(1)


def calls(row):
    """Whether a row has a native call, and not a name alone."""
    return len(row) > 2 and "(" in code(row[2])


NAMES = {name: getattr(lr_optax, name) for name in lr_optax.__all__}
GIVEN = {
    "a": lr_optax.linear(0.1, end_value=0.02, transition_steps=20),
    "b": lr_optax.step_decay(0.1, decay_rate=0.5, decay_steps=7),
    "f": lambda step: 1 / (1 + jnp.asarray(step, float)),
    "s": lr_optax.constant(0.1),
    "cycle": {"init_value": 0.1, "peak_value": 0.1, "warmup_steps": 0, "decay_steps": 50},
    "optax": optax,
    "contrib": optax.contrib,
}
STEPS = np.arange(2600)
COMPARED = [
    *(("torch", code(row[1]), row[2]) for row in rows("PyTorch")),
    *(("keras", code(row[1]), row[2]) for row in rows("Keras") if calls(row)),
    *(("transformers", code(row[1]), row[2]) for row in rows("Transformers")),
    *(("timm", code(row[1]), row[2]) for row in rows("timm") if calls(row)),
    *(("deepspeed", code(row[1]), row[2]) for row in rows("DeepSpeed") if calls(row)),
    *(("optax", code(row[0]), row[1]) for row in rows("Optax")),
]


@pytest.mark.parametrize(("library", "exact", "native"), COMPARED, ids=[c[1] for c in COMPARED])
def test_row(library, exact, native):
    compat = vars(importlib.import_module(f"lr_optax.compat.{library}"))
    theirs = eval(exact, {**vars(optax), **compat, **GIVEN})
    ours = eval(code(native), {**NAMES, **GIVEN})
    if isinstance(ours, optax.GradientTransformation):
        np.testing.assert_allclose(scales(ours, exact), scales(theirs, exact), rtol=1e-4)
        return
    # All rows look at the same steps, so that each operation compiles once.
    rates, expected = ours(STEPS), theirs(STEPS)
    last = re.search(r"the same up to step (\d+)", native)
    end = int(last.group(1)) + 1 if last else len(STEPS)
    np.testing.assert_allclose(rates[:end], expected[:end], rtol=2e-6, atol=1e-9)
    if last:
        assert not np.allclose(rates[end + 9], expected[end + 9]), "the same forever"


@jax.numpy_dtype_promotion("standard")
def scales(tx, exact):
    """The updates of a transform, given a metric that falls, stays and jumps, or none."""
    rng, params = random.Random(0), {"w": jnp.ones(2)}
    state, scaled, update = tx.init(params), [], jax.jit(tx.update)
    for i in range(200):
        value = jnp.float32(max(1.0, 3 - i / 20) + (rng.random() if i % 50 > 40 else 0.0))
        extra = {} if "inject" in exact else {"value": value}
        updates, state = update({"w": jnp.ones(2)}, state, params, **extra)
        scaled.append(float(updates["w"][0]))
    assert "inject" in exact or len(set(scaled)) > 2
    return scaled


TITLES = {
    "torch": "PyTorch",
    "keras": "Keras",
    "transformers": "Transformers",
    "timm": "timm",
    "optax": "Optax",
    "fastai": "fastai",
}


@pytest.mark.parametrize("library", THEIRS)
def test_every_public_scheduler_is_in_compat_or_listed_as_not_provided(library):
    absent = {
        name
        for row in rows("Not provided, and why")
        if row[0] == TITLES[library]
        for name in re.findall(r"`(\w+)`", row[1])
    }
    module = getattr(lr_optax.compat, library, None)
    home = f"lr_optax.compat.{library}"
    present = {
        name
        for name in THEIRS[library]["calls"]
        if getattr(getattr(module, name, None), "__module__", "").startswith(home)
    }
    assert absent | present == THEIRS[library]["calls"].keys()
    assert absent & present == set()


def cosine(x):
    return (1 + np.cos(np.pi * np.clip(x, 0, 1))) / 2


def falls(t, *milestones):
    return 0.1 ** np.searchsorted(milestones, t, side="right")


def one_cycle(t, first, peak, last, rise, end):
    """Half a cosine up and one down, between the times of three values."""
    up = peak + (first - peak) * cosine(t / rise)
    down = last + (peak - last) * cosine((t - rise) / (end - rise))
    return np.where(t <= rise, up, down)


# The libraries' own formulas, by the beginning of a row. MXNet counts updates from 1.
FORMULAS = {
    "fastai `fit_one_cycle": lambda t: one_cycle(t, 0.1 / 25, 0.1, 0.1 / 1e5, 25, 100),
    "its momentum": lambda t: one_cycle(t, 0.95, 0.85, 0.95, 25, 100),
    "fastai `fit_flat_cos": lambda t: 1e-6 + (0.1 - 1e-6) * cosine((t - 75) / 25),
    "fastai `fit_sgdr": lambda t: (0.1 * np.where(t < 10, cosine(t / 10), cosine((t - 10) / 20)))[
        t < 30
    ],
    "Paddle `Noam": lambda t: 100**-0.5 * np.minimum(np.maximum(t, 1e-9) ** -0.5, 4**-1.5 * t),
    "Paddle `NaturalExp": lambda t: 0.5 * np.exp(-0.1 * t),
    "Paddle `InverseTime": lambda t: 0.5 / (1 + 0.1 * t),
    "Paddle `Piecewise": lambda t: np.select([t < 30, t < 60], [0.1, 0.02], 0.01),
    "Paddle `Polynomial": lambda t: (
        1e-4 + (0.1 - 1e-4) * (1 - t / (40 * np.maximum(np.ceil(t / 40), 1)))
    ),
    "Paddle `LinearWarmup": lambda t: np.where(t < 20, 0.1 * t / 20, 0.1 * 0.1 ** ((t - 20) // 30)),
    "Paddle `CosineAnnealing": lambda t: 0.1 * (1 + np.cos(np.pi * t / 50)) / 2,
    "Paddle `OneCycle": lambda t: one_cycle(t, 1 / 20, 1.0, 1e-4, 29, 99),
    "Composer `Linear": lambda t: 0.1 * (1 + (0.1 - 1) * np.minimum(t / 50, 1)),
    "Composer `Exponential": lambda t: 0.1 * 0.9 ** (t / 10),
    "Composer `CosineAnnealingWarmRestarts": lambda t: (
        0.1
        * (
            0.1
            + 0.9
            * np.select(
                [t < 10, t < 30, t < 70, t < 150],
                [
                    cosine(t / 10),
                    cosine((t - 10) / 20),
                    cosine((t - 30) / 40),
                    cosine((t - 70) / 80),
                ],
            )
        )[t < 150]
    ),
    "Composer `CosineAnnealingWithWarmup": lambda t: (
        0.1 * np.where(t < 10, t / 10, 0.1 + 0.9 * cosine((t - 10) / 90))
    ),
    "Composer `MultiStep": lambda t: np.where(t < 10, 0.01 * t, 0.1 * falls(t, 30, 60)),
    "MXNet `Factor": lambda t: np.maximum(0.1 * 0.1 ** (t // 30), 1e-8),
    "MXNet `Poly": lambda t: 0.1 * (1 - np.minimum(t + 1, 100) / 100) ** 2,
    "MXNet `Cosine": lambda t: 0.01 + 0.09 * cosine((t + 1) / 100),
    "MXNet `MultiFactor": lambda t: np.where(t + 1 < 11, 0.01, 0.1 * falls(t, 30, 60)),
    "Detectron2 `WarmupMultiStepLR(milestones=[30, 60], warmup_iters=10, warmup_method": lambda t: (
        0.1 * np.where(t < 10, 0.001, 1) * falls(t, 30, 60)
    ),
    "Detectron2 `WarmupMultiStepLR(milestones=[30, 60], warmup_iters=10)": lambda t: (
        0.1 * np.where(t < 10, 0.001 * (1 - t / 10) + t / 10, 1) * falls(t, 30, 60)
    ),
    "Detectron2 `WarmupCosine": lambda t: (
        0.1 * np.where(t < 10, 0.001 * (1 - t / 10) + t / 10, 1) * cosine(t / 100)
    ),
}
ELSEWHERE = [row for row in rows("fastai") if "lr_find" not in row[0]]


def test_every_row_of_a_library_without_calls_has_a_formula():
    assert [sum(row[0].startswith(begin) for begin in FORMULAS) for row in ELSEWHERE] == (
        [1] * len(ELSEWHERE)
    )
    assert len(FORMULAS) == len(ELSEWHERE)


@pytest.mark.parametrize("row", ELSEWHERE, ids=[row[0][:30] for row in ELSEWHERE])
def test_row_of_a_library_without_calls(row):
    (formula,) = [f for begin, f in FORMULAS.items() if row[0].startswith(begin)]
    steps = np.arange(200)
    expected = formula(steps)
    ours = eval(code(row[1]), {**NAMES, "compat": importlib.import_module("lr_optax.compat")})
    np.testing.assert_allclose(ours(steps)[: len(expected)], expected, rtol=3e-6, atol=1e-9)
