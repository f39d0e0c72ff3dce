"""Schedules made of schedules."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.arguments import Boundaries, Count, Offset, Rate, Real
from lr_optax._core.rules import at_most, one_fewer
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import phase, since, until
from lr_optax.schedules.inner import Inner, Inners


@schedule(check=one_fewer("boundaries", "schedules"))
def join(step: Array, schedules: Inners, *, boundaries: Boundaries) -> ArrayLike:
    """One schedule after another, each on a clock of its own that begins at 0.

    η(t) = s_i(t − b_i) for b_i <= t < b_{i+1}, with b_0 = 0.

    Args:
        schedules: s_0, s_1, ..., at least one; schedules or other functions of the step.
        boundaries: b_1, b_2, ..., the steps at which the next schedule takes over, in ascending
            order, one fewer than schedules. Between two equal boundaries lies nothing.

    Returns:
        A :class:`~lr_optax.Schedule`; the last schedule goes on.

    Raises:
        ValueError: the numbers do not match.

    Example:
        >>> from lr_optax import constant, join, linear
        >>> s = join((constant(0.1), linear(0.1, end_value=0.0, transition_steps=10)),
        ...          boundaries=(20,))
        >>> print(s(0), s(19), s(20), s(25), s(30))
        0.1 0.1 0.1 0.05 0.0

    When to use it:
        To build a plan of phases. A warm-up in front of a schedule is :func:`warmup`.

    Reference:
        S. Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable
        Training Strategies", 2024, arXiv:2404.06395: warm-up, stable and decay phases.
    """
    ends = [*boundaries, None]
    rate = schedules[0](phase(step, 0, ends[0]))
    for inner, begin, end in zip(schedules[1:], boundaries, ends[1:], strict=True):
        rate = jnp.where(until(step, begin) <= 0, inner(phase(step, begin, end)), rate)
    return rate


@schedule
def product(step: Array, schedules: Inners) -> ArrayLike:
    """Schedules multiplied with each other: η(t) = s_0(t)·s_1(t)·...

    Args:
        schedules: at least one; schedules or other functions of the step.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError: ``schedules`` is empty or holds something else.

    Example:
        >>> from lr_optax import constant, product, step_decay
        >>> s = product((constant(0.1), step_decay(1.0, decay_rate=0.5, decay_steps=10)))
        >>> print(s(0), s(9), s(10))
        0.1 0.1 0.05

    When to use it:
        To lay one change over another, such as drops over cycles.

    Reference:
        A. Paszke et al., "PyTorch: An Imperative Style, High-Performance Deep Learning Library",
        2019, arXiv:1912.01703, whose ChainedScheduler this is.
    """
    rate = schedules[0](step)
    for inner in schedules[1:]:
        rate = rate * inner(step)
    return rate


@schedule
def add(step: Array, schedules: Inners) -> ArrayLike:
    """Schedules added to each other: η(t) = s_0(t) + s_1(t) + ...

    Args:
        schedules: at least one; schedules or other functions of the step.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        TypeError: ``schedules`` is empty or holds something else.

    Example:
        >>> from lr_optax import add, constant, linear
        >>> s = add((constant(0.1), linear(0.4, end_value=0.0, transition_steps=4)))
        >>> print(s(0), s(2), s(4))
        0.5 0.3 0.1

    When to use it:
        To lay a small cycle over a decay, or a fixed rate under one.

    Reference:
        L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
        arXiv:1506.01186: a range above a base rate.
    """
    rate = schedules[0](step)
    for inner in schedules[1:]:
        rate = rate + inner(step)
    return rate


@schedule
def switch(step: Array, schedules: Inners, *, index: Count) -> ArrayLike:
    """One schedule out of several, chosen by a number that may be traced: η(t) = s_i(t).

    Args:
        schedules: s_0, s_1, ..., at least one; schedules or other functions of the step.
        index: i, >= 0; beyond the last schedule it means the last.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> from lr_optax import constant, linear, switch
        >>> s = switch((constant(0.1), linear(0.2, end_value=0.0, transition_steps=4)), index=1)
        >>> print(s(0), s(2), s.replace(index=0)(2))
        0.2 0.1 0.1

    When to use it:
        To compare schedules of different kinds in one compiled program, with ``jax.vmap`` over
        ``index``, or to let each member of a population choose its own.

    Reference:
        M. Jaderberg et al., "Population Based Training of Neural Networks", 2017,
        arXiv:1711.09846.
    """
    rate = schedules[0](step)
    for i, inner in enumerate(schedules[1:], start=1):
        rate = jnp.where(index >= i, inner(step), rate)
    return rate


@schedule
def scale(step: Array, schedule: Inner, *, factor: Real) -> ArrayLike:
    """A schedule times a number: η(t) = c·s(t).

    Args:
        schedule: s, a schedule or another function of the step.
        factor: c, any finite number; -1 turns a rate into the factor of a descent step.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> from lr_optax import linear, scale
        >>> s = scale(linear(0.1, end_value=0.0, transition_steps=10), factor=0.5)
        >>> print(s(0), s(5), s(10))
        0.05 0.025 0.0

    When to use it:
        To give groups of parameters the same schedule at different heights, or to sweep the
        height of a whole schedule.

    Reference:
        P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
        arXiv:1706.02677: scaling with the batch size.
    """
    return factor * schedule(step)


@schedule(check=at_most("min_value", "max_value"))
def clip(
    step: Array, schedule: Inner, *, min_value: Rate = 0.0, max_value: Rate | None = None
) -> ArrayLike:
    """A schedule kept between two rates: η(t) = min(max(s(t), η_min), η_max).

    Args:
        schedule: s, a schedule or another function of the step.
        min_value: η_min, the floor, >= 0.
        max_value: η_max, the ceiling, at least ``min_value``; None for none.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        ValueError: ``min_value`` exceeds ``max_value``.

    Example:
        >>> from lr_optax import clip, linear
        >>> s = clip(linear(0.1, end_value=0.0, transition_steps=10), min_value=0.02)
        >>> print(s(0), s(5), s(10))
        0.1 0.05 0.02

    When to use it:
        To put a floor under a decay that has none, such as :func:`inverse_time_decay`.

    Reference:
        A. Ibrahim et al., "Simple and Scalable Strategies to Continually Pre-train Large Language
        Models", 2024, arXiv:2403.08763: why a floor helps when training goes on later.
    """
    rate = jnp.maximum(schedule(step), min_value)
    return rate if max_value is None else jnp.minimum(rate, max_value)


@schedule
def shift(step: Array, schedule: Inner, *, steps: Offset) -> ArrayLike:
    """A schedule that begins later or earlier: η(t) = s(max(t − d, 0)).

    Args:
        schedule: s, a schedule or another function of the step.
        steps: d, steps; positive holds s(0) that long first, negative begins at s(−d).

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> from lr_optax import linear, shift
        >>> s = shift(linear(0.1, end_value=0.0, transition_steps=10), steps=5)
        >>> print(s(0), s(5), s(10), s(15))
        0.1 0.1 0.05 0.0
        >>> print(s.replace(steps=-5)(0))
        0.05

    When to use it:
        To delay a decay, or to go on with a schedule in a run whose counter begins at 0 again.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
        arXiv:1608.03983, where annealing begins late.
    """
    return schedule(since(step, steps))
