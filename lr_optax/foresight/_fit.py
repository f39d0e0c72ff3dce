"""Robust fits of loss laws to logs: many starts, and many resampled fits, in one program."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lr_optax.foresight import _laws as laws
from lr_optax.foresight._laws import LAWS, Changes, Points
from lr_optax.foresight._log import Log

_POINTS = 64  # of a run, at most; of a longer log these are means

_SKIPPED = 0.05  # of the longest run: before it no power law holds

_LAST = 0.1  # of a run, which has a weight of its own, and is hidden to see what the law gets wrong

_PARTS = 100  # of the peak, to which changes of the rate are merged

_NOISE = 1e-3  # of the logarithm of the loss, beyond which residuals count linearly (Huber)

_LEAST = 1.5e-3  # relative error, which the laws' authors report on unseen runs: less is luck

_STRENGTH = 64.0  # independent points that a run counts as, against what is known beforehand

_STARTS, _START_ROUNDS, _ROUNDS = 8, 40, 20


class Data(NamedTuple):
    """Logs in one array each, in units of the peak, the longest run and the lowest loss."""

    points: Points
    changes: Changes
    losses: np.ndarray
    weights: np.ndarray
    last: np.ndarray
    units: tuple[float, float, float]


class Fit(NamedTuple):
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


def thinned(log: Log, first: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps and logarithms of losses from a step on, long logs as means over windows."""
    kept = log.steps >= first
    steps, values = log.steps[kept].astype(np.float64), np.log(log.losses[kept])
    windows = np.array_split(np.arange(len(steps)), min(_POINTS, max(len(steps), 1)))
    shown = [w for w in windows if len(w)]
    return np.array([steps[w].mean() for w in shown]), np.array([values[w].mean() for w in shown])


def first_step(logs: Sequence[Log], log: Log) -> float:
    """The step from which on a log counts: its warm-up is over, and 5% of the longest run."""
    longest = max(int(log.steps[-1]) for log in logs)
    rates = log.rates_until(int(log.steps[-1]) + 1)
    return max(int(np.argmax(rates)), _SKIPPED * longest)


def prepare(logs: Sequence[Log], end_weight: float, *, count_warmup: bool) -> Data:
    """All logs in arrays of one shape.

    Raises:
        ValueError: of a log nothing is left, or its rates are all 0.
    """
    every = [log.rates_until(int(log.steps[-1]) + 1) for log in logs]
    peak = max(float(rates.max()) for rates in every)
    length = max(map(len, every))
    lowest = min(float(log.losses.min()) for log in logs)
    points, changes = [], []
    for log, rates in zip(logs, every, strict=True):
        if not rates.max() > 0:
            raise ValueError(f"fit_loss_law: the rates of {log.name} are all 0")
        first = first_step(logs, log)
        steps, values = thinned(log, first)
        if len(steps) < 2:
            raise ValueError(
                f"fit_loss_law: {log.name} has {len(steps)} points from step {first:.0f} on, where "
                "its warm-up and the first 5% of the longest run are over; it needs at least 2"
            )
        total = np.interp(steps, np.arange(len(rates)), np.cumsum(rates))
        few = laws.few_changes(rates, steps, count_warmup=count_warmup, parts=_PARTS)
        last = steps >= (1 - _LAST) * steps[-1]
        share = np.where(last, end_weight / last.sum(), (1 - end_weight) / max((~last).sum(), 1))
        points.append((steps, total / (peak * length), values - np.log(lowest), share, last))
        scales = (1.0, peak, peak, peak * length)
        changes.append(tuple(of / scale for of, scale in zip(few, scales, strict=True)))
    steps, totals, values, weights, ends = _padded(points, (1e12, 1.0, 0.0, 0.0, 0.0))
    padded = Changes(*_padded(changes, (0.0, 0.0, 1.0, 0.0)))
    return Data(
        Points(steps, totals), padded, values, weights, ends > 0, (peak, float(length), lowest)
    )


