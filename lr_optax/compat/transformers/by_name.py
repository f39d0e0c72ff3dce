"""Every schedule of Transformers by its name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import optax

from lr_optax._schedule import Schedule
from lr_optax.compat.transformers import cosine, decay, metric

_BY_NAME: dict[str, Callable[..., Any]] = {
    "linear": decay.get_linear_schedule_with_warmup,
    "cosine": cosine.get_cosine_schedule_with_warmup,
    "cosine_with_restarts": cosine.get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": decay.get_polynomial_decay_schedule_with_warmup,
    "constant": decay.get_constant_schedule,
    "constant_with_warmup": decay.get_constant_schedule_with_warmup,
    "inverse_sqrt": decay.get_inverse_sqrt_schedule,
    "reduce_lr_on_plateau": metric.get_reduce_on_plateau_schedule,
    "cosine_with_min_lr": cosine.get_cosine_with_min_lr_schedule_with_warmup,
    "cosine_warmup_with_min_lr": cosine.get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    "warmup_stable_decay": decay.get_wsd_schedule,
    "greedy": metric.get_greedy_schedule,
}


def get_scheduler(
    name: str,
    base_lr: Any,
    num_warmup_steps: Any = None,
    num_training_steps: Any = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
) -> Schedule | optax.GradientTransformationExtraArgs:
    """A schedule by its name in Transformers.

    Args:
        name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
            "constant_with_warmup", "inverse_sqrt", "reduce_lr_on_plateau", "cosine_with_min_lr",
            "cosine_warmup_with_min_lr", "warmup_stable_decay" or "greedy".
        base_lr: the rate of the optimizer there, >= 0.
        num_warmup_steps: steps of the warm-up; "constant" and those that follow a metric do
            without.
        num_training_steps: steps of the whole, warm-up included, for schedules that end.
        scheduler_specific_kwargs: further arguments of the function behind the name.

    Returns:
        A :class:`~lr_optax.Schedule`; for "reduce_lr_on_plateau" and "greedy" an Optax
        transform.

    Raises:
        TypeError, ValueError: there is no such name, an argument is missing or breaks its rule.

    Example:
        >>> s = get_scheduler("cosine", 0.1, num_warmup_steps=10, num_training_steps=110)
        >>> print(s(0), s(5), s(10), s(60), s(110))
        0.0 0.05 0.1 0.05 0.0

    Reference:
        Transformers 5.23, transformers.get_scheduler.
    """
    if name not in _BY_NAME:
        raise ValueError(
            f"get_scheduler: `name` must be one of {', '.join(_BY_NAME)}, got {name!r}"
        )
    function = _BY_NAME[name]
    taken = inspect.signature(function).parameters
    lengths = {
        "num_warmup_steps": num_warmup_steps,
        "num_training_steps": num_training_steps,
    }
    lengths = {n: length for n, length in lengths.items() if n in taken and length is not None}
    for n in ("num_warmup_steps", "num_training_steps"):
        if n in taken and n not in lengths and taken[n].default is inspect.Parameter.empty:
            raise ValueError(f"get_scheduler: {name!r} requires `{n}`")
    specific = {} if name == "constant" else dict(scheduler_specific_kwargs or {})
    return function(base_lr, **lengths, **specific)
