"""What convex theory says about a schedule: a bound on the loss of the last iterate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.hyperparameters import Positive, Size, is_known, validated
from lr_optax.results._result import Result, Table
from lr_optax.results._saved import Axes
from lr_optax.results.panels import Curve, Panel, palette_color
from lr_optax.schedules.combine import Inner


def bound_terms(
    rates: ArrayLike, *, distance: ArrayLike = 1.0, grad_norms: ArrayLike = 1.0
) -> tuple[Array, Array]:
    r"""The two terms of the last iterate's bound: Ω = start + noise.

    With S = Σ η_t, the rates still to come B_k = Σ_{t≥k} η_t and A_k = Σ_{t>k} η_t, and
    Q_k = Σ_{t≥k} η_t²·G_t²::

        start = D²/(2·S)        noise = Q_0/(2·S) + ½·Σ_k η_k/A_k · Q_k/B_k

    A step after which every rate is 0 adds nothing to the sum. Everything is a suffix sum: O(T),
    without small differences of large numbers, and differentiable in everything.

    Args:
        rates: η_0, ..., η_{T−1}, a vector of rates >= 0. If all are 0 nothing moves and the start
            term is infinite.
        distance: D, from the first iterate to the optimum, > 0.
        grad_norms: G, a bound on the gradients' norms, one number or one for every step.

    Returns:
        Both terms, scalars in the type of the rates. Rates g times as high have start/g + g·noise.

    Example:
        >>> start, noise = bound_terms([1.0, 1.0])
        >>> print(start, noise)
        0.25 1.0

    When to use it:
        As an objective to differentiate: :func:`last_iterate_bound` reports on a schedule.

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831, theorem 10.
    """
    rates = jnp.asarray(rates, jnp.result_type(float))
    squares = (rates * jnp.asarray(grad_norms, rates.dtype)) ** 2
    to_come, weight = (jnp.cumsum(values[::-1])[::-1] for values in (rates, squares))
    after = jnp.append(to_come[1:], jnp.zeros_like(to_come[:1]))
    counts = after > 0
    shares = jnp.where(counts, rates * weight, 0) / jnp.where(counts, after * to_come, 1)
    moves = to_come[0] > 0
    total = jnp.where(moves, 2 * to_come[0], 1)
    start = jnp.where(moves, jnp.asarray(distance, rates.dtype) ** 2 / total, jnp.inf)
    return start, weight[0] / total + shares.sum() / 2


Scalar = Annotated[Array | np.ndarray, Axes()]
"""A number: NumPy's in double precision, or a traced one."""


@dataclass(frozen=True, eq=False)
class LastIterateBound(Result):
    """The bound on the loss after the last step, and the peak that makes it smallest.

    Attributes:
        value: Ω of the schedule as it is.
        start: the part of it that comes from where training begins; falls as rates rise.
        noise: the part that comes from the gradients; grows with the rates.
        best_value: the smallest Ω of this shape, 2·√(start·noise).
        best_factor: the factor on all rates that reaches it, √(start/noise).
        best_peak: the highest rate then.
        rates: the schedule's rates, one for every step.
    """

    value: Scalar
    start: Scalar
    noise: Scalar
    best_value: Scalar
    best_factor: Scalar
    best_peak: Scalar
    rates: Annotated[Array | np.ndarray, Axes("steps")]

    def table(self) -> Table:
        """As it is, and at its best peak."""
        given = ("as given", float(self.rates.max()), float(self.value))
        best = ("at its best peak", float(self.best_peak), float(self.best_value))
        return Table(("", "peak", "bound"), (given, best))

    def panels(self) -> Sequence[Panel]:
        """The bound over the peak, and where its minimum is."""
        factors = np.geomspace(0.1, 10, 200) * self.best_factor
        peak, best = float(self.rates.max()), float(self.best_peak)
        points = {
            f"best peak {best:.4g}": (best, self.best_value),
            f"as given, {peak:.4g}": (peak, self.value),
        }
        curves = [Curve(factors * peak, self.start / factors + factors * self.noise, "bound")]
        for i, (name, (x, y)) in enumerate(points.items(), start=1):
            curves.append(Curve([x], [y], name, palette_color(i), "discs"))
        return (Panel("peak rate", "bound on the last loss", tuple(curves), log="xy"),)


