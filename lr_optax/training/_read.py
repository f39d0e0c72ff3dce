"""The rates in an optimizer's state."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax
from jax import Array
from jax.typing import ArrayLike
from optax.contrib import ReduceLROnPlateauState

from lr_optax._core.clock import as_float
from lr_optax.feedback._observe import is_feedback
from lr_optax.feedback._transform import unwrapped
from lr_optax.training._with_hyperparams import HyperparamsState

HYPERPARAMS = (
    HyperparamsState,
    optax.InjectHyperparamsState,
    optax.schedules.InjectStatefulHyperparamsState,
)
"""The states that keep a record of hyperparameters."""


class Entry(NamedTuple):
    """A number found in a state."""

    name: str
    value: Any  # an array
    labels: tuple[str, ...]  # of optax.partition, from the outermost on
    path: tuple[str, ...]  # all keys on the way, unique
    group: tuple[str, ...]  # a scale reaches the rates whose paths begin with this
    updates: Array | None = None  # so far, of the wrapper it belongs to


def read_hyperparams(opt_state: object) -> dict[str, Array]:
    """The hyperparameters that the last update used, before the first update those of step 0.

    Finds what :func:`with_hyperparams` and ``optax.inject_hyperparams`` record, and the ``scale``
    of :func:`reduce_on_plateau`, :func:`greedy` and Optax's own, wherever they are nested. With
    every ``learning_rate`` comes its ``effective_learning_rate``, the product with the scales that
    reach it. A scale reaches all rates of its chain, nested ones too, but none of another group:
    the parts of ``optax.partition``, what ``optax.masked`` masks, the entries of a dict or list,
    the optimizers of a tuple and the two of ``optax.contrib.sam`` are groups.

    Args:
        opt_state: the state of any Optax optimizer, a ``TrainState``, or an ``nnx.Optimizer``.

    Returns:
        Arrays by name. In a group of ``optax.partition`` a name is preceded by the label, as in
        ``decoder/learning_rate``; names that would still be the same, by their path in the state.
        Empty if nothing is recorded: the rate of ``optax.adam(0.1)`` is not in its state.

    Example:
        >>> import optax
        >>> import jax.numpy as jnp
        >>> from lr_optax import linear, reduce_on_plateau, with_hyperparams
        >>> decay = linear(0.1, end_value=0.0, transition_steps=4)
        >>> tx = optax.chain(with_hyperparams(optax.adam, learning_rate=decay),
        ...                  reduce_on_plateau(0.5, patience=0))
        >>> params = {"w": jnp.ones(3)}
        >>> state = tx.init(params)
        >>> for loss in (1.0, 1.0):
        ...     _, state = tx.update(params, state, params, value=loss)
        >>> for name, value in read_hyperparams(state).items():
        ...     print(name, value)
        learning_rate 0.075
        scale 0.5
        effective_learning_rate 0.0375

    When to use it:
        To log, in the compiled step or outside. For the rate of the next update, use
        :func:`next_hyperparams`.
    """
    entries = _entries(opt_state)
    scales = [entry for entry in entries if entry.updates is None]
    for entry in [entry for entry in entries if entry.name == "learning_rate"]:
        reaching = [s.value for s in scales if s.group == entry.path[: len(s.group)]]
        rate = math.prod(map(as_float, reaching), start=entry.value)
        entries.append(entry._replace(name="effective_learning_rate", value=rate, updates=None))
    return {name: entry.value for name, entry in _named(entries).items()}


def next_hyperparams(
    opt_state: object, schedules: Mapping[str, Callable[[Array], ArrayLike] | ArrayLike]
) -> dict[str, Array]:
    """The values that the next update will use, before any scale.

    A state knows its step, but not the schedules, which are the code's.

    Args:
        opt_state: as for :func:`read_hyperparams`.
        schedules: schedules, other functions of the step, or numbers, by a name of
            :func:`read_hyperparams`.

    Returns:
        Arrays by the same names.

    Raises:
        KeyError: the state has no hyperparameter of that name.

    Example:
        >>> import optax
        >>> import jax.numpy as jnp
        >>> from lr_optax import linear, with_hyperparams
        >>> decay = linear(0.1, end_value=0.0, transition_steps=4)
        >>> tx = with_hyperparams(optax.adam, learning_rate=decay)
        >>> params = {"w": jnp.ones(3)}
        >>> _, state = tx.update(params, tx.init(params), params)
        >>> print(read_hyperparams(state)["learning_rate"],
        ...       next_hyperparams(state, {"learning_rate": decay})["learning_rate"])
        0.1 0.075
    """
    counts = {name: steps_taken(opt_state, name) for name in schedules}
    return {n: as_float(s(counts[n]) if callable(s) else s) for n, s in schedules.items()}


def steps_taken(opt_state: object, name: str) -> Array:
    """How many updates the wrapper of a hyperparameter has made."""
    entries = _named(_entries(opt_state))
    counts = {n: entry.updates for n, entry in entries.items() if entry.updates is not None}
    if name not in counts:
        remedy = f"it has {', '.join(counts)}" if counts else NO_RECORD
        raise KeyError(f"the state has no hyperparameter {name!r}; {remedy}")
    return counts[name]


NO_RECORD = (
    "it has a record of none: optax.adam(0.1) keeps none, "
    "with_hyperparams(optax.adam, learning_rate=0.1) does"
)


def _entries(opt_state: object) -> list[Entry]:
    entries = _find(opt_state, (), ())
    if isinstance(opt_state, tuple | list | dict) or len({e.path[:1] for e in entries}) > 1:
        return entries
    # Names of a TrainState or an nnx.Optimizer begin in its opt_state.
    return [e._replace(path=e.path[1:], group=e.group[1:]) for e in entries]


def _find(node: Any, labels: tuple[str, ...], path: tuple[str, ...]) -> list[Entry]:
    if is_feedback(node) or isinstance(node, ReduceLROnPlateauState):
        return [Entry("scale", unwrapped(node.scale), labels, path, path)]
    entries: list[Entry] = []
    if isinstance(node, HYPERPARAMS):
        values, count = unwrapped((node.hyperparams, node.count))
        entries = [Entry(name, value, labels, path, path, count) for name, value in values.items()]
    parts = []
    for key, child in _children(node):
        inner = (*labels, key) if isinstance(node, optax.PartitionState) else labels
        parts.append(((*path, key), _find(child, inner, (*path, key))))
    parts = [(place, part) for place, part in parts if part]
    for place, part in parts:
        reaches_all = _is_link(node, place, part, alone=len(parts) == 1)
        entries += [e._replace(group=path) if reaches_all and e.group == place else e for e in part]
    return entries


def _children(node: Any) -> list[tuple[str, object]]:
    """The nodes right below one, by key."""
    if isinstance(node, HYPERPARAMS):
        # Not the states of schedules: their scales are in the values already.
        return [("inner_state", node.inner_state)]
    node = node.inner_states if isinstance(node, optax.PartitionState) else node
    keyed, _ = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda x: x is not node)
    # A leaf is its own child, without a key.
    return [(jax.tree_util.keystr(key, simple=True), child) for key, child in keyed if key]


def _is_link(node: object, place: tuple[str, ...], part: list[Entry], *, alone: bool) -> bool:
    """Whether a scale at a place of a node reaches all of that node, not just a group in it."""
    if isinstance(node, optax.MaskedState | optax.PartitionState):
        return False
    if type(node) is tuple or isinstance(node, OrderedDict):  # optax.chain and named_chain
        return alone or all(entry.name != "learning_rate" for entry in part)
    # A dict with a bare policy in it is a named_chain whose order was lost.
    bare = part[0].updates is None and part[0].path == place
    return alone or (isinstance(node, dict) and bare)


def _named(entries: list[Entry]) -> dict[str, Entry]:
    short = ["/".join((*entry.labels, entry.name)) for entry in entries]
    return {
        name if short.count(name) == 1 else "/".join((*entry.path, entry.name)): entry
        for name, entry in zip(short, entries, strict=True)
    }
