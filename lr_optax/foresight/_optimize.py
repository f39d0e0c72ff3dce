"""The schedule for which a loss law, or a bound, predicts the lowest loss at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.optimize import minimize

from lr_optax._core.hyperparameters import Positive, Size, Steps, show, validated
from lr_optax._core.schedule import Schedule
from lr_optax._core.shapes import Shape
from lr_optax.foresight._law import law_named
from lr_optax.foresight._law_notes import prediction_warnings
from lr_optax.foresight._log import rounded, run_rates
from lr_optax.foresight._loss_law import LossLaw, RunLength
from lr_optax.foresight._predict import SPREAD_QUANTILE
from lr_optax.results._result import Result, Table
from lr_optax.results._saved import Axes
from lr_optax.results.panels import Panel, interval_panel, palette_color, rate_curve
from lr_optax.schedules.tables import interpolate
from lr_optax.schedules.warmups import warmup_cosine_decay, warmup_stable_decay

Objective = Callable[[Array], Array]
"""Of the rates of all steps: the loss at the end, or one for each of an ensemble's members."""


_MEMBERS = 15  # of a law's ensemble, in addition to the best fit, that are asked

_RATE_BLOCKS = 4000  # of steps with one rate, at least, into which a law's run is cut

_COOLDOWNS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # of the run after its warm-up

_COOLDOWN_SHAPES: tuple[Shape, ...] = ("linear", "1-sqrt", "sqrt_cube", "cosine")

_USUAL = 3  # of the recipes, which are shown in any case


