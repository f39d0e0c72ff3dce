"""Train under many schedules at once, in one compiled program."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lr_optax._core.schedule import Schedule
from lr_optax.schedules.tables import tabulate

Candidate = TypeVar("Candidate")


def sweep(
    train: Callable[[Candidate, Array], Any],
    candidates: Sequence[Candidate],
    keys: Array,
    *,
    steps: int | None = None,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Run ``train`` under every candidate with every key, as one vectorised program.

    Args:
        train: a pure function ``(candidate, key) -> metrics`` that JAX can trace; metrics are any
            pytree of arrays, a history as well as a last value.
        candidates: schedules, or pytrees with schedules in them, such as a pair of a schedule and
            a number. Those of one kind are stacked as they are; kinds that differ are tabulated
            first, which leaves their values at whole steps unchanged.
        keys: random keys, one for each repetition; all candidates get the same.
        steps: the length of a run, >= 1; needed to tabulate.
        batch_size: how many runs go through the program at once, to bound its memory; None for
            all. It is compiled once, whatever the number of batches.
        progress: called with the number of runs done and their total after every batch.

    Returns:
        The metrics as NumPy arrays, with two new leading axes: candidate and key.

    Raises:
        ValueError: there are no candidates, they differ in kind and ``steps`` is not given, they
            differ in more than their schedules, or a number is out of its range.

    Example:
        >>> from lr_optax import cosine_decay, linear
        >>> def train(schedule, key):  # gradient descent on x²
        ...     x = jax.random.normal(key)
        ...     for t in range(8):
        ...         x = x - schedule(t) * 2 * x
        ...     return {"loss": x**2}
        >>> schedules = [linear(0.1, end_value=0.0, transition_steps=8),
        ...              cosine_decay(0.1, decay_steps=8)]
        >>> metrics = sweep(train, schedules, jax.random.split(jax.random.key(0), 3), steps=8)
        >>> metrics["loss"].shape
        (2, 3)

    When to use it:
        To compare schedules, or the settings of one, on a task small enough that many runs fit on
        the device together. Compile time is that of a single run.
    """
    stacked = _stack(candidates, steps)
    lanes = len(candidates) * len(keys)
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"sweep: `batch_size` must be a whole number >= 1, got {batch_size}")
    batches = -(-lanes // (batch_size or lanes))
    size = -(-lanes // batches)
    program = jax.jit(jax.vmap(train))
    results = []
    for start in range(0, lanes, size):
        # The last batch repeats its last run, so that all have one shape and one program.
        lane = np.minimum(np.arange(start, start + size), lanes - 1)
        candidate, key = lane // len(keys), lane % len(keys)
        some = jax.tree.map(operator.itemgetter(candidate), stacked)
        results.append(jax.device_get(program(some, keys[key])))
        if progress is not None:
            progress(min(start + size, lanes), lanes)

    def gather(*parts: np.ndarray) -> np.ndarray:
        whole = np.concatenate(parts)[:lanes]
        return whole.reshape(len(candidates), len(keys), *whole.shape[1:])

    return jax.tree.map(gather, *results)


def _stack(candidates: Sequence[Any], steps: int | None) -> Any:
    """All candidates as one pytree with a new leading axis."""
    if not candidates:
        raise ValueError("sweep: there must be at least one candidate")
    if not _alike(candidates):
        if steps is None:
            raise ValueError("sweep: to stack schedules of different kinds, give `steps`")
        candidates = [_tabulated(candidate, steps) for candidate in candidates]
    if not _alike(candidates):
        raise ValueError("sweep: candidates may differ in their schedules only, not in structure")
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *candidates)


def _alike(candidates: Sequence[Any]) -> bool:
    forms = {
        (jax.tree.structure(c), tuple(np.shape(leaf) for leaf in jax.tree.leaves(c)))
        for c in candidates
    }
    return len(forms) == 1


def _tabulated(candidate: Any, steps: int) -> Any:
    def is_schedule(node: object) -> bool:
        return isinstance(node, Schedule)

    return jax.tree.map(
        lambda node: tabulate(node, steps) if is_schedule(node) else node,
        candidate,
        is_leaf=is_schedule,
    )
