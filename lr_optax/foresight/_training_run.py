"""From a model, a loss and data to ``train(schedule, key) -> metrics``."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from lr_optax._core.clock import as_float
from lr_optax._core.hyperparameters import Size, show, validated
from lr_optax.feedback._observe import follows_metric, observe
from lr_optax.training._read import read_hyperparams

Params = TypeVar("Params")
Metrics = dict[str, Array]
Loss = Callable[[Params, Any, Array | None], Array]
Draw = Callable[[Array], tuple[Any, Array]]
"""From a step's key to its batch, and the key for the noise inside the model."""


@validated
def training_run(
    loss_fn: Loss[Params],
    init: Callable[[Array], Params],
    optimizer: Callable[[Any], optax.GradientTransformation],
    data: Any,
    *,
    total_steps: Size,
    batch_size: Size,
    validation: Any = None,
    checks: Size = 1,
    final: Callable[[Params], Metrics] | None = None,
) -> Callable[[Any, Array], Metrics]:
    """A whole training run as a pure function of a schedule and a key.

    What this returns is what :func:`~lr_optax.sweep`, :func:`~lr_optax.compare`,
    :func:`~lr_optax.range_test` and :func:`~lr_optax.tune` take. Everything happens on the device:
    the key draws the initial parameters, every minibatch (rows of ``data``, with replacement), and
    the noise inside the model. The same key is the same start and the same batches whatever the
    schedule, so that schedules are compared in pairs.

    Args:
        loss_fn: ``(params, batch, key) -> loss``, a scalar. The key is for dropout or noise on the
            batch; it is None when the validation set is evaluated.
        init: ``key -> params``, a pytree of arrays of real numbers, which are trained.
        optimizer: ``schedule -> GradientTransformation``, such as ``optax.adamw``. Its argument is
            the first one of ``train``: a schedule, or a pair of a schedule and a number. If it
            reads ``value``, as a plateau does, that is the loss of the batch; or, with a
            validation set, the validation loss, once after every check. At other steps there is
            none for a plateau of this library, and NaN for another transform.
        data: a pytree of arrays of one length, their first axis; or a function ``(key,
            batch_size) -> batch``, for batches that are not rows, such as windows of a text.
        total_steps: the length of a run in optimizer steps, >= 1.
        batch_size: rows in a minibatch, >= 1.
        validation: a batch such as ``data``, evaluated whole; None for none.
        checks: how often in a run the validation set is evaluated, evenly spaced, the last time at
            the end: >= 1, a divisor of ``total_steps``.
        final: ``params -> metrics``, a dictionary to add at the end of the run, such as the loss
            and the accuracy on a test set; None for none.

    Returns:
        ``train(schedule, key)``, which returns a dictionary of float32 arrays: ``"loss"``, that of
        every batch before its step, of shape (total_steps,); with a validation set
        ``"validation_loss"``, of shape (checks,); and, where the optimizer's state has them, of
        shape (total_steps,), ``"rate"``, that of every step with a plateau's scale in it
        (:func:`~lr_optax.with_hyperparams`), and ``"scale"``, the plateau's alone. A run that
        diverges goes on with NaN and infinity.

    Raises:
        TypeError: an argument is not a function; or, once it runs, ``init`` returns something that
            cannot be trained, or ``optimizer`` something that is not a transform.
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
        To try schedules on a small version of your task. It does not support parameters that are
        not trained by gradients, such as running means, or data that does not fit on the device;
        write ``train`` by hand then.
    """
    _check_functions(loss_fn=loss_fn, init=init, optimizer=optimizer)
    _check_checks(checks, total_steps, validation)
    draw = _drawing(data, batch_size)
    held_out = None if validation is None else _on_device("validation", validation)[0]

    def train(candidate: Any, key: Array) -> Metrics:
        init_key, key = jax.random.split(key)
        params: Any = init(init_key)
        _check_params(params)
        tx = _transform(optimizer(candidate))
        state = tx.init(params)
        observes = held_out is not None and follows_metric(state)
        part = _Part(total_steps // checks, loss_fn, draw, tx, held_out, observes)
        start = (params, state), as_float(jnp.nan)
        carry, (record, losses) = jax.lax.scan(part.run, start, jax.random.split(key, checks))
        metrics = {name: history.reshape(total_steps) for name, history in record.items()}
        metrics |= {} if held_out is None else {"validation_loss": losses}
        return metrics if final is None else metrics | jax.tree.map(as_float, final(carry[0][0]))

    return train


class _Part(NamedTuple):
    """The steps from one check of the validation set to the next."""

    steps: int
    loss_fn: Loss[Any]
    draw: Draw
    tx: optax.GradientTransformationExtraArgs
    validation: Any
    observes: bool  # whether a plateau of this library sees the validation loss

    def run(self, carry: Any, key: Array) -> tuple[Any, tuple[Metrics, Array]]:
        carry, value = carry
        keys = jax.random.split(key, self.steps)
        # Each validation loss is seen once; NaN is "nothing new".
        values = jnp.full(self.steps, jnp.nan, value.dtype).at[0].set(value)
        (params, state), record = jax.lax.scan(self.step, carry, (keys, values))
        if self.validation is not None:
            value = as_float(self.loss_fn(params, self.validation, None))
        if self.observes:
            state = observe(state, value)
        return ((params, state), value), (record, value)

    def step(self, carry: Any, inputs: tuple[Array, Array]) -> tuple[Any, Metrics]:
        (params, state), (key, value) = carry, inputs
        batch, noise_key = self.draw(key)
        loss, grads = jax.value_and_grad(self.loss_fn)(params, batch, noise_key)
        value = loss if self.validation is None else value
        metric = {} if self.observes else {"value": value}
        updates, state = self.tx.update(grads, state, params, **metric)
        noted = read_hyperparams(state)
        record = {"loss": loss, "rate": noted.get("effective_learning_rate")}
        record = {**record, "scale": noted.get("scale")}
        record = {name: as_float(x) for name, x in record.items() if x is not None}
        return (optax.apply_updates(params, updates), state), record


def _check_functions(**functions: object) -> None:
    for name, value in functions.items():
        if not callable(value) or isinstance(value, optax.GradientTransformation):
            raise TypeError(f"training_run: `{name}` must be a function, got {value!r}")


def _check_checks(checks: int, total_steps: int, validation: object) -> None:
    if checks > 1 and validation is None:
        raise ValueError(f"training_run: {checks} `checks` need a set for `validation`")
    if total_steps % checks:
        raise ValueError(
            f"training_run: `checks` must be a divisor of `total_steps`, got {checks} and "
            f"{total_steps}"
        )


def _transform(tx: object) -> optax.GradientTransformationExtraArgs:
    if not isinstance(tx, optax.GradientTransformation):
        raise TypeError(f"training_run: `optimizer` must return a transform, got {show(tx)}")
    return optax.with_extra_args_support(tx)


def _drawing(data: Any, batch_size: int) -> Draw:
    if callable(data):
        # Far beyond the numbers that `data` splits the same key into.
        return lambda key: (data(key, batch_size), jax.random.fold_in(key, 2**32 - 1))
    data, rows = _on_device("data", data)

    def draw(key: Array) -> tuple[Any, Array]:
        rows_key, noise_key = jax.random.split(key)
        picked = jax.random.randint(rows_key, (batch_size,), 0, rows)
        return jax.tree.map(lambda x: x[picked], data), noise_key

    return draw


def _check_params(params: object) -> None:
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
