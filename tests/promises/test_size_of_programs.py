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


def size(schedule):
    """Operations that JAX gives to the compiler, and instructions of the compiled program."""
    program = jax.jit(lambda step: schedule(step)).lower(jnp.int32(0))
    operations = sum(" = stablehlo." in line for line in program.as_text().splitlines())
    return operations, sum(" = " in line for line in program.compile().as_text().splitlines())


@pytest.mark.parametrize("make", PIECES.values(), ids=PIECES.keys())
def test_a_thousand_pieces_cost_a_few_halvings_more_than_a_hundred(make):
    (operations, instructions), (more_operations, more_instructions) = map(
        size, map(make, (100, 1000))
    )
    assert more_operations <= operations + 4 * 12
    assert more_instructions <= 1.5 * instructions


def temporary_bytes(f, *args):
    return jax.jit(f).lower(*args).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("way", ["array", "vmap"])
def test_many_steps_need_memory_for_the_steps_alone(name, way):
    """Not for steps times pieces, here 4 GB: for a search one array, beside the rates it gives."""
    steps, schedule = jnp.arange(10**6), PIECES[name](1000)
    evaluate = schedule if way == "array" else jax.vmap(schedule)
    assert (
        temporary_bytes(lambda steps: evaluate(steps), steps)
        <= (2.1 if "growing" in name else 1.1) * steps.nbytes
    )


def test_ten_thousand_boundaries_and_restarts_that_hardly_grow():
    drops = multistep_decay(1.0, decay_rate=0.9999, boundaries=range(10_000))
    np.testing.assert_allclose(drops(9_999), 0.9999**10_000, rtol=1e-6)
    restarts = cosine_annealing(0.1, period=10, period_multiplier=1.001)
    assert np.isfinite(jax.jit(restarts)(jnp.arange(10**6))).all()


@pytest.mark.parametrize("n", [1, 8, 9, 15, 16, 17, 100])
def test_compared_and_searched_boundaries_count_alike(n):
    rng = np.random.default_rng(n)
    boundaries = np.sort(rng.integers(0, 200, n))
    expected = (np.arange(220)[:, None] >= boundaries).sum(1)
    values = np.arange(n + 1, dtype=np.float32)
    s = piecewise_constant(values, boundaries=tuple(boundaries.tolist()))
    np.testing.assert_array_equal(s(np.arange(220)), expected)
    np.testing.assert_array_equal(jax.jit(s)(np.arange(220)), expected)
    traced = jax.jit(lambda s, t: s(t))(s.replace(boundaries=boundaries), np.arange(220))
    np.testing.assert_array_equal(traced, expected)
    last = np.int32(2**31 - 1)  # compared with what fills the table up too
    assert s(last) == n
    assert s.replace(boundaries=(*boundaries[:-1].tolist(), int(last)))(last - 1) == n - 1
