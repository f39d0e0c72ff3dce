"""What a fitted law predicts: losses along a run, their spread, the order of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import jax
import numpy as np
from jax import Array
from scipy.special import stdtrit

from lr_optax._core.hyperparameters import Size
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._law import Changes, Law, Points, law_losses, law_named, merged_changes
from lr_optax.foresight._law_notes import prediction_warnings
from lr_optax.foresight._log import Log, RunRates, run_rates
from lr_optax.results._result import Result, Table
from lr_optax.results._saved import Axes
from lr_optax.results.panels import GRAY, Curve, Panel, interval_panel, palette_color, rate_curve

if TYPE_CHECKING:
    from lr_optax.foresight._loss_law import LossLaw

SPREAD_QUANTILE = 0.9
"""The share of cases that an interval of ± a spread holds."""

_CURVE_PARTS = 1000  # of the peak, to which changes of the rate are merged

SHOWN = 100
"""Points of a curve: more could not be seen in a picture."""


@dataclass(frozen=True, eq=False)
class Prediction(Result):
    """The curve that a law predicts for a schedule.

    Attributes:
        schedule: the schedule in question.
        total_steps: the length of its run.
        steps: ascending, the last of the run at the end.
        losses: predicted at ``steps``.
        spread: half the width of the interval that holds 90%, at ``steps``.
        warnings: why not to trust it.
    """

    schedule: Schedule
    total_steps: Size
    steps: Annotated[np.ndarray, Axes("points")]
    losses: Annotated[np.ndarray, Axes("points")]
    spread: Annotated[np.ndarray, Axes("points")]
    warnings: tuple[str, ...] = ()

    @property
    def final(self) -> float:
        """The loss after the last step."""
        return float(self.losses[-1])

    @property
    def final_spread(self) -> float:
        """Half the width of the interval of the final loss that holds 90%."""
        return float(self.spread[-1])

    def table(self) -> Table:
        """The loss at tenths of the run."""
        tenths = np.searchsorted(self.steps, np.linspace(0.1, 1, 10) * self.steps[-1])
        low, high = self.losses - self.spread, self.losses + self.spread
        columns = (self.steps.astype(int), self.losses, low, high)
        rows = zip(*(column[tenths].tolist() for column in columns), strict=True)
        return Table(("step", "loss", "90% from", "to"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """The warnings."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The curve with its spread, and the rates below it."""
        return curves_of({f"final {self.final:.4g}": self})


def curves_of(
    predictions: Mapping[str, Prediction], logs: Sequence[Log] = ()
) -> tuple[Panel, Panel]:
    """Predicted curves by name with their spreads, the losses of logs, and the rates below."""
    curves = [Curve(log.steps, log.losses, log.name, GRAY, "dots") for log in logs]
    rates, limits = [], []
    for i, (name, prediction) in enumerate(predictions.items()):
        low, high = prediction.losses - prediction.spread, prediction.losses + prediction.spread
        color = palette_color(i)
        curves.append(Curve(prediction.steps, prediction.losses, name, color, band=(low, high)))
        rates.append(rate_curve(prediction.schedule, prediction.total_steps, name, color))
        # The first twentieth begins so far above the rest that nothing else could be seen.
        steps = prediction.steps
        shown = steps >= steps[0] + 0.05 * (steps[-1] - steps[0])
        bottom, top = float(low[shown].min()), float(high[shown].max())
        limits += [bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom)]
    return (
        Panel("step", "predicted loss", tuple(curves), limits=(min(limits), max(limits))),
        Panel("step", "learning rate", tuple(rates), limits=(0, None), height=1),
    )


