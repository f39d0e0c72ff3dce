"""Loss laws: the loss of a run as a function of its rates, whatever these do.

All have one form. With S(t) = Σ_{i<=t} η_i and drops Δ_k = η_{k-1} - η_k,

    L(t) = L0 + A·S(t)^-α - Σ_{k<=t} Δ_k·response(k, t),

a power law of the distance travelled, less what every drop of the rate brings as its effect
unfolds. A law is its response, one function.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

# Below this part of the peak a rate counts as this part: the multi-power law has η^-γ in it.
_LOWEST = 1e-6


class Changes(NamedTuple):
    """Where the rate changes: the step, the drop, the rate from then on, and S before it."""

    step: Any
    drop: Any
    rate: Any
    before: Any


class Points(NamedTuple):
    """Where the loss is asked for: the step, and S there, that step's rate included."""

    step: Any
    total: Any


class Law(NamedTuple):
    """A law: its response, and what is known of its parameters before any run.

    Attributes:
        response: of (parameters, changes, S travelled since each change, steps since).
        typical: the parameters by name, L0, A and alpha first, with usual values where peak rate,
            length of the run and lowest loss are 1.
        width: how far each may be from that: one standard deviation of its logarithm, or of its
            log odds if it is bounded.
        bounded: those that lie in (0, 1); the others are positive.
        in_units: the parameters in units of a peak, a length in steps and a loss.
    """

    response: Callable[[Any, Changes, Any, Any], Any]
    typical: dict[str, float]
    width: dict[str, float]
    bounded: frozenset[str]
    in_units: Callable[[Any, float, float, float], tuple[Any, ...]]


def _multi_power(p: Any, at: Changes, since: Any, _: Any) -> Any:
    """B·(1 - (1 + C·η_k^-γ·S)^-β)."""
    _, _, _, scale, speed, beta, gamma = p
    return scale * -jnp.expm1(-beta * jnp.log1p(speed * at.rate**-gamma * since))


def _multi_power_units(p: Any, peak: float, steps: float, loss: float) -> tuple[Any, ...]:
    floor, height, alpha, scale, speed, beta, gamma = p
    return (
        loss * floor,
        loss * height * (peak * steps) ** alpha,
        alpha,
        loss * scale / peak,
        speed * peak ** (gamma - 1) / steps,
        beta,
        gamma,
    )


def _functional(p: Any, at: Changes, since: Any, _: Any) -> Any:
    """B·(D + S_k^-α)·(1 - (1 + C·S)^-β)."""
    _, _, alpha, scale, speed, beta, noise = p
    total = jnp.where(at.before > 0, at.before, at.rate)
    return scale * (noise + total**-alpha) * -jnp.expm1(-beta * jnp.log1p(speed * since))


def _functional_units(p: Any, peak: float, steps: float, loss: float) -> tuple[Any, ...]:
    floor, height, alpha, scale, speed, beta, noise = p
    whole = (peak * steps) ** alpha
    return (
        loss * floor,
        loss * height * whole,
        alpha,
        loss * scale * whole / peak,
        speed / (peak * steps),
        beta,
        noise / whole,
    )


def _tissue(p: Any, _: Changes, __: Any, steps: Any) -> Any:
    """C·(1 - λ^(n+1))/(1 - λ): the annealing momentum that a drop has brought n steps later."""
    _, _, _, scale, memory = p
    return scale * -jnp.expm1((steps + 1) * jnp.log(memory)) / (1 - memory)


def _tissue_units(p: Any, peak: float, steps: float, loss: float) -> tuple[Any, ...]:
    floor, height, alpha, scale, memory = p
    return loss * floor, loss * height * (peak * steps) ** alpha, alpha, loss * scale / peak, memory


_COMMON = {"L0": 0.88, "A": 0.06, "alpha": 0.5}

_COMMON_WIDTH = {"L0": 0.2, "A": 1.0, "alpha": 0.5}


