"""The schedulers of ``torch.optim.lr_scheduler`` and ``SWALR``, with the values of PyTorch 2.13.

Names, arguments and defaults are torch's: ``StepLR(optimizer, step_size=30)`` becomes
``StepLR(0.1, step_size=30)``, with the base rate where the optimizer stood. ``CyclicLR`` and
``OneCycleLR`` have rates of their own and lose the optimizer only, as do ``SequentialLR`` and
``ChainedScheduler``, which take schedules. The step of a schedule is ``last_epoch``. In
formulas b is ``base_lr``, >= 0, the rate at step 0; γ > 0 is ``gamma``, p > 0 ``power``, and T
``total_iters``, ``T_max`` or ``total_steps``.

Lengths that torch takes as fractions may be fractions. What a recursion makes of them is followed:
``StepLR`` drops where a whole number of them is a whole step, every 5 steps for 2.5;
``ConstantLR`` never ends; ``LinearLR`` and ``PolynomialLR`` stop at the last whole step before.

Deliberate differences:

* Nothing is recursive: a schedule has no state that an edit of the rate or a resume could upset.
* ``OneCycleLR`` holds its last rate from ``total_steps - 1`` on, where torch rises again, falls
  below zero or raises; a warm-up of one step, ``pct_start * total_steps == 1``, is over at once,
  where torch divides by zero.
* ``LinearLR``, ``ConstantLR`` and ``PolynomialLR`` with ``total_iters=0`` are over at once, where
  torch stays at the first value forever; ``ConstantLR`` with ``factor=0`` and ``LinearLR`` with
  ``start_factor=0`` work.
* ``CosineAnnealingWarmRestarts`` finds its cycle by exact arithmetic; torch's ``step(epoch)``
  takes the wrong one at some restarts (its ``step()`` is right). Its floor must not exceed the
  base rate, nor ``CyclicLR``'s lowest rate the highest.
* ``SequentialLR`` starts every schedule from that schedule's own base rate, so that a later stage
  can go on where the last one ended; in torch all of them start from the optimizer's.
* ``ChainedScheduler`` multiplies; see there. In torch a ``SequentialLR`` among its schedulers sets
  the rate again at each milestone, and so undoes what the others had done to it up to there.
* ``MultiplicativeLR`` needs to know how many steps to tabulate.
* ``ReduceLROnPlateau`` takes the margin of a negative metric in the direction of improvement.
* There is one rate, not a list for parameter groups, and momentum is not scheduled along;
  ``OneCycleLR(0.85, ..., div_factor=0.85 / 0.95, final_div_factor=1.0)`` is OneCycleLR's,
  :func:`torch_cyclic_momentum` makes CyclicLR's. So lists are refused where torch takes one entry
  for each group.
* Milestones out of order or between two steps are refused (torch passes over the latter), and so
  is a ``gamma`` of 0 or below, after which the rate is 0 forever or changes its sign.
"""

import math
from collections.abc import Callable
from fractions import Fraction as Ratio
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import (
    Progress,
    as_float,
    at_most,
    blend,
    cycle_position,
    is_number,
    later,
    phase,
    until,
)
from lr_optax._core.hyperparameters import (
    Boundaries,
    Fraction,
    Growth,
    Interval,
    NonNegative,
    Period,
    Positive,
    Rate,
    Shrinking,
    Span,
    Steps,
    must_not_exceed,
    one_fewer,
    validated,
)
from lr_optax._core.powers import geometric
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.compat._shared import (
    cosine_wave,
    elapsed,
    first_step,
    is_between_steps,
    keeping,
    leg,
    time_progress,
)
from lr_optax.feedback._plateau import reduce_on_plateau
from lr_optax.schedules.combine import (
    Inner,
    Inners,
    IsFunction,
    StepFunction,
    add,
    join,
    product,
    scale,
)
from lr_optax.schedules.cycles import cosine_annealing
from lr_optax.schedules.decays import (
    constant,
    cosine_decay,
    exponential_decay,
    linear,
    multistep_decay,
    polynomial,
    step_decay,
)
from lr_optax.schedules.tables import lookup


