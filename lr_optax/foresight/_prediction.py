"""What a loss law predicts: a curve, or the order of several candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lr_optax._core.schedule import Schedule
from lr_optax.foresight._log import Log
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Panel, interval_panel, palette_color, rate_curve


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
    total_steps: int
    steps: np.ndarray
    losses: np.ndarray
    spread: np.ndarray
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
        columns = (self.losses, self.losses - self.spread, self.losses + self.spread)
        steps = self.steps[tenths].astype(int).tolist()
        rows = zip(steps, *(column[tenths].tolist() for column in columns), strict=True)
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
    """Predicted curves with their spreads and the losses of logs, and the rates below them.

    Args:
        predictions: by name.
        logs: of runs.
    """
    curves = [Curve(log.steps, log.losses, log.name, GRAY, "dots") for log in logs]
    rates, bottoms, tops = [], [], []
    for i, (name, prediction) in enumerate(predictions.items()):
        low, high = prediction.losses - prediction.spread, prediction.losses + prediction.spread
        color = palette_color(i)
        curves.append(Curve(prediction.steps, prediction.losses, name, color, band=(low, high)))
        rates.append(rate_curve(prediction.schedule, prediction.total_steps, name, color))
        bottom, top = _limits(low, high, prediction.steps)
        bottoms.append(bottom)
        tops.append(top)
    return (
        Panel("step", "predicted loss", tuple(curves), limits=(min(bottoms), max(tops))),
        Panel("step", "learning rate", tuple(rates), limits=(0, None), height=1),
    )


def _limits(low: np.ndarray, high: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """The part of the loss axis to show."""
    # The first twentieth begins so far above the rest that nothing else could be seen.
    shown = steps >= steps[0] + 0.05 * (steps[-1] - steps[0])
    bottom, top = float(low[shown].min()), float(high[shown].max())
    return bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom)


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

    names: tuple[str, ...]
    losses: np.ndarray
    spreads: np.ndarray
    difference_spreads: np.ndarray
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
        rows = []
        for i in self.order:
            gap = float(self.losses[i] - self.losses[first])
            spread = float(self.difference_spreads[i, first])
            significant = "" if i == first else "yes" if gap > spread else "no"
            loss, own_spread = float(self.losses[i]), float(self.spreads[i])
            rows.append((self.names[i], loss, own_spread, gap, spread, significant))
        columns = ("candidate", "loss", "±", "gap to best", "± gap", "significant")
        return Table(columns, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """The warnings."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The losses with their spreads, best on top."""
        order = [*self.order]
        names = tuple(self.names[i] for i in order)
        colors = [
            palette_color(0) if name == self.best or self.differs(name, self.best) else GRAY
            for name in names
        ]
        label = "predicted final loss, 90% (grey: not significantly different from the best)"
        return (interval_panel(label, names, self.losses[order], self.spreads[order], colors),)
