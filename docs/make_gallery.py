"""Write docs/gallery.md, a picture and two lines for every schedule, from the catalogue.

python docs/make_gallery.py           # writes the page and its pictures
python docs/make_gallery.py --check   # fails if the page is not up to date
"""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from lr_optax import catalogue
from lr_optax.inspection._plot import plot
from lr_optax.text import example

HERE = Path(__file__).parent
PICTURES = HERE / "gallery"
TOP = """# Gallery

Every schedule, by family: its formula, when to use it, and a picture of its docstring's example.
`docs/make_gallery.py` makes this page from the catalogue. See also [choose.md](choose.md) on which
one to choose.
"""


# Modules in the order of the page; one that is missing here comes last.
ORDER = ["decays", "warmups", "cycles", "tables", "combine"]


def families() -> dict[str, list[str]]:
    """The library's own schedules by module, in the order of the page."""
    members: dict[str, list[str]] = {}
    for name, factory in catalogue().items():
        if factory.__module__.startswith("lr_optax.schedules"):
            members.setdefault(factory.__module__, []).append(name)

    def place(module: str) -> int:
        family = module.rsplit(".", 1)[1]
        return ORDER.index(family) if family in ORDER else len(ORDER)

    return {module: members[module] for module in sorted(members, key=place)}


def doc(name: str) -> str:
    """A schedule's docstring, with references to other names as plain code."""
    text = inspect.getdoc(catalogue()[name]) or ""
    return re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)


def section(name: str, heading: str) -> str:
    """The text under a heading of the docstring, as one line."""
    match = re.search(rf"^{heading}:\n((?:    .*\n?|\n)+)", doc(name), re.MULTILINE)
    return " ".join(match.group(1).split()) if match else ""


def horizon(name: str) -> int:
    """A little more than the last step in the docstring's example."""
    steps = [int(n) for n in re.findall(r"(?:\bs|arange)\(([\d_]+)\)", doc(name))]
    return max(8, round(1.2 * max(steps, default=100)))


def picture(name: str) -> str:
    """Draw a schedule's example, if it has one that prints completely."""
    shown = example(name)
    if shown is None:
        return ""
    figure = Figure(figsize=(4.8, 2.2), layout="constrained")
    plot(shown, horizon(name), figure.add_subplot())
    figure.savefig(PICTURES / f"{name}.png", dpi=75)
    return f"`{shown!r}`\n\n![{name}](gallery/{name}.png)\n\n"


def entry(name: str, image: str) -> str:
    """One schedule."""
    summary = doc(name).split("\n\n")[0]
    return (
        f"### {name}\n\n{' '.join(summary.split())}\n\n{image}{section(name, 'When to use it')}\n"
    )


def page(image_of: Callable[[str], str]) -> str:
    """The whole gallery."""
    parts = [TOP]
    for module, members in families().items():
        heading = (sys.modules[module].__doc__ or module).strip().splitlines()[0].rstrip(".")
        parts.append(f"## {heading}\n")
        parts += [entry(name, image_of(name)) for name in members]
    return "\n".join(parts)


def existing(name: str) -> str:
    """The link to an existing picture."""
    there = (PICTURES / f"{name}.png").exists()
    return f"`{example(name)!r}`\n\n![{name}](gallery/{name}.png)\n\n" if there else ""


if __name__ == "__main__":
    target = HERE / "gallery.md"
    if "--check" in sys.argv:
        if target.read_text() != page(existing):
            sys.exit("docs/gallery.md is not up to date: run python docs/make_gallery.py")
    else:
        PICTURES.mkdir(exist_ok=True)
        target.write_text(page(picture))
