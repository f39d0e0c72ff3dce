"""One cycle, and cycles of whole training stages."""

from collections.abc import Sequence
from itertools import chain, pairwise, repeat
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, blend, is_number, passed, progress, since, until
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import (
    Boundaries,
    Count,
    Factor,
    Fraction,
    Rate,
    Steps,
    exceeds,
    is_known,
)
from lr_optax.schedules.cyclical import cosine_annealing
from lr_optax.schedules.inner import unchecked
from lr_optax.schedules.tables import as_table


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


def _stages_fit(
    *, boundaries, cooldown_steps, warmup_steps, rewarmup_steps, decay_shape, end_value, **_: object
) -> None:
    shapes.check_ends(decay_shape, end_value=end_value)
    if not is_known(boundaries, cooldown_steps, warmup_steps, rewarmup_steps):
        return
    if len(boundaries) == 0:
        raise ValueError("`boundaries` must hold the end of at least one cycle")
    rises = chain((warmup_steps,), repeat(rewarmup_steps))
    for begin, end, rise in zip((0, *boundaries), boundaries, rises, strict=False):
        if exceeds(rise + cooldown_steps, end - begin):
            raise ValueError(
                f"warm-up and `cooldown_steps` must fit into each cycle, "
                f"got {rise} + {cooldown_steps} for the one from {begin} to {end}"
            )


@schedule(check=_stages_fit)
def warmup_stable_decay_cycles(
    step: Array,
    peak_value: Rate,
    *,
    boundaries: Boundaries,
    cooldown_steps: Steps,
    warmup_steps: Steps = 0,
    rewarmup_steps: Steps = 0,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    decay_shape: shapes.Shape = "linear",
) -> ArrayLike:
    """A cooldown at the end of every budget, and back up to go on (WSD-S).

    Each cycle is a :func:`warmup_stable_decay`; a new one begins at each boundary but the last.

    Args:
        peak_value: the rate of all stable phases, >= 0.
        boundaries: where the cycles end, steps in ascending order, at least one; the last is the
            end of the run.
        cooldown_steps: steps of the last phase of every cycle, >= 0.
        warmup_steps: steps up in the first cycle, >= 0.
        rewarmup_steps: steps up in all others, from ``end_value``, >= 0; at 0 the rate jumps.
        init_value: the rate at step 0, >= 0.
        end_value: what every cycle falls to, >= 0; > 0 for the shapes "exponential" and
            "inverse". It is reached where the next cycle begins: exactly, if that rises slowly.
        decay_shape: the curve of the last phase, as in :func:`shaped_decay`; the authors' is
            "inverse", with an end at a tenth of the peak.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from the last boundary on.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the phases do not fit.

    Example:
        >>> s = warmup_stable_decay_cycles(0.1, boundaries=(40, 80), cooldown_steps=10,
        ...                                warmup_steps=5, rewarmup_steps=2)
        >>> print(s(0), s(5), s(30), s(35), s(40), s(41), s(42), s(75), s(80))
        0.0 0.1 0.1 0.05 0.0 0.05 0.1 0.05 0.0

    When to use it:
        To get a finished model at each of several budgets out of one run, each trained on from
        the one before.

    Reference:
        K. Wen et al., "Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss
        Landscape Perspective", 2024, arXiv:2410.05192.
    """
    ends = as_table(boundaries, step.dtype)
    index = passed(step, ends).clip(max=len(ends) - 1)
    first = index == 0
    begin, end = jnp.where(first, 0, ends[index - 1]), ends[index]
    rise_steps = jnp.where(first, warmup_steps, rewarmup_steps)
    rise = progress(since(begin, step), rise_steps)
    rising = blend(rise, jnp.where(first, init_value, end_value), peak_value)
    cooldown_begin = end - jnp.asarray(cooldown_steps, end.dtype)
    fall = progress(since(cooldown_begin, step), cooldown_steps)
    falling = shapes.between(decay_shape, fall, peak_value, end_value)
    rate = jnp.where(until(cooldown_begin, step) > 0, peak_value, falling)
    return jnp.where(rise[0] > 0, rising, rate)


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
