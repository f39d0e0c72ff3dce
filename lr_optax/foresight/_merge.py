"""Decay without decaying: averages of checkpoints that equal a cooldown, and back."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from lr_optax._core.hyperparameters import Positive, Size, show, validated
from lr_optax._core.schedule import Schedule
from lr_optax.schedules.combine import Inner
from lr_optax.schedules.tables import piecewise_constant

Tree = TypeVar("Tree")


class _AsWeights:
    def accept(self, value: ArrayLike) -> np.ndarray:
        weights = np.asarray(value, np.float64)
        if weights.ndim != 1 or not np.isfinite(weights).all():
            raise ValueError(f"must be a vector of finite numbers, got {show(value)}")
        return weights


Weights = Annotated[np.ndarray | Sequence[float], _AsWeights()]
"""What checkpoints count in an average, in the order in which they were made."""


@validated
def merge_weights(cooldown: Inner, *, checkpoints: Size, every: Size = 1) -> np.ndarray:
    """Weights of checkpoints whose average equals a cooldown that was never run.

    θ_0, ..., θ_k are checkpoints of a phase at a constant rate, n steps apart. Their average
    Σ c_j·θ_j gives the updates between θ_{i−1} and θ_i the weight w_i = Σ_{j≥i} c_j, as a cooldown
    would with rates w_i times as high. So with w_i the mean of s(t)/s(0) over interval i::

        c_0 = 1 − w_1        c_j = w_j − w_{j+1}        c_k = w_k

    For updates that do not depend on the weights the two are the same, for real training to first
    order.

    Args:
        cooldown: s, the cooldown as a function of its own steps 0 to k·n − 1; s(0), > 0, is the
            rate of the constant phase. One that rises asks for negative weights.
        checkpoints: k >= 1: how many there are after θ_0.
        every: n >= 1, steps between two checkpoints; at 1 nothing is averaged within an interval.

    Returns:
        c, k + 1 weights that add up to 1, float64: of θ_0 first.

    Raises:
        TypeError: ``cooldown`` is not a function of the step.
        ValueError: a count is below 1, or ``cooldown`` begins at 0 or is not finite.

    Example:
        >>> from lr_optax import linear
        >>> print(merge_weights(linear(0.1, end_value=0.0, transition_steps=4), checkpoints=4))
        [0.   0.25 0.25 0.25 0.25]
        >>> cooldown = linear(0.1, end_value=0.0, transition_steps=100)
        >>> print(merge_weights(cooldown, checkpoints=2, every=50).round(3))
        [0.245 0.5   0.255]

    When to use it:
        To see what a cooldown would give, in any shape and from any point, from the checkpoints of
        a run that goes on, without training.

    Reference:
        C. Tian et al., "WSM: Decay-Free Learning Rate Schedule via Checkpoint Merging for LLM
        Pre-training", 2025, arXiv:2507.17634.
    """
    schedule = cast("Callable[[ArrayLike], ArrayLike]", cooldown)
    with jax.enable_x64(new_val=True):
        rates = np.asarray(schedule(jnp.arange(checkpoints * every)), np.float64)
    if not np.isfinite(rates).all():
        raise ValueError(f"merge_weights: `cooldown` must stay finite, got {show(rates)}")
    if not rates[0] > 0:
        raise ValueError(f"merge_weights: `cooldown` must begin above 0, got {rates[0]}")
    shares = (rates / rates[0]).reshape(checkpoints, every).mean(axis=1)
    return np.concatenate([[1.0], shares]) - np.append(shares, 0.0)


@validated
def merged_schedule(weights: Weights, *, peak_value: Positive = 1.0, every: Size = 1) -> Schedule:
    """The cooldown that an average of checkpoints equals; the inverse of :func:`merge_weights`.

    Args:
        weights: c_0, ..., c_k, at least two, in the order of the checkpoints. They add up to 1 and
            give no update a negative weight.
        peak_value: η, the rate of the constant phase, > 0.
        every: steps between two checkpoints, >= 1.

    Returns:
        A :func:`~lr_optax.piecewise_constant`: η·Σ_{j≥i} c_j in interval i.

    Raises:
        ValueError: the weights are not such, or a number is out of its range.

    Example:
        >>> merged_schedule([0.25, 0.25, 0.5], peak_value=0.1, every=100)
        piecewise_constant((0.075, 0.05), boundaries=(100,))

    When to use it:
        To see which decay a way of averaging, such as the mean of the last ten checkpoints, stands
        for.
    """
    vector = np.asarray(weights)
    # Weights that were stored or added up in float32 are off by about 1e-7.
    if len(vector) < 2 or abs(vector.sum() - 1) > 1e-6:
        raise ValueError(
            f"merged_schedule: `weights` must be two or more that add up to 1, got {show(weights)}"
        )
    shares = vector[:0:-1].cumsum()[::-1]
    if shares.min() < 0:
        raise ValueError(
            "merged_schedule: `weights` must not give an update a negative weight, which would be "
            f"a negative rate: those after checkpoint {shares.argmin()} add up to {shares.min():g}"
        )
    boundaries = tuple(every * i for i in range(1, len(shares)))
    return piecewise_constant(tuple((peak_value * shares).tolist()), boundaries=boundaries)


@validated
def average_checkpoints(checkpoints: Iterable[Tree], weights: Weights) -> Tree:
    """The weighted average of a stream of pytrees, with memory for one average.

    Floating-point and complex numbers are averaged, in float32 or wider. Everything else, such as
    step counters and random keys, is that of the last checkpoint.

    Args:
        checkpoints: pytrees of one structure, with leaves of one shape each, such as a generator
            that loads one after the other. Read once, in order.
        weights: one for each, finite, not all 0.

    Returns:
        A pytree like the last checkpoint, each array in its own type.

    Raises:
        ValueError: checkpoints and weights are not such.

    Example:
        >>> stream = ({"w": np.full(2, value)} for value in (0.0, 1.0, 4.0))
        >>> print(average_checkpoints(stream, [0.25, 0.25, 0.5]))
        {'w': array([2.25, 2.25])}

    When to use it:
        With :func:`merge_weights`, or with equal weights for the plain mean of the last n.
    """
    totals: dict[int, np.ndarray] = {}
    last, layout, count = None, None, 0
    for count, last in enumerate(checkpoints, 1):
        if count > len(weights):
            break
        layout = layout or _layout(last)
        if different := sorted(dict(layout.items() ^ _layout(last).items())):
            raise ValueError(
                "average_checkpoints: `checkpoints` must be alike, but number "
                f"{count} has another structure, shape or type than the first at "
                f"{', '.join(different[:3]) or 'its root'}"
            )
        for i, leaf in enumerate(jax.tree.leaves(last)):
            if _is_averaged(leaf) and weights[count - 1]:
                array = np.asarray(leaf)
                wide = array.astype(np.promote_types(array.dtype, np.float32))
                totals[i] = totals.get(i, 0) + wide * float(weights[count - 1])
    if count != len(weights):
        raise ValueError(
            f"average_checkpoints: `checkpoints` must be as many as `weights`, got "
            f"{'more than' if count > len(weights) else f'{count} for'} {len(weights)}"
        )
    if not np.any(weights):
        raise ValueError("average_checkpoints: there must be a checkpoint whose weight is not 0")
    leaves, structure = jax.tree.flatten(last)
    averaged = [_like(leaf, totals[i]) if i in totals else leaf for i, leaf in enumerate(leaves)]
    return structure.unflatten(averaged)


def _layout(tree: object) -> dict[str, tuple[tuple[int, ...], bool]]:
    """The shape of every leaf, and whether it is averaged, by its place."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path): (np.shape(leaf), _is_averaged(leaf)) for path, leaf in leaves
    }


def _is_averaged(leaf: object) -> bool:
    return jnp.issubdtype(getattr(leaf, "dtype", type(leaf)), jnp.inexact)


def _like(leaf: ArrayLike, total: np.ndarray) -> object:
    return total.item() if type(leaf) in (float, complex) else total.astype(np.asarray(leaf).dtype)
