"""How a decay falls from 1 to 0.

A shape takes the progress of a phase and returns that of the rate: how much of the start value is
left and how much of the end value has come. Both are computed, each without a difference to 1: a
polynomial rise from zero would otherwise begin with noise, and a decay end with it.
:func:`between` puts the two values in, under a shape's name.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from lr_optax._core.clock import Progress, as_float, blend, is_number, safe_sqrt
from lr_optax._core.hyperparameters import CrossRule, is_known


def linear(x: Progress) -> Progress:
    """A straight line."""
    return x


def cosine(x: Progress) -> Progress:
    """Half a cosine, ½(1 + cos πx), as a squared sine: the cosine form rounds its tail to 0."""
    return Progress(_squared_sine(x.left), _squared_sine(x.gone))


def _squared_sine(x: Array) -> Array:
    """sin²(πx/2) for x in [0, 1], exactly 0 and 1 at the ends.

    In float32 as y + y·(1 − y)·p(y), y = x², where the sines of XLA, for angles of any size, take
    ten times as long. p is the Chebyshev fit of degree 5, off by 1e-9.
    """
    if x.dtype != np.float32:
        return jnp.sin(x * (np.pi / 2)) ** 2
    y = x**2
    p = -4.434927576882668e-05 * y + 0.0009080610143079687
    for coefficient in (-0.011985559382708517, 0.10567564383978122, -0.5619548964382034):
        p = p * y + coefficient
    return y + y * (1 - y) * (p * y + 1.4674010993491826)


def mirror_cosine(x: Progress) -> Progress:
    """Half a cosine mirrored at the straight line, 2(1 − x) − ½(1 + cos πx)."""
    mirrored = cosine(x)
    return Progress(2 * x.left - mirrored.left, 2 * x.gone - mirrored.gone)


def one_minus_sqrt(x: Progress) -> Progress:
    """1 − √x: steep at first, then slow."""
    root = safe_sqrt(x.gone)
    return Progress(x.left / (1 + root), root)


def square(x: Progress) -> Progress:
    """1 − x²: slow at first, then steep."""
    return Progress(x.left * (1 + x.gone), x.gone**2)


def sqrt_cube(x: Progress) -> Progress:
    """(1 − x)^1.5."""
    return power(x, 1.5)


def rex(x: Progress) -> Progress:
    """(1 − x)/(1 − x/2): a reflected exponential, late and steep."""
    return shares(x.left, x.gone / 2)


def tanh(x: Progress, lower: ArrayLike, upper: ArrayLike) -> Progress:
    """The part of a falling tanh from ``lower`` < 0 to ``upper`` > 0, stretched to end at 0."""
    lower, upper = as_float(lower), as_float(upper)
    # A tanh this narrow is a line, to within a share of the width's square: 1e-8, below what a
    # float32 can show.
    bent = upper - lower > 1e-4
    lower, upper = jnp.where(bent, lower, -1), jnp.where(bent, upper, 1)
    at, width = lower * x.left + upper * x.gone, upper - lower
    # tanh(u) - tanh(x) as a quotient of exponentials, in which nothing cancels.
    falling = jnp.expm1(-2 * width * x.left) / jnp.expm1(-2 * width)
    risen = jnp.expm1(-2 * width * x.gone) / jnp.expm1(-2 * width)
    falling = falling * (1 + jnp.exp(2 * lower)) / (1 + jnp.exp(2 * at))
    risen = risen * (1 + jnp.exp(-2 * upper)) / (1 + jnp.exp(-2 * at))
    falling, risen = jnp.where(bent, falling, x.left), jnp.where(bent, risen, x.gone)
    return Progress(jnp.where(x.gone > 0, falling, 1), jnp.where(x.left > 0, risen, 1))


def hyperbolic(x: Progress, share: ArrayLike) -> Progress:
    """The first ``share`` of a hyperbola that would reach 0 at its end, if it went on to there.

    With f(x) = √((1 − x)(1 + x)) taken at the end of the share, 1 − f(0) + f(x).
    """
    beyond = 1 - as_float(share)
    square = share * (share + 2 * beyond)
    height = safe_sqrt((share * x.left) * (share * x.left + 2 * beyond))
    top = safe_sqrt(square)
    reached, total = as_float(share) * x.gone, top + height
    drop = reached * (2 - reached) / jnp.where(total > 0, total, 1)
    return Progress(jnp.where(x.gone > 0, beyond**2 / (1 + top) + height, 1), drop)


def power(x: Progress, exponent: ArrayLike) -> Progress:
    """Another shape raised to a power > 0."""
    if is_number(exponent) and exponent == 1:
        return x
    inside = x.left > 0
    base = jnp.where(inside, x.left, 1)
    early = x.gone < 0.5
    log = jnp.where(early, jnp.log1p(-jnp.where(early, x.gone, 0)), jnp.log(base))
    return Progress(
        jnp.where(inside, raised(base, exponent), 0),
        jnp.where(inside, -jnp.expm1(exponent * log), 1),
    )


def raised(base: Array, exponent: ArrayLike) -> Array:
    """``base ** exponent`` for a base > 0: products and roots to the nearest quarter, then exp.

    A general power costs several times as much, and what is left for exp is so small that the
    error of the logarithm does not grow.
    """
    if not is_number(exponent) or not 0 < exponent < 16:
        return base**exponent
    products, quarters = divmod(round(4 * exponent), 4)
    remainder = exponent - (products + quarters / 4)
    root = jnp.sqrt(base)
    factors = {0: 1.0, 1: jnp.sqrt(root), 2: root, 3: root * jnp.sqrt(root)}
    power = base**products * factors[quarters]
    return power * jnp.exp(remainder * jnp.log(base)) if remainder else power


def delayed(x: Progress, exponent: ArrayLike) -> Progress:
    """Progress x replaced by x^k: k > 1 keeps the start value for longer."""
    gone, left = power(Progress(x.gone, x.left), exponent)
    return Progress(left, gone)


def shares(left: Any, gone: Any) -> Progress:
    """Two numbers >= 0 over their sum; (0, 1) if both are 0."""
    total = left + gone
    positive = total > 0
    total = jnp.where(positive, total, 1)
    return Progress(left / total, jnp.where(positive, gone / total, 1))


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

SHAPES: dict[str, Callable[[Progress], Progress]] = {
    "linear": linear,
    "cosine": cosine,
    "mirror_cosine": mirror_cosine,
    "1-sqrt": one_minus_sqrt,
    "square": square,
    "sqrt_cube": sqrt_cube,
    "rex": rex,
}
"""The shapes that do not depend on the values they lead from and to."""


def positive_ends(*names: str) -> CrossRule:
    """What a ``shape`` leads from or to must be > 0 if its mean is one of positive values."""

    def check(**values: Any) -> None:
        for name in names if values["shape"] in ("exponential", "inverse") else ():
            if is_known(values[name]) and np.any(np.asarray(values[name]) <= 0):
                raise ValueError(
                    f"`{name}` must be > 0 with the shape {values['shape']!r}, got {values[name]}"
                )

    return check


def between(shape: Shape, x: Progress, init_value: ArrayLike, end_value: ArrayLike) -> ArrayLike:
    """From one value to another: a weighted mean, of which there are three kinds.

    "exponential" is the geometric mean, η₀^(1−x)·η₁^x, and "inverse" the harmonic one,
    1/((1 − x)/η₀ + x/η₁); all other shapes bend the weights of the arithmetic mean.
    """
    if shape == "exponential":
        return _geometric_mean(x, init_value, end_value)
    if shape == "inverse":
        if is_number(init_value) and is_number(end_value):
            low, high = init_value, end_value
        else:  # relative to the larger one, since the square of a tiny rate is 0
            top = lax.stop_gradient(jnp.maximum(as_float(init_value), end_value))
            top = jnp.where(top > 0, top, 1)
            low, high = init_value / top, end_value / top
        return blend(shares(x.left * high, x.gone * low), init_value, end_value)
    return blend(SHAPES[shape](x), init_value, end_value)


def _geometric_mean(x: Progress, init_value: ArrayLike, end_value: ArrayLike) -> Array:
    if is_number(init_value) and is_number(end_value) and min(init_value, end_value) > 0:
        log = math.log(end_value / init_value)
    else:
        init_value, end_value = as_float(init_value), as_float(end_value)
        positive = (init_value > 0) & (end_value > 0)
        log = _log_ratio(jnp.where(positive, end_value, 1), jnp.where(positive, init_value, 1))
    # From the nearer end, since the error of exp grows with its argument.
    early = x.left > 0.5
    exponent = jnp.where(early, x.gone, -x.left) * log
    return jnp.where(early, init_value, end_value) * jnp.exp(exponent)


@jax.custom_jvp
def _log_ratio(a: Array, b: Array) -> Array:
    """The logarithm of a quotient of positive numbers, which is finite, as is its slope."""
    # Of two roots, which do not overflow; the difference of two logarithms has fewer digits.
    return 2 * jnp.log(jnp.sqrt(a) / jnp.sqrt(b))


@_log_ratio.defjvp
def _log_ratio_slope(values: tuple[Array, ...], slopes: tuple[Array, ...]) -> tuple[Array, Array]:
    # The quotient's own slope has a square in it, which is 0 below 1e-19.
    (a, b), (a_slope, b_slope) = values, slopes
    return _log_ratio(a, b), a_slope / a - b_slope / b
