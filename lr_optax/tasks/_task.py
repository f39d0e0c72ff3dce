"""What a small task is, and where it is found by its name: each is a file here."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from jax import Array

Train = Callable[[Any, Array], dict[str, Array]]
"""From a schedule, or one with a plateau, and a key to metrics."""

NAMES = ("digits", "text")

CHECKS = 40
"""How often in a run the validation data are evaluated: often enough for a smooth curve."""


class Task(NamedTuple):
    """A small real problem, and what suits it.

    Attributes:
        name: in one word.
        summary: what is trained, and how, in half a sentence.
        train: the training run of a number of steps, a multiple of 40. It reports "loss",
            "validation_loss", "test_loss" and "test_error".
        peaks: rates around the best, half a decade apart or so.
        seeds: how many repetitions tell strategies apart.
        total_steps: how long a run is.
    """

    name: str
    summary: str
    train: Callable[[int], Train]
    peaks: tuple[float, ...]
    seeds: int
    total_steps: int


def load_task(name: str) -> Task:
    """A task by its name; what it needs, such as Flax, is imported now and not before."""
    return import_module(f"{__package__}._{name}").TASK


def checked_steps(total_steps: int) -> int:
    """The length of a run, if it is a multiple of the checks.

    Raises:
        ValueError: it is not.
    """
    if total_steps % CHECKS:
        raise ValueError(f"`total_steps` must be a multiple of {CHECKS}, got {total_steps}")
    return total_steps


def tested(loss: Array, error: Array) -> dict[str, Array]:
    """The metrics of the test data."""
    return {"test_loss": loss, "test_error": error}
