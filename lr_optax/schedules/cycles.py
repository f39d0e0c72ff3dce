"""One cycle, its momentum, and cycles that fill a run."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, is_number, progress, since, until
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Count, Factor, Fraction, Rate, Steps, exceeds
from lr_optax.schedules.cyclical import cosine_annealing
from lr_optax.schedules.inner import unchecked


def _turns_fit(*, total_steps, warmup_steps, three_phase: bool, **_: object) -> None:
    turns = 2 if three_phase else 1
    if exceeds(turns * warmup_steps, total_steps):
        raise ValueError(
            f"`total_steps` must be at least {turns} times `warmup_steps`, "
            f"got {total_steps} with {warmup_steps}"
        )


@schedule(check=_turns_fit)
def one_cycle(
    step: Array,
    peak_value: Rate,
    *,
    total_steps: Steps,
    warmup_steps: Steps,
    div_factor: Factor = 25.0,
    final_div_factor: Factor = 1e4,
    three_phase: bool = False,
    shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """One rise from a fraction of the peak, and one fall to far below: Smith's 1cycle.

    η goes from η_max/d up to η_max at t = w, and down to η_max/(d·f) at t = T. With three phases
    it is back at η_max/d at t = 2w, and then goes down to the end.

    Args:
        peak_value: η_max, >= 0.
        total_steps: T, steps of the whole run, >= w, or >= 2w with three phases.
        warmup_steps: w, steps up, >= 0; 30 % of the run is usual.
        div_factor: d > 0, the peak over the first rate.
        final_div_factor: f > 0, the first rate over the last, as in PyTorch. fast.ai divides the
            peak itself, by ``div_final``: that is f = div_final/d.
        three_phase: whether the fall has a stage of its own back to the first rate.
        shape: "cosine", "linear" or another of :data:`lr_optax.shapes.Shape`.

    Returns:
        A :class:`~lr_optax.Schedule`. The last rate is held.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the phases do not fit.

    Example:
        >>> s = one_cycle(1.0, total_steps=9, warmup_steps=2)
        >>> print(s(0), s(1), s(2), s(9))
        0.04 0.52 1.0 4e-06

    When to use it:
        To train a network with large rates in few epochs, with momentum on the opposite course
        (:func:`one_cycle_momentum`).

    Reference:
        L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
        Large Learning Rates", 2017, arXiv:1708.07120.
    """
    low = peak_value / _divisor(div_factor)
    values = (low, peak_value, *((low,) if three_phase else ()), low / _divisor(final_div_factor))
    return _legs(step, values, _turns(total_steps, warmup_steps, three_phase), shape)


@schedule(check=_turns_fit)
def one_cycle_momentum(
    step: Array,
    max_value: Fraction = 0.95,
    *,
    min_value: Fraction = 0.85,
    total_steps: Steps,
    warmup_steps: Steps,
    three_phase: bool = False,
    shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """The momentum to go with :func:`one_cycle`: low where the rate is high.

    It goes from the highest momentum down to the lowest at t = w and back up at t = T, or already
    at t = 2w with three phases.

    Args:
        max_value: the momentum at both ends, in [0, 1].
        min_value: the momentum at the peak of the rate, in [0, 1].
        total_steps: T, as for the rate.
        warmup_steps: w, as for the rate.
        three_phase: as for the rate.
        shape: as for the rate.

    Returns:
        A :class:`~lr_optax.Schedule`. The last momentum is held.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the phases do not fit.

    Example:
        >>> s = one_cycle_momentum(0.95, total_steps=9, warmup_steps=2)
        >>> print(s(0), s(1), s(2), s(9))
        0.95 0.9 0.85 0.95

    When to use it:
        Together with :func:`one_cycle`, as the momentum of SGD or the β₁ of Adam, through
        ``optax.inject_hyperparams``.

    Reference:
        L. N. Smith, "A Disciplined Approach to Neural Network Hyper-Parameters: Part 1", 2018,
        arXiv:1803.09820.
    """
    values = (max_value, min_value, *((max_value,) if three_phase else ()), max_value)
    return _legs(step, values, _turns(total_steps, warmup_steps, three_phase), shape)


def _divisor(value: ArrayLike) -> ArrayLike:
    if is_number(value):
        return value
    value = as_float(value)
    return jnp.where(value > 0, value, 1)


def _turns(total_steps: Any, warmup_steps: Any, three_phase: Any) -> tuple[Any, ...]:
    return (0, warmup_steps, *((2 * warmup_steps,) if three_phase else ()), total_steps)


def _legs(
    step: Array, values: Sequence[ArrayLike], turns: Sequence[Any], shape: shapes.Shape
) -> ArrayLike:
    rate = values[0]
    for (low, high), (begin, end) in zip(pairwise(values), pairwise(turns), strict=True):
        weights = progress(since(begin, step), end - begin)
        leg = shapes.between(shape, weights, low, high)
        rate = jnp.where(until(begin, step) <= 0, leg, rate)
    return rate


@schedule
def snapshot_cycles(
    step: Array, init_value: Rate, *, total_steps: Steps, cycles: Count, min_value: Rate = 0.0
) -> ArrayLike:
    """Cosine annealing with equal cycles that fill a run: M of them, ⌈T/M⌉ steps each.

    Args:
        init_value: the peak of every cycle, >= 0.
        total_steps: T, steps of the run, >= 0.
        cycles: M, how many models there shall be, >= 0; 0 counts as 1.
        min_value: what every cycle falls towards, >= 0 and at most ``init_value``.

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on for ever.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = snapshot_cycles(0.1, total_steps=100, cycles=5)
        >>> print(s(0), s(10), s(20), s(90))
        0.1 0.05 0.1 0.05

    When to use it:
        To collect an ensemble from one run: keep the model at the end of every cycle.

    Reference:
        G. Huang et al., "Snapshot Ensembles: Train 1, Get M for Free", 2017, arXiv:1704.00109.
    """
    if is_number(total_steps) and is_number(cycles):
        period = max(-(-total_steps // max(cycles, 1)), 1)
    else:
        period = jnp.maximum(-(-total_steps // jnp.maximum(cycles, 1)), 1)
    return unchecked(cosine_annealing)(init_value, period=period, min_value=min_value)(step)
