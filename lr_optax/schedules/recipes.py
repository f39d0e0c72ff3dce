"""Whole runs in one line: warm-up, what comes after it, and the end.

The formula of a recipe is a composition of other schedules, called on the step. ``total_steps``
is the length of the whole run, warm-up included.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.arguments import NonNegative, Period, Positive, Rate, Steps, exceeds
from lr_optax._core.rules import fit
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import as_float, is_number, until
from lr_optax.schedules.anytime import inverse_sqrt_decay
from lr_optax.schedules.decay import cosine_decay, linear
from lr_optax.schedules.warmups import warmup


@schedule(check=fit("warmup_steps", into="total_steps"))
def warmup_cosine_decay(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    total_steps: Steps,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
    exponent: Positive = 1.0,
) -> ArrayLike:
    """A line up to the peak, then half a cosine down: :func:`warmup` of :func:`cosine_decay`.

    Args:
        peak_value: the rate at t = w, >= 0.
        warmup_steps: w, steps, >= 0; 0 for no warm-up.
        total_steps: T >= w, steps of the whole run, warm-up included.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0.
        exponent: > 0, the power the cosine is raised to.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        ValueError: the warm-up is longer than the run.

    Example:
        >>> s = warmup_cosine_decay(0.1, warmup_steps=10, total_steps=110)
        >>> print(s(0), s(5), s(10), s(60), s(110))
        0.0 0.05 0.1 0.05 0.0

    When to use it:
        As the usual choice for transformers and for adaptive optimizers. The length of the run
        must be known; if it may change, see :func:`warmup_stable_decay`.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
        arXiv:1608.03983; P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1
        Hour", 2017, arXiv:1706.02677.
    """

    def decay(step: Array) -> ArrayLike:
        length = total_steps - warmup_steps
        return cosine_decay.formula(
            step, peak_value, decay_steps=length, end_value=end_value, exponent=exponent
        )

    return warmup.formula(step, decay, warmup_steps=warmup_steps, init_value=init_value)


@schedule(check=fit("warmup_steps", into="total_steps"))
def warmup_linear_decay(
    step: Array,
    peak_value: Rate,
    *,
    warmup_steps: Steps,
    total_steps: Steps,
    init_value: Rate = 0.0,
    end_value: Rate = 0.0,
) -> ArrayLike:
    """A line up to the peak, then a line down to zero: :func:`warmup` of :func:`linear`.

    Args:
        peak_value: the rate at t = w, >= 0.
        warmup_steps: w, steps, >= 0; 0 for no warm-up.
        total_steps: T >= w, steps of the whole run, warm-up included.
        init_value: the rate at step 0, >= 0.
        end_value: the rate from T on, >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        ValueError: the warm-up is longer than the run.

    Example:
        >>> s = warmup_linear_decay(0.1, warmup_steps=10, total_steps=110)
        >>> print(s(0), s(10), s(60), s(110))
        0.0 0.1 0.05 0.0

    When to use it:
        As the first thing to try for a language model with a known budget: the more tokens per
        parameter, the more decay to zero gains over a cosine that ends at a tenth of the peak.

    Reference:
        S. Bergsma et al., "Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works
        Best for LLMs", 2025, arXiv:2502.15938.
    """

    def decay(step: Array) -> ArrayLike:
        length = total_steps - warmup_steps
        return linear.formula(step, peak_value, end_value=end_value, transition_steps=length)

    return warmup.formula(step, decay, warmup_steps=warmup_steps, init_value=init_value)


def _warmup_before_drops(*, warmup_steps, total_steps, **_: object) -> None:
    if exceeds(warmup_steps, total_steps - total_steps // 5):
        raise ValueError(
            f"`warmup_steps` must be over at 80 % of `total_steps`, "
            f"got {warmup_steps} of {total_steps}"
        )


@schedule(check=_warmup_before_drops)
def multistep_811(
    step: Array,
    peak_value: Rate,
    *,
    total_steps: Steps,
    warmup_steps: Steps = 0,
    init_value: Rate = 0.0,
) -> ArrayLike:
    """Level for 80 % of the run, then cut by √10, and again for the last 10 %.

    Args:
        peak_value: the rate of the first stage, >= 0.
        total_steps: T, steps of the whole run, warm-up included, >= 0. Drops come at T − ⌊T/5⌋
            and T − ⌊T/10⌋.
        warmup_steps: steps up, >= 0, over at 80 % of T.
        init_value: the rate at step 0, >= 0.

    Returns:
        A :class:`~lr_optax.Schedule`. The last rate, a tenth of the peak, is held.

    Raises:
        ValueError: the warm-up is too long.

    Example:
        >>> s = multistep_811(0.1, total_steps=100, warmup_steps=5)
        >>> print(s(0), s(5), s(79), s(80), s(90))
        0.0 0.1 0.1 0.03162278 0.01

    When to use it:
        In pre-training, when runs of several lengths are to share their first 80 %. One such run
        also tells more about other schedules than a smooth decay does.

    Reference:
        DeepSeek-AI, "DeepSeek LLM: Scaling Open-Source Language Models with Longtermism", 2024,
        arXiv:2401.02954, section 2.3.
    """
    first, second = total_steps - total_steps // 5, total_steps - total_steps // 10
    level = jnp.where(until(step, first) <= 0, peak_value * 10**-0.5, peak_value)
    level = jnp.where(until(step, second) <= 0, peak_value * 0.1, level)
    return warmup.formula(step, lambda _: level, warmup_steps=warmup_steps, init_value=init_value)


@schedule
def noam(
    step: Array, factor: NonNegative, *, model_size: Positive, warmup_steps: Period
) -> ArrayLike:
    """The transformer's own: η(t) = c·d^−½·min(t^−½, t·w^−1.5).

    Args:
        factor: c, >= 0; 1 in the paper.
        model_size: d, the width of the model, > 0.
        warmup_steps: w, steps up, >= 1. The peak, at t = w, is c/√(d·w).

    Returns:
        A :class:`~lr_optax.Schedule`. It goes on falling for ever.

    Example:
        >>> s = noam(1.0, model_size=100, warmup_steps=4)
        >>> print(s(0), s(1), s(4), s(16))
        0.0 0.0125 0.05 0.025

    When to use it:
        To reproduce the first transformers. :func:`warmup` of :func:`inverse_sqrt_decay` is the
        same with the peak given as it is.

    Reference:
        A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 5.3.
    """
    if is_number(model_size) and is_number(warmup_steps):
        area = model_size * warmup_steps
    else:
        area = jnp.maximum(as_float(model_size) * as_float(warmup_steps), 1)
    peak = factor * area**-0.5
    return warmup.formula(
        step,
        lambda step: inverse_sqrt_decay.formula(step, peak, timescale=warmup_steps),
        warmup_steps=warmup_steps,
    )
