"""The schedules of ``transformers.get_scheduler``, with the values of Transformers 5.23.

Names, arguments and defaults are those of Transformers: ``get_scheduler("cosine", optimizer, ...)``
becomes ``get_scheduler("cosine", 0.1, ...)``, and so for the functions behind the names, with the
base rate where the optimizer stood.

Common to all, unless a docstring says otherwise:

* ``base_lr``, b, is the peak, >= 0.
* Over w = ``num_warmup_steps`` >= 0 the rate rises along a straight line from 0 at step 0 to b at
  step w, so that the first update changes nothing.
* ``num_training_steps``, N, are the steps of the whole, warm-up included.
* Lengths may be fractions, as in ``num_warmup_steps=0.03 * steps``: a phase then ends between two
  steps.

Deliberate differences:

* The cycles of ``cosine_with_restarts`` begin on time. A rounded quotient there ends some of them
  a step late: with 49 cycles in 49 steps the rate is 0 at many steps where it should be the base
  rate.
* ``get_wsd_schedule`` refuses a warm-up and a decay that do not fit into ``num_training_steps``;
  there the decay then begins in the middle, or the warm-up never ends.
* ``num_warmup_steps`` of at least ``num_training_steps`` makes ``polynomial`` end at once, where
  the original divides by zero.
* ``reduce_lr_on_plateau`` and ``greedy`` are transforms behind an optimizer whose rate is
  ``base_lr``. With a relative threshold they take the margin of a negative metric in the direction
  of improvement, and ``greedy`` needs ``min_lr <= base_lr <= max_lr``.
* In ``greedy`` with ``smooth`` a NaN leaves the window after ``window_size`` metrics; there the
  running sum stays NaN, and no later metric is better. A rate that has come back to ``min_lr``
  but for rounding (0.10000000000000002 for 0.1) counts as there for ``reset_start``; the original
  never starts again from it.
"""

import inspect
from collections.abc import Callable, Mapping
from fractions import Fraction as Ratio
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import as_float, at_least, at_most, cycle_progress, is_number
from lr_optax._core.hyperparameters import (
    Count,
    Fraction,
    Interval,
    NonNegative,
    Number,
    Period,
    Positive,
    Rate,
    Rule,
    Shrinking,
    Span,
    exceeds,
    is_known,
    validated,
)
from lr_optax._core.schedule import Schedule, schedule
from lr_optax.compat._shared import (
    behind_warmup,
    cosine_wave,
    elapsed,
    first_step,
    is_between_steps,
    keeping,
    leg,
    running,
    speaking_for,
    warmed_up,
)
from lr_optax.compat.torch import ReduceLROnPlateau
from lr_optax.feedback._greedy import greedy
from lr_optax.schedules.combine import join
from lr_optax.schedules.decays import (
    constant,
    cosine_decay,
    linear,
    polynomial,
    shaped_decay,
)


@validated
def get_constant_schedule(base_lr: Rate) -> Schedule:
    """The same rate at every step.

    Example:
        >>> print(get_constant_schedule(0.1)(5))
        0.1
    """
    return constant(base_lr)


@validated
def get_constant_schedule_with_warmup(base_lr: Rate, num_warmup_steps: Span) -> Schedule:
    """A warm-up, then the same rate: b·min(t/w, 1).

    Example:
        >>> s = get_constant_schedule_with_warmup(0.1, num_warmup_steps=10)
        >>> print(s(0), s(5), s(10))
        0.0 0.05 0.1
    """
    return warmed_up(constant(base_lr), base_lr, num_warmup_steps)


@validated
def get_linear_schedule_with_warmup(
    base_lr: Rate, num_warmup_steps: Span, num_training_steps: Span
) -> Schedule:
    """A warm-up, then a straight line to zero: b·max(0, N − t)/(N − w).

    Example:
        >>> s = get_linear_schedule_with_warmup(0.1, 10, 110)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.05 0.0
    """
    length, ahead = _after_warmup(num_warmup_steps, num_training_steps)
    if is_between_steps(num_warmup_steps, length):
        end = length - ahead
        decay = leg(base_lr, end_value=0.0, begin=end - at_least(length, 1), end=at_least(end, 0))
    else:
        decay = linear(base_lr, end_value=0.0, transition_steps=length)
    return warmed_up(decay, base_lr, num_warmup_steps)


