"""Robust fits of loss laws to logs: many starts, and many resampled fits, in one program."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lr_optax.foresight._law import Changes, Law, Points, Units, law_losses, merged_changes
from lr_optax.foresight._log import Log

_RUN_POINTS = 64  # of a run, at most; of a longer log these are means

_SKIPPED = 0.05  # of the longest run: before it no power law holds

_LAST = 0.1  # of a run, which has a weight of its own, and is hidden to see what the law gets wrong

_FIT_PARTS = 100  # of the peak, to which changes of the rate are merged

_HUBER_WIDTH = 1e-3  # of the logarithm of the loss, beyond which residuals count linearly (Huber)

_LEAST = 1.5e-3  # relative error, which the laws' authors report on unseen runs: less is luck

_STRENGTH = 64.0  # independent points that a run counts as, compared with prior beliefs

# Fits that begin at the end of an earlier one need only half the rounds.
_STARTS, _START_ROUNDS, _ROUNDS = 8, 40, 20


class FitData(NamedTuple):
    """Logs in one array each, in units of the peak, the longest run and the lowest loss."""

    points: Points
    changes: Changes
    log_losses: np.ndarray
    weights: np.ndarray
    last: np.ndarray


class LawFit(NamedTuple):
    """Parameters in the units of the logs, and what the law gets wrong.

    Attributes:
        best: those that fit best, of shape (parameters,).
        members: those of the ensemble, of shape (members, parameters).
        discrepancy: the root mean square of logarithmic errors: of those at the ends of runs whose
            last tenth was hidden, and of those along all runs, added as squares; at least 0.0015.
    """

    best: np.ndarray
    members: np.ndarray
    discrepancy: float


@partial(
    jax.tree_util.register_dataclass, data_fields=["usual", "width", "data"], meta_fields=["law"]
)
@dataclass(frozen=True, eq=False)
class _FitProblem:
    """A law to fit to runs, and what is believed of its parameters beforehand."""

    law: Law
    usual: np.ndarray
    width: np.ndarray
    data: FitData

    def parameters(self, z: Array) -> dict[str, Array]:
        """The parameters for numbers that are standard normal beforehand."""
        bounded = np.array([p.bounded for p in self.law.parameters.values()])
        odds = jnp.where(bounded, self.usual / jnp.where(bounded, 1 - self.usual, 1.0), 1.0)
        moved = z * self.width
        inside = jax.nn.sigmoid(jnp.log(odds) + moved)
        return self.law.named(jnp.where(bounded, inside, self.usual * jnp.exp(moved)))


def windowed(log: Log, first: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps and logarithms of losses from a step on, long logs as means over windows."""
    kept = log.steps >= first
    steps, values = log.steps[kept].astype(np.float64), np.log(log.losses[kept])
    windows = np.array_split(np.arange(len(steps)), min(_RUN_POINTS, max(len(steps), 1)))
    filled = [window for window in windows if len(window)]
    return (
        np.array([steps[window].mean() for window in filled]),
        np.array([values[window].mean() for window in filled]),
    )


def first_step(logs: Sequence[Log], log: Log) -> float:
    """The step from which on a log counts: its warm-up is over, and 5% of the longest run."""
    longest = max(int(log.steps[-1]) for log in logs)
    return max(int(np.argmax(log.every_rate)), _SKIPPED * longest)


def prepare(logs: Sequence[Log], end_weight: float, *, count_warmup: bool) -> tuple[FitData, Units]:
    """All logs in arrays of one shape, and the units of these.

    Raises:
        ValueError: nothing is left of a log, or its rates are all 0.
    """
    units = Units(
        max(log.peak for log in logs),
        float(max(log.total_steps for log in logs)),
        min(float(log.losses.min()) for log in logs),
    )
    rows = [_rows(logs, log, units, end_weight, count_warmup=count_warmup) for log in logs]
    points, changes = zip(*rows, strict=True)
    # A point that fills up a row has no weight. It lies after every change and at the end of the
    # distance, where all terms of a law are finite; a change that fills up has a drop of 0.
    step, total, log_losses, weights, last = _padded(points, (1e12, 1.0, 0.0, 0.0, 0.0))
    filled = Changes(*_padded(changes, (0.0, 0.0, 1.0, 0.0)))
    return FitData(Points(step, total), filled, log_losses, weights, last > 0), units


_Row = tuple[np.ndarray, ...]