@dataclass(frozen=True, eq=False)
class Ranking(Result):
    """Candidates by their predicted final losses, and which of the differences are significant.

    Attributes:
        names: of the candidates, in the order they were given, as all fields are.
        losses: their final losses.
        spreads: half the width of the interval that holds 90%, for each loss.
        difference_spreads: the same for every difference of two losses, of shape (n, n).
        warnings: why not to trust them.
    """

    names: Annotated[tuple[str, ...], Axes("candidates")]
    losses: Annotated[np.ndarray, Axes("candidates")]
    spreads: Annotated[np.ndarray, Axes("candidates")]
    difference_spreads: Annotated[np.ndarray, Axes("candidates", "candidates")]
    warnings: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """The candidates' numbers, lowest loss first."""
        return tuple(int(i) for i in np.argsort(self.losses, kind="stable"))

    @property
    def best(self) -> str:
        """The name of the one with the lowest loss."""
        return self.names[self.order[0]]

    def differs(self, a: str, b: str) -> bool:
        """Whether two candidates' losses differ by more than the spread of their difference."""
        i, j = self.names.index(a), self.names.index(b)
        return bool(abs(self.losses[i] - self.losses[j]) > self.difference_spreads[i, j])

    def table(self) -> Table:
        """Best first, with the gap to the best and whether it exceeds its spread."""
        first = self.order[0]
        gaps, spreads = self.losses - self.losses[first], self.difference_spreads[:, first]
        columns = (self.losses, self.spreads, gaps, spreads)
        rows = [
            (
                self.names[i],
                *(float(column[i]) for column in columns),
                "" if i == first else "yes" if gaps[i] > spreads[i] else "no",
            )
            for i in self.order
        ]
        header = ("candidate", "loss", "±", "gap to best", "± gap", "significant")
        return Table(header, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """The warnings."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The losses with their spreads, best on top."""
        order = [*self.order]
        names = tuple(self.names[i] for i in order)
        significant = {self.best, *(name for name in names if self.differs(name, self.best))}
        colors = [palette_color(0) if name in significant else GRAY for name in names]
        label = "predicted final loss, 90% (gray: not significantly different from the best)"
        return (interval_panel(label, names, self.losses[order], self.spreads[order], colors),)


def predict_curve(law: LossLaw, schedule: Schedule, total_steps: int) -> Prediction:
    """See :meth:`LossLaw.predict`."""
    run = _valid_rates("predict", schedule, total_steps)
    # Before it nothing moves, and S^-α is infinite.
    first = int(np.argmax(run.values > 0)) * run.stride
    steps = np.unique(np.linspace(first, total_steps - 1, SHOWN).round().astype(int))
    best, *members = losses_along(law, run, steps)
    spread = _half_width(law, best, np.reshape(members, (-1, len(steps))), best)
    warnings = prediction_warnings(law, {"the schedule": run.peak}, total_steps)
    return Prediction(schedule, total_steps, steps, best, spread, warnings)


def rank_candidates(law: LossLaw, candidates: Mapping[str, Schedule], total_steps: int) -> Ranking:
    """See :meth:`LossLaw.rank`."""
    runs = {
        name: _valid_rates(f"rank: {name}", schedule, total_steps)
        for name, schedule in candidates.items()
    }
    last = np.array([total_steps - 1])
    finals = np.concatenate([losses_along(law, run, last) for run in runs.values()], axis=1)
    gaps = finals[:, :, None] - finals[:, None, :]
    rates = np.stack([run.values for run in runs.values()])
    apart = np.stack([np.mean(np.abs(rates - row), axis=1) for row in rates]) / rates.max()
    shares = np.sqrt(np.minimum(2 * apart, 2.0)) * finals[0][:, None]
    return Ranking(
        tuple(candidates),
        finals[0],
        _half_width(law, finals[0], finals[1:], finals[0]),
        _half_width(law, gaps[0], gaps[1:], shares),
        prediction_warnings(law, {name: run.peak for name, run in runs.items()}, total_steps),
    )


def losses_along(law: LossLaw, run: RunRates, steps: np.ndarray) -> np.ndarray:
    """The losses of the best fit and of every member, of shape (1 + members, steps)."""
    changes = merged_changes(run, steps, count_warmup=law.count_warmup, parts=_CURVE_PARTS)
    # To a multiple of 256, so that schedules with nearly as many changes share a program; a
    # change that fills up has a drop of 0.
    missing = -len(changes.step) % 256
    padded = [
        np.pad(field, (0, missing), constant_values=fill)
        for field, fill in zip(changes, (0.0, 0.0, run.peak, 0.0), strict=True)
    ]
    points = Points(steps.astype(np.float64), run.distance(steps))
    with jax.enable_x64(new_val=True):
        return np.asarray(_losses_of_fits(law_named(law.law), law.fits, points, Changes(*padded)))


@partial(jax.jit, static_argnames="law")
def _losses_of_fits(law: Law, fits: Array, points: Points, changes: Changes) -> Array:
    # One member after another: all at once would need memory for members x points x changes.
    return jax.lax.map(lambda values: law_losses(law, law.named(values), points, changes), fits)


def _half_width(
    law: LossLaw, best: np.ndarray, members: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Half the width of the 90% interval; the discrepancy is relative to ``scale``."""
    between = np.zeros_like(best)
    if len(members):
        between = np.quantile(np.abs(members - best), SPREAD_QUANTILE, axis=0)
    deviations = stdtrit(max(len(law.logs), 1), (1 + SPREAD_QUANTILE) / 2)
    return np.hypot(between, deviations * law.discrepancy * scale)


def _valid_rates(where: str, schedule: Schedule, total_steps: int) -> RunRates:
    run = run_rates(schedule, total_steps)
    if not np.all(np.isfinite(run.values) & (run.values >= 0)) or not run.peak > 0:
        raise ValueError(f"{where}: rates must be finite and >= 0, and not all 0")
    return run
