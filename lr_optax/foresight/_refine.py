"""A schedule from the gradient norms of a run: high where gradients are small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.export import register_namedtuple_serialization
from scipy.ndimage import median_filter

from lr_optax._core.hyperparameters import Boundaries, Count, Positive, Rule, Size, validated
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._log import rounded
from lr_optax.results._result import Result, Table
from lr_optax.results._saved import Axes
from lr_optax.results.panels import GRAY, Curve, Panel, palette_color, rate_curve
from lr_optax.schedules.tables import interpolate

Norm = Literal["l2", "l1"]

Smoothing = Annotated[float, Rule("a number in [0, 1)", lambda x: (x >= 0) & (x < 1))]

_KNOTS = 256  # of the refined schedule, which prints all of them

_GRID = 4096  # points of a log with few norms at uneven steps, at most

_POWERS = {"l2": -2, "l1": -1}

_EVEN = Rule("an even number >= 2", lambda n: (n >= 2) & (n % 2 == 0), whole=True)


class _AsGradNorms:
    def accept(self, value: np.ndarray | Sequence[float]) -> np.ndarray:
        norms = np.asarray(value, np.float64)
        if norms.ndim != 1 or not len(norms):
            raise ValueError(f"must be a vector of norms, got shape {norms.shape}")
        if bad := np.flatnonzero(~(np.isfinite(norms) & (norms > 0))).tolist():
            raise ValueError(
                f"must be finite numbers > 0, got {norms[bad[0]]} at index {bad[0]} (leave such "
                "entries out, and give the steps of the others as `steps`)"
            )
        return norms


GradNorms = Annotated[np.ndarray | Sequence[float], _AsGradNorms()]
"""Norms of a run's gradients, in order, each finite and > 0."""


