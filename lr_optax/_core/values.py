"""Hyperparameter values: which there are, which are static, how they compare, hash and print."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lr_optax._core.arguments import is_known, show

DEEPEST = 100
"""How many brackets lie in each other in a text at most; Python's own parser stops at 200."""


def kept(value: Any) -> Any:
    """What a schedule keeps of a value: nothing that its text or its JSON could not give back.

    Lists become tuples. NumPy's scalars, enumerations and other subclasses become the number or
    string that they are. An array is copied, since the caller's may change later.

    Raises:
        TypeError, ValueError: there is no such form; the message begins with "must be".
    """
    if isinstance(value, list | tuple):
        if {type(item) for item in value} <= {int, float} and all(map(_is_finite, value)):
            return tuple(value)
        value = tuple(map(kept, value))
        if not (is_static(value) or all(map(is_leaf, jax.tree.leaves(value)))):
            raise TypeError(f"must be a sequence of numbers, or one of words, got {show(value)}")
        return value
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    if is_array(value):
        return _kept_array(value)
    if isinstance(value, int | float) and not _is_finite(value):
        raise ValueError(f"must be a finite number, got {show(value)}; no limit is None")
    for plain, as_plain in _PLAIN.items():
        if isinstance(value, plain) and not isinstance(value, bool):
            return as_plain(value)
    if not (is_static(value) or (callable(value) and all(map(is_leaf, jax.tree.leaves(value))))):
        raise TypeError(
            "must be a number, an array, a schedule, a string, True, False, None, a hashable "
            f"function or a sequence of these, got {show(value)} ({type(value).__name__})"
        )
    return value


_PLAIN: dict[type, Callable[[Any], Any]] = {
    int: int.__index__,
    float: float.__float__,
    str: str.__str__,
}


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _kept_array(array: Any) -> Any:
    dtype = array.dtype
    real = jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)
    if not real or dtype.itemsize > 8:
        raise TypeError(f"must be an array of real numbers, got one of {dtype}")
    if array.size == 0 and array.ndim > 1:
        raise ValueError(f"must be an array with elements, got one of shape {array.shape}")
    if is_known(array) and not np.all(np.isfinite(np.asarray(array, np.float64))):
        raise ValueError(f"must be an array of finite numbers, got {show(array)}")
    if isinstance(array, np.ndarray):
        array = np.array(array, dtype.newbyteorder("="))
        array.flags.writeable = False
    return array


def depth(value: Any) -> int:
    """How many brackets lie in each other in the text of a value."""
    if isinstance(value, tuple):
        return 1 + max(map(depth, value), default=0)
    inside = getattr(value, "hyperparameters", {})
    return 1 + max(map(depth, inside.values()), default=0) if inside else 0


def is_static(value: Any) -> bool:
    if isinstance(value, tuple) and value:
        return all(map(is_static, value))
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
