"""``lr-optax refine`` on real and on broken logs."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lr_optax import Refinement, parse, read_norms, refine
from lr_optax.cli.app import app

STUDY = Path(__file__).parents[3] / "shared" / "data" / "slimpajama_124m" / "grad_norm"


def run(*arguments):
    return CliRunner().invoke(app, ["refine", *map(str, arguments)])


def log(tmp_path, text, name="run.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_prints_a_schedule_that_parses_and_writes_what_was_asked_for(tmp_path):
    path = log(tmp_path, "step,grad_norm\n" + "".join(f"{10 * t},2.5\n" for t in range(20)))
    picture, saved = tmp_path / "refined", tmp_path / "refined.json"
    result = run(path, "--total-steps", 1000, "--peak", 0.1, "--png", picture, "--save", saved)
    assert result.exit_code == 0, result.output
    schedule = parse(result.stdout.splitlines()[-1])
    np.testing.assert_allclose(
        schedule(np.arange(1001)), 0.1 * (1 - np.arange(1001) / 1000), rtol=1e-4, atol=1e-7
    )
    assert f"wrote {picture} (png)" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert Refinement.load(saved).schedule == schedule


def test_columns_steps_and_norms_are_those_of_the_function(tmp_path):
    lines = ["step,optim/l1,lr", "2,8.0,1", "4,nan,1", "6,2.0,1", "8,,1", "6,1.0,1"]
    path = log(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="no column is recognized as the norm; name one with"):
        read_norms(path)
    steps, norms = read_norms(path, norm="optim/l1")
    assert steps.tolist() == [2, 6]
    assert norms.tolist() == [8.0, 2.0]  # the higher of step 6
    result = run(path, "--column", "optim/l1", "--norm", "l1", "--smoothing", 0)
    expected = refine(norms, steps=steps, norm="l1", smoothing=0.0)
    assert parse(result.stdout.splitlines()[-1]) == expected.schedule


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("step,loss\n1,2\n", [], "run.csv: no column is recognized as the norm"),
        ("step,grad_norm\n1,much\n", [], "run.csv, row 2, column 'grad_norm': 'much' is not a nu"),
        ("step,grad_norm\n1,nan\n", [], "column 'grad_norm' holds no finite number"),
        ("step,grad_norm\n1,-2\n", [], "finite numbers > 0, got -2.0 at index 0"),
        ("step,grad_norm\n1,2\n", ["--column", "x"], "no column 'x'; there are 'step'"),
        ("step,grad_norm\n1,2\n", ["--peak", "0"], "`peak_value` must be a finite number > 0"),
        ("step,grad_norm\n1,2\n", ["--png", "x.doc"], "there are no .doc pictures"),
        ("step,grad_norm\n1,2\n", ["--save", "x.txt"], "is saved as .json or .csv"),
        ("step,grad_norm\n1,2\n", ["--save", "/proc/x.csv"], "cannot write"),
        ("", [], "row 1: there is no line with the names of columns"),
    ],
)
def test_bad_input_gets_one_line(tmp_path, text, options, words):
    result = run(log(tmp_path, text), *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_no_such_file():
    result = run("nothing.csv")
    assert result.exit_code == 2
    assert result.stderr == "lr-optax: nothing.csv: there is no such file\n"


@pytest.mark.skipif(not STUDY.exists(), reason="needs shared/data/slimpajama_124m")
def test_a_language_model_needs_a_warm_up():
    """124M parameters, 50,000 steps at a constant rate."""
    steps, norms = read_norms(STUDY / "stable_lr0.001_50000.csv")
    found = refine(norms, steps=steps)
    assert found.total_steps == 50_000
    assert 0.01 < found.peak_step / found.total_steps < 0.2
