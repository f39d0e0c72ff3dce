"""Powers that are accurate however large the exponent is.

A float32 has 24 binary places, and a step up to 31: a product of the two has lost the digits that
decide. So exponents that are known when the program is built are taken in double precision, and
multiplied with the step in integers.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from lr_optax._core.clock import _is_whole, as_float, default_float, is_number


def geometric(rate: ArrayLike, n: Array, d: ArrayLike = 1) -> Array:
    """``rate ** (n / d)`` for n >= 0, accurate however large n is; growth saturates.

    A float32 ``log(rate)`` is off by 1e-7, which n multiplies. If ``rate`` and ``d`` are Python
    numbers, the exponent is one of two, ``n * log2(rate) / d``: its fraction comes from integer
    arithmetic that wraps around, so no digit is lost for any n.
    """
    if is_number(rate) and is_number(d):
        return _exp2(n, math.log2(rate) / max(d, 1))
    rate, exponent = as_float(rate), as_float(n) / jnp.maximum(as_float(d), 1)
    positive = rate > 0
    power = _exp(exponent * jnp.log(jnp.where(positive, rate, 1)))
    return jnp.where(positive, power, jnp.where(exponent <= 0, 1.0, 0.0))


def exponential(rate: ArrayLike, n: Array, d: ArrayLike = 1) -> Array:
    """``exp(rate * n / d)`` for n >= 0, accurate however large n is, as :func:`geometric`."""
    if is_number(rate) and is_number(d):
        return _exp2(n, rate / math.log(2) / max(d, 1))
    return _exp(as_float(rate) * as_float(n) / jnp.maximum(as_float(d), 1))


def _exp(exponent: Array) -> Array:
    """``exp``, level where it is so large that its slope, up to 2³¹ times it, would overflow."""
    # 2³² leaves room for that slope, whatever the step.
    return jnp.exp(jnp.minimum(exponent, math.log(_largest()) - 32 * math.log(2)))


def finite(rate: Array) -> Array:
    """A rate that overflowed, at the largest number instead: infinity times 0 would be NaN."""
    # Cheaper than clip, in which a NaN has to be looked for.
    bounded = jnp.where(rate == jnp.inf, _largest(), rate)
    return jnp.where(rate == -jnp.inf, -_largest(), bounded)


def _largest() -> float:
    return float(jnp.finfo(default_float()).max)


def nearest_turn(turns: ArrayLike) -> ArrayLike:
    """What a number of turns leaves to whole ones, in [-½, ½]."""
    return turns - jnp.round(turns)


def _exp2(n: Array, doublings: float) -> Array:
    """``2 ** (n * doublings)``, with ``doublings`` in double precision.

    The exponent is split into a whole and a fractional part. The fraction of ``doublings`` is cut
    into 2⁻³² and a rest. Counted in 2⁻³², the product is one of integers modulo 2³², whose overflow
    is the whole part: it is exact for every n, where a float32 has lost the fraction by n = 2²⁴.
    What the rest adds is below ½. The whole part is then the rounded difference to a coarse
    product: that one is off by less than a half as long as the power is not 0 or infinity in
    float32.
    """
    if not _is_whole(n) or default_float() == np.float64:
        return jnp.exp2(jnp.minimum(as_float(n) * doublings, math.log2(_largest()) - 1))
    size, sign = abs(doublings), math.copysign(1.0, doublings)
    high, low = divmod(size % 1 * 2**32, 1)
    wrapped = n.astype(jnp.uint32) * np.uint32(high)
    fraction = as_float(wrapped) * 2.0**-32 + as_float(n) * (low * 2.0**-32)
    whole = jnp.round(jnp.minimum(as_float(n) * size, 512.0) - fraction)
    exponent = (sign * whole).astype(jnp.int32)
    # 2^whole is built from its bits, since exp2 of a whole number is not exact, and a staircase
    # of halves should be one. Below the exponents of normal numbers it is 0.
    power = lax.bitcast_convert_type((exponent.clip(-126, 127) + 127) << 23, jnp.float32)
    power = jnp.exp2(sign * fraction) * jnp.where(exponent < -126, 0.0, power)
    return jnp.minimum(power, _largest()) if sign > 0 else power  # infinity times 0 would be NaN
