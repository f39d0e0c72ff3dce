"""What a schedule is: a name, a formula, and hyperparameters.

:func:`schedule` turns a pure formula into a function that makes :class:`Schedule` objects. This
module alone knows about pytrees, pickling, comparison and registration; a formula knows about
steps and rates.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Concatenate, ParamSpec, Protocol, final, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.tree_util import GetAttrKey
from jax.typing import ArrayLike, DTypeLike

from lr_optax._core.clock import as_float, as_length, as_places, as_step, default_integer
from lr_optax._core.hyperparameters import (
    CrossRule,
    Parameters,
    Rule,
    Several,
    is_array,
    is_static,
    keep,
    rule_of,
    show,
)
from lr_optax._core.operators import Operators
from lr_optax._core.powers import finite

P = ParamSpec("P")
REGISTRY: dict[str, "Kind"] = {}

Structure = tuple["Kind", tuple[str, ...], tuple[tuple[str, object], ...]]
"""What a schedule is without its leaves: its kind, their names, the static hyperparameters."""


@final
class Schedule(Operators):
    """A learning rate as a function of the step: ``s(step)``.

    Made by a function such as :func:`lr_optax.cosine_decay`, never directly. A schedule is

    * a pytree, whose leaves are its numbers, arrays and inner schedules: it may be an argument of
      ``jax.jit`` (one trace for any values), be stacked and mapped with ``jax.vmap``, and be
      differentiated;
    * a value: it can be compared, hashed, printed, pickled and copied, and ``parse(repr(s)) == s``;
    * immutable: ``s.replace(decay_steps=20)`` makes a changed copy.

    Hyperparameters are attributes: ``s.decay_steps``. Numbers, and other functions of the step,
    may be added, subtracted and multiplied, and numbers divided by: ``s * 2`` is
    ``scale(s, factor=2)``, ``s * other`` a ``product``, and ``1 - s`` an ``add``.

    A hyperparameter outside of the range that its function gives for it raises ``TypeError`` or
    ``ValueError``, with its name, the rule and the value, when the schedule is made. Traced values
    are never checked.

    Example:
        >>> from lr_optax import linear
        >>> s = linear(0.1, transition_steps=10)
        >>> s * 2
        scale(linear(0.1, transition_steps=10), factor=2)
        >>> momentum = 0.95 - s
        >>> print(momentum(0), momentum(5), momentum(10))
        0.85 0.9 0.95
    """

    __slots__ = ("__weakref__", "_kind", "_static", "_values")
    # Without it NumPy would take a schedule for an object to compute with itself.
    __array_ufunc__ = None
    _kind: "Kind"
    _values: Mapping[str, Any]
    _static: frozenset[str]

    def __init__(self, kind: "Kind", values: Mapping[str, Any], static: frozenset[str]):
        if not isinstance(kind, Kind):
            raise TypeError("make a schedule with a function such as cosine_decay(0.1, ...)")
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_static", static)

    def __call__(self, step: ArrayLike) -> Array:
        """The rate at a step.

        Args:
            step: how many optimizer steps came before; a real number or an array of any shape.
                Negative counts as 0.

        Returns:
            A float32 array (float64 under ``jax_enable_x64``), never weakly typed, of the step's
            shape, broadcast against the hyperparameters' shapes if they are arrays.
        """
        # A guard is for batches and weights; a formula's few numbers are meant to be sent.
        with jax.transfer_guard_host_to_device("allow"):
            step = as_step(step)
            rate = finite(as_float(self._kind.formula(step, **self._kind.present(self._values))))
            return jnp.broadcast_to(rate, jnp.broadcast_shapes(rate.shape, step.shape))

    @property
    def name(self) -> str:
        """The name of the function that made it."""
        return self._kind.name

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """All hyperparameters by name, defaults included."""
        return dict(self._values)

    def replace(self, **changes: object) -> "Schedule":
        """A copy with some hyperparameters changed, checked like the original.

        Raises:
            TypeError, ValueError: as the function that made the schedule.
        """
        return self._kind.make(**{**self._values, **changes})

    def as_arrays(self) -> "Schedule":
        """A copy in which every number is an array, for what takes numbers as constants.

        ``jax.jit`` takes the numbers of a schedule as arguments. ``equinox.filter_jit`` compiles
        for every value of a Python number, and once for all values of arrays.

        Example:
            >>> from lr_optax import step_decay
            >>> step_decay(0.1, decay_rate=0.5, decay_steps=10).as_arrays().decay_steps
            Array(10, dtype=int32)
        """
        return jax.tree.map(_as_array, self)

    def _with_values(self, values: Mapping[str, Any]) -> "Schedule":
        """A copy whose hyperparameters, of the same types, are not checked."""
        return Schedule(self._kind, values, self._static)

    def __array__(self, dtype: DTypeLike | None = None, copy: object = None) -> np.ndarray:
        if np.dtype(dtype).hasobject:
            array = np.empty((), object)
            array[()] = self
            return array
        raise TypeError(
            f"a schedule is a function of the step, not a number: call it, s(step). If a wrapper "
            f"was to compute with it, put that into the schedule, as in warmup(s, warmup_steps=10) "
            f"or s * 2. Got {show(self)}"
        )

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._values:
            return self._values[name]
        has = "" if name.startswith("_") else f"; {self.name} has {', '.join(self._values)}"
        raise AttributeError(f"a schedule has no attribute {name!r}{has}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a schedule cannot be changed; use s.replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a schedule cannot be changed, nor lose its {name}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self._kind.arguments(self._values))})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return self._kind is other._kind and _same(self._values, other._values)

    def __hash__(self) -> int:
        return hash((self.name, tuple(map(_hashable, self._values.values()))))

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self._kind.factory, dict(self._values), self._static)


def _check_form(formula: Callable[..., ArrayLike], *, positional: bool) -> None:
    """Raise ``TypeError`` if a formula is not of the form ``(step, first, *, second, ...)``."""
    name = getattr(formula, "__name__", None)
    if not (isinstance(name, str) and name.isidentifier()):
        raise TypeError(f"schedule: a formula must be a function with a name, got {formula!r}")
    parameters = list(inspect.signature(formula).parameters.values())
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise TypeError(f"{name}: a formula must take the step as its first argument")
    for i, parameter in enumerate(parameters[1:]):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(
                f"{name}: hyperparameters must be named, which {str(parameter)!r} is not; "
                "write it as (step, first, *, second)"
            )
        if i > 0 and not positional and parameter.kind != parameter.KEYWORD_ONLY:
            raise TypeError(
                f"{name}: only the step and the first hyperparameter may be positional; put a * "
                f"before {parameter.name!r}"
            )


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Kind:
    """A registered sort of schedule.

    Attributes:
        name: of their text form.
        called: the name of the function that makes them, with which errors begin.
        formula: the rate at a step, given all hyperparameters by name.
        factory: the function that makes them.
        parameters: their hyperparameters.
    """

    def __init__(
        self,
        formula: Callable[..., ArrayLike],
        check: CrossRule | None,
        name: str | None,
        *,
        positional: bool,
    ):
        if positional and "." not in (name or ""):
            raise TypeError(
                "schedule: positional=True is for a library's name, as in 'torch.cosine'"
            )
        _check_form(formula, positional=positional)
        self.called = formula.__name__
        self.name = name or self.called
        self.formula = formula
        self.parameters = Parameters(formula, skip=1, otherwise=keep)
        self.factory = _make_factory(self)
        self._check = check
        self._shown = {name: _shown(hint) for name, hint in self.parameters.hints.items()}
        for taken in {"init", "update", *dir(Schedule)} & self.parameters.hints.keys():
            raise TypeError(f"{self.called}: a hyperparameter may not be called {taken!r}")

    def __repr__(self) -> str:
        return self.name  # JAX shows it where two schedules differ in kind

    def make(self, *args: object, **kwargs: object) -> Schedule:
        """A schedule of this kind, its known hyperparameters checked."""
        values = self.parameters.bind(*args, **kwargs)
        if self._check is not None:
            try:
                self._check(**values)
            except ValueError as error:
                raise ValueError(f"{self.called}: {error}") from None
        return Schedule(self, values, frozenset(n for n, v in values.items() if is_static(v)))

    def present(self, values: Mapping[str, object]) -> dict[str, object]:
        """What the formula gets to see: real values as floats, lengths in the type of a step."""
        return {name: self._shown[name](value) for name, value in values.items()}

    def arguments(self, values: Mapping[str, object]) -> Iterator[str]:
        """The arguments of the call that makes a schedule, as text, without those at default.

        Only the first is written without its name, however many may be given so.
        """
        for i, (name, parameter) in enumerate(self.parameters.signature.parameters.items()):
            if not _same(values[name], parameter.default):
                bare = i == 0 and parameter.kind != parameter.KEYWORD_ONLY
                yield _to_text(values[name]) if bare else f"{name}={_to_text(values[name])}"


def _make_factory(kind: Kind) -> Callable[..., Schedule]:
    """The function that users call; it has the formula's name and docstring."""

    @functools.wraps(kind.formula)
    def factory(*args: object, **kwargs: object) -> Schedule:
        return kind.make(*args, **kwargs)

    factory.kind = kind  # type: ignore[attr-defined]
    factory.formula = kind.formula  # type: ignore[attr-defined]
    factory.__signature__ = kind.parameters.signature  # type: ignore[attr-defined]
    return factory


