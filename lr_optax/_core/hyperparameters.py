"""What a hyperparameter may be: annotations that turn into clear errors.

A formula annotates its arguments with the aliases of this module; the function that users call
then checks what it knows, and says nothing about traced values::

    def step_decay(step, init_value: Rate, *, decay_rate: Positive, decay_steps: Period): ...
"""

import difflib
import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lr_optax._core.shapes import needs_positive


class Accepts(Protocol):
    """What may stand in an annotation's metadata: takes a value, returns what is kept of it."""

    def accept(self, value: Any) -> Any:
        """Return the value to keep, or raise ``TypeError`` or ``ValueError`` with the rule."""
        ...


@dataclass(frozen=True)
class Rule:
    """A rule for a real number or an array of them.

    Attributes:
        words: what the value must be; it follows "must be" in an error.
        holds: the test, elementwise on a NumPy array of floats.
        whole: whether the values count something, so that whole ones are kept as integers.
    """

    words: str
    holds: Callable[[np.ndarray], Any] = field(repr=False)
    whole: bool = False

    def accept(self, value: Any) -> Any:
        """NumPy scalars become Python numbers, a count of 1e4 becomes 10000."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, np.ndarray | jax.Array) and jnp.issubdtype(value.dtype, jnp.number):
            real = not jnp.issubdtype(value.dtype, jnp.complexfloating)
        else:
            real = isinstance(value, int | float) and not isinstance(value, bool)
        if not real:
            raise TypeError(f"must be {self.words}, got {show(value)} ({type(value).__name__})")
        if np.size(value) == 0:
            raise ValueError(f"must be {self.words}, got an empty array")
        if is_known(value) and not self.holds_for(value):
            raise ValueError(f"must be {self.words}, got {show(value)}{self._remedy(value)}")
        return self.keep(value)

    def keep(self, value: Any) -> Any:
        """What is kept of a value that fits."""
        return int(value) if self.whole and isinstance(value, float) and value % 1 == 0 else value

    def holds_for(self, value: Any) -> bool:
        """Whether all numbers fit."""
        try:
            return bool(np.all(self.holds(np.asarray(value, np.float64))))
        except OverflowError:
            return False

    def _remedy(self, value: Any) -> str:
        if self.whole and isinstance(value, float) and 0 < value < 1:
            return f" (that fraction of a run of n steps is round({value!r} * n))"
        return ""


@dataclass(frozen=True)
class Several:
    """A sequence, or a vector, of values that each keep a rule.

    Attributes:
        rule: the rule of each.
        ascending: whether they must be in order.
    """

    rule: Rule
    ascending: bool = False

    def accept(self, value: Any) -> Any:
        """See :class:`Accepts`. A list becomes a tuple."""
        if isinstance(value, np.ndarray | jax.Array) and value.shape == (0,):
            return ()
        plain = False
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            # Python numbers are looked at together: one by one, 100,000 take seconds.
            plain = {type(item) for item in value} <= {int, float} and self.rule.holds_for(value)
            accept = self.rule.keep if plain else self.rule.accept
            value = tuple(accept(item) for item in value)
        elif not (isinstance(value, np.ndarray | jax.Array) and value.ndim == 1):
            raise TypeError(f"must be a sequence, each {self.rule.words}, got {show(value)}")
        else:
            value = self.rule.accept(value)
        if not self.ascending:
            return value
        known = value
        if isinstance(value, tuple) and not plain:
            known = [v for v in value if is_known(v)]
        if (plain or is_known(known)) and np.any(np.diff(np.asarray(known, np.float64)) < 0):
            raise ValueError(f"must be in ascending order, got {show(value)}")
        return value


def _at_least(low: float, *, whole: bool) -> Callable[[np.ndarray], Any]:
    return lambda x: np.isfinite(x) & (x >= low) & ((x == np.floor(x)) | (not whole))


Number = float | jax.Array | np.ndarray
"""A Python number, or an array of numbers."""


Real = Annotated[Number, Rule("a finite number", np.isfinite)]
"""Any real number."""


NonNegative = Annotated[Number, Rule("a finite number >= 0", _at_least(0, whole=False))]
"""A quantity that cannot be negative."""


Rate = NonNegative
"""A learning rate."""


Positive = Annotated[Number, Rule("a finite number > 0", lambda x: np.isfinite(x) & (x > 0))]
"""What something is multiplied by, or raised to."""


Growth = Annotated[Number, Rule("a finite number >= 1", _at_least(1, whole=False))]
"""A factor that does not shrink what it multiplies."""


Fraction = Annotated[Number, Rule("a number in [0, 1]", lambda x: (x >= 0) & (x <= 1))]
"""A share of something."""


Shrinking = Annotated[
    Number, Rule("a number between 0 and 1, both excluded", lambda x: (x > 0) & (x < 1))
]
"""A factor that shrinks what it multiplies, but not to nothing."""


Steps = Annotated[
    Number, Rule("a whole number of steps >= 0", _at_least(0, whole=True), whole=True)
]
"""A length in optimizer steps; a phase of 0 steps is over at once."""


Period = Annotated[
    Number, Rule("a whole number of steps >= 1", _at_least(1, whole=True), whole=True)
]
"""A length in optimizer steps after which something happens again."""


Span = Annotated[Number, Rule("a number of steps >= 0", _at_least(0, whole=False), whole=True)]
"""A length in steps that may end between two, as other libraries allow."""


Interval = Annotated[
    Number, Rule("a number of steps > 0", lambda x: np.isfinite(x) & (x > 0), whole=True)
]
"""A length after which something happens again, which may be between two steps."""


Offset = Annotated[
    Number, Rule("a whole number of steps", _at_least(-np.inf, whole=True), whole=True)
]
"""A distance in optimizer steps, either way."""


Boundaries = Annotated[
    Sequence[Number] | np.ndarray | jax.Array,
    Several(
        Rule("a whole number of steps >= 0", _at_least(0, whole=True), whole=True), ascending=True
    ),
]
"""The steps at which something changes, in ascending order."""


Moments = Annotated[
    Sequence[Number] | np.ndarray | jax.Array,
    Several(Rule("a number of steps >= 0", _at_least(0, whole=False), whole=True), ascending=True),
]
"""Times at which something changes, in ascending order, which may lie between two steps."""


Rates = Annotated[
    Sequence[Number] | np.ndarray | jax.Array,
    Several(Rule("a finite number >= 0", _at_least(0, whole=False))),
]
"""Several learning rates."""


Count = Annotated[Number, Rule("a whole number >= 0", _at_least(0, whole=True), whole=True)]
"""A number of checks, cycles or the like."""


Size = Annotated[int, Rule("a whole number >= 1", _at_least(1, whole=True), whole=True)]
"""How many of something there are at once: the shape of an array, so never traced."""


def is_known(*values: object) -> bool:
    """Whether values can be compared now: no tracers, nothing that lives on another host."""
    return all(
        isinstance(value, int | float | np.ndarray)
        or (
            isinstance(value, jax.Array)
            and not isinstance(value, Tracer)
            and value.is_fully_addressable
        )
        for value in jax.tree.leaves(values)
    )


def exceeds(low: Any, high: Any) -> bool:
    """Whether ``low``, or one of its elements, is known to be greater than ``high``."""
    return is_known(low, high) and bool(np.any(np.asarray(low) > np.asarray(high)))


def show(value: object) -> str:
    """A value as an error quotes it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return f"a number of {type(value).__name__} with thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


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


