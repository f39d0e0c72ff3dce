"""Which steps of a run to look at, so that a run of any length costs little."""

import jax
import numpy as np

from lr_optax._core.hyperparameters import RateFunction
from lr_optax.schedules.combine import StepFunction

LAST_STEP = 2**31 - 1  # JAX counts steps in int32

# A million rates are computed in milliseconds; a table of ten million would take seconds.
_ALL = 1_000_000
_EVENLY = 100_000
_ENDS = 1000  # steps at either end, where warm-ups and cooldowns change most

_POINTS = 4000  # of a curve: a few for each pixel of a wide picture


def run_steps(total_steps: int) -> np.ndarray:
    """Every step of a run; of more than a million the first and last thousand, and a sample."""
    if total_steps <= _ALL:
        return np.arange(total_steps)
    evenly = np.linspace(0, total_steps - 1, _EVENLY).astype(np.int64)
    ends = np.arange(_ENDS), np.arange(total_steps - _ENDS, total_steps)
    return np.unique(np.concatenate([evenly, *ends]))


def rates_at(schedule: RateFunction, steps: np.ndarray) -> np.ndarray:
    """The rates at steps, in float64; steps beyond what JAX counts to are the last of them."""
    # A function may return one number for all steps, as optax.constant_schedule does.
    try:
        rates = jax.jit(schedule)(np.minimum(steps, LAST_STEP))
    except (TypeError, ValueError):
        try:
            StepFunction().accept(schedule)
        except TypeError as reason:  # which says what to do
            raise TypeError(f"a schedule {reason}") from None
        raise
    return np.broadcast_to(np.asarray(rates, np.float64), steps.shape)


def points(schedule: RateFunction, total_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps from 0 to ``total_steps`` for a curve, and the rates there."""
    even = np.linspace(0, total_steps, _POINTS)
    # Fractions of a step where the few whole ones would make the curve look angular.
    steps = even.astype(np.float32 if total_steps < _POINTS else np.int64)
    return np.unique(steps), rates_at(schedule, np.unique(steps))