class Factory(Protocol[P]):
    """A function that makes schedules of one kind.

    Attributes:
        formula: the function of step and hyperparameters that it was made from. A formula calls
            another's with what its own schedule has checked already.
    """

    @property
    def formula(self) -> Callable[Concatenate[Array, P], ArrayLike]: ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Schedule: ...


@overload
def schedule(formula: Callable[Concatenate[Array, P], ArrayLike]) -> Factory[P]: ...


@overload
def schedule(
    *, check: CrossRule | None = None, name: str | None = None, positional: bool = False
) -> Callable[[Callable[Concatenate[Array, P], ArrayLike]], Factory[P]]: ...


def schedule(
    formula: Callable[..., ArrayLike] | None = None,
    *,
    check: CrossRule | None = None,
    name: str | None = None,
    positional: bool = False,
) -> Any:
    """Turn a formula into a function that makes :class:`Schedule` objects.

    The formula takes the step, an array >= 0, then the hyperparameters, of which only the first
    may be positional, and returns the rate. Written with ``jax.numpy`` it works under ``jit``,
    ``vmap`` and ``grad``; annotated with :mod:`lr_optax.typing` it rejects bad values. Its name is
    registered for :func:`lr_optax.parse`, and for the command line with ``--import``.

    Args:
        formula: ``(step, first, *, second, ...) -> rate``.
        check: called with all hyperparameters by name when a schedule is made, for rules that
            concern several; raises ``ValueError``.
        name: in the text form, if not the function's own: a library's, as in ``torch.one_cycle``.
            Such a schedule is not in the :func:`catalogue`.
        positional: with a library's name, whether any number of hyperparameters may be positional,
            in that library's order.

    Returns:
        A function of the hyperparameters alone, with the formula's docstring.

    Raises:
        TypeError: a hyperparameter has no name, is positional although it is not the first, or is
            called ``init``, ``update`` or like an attribute of :class:`Schedule` (Optax takes what
            has ``init`` and ``update`` for something else); or ``positional`` is given without a
            library's name.
        ValueError: the name is one of this library's own schedules, or one of another module's.

    Example:
        >>> @schedule
        ... def halving(step, init_value, *, every):
        ...     return init_value * 0.5 ** (step // every)
        >>> s = halving(0.8, every=3)
        >>> print(s(0), s(3), s(6))
        0.8 0.4 0.2
        >>> s
        halving(0.8, every=3)
    """
    if formula is None:
        return lambda formula: _register(Kind(formula, check, name, positional=positional))
    return _register(Kind(formula, check, name, positional=positional))


