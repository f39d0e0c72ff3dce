"""Schedules that are points: a rate for every step, or for chosen ones."""

from collections.abc import Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from lr_optax._core import schedule as core
from lr_optax._core import shapes
from lr_optax._core.clock import (
    Progress,
    as_float,
    at_boundaries,
    default_float,
    is_number,
    passed,
    progress,
    since,
)
from lr_optax._core.hyperparameters import (
    PER_STEP,
    Boundaries,
    Rate,
    Rates,
    Size,
    one_fewer,
    together,
    validated,
)
from lr_optax.schedules.combine import Inner


def _as_many(*, values, boundaries, **_: object) -> None:
    if len(boundaries) != len(values) or len(values) == 0:
        raise ValueError(
            f"`boundaries` must be as many as `values`, at least one, "
            f"got {len(boundaries)} for {len(values)}"
        )


@core.schedule(check=one_fewer("boundaries", "values"))
def piecewise_constant(step: Array, values: Rates, *, boundaries: Boundaries) -> ArrayLike:
    """Chosen rates between chosen steps: η(t) = v_i for b_i <= t < b_{i+1}.

    The last rate is held.

    Args:
        values: v_0, v_1, ..., rates >= 0, the first from step 0 on.
        boundaries: b_1, b_2, ..., the steps at which the next rate takes over, in ascending order,
            one fewer than rates. A thousand of them cost one comparison.

    Raises:
        ValueError: the numbers do not match.

    Example:
        >>> s = piecewise_constant((0.1, 0.01, 0.003), boundaries=(30, 60))
        >>> print(s(0), s(29), s(30), s(60))
        0.1 0.1 0.01 0.003

    When to use it:
        To write a plan of rates down as it is. One factor for every drop is
        :func:`multistep_decay`.
    """
    return at_boundaries(step, as_table(values, default_float()), boundaries)


@core.schedule(check=together(_as_many, shapes.positive_ends("values")))
def interpolate(
    step: Array, values: Rates, *, boundaries: Boundaries, shape: shapes.Shape = "linear"
) -> ArrayLike:
    """A line through points: from (b_i, v_i) to (b_{i+1}, v_{i+1}), level before and after.

    The rate is exactly v_i at step b_i.

    Args:
        values: v_0, v_1, ..., rates >= 0.
        boundaries: b_0, b_1, ..., the steps at which they are reached, in ascending order, as many
            as rates. Between two equal ones the rate jumps.
        shape: how the rate gets from one to the next, "linear", "cosine" or another of
            :data:`lr_optax.typing.Shape`.

    Raises:
        ValueError: the numbers do not match.

    Example:
        >>> s = interpolate((0.0, 0.4, 0.1), boundaries=(0, 4, 10))
        >>> print(s(0), s(2), s(4), s(7), s(10), s(11))
        0.0 0.2 0.4 0.25 0.1 0.1

    When to use it:
        For a schedule that was drawn, searched or optimized as a few points.
    """
    points, rates = as_table(boundaries, step.dtype), as_table(values, default_float())
    last = len(points) - 1
    before = (passed(step, boundaries) - 1).clip(0, last)
    after = jnp.minimum(before + 1, last)
    begin, end = points[before], points[after]
    weights = progress(since(step, begin), end - begin)
    if (beyond := _beyond(boundaries, step.dtype)) is not None:
        left, gone = as_float(end - step) + beyond[after], as_float(since(step, begin))
        far = beyond[after] > 0
        weights = Progress(
            jnp.where(far, left / (left + gone), weights.left),
            jnp.where(far, gone / (left + gone), weights.gone),
        )
    rate = shapes.between(shape, weights, rates[before], rates[after])
    return jnp.where(step < points[0], rates[0], rate)


def as_table(items: Sequence[Any] | ArrayLike, dtype: DTypeLike) -> Array:
    """Several numbers as one vector; known whole ones stop at what the dtype can hold."""
    if not isinstance(items, Sequence):
        return jnp.asarray(items, dtype)
    if jnp.issubdtype(dtype, jnp.integer):
        top = int(jnp.iinfo(dtype).max)
        items = [min(item, top) if is_number(item) else item for item in items]
    if all(map(is_number, items)):
        return jnp.asarray(np.asarray(items), dtype)
    return jnp.stack([jnp.asarray(item, dtype) for item in items])


def _beyond(items: Sequence[ArrayLike] | ArrayLike, dtype: DTypeLike) -> Array | None:
    """How far numbers lie beyond what an integer dtype can hold; None if none does."""
    if not isinstance(items, Sequence) or not jnp.issubdtype(dtype, jnp.integer):
        return None
    top = int(jnp.iinfo(dtype).max)
    beyond = [max(item - top, 0) if isinstance(item, int) else 0 for item in items]
    return jnp.asarray(np.asarray(beyond, np.float64), default_float()) if any(beyond) else None


def _is_vector(*, values, **_: object) -> None:
    if np.ndim(values) != 1:
        raise ValueError(f"`values` must be a vector with an entry for every step, got {values!r}")


@core.schedule(check=_is_vector)
def lookup(step: Array, values: Annotated[Rate, PER_STEP]) -> ArrayLike:
    """A rate for every step, from a table: η(t) = v_t, then the last entry.

    Args:
        values: v, a vector with at least one entry, each >= 0. Fractions of a step round down.

    Raises:
        ValueError: ``values`` is not a vector.

    Example:
        >>> from numpy import array
        >>> s = lookup(array([0.1, 0.3, 0.2], dtype="float32"))
        >>> print(s(0), s(1), s(2), s(3))
        0.1 0.3 0.2 0.2

    When to use it:
        For rates from elsewhere, and, through :func:`tabulate`, to give schedules of different
        kinds one form that can be stacked and mapped.
    """
    values = as_float(values)
    return values[jnp.minimum(step, values.shape[-1] - 1).astype(int)]


@validated
def tabulate(schedule: Inner, total_steps: Size) -> core.Schedule:
    """A table of a schedule's first rates, as a :func:`lookup`.

    Args:
        schedule: any schedule, or another function of the step.
        total_steps: how many steps to tabulate, >= 1; from then on the last rate is held.

    Returns:
        A :func:`lookup` with exactly the schedule's values at steps 0 to ``total_steps`` - 1.

    Raises:
        ValueError: ``total_steps`` is not a whole number >= 1.

    Example:
        >>> from lr_optax import linear, tabulate
        >>> s = tabulate(linear(0.1, end_value=0.0, transition_steps=2), 4)
        >>> print(s(0), s(1), s(2), s(9))
        0.1 0.05 0.0 0.0
    """
    return lookup(jax.jit(schedule)(jnp.arange(total_steps)))
