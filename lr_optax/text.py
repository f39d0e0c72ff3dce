"""Schedules as text and as plain data, to print, configure, log and save them.

The text form is the call that makes a schedule, and its ``repr``. Reading it executes nothing: it
is a literal made of numbers, strings, sequences and the names of registered schedules.
"""

import ast
import difflib
import doctest
import math
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np

import lr_optax.schedules  # noqa: F401  # registers all of them
from lr_optax._core.hyperparameters import DEEPEST, is_array, show
from lr_optax._core.schedule import REGISTRY, Schedule


def parse(text: str) -> Schedule:
    """The schedule that a text describes; the inverse of ``repr``.

    Args:
        text: a call such as ``"cosine_decay(0.1, decay_steps=1000)"``. Arguments are numbers,
            strings, True, False, None, sequences, other schedules, and ``array([...],
            dtype="float32")``.

    Returns:
        The schedule, with ``parse(repr(s)) == s``.

    Raises:
        ValueError: the text is something else, names no registered schedule, or an argument breaks
            its rule; with the place and the reason.

    Example:
        >>> s = parse("warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10)")
        >>> print(s(0), s(10), s(100))
        0.0 0.1 0.0
        >>> parse(repr(s)) == s
        True
    """
    if not isinstance(text, str):
        raise TypeError(f"parse: the text of a schedule must be a str, got {text!r}")
    try:
        value = _read(_tree(text.strip()))
    except SyntaxError as error:
        raise ValueError(f"{_short(text)} is not the text of a schedule: {error.msg}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{_short(text)}: {error}") from None
    except RecursionError:
        raise ValueError(f"{_short(text)} is nested {_TOO_DEEP}") from None
    if not isinstance(value, Schedule):
        raise ValueError(f"{_short(text)} is not a schedule; a fixed rate is constant(0.1)")
    return value


_TOO_DEEP = f"too deeply; a schedule may be nested less than {DEEPEST} deep"


def _tree(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever Python warns of is refused
            return ast.parse(text, mode="eval").body
    except MemoryError:  # what the parser says when its stack is full, too
        raise SyntaxError("Python's parser cannot hold it") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _read(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(map(_read, items))
        case ast.Call(func=ast.Name() | ast.Attribute() as called, args=args, keywords=keywords):
            name = _dotted(called)
            named = {keyword.arg: _read(keyword.value) for keyword in keywords if keyword.arg}
            if len(named) == len(keywords):
                return _make(name, *map(_read, args), **named)
    raise ValueError(f"column {node.col_offset + 1}: expected a number, a string or name(...)")


def _make(name: str, /, *args: Any, **kwargs: Any) -> object:
    if name == "array":
        return array(*args, **kwargs)
    library, dot, _ = name.partition(".")
    if dot and library in _LIBRARIES:
        import_module(f"lr_optax.compat.{_LIBRARIES[library]}")
    if name not in REGISTRY:
        near = difflib.get_close_matches(name, REGISTRY, n=1)
        remedy = f"did you mean {near[0]}?" if near else "lr_optax.catalogue() has them all"
        raise ValueError(f"there is no schedule {name!r}; {remedy}")
    return REGISTRY[name].make(*args, **kwargs)


_LIBRARIES = {"compat": "_shared"} | {
    path.stem: path.stem for path in Path(__file__).with_name("compat").glob("[a-z]*.py")
}
"""The modules of :mod:`lr_optax.compat` by what precedes the names of their formulas."""


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=library), attr=name) if library in _LIBRARIES:
            return f"{library}.{name}"
    raise ValueError(f"column {node.col_offset + 1}: expected the name of a schedule")


def array(values: object, dtype: str) -> np.ndarray:
    """What ``array(...)`` means in a text; its errors are for the person who wrote it."""
    try:
        numeric = np.dtype(dtype) if isinstance(dtype, str) else None
    except TypeError:
        numeric = None
    # A string type such as U500000000 would take as much memory as it says.
    if numeric is None or numeric.shape or not jnp.issubdtype(numeric, jnp.number):
        raise ValueError(f"array: `dtype` must be the name of a number's type, got {show(dtype)}")
    whole = jnp.issubdtype(numeric, jnp.integer)
    if not _are_numbers(values, int if whole else int | float):
        kind = "whole numbers" if whole else "numbers"
        raise ValueError(f"array: `values` must be {kind} for {dtype}, got {show(values)}")
    try:
        with np.errstate(over="ignore"):  # an infinity is refused where a schedule gets it
            return np.asarray(values, numeric)
    except (ValueError, OverflowError):
        raise ValueError(
            f"array: `values` must fit {dtype}, in rows of one length, got {show(values)}"
        ) from None


def _are_numbers(values: object, kind: type | UnionType) -> bool:
    if isinstance(values, list | tuple):
        return all(_are_numbers(item, kind) for item in values)
    return isinstance(values, kind) and not isinstance(values, bool)