def _rows(
    logs: Sequence[Log], log: Log, units: Units, end_weight: float, *, count_warmup: bool
) -> tuple[_Row, _Row]:
    """A log's points, their weights and which are in its last tenth; and its changes."""
    rates = log.every_rate
    steps, log_losses = _fitted_points(logs, log)
    total = np.interp(steps, np.arange(len(rates)), np.cumsum(rates)) / units.distance
    last = steps >= (1 - _LAST) * steps[-1]
    earlier = (1 - end_weight) / max((~last).sum(), 1)
    weights = np.where(last, end_weight / last.sum(), earlier)
    step, drop, rate, before = map(
        np.asarray, merged_changes(rates, steps, count_warmup=count_warmup, parts=_FIT_PARTS)
    )
    changes = (step, drop / units.peak, rate / units.peak, before / units.distance)
    return (steps, total, log_losses - np.log(units.loss), weights, last), changes


def _fitted_points(logs: Sequence[Log], log: Log) -> tuple[np.ndarray, np.ndarray]:
    if not log.peak > 0:
        raise ValueError(f"fit_loss_law: the rates of {log.name} are all 0")
    first = first_step(logs, log)
    steps, log_losses = windowed(log, first)
    if len(steps) < 2:
        raise ValueError(
            f"fit_loss_law: {log.name} has {len(steps)} points from step {first:.0f} on, where "
            "its warm-up and the first 5% of the longest run are over; it needs at least 2"
        )
    return steps, log_losses


