"""Every root strategy against a constant rate on a small task: same peaks and seeds, no tuning."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from lr_optax import (
    Schedule,
    constant,
    cosine_annealing,
    cosine_decay,
    cyclical,
    exponential_decay,
    inverse_time_decay,
    linear,
    multistep_decay,
    polynomial,
    scale,
    step_decay,
    tabulate,
    warmup,
)
from lr_optax.demo import digits, picture, text
from lr_optax.demo.training import MEASURED, Strategy, Task
from lr_optax.foresight._statistics import Estimate, typical_difference
from lr_optax.foresight._sweep import sweep
from lr_optax.results._result import Result, Table
from lr_optax.results.sampling import rates_at, run_steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASKS: dict[str, Task] = {task.name: task for task in (digits.TASK, text.TASK)}
"""The small tasks by name."""

Builder = Callable[[float, int], Strategy]


def _triangles(peak: float, steps: int, **options: Any) -> Strategy:
    quarter = max(steps // 4, 2)
    half = max(quarter // 2, 1)
    return Strategy(cyclical(peak / 10, max_value=peak, step_size_up=half, **options))


ROOTS: dict[str, Builder] = {
    "constant": lambda peak, n: Strategy(constant(peak)),
    "step decay": lambda peak, n: Strategy(
        step_decay(peak, decay_rate=0.5, decay_steps=max(n // 5, 1))
    ),
    "multistep decay": lambda peak, n: Strategy(
        multistep_decay(peak, decay_rate=0.1, boundaries=(n // 2, n * 3 // 4))
    ),
    "exponential decay": lambda peak, n: Strategy(
        exponential_decay(peak, decay_rate=0.01, decay_steps=n)
    ),
    "inverse time decay": lambda peak, n: Strategy(
        inverse_time_decay(peak, decay_rate=9.0, decay_steps=n)
    ),
    "polynomial, square": lambda peak, n: Strategy(
        polynomial(peak, end_value=0.0, power=2.0, transition_steps=n)
    ),
    "linear to zero": lambda peak, n: Strategy(linear(peak, end_value=0.0, transition_steps=n)),
    "cosine to zero": lambda peak, n: Strategy(cosine_decay(peak, decay_steps=n)),
    "warm-up, cosine": lambda peak, n: Strategy(
        warmup(cosine_decay(peak, decay_steps=n - n // 20), warmup_steps=n // 20)
    ),
    "cosine, 4 restarts": lambda peak, n: Strategy(
        cosine_annealing(peak, period=max(n // 4, 1), min_value=peak / 100)
    ),
    "triangular": lambda peak, n: _triangles(peak, n),
    "triangular2": lambda peak, n: _triangles(peak, n, mode="triangular2"),
    "exp_range": lambda peak, n: _triangles(peak, n, mode="exp_range", gamma=0.1 ** (1 / n)),
    "plateau": lambda peak, n: Strategy(constant(peak), plateau_factor=0.1),
}
"""Strategies by name: from a peak rate and a number of steps. Their shapes are textbook values."""


def shaped_like(schedule: Schedule) -> Builder:
    """A strategy with a schedule's shape, its highest rate put at each peak."""

    def build(peak: float, steps: int) -> Strategy:
        highest = float(rates_at(schedule, run_steps(steps)).max())
        if not highest > 0:
            raise ValueError(f"{schedule!r} has no rate above 0 in {steps} steps")
        return Strategy(scale(schedule, factor=peak / highest))

    return build


