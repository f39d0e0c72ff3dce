"""What a schedule is: a name, a formula, and hyperparameters.

:func:`schedule` turns a pure formula into a function that makes :class:`Schedule` objects. This
module alone knows about pytrees, pickling, comparison and registration; a formula knows about
steps and rates.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Concatenate, Never, ParamSpec, Protocol, final, get_args, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.export import register_pytree_node_serialization
from jax.tree_util import GetAttrKey
from jax.typing import ArrayLike, DTypeLike

from lr_optax._core.clock import as_float, as_length, as_step
from lr_optax._core.hyperparameters import (
    DEEPEST,
    Parameters,
    Rule,
    depth,
    exceeds,
    formula_name,
    hashable,
    is_array,
    is_leaf,
    is_static,
    kept,
    same,
    show,
    to_text,
)
from lr_optax._core.powers import finite

P = ParamSpec("P")
REGISTRY: dict[str, "Kind"] = {}


@final
class Schedule:
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

    def replace(self, **changes: Any) -> "Schedule":
        """A copy with some hyperparameters changed, checked like the original.

        Raises:
            TypeError, ValueError: as the function that made the schedule.
        """
        return self._kind.make(**{**self._values, **changes})

    def __mul__(self, other: "Operand") -> "Schedule":
        if callable(other):
            return _make("product", (self, other))
        return _make("scale", self, factor=other) if _is_real_number(other) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: float | Array | np.ndarray) -> "Schedule":
        if callable(other):
            return self._refuse()
        return self * (1 / other) if _is_real_number(other) else NotImplemented

    def __add__(self, other: "Operand") -> "Schedule":
        other = _level(other)
        return _make("add", (self, other)) if callable(other) else NotImplemented

    def __radd__(self, other: "Operand") -> "Schedule":
        other = _level(other)
        return _make("add", (other, self)) if callable(other) else NotImplemented

    def __sub__(self, other: "Operand") -> "Schedule":
        if callable(other):
            return self + _make("scale", other, factor=-1)
        return self + -other if _is_real_number(other) else NotImplemented

    def __rsub__(self, other: "Operand") -> "Schedule":
        return (-self).__radd__(other)

    def __neg__(self) -> "Schedule":
        return self * -1

    def __pos__(self) -> "Schedule":
        return self

    def _refuse(self, *_: Never) -> Any:
        raise TypeError(
            "schedules can be added, subtracted and multiplied, and divided by numbers; write the "
            "rest as a function of the step: from_function(lambda step: 1 / s(step))"
        )

    __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _refuse

    def __array__(self, dtype: DTypeLike | None = None, copy: Any = None) -> np.ndarray:
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

    def __setattr__(self, name: str, value: Any) -> None:
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
        return self._kind is other._kind and same(self._values, other._values)

    def __hash__(self) -> int:
        return hash((self.name, tuple(map(hashable, self._values.values()))))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._kind.factory, dict(self._values), self._static)


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
        check: Callable[..., None] | None,
        name: str | None,
        *,
        positional: bool,
    ):
        if positional and "." not in (name or ""):
            raise TypeError(
                "schedule: positional=True is for a library's name, as in 'torch.cosine'"
            )
        self.called = formula_name(formula, positional=positional)
        self.name = name or self.called
        self.formula = formula
        self.parameters = Parameters(formula, skip=1)
        self._check = check
        self._real = {n for n, hint in self.parameters.hints.items() if _is_real(hint)}
        for taken in {"init", "update", *dir(Schedule)} & self.parameters.hints.keys():
            raise TypeError(f"{self.called}: a hyperparameter may not be called {taken!r}")

        @functools.wraps(formula)
        def factory(*args: Any, **kwargs: Any) -> Schedule:
            return self.make(*args, **kwargs)

        factory.kind = self  # type: ignore[attr-defined]
        factory.formula = formula  # type: ignore[attr-defined]
        factory.__signature__ = self.parameters.signature  # type: ignore[attr-defined]
        self.factory = factory

    def __repr__(self) -> str:
        return self.name  # JAX shows it where two schedules differ in kind

    def make(self, *args: Any, **kwargs: Any) -> Schedule:
        """A schedule of this kind, its known hyperparameters checked."""
        values = {n: self._keep(n, v) for n, v in self.parameters.bind(*args, **kwargs).items()}
        if self._check is not None:
            try:
                self._check(**values)
            except ValueError as error:
                raise ValueError(f"{self.called}: {error}") from None
        return Schedule(self, values, frozenset(n for n, v in values.items() if is_static(v)))

    def _keep(self, name: str, value: Any) -> Any:
        try:
            value = kept(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.called}: `{name}` {error}") from None
        if depth(value) >= DEEPEST:
            raise ValueError(
                f"{self.called}: `{name}` must be nested less than {DEEPEST} deep, "
                f"got {depth(value)}; add, product and join take any number side by side"
            )
        return value

    def present(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the formula gets to see: real values as floats, lengths in the type of a step."""
        return {n: _as_real(v) if n in self._real else as_length(v) for n, v in values.items()}

    def arguments(self, values: Mapping[str, Any]) -> Iterator[str]:
        """The arguments of the call that makes a schedule, as text, without those at default.

        Only the first is written without its name, however many may be given so.
        """
        for i, (name, parameter) in enumerate(self.parameters.signature.parameters.items()):
            if not same(values[name], parameter.default):
                bare = i == 0 and parameter.kind != parameter.KEYWORD_ONLY
                yield to_text(values[name]) if bare else f"{name}={to_text(values[name])}"


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
    *, check: Callable[..., None] | None = None, name: str | None = None, positional: bool = False
) -> Callable[[Callable[Concatenate[Array, P], ArrayLike]], Factory[P]]: ...