def _after_warmup(warmup_steps: Any, steps: Any) -> tuple[Any, float]:
    """What a warm-up leaves of a run, and how far into that its first step is."""
    return at_least(steps - warmup_steps, 0), first_step(warmup_steps)[1]


def _falls(*, base_lr, lr_end, **_: object) -> None:
    if is_known(base_lr, lr_end) and not exceeds(base_lr, lr_end):
        raise ValueError(f"`lr_end` must be below `base_lr`, got {lr_end} and {base_lr}")


@validated
@keeping(_falls)
def get_polynomial_decay_schedule_with_warmup(
    base_lr: Rate,
    num_warmup_steps: Span,
    num_training_steps: Span,
    lr_end: Rate = 1e-7,
    power: Positive = 1.0,
) -> Schedule:
    """A warm-up, then a power of what is left: e + (b − e)·(1 − (t − w)/(N − w))^p.

    e is ``lr_end``, below b, and p > 0 ``power``.

    Example:
        >>> s = get_polynomial_decay_schedule_with_warmup(0.1, 10, 110, lr_end=0.0, power=2.0)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.025 0.0
    """
    length, ahead = _after_warmup(num_warmup_steps, num_training_steps)
    if is_between_steps(num_warmup_steps, length):
        end = at_least(length - ahead, 0)
        decay = leg(base_lr, end_value=lr_end, begin=-ahead, end=end, power=power)
    else:
        decay = polynomial(base_lr, end_value=lr_end, power=power, transition_steps=length)
    return warmed_up(decay, base_lr, num_warmup_steps)


@schedule(name="transformers.inverse_sqrt", positional=True)
def get_inverse_sqrt_schedule(
    step: Array, base_lr: Rate, num_warmup_steps: Span, timescale: Interval | None = None
) -> ArrayLike:
    """A warm-up, then the inverse root of time: b·√(τ/(τ + t − w)).

    Args:
        timescale: τ, steps, > 0; None for w, or for 10000 if w is 0.

    Example:
        >>> s = get_inverse_sqrt_schedule(0.1, num_warmup_steps=100)
        >>> print(s(0), s(100), s(400), s(1600))
        0.0 0.1 0.05 0.025
    """
    scale = as_float(num_warmup_steps if timescale is None else timescale)
    scale = jnp.where(scale > 0, scale, 10_000)

    def decay(clock: Array, ahead: float) -> ArrayLike:
        return base_lr * jnp.sqrt(scale / (scale + ahead + as_float(clock)))

    return behind_warmup(step, decay, (0.0, base_lr), num_warmup_steps)


Form = Literal["linear", "cosine", "1-sqrt"]


def _wsd_fits(
    *, num_warmup_steps, num_decay_steps, num_training_steps, num_stable_steps, **_: object
) -> None:
    if num_stable_steps is not None:
        return
    if num_training_steps is None:
        raise ValueError("`num_training_steps` or `num_stable_steps` must be given")
    if exceeds(0, num_training_steps - num_warmup_steps - num_decay_steps):
        raise ValueError(
            "`num_training_steps` must be at least `num_warmup_steps` + `num_decay_steps`, "
            f"got {num_training_steps} < {num_warmup_steps} + {num_decay_steps}"
        )