class Row(NamedTuple):
    """What one strategy reached at the peak that was best for it on the validation data."""

    strategy: str
    peak: float
    at_edge: bool  # the best peak is the lowest or highest tried: a better one may lie beyond
    test_loss: Estimate  # median and quartiles over seeds
    test_error: float | None  # the median
    gain: Estimate  # the share of the constant rate's test loss that is gone


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison(Result):
    """Every run of every strategy, and what each reached at its best peak.

    A strategy's losses are those of its best peak, where the median of the final validation loss
    is lowest. Its ``gain`` is 1 - exp(m), where m is the middle of log(test loss) minus that of
    the constant rate with the same seed, by ``typical_difference``: a constant rate often ends on
    a spike, and no single seed decides.

    Attributes:
        task: what was trained, and how.
        names: of the strategies.
        candidates: the schedules at every peak, a tuple for each strategy.
        peaks: the highest rates, of shape (strategies, peaks).
        validation: the loss of the validation data, of shape (strategies, peaks, seeds, checks).
        scale: by what a plateau multiplied the rate, of the same shape.
        test_loss: of shape (strategies, peaks, seeds).
        total_steps: the length of a run.
        test_error: the share of wrong answers, of the same shape; None where it is not known.
        labels: what ``validation`` and ``test_loss`` are. Where both are the same metric, it is the
            one that chose the peaks, too.
    """

    task: str
    names: tuple[str, ...]
    candidates: tuple[tuple[Schedule, ...], ...]
    peaks: np.ndarray
    validation: np.ndarray
    scale: np.ndarray
    test_loss: np.ndarray
    total_steps: int
    test_error: np.ndarray | None = None
    labels: tuple[str, str] = ("validation loss", "test loss")

    @functools.cached_property
    def best(self) -> np.ndarray:
        """The number of each strategy's best peak."""
        return np.median(_or_inf(self.validation[..., -1]), axis=-1).argmin(axis=-1)

    @functools.cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for every strategy, lowest test loss first."""
        constant = self.at_best(self.test_loss)[self.names.index("constant")]
        rows = []
        for i, best in enumerate(self.best):
            loss = self.test_loss[i, best]
            ratio = typical_difference(_logarithm(loss), _logarithm(constant))
            tried = self.peaks[i]
            quartiles = np.quantile(_or_inf(loss), (0.25, 0.75), method="nearest")
            if len(loss) == 1:
                quartiles = np.full(2, np.nan)
            rows.append(
                Row(
                    strategy=self.names[i],
                    peak=float(tried[best]),
                    at_edge=len(tried) > 1 and tried[best] in (tried.min(), tried.max()),
                    test_loss=Estimate(*map(float, (np.median(_or_inf(loss)), *quartiles))),
                    test_error=None
                    if self.test_error is None
                    else float(np.median(self.test_error[i, best])),
                    gain=Estimate(*(-math.expm1(x) for x in (ratio.middle, ratio.high, ratio.low))),
                )
            )
        return tuple(sorted(rows, key=lambda row: row.test_loss.middle))

    def at_best(self, values: np.ndarray) -> np.ndarray:
        """Of values with the axes strategy and peak, those of each strategy's best peak."""
        return values[np.arange(len(self.names)), self.best]

    def rates(self, strategy: str) -> np.ndarray:
        """The rate of every step at the best peak, of shape (total_steps,): the median of seeds."""
        i = self.names.index(strategy)
        scales = np.median(self.scale[i, self.best[i]], axis=0)
        rates = np.asarray(tabulate(self.candidates[i][self.best[i]], self.total_steps).values)
        return rates * scales[np.arange(self.total_steps) * len(scales) // self.total_steps]

    @property
    def positive(self) -> bool:
        """Whether all losses are, so that they have logarithms."""
        return not ((self.validation <= 0).any() or (self.test_loss <= 0).any())

    @property
    def checks(self) -> np.ndarray:
        """After how many steps ``validation`` was measured."""
        count = self.validation.shape[-1]
        return np.arange(1, count + 1) * self.total_steps // count

    def table(self) -> Table:
        """A row for every strategy, lowest test loss first."""
        loss = self.labels[1]
        columns = ("strategy", "best peak", "at edge", loss, "lower quartile",
                   "upper quartile", "test error", "gain", "gain from", "gain to")  # fmt: skip
        rows = [(r.strategy, r.peak, r.at_edge, *r.test_loss, r.test_error, *r.gain)
                for r in self.rows]  # fmt: skip
        return self._of_what_is_known(columns, rows)

    def shown(self) -> Table:
        """The table for reading."""
        rows = [
            (
                row.strategy,
                f"{row.peak:g}{' (edge)' * row.at_edge}",
                picture.with_bounds(row.test_loss, "{:#.4g}"),
                None if row.test_error is None else f"{row.test_error:.2%}",
                picture.gain(row),
            )
            for row in self.rows
        ]
        columns = ("strategy", "best peak", self.labels[1], "test error", "gain")
        return self._of_what_is_known(columns, rows)

    def _of_what_is_known(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        left = [
            n
            for n in range(len(columns))
            if self.test_error is not None or n != columns.index("test error")
        ]
        return Table(
            tuple(columns[n] for n in left), tuple(tuple(row[n] for n in left) for row in rows)
        )

    def legend(self) -> tuple[str, ...]:
        """What the columns mean."""
        seeds = self.test_loss.shape[-1]
        along, end = self.labels
        losses = f"median of {seeds} seeds, and the quartiles" if seeds > 1 else "one seed"
        meant = [
            f"{self.task}, {self.total_steps} steps; every strategy at the peak that was best "
            + (
                "by the same metric, which flatters all alike"
                if along == end
                else "on the validation data"
            ),
            f"{end}: {losses}",
            f"gain: the share of the constant rate's {end} that is gone, seed by seed, and its "
            "95 % interval" + (" (needs 6 seeds)" if seeds < 6 else ""),
        ]
        if any(row.at_edge for row in self.rows):
            meant.append("(edge): the lowest or highest of the peaks tried; see --peaks")
        return tuple(meant)

    def notes(self) -> tuple[str, ...]:
        """What did not go as it should."""
        notes = []
        others = [row for row in self.rows if row.strategy != "constant"]
        unsure = [row.strategy for row in others if row.gain.low <= 0 <= row.gain.high]
        if unsure:
            notes.append(f"not told from the constant rate: {', '.join(unsure)}")
        lost = [row.strategy for row in self.rows if not math.isfinite(row.test_loss.middle)]
        if lost:
            notes.append(f"the loss is no number, at every peak: {', '.join(lost)}")
        if not self.positive:
            notes.append(
                "a loss is not above 0, and so without a share: its seed counts for no gain"
            )
        return tuple(notes)

    @property
    def size(self) -> tuple[float, float]:
        """Of its picture, in inches."""
        return picture.size(self)

    def draw(self, figure: Figure) -> None:
        """Every seed's test loss, best strategy on top, over rates and validation losses."""
        picture.draw(figure, self)

    def files(self) -> dict[str, str]:
        """The table, every run, and the curves of the best peaks, as CSV files by name."""
        medians = np.median(self.at_best(self.validation), axis=1)
        measured = {self.labels[0]: self.validation[..., -1], self.labels[1]: self.test_loss}
        if self.test_error is not None:
            measured["test error"] = self.test_error
        names = [name.replace(" ", "_") for name in measured]
        return {
            "compare.csv": self.written(".csv"),
            "runs.csv": _csv(
                ("strategy", "peak", "seed", *names),
                (
                    (self.names[i], self.peaks[i, j], seed,
                     *(values[i, j, seed] for values in measured.values()))
                    for i, j, seed in np.ndindex(self.test_loss.shape)
                ),
            ),
            "curves.csv": _csv(
                ("strategy", "step", "rate", names[0]),
                (
                    (name, step, self.rates(name)[step - 1], loss)
                    for name, losses in zip(self.names, medians, strict=True)
                    for step, loss in zip(self.checks, losses, strict=True)
                ),
            ),
        }  # fmt: skip


def compare(
    strategies: Mapping[str, Builder],
    *,
    task: Task = digits.TASK,
    peaks: Sequence[float] | None = None,
    seeds: int | None = None,
    total_steps: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Train a task under every strategy, peak and seed.

    There are two rounds of one program: the first runs every strategy at all ``peaks``, the second
    at as many again, between the best of them and its neighbours.

    Args:
        strategies: builders by name; "constant" has to be among them.
        task: what to train.
        peaks: the highest rates of the first round, each > 0; None for the task's. A single one
            is the only one tried.
        seeds: repetitions; they differ in initialisation, batches and noise; None for the task's.
        total_steps: optimizer steps, a multiple of the task's parts; None for the task's.
        progress: called with the number of runs done and their total, first when the arguments are
            found to be good.

    Raises:
        ValueError: a number is out of its range.
    """
    peaks = sorted(task.peaks if peaks is None else peaks)
    seeds = task.seeds if seeds is None else seeds
    total_steps = task.total_steps if total_steps is None else total_steps
    if not peaks or not all(0 < peak < math.inf for peak in peaks):
        raise ValueError(f"`peaks` must be finite numbers > 0, got {list(peaks)}")
    if seeds < 1:
        raise ValueError(f"`seeds` must be >= 1, got {seeds}")
    if total_steps < 1 or total_steps % task.parts:
        raise ValueError(f"`total_steps` must be a multiple of {task.parts}, got {total_steps}")
    grid = np.tile(peaks, (len(strategies), 1))
    rounds = 1 if len(peaks) == 1 else 2
    runs = grid.size * seeds

    def report(done: int, before: int) -> None:
        if progress:
            progress(before + done, rounds * runs)

    _strategies(strategies, grid, total_steps)  # a bad one is told before the work
    report(0, 0)
    train = task.trainer(task.load(), total_steps)

    def run(grid: np.ndarray, before: int) -> Comparison:
        candidates = _strategies(strategies, grid, total_steps)
        result = sweep(
            train,
            [strategy for row in candidates for strategy in row],
            jax.random.split(jax.random.key(0), seeds),
            metric=task.metric,
            progress=lambda done, _: report(done, before),
        )
        measured: Any = {
            name: x.reshape(*grid.shape, *x.shape[1:]) for name, x in task.measured(result).items()
        }
        return Comparison(
            task=task.summary,
            names=tuple(strategies),
            candidates=tuple(tuple(s.schedule for s in row) for row in candidates),
            peaks=grid,
            total_steps=total_steps,
            labels=task.labels or (result.metric, result.metric),
            **measured,
        )

    first = run(grid, 0)
    if rounds == 1:
        return first
    finer = [_between(peaks, best) for best in first.best]
    return _together(first, run(np.array(finer), runs))


def _strategies(
    strategies: Mapping[str, Builder], grid: np.ndarray, total_steps: int
) -> list[list[Strategy]]:
    return [
        [build(float(peak), total_steps) for peak in row]
        for build, row in zip(strategies.values(), grid, strict=True)
    ]


def _between(peaks: Sequence[float], best: int) -> np.ndarray:
    """As many peaks as there are, evenly in log between the best and its neighbours.

    Beyond the lowest and the highest a neighbour is supposed, as far as the one on the other side.
    """
    logs = np.log10(peaks)
    centre = logs[best]
    below = logs[best - 1] if best else 2 * centre - logs[1]
    above = logs[best + 1] if best + 1 < len(peaks) else 2 * centre - logs[-2]
    half = len(peaks) // 2
    lower = np.linspace(below, centre, half + 2)[1:-1]
    upper = np.linspace(centre, above, len(peaks) - half + 2)[1:-1]
    return np.array([float(f"{10**x:.2g}") for x in (*lower, *upper)])


def _together(first: Comparison, second: Comparison) -> Comparison:
    """Two rounds as one."""
    arrays: Any = {
        name: np.concatenate([getattr(first, name), getattr(second, name)], axis=1)
        for name in ("peaks", *MEASURED)
        if getattr(first, name) is not None
    }
    candidates = tuple(a + b for a, b in zip(first.candidates, second.candidates, strict=True))
    return dataclasses.replace(first, candidates=candidates, **arrays)


def _logarithm(values: np.ndarray) -> np.ndarray:
    return np.log(np.where(values > 0, values, np.nan))


def _or_inf(values: np.ndarray) -> np.ndarray:
    """Losses that are no numbers are the worst."""
    return np.where(np.isfinite(values), values, np.inf)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([header, *rows])
    return lines.getvalue()
