"""Every row of the page for those who come from another library is what it says."""

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
from figures import make_signatures

import lr_optax

PAGE = (Path(__file__).parents[1] / "docs/coming_from.md").read_text()
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
COMPARED = [
    *(("torch", code(row[1]), row[2]) for row in rows("PyTorch")),
    *(("transformers", code(row[1]), row[2]) for row in rows("Transformers")),
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
    last = re.search(r"the same up to step (\d+)", native)
    steps = np.arange(int(last.group(1)) + 1 if last else 2500)
    np.testing.assert_allclose(ours(steps), theirs(steps), rtol=2e-6, atol=1e-9)
    if last:
        assert not np.allclose(ours(len(steps) + 9), theirs(len(steps) + 9)), "for ever the same"


@jax.numpy_dtype_promotion("standard")
def scales(tx, exact):
    """What a transform makes of a metric that falls, stays and jumps; or one that follows none."""
    rng, params = random.Random(0), {"w": jnp.ones(2)}
    state, found = tx.init(params), []
    for i in range(200):
        value = jnp.float32(max(1.0, 3 - i / 20) + (rng.random() if i % 50 > 40 else 0.0))
        extra = {} if "inject" in exact else {"value": value}
        updates, state = tx.update({"w": jnp.ones(2)}, state, params, **extra)
        found.append(float(updates["w"][0]))
    assert "inject" in exact or len(set(found)) > 2
    return found


TITLES = {"torch": "PyTorch", "keras": "Keras", "transformers": "Transformers", "timm": "timm"}


@pytest.mark.parametrize("library", THEIRS)
def test_every_public_scheduler_is_in_compat_or_said_to_be_absent(library):
    module = importlib.import_module(f"lr_optax.compat.{library}")
    title = {**TITLES, "optax": "Optax"}[library]
    absent = {
        name
        for row in rows("Not here, because")
        if row[0] == title
        for name in re.findall(r"`(\w+)`", row[1])
    }
    present = {name for name in THEIRS[library]["calls"] if hasattr(module, name)}
    present -= {name for name in present if not _made_here(module, name)}
    assert absent | present == THEIRS[library]["calls"].keys()
    assert absent & present == set()


def _made_here(module, name):
    return getattr(getattr(module, name), "__module__", "").startswith(module.__name__)
