"""Stages: a warm-up, and what comes after it."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import blend, progress, since
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Rate, Steps
from lr_optax.schedules.inner import Inner


@schedule
def warmup(
    step: Array, schedule: Inner, *, warmup_steps: Steps, init_value: Rate = 0.0
) -> ArrayLike:
    """A straight rise to where a schedule starts, then the schedule from its own step 0.

    η(t) = η₀ + (s(0) − η₀)·t/w for t < w, and s(t − w) from then on.

    Args:
        schedule: s, a schedule or another function of the step.
        warmup_steps: w, steps, >= 0; 0 for no warm-up. The schedule ends that much later.
        init_value: η₀, the rate at step 0, >= 0. At the default the first update changes nothing.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly s(0) at step w.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

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
    left, gone = progress(step, warmup_steps)
    rise = blend(shapes.linear(left, gone), init_value, schedule(jnp.zeros_like(step)))
    return jnp.where(left > 0, rise, schedule(since(warmup_steps, step)))