@dataclass(frozen=True, eq=False)
class OptimizedSchedule(Result):
    """The best schedule found, the closest named recipe, and what usual recipes cost.

    Attributes:
        schedule: the best one, an ``interpolate`` that prints and parses.
        total_steps: the length of its run.
        recipes: named ones, the closest first, then usual ones.
        losses: of the schedule, then of the recipes: the means over the ensemble.
        spreads: for each recipe, half the width of the interval that holds 90% of its extra cost;
            0 without an ensemble.
        warnings: why not to trust them.
    """

    schedule: Schedule
    total_steps: Size
    recipes: Annotated[tuple[Schedule, ...], Axes("recipes")]
    losses: Annotated[np.ndarray, Axes("schedules")]
    spreads: Annotated[np.ndarray, Axes("recipes")]
    warnings: tuple[str, ...] = ()

    @property
    def nearest(self) -> Schedule:
        """The named recipe with the lowest loss."""
        return self.recipes[0]

    @property
    def cost(self) -> float:
        """The extra loss of the nearest recipe compared with the schedule."""
        return float(self.losses[1] - self.losses[0])

    def table(self) -> Table:
        """The loss of each, and the extra cost of each recipe."""
        first, *losses = self.losses.tolist()
        rows = zip(map(repr, self.recipes), losses, self.spreads.tolist(), strict=True)
        costs = ((recipe, loss, loss - first, spread) for recipe, loss, spread in rows)
        columns = ("schedule", "loss", "costs", "±")
        return Table(columns, (("optimized", first, None, None), *costs))

    def notes(self) -> tuple[str, ...]:
        """The warnings."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The schedule and the recipes, and the extra cost of each."""
        schedules = {"optimized": self.schedule, **{repr(s): s for s in self.recipes}}
        colors = [*map(palette_color, range(len(schedules)))]
        curves = zip(schedules.items(), colors, strict=True)
        rates = [
            rate_curve(schedule, self.total_steps, name, color)._replace(shown=i < 2)
            for i, ((name, schedule), color) in enumerate(curves)
        ]
        costs = self.losses - self.losses[0]
        label = "extra cost compared with the optimized schedule, 90%"
        return (
            Panel("step", "learning rate", tuple(rates), limits=(0, None)),
            interval_panel(label, tuple(schedules), costs, (0.0, *self.spreads), colors),
        )

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture in inches."""
        return 8, 6.5


class _IsObjective:
    def accept(self, value: object) -> object:
        if not callable(value):
            raise TypeError(f"must be a LossLaw or a function of the rates, got {show(value)}")
        return value


@validated
def optimize_schedule(
    objective: Annotated[LossLaw | Objective, _IsObjective()],
    total_steps: RunLength,
    peak: Positive,
    *,
    warmup_steps: Steps = 0,
    knots: Size = 64,
) -> OptimizedSchedule:
    """Look for the schedule with the lowest loss at the end, by gradients of a law or a bound.

    After the warm-up the rate falls, or stays, from knot to knot: v_j = peak·Σ_{i≥j} a_i / Σ a_i
    with every a_i >= 0, straight in between. L-BFGS starts from a linear decay and from a short
    cooldown, and the better end is kept. For a law with an ensemble it minimizes the mean over the
    best fit and 15 members.

    Args:
        objective: a :class:`LossLaw`, or any function of the rates of all steps (a float64 vector)
            that JAX can differentiate, such as ``lambda rates: sum(bound_terms(rates))``. It
            returns a number, or a vector with one for each member of an ensemble.
        total_steps: T, the length of the run, >= 2.
        peak: the highest rate, > 0. A law holds for the peak of its runs.
        warmup_steps: steps of a linear rise from 0, in [0, T − 2].
        knots: intervals between knots, >= 1; there are never more than steps.

    Returns:
        The schedule, the nearest named recipe, and what it costs to use that.

    Raises:
        TypeError: the objective is not a function.
        ValueError: a number is out of its range, or the objective is not finite for any start.

    Example:
        >>> from lr_optax import bound_terms
        >>> found = optimize_schedule(
        ...     lambda rates: sum(bound_terms(rates)), 100, 0.1, knots=4)
        >>> print(*(f"{rate:.2f}" for rate in found.schedule.values))
        0.10 0.07 0.05 0.02 0.00

    When to use it:
        After ``fit_loss_law``, at the horizon of the long run. Optima are flat: if the nearest
        recipe costs less than its spread, take the recipe.

    Reference:
        K. Luo et al., "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules",
        2025, arXiv:2503.12811, section 5: schedules optimized over a fitted law.
    """
    if warmup_steps > total_steps - 2:
        raise ValueError(
            "optimize_schedule: `warmup_steps` must be in [0, total_steps - 2], "
            f"got {warmup_steps!r}"
        )
    problem = _to_search(objective, total_steps, float(peak))
    knots = min(knots, total_steps - int(warmup_steps))
    boundaries = np.unique(np.linspace(warmup_steps, total_steps, knots + 1).round().astype(int))
    with jax.enable_x64(new_val=True):
        schedule = _through_knots(_best_rates(problem, boundaries), boundaries, problem.peak)
        recipes = _recipes(total_steps, problem.peak, int(warmup_steps))
        last = jax.jit(lambda rates: jnp.atleast_1d(problem.exact(rates)))
        rates = [run_rates(s, total_steps, total_steps).values for s in (schedule, *recipes)]
        losses = [np.asarray(last(each)) for each in rates]
    return _compared(schedule, total_steps, recipes, losses, problem.warnings)


class _Search(NamedTuple):
    """What is minimized, and why not to trust it.

    Attributes:
        exact: the losses for the rates of all steps.
        coarse: the same for the rates of ``steps``, at the middle of equal blocks.
    """

    exact: Objective
    coarse: Objective
    steps: np.ndarray
    peak: float
    warnings: tuple[str, ...]


def _to_search(objective: LossLaw | Objective, total_steps: int, peak: float) -> _Search:
    if not isinstance(objective, LossLaw):
        return _Search(objective, objective, np.arange(0.0, total_steps), peak, ())
    stride = max(total_steps // _RATE_BLOCKS, 1)
    exact = partial(objective, members=_MEMBERS)
    steps = np.arange((stride - 1) / 2, total_steps, stride)
    warnings = prediction_warnings(objective, {"the schedule": peak}, total_steps)
    reason = law_named(objective.law).not_to_optimize
    return _Search(
        exact, partial(exact, stride=stride), steps, peak, (*warnings, *filter(None, [reason]))
    )


def _compared(
    schedule: Schedule,
    total_steps: int,
    recipes: list[Schedule],
    losses: list[np.ndarray],
    warnings: tuple[str, ...],
) -> OptimizedSchedule:
    """The answer, from the losses of the schedule and then of every recipe, member by member."""
    means = np.array([each.mean() for each in losses[1:]])
    nearest = int(np.argmin(np.where(np.isfinite(means), means, np.inf)))
    chosen = [nearest, *(i for i in range(_USUAL) if i != nearest)]
    shown = np.stack([losses[0], *(losses[1 + i] for i in chosen)])
    costs = shown[1:] - shown[0]
    off = np.abs(costs - costs.mean(axis=1, keepdims=True))
    return OptimizedSchedule(
        schedule,
        total_steps,
        tuple(recipes[i] for i in chosen),
        shown.mean(axis=1),
        np.quantile(off, SPREAD_QUANTILE, axis=1),
        warnings,
    )


def _best_rates(problem: _Search, boundaries: np.ndarray) -> np.ndarray:
    """The rates at the boundaries that have the lowest mean objective."""
    steps, first, peak = problem.steps, max(float(boundaries[0]), 1.0), problem.peak

    def knots(parts: Array) -> Array:
        left = jnp.cumsum(parts[::-1])[::-1]
        return peak * left / left[0]

    @jax.jit
    @jax.value_and_grad
    def loss(parts: Array) -> Array:
        rates = jnp.interp(steps, boundaries.astype(float), knots(parts))
        rates = jnp.where(steps < boundaries[0], peak * steps / first, rates)
        return jnp.mean(problem.coarse(rates))

    descend = partial(
        minimize,
        lambda parts: tuple(map(np.asarray, loss(parts))),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(boundaries),
        # Tight, because optima are flat: the loss settles long before the rates do.
        options={"maxiter": 300, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-9},
    )
    share = np.linspace(0, 1, len(boundaries))
    # A linear decay over the whole run, and one over its last fifth.
    starts = np.ones(len(share)), np.where(share >= 0.8, 1.0, 0.0)
    ends = [descend(start / start.sum()) for start in starts]
    best = min(ends, key=lambda end: end.fun if np.isfinite(end.fun) else np.inf)
    if not np.isfinite(best.fun):
        raise ValueError(
            "optimize_schedule: `objective` must be finite, got "
            f"{best.fun} for a linear decay and for a short cooldown"
        )
    return np.asarray(knots(jnp.asarray(best.x)))


def _through_knots(values: np.ndarray, boundaries: np.ndarray, peak: float) -> Schedule:
    """An ``interpolate`` through the knots, without those in the middle of a level."""
    # A search at a bound ends near it: rates of nearly 0, and steps that are nearly level.
    values = np.where(values < 1e-7 * peak, 0.0, values)
    same = np.abs(np.diff(values)) < 1e-6 * peak
    kept = ~(np.r_[False, same] & np.r_[same, False])
    rise = (0,) * bool(boundaries[0] > 0)
    rates = (*map(float, rise), *map(rounded, values[kept]))
    return interpolate(rates, boundaries=(*rise, *boundaries[kept].tolist()))


def _recipes(total_steps: int, peak: float, warmup_steps: int) -> list[Schedule]:
    """Named recipes, usual ones first."""
    lengths = {"total_steps": total_steps, "warmup_steps": warmup_steps}

    def falling(share: float, shape: Shape) -> Schedule:
        steps = max(round(share * (total_steps - warmup_steps)), 1)
        return warmup_stable_decay(peak, cooldown_steps=steps, shape=shape, **lengths)

    cosine = warmup_cosine_decay(peak, **lengths)
    usual = [cosine, falling(1.0, "linear"), falling(0.2, "linear")]
    others = [falling(share, shape) for shape in _COOLDOWN_SHAPES for share in _COOLDOWNS]
    return [*usual, *(recipe for recipe in others if recipe not in usual)]