def _padded(rows: Sequence[Sequence[np.ndarray]], fills: Sequence[float]) -> list[np.ndarray]:
    """One array for each column, its rows filled up to the next multiple of 64."""
    size = -(-max(len(row[0]) for row in rows) // 64) * 64
    return [
        np.stack(
            [
                np.pad(row[i].astype(float), (0, size - len(row[i])), constant_values=fill)
                for row in rows
            ]
        )
        for i, fill in enumerate(fills)
    ]


def fit(law: str, data: Data, *, fixed: Mapping[str, float], members: int, seed: int) -> Fit:
    """The best fit, an ensemble of resampled fits, and what the law gets wrong.

    The restarts that fit as well as the best are where the fits of the ensemble begin. Each of
    these has the runs weighted at random (as the Bayesian bootstrap does), and what is known
    beforehand drawn at random. Last, of every run in turn the last tenth is hidden and predicted.
    """
    prior = _prior(law, fixed)
    count, runs = len(LAWS[law].typical), len(data.weights)
    rng = np.random.default_rng(seed)
    full = _STRENGTH * data.weights
    with jax.enable_x64(new_val=True):
        starts = np.vstack([np.zeros(count), rng.normal(size=(_STARTS - 1, count))])
        found, costs = _fits(
            law,
            prior,
            data,
            starts,
            np.zeros_like(starts),
            np.repeat(full[None], _STARTS, axis=0),
            _START_ROUNDS,
        )
        order = np.argsort(np.where(np.isfinite(costs), costs, np.inf))
        best = found[order[0]]
        good = found[order[costs[order] <= 1.5 * costs[order[0]] + 1]]
        shares = rng.dirichlet(np.ones(runs), members) * runs
        resampled = full * shares[:, :, None]
        hidden = full * np.where(np.eye(runs)[:, :, None] * data.last > 0, 0.0, 1.0)
        begin = np.vstack([good[np.arange(members) % len(good)], np.repeat(best[None], runs, 0)])
        centres = np.vstack([rng.normal(size=(members, count)), np.zeros((runs, count))])
        found, costs = _fits(
            law, prior, data, begin, centres, np.concatenate([resampled, hidden]), _ROUNDS
        )
        ends = data.weights.shape[1] - 1 - np.argmax(data.weights[:, ::-1] > 0, axis=1)
        errors = np.array(
            [_errors(law, prior, data, z)[run, ends[run]] for run, z in enumerate(found[members:])]
        )
        along = np.asarray(_errors(law, prior, data, best))
        wrong = np.mean(errors**2) + np.sum(data.weights * along**2) / runs
        usable = found[:members][np.isfinite(costs[:members])]
        physical = [np.array(_physical(law, prior, z, data.units)) for z in (best, *usable)]
    return Fit(physical[0], np.stack(physical[1:]), max(float(np.sqrt(wrong)), _LEAST))


def _prior(law: str, fixed: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    typical = np.array([fixed.get(name, value) for name, value in LAWS[law].typical.items()])
    width = np.array([0.0 if n in fixed else value for n, value in LAWS[law].width.items()])
    return typical, width


def _values(law: str, prior: Any, z: Any) -> Any:
    """The parameters, in (0, 1) or positive, from numbers that are standard normal beforehand."""
    typical, width = prior
    moved = z * width
    bounded = np.array([name in LAWS[law].bounded for name in LAWS[law].typical])
    odds = jnp.where(bounded, typical / jnp.where(bounded, 1 - typical, 1.0), 1.0)
    return jnp.where(bounded, jax.nn.sigmoid(jnp.log(odds) + moved), typical * jnp.exp(moved))


def _physical(law: str, prior: Any, z: Any, units: tuple[float, float, float]) -> Any:
    return LAWS[law].in_units(np.asarray(_values(law, prior, z)), *units)


@partial(jax.jit, static_argnames="law")
def _errors(law: str, prior: Any, data: Data, z: Any) -> Array:
    """Logarithms of losses, the law's less those measured, of shape (runs, points)."""
    values = _values(law, prior, z)
    curves = jax.vmap(lambda at, changes: laws.losses(law, values, at, changes))
    return jnp.log(jnp.maximum(curves(data.points, data.changes), 1e-3)) - data.losses


def _residuals(law: str, prior: Any, data: Data, z: Any, centre: Any, weights: Any) -> Array:
    """Whose sum of squares is the cost: Huber's of the errors, and the distance to the centre."""
    errors = _errors(law, prior, data, z) / _NOISE
    size = jnp.abs(errors)
    robust = jnp.sign(errors) * jnp.sqrt(jnp.maximum(2 * size - 1, 1.0))
    errors = jnp.where(size <= 1, errors, robust)
    return jnp.concatenate([(jnp.sqrt(weights) * errors).ravel(), z - centre])


@partial(jax.jit, static_argnames=("law", "rounds"))
def _fit_all(
    law: str, prior: Any, data: Data, begin: Any, centres: Any, weights: Any, rounds: int
) -> Any:
    def one(z: Array, centre: Array, weight: Array) -> Any:
        return _levenberg_marquardt(
            lambda at: _residuals(law, prior, data, at, centre, weight), z, rounds
        )

    return jax.vmap(one)(begin, centres, weights)


def _fits(law: str, prior: Any, data: Data, begin: Any, centres: Any, weights: Any, rounds: int):
    arrays = data._replace(units=(1.0, 1.0, 1.0))
    found, costs = _fit_all(law, prior, arrays, begin, centres, weights, rounds)
    return np.asarray(found), np.asarray(costs)


def _levenberg_marquardt(residuals: Any, z: Array, rounds: int) -> tuple[Array, Array]:
    """Damped least squares for so many rounds: where it ends, and the sum of squares there."""

    def step(state: Any, _: None) -> Any:
        z, r, jacobian, damping, cost = state
        normal = jacobian.T @ jacobian
        scaled = normal + damping * jnp.diag(jnp.diag(normal))
        tried = z - jnp.clip(jnp.linalg.solve(scaled, jacobian.T @ r), -3.0, 3.0)
        r_tried = residuals(tried)
        cost_tried = r_tried @ r_tried
        better = cost_tried < cost
        z = jnp.where(better, tried, z)
        damping = jnp.where(better, damping / 5, damping * 3).clip(1e-9, 1e9)
        return (
            z,
            jnp.where(better, r_tried, r),
            jax.jacfwd(residuals)(z),
            damping,
            jnp.where(better, cost_tried, cost),
        ), None

    r = residuals(z)
    state = (z, r, jax.jacfwd(residuals)(z), jnp.full((), 0.01, z.dtype), r @ r)
    state, _ = jax.lax.scan(step, state, None, length=rounds)
    return state[0], state[-1]
