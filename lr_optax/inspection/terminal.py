"""A schedule in the terminal: key points and a sketch."""

import numpy as np

from lr_optax._core.hyperparameters import RateFunction
from lr_optax.results.sampling import rates_at, run_steps

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def key_points(schedule: RateFunction, total_steps: int) -> list[tuple[int, float, str]]:
    """Steps worth looking at, each with its rate and a note: ends, quarters, highest, lowest."""
    steps = run_steps(total_steps)
    run = rates_at(schedule, steps)
    notes = {
        0: ["first step"],
        total_steps // 4: ["a quarter"],
        total_steps // 2: ["half"],
        total_steps * 3 // 4: ["three quarters"],
        total_steps - 1: ["last step"],
        total_steps: ["after the run"],
    }
    if np.isfinite(run).all():
        notes.setdefault(int(steps[run.argmax()]), []).append("highest")
        notes.setdefault(int(steps[run.argmin()]), []).append("lowest")
    rates = rates_at(schedule, np.array(sorted(notes))).tolist()
    return [(n, rate, ", ".join(notes[n])) for n, rate in zip(sorted(notes), rates, strict=True)]


def sketch(schedule: RateFunction, total_steps: int, width: int = 64, height: int = 8) -> str:
    """A picture of block characters: the highest rate of each column of steps.

    A full column is the highest rate of the run. A rate that is not finite or below 0 is empty.
    """
    rates = rates_at(schedule, run_steps(total_steps))
    rates = np.where(np.isfinite(rates) & (rates > 0), rates, 0.0)
    columns = np.array([part.max() for part in np.array_split(rates, min(width, len(rates)))])
    # A run of zeros must not divide by 0; 1e-38 is about the lowest normal float32.
    eighths = np.rint(columns / max(columns.max(), 1e-38) * 8 * height).astype(int)
    lines = [
        "".join(_EIGHTHS[level] for level in (eighths - 8 * row).clip(0, 8))
        for row in reversed(range(height))
    ]
    return "\n".join(lines)
