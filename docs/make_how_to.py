"""Write docs/how_to.md, a section for each question, from the examples that answer them.

python docs/make_how_to.py           # writes the page
python docs/make_how_to.py --check   # fails if the page is not up to date
"""

import ast
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
QUESTIONS = [
    "warmup_cosine_constant",
    "one_cycle_and_momentum",
    "plateau",
    "adaptive_kl",
    "cooldown_in_mid_run",
    "backbone_and_head",
    "resume_longer",
    "three_in_one_picture",
    "good_peak",
    "sweep_schedules",
    "own_schedule",
    "once_an_epoch",
    "schedule_free",
    "equinox_module",
]
TOP = """# How do I ...?

Each of these tasks is a script that runs as is, `python examples/NAME.py`, and is tested in CI.
`docs/make_how_to.py` makes this page from [examples/](../examples). See also the
[list of all schedules](gallery.md) and [how to choose one](choose.md).
"""


def entry(path: Path) -> str:
    """A question, its answer in words, and in code."""
    text = path.read_text()
    tree = ast.parse(text)
    question, _, answer = (ast.get_docstring(tree) or "").partition("\n\n")
    code = "\n".join(text.splitlines()[tree.body[0].end_lineno or 0 :]).strip()
    heading = " ".join(question.split())
    return f"## {heading}\n\n{answer}\n\n`examples/{path.name}`\n\n```python\n{code}\n```\n"


def page() -> str:
    """The whole page; the other examples come last, as a list of links."""
    others = sorted(path for path in EXAMPLES.glob("*.py") if path.stem not in QUESTIONS)
    lines = [
        f"- [{path.stem}](../examples/{path.name}): "
        f"{(ast.get_docstring(ast.parse(path.read_text())) or '').splitlines()[0]}"
        for path in others
    ]
    entries = [entry(EXAMPLES / f"{name}.py") for name in QUESTIONS]
    return "\n".join([TOP, *entries, "## More examples\n", *lines]) + "\n"


if __name__ == "__main__":
    target = HERE / "how_to.md"
    if "--check" not in sys.argv:
        target.write_text(page())
    elif target.read_text() != page():
        sys.exit("docs/how_to.md is not up to date: run python docs/make_how_to.py")
