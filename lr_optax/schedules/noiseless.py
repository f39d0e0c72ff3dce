"""Step sizes for gradient descent without noise, on smooth convex problems."""

import math
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import Number, Positive, Rate, Rule
from lr_optax._core.rules import at_most
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import Progress, as_float, blend, geometric

_SILVER = 1 + math.sqrt(2)


@schedule
def silver(step: Array, scale: Rate) -> ArrayLike:
    """Silver step sizes: η(t) = c·(1 + ρ^(ν−1)), ρ = 1 + √2, 2^ν the power of 2 in t + 1.

    Args:
        scale: c, one over the Lipschitz constant of the gradient, >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on for ever; longer steps come ever more rarely.

    Example:
        >>> s = silver(1.0)
        >>> print(s(0), s(1), s(2), s(3))
        1.4142135 2.0 1.4142135 3.4142137

    When to use it:
        For gradient descent without noise on a smooth convex problem, stopped after 2^k − 1
        steps; it gets there faster than with any constant rate. Not for stochastic gradients.

    Reference:
        J. M. Altschuler, P. A. Parrilo, "Acceleration by Stepsize Hedging I: Multi-Step Descent
        and the Silver Stepsize Schedule", 2023, arXiv:2309.07879.
    """
    count = jnp.minimum(step, 2**31 - 2).astype(int) + 1
    twos = lax.population_count((count & -count) - 1)
    return scale * (1 + geometric(_SILVER, twos) / _SILVER)


Doublings = Annotated[
    Number, Rule("a whole number from 0 to 30", lambda x: np.isin(x, range(31)), whole=True)
]


@schedule(check=at_most("min_curvature", "max_curvature"))
def chebyshev(
    step: Array, min_curvature: Positive, *, max_curvature: Positive, doublings: Doublings
) -> ArrayLike:
    """Chebyshev steps in fractal order: η(t) = 1/(½(M + m) − ½(M − m)·cos(π(σ_t + ½)/T)), T = 2^k.

    Args:
        min_curvature: m > 0, the smallest curvature of the problem.
        max_curvature: M >= m, the largest; rates lie between 1/M and 1/m.
        doublings: k in [0, 30]; T = 2^k steps use every rate once, then they begin again. σ is
            the order in which long steps are followed by short ones that make up for them.

    Returns:
        A :class:`~lr_optax.Schedule`, of period 2^k.

    Raises:
        ValueError: ``min_curvature`` exceeds
            ``max_curvature``.

    Example:
        >>> s = chebyshev(1.0, max_curvature=3.0, doublings=1)
        >>> print(s(0), s(1), s(2))
        0.7734591 0.3693981 0.7734591

    When to use it:
        For gradient descent without noise on a quadratic, or nearly so, whose extreme curvatures
        are known; as fast as momentum. Single steps may raise the loss. Not for stochastic
        gradients.

    Reference:
        N. Agarwal, S. Goel, C. Zhang, "Acceleration via Fractal Learning Rate Schedules", 2021,
        arXiv:2103.01338.
    """
    size = jnp.asarray(doublings).astype(jnp.uint32)
    place, total = as_float(_fractal(step, size)), jnp.ldexp(as_float(1), size.astype(jnp.int32))
    left, gone = (total - place - 0.5) / total, (place + 0.5) / total
    curvature = as_float(blend(shapes.cosine(Progress(left, gone)), min_curvature, max_curvature))
    return jnp.where(curvature > 0, 1 / jnp.where(curvature > 0, curvature, 1), 0)


def _fractal(step: Array, size: Array) -> Array:
    """The place of a step in the order that interleaves each half with its mirror image.

    σ_1 = (0) and σ_2T = (σ_T(0), 2T − 1 − σ_T(0), σ_T(1), ...): in bits, the sums modulo 2 of the
    step's lowest bits, read backwards.
    """
    bits = step.astype(jnp.uint32)
    for shift in (1, 2, 4, 8, 16):
        bits = bits ^ (bits << shift)
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        bits = ((bits >> shift) & np.uint32(mask)) | ((bits & np.uint32(mask)) << shift)
    bits = (bits >> 16) | (bits << 16)
    return jnp.where(size > 0, bits >> (32 - jnp.maximum(size, 1)), 0)
