"""A schedule for the second half of a run.

What the code says holds after a restore: the state of :func:`lr_optax.with_hyperparams` keeps its
count, and no value. So a changed schedule is one of three explicit choices:

* ``new``: the new schedule, at the count the run has reached;
* ``shift(new, steps=count)``: the new schedule from its beginning;
* ``continue_from(state, new)``: the same, at such a height that the rate goes on from where it is.

Settings of :func:`lr_optax.reduce_on_plateau` and :func:`lr_optax.greedy` are the code's too, from
the first update on, whatever the checkpoint holds.
"""

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import is_known, validated
from lr_optax._core.schedule import Schedule
from lr_optax.schedules.combine import Inner, scale, shift
from lr_optax.training._read import read_hyperparams, steps_taken


@validated
def continue_from(opt_state: object, schedule: Inner, name: str = "learning_rate") -> Schedule:
    """A schedule that begins now, at the rate a run has come to: η(t) = η_last·s(t − n)/s(0).

    Args:
        opt_state: a state with concrete values, as for :func:`lr_optax.read_hyperparams`: n updates
            were made, the last at rate η_last.
        schedule: s, whose first rate is not 0; its step 0 is the next update.
        name: of the hyperparameter, as :func:`lr_optax.read_hyperparams` names it.

    Returns:
        A schedule for the same optimizer with its count kept. Its text has all the numbers: keep
        it with the run, since the next restore needs it again.

    Raises:
        KeyError: the state has no such hyperparameter, as that of ``optax.adam(0.1)`` has none.
        TypeError: ``schedule`` is not a function of the step, or the state is traced.
        ValueError: ``schedule`` begins at 0, which no factor can bring to the rate, or the last
            rate was 0, as it is before the first update of a warm-up.

    Example:
        >>> import optax
        >>> import jax.numpy as jnp
        >>> from lr_optax import linear, with_hyperparams
        >>> tx = with_hyperparams(optax.sgd, learning_rate=0.25)
        >>> state = tx.init(jnp.ones(3))
        >>> for _ in range(10):
        ...     _, state = tx.update(jnp.ones(3), state)
        >>> s = continue_from(state, linear(1.0, end_value=0.0, transition_steps=4))
        >>> s
        scale(shift(linear(1.0, transition_steps=4), steps=10), factor=0.25)
        >>> print(s(10), s(12), s(14))
        0.25 0.125 0.0

    When to use it:
        To change plan in the middle of a run without a jump. To anneal a schedule from a step known
        beforehand, use :func:`lr_optax.cooldown_from`.
    """
    count, last = steps_taken(opt_state, name), read_hyperparams(opt_state)[name]
    if not is_known(count, last):
        raise TypeError("continue_from: the state's values must be known; call it outside of jit")
    count, last, first = int(count), float(last), float(as_float(schedule(0)))
    if last == 0:
        raise ValueError(
            f"continue_from: `{name}` was 0 in the last update, so there is no rate to continue "
            f"from; use shift(schedule, steps={count})"
        )
    if first == 0:
        raise ValueError(
            f"continue_from: `schedule` must not begin at 0, got {schedule!r}; to warm up again, "
            f"use shift(schedule, steps={count})"
        )
    return scale(shift(schedule, steps=count), factor=last / first)
