"""Cut the rate when a metric stops improving."""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.export import register_namedtuple_serialization

from lr_optax._core.hyperparameters import (
    Count,
    Fraction,
    NonNegative,
    Period,
    Shrinking,
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


class PlateauSettings(NamedTuple):
    """The arguments of :func:`reduce_on_plateau`, as arrays."""

    factor: Array
    patience: Array
    threshold: Array
    relative: Array  # bool: whether the threshold is a share of the best
    sign: Array  # 1 for a metric that should fall, -1 for one that should rise
    cooldown: Array
    min_scale: Array
    eps: Array
    accumulation_size: Array
    ignore_nonfinite: Array  # bool


class PlateauState(NamedTuple):
    """What a plateau remembers: scalars, whatever the parameters' types."""

    scale: Array  # float32: what updates are multiplied by
    best: Array  # float32: the best metric so far; before the first, float32's largest number
    # int32: checks without improvement since the last improvement or cut. At -1 the next metric is
    # the best whatever it is, as in Keras; at -n - 1 come n checks that only warm up, as in timm.
    bad_checks: Array
    cooldown_left: Array  # int32: checks that will not count as bad
    metric_sum: Array  # float32: of the metrics seen since the last check
    metric_count: Array  # int32: how many they are
    settings: PlateauSettings  # the code's: every update sets them again

    def with_settings(self, beginning: "PlateauState") -> "PlateauState":
        """The state with the settings of another."""
        return self._replace(settings=beginning.settings)

    def after_metric(self, metric: Array) -> "PlateauState":
        """The state after one check of a metric."""
        settings = self.settings
        metric, best = settings.sign * metric, settings.sign * self.best  # now smaller is better
        better = improves(metric, best, settings.threshold, settings.relative)
        better = better | (self.bad_checks == -1)
        bad_checks = jnp.where(better | (self.cooldown_left > 0), 0, self.bad_checks + 1)
        cut = bad_checks > settings.patience
        lower = jnp.maximum(self.scale * settings.factor, settings.min_scale)
        waiting = jnp.maximum(self.cooldown_left - 1, 0)
        checked = self._replace(
            scale=jnp.where(cut & (self.scale - lower > settings.eps), lower, self.scale),
            best=settings.sign * jnp.where(better, metric, best),
            bad_checks=jnp.where(cut, 0, bad_checks),
            cooldown_left=jnp.where(cut, settings.cooldown, waiting),
        )
        # Both are computed and one is chosen: a branch would be a round trip to the host on GPUs.
        return jax.tree.map(partial(jnp.where, self.bad_checks < -1), warmed(self), checked)


# So that jax.export can save a program that takes such a state.
for _type in (PlateauSettings, PlateauState):
    register_namedtuple_serialization(_type, serialized_name=f"lr_optax.{_type.__name__}")


def warmed(state: PlateauState) -> PlateauState:
    """The state after a check of a warm-up: the scale is an equal step nearer to 1."""
    left = jnp.maximum(-1 - state.bad_checks, 1)
    last = left == 1
    return state._replace(
        scale=jnp.where(last, 1, state.scale + (1 - state.scale) / left.astype(jnp.float32)),
        bad_checks=jnp.where(last, 0, state.bad_checks + 1),
    )


@validated
def reduce_on_plateau(
    factor: Shrinking = 0.1,
    *,
    patience: Count = 10,
    threshold: NonNegative = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    mode: Literal["min", "max"] = "min",
    cooldown: Count = 0,
    min_scale: Fraction = 0.0,
    eps: NonNegative = 1e-8,
    accumulation_size: Period = 1,
    nonfinite: Literal["compare", "ignore"] = "compare",
    axis_name: AxisName = None,
) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by a scale that falls by ``factor`` when a metric stops improving.

    A check compares a metric m with the best so far, b. It is good if m < b − margin (for
    ``mode="max"``, m > b + margin), with margin = threshold·|b| or threshold. After more than
    ``patience`` bad checks in a row, scale ← max(scale·factor, min_scale). The decisions are
    those of PyTorch's ReduceLROnPlateau, with one difference: the margin there is threshold·b, so
    that a negative metric that stands still, or worsens slowly, counts as improving.

    The metric is passed to ``update`` as ``value`` when there is a new one: without it, or with
    None, the updates are scaled and nothing is counted. A metric from outside the step goes to
    :func:`observe`. Put the transform behind the optimizer, whose rate may be a schedule: Adam
    would undo a scale in front of it. With k micro-batches put it behind ``optax.MultiSteps`` too,
    with ``accumulation_size=k``, and it sees their mean; inside, it would see the last.

    Args:
        factor: what the scale is multiplied by, between 0 and 1.
        patience: how many bad checks in a row are tolerated, >= 0; at 0 the first bad one cuts.
        threshold: the smallest improvement that counts, >= 0.
        threshold_mode: whether the threshold is relative to the best metric, "rel", or "abs".
        mode: whether the metric should fall, "min", or rise, "max".
        cooldown: how many checks after a cut are never bad, >= 0.
        min_scale: the smallest scale, in [0, 1]. A smallest rate m under a constant rate η is m/η.
        eps: a cut that would lower the scale by no more than this is not made, >= 0. PyTorch's,
            which is for rates, is eps/η here.
        accumulation_size: how many metrics are averaged for one check, >= 1.
        nonfinite: "compare" takes infinities as the numbers they are, and NaN as never better;
            "ignore" passes over all of them as if there had been no metric.
        axis_name: a mapped axis, or several, over which the metric is averaged first. Under
            ``pmap`` and ``shard_map`` replicas that saw different metrics would otherwise diverge.

    Returns:
        An Optax transform whose state is a :class:`PlateauState`. Numbers may be traced.

    Raises:
        TypeError, ValueError: ``value`` is not a real scalar.

    Example:
        >>> tx = reduce_on_plateau(0.5, patience=1)
        >>> state = tx.init({"w": jnp.ones(3)})
        >>> for loss in (1.0, 0.9, 0.9, 0.9):
        ...     updates, state = tx.update({"w": jnp.ones(3)}, state, value=loss)
        ...     print(state.scale, updates["w"])
        1.0 [1. 1. 1.]
        1.0 [1. 1. 1.]
        1.0 [1. 1. 1.]
        0.5 [0.5 0.5 0.5]

    When to use it:
        When the length of the run is not known, or the loss has plateaus that no schedule knows,
        with a metric that is not too noisy: the validation loss once an epoch, or the training
        loss averaged with ``accumulation_size``. For one hyperparameter: :func:`with_feedback`.

    Reference:
        A. Paszke et al., "PyTorch: An Imperative Style, High-Performance Deep Learning Library",
        2019, arXiv:1912.01703: torch.optim.lr_scheduler.ReduceLROnPlateau, version 2.13.
    """

    def start() -> PlateauState:
        settings = PlateauSettings(
            **settings_arrays(
                threshold_mode=threshold_mode, mode=mode, nonfinite=nonfinite, factor=factor,
                patience=patience, threshold=threshold, cooldown=cooldown, min_scale=min_scale,
                eps=eps, accumulation_size=accumulation_size,
            )
        )  # fmt: skip
        best = real(NO_METRIC if mode == "min" else -NO_METRIC)
        return PlateauState(real(1), best, whole(0), whole(0), real(0), whole(0), settings)

    return transform(start, axis_name)
