"""A schedule from the gradient norms of a run: high where gradients are small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.export import register_namedtuple_serialization
from scipy.ndimage import median_filter

from lr_optax._core.schedule import Schedule
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Panel, palette_color, rate_curve
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
            :func:`lr_optax.record_grad_norms` notes.
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


class NormsState(NamedTuple):
    """The norms of a run so far, one for every ``every`` steps."""

    norms: Array  # float32, of a fixed length: means over intervals, NaN where nothing was finite
    filled: Array  # int32: how many of them are in use
    every: Array  # int32: how many steps one of them stands for
    steps: Array  # int32: steps of the interval under way
    norm_sum: Array  # float32: of its finite norms
    norm_count: Array  # int32: how many they are


register_namedtuple_serialization(NormsState, serialized_name="lr_optax.NormsState")


def record_grad_norms(
    norm: Literal["l2", "l1"] = "l2", *, capacity: int = 512
) -> optax.GradientTransformation:
    """An Optax transform that changes nothing and notes the norms of what passes through.

    Put it in front of the optimizer, where gradients are still raw. Once ``capacity`` means are
    full, pairs of them are averaged and each stands for twice as many steps: memory is bounded,
    and what is left covers the whole run evenly. Norms that are not finite are passed over.

    Args:
        norm: "l2", √Σg², for SGD; "l1", Σ|g|, for Adam and its kin.
        capacity: how many means are kept, an even number >= 2; from half as many on.

    Returns:
        A transform whose state is arrays alone: it is saved, restored and mapped like any other.

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

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831.
    """
    if norm not in ("l2", "l1"):
        raise ValueError(f"record_grad_norms: `norm` must be 'l2' or 'l1', got {norm!r}")
    if capacity < 2 or capacity % 2:
        raise ValueError(
            f"record_grad_norms: `capacity` must be an even number >= 2, got {capacity}"
        )
    order = {"l2": 2, "l1": 1}[norm]

    def init(params: optax.Params) -> NormsState:
        del params
        # An array for each field: one buffer cannot be donated twice.
        return NormsState(
            norms=jnp.full(capacity, jnp.nan, jnp.float32),
            filled=jnp.asarray(0, jnp.int32),
            every=jnp.asarray(1, jnp.int32),
            steps=jnp.asarray(0, jnp.int32),
            norm_sum=jnp.asarray(0, jnp.float32),
            norm_count=jnp.asarray(0, jnp.int32),
        )

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None
    ) -> tuple[optax.Updates, NormsState]:
        del params
        size = optax.tree.norm(jax.tree.map(_wide, updates), ord=order)
        return updates, _noted(state, jnp.asarray(size, jnp.float32))

    return optax.GradientTransformation(init, update)


def _wide(gradient: Array) -> Array:
    return gradient.astype(jnp.float32) if gradient.dtype.itemsize < 4 else gradient


def _noted(state: NormsState, norm: Array) -> NormsState:
    """The state after one more norm."""
    finite = jnp.isfinite(norm)
    norm_sum = state.norm_sum + jnp.where(finite, norm, 0)
    norm_count = state.norm_count + finite.astype(jnp.int32)
    steps = state.steps + 1
    ended = steps >= state.every
    mean = jnp.where(
        norm_count > 0, norm_sum / jnp.maximum(norm_count, 1).astype(jnp.float32), jnp.nan
    )
    place = jnp.arange(len(state.norms)) == state.filled
    norms = jnp.where(ended & place, mean, state.norms)
    filled = state.filled + ended.astype(jnp.int32)
    full = filled == len(state.norms)
    return NormsState(
        norms=jnp.where(full, _halved(norms), norms),
        filled=jnp.where(full, filled // 2, filled),
        every=jnp.where(full, 2 * state.every, state.every),
        steps=jnp.where(ended, 0, steps),
        norm_sum=jnp.where(ended, 0, norm_sum),
        norm_count=jnp.where(ended, 0, norm_count),
    )


def _halved(norms: Array) -> Array:
    """Means of pairs, then emptiness; of a pair with one NaN the other counts."""
    pairs = norms.reshape(-1, 2)
    left, right = pairs[:, 0], pairs[:, 1]
    mean = jnp.where(
        jnp.isnan(left), right, jnp.where(jnp.isnan(right), left, left / 2 + right / 2)
    )
    return jnp.append(mean, jnp.full_like(mean, jnp.nan))


def read_grad_norms(opt_state: Any) -> tuple[np.ndarray, int]:
    """The norms that :func:`record_grad_norms` noted in a state.

    Args:
        opt_state: the state of any Optax optimizer, or a pytree with one in it.

    Returns:
        Means of the norms over intervals, in order, NaN where none was finite; and how many steps
        each interval has.

    Raises:
        ValueError: the state has no such record, or several.

    Example:
        >>> tx = record_grad_norms()
        >>> _, state = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
        >>> print(*read_grad_norms(state))
        [5.] 1
    """
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, NormsState))
    found = [node for node in nodes if isinstance(node, NormsState)]
    if len(found) != 1:
        raise ValueError(
            f"read_grad_norms: the state must have one record of record_grad_norms, "
            f"got {len(found)} (put it in front: optax.chain(record_grad_norms(), optax.sgd(0.1)))"
        )
    (state,) = found
    return np.asarray(state.norms[: int(state.filled)]), int(state.every)
