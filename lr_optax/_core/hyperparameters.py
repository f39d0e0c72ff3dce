"""What a hyperparameter may be: annotations, and the one gate that every given value passes.

A formula annotates its arguments with the aliases of this module. :class:`Parameters` turns each
given value into the one that is kept, or into an error that names the field, the rule and the
value. Traced values are never checked::

    def step_decay(step, init_value: Rate, *, decay_rate: Positive, decay_steps: Period): ...
"""

import difflib
import functools
import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    Protocol,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
    runtime_checkable,
)

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike


def is_number(value: object) -> TypeGuard[float]:
    """Whether ``value`` is a Python number: known exactly, and in double precision."""
    return isinstance(value, int | float)


def is_array(value: object) -> TypeGuard[np.ndarray | jax.Array]:
    """Whether ``value`` is an array of NumPy or JAX, a tracer included."""
    return isinstance(value, np.ndarray | jax.Array)


def is_leaf(value: object) -> bool:
    """Whether ``value`` is a number or an array: what may be traced."""
    return (is_number(value) and not isinstance(value, bool)) or is_array(value)


def is_known(*values: object) -> bool:
    """Whether values can be compared now: no tracers, nothing that lives on another host."""
    return all(
        is_number(value)
        or isinstance(value, np.ndarray)
        or (
            isinstance(value, jax.Array)
            and not isinstance(value, Tracer)
            and value.is_fully_addressable
        )
        for value in jax.tree.leaves(values)
    )


def exceeds(low: object, high: object) -> bool:
    """Whether ``low``, or one of its elements, is known to be greater than ``high``."""
    return is_known(low, high) and bool(np.any(np.asarray(low) > np.asarray(high)))


def show(value: object) -> str:
    """A value as an error quotes it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return f"a number of {type(value).__name__} with thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def as_plain(value: object) -> Any:
    """NumPy's scalars, enumerations and other subclasses as the number or string they are."""
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    elif isinstance(value, np.generic) and jnp.issubdtype(value.dtype, jnp.number):
        value = value.astype(np.float64).item()  # bfloat16 and its like, unknown to NumPy
    if type(value) not in (int, float, str, bool):
        for plain, convert in _CONVERSIONS.items():
            if isinstance(value, plain):
                return convert(value)
    return value


_CONVERSIONS: dict[type, Callable[[Any], object]] = {
    int: int.__index__,
    float: float.__float__,
    str: str.__str__,
}


def _holds_reals(array: np.ndarray | jax.Array) -> bool:
    return jnp.issubdtype(array.dtype, jnp.integer) or jnp.issubdtype(array.dtype, jnp.floating)


def _kept_array(array: np.ndarray | jax.Array) -> np.ndarray | jax.Array:
    """An array that no caller can change: one of NumPy is copied."""
    if not _holds_reals(array) or array.dtype.itemsize > 8:  # JAX has nothing over float64
        raise TypeError(f"must be an array of real numbers, got one of {array.dtype}")
    if isinstance(array, np.ndarray):
        array = np.array(array, array.dtype.newbyteorder("="))
        array.flags.writeable = False
    return array


@runtime_checkable
class Accepts(Protocol):
    """What may stand in an annotation's metadata: takes a value, returns what is kept of it."""

    def accept(self, value: object) -> object:
        """Return the value to keep, or raise ``TypeError`` or ``ValueError`` with the rule."""
        ...


@dataclass(frozen=True)
class Rule:
    """A rule for a real number or an array of them.

    Attributes:
        words: what the value must be; it follows "must be" in an error.
        holds: the test, elementwise on a NumPy array of floats.
        whole: whether the values count something, so that whole ones are kept as integers.
        steps: whether they are lengths or places in time, counted in steps.
    """

    words: str
    holds: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    whole: bool = False
    steps: bool = False

    def accept(self, value: Any) -> Any:
        """NumPy scalars become Python numbers, a count of 1e4 becomes 10000."""
        value = as_plain(value)
        if not is_leaf(value) or (is_array(value) and not _holds_reals(value)):
            raise TypeError(f"must be {self.words}, got {show(value)} ({type(value).__name__})")
        if np.size(value) == 0:
            raise ValueError(f"must be {self.words}, got an empty array")
        if is_known(value) and not self.holds_for(value):
            raise ValueError(f"must be {self.words}, got {show(value)}{self._remedy(value)}")
        return _kept_array(value) if is_array(value) else self.keep(value)

    def keep(self, value: Any) -> Any:
        """What is kept of a number that fits."""
        return int(value) if self.whole and isinstance(value, float) and value % 1 == 0 else value

    def holds_for(self, value: object) -> bool:
        """Whether all numbers fit."""
        try:
            return bool(np.all(self.holds(np.asarray(value, np.float64))))
        except OverflowError:
            return False

    def _remedy(self, value: object) -> str:
        if self.whole and isinstance(value, float) and 0 < value < 1:
            return f" (that fraction of a run of n steps is round({value!r} * n))"
        return ""