@validated
def StepLR(base_lr: Rate, step_size: Interval, gamma: Positive = 0.1) -> Schedule:
    """A drop every so many steps: η(t) = b·γ^⌊t/S⌋.

    Args:
        step_size: S, steps between drops, > 0. Of a fraction, a/b in lowest terms, a counts.

    Example:
        >>> s = StepLR(0.1, step_size=30, gamma=0.1)
        >>> print(s(0), s(29), s(30), s(60))
        0.1 0.1 0.01 0.001
    """
    if is_between_steps(step_size):
        # Every float is a fraction of whole numbers; the numerator of 2.3 is never reached.
        step_size = Ratio(cast(float, step_size)).numerator
    return step_decay(base_lr, decay_rate=gamma, decay_steps=step_size)


@validated
def MultiStepLR(base_lr: Rate, milestones: Boundaries, gamma: Positive = 0.1) -> Schedule:
    """A drop at each milestone: η(t) = b·γ^(number of milestones <= t).

    Example:
        >>> s = MultiStepLR(0.1, milestones=[30, 80], gamma=0.1)
        >>> print(s(29), s(30), s(80))
        0.1 0.01 0.001
    """
    return multistep_decay(base_lr, decay_rate=gamma, boundaries=milestones)


@validated
def ConstantLR(base_lr: Rate, factor: Fraction = 1 / 3, total_iters: Span = 5) -> Schedule:
    """A share of the rate at first, then the whole: b·f for t < T, b from T on.

    Args:
        base_lr: b, the rate from ``total_iters`` on, >= 0.
        factor: f, in [0, 1].
        total_iters: T, steps, >= 0; at 0 the rate is b at once. A fraction is never met.

    Example:
        >>> s = ConstantLR(0.1, factor=0.5, total_iters=4)
        >>> print(s(0), s(3), s(4))
        0.05 0.05 0.1
    """
    first = constant(base_lr * factor)
    if is_between_steps(total_iters):
        return first
    return join((first, constant(base_lr)), boundaries=(total_iters,))


@validated
def LinearLR(
    base_lr: Rate,
    start_factor: Fraction = 1 / 3,
    end_factor: Fraction = 1.0,
    total_iters: Span = 5,
) -> Schedule:
    """A straight line between two shares of the rate: b·(s + (e − s)·min(t, T)/T).

    Args:
        start_factor: s, in [0, 1]; torch refuses 0, which is a warm-up from nothing.
        end_factor: e, in [0, 1].
        total_iters: T, steps, >= 0; at 0 the rate is b·e at once. Of a fraction the rate stays at
            what it is at step ⌊T⌋.

    Example:
        >>> s = LinearLR(0.1, start_factor=0.5, total_iters=4)
        >>> print(s(0), s(2), s(4))
        0.05 0.075 0.1
    """
    steps, reached = total_iters, end_factor
    if is_between_steps(total_iters):
        steps = math.floor(cast(float, total_iters))
        reached = start_factor + (end_factor - start_factor) * steps / total_iters
    return linear(base_lr * start_factor, end_value=base_lr * reached, transition_steps=steps)


@validated
def ExponentialLR(base_lr: Rate, gamma: Positive) -> Schedule:
    """The same factor at every step: η(t) = b·γ^t.

    Example:
        >>> s = ExponentialLR(0.1, gamma=0.5)
        >>> print(s(0), s(1), s(2))
        0.1 0.05 0.025
    """
    return exponential_decay(base_lr, decay_rate=gamma, decay_steps=1)


@validated
def PolynomialLR(base_lr: Rate, total_iters: Span = 5, power: Positive = 1.0) -> Schedule:
    """A power of what is left, to zero: η(t) = b·(1 − min(t, T)/T)^p.

    Args:
        total_iters: T, steps, >= 0; at 0 the rate is 0 at once. Of a fraction the rate stays at
            what it is at step ⌊T⌋.

    Example:
        >>> s = PolynomialLR(0.1, total_iters=4, power=2.0)
        >>> print(s(0), s(2), s(4))
        0.1 0.025 0.0
    """
    if not is_between_steps(total_iters):
        return polynomial(base_lr, end_value=0.0, power=power, transition_steps=total_iters)
    last = math.floor(cast(float, total_iters))
    reached = base_lr * (1 - last / total_iters) ** power
    curve = leg(base_lr, end_value=0.0, end=total_iters, power=power)
    return join((curve, constant(reached)), boundaries=(last,))


