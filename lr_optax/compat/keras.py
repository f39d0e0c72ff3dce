"""The schedules of ``keras.optimizers.schedules``, with the values of Keras 3.15.

Names, arguments and defaults are Keras's but for ``name``; what is a boolean there must be given by
name here. The callback ``ReduceLROnPlateau`` is a transform behind the optimizer, and takes its
rate first. :func:`deserialize` reads what Keras's ``serialize`` wrote.

Deliberate differences:

* The tail of a cosine keeps its digits. Keras adds 1 to a cosine in float32, whatever the type of
  ``initial_learning_rate``, and a hundredth before the end is off by 3e-5 of the rate.
* ``CosineDecayRestarts`` begins every cycle on time. Keras finds the cycle by a rounded logarithm,
  and so, with ``t_mul=1.5`` and two steps in the first one, ends the second at 5 instead of
  beginning the third.
* ``CosineDecayRestarts`` takes ``t_mul`` >= 1 and ``m_mul`` > 0.
* Lengths are whole steps.

In formulas b is ``initial_learning_rate``, >= 0, the rate at step 0, T are ``decay_steps``,
>= 1, r is ``decay_rate``, p > 0 ``power`` and e ``end_learning_rate``, >= 0.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import optax

from lr_optax._core.clock import at_least, at_most, is_number
from lr_optax._core.hyperparameters import (
    Boundaries,
    Count,
    Fraction,
    Growth,
    NonNegative,
    Period,
    Positive,
    Rate,
    Rates,
    Shrinking,
    Steps,
    one_fewer,
    show,
    validated,
)
from lr_optax._core.schedule import Schedule
from lr_optax.compat._shared import keeping
from lr_optax.feedback._plateau import reduce_on_plateau
from lr_optax.feedback._transform import whole
from lr_optax.schedules.combine import add
from lr_optax.schedules.cycles import cosine_annealing, polynomial_cycles
from lr_optax.schedules.decays import (
    constant,
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    polynomial,
)
from lr_optax.schedules.tables import piecewise_constant
from lr_optax.schedules.warmups import warmup


@validated
def ExponentialDecay(
    initial_learning_rate: Rate,
    decay_steps: Period,
    decay_rate: Positive,
    *,
    staircase: bool = False,
) -> Schedule:
    """A factor over every so many steps: η(t) = b·r^(t/T), with t/T rounded down if ``staircase``.

    Example:
        >>> s = ExponentialDecay(0.1, decay_steps=1000, decay_rate=0.96, staircase=True)
        >>> print(s(0), s(999), s(1000))
        0.1 0.1 0.096
    """
    return exponential_decay(
        initial_learning_rate, decay_rate=decay_rate, decay_steps=decay_steps, staircase=staircase
    )


@validated
def InverseTimeDecay(
    initial_learning_rate: Rate,
    decay_steps: Period,
    decay_rate: NonNegative,
    *,
    staircase: bool = False,
) -> Schedule:
    """The inverse of time: η(t) = b/(1 + r·t/T), with t/T rounded down if ``staircase``.

    Example:
        >>> s = InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)
        >>> print(s(0), s(10), s(30))
        0.1 0.05 0.025
    """
    return inverse_time_decay(
        initial_learning_rate, decay_rate=decay_rate, decay_steps=decay_steps, staircase=staircase
    )


@validated
@keeping(one_fewer("boundaries", "values"))
def PiecewiseConstantDecay(boundaries: Boundaries, values: Rates) -> Schedule:
    """Chosen rates between chosen steps, where a boundary still has the old rate.

    η(t) = v_0 for t <= b_0, v_i for b_{i−1} < t <= b_i, and the last one after the last.

    Example:
        >>> s = PiecewiseConstantDecay([3, 6], [1.0, 0.1, 0.01])
        >>> print(s(0), s(3), s(4), s(6), s(7))
        1.0 1.0 0.1 0.1 0.01
    """
    after: Any = boundaries
    after = tuple(b + 1 for b in after) if isinstance(after, tuple) else after + 1
    return piecewise_constant(values, boundaries=after)


@validated
def PolynomialDecay(
    initial_learning_rate: Rate,
    decay_steps: Period,
    end_learning_rate: Rate = 0.0001,
    power: Positive = 1.0,
    *,
    cycle: bool = False,
) -> Schedule:
    """A power of what is left: η(t) = e + (b − e)·(1 − t/T)^p, with t at most T.

    Args:
        cycle: whether T grows to the next of its multiples when it is passed, so that the rate
            jumps up, less high each time, and falls again.

    Example:
        >>> s = PolynomialDecay(1.0, decay_steps=4, end_learning_rate=0.1, cycle=True)
        >>> print(s(0), s(4), s(5), s(8))
        1.0 0.1 0.4375 0.1
    """
    if cycle:
        return polynomial_cycles(
            initial_learning_rate, end_value=end_learning_rate, power=power, period=decay_steps
        )
    return polynomial(
        initial_learning_rate,
        end_value=end_learning_rate,
        power=power,
        transition_steps=decay_steps,
    )


@validated
def CosineDecay(
    initial_learning_rate: Rate,
    decay_steps: Period,
    alpha: Fraction = 0.0,
    warmup_target: Rate | None = None,
    warmup_steps: Steps = 0,
) -> Schedule:
    """Half a cosine from b to α·b, in front of it a straight rise if ``warmup_target`` is given.

    Args:
        initial_learning_rate: the rate at step 0, >= 0; without a warm-up it is b.
        decay_steps: steps of the cosine, >= 1; a warm-up comes on top.
        alpha: α, the last rate over the cosine's first, in [0, 1].
        warmup_target: b, the rate at the end of the warm-up; None for no warm-up.
        warmup_steps: steps of the warm-up, >= 0; without a target they do not count.

    Example:
        >>> s = CosineDecay(0.0, decay_steps=6, alpha=0.1, warmup_target=1.0, warmup_steps=2)
        >>> print(s(0), s(1), s(2), s(5), s(8))
        0.0 0.5 1.0 0.55 0.1
    """
    base: Any = initial_learning_rate if warmup_target is None else warmup_target
    decay = cosine_decay(base, decay_steps=decay_steps, end_value=alpha * base)
    if warmup_target is None:
        return decay
    return warmup(decay, warmup_steps=warmup_steps, init_value=initial_learning_rate)


@validated
def CosineDecayRestarts(
    initial_learning_rate: Rate,
    first_decay_steps: Period,
    t_mul: Growth = 2.0,
    m_mul: Positive = 1.0,
    alpha: Fraction = 0.0,
) -> Schedule:
    """Half a cosine down, then a jump back up: η = b·(α + (1 − α)·m^i·½(1 + cos πx)) in cycle i.

    Args:
        m_mul: m, the ratio of each cycle's height above the floor to the previous one's, > 0.
        alpha: α, the floor over b, in [0, 1]; the same in all cycles.

    Example:
        >>> s = CosineDecayRestarts(1.0, first_decay_steps=2, m_mul=0.5, alpha=0.1)
        >>> print(s(0), s(1), s(2), s(4), s(6))
        1.0 0.55 0.55 0.325 0.325
    """
    base: Any = initial_learning_rate
    waves = cosine_annealing(
        base * (1 - alpha),
        period=first_decay_steps,
        period_multiplier=t_mul,
        peak_decay=m_mul,
    )
    without_floor = is_number(alpha) and alpha == 0
    return waves if without_floor else add((waves, constant(base * alpha)))


# How the names of Keras's own metrics end.
_RISING = (
    *("accuracy", "auc", "correlation", "io_u", "precision", "recall", "similarity"),
    *("f1_score", "fbeta_score", "r2_score"),
)
_FALLING = ("crossentropy", "divergence", "error", "hinge", "logcosh", "loss", "poisson")


@validated
def ReduceLROnPlateau(
    base_lr: Positive,
    monitor: str = "val_loss",
    factor: Shrinking = 0.1,
    patience: Count = 10,
    *,
    mode: Literal["auto", "min", "max"] = "auto",
    min_delta: NonNegative = 0.0001,
    cooldown: Count = 0,
    min_lr: Rate = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """A cut when a metric stops improving: no schedule, but a transform behind the optimizer.

    The rate is ``base_lr`` times the transform's ``scale``: ``optax.chain(optax.sgd(base_lr), tx)``
    updated, or :func:`lr_optax.observe` called, with the metric once an epoch. Keras's counts are
    not PyTorch's: it cuts at the ``patience``-th bad check, which is the first one for 0 as for 1;
    a cooldown of c passes over c − 1 checks; and the first metric is the best, whatever it is: if
    that is NaN, no later one is better.

    Args:
        base_lr: the optimizer's rate, > 0; ``min_lr`` is relative to it here.
        monitor: the metric's name, by which ``mode="auto"`` finds whether it should fall.
        mode: whether the metric should fall, "min", or rise, "max"; "auto" asks its name, which is
            one of Keras's own or ends like one.

    Raises:
        ValueError: the metric's name leaves it open.

    Example:
        >>> tx = ReduceLROnPlateau(0.1, factor=0.5, patience=2)
        >>> state = tx.init(None)
        >>> for loss in (1.0, 1.0, 1.0):
        ...     _, state = tx.update(None, state, value=loss)
        >>> print(0.1 * state.scale)
        0.05
    """
    tx = reduce_on_plateau(
        factor,
        patience=at_least(patience - 1, 0),
        threshold=min_delta,
        threshold_mode="abs",
        mode=_direction(monitor) if mode == "auto" else mode,
        cooldown=at_least(cooldown - 1, 0),
        min_scale=at_most(min_lr / base_lr, 1.0),
        eps=0.0,
    )

    def init(params: optax.Params) -> Any:
        return tx.init(params)._replace(bad_checks=whole(-1))  # type: ignore[attr-defined]

    return tx._replace(init=init)


def _direction(monitor: str) -> Literal["min", "max"]:
    rises = monitor.endswith(_RISING)
    if not (rises or monitor.endswith(_FALLING)):
        raise ValueError(
            f"ReduceLROnPlateau: `monitor` = {monitor!r} does not tell whether the metric should "
            "fall or rise; give `mode` as 'min' or 'max'"
        )
    return "max" if rises else "min"


_SCHEDULES: dict[str, Callable[..., Schedule]] = {
    f.__name__: f
    for f in (
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
        CosineDecay,
        CosineDecayRestarts,
    )
}


def deserialize(config: Mapping[str, Any]) -> Schedule:
    """The schedule that Keras wrote down, such as in the config of a saved optimizer.

    Args:
        config: ``{"class_name": ..., "config": {...}}``, as by
            ``keras.optimizers.schedules.serialize``; what ``get_config`` returns is the inner one.

    Returns:
        What the call of that name returns; :func:`lr_optax.to_dict` writes it down again, in the
        form of this library.

    Raises:
        TypeError, ValueError: the config has another form, names no schedule of Keras, or holds a
            value that the schedule refuses.

    Example:
        >>> deserialize({"class_name": "CosineDecay",
        ...              "config": {"initial_learning_rate": 0.1, "decay_steps": 100}})
        cosine_decay(0.1, decay_steps=100)
    """
    name, inside = (
        (config.get("class_name"), config.get("config")) if isinstance(config, Mapping) else (0, 0)
    )
    if name not in _SCHEDULES or not isinstance(inside, Mapping):
        raise ValueError(
            "deserialize: `config` must be {'class_name': ..., 'config': {...}} with one of "
            f"{', '.join(_SCHEDULES)}, got {show(config)}"
        )
    return _SCHEDULES[name](**{n: value for n, value in inside.items() if n != "name"})
