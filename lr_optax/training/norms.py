"""Gradient norms noted in an optimizer's state, with bounded memory."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.export import register_namedtuple_serialization


class NormsState(NamedTuple):
    """The norms of a run so far, one for every ``every`` steps."""

    norms: Array  # float32, of a fixed length: means over intervals, NaN where nothing was finite
    filled: Array  # int32: how many of them are in use
    every: Array  # int32: how many steps one of them stands for
    steps: Array  # int32: steps of the interval under way
    norm_sum: Array  # float32: of its finite norms
    norm_count: Array  # int32: how many they are


register_namedtuple_serialization(NormsState, serialized_name="lr_optax.NormsState")


def record_grad_norms(
    norm: Literal["l2", "l1"] = "l2", *, capacity: int = 512
) -> optax.GradientTransformation:
    """An Optax transform that changes nothing and notes the norms of what passes through.

    Put it in front of the optimizer, where gradients are still raw. Once ``capacity`` means are
    full, pairs of them are averaged and each stands for twice as many steps: memory is bounded,
    and what is left covers the whole run evenly. Norms that are not finite are passed over.

    Args:
        norm: "l2", √Σg², for SGD; "l1", Σ|g|, for Adam and its kin.
        capacity: how many means are kept, an even number >= 2; from half as many on.

    Returns:
        A transform whose state is arrays alone: it is saved, restored and mapped like any other.

    Raises:
        ValueError: ``norm`` is neither, or ``capacity`` is odd or below 2.

    Example:
        >>> tx = optax.chain(record_grad_norms(capacity=4), optax.sgd(0.1))
        >>> params = jnp.zeros(2)
        >>> state = tx.init(params)
        >>> for size in (1.0, 2.0, 3.0, 4.0, 5.0):
        ...     _, state = tx.update(jnp.array([3.0, 4.0]) * size, state)
        >>> norms, every = read_grad_norms(state)
        >>> print(norms, every)
        [ 7.5 17.5] 2

    When to use it:
        To :func:`~lr_optax.foresight.refine` the schedule of the next run from this one.

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831.
    """
    if norm not in ("l2", "l1"):
        raise ValueError(f"record_grad_norms: `norm` must be 'l2' or 'l1', got {norm!r}")
    if capacity < 2 or capacity % 2:
        raise ValueError(
            f"record_grad_norms: `capacity` must be an even number >= 2, got {capacity}"
        )
    order = {"l2": 2, "l1": 1}[norm]

    def init(params: optax.Params) -> NormsState:
        del params
        # An array for each field: one buffer cannot be donated twice.
        return NormsState(
            norms=jnp.full(capacity, jnp.nan, jnp.float32),
            filled=jnp.asarray(0, jnp.int32),
            every=jnp.asarray(1, jnp.int32),
            steps=jnp.asarray(0, jnp.int32),
            norm_sum=jnp.asarray(0, jnp.float32),
            norm_count=jnp.asarray(0, jnp.int32),
        )

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None
    ) -> tuple[optax.Updates, NormsState]:
        del params
        size = optax.tree.norm(jax.tree.map(_wide, updates), ord=order)
        return updates, _noted(state, jnp.asarray(size, jnp.float32))

    return optax.GradientTransformation(init, update)


def _wide(gradient: Array) -> Array:
    return gradient.astype(jnp.float32) if gradient.dtype.itemsize < 4 else gradient


def _noted(state: NormsState, norm: Array) -> NormsState:
    """The state after one more norm."""
    finite = jnp.isfinite(norm)
    norm_sum = state.norm_sum + jnp.where(finite, norm, 0)
    norm_count = state.norm_count + finite.astype(jnp.int32)
    steps = state.steps + 1
    ended = steps >= state.every
    mean = jnp.where(
        norm_count > 0, norm_sum / jnp.maximum(norm_count, 1).astype(jnp.float32), jnp.nan
    )
    place = jnp.arange(len(state.norms)) == state.filled
    norms = jnp.where(ended & place, mean, state.norms)
    filled = state.filled + ended.astype(jnp.int32)
    full = filled == len(state.norms)
    return NormsState(
        norms=jnp.where(full, _halved(norms), norms),
        filled=jnp.where(full, filled // 2, filled),
        every=jnp.where(full, 2 * state.every, state.every),
        steps=jnp.where(ended, 0, steps),
        norm_sum=jnp.where(ended, 0, norm_sum),
        norm_count=jnp.where(ended, 0, norm_count),
    )


def _halved(norms: Array) -> Array:
    """Means of pairs, then emptiness; of a pair with one NaN the other counts."""
    pairs = norms.reshape(-1, 2)
    left, right = pairs[:, 0], pairs[:, 1]
    mean = jnp.where(
        jnp.isnan(left), right, jnp.where(jnp.isnan(right), left, left / 2 + right / 2)
    )
    return jnp.append(mean, jnp.full_like(mean, jnp.nan))


def read_grad_norms(opt_state: Any) -> tuple[np.ndarray, int]:
    """The norms that :func:`record_grad_norms` noted in a state.

    Args:
        opt_state: the state of any Optax optimizer, or a pytree with one in it.

    Returns:
        Means of the norms over intervals, in order, NaN where none was finite; and how many steps
        each interval has.

    Raises:
        ValueError: the state has no such record, or several.

    Example:
        >>> tx = record_grad_norms()
        >>> _, state = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
        >>> print(*read_grad_norms(state))
        [5.] 1
    """
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, NormsState))
    found = [node for node in nodes if isinstance(node, NormsState)]
    if len(found) != 1:
        raise ValueError(
            f"read_grad_norms: the state must have one record of record_grad_norms, "
            f"got {len(found)} (put it in front: optax.chain(record_grad_norms(), optax.sgd(0.1)))"
        )
    (state,) = found
    return np.asarray(state.norms[: int(state.filled)]), int(state.every)