def _register(kind: Kind) -> Callable[..., Schedule]:
    taken = REGISTRY.setdefault(kind.name, kind).formula
    if not _is_again(taken, kind.formula):
        raise ValueError(
            f"there is a schedule {kind.name!r} already, in {taken.__module__}; give yours "
            "another name"
        )
    REGISTRY[kind.name] = kind
    return kind.factory


def _is_again(old: Callable[..., object], new: Callable[..., object]) -> bool:
    """Whether a formula is defined again: in a notebook, or by a script that is imported as well.

    Two local functions of one name are two formulas: one's text would be read as the other.
    """
    same_place = old.__qualname__ == new.__qualname__
    same_module = old.__module__ == new.__module__
    return same_place and (same_module or old.__code__.co_filename == new.__code__.co_filename)


def catalogue() -> dict[str, Callable[..., Schedule]]:
    """Every schedule of this library by name, and your own.

    Returns:
        A new dictionary from names to the functions that make schedules, sorted by name.

    Example:
        >>> from lr_optax import catalogue
        >>> catalogue()["linear"](0.1, transition_steps=10)
        linear(0.1, transition_steps=10)
    """
    return {name: REGISTRY[name].factory for name in sorted(REGISTRY) if "." not in name}


def _same(a: Any, b: Any) -> bool:
    """Whether two hyperparameters are equal: of one type and, if arrays, of one dtype."""
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_same, a, b))
    if not (is_array(a) or is_array(b)):
        return a is b or (isinstance(a, bool) == isinstance(b, bool) and a == b)
    if a is b or isinstance(a, Tracer) or isinstance(b, Tracer):
        return a is b
    return is_array(a) and is_array(b) and a.dtype == b.dtype and np.array_equal(a, b)