def _padded(rows: Sequence[Sequence[np.ndarray]], fills: Sequence[float]) -> list[np.ndarray]:
    """One array for each column, its rows filled up."""
    # To a multiple of 64, so that logs of nearly the same length share a compiled program.
    size = -(-max(len(row[0]) for row in rows) // 64) * 64
    arrays = []
    for column, fill in zip(zip(*rows, strict=True), fills, strict=True):
        padded = np.full((len(rows), size), fill)
        for place, values in enumerate(column):
            padded[place, : len(values)] = values
        arrays.append(padded)
    return arrays


def fit_law(
    law: Law,
    data: FitData,
    units: Units,
    *,
    fixed: Mapping[str, float],
    members: int,
    seed: int,
) -> LawFit:
    """The best fit, an ensemble of resampled fits, and what the law gets wrong."""
    prior = law.parameters
    usual = np.array([fixed.get(name, prior[name].usual) for name in prior])
    width = np.array([0.0 if name in fixed else prior[name].width for name in prior])
    problem = _FitProblem(law, usual, width, data)
    rng = np.random.default_rng(seed)
    with jax.enable_x64(new_val=True):
        restarts = _restarts(problem, rng)
        ensemble, hidden = _resampled(problem, restarts, members, rng)
        discrepancy = _discrepancy(problem, restarts[0], hidden)
        parameters = jax.vmap(problem.parameters)(jnp.vstack([restarts[:1], ensemble]))
        best, *others = np.stack([*law.in_units(parameters, units).values()], axis=1)
    return LawFit(best, np.stack(others), discrepancy)


def _restarts(problem: _FitProblem, rng: np.random.Generator) -> np.ndarray:
    """The best end of fits from several starts, and those that fit about as well as it."""
    count = len(problem.usual)
    starts = np.vstack([np.zeros(count), rng.normal(size=(_STARTS - 1, count))])
    weights = np.repeat(_STRENGTH * problem.data.weights[None], _STARTS, axis=0)
    solved = _solved(problem, starts, np.zeros_like(starts), weights, _START_ROUNDS)
    ends, costs = map(np.asarray, solved)
    order = np.argsort(np.where(np.isfinite(costs), costs, np.inf))
    # Much worse ends are other minima, and would widen the ensemble. The 1 is what one parameter
    # costs that is one standard deviation off; it counts where the best cost is nearly 0.
    return ends[order[costs[order] <= 1.5 * costs[order[0]] + 1]]


def _resampled(
    problem: _FitProblem, restarts: np.ndarray, members: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The fits of an ensemble, and for each run the fit to all but its last tenth.

    The ensemble weights the runs at random (as the Bayesian bootstrap does), and draws the
    centers of the beliefs at random. One program fits all of them.
    """
    weights, count = _STRENGTH * problem.data.weights, len(problem.usual)
    runs = len(weights)
    shares = rng.dirichlet(np.ones(runs), members) * runs
    shown = np.where(np.eye(runs)[:, :, None] * problem.data.last > 0, 0.0, 1.0)
    starts = restarts[np.arange(members) % len(restarts)]
    solved = _solved(
        problem,
        np.vstack([starts, np.repeat(restarts[:1], runs, axis=0)]),
        np.vstack([rng.normal(size=(members, count)), np.zeros((runs, count))]),
        np.concatenate([weights * shares[:, :, None], weights * shown]),
        _ROUNDS,
    )
    ends, costs = map(np.asarray, solved)
    return ends[:members][np.isfinite(costs[:members])], ends[members:]


def _discrepancy(problem: _FitProblem, best: np.ndarray, hidden: np.ndarray) -> float:
    """What the law gets wrong; see :class:`LawFit`."""
    weights = problem.data.weights
    last = weights.shape[1] - 1 - np.argmax(weights[:, ::-1] > 0, axis=1)
    at_ends = np.array([_errors(problem, z)[run, last[run]] for run, z in enumerate(hidden)])
    along = np.asarray(_errors(problem, best))
    squares = np.mean(at_ends**2) + np.sum(weights * along**2) / len(weights)
    return max(float(np.sqrt(squares)), _LEAST)


@jax.jit
def _errors(problem: _FitProblem, z: Array) -> Array:
    """Logarithms of losses, the law's minus those measured, of shape (runs, points)."""
    parameters = problem.parameters(z)
    curves = jax.vmap(lambda points, changes: law_losses(problem.law, parameters, points, changes))
    losses = curves(problem.data.points, problem.data.changes)
    # A bad start may ask for a loss below 0, which has no logarithm.
    return jnp.log(jnp.maximum(losses, 1e-3)) - problem.data.log_losses


def _residuals(problem: _FitProblem, z: Array, center: Array, weights: Array) -> Array:
    """What is squared and summed: the errors, as Huber's loss has them, and z - center."""
    errors = _errors(problem, z) / _HUBER_WIDTH
    size = jnp.abs(errors)
    robust = jnp.sign(errors) * jnp.sqrt(jnp.maximum(2 * size - 1, 1.0))
    errors = jnp.where(size <= 1, errors, robust)
    return jnp.concatenate([(jnp.sqrt(weights) * errors).ravel(), z - center])


@partial(jax.jit, static_argnames="rounds")
def _solved(
    problem: _FitProblem, starts: Array, centers: Array, weights: Array, rounds: int
) -> tuple[Array, Array]:
    """The ends of many fits, and the cost of each."""

    def solve(start: Array, center: Array, weight: Array) -> tuple[Array, Array]:
        return _least_squares(lambda z: _residuals(problem, z, center, weight), start, rounds)

    return jax.vmap(solve)(starts, centers, weights)


class _Iterate(NamedTuple):
    """The state of a least-squares search."""

    z: Array
    residuals: Array
    jacobian: Array
    damping: Array
    cost: Array


def _least_squares(
    residuals: Callable[[Array], Array], start: Array, rounds: int
) -> tuple[Array, Array]:
    """Damped least squares (Levenberg-Marquardt): the end, and the sum of squares there."""

    def advance(now: _Iterate, _: None) -> tuple[_Iterate, None]:
        normal = now.jacobian.T @ now.jacobian
        damped = normal + now.damping * jnp.diag(jnp.diag(normal))
        # At most three standard deviations of a belief, because the linear model fails far away.
        move = jnp.clip(jnp.linalg.solve(damped, now.jacobian.T @ now.residuals), -3.0, 3.0)
        z = now.z - move
        moved = residuals(z)
        cost = moved @ moved
        better = cost < now.cost
        kept = jnp.where(better, z, now.z)
        # A failure adds less damping than a success takes away, so steps grow where both occur.
        damping = jnp.where(better, now.damping / 5, now.damping * 3).clip(1e-9, 1e9)
        return _Iterate(
            kept,
            jnp.where(better, moved, now.residuals),
            jax.jacfwd(residuals)(kept),
            damping,
            jnp.where(better, cost, now.cost),
        ), None

    here = residuals(start)
    damping = jnp.full((), 0.01, start.dtype)
    begin = _Iterate(start, here, jax.jacfwd(residuals)(start), damping, here @ here)
    end, _ = jax.lax.scan(advance, begin, None, length=rounds)
    return end.z, end.cost
