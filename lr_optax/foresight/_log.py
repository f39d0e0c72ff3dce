"""Logs of training runs: made from arrays, or read from the files that trackers write."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from lr_optax._core.schedule import Schedule
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import Curve, Panel, palette_color, rate_curve
from lr_optax.schedules.tables import interpolate


@dataclasses.dataclass(frozen=True, eq=False)
class Log(Result):
    """What one training run left behind: the loss at some steps, and the rate at every step.

    Attributes:
        steps: at which the loss was logged, whole numbers >= 0, each once, ascending.
        losses: at these steps, finite and > 0.
        rates: the schedule of the run; or the rates at ``steps``, between which the rate is
            taken to run straight, and level before the first and after the last.
        name: of the run, for tables and pictures.
        remarks: what was left out when the log was read.

    Raises:
        ValueError: lengths differ, there are no points, or a number breaks its rule.

    Example:
        >>> from lr_optax import Log, constant
        >>> log = Log((100, 200), (3.5, 3.1), constant(1e-3), name="first")
        >>> print(log)
        step  loss   rate
         100   3.5  0.001
         200   3.1  0.001
    """

    steps: np.ndarray
    losses: np.ndarray
    rates: Schedule
    name: str = "run"
    remarks: tuple[str, ...] = ()

    def __init__(
        self,
        steps: ArrayLike | Iterable[int],
        losses: ArrayLike | Iterable[float],
        rates: Schedule | ArrayLike | Iterable[float],
        name: str = "run",
        remarks: tuple[str, ...] = (),
    ):
        at, values = _vector("steps", steps), _vector("losses", losses)
        if len(at) != len(values) or len(at) == 0:
            raise ValueError(
                f"Log: `steps` and `losses` must be as many, at least one, "
                f"got {len(at)} and {len(values)}"
            )
        if np.any(at != np.floor(at)) or at[0] < 0 or np.any(np.diff(at) <= 0):
            raise ValueError(
                "Log: `steps` must be whole numbers >= 0 in ascending order, each once"
            )
        if not np.all(np.isfinite(values) & (values > 0)):
            wrong = int(np.argmin(np.isfinite(values) & (values > 0)))
            raise ValueError(
                f"Log: `losses` must be finite and > 0, got {values[wrong]} at step "
                f"{at[wrong]:.0f}; leave such points out"
            )
        if not isinstance(rates, Schedule):
            logged = _vector("rates", rates)
            if len(logged) != len(at):
                raise ValueError(
                    f"Log: `rates` must be a schedule, or as many as `steps`, "
                    f"got {len(logged)} for {len(at)}"
                )
            rates = _through(at, logged)
        fields = {"steps": at.astype(np.int64), "losses": values, "rates": rates}
        for field, value in {**fields, "name": str(name), "remarks": tuple(remarks)}.items():
            object.__setattr__(self, field, value)

    def rates_until(self, total_steps: int) -> np.ndarray:
        """The rate at every step from 0 to ``total_steps`` - 1, as float64."""
        return every_rate(self.rates, total_steps)

    def table(self) -> Table:
        """See :class:`~lr_optax.results._result.Result`."""
        rates = self.rates_until(int(self.steps[-1]) + 1)[self.steps]
        rows = zip(self.steps.tolist(), self.losses.tolist(), rates.tolist(), strict=True)
        return Table(("step", "loss", "rate"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """See :class:`~lr_optax.results._result.Result`."""
        return self.remarks

    def panels(self) -> Sequence[Panel]:
        """The loss over steps, and the rate below it."""
        loss = Curve(self.steps, self.losses, self.name)
        rate = rate_curve(self.rates, int(self.steps[-1]) + 1, color=palette_color(1))
        return (
            Panel("step", "loss", (loss,)),
            Panel("step", "learning rate", (rate,), limits=(0, None), height=1),
        )


def every_rate(schedule: Schedule, total_steps: int) -> np.ndarray:
    """A schedule's rates at steps 0 to ``total_steps`` - 1, as float64."""
    return np.asarray(_rates(schedule, np.arange(total_steps)), np.float64)


@jax.jit
def _rates(schedule: Schedule, steps: jax.Array) -> jax.Array:
    return schedule(steps)


def _vector(name: str, values: Any) -> np.ndarray:
    if not hasattr(values, "__array__"):
        values = list(values)
    vector = np.array(values, np.float64)
    if vector.ndim != 1:
        raise ValueError(f"Log: `{name}` must be a list of numbers, got shape {vector.shape}")
    vector.setflags(write=False)
    return vector


def _through(steps: np.ndarray, rates: np.ndarray) -> Schedule:
    return interpolate(np.asarray(rates, np.float32), boundaries=tuple(map(int, steps)))
