"""How a decay falls from 1 to 0.

A shape takes what is left and what is gone of a phase, two numbers in [0, 1] that add up to 1, and
returns how much of the start value is left and how much of the end value has come. Both are
computed, since ``1 - x`` loses the digits of the smaller one: a polynomial rise from zero would
otherwise begin with noise. :func:`lr_optax._numerics.blend` puts the two values in.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

Weights = tuple[Array, Array]


def linear(left: Array, gone: Array) -> Weights:
    """A straight line."""
    return left, gone


def cosine(left: Array, gone: Array) -> Weights:
    """Half a cosine, ½(1 + cos πx), as a squared sine: the cosine form rounds its tail to 0."""
    return jnp.sin(left * (np.pi / 2)) ** 2, jnp.sin(gone * (np.pi / 2)) ** 2


def power(weights: Weights, exponent: ArrayLike) -> Weights:
    """Another shape raised to a power > 0."""
    falling, risen = weights
    if isinstance(exponent, int | float) and exponent == 1:
        return weights
    inside = falling > 0
    base = jnp.where(inside, falling, 1)
    early = risen < 0.5
    log = jnp.where(early, jnp.log1p(-jnp.where(early, risen, 0)), jnp.log(base))
    return (
        jnp.where(inside, base**exponent, 0),
        jnp.where(inside, -jnp.expm1(exponent * log), 1),
    )
