"""From a model, a loss and data to ``train(schedule, key) -> metrics``."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import Size, show, validated
from lr_optax.feedback._observe import follows_metric, observe
from lr_optax.training._read import read_hyperparams


@validated
def training_run(
    loss_fn: Callable[[Any, Any, Array | None], Array],
    init: Callable[[Array], Any],
    optimizer: Callable[[Any], optax.GradientTransformation],
    data: Any,
    *,
    total_steps: Size,
    batch_size: Size,
    validation: Any = None,
    checks: Size = 1,
) -> Callable[[Any, Array], dict[str, Array]]:
    """A whole training run as a pure function of a schedule and a key.

    What this returns is what :func:`~lr_optax.sweep`, :func:`~lr_optax.range_test` and
    :func:`~lr_optax.tune` take. Everything happens on the device: the key draws the initial
    parameters, every minibatch (rows of ``data``, drawn anew at each step, with replacement), and
    the noise inside the model. The same key is the same start and the same batches whatever the
    schedule, so that schedules are compared in pairs.

    Args:
        loss_fn: ``(params, batch, key) -> loss``, a scalar. The key is for dropout or noise on the
            batch; it is None when the validation set is evaluated.
        init: ``key -> params``, a pytree of arrays of real numbers, which are trained.
        optimizer: ``schedule -> GradientTransformation``, such as ``optax.adamw``. It gets
            whatever ``train`` is called with: a schedule, or a pair of one and a number. If it
            reads ``value``, as a plateau does, that is the loss of the batch; or, with a
            validation set, the validation loss, once after every check. At other steps there is
            none for a plateau of this library, and NaN for another transform.
        data: a pytree of arrays of one length, their first axis.
        total_steps: the length of a run in optimizer steps, >= 1.
        batch_size: rows in a minibatch, >= 1.
        validation: like ``data``, evaluated whole; None for none.
        checks: how often in a run the validation set is evaluated, evenly spaced, the last time at
            the end: >= 1, a divisor of ``total_steps``.

    Returns:
        ``train(schedule, key)``, which returns a dictionary of float32 arrays: ``"loss"``, that of
        every batch before its step, of shape (total_steps,); with a validation set
        ``"validation_loss"``, of shape (checks,); and, where the optimizer's state has it
        (:func:`~lr_optax.with_hyperparams`), ``"rate"``, that of every step with a plateau's scale
        in it, of shape (total_steps,). A run that diverges goes on with NaN and infinity.

    Raises:
        TypeError: an argument is no function; or, once it runs, ``init`` returns something that
            cannot be trained, or ``optimizer`` no transform.
        ValueError: a number is out of its range, the arrays' lengths differ, or there are several
            checks and no validation set.

    Example:
        >>> import optax
        >>> from lr_optax import linear, training_run
        >>> x = np.linspace(-1, 1, 64, dtype=np.float32)
        >>> train = training_run(
        ...     loss_fn=lambda w, batch, key: ((w * batch["x"] - batch["y"]) ** 2).mean(),
        ...     init=lambda key: jax.random.normal(key),
        ...     optimizer=optax.sgd,
        ...     data={"x": x, "y": 3 * x},
        ...     total_steps=100,
        ...     batch_size=8,
        ... )
        >>> schedule = linear(0.5, end_value=0.0, transition_steps=100)
        >>> metrics = jax.jit(train)(schedule, jax.random.key(0))
        >>> metrics["loss"].shape, bool(metrics["loss"][-1] < 1e-6)
        ((100,), True)

    When to use it:
        To try schedules on a small version of your task. What it does not do: parameters that are
        not trained by gradients, such as running means, and data that does not fit on the device;
        write ``train`` by hand then.
    """
    for name, value in (("loss_fn", loss_fn), ("init", init), ("optimizer", optimizer)):
        if not callable(value) or isinstance(value, optax.GradientTransformation):
            raise TypeError(f"training_run: `{name}` must be a function, got {value!r}")
    if checks > 1 and validation is None:
        raise ValueError(f"training_run: {checks} `checks` need a set for `validation`")
    if total_steps % checks:
        raise ValueError(
            f"training_run: `checks` must be a divisor of `total_steps`, got {checks} and "
            f"{total_steps}"
        )
    data, rows = _on_device("data", data)
    validated = validation is not None
    if validated:
        validation, _ = _on_device("validation", validation)

    def train(schedule: Any, key: Array) -> dict[str, Array]:
        init_key, key = jax.random.split(key)
        params = init(init_key)
        _check_params(params)
        tx = optimizer(schedule)
        if not isinstance(tx, optax.GradientTransformation):
            raise TypeError(f"training_run: `optimizer` must return a transform, got {show(tx)}")
        tx = optax.with_extra_args_support(tx)
        start = (params, tx.init(params)), as_float(jnp.nan)
        observed = validated and follows_metric(start[0][1])

        def step(carry: Any, inputs: tuple[Array, Array]) -> tuple[Any, dict[str, Array]]:
            params, state = carry
            key, value = inputs
            rows_key, noise_key = jax.random.split(key)
            picked = jax.random.randint(rows_key, (batch_size,), 0, rows)
            batch = jax.tree.map(lambda x: x[picked], data)
            loss, grads = jax.value_and_grad(loss_fn)(params, batch, noise_key)
            metric = {} if observed else {"value": value if validated else loss}
            updates, state = tx.update(grads, state, params, **metric)
            rate = read_hyperparams(state).get("effective_learning_rate")
            record = {"loss": loss} if rate is None else {"loss": loss, "rate": rate}
            return (optax.apply_updates(params, updates), state), jax.tree.map(as_float, record)

        def check(carry: Any, key: Array) -> tuple[Any, Any]:
            carry, value = carry
            keys = jax.random.split(key, total_steps // checks)
            # Each validation loss is seen once; NaN is "nothing new".
            values = jnp.full(len(keys), jnp.nan, value.dtype).at[0].set(value)
            carry, record = jax.lax.scan(step, carry, (keys, values))
            if validated:
                value = as_float(loss_fn(carry[0], validation, None))
            if observed:
                carry = carry[0], observe(carry[1], value)
            return (carry, value), (record, value)

        _, (record, values) = jax.lax.scan(check, start, jax.random.split(key, checks))
        metrics = {name: history.reshape(total_steps) for name, history in record.items()}
        return metrics | ({"validation_loss": values} if validated else {})

    return train


def _check_params(params: Any) -> None:
    for leaf in jax.tree.leaves(params):
        if not jnp.issubdtype(getattr(leaf, "dtype", np.bool), jnp.floating):
            raise TypeError(
                "training_run: `init` must return a pytree of real arrays, all of them trained, "
                f"and one holds {show(leaf)}; what is not trained stays outside, as by "
                "nnx.split or equinox.partition"
            )


def _on_device(name: str, data: Any) -> tuple[Any, int]:
    data = jax.tree.map(jnp.asarray, data)
    lengths = {x.shape[0] if x.ndim else 0 for x in jax.tree.leaves(data)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"training_run: `{name}` must be arrays of one length >= 1, got the shapes "
            f"{', '.join(str(x.shape) for x in jax.tree.leaves(data)) or 'of none'}"
        )
    return data, lengths.pop()
