"""Schedules from the command line: as texts, a user's own among them."""

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lr_optax import Schedule

Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a module of yours first, from here or from where Python looks: the "
        "schedules that it defines with @schedule are known by name. May be repeated.",
    ),
]


def import_modules(names: Iterable[str] | None) -> None:
    """Import a user's modules, as ``python -m`` would find them.

    Raises:
        ValueError: there is none of that name, or it fails.
    """
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # a text
    for name in names or ():
        try:
            import_module(name)
        except (Exception, SystemExit) as error:
            what = f"{type(error).__name__}: {error}"
            remedy = "; give a module's name, as in `import`" if name.endswith(".py") else ""
            raise ValueError(f"--import {name}: {what}{remedy}") from error


def read(texts: Iterable[str]) -> "dict[str, Schedule]":
    """The schedules that texts describe, by text.

    Raises:
        ValueError: a text describes none, or the same as another.
    """
    from lr_optax import parse

    found: dict[str, Schedule] = {}
    for text in texts:
        # A name alone is a call without arguments: the error says which there are.
        schedule = parse(f"{text}()" if text.strip().isidentifier() else text)
        if schedule in found.values():
            raise ValueError(f"{text} is given twice")
        found[text] = schedule
    return found


def signature(text: str) -> str | None:
    """The call that a name stands for; None for what is no name of a schedule."""
    import inspect

    from lr_optax import catalogue

    factory = catalogue().get(text.strip())
    return factory and f"{text.strip()}{inspect.signature(factory)}"
