"""Transformers' decays that are no cosine."""

from typing import Any, Literal, cast

from lr_optax._numerics import is_number
from lr_optax._parameters import validated
from lr_optax._schedule import Schedule
from lr_optax.compat._shared import at_least, cosine_wave, warmed_up
from lr_optax.hyperparameters import Factor, Fraction, Period, Rate, Steps, exceeds, is_known
from lr_optax.schedules import (
    constant,
    cosine_decay,
    inverse_sqrt_decay,
    join,
    linear,
    polynomial,
    shaped_decay,
)


@validated
def get_constant_schedule(base_lr: Rate) -> Schedule:
    """The same rate at every step.

    Args:
        base_lr: the rate, >= 0.

    Returns:
        A :func:`lr_optax.constant`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> print(get_constant_schedule(0.1)(5))
        0.1

    Reference:
        Transformers 5.23, transformers.get_constant_schedule.
    """
    return constant(base_lr)


@validated
def get_constant_schedule_with_warmup(base_lr: Rate, num_warmup_steps: Steps) -> Schedule:
    """A warm-up, then the same rate: b·min(t/w, 1).

    Args:
        base_lr: b, >= 0.
        num_warmup_steps: w, steps, >= 0.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = get_constant_schedule_with_warmup(0.1, num_warmup_steps=10)
        >>> print(s(0), s(5), s(10))
        0.0 0.05 0.1

    Reference:
        Transformers 5.23, transformers.get_constant_schedule_with_warmup.
    """
    return warmed_up(constant(base_lr), base_lr, num_warmup_steps)


@validated
def get_linear_schedule_with_warmup(
    base_lr: Rate, num_warmup_steps: Steps, num_training_steps: Steps
) -> Schedule:
    """A warm-up, then a straight line to zero: b·max(0, N − t)/(N − w).

    Args:
        base_lr: b, the peak, >= 0.
        num_warmup_steps: w, steps, >= 0.
        num_training_steps: N, steps of the whole; from there on the rate is 0.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = get_linear_schedule_with_warmup(0.1, 10, 110)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.05 0.0

    Reference:
        Transformers 5.23, transformers.get_linear_schedule_with_warmup.
    """
    length = _rest(num_training_steps, num_warmup_steps)
    decay = linear(base_lr, end_value=0.0, transition_steps=length)
    return warmed_up(decay, base_lr, num_warmup_steps)


@validated
def get_polynomial_decay_schedule_with_warmup(
    base_lr: Rate,
    num_warmup_steps: Steps,
    num_training_steps: Steps,
    lr_end: Rate = 1e-7,
    power: Factor = 1.0,
) -> Schedule:
    """A warm-up, then a power of what is left: e + (b − e)·(1 − (t − w)/(N − w))^p.

    Args:
        base_lr: b, the peak, > ``lr_end``.
        num_warmup_steps: w, steps, >= 0.
        num_training_steps: N, steps of the whole; from there on the rate is e.
        lr_end: e, the last rate, >= 0.
        power: p > 0.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or ``lr_end`` is not below ``base_lr``.

    Example:
        >>> s = get_polynomial_decay_schedule_with_warmup(0.1, 10, 110, lr_end=0.0, power=2.0)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.025 0.0

    Reference:
        Transformers 5.23, transformers.get_polynomial_decay_schedule_with_warmup.
    """
    if is_known(base_lr, lr_end) and not exceeds(base_lr, lr_end):
        raise ValueError(
            "get_polynomial_decay_schedule_with_warmup: `lr_end` must be below `base_lr`, "
            f"got {lr_end} and {base_lr}"
        )
    length = _rest(num_training_steps, num_warmup_steps)
    decay = polynomial(base_lr, end_value=lr_end, power=power, transition_steps=length)
    return warmed_up(decay, base_lr, num_warmup_steps)


