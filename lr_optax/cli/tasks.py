"""What ``find`` and ``compare`` train."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lr_optax.cli.reading import import_modules

if TYPE_CHECKING:
    from lr_optax import Schedule

TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="NAME",
        help="What to train: digits, text (a small language model), or MODULE:FUNCTION of yours, a "
        "pure function train(schedule, key) -> metrics that JAX can trace, from here or from where "
        "Python looks.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        help="Which metric decides, if there are several: lower is better, and of a history it is "
        "the last value."
    ),
]


def own(task: str) -> "Callable[[Schedule, Any], Any]":
    """A user's own function to train with.

    Raises:
        ValueError: there is none, or its module fails.
    """
    from importlib import import_module

    module, _, function = task.partition(":")
    if not function:
        raise ValueError(f"--task takes digits, text, or MODULE:FUNCTION of yours, got {task!r}")
    import_modules([module])
    train = getattr(import_module(module), function, None)
    if not callable(train):
        raise ValueError(f"--task {task}: {module} has no function {function!r}")
    return train
