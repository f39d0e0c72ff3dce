"""A schedule in the terminal: key points, and a small picture."""

import jax
import numpy as np

from lr_optax._core.schedule import Schedule

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def key_points(schedule: Schedule, steps: int) -> list[tuple[int, float, str]]:
    """Steps worth looking at, with their rates: the ends, the quarters, the peak, the low.

    Args:
        schedule: any schedule.
        steps: the length of the run, >= 1; the last update is step ``steps`` - 1.

    Returns:
        Rows of step, rate and what it is, in order of steps.
    """
    rates = np.asarray(jax.jit(schedule)(np.arange(steps + 1)))
    run = rates[:-1]
    notes = {
        0: ["first step"],
        steps // 4: ["a quarter"],
        steps // 2: ["half"],
        steps * 3 // 4: ["three quarters"],
        steps - 1: ["last step"],
        steps: ["after the run"],
    }
    notes.setdefault(int(run.argmax()), []).append("highest")
    notes.setdefault(int(run.argmin()), []).append("lowest")
    return [(step, float(rates[step]), ", ".join(notes[step])) for step in sorted(notes)]


def sketch(schedule: Schedule, steps: int, width: int = 64, height: int = 8) -> str:
    """A picture of block characters: the highest rate of each column of steps.

    Args:
        schedule: any schedule.
        steps: the length of the run, >= 1.
        width: characters.
        height: lines.

    Returns:
        Lines, the topmost first; a full column is the highest rate of the run.
    """
    rates = np.asarray(jax.jit(schedule)(np.arange(steps)))
    columns = np.array([part.max() for part in np.array_split(rates, min(width, steps))])
    eighths = np.rint(columns / max(columns.max(), 1e-38) * 8 * height).astype(int)
    lines = [
        "".join(_EIGHTHS[level] for level in (eighths - 8 * row).clip(0, 8))
        for row in reversed(range(height))
    ]
    return "\n".join(lines)
