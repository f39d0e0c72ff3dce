"""What the README shows runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
WHOLE = [block for block in BLOCKS if "import" in block and "schedule_a" not in block]


@pytest.mark.parametrize("number", range(len(WHOLE)))
def test_code_runs_when_pasted(number):
    before = WHOLE[0] if "schedule)" in WHOLE[number] and number else ""
    code = before + WHOLE[number]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


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
