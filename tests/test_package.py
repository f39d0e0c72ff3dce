"""The public face: what is there, and what importing it costs."""

import ast
import inspect
import re
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
        if isinstance(value, type) or not inspect.signature(value).parameters:
            continue
        # All of these return a schedule, and not every formula is a paper's.
        parts = ["Args:", "Example:"]
        parts += ["When to use it:" if name in lr_optax.catalogue() else "Returns:"]
        for part in parts:
            assert part in doc or name == "from_function", (name, part)


def test_signatures_can_be_read():
    for name in lr_optax.__all__:
        if callable(getattr(lr_optax, name)):
            text = str(inspect.signature(getattr(lr_optax, name)))
            assert "lambda" not in text, name
            assert "Rule(" not in text, name
    assert str(inspect.signature(lr_optax.reduce_on_plateau)).startswith("(factor=0.1, *, patience")


TYPED = Path(__file__).with_name("typed.py")


def test_type_checkers_are_shown_every_public_name():
    used = {
        getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(ast.parse(TYPED.read_text()))
    }
    rooms = [PACKAGE / room / "__init__.py" for room in lr_optax._WINGS if room != "typing"]
    libraries = PACKAGE.glob("compat/[a-z]*.py")
    public = {*lr_optax.__all__}.union(*map(handed_on, [*rooms, *libraries]))
    assert not public - used, "tests/typed.py: say what a type checker makes of these"


def handed_on(path):
    """What a module defines, or imports ``as`` what it is called, for others to use."""
    for node in ast.parse(path.read_text()).body:
        names = node.names if isinstance(node, ast.ImportFrom) else ()
        yield from (alias.name for alias in names if alias.name == alias.asname)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_mypy_sees_what_users_need():
    pytest.importorskip("mypy", reason="mypy is for development")
    run = subprocess.run(
        [sys.executable, "-m", "mypy"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


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
    {"feedback", "training", "planning"},
    {"compat"},
    {"text"},  # it reads the schedules that only other libraries have, too
    {"results"},
    {"inspection"},
    {"foresight"},
    {"tasks"},
    {"cli"},
]


def test_imports_run_downward_only():
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        for there in imported(ast.parse(path.read_text())):
            assert there == here or level[there] <= level[here], f"{path}: {there}"


_MODULE = re.compile(r"lr_optax(\.[a-z_]+)+")


def imported(tree):
    """The rooms of this package that a module names: imported in any way, or as a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "lr_optax":
            homes = [
                lr_optax._HOME.get(alias.name, f"lr_optax.{alias.name}") for alias in node.names
            ]
            yield from (home.split(".")[1] for home in homes if home != "lr_optax.__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lr_optax."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            dotted = [alias.name.split(".") for alias in node.names]
            yield from (parts[1] for parts in dotted if parts[0] == "lr_optax" and parts[1:])
        elif isinstance(node, ast.Constant) and _MODULE.fullmatch(str(node.value)):
            yield node.value.split(".")[1]


def test_catalogue_is_the_same_whatever_was_read():
    code = (
        "import lr_optax; before = list(lr_optax.catalogue())\n"
        "try: lr_optax.parse('nothing(0.1)')\n"
        "except ValueError: pass\n"
        "wave = lr_optax.parse('compat.cosine_wave(0.1, half_period=10)')\n"
        "import lr_optax.compat\n"
        "assert lr_optax.parse(repr(wave)) == wave\n"
        "assert list(lr_optax.catalogue()) == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_of_schedules_are_reserved_at_the_decoration():
    code = "import lr_optax\n@lr_optax.schedule\ndef linear(step, height): return height\n"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ValueError: there is a schedule 'linear' already" in run.stderr
    assert "another name" in run.stderr


def test_a_script_imported_under_its_own_name_is_one_module(tmp_path):
    (tmp_path / "train.py").write_text(
        "import sys\nfrom lr_optax import schedule\n"
        "@schedule\ndef mine(step, height): return height\n"
        "if __name__ == '__main__': import train\n"
    )
    subprocess.run([sys.executable, "train.py"], cwd=tmp_path, check=True)