@validated
def SWALR(
    base_lr: Rate,
    swa_lr: Rate,
    anneal_epochs: Steps = 10,
    anneal_strategy: Literal["cos", "linear"] = "cos",
) -> Schedule:
    """From the rate to the one for averaging weights, by half a cosine or a straight line.

    Example:
        >>> s = SWALR(1.0, swa_lr=0.1, anneal_epochs=4)
        >>> print(s(0), s(2), s(4))
        1.0 0.55 0.1
    """
    if anneal_strategy == "cos":
        return cosine_decay(base_lr, decay_steps=anneal_epochs, end_value=swa_lr)
    return linear(base_lr, end_value=swa_lr, transition_steps=anneal_epochs)


@validated
def ReduceLROnPlateau(
    base_lr: Positive,
    mode: Literal["min", "max"] = "min",
    factor: Shrinking = 0.1,
    patience: Span = 10,
    threshold: NonNegative = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: Span = 0,
    min_lr: Rate = 0.0,
    eps: NonNegative = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    The rate is ``base_lr`` times the transform's ``scale``: ``optax.chain(optax.sgd(base_lr), tx)``
    updated with ``value=metric``.

    Args:
        base_lr: the optimizer's rate, > 0; ``min_lr`` and ``eps`` are relative to it here.
        eps: a cut that would lower the rate by no more than this is not made, >= 0.

    Example:
        >>> tx = ReduceLROnPlateau(0.1, factor=0.5, patience=0)
        >>> state = tx.init(None)
        >>> for loss in (1.0, 1.0):
        ...     _, state = tx.update(None, state, value=loss)
        >>> print(0.1 * state.scale)
        0.05
    """
    return reduce_on_plateau(
        factor,
        patience=math.floor(patience) if is_number(patience) else patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        mode=mode,
        cooldown=first_step(cooldown)[0],
        # A floor above the rate makes torch never cut; so does one equal to it.
        min_scale=at_most(min_lr / base_lr, 1.0),
        eps=eps / base_lr,
    )


@validated
def CosineAnnealingLR(base_lr: Rate, T_max: Interval, eta_min: Rate = 0.0) -> Schedule:
    """A cosine that falls for T steps and rises again: η_min + (b − η_min)·½(1 + cos(πt/T)).

    Example:
        >>> s = CosineAnnealingLR(1.0, T_max=4, eta_min=0.1)
        >>> print(s(0), s(2), s(4), s(6), s(8))
        1.0 0.55 0.1 0.55 1.0
    """
    return cosine_wave(base_lr, half_period=T_max, end_value=eta_min)


@validated
@keeping(must_not_exceed("eta_min", "base_lr"))
def CosineAnnealingWarmRestarts(
    base_lr: Rate, T_0: Period, T_mult: Growth = 1, eta_min: Rate = 0.0
) -> Schedule:
    """Half a cosine down, then a jump back up; cycle i lasts T₀·m^i steps.

    Example:
        >>> s = CosineAnnealingWarmRestarts(1.0, T_0=2, T_mult=2)
        >>> print(s(0), s(1), s(2), s(4), s(6))
        1.0 0.5 1.0 0.5 1.0
    """
    return cosine_annealing(base_lr, period=T_0, min_value=eta_min, period_multiplier=T_mult)


CyclicMode = Literal["triangular", "triangular2", "exp_range"]
ScaleFunction = Annotated[Callable[[Any], ArrayLike], StepFunction()]


@schedule(check=must_not_exceed("base_lr", "max_lr"), name="torch.cyclic", positional=True)
def CyclicLR(
    step: Array,
    base_lr: Rate,
    max_lr: Rate,
    step_size_up: Interval = 2000,
    step_size_down: Interval | None = None,
    mode: CyclicMode = "triangular",
    gamma: Positive = 1.0,
    scale_fn: ScaleFunction | None = None,
    scale_mode: Literal["cycle", "iterations"] = "cycle",
) -> ArrayLike:
    """Triangles between two rates: η(t) = b + (m − b)·x·g, with x in [0, 1] the height.

    m is ``max_lr``, at least b.

    Args:
        mode: g is 1 for "triangular", halves with every cycle for "triangular2" and is γ^t for
            "exp_range".
        scale_fn: g as a function of a float array, written with ``jax.numpy``; the mode is then
            ignored.
        scale_mode: what ``scale_fn`` is given: the number of the "cycle", from 1, or the step.

    Example:
        >>> s = CyclicLR(0.1, max_lr=1.0, step_size_up=2, mode="triangular2")
        >>> print(s(0), s(2), s(4), s(6))
        0.1 1.0 0.1 0.55
    """
    up, down = step_size_up, step_size_up if step_size_down is None else step_size_down
    index, height = _triangle(step, up, down)
    if scale_fn is not None:
        number = as_float(step) if scale_mode == "iterations" else as_float(index) + 1
        height = height * as_float(scale_fn(number))
    elif mode == "triangular2":
        height = height * geometric(0.5, index)
    elif mode == "exp_range":
        height = height * geometric(gamma, step)
    # A range that grows forever must not become the difference of two infinities.
    height = jnp.minimum(height, 2.0**96)
    return blend(Progress(height, 1 - height), max_lr, base_lr)


def _triangle(step: Array, up: ArrayLike, down: ArrayLike) -> tuple[Array, Array]:
    """The number of the cycle, and the height in [0, 1] above its ends."""
    period = later(up, down)
    index, position, length = cycle_position(step, period)
    if is_number(length) and is_number(period):
        # In units of the position, in which these are whole.
        up, down = up * (length / period), down * (length / period)
    gone, left = as_float(position), as_float(until(position, length))
    return index, jnp.minimum(_over(gone, up), _over(left, down))


def _over(part: ArrayLike, divisor: ArrayLike) -> ArrayLike:
    """A quotient, in double precision where both are known, and finite where one is traced."""
    if is_number(part) and is_number(divisor):
        return part / divisor
    divisor = as_float(divisor)
    return part / jnp.where(divisor > 0, divisor, 1)


@validated
@keeping(must_not_exceed("base_momentum", "max_momentum"))
def torch_cyclic_momentum(
    base_momentum: Fraction = 0.8,
    max_momentum: Fraction = 0.9,
    step_size_up: Period = 2000,
    step_size_down: Period | None = None,
    mode: CyclicMode = "triangular",
    gamma: Positive = 1.0,
    scale_fn: ScaleFunction | None = None,
    scale_mode: Literal["cycle", "iterations"] = "cycle",
) -> Schedule:
    """The momentum to go with :func:`CyclicLR`, low where the rate is high: M − (M − m)·x·g.

    M is ``max_momentum`` and m ``base_momentum``, both in [0, 1]; all others are as for the rate.
    For SGD's momentum, or Adam's β₁, in :func:`lr_optax.with_hyperparams`.

    Example:
        >>> s = torch_cyclic_momentum(step_size_up=2, mode="triangular2")
        >>> print(s(0), s(1), s(2), s(4), s(6))
        0.9 0.85 0.8 0.9 0.85
    """
    low, high = cast(Any, base_momentum), cast(Any, max_momentum)
    height = CyclicLR(0.0, 1.0, step_size_up, step_size_down, mode, gamma, scale_fn, scale_mode)
    return add((constant(high), scale(height, factor=low - high)))


def _has_length(*, total_steps, epochs, steps_per_epoch, **_: object) -> None:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError(
            "`total_steps`, or both `epochs` and `steps_per_epoch`, must be given, "
            f"got {total_steps}, {epochs} and {steps_per_epoch}"
        )


@schedule(check=_has_length, name="torch.one_cycle", positional=True)
def OneCycleLR(
    step: Array,
    max_lr: Rate,
    total_steps: Period | None = None,
    epochs: Period | None = None,
    steps_per_epoch: Period | None = None,
    pct_start: Fraction = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    *,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
    three_phase: bool = False,
) -> ArrayLike:
    """One rise from ``max_lr / div_factor`` to the peak, then one fall far below the start.

    Phases end between steps: with T steps at p·T − 1, with ``three_phase`` at 2·(p·T − 1), and at
    T − 1.

    Args:
        total_steps: T, steps of the whole, >= 1; or give the next two.
        pct_start: p, the rise's share of the whole, in [0, 1]. A rise that ends before step 0
            leaves the first rate between the others; one that ends at step 0 is over at once.
        three_phase: whether the fall goes back to the first rate as steeply as the rise, and from
            there to the last one.

    Example:
        >>> s = OneCycleLR(1.0, total_steps=10)
        >>> print(s(0), s(2), s(9))
        0.04 1.0 4e-06
    """
    steps: Any = total_steps
    if steps is None:
        steps = cast(Any, epochs) * steps_per_epoch
    known = is_number(pct_start) and is_number(steps)
    rise, last = pct_start * (steps if known else as_float(steps)) - 1, steps - 1
    first = _over(max_lr, div_factor)
    knots = [(0, first), (rise, max_lr), (last, _over(first, final_div_factor))]
    if three_phase:
        knots.insert(2, (2 * rise, first))
    step = phase(step, 0, last)
    legs = pairwise(knots)
    (_, start), (end, target) = next(legs)
    x = time_progress(step, 0, end)
    for (begin, value), (end, next_value) in legs:
        begun = elapsed(step, begin) > 0
        current = (time_progress(step, begin, end), value, next_value)
        x, start, target = jax.tree.map(partial(jnp.where, begun), current, (x, start, target))
    shape = shapes.cosine if anneal_strategy == "cos" else shapes.linear
    return blend(shape(x), start, target)


@validated
def LambdaLR(base_lr: Rate, lr_lambda: Inner) -> Schedule:
    """The rate times a function of the step: η(t) = b·λ(t).

    Args:
        lr_lambda: λ, a schedule, or a function of the step written with ``jax.numpy``.

    Example:
        >>> s = LambdaLR(0.1, lambda step: 1 / (1 + step))
        >>> print(s(0), s(1), s(3))
        0.1 0.05 0.025
    """
    return scale(lr_lambda, factor=base_lr)


@validated
def MultiplicativeLR(
    base_lr: Rate,
    lr_lambda: Annotated[Callable[[int], float], IsFunction()],
    *,
    total_steps: Period,
) -> Schedule:
    """The rate times one more factor at every step: η(t) = b·λ(1)·λ(2)·...·λ(t).

    Args:
        base_lr: b, the rate at step 0, >= 0; known, not traced.
        lr_lambda: λ, any Python function of a whole number. It is called now, for all steps.
        total_steps: how many rates to tabulate, >= 1; from then on the last one is held.

    Example:
        >>> s = MultiplicativeLR(0.1, lambda epoch: 0.5, total_steps=100)
        >>> print(s(0), s(1), s(2))
        0.1 0.05 0.025
    """
    factors = map(lr_lambda, range(1, cast(int, total_steps)))
    return lookup(np.cumprod(np.asarray([base_lr, *factors], np.float64)))


@validated
@keeping(one_fewer("milestones", "schedulers"))
def SequentialLR(schedulers: Inners, milestones: Boundaries) -> Schedule:
    """One schedule after another, each on a clock of its own that begins at its milestone.

    Example:
        >>> from lr_optax.compat.torch import CosineAnnealingLR, LinearLR
        >>> s = SequentialLR([LinearLR(1.0, start_factor=0.25, total_iters=3),
        ...                   CosineAnnealingLR(1.0, T_max=4)], milestones=[3])
        >>> print(s(0), s(2), s(3), s(5), s(7))
        0.25 0.75 1.0 0.5 0.0
    """
    return join(schedulers, boundaries=milestones)


@validated
def ChainedScheduler(schedulers: Inners) -> Schedule:
    """Several schedules at once: their product.

    One of them carries the base rate, the others are made with a base rate of 1. The values are
    torch's where its schedulers only multiply the rate: ConstantLR, LinearLR, ExponentialLR,
    StepLR, MultiStepLR, MultiplicativeLR, PolynomialLR, and CosineAnnealingLR up to its first
    minimum if that is zero. The others add to the rate or overwrite it in torch, so that what
    they do there depends on their order.

    Example:
        >>> from lr_optax.compat.torch import ConstantLR, ExponentialLR
        >>> s = ChainedScheduler([ConstantLR(1.0, factor=0.1, total_iters=2),
        ...                       ExponentialLR(1.0, gamma=0.5)])
        >>> print(s(0), s(1), s(2), s(3))
        0.1 0.05 0.25 0.125
    """
    return product(schedulers)