@validated
def last_iterate_bound(
    schedule: Inner,
    total_steps: Size,
    *,
    distance: Positive = 1.0,
    grad_norms: ArrayLike = 1.0,
) -> LastIterateBound:
    """The bound of convex theory on the loss after the last step under a schedule.

    For convex problems with gradients of norm at most G, subgradient descent from a distance D of
    the optimum ends with f(x_T) − f* <= Ω; :func:`bound_terms` has the formula. A schedule g times
    as high has Ω(g) = start/g + g·noise, so that its best peak is known in closed form. The curves
    of large language models follow it closely in shape.

    Args:
        schedule: any function of the step, >= 0 and not 0 throughout.
        total_steps: T >= 1; the rates are those of steps 0 to T − 1.
        distance: D > 0. The best peak grows with it.
        grad_norms: G, one number or one for every step, such as a log interpolated to all steps.

    Returns:
        Numbers in double precision, unless something is traced: then they can be differentiated,
        in the default precision.

    Raises:
        TypeError: ``schedule`` is not a function of the step.
        ValueError: ``total_steps`` is below 1, a rate is negative or not finite, all are 0,
            ``distance`` or a norm is not > 0, or there are neither one nor ``total_steps`` norms.

    Example:
        >>> from lr_optax import linear, constant
        >>> bound = last_iterate_bound(linear(1.0, end_value=0.0, transition_steps=400), 400)
        >>> print(f"{bound.best_peak:.6f} {bound.best_value:.8f}")
        0.049563 0.10062987
        >>> flat = last_iterate_bound(constant(1.0), 400)
        >>> print(f"{flat.best_peak:.6f} {flat.best_value:.8f}")
        0.018176 0.13754481

    When to use it:
        To compare shapes and cooldowns without a run, and to carry a tuned peak over to
        another cooldown or horizon: peak₂ = peak₁ · best_peak₂/best_peak₁.

    Reference:
        F. Schaipp, A. Hägele, A. Taylor, U. Simsekli, F. Bach, "The Surprising Agreement Between
        Convex Optimization Theory and Learning-Rate Scheduling for Large Model Training", 2025,
        arXiv:2501.18965.
    """
    if jnp.shape(grad_norms) not in ((), (total_steps,)):
        raise ValueError(
            f"last_iterate_bound: `grad_norms` must be one number or one for each of "
            f"{total_steps} steps, got {jnp.size(grad_norms)}"
        )
    rates_at = cast("Callable[[ArrayLike], Array]", schedule)
    concrete = is_known(rates_at(0), distance, grad_norms)
    # Not inside a trace: double precision there has no transpose.
    with jax.enable_x64(new_val=True) if concrete else contextlib.nullcontext():
        rates = rates_at(jnp.arange(total_steps))
        if concrete:
            _check_rates_and_norms(rates, grad_norms)
        start, noise = bound_terms(rates, distance=distance, grad_norms=grad_norms)
        factor = jnp.sqrt(start / noise)
        value, best_value = start + noise, 2 * jnp.sqrt(start * noise)
        fields = (value, start, noise, best_value, factor, factor * rates.max(), rates)
        # Outside of its context a double-precision array of JAX is a trap; NumPy's is not.
        return LastIterateBound(*(jax.device_get(fields) if concrete else fields))


def _check_rates_and_norms(rates: Array, grad_norms: ArrayLike) -> None:
    norms = np.atleast_1d(grad_norms)
    for rule, values, holds in (
        ("`schedule`'s rates must be finite and >= 0", np.asarray(rates), rates >= 0),
        ("`grad_norms` must be finite and > 0", norms, norms > 0),
    ):
        if (wrong := values[~(np.isfinite(values) & holds)]).size:
            raise ValueError(f"last_iterate_bound: {rule}, got {wrong[0]:.6g}")
    if not rates.any():
        raise ValueError("last_iterate_bound: `schedule` never moves: its rates are all 0")