def _hashable(value: object) -> object:
    """What a hyperparameter is hashed by: an array by its shape and type alone."""
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    return (value.shape, str(value.dtype)) if is_array(value) else value


def _to_text(value: object) -> str:
    """A hyperparameter as ``repr`` writes it and :func:`lr_optax.parse` reads it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_to_text, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Tracer):
        return f"<traced {value.aval.str_short()}>"
    if not is_array(value):
        return repr(value)
    return f"array({_listed(np.asarray(value))}, dtype={str(value.dtype)!r})"


def _listed(array: np.ndarray) -> str:
    if array.ndim:
        return f"[{', '.join(map(_listed, array))}]"
    return str(array)


def _restore(factory: Any, values: Mapping[str, Any], static: frozenset[str]) -> Schedule:
    return Schedule(factory.kind, values, static)


def _flatten(s: Schedule) -> tuple[tuple[object, ...], Structure]:
    names = tuple(n for n in s._values if n not in s._static)
    static = tuple((n, s._values[n]) for n in s._values if n in s._static)
    return tuple(s._values[n] for n in names), (s._kind, names, static)


def _flatten_with_keys(
    s: Schedule,
) -> tuple[tuple[tuple[object, object], ...], Structure]:
    children, (kind, names, static) = _flatten(s)
    keyed = tuple((GetAttrKey(n), child) for n, child in zip(names, children, strict=True))
    return keyed, (kind, names, static)


def _unflatten(structure: Structure, children: Iterable[object]) -> Schedule:
    kind, names, static = structure
    unordered = {**dict(static), **dict(zip(names, children, strict=True))}
    values = {name: unordered[name] for name in kind.parameters.hints}
    return Schedule(kind, values, frozenset(name for name, _ in static))


jax.tree_util.register_pytree_with_keys(Schedule, _flatten_with_keys, _unflatten, _flatten)


def _as_array(value: ArrayLike) -> Array:
    known: Any = as_length(value)
    if isinstance(known, int) and abs(known) <= jnp.iinfo(default_integer()).max:
        return jnp.asarray(known, default_integer())
    return jnp.asarray(known) if is_array(known) else as_float(float(known))


def _shown(hint: object) -> Callable[[object], object]:
    """What a formula gets to see of a value with this annotation."""
    rule = rule_of(hint)
    if isinstance(rule, Several) and rule.rule.steps:
        return as_places
    real = isinstance(rule, Rule) and not rule.whole
    return _as_real if real else as_length


def _as_real(value: object) -> object:
    if isinstance(value, int | float) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return float(value)  # as an integer it could be too large for JAX
    return as_float(value) if is_array(value) else value
