"""The schedulers of ``timm.scheduler``, with the values of timm 1.0.31.

Names, arguments and defaults are timm's: ``CosineLRScheduler(optimizer, t_initial=300)`` becomes
``CosineLRScheduler(0.1, t_initial=300)``, with the base rate where the optimizer stood. A step is
whatever ``t`` counts there: with Optax, which counts updates, give lengths in updates, or let
:func:`create_scheduler_v2` do so with ``step_on_epochs=False``. Lengths may be fractions.

Common to all, where b is ``base_lr``, >= 0:

* ``warmup_t`` steps lead in a straight line from ``warmup_lr_init`` to ``base_lr``. Then the
  schedule begins, or with ``warmup_prefix=False``, the default of the cyclic ones, goes on: its
  clock runs during the warm-up, and the rate jumps at the hand-off.
* A cyclic schedule has ``cycle_limit`` cycles, then η_min = ``lr_min``. The first takes
  ``t_initial`` steps from b down to η_min; each is ``cycle_mul`` >= 1 times as long as the previous
  one and has d = ``cycle_decay`` > 0 times its peak. k = ``k_decay`` above 1 delays its fall; x
  goes from 0 to 1 in a cycle.
* Milestones act one step early, at m − 1, as is intended in timm
  (:func:`lr_optax.multistep_decay` acts at m).

Deliberate differences:

* With ``cycle_mul`` the cycle is found by comparing with its boundaries. A rounded logarithm in
  timm puts some restarts at the end of the last cycle: with ``t_initial=1`` and ``cycle_mul=3``
  the one at step 121.
* There is no noise: its random numbers are torch's. ``noise_*`` arguments are refused.
* ``"none"`` gives a constant rate, where timm gives no scheduler.
* Step 0 has the rate of ``step(0)`` or ``step_update(0)``. timm's training script calls neither:
  it makes its first epoch or update with ``base_lr``, or ``warmup_lr_init`` if there is a warm-up.
  Without a warm-up these two differ for ``TanhLRScheduler``, by a factor of about
  1 − 1/(1 + e^−2lb), for a milestone at 0 or 1, with ``cycle_limit=0``, and below ``lr_min``.
* Where a drop or a cycle falls on a step by the digits of two fractions, as with ``warmup_t=0.6``
  in front of ``decay_t=2.4``, it begins there as in decimal arithmetic; in timm the rounded
  difference of the two decides. Alone, a fraction has timm's steps, every one.
* ``PlateauLRScheduler`` takes a whole warm-up; in timm the rate of one that ends between two checks
  never reaches ``base_lr``.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import (
    Progress,
    as_float,
    as_step,
    at_least,
    blend,
    cycle_position,
    is_number,
    until,
)
from lr_optax._core.hyperparameters import (
    Count,
    Growth,
    Interval,
    Moments,
    NonNegative,
    Positive,
    Rate,
    Real,
    Shrinking,
    Span,
    exceeds,
    must_not_exceed,
    validated,
)
from lr_optax._core.powers import geometric
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.compat._shared import behind_warmup, time_progress
from lr_optax.compat.torch import ReduceLROnPlateau
from lr_optax.feedback._transform import real, whole
from lr_optax.schedules.combine import StepFunction
from lr_optax.schedules.cycles import growing_cycles
from lr_optax.schedules.decays import constant, multistep_decay


@schedule(name="timm.cosine", positional=True)
def CosineLRScheduler(
    step: Array,
    base_lr: Rate,
    t_initial: Interval,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = False,
    k_decay: Positive = 1.0,
) -> ArrayLike:
    """Cycles of half a cosine: η_min + ½(b·d^i − η_min)(1 + cos πx^k).

    Example:
        >>> s = CosineLRScheduler(0.1, t_initial=10, warmup_t=4, warmup_prefix=True)
        >>> print(s(0), s(2), s(4), s(9), s(14))
        0.0 0.05 0.1 0.05 0.0
    """

    def cycles(clock: Array, ahead: float) -> ArrayLike:
        index, x = growing_cycles(clock, t_initial, cycle_mul, ahead)
        falling = shapes.cosine(shapes.delayed(x, k_decay))
        return _limited(falling, index, base_lr, lr_min, cycle_decay, cycle_limit)

    rise = warmup_lr_init, base_lr
    return behind_warmup(step, cycles, rise, warmup_t, from_start=not warmup_prefix)


@schedule(name="timm.poly", positional=True)
def PolyLRScheduler(
    step: Array,
    base_lr: Rate,
    t_initial: Interval,
    power: Positive = 0.5,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = False,
    k_decay: Positive = 1.0,
) -> ArrayLike:
    """Cycles of a power of what is left: η_min + (b·d^i − η_min)(1 − x^k)^p.

    p > 0 is ``power``.

    Example:
        >>> s = PolyLRScheduler(0.1, t_initial=10, power=2.0)
        >>> print(s(0), s(5), s(10))
        0.1 0.025 0.0
    """

    def cycles(clock: Array, ahead: float) -> ArrayLike:
        index, x = growing_cycles(clock, t_initial, cycle_mul, ahead)
        falling = shapes.power(shapes.delayed(x, k_decay), power)
        return _limited(falling, index, base_lr, lr_min, cycle_decay, cycle_limit)

    rise = warmup_lr_init, base_lr
    return behind_warmup(step, cycles, rise, warmup_t, from_start=not warmup_prefix)


def _rises(*, lb, ub, **_: object) -> None:
    if is_number(lb) and is_number(ub) and not lb < ub:
        raise ValueError(f"`lb` must be below `ub`, got {lb} and {ub}")


@schedule(check=_rises, name="timm.tanh", positional=True)
def TanhLRScheduler(
    step: Array,
    base_lr: Rate,
    t_initial: Interval,
    lb: Real = -7.0,
    ub: Real = 3.0,
    lr_min: Rate = 0.0,
    cycle_mul: Growth = 1.0,
    cycle_decay: Positive = 1.0,
    cycle_limit: Count = 1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = False,
) -> ArrayLike:
    """Cycles of a falling tanh: η_min + ½(b·d^i − η_min)(1 − tanh(l + (u − l)x)).

    The last step of a cycle is above η_min; :func:`lr_optax.tanh_decay` reaches its ends.

    Args:
        base_lr: b, about the peak of the first cycle, >= 0.
        lb: l, where on the tanh a cycle begins, below ``ub``.
        ub: u, where it ends.
        lr_min: η_min, the rate after the last cycle, >= 0.
        warmup_t: steps of the warm-up, >= 0. Without ``warmup_prefix`` it leads to the rate at its
            end, not to b, so that this one does not jump.

    Example:
        >>> s = TanhLRScheduler(0.1, t_initial=10, warmup_t=7)
        >>> print(s(0), s(7), s(10))
        0.0 0.05 0.0
    """
    first, last = _tanh(lb), _tanh(ub)

    def cycles(clock: Array, ahead: float) -> ArrayLike:
        index, x = growing_cycles(clock, t_initial, cycle_mul, ahead)
        # As a share of the way between the ends, whose values are then the same however compiled.
        x = shapes.tanh(x, lb, ub)
        falling = Progress(
            as_float(blend(x, (1 - first) / 2, (1 - last) / 2)),
            as_float(blend(x, (1 + first) / 2, (1 + last) / 2)),
        )
        return _limited(falling, index, base_lr, lr_min, cycle_decay, cycle_limit)

    top = base_lr if warmup_prefix else cycles(as_step(warmup_t), 0.0)
    rise = warmup_lr_init, top
    return behind_warmup(step, cycles, rise, warmup_t, from_start=not warmup_prefix)


def _tanh(x: ArrayLike) -> ArrayLike:
    return math.tanh(x) if is_number(x) else jnp.tanh(as_float(x))


def _limited(
    weights: Progress,
    index: Array,
    base_lr: ArrayLike,
    lr_min: ArrayLike,
    cycle_decay: ArrayLike,
    cycle_limit: ArrayLike,
) -> ArrayLike:
    """The rate in a cycle, or after the last one."""
    rate = blend(weights, base_lr * geometric(cycle_decay, index), lr_min)
    return jnp.where(as_float(index) < as_float(cycle_limit), rate, lr_min)


@schedule(name="timm.step", positional=True)
def StepLRScheduler(
    step: Array,
    base_lr: Rate,
    decay_t: Interval,
    decay_rate: Positive = 1.0,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = True,
) -> ArrayLike:
    """A drop every so many steps: b·r^⌊t/T⌋.

    Args:
        decay_t: T, steps between drops, > 0, such as EfficientNet's 2.4 epochs. Traced, it is what
            float32 holds: 2.4 is a little more than itself there, and the fifth drop comes after
            step 12.

    Example:
        >>> s = StepLRScheduler(0.1, decay_t=2.5, decay_rate=0.5)
        >>> print(s(0), s(2), s(3), s(4), s(5), s(10))
        0.1 0.1 0.05 0.05 0.025 0.00625
    """

    def drops(clock: Array, ahead: float) -> ArrayLike:
        index, *_ = cycle_position(clock, decay_t, ahead)
        return base_lr * geometric(decay_rate, index)

    rise = warmup_lr_init, base_lr
    return behind_warmup(step, drops, rise, warmup_t, from_start=not warmup_prefix)


@schedule(name="timm.multistep", positional=True)
def MultiStepLRScheduler(
    step: Array,
    base_lr: Rate,
    decay_t: Moments,
    decay_rate: Positive = 1.0,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
    *,
    warmup_prefix: bool = True,
) -> ArrayLike:
    """A drop a step before each milestone: b·r^(number of milestones <= t + 1).

    Args:
        decay_t: the milestones, ascending.

    Example:
        >>> s = MultiStepLRScheduler(0.1, decay_t=[10, 20], decay_rate=0.5)
        >>> print(s(8), s(9), s(18), s(19))
        0.1 0.05 0.05 0.025
    """

    def drops(clock: Array, ahead: float) -> ArrayLike:
        early: Any = decay_t
        if isinstance(early, tuple):
            early = tuple(_step_from(_earlier(milestone - 1, ahead)) for milestone in early)
        else:
            early = _step_from(early - 1)
        return multistep_decay.formula(clock, base_lr, decay_rate=decay_rate, boundaries=early)

    rise = warmup_lr_init, base_lr
    return behind_warmup(step, drops, rise, warmup_t, from_start=not warmup_prefix)


def _step_from(time: Any) -> Any:
    return at_least(math.ceil(time) if is_number(time) else time, 0)


@validated
def PlateauLRScheduler(
    base_lr: Positive,
    decay_rate: Shrinking = 0.1,
    patience_t: Count = 10,
    threshold: NonNegative = 1e-4,
    cooldown_t: Count = 0,
    warmup_t: Count = 0,
    warmup_lr_init: Rate = 0.0,
    lr_min: Rate = 0.0,
    mode: Literal["min", "max"] = "max",
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    The rate is ``base_lr`` times the transform's ``scale``: ``optax.chain(optax.sgd(base_lr), tx)``
    updated, or :func:`lr_optax.observe` called, with the metric once an epoch. The first
    ``warmup_t`` metrics are ignored: each takes the rate a step of the warm-up further.

    Args:
        base_lr: the optimizer's rate, > 0; ``lr_min`` is relative to it here.
        warmup_t: checks of the warm-up, >= 0; whole.

    Example:
        >>> tx = PlateauLRScheduler(0.1, 0.5, patience_t=0, warmup_t=2)
        >>> state = tx.init(None)
        >>> for accuracy in (0.5, 0.6, 0.7, 0.7):
        ...     _, state = tx.update(None, state, value=accuracy)
        ...     print(0.1 * state.scale)
        0.05
        0.1
        0.1
        0.05
    """
    tx = ReduceLROnPlateau(
        base_lr,
        mode=mode,
        factor=decay_rate,
        patience=patience_t,
        threshold=threshold,
        cooldown=cooldown_t,
        min_lr=lr_min,
    )

    def init(params: optax.Params) -> optax.OptState:
        state: Any = tx.init(params)
        warms = jnp.asarray(warmup_t) > 0
        return state._replace(
            scale=real(jnp.where(warms, warmup_lr_init / base_lr, 1)),
            bad_checks=whole(jnp.where(warms, -1 - warmup_t, 0)),
        )

    return tx._replace(init=init)


