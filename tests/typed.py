"""What a type checker sees; checked by basedpyright, where a needless ignore is an error."""

from collections.abc import Callable
from typing import assert_type

import jax.numpy as jnp
import optax
from jax import Array

from lr_optax import Schedule, join, linear, parse, schedule, step_decay, warmup


@schedule
def every_so_often(step: Array, init_value: float, *, every: int) -> Array:
    """A schedule of the user's."""
    return init_value * 0.5 ** jnp.floor_divide(step, every)


def never_run() -> Callable[[Array], object]:
    """Right calls, and wrong ones, each of which a type checker has to report."""
    assert_type(every_so_often(0.1, every=3), Schedule)
    assert_type(every_so_often(0.1, every=3)(0), Array)
    assert_type(step_decay(0.1, decay_rate=0.5, decay_steps=10), Schedule)
    assert_type(parse("constant(0.1)").replace(value=0.2), Schedule)

    s = parse("constant(0.1)")
    assert_type(2 * s + s / 3 - s * s + 0.1 - jnp.ones(3), Schedule)
    assert_type(1 - s + optax.constant_schedule(0.1), Schedule)

    step_decay(init_value=0.1, decay_rate=jnp.float32(0.5), decay_steps=jnp.arange(3))
    warmup(optax.constant_schedule(0.1), warmup_steps=10)
    join((linear(0.0, end_value=0.1, transition_steps=3), lambda step: 0.1), boundaries=(3,))
    optax.adam(every_so_often(0.1, every=3))

    every_so_often(0.1)  # pyright: ignore[reportCallIssue]
    every_so_often(0.1, evry=3)  # pyright: ignore[reportCallIssue]
    every_so_often("0.1", every=3)  # pyright: ignore[reportArgumentType]
    step_decay(0.1, 0.5, 10)  # pyright: ignore[reportCallIssue]
    step_decay(0.1, decay_rate=0.5, decay_step=10)  # pyright: ignore[reportCallIssue]
    step_decay(0.1, decay_rate="0.5", decay_steps=10)  # pyright: ignore[reportArgumentType]
    warmup(0.1, warmup_steps=10)  # pyright: ignore[reportArgumentType]
    s / s  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    s + "0.1"  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
    return every_so_often(0.1, every=3)
