"""timm's schedulers by name."""

import math
from collections.abc import Sequence
from typing import Any

import optax

from lr_optax._core.schedule import Schedule
from lr_optax.compat.timm.cycles import CosineLRScheduler, PolyLRScheduler, TanhLRScheduler
from lr_optax.compat.timm.decay import MultiStepLRScheduler, PlateauLRScheduler, StepLRScheduler
from lr_optax.compat.timm.stages import WSDLRScheduler
from lr_optax.schedules.steps import constant

_NAMES = "cosine, tanh, step, constant, multistep, plateau, poly, wsd, rsqrt, none"
_CYCLIC = {"cosine": CosineLRScheduler, "tanh": TanhLRScheduler, "poly": PolyLRScheduler}


def create_scheduler_v2(
    base_lr: float,
    sched: str = "cosine",
    num_epochs: int = 300,
    decay_epochs: float | None = None,
    decay_milestones: Sequence[int] = (90, 180, 270),
    cooldown_epochs: int = 0,
    patience_epochs: int = 10,
    decay_rate: float = 0.1,
    min_lr: float = 0.0,
    warmup_lr: float = 1e-5,
    warmup_epochs: int = 0,
    *,
    warmup_prefix: bool = False,
    cycle_mul: float = 1.0,
    cycle_decay: float = 0.1,
    cycle_limit: int = 1,
    k_decay: float = 1.0,
    decay_fn: Any = None,
    stable_timescale: int | None = None,
    plateau_mode: str = "max",
    step_on_epochs: bool = True,
    updates_per_epoch: int = 0,
) -> tuple[Schedule | optax.GradientTransformationExtraArgs, int]:
    """A scheduler by its name in timm, with lengths in epochs, and the epochs to train for.

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
        TypeError, ValueError: there is no such name, or an argument breaks its rule.

    Example:
        >>> s, num_epochs = create_scheduler_v2(
        ...     0.1, "cosine", num_epochs=10, warmup_epochs=2, warmup_prefix=True,
        ...     step_on_epochs=False, updates_per_epoch=100)
        >>> print(num_epochs, s(200), s(700), s(1200))
        12 0.1 0.05 0.0

    Reference:
        timm 1.0.31, timm.scheduler.create_scheduler_v2.
    """
    if sched not in _NAMES.split(", "):
        raise ValueError(f"create_scheduler_v2: `sched` must be one of {_NAMES}, got {sched!r}")
    if not step_on_epochs and updates_per_epoch < 1:
        raise ValueError(
            "create_scheduler_v2: `updates_per_epoch` must be at least 1 if `step_on_epochs` is "
            f"False, got {updates_per_epoch}"
        )
    unit = 1 if step_on_epochs else updates_per_epoch
    warm: dict[str, Any] = {"warmup_t": warmup_epochs * unit, "warmup_lr_init": warmup_lr}
    total = num_epochs + warmup_epochs if warmup_prefix else num_epochs
    if sched in _CYCLIC:
        more: dict[str, Any] = {"lr_min": min_lr, "warmup_prefix": warmup_prefix}
        if sched != "tanh":
            more["k_decay"] = k_decay
        if sched == "poly":
            more["power"] = decay_rate
        cycles = {"cycle_mul": cycle_mul, "cycle_decay": cycle_decay, "cycle_limit": cycle_limit}
        s = _CYCLIC[sched](base_lr, num_epochs * unit, **cycles, **more, **warm)
        steps = _length(num_epochs * unit, cycle_mul, max(1, cycle_limit)) + cooldown_epochs * unit
        return s, (steps + warmup_prefix * warm["warmup_t"]) // unit
    if sched in ("wsd", "rsqrt"):
        length = (num_epochs if warmup_prefix else num_epochs - warmup_epochs) * unit
        share = 0.2 if decay_epochs is None else decay_epochs
        s = WSDLRScheduler(
            base_lr,
            t_initial=length,
            decay_t=round(share * length if 0 < share < 1 else share * unit),
            lr_min=min_lr,
            stable_fn="rsqrt" if sched == "rsqrt" else "constant",
            stable_timescale=None if stable_timescale is None else stable_timescale * unit,
            decay_fn=decay_fn or ("linear" if sched == "rsqrt" else "1-sqrt"),
            **warm,
        )
        return s, (warm["warmup_t"] + length + cooldown_epochs * unit) // unit
    if sched == "plateau":
        if not step_on_epochs:
            raise ValueError("create_scheduler_v2: 'plateau' needs `step_on_epochs`")
        plateau: dict[str, Any] = {"lr_min": min_lr, "mode": plateau_mode}
        return PlateauLRScheduler(base_lr, decay_rate, patience_epochs, **plateau), total
    if sched == "none":
        return constant(base_lr), total
    warm["warmup_prefix"] = warmup_prefix
    if sched == "multistep":
        milestones = [milestone * unit for milestone in decay_milestones]
        return MultiStepLRScheduler(base_lr, milestones, decay_rate, **warm), total
    if sched == "constant":
        return StepLRScheduler(base_lr, 1, 1.0, **warm), total
    drops = 90 if decay_epochs is None else decay_epochs
    return StepLRScheduler(base_lr, drops * unit, decay_rate, **warm), total


def _length(steps: int, multiplier: float, cycles: int) -> int:
    if multiplier == 1:
        return steps * cycles
    return math.floor(steps * (multiplier**cycles - 1) / (multiplier - 1))