@validated
@keeping(_wsd_fits)
def get_wsd_schedule(
    base_lr: Rate,
    num_warmup_steps: Span,
    num_decay_steps: Span,
    num_training_steps: Span | None = None,
    num_stable_steps: Span | None = None,
    warmup_type: Form = "linear",
    decay_type: Form = "cosine",
    min_lr_ratio: Fraction = 0.0,
    num_cycles: Positive = 0.5,
) -> Schedule:
    """A warm-up from m·b to b, a stable phase at b, a decay to m·b, and m·b from then on.

    m, in [0, 1], is ``min_lr_ratio``.

    Args:
        num_training_steps: steps of the whole; the stable phase is what the others leave of it.
        num_stable_steps: steps of the stable phase, which then count instead.
        warmup_type: "linear", "cosine" or "1-sqrt", which is 1 − √(1 − x).
        decay_type: "linear", "cosine" or "1-sqrt", which is 1 − √x.
        num_cycles: waves of the cosine decay, > 0; it ends at m·b with ½, 1½, ...

    Example:
        >>> s = get_wsd_schedule(0.1, num_warmup_steps=10, num_decay_steps=20,
        ...                      num_training_steps=100)
        >>> print(s(0), s(5), s(10), s(80), s(90), s(100))
        0.0 0.05 0.1 0.1 0.05 0.0
    """
    begins = _begins_of_stages(
        num_warmup_steps, num_decay_steps, num_training_steps, num_stable_steps
    )
    (first, stable, last), aheads = zip(*map(first_step, begins), strict=True)
    low = base_lr * min_lr_ratio
    stages = (
        _wsd_rise(warmup_type, low, base_lr, num_warmup_steps),
        constant(base_lr),
        _fall(decay_type, base_lr, low, num_decay_steps, num_cycles, aheads[1]),
        constant(low),
    )
    return join(stages, boundaries=(first, stable, last))


def _begins_of_stages(warmup: Any, decay: Any, steps: Any, stable: Any) -> tuple[Any, Any, Any]:
    stable = steps - warmup - decay if stable is None else stable
    return warmup, warmup + stable, warmup + stable + decay


def _wsd_rise(form: Form, low: Any, high: Any, steps: Any) -> Schedule:
    power = 0.5 if form == "1-sqrt" else 1.0
    if is_between_steps(steps):
        shape = "cosine" if form == "cosine" else "linear"
        return leg(low, end_value=high, end=at_least(steps, 1), shape=shape, power=power)
    if form == "cosine":
        return cosine_decay(low, decay_steps=steps, end_value=high)
    return polynomial(low, end_value=high, power=power, transition_steps=steps)


def _fall(form: Form, high: Any, low: Any, steps: Any, num_cycles: Any, ahead: float) -> Schedule:
    length = at_least(steps, 1)
    if form == "cosine":
        half = length / (2 * num_cycles)
        return cosine_wave(high, half_period=half, end_value=low, ahead=ahead)
    if ahead or is_between_steps(steps):
        return leg(high, end_value=low, begin=-ahead, end=length - ahead, shape=form)
    return shaped_decay(high, decay_steps=steps, end_value=low, shape=form)


def _wave(base_lr: Any, whole: Any, begun: Any, num_cycles: Any, low: Any = 0.0) -> Schedule:
    half_period = at_least(whole - begun, 1) / (2 * num_cycles)
    _, ahead = first_step(begun)
    return cosine_wave(base_lr, half_period=half_period, end_value=low, ahead=ahead)


@validated
def get_cosine_schedule_with_warmup(
    base_lr: Rate, num_warmup_steps: Span, num_training_steps: Span, num_cycles: Positive = 0.5
) -> Schedule:
    """A warm-up, then a cosine: b·½(1 + cos(2πct')), where t' goes from 0 to 1 up to step N.

    Args:
        num_cycles: c, waves, > 0; with ½ the rate is 0 at step N.

    Example:
        >>> s = get_cosine_schedule_with_warmup(0.1, 10, 110)
        >>> print(s(0), s(10), s(60), s(110), s(160))
        0.0 0.1 0.05 0.0 0.05
    """
    wave = _wave(base_lr, num_training_steps, num_warmup_steps, num_cycles)
    return warmed_up(wave, base_lr, num_warmup_steps)


_CYCLES = Rule("a number > 0", lambda x: np.isfinite(x) & (x > 0), whole=True)


