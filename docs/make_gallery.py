"""Write docs/gallery.md, a picture and two lines for every schedule, from the catalogue.

    python docs/make_gallery.py           # writes the page and its pictures
    python docs/make_gallery.py --check   # fails if the page is not what the catalogue says
"""

import inspect
import re
import sys
from pathlib import Path

from lr_optax import Schedule, catalogue
from lr_optax.sight import plot
from lr_optax.text import example

HERE = Path(__file__).parent
PICTURES = HERE / "gallery"
TOP = """# Gallery

Every schedule, by family: its formula, when to use it, and the picture of its docstring's example.
Made from the catalogue by `docs/make_gallery.py`. Which one to choose: [choose.md](choose.md).
"""


def names() -> dict[str, list[str]]:
    """The library's own schedules by the module they stand in."""
    families: dict[str, list[str]] = {}
    for name, factory in catalogue().items():
        if factory.__module__.startswith("lr_optax.schedules"):
            families.setdefault(factory.__module__, []).append(name)
    return families


def doc(name: str) -> str:
    """A schedule's docstring."""
    return inspect.getdoc(catalogue()[name]) or ""


def section(name: str, heading: str) -> str:
    """What stands under a heading of the docstring, as one line."""
    found = re.search(rf"^{heading}:\n((?:    .*\n?|\n)+)", doc(name), re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def horizon(name: str, shown: Schedule) -> int:
    """A little more than the last step that the docstring's example looks at."""
    steps = [int(n) for n in re.findall(r"(?:s|arange)\((\d+)\)", doc(name))]
    return max(8, round(1.15 * max(steps, default=100)))


def picture(name: str) -> str:
    """The picture of a schedule's example, if its text tells it whole."""
    shown = example(name)
    if shown is None:
        return ""
    plot.save(shown, horizon(name, shown), PICTURES / f"{name}.png")
    return f"![{name}](gallery/{name}.png)\n\n"


def entry(name: str, image: str) -> str:
    """One schedule."""
    summary = doc(name).split("\n\n")[0]
    return f"### {name}\n\n{' '.join(summary.split())}\n\n{image}{section(name, 'When to use it')}\n"


def page(image_of) -> str:
    """The whole gallery."""
    parts = [TOP]
    for module, members in names().items():
        heading = (sys.modules[module].__doc__ or module).strip().splitlines()[0].rstrip(".")
        parts.append(f"## {heading}\n")
        parts += [entry(name, image_of(name)) for name in members]
    return "\n".join(parts)


def existing(name: str) -> str:
    """The link to a picture that is there."""
    there = (PICTURES / f"{name}.png").exists()
    return f"![{name}](gallery/{name}.png)\n\n" if there else ""


if __name__ == "__main__":
    target = HERE / "gallery.md"
    if "--check" in sys.argv:
        if target.read_text() != page(existing):
            sys.exit("docs/gallery.md is not up to date: run python docs/make_gallery.py")
    else:
        PICTURES.mkdir(exist_ok=True)
        target.write_text(page(picture))
