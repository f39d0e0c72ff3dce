"""A whole training run of a small task as a pure function: one protocol for every task."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from lr_optax import Schedule, Sweep, reduce_on_plateau

CHECKS = 40
"""How often in a run the validation data are evaluated; a run's length is a multiple of it."""
MEASURED = ("validation", "scale", "test_loss", "test_error")
_PATIENCE = 4
_SEEDS = 6  # the fewest of which a comparison tells an interval
_POINTS = 400  # of a history


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


def measured_here(result: Sweep) -> dict[str, np.ndarray]:
    """Of what a task's runs report, what a comparison holds."""
    return {name: result.metrics[name] for name in MEASURED}


def measured_by_one(result: Sweep) -> dict[str, np.ndarray]:
    """The same where runs report one metric, a number or a history, which decides all."""
    values = result.metrics[result.metric].astype(np.float64)
    history = values.reshape(*values.shape[:2], -1)
    length = history.shape[-1]
    some = np.linspace(length / min(length, _POINTS), length, min(length, _POINTS)).astype(int) - 1
    scale = np.ones_like(history[..., :1])
    return {"validation": history[..., some], "scale": scale, "test_loss": history[..., -1]}


class Task(NamedTuple):
    """A small real problem, and what suits it.

    Attributes:
        name: in one word.
        summary: what is trained, and how, in half a sentence.
        load: the data, the same in every run.
        trainer: ``(data, total_steps) -> train``, with ``train(strategy, key) -> Run`` pure.
        peaks: rates around the best, half a decade apart or so.
        seeds: how many repetitions tell strategies apart.
        total_steps: how long a run is.
        parts: of which the length of a run is a multiple.
        metric: the one that ranks; None where runs report only one.
        measured: what a comparison holds, from the runs' metrics.
        labels: what its two losses are, along the run and at its end; None for the metric's name.
    """

    name: str
    summary: str
    load: Callable[[], Any]
    trainer: Callable[[Any, int], Train]
    peaks: tuple[float, ...]
    seeds: int
    total_steps: int
    parts: int = CHECKS
    metric: str | None = "test_loss"
    measured: Callable[[Sweep], dict[str, np.ndarray]] = measured_here
    labels: tuple[str, str] | None = ("validation loss", "test loss")


def task_of(
    train: Callable[[Schedule, Array], Any],
    name: str,
    *,
    metric: str | None,
    peaks: Sequence[float],
    total_steps: int,
) -> Task:
    """A task of a user's own.

    Args:
        train: a pure function ``(schedule, key) -> metrics``.
        name: what to call it.
        metric: which one decides, > 0 and lower is better, of a history its last value; None where
            there is only one.
        peaks: rates around the best.
        total_steps: the length of its runs.
    """

    def trainer(_: None, __: int) -> Any:
        return lambda strategy, key: train(strategy.schedule, key)

    return Task(
        name, name, lambda: None, trainer, tuple(peaks), _SEEDS, total_steps,
        parts=1, metric=metric, measured=measured_by_one, labels=None,
    )  # fmt: skip


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