@schedule(name="transformers.cosine_restarts", positional=True)
def get_cosine_with_hard_restarts_schedule_with_warmup(
    step: Array,
    base_lr: Rate,
    num_warmup_steps: Span,
    num_training_steps: Span,
    num_cycles: Annotated[Number, _CYCLES] = 1,
) -> ArrayLike:
    """A warm-up, then falling half cosines, then zero: b·½(1 + cos(π(c(t − w)/(N − w) mod 1))).

    Args:
        num_cycles: c, how many, > 0; of a fraction the last one is cut short.

    Example:
        >>> s = get_cosine_with_hard_restarts_schedule_with_warmup(0.1, 10, 110, num_cycles=2)
        >>> print(s(10), s(35), s(60), s(85), s(110))
        0.1 0.05 0.1 0.05 0.0
    """
    length = at_least(num_training_steps - num_warmup_steps, 1)

    def waves(clock: Array, ahead: float) -> ArrayLike:
        _, x = cycle_progress(clock, _quotient(length, num_cycles), ahead)
        over = elapsed(clock, length - ahead if ahead else length) >= 0
        return jnp.where(over, 0, base_lr * shapes.cosine(x).left)

    return behind_warmup(step, waves, (0.0, base_lr), num_warmup_steps)


def _quotient(length: Any, count: Any) -> Any:
    """An exact one where both are known, so that cycles begin on time."""
    if is_number(length) and is_number(count):
        return Ratio(length) / Ratio(count)
    count = as_float(count)
    return as_float(length) / jnp.where(count > 0, count, 1)


def _has_one_floor(*, min_lr, min_lr_rate, **_: object) -> None:
    if (min_lr is None) == (min_lr_rate is None):
        raise ValueError("exactly one of `min_lr` and `min_lr_rate` must be given")


def _floor(base_lr: Any, min_lr: Any, min_lr_rate: Any) -> Any:
    return base_lr * min_lr_rate if min_lr is None else min_lr


@validated
@keeping(_has_one_floor)
def get_cosine_with_min_lr_schedule_with_warmup(
    base_lr: Rate,
    num_warmup_steps: Span,
    num_training_steps: Span,
    num_cycles: Positive = 0.5,
    min_lr: Rate | None = None,
    min_lr_rate: Fraction | None = None,
) -> Schedule:
    """A warm-up, then a cosine between the base rate and a lowest one.

    Args:
        min_lr: the lowest rate, >= 0; either this or the next is given.
        min_lr_rate: the lowest rate over b, in [0, 1].

    Example:
        >>> s = get_cosine_with_min_lr_schedule_with_warmup(0.1, 10, 110, min_lr=0.01)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.055 0.01
    """
    low = _floor(base_lr, min_lr, min_lr_rate)
    wave = _wave(base_lr, num_training_steps, num_warmup_steps, num_cycles, low)
    return warmed_up(wave, base_lr, num_warmup_steps)


@validated
@keeping(_has_one_floor)
def get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
    base_lr: Rate,
    num_warmup_steps: Span,
    num_training_steps: Span,
    num_cycles: Positive = 0.5,
    min_lr: Rate | None = None,
    min_lr_rate: Fraction | None = None,
    warmup_lr_rate: Fraction | None = None,
) -> Schedule:
    """The same a step earlier: the peak is the last step of the warm-up, the lowest rate N − 1.

    Args:
        warmup_lr_rate: the first rate over b, in [0, 1]; None for 1/w.

    Example:
        >>> s = get_cosine_with_min_lr_schedule_with_warmup_lr_rate(0.1, 10, 110, min_lr=0.0)
        >>> print(s(0), s(9), s(59), s(109))
        0.01 0.1 0.05 0.0
    """
    low = _floor(base_lr, min_lr, min_lr_rate)
    wave = _wave(base_lr, num_training_steps, num_warmup_steps, num_cycles, low)
    first: Any = 1 / at_least(num_warmup_steps, 1) if warmup_lr_rate is None else warmup_lr_rate
    begin, ahead = first_step(num_warmup_steps)
    # Of a fraction the last step of the warm-up overshoots.
    slope = (1 - first) / at_least(num_warmup_steps - 1, 1) if warmup_lr_rate is not None else first
    top = base_lr * (first + slope * (begin - 1)) if ahead else base_lr
    rise = linear(base_lr * first, end_value=top, transition_steps=at_least(begin - 1, 1))
    return join((rise, running(wave, 1)), boundaries=(begin,))


