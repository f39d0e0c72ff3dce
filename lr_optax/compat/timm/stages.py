"""timm's warm-up, stable phase and decay."""

from collections.abc import Callable
from typing import Any

from jax.typing import ArrayLike

from lr_optax._core.arguments import Interval, Positive, Rate, Span
from lr_optax._core.schedule import Schedule
from lr_optax._core.signature import validated
from lr_optax._core.steps import is_number
from lr_optax.compat._shared import speaking_for
from lr_optax.compat.timm.cycles import lead, with_warmup
from lr_optax.compat.timm.formulas import Decay, Stable, timm_wsd


@validated
def WSDLRScheduler(
    base_lr: Rate,
    t_initial: Interval,
    decay_t: Interval,
    lr_min: Rate = 0.0,
    stable_fn: Stable = "constant",
    stable_timescale: Positive | None = None,
    stable_power: Positive = 0.5,
    decay_fn: Decay | Callable[[Any], ArrayLike] = "1-sqrt",
    decay_power: Positive = 0.5,
    decay_ratio: Positive = 0.1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
) -> Schedule:
    """Up, then a stable phase and a decay on top of it; see :func:`timm_wsd`.

    Args:
        base_lr: b, >= 0.
        t_initial: steps of the stable phase and the decay, > 0; the warm-up comes on top. Lengths
            may be fractions.
        decay_t: steps of the decay, > 0, at most ``t_initial``.
        lr_min: the last rate, >= 0.
        stable_fn: "constant", "rsqrt" or "power".
        stable_timescale: steps, > 0, of "rsqrt" and "power"; None for ``warmup_t``.
        stable_power: of "power", > 0.
        decay_fn: "linear", "1-sqrt", "cosine", "power", "exp", or a function of the decay's
            progress in [0, 1] written with ``jax.numpy``.
        decay_power: of "power", > 0.
        decay_ratio: of "exp", between 0 and 1.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0.
        warmup_lr_init: the rate at which it begins, >= 0.

    Returns:
        A :func:`timm_wsd`, behind a warm-up if there is one.

    Raises:
        ValueError: ``decay_t`` exceeds ``t_initial``.

    Example:
        >>> s = WSDLRScheduler(0.1, t_initial=96, decay_t=16, warmup_t=4)
        >>> print(s(0), s(2), s(4), s(84), s(88), s(100))
        0.0 0.05 0.1 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.WSDLRScheduler.
    """
    timescale = warmup_t if stable_timescale is None else stable_timescale
    if stable_fn == "constant":
        timescale = 1.0  # of nothing
    elif is_number(timescale) and timescale == 0:
        raise ValueError(
            "WSDLRScheduler: `stable_timescale` must be given if there is no warm-up, which it is "
            "otherwise"
        )
    with speaking_for("WSDLRScheduler", timm_wsd):
        stages = timm_wsd(
            base_lr,
            t_initial=t_initial,
            decay_t=decay_t,
            lr_min=lr_min,
            stable_fn=stable_fn,
            stable_timescale=timescale,
            stable_power=stable_power,
            decay_fn=decay_fn,
            decay_power=decay_power,
            decay_ratio=decay_ratio,
            ahead=lead(warmup_t, prefix=True),
        )
    return with_warmup(stages, base_lr, warmup_t, warmup_lr_init, prefix=True)
