"""Schedules that are computed with: ``s * 2``, ``1 - s``, ``s + other``.

What an operator makes is a combinator, which stands in a room above this one. This is the one
place that reaches up: by name, through the package's face, when an operator is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Never, cast

import numpy as np

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import (
    Number,
    RateFunction,
    as_plain,
    exceeds,
    is_array,
    is_leaf,
)

if TYPE_CHECKING:
    from lr_optax._core.schedule import Schedule

Operand = Number | RateFunction
"""What a schedule can be added to or multiplied with."""


class Operators:
    """The operators of a schedule."""

    __slots__ = ()

    def __mul__(self, other: Operand) -> "Schedule":
        if callable(other):
            return _make("product", (self, other))
        return _make("scale", self, factor=other) if _is_factor(other) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: Number) -> "Schedule":
        if callable(other):
            return self._refuse()
        return self * (1 / _wide(other)) if _is_factor(other) else NotImplemented

    def __add__(self, other: Operand) -> "Schedule":
        other = _level(other)
        return _make("add", (self, other)) if callable(other) else NotImplemented

    def __radd__(self, other: Operand) -> "Schedule":
        other = _level(other)
        return _make("add", (other, self)) if callable(other) else NotImplemented

    def __sub__(self, other: Operand) -> "Schedule":
        if callable(other):
            return self + _make("scale", other, factor=-1)
        return self + -_wide(other) if _is_factor(other) else NotImplemented

    def __rsub__(self, other: Operand) -> "Schedule":
        return (-self).__radd__(other)

    def __neg__(self) -> "Schedule":
        return self * -1

    def __pos__(self) -> "Schedule":
        return cast("Schedule", self)

    def _refuse(self, *_: Never) -> Never:
        raise TypeError(
            "schedules can be added, subtracted and multiplied, and divided by numbers; write the "
            "rest as a function of the step: from_function(lambda step: 1 / s(step))"
        )

    __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _refuse


def _make(name: str, *args: object, **kwargs: object) -> "Schedule":
    return getattr(import_module("lr_optax"), name)(*args, **kwargs)


def _is_factor(value: object) -> bool:
    value = as_plain(value)
    return is_leaf(value) and not (is_array(value) and value.dtype == bool)


def _wide(value: Number) -> Number:
    """A number in a type that can hold its negative, which an unsigned one cannot."""
    value = as_plain(value)
    if isinstance(value, np.ndarray):
        return np.asarray(value, np.float64)
    return as_float(value) if is_array(value) else value


def _level(value: Operand) -> Operand:
    """A number as a schedule. A negative one is no rate, and so becomes a factor."""
    if callable(value) or not _is_factor(value):
        return value
    value = as_plain(value)
    if exceeds(0, value):
        return _make("scale", _make("constant", 1.0), factor=value)
    return _make("constant", value)
