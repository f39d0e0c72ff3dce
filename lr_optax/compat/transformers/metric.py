"""What Transformers schedules by a metric: transforms, no schedules."""

from typing import Any, Literal

import optax

from lr_optax._parameters import validated
from lr_optax.compat._shared import at_least, at_most
from lr_optax.compat.torch import ReduceLROnPlateau
from lr_optax.feedback import greedy
from lr_optax.hyperparameters import Count, Factor, Period, Rate, Shrinking


def get_reduce_on_plateau_schedule(
    base_lr: Any, **kwargs: Any
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    Args:
        base_lr: the optimizer's rate, > 0.
        kwargs: as for :func:`lr_optax.compat.torch.ReduceLROnPlateau`.

    Returns:
        A :func:`lr_optax.reduce_on_plateau`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> tx = get_reduce_on_plateau_schedule(0.1, patience=2)

    Reference:
        Transformers 5.23, get_scheduler("reduce_lr_on_plateau").
    """
    return ReduceLROnPlateau(base_lr, **kwargs)


@validated
def get_greedy_schedule(
    base_lr: Factor,
    mode: Literal["min", "max"] = "min",
    factor: Shrinking = 0.95,
    patience: Count = 10,
    threshold: Rate = 1e-6,
    threshold_mode: Literal["rel", "abs"] = "abs",
    cooldown: Count = 0,
    warmup: Count = 0,
    min_lr: Rate = 1e-3,
    max_lr: Rate = 1.0,
    eps: Rate = 1e-8,
    *,
    smooth: bool = False,
    window_size: Period = 50,
    reset_start: Period = 500,
) -> optax.GradientTransformationExtraArgs:
    """A rise while a metric improves and a cut when it stops: a transform behind the optimizer.

    Args:
        base_lr: the optimizer's rate, > 0; ``min_lr``, ``max_lr`` and ``eps`` are relative to it
            here.
        mode: whether the metric should fall, "min", or rise, "max".
        factor: what the rate is multiplied or divided by, between 0 and 1.
        patience: how many checks in a row have to be exceeded for a change, >= 0.
        threshold: the smallest improvement that counts, >= 0.
        threshold_mode: whether the threshold is relative to the best metric, "rel", or "abs".
        cooldown: how many checks after a cut are passed over, >= 0.
        warmup: the same after a rise.
        min_lr: the smallest rate, >= 0; above ``base_lr`` it counts as that.
        max_lr: the largest rate; below ``base_lr`` it counts as that.
        eps: a change of the rate of no more than this is not made, >= 0.
        smooth: whether a check takes the mean of the last ``window_size`` metrics.
        window_size: how many they are, >= 1.
        reset_start: how many cuts at the smallest rate start everything anew, >= 1.

    Returns:
        A :func:`lr_optax.greedy`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> tx = get_greedy_schedule(0.1, factor=0.5, patience=0)
        >>> state = tx.init(None)
        >>> for loss in (1.0, 0.9):
        ...     _, state = tx.update(None, state, value=loss)
        >>> print(0.1 * state.scale)
        0.4

    Reference:
        Transformers 5.23, get_scheduler("greedy").
    """
    return greedy(
        factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        mode=mode,
        cooldown=cooldown,
        warmup=warmup,
        min_scale=at_most(1.0, min_lr / base_lr),
        max_scale=at_least(1.0, max_lr / base_lr),
        eps=eps / base_lr,
        window_size=window_size if smooth else 1,
        reset_after=reset_start,
    )
