"""What every tool asks of ``train(schedule, key) -> metrics``, and how a metric is found."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

Train = Callable[[Any, Array], Any]
"""A pure function of a schedule, or of another pytree, and a random key, that JAX can trace."""


def named(metrics: Any, name: str) -> Any:
    """A metric by its name: an entry, a field, or the metrics themselves if they are one array.

    Raises:
        ValueError: there is none of that name.
    """
    if jax.tree_util.all_leaves([metrics]):
        return metrics
    if not isinstance(metrics, Mapping):
        fields = getattr(metrics, "_fields", None) or getattr(metrics, "__dataclass_fields__", ())
        metrics = {field: getattr(metrics, field) for field in fields}
    if name not in metrics:
        has = ", ".join(map(repr, metrics)) or "none by name"
        raise ValueError(f"train returns no metric {name!r}; it has {has}")
    return metrics[name]


def seeds_of(keys: Array) -> int:
    """How many random keys there are.

    Raises:
        ValueError: it is one key, or none, or nothing of the kind.
    """
    one = jnp.issubdtype(getattr(keys, "dtype", np.float32), jax.dtypes.prng_key)
    if np.ndim(keys) != (1 if one else 2) or not len(keys):
        raise ValueError(
            "`keys` must be one or more random keys, as in jax.random.split(jax.random.key(0), 3), "
            f"got {keys!r}"
        )
    return len(keys)