IN_STEPS = "counted in steps"
"""Marks a real number that is a length or a place in time."""

PER_STEP = "given step by step"
"""Marks a hyperparameter that no other clock can be put on."""


@dataclass(frozen=True)
class Several:
    """A sequence, or a vector, of values that each keep a rule.

    Attributes:
        rule: the rule of each.
        ascending: whether they must be in order.
    """

    rule: Rule
    ascending: bool = False

    def accept(self, value: object) -> Any:
        """A list becomes a tuple."""
        if is_array(value) and value.shape == (0,):
            return ()
        if is_array(value) and value.ndim == 1:
            value = compared = self.rule.accept(value)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            value, compared = self._accept_each(value)
        else:
            raise TypeError(f"must be a sequence, each {self.rule.words}, got {show(value)}")
        ordered = not self.ascending or not is_known(compared)
        if not ordered and np.any(np.diff(np.asarray(compared, np.float64)) < 0):
            raise ValueError(f"must be in ascending order, got {show(value)}")
        return value

    def _accept_each(self, values: Sequence[object]) -> tuple[tuple[object, ...], object]:
        """What is kept of each, and those of them that can be compared, as one leaf."""
        # Python numbers are looked at together: one by one, 100,000 take seconds.
        if {type(value) for value in values} <= {int, float} and self.rule.holds_for(values):
            kept = tuple(map(self.rule.keep, values))
            return kept, np.asarray(kept, np.float64)
        kept = tuple(map(self.rule.accept, values))
        return kept, [value for value in kept if is_known(value)]


def _at_least(low: float, words: str) -> Rule:
    return Rule(words, lambda x: np.isfinite(x) & (x >= low))


def _whole(low: float, words: str, *, steps: bool = False) -> Rule:
    def holds(x: np.ndarray) -> np.ndarray:
        return np.isfinite(x) & (x >= low) & (x == np.floor(x))

    return Rule(words, holds, whole=True, steps=steps)


def rule_of(hint: object) -> "Rule | Several | None":
    """The rule for numbers in an annotation such as ``Steps | None``."""
    if isinstance(hint, Rule | Several):
        return hint
    return next(filter(None, map(rule_of, get_args(hint))), None)


def length_rule(hint: object) -> Rule | None:
    """The rule of what an annotation lets be counted in steps."""
    rule = hint.rule if isinstance(hint, Several) else hint
    if isinstance(rule, Rule):
        return rule if rule.steps else None
    parts = get_args(hint)
    if IN_STEPS in parts:
        return next(part for part in parts if isinstance(part, Rule))
    return next(filter(None, map(length_rule, parts)), None)


_FINITE = Rule("a finite number", np.isfinite)
_WHOLE_STEPS = _whole(0, "a whole number of steps >= 0", steps=True)
# Times between two steps, which some libraries allow; whole ones are kept as integers.
_TIME = Rule("a number of steps >= 0", lambda x: np.isfinite(x) & (x >= 0), whole=True, steps=True)

Number = float | jax.Array | np.ndarray
"""A Python number, or an array of numbers."""

RateFunction = Callable[[Any], ArrayLike]
"""A function from the step to a rate: a schedule, or one that becomes a schedule."""

Vector = Sequence[Number] | np.ndarray | jax.Array
"""Several numbers."""

Real = Annotated[Number, _FINITE]
"""Any real number."""

NonNegative = Annotated[Number, _at_least(0, "a finite number >= 0")]
"""A quantity that cannot be negative."""

Rate = NonNegative
"""A learning rate."""

Positive = Annotated[Number, Rule("a finite number > 0", lambda x: np.isfinite(x) & (x > 0))]
"""What something is multiplied by, or raised to."""

Growth = Annotated[Number, _at_least(1, "a finite number >= 1")]
"""A factor that does not shrink what it multiplies."""

