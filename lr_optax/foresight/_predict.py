"""How a fitted law predicts: losses along a run, their spread, the order of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax import Array
from scipy.special import stdtrit

from lr_optax._core.schedule import Schedule
from lr_optax.foresight._fit import first_step, windowed
from lr_optax.foresight._law import (
    Changes,
    Law,
    Points,
    law_losses,
    law_named,
    merged_changes,
)
from lr_optax.foresight._law_notes import prediction_warnings
from lr_optax.foresight._log import Log, run_rates
from lr_optax.foresight._prediction import Prediction, Ranking

if TYPE_CHECKING:
    from lr_optax.foresight._loss_law import LossLaw

SPREAD_QUANTILE = 0.9
"""The share of cases that an interval of ± a spread holds."""

_CURVE_PARTS = 1000  # of the peak, to which changes of the rate are merged

SHOWN = 100
"""Points of a curve: more could not be seen in a picture."""


def predict_curve(law: LossLaw, schedule: Schedule, total_steps: int) -> Prediction:
    """See :meth:`LossLaw.predict`."""
    rates = _valid_rates("predict", schedule, total_steps)
    first = int(np.argmax(rates > 0))  # before it nothing moves, and S^-α is infinite
    steps = np.unique(np.linspace(first, total_steps - 1, SHOWN).round().astype(int))
    best, *members = losses_along(law, rates, steps)
    spread = _half_width(law, best, np.reshape(members, (-1, len(steps))), best)
    warnings = prediction_warnings(law, {"the schedule": rates})
    return Prediction(schedule, total_steps, steps, best, spread, warnings)


def rank_candidates(law: LossLaw, candidates: Mapping[str, Schedule], total_steps: int) -> Ranking:
    """See :meth:`LossLaw.rank`."""
    rates = {
        name: _valid_rates(f"rank: {name}", schedule, total_steps)
        for name, schedule in candidates.items()
    }
    last = np.array([total_steps - 1])
    finals = np.concatenate([losses_along(law, r, last) for r in rates.values()], axis=1)
    gaps = finals[:, :, None] - finals[:, None, :]
    stacked = np.stack([*rates.values()])
    apart = np.stack([np.mean(np.abs(stacked - row), axis=1) for row in stacked]) / stacked.max()
    shares = np.sqrt(np.minimum(2 * apart, 2.0)) * finals[0][:, None]
    return Ranking(
        tuple(candidates),
        finals[0],
        _half_width(law, finals[0], finals[1:], finals[0]),
        _half_width(law, gaps[0], gaps[1:], shares),
        prediction_warnings(law, rates),
    )


def residuals_of(law: LossLaw, log: Log) -> tuple[np.ndarray, np.ndarray]:
    """See :meth:`LossLaw.residuals`."""
    steps, log_losses = windowed(log, first_step(law.logs or (log,), log))
    steps = steps.astype(int)
    return steps, np.exp(log_losses) - losses_along(law, log.every_rate, steps)[0]


def losses_along(law: LossLaw, rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The losses of the best fit and of every member, of shape (1 + members, steps)."""
    changes = merged_changes(rates, steps, count_warmup=law.count_warmup, parts=_CURVE_PARTS)
    # To a multiple of 256, so that schedules with nearly as many changes share a program; a
    # change that fills up has a drop of 0.
    missing = -len(changes.step) % 256
    fills = (0.0, 0.0, float(rates.max()), 0.0)
    padded = [
        np.pad(field, (0, missing), constant_values=fill)
        for field, fill in zip(changes, fills, strict=True)
    ]
    points = Points(steps.astype(np.float64), np.cumsum(rates)[steps])
    with jax.enable_x64(new_val=True):
        return np.asarray(_losses_of_fits(law_named(law.law), law.fits, points, Changes(*padded)))


@partial(jax.jit, static_argnames="law")
def _losses_of_fits(law: Law, fits: Array, points: Points, changes: Changes) -> Array:
    # One member after another: all at once would need memory for members x points x changes.
    return jax.lax.map(lambda values: law_losses(law, law.named(values), points, changes), fits)


def _half_width(
    law: LossLaw, best: np.ndarray, members: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Half the width of the interval around the best that holds 90%.

    Args:
        law: the law, with its discrepancy, which is relative.
        best: what the best fit predicts.
        members: what those of the ensemble predict.
        scale: what the discrepancy is multiplied by.
    """
    between = np.zeros_like(best)
    if len(members):
        between = np.quantile(np.abs(members - best), SPREAD_QUANTILE, axis=0)
    deviations = stdtrit(max(len(law.logs), 1), (1 + SPREAD_QUANTILE) / 2)
    return np.hypot(between, deviations * law.discrepancy * scale)


def _valid_rates(where: str, schedule: Schedule, total_steps: int) -> np.ndarray:
    rates = run_rates(schedule, total_steps)
    if not np.all(np.isfinite(rates) & (rates >= 0)) or not rates.any():
        raise ValueError(f"{where}: rates must be finite and >= 0, and not all 0")
    return rates