@validated
def refined_rates(
    grad_norms: GradNorms, *, norm: Norm = "l2", smoothing: Smoothing = 0.1
) -> np.ndarray:
    """The refined rates of a run, one for each gradient norm and a 0 at the end.

    w_t = G_t⁻² (or G_t⁻¹), η_t = w_t·Σ_{p>t} w_p divided by its maximum, after a running median.
    The gradient at the last iterate counts as the one before it.

    Args:
        grad_norms: G_0, ..., G_{n−1}, evenly spaced over the run, finite and > 0.
        norm: which norms they are: "l2" for SGD, "l1" for Adam and its kin.
        smoothing: the share of the run that the median looks at, in [0, 1); 0 for no smoothing.

    Returns:
        n + 1 rates in [0, 1], float64.

    Raises:
        ValueError: an argument is out of its range.

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
    half = int(smoothing * len(grad_norms)) // 2
    padded = np.pad(grad_norms, (0, half), mode="symmetric")
    smooth = median_filter(padded, size=2 * half + 1, mode="nearest")[: len(grad_norms)]
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
    peak_step: Count
    total_steps: Size
    grad_norms: Annotated[np.ndarray, Axes("norms")]

    def table(self) -> Table:
        """The rate at tenths of the run, as a share of the peak and of a linear decay."""
        steps = np.linspace(0, self.total_steps, 11).astype(int)
        rates = np.asarray(self.schedule(steps), np.float64)
        linear = 1 - steps / self.total_steps
        shares = rates / np.asarray(self.schedule(self.peak_step))
        rows = zip(steps.tolist(), rates.tolist(), shares.tolist(), linear.tolist(), strict=True)
        share = self.peak_step / self.total_steps
        legend = f"warm-up until step {self.peak_step}, {share:.1%} of the run"
        return Table(("step", "rate", "of the peak", "linear decay"), tuple(rows), (legend,))

    def panels(self) -> Sequence[Panel]:
        """The schedule, over the norms it was made from."""
        steps = np.linspace(0, self.total_steps, len(self.grad_norms), endpoint=False)
        rate = rate_curve(self.schedule, self.total_steps, "refined", palette_color(0))
        norms = Curve(steps, self.grad_norms, "gradient norms", GRAY)
        return (
            Panel("step", "learning rate", (rate,), limits=(0, None)),
            Panel("step", "gradient norm", (norms,), log="y"),
        )


@validated
def refine(
    grad_norms: GradNorms,
    *,
    steps: Boundaries | None = None,
    total_steps: Size | None = None,
    peak_value: Positive = 1.0,
    norm: Norm = "l2",
    smoothing: Smoothing = 0.1,
) -> Refinement:
    """The schedule that minimizes the convex bound, given the gradient norms of one run.

    Gradients that shrink early give a warm-up, gradients that grow late an early decay, and
    constant ones a linear decay to zero. :func:`refined_rates` has the formula.

    Args:
        grad_norms: norms of a run under any reasonable schedule, finite and > 0, such as
            :func:`lr_optax.record_grad_norms` records.
        steps: where they were taken, ascending; None if they are evenly spaced over the run. In
            between the norm is interpolated; outside it is the nearest one.
        total_steps: the length of the new run, >= 1; the norms are stretched over it. None for the
            run of the log: as many steps as norms, or to the end of the last interval of
            ``steps``. The first step shows how the intervals lie: 0, 50, ..., 950 and 50, 100,
            ..., 1000 are both runs of 1000 steps.
        peak_value: the highest rate of the new schedule, > 0.
        norm: which norms they are, as in :func:`refined_rates`.
        smoothing: the share of the run that a running median looks at, in [0, 1).

    Returns:
        The schedule, which prints and parses, and the norms it was made from.

    Raises:
        ValueError: an argument is out of its range, or there is not one step for each norm.

    Example:
        >>> refine([2.0] * 4, total_steps=100, peak_value=0.1).schedule
        interpolate((0.1, 0.075, 0.05, 0.025, 0.0), boundaries=(0, 25, 50, 75, 100))

    When to use it:
        For the second run of a model: the norms of the first show where its warm-up should end
        and how it should decay.
    """
    norms, logged_steps = np.asarray(grad_norms), len(grad_norms)
    if steps is not None:
        norms, logged_steps = _evenly_spaced(norms, np.asarray(steps))
    if total_steps is None:
        total_steps = max(logged_steps, 1)
    rates = refined_rates(norms, norm=norm, smoothing=smoothing)
    rate_steps = np.linspace(0, total_steps, len(rates))
    peak = round(rate_steps[rates.argmax()])
    knots = np.linspace(0, total_steps, min(len(norms), total_steps, _KNOTS - 1) + 1).round()
    boundaries = np.unique(np.append(knots, peak)).astype(int)
    # The peak's step is rounded, so what is interpolated there may fall short of the peak.
    values = np.where(boundaries == peak, 1.0, np.interp(boundaries, rate_steps, rates))
    schedule = interpolate(
        tuple(map(rounded, values * peak_value)), boundaries=tuple(boundaries.tolist())
    )
    return Refinement(schedule, peak, total_steps, norms)


def _evenly_spaced(norms: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, int]:
    if steps.shape != norms.shape or not len(steps):
        raise ValueError(
            f"refine: `steps` must be as many as `grad_norms`, got {steps.size} for {norms.size}"
        )
    if np.any(np.diff(steps) <= 0):
        raise ValueError("refine: `steps` must be ascending, each once")
    first, last = int(steps[0]), int(steps[-1])
    interval = last - int(steps[-2]) if len(steps) > 1 else 1
    # The first step shows whether norms are logged at the beginning of an interval or at its end.
    total = last + interval - min(first, interval)
    grid = np.linspace(0, total, max(len(norms), min(total, _GRID)), endpoint=False)
    return np.interp(grid, steps, norms), total


class NormsState(NamedTuple):
    """The norms of a run so far, one for each interval of ``every`` steps."""

    norms: Array  # float32, of a fixed length: means over intervals, NaN where nothing was finite
    filled: Array  # int32: how many of them are in use
    every: Array  # int32: how many steps one of them stands for
    steps: Array  # int32: steps of the interval under way
    norm_sum: Array  # float32: of its finite norms
    norm_count: Array  # int32: how many they are


register_namedtuple_serialization(NormsState, serialized_name="lr_optax.NormsState")


@validated
def record_grad_norms(
    norm: Norm = "l2", *, capacity: Annotated[int, _EVEN] = 512
) -> optax.GradientTransformation:
    """An Optax transform that changes nothing and records the norms of what passes through.

    Put it before the optimizer, where gradients are still raw. Once ``capacity`` means are full,
    pairs of them are averaged and each stands for twice as many steps: memory is bounded, and the
    means cover the whole run evenly. Norms that are not finite are skipped.

    Args:
        norm: "l2", √Σg², for SGD; "l1", Σ|g|, for Adam and its kin.
        capacity: how many means are kept, an even number >= 2: from half as many to one fewer.

    Returns:
        A transform whose state is arrays only: it can be saved, restored and mapped.

    Raises:
        ValueError: ``norm`` is neither, or ``capacity`` is odd or below 2.

    Example:
        >>> tx = optax.chain(record_grad_norms(capacity=4), optax.sgd(0.1))
        >>> params = jnp.zeros(2)
        >>> state = tx.init(params)
        >>> for size in (1.0, 2.0, 3.0, 4.0, 5.0):
        ...     _, state = tx.update(jnp.array([3.0, 4.0]) * size, state)
        >>> norms, every = read_grad_norms(state)
        >>> print(norms, every)
        [ 7.5 17.5] 2

    When to use it:
        To :func:`~lr_optax.refine` the schedule of the next run from this one.
    """
    order = {"l2": 2, "l1": 1}[norm]

    def init(params: optax.Params) -> NormsState:
        del params
        # An array for each field: one buffer cannot be donated twice.
        filled, every, steps, norm_count = (jnp.asarray(n, jnp.int32) for n in (0, 1, 0, 0))
        norms, norm_sum = jnp.full(capacity, jnp.nan, jnp.float32), jnp.asarray(0, jnp.float32)
        return NormsState(norms, filled, every, steps, norm_sum, norm_count)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, NormsState]:
        del params
        # Squares of half-precision numbers overflow.
        wide = jax.tree.map(lambda g: g.astype(np.promote_types(g.dtype, np.float32)), updates)
        size = optax.tree.norm(wide, ord=order)
        return updates, _recorded(cast("NormsState", state), jnp.asarray(size, jnp.float32))

    return optax.GradientTransformation(init, update)


def _recorded(state: NormsState, norm: Array) -> NormsState:
    """The state after one more norm."""
    finite = jnp.isfinite(norm)
    norm_sum = state.norm_sum + jnp.where(finite, norm, 0)
    norm_count = state.norm_count + finite.astype(jnp.int32)
    steps = state.steps + 1
    ended = steps >= state.every
    mean = norm_sum / jnp.maximum(norm_count, 1).astype(jnp.float32)
    here = ended & (jnp.arange(len(state.norms)) == state.filled)
    after = NormsState(
        norms=jnp.where(here, jnp.where(norm_count > 0, mean, jnp.nan), state.norms),
        filled=state.filled + ended.astype(jnp.int32),
        every=state.every,
        steps=jnp.where(ended, 0, steps),
        norm_sum=jnp.where(ended, 0, norm_sum),
        norm_count=jnp.where(ended, 0, norm_count),
    )
    return _halved_if_full(after)


def _halved_if_full(state: NormsState) -> NormsState:
    """Once full, adjacent pairs become their averages, ignoring NaN."""
    full = state.filled == len(state.norms)
    left, right = state.norms[::2], state.norms[1::2]
    means = jnp.where(jnp.isnan(left), right, left / 2 + right / 2)
    means = jnp.where(jnp.isnan(right), left, means)
    halved = jnp.append(means, jnp.full_like(means, jnp.nan))
    return state._replace(
        norms=jnp.where(full, halved, state.norms),
        filled=jnp.where(full, state.filled // 2, state.filled),
        every=jnp.where(full, 2 * state.every, state.every),
    )


def read_grad_norms(opt_state: optax.OptState) -> tuple[np.ndarray, int]:
    """The norms that :func:`record_grad_norms` recorded in a state.

    Args:
        opt_state: the state of any Optax optimizer, or a pytree with one in it.

    Returns:
        Means over intervals, in order, NaN where none was finite; and how many steps each
        interval has.

    Raises:
        ValueError: the state has no such record, or several.

    Example:
        >>> tx = record_grad_norms()
        >>> _, state = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
        >>> print(*read_grad_norms(state))
        [5.] 1
    """
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, NormsState))
    states = [node for node in nodes if isinstance(node, NormsState)]
    if len(states) != 1:
        raise ValueError(
            f"read_grad_norms: the state must have one record of record_grad_norms, "
            f"got {len(states)} (put it first: optax.chain(record_grad_norms(), optax.sgd(0.1)))"
        )
    (state,) = states
    return np.asarray(state.norms[: int(state.filled)]), int(state.every)
