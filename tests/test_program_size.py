"""The program of a schedule does not grow with the number of its pieces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lr_optax import (
    cosine_annealing,
    interpolate,
    linear,
    lookup,
    multistep_decay,
    piecewise_constant,
    repeat,
)


def every_100th(n):
    return range(0, 100 * n, 100)


PIECES = {
    "boundaries": lambda n: multistep_decay(0.1, decay_rate=0.99, boundaries=every_100th(n)),
    "rates": lambda n: piecewise_constant(np.linspace(1, 0, n + 1), boundaries=every_100th(n)),
    "points": lambda n: interpolate(np.linspace(1, 0, n), boundaries=every_100th(n)),
    "table": lambda n: lookup(np.linspace(1, 0, n)),
    "restarts": lambda n: cosine_annealing(0.1, period=max(10**6 // n, 1)),
    "growing restarts": lambda n: cosine_annealing(0.1, period=10, period_multiplier=1 + 1 / n),
    "repeats": lambda n: repeat(linear(0.1, end_value=0.0, transition_steps=9), period=10**6 // n),
}


def operations(schedule):
    """Operations of the program as JAX hands it to the compiler."""
    text = jax.jit(lambda step: schedule(step)).lower(jnp.int32(0)).as_text()
    return sum(" = stablehlo." in line for line in text.splitlines())


def instructions(schedule):
    """Instructions of the compiled program."""
    program = jax.jit(lambda step: schedule(step)).lower(jnp.int32(0)).compile().as_text()
    return sum(" = " in line for line in program.splitlines())


@pytest.mark.parametrize("make", PIECES.values(), ids=PIECES.keys())
def test_a_thousand_pieces_cost_what_ten_do(make):
    assert operations(make(1000)) == operations(make(10))
    # A sum over few pieces is compiled in another way than one over many.
    assert instructions(make(1000)) <= 1.05 * instructions(make(100))
