"""Robust fits of loss laws to logs: many starts, and many resampled fits, in one program."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lr_optax._core.hyperparameters import Count, Shrinking, Size, show, validated
from lr_optax.foresight._law import (
    AsLawName,
    Changes,
    Law,
    Points,
    Units,
    law_losses,
    law_named,
    merged_changes,
)
from lr_optax.foresight._log import Log, first_step, windowed
from lr_optax.foresight._loss_law import LossLaw

_LAST = 0.1  # of a run, which has a weight of its own, and is hidden to see what the law gets wrong

_FIT_PARTS = 100  # of the peak, to which changes of the rate are merged

_HUBER_WIDTH = 1e-3  # of the logarithm of the loss, beyond which residuals count linearly (Huber)

_LEAST = 1.5e-3  # relative error, which the laws' authors report on unseen runs: less is luck

_STRENGTH = 64.0  # independent points that a run counts as, compared with prior beliefs

# Fits that begin at the end of an earlier one need only half the rounds.
_STARTS, _START_ROUNDS, _ROUNDS = 8, 40, 20


class _AsLogs:
    def accept(self, value: object) -> tuple[Log, ...]:
        logs = tuple(value) if isinstance(value, Iterable) else (value,)
        if not logs:
            raise ValueError("must hold at least one log, got none")
        for log in logs:
            if not isinstance(log, Log):
                raise TypeError(f"must be logs, as from read_log, got {show(log)}")
        return cast("tuple[Log, ...]", logs)


@validated
def fit_loss_law(
    logs: Annotated[Log | Sequence[Log], _AsLogs()],
    law: Annotated[str, AsLawName()] = "multi_power",
    *,
    count_warmup: bool = False,
    end_weight: Shrinking = 0.5,
    fixed: Mapping[str, float] | None = None,
    members: Size = 48,
    seed: Count = 0,
) -> LossLaw:
    r"""Fit a law that predicts the loss of any schedule, from a few runs.

    With S(t) = Σ_{i≤t} η_i and Δ_k = η_{k−1} − η_k all laws read::

        L(t) = L0 + A·S(t)^−α − Σ_{k≤t} Δ_k·R_k(t)

    They differ in R_k, what a drop of the rate brings: :mod:`lr_optax.foresight.laws` has a file
    for each, with its formula and its paper.

    The fit minimizes Huber's loss of the logarithm of the loss, from 8 starts at once, with weak
    prior beliefs about every parameter. The ensemble reweights the runs at random, and draws the
    beliefs. Long logs are averaged over windows; the warm-up and the first 5% of the longest run
    do not count.

    Args:
        logs: of one run or several, with one peak rate and one loss (such as the validation loss).
        law: its name: "multi_power", "functional" or "tissue".
        count_warmup: whether the rise of a warm-up counts as drops below zero.
        end_weight: the share of a run's weight on its last tenth, in (0, 1): the final loss is
            what counts. At 0.1 all steps have the same weight, as in the papers.
        fixed: parameters that are not fitted, among those without a unit, such as alpha.
        members: the size of the ensemble, >= 1.
        seed: for its random numbers, >= 0.

    Returns:
        The law, which predicts and ranks, and which ``optimize_schedule`` takes.

    Raises:
        TypeError: ``logs`` holds something other than logs.
        ValueError: there are no logs, a log is too short, or an argument is out of its range.

    Example:
        >>> from lr_optax import LossLaw, Log, constant, warmup_stable_decay, fit_loss_law
        >>> truth = LossLaw("tissue", {"L0": 2.6,
        ...                            "A": 0.4, "alpha": 0.5, "C": 0.4, "lambda": 0.999})
        >>> fall = warmup_stable_decay(2e-4, total_steps=20000, cooldown_steps=4000)
        >>> curves = [truth.predict(schedule, 20000) for schedule in (constant(2e-4), fall)]
        >>> logs = [Log(curve.steps, curve.losses, curve.schedule) for curve in curves]
        >>> law = fit_loss_law(logs, law="tissue")
        >>> longer = warmup_stable_decay(2e-4, total_steps=40000, cooldown_steps=20000)
        >>> error = law.predict(longer, 40000).final - truth.predict(longer, 40000).final
        >>> print(abs(error) < 0.001)
        True

    When to use it:
        When runs are expensive: log one with a level rate and one or two with falls at a short
        horizon, then rank schedules, or look for a better one, at the long horizon. A law cannot
        know what its runs do not show: other peaks, other batch sizes, instabilities.
    """
    runs, form = cast("tuple[Log, ...]", logs), law_named(law)
    fixed = dict(fixed or {})
    _check_fixed(law, form, fixed)
    problem, units = _prepared(form, runs, fixed, float(end_weight), count_warmup=count_warmup)
    rng = np.random.default_rng(int(seed))
    with jax.enable_x64(new_val=True):
        restarts = _restarts(problem, rng)
        ensemble, hidden = _resampled(problem, restarts, members, rng)
        discrepancy = _discrepancy(problem, restarts[0], hidden)
        parameters = jax.vmap(problem.parameters)(jnp.vstack([restarts[:1], ensemble]))
        best, *others = np.stack([*form.in_units(parameters, units).values()], axis=1)
    named = dict(zip(form.parameters, best.tolist(), strict=True))
    return LossLaw(law, named, np.stack(others), discrepancy, runs, count_warmup)


def _check_fixed(name: str, law: Law, fixed: Mapping[str, float]) -> None:
    pure = [key for key, parameter in law.parameters.items() if parameter.unit is None]
    for key, value in fixed.items():
        if key not in pure:
            raise ValueError(
                f"fit_loss_law: `fixed` may hold {', '.join(pure)} for {name!r}, got {key!r}"
            )
        limit = 1 if law.parameters[key].bounded else np.inf
        if not (isinstance(value, int | float | np.number) and 0 < value < limit):
            raise ValueError(f"fit_loss_law: `fixed` {key!r} is out of its range, got {value!r}")


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["usual", "width", "points", "changes", "log_losses", "weights", "last"],
    meta_fields=["law"],
)
@dataclass(frozen=True, eq=False)
class _FitProblem:
    """A law to fit, what is believed of its parameters beforehand, and the runs.

    The runs are in units of the peak, the longest run and the lowest loss, a row each.
    """

    law: Law
    usual: np.ndarray
    width: np.ndarray
    points: Points
    changes: Changes
    log_losses: np.ndarray
    weights: np.ndarray
    last: np.ndarray

    def parameters(self, z: Array) -> dict[str, Array]:
        """The parameters for numbers that are standard normal beforehand."""
        bounded = np.array([p.bounded for p in self.law.parameters.values()])
        odds = jnp.where(bounded, self.usual / jnp.where(bounded, 1 - self.usual, 1.0), 1.0)
        moved = z * self.width
        inside = jax.nn.sigmoid(jnp.log(odds) + moved)
        return self.law.named(jnp.where(bounded, inside, self.usual * jnp.exp(moved)))


def _prepared(
    law: Law,
    logs: Sequence[Log],
    fixed: Mapping[str, float],
    end_weight: float,
    *,
    count_warmup: bool,
) -> tuple[_FitProblem, Units]:
    """The problem, and the units of its runs."""
    prior = law.parameters
    usual = np.array([fixed.get(name, prior[name].usual) for name in prior])
    width = np.array([0.0 if name in fixed else prior[name].width for name in prior])
    units = Units(
        max(log.peak for log in logs),
        float(max(log.total_steps for log in logs)),
        min(float(log.losses.min()) for log in logs),
    )
    points, changes = [], []
    for log in logs:
        steps, log_losses = _fitted_points(logs, log)
        last = steps >= (1 - _LAST) * steps[-1]
        earlier = (1 - end_weight) / max((~last).sum(), 1)
        weights = np.where(last, end_weight / last.sum(), earlier)
        total = log.run.distance(steps) / units.distance
        points.append((steps, total, log_losses - np.log(units.loss), weights, last))
        merged = merged_changes(log.run, steps, count_warmup=count_warmup, parts=_FIT_PARTS)
        scales = (1.0, units.peak, units.peak, units.distance)
        changes.append([field / scale for field, scale in zip(merged, scales, strict=True)])
    # A point that fills up a row has no weight. It lies after every change and at the end of the
    # distance, where all terms of a law are finite; a change that fills up has a drop of 0.
    step, total, log_losses, weights, last = _padded(points, (1e12, 1.0, 0.0, 0.0, 0.0))
    runs = Points(step, total), Changes(*_padded(changes, (0.0, 0.0, 1.0, 0.0)))
    return _FitProblem(law, usual, width, *runs, log_losses, weights, last > 0), units


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
    return [
        np.stack([np.pad(x, (0, size - len(x)), constant_values=fill) for x in column])
        for column, fill in zip(zip(*rows, strict=True), fills, strict=True)
    ]


def _restarts(problem: _FitProblem, rng: np.random.Generator) -> np.ndarray:
    """The best end of fits from several starts, and those that fit about as well as it."""
    count = len(problem.usual)
    starts = np.vstack([np.zeros(count), rng.normal(size=(_STARTS - 1, count))])
    weights = np.repeat(_STRENGTH * problem.weights[None], _STARTS, axis=0)
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
    centers of the beliefs at random.
    """
    weights, count = _STRENGTH * problem.weights, len(problem.usual)
    runs = len(weights)
    shares = rng.dirichlet(np.ones(runs), members) * runs
    shown = np.where(np.eye(runs)[:, :, None] * problem.last > 0, 0.0, 1.0)
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
    """What the law gets wrong, at least 0.0015.

    The root mean square of logarithmic errors: of those at the ends of runs whose last tenth was
    hidden, and of those along all runs, added as squares.
    """
    weights = problem.weights
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
    losses = curves(problem.points, problem.changes)
    # A bad start may ask for a loss below 0, which has no logarithm.
    return jnp.log(jnp.maximum(losses, 1e-3)) - problem.log_losses


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
