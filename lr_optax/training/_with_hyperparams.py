"""Schedules for an optimizer's hyperparameters."""

import difflib
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from optax.schedules import StatefulSchedule

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import is_known
from lr_optax.feedback._transform import NO_RATE, Feedback, whole
from lr_optax.feedback._with_feedback import check_function, is_real_scalar


class HyperparamsState(NamedTuple):
    """The state of an optimizer :func:`with_hyperparams`."""

    count: Any  # int32: updates so far, which saturate; `tuple.count` is a method to type checkers
    hyperparams: dict[str, Array]  # a record of the last update's values, never read
    feedback: dict[str, optax.OptState]  # what schedules with feedback remember
    inner_state: optax.OptState  # of the optimizer


def with_hyperparams(
    factory: Callable[..., optax.GradientTransformation], /, **hyperparams: Any
) -> optax.GradientTransformationExtraArgs:
    """An optimizer with schedules for the hyperparameters named here, and for no others.

    Each value is computed once an update, in float32, and handed to ``factory``; the state has it
    for the record (:func:`lr_optax.read_hyperparams`). A number in place of a schedule makes the
    same state, so that one can be exchanged for the other. Updates come in the wider of the
    gradient's and the parameter's type, and the optimizer's state keeps its types.
    Differences from ``optax.inject_hyperparams``:

    * The record is never read back. After a restore the values are the code's, at the restored
      count, and a rate written into the state by hand is overwritten unused; Optax goes on with
      it where there is a number and no schedule. To set a rate from outside, make it an argument
      of the compiled step: ``with_hyperparams(optax.adam, learning_rate=rate).update(...)`` makes
      the same state for every ``rate``. A rule that sets the rate from a metric, of one's own
      too, goes into :func:`lr_optax.with_feedback`.
    * What is not named here is bound with ``functools.partial`` and stays what it is. A bool, a
      random key, a mask, a type or None is refused by name. Optax takes every number that it is
      not told to leave alone: it also keeps β₂ and ε in the state, in the parameters' type.
    * ``optax.contrib.schedule_free`` weights its average by S(t), the rate of the update. Given
      the schedule directly, it weights by S(t + 1).

    Args:
        factory: makes an optimizer, such as ``optax.adamw`` or
            ``partial(optax.adamw, b2=0.95, mask=mask)``; not an optimizer itself.
        hyperparams: by the name of an argument of ``factory``, a real number, a schedule or
            another function of the step (int32, from 0), or a schedule :func:`with_feedback`.

    Returns:
        An Optax transform whose state is a :class:`HyperparamsState`. It hands extra arguments
        such as ``value`` on.

    Raises:
        TypeError: ``factory`` is an optimizer, or takes no argument of that name, or a value is
            none of these, or a function does not return a real scalar or needs the step's value.
        ValueError: a number is NaN, or beyond float32.

    Example:
        >>> from functools import partial
        >>> from lr_optax import cosine_decay, linear
        >>> tx = with_hyperparams(
        ...     partial(optax.adamw, b2=0.95, mask={"w": True, "b": False}),
        ...     learning_rate=cosine_decay(0.1, decay_steps=100),
        ...     b1=linear(0.95, end_value=0.85, transition_steps=100),
        ... )
        >>> params = {"w": jnp.ones(3), "b": jnp.ones(())}
        >>> state = tx.init(params)
        >>> _, state = tx.update(params, state, params)
        >>> print(state.count, state.hyperparams["learning_rate"], state.hyperparams["b1"])
        1 0.1 0.95

    When to use it:
        To log the rate, to schedule weight decay, momentum or β₁, or to keep compilation short: a
        schedule that ``optax.adam`` is given directly is compiled again for every parameter array.
    """
    if not callable(factory):
        raise TypeError(
            "with_hyperparams takes the function that makes an optimizer, not the optimizer: "
            "with_hyperparams(optax.adam, learning_rate=0.1) in place of optax.adam(0.1); got "
            f"{factory!r}"
        )
    _check_names(factory, hyperparams)
    for name, source in hyperparams.items():
        _check_source(name, source)
    scheduled = Scheduled(factory, hyperparams)
    return optax.GradientTransformationExtraArgs(scheduled.init, scheduled.update)


