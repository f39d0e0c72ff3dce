"""Warm-ups: a rise in front of a schedule, or laid over its start."""

from typing import Literal

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import Fraction, Rate, Steps
from lr_optax._core.rules import positive_ends
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import Progress, as_float, blend, progress, since, until
from lr_optax.schedules.inner import Inner


@schedule(check=positive_ends("init_value"))
def warmup(
    step: Array,
    schedule: Inner,
    *,
    warmup_steps: Steps,
    init_value: Rate = 0.0,
    shape: Literal["linear", "cosine", "exponential", "log"] = "linear",
    lead: Steps = 0,
) -> ArrayLike:
    """A rise to where a schedule starts, then the schedule from its own step 0.

    η(t) = η₀ + (s(0) − η₀)·x for t < w, and s(t − w) from then on, where x is (t + l)/w for
    "linear", ½(1 − cos π(t + l)/w) for "cosine", and ln(t + 1)/ln w for "log". "exponential" is
    η₀·(s(0)/η₀)^((t + l)/w).

    Args:
        schedule: s, a schedule or another function of the step.
        warmup_steps: w, steps, >= 0; 0 for no warm-up. The schedule ends that much later.
        init_value: η₀, the rate where the rise begins, >= 0. At the default the first update
            changes nothing. It must be > 0 for "exponential". A start factor f is f·s(0) here.
        shape: how the rate rises.
        lead: l, steps the rise is ahead; 1 for the convention (t + 1)/w, in which the first update
            counts and the peak comes at t = w − 1. Ignored by "log", which begins like that.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly s(0) at step w.

    Example:
        >>> from lr_optax import cosine_decay, warmup
        >>> s = warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10)
        >>> print(s(0), s(5), s(10), s(55), s(100))
        0.0 0.05 0.1 0.05 0.0

    When to use it:
        With adaptive optimizers, large batches and transformers: the first gradients are large
        and Adam's averages are not yet settled. 1 to 5 % of the run is usual.

    Reference:
        P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
        arXiv:1706.02677, section 2.2.
    """
    rate = schedule(since(step, warmup_steps))  # during the rise, s(0)
    if shape == "log":
        rise = blend(_logarithm(step, warmup_steps), init_value, rate)
    else:
        weights = progress(since(step, -lead), warmup_steps)
        rise = shapes.between(shape, weights, init_value, rate)
    return jnp.where(until(step, warmup_steps) > 0, rise, rate)


def _logarithm(step: Array, length: ArrayLike) -> Progress:
    time, length = as_float(step) + 1, jnp.maximum(as_float(length), 2)
    left = jnp.maximum(jnp.log(length / time), 0) / jnp.log(length)
    return Progress(jnp.where(step <= 0, 1, left), jnp.minimum(jnp.log(time) / jnp.log(length), 1))


@schedule
def untuned_warmup(
    step: Array,
    schedule: Inner,
    *,
    b2: Fraction = 0.999,
    shape: Literal["exponential", "linear"] = "exponential",
) -> ArrayLike:
    """A factor on a schedule's start that follows from Adam's β₂ alone.

    η(t) = s(t)·(1 − e^(−(1−β₂)(t+1))) for "exponential", s(t)·min(1, (1−β₂)(t+1)/2) for "linear".

    Args:
        schedule: s, a schedule or another function of the step; it runs on meanwhile.
        b2: β₂ in [0, 1], the decay of Adam's average of squared gradients. 0.999 takes 2000
            steps linearly; at 1 the rate stays 0. As a traced float32 it brings the error of its
            own rounding, up to 3e-8/(1 − β₂): 1.3 % at 1 − 1e-6. For the β₂ that float32 holds the
            rate is as accurate as any; a Python number is exact.
        shape: "exponential" never quite ends, "linear" ends after 2/(1 − β₂) steps.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> from lr_optax import constant, untuned_warmup
        >>> s = untuned_warmup(constant(0.1), b2=0.99, shape="linear")
        >>> print(s(0), s(99), s(199), s(1000))
        0.0005 0.05 0.1 0.1

    When to use it:
        With Adam, to leave out one hyperparameter: this does for it what RAdam does.

    Reference:
        J. Ma, D. Yarats, "On the Adequacy of Untuned Warmup for Adaptive Optimization", 2019,
        arXiv:1910.04209.
    """
    time = (1 - b2) * (as_float(step) + 1)
    factor = jnp.minimum(time / 2, 1) if shape == "linear" else -jnp.expm1(-time)
    return schedule(step) * factor
