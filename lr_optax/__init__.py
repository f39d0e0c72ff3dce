"""Learning rates for JAX: schedules, rates set by a metric, and tools to choose between them.

Names are looked up when they are first used, so that importing the package costs nothing and the
command line answers without loading JAX. Where each lives stands in ``__init__.pyi``, once.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any


def _read_homes() -> dict[str, str]:
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


_HOME = _read_homes()
_WINGS = ("compat", "feedback", "foresight", "inspection", "planning", "training", "typing")
__all__ = sorted(_HOME)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _WINGS:
        return import_module(f"lr_optax.{name}")
    elif name == "__version__":
        value = import_module("importlib.metadata").version("lr_optax")
    else:
        raise AttributeError(f"module 'lr_optax' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_WINGS})
