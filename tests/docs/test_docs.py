"""The pages say what the code says."""

import contextlib
import doctest
import importlib
import re
import subprocess
import sys
import types
from pathlib import Path

import optax
import pytest

import lr_optax
from lr_optax.compat import deepspeed, keras, timm, torch, transformers

DOCS = Path(__file__).parents[2] / "docs"
COMING = (DOCS / "coming_from.md").read_text()


@pytest.mark.parametrize("script", ["make_gallery.py", "make_how_to.py"])
def test_pages_are_what_the_code_says(script):
    subprocess.run([sys.executable, DOCS / script, "--check"], check=True)


@pytest.mark.parametrize("module", [torch, keras, transformers, timm, deepspeed])
def test_every_call_of_another_library_has_a_row(module):
    names = [n for n in vars(module) if n[0].isupper() or n.startswith("get_")]
    public = [n for n in names if getattr(module, n).__module__.startswith("lr_optax.compat")]
    assert public
    missing = [n for n in public if f"`{n}`" not in COMING and f"`{n}(" not in COMING]
    assert missing == []


def test_every_schedule_of_optax_has_a_row():
    schedules = [
        n for n in dir(optax.schedules) if n.endswith(("_schedule", "_decay", "_schedules"))
    ]
    assert len(schedules) > 10
    assert [name for name in schedules if name not in COMING] == []


@pytest.mark.parametrize("page", ["coming_from.md", "choose.md"])
def test_native_names_exist(page):
    text = (DOCS / page).read_text()
    sections = text.split("## Keras")[0] if page == "coming_from.md" else text
    rows = [row for row in sections.splitlines() if row.startswith("|") and "native" not in row]
    for row in rows:
        for name in re.findall(r"`([a-z_]+)\(", row.split("|")[-2]):
            assert hasattr(lr_optax, name), (page, name)


def test_what_choosing_shows_is_what_happens():
    result = doctest.testfile(str(DOCS / "choose.md"), module_relative=False)
    assert (result.failed, result.attempted) == (0, 3)


ROOT = DOCS.parent
PAGES = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_files_and_names_are_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    places = (ROOT, DOCS, ROOT / "examples", ROOT / "lr_optax", *(ROOT / "lr_optax").glob("*/"))
    for path in re.findall(r"`([\w./-]+(?:\.(?:py|pyi|md|toml|png)|/))`", text):
        assert any((place / path).exists() for place in places) or path == "results/", path
    for name in re.findall(r"\blr_optax((?:\.[a-z_]\w*)+)\b(?!\.py)", text):
        found = lr_optax
        for part in name.split(".")[1:]:
            if part in ("py", "pyi"):
                break
            if isinstance(found, types.ModuleType):
                with contextlib.suppress(ModuleNotFoundError):
                    importlib.import_module(f"{found.__name__}.{part}")
            found = getattr(found, part)
