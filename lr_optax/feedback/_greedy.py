"""Raise the rate while a metric keeps improving, lower it when it stops."""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.export import register_namedtuple_serialization

from lr_optax._core.hyperparameters import (
    Count,
    Fraction,
    Growth,
    NonNegative,
    Period,
    Shrinking,
    is_known,
    validated,
)
from lr_optax.feedback._transform import (
    NO_METRIC,
    AxisName,
    improves,
    real,
    settings_arrays,
    transform,
    whole,
)


class GreedySettings(NamedTuple):
    """The arguments of :func:`greedy`, as arrays; the window's size is its length."""

    factor: Array
    patience: Array
    threshold: Array
    relative: Array  # bool: whether the threshold is a share of the best
    sign: Array  # 1 for a metric that should fall, -1 for one that should rise
    cooldown: Array
    warmup: Array
    min_scale: Array
    max_scale: Array
    eps: Array
    reset_after: Array
    accumulation_size: Array
    ignore_nonfinite: Array  # bool


class GreedyState(NamedTuple):
    """What GreedyLR remembers, whatever the parameters' types."""

    scale: Array  # float32: what updates are multiplied by
    best: Array  # float32: the best mean so far; before the first, float32's largest number
    good_checks: Array  # int32: improvements in a row
    bad_checks: Array  # int32: checks without one in a row
    checks_to_skip: Array  # int32: checks that will not count, after a change
    cuts_at_min: Array  # int32: cuts that found the scale at its minimum, since the last raise
    window: Array  # float32: the last metrics, of which the mean is checked
    window_count: Array  # int32: how many metrics have gone into it
    metric_sum: Array  # float32: of the metrics seen since the last check
    metric_count: Array  # int32: how many they are
    settings: GreedySettings  # the code's: every update sets them again

    def with_settings(self, beginning: "GreedyState") -> "GreedyState":
        """The state with the settings of another, and as many of the last metrics."""
        size, old_size = len(beginning.window), len(self.window)
        if size == old_size:
            return self._replace(settings=beginning.settings)
        count = jnp.minimum(self.window_count, min(size, old_size))
        places = jnp.arange(size)
        last = self.window[(self.window_count - count + places) % old_size]
        window = jnp.where(places < count, last, 0)
        return self._replace(window=window, window_count=count, settings=beginning.settings)

    def after_metric(self, metric: Array) -> "GreedyState":
        """The state after one check of a metric."""
        settings = self.settings
        waiting = jnp.maximum(self.checks_to_skip - 1, 0)
        state = compared(with_metric(self, metric))
        rise, cut = state.good_checks > settings.patience, state.bad_checks > settings.patience
        state = moved(state, rise, cut)
        reset = state.cuts_at_min >= settings.reset_after
        beginning = first_state(len(state.window), settings)
        state = jax.tree.map(partial(jnp.where, reset), beginning, state)
        skip = jnp.where(rise, settings.warmup, jnp.where(cut, settings.cooldown, waiting))
        return state._replace(checks_to_skip=skip)


# So that jax.export can save a program that takes such a state.
for _type in (GreedySettings, GreedyState):
    register_namedtuple_serialization(_type, serialized_name=f"lr_optax.{_type.__name__}")


def first_state(window_size: int, settings: GreedySettings) -> GreedyState:
    """The state before the first metric."""
    return GreedyState(
        scale=real(1),
        best=settings.sign * real(NO_METRIC),
        good_checks=whole(0),
        bad_checks=whole(0),
        checks_to_skip=whole(0),
        cuts_at_min=whole(0),
        window=real(np.zeros(window_size)),
        window_count=whole(0),
        metric_sum=real(0),
        metric_count=whole(0),
        settings=settings,
    )


def with_metric(state: GreedyState, metric: Array) -> GreedyState:
    """The state with one more metric in its window."""
    size = len(state.window)
    # A comparison, since a write at a computed place is a loop on some devices.
    window = jnp.where(jnp.arange(size) == state.window_count % size, metric, state.window)
    return state._replace(window=window, window_count=state.window_count + 1)


def compared(state: GreedyState) -> GreedyState:
    """The state after the mean of its window has been compared with the best."""
    settings = state.settings
    # The window may not be full yet.
    mean = state.window.sum() / real(jnp.minimum(state.window_count, len(state.window)))
    metric, best = settings.sign * mean, settings.sign * state.best  # now smaller is better
    skip = state.checks_to_skip > 0
    better = ~skip & improves(metric, best, settings.threshold, settings.relative)
    return state._replace(
        best=settings.sign * jnp.where(better, metric, best),
        good_checks=jnp.where(better, state.good_checks + 1, 0),
        bad_checks=jnp.where(better | skip, 0, state.bad_checks + 1),
    )