Stable = Literal["constant", "rsqrt", "power"]
Decay = Literal["linear", "1-sqrt", "cosine", "power", "exp"]


class _DecayFunction:
    """An annotation: the name of a decay, or a function of its progress."""

    def accept(self, value: object) -> object:
        """See :class:`lr_optax._core.hyperparameters.Accepts`."""
        if callable(value):
            return StepFunction().accept(value)
        if not isinstance(value, str) or value not in get_args(Decay):
            names = ", ".join(map(repr, get_args(Decay)))
            raise ValueError(f"must be {names} or a function, got {value!r}")
        return value


DecayFunction = Annotated[Decay | Callable[[Any], ArrayLike], _DecayFunction()]


def _stages_fit(**values: Any) -> None:
    must_not_exceed("decay_t", "t_initial")(**values)
    if exceeds(values["decay_ratio"], np.nextafter(1, 0)):
        raise ValueError(f"`decay_ratio` must be below 1, got {values['decay_ratio']}")
    no_warmup = is_number(values["warmup_t"]) and values["warmup_t"] == 0
    if no_warmup and values["stable_fn"] != "constant" and values["stable_timescale"] is None:
        raise ValueError(
            "`stable_timescale` must be given if there is no warm-up, which it is otherwise"
        )


@schedule(check=_stages_fit, name="timm.wsd", positional=True)
def WSDLRScheduler(
    step: Array,
    base_lr: Rate,
    t_initial: Interval,
    decay_t: Interval,
    lr_min: Rate = 0.0,
    stable_fn: Stable = "constant",
    stable_timescale: Positive | None = None,
    stable_power: Positive = 0.5,
    decay_fn: DecayFunction = "1-sqrt",
    decay_power: Positive = 0.5,
    decay_ratio: Positive = 0.1,
    warmup_t: Span = 0,
    warmup_lr_init: Rate = 0.0,
) -> ArrayLike:
    """A warm-up, then a stable phase S and a decay f on top of it: η_min + (S(t) − η_min)·f(x).

    S is b, or max(b·(1 + t/τ)^−p, η_min), with t from the end of the warm-up on; x goes from 0 to
    1 in the last ``decay_t`` steps. From then on the rate is η_min.

    Args:
        t_initial: steps of the stable phase and the decay, > 0; the warm-up comes on top.
        decay_t: steps of the decay, > 0, at most ``t_initial``.
        stable_fn: "constant", "rsqrt", which is p = ½, or "power".
        stable_timescale: τ, steps, > 0, of "rsqrt" and "power"; None for ``warmup_t``.
        stable_power: p > 0, of "power".
        decay_fn: f, which is 1 − x for "linear", 1 − √x for "1-sqrt", ½(1 + cos πx) for "cosine",
            1 − x^q for "power", (r^x − r)/(1 − r) for "exp", or a function of x written with
            ``jax.numpy``.
        decay_power: q > 0, of "power".
        decay_ratio: r, between 0 and 1, of "exp".

    Example:
        >>> s = WSDLRScheduler(0.1, t_initial=96, decay_t=16, warmup_t=4)
        >>> print(s(0), s(2), s(4), s(84), s(88), s(100))
        0.0 0.05 0.1 0.1 0.05 0.0
    """
    power = 0.5 if stable_fn == "rsqrt" else stable_power
    timescale = as_float(warmup_t if stable_timescale is None else stable_timescale)
    timescale = jnp.where(timescale > 0, timescale, 1)

    def stages(clock: Array, ahead: float) -> ArrayLike:
        stable = base_lr
        if stable_fn != "constant":
            stable = base_lr * (1 + (as_float(clock) + ahead) / timescale) ** -power
        end = _earlier(t_initial, ahead)
        x = time_progress(clock, _earlier(end, decay_t), end)
        x = _decayed(x, decay_fn, decay_power, decay_ratio)
        return blend(x, jnp.maximum(stable, lr_min), lr_min)

    return behind_warmup(step, stages, (warmup_lr_init, base_lr), warmup_t)


