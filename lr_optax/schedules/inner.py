"""A schedule inside another: what may stand there, and how a foreign function becomes one."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec, cast

from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.schedule import Schedule, schedule

P = ParamSpec("P")

PER_STEP = "given step by step"
"""Marks a hyperparameter that no other clock can be put on."""


@schedule
def from_function(
    step: Array, function: Annotated[Callable[[Any], ArrayLike], PER_STEP]
) -> ArrayLike:
    """Any other function of the step, such as a schedule of Optax: ``function(step)``.

    Combinators wrap what they are given in this, so it is seldom written. It has no text form and
    none of the guarantees of this library's own schedules.

    Args:
        function: from a step, an int32 or float32 array >= 0, to the rate. It is static: another
            function is another compilation.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError: ``function`` cannot be hashed, and so cannot be static.

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
            return from_function(cast(Callable[[Any], ArrayLike], value))
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


Inner = Annotated[Callable[[Any], ArrayLike], AsSchedule()]
"""A schedule inside another, or any function of the step."""

Inners = Annotated[Sequence[Callable[[Any], ArrayLike]], AsSchedules()]
"""Several schedules inside another."""


def unchecked(factory: Callable[P, Schedule]) -> Callable[P, Callable[[Array], ArrayLike]]:
    """A schedule's formula, given hyperparameters that a formula around it has checked already."""
    formula = factory.kind.formula  # type: ignore[attr-defined]
    return lambda *args, **kwargs: lambda step: formula(step, *args, **kwargs)
