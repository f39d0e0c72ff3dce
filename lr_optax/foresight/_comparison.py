"""What strategies reached on a task, each at its best peak, compared with a constant rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lr_optax._core.schedule import Schedule
from lr_optax.foresight._statistics import Estimate, typical_difference
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color, short
from lr_optax.schedules.tables import tabulate

# Okabe and Ito's blue and vermilion, which color-blind readers can tell apart
BETTER, WORSE = "#0072B2", "#D55E00"

_SHOWN = 3
"""How many strategies have a curve next to the constant rate's: more would hide each other."""


class Row(NamedTuple):
    """What one strategy reached at the peak that was best for it."""

    strategy: str
    peak: float
    at_edge: bool  # the best peak is the lowest or highest tried: a better one may lie beyond
    loss: Estimate  # the median of the seeds, and the quartiles
    error: float | None  # the median
    gain: Estimate  # by how much the loss is below the constant rate's, as a share of that


@dataclass(frozen=True, eq=False)
class Comparison(Result):
    """Every run of every strategy, and what each strategy reached at its best peak.

    A strategy's losses are those of its best peak, where the median of the last entry of
    ``history`` is lowest. Its gain is 1 - exp(m), where m is the typical difference between
    log(final) and that of the constant rate with the same seed
    (:func:`~lr_optax.foresight._statistics.shift`): a constant rate often ends on a spike, and no
    single seed decides.

    Attributes:
        names: of the strategies.
        candidates: the schedules at every peak, a tuple for each strategy.
        peaks: the highest rates, of shape (strategies, peaks).
        history: the metric that chooses the peaks, along the run, of shape (strategies, peaks,
            seeds, checks).
        final: the metric that ranks, at the end of the run, of shape (strategies, peaks, seeds).
        total_steps: the length of a run.
        error: the share of wrong answers, of the same shape as ``final``; None if not measured.
        scale: what a plateau multiplied the rate by, of the same shape as ``history``; None where
            no strategy has a plateau.
        metrics: the names of ``history`` and ``final``, and of ``error`` if it was measured.
        task: what was trained, and how.
    """

    names: tuple[str, ...]
    candidates: tuple[tuple[Schedule, ...], ...]
    peaks: np.ndarray
    history: np.ndarray
    final: np.ndarray
    total_steps: int
    error: np.ndarray | None = None
    scale: np.ndarray | None = None
    metrics: tuple[str, ...] = ("validation_loss", "test_loss")
    task: str = ""

    @cached_property
    def best(self) -> np.ndarray:
        """The number of each strategy's best peak."""
        return np.median(_or_infinite(self.history[..., -1]), axis=-1).argmin(axis=-1)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for every strategy, lowest loss first."""
        constant = self.at_best(self.final)[self.names.index("constant")]
        rows = [strategy_row(self, i, constant) for i in range(len(self.names))]
        return tuple(sorted(rows, key=lambda row: row.loss.middle))

    def at_best(self, values: np.ndarray) -> np.ndarray:
        """Each strategy's values at its best peak, from values of all peaks."""
        return values[np.arange(len(self.names)), self.best]

    def rates(self, strategy: str) -> np.ndarray:
        """The rate of every step at the best peak, of shape (total_steps,): the median of seeds."""
        i = self.names.index(strategy)
        schedule = self.candidates[i][self.best[i]]
        rates = np.asarray(tabulate(schedule, self.total_steps).values)
        if self.scale is None:
            return rates
        scales = np.median(self.at_best(self.scale)[i], axis=0)
        return rates * scales[np.arange(self.total_steps) * len(scales) // self.total_steps]

    @property
    def has_logarithms(self) -> bool:
        """Whether all losses are above 0 or NaN."""
        return not ((self.history <= 0).any() or (self.final <= 0).any())

    @property
    def checks(self) -> np.ndarray:
        """The number of steps after which each entry of ``history`` was measured."""
        count = self.history.shape[-1]
        return np.arange(1, count + 1) * self.total_steps // count

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the metrics in words."""
        return tuple(name.replace("_", " ") for name in self.metrics)

    @property
    def title(self) -> str:
        """What the best strategy gains."""
        return comparison_title(self)

    def table(self) -> Table:
        """A row for every strategy, lowest loss first."""
        _, loss, *error = self.labels
        columns = ("strategy", "best peak", "at edge", loss, "lower quartile", "upper quartile",
                   *error, "gain", "gain from", "gain to")  # fmt: skip
        rows = [
            (row.strategy, row.peak, row.at_edge, *row.loss, *[row.error] * len(error), *row.gain)
            for row in self.rows
        ]
        return Table(columns, tuple(rows), comparison_legend(self), printed_table(self))

    def notes(self) -> tuple[str, ...]:
        """What limits the comparison."""
        return comparison_notes(self)

    def panels(self) -> Sequence[Panel]:
        """Every seed's loss, best strategy on top, over rates and losses along the run."""
        return ranking_panel(self), *curve_panels(self)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture in inches: made to be read at 830 pixels across."""
        return 8.3, 5 + 0.32 * len(self.names)

    def files(self) -> dict[str, str]:
        """The table, every run, and the curves of the best peaks, as CSV files by name."""
        return {
            "compare.csv": self.table().csv(),
            "runs.csv": runs_table(self).csv(),
            "curves.csv": curves_table(self).csv(),
        }


def strategy_row(result: Comparison, i: int, constant: np.ndarray) -> Row:
    """What a strategy reached.

    Args:
        result: the runs.
        i: the number of the strategy.
        constant: the losses of the constant rate at its best peak, seed by seed.
    """
    best, peaks = result.best[i], result.peaks[i]
    losses = result.final[i, best]
    ratio = typical_difference(_log_losses(losses), _log_losses(constant))
    quartiles = np.quantile(_or_infinite(losses), (0.25, 0.75), method="nearest")
    if len(losses) == 1:
        quartiles = np.full(2, np.nan)
    return Row(
        strategy=result.names[i],
        peak=float(peaks[best]),
        at_edge=len(peaks) > 1 and peaks[best] in (peaks.min(), peaks.max()),
        loss=Estimate(float(np.median(_or_infinite(losses))), *map(float, quartiles)),
        error=None if result.error is None else float(np.median(result.error[i, best])),
        gain=Estimate(*(-math.expm1(x) for x in (ratio.middle, ratio.high, ratio.low))),
    )


def comparison_title(result: Comparison) -> str:
    """What the best strategy gains, in one line."""
    first, loss = result.rows[0], result.labels[1]
    if not math.isfinite(first.loss.middle):
        return "Every strategy diverged"
    name = short(first.strategy).capitalize()
    gain = first.gain
    if gain.low > 0:
        return (
            f"{name} takes {gain.middle:.0%} off the {loss} of the best constant rate "
            f"({gain.low:.0%} to {gain.high:.0%})"
        )
    return f"{name} has the lowest {loss} (difference not significant)"


def comparison_legend(result: Comparison) -> tuple[str, ...]:
    """What the columns mean."""
    seeds = result.final.shape[-1]
    along, end = result.labels[:2]
    chosen = f"each strategy at its best peak by {along}"
    if along == end:
        chosen += ", the same metric, so all losses are optimistic"
    losses = f"median of {seeds} seeds, and the quartiles" if seeds > 1 else "one seed"
    legend = [
        f"{result.task}{', ' * bool(result.task)}{result.total_steps} steps; {chosen}",
        f"{end}: {losses}",
        f"gain: the reduction in {end} relative to the constant rate, paired by seed, and its 95% "
        "interval" + (" (needs 6 seeds)" if seeds < 6 else ""),
    ]
    if any(row.at_edge for row in result.rows):
        legend.append("(edge): the lowest or highest of the peaks tried; see --peaks")
    return tuple(legend)


def comparison_notes(result: Comparison) -> tuple[str, ...]:
    """What limits the comparison."""
    notes = []
    unsure = [row.strategy for row in result.rows if row.gain.low <= 0 <= row.gain.high]
    unsure = [name for name in unsure if name != "constant"]
    if unsure:
        notes.append(f"not significantly different from the constant rate: {', '.join(unsure)}")
    lost = [row.strategy for row in result.rows if not math.isfinite(row.loss.middle)]
    if lost:
        notes.append(f"diverged at every peak: {', '.join(lost)}")
    if not result.has_logarithms:
        notes.append("a loss is not above 0, so its seed has no relative gain and does not count")
    return tuple(notes)


def printed_table(result: Comparison) -> Table:
    """The table for reading: numbers with their bounds."""
    rows = [
        (
            row.strategy,
            f"{row.peak:g}{' (edge)' * row.at_edge}",
            _with_bounds(row.loss, "{:#.4g}"),
            *(f"{share:.2%}" for share in (row.error,) if share is not None),
            _gain(row),
        )
        for row in result.rows
    ]
    return Table(("strategy", "best peak", *result.labels[1:], "gain"), tuple(rows))


def runs_table(result: Comparison) -> Table:
    """A row for every run."""
    # Where one metric chooses and ranks, it has one column.
    arrays = (result.history[..., -1], result.final, result.error)
    columns = {n: x for n, x in zip(result.metrics, arrays, strict=False) if x is not None}
    rows = [
        (result.names[i], result.peaks[i, j], seed, *(x[i, j, seed] for x in columns.values()))
        for i, j, seed in np.ndindex(result.final.shape)
    ]
    return Table(("strategy", "peak", "seed", *columns), tuple(rows))


def curves_table(result: Comparison) -> Table:
    """The rate and the median loss of every strategy at its best peak, at each check."""
    rows = []
    medians = np.median(result.at_best(result.history), axis=1)
    for name, losses in zip(result.names, medians, strict=True):
        rates = result.rates(name)[result.checks - 1]
        rows += [(name, *row) for row in zip(result.checks, rates, losses, strict=True)]
    return Table(("strategy", "step", "rate", result.metrics[0]), tuple(rows))


def ranking_panel(result: Comparison) -> Panel:
    """Every seed as a dot, with the median and the quartiles, a row for each strategy."""
    losses = dict(zip(result.names, result.at_best(result.final), strict=True))
    curves, markers = [], []
    for y, row in enumerate(result.rows):
        curves += _row_curves(row, y, losses[row.strategy])
        middle = row.loss.middle
        if row.strategy == "constant" and np.isfinite(middle):
            markers.append(Marker(middle, middle, "the constant rate", "black"))
    rows = tuple(f"{short(r.strategy, 30)} at {r.peak:g}: {_gain(r)}" for r in result.rows)
    x = f"{result.labels[1]}: {result.final.shape[-1]} seeds, median, quartiles"
    log = "x" if result.has_logarithms else ""
    return Panel(x, "", tuple(curves), tuple(markers), log, rows=rows, height=0.25)


def _row_curves(row: Row, y: int, seeds: np.ndarray) -> tuple[Curve, ...]:
    name, color = _verdict(row)
    gain = f"peak {row.peak:g}, gain {_gain(row)}"
    texts = [f"{loss:.4f}, seed {i}<br>{gain}" for i, loss in enumerate(seeds)]
    middle, low, high = row.loss
    return (
        Curve([low, high], [y, y], color=color),
        Curve(seeds, np.full(len(seeds), y), color=color, form="dots", texts=texts),
        Curve([middle], [y], name, color, "bars", texts=[gain]),
    )


def curve_panels(result: Comparison) -> tuple[Panel, Panel]:
    """The rates, and below them the losses, of the best strategies and the constant rate."""
    histories = dict(zip(result.names, result.at_best(result.history), strict=True))
    rates, losses = [], []
    for place, row in enumerate(result.rows):
        constant = row.strategy == "constant"
        color = "black" if constant else palette_color(place)
        shown = constant or place < _SHOWN
        curve = Curve(np.arange(result.total_steps), result.rates(row.strategy), row.strategy,
                      color, "steps", shown=shown)  # fmt: skip
        rates.append(curve)
        medians = np.median(histories[row.strategy], axis=0)
        losses.append(curve._replace(x=result.checks, y=medians, form="line"))
    log = "y" if result.has_logarithms else ""
    return (
        Panel("step", "learning rate", tuple(rates), limits=(0, None), height=1),
        Panel("step", f"{result.labels[0]} (median of seeds)", tuple(losses), log=log, height=1.5),
    )


def _verdict(row: Row) -> tuple[str, str]:
    """Words and a color, by whether the interval of the gain lies on one side of 0."""
    if row.strategy == "constant":
        return "", "black"
    if row.gain.low > 0:
        return "better than constant (95%)", BETTER
    if row.gain.high < 0:
        return "worse than constant (95%)", WORSE
    return "no significant difference", GRAY


def _gain(row: Row) -> str:
    return "–" if row.strategy == "constant" else _with_bounds(row.gain, "{:+.1%}")


def _with_bounds(interval: Estimate, form: str) -> str:
    """A number with its bounds, if they are known."""
    if math.isnan(interval.middle):
        return "–"
    middle, low, high = map(form.format, interval)
    return middle if math.isnan(interval.low) else f"{middle} ({low} to {high})"


def _log_losses(values: np.ndarray) -> np.ndarray:
    return np.log(np.where(values > 0, values, np.nan))


def _or_infinite(values: np.ndarray) -> np.ndarray:
    """Losses that are not finite are the worst."""
    return np.where(np.isfinite(values), values, np.inf)