def _earlier(time: ArrayLike, by: ArrayLike) -> ArrayLike:
    """A difference of two times, which stays whole where both are."""
    if is_number(by) and (by == 0 or is_number(time)):
        return time - by if by else time
    return until(jnp.asarray(by), time)


def _decayed(
    x: Progress, decay_fn: Decay | Callable[[Any], ArrayLike], power: ArrayLike, ratio: ArrayLike
) -> Progress:
    if callable(decay_fn):
        left = as_float(decay_fn(x.gone))
        return Progress(left, 1 - left)
    named: dict[str, Callable[[], Progress]] = {
        "linear": lambda: shapes.linear(x),
        "1-sqrt": lambda: shapes.one_minus_sqrt(x),
        "cosine": lambda: shapes.cosine(x),
        "power": lambda: shapes.delayed(x, power),
        "exp": lambda: _bent(x, ratio),
    }
    return named[decay_fn]()


def _bent(x: Progress, ratio: ArrayLike) -> Progress:
    """An exponential decay to a ratio, bent to end at 0: (r^x − r)/(1 − r)."""
    if is_number(ratio) and 0 < ratio < 1:
        log, share = math.log(ratio), 1 - ratio
    else:
        ratio = as_float(ratio).clip(1e-6, 1 - 1e-6)
        log, share = jnp.log(ratio), 1 - ratio
    left, gone = x
    falling = ratio * jnp.expm1(-left * log) / share
    risen = -jnp.expm1(gone * log) / share
    ends = (left >= 1) | (gone >= 1)
    return Progress(jnp.where(ends, left, falling), jnp.where(ends, gone, risen))


