"""What is easily forgotten when something is added: see BUILD.md, "Adding things"."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest
import test_package

import lr_optax

ROOT = Path(__file__).parents[2]
BUILD = (ROOT / "BUILD.md").read_text()
PACKAGE = ROOT / "lr_optax"


def names(pattern):
    """The modules that a pattern finds in the package, without private ones."""
    return sorted(path.stem for path in PACKAGE.glob(pattern) if path.stem[0] != "_")


def text(pattern):
    """The text of all files that a pattern finds."""
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(pattern)))


SCHEDULES = {
    name: factory
    for name, factory in lr_optax.catalogue().items()
    if factory.__module__.startswith("lr_optax.schedules")
}
LIBRARIES = names("compat/*.py")
LAWS = names("foresight/laws/*.py")
COMMANDS = names("cli/commands/*.py")


def test_the_table_of_rooms_is_the_order_of_imports():
    rooms = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", BUILD, re.MULTILINE)
    level = {room: i for i, layer in enumerate(test_package.LAYERS) for room in layer}
    assert sorted(rooms, key=level.__getitem__) == rooms
    assert sorted(rooms) == sorted(level)
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(rooms)


VALUES = text("tests/schedules/*.py") + text("tests/promises/test_accuracy.py")


def test_every_schedule_has_values():
    tests = VALUES + text("tests/core/*.py")
    assert [name for name in SCHEDULES if f"{name}(" not in tests] == []


def test_every_choice_of_a_schedule_is_tested():
    # Long cases are strings in several parts.
    tests = re.sub(r'"\n\s*"', "", VALUES + text("tests/cases.py"))
    missing = [
        f"{name}({option.name}=...)"
        for name, factory in SCHEDULES.items()
        for option in list(inspect.signature(factory).parameters.values())[1:]
        if isinstance(option.default, bool | str)
        if not re.search(rf"\b{name}\((?:[^()]|\([^()]*\))*\b{option.name}=", tests)
    ]
    assert not missing, missing


@pytest.mark.parametrize("library", LIBRARIES)
class TestLibrary:
    """Every module of compat is where users look for it."""

    def test_it_has_a_section(self, library):
        page = (ROOT / "docs/coming_from.md").read_text()
        assert f"lr_optax.compat.{library} import" in page

    def test_it_is_imported(self, library):
        assert hasattr(importlib.import_module("lr_optax.compat"), library)

    def test_it_is_on_the_site(self, library):
        pytest.importorskip("mkdocs", reason="mkdocs is for development")
        spec = importlib.util.spec_from_file_location("website", ROOT / "docs/website.py")
        website = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(website)
        assert library in website.libraries()

    def test_every_call_has_a_row(self, library):
        page = (ROOT / "docs/coming_from.md").read_text()
        assert [n for n in calls(library) if f"`{n}`" not in page and f"`{n}(" not in page] == []

    def test_every_call_is_tested(self, library):
        tests = text(f"tests/compat/test_{library}*.py")
        tests += text(f"tests/reference_values/{library}.json")
        assert [name for name in calls(library) if name not in tests] == []


def calls(library):
    """The functions of a module that have the names of the other library's calls."""
    module = importlib.import_module(f"lr_optax.compat.{library}")
    public = [n for n in vars(module) if n[0].isupper() or n.startswith("get_")]
    if library == "optax":
        public = [n for n in vars(module) if n.endswith(("_schedule", "_schedules"))]
    home = f"lr_optax.compat.{library}"
    called = [n for n in public if getattr(vars(module)[n], "__module__", "").startswith(home)]
    assert called
    return called


@pytest.mark.parametrize("law", LAWS)
def test_every_law_is_tested_and_measured(law):
    assert f'"{law}"' in text("tests/foresight/*.py")
    assert f"| {law} |" in (ROOT / "docs/predict.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_tested_and_in_the_readme(command):
    name = command.replace("_", "-")
    assert f'"{name}"' in text("tests/*/*.py")
    assert f"lr-optax {name}" in (ROOT / "README.md").read_text()
