"""Every test runs with JAX at its strictest."""

import chex
import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Compilation makes the first example slow; examples are the same in every run.
hypothesis.settings.register_profile("lr_optax", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("lr_optax")


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    chex.clear_trace_counter()
