"""Which steps of a run to look at, so that a run of any length costs little."""

import jax
import numpy as np

from lr_optax._core.schedule import Schedule

LAST_STEP = 2**31 - 1
_ALL = 1_000_000
_EVENLY = 100_000
_ENDS = 1000


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
