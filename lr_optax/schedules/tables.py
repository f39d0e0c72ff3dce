"""Rates given at chosen steps: constant between them, or joined by lines."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from lr_optax import shapes
from lr_optax._numerics import default_float, is_number, passed, progress, since
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Boundaries, Rates


def _one_boundary_less(*, values, boundaries, **_: object) -> None:
    if len(boundaries) != len(values) - 1:
        raise ValueError(
            f"`boundaries` must be one fewer than `values`, got {len(boundaries)} for {len(values)}"
        )


def _as_many(*, values, boundaries, shape, **_: object) -> None:
    if len(boundaries) != len(values) or len(values) == 0:
        raise ValueError(
            f"`boundaries` must be as many as `values`, at least one, "
            f"got {len(boundaries)} for {len(values)}"
        )
    shapes.check_ends(shape, values=values)


@schedule(check=_one_boundary_less)
def piecewise_constant(step: Array, values: Rates, *, boundaries: Boundaries) -> ArrayLike:
    """Chosen rates between chosen steps: η(t) = v_i for b_i <= t < b_{i+1}.

    Args:
        values: v_0, v_1, ..., rates >= 0, the first from step 0 on.
        boundaries: b_1, b_2, ..., the steps at which the next rate takes over, in ascending order,
            one fewer than rates. A thousand of them cost one comparison.

    Returns:
        A :class:`~lr_optax.Schedule`. The last rate is held.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the numbers do not match.

    Example:
        >>> s = piecewise_constant((0.1, 0.01, 0.003), boundaries=(30, 60))
        >>> print(s(0), s(29), s(30), s(60))
        0.1 0.1 0.01 0.003

    When to use it:
        To write a plan of rates down as it is. One factor for every drop is
        :func:`multistep_decay`.

    Reference:
        A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet Classification with Deep
        Convolutional Neural Networks", 2012, where the rate is cut by hand.
    """
    return as_table(values, default_float())[passed(step, boundaries)]


@schedule(check=_as_many)
def interpolate(
    step: Array, values: Rates, *, boundaries: Boundaries, shape: shapes.Shape = "linear"
) -> ArrayLike:
    """A line through points: from (b_i, v_i) to (b_{i+1}, v_{i+1}), level before and after.

    Args:
        values: v_0, v_1, ..., rates >= 0.
        boundaries: b_0, b_1, ..., the steps at which they are reached, in ascending order, as many
            as rates. Between two equal ones the rate jumps. They count up to 2³¹ − 1.
        shape: how the rate gets from one to the next, "linear", "cosine" or another of
            :data:`lr_optax.shapes.Shape`.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly v_i at step b_i.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the numbers do not match.

    Example:
        >>> s = interpolate((0.0, 0.4, 0.1), boundaries=(0, 4, 10))
        >>> print(s(0), s(2), s(4), s(7), s(10), s(11))
        0.0 0.2 0.4 0.25 0.1 0.1

    When to use it:
        For a schedule that was drawn, searched or optimised as a few points.

    Reference:
        P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
        arXiv:1706.02677, whose gradual warm-up is such a line.
    """
    points, rates = as_table(boundaries, step.dtype), as_table(values, default_float())
    last = len(points) - 1
    before = (passed(step, points) - 1).clip(0, last)
    after = jnp.minimum(before + 1, last)
    begin, end = points[before], points[after]
    weights = progress(since(begin, step), end - begin)
    rate = shapes.between(shape, weights, rates[before], rates[after])
    return jnp.where(step < points[0], rates[0], rate)


def as_table(items: Sequence[ArrayLike] | ArrayLike, dtype: DTypeLike) -> Array:
    """Several numbers as one vector; whole ones stop at what the dtype can hold."""
    if isinstance(items, Sequence) and not all(map(is_number, items)):
        return jnp.stack([jnp.asarray(item, dtype) for item in items])
    table: Any = np.asarray(items) if isinstance(items, Sequence) else items
    if jnp.issubdtype(dtype, jnp.integer):
        table = table.clip(max=jnp.iinfo(dtype).max)
    return jnp.asarray(table, dtype)
