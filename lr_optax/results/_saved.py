"""Results as plain data, and back: nothing is lost, and a malformed field is named."""

from __future__ import annotations

import contextlib
import dataclasses
import types
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import jax.numpy as jnp
import numpy as np

from lr_optax._core.hyperparameters import gate, show
from lr_optax.text import from_plain, to_plain

Kinds = Mapping[str, type]
"""The classes of results by name."""


class Axes:
    """An annotation: the axes of an array or a tuple; those of one name have one length.

    Attributes:
        names: of the axes; after a final ``...`` there may be more.
    """

    def __init__(self, *names: str | types.EllipsisType):
        self.names = names


def to_plain_data(value: object) -> Any:
    """Plain data, as ``to_dict`` writes schedules; what those do not hold is marked."""
    return to_plain(value, "result", _marked)


def _marked(value: object, name: str) -> dict[str, Any]:
    """A dictionary of one entry, ``{"kind": content}``."""
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        plain = {field: to_plain(content, field, _marked) for field, content in fields.items()}
        return {"result": [type(value).__name__, plain]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: to_plain(item, name, _marked) for key, item in value.items()}}
    if isinstance(value, float):
        return {"float": str(value)}
    raise TypeError(f"save: {type(value).__name__} has no form as plain data: {value!r}")


def from_plain_data(data: object, kinds: Kinds) -> Any:
    """The value that :func:`to_plain_data` made plain.

    Raises:
        TypeError, ValueError: the data is something else; with the field.
    """
    return from_plain(data, {kind: partial(_read, kind, kinds) for kind in _MARKS})


_MARKS = ("result", "dict", "array", "float")


def _read(kind: str, kinds: Kinds, content: Any) -> Any:
    match kind, content:
        case "result", [str(name), dict(fields)] if name in kinds:
            return _read_result(kinds[name], fields, kinds)
        case "dict", dict(items):
            return {key: from_plain_data(item, kinds) for key, item in items.items()}
        case "array", {"values": values, "dtype": str(dtype), **others}:
            return _read_array(values, dtype, others.get("shape"))
        case "float", "nan" | "inf" | "-inf" as text:
            return float(text)
    raise ValueError(f"holds something else than results are made of, {show({kind: content})}")


# What an array may be given as, by its type. A string type such as U500000000 is none of them: it
# would take as much memory as it says.
_GIVEN_AS = {jnp.bool_: "b", jnp.integer: "iu", jnp.floating: "iuf"}


def _read_array(values: Any, dtype: str, shape: Any) -> np.ndarray:
    """The array; NumPy alone would cut 1.5 down to 1, and make a number of None."""
    with contextlib.suppress(TypeError, ValueError, OverflowError, StopIteration):
        given = np.asarray(values)
        numbers = given.astype(float) if given.dtype.kind == "U" else given
        kinds = next(x for kind, x in _GIVEN_AS.items() if jnp.issubdtype(dtype, kind))
        with np.errstate(over="ignore"):
            array = numbers.astype(dtype).reshape(shape or given.shape)
        fits = numbers.dtype.kind in kinds or not array.size
        fits &= "f" in kinds or np.array_equal(array.ravel(), numbers.ravel())
        if fits and list(array.shape) == (shape or list(array.shape)):
            return array
    raise ValueError(f"holds no array of {show(dtype)}, {show(values)}")


def _read_result(kind: type, fields: dict[str, Any], kinds: Kinds) -> object:
    hints = get_type_hints(kind, include_extras=True)
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    if unknown := sorted(fields.keys() - defaults.keys()):
        raise ValueError(f"`{kind.__name__}.{unknown[0]}` is not a field")
    values = {}
    for name, default in defaults.items():
        if name in fields:
            values[name] = _read_field(f"{kind.__name__}.{name}", hints[name], fields[name], kinds)
        elif default is dataclasses.MISSING:
            raise ValueError(f"`{kind.__name__}.{name}` is missing")
    _check_axes(kind, hints, values)
    return kind(**values)


def _read_field(name: str, hint: Any, data: Any, kinds: Kinds) -> object:
    def accept(value: object) -> object:
        if not _fits(value, hint):
            words = hint.__name__ if isinstance(hint, type) else str(hint)
            raise TypeError(f"must be of type {words}, got {show(value)}")
        return value

    try:
        return gate(hint, accept)(from_plain_data(data, kinds))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"`{name}` {error}") from None


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of the type that an annotation names."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(value, parts[0])
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, parts[1]) for item in value.values())
    if origin is tuple:
        items = value if isinstance(value, tuple) else (None,)
        types_of = parts[:1] * len(items) if parts[-1] is Ellipsis else parts
        return len(items) == len(types_of) and all(map(_fits, items, types_of))
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return hint is Any or not isinstance(hint, type) or isinstance(value, hint)


def _check_axes(kind: type, hints: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Whether axes of one name have one length; an error names both fields."""
    lengths: dict[object, tuple[int, str]] = {}
    for field, value in values.items():
        given = value.values() if isinstance(value, dict) else () if value is None else (value,)
        for axes in getattr(hints[field], "__metadata__", ()):
            for item in given if isinstance(axes, Axes) else ():
                _check_shape(f"`{kind.__name__}.{field}`", item, axes, lengths)


def _check_shape(
    field: str, value: Any, axes: Axes, lengths: dict[object, tuple[int, str]]
) -> None:
    shape = value.shape if isinstance(value, np.ndarray) else (len(value),)
    names = [name for name in axes.names if name is not ...]
    if len(shape) < len(names) or (len(shape) > len(names) and ... not in axes.names):
        raise ValueError(f"{field} must have the axes ({', '.join(names)}), got shape {shape}")
    for name, length in zip(names, shape, strict=False):
        expected, other = lengths.setdefault(name, (length, field))
        if length != expected:
            raise ValueError(f"{field} has {length} {name}, but {other} has {expected}")
