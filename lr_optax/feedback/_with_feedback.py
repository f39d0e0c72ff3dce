"""A policy where it is used: as an Optax transform, and as a schedule."""

from collections.abc import Callable
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.export import register_namedtuple_serialization
from jax.typing import ArrayLike

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import is_leaf
from lr_optax._core.schedule import Schedule
from lr_optax.feedback._transform import NotARate, whole
from lr_optax.schedules.combine import StepFunction


class FeedbackScheduleState(NamedTuple):
    """What a schedule with feedback remembers."""

    count: Any  # int32: steps taken, which saturate; `tuple.count` is a method to type checkers
    feedback: optax.OptState  # of the transform


register_namedtuple_serialization(
    FeedbackScheduleState, serialized_name="lr_optax.FeedbackScheduleState"
)


@final
class FeedbackSchedule(NotARate):
    """A schedule times the scale of a feedback transform; see :func:`with_feedback`."""

    remedy = (
        "with_feedback makes a hyperparameter with a state, not a number or a function of the "
        "step: give it to with_hyperparams(optax.adam, learning_rate=with_feedback(...)), and put "
        "warm-ups and factors into its schedule: with_feedback(scale(schedule, factor=2), ...)"
    )

    def __init__(
        self,
        schedule: Callable[[Array], ArrayLike],
        feedback: optax.GradientTransformationExtraArgs,
    ):
        self._schedule = schedule
        self._feedback = feedback

    def __repr__(self) -> str:
        return f"with_feedback({self._schedule!r}, {self._feedback!r})"

    def init(self) -> FeedbackScheduleState:
        """The state before the first step."""
        return FeedbackScheduleState(whole(0), self._feedback.init(()))

    def __call__(self, state: FeedbackScheduleState, **extra: Any) -> Array:
        """The rate of the step whose metric, if there is a new one, is ``value``."""
        if not isinstance(state, FeedbackScheduleState):
            self._refuse()
        scale, _ = self._step(state, extra)
        return as_float(self._schedule(state.count)) * as_float(scale)

    def update(self, state: FeedbackScheduleState, **extra: Any) -> FeedbackScheduleState:
        """The state after that step."""
        _, feedback = self._step(state, extra)
        return FeedbackScheduleState(optax.safe_increment(state.count), feedback)

    def _step(
        self, state: FeedbackScheduleState, extra: dict[str, Any]
    ) -> tuple[Any, optax.OptState]:
        return self._feedback.update(jnp.ones((), jnp.float32), state.feedback, **extra)


def is_real_scalar(value: Any) -> bool:
    """Whether a value is one real number, not a bool or a random key, which is an array too."""
    value = value.item() if isinstance(value, np.generic) else value
    if not is_leaf(value) or jnp.shape(value):
        return False
    kinds = jnp.integer, jnp.floating
    return any(jnp.issubdtype(jnp.result_type(value), kind) for kind in kinds)


def check_function(call: str, name: str, function: Callable[..., Any], otherwise: str = "") -> None:
    """Try a function of the step without a value, as when it is compiled."""
    if isinstance(function, Schedule):
        return
    others: list[str] = []

    def traced(step: Array) -> float:
        value = function(step)
        others.extend([] if is_real_scalar(value) else [repr(value)])
        return 0.0

    try:
        with jax.numpy_dtype_promotion("standard"):  # Optax's own schedules mix types
            StepFunction().accept(traced)
        problem = f"must be a real scalar at each step, got {others[0]}" if others else ""
    except (AttributeError, LookupError, TypeError) as error:
        # StepFunction quotes the function that it tried.
        problem = str(error).replace(repr(traced), repr(function))
        if not problem.startswith("must "):
            problem = f"must be a function from the step to a rate: {problem}"
    if problem:
        raise TypeError(f"{call}: `{name}` {problem}{otherwise}")


def with_feedback(
    schedule: Callable[[Array], ArrayLike], feedback: optax.GradientTransformation
) -> FeedbackSchedule:
    """A schedule whose height is set by a metric: η(t)·scale.

    Args:
        schedule: any function of the step, warm-up included, written with ``jax.numpy``.
        feedback: a transform such as :func:`reduce_on_plateau`, or a rule of one's own: an
            ``optax.GradientTransformationExtraArgs`` with the scale in its state, by which its
            ``update`` multiplies. It gets all extra arguments of ``update``, such as ``kl=...``.

    Returns:
        A stateful schedule of Optax: it stands for a hyperparameter in
        :func:`lr_optax.with_hyperparams` and in ``optax.inject_hyperparams``, and takes the
        metric from ``update(..., value=...)``, or from :func:`lr_optax.observe`.

    Raises:
        TypeError: ``schedule`` is not a function of the step, or ``feedback`` not a transform.

    Example:
        >>> from lr_optax import constant, reduce_on_plateau, warmup, with_hyperparams
        >>> rate = with_feedback(warmup(constant(0.1), warmup_steps=2),
        ...                      reduce_on_plateau(0.5, patience=0))
        >>> tx = with_hyperparams(optax.adam, learning_rate=rate)
        >>> params = {"w": jnp.ones(3)}
        >>> state = tx.init(params)
        >>> for loss in (1.0, 0.9, 0.8, 0.8):
        ...     updates, state = tx.update({"w": jnp.ones(3)}, state, params, value=loss)
        ...     print(state.hyperparams["learning_rate"])
        0.0
        0.05
        0.1
        0.05

    When to use it:
        When the metric should set one hyperparameter, such as weight decay, and leave the others
        alone, or when the rate is more to an optimizer than a factor of its updates, as in
        ``optax.contrib.schedule_free``. Otherwise the transform behind the optimizer does the same.
    """
    if not callable(schedule):
        raise TypeError(
            f"with_feedback: `schedule` must be a function of the step, got {schedule!r}; a fixed "
            "rate is constant(0.1)"
        )
    check_function("with_feedback", "schedule", schedule)
    if not isinstance(feedback, optax.GradientTransformation):
        raise TypeError(
            f"with_feedback: `feedback` must be a transform such as reduce_on_plateau(0.1), got "
            f"{feedback!r}"
        )
    return FeedbackSchedule(schedule, optax.with_extra_args_support(feedback))
