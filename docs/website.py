"""Pages of the documentation site that are not in docs/: hooks for mkdocs.yml.

These are the pages of the API, one for each family of the public names in lr_optax/__init__.pyi and
one for each library in lr_optax/compat; and the repository's pages outside docs/.
"""

import ast
import os
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "BUILD.md": "project/building.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "benchmarks/RESULTS.md": "project/benchmarks.md",
}
SCRIPTS = sorted(path.stem for path in ROOT.glob("examples/*.py"))
PAGES |= {f"examples/{name}.py": f"examples/{name}.md" for name in SCRIPTS}
ORIGIN = {page: source for source, page in PAGES.items()}
# The pages of the API in their order: a room, or a file of schedules/.
TITLES = {
    "schedules": "Schedule and @schedule",
    "decays": "Decays",
    "warmups": "Warm-ups and whole runs",
    "cycles": "Cycles and restarts",
    "tables": "Tables",
    "combine": "Combining schedules",
    "text": "Text and JSON",
    "feedback": "Rates that follow a metric",
    "training": "Hyperparameters in training",
    "planning": "Batch sizes and run lengths",
    "inspection": "Plots and checks",
    "foresight": "Choosing a schedule",
}


def homes() -> dict[str, str]:
    """The module of every public name, from lr_optax/__init__.pyi."""
    tree = ast.parse((ROOT / "lr_optax/__init__.pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def families() -> dict[str, list[str]]:
    """Public names by page, in the order of the titles."""
    members: dict[str, list[str]] = {page: [] for page in TITLES}
    for name, home in homes().items():
        room, *file = home.split(".")[1:]
        page = file[0] if room == "schedules" and file else {"_core": "schedules"}.get(room, room)
        members.setdefault(page, []).append(name)
    return members


def api(page: str, names: list[str]) -> str:
    """A page of the API."""
    return "\n\n".join([f"# {TITLES[page]}", *(f"::: lr_optax.{name}" for name in names)])


def library(name: str) -> str:
    """The page of another library's calls."""
    module = f"lr_optax.compat.{name}"
    return f"# {module}\n\n::: {module}\n    options:\n      show_root_heading: false\n"


def libraries() -> list[str]:
    """The libraries whose calls are in lr_optax/compat."""
    return sorted(path.stem for path in ROOT.glob("lr_optax/compat/[a-z]*.py"))


def source(path: str) -> str:
    """A page from outside docs/; of a script, its question, its answer and its code."""
    text = (ROOT / path).read_text()
    if not path.endswith(".py"):
        return text
    question, _, answer = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")
    return f"# {' '.join(question.split())}\n\n{answer}\n\n```python\n{text}```\n"


def on_config(config: Any) -> None:
    """Add what is generated to the navigation."""
    pages = [{TITLES[page]: f"api/{page}.md"} for page in families()]
    calls = [{name: f"api/compat/{name}.md"} for name in libraries()]
    project = [page for page in PAGES.values() if page.startswith("project/")]
    scripts = [page for page in PAGES.values() if page.startswith("examples/")]
    config.nav += [
        {"Examples": scripts},
        {"API": [*pages, {"Other libraries' calls": calls}]},
        {"Project": project},
    ]


def on_files(files: Files, config: Any) -> None:
    """Add the generated pages."""
    made = {f"api/{page}.md": api(page, names) for page, names in families().items()}
    made |= {f"api/compat/{name}.md": library(name) for name in libraries()}
    made |= {page: source(path) for path, page in PAGES.items()}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Link files of the repository to their pages; keep only the text if there is none."""
    here = page.file.src_uri
    folder = Path(ORIGIN.get(here, f"docs/{here}")).parent

    def moved(link: re.Match[str]) -> str:
        text, path, anchor = link.groups()
        target = os.path.normpath(folder / path)
        if target in PAGES or target.startswith("docs/"):
            there = PAGES.get(target, target.removeprefix("docs/"))
            return f"[{text}]({os.path.relpath(there, Path(here).parent)}{anchor or ''})"
        return text

    return re.sub(r"\[([^\]\[]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)", moved, markdown)


class AsItIsCalled(griffe.Extension):
    """Docstrings with links, and schedules with the signature that their callers see."""

    def __init__(self) -> None:
        self.homes = homes()

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Leave out the step, which is an argument of the formula alone."""
        if any(str(decorator.value).startswith("schedule") for decorator in func.decorators):
            func.parameters = griffe.Parameters(*list(func.parameters)[1:])
            func.returns = "Schedule"

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Make links of ``:func:`name``` where the name is public."""
        if obj.docstring is not None:
            text = re.sub(r":\w+:`~?([\w.]+)`", self._link, obj.docstring.value)
            # griffe recognizes only the plural as a section of code.
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", text, flags=re.M)

    def _link(self, mark: re.Match[str]) -> str:
        name = mark.group(1).rsplit(".", 1)[-1]
        return f"[`{name}`][lr_optax.{name}]" if name in self.homes else f"`{name}`"
