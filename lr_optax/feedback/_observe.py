"""A metric from outside the training step, for every policy in an optimizer's state."""

from typing import TypeGuard, TypeVar

import jax
from jax.typing import ArrayLike

from lr_optax.feedback._greedy import GreedyState
from lr_optax.feedback._plateau import PlateauState
from lr_optax.feedback._transform import AxisName, collect, unwrapped

T = TypeVar("T")

Policy = PlateauState | GreedyState
"""The states of all rates set by a metric."""


def is_feedback(node: object) -> TypeGuard[Policy]:
    """Whether a node of an optimizer's state is that of a rate set by a metric."""
    return isinstance(node, Policy)


def follows_metric(opt_state: object) -> bool:
    """Whether something in an optimizer's state would see what is observed."""
    return any(map(is_feedback, jax.tree.leaves(opt_state, is_leaf=is_feedback)))


def observe(opt_state: T, value: ArrayLike, *, axis_name: AxisName = None) -> T:
    """The state after one more metric, such as the validation loss of an epoch.

    Steps every :func:`reduce_on_plateau` and :func:`greedy` in a state, wherever it is nested, as
    ``update(..., value=value)`` would, but without an update. Everything else stays as it is.
    It works where ``value`` does not get through, such as in ``optax.lookahead`` or in Flax's
    ``TrainState.apply_gradients``, and inside ``optax.MultiSteps`` at any micro-batch.
    The settings are those in the state, which every ``update`` takes from the code: after a
    restore, a changed setting is seen from the first update on.

    Args:
        opt_state: the state of any Optax optimizer, or a pytree with one in it such as a
            ``TrainState``; of an ``nnx.Optimizer``, its ``opt_state``.
        value: a real scalar.
        axis_name: a mapped axis, or several, over which the metric is averaged first; it is not
            part of the state.

    Returns:
        A state like the one given.

    Raises:
        ValueError: nothing in the state would see the value, or it is not a scalar.
        TypeError: the value is not a real number, such as None.

    Example:
        >>> import optax
        >>> import jax.numpy as jnp
        >>> from lr_optax import reduce_on_plateau
        >>> tx = optax.chain(optax.adam(0.1), reduce_on_plateau(0.5, patience=1))
        >>> state = tx.init({"w": jnp.ones(3)})
        >>> for validation_loss in (1.0, 1.0, 1.0):
        ...     state = observe(state, validation_loss)
        >>> print(state[1].scale)
        0.5

    When to use it:
        For a metric that comes once an epoch. A metric of every step goes into ``update``.
    """
    if not follows_metric(opt_state):
        raise ValueError(
            "observe: no reduce_on_plateau or greedy of lr_optax in this state would see `value`"
        )

    def observed(node: object) -> object:
        if not is_feedback(node):
            return node
        after = collect(unwrapped(node), value, axis_name)
        # With the variables around the arrays that Flax's nnx had put there.
        return jax.tree.unflatten(jax.tree.structure(node), jax.tree.leaves(after))

    return jax.tree.map(observed, opt_state, is_leaf=is_feedback)