def schedule(
    formula: Any = None,
    *,
    check: Callable[..., None] | None = None,
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
    known = REGISTRY.setdefault(kind.name, kind)
    if not _is_again(known.formula, kind.formula):
        raise ValueError(
            f"there is a schedule {kind.name!r} already, in {known.formula.__module__}; give yours "
            "another name"
        )
    REGISTRY[kind.name] = kind
    return kind.factory


def _is_again(known: Callable[..., Any], new: Callable[..., Any]) -> bool:
    """Whether a formula is defined anew: in a notebook, or by a script that is imported as well.

    Two local functions of one name are two formulas: one's text would be read as the other.
    """
    same_place = known.__qualname__ == new.__qualname__
    same_module = known.__module__ == new.__module__
    return same_place and (same_module or known.__code__.co_filename == new.__code__.co_filename)


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


Operand = float | Array | np.ndarray | Callable[[Any], ArrayLike]
"""What a schedule can be added to or multiplied with."""


def _make(name: str, *args: Any, **kwargs: Any) -> Schedule:
    """A schedule of a kind that stands above this module; whoever has a schedule has them all."""
    return REGISTRY[name].make(*args, **kwargs)


def _is_real_number(value: Any) -> bool:
    return is_leaf(value) or isinstance(value, np.generic)


def _level(value: Any) -> Any:
    """A number as a schedule. A negative one is no rate, and so becomes a factor."""
    if callable(value) or not _is_real_number(value):
        return value
    if exceeds(0, value):
        return _make("scale", _make("constant", 1.0), factor=value)
    return _make("constant", value)


def _restore(factory: Any, values: Mapping[str, Any], static: frozenset[str]) -> Schedule:
    return Schedule(factory.kind, values, static)


def _flatten(s: Schedule) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    names = tuple(n for n in s._values if n not in s._static)
    static = tuple((n, s._values[n]) for n in s._values if n in s._static)
    return tuple(s._values[n] for n in names), (s._kind, names, static)


def _flatten_with_keys(s: Schedule) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    children, (kind, names, static) = _flatten(s)
    keyed = tuple((GetAttrKey(n), child) for n, child in zip(names, children, strict=True))
    return keyed, (kind, names, static)


def _unflatten(aux: tuple[Any, ...], children: Iterable[Any]) -> Schedule:
    kind, names, static = aux
    unordered = {**dict(static), **dict(zip(names, children, strict=True))}
    values = {name: unordered[name] for name in kind.parameters.hints}
    return Schedule(kind, values, frozenset(name for name, _ in static))


jax.tree_util.register_pytree_with_keys(Schedule, _flatten_with_keys, _unflatten, _flatten)


def _aux_to_bytes(aux: tuple[Any, ...]) -> bytes:
    kind, names, static = aux
    for name, value in static:
        if callable(value):
            raise TypeError(
                f"{kind.name}: a program that takes a function as `{name}` cannot be saved; make "
                "the function a schedule with @schedule, or tabulate it"
            )
    return json.dumps([kind.name, kind.factory.__module__, names, static]).encode()


def _aux_from_bytes(data: bytes) -> tuple[Any, ...]:
    name, module, names, static = json.loads(data)
    if name not in REGISTRY and module.startswith("lr_optax."):
        import_module(module)
    if name not in REGISTRY:
        raise ValueError(f"there is no schedule {name!r}; import {module}, which defines it, first")
    kind = REGISTRY[name]
    if {*names, *dict(static)} != kind.parameters.hints.keys():
        raise ValueError(f"{name} had other hyperparameters when this program was saved: {names}")
    return kind, tuple(names), tuple(map(tuple, static))


# So that jax.export can save a program that takes or returns a schedule.
register_pytree_node_serialization(
    Schedule,
    serialized_name="lr_optax.Schedule",
    serialize_auxdata=_aux_to_bytes,
    deserialize_auxdata=_aux_from_bytes,
)


def _is_real(hint: Any) -> bool:
    return any(
        (isinstance(part, Rule) and not part.whole) or _is_real(part) for part in get_args(hint)
    )


def _as_real(value: Any) -> Any:
    if is_array(value):
        return as_float(value)
    # As an integer it could be too large for JAX.
    return float(value) if isinstance(value, int) else value
