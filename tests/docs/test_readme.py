"""The README's code and links work, and its first screens show what they should."""

import re
from pathlib import Path

import pytest
from scripts import run_code

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=[block.splitlines()[-1] for block in BLOCKS])
def test_every_block_runs_on_its_own(code):
    result = run_code(code)
    assert result.returncode == 0, result.stderr
    # The comment after a print, where it holds only numbers
    for numbers in re.findall(r"print\(.*\)  # ([\d.(), ]+)$", code, re.MULTILINE):
        assert numbers in result.stdout


def test_the_picture_and_the_install_are_on_the_first_screens():
    text = README.read_text()
    order = [
        "## Install",
        "## Quick start",
        "| strategy | best peak",
        "docs/compare.png",
        "## Usage",
    ]
    assert sorted(order, key=text.index) == order


def test_links_resolve():
    for link in re.findall(r"\]\((?!http)([^)#]+)", README.read_text()):
        assert (README.parent / link).exists(), link


def test_two_commands_each_create_their_own_environment():
    commands = [
        line for line in README.read_text().splitlines() if line.startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    assert "lr-optax compare" in commands[0]
    assert "pytest" in commands[1]