def formula_name(formula: Callable[..., Any], *, positional: bool = False) -> str:
    """The name of a formula that has the form of one, ``(step, first, *, second, ...)``.

    Args:
        formula: the function that is to be one.
        positional: whether any number of hyperparameters may be positional.
    """
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
    for parameter in () if positional else parameters[2:]:
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
    """

    def __init__(self, function: Callable[..., Any], skip: int = 0):
        named = list(inspect.signature(function, eval_str=True).parameters.values())[skip:]
        bare = [parameter.replace(annotation=parameter.empty) for parameter in named]
        self.function = function.__name__
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


CrossRule = Callable[..., None]
"""Takes all hyperparameters by name, raises ``ValueError`` if they do not go together."""


def together(*checks: CrossRule) -> CrossRule:
    """Several rules in turn."""

    def check(**values: Any) -> None:
        for each in checks:
            each(**values)

    return check


def must_not_exceed(low: str, high: str) -> CrossRule:
    """One must not be greater than the other, if that is given."""

    def check(**values: Any) -> None:
        if values[high] is not None and exceeds(values[low], values[high]):
            raise ValueError(
                f"`{low}` must not exceed `{high}`, got {values[low]} > {values[high]}"
            )

    return check


def must_fit(*phases: str, into: str) -> CrossRule:
    """The lengths of some phases must not add up to more than the whole."""

    def check(**values: Any) -> None:
        lengths = [values[phase] for phase in phases]
        if exceeds(sum(lengths[1:], lengths[0]), values[into]):
            named, sizes = (
                " + ".join(f"`{phase}`" for phase in phases),
                " + ".join(map(str, lengths)),
            )
            raise ValueError(f"{named} must fit into `{into}`, got {sizes} > {values[into]}")

    return check


def one_fewer(few: str, many: str) -> CrossRule:
    """Boundaries lie between what they part."""

    def check(**values: Any) -> None:
        if len(values[few]) != len(values[many]) - 1:
            raise ValueError(
                f"`{few}` must be one fewer than `{many}`, "
                f"got {len(values[few])} for {len(values[many])}"
            )

    return check


def positive_ends(*names: str) -> CrossRule:
    """What a ``shape`` leads from or to must be > 0 if its mean is one of positive values."""

    def check(**values: Any) -> None:
        for name in names if needs_positive(values["shape"]) else ():
            if is_known(values[name]) and np.any(np.asarray(values[name]) <= 0):
                raise ValueError(
                    f"`{name}` must be > 0 with the shape {values['shape']!r}, got {values[name]}"
                )

    return check