class Scheduled:
    """An optimizer that is made again at every update, from the values of that step."""

    def __init__(
        self, factory: Callable[..., optax.GradientTransformation], sources: Mapping[str, Any]
    ):
        self.factory = factory
        self.sources = sources  # numbers and schedules by the names of its arguments
        self.stateful = {n: s for n, s in sources.items() if isinstance(s, StatefulSchedule)}

    def init(self, params: optax.Params) -> HyperparamsState:
        """The state before the first update."""
        count = whole(0)
        feedback = {name: schedule.init() for name, schedule in self.stateful.items()}
        values = self.values(count, feedback, {})
        return HyperparamsState(count, values, feedback, self.optimizer(values).init(params))

    def update(
        self,
        updates: optax.Updates,
        state: Any,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, HyperparamsState]:
        """New updates, and the state after them."""
        values = self.values(state.count, state.feedback, extra)
        feedback = {n: s.update(state.feedback[n], **extra) for n, s in self.stateful.items()}
        inner = optax.with_extra_args_support(self.optimizer(values))
        # Computed with float32 values, kept in the types that were there before.
        with jax.numpy_dtype_promotion("standard"):
            new, inner_state = inner.update(updates, state.inner_state, params, **extra)
            new = _typed(new, _wider(updates, params))
        inner_state = _typed(inner_state, state.inner_state)
        count = optax.safe_increment(state.count)
        return new, HyperparamsState(count, values, feedback, inner_state)

    def values(
        self, count: Array, feedback: Mapping[str, Any], extra: Mapping[str, Any]
    ) -> dict[str, Array]:
        """The hyperparameters of a step by name."""
        values: dict[str, Any] = dict(self.sources)
        for name, source in self.sources.items():
            if name in self.stateful:
                values[name] = source(feedback[name], **extra)
            elif callable(source):
                values[name] = source(count)
            if not is_real_scalar(values[name]):
                raise TypeError(
                    f"with_hyperparams: `{name}` must be a real scalar at each step, got "
                    f"{values[name]!r}"
                )
        return {name: _once(as_float(value), count) for name, value in values.items()}

    def optimizer(self, values: dict[str, Array]) -> optax.GradientTransformation:
        """The optimizer with these values."""
        made = self.factory(**values)
        if not hasattr(made, "init"):
            raise TypeError(f"with_hyperparams: the factory must return an optimizer, got {made!r}")
        return made


def _once(value: Array, count: Array) -> Array:
    """The same value, in a form that XLA computes once instead of in every kernel that needs it.

    It copies cheap arithmetic on scalars into each of them, but no division; x / 1 is exact.
    """
    return value / jnp.where(count < 0, 2, 1).astype(value.dtype)


def _wider(updates: optax.Updates, params: optax.Params | None) -> optax.Updates:
    """Types for new updates: the wider of an update's and its parameter's."""
    if jax.tree.structure(updates) != jax.tree.structure(params):
        return updates
    wider = jax.tree.map(lambda u, p: jnp.promote_types(u.dtype, p.dtype), updates, params)
    return jax.tree.map(lambda dtype: jax.ShapeDtypeStruct((), dtype), wider)


def _typed(tree: Any, like: optax.Updates) -> Any:
    """A tree in the types of another, if they are of one structure."""
    if jax.tree.structure(tree) != jax.tree.structure(like):
        return tree
    return jax.tree.map(lambda x, y: x if x.dtype == y.dtype else x.astype(y.dtype), tree, like)


LARGEST = float(np.finfo(np.float32).max)


def _check_names(factory: Callable[..., object], names: Collection[str]) -> None:
    if not names:
        call = f"with_hyperparams({getattr(factory, '__name__', 'factory')}"
        raise TypeError(
            "with_hyperparams: name at least one, in the same call: "
            f"{call}, learning_rate=0.1), not {call})(learning_rate=0.1)"
        )
    taken = inspect.signature(factory).parameters
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    for name in [name for name in names if name not in taken]:
        near = difflib.get_close_matches(name, taken, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(taken)}"
        if name in ("static_args", "hyperparam_dtype"):  # of optax.inject_hyperparams
            remedy = "what is not named here stays what it is; bind it with functools.partial"
        raise TypeError(f"with_hyperparams: the factory has no argument {name!r}; {remedy}")


def _check_source(name: str, source: Any) -> None:
    source = source.item() if isinstance(source, np.generic) else source
    bound = "(anything else is bound with functools.partial)"
    if isinstance(source, Feedback):
        raise TypeError(f"with_hyperparams: `{name}`: {NO_RATE}")
    if is_real_scalar(source):
        # Infinity stays what it is, as for no limit on a norm; what is beyond float32 does not.
        if is_known(source) and not (abs(source) <= LARGEST or abs(source) == math.inf):
            problem = f"must be a number that float32 can hold, got {source!r}"
            raise ValueError(f"with_hyperparams: `{name}` {problem}")
    elif isinstance(source, type) or not callable(source):
        problem = f"must be a number or a function of the step, got {source!r} {bound}"
        raise TypeError(f"with_hyperparams: `{name}` {problem}")
    elif not isinstance(source, StatefulSchedule):
        check_function("with_hyperparams", name, source, otherwise=f" {bound}")
