"""A schedule inside another: what may stand there, and how a foreign function becomes one."""

import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any, cast

import jax
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.arguments import show
from lr_optax._core.schedule import Schedule, schedule
from lr_optax._core.steps import as_float, as_step

PER_STEP = "given step by step"
"""Marks a hyperparameter that no other clock can be put on."""


class StepFunction:
    """An annotation: a function of a step whose value is not known when it is compiled."""

    def accept(self, value: Any) -> Callable[[Any], ArrayLike]:
        """See :class:`lr_optax._core.arguments.Check`."""
        if not callable(value):
            raise TypeError(f"must be a function of the step, got {value!r}")
        function = cast(Callable[[Any], ArrayLike], value)
        try:
            jax.eval_shape(lambda step: as_float(function(step)), as_step(0))
        except jax.errors.JAXTypeError as error:
            raise TypeError(
                f"must be written with jax.numpy: {_culprit(error) or repr(value)} needs the value "
                "of the step, which is not known when it is compiled. jnp.where does what `if` "
                "does, jnp.cos what math.cos does; or tabulate it: "
                "lookup(np.array([function(step) for step in range(total_steps)]))"
            ) from None
        except (TypeError, ValueError) as error:
            raise TypeError(f"must be a function from the step to a rate: {error}") from error
        return function


def _culprit(error: Exception) -> str | None:
    """The innermost function in an error's traceback that is the user's own, and its place."""
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in ("jax", "numpy", "lr_optax"):
            return f"{frame.f_code.co_name}, in {frame.f_code.co_filename} at line {line},"
    return None


@schedule
def from_function(
    step: Array, function: Annotated[Callable[[Any], ArrayLike], StepFunction(), PER_STEP]
) -> ArrayLike:
    """Any other function of the step, such as a schedule of Optax: ``function(step)``.

    Combinators wrap what they are given in this, so it is seldom written. It has no text form and
    none of the guarantees of this library's own schedules.

    Args:
        function: from a step, an int32 or float32 array >= 0, to the rate, written with
            ``jax.numpy``. It is tried once, without a value, when the schedule is made. It is
            static: another function is another compilation.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError: ``function`` needs to know the step's value, as Python's ``if`` and ``math``
            do; or it cannot be hashed, and so cannot be static.

    Example:
        >>> s = from_function(lambda step: 1 / (step + 1))
        >>> print(s(0), s(1), s(3))
        1.0 0.5 0.25
    """
    return function(step)


class AsSchedule:
    """An annotation: a schedule, or a function of the step that becomes one."""

    words = "a schedule or a function of the step"

    def accept(self, value: Any) -> Schedule:
        """See :class:`lr_optax._core.arguments.Check`."""
        if isinstance(value, Schedule):
            return value
        if callable(value):
            return from_function(StepFunction().accept(value))
        remedy = (
            f" (a constant rate is constant({value}))" if isinstance(value, int | float) else ""
        )
        raise TypeError(f"must be {self.words}, got {value!r}{remedy}")


class AsSchedules:
    """An annotation: one or more schedules."""

    def accept(self, value: Any) -> tuple[Schedule, ...]:
        """See :class:`lr_optax._core.arguments.Check`."""
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise TypeError(f"must be a sequence of one or more schedules, got {value!r}")
        return tuple(AsSchedule().accept(item) for item in value)


class IsFunction:
    """An annotation: something that can be called."""

    def accept(self, value: Any) -> Any:
        """See :class:`lr_optax._core.arguments.Check`."""
        if not callable(value):
            raise TypeError(f"must be a function, got {show(value)} ({type(value).__name__})")
        return value


Inner = Annotated[Callable[[Any], ArrayLike], AsSchedule()]
"""A schedule inside another, or any function of the step."""

Inners = Annotated[Sequence[Callable[[Any], ArrayLike]], AsSchedules()]
"""Several schedules inside another."""
