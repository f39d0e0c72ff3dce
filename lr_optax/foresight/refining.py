"""A schedule from the gradient norms of a run: high where gradients are small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import median_filter

from lr_optax._core.schedule import Schedule
from lr_optax.foresight.results import Result, Table
from lr_optax.inspection import charts
from lr_optax.inspection.charts import GREY, Curve, Panel
from lr_optax.schedules.tables import interpolate

Norm = Literal["l2", "l1"]
_KNOTS = 256
_GRID = 4096
_POWERS = {"l2": -2, "l1": -1}


def refined_rates(
    grad_norms: np.ndarray | Sequence[float], *, norm: Norm = "l2", smoothing: float = 0.1
) -> np.ndarray:
    """The refined rates of a run, one for each gradient norm and a 0 at the end.

    w_t = G_t⁻² (or G_t⁻¹), η_t = w_t·Σ_{p>t} w_p divided by its maximum, after a running median
    over a share of the run. The gradient at the last iterate counts as the one before it.

    Args:
        grad_norms: G_0, ..., G_{n−1}, evenly spaced over the run, finite and > 0.
        norm: which norms they are: "l2" for SGD, "l1" for Adam and its kin.
        smoothing: the share of the run that the median looks at, in [0, 1); 0 for no smoothing.

    Returns:
        n + 1 rates in [0, 1], float64.

    Raises:
        ValueError: a norm is not finite or not above 0, ``norm`` is neither, or ``smoothing`` is
            outside of [0, 1).

    Example:
        >>> print(refined_rates([2.0, 2.0, 2.0, 2.0]))
        [1.   0.75 0.5  0.25 0.  ]
        >>> print(refined_rates([2.0, 1.0, 1.0], smoothing=0.0))
        [0.375 1.    0.5   0.   ]

    When to use it:
        For the bare numbers; :func:`refine` makes a schedule of them.

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831, algorithm 1.
    """
    norms = np.asarray(grad_norms, np.float64)
    if norms.ndim != 1 or not len(norms):
        raise ValueError(f"refine: `grad_norms` must be a vector of norms, got shape {norms.shape}")
    if bad := np.flatnonzero(~(np.isfinite(norms) & (norms > 0))).tolist():
        raise ValueError(
            f"refine: `grad_norms` must be finite numbers > 0, got {norms[bad[0]]} at index "
            f"{bad[0]} (leave such entries out, and say with `steps` where the others were taken)"
        )
    if norm not in _POWERS:
        raise ValueError(f"refine: `norm` must be 'l2' or 'l1', got {norm!r}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"refine: `smoothing` must be a number in [0, 1), got {smoothing!r}")
    half = int(smoothing * len(norms)) // 2
    padded = np.pad(norms, (0, half), mode="symmetric")
    smooth = median_filter(padded, size=2 * half + 1, mode="nearest")[: len(norms)]
    weights = (smooth / smooth.min()) ** _POWERS[norm]
    later = np.append(weights[1:], weights[-1])[::-1].cumsum()[::-1]
    rates = weights * later
    return np.append(rates / rates.max(), 0.0)


@dataclass(frozen=True, eq=False)
class Refinement(Result):
    """A schedule made from gradient norms.

    Attributes:
        schedule: the refined schedule, at most 256 points of an ``interpolate``.
        peak_step: the step of its highest rate: all before it is warm-up.
        total_steps: the length of its run.
        grad_norms: the norms it was made from, evenly spaced.
    """

    schedule: Schedule
    peak_step: int
    total_steps: int
    grad_norms: np.ndarray

    def table(self) -> Table:
        """The rate at tenths of the run, as a share of the peak and of a linear decay."""
        steps = np.linspace(0, self.total_steps, 11).astype(int)
        rates = np.asarray(self.schedule(steps), np.float64)
        linear = 1 - steps / self.total_steps
        shares = rates / np.asarray(self.schedule(self.peak_step))
        rows = zip(steps.tolist(), rates.tolist(), shares.tolist(), linear.tolist(), strict=True)
        return Table(("step", "rate", "of the peak", "linear decay"), tuple(rows))

    def legend(self) -> tuple[str, ...]:
        """Where the warm-up ends."""
        share = self.peak_step / self.total_steps
        return (f"warm-up until step {self.peak_step}, {share:.1%} of the run",)

    def panels(self) -> Sequence[Panel]:
        """The schedule, over the norms it was made from."""
        steps = np.linspace(0, self.total_steps, len(self.grad_norms), endpoint=False)
        rate = charts.rates(self.schedule, self.total_steps, "refined", charts.color(0))
        norms = Curve(steps, self.grad_norms, "gradient norms", GREY)
        return (
            Panel("step", "learning rate", (rate,), limits=(0, None)),
            Panel("step", "gradient norm", (norms,), log="y"),
        )


def refine(
    grad_norms: np.ndarray | Sequence[float],
    *,
    steps: np.ndarray | Sequence[int] | None = None,
    total_steps: int | None = None,
    peak_value: float = 1.0,
    norm: Norm = "l2",
    smoothing: float = 0.1,
) -> Refinement:
    """The schedule that the convex bound asks for, given the gradient norms of one run.

    Gradients that shrink early ask for a warm-up, gradients that grow late for an early decay;
    constant ones give linear decay to zero. :func:`refined_rates` has the formula.

    Args:
        grad_norms: norms of a run under any reasonable schedule, finite and > 0, such as
            :func:`lr_optax.training.record_grad_norms` notes.
        steps: the steps they were taken at, ascending; None if they are evenly spaced over the
            run. Between two the norm is interpolated, outside the nearest is held.
        total_steps: the length of the new run, >= 1; the norms are stretched over it. None for the
            run of the log: as many steps as norms, or to the end of the last interval of
            ``steps``, where the first of them tells how intervals lie: 0, 50, ..., 950 and 50,
            100, ..., 1000 are both runs of 1000 steps.
        peak_value: the highest rate of the new schedule, > 0.
        norm: "l2" for norms of SGD, "l1" for those of Adam and its kin.
        smoothing: the share of the run that a running median looks at, in [0, 1).

    Returns:
        A :class:`Refinement`; its ``schedule`` prints and parses.

    Raises:
        ValueError: as :func:`refined_rates`; or ``steps`` do not ascend, or are not as many as the
            norms; or ``total_steps`` or ``peak_value`` is outside of its range.

    Example:
        >>> refine([2.0] * 4, total_steps=100, peak_value=0.1).schedule
        interpolate((0.1, 0.075, 0.05, 0.025, 0.0), boundaries=(0, 25, 50, 75, 100))

    When to use it:
        For the second run of a model: the first one's norms tell where its warm-up should end and
        how it should decay.

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831.
    """
    norms = np.asarray(grad_norms, np.float64)
    if steps is not None:
        norms, logged = _evenly(norms, np.asarray(steps))
    else:
        logged = len(norms)
    if total_steps is None:
        total_steps = max(logged, 1)
    if total_steps < 1:
        raise ValueError(f"refine: `total_steps` must be a whole number >= 1, got {total_steps}")
    if not 0 < peak_value < np.inf:
        raise ValueError(f"refine: `peak_value` must be a finite number > 0, got {peak_value!r}")
    rates = refined_rates(norms, norm=norm, smoothing=smoothing)
    every = np.linspace(0, total_steps, len(rates))  # the step each of them is for
    peak = round(every[rates.argmax()])
    knots = np.linspace(0, total_steps, min(len(norms), total_steps, _KNOTS - 1) + 1).round()
    boundaries = np.unique(np.append(knots, peak)).astype(int)
    values = np.where(boundaries == peak, 1.0, np.interp(boundaries, every, rates)) * peak_value
    schedule = interpolate(
        tuple(float(f"{value:.7g}") for value in values), boundaries=tuple(boundaries.tolist())
    )
    return Refinement(schedule, peak, total_steps, norms)


def _evenly(norms: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, int]:
    if steps.shape != norms.shape or not len(steps):
        raise ValueError(
            f"refine: `steps` must be as many as `grad_norms`, got {steps.size} for {norms.size}"
        )
    if np.any(np.diff(steps) <= 0) or steps[0] < 0:
        raise ValueError("refine: `steps` must be >= 0 and ascending, each once")
    first, last = int(steps[0]), int(steps[-1])
    interval = last - int(steps[-2]) if len(steps) > 1 else 1
    # The first one tells whether norms are logged at the beginning of an interval or at its end.
    total = last + interval - min(first, interval)
    grid = np.linspace(0, total, max(len(norms), min(total, _GRID)), endpoint=False)
    return np.interp(grid, steps, norms), total