@validated
def get_inverse_sqrt_schedule(
    base_lr: Rate, num_warmup_steps: Steps, timescale: Period | None = None
) -> Schedule:
    """A warm-up, then the inverse root of time: b·√(τ/(τ + t − w)).

    Args:
        base_lr: b, the peak, >= 0.
        num_warmup_steps: w, steps, >= 0.
        timescale: τ, steps, >= 1; None for w, or for 10000 if w is 0.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = get_inverse_sqrt_schedule(0.1, num_warmup_steps=100)
        >>> print(s(0), s(100), s(400), s(1600))
        0.0 0.1 0.05 0.025

    Reference:
        Transformers 5.23, transformers.get_inverse_sqrt_schedule.
    """
    if timescale is None:
        none = is_number(num_warmup_steps) and num_warmup_steps == 0
        timescale = 10_000 if none else num_warmup_steps
    return warmed_up(inverse_sqrt_decay(base_lr, timescale=timescale), base_lr, num_warmup_steps)


Form = Literal["linear", "cosine", "1-sqrt"]


@validated
def get_wsd_schedule(
    base_lr: Rate,
    num_warmup_steps: Steps,
    num_decay_steps: Steps,
    num_training_steps: Steps | None = None,
    num_stable_steps: Steps | None = None,
    warmup_type: Form = "linear",
    decay_type: Form = "cosine",
    min_lr_ratio: Fraction = 0.0,
    num_cycles: Factor = 0.5,
) -> Schedule:
    """A warm-up from m·b to b, a stable phase at b, a decay to m·b, and m·b from then on.

    Args:
        base_lr: b, >= 0.
        num_warmup_steps: steps of the warm-up, >= 0.
        num_decay_steps: steps of the decay, >= 0.
        num_training_steps: steps of the whole; the stable phase is what the others leave of it.
        num_stable_steps: steps of the stable phase, which then count instead.
        warmup_type: "linear", "cosine" or "1-sqrt", which is 1 − √(1 − x).
        decay_type: "linear", "cosine" or "1-sqrt", which is 1 − √x.
        min_lr_ratio: m, in [0, 1].
        num_cycles: waves of the cosine decay, > 0; it ends at m·b with ½, 1½, ...

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, the length is not given, or the phases
            do not fit into it.

    Example:
        >>> s = get_wsd_schedule(0.1, num_warmup_steps=10, num_decay_steps=20,
        ...                      num_training_steps=100)
        >>> print(s(0), s(5), s(10), s(80), s(90), s(100))
        0.0 0.05 0.1 0.1 0.05 0.0

    Reference:
        Transformers 5.23, transformers.get_wsd_schedule.
    """
    if num_training_steps is None and num_stable_steps is None:
        raise ValueError(
            "get_wsd_schedule: `num_training_steps` or `num_stable_steps` must be given"
        )
    stable: Any = num_stable_steps
    if stable is None:
        stable = cast(Any, num_training_steps) - num_warmup_steps - num_decay_steps
    if exceeds(0, stable):
        raise ValueError(
            "get_wsd_schedule: `num_training_steps` must be at least `num_warmup_steps` + "
            f"`num_decay_steps`, got {num_training_steps} < {num_warmup_steps} + {num_decay_steps}"
        )
    low = base_lr * min_lr_ratio
    fall_at: Any = num_warmup_steps + stable
    return join(
        (
            _rise(warmup_type, low, base_lr, num_warmup_steps),
            constant(base_lr),
            _fall(decay_type, base_lr, low, num_decay_steps, num_cycles),
            constant(low),
        ),
        boundaries=(num_warmup_steps, fall_at, fall_at + num_decay_steps),
    )


def _rise(form: Form, low: Any, high: Any, steps: Any) -> Schedule:
    if form == "cosine":
        return cosine_decay(low, decay_steps=steps, end_value=high)
    power = 0.5 if form == "1-sqrt" else 1.0
    return polynomial(low, end_value=high, power=power, transition_steps=steps)


def _fall(form: Form, high: Any, low: Any, steps: Any, num_cycles: Any) -> Schedule:
    if form == "cosine":
        half = at_least(1, steps) / (2 * num_cycles)
        return cosine_wave(high, half_period=half, end_value=low)
    return shaped_decay(high, decay_steps=steps, end_value=low, decay_shape=form)


def _rest(whole: Any, begun: Any) -> Any:
    return at_least(0, whole - begun)