Fraction = Annotated[Number, Rule("a number in [0, 1]", lambda x: (x >= 0) & (x <= 1))]
"""A share of something."""

_BETWEEN = Rule("a number between 0 and 1, both excluded", lambda x: (x > 0) & (x < 1))
Shrinking = Annotated[Number, _BETWEEN]
"""A factor that shrinks what it multiplies, but not to nothing."""

Steps = Annotated[Number, _WHOLE_STEPS]
"""A length in optimizer steps; a phase of 0 steps is over at once."""

Period = Annotated[Number, _whole(1, "a whole number of steps >= 1", steps=True)]
"""A length in optimizer steps after which something happens again."""

Span = Annotated[Number, _TIME]
"""A length in steps that may end between two, as other libraries allow."""

_DURATION = Rule(
    "a number of steps > 0", lambda x: np.isfinite(x) & (x > 0), whole=True, steps=True
)
Interval = Annotated[Number, _DURATION]
"""A length after which something happens again, which may be between two steps."""

Offset = Annotated[Number, _whole(-np.inf, "a whole number of steps", steps=True)]
"""A distance in optimizer steps, either way."""

Boundaries = Annotated[Vector, Several(_WHOLE_STEPS, ascending=True)]
"""The steps at which something changes, in ascending order."""

Moments = Annotated[Vector, Several(_TIME, ascending=True)]
"""Times at which something changes, in ascending order, which may lie between two steps."""

Rates = Annotated[Vector, Several(_at_least(0, "a finite number >= 0"))]
"""Several learning rates."""

Count = Annotated[Number, _whole(0, "a whole number >= 0")]
"""A number of checks, cycles or the like."""

Size = Annotated[int, _whole(1, "a whole number >= 1")]
"""How many of something there are at once: the shape of an array, so never traced."""

DEEPEST = 100
"""How many brackets lie in each other in a text at most; Python's own parser stops at 200."""


def keep(value: object) -> object:
    """What a schedule keeps where no rule says it: what its text and its JSON can give back.

    Lists become tuples. NumPy's scalars, enumerations and other subclasses become the number or
    string that they are. An array is copied, since the caller's may change later.

    Raises:
        TypeError, ValueError: there is no such form; the message begins with "must be".
    """
    value = _kept(value)
    if depth(value) >= DEEPEST:
        raise ValueError(
            f"must be nested less than {DEEPEST} deep, got {depth(value)}; "
            "add, product and join take any number side by side"
        )
    return value


def _kept(value: object) -> object:
    value = as_plain(value)
    if isinstance(value, list | tuple):
        return _kept_sequence(value)
    if is_array(value):
        value = _kept_array(value)
        if value.size == 0 and value.ndim > 1:
            raise ValueError(f"must be an array with elements, got one of shape {value.shape}")
    if is_leaf(value) and is_known(value) and not _FINITE.holds_for(value):
        what = "an array of finite numbers" if is_array(value) else "a finite number"
        remedy = "" if is_array(value) else "; no limit is None"
        raise ValueError(f"must be {what}, got {show(value)}{remedy}")
    leaves = [value] if is_leaf(value) else jax.tree.leaves(value) if callable(value) else [None]
    if not (is_static(value) or all(map(is_leaf, leaves))):
        raise TypeError(
            "must be a number, an array, a schedule, a string, True, False, None, a hashable "
            f"function or a sequence of these, got {show(value)} ({type(value).__name__})"
        )
    return value


def _kept_sequence(values: Sequence[object]) -> tuple[object, ...]:
    if {type(value) for value in values} <= {int, float} and _FINITE.holds_for(values):
        return tuple(values)
    kept = tuple(map(_kept, values))
    if not (is_static(kept) or all(map(is_leaf, jax.tree.leaves(kept)))):
        raise TypeError(f"must be a sequence of numbers, or one of words, got {show(kept)}")
    return kept


def depth(value: object) -> int:
    """How many brackets lie in each other in the text of a value."""
    if isinstance(value, tuple):
        return 1 + max(map(depth, value), default=0)
    inside = getattr(value, "hyperparameters", {})
    return 1 + max(map(depth, inside.values()), default=0) if inside else 0


def is_static(value: object) -> bool:
    """Whether ``value`` is a constant of a compiled program: a word, None, a foreign function."""
    if isinstance(value, tuple) and value:
        return all(map(is_static, value))
    if isinstance(value, str | bool | None):
        return True
    is_node = not jax.tree_util.all_leaves([value])
    return callable(value) and not is_node and type(value).__hash__ is not None


