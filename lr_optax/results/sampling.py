"""Which steps of a run to look at, so that a run of any length costs little."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from lr_optax._core.schedule import Schedule

ScheduleLike = Schedule | Callable[[Any], Any]

LAST_STEP = 2**31 - 1

# A million rates are computed in milliseconds; a table of ten million would take seconds.
_ALL = 1_000_000
_EVENLY = 100_000
_ENDS = 1000  # steps at either end, where warm-ups and cooldowns change most

_POINTS = 4000  # of a curve: a few for each pixel of a wide picture


def run_steps(total_steps: int) -> np.ndarray:
    """Every step of a run; of more than a million the first and last thousand, and a sample.

    Args:
        total_steps: the length of the run, >= 1.

    Returns:
        Steps from 0 to ``total_steps`` - 1, increasing, as int64.
    """
    if total_steps <= _ALL:
        return np.arange(total_steps)
    evenly = np.linspace(0, total_steps - 1, _EVENLY).astype(np.int64)
    ends = np.arange(_ENDS), np.arange(total_steps - _ENDS, total_steps)
    return np.unique(np.concatenate([evenly, *ends]))


def rates_at(schedule: Schedule, steps: np.ndarray) -> np.ndarray:
    """The rates at steps, in float64; steps beyond what JAX counts to are the last of them."""
    return np.asarray(jax.jit(schedule)(np.minimum(steps, LAST_STEP)), np.float64)


def steps_to_show(total_steps: int) -> np.ndarray:
    """Steps from 0 to ``total_steps``: whole ones, or fractions where a few would look angular."""
    even = np.linspace(0, total_steps, _POINTS)
    return even.astype(np.float32) if total_steps < _POINTS else np.unique(even.astype(np.int64))


def points(schedule: ScheduleLike, total_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps to show, and the rates there."""
    x = steps_to_show(total_steps)
    return x, np.broadcast_to(jax.jit(schedule)(x), x.shape)
