"""What all rates set by a metric share: a policy, from state and metric to next state.

A feedback state is a ``NamedTuple`` of float32 and int32 arrays, whatever the parameters' types:
``scale``, by which updates are multiplied, ``metric_sum`` and ``metric_count`` of the metrics since
the last check, the ``policy``, and what its check needs. The check is a pure function;
:func:`collect` gathers metrics for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import GetAttrKey
from jax.typing import ArrayLike

from lr_optax._core.values import is_array


@final
@dataclass(frozen=True, eq=False, slots=True)
class Policy:
    """A pure function with its settings bound, as a pytree that stands in the state it acts on.

    Settings that are Python values belong to the tree's structure, not to its data: no checkpoint
    holds them, and a run that goes on has those of its code. Arrays, which may be traced, are
    leaves, and so are those of a policy within a policy.

    Flax's ``to_bytes`` knows arrays only, and has to be told to pass over it:
    ``flax.serialization.register_serialization_state(Policy, lambda p: {}, lambda p, _: p)``.

    Attributes:
        function: ``(state, metric, **settings) -> state``.
        static: the settings that are Python values, by name.
        data: those that are arrays or policies.
    """

    function: Callable[..., Any]
    static: dict[str, Any]
    data: dict[str, Any]

    def __call__(self, state: Any, metric: ArrayLike) -> Any:
        """The next state."""
        return self.function(state, metric, **self.static, **self.data)


def is_feedback(node: object) -> bool:
    """Whether a node of an optimizer's state is the state of a policy."""
    return isinstance(getattr(node, "policy", None), Policy)


def collect(
    state: Any,
    value: ArrayLike,
    *,
    check: Callable[[Any, Array], Any],
    accumulation_size: ArrayLike,
    nonfinite: str,
    axis_name: Any,
) -> Any:
    """One more metric: averaged with those before it, and checked when they are enough."""
    metric = _scalar(value)
    metric = metric if axis_name is None else lax.pmean(metric, axis_name)
    counts = jnp.isfinite(metric) | (nonfinite == "compare")
    total = state.metric_sum + jnp.where(counts, metric, 0)
    count = state.metric_count + counts.astype(jnp.int32)
    checked = check(state, total / real(jnp.maximum(count, 1)))
    # At least, not just: a smaller size must take effect where more has been collected.
    return jax.tree.map(
        partial(jnp.where, count >= whole(accumulation_size)),
        checked._replace(metric_sum=jnp.zeros_like(total), metric_count=jnp.zeros_like(count)),
        state._replace(metric_sum=total, metric_count=count),
    )


def improves(metric: Array, best: Array, *, threshold: ArrayLike, threshold_mode: str) -> Array:
    """Whether a metric that should fall lies below the best by more than the margin."""
    # Not of an infinite best, which has no share: 0·∞ is NaN.
    size = jnp.where(jnp.isfinite(best), jnp.abs(best), 0) if threshold_mode == "rel" else 1
    return metric < best - threshold * size


def real(value: ArrayLike) -> Array:
    """A float32 array."""
    return jnp.asarray(value, jnp.float32)


def whole(value: ArrayLike) -> Array:
    """An int32 array."""
    return jnp.asarray(value, jnp.int32)


def bind(function: Callable[..., Any], **settings: Any) -> Policy:
    """A :class:`Policy`, its arrays in the types of a state."""
    data = {n: _typed(v) for n, v in settings.items() if is_array(v) or isinstance(v, Policy)}
    return Policy(function, {n: v for n, v in settings.items() if n not in data}, data)


def _typed(value: Any) -> Any:
    if isinstance(value, Policy):
        return value
    return real(value) if jnp.issubdtype(value.dtype, jnp.floating) else whole(value)


def _scalar(value: ArrayLike) -> Array:
    value = jnp.asarray(value)
    if value.shape != ():
        raise ValueError(f"a metric's `value` must be a scalar, got shape {value.shape}")
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        raise TypeError(f"a metric's `value` must be real, got {value.dtype}")
    return real(value)


def _flatten(policy: Policy) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
    data = [(GetAttrKey(name), value) for name, value in policy.data.items()]
    return data, (policy.function, tuple(policy.static.items()), tuple(policy.data))


def _unflatten(aux: tuple[Any, ...], data: Iterable[Any]) -> Policy:
    function, static, names = aux
    return Policy(function, dict(static), dict(zip(names, data, strict=True)))


jax.tree_util.register_pytree_with_keys(Policy, _flatten, _unflatten)


def unwrapped(tree: Any) -> Any:
    """The same tree with arrays where Flax's nnx has variables around them."""
    return jax.tree.map(
        lambda node: node.get_value() if _is_variable(node) else node, tree, is_leaf=_is_variable
    )


def _is_variable(node: object) -> bool:
    return hasattr(node, "get_value")