Asked = SimpleNamespace
"""The arguments of :func:`create_scheduler_v2` by name, and ``unit``, the steps of an epoch."""


def _warmup_rise(asked: Asked) -> dict[str, Any]:
    return {"warmup_t": asked.warmup_epochs * asked.unit, "warmup_lr_init": asked.warmup_lr}


def _drops(asked: Asked) -> dict[str, Any]:
    return {**_warmup_rise(asked), "warmup_prefix": asked.warmup_prefix}


def _cycles(asked: Asked) -> dict[str, Any]:
    return {
        **_drops(asked),
        "t_initial": asked.num_epochs * asked.unit,
        "lr_min": asked.min_lr,
        "cycle_mul": asked.cycle_mul,
        "cycle_decay": asked.cycle_decay,
        "cycle_limit": asked.cycle_limit,
    }


def _stages(asked: Asked) -> dict[str, Any]:
    steps = _stage_steps(asked)
    share: Any = 0.2 if asked.decay_epochs is None else asked.decay_epochs
    decay = round(share * (steps if 0 < share < 1 else asked.unit))
    if not 0 < decay <= steps:
        raise ValueError(
            f"create_scheduler_v2: `decay_epochs` must be at most what the warm-up leaves of "
            f"`num_epochs`, and no less than a step, got {decay} of {steps} steps"
        )
    return {**_warmup_rise(asked), "t_initial": steps, "decay_t": decay, "lr_min": asked.min_lr}


