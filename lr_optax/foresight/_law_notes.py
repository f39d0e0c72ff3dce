"""Why not to trust a fitted law: peaks, lengths and falls that its runs do not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lr_optax.foresight._log import Log, rounded

if TYPE_CHECKING:
    from lr_optax.foresight._loss_law import LossLaw

# Peaks that differ by less than 1% count as one: a logged rate may miss its schedule's peak.
_SAME_PEAK = 0.01

_LEVEL = 0.2  # of a run, which has to be level before a fall for the law to be identified

_STRUCTURE = 1e-3  # of the loss, from which on residuals of one sign are worth a note

_RUN_BLOCKS = 8  # of a run, in which residuals are averaged: enough to say where the law is off

_SURE = 4.0  # standard errors: chance reaches that in one of 16,000 blocks


def same_peak(low: float, high: float) -> bool:
    """Whether peaks from ``low`` to ``high`` count as one."""
    return high <= (1 + _SAME_PEAK) * low


def prediction_warnings(
    law: LossLaw, peaks: Mapping[str, float], total_steps: int
) -> tuple[str, ...]:
    """Why not to trust what a law predicts for runs with these peaks, by name."""
    if not law.logs:
        return ("the law was not fitted to runs here: there is no spread",)
    warnings, low, high = [*_identification(law)], min(law.peaks), max(law.peaks)
    fitted = f"{low:.4g}" if same_peak(low, high) else f"{low:.4g} to {high:.4g}"
    for name, peak in peaks.items():
        if not ((1 - _SAME_PEAK) * low <= peak and same_peak(high, peak)):
            warnings.append(
                f"{name} has the peak {peak:.4g}, the law was fitted at {fitted}: its parameters "
                "hold for one peak only, so log runs with this one"
            )
        if total_steps > 2 * law.horizon:
            warnings.append(
                f"{name} has {total_steps} steps, more than twice the longest run of the fit "
                f"({law.horizon}): that is extrapolation, log a longer run"
            )
    return tuple(warnings)


def fit_warnings(law: LossLaw) -> tuple[str, ...]:
    """Where a law does not fit its runs, or cannot be known from them."""
    if not law.logs:
        return ()
    warnings = [*_identification(law)]
    low, high = min(law.peaks), max(law.peaks)
    if not same_peak(low, high):
        warnings.append(
            f"the runs' peaks go from {low:.4g} to {high:.4g}: "
            "the law's parameters hold for one peak only"
        )
    deviation, worst = max((_structure(law, log) for log in law.logs), key=lambda pair: pair[0])
    return (*warnings, worst) if deviation else tuple(warnings)


def _identification(law: LossLaw) -> tuple[str, ...]:
    """What is missing if no rate stays at its peak for a good part of a run, then falls clearly."""
    for log in law.logs:
        rates, peak = log.run.values, log.peak
        level = np.flatnonzero(rates >= 0.999 * peak)
        if len(level) >= _LEVEL * len(rates) and rates[level[-1] :].min() < 0.7 * peak:
            return ()
    steps, peak = max(law.horizon // 2, 10), rounded(max(law.peaks))
    tenth = max(steps // 10, 1)
    return (
        "no run falls from a level rate, so the effect of a fall is not identified and the "
        f"law may be far off; two short runs would do: constant({peak}) for {steps} steps, "
        f"and warmup_stable_decay({peak}, total_steps={steps}, cooldown_steps={2 * tenth}, "
        f"warmup_steps={tenth})",
    )


def _structure(law: LossLaw, log: Log) -> tuple[float, str]:
    """The part of a run where the law is off for long: by how much, and in words."""
    steps, residuals = law.residuals(log)
    # From one point to the next whatever is smooth hardly changes, and noise counts twice.
    noise = np.std(np.diff(residuals)) / np.sqrt(2) if len(steps) > 2 else np.inf
    blocks = [b for b in np.array_split(np.arange(len(steps)), _RUN_BLOCKS) if len(b)]
    means = np.array([residuals[block].mean() for block in blocks])
    by_chance = _SURE * noise / np.sqrt([len(block) for block in blocks])
    means[np.abs(means) < np.maximum(by_chance, _STRUCTURE * log.losses.min())] = 0
    worst = int(np.argmax(np.abs(means)))
    deviation, side = abs(float(means[worst])), "above" if means[worst] > 0 else "below"
    return deviation, (
        f"residuals have structure: from step {steps[blocks[worst][0]]} to "
        f"{steps[blocks[worst][-1]]} the loss of {log.name} lies {deviation:.2g} {side} the law"
    )
