"""The pages agree with the code, and their links and names resolve."""

import ast
import contextlib
import doctest
import importlib
import re
import runpy
import subprocess
import sys
import types
from pathlib import Path

import jax.numpy as jnp
import optax
import pytest

import lr_optax

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COMING = (DOCS / "coming_from.md").read_text()


@pytest.mark.parametrize("script", ["make_gallery.py", "make_how_to.py"])
def test_made_pages_are_up_to_date(script):
    subprocess.run([sys.executable, DOCS / script, "--check"], check=True)


@pytest.mark.parametrize(
    ("script", "template", "page"),
    [
        ("docs/make_predict.py", "TEXT", "predict.md"),
        ("docs/make_predict.py", "SECTION", "predict.md"),
        ("docs/make_why_exact.py", "TEXT", "why_exact.md"),
        ("benchmarks/evidence.py", "PAGE", "evidence.md"),
        ("benchmarks/evidence.py", "SECTION", "evidence.md"),
    ],
)
def test_pages_of_results_have_the_words_of_their_scripts(script, template, page):
    assigned = [n for n in ast.parse((ROOT / script).read_text()).body if isinstance(n, ast.Assign)]
    (text,) = [n.value.value for n in assigned if ast.unparse(n.targets[0]) == template]
    # The words between the fields, of which {{ and }} are none
    words = re.split(r"(?<!\{)\{[^{}]+\}(?!\})", text.strip())
    pattern = "(?:.|\n)*?".join(
        re.escape(part.replace("{{", "{").replace("}}", "}")) for part in words
    )
    assert re.search(pattern, (DOCS / page).read_text())


def test_why_exact_has_the_rates_of_its_schedules():
    script, page = (
        runpy.run_path(str(DOCS / "make_why_exact.py")),
        (DOCS / "why_exact.md").read_text(),
    )
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    shown = iter(row[-3::2] for row in rows if row[-3].replace(",", "").isdigit())
    for name in ("END", "FLOATS", "INTEGERS", "SHORT"):
        for case in script[name]:
            schedule = eval(case.call, dict(script["CALLS"]))
            for step in case.steps:
                rate = schedule(jnp.asarray(step, case.step_type))
                assert next(shown) == [f"{step:,}", script["written"](rate)], case
    assert list(shown) == []


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


def test_the_example_of_choosing_runs():
    result = doctest.testfile(str(DOCS / "choose.md"), module_relative=False)
    assert (result.failed, result.attempted) == (0, 3)


PAGES = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md"))]
FOLDERS = (ROOT, DOCS, ROOT / "examples", ROOT / "lr_optax", *(ROOT / "lr_optax").glob("*/"))


def exists(path):
    """Whether a path is there; in a list of files to edit, NAME and LIBRARY stand for any."""
    pattern = re.sub(r"\b(NAME|LIBRARY)\b|(?<=_)LIBRARY", "*", path)
    return any(next(folder.glob(pattern), None) for folder in FOLDERS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_files_and_names_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"`([\w./*-]+(?:\.(?:py|pyi|md|toml|png|json)|/))`", text):
        assert exists(path) or path == "results/", path
    for name in re.findall(r"\blr_optax((?:\.[a-z_]\w*)+)\b(?!\.py)", text):
        value = lr_optax
        for part in name.split(".")[1:]:
            if part in ("py", "pyi"):
                break
            if isinstance(value, types.ModuleType):
                with contextlib.suppress(ModuleNotFoundError):
                    importlib.import_module(f"{value.__name__}.{part}")
            value = getattr(value, part)
