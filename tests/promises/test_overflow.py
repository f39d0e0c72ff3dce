"""Growth until overflow, and lengths as large as a counter or as small as their type."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lr_optax import (
    constant,
    cosine_annealing,
    cyclical,
    exponential_decay,
    extend,
    linear,
    multistep_811,
    one_cycle,
    product,
    repeat,
    snapshot_cycles,
    tri_stage,
    warmup_stable_decay,
)

LAST = 2**31 - 1
GROWING = {
    "exponential": (exponential_decay(0.0, decay_rate=2.0, decay_steps=1), 2000),
    "ceiling": (exponential_decay(0.1, decay_rate=2.0, decay_steps=1, end_value=1.0), LAST),
    "shrink": (cyclical(0.1, max_value=1.0, step_size_up=1, shrink=2.0), 1025),
    "exp_range": (
        cyclical(0.1, max_value=1.0, step_size_up=1, mode="exp_range", gamma=1.001),
        88_765,
    ),
    "repeat": (repeat(linear(0.1, transition_steps=2), period=2, peak_decay=1.1), 10**6),
    "ceiling of 0": (
        exponential_decay(0.0, decay_rate=1.04, decay_steps=9, end_value=0.0),
        157_836,
    ),
    "staircase": (
        exponential_decay(0.0, decay_rate=1.04, decay_steps=9, staircase=True, end_value=0.0),
        LAST,
    ),
    "peaks of 0": (cosine_annealing(0.0, period=2, peak_decay=1.1), 10**6),
    "three factors": (
        product(
            (
                exponential_decay(10.0, decay_rate=2.0, decay_steps=1),
                exponential_decay(10.0, decay_rate=2.0, decay_steps=1),
                constant(0.0),
            )
        ),
        2000,
    ),
    "product": (
        product((exponential_decay(10.0, decay_rate=2.0, decay_steps=1), constant(0.0))),
        2000,
    ),
}


@pytest.mark.parametrize(("s", "step"), GROWING.values(), ids=GROWING.keys())
@pytest.mark.parametrize("wide", [False, True], ids=["float32", "x64"])
def test_growth_saturates_and_never_becomes_nan(s, step, wide):
    with jax.enable_x64(wide):
        both = s, jax.tree.map(jnp.asarray, s)
        program = jax.jit(lambda given, t: [schedule(t) for schedule in (*both, *given)])
        assert np.isfinite([schedule(step) for schedule in both]).all()
        assert np.isfinite(program(both, step)).all()


@pytest.mark.parametrize(("s", "step"), GROWING.values(), ids=GROWING.keys())
def test_slopes_of_growth_are_finite(s, step):
    floats = jax.tree.map(jnp.float32, s)
    slopes = jax.jit(jax.grad(lambda s, t: s(t)))
    for t in (step, step // 10, 90, 200):
        assert all(np.isfinite(g) for g in jax.tree.leaves(slopes(floats, t)))


def test_growth_by_a_traced_factor_is_right_up_to_2_to_the_96():
    s = exponential_decay(1.0, decay_rate=jnp.float32(1.9), decay_steps=1)
    np.testing.assert_allclose(s(np.array([10, 103])), np.float32(1.9) ** [10.0, 103.0], rtol=5e-5)


def test_what_is_beyond_a_ceiling_or_times_zero_is_exact():
    assert GROWING["exponential"][0](2000) == 0
    assert GROWING["ceiling"][0](LAST) == 1
    assert GROWING["product"][0](2000) == 0


def test_lengths_near_the_top_of_the_counter_as_arguments():
    rate = jax.jit(lambda s, t: s(t))
    late = extend(linear(0.1, transition_steps=10), begin=5, steps=LAST)
    assert rate(late, LAST) == rate(late, 5) == np.float32(0.05)
    slow = cyclical(0.0, max_value=1.0, step_size_up=2**30)
    assert rate(slow, 2**30) == 1
    assert rate(slow, 2**29) == 0.5
    assert rate(slow, LAST) < 1e-8


@jax.jit
def evaluated(pairs):
    return [schedule(step) for schedule, step in pairs]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_lengths_of_any_integer_type(dtype, array):
    def n(length):
        return array(dtype(length))

    given = [
        (snapshot_cycles(0.1, total_steps=n(100), cycles=n(5)), 10, 0.05),
        (cyclical(0.0, max_value=1.0, step_size_up=n(100)), 150, 0.5),
        (one_cycle(1.0, total_steps=n(100), warmup_steps=n(40)), 40, 1.0),
        (tri_stage(1.0, warmup_steps=n(100), hold_steps=n(100), cooldown_steps=n(20)), 150, 1.0),
        (
            warmup_stable_decay(1.0, total_steps=n(100), cooldown_steps=n(20), warmup_steps=n(10)),
            90,
            0.5,
        ),
        (multistep_811(1.0, total_steps=n(100)), 85, 10**-0.5),
    ]
    expected = [rate for *_, rate in given]
    np.testing.assert_allclose([s(step) for s, step, _ in given], expected, rtol=1e-6)
    program = evaluated([(s, step) for s, step, _ in given])
    np.testing.assert_allclose(program, expected, rtol=1e-6)
