"""What the README shows runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=[block.splitlines()[-1] for block in BLOCKS])
def test_every_block_runs_on_its_own(code):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    # What a comment behind a print says, if it is no more than numbers
    for said in re.findall(r"print\(.*\)  # ([\d.(), ]+)$", code, re.MULTILINE):
        assert said in result.stdout


def test_the_picture_and_the_install_are_on_the_first_screens():
    text = README.read_text()
    order = [
        "## Install",
        "## Six lines",
        "| strategy | best peak",
        "docs/compare.png",
        "## Use it",
    ]
    assert sorted(order, key=text.index) == order


def test_links_lead_somewhere():
    for link in re.findall(r"\]\((?!http)([^)#]+)", README.read_text()):
        assert (README.parent / link).exists(), link


def test_there_are_two_commands_each_with_an_environment_of_its_own():
    commands = [
        line for line in README.read_text().splitlines() if line.startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    assert "lr-optax compare" in commands[0]
    assert "pytest" in commands[1]
