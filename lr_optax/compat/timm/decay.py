"""timm's schedulers that drop."""

import math
from typing import Any, Literal

import jax.numpy as jnp
import optax

from lr_optax._core.arguments import (
    Count,
    Interval,
    Moments,
    NonNegative,
    Positive,
    Rate,
    Shrinking,
    Span,
)
from lr_optax._core.schedule import Schedule
from lr_optax._core.signature import validated
from lr_optax._core.steps import at_least, is_number
from lr_optax.compat.timm.cycles import lead, with_warmup
from lr_optax.compat.timm.formulas import timm_step
from lr_optax.compat.torch import ReduceLROnPlateau
from lr_optax.feedback.policy import real, whole
from lr_optax.schedules.steps import multistep_decay, step_decay


@validated
def StepLRScheduler(
    base_lr: Rate,
    decay_t: Interval,
    decay_rate: Positive = 1.0,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = True,
) -> Schedule:
    """A drop every so many steps: b·r^⌊t/T⌋.

    Args:
        base_lr: b, >= 0.
        decay_t: T, steps between drops, > 0; may be a fraction, such as EfficientNet's 2.4 epochs.
        decay_rate: r, the factor at each drop, > 0.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0; may be a fraction.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether t counts from the end of the warm-up, or from step 0.

    Returns:
        A :func:`lr_optax.step_decay`, or for a fraction a :func:`timm_step`, behind a warm-up if
        there is one.

    Example:
        >>> s = StepLRScheduler(0.1, decay_t=10, decay_rate=0.5, warmup_t=4)
        >>> print(s(0), s(2), s(4), s(14))
        0.0 0.05 0.1 0.05

    Reference:
        timm 1.0.31, timm.scheduler.StepLRScheduler.
    """
    if isinstance(decay_t, float):
        ahead = lead(warmup_t, prefix=warmup_prefix)
        drops = timm_step(base_lr, decay_t=decay_t, decay_rate=decay_rate, ahead=ahead)
    else:
        # Between whole steps nothing depends on how far on the clock is.
        drops = step_decay(base_lr, decay_rate=decay_rate, decay_steps=decay_t)
    return with_warmup(drops, base_lr, warmup_t, warmup_lr_init, prefix=warmup_prefix)


@validated
def MultiStepLRScheduler(
    base_lr: Rate,
    decay_t: Moments,
    decay_rate: Positive = 1.0,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = True,
) -> Schedule:
    """A drop a step before each milestone: b·r^(number of milestones <= t + 1).

    Args:
        base_lr: b, >= 0.
        decay_t: the milestones, ascending, maybe fractions; the new rate holds from a step before
            each.
        decay_rate: r, the factor at each, > 0.
        warmup_t: steps of the warm-up, a straight line to ``base_lr``, >= 0; may be a fraction.
        warmup_lr_init: the rate at which it begins, >= 0.
        warmup_prefix: whether t counts from the end of the warm-up, or from step 0.

    Returns:
        A :func:`lr_optax.multistep_decay`, behind a warm-up if there is one.

    Example:
        >>> s = MultiStepLRScheduler(0.1, decay_t=[10, 20], decay_rate=0.5)
        >>> print(s(8), s(9), s(18), s(19))
        0.1 0.05 0.05 0.025

    Reference:
        timm 1.0.31, timm.scheduler.MultiStepLRScheduler.
    """
    ahead = lead(warmup_t, prefix=warmup_prefix)
    early: Any = decay_t
    if isinstance(early, tuple):
        early = tuple(_from(m - 1 - ahead) for m in early)
    else:
        early = _from(early - 1)
    drops = multistep_decay(base_lr, decay_rate=decay_rate, boundaries=early)
    return with_warmup(drops, base_lr, warmup_t, warmup_lr_init, prefix=warmup_prefix)


def _from(time: Any) -> Any:
    """The first step not before a time."""
    return at_least(math.ceil(time) if is_number(time) else time, 0)


@validated
def PlateauLRScheduler(
    base_lr: Positive,
    decay_rate: Shrinking = 0.1,
    patience_t: Count = 10,
    threshold: NonNegative = 1e-4,
    cooldown_t: Count = 0,
    warmup_t: Count = 0,
    warmup_lr_init: Rate = 0.0,
    lr_min: Rate = 0.0,
    mode: Literal["min", "max"] = "max",
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    The rate is ``base_lr`` times the transform's ``scale``: ``optax.chain(optax.sgd(base_lr), tx)``
    updated, or :func:`lr_optax.observe` called, with the metric once an epoch. The first
    ``warmup_t`` metrics are not looked at: each takes the rate a step of the warm-up further.

    Args:
        base_lr: the optimizer's rate, > 0; ``lr_min`` is relative to it here.
        decay_rate: what the rate is multiplied by, between 0 and 1.
        patience_t: how many bad checks in a row are tolerated, >= 0.
        threshold: the smallest improvement that counts, relative to the best metric, >= 0.
        cooldown_t: how many checks after a cut are never bad, >= 0.
        warmup_t: checks of the warm-up, a straight line to ``base_lr``, >= 0; whole.
        warmup_lr_init: the rate at which it begins, >= 0.
        lr_min: the smallest rate, >= 0.
        mode: whether the metric should fall, "min", or rise, "max".

    Returns:
        A :func:`lr_optax.reduce_on_plateau`.

    Example:
        >>> tx = PlateauLRScheduler(0.1, 0.5, patience_t=0, warmup_t=2)
        >>> state = tx.init(None)
        >>> for accuracy in (0.5, 0.6, 0.7, 0.7):
        ...     _, state = tx.update(None, state, value=accuracy)
        ...     print(0.1 * state.scale)
        0.05
        0.1
        0.1
        0.05

    Reference:
        timm 1.0.31, timm.scheduler.PlateauLRScheduler.
    """
    tx = ReduceLROnPlateau(
        base_lr,
        mode=mode,
        factor=decay_rate,
        patience=patience_t,
        threshold=threshold,
        cooldown=cooldown_t,
        min_lr=lr_min,
    )

    def init(params: optax.Params) -> Any:
        state: Any = tx.init(params)
        warms = jnp.asarray(warmup_t) > 0
        return state._replace(
            scale=real(jnp.where(warms, warmup_lr_init / base_lr, 1)),
            bad_checks=whole(jnp.where(warms, -1 - warmup_t, 0)),
        )

    return tx._replace(init=init)