def moved(state: GreedyState, rise: Array, cut: Array) -> GreedyState:
    """The state after a rise or a cut of the scale, if there is one."""
    factor, eps, min_scale = state.settings.factor, state.settings.eps, state.settings.min_scale
    higher = jnp.minimum(state.scale / factor, state.settings.max_scale)
    lower = jnp.maximum(state.scale * factor, min_scale)
    scale = jnp.where(rise & (higher - state.scale > eps), higher, state.scale)
    scale = jnp.where(cut & (state.scale - lower > eps), lower, scale)
    # But for rounding: a rise from the minimum and a fall back may end an ulp above it.
    at_min = scale <= min_scale * (1 + 1e-6)
    return state._replace(
        scale=scale,
        good_checks=jnp.where(rise, 0, state.good_checks),
        bad_checks=jnp.where(cut, 0, state.bad_checks),
        cuts_at_min=jnp.where(rise, 0, state.cuts_at_min + whole(cut & at_min)),
    )


@validated
def greedy(
    factor: Shrinking = 0.95,
    *,
    patience: Count = 10,
    threshold: NonNegative = 1e-6,
    threshold_mode: Literal["rel", "abs"] = "abs",
    mode: Literal["min", "max"] = "min",
    cooldown: Count = 0,
    warmup: Count = 0,
    min_scale: Fraction = 0.01,
    max_scale: Growth = 10.0,
    eps: NonNegative = 1e-8,
    window_size: Period = 1,
    reset_after: Period = 500,
    accumulation_size: Period = 1,
    nonfinite: Literal["compare", "ignore"] = "compare",
    axis_name: AxisName = None,
) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by a scale that rises while a metric improves and falls when it does not.

    A check is good or bad as in :func:`reduce_on_plateau`. After more than ``patience`` good
    checks in a row, scale ← min(scale/factor, max_scale); after as many bad ones, scale ←
    max(scale·factor, min_scale). The decisions are those of GreedyLR in Hugging Face's
    Transformers, with three differences:

    * Negative metrics with ``threshold_mode="rel"``: the margin is threshold·|b| here.
    * A NaN leaves the window after ``window_size`` metrics here. There the window's running sum
      stays NaN, and no later metric is better.
    * At the minimum a rise and the fall back may miss it by rounding (0.10000000000000002 for
      0.1): here that is the minimum, and counts for ``reset_after``; there it does not.

    The metric is passed to ``update`` as ``value``, or to :func:`observe`; put the transform
    behind the optimizer.

    Args:
        factor: what the scale is multiplied or divided by, between 0 and 1.
        patience: how many checks in a row have to be exceeded for a change, >= 0.
        threshold: the smallest improvement that counts, >= 0.
        threshold_mode: whether the threshold is absolute, "abs", or relative to the best, "rel".
        mode: whether the metric should fall, "min", or rise, "max".
        cooldown: how many checks after a cut are skipped, >= 0; not even a best counts in them.
        warmup: the same after a rise.
        min_scale: the smallest scale, in [0, 1]. Transformers' default rates, 0.001 to 1, are
            these scales under a rate of 0.1.
        max_scale: the largest scale, >= 1.
        eps: a change of no more than this is not made, >= 0.
        window_size: over how many of the last metrics a check takes the mean, >= 1, a Python
            number; Transformers' ``smooth=True`` is 50.
        reset_after: >= 1; a cut that finds the scale at its minimum for that many times since the
            last rise sets everything back to the beginning.
        accumulation_size: how many metrics are averaged for one check, >= 1.
        nonfinite: "compare" or "ignore", as in :func:`reduce_on_plateau`.
        axis_name: a mapped axis, or several, over which the metric is averaged first.

    Returns:
        An Optax transform whose state is a :class:`GreedyState`. Numbers may be traced, but for
        ``window_size``.

    Raises:
        TypeError, ValueError: ``value`` is not a real scalar.

    Example:
        >>> tx = greedy(0.5, patience=1)
        >>> state = tx.init({"w": jnp.ones(3)})
        >>> for loss in (1.0, 0.9, 0.9, 0.9, 0.9, 0.9):
        ...     updates, state = tx.update({"w": jnp.ones(3)}, state, value=loss)
        ...     print(state.scale)
        1.0
        2.0
        2.0
        1.0
        1.0
        0.5

    When to use it:
        When a good rate is not known even to a factor of ten, with a metric that is not too noisy.
        It needs no length of a run, and can climb out of a rate that is too low, which
        :func:`reduce_on_plateau` cannot; on a noisy metric it wanders.

    Reference:
        "GreedyLR: A Novel Adaptive Learning Rate Scheduler", 2025, arXiv:2512.14527, as in
        Transformers 5.23.
    """
    if not is_known(window_size):
        raise TypeError("greedy: `window_size` must be a Python number: it is an array's length")

    def start() -> GreedyState:
        settings = GreedySettings(
            **settings_arrays(
                threshold_mode=threshold_mode, mode=mode, nonfinite=nonfinite, factor=factor,
                patience=patience, threshold=threshold, cooldown=cooldown, warmup=warmup,
                min_scale=min_scale, max_scale=max_scale, eps=eps, reset_after=reset_after,
                accumulation_size=accumulation_size,
            )
        )  # fmt: skip
        return first_state(int(window_size), settings)

    return transform(start, axis_name)
