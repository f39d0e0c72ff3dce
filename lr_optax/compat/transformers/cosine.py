"""Transformers' cosines."""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, progress, until
from lr_optax._parameters import validated
from lr_optax._schedule import Schedule, schedule
from lr_optax.compat._shared import at_least, cosine_wave, running, warmed_up
from lr_optax.hyperparameters import Factor, Fraction, Period, Rate, Steps
from lr_optax.schedules import join, linear


def _wave(base_lr: Any, whole: Any, begun: Any, num_cycles: Any, low: Any = 0.0) -> Schedule:
    half_period = at_least(1, whole - begun) / (2 * num_cycles)
    return cosine_wave(base_lr, half_period=half_period, end_value=low)


@validated
def get_cosine_schedule_with_warmup(
    base_lr: Rate, num_warmup_steps: Steps, num_training_steps: Steps, num_cycles: Factor = 0.5
) -> Schedule:
    """A warm-up, then a cosine: b·½(1 + cos(2πct')), where t' goes from 0 to 1 up to step N.

    Args:
        base_lr: b, the peak, >= 0.
        num_warmup_steps: steps of the warm-up, >= 0.
        num_training_steps: N, steps of the whole. The cosine goes on: the rate rises again.
        num_cycles: c, waves, > 0; with ½ the rate is 0 at step N.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = get_cosine_schedule_with_warmup(0.1, 10, 110)
        >>> print(s(0), s(10), s(60), s(110), s(160))
        0.0 0.1 0.05 0.0 0.05

    Reference:
        Transformers 5.23, transformers.get_cosine_schedule_with_warmup.
    """
    wave = _wave(base_lr, num_training_steps, num_warmup_steps, num_cycles)
    return warmed_up(wave, base_lr, num_warmup_steps)


@validated
def get_cosine_with_hard_restarts_schedule_with_warmup(
    base_lr: Rate, num_warmup_steps: Steps, num_training_steps: Steps, num_cycles: Period = 1
) -> Schedule:
    """A warm-up, then as many falling half cosines as given, then zero.

    Args:
        base_lr: the peak of all of them, >= 0.
        num_warmup_steps: steps of the warm-up, >= 0.
        num_training_steps: steps of the whole; from there on the rate is 0.
        num_cycles: how many, a whole number >= 1.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = get_cosine_with_hard_restarts_schedule_with_warmup(0.1, 10, 110, num_cycles=2)
        >>> print(s(10), s(35), s(60), s(85), s(110))
        0.1 0.05 0.1 0.05 0.0

    Reference:
        Transformers 5.23, transformers.get_cosine_with_hard_restarts_schedule_with_warmup.
    """
    length = at_least(1, num_training_steps - num_warmup_steps)
    cycles = transformers_cosine_restarts(base_lr, decay_steps=length, num_cycles=num_cycles)
    return warmed_up(cycles, base_lr, num_warmup_steps)


@schedule
def transformers_cosine_restarts(
    step: Array, init_value: Rate, *, decay_steps: Period, num_cycles: Period = 1
) -> ArrayLike:
    """Falling half cosines that share a length, then zero: η₀·½(1 + cos(π(ct/T mod 1))).

    Args:
        init_value: η₀, the peak of all of them, >= 0.
        decay_steps: T, steps, >= 1; from there on the rate is 0.
        num_cycles: c, how many, >= 1. They need not last a whole number of steps.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = transformers_cosine_restarts(0.1, decay_steps=10, num_cycles=2)
        >>> print(s(0), s(5), s(10))
        0.1 0.1 0.0

    When to use it:
        To reproduce a run with "cosine_with_restarts"; otherwise
        :func:`lr_optax.cosine_annealing` tells the length of a cycle.

    Reference:
        Transformers 5.23, transformers.get_cosine_with_hard_restarts_schedule_with_warmup.
    """
    falling, _ = shapes.cosine(*_in_cycle(step, decay_steps, num_cycles))
    return jnp.where(until(decay_steps, step) > 0, init_value * falling, 0)


