"""What a rate adds to the compiled training step: a few scalars, and no pass over parameters."""

import functools
import sys
from pathlib import Path

import jax
import optax
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from training import WAYS, kernels, many_leaves, updater

LEAVES = {name: leaf for name, leaf in many_leaves().items() if int(name) < 8}


def program(way):
    tx = way()
    state = jax.eval_shape(tx.init, LEAVES)
    with jax.numpy_dtype_promotion("standard"):  # for Optax's Adam
        return jax.jit(updater(tx)).lower(LEAVES, state, LEAVES).compile().as_text()


@functools.cache
def constant():
    return kernels(program(WAYS["constant rate"]), 1000)


@pytest.mark.parametrize("name", [name for name in WAYS if not name.startswith("optax.")])
def test_no_pass_over_parameters_beyond_those_of_a_constant_rate(name):
    text = program(WAYS[name])
    passes, scalar = kernels(text, 1000)
    assert passes == constant()[0] == 3 * len(LEAVES)
    assert scalar <= constant()[1] + (30 if "plateau" in name else 5)
    for word in ("conditional(", "while(", "custom-call(", "infeed(", "outfeed("):
        assert f" {word}" not in text


def test_a_pass_would_be_seen():
    """The counter itself: a transform that reads all gradients before any is used."""
    way = lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))  # noqa: E731
    assert sum(kernels(program(way), 1000)) > sum(constant()) + len(LEAVES) // 2
