"""What all rates set by a metric share: how metrics reach a policy, and its scale the updates.

A feedback state is a ``NamedTuple`` of arrays, whatever the parameters' types, so that anything
that saves arrays saves it: ``scale``, by which updates are multiplied, ``metric_sum`` and
``metric_count`` of the metrics since the last check, what its check needs, and the ``settings``.
``with_settings`` takes those from the code; ``after_metric`` is a check.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NoReturn, TypeVar

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


NO_METRIC = float(np.finfo(np.float32).max)
"""The best metric before the first. Infinity would trip ``jax_debug_infs``."""


def collect(state: State, value: ArrayLike, axis_name: AxisName = None) -> State:
    """One more metric: averaged with those before it, and checked when they are enough."""
    axes = tuple(axis_name) if isinstance(axis_name, list) else axis_name
    return _collected(state, _metric(value), axes)


# Compiled, since eager JAX sends the constants to the device one by one, which
# jax.transfer_guard("disallow") forbids.
@partial(jax.jit, static_argnums=2, inline=True)
def _collected(state: State, metric: Array, axis_name: AxisName) -> State:
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
    size = jnp.abs(best)
    # No margin without a best; an infinite one has no share, since 0·∞ is NaN.
    margin = threshold * jnp.where(relative, jnp.where(size < NO_METRIC, size, 0), 1)
    return metric < best - jnp.where(size < NO_METRIC, margin, 0)


# A copy each time: a buffer that the user, or another field, has too could not be donated.
# device_put, since jnp.array of a number is an implicit transfer for jax.transfer_guard.
def real(value: ArrayLike) -> Array:
    """A float32 array; what lies beyond is infinite."""
    if isinstance(value, jax.Array):
        return jnp.array(value, jnp.float32)
    with np.errstate(over="ignore"):
        return jax.device_put(np.array(value, np.float32))


def whole(value: ArrayLike) -> Array:
    """An int32 array; what lies beyond saturates."""
    top = 2**31 - 1
    if isinstance(value, jax.Array):
        if jnp.issubdtype(value.dtype, jnp.integer):
            value = value.clip(max=min(top, int(jnp.iinfo(value.dtype).max)))
        return jnp.array(value, jnp.int32)
    return jax.device_put(np.minimum(np.asarray(value), top).astype(np.int32))


def _metric(value: ArrayLike) -> Array:
    """A metric in float32."""
    # Floats first: NumPy makes an object of an integer beyond 64 bits. Within ±10³⁰⁰ Python makes
    # a float of any; float32 ends far below, so the result is the same.
    if isinstance(value, int):
        value = float(max(min(value, 10**300), -(10**300)))
    value = value if isinstance(value, jax.Array) else np.asarray(value)
    if value.shape != ():
        raise ValueError(f"a metric's `value` must be a scalar, got shape {value.shape}")
    # Not everything that casts to a float: None would become NaN, and a text its number.
    if not any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.integer, jnp.floating, bool)):
        raise TypeError(f"a metric's `value` must be real, got {value.dtype}")
    return real(value)


def settings_arrays(
    *, threshold_mode: str, mode: str, nonfinite: str, **numbers: ArrayLike
) -> dict[str, Array]:
    """The arguments of a policy as arrays, by the names of its settings."""
    counts = ("patience", "cooldown", "warmup", "reset_after", "accumulation_size")
    arrays = {name: (whole if name in counts else real)(x) for name, x in numbers.items()}
    return arrays | {
        "relative": jax.device_put(np.array(threshold_mode == "rel")),
        "sign": real(1 if mode == "min" else -1),
        "ignore_nonfinite": jax.device_put(np.array(nonfinite == "ignore")),
    }


def unwrapped(tree: State) -> State:
    """The same tree with arrays where Flax's nnx has variables around them."""
    variable = getattr(sys.modules.get("flax.nnx"), "Variable", ())
    return jax.tree.map(
        lambda node: node.get_value() if isinstance(node, variable) else node,
        tree,
        is_leaf=lambda node: isinstance(node, variable),
    )


NO_RATE = (
    "reduce_on_plateau and greedy make an Optax transform, not a learning rate: put it behind the "
    "optimizer, as in optax.chain(optax.adam(rate), reduce_on_plateau(...)), or make a rate of it: "
    "with_feedback(constant(rate), reduce_on_plateau(...)) in "
    "with_hyperparams(optax.adam, learning_rate=...)"
)


class NotARate:
    """Arithmetic that says where an object belongs that was given in place of a rate."""

    __slots__ = ()
    remedy: ClassVar[str]

    def _refuse(self, other: object = None) -> NoReturn:
        raise TypeError(self.remedy)

    __mul__ = __rmul__ = __neg__ = __add__ = __radd__ = __sub__ = __rsub__ = _refuse
    __truediv__ = __rtruediv__ = __pow__ = __float__ = __jax_array__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse


# Optax multiplies a rate by -1, which a tuple takes for a repetition.
class Feedback(NotARate, optax.GradientTransformationExtraArgs):
    """An Optax transform that says so where a learning rate belongs."""

    __slots__ = ()
    remedy = NO_RATE

    def __repr__(self) -> str:
        return "<an Optax transform, made by reduce_on_plateau or greedy>"


def transform(
    start: Callable[[], Any], axis_name: AxisName
) -> optax.GradientTransformationExtraArgs:
    """An Optax transform that multiplies updates by the scale of a feedback state."""

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
        state = state.with_settings(start())
        if value is not None:
            state = collect(state, value, axis_name)
        # Multiplied in the wider type: 0.1 rounded to bfloat16 first would be 0.1001.
        with jax.numpy_dtype_promotion("standard"):
            return jax.tree.map(lambda u: (state.scale * u).astype(u.dtype), updates), state

    return Feedback(lambda params: start(), update)
