"""Tables: exact at every point, and one look-up however long."""

import jax
import numpy as np
import optax
import pytest
from accuracy import LAST

from lr_optax import (
    constant,
    interpolate,
    linear,
    tabulate,
)


def test_interpolate_hits_every_point_exactly_under_jit():
    points = {0: 0.3, 7: 0.1, 41: 0.7, 469 * 5: 0.2, 10**6: 0.9, LAST: 0.0}
    for shape in ("linear", "cosine", "1-sqrt"):
        s = interpolate(tuple(points.values()), boundaries=tuple(points), shape=shape)
        expected = np.array(list(points.values()), np.float32)
        np.testing.assert_array_equal(jax.jit(s)(np.array(list(points))), expected)


def test_a_thousand_points_are_one_look_up():
    rng = np.random.default_rng(0)
    steps, rates = np.unique(rng.integers(0, 10**6, 1000)), rng.random(1000)[:None]
    rates = rates[: len(steps)]
    s = interpolate(tuple(rates.tolist()), boundaries=tuple(steps.tolist()))
    t = rng.integers(0, 10**6, 5000)
    np.testing.assert_allclose(jax.jit(s)(t), np.interp(t, steps, rates), rtol=2e-5)
    arrays = interpolate(rates.astype(np.float32), boundaries=steps)
    np.testing.assert_allclose(jax.jit(arrays)(t), s(t), rtol=1e-6)


def test_piecewise_interpolate_as_in_optax():
    reference = optax.piecewise_interpolate_schedule("cosine", 1.0, {4: 0.5, 10: 0.1})
    s = interpolate((1.0, 0.5, 0.05), boundaries=(0, 4, 10), shape="cosine")
    with jax.numpy_dtype_promotion("standard"):
        expected = [reference(t) for t in range(15)]
    np.testing.assert_allclose(s(np.arange(15)), expected, rtol=1e-6)


def test_a_table_of_a_single_step():
    s = tabulate(linear(0.1, end_value=0.0, transition_steps=2), 1)
    np.testing.assert_array_equal(s(np.arange(3)), np.float32(0.1))
    with pytest.raises(ValueError, match="`total_steps` must be a whole number >= 1, got 0"):
        tabulate(constant(0.1), 0)


def test_tabulate_takes_what_a_schedule_takes():
    table = tabulate(optax.constant_schedule(0.1), 5)
    np.testing.assert_array_equal(table.values, np.full(5, 0.1, np.float32))
    for total_steps in (2.5, 0, float("nan")):
        with pytest.raises(ValueError, match="tabulate: `total_steps` must be a whole number >= 1"):
            tabulate(constant(0.1), total_steps)
    with pytest.raises(TypeError, match="tabulate: `schedule` must be a schedule or a function"):
        tabulate(0.1, 5)
