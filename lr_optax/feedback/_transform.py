"""What all rates set by a metric share: how metrics reach a policy, and its scale the updates.

A feedback state is a ``NamedTuple`` of arrays, whatever the parameters' types, so that anything
that saves arrays saves it: ``scale``, by which updates are multiplied, ``metric_sum`` and
``metric_count`` of the metrics since the last check, what its check needs, and the ``settings``,
which every ``update`` takes from the code again. A check is its ``after_metric``, a pure function
from a state and a metric to the next state; :func:`collect` gathers metrics for it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jax.typing import ArrayLike

AxisName = Any
"""A mapped axis of JAX, or several: any hashable objects."""


State = TypeVar("State", bound=Any)
"""A feedback state, as described above."""


def collect(state: State, value: ArrayLike, axis_name: AxisName = None) -> State:
    """One more metric: averaged with those before it, and checked when they are enough."""
    metric = _scalar(value)
    metric = metric if axis_name is None else lax.pmean(metric, axis_name)
    counts = jnp.isfinite(metric) | ~state.settings.ignore_nonfinite
    total = state.metric_sum + jnp.where(counts, metric, 0)
    count = state.metric_count + counts.astype(jnp.int32)
    checked = state.after_metric(total / real(jnp.maximum(count, 1)))
    # At least, not just: a smaller size must take effect where more has been collected.
    return jax.tree.map(
        partial(jnp.where, count >= state.settings.accumulation_size),
        checked._replace(metric_sum=jnp.zeros_like(total), metric_count=jnp.zeros_like(count)),
        state._replace(metric_sum=total, metric_count=count),
    )


def improves(metric: Array, best: Array, threshold: Array, relative: Array) -> Array:
    """Whether a metric that should fall lies below the best by more than the margin."""
    # Not of an infinite best, which has no share: 0·∞ is NaN.
    share = jnp.where(jnp.isfinite(best), jnp.abs(best), 0)
    return metric < best - threshold * jnp.where(relative, share, 1)


# A copy each time: a buffer that the user, or another field, has too could not be donated.
def real(value: ArrayLike) -> Array:
    """A float32 array."""
    return jnp.array(value, jnp.float32)


def whole(value: ArrayLike) -> Array:
    """An int32 array; what lies beyond saturates."""
    top = 2**31 - 1
    if isinstance(value, int):
        return jnp.array(min(value, top), jnp.int32)
    value = value if isinstance(value, jax.Array) else np.asarray(value)
    if jnp.issubdtype(value.dtype, jnp.integer):
        value = value.clip(max=min(top, int(jnp.iinfo(value.dtype).max)))
    return jnp.array(value, jnp.int32)


def flag(value: ArrayLike) -> Array:
    """A bool array."""
    return jnp.array(value, bool)


def _scalar(value: ArrayLike) -> Array:
    # Floats first: JAX would wrap a 64-bit integer, and refuse a Python number beyond one. Within
    # ±10³⁰⁰ Python makes a float of any; float32 ends far below, so the result is the same.
    if isinstance(value, int):
        value = float(max(min(value, 10**300), -(10**300)))
    value = value if isinstance(value, jax.Array) else np.asarray(value)
    if value.shape != ():
        raise ValueError(f"a metric's `value` must be a scalar, got shape {value.shape}")
    # Not everything that casts to a float: None would become NaN, and a text its number.
    if not any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.integer, jnp.floating, bool)):
        raise TypeError(f"a metric's `value` must be real, got {value.dtype}")
    with np.errstate(over="ignore"):
        return jnp.asarray(
            value if isinstance(value, jax.Array) else value.astype(np.float32), jnp.float32
        )


def unwrapped(tree: State) -> State:
    """The same tree with arrays where Flax's nnx has variables around them."""
    return jax.tree.map(
        lambda node: node.get_value() if _is_variable(node) else node, tree, is_leaf=_is_variable
    )


def _is_variable(node: object) -> bool:
    return hasattr(node, "get_value")


NO_RATE = (
    "reduce_on_plateau and greedy make an Optax transform, not a learning rate: put it behind the "
    "optimizer, as in optax.chain(optax.adam(rate), reduce_on_plateau(...)), or make a rate of it: "
    "with_feedback(constant(rate), reduce_on_plateau(...)) in "
    "with_hyperparams(optax.adam, learning_rate=...)"
)


class Feedback(optax.GradientTransformationExtraArgs):
    """An Optax transform that says so where a learning rate belongs.

    Optax multiplies a rate by -1, which a tuple takes for a repetition.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<an Optax transform, made by reduce_on_plateau or greedy>"

    def _refuse(self, other: object = None) -> NoReturn:
        raise TypeError(NO_RATE)

    __mul__ = __rmul__ = __neg__ = __add__ = __radd__ = __sub__ = __rsub__ = _refuse
    __truediv__ = __rtruediv__ = __float__ = __jax_array__ = _refuse


def transform(
    start: Callable[[], Any], axis_name: AxisName
) -> optax.GradientTransformationExtraArgs:
    """An Optax transform that multiplies updates by the scale of a feedback state.

    Args:
        start: makes the first state, an array for each field: one buffer cannot be donated twice.
        axis_name: mapped axes over which a metric is averaged.
    """

    def init(params: optax.Params) -> Any:
        del params
        return start()

    def update(
        updates: optax.Updates,
        state: Any,
        params: optax.Params | None = None,
        *,
        value: ArrayLike | None = None,
        **extra: object,
    ) -> tuple[optax.Updates, Any]:
        del params, extra
        # The code's settings, whatever checkpoint the state came from.
        state = state._replace(settings=start().settings)
        state = state if value is None else collect(state, value, axis_name)
        return jax.tree.map(partial(_scaled, state.scale), updates), state

    return Feedback(init, update)


def _scaled(scale: Array, update: Array) -> Array:
    # Multiplied in the wider type: 0.1 rounded to bfloat16 first would be 0.1001.
    with jax.numpy_dtype_promotion("standard"):
        return (scale * update).astype(update.dtype)
