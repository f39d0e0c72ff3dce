"""Engines for searches: schedules go to their workers as text, and come back as a Sweep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("engine", ["optuna", "ray"])
def test_example_finds_a_schedule_and_stops_bad_runs(engine):
    """It asserts that its best trial is the best of the Sweep."""
    pytest.importorskip(engine, reason=f"{engine} is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"sweep_with_{engine}.py"],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "compared with the best" in done.stdout
    assert "runs were finished; the others do not count" in done.stdout
