"""How a decay falls from 1 to 0.

A shape takes what is left and what is gone of a phase, two numbers in [0, 1] that add up to 1, and
returns how much of the start value is left and how much of the end value has come. Both are
computed, since ``1 - x`` loses the digits of the smaller one: a polynomial rise from zero would
otherwise begin with noise. :func:`between` puts the two values in, under a shape's name.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.arguments import is_known
from lr_optax._core.steps import as_float, blend, is_number

Weights = tuple[Array, Array]


def linear(left: Array, gone: Array) -> Weights:
    """A straight line."""
    return left, gone


def cosine(left: Array, gone: Array) -> Weights:
    """Half a cosine, ½(1 + cos πx), as a squared sine: the cosine form rounds its tail to 0."""
    return jnp.sin(left * (np.pi / 2)) ** 2, jnp.sin(gone * (np.pi / 2)) ** 2


def mirror_cosine(left: Array, gone: Array) -> Weights:
    """Half a cosine mirrored at the straight line, 2(1 − x) − ½(1 + cos πx)."""
    falling, risen = cosine(left, gone)
    return 2 * left - falling, 2 * gone - risen


def one_minus_sqrt(left: Array, gone: Array) -> Weights:
    """1 − √x: steep at first, then slow."""
    begun = gone > 0
    root = jnp.where(begun, jnp.sqrt(jnp.where(begun, gone, 1)), 0)
    return left / (1 + root), root


def square(left: Array, gone: Array) -> Weights:
    """1 − x²: slow at first, then steep."""
    return left * (1 + gone), gone**2


def sqrt_cube(left: Array, gone: Array) -> Weights:
    """(1 − x)^1.5."""
    return power((left, gone), 1.5)


def rex(left: Array, gone: Array) -> Weights:
    """(1 − x)/(1 − x/2): a reflected exponential, late and steep."""
    return shares(left, gone / 2)


def tanh(left: Array, gone: Array, lower: ArrayLike, upper: ArrayLike) -> Weights:
    """The part of a falling tanh from ``lower`` < 0 to ``upper`` > 0, stretched to end at 0."""
    lower, upper = as_float(lower), as_float(upper)
    # Of hardly any width a tanh is a line, but for a share of the width's square.
    bent = upper - lower > 1e-4
    lower, upper = jnp.where(bent, lower, -1), jnp.where(bent, upper, 1)
    x, width = lower * left + upper * gone, upper - lower
    # tanh(u) - tanh(x) as a quotient of exponentials, in which nothing cancels.
    falling = jnp.expm1(-2 * width * left) / jnp.expm1(-2 * width)
    risen = jnp.expm1(-2 * width * gone) / jnp.expm1(-2 * width)
    falling = falling * (1 + jnp.exp(2 * lower)) / (1 + jnp.exp(2 * x))
    risen = risen * (1 + jnp.exp(-2 * upper)) / (1 + jnp.exp(-2 * x))
    falling, risen = jnp.where(bent, falling, left), jnp.where(bent, risen, gone)
    return jnp.where(gone > 0, falling, 1), jnp.where(left > 0, risen, 1)


def hyperbolic(left: Array, gone: Array, share: ArrayLike) -> Weights:
    """The first ``share`` of a hyperbola that would reach 0 at its end, if it went on to there.

    With f(x) = √((1 − x)(1 + x)) taken at the end of the share, 1 − f(0) + f(x).
    """
    rest = 1 - as_float(share)
    whole = share * (share + 2 * rest)
    now = (share * left) * (share * left + 2 * rest)
    positive = now > 0
    height = jnp.where(positive, jnp.sqrt(jnp.where(positive, now, 1)), 0)
    top = jnp.sqrt(jnp.where(whole > 0, whole, 1))
    reached = as_float(share) * gone
    drop = reached * (2 - reached) / (top + height)
    return jnp.where(gone > 0, rest**2 / (1 + top) + height, 1), drop


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


def delayed(weights: Weights, exponent: ArrayLike) -> Weights:
    """Progress x replaced by x^k: k > 1 keeps the start value for longer."""
    left, gone = weights
    gone, left = power((gone, left), exponent)
    return left, gone


def shares(falling: Array, risen: Array) -> Weights:
    """Two numbers >= 0 over their sum."""
    total = falling + risen
    total = jnp.where(total > 0, total, 1)
    return falling / total, risen / total


Shape = Literal[
    "linear",
    "cosine",
    "mirror_cosine",
    "1-sqrt",
    "square",
    "sqrt_cube",
    "rex",
    "exponential",
    "inverse",
]
"""The name of a shape. "exponential" and "inverse" take both values to be positive."""

SHAPES: dict[str, Callable[[Array, Array], Weights]] = {
    "linear": linear,
    "cosine": cosine,
    "mirror_cosine": mirror_cosine,
    "1-sqrt": one_minus_sqrt,
    "square": square,
    "sqrt_cube": sqrt_cube,
    "rex": rex,
}
"""The shapes that do not depend on the values they lead from and to."""


def check_ends(shape: Shape, **values: Any) -> None:
    """Raise ``ValueError`` if a shape's mean needs values > 0 and one is known not to be."""
    for name, value in values.items() if shape in ("exponential", "inverse") else ():
        if is_known(value) and np.any(np.asarray(value) <= 0):
            raise ValueError(f"`{name}` must be > 0 with the shape {shape!r}, got {value}")


def between(
    shape: Shape, weights: Weights, init_value: ArrayLike, end_value: ArrayLike
) -> ArrayLike:
    """From one value to another: a weighted mean, of which there are three kinds.

    "exponential" is the geometric mean, η₀^(1−x)·η₁^x, and "inverse" the harmonic one,
    1/((1 − x)/η₀ + x/η₁); all other shapes bend the weights of the arithmetic mean.
    """
    if shape == "exponential":
        return _geometric_mean(weights, init_value, end_value)
    if shape == "inverse":
        left, gone = weights
        return blend(shares(left * end_value, gone * init_value), init_value, end_value)
    return blend(SHAPES[shape](*weights), init_value, end_value)


def _geometric_mean(weights: Weights, init_value: ArrayLike, end_value: ArrayLike) -> Array:
    left, gone = weights
    if is_number(init_value) and is_number(end_value) and min(init_value, end_value) > 0:
        log = math.log(end_value / init_value)
    else:
        init_value, end_value = as_float(init_value), as_float(end_value)
        positive = (init_value > 0) & (end_value > 0)
        log = jnp.log(jnp.where(positive, end_value, 1) / jnp.where(positive, init_value, 1))
    # From the nearer end, since the error of exp grows with its argument.
    early = left > 0.5
    exponent = jnp.where(early, gone, -left) * log
    return jnp.where(early, init_value, end_value) * jnp.exp(exponent)
