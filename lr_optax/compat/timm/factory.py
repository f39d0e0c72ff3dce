"""timm's schedulers by name."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, cast

import optax

from lr_optax._core.arguments import Count, Growth, Interval, Moments, Positive, Rate, Span
from lr_optax._core.schedule import Schedule
from lr_optax._core.signature import validated
from lr_optax.compat.timm.cycles import CosineLRScheduler, PolyLRScheduler, TanhLRScheduler
from lr_optax.compat.timm.decay import MultiStepLRScheduler, PlateauLRScheduler, StepLRScheduler
from lr_optax.compat.timm.stages import WSDLRScheduler
from lr_optax.schedules.steps import constant

# What each name makes of the arguments, with lengths in steps.
_TABLE: dict[str, Callable[[Any], Any]] = {
    "cosine": lambda a: CosineLRScheduler(
        a.base_lr, a.whole, a.min_lr, **a.cycles, **a.warmup, k_decay=a.k_decay
    ),
    "tanh": lambda a: TanhLRScheduler(a.base_lr, a.whole, lr_min=a.min_lr, **a.cycles, **a.warmup),
    "step": lambda a: StepLRScheduler(a.base_lr, a.interval, a.decay_rate, **a.warmup),
    "constant": lambda a: StepLRScheduler(a.base_lr, 1, 1.0, **a.warmup),
    "multistep": lambda a: MultiStepLRScheduler(a.base_lr, a.milestones, a.decay_rate, **a.warmup),
    "plateau": lambda a: PlateauLRScheduler(
        a.base_lr, a.decay_rate, a.patience, lr_min=a.min_lr, mode=a.mode, **a.rise
    ),
    "poly": lambda a: PolyLRScheduler(
        a.base_lr, a.whole, a.decay_rate, a.min_lr, **a.cycles, **a.warmup, k_decay=a.k_decay
    ),
    "wsd": lambda a: WSDLRScheduler(
        a.base_lr, a.stages, a.end, a.min_lr, decay_fn=a.decay_fn or "1-sqrt", **a.rise
    ),
    "rsqrt": lambda a: WSDLRScheduler(
        a.base_lr,
        a.stages,
        a.end,
        a.min_lr,
        "rsqrt",
        a.timescale,
        decay_fn=a.decay_fn or "linear",
        **a.rise,
    ),
    "none": lambda a: constant(a.base_lr),
}
_CYCLIC = ("cosine", "tanh", "poly")
_STAGED = ("wsd", "rsqrt")


@validated
def create_scheduler_v2(
    base_lr: Rate,
    sched: Literal[
        "cosine", "tanh", "step", "constant", "multistep", "plateau", "poly", "wsd", "rsqrt", "none"
    ] = "cosine",
    num_epochs: Interval = 300,
    decay_epochs: Interval | None = None,
    decay_milestones: Moments = (90, 180, 270),
    cooldown_epochs: Span = 0,
    patience_epochs: Count = 10,
    decay_rate: Positive = 0.1,
    min_lr: Rate = 0.0,
    warmup_lr: Rate = 1e-5,
    warmup_epochs: Span = 0,
    *,
    warmup_prefix: bool = False,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 0.1,
    cycle_limit: Count = 1,
    k_decay: Positive = 1.0,
    decay_fn: Any = None,
    stable_timescale: Positive | None = None,
    plateau_mode: Literal["min", "max"] = "max",
    step_on_epochs: bool = True,
    updates_per_epoch: Count = 0,
) -> tuple[Schedule | optax.GradientTransformationExtraArgs, float]:
    """A scheduler by its name in timm, with lengths in epochs, and the epochs to train for.

    Epochs may be fractions, as in EfficientNet's drops every 2.4 epochs.

    Args:
        base_lr: the rate of the optimizer there.
        sched: "cosine", "tanh", "step", "constant", "multistep", "plateau", "poly", "wsd", "rsqrt"
            or "none".
        num_epochs: epochs of the schedule, without a warm-up if ``warmup_prefix``.
        decay_epochs: epochs between drops ("step"), or of the decay ("wsd", "rsqrt"), where a value
            in (0, 1) is a share; None for 90 and for 0.2.
        decay_milestones: epochs of the drops ("multistep").
        cooldown_epochs: epochs at the lowest rate afterwards; they only count in the result.
        patience_epochs: bad checks that are tolerated ("plateau").
        decay_rate: the factor at a drop, or the power ("poly").
        min_lr: the lowest rate.
        warmup_lr: the first rate of a warm-up.
        warmup_epochs: epochs of the warm-up.
        warmup_prefix: whether the warm-up comes on top of ``num_epochs``.
        cycle_mul: each cycle's length over the last one's ("cosine", "tanh", "poly").
        cycle_decay: each cycle's peak over the last one's.
        cycle_limit: how many cycles.
        k_decay: delays a cycle's fall ("cosine", "poly").
        decay_fn: how "wsd" and "rsqrt" decay; None for "1-sqrt" and "linear".
        stable_timescale: epochs, of "rsqrt"; None for ``warmup_epochs``.
        plateau_mode: whether the metric should fall, "min", or rise, "max".
        step_on_epochs: whether a step of the schedule is an epoch, or an update, as in Optax.
        updates_per_epoch: updates in an epoch, >= 1, needed for the latter.

    Returns:
        The schedule, for "plateau" a transform; and how many epochs to train for.

    Raises:
        TypeError, ValueError: there is no such name, or its schedule refuses a value.

    Example:
        >>> s, num_epochs = create_scheduler_v2(
        ...     0.1, "cosine", num_epochs=10, warmup_epochs=2, warmup_prefix=True,
        ...     step_on_epochs=False, updates_per_epoch=100)
        >>> print(num_epochs, s(200), s(700), s(1200))
        12 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.create_scheduler_v2.
    """
    if not step_on_epochs and updates_per_epoch < 1:
        raise ValueError(
            "create_scheduler_v2: `updates_per_epoch` must be at least 1 if `step_on_epochs` is "
            f"False, got {updates_per_epoch}"
        )
    if sched == "plateau" and not step_on_epochs:
        raise ValueError("create_scheduler_v2: 'plateau' needs `step_on_epochs`")
    unit: Any = 1 if step_on_epochs else updates_per_epoch
    whole, warmup_t = num_epochs * unit, warmup_epochs * unit
    stages = whole if warmup_prefix else whole - warmup_t
    share: Any = 0.2 if decay_epochs is None else decay_epochs
    end = round(share * stages if 0 < share < 1 else share * unit)
    if sched in _STAGED and not 0 < end <= stages:
        raise ValueError(
            f"create_scheduler_v2: `decay_epochs` must be at most what the warm-up leaves of "
            f"`num_epochs`, and no less than a step, got {end} of {stages} steps"
        )
    rise: dict[str, Any] = {"warmup_t": warmup_t, "warmup_lr_init": warmup_lr}
    scheduler = _TABLE[sched](
        SimpleNamespace(
            base_lr=base_lr,
            whole=whole,
            stages=stages,
            end=end,
            interval=(90 if decay_epochs is None else decay_epochs) * unit,
            milestones=[milestone * unit for milestone in decay_milestones],
            timescale=None if stable_timescale is None else stable_timescale * unit,
            decay_rate=decay_rate,
            decay_fn=decay_fn,
            k_decay=k_decay,
            min_lr=min_lr,
            patience=patience_epochs,
            mode=plateau_mode,
            cycles={"cycle_mul": cycle_mul, "cycle_decay": cycle_decay, "cycle_limit": cycle_limit},
            rise=rise,
            warmup={**rise, "warmup_prefix": warmup_prefix},
        )
    )
    if sched in _CYCLIC:
        steps = _length(whole, cycle_mul, cycle_limit) + warmup_prefix * warmup_t
    elif sched in _STAGED:
        steps = stages + warmup_t
    else:
        return scheduler, cast(Any, num_epochs) + warmup_prefix * warmup_epochs
    steps = steps + cooldown_epochs * unit
    return scheduler, steps if step_on_epochs else steps // unit


def _length(steps: Any, multiplier: Any, cycles: Any) -> Any:
    cycles = max(1, cycles)
    if multiplier == 1:
        return steps * cycles
    if cycles * math.log(multiplier) > 500:
        raise ValueError(
            "create_scheduler_v2: `cycle_limit` cycles, each `cycle_mul` times the last, "
            f"would not end, got {cycles} and {multiplier}"
        )
    return math.floor(steps * (multiplier**cycles - 1) / (multiplier - 1))