def get_reduce_on_plateau_schedule(
    base_lr: Any, **kwargs: Any
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    Args:
        kwargs: as for :func:`lr_optax.compat.torch.ReduceLROnPlateau`.

    Example:
        >>> tx = get_reduce_on_plateau_schedule(0.1, patience=2)
    """
    with speaking_for("get_reduce_on_plateau_schedule", ReduceLROnPlateau):
        return ReduceLROnPlateau(base_lr, **kwargs)


@validated
def get_greedy_schedule(
    base_lr: Positive,
    mode: Literal["min", "max"] = "min",
    factor: Shrinking = 0.95,
    patience: Count = 10,
    threshold: NonNegative = 1e-6,
    threshold_mode: Literal["rel", "abs"] = "abs",
    cooldown: Count = 0,
    warmup: Count = 0,
    min_lr: Rate = 1e-3,
    max_lr: Rate = 1.0,
    eps: NonNegative = 1e-8,
    *,
    smooth: bool = False,
    window_size: Period = 50,
    reset_start: Period = 500,
) -> optax.GradientTransformationExtraArgs:
    """A rise while a metric improves and a cut when it stops: a transform behind the optimizer.

    Args:
        base_lr: the optimizer's rate, > 0; ``min_lr``, ``max_lr`` and ``eps`` are relative to it
            here.
        patience: how many checks in a row have to be exceeded for a change, >= 0.
        min_lr: the smallest rate, >= 0; above ``base_lr`` it counts as that.
        max_lr: the largest rate; below ``base_lr`` it counts as that.
        eps: a change of the rate of no more than this is not made, >= 0.
        smooth: whether a check takes the mean of the last ``window_size`` metrics.
        reset_start: how many cuts at the smallest rate start everything again, >= 1.

    Example:
        >>> tx = get_greedy_schedule(0.1, factor=0.5, patience=0)
        >>> state = tx.init(None)
        >>> for loss in (1.0, 0.9):
        ...     _, state = tx.update(None, state, value=loss)
        >>> print(0.1 * state.scale)
        0.4
    """
    return greedy(
        factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        mode=mode,
        cooldown=cooldown,
        warmup=warmup,
        min_scale=at_most(min_lr / base_lr, 1.0),
        max_scale=at_least(max_lr / base_lr, 1.0),
        eps=eps / base_lr,
        window_size=window_size if smooth else 1,
        reset_after=reset_start,
    )


_BY_NAME: dict[str, Callable[..., Any]] = {
    "linear": get_linear_schedule_with_warmup,
    "cosine": get_cosine_schedule_with_warmup,
    "cosine_with_restarts": get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": get_polynomial_decay_schedule_with_warmup,
    "constant": get_constant_schedule,
    "constant_with_warmup": get_constant_schedule_with_warmup,
    "inverse_sqrt": get_inverse_sqrt_schedule,
    "reduce_lr_on_plateau": get_reduce_on_plateau_schedule,
    "cosine_with_min_lr": get_cosine_with_min_lr_schedule_with_warmup,
    "cosine_warmup_with_min_lr": get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    "warmup_stable_decay": get_wsd_schedule,
    "greedy": get_greedy_schedule,
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
    """
    if not isinstance(name, str) or name not in _BY_NAME:
        raise ValueError(
            f"get_scheduler: `name` must be one of {', '.join(_BY_NAME)}, got {name!r}"
        )
    if not isinstance(scheduler_specific_kwargs, Mapping | None):
        raise TypeError(
            "get_scheduler: `scheduler_specific_kwargs` must be a mapping or None, "
            f"got {scheduler_specific_kwargs!r}"
        )
    lengths = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    lengths = _taken(name, lengths)
    specific = {} if name == "constant" else scheduler_specific_kwargs or {}
    with speaking_for("get_scheduler", _BY_NAME[name]):
        return _BY_NAME[name](base_lr, **lengths, **specific)


def _taken(name: str, lengths: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the lengths that a schedule takes and that are given."""
    parameters = inspect.signature(_BY_NAME[name]).parameters
    for length in lengths.keys() & parameters.keys():
        required = parameters[length].default is inspect.Parameter.empty
        if required and lengths[length] is None:
            raise ValueError(f"get_scheduler: {name!r} requires `{length}`")
    return {n: steps for n, steps in lengths.items() if n in parameters and steps is not None}
