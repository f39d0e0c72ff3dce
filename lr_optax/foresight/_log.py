"""The log of a training run: its losses and its rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import cached_property

import jax
import numpy as np

from lr_optax._core.schedule import Schedule
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import Curve, Panel, palette_color, rate_curve
from lr_optax.schedules.tables import interpolate

Vector = np.ndarray | jax.Array | Iterable[float]
"""A vector, or anything that yields its numbers."""


@dataclasses.dataclass(frozen=True, eq=False)
class Log(Result):
    """What one training run recorded: the loss at some steps, and the rate at every step.

    Attributes:
        steps: at which the loss was logged, whole numbers >= 0, each once, ascending.
        losses: at these steps, finite and > 0.
        rates: the schedule of the run; or the rates at ``steps``. Those are interpolated linearly,
            and constant before the first and after the last.
        name: the run's name, for tables and pictures.
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
        steps: Vector,
        losses: Vector,
        rates: Schedule | Vector,
        name: str = "run",
        remarks: tuple[str, ...] = (),
    ):
        logged_at, logged = _vector("steps", steps), _vector("losses", losses)
        _check_points(logged_at, logged)
        if not isinstance(rates, Schedule):
            rates = rates_between(logged_at, _vector("rates", rates))
        fields = {"steps": logged_at.astype(np.int64), "losses": logged, "rates": rates}
        for field, value in {**fields, "name": str(name), "remarks": tuple(remarks)}.items():
            object.__setattr__(self, field, value)

    @property
    def total_steps(self) -> int:
        """The length of the run: all steps up to the last logged one."""
        return int(self.steps[-1]) + 1

    @cached_property
    def every_rate(self) -> np.ndarray:
        """The rate at every step of the run, as float64."""
        return run_rates(self.rates, self.total_steps)

    @property
    def peak(self) -> float:
        """The highest rate of the run."""
        return float(self.every_rate.max())

    def table(self) -> Table:
        """The loss and the rate at every logged step."""
        rates = self.every_rate[self.steps]
        rows = zip(self.steps.tolist(), self.losses.tolist(), rates.tolist(), strict=True)
        return Table(("step", "loss", "rate"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """What was left out when the log was read."""
        return self.remarks

    def panels(self) -> Sequence[Panel]:
        """The loss over steps, and the rate below it."""
        loss = Curve(self.steps, self.losses, self.name)
        rate = rate_curve(self.rates, self.total_steps, color=palette_color(1))
        return (
            Panel("step", "loss", (loss,)),
            Panel("step", "learning rate", (rate,), limits=(0, None), height=1),
        )


def run_rates(schedule: Schedule, total_steps: int) -> np.ndarray:
    """A schedule's rates at steps 0 to ``total_steps`` - 1, as float64."""
    return np.asarray(_rates(schedule, np.arange(total_steps)), np.float64)


@jax.jit
def _rates(schedule: Schedule, steps: jax.Array) -> jax.Array:
    return schedule(steps)


def rates_between(steps: np.ndarray, rates: np.ndarray) -> Schedule:
    """A schedule that runs straight from one logged rate to the next."""
    if len(rates) != len(steps):
        raise ValueError(
            "Log: `rates` must be a schedule, or have one rate for each of `steps`, "
            f"got {len(rates)} for {len(steps)}"
        )
    return interpolate(np.asarray(rates, np.float32), boundaries=tuple(map(int, steps)))


def rounded(rate: float) -> float:
    """A rate as a text shows it."""
    # Rates are float32, which holds about seven decimal digits: the rest would be noise.
    return float(f"{rate:.7g}")


def _vector(name: str, values: Vector) -> np.ndarray:
    vector = np.array(values if hasattr(values, "__array__") else list(values), np.float64)
    if vector.ndim != 1:
        raise ValueError(f"Log: `{name}` must be a list of numbers, got shape {vector.shape}")
    vector.setflags(write=False)
    return vector


def _check_points(steps: np.ndarray, losses: np.ndarray) -> None:
    if len(steps) != len(losses) or len(steps) == 0:
        raise ValueError(
            "Log: `steps` and `losses` must have the same length, at least one, "
            f"got {len(steps)} and {len(losses)}"
        )
    if np.any(steps != np.floor(steps)) or steps[0] < 0 or np.any(np.diff(steps) <= 0):
        raise ValueError("Log: `steps` must be whole numbers >= 0 in ascending order, each once")
    valid = np.isfinite(losses) & (losses > 0)
    if not valid.all():
        wrong = int(np.argmin(valid))
        raise ValueError(
            f"Log: `losses` must be finite and > 0, got {losses[wrong]} at step "
            f"{steps[wrong]:.0f}; leave such points out"
        )
