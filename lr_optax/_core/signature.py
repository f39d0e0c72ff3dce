"""A function's hyperparameters: bound by name, and checked by their annotations."""

import difflib
import functools
import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

import numpy as np

from lr_optax._core.arguments import show

P = ParamSpec("P")
R = TypeVar("R")


def accept(hint: Any, value: Any) -> Any:
    """What is kept of ``value`` under an annotation; errors begin with "must be"."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType) and type(None) in parts:
        if value is None:
            return None
        hint, *others = (part for part in parts if part is not type(None))
        return value if others else accept(hint, value)
    if origin is Annotated:
        for check in parts[1:]:
            value = check.accept(value) if hasattr(check, "accept") else value
        return value
    if origin is Literal and not (isinstance(value, str) and value in parts):
        raise ValueError(f"must be {' or '.join(map(repr, parts))}, got {show(value)}")
    if hint is bool and not isinstance(value, bool | np.bool_):
        raise TypeError(f"must be True or False, got {show(value)} ({type(value).__name__})")
    return value.item() if isinstance(value, np.generic) else value


def formula_name(formula: Callable[..., Any]) -> str:
    """The name of a formula that has the form of one, ``(step, first, *, second, ...)``."""
    name = getattr(formula, "__name__", None)
    if not (isinstance(name, str) and name.isidentifier()):
        raise TypeError(f"schedule: a formula must be a function with a name, got {formula!r}")
    parameters = list(inspect.signature(formula).parameters.values())
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise TypeError(f"{name}: a formula must take the step as its first argument")
    for parameter in parameters[1:]:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(
                f"{name}: a hyperparameter must have a name to be given by, which "
                f"{str(parameter)!r} has not; write it as (step, first, *, second)"
            )
    for parameter in parameters[2:]:
        if parameter.kind != parameter.KEYWORD_ONLY:
            raise TypeError(
                f"{name}: only the step and the first hyperparameter may be positional; put a * "
                f"before {parameter.name!r}"
            )
    return name


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Parameters:
    """The hyperparameters of a function: names, defaults, annotations.

    Args:
        function: whose hyperparameters they are.
        skip: how many leading arguments are not hyperparameters (1 for a formula's step).
        name: what errors call it, if not by its own name.
    """

    def __init__(self, function: Callable[..., Any], skip: int = 0, name: str | None = None):
        named = list(inspect.signature(function, eval_str=True).parameters.values())[skip:]
        bare = [parameter.replace(annotation=parameter.empty) for parameter in named]
        self.function = name or function.__name__
        self.hints = {parameter.name: parameter.annotation for parameter in named}
        self.signature = inspect.Signature(bare)

    def bind(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """All hyperparameters by name, defaults included, each checked."""
        for name in kwargs.keys() - self.hints.keys():
            near = difflib.get_close_matches(name, self.hints, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(self.hints)}"
            raise TypeError(f"{self.function}: there is no argument {name!r}; {remedy}")
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.function}{self.signature}: {error}") from None
        bound.apply_defaults()
        return {name: self._accept(name, value) for name, value in bound.arguments.items()}

    def _accept(self, name: str, value: Any) -> Any:
        try:
            return accept(self.hints[name], value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.function}: `{name}` {error}") from None


def validated(function: Callable[P, R]) -> Callable[P, R]:
    """Check a function's arguments by their annotations before it runs."""
    parameters = Parameters(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(**parameters.bind(*args, **kwargs))  # type: ignore[call-arg]

    # Names and defaults, as a schedule's: `help` would print every rule in full.
    checked.__signature__ = parameters.signature  # type: ignore[attr-defined]
    return checked
