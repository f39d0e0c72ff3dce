"""The schedule for which a loss law, or a bound, promises the lowest loss at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.optimize import minimize

from lr_optax._core.schedule import Schedule
from lr_optax.foresight._log import every_rate
from lr_optax.foresight._loss_law import LossLaw
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import Panel, interval_panel, palette_color, rate_curve
from lr_optax.schedules.tables import interpolate
from lr_optax.schedules.warmups import warmup_cosine_decay, warmup_stable_decay

Objective = Callable[[Array], Array]
"""Of the rates of all steps: the loss at the end, or one for each of an ensemble's members."""


_MEMBERS = 15  # of a law's ensemble, besides the best fit, that are asked

_BLOCKS = 4000  # of steps with one rate, at least, into which a law's run is cut

_COOLDOWNS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # of the run after its warm-up

_SHAPES = ("linear", "1-sqrt", "sqrt_cube", "cosine")


@dataclass(frozen=True, eq=False)
class OptimizedSchedule(Result):
    """The best schedule found, the recipe that comes closest, and what usual ones cost.

    Attributes:
        schedule: the best one, an ``interpolate`` that prints and parses.
        total_steps: the length of its run.
        recipes: named ones, the closest first, then usual ones.
        losses: of the schedule, then of the recipes: the means over the ensemble.
        spreads: of each recipe, half the width of the interval that holds 90% of what it costs
            more; 0 without an ensemble.
        warnings: why not to trust them.
    """

    schedule: Schedule
    total_steps: int
    recipes: tuple[Schedule, ...]
    losses: np.ndarray
    spreads: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def nearest(self) -> Schedule:
        """The named recipe with the lowest loss."""
        return self.recipes[0]

    @property
    def cost(self) -> float:
        """What the nearest recipe loses against the schedule."""
        return float(self.losses[1] - self.losses[0])

    def table(self) -> Table:
        """The loss of each, and what each recipe costs more."""
        rows: list[tuple[object, ...]] = [("optimised", float(self.losses[0]), None, None)]
        for recipe, loss, spread in zip(self.recipes, self.losses[1:], self.spreads, strict=True):
            rows.append((repr(recipe), float(loss), float(loss - self.losses[0]), float(spread)))
        return Table(("schedule", "loss", "costs", "±"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """See :class:`~lr_optax.results._result.Result`."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The schedule and the recipes, and what each costs."""
        every = {"optimised": self.schedule, **{repr(s): s for s in self.recipes}}
        colors = [*map(palette_color, range(len(every)))]
        rates = [
            rate_curve(schedule, self.total_steps, name, color)._replace(shown=place < 2)
            for place, ((name, schedule), color) in enumerate(
                zip(every.items(), colors, strict=True)
            )
        ]
        costs = self.losses - self.losses[0]
        words = "what each costs more than the optimised, 90%"
        return (
            Panel("step", "learning rate", tuple(rates), limits=(0, None)),
            interval_panel(words, tuple(every), costs, (0.0, *self.spreads), colors),
        )

    @property
    def size(self) -> tuple[float, float]:
        """Of its picture, in inches."""
        return 8, 6.5


def optimize_schedule(
    objective: LossLaw | Objective,
    total_steps: int,
    peak: float,
    *,
    warmup_steps: int = 0,
    knots: int = 64,
) -> OptimizedSchedule:
    """Look for the schedule with the lowest loss at the end, by gradients of a law or a bound.

    After the warm-up the rate falls, or stays, from knot to knot: v_j = peak·Σ_{i≥j} a_i / Σ a_i
    with every a_i >= 0, straight in between. L-BFGS starts from a linear decay and from a short
    cooldown, and the better end is taken. Of a law with an ensemble the mean is minimised, over the
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
        An :class:`OptimizedSchedule`, with the nearest named recipe and what it costs to use that.

    Raises:
        TypeError: the objective is no function.
        ValueError: a number is outside of its range, or the objective is not finite for any start.

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
        2025, arXiv:2503.12811, section 5: schedules optimised over a fitted law.
    """
    if not callable(objective):
        raise TypeError(
            "optimize_schedule: `objective` must be a LossLaw or a function of the rates, "
            f"got {objective!r}"
        )
    _check(total_steps, peak, warmup_steps, knots)
    warnings: tuple[str, ...] = ()
    wanted: Any = objective
    coarse, stride = wanted, 1
    if isinstance(objective, LossLaw):
        stride = max(total_steps // _BLOCKS, 1)
        wanted = partial(objective, members=_MEMBERS)
        coarse = partial(wanted, stride=stride)
        level = np.full(total_steps, peak)
        warnings = (*objective.doubts({"the schedule": level}), *_of_law(objective))
    knots = min(knots, total_steps - warmup_steps)
    boundaries = np.unique(np.linspace(warmup_steps, total_steps, knots + 1).round().astype(int))
    with jax.enable_x64(new_val=True):
        steps = np.arange((stride - 1) / 2, total_steps, stride)
        values = _minimized(coarse, steps, peak, boundaries)
        schedule = _as_schedule(values, boundaries, peak)
        recipes = _recipes(total_steps, peak, warmup_steps)
        ends = jax.jit(lambda rates: jnp.atleast_1d(wanted(rates)))
        every = [np.asarray(ends(every_rate(s, total_steps))) for s in (schedule, *recipes)]
    means = np.array([each.mean() for each in every[1:]])
    nearest = int(np.argmin(np.where(np.isfinite(means), means, np.inf)))
    chosen = [nearest, *(i for i in range(_USUAL) if i != nearest)]
    shown = np.stack([every[0], *(every[1 + i] for i in chosen)])
    costs = shown[1:] - shown[0]
    off = np.abs(costs - costs.mean(axis=1, keepdims=True))
    return OptimizedSchedule(
        schedule,
        total_steps,
        tuple(recipes[i] for i in chosen),
        shown.mean(axis=1),
        np.quantile(off, 0.9, axis=1),
        warnings,
    )


def _check(total_steps: int, peak: float, warmup_steps: int, knots: int) -> None:
    rules = {
        f"`total_steps` must be a whole number >= 2, got {total_steps!r}": total_steps
        == int(total_steps)
        and total_steps >= 2,
        f"`peak` must be a finite number > 0, got {peak!r}": 0 < peak < np.inf,
        f"`warmup_steps` must be in [0, total_steps - 2], got {warmup_steps!r}": 0
        <= warmup_steps
        <= total_steps - 2,
        f"`knots` must be a whole number >= 1, got {knots!r}": knots >= 1,
    }
    for rule, holds in rules.items():
        if not holds:
            raise ValueError(f"optimize_schedule: {rule}")


def _of_law(law: LossLaw) -> tuple[str, ...]:
    if law.law != "tissue":
        return ()
    return (
        "the tissue law asks for the peak until the last steps, whatever the runs: it is no law to "
        "optimise; fit multi_power",
    )


def _minimized(
    objective: Objective, steps: np.ndarray, peak: float, boundaries: np.ndarray
) -> np.ndarray:
    """The rates at the boundaries that have the lowest mean objective of the rates at steps."""
    at = boundaries.astype(float)

    def knots(parts: Array) -> Array:
        left = jnp.cumsum(parts[::-1])[::-1]
        return peak * left / left[0]

    def loss(parts: Array) -> Array:
        rates = jnp.interp(steps, at, knots(parts))
        rising = peak * steps / max(at[0], 1.0)
        return jnp.mean(objective(jnp.where(steps < at[0], rising, rates)))

    both = jax.jit(jax.value_and_grad(loss))
    parts = len(boundaries)
    starts = (np.full(parts, 1.0), np.where(np.arange(parts) >= 0.8 * (parts - 1), 1.0, 0.0))
    found = [
        minimize(
            lambda x: tuple(map(np.asarray, both(x))),
            start / start.sum(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, None)] * parts,
            options={"maxiter": 300, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-9},
        )
        for start in starts
    ]
    best = min(found, key=lambda end: end.fun if np.isfinite(end.fun) else np.inf)
    if not np.isfinite(best.fun):
        raise ValueError(
            "optimize_schedule: `objective` must be finite, got "
            f"{best.fun} for a linear decay and for a short cooldown"
        )
    return np.asarray(knots(jnp.asarray(best.x)))


def _as_schedule(values: np.ndarray, boundaries: np.ndarray, peak: float) -> Schedule:
    """An ``interpolate`` through the knots, those in the midst of a level left out."""
    values = np.where(values < 1e-7 * peak, 0.0, values)
    same = np.abs(np.diff(values)) < 1e-6 * peak
    level = np.r_[False, same] & np.r_[same, False]
    points = [
        (float(f"{value:.7g}"), int(at))
        for value, at, dull in zip(values, boundaries, level, strict=True)
        if not dull
    ]
    if boundaries[0] > 0:
        points = [(0.0, 0), *points]
    rates, at = zip(*points, strict=True)
    return interpolate(rates, boundaries=at)


_USUAL = 3  # of the recipes, which are shown in any case


def _recipes(total_steps: int, peak: float, warmup_steps: int) -> list[Schedule]:
    """Named recipes, usual ones first."""
    length = total_steps - warmup_steps

    def falling(share: float, shape: Any) -> Schedule:
        return warmup_stable_decay(
            peak,
            total_steps=total_steps,
            cooldown_steps=max(round(share * length), 1),
            warmup_steps=warmup_steps,
            shape=shape,
        )

    usual = [
        warmup_cosine_decay(peak, total_steps=total_steps, warmup_steps=warmup_steps),
        falling(1.0, "linear"),
        falling(0.2, "linear"),
    ]
    others = [falling(share, shape) for shape in _SHAPES for share in _COOLDOWNS]
    return [*usual, *(recipe for recipe in others if recipe not in usual)]
