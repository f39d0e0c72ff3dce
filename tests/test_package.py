"""The public face: what is there, and what importing it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lr_optax

PACKAGE = Path(lr_optax.__file__).parent


def test_every_public_name_resolves():
    assert lr_optax.__all__ == sorted(lr_optax.__all__)
    for name in lr_optax.__all__:
        assert getattr(lr_optax, name).__module__.startswith("lr_optax")
        assert name in dir(lr_optax)
    assert lr_optax.__version__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = lr_optax.nothing


def test_schedules_are_public():
    registered = {
        n for n, f in lr_optax.catalogue().items() if f.__module__.startswith("lr_optax.schedules")
    }
    assert registered <= set(lr_optax.__all__)


def test_every_public_docstring_is_complete():
    for name in lr_optax.__all__:
        value = getattr(lr_optax, name)
        doc = value.__doc__
        assert ">>>" in doc or isinstance(value, type), name
        if isinstance(value, type) or name == "catalogue":
            continue
        parts = ["Args:", "Returns:", "Example:"]
        parts += ["Raises:"] * hasattr(value, "__wrapped__")  # its arguments are checked
        parts += ["When to use it:", "Reference:"] * (name in lr_optax.catalogue())
        for part in parts:
            assert part in doc or name == "from_function", (name, part)


def test_importing_costs_nothing_and_says_nothing():
    code = "import sys, lr_optax; print([m for m in ('jax', 'numpy') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True
    )
    assert result.stdout.strip() == b"[]"
    assert result.stderr == b""


def test_core_needs_jax_and_optax_only():
    """No extra is imported by the package itself."""
    code = (
        "import sys, lr_optax; [getattr(lr_optax, n) for n in lr_optax.__all__];"
        "extras = ('matplotlib', 'typer', 'rich', 'flax', 'sklearn', 'chex');"
        "print([m for m in extras if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert result.stdout.strip() == b"[]"


LAYERS = [
    {"_core"},
    {"schedules", "typing"},
    {"text", "feedback", "training", "setup"},
    {"foresight", "compat", "inspection"},
    {"demo"},
    {"cli"},
]


def test_imports_run_downward_only():
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lr_optax."):
                there = node.module.split(".")[1]
                assert there == here or level[there] <= level[here], f"{path}: {node.module}"
