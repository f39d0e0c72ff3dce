"""timm's warm-up, stable phase and decay."""

from collections.abc import Callable
from typing import Any, Literal, cast, get_args

import jax.numpy as jnp
from jax.typing import ArrayLike

from lr_optax._core.arguments import Period, Positive, Rate, Steps, exceeds
from lr_optax._core.schedule import Schedule
from lr_optax._core.signature import validated
from lr_optax._core.steps import as_step, is_number, progress
from lr_optax.compat.timm.cycles import with_warmup
from lr_optax.compat.timm.formulas import timm_exp_decay
from lr_optax.schedules.anytime import inverse_power_decay
from lr_optax.schedules.combine import add, clip, join, product, scale
from lr_optax.schedules.decay import k_decay, shaped_decay
from lr_optax.schedules.inner import from_function
from lr_optax.schedules.steps import constant

Decay = Literal["linear", "1-sqrt", "cosine", "power", "exp"]


@validated
def WSDLRScheduler(
    base_lr: Rate,
    t_initial: Period,
    decay_t: Period,
    lr_min: Rate = 0.0,
    stable_fn: Literal["constant", "rsqrt", "power"] = "constant",
    stable_timescale: Period | None = None,
    stable_power: Positive = 0.5,
    decay_fn: Decay | Callable[[Any], ArrayLike] = "1-sqrt",
    decay_power: Positive = 0.5,
    decay_ratio: Positive = 0.1,
    warmup_t: Steps = 0,
    warmup_lr_init: Rate = 0.0,
) -> Schedule:
    """Up, a stable phase S, and a decay f on top of it: η_min + (S(t) − η_min)·f(x).

    S is b, or max(b·(1 + t/τ)^−p, η_min), with t counted from the end of the warm-up; x goes from
    0 to 1 in the last ``decay_t`` steps. From then on the rate is η_min.

    Args:
        base_lr: b, >= 0.
        t_initial: steps of the stable phase and the decay, >= 1; the warm-up comes on top.
        decay_t: steps of the decay, from 1 to ``t_initial``.
        lr_min: η_min, >= 0.
        stable_fn: "constant", "rsqrt", which is p = ½, or "power".
        stable_timescale: τ, steps, >= 1; None for ``warmup_t``.
        stable_power: p > 0, of "power".
        decay_fn: f, which is 1 − x for "linear", 1 − √x for "1-sqrt", ½(1 + cos πx) for "cosine",
            1 − x^q for "power", (r^x − r)/(1 − r) for "exp", or a function of x written with
            ``jax.numpy``.
        decay_power: q > 0, of "power".
        decay_ratio: r, between 0 and 1, of "exp".
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0.
        warmup_lr_init: the rate at which it begins, >= 0.

    Returns:
        A composition of :func:`lr_optax.join` and others.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or ``decay_t`` exceeds ``t_initial``.

    Example:
        >>> s = WSDLRScheduler(0.1, t_initial=96, decay_t=16, warmup_t=4)
        >>> print(s(0), s(2), s(4), s(84), s(88), s(100))
        0.0 0.05 0.1 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.WSDLRScheduler.
    """
    if exceeds(decay_t, t_initial):
        raise ValueError(
            f"WSDLRScheduler: `decay_t` must not exceed `t_initial`, got {decay_t} > {t_initial}"
        )
    if is_number(decay_ratio) and not decay_ratio < 1:
        raise ValueError(f"WSDLRScheduler: `decay_ratio` must be below 1, got {decay_ratio}")
    if stable_fn == "constant":
        stable = constant(base_lr)
    else:
        power = 0.5 if stable_fn == "rsqrt" else stable_power
        timescale = _timescale(stable_timescale, warmup_t)
        stable = inverse_power_decay(base_lr, power=power, timescale=timescale)

    def weight(start: float, end: float) -> Schedule:
        decay = _decay(decay_fn, start, end, decay_t, decay_power, decay_ratio)
        return join((constant(start), decay), boundaries=(cast(Any, t_initial) - decay_t,))

    falling = product((clip(stable, min_value=lr_min), weight(1.0, 0.0)))
    if not (is_number(lr_min) and lr_min == 0):
        falling = add((falling, scale(weight(0.0, 1.0), factor=lr_min)))
    return with_warmup(falling, base_lr, warmup_t, warmup_lr_init, prefix=True)


def _timescale(timescale: Any, warmup_t: Any) -> Any:
    timescale = warmup_t if timescale is None else timescale
    if is_number(timescale) and timescale == 0:
        raise ValueError(
            "WSDLRScheduler: `stable_timescale` must be given if there is no warm-up, which it is "
            "otherwise"
        )
    return timescale


def _decay(
    decay_fn: Decay | Callable[[Any], ArrayLike],
    start: float,
    end: float,
    steps: Any,
    power: Any,
    ratio: Any,
) -> Schedule:
    if callable(decay_fn):
        return from_function(lambda t: start + (end - start) * (1 - decay_fn(_gone(t, steps))))
    if decay_fn == "power":
        return k_decay(start, decay_steps=steps, end_value=end, k=power, shape="linear")
    if decay_fn == "exp":
        return timm_exp_decay(start, decay_steps=steps, end_value=end, decay_ratio=ratio)
    if decay_fn not in get_args(Decay):
        names = ", ".join(map(repr, get_args(Decay)))
        raise ValueError(
            f"WSDLRScheduler: `decay_fn` must be {names} or a function, got {decay_fn!r}"
        )
    return shaped_decay(start, decay_steps=steps, end_value=end, shape=decay_fn)


def _gone(step: Any, steps: Any) -> Any:
    return jnp.asarray(progress(as_step(step), steps)[1])
