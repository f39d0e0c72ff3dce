"""The command line, as a person calls it."""

import csv
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lr_optax.cli.app import app

SMALL = ["--total-steps", "80", "--seeds", "2", "--peaks", "0.02,0.1"]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One small comparison, with an added schedule, that several tests look at."""
    out = tmp_path_factory.mktemp("small")
    text = "cosine_decay(1.0, decay_steps=80, end_value=0.5)"
    result = run("compare", "--out", out, "--schedule", text, *SMALL)
    assert result.exit_code == 0, result.output
    return out, result.output, text


def test_compare_reports_every_strategy(small):
    out, output, text = small
    with (out / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"constant", "step decay", "linear to zero", "plateau", "triangular2", text} <= {
        row["strategy"] for row in rows
    }
    losses = [float(row["test_loss"]) for row in rows]
    assert losses == sorted(losses)
    constant = next(row for row in rows if row["strategy"] == "constant")
    assert float(constant["gain"]) == 0
    for row in rows:
        assert float(row["gain"]) == pytest.approx(
            1 - float(row["test_loss"]) / float(constant["test_loss"]), abs=1e-5
        )
        assert row["at_edge"] == "True"  # of two peaks, both are edges
    assert "linear to zero" in output
    with (out / "runs.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(rows) * 2 * 2
    assert (out / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_compare_is_bit_identical_a_second_time(small, tmp_path):
    out, _, text = small
    run("compare", "--out", tmp_path, "--schedule", text, *SMALL)
    for name in ("compare.csv", "runs.csv", "curves.csv", "compare.png"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "cosine_deca(1)"], "did you mean cosine_decay?"),
        (["show", "constant("], "is not the text of a schedule"),
        (["show", "constant(-1)"], "`value` must be a finite number >= 0"),
        (["compare", "--schedule", "nothing"], "column 1: expected"),
        (["compare", "--peaks", "a,b"], "--peaks takes numbers with commas between, got 'a,b'"),
        (["compare", "--peaks", "0,1"], "`peaks` must be finite numbers > 0"),
        (["compare", "--total-steps", "41"], "`total_steps` must be a multiple of 40, got 41"),
        (["compare", "--total-steps", "40", "--schedule", "constant(0)"], "has no rate above 0"),
        (["compare", "--out", "/dev/null/x"], "cannot write into /dev/null/x"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_show_draws_and_tabulates(tmp_path):
    png = tmp_path / "new" / "s.png"
    result = run(
        "show", "step_decay(0.1, decay_rate=0.5, decay_steps=10)", "--total-steps", 20, "--png", png
    )
    assert result.exit_code == 0
    assert "█" in result.output
    rows = [line.split(None, 2) for line in result.output.splitlines()]
    assert ["0", "0.1", "first step, highest"] in [[c.strip() for c in row] for row in rows]
    assert ["10", "0.05", "half, lowest"] in [[c.strip() for c in row] for row in rows]
    assert ["20", "0.025", "after the run"] in [[c.strip() for c in row] for row in rows]
    assert png.read_bytes().startswith(b"\x89PNG")


def test_show_warns():
    output = run("show", "cosine_decay(0.1, decay_steps=2000)").output
    assert "! the schedule is longer than the run" in output


def test_list_has_a_line_for_every_schedule():
    import lr_optax

    output = run("list").output
    for name in lr_optax.catalogue():
        assert name in output


def test_help_answers_without_jax():
    code = "import sys, lr_optax.cli.app; assert not {'jax', 'numpy', 'rich'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