def _stage_steps(asked: Asked) -> Any:
    warmup = 0 if asked.warmup_prefix else asked.warmup_epochs
    return asked.num_epochs * asked.unit - warmup * asked.unit


def _plateau(asked: Asked) -> optax.GradientTransformationExtraArgs:
    if not asked.step_on_epochs:
        raise ValueError("create_scheduler_v2: 'plateau' needs `step_on_epochs`")
    return PlateauLRScheduler(
        asked.base_lr,
        asked.decay_rate,
        asked.patience_epochs,
        lr_min=asked.min_lr,
        mode=asked.plateau_mode,
        **_warmup_rise(asked),
    )


def _rsqrt(asked: Asked) -> Schedule:
    timescale, decay_fn = asked.stable_timescale, asked.decay_fn or "linear"
    return WSDLRScheduler(
        asked.base_lr,
        stable_fn="rsqrt",
        stable_timescale=None if timescale is None else timescale * asked.unit,
        decay_fn=decay_fn,
        **_stages(asked),
    )


_SCHEDULERS: dict[str, Callable[[Asked], Any]] = {
    "cosine": lambda a: CosineLRScheduler(a.base_lr, k_decay=a.k_decay, **_cycles(a)),
    "tanh": lambda a: TanhLRScheduler(a.base_lr, **_cycles(a)),
    "step": lambda a: StepLRScheduler(
        a.base_lr,
        (90 if a.decay_epochs is None else a.decay_epochs) * a.unit,
        a.decay_rate,
        **_drops(a),
    ),
    "constant": lambda a: StepLRScheduler(a.base_lr, 1, 1.0, **_drops(a)),
    "multistep": lambda a: MultiStepLRScheduler(
        a.base_lr, [epoch * a.unit for epoch in a.decay_milestones], a.decay_rate, **_drops(a)
    ),
    "plateau": _plateau,
    "poly": lambda a: PolyLRScheduler(
        a.base_lr, power=a.decay_rate, k_decay=a.k_decay, **_cycles(a)
    ),
    "wsd": lambda a: WSDLRScheduler(a.base_lr, decay_fn=a.decay_fn or "1-sqrt", **_stages(a)),
    "rsqrt": _rsqrt,
    "none": lambda a: constant(a.base_lr),
}


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
        num_epochs: epochs of the schedule, without a warm-up if ``warmup_prefix``.
        decay_epochs: epochs between drops ("step"), or of the decay ("wsd", "rsqrt"), where a value
            in (0, 1) is a share; None for 90 and for 0.2.
        cooldown_epochs: epochs at the lowest rate afterwards; they only count in the result.
        decay_rate: the factor at a drop, or the power ("poly").
        warmup_prefix: whether the warm-up comes on top of ``num_epochs``.
        decay_fn: how "wsd" and "rsqrt" decay; None for "1-sqrt" and "linear".
        stable_timescale: epochs, of "rsqrt"; None for ``warmup_epochs``.
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
    """
    asked = SimpleNamespace(**locals())
    if not step_on_epochs and updates_per_epoch < 1:
        raise ValueError(
            "create_scheduler_v2: `updates_per_epoch` must be at least 1 if `step_on_epochs` is "
            f"False, got {updates_per_epoch}"
        )
    asked.unit = 1 if step_on_epochs else updates_per_epoch
    return _SCHEDULERS[sched](asked), _epochs_to_train(asked)


def _epochs_to_train(asked: Asked) -> Any:
    warmup_t = asked.warmup_epochs * asked.unit
    if asked.sched in ("cosine", "tanh", "poly"):
        steps = _cycle_steps(asked) + asked.warmup_prefix * warmup_t
    elif asked.sched in ("wsd", "rsqrt"):
        steps = _stage_steps(asked) + warmup_t
    else:
        return asked.num_epochs + asked.warmup_prefix * asked.warmup_epochs
    steps = steps + asked.cooldown_epochs * asked.unit
    return steps if asked.step_on_epochs else steps // asked.unit


def _cycle_steps(asked: Asked) -> Any:
    steps, growth, cycles = (
        asked.num_epochs * asked.unit,
        asked.cycle_mul,
        max(1, asked.cycle_limit),
    )
    if growth == 1:
        return steps * cycles
    # The largest double is e^709.
    if cycles * math.log(growth) > 500:
        raise ValueError(
            "create_scheduler_v2: `cycle_limit` cycles, each `cycle_mul` times the last, "
            f"would not end, got {cycles} and {growth}"
        )
    return math.floor(steps * (growth**cycles - 1) / (growth - 1))
