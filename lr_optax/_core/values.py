"""Hyperparameter values: which are static, how they compare, hash and print."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer


def is_static(value: Any) -> bool:
    if isinstance(value, str | bool | None):
        return True
    is_node = not jax.tree_util.all_leaves([value])
    return callable(value) and not is_node and type(value).__hash__ is not None


def is_leaf(value: Any) -> bool:
    return isinstance(value, int | float | np.ndarray | jax.Array) and not isinstance(value, bool)


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | jax.Array)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if not (is_array(a) or is_array(b)):
        return a is b or (isinstance(a, bool) == isinstance(b, bool) and a == b)
    if a is b or isinstance(a, Tracer) or isinstance(b, Tracer):
        return a is b
    return is_array(a) and is_array(b) and a.dtype == b.dtype and np.array_equal(a, b)


def hashable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(hashable, value))
    return (value.shape, str(value.dtype)) if is_array(value) else value


def to_text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(to_text, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Tracer):
        return f"<traced {value.aval.str_short()}>"
    if not is_array(value):
        return repr(value)
    return f"array({_listed(np.asarray(value))}, dtype={str(value.dtype)!r})"


def _listed(array: np.ndarray) -> str:
    if array.ndim:
        return f"[{', '.join(map(_listed, array))}]"
    return str(array)