def _in_cycle(step: Array, length: Period, cycles: Period) -> tuple[Array, Array]:
    """What is left and gone of one of several cycles that share a length."""
    exact = isinstance(length, int) and isinstance(cycles, int) and max(length, cycles) < 2**30
    if not (exact and jnp.issubdtype(step.dtype, jnp.integer)):
        gone = as_float(step) * as_float(cycles) / jnp.maximum(as_float(length), 1) % 1
        return 1 - gone, gone
    # step·cycles mod length without an overflow: the float guess is at most one cycle off.
    step = jnp.minimum(step, length)
    guess = (as_float(step) * (cycles / length)).astype(step.dtype)
    whole, rest = length // cycles, length % cycles
    position = (step - guess * whole) * cycles - guess * rest
    return progress(position % length, length)


@validated
def get_cosine_with_min_lr_schedule_with_warmup(
    base_lr: Rate,
    num_warmup_steps: Steps,
    num_training_steps: Steps,
    num_cycles: Factor = 0.5,
    min_lr: Rate | None = None,
    min_lr_rate: Fraction | None = None,
) -> Schedule:
    """A warm-up, then a cosine between the base rate and a lowest one.

    Args:
        base_lr: the peak, >= 0.
        num_warmup_steps: steps of the warm-up, >= 0.
        num_training_steps: steps of the whole. The cosine goes on: the rate rises again.
        num_cycles: waves, > 0; with ½ the rate is lowest at the end.
        min_lr: the lowest rate, >= 0; or give the next.
        min_lr_rate: the lowest rate over ``base_lr``, in [0, 1].

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or not exactly one of ``min_lr`` and
            ``min_lr_rate`` is given.

    Example:
        >>> s = get_cosine_with_min_lr_schedule_with_warmup(0.1, 10, 110, min_lr=0.01)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.055 0.01

    Reference:
        Transformers 5.23, transformers.get_cosine_with_min_lr_schedule_with_warmup.
    """
    low = _lowest("get_cosine_with_min_lr_schedule_with_warmup", base_lr, min_lr, min_lr_rate)
    wave = _wave(base_lr, num_training_steps, num_warmup_steps, num_cycles, low)
    return warmed_up(wave, base_lr, num_warmup_steps)


@validated
def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    base_lr: Rate,
    num_warmup_steps: Steps,
    num_training_steps: Steps,
    num_cycles: Factor = 0.5,
    min_lr: Rate | None = None,
    min_lr_rate: Fraction | None = None,
    warmup_lr_rate: Fraction | None = None,
) -> Schedule:
    """The same a step earlier: the peak is the last step of the warm-up, the lowest rate N − 1.

    Args:
        base_lr: b, the peak, >= 0.
        num_warmup_steps: w, steps of the warm-up, >= 0.
        num_training_steps: N, steps of the whole. The cosine goes on: the rate rises again.
        num_cycles: waves, > 0; with ½ the rate is lowest at the end.
        min_lr: the lowest rate, >= 0; or give the next.
        min_lr_rate: the lowest rate over b, in [0, 1].
        warmup_lr_rate: the first rate over b, in [0, 1]; None for 1/w.

    Returns:
        A :func:`lr_optax.join`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or not exactly one of ``min_lr`` and
            ``min_lr_rate`` is given.

    Example:
        >>> s = get_cosine_with_min_lr_schedule_with_warmup_lr_rate(0.1, 10, 110, min_lr=0.0)
        >>> print(s(0), s(9), s(59), s(109))
        0.01 0.1 0.05 0.0

    Reference:
        Transformers 5.23, get_scheduler("cosine_warmup_with_min_lr").
    """
    name = "get_cosine_with_min_lr_schedule_with_warmup_lr_rate"
    low = _lowest(name, base_lr, min_lr, min_lr_rate)
    wave = _wave(base_lr, num_training_steps, num_warmup_steps, num_cycles, low)
    first: Any = 1 / at_least(1, num_warmup_steps) if warmup_lr_rate is None else warmup_lr_rate
    rise = linear(
        base_lr * first,
        end_value=base_lr,
        transition_steps=at_least(1, num_warmup_steps - 1),
    )
    return join((rise, running(wave, 1)), boundaries=(num_warmup_steps,))


def _lowest(name: str, base_lr: Any, min_lr: Any, min_lr_rate: Any) -> Any:
    if (min_lr is None) == (min_lr_rate is None):
        raise ValueError(f"{name}: exactly one of `min_lr` and `min_lr_rate` must be given")
    return base_lr * min_lr_rate if min_lr is None else min_lr
