"""Several candidates as one pytree with a leading axis, whatever kinds their schedules are of."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lr_optax._core.arguments import show
from lr_optax._core.schedule import Schedule
from lr_optax._core.steps import default_float
from lr_optax.schedules.combine import switch
from lr_optax.schedules.inner import from_function


def stack(candidates: Sequence[Any]) -> Any:
    """All candidates as one pytree, each of its leaves with a new leading axis.

    Schedules of one kind are stacked as they are. Those of several become a
    :func:`~lr_optax.switch` over one stack for every kind, in which a candidate of another kind
    has a copy: its rate is computed and not chosen. So each is exact at every step, and none has a
    horizon.

    Args:
        candidates: schedules, or pytrees with schedules and numbers in them, all of one structure;
            a schedule may be any function of the step. Not empty.

    Raises:
        TypeError: something is neither a number nor a schedule, such as a text or a transform.
        ValueError: they differ in structure, or in the shape of an array.
    """
    flat = [jax.tree.flatten_with_path(c, is_leaf=_is_whole) for c in candidates]
    for i, (_, structure) in enumerate(flat):
        if structure != flat[0][1]:
            raise ValueError(
                "sweep: candidates may differ in their schedules and numbers, not in structure: "
                f"the first is {show(candidates[0])}, number {i + 1} is {show(candidates[i])}"
            )
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    stacked = [_column(_where(column[0][0]), [leaf for _, leaf in column]) for column in columns]
    return jax.tree.unflatten(flat[0][1], stacked)


def names_of(candidates: Sequence[Any]) -> tuple[str, ...]:
    """A text for each candidate, no two alike: of a schedule its own, which ``parse`` reads."""
    texts = [" ".join(repr(_named(candidate)).split()) for candidate in candidates]
    seen: Counter[str] = Counter()
    names = []
    for text in texts:
        seen[text] += 1
        names.append(text if seen[text] == 1 else f"{text} #{seen[text]}")
    return tuple(names)


def _is_transform(node: object) -> bool:
    return hasattr(node, "init") and hasattr(node, "update")


def _is_whole(node: object) -> bool:
    return callable(node) or _is_transform(node)


def _where(path: Any) -> str:
    return f"candidate{jax.tree_util.keystr(path)}"


def _column(where: str, leaves: list[Any]) -> Any:
    """What all candidates have at one place."""
    for leaf in leaves:
        if _is_transform(leaf):
            raise TypeError(
                f"sweep: {where} is an Optax transform or a schedule with feedback, which cannot "
                "be stacked: let candidates hold its settings, as in (schedule, {'factor': 0.5, "
                "'patience': 3}), and build it inside `train`"
            )
    if not any(map(callable, leaves)):
        return _numbers(where, leaves)
    if not all(map(callable, leaves)):
        raise TypeError(
            f"sweep: {where} is a schedule in one candidate and a number in another; a fixed rate "
            "is constant(0.1)"
        )
    return _schedules(where, leaves)


def _schedules(where: str, schedules: list[Any]) -> Any:
    # A function that is a pytree, such as a module, stays itself where all are alike.
    if len(set(map(_form, schedules))) > 1 or jax.tree_util.all_leaves(schedules):
        schedules = [s if isinstance(s, Schedule) else from_function(s) for s in schedules]
    forms = [_form(schedule) for schedule in schedules]
    kinds = list(dict.fromkeys(forms))
    stacks = []
    for kind in kinds:
        stand_in = schedules[forms.index(kind)]
        members = [s if f == kind else stand_in for s, f in zip(schedules, forms, strict=True)]
        stacks.append(jax.tree.map(lambda *leaves: _numbers(where, list(leaves)), *members))
    if len(kinds) == 1:
        return stacks[0]
    return switch(tuple(stacks), index=np.array([kinds.index(form) for form in forms]))


def _form(tree: Any) -> Any:
    return jax.tree.structure(tree), tuple(np.shape(leaf) for leaf in jax.tree.leaves(tree))


def _numbers(where: str, leaves: list[Any]) -> np.ndarray:
    arrays = []
    for leaf in leaves:
        array = np.asarray(leaf)
        if not (array.dtype == bool or jnp.issubdtype(array.dtype, jnp.number)):
            raise TypeError(
                f"sweep: {where} must be a number, an array or a schedule, got {show(leaf)}; what "
                "is the same for all belongs into `train`"
            )
        arrays.append(array)
    if len({array.shape for array in arrays}) > 1:
        shapes = sorted({array.shape for array in arrays})
        raise ValueError(f"sweep: {where} has another shape in every candidate: {shapes}")
    table = np.stack(arrays)
    dtype = jax.dtypes.canonicalize_dtype(table.dtype)
    # A whole number beyond the integer type would wrap around.
    if jnp.issubdtype(dtype, jnp.integer) and not np.array_equal(table.astype(dtype), table):
        dtype = default_float()
    with np.errstate(over="ignore"):
        return table.astype(dtype)


class _Name:
    def __init__(self, function: Any):
        self.text = getattr(function, "__qualname__", type(function).__qualname__)

    def __repr__(self) -> str:
        return self.text


def _named(candidate: Any) -> Any:
    def name(node: Any) -> Any:
        return node if isinstance(node, Schedule) or not callable(node) else _Name(node)

    return jax.tree.map(name, candidate, is_leaf=callable)
