"""The log of a training run: its losses and its rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, NamedTuple

import jax
import numpy as np

from lr_optax._core.schedule import Schedule
from lr_optax.results._result import Result, Table
from lr_optax.results._saved import Axes
from lr_optax.results.panels import Curve, Panel, palette_color, rate_curve
from lr_optax.schedules.combine import AsSchedule
from lr_optax.schedules.tables import interpolate

Vector = np.ndarray | jax.Array | Iterable[float]
"""A vector, or anything that yields its numbers."""

MOST_STEPS = 2**31 - 1  # which a schedule can count

TOO_FAR = (
    f"beyond {MOST_STEPS}, the last step of a schedule: a step is one update of the optimizer, so "
    "divide samples or tokens by how many an update takes"
)

_MOST_RATES = 2_000_000  # of a run, at 16 bytes and a few copies each: half a gigabyte

_RUN_POINTS = 64  # of a run, at most; of a longer log these are means

_SKIPPED = 0.05  # of the longest run: before it no power law holds


class RunRates(NamedTuple):
    """The rates of a run, float64: of every step, or of a very long run one for ``stride`` steps.

    Memory is bounded by this, and not by the last step of a log.
    """

    values: np.ndarray
    stride: int

    @property
    def peak(self) -> float:
        """The highest of them."""
        return float(self.values.max())

    def distance(self, steps: np.ndarray) -> np.ndarray:
        """S at some steps: the sum of all rates up to theirs."""
        ends = np.arange(len(self.values) + 1) * self.stride - 1
        return np.interp(steps, ends, np.append(0.0, np.cumsum(self.values) * self.stride))


def run_rates(schedule: Schedule, total_steps: int, most: int = _MOST_RATES) -> RunRates:
    """A schedule's rates, at the middle of each of at most so many blocks of steps."""
    stride = -(-total_steps // most)
    steps = np.arange(stride // 2, total_steps, stride)
    return RunRates(np.asarray(_rates(schedule, steps), np.float64), stride)


@jax.jit
def _rates(schedule: Schedule, steps: jax.Array) -> jax.Array:
    return schedule(steps)


@dataclasses.dataclass(frozen=True, eq=False)
class Log(Result):
    """What one training run recorded: the loss at some steps, and the rate at every step.

    Attributes:
        steps: at which the loss was logged: updates of the optimizer, whole numbers in
            [0, 2³¹ − 1], each once, ascending.
        losses: at these steps, finite and > 0.
        rates: the schedule of the run, or another function of the step; or the rates at ``steps``.
            Those are interpolated linearly, and constant before the first and after the last.
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

    steps: Annotated[np.ndarray, Axes("points")]
    losses: Annotated[np.ndarray, Axes("points")]
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
        if callable(rates):
            rates = AsSchedule().accept(rates)
        else:
            rates = rates_between(logged_at, _vector("rates", rates))
        fields = {"steps": logged_at.astype(np.int64), "losses": logged, "rates": rates}
        for field, value in {**fields, "name": str(name), "remarks": tuple(remarks)}.items():
            object.__setattr__(self, field, value)

    @property
    def total_steps(self) -> int:
        """The length of the run: all steps up to the last logged one."""
        return int(self.steps[-1]) + 1

    @property
    def every_rate(self) -> np.ndarray:
        """The rate at every step of the run, as float64."""
        return run_rates(self.rates, self.total_steps, self.total_steps).values

    @cached_property
    def run(self) -> RunRates:
        """The rates of the run."""
        return run_rates(self.rates, self.total_steps)

    @property
    def peak(self) -> float:
        """The highest rate of the run."""
        return self.run.peak

    def table(self) -> Table:
        """A row for every logged loss."""
        rates = np.asarray(_rates(self.rates, self.steps), np.float64)
        columns = (column.tolist() for column in (self.steps, self.losses, rates))
        return Table(("step", "loss", "rate"), tuple(zip(*columns, strict=True)))

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


def first_step(logs: Sequence[Log], log: Log) -> float:
    """The step from which on a log counts: its warm-up is over, and 5% of the longest run."""
    longest = max(int(log.steps[-1]) for log in logs)
    return max(int(np.argmax(log.run.values)) * log.run.stride, _SKIPPED * longest)


def windowed(log: Log, first: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps and logarithms of losses from a step on, long logs as means over windows."""
    kept = log.steps >= first
    columns = log.steps[kept].astype(np.float64), np.log(log.losses[kept])
    count = min(_RUN_POINTS, max(kept.sum(), 1))
    steps, log_losses = (
        np.array([part.mean() for part in np.array_split(column, count) if len(part)])
        for column in columns
    )
    return steps, log_losses


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
    if not (np.all(steps == np.floor(steps)) and steps[0] >= 0 and np.all(np.diff(steps) > 0)):
        raise ValueError("Log: `steps` must be whole numbers >= 0 in ascending order, each once")
    if steps[-1] > MOST_STEPS:
        raise ValueError(f"Log: `steps` end at {steps[-1]:.15g}, {TOO_FAR}")
    valid = np.isfinite(losses) & (losses > 0)
    if not valid.all():
        wrong = int(np.argmin(valid))
        raise ValueError(
            f"Log: `losses` must be finite and > 0, got {losses[wrong]} at step "
            f"{steps[wrong]:.0f}; leave such points out"
        )
