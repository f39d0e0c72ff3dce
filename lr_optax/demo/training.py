"""A whole training run of a small task as a pure function: one protocol for every task."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lr_optax import Schedule, reduce_on_plateau

CHECKS = 40
"""How often in a run the validation data are evaluated; a run's length is a multiple of it."""
_PATIENCE = 4


class Strategy(NamedTuple):
    """A schedule, and how much a plateau of the validation loss cuts it: 1 for not at all."""

    schedule: Schedule
    plateau_factor: float = 1.0


class Run(NamedTuple):
    """What one training run reports."""

    validation: Array  # (CHECKS,): the loss of the validation data after each part of the run
    scale: Array  # (CHECKS,): by what the plateau multiplied the rate in that part
    test_loss: Array  # ()
    test_error: Array  # (): the share of wrong answers
    loss: Array  # (total_steps,): of every batch before its step


Train = Callable[[Strategy, Array], Run]


def of_schedules(train: Train) -> Callable[[Schedule, Array], Run]:
    """A training run as a function of a schedule, without a plateau."""

    def run(schedule: Schedule, key: Array) -> Run:
        # Traced, for no plateau: as a known number, a factor of 1 is refused.
        factor: Any = jnp.ones(())
        return train(Strategy(schedule, factor), key)

    return run


class Task(NamedTuple):
    """A small real problem, and what suits it.

    Attributes:
        name: in one word.
        summary: what is trained, and how, in half a sentence.
        load: the data, the same in every run.
        trainer: ``(data, total_steps) -> train``, with ``train(strategy, key) -> Run`` pure.
        peaks: rates around the best, half a decade apart or so.
        seeds: how many repetitions tell strategies apart.
        total_steps: how long a run is; a multiple of ``CHECKS``.
    """

    name: str
    summary: str
    load: Callable[[], Any]
    trainer: Callable[[Any, int], Train]
    peaks: tuple[float, ...]
    seeds: int
    total_steps: int


def training_of(
    init: Callable[[Array], Any],
    draw: Callable[[Array], Any],
    evaluate: Callable[[Any, Any], tuple[Array, Array]],
    optimizer: Callable[[Schedule], optax.GradientTransformation],
    validation: Any,
    test: Any,
    total_steps: int,
) -> Train:
    """The training run of a model.

    Args:
        init: parameters from a key.
        draw: a batch to train on from a key.
        evaluate: ``(params, batch) -> (loss, share of wrong answers)``.
        optimizer: from a schedule.
        validation: a batch that a plateau and the choice of a peak may see.
        test: a batch that decides nothing.
        total_steps: optimizer steps, a multiple of ``CHECKS``.
    """
    part = total_steps // CHECKS

    def train(strategy: Strategy, key: Array) -> Run:
        init_key, key = jax.random.split(key)
        plateau = reduce_on_plateau(strategy.plateau_factor, patience=_PATIENCE, nonfinite="ignore")
        tx = optax.chain(optimizer(strategy.schedule), plateau)
        params = init(init_key)

        def step(carry: Any, inputs: tuple[Array, Array]) -> tuple[Any, Array]:
            params, state = carry
            key, value = inputs
            batch = draw(key)
            loss, grads = jax.value_and_grad(lambda params: evaluate(params, batch)[0])(params)
            updates, state = tx.update(grads, state, params, value=value)
            return (optax.apply_updates(params, updates), state), loss

        def check(carry: Any, key: Array) -> tuple[Any, tuple[Array, Array, Array]]:
            carry, value = carry
            # The plateau sees each validation loss once; NaN is "nothing new".
            values = jnp.full(part, jnp.nan).at[0].set(value)
            carry, batches = jax.lax.scan(step, carry, (jax.random.split(key, part), values))
            value, _ = evaluate(carry[0], validation)
            return (carry, value), (value, carry[1][1].scale, batches)

        start: Any = ((params, tx.init(params)), jnp.nan)
        keys = jax.random.split(key, CHECKS)
        (carry, _), (losses, scales, batches) = jax.lax.scan(check, start, keys)
        return Run(losses, scales, *evaluate(carry[0], test), batches.reshape(total_steps))

    return train
