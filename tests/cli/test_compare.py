"""``lr-optax compare``."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

import lr_optax
from lr_optax import Comparison, constant
from lr_optax.cli.app import app

SMALL = ["--total-steps", "80", "--seeds", "2", "--peaks", "0.02,0.1"]


def run(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One small comparison, with an added schedule, that several tests look at."""
    out = tmp_path_factory.mktemp("small")
    text = "cosine_decay(1.0, decay_steps=80, end_value=0.5)"
    result = run("--out", out, "--schedule", text, *SMALL)
    assert result.exit_code == 0, result.output
    return out, result.output, text


def test_reports_every_strategy(small):
    out, output, text = small
    with (out / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"constant", "step decay", "linear to zero", "plateau", "triangular2", text} <= {
        row["strategy"] for row in rows
    }
    losses = [float(row["test loss"]) for row in rows]
    assert losses == sorted(losses)
    assert all(float(row["lower quartile"]) <= float(row["upper quartile"]) for row in rows)
    constant = next(row for row in rows if row["strategy"] == "constant")
    assert float(constant["gain"]) == 0
    assert "linear to zero" in output
    with (out / "runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    # Two peaks and one on either side of the better of them, with two seeds
    assert len(runs) == len(rows) * 4 * 2
    assert {"0.02", "0.1"} < {run["peak"] for run in runs if run["strategy"] == "constant"}
    assert (out / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_is_bit_identical_a_second_time(small, tmp_path):
    out, _, text = small
    run("--out", tmp_path, "--schedule", text, *SMALL)
    for name in ("compare.csv", "runs.csv", "curves.csv", "compare.png"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--schedule", "nothing"], "there is no schedule 'nothing'"),
        (["--peaks", "a,b"], "--peaks takes numbers separated by commas, got 'a,b'"),
        (["--peaks", "0,1"], "`peaks` must be finite numbers > 0"),
        (["--peaks", "0.1,0.10"], "--peaks must differ from each other"),
        (["--total-steps", "41"], "`total_steps` must be a multiple of 40, got 41"),
        (["--total-steps", "40", "--schedule", "constant(0)"], "has no rate above 0"),
        (["--out", "/dev/null/x"], "cannot write into /dev/null/x"),
        (["--out", "/proc/x"], "cannot write into /proc/x"),
        (["--task", "no"], "--task takes digits, text, or your own MODULE:FUNCTION, got 'no'"),
        (["--report", "."], "cannot write .: it is a folder"),
        (2 * ["--schedule", "constant(0.1)"], "constant(0.1) is given twice"),
    ],
)
def test_bad_input_gets_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())  # nothing was written before


def comparison(keys, peaks, total_steps, loss=0.5):
    """What a comparison returns, without the training."""
    names = ("constant", "linear to zero")
    shape = len(names), len(peaks), len(keys)
    return Comparison(
        names=names,
        candidates=tuple(tuple(map(constant, peaks)) for _ in names),
        peaks=np.tile(peaks, (len(names), 1)),
        history=np.ones((*shape, 40)),
        scale=np.ones((*shape, 40)),
        final=np.full(shape, loss),
        error=np.full(shape, loss),
        total_steps=total_steps,
        metrics=("validation_loss", "test_loss", "test_error"),
    )


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """A function that sets what the comparison's loss is, and how many runs it reports."""
    monkeypatch.chdir(tmp_path)

    def patch(loss=0.5, runs=1):
        def compare(train, keys, *, peaks, total_steps, progress, **_):
            for done in range(runs):
                progress(done, runs - 1)
            return comparison(keys, peaks, total_steps, loss)

        monkeypatch.setattr(lr_optax, "compare", compare)

    return patch


def test_one_seed_has_no_spread(untrained):
    untrained()
    for seeds in (1, 3):
        output = run("--seeds", seeds).output
        assert ("0.5000 (0.5000 to 0.5000)" in output) == (seeds > 1)
        assert ("one seed" in output) == (seeds == 1)


def test_warns_of_what_looks_wrong(untrained):
    untrained(loss=np.nan)
    momentum, late = (
        "one_cycle_momentum(total_steps=2000, warmup_steps=600)",
        "warmup(constant(0.1), warmup_steps=5000)",
    )
    result = run("--schedule", momentum, "--schedule", late)
    assert f"! {momentum}: it stays between 0.85 and 0.95" in result.stderr
    assert f"! {late}: the run does not reach the peak" in result.stderr
    assert "! diverged at every peak: constant, linear to zero" in result.stdout


def test_progress_is_drawn_on_stderr(untrained, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    untrained(runs=5)
    result = run()
    assert "4 of 4 runs" in result.stderr
    assert "runs " not in result.stdout