P = ParamSpec("P")

R = TypeVar("R")


Gate = Callable[[object], object]
"""Turns a given value into the one that is kept, or raises what follows "`field` "."""


def gate(hint: object, otherwise: Gate) -> Gate:
    """The gate that an annotation describes.

    Args:
        hint: the annotation.
        otherwise: the gate of values that no number's rule has turned into what is kept.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType) and type(None) in parts:
        named = [part for part in parts if part is not type(None)]
        given = gate(named[0], otherwise) if len(named) == 1 else otherwise
        return lambda value: None if value is None else given(value)
    if origin is Literal:
        return functools.partial(_one_of, parts)
    if hint is bool:
        return _true_or_false
    rules = [part for part in parts if isinstance(part, Accepts)] if origin is Annotated else []
    if not rules:
        return otherwise
    rule = rules[0]
    number = isinstance(rule, Rule | Several)
    return rule.accept if number else lambda value: otherwise(rule.accept(value))


def _one_of(words: tuple[str, ...], value: object) -> str:
    value = as_plain(value)
    if not (isinstance(value, str) and value in words):
        raise ValueError(f"must be {' or '.join(map(repr, words))}, got {show(value)}")
    return value


def _true_or_false(value: object) -> bool:
    value = as_plain(value)
    if not isinstance(value, bool):
        raise TypeError(f"must be True or False, got {show(value)} ({type(value).__name__})")
    return value


class Parameters:
    """The hyperparameters of a function: names, defaults, annotations.

    Args:
        function: whose hyperparameters they are.
        skip: how many leading arguments are not hyperparameters (1 for a formula's step).
        otherwise: the gate where an annotation has no rule.

    Attributes:
        hints: the annotations by name.
        signature: names and defaults without annotations, as ``help`` prints them.
    """

    def __init__(self, function: Callable[..., object], skip: int = 0, otherwise: Gate = as_plain):
        named = list(inspect.signature(function, eval_str=True).parameters.values())[skip:]
        bare = [parameter.replace(annotation=parameter.empty) for parameter in named]
        self.function = function.__name__
        self.hints = {parameter.name: parameter.annotation for parameter in named}
        self.signature = inspect.Signature(bare)
        self._gates = {name: gate(hint, otherwise) for name, hint in self.hints.items()}

    def bind(self, *args: object, **kwargs: object) -> dict[str, Any]:
        """What is kept of all hyperparameters, defaults included, by name."""
        for name in kwargs.keys() - self.hints.keys():
            near = difflib.get_close_matches(name, self.hints, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(self.hints)}"
            raise TypeError(f"{self.function}: there is no argument {name!r}; {remedy}")
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.function}{self.signature}: {error}") from None
        bound.apply_defaults()
        return {name: self._keep(name, value) for name, value in bound.arguments.items()}

    def _keep(self, name: str, value: object) -> object:
        try:
            return self._gates[name](value)
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


CrossRule = Callable[..., None]
"""Takes all hyperparameters by name, raises ``ValueError`` if they do not go together."""


def together(*rules: CrossRule) -> CrossRule:
    """Several rules in turn."""

    def check(**values: Any) -> None:
        for rule in rules:
            rule(**values)

    return check


def must_not_exceed(low: str, high: str) -> CrossRule:
    """One must not be greater than the other, if that is given."""

    def check(**values: Any) -> None:
        lower, upper = values[low], values[high]
        if is_leaf(lower) and is_leaf(upper) and exceeds(lower, upper):
            raise ValueError(f"`{low}` must not exceed `{high}`, got {lower} > {upper}")

    return check


def must_fit(*phases: str, into: str) -> CrossRule:
    """The lengths of some phases must not add up to more than the whole."""

    def check(**values: Any) -> None:
        lengths = [values[phase] for phase in phases]
        if exceeds(sum(lengths[1:], lengths[0]), values[into]):
            named = " + ".join(f"`{phase}`" for phase in phases)
            sizes = " + ".join(map(str, lengths))
            raise ValueError(f"{named} must fit into `{into}`, got {sizes} > {values[into]}")

    return check


def one_fewer(few: str, many: str) -> CrossRule:
    """There must be one boundary fewer than parts."""

    def check(**values: Any) -> None:
        fewer, more = len(values[few]), len(values[many])
        if fewer != more - 1:
            raise ValueError(f"`{few}` must be one fewer than `{many}`, got {fewer} for {more}")

    return check
