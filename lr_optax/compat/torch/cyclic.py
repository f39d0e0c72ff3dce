"""PyTorch's cycles."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, cast

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, as_step, blend, cycle, is_number, phase
from lr_optax._parameters import validated
from lr_optax._schedule import Schedule, schedule
from lr_optax.compat._shared import cosine_wave, elapsed, lengths, portions
from lr_optax.hyperparameters import Factor, Fraction, Growth, Period, Rate
from lr_optax.schedules import add, constant, cosine_annealing, cyclical, foreign, product


@validated
def CosineAnnealingLR(base_lr: Rate, T_max: Period, eta_min: Rate = 0.0) -> Schedule:
    """A cosine that falls for T steps and rises again: η_min + (b − η_min)·½(1 + cos(πt/T)).

    Args:
        base_lr: b, the rate at step 0, >= 0.
        T_max: T, steps to the lowest rate, >= 1. At t = 2T the rate is b again.
        eta_min: η_min, the lowest rate, >= 0.

    Returns:
        A :func:`~lr_optax.compat._shared.cosine_wave`, whose period is 2T.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = CosineAnnealingLR(1.0, T_max=4, eta_min=0.1)
        >>> print(s(0), s(2), s(4), s(6), s(8))
        1.0 0.55 0.1 0.55 1.0

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.CosineAnnealingLR.
    """
    return cosine_wave(base_lr, half_period=T_max, end_value=eta_min)


@validated
def CosineAnnealingWarmRestarts(
    base_lr: Rate, T_0: Period, T_mult: Growth = 1, eta_min: Rate = 0.0
) -> Schedule:
    """Half a cosine down, then a jump back up; cycle i lasts T₀·m^i steps.

    Args:
        base_lr: the rate at each restart, >= ``eta_min``.
        T_0: T₀, steps of the first cycle, >= 1.
        T_mult: m >= 1, each cycle's length over the last one's.
        eta_min: what every cycle falls towards, >= 0.

    Returns:
        A :func:`lr_optax.cosine_annealing`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or ``eta_min`` exceeds ``base_lr``.

    Example:
        >>> s = CosineAnnealingWarmRestarts(1.0, T_0=2, T_mult=2)
        >>> print(s(0), s(1), s(2), s(4), s(6))
        1.0 0.5 1.0 0.5 1.0

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """
    return cosine_annealing(base_lr, period=T_0, min_value=eta_min, period_multiplier=T_mult)


@validated
def CyclicLR(
    base_lr: Rate,
    max_lr: Rate,
    step_size_up: Period = 2000,
    step_size_down: Period | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: Factor = 1.0,
    scale_fn: Callable[[Any], ArrayLike] | None = None,
    scale_mode: Literal["cycle", "iterations"] = "cycle",
) -> Schedule:
    """Triangles between two rates: η(t) = b + (m − b)·x·g, with x in [0, 1] the height.

    Args:
        base_lr: b, the lowest rate, >= 0.
        max_lr: m, the highest rate, >= ``base_lr``.
        step_size_up: steps up, >= 1.
        step_size_down: steps down, >= 1; None for as many as up.
        mode: g is 1 for "triangular", halves with every cycle for "triangular2" and is γ^t for
            "exp_range".
        gamma: γ > 0, used by "exp_range" alone.
        scale_fn: g as a function of a float array, written with ``jax.numpy``; the mode is then
            ignored.
        scale_mode: what ``scale_fn`` is given: the number of the "cycle", from 1, or the step.

    Returns:
        A :func:`lr_optax.cyclical`, or with ``scale_fn`` a sum around one.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or ``base_lr`` exceeds ``max_lr``.

    Example:
        >>> s = CyclicLR(0.1, max_lr=1.0, step_size_up=2, mode="triangular2")
        >>> print(s(0), s(2), s(4), s(6))
        0.1 1.0 0.1 0.55

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.CyclicLR.
    """
    up, down = step_size_up, step_size_up if step_size_down is None else step_size_down
    if scale_fn is None:
        gamma = gamma if mode == "exp_range" else 1.0
        return cyclical(
            base_lr, max_value=max_lr, step_size_up=up, step_size_down=down, mode=mode, gamma=gamma
        )
    low, high = cast(Any, base_lr), cast(Any, max_lr)
    height = cyclical(0.0, max_value=high - low, step_size_up=up, step_size_down=down)
    scale = _height_scale(scale_fn, scale_mode, up + down)
    return add((constant(low), product((height, scale))))


def _height_scale(
    scale_fn: Callable[[Any], ArrayLike], scale_mode: str, period: ArrayLike
) -> Schedule:
    if scale_mode == "iterations":
        return foreign(lambda step: scale_fn(as_float(step)))
    return foreign(lambda step: scale_fn(as_float(cycle(as_step(step), period)[0]) + 1))


@validated
def OneCycleLR(
    max_lr: Rate,
    total_steps: Period | None = None,
    epochs: Period | None = None,
    steps_per_epoch: Period | None = None,
    pct_start: Fraction = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    *,
    div_factor: Factor = 25.0,
    final_div_factor: Factor = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """One rise from ``max_lr / div_factor`` to the peak, then one fall far below the start.

    Args:
        max_lr: the peak, >= 0.
        total_steps: steps of the whole, >= 1; or give the next two.
        epochs: epochs of the whole, >= 1.
        steps_per_epoch: steps per epoch, >= 1.
        pct_start: the rise's share of the whole, in [0, 1].
        anneal_strategy: "cos" or "linear".
        div_factor: the peak over the first rate, > 0.
        final_div_factor: the first rate over the last, > 0.
        three_phase: whether the fall goes back to the first rate as steeply as the rise, and from
            there to the last one.

    Returns:
        A :func:`torch_one_cycle`.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or the number of steps is not given.

    Example:
        >>> s = OneCycleLR(1.0, total_steps=10)
        >>> print(s(0), s(2), s(9))
        0.04 1.0 4e-06

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.OneCycleLR.
    """
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError(
            "OneCycleLR: `total_steps`, or both `epochs` and `steps_per_epoch`, must be given"
        )
    first = max_lr / div_factor
    return torch_one_cycle(
        first,
        peak_value=max_lr,
        end_value=first / final_div_factor,
        total_steps=cast(Any, epochs) * steps_per_epoch if total_steps is None else total_steps,
        pct_start=pct_start,
        anneal_strategy=anneal_strategy,
        three_phase=three_phase,
    )


@schedule
def torch_one_cycle(
    step: Array,
    init_value: Rate,
    *,
    peak_value: Rate,
    end_value: Rate,
    total_steps: Period,
    pct_start: Fraction = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
) -> ArrayLike:
    """One cycle whose phases end between steps: at p·T − 1, (2·(p·T − 1),) and T − 1.

    Args:
        init_value: the rate at step 0, >= 0.
        peak_value: the rate at the end of the rise, >= 0.
        end_value: the last rate, >= 0.
        total_steps: T, steps, >= 1.
        pct_start: p, in [0, 1]. A rise that ends before step 0 leaves the first rate between the
            others; one that ends at step 0 is over at once.
        anneal_strategy: how the rate moves within a phase, "cos" or "linear".
        three_phase: whether there is a phase back to the first rate before the last one.

    Returns:
        A :class:`~lr_optax.Schedule`. The rate of step T − 1 is held.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = torch_one_cycle(0.04, peak_value=1.0, end_value=4e-06, total_steps=10)
        >>> print(s(0), s(1), s(2), s(9), s(10))
        0.04 0.52 1.0 4e-06 4e-06

    When to use it:
        To reproduce a run with torch's OneCycleLR. Its momentum moves the other way: with
        ``cycle_momentum`` it is ``torch_one_cycle(0.95, peak_value=0.85, end_value=0.95, ...)``.

    Reference:
        PyTorch 2.13, torch.optim.lr_scheduler.OneCycleLR; L. N. Smith, N. Topin,
        "Super-Convergence", 2017, arXiv:1708.07120.
    """
    known = is_number(pct_start) and is_number(total_steps)
    rise = pct_start * (total_steps if known else as_float(total_steps)) - 1
    last = total_steps - 1
    knots = [(0, init_value), (rise, peak_value), (last, end_value)]
    if three_phase:
        knots.insert(2, (2 * rise, init_value))
    step = phase(step, 0, last)
    (_, start), (end, target) = knots[:2]
    now = (*lengths(step, 0, end), start, target)
    for (begin, start), (end, target) in pairwise(knots[1:]):
        later = (*lengths(step, begin, end), start, target)
        begun = elapsed(step, begin) > 0
        now = tuple(jnp.where(begun, a, b) for a, b in zip(later, now, strict=True))
    left, gone, start, target = now
    shape = shapes.cosine if anneal_strategy == "cos" else shapes.linear
    return blend(shape(*portions(left, gone)), start, target)