LAWS = {
    "multi_power": Law(
        _multi_power,
        _COMMON | {"B": 0.04, "C": 1000.0, "beta": 0.6, "gamma": 0.6},
        _COMMON_WIDTH | {"B": 1.0, "C": 2.0, "beta": 1.0, "gamma": 1.0},
        frozenset({"beta", "gamma"}),
        _multi_power_units,
    ),
    "functional": Law(
        _functional,
        _COMMON | {"B": 0.04, "C": 1000.0, "beta": 0.6, "D": 1.0},
        _COMMON_WIDTH | {"B": 1.0, "C": 2.0, "beta": 0.5, "D": 2.0},
        frozenset(),
        _functional_units,
    ),
    "tissue": Law(
        _tissue,
        _COMMON | {"C": 4e-5, "lambda": 0.999},
        _COMMON_WIDTH | {"C": 1.0, "lambda": 2.0},
        frozenset({"lambda"}),
        _tissue_units,
    ),
}


# Parameters without units, which are the same whatever peak, length and loss are.
PURE = ("alpha", "beta", "gamma", "lambda")


def losses(law: str, parameters: Any, at: Points, changes: Changes) -> Array:
    """The law's loss at every point; needs memory for points x changes."""
    floor, height, alpha, *_ = parameters
    changes = Changes(*(jnp.asarray(of)[None] for of in changes))
    steps = at.step[:, None] - changes.step
    since = jnp.where(steps >= 0, at.total[:, None] - changes.before, 0.0)
    response = LAWS[law].response(parameters, changes, since, jnp.maximum(steps, 0.0))
    gained = jnp.sum(jnp.where(steps >= 0, changes.drop * response, 0.0), axis=1)
    return floor + height * at.total**-alpha - gained


def last_loss(
    law: str, parameters: Any, rates: Array, *, count_warmup: bool = False, stride: int = 1
) -> Array:
    """The loss after the last of the rates, in O(steps), differentiable in the rates.

    Each rate stands for ``stride`` steps.
    """
    step, drop, rate, before = every_change(jnp, rates, count_warmup=count_warmup)
    changes = Changes(step * stride, drop, rate, before * stride)
    at = Points(changes.step[-1:] + (stride - 1), jnp.sum(rates)[None] * stride)
    return losses(law, parameters, at, changes)[0]


def every_change(xp: Any, rates: Any, *, count_warmup: bool) -> Changes:
    """What happens to the rate at every step, in arrays of NumPy or of JAX.

    The rise of a warm-up counts as drops below zero only if ``count_warmup``; otherwise changes
    count from the first fall on.
    """
    drop = -xp.diff(rates, prepend=rates[:1])
    if not count_warmup:
        fallen = xp.cumsum((drop > 0).astype(drop.dtype)) > 0
        drop = xp.where(fallen, drop, 0.0)
    lowest = _LOWEST * xp.max(rates)
    before = xp.cumsum(rates) - rates
    steps = xp.arange(len(rates)).astype(rates.dtype)
    return Changes(steps, drop, xp.maximum(rates, lowest), before)


def few_changes(rates: np.ndarray, ends: np.ndarray, *, count_warmup: bool, parts: int) -> Changes:
    """The same, with neighbouring small changes of one sign taken together, for speed.

    Those between two of ``ends`` (the steps at which the loss is asked for) are merged until they
    come to the peak over ``parts``, each group at its middle.
    """
    every = every_change(np, rates, count_warmup=count_warmup)
    size = np.abs(every.drop)
    at = np.flatnonzero(size)
    if len(at) == 0:
        return Changes(np.zeros(1), np.zeros(1), np.full(1, np.max(rates)), np.zeros(1))
    climbed = np.floor(np.cumsum(size) * parts / np.max(rates))
    between = np.searchsorted(ends, every.step)
    key = np.stack([climbed[at], between[at], np.sign(every.drop[at])])
    first = np.flatnonzero(np.any(np.diff(key, axis=1, prepend=np.nan) != 0, axis=0))
    weight = np.add.reduceat(size[at], first)

    def middle(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values[at] * size[at], first) / weight

    drop = np.add.reduceat(every.drop[at], first)
    return Changes(middle(every.step), drop, middle(every.rate), middle(every.before))