def to_dict(schedule: Schedule) -> dict[str, Any]:
    """A schedule as plain data that JSON and YAML can hold: ``{name: {argument: value}}``.

    All hyperparameters are written, so that a later change of a default changes nothing.

    Args:
        schedule: a schedule whose hyperparameters are known (not traced) and without foreign
            functions.

    Returns:
        Nested dictionaries, lists, strings, numbers, booleans and None.

    Raises:
        TypeError: a hyperparameter has no such form, with its name.

    Example:
        >>> from lr_optax import step_decay
        >>> to_dict(step_decay(0.1, decay_rate=0.5, decay_steps=10))
        {'step_decay': {'init_value': 0.1, 'decay_rate': 0.5, 'decay_steps': 10}}
    """
    return to_plain(schedule, "schedule", _refuse)


def _refuse(value: object, name: str) -> NoReturn:
    raise TypeError(f"to_dict: `{name}` = {value!r} has no form as plain data")


def to_plain(value: object, name: str, other: Callable[[object, str], object]) -> Any:
    """A value as plain data; what is not plain becomes a dictionary of one entry.

    A schedule becomes ``{name: {argument: value}}``, an array ``{"array": {"values": ...,
    "dtype": ...}}``, with its infinities and NaNs as strings.

    Args:
        value: what to write.
        name: what errors call it.
        other: writes what has no form here, such as a dictionary or NaN, or raises ``TypeError``;
            it takes the value and its name.
    """
    if isinstance(value, Schedule):
        fields = value.hyperparameters.items()
        return {value.name: {n: to_plain(v, f"{value.name}.{n}", other) for n, v in fields}}
    if isinstance(value, tuple | list):
        return [to_plain(item, name, other) for item in value]
    if isinstance(value, np.generic) or is_array(value):
        array = np.asarray(value)
        # Nested lists tell every shape but those like (0, 3).
        shape = {} if array.size else {"shape": list(array.shape)}
        values = _finite_or_text(array.tolist())
        return {"array": {"values": values, "dtype": str(array.dtype), **shape}}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return other(value, name)


def _finite_or_text(values: object) -> object:
    if isinstance(values, list):
        return list(map(_finite_or_text, values))
    return str(values) if isinstance(values, float) and not math.isfinite(values) else values


def from_dict(data: Mapping[str, Any]) -> Schedule:
    """The schedule that plain data describes; the inverse of :func:`to_dict`.

    Args:
        data: ``{name: {argument: value}}``; arguments left out take their defaults.

    Returns:
        The schedule, with ``from_dict(to_dict(s)) == s``.

    Raises:
        ValueError: the data has another form, names no registered schedule, or an argument breaks
            its rule.

    Example:
        >>> from_dict({"step_decay": {"init_value": 0.1, "decay_rate": 0.5, "decay_steps": 10}})
        step_decay(0.1, decay_rate=0.5, decay_steps=10)
    """
    try:
        value = from_plain(data, {"array": _read_array})
    except RecursionError:
        raise ValueError(f"from_dict: the data contains itself, or is nested {_TOO_DEEP}") from None
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if not isinstance(value, Schedule):
        raise ValueError(f"from_dict: expected {{name: {{argument: value}}}}, got {show(data)}")
    return value


def _read_array(content: object) -> np.ndarray:
    if not isinstance(content, Mapping):
        raise ValueError(f"from_dict: an array needs `values` and `dtype`, got {show(content)}")
    return array(**content)


def from_plain(data: object, kinds: Mapping[str, Callable[[Any], Any]]) -> Any:
    """The value that plain data describes, the inverse of :func:`to_plain`; lists become tuples.

    Args:
        data: what to read.
        kinds: reads the content of dictionaries of one entry, by its name, that are not schedules.
    """
    if isinstance(data, list | tuple):
        return tuple(from_plain(item, kinds) for item in data)
    if not isinstance(data, Mapping):
        return data
    name, content = next(iter(data.items())) if len(data) == 1 else (None, None)
    if isinstance(name, str) and name in kinds:
        return kinds[name](content)
    if not isinstance(content, Mapping):
        raise ValueError(f"from_dict: expected {{name: {{argument: value}}}}, got {show(data)}")
    if not isinstance(name, str):
        raise ValueError(f"from_dict: the name of a schedule must be a str, got {show(name)}")
    return _make(name, **{argument: from_plain(item, kinds) for argument, item in content.items()})


def example(name: str) -> Schedule | None:
    """The schedule that a docstring's example begins with, ``s = name(...)``, if it has one."""
    formula = REGISTRY[name].formula
    begin = f"s = {formula.__name__}("
    for line in doctest.DocTestParser().get_examples(formula.__doc__ or ""):
        if line.source.startswith(begin) and "lambda" not in line.source:
            return parse(f"{name}({line.source.removeprefix(begin)}")
    return None
