"""Every test runs with JAX at its strictest."""

import hashlib
import os
import tempfile

# Both workers, and every process that a test starts, compile the same single operations: they share
# the compiled ones in a folder of this run. JAX reads these variables when it is imported. Reading
# a program that took less than 0.01 s saves nothing.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="lr_optax-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = CACHE.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.01"

import chex
import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compilation makes the first example slow; examples are the same in every run.
hypothesis.settings.register_profile("lr_optax", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("lr_optax")


def pytest_collection_modifyitems(config, items):
    """``EXHAUSTIVE_SAMPLE="20 seed" pytest -m exhaustive`` runs one in 20, drawn by the seed."""
    one_in, _, seed = os.environ.get("EXHAUSTIVE_SAMPLE", "1").partition(" ")

    def drawn(item):
        draw = hashlib.sha256(f"{seed} {item.nodeid}".encode()).hexdigest()
        return int(draw, 16) % int(one_in) == 0

    left_out = [i for i in items if i.get_closest_marker("exhaustive") and not drawn(i)]
    items[:] = [i for i in items if i not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    chex.clear_trace_counter()
