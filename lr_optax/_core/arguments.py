"""What a hyperparameter may be: annotations that turn into clear errors.

A formula annotates its arguments with the aliases of this module; the function that users call
then checks what it knows, and says nothing about traced values::

    def step_decay(step, init_value: Rate, *, decay_rate: Positive, decay_steps: Period): ...
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


class Check(Protocol):
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
        """See :class:`Check`. NumPy scalars become Python numbers, a count of 1e4 becomes 10000."""
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
        """See :class:`Check`. A list becomes a tuple."""
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
