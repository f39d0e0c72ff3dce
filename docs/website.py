"""What the documentation site has beside the pages in docs/: for mkdocs.yml.

A page of the API for each family, by the list of public names in lr_optax/__init__.pyi, and the
pages of the repository that stand outside docs/.
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
PAGES |= {
    f"examples/{path.name}": f"examples/{path.stem}.md" for path in ROOT.glob("examples/*.py")
}
ORIGIN = {page: source for source, page in PAGES.items()}
LIBRARIES = sorted(path.stem for path in (ROOT / "lr_optax/compat").glob("[a-z]*.py"))


def homes() -> dict[str, str]:
    """The module of every public name, as lr_optax/__init__.pyi has it."""
    tree = ast.parse((ROOT / "lr_optax/__init__.pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def families() -> dict[str, list[str]]:
    """Public names by their page: a file of schedules, or one of the other rooms."""
    members: dict[str, list[str]] = {}
    for name, home in homes().items():
        room, *file = home.split(".")[1:]
        page = file[0] if room == "schedules" and file else {"_core": "schedules"}.get(room, room)
        members.setdefault(page, []).append(name)
    return members


def title(page: str) -> str:
    """A page's name in words."""
    return page.replace("_", " ").capitalize()


def api(page: str, names: list[str]) -> str:
    """A page of the API."""
    return "\n\n".join([f"# {title(page)}", *(f"::: lr_optax.{name}" for name in names)])


def library(name: str) -> str:
    """The page of another library's calls."""
    module = f"lr_optax.compat.{name}"
    return f"# {module}\n\n::: {module}\n    options:\n      show_root_heading: false\n"


def source(path: str) -> str:
    """A page from outside docs/; a script as its question and its code."""
    text = (ROOT / path).read_text()
    if not path.endswith(".py"):
        return text
    question, _, answer = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")
    return f"# {' '.join(question.split())}\n\n{answer}\n\n```python\n{text}```\n"


def on_config(config: Any) -> None:
    """Add what is generated to the navigation."""
    pages = [{title(page): f"api/{page}.md"} for page in families()]
    calls = [{name: f"api/compat/{name}.md"} for name in LIBRARIES]
    project = [page for page in PAGES.values() if page.startswith("project/")]
    scripts = [page for page in PAGES.values() if page.startswith("examples/")]
    config.nav += [
        {"Examples": scripts},
        {"API": [*pages, {"Other libraries' calls": calls}]},
        {"Project": project},
    ]


def on_files(files: Files, config: Any) -> None:
    """Add the pages themselves."""
    made = {f"api/{page}.md": api(page, names) for page, names in families().items()}
    made |= {f"api/compat/{name}.md": library(name) for name in LIBRARIES}
    made |= {page: source(path) for path, page in PAGES.items()}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn a link to a file of the repository into one to its page, or into its text."""
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
    """Docstrings with links for marks, and schedules as their callers see them."""

    def __init__(self) -> None:
        self.homes = homes()

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """The step is the formula's, not the caller's."""
        if any(str(decorator.value).startswith("schedule") for decorator in func.decorators):
            func.parameters = griffe.Parameters(*list(func.parameters)[1:])
            func.returns = "Schedule"

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """``:func:`name``` becomes a link, if the name is public."""
        if obj.docstring is not None:
            text = re.sub(r":\w+:`~?([\w.]+)`", self._link, obj.docstring.value)
            # The plural is what griffe takes for code.
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", text, flags=re.M)

    def _link(self, mark: re.Match[str]) -> str:
        name = mark.group(1).rsplit(".", 1)[-1]
        return f"[`{name}`][lr_optax.{name}]" if name in self.homes else f"`{name}`"
