"""``lr-optax find``: on the digits, and on a function outside the repository."""

import sys

import pytest
from typer.testing import CliRunner

from lr_optax import RangeTest, Tuning, parse
from lr_optax.cli.app import app

TRAIN = """
import jax
import jax.numpy as jnp


def train(schedule, key):  # noisy gradient descent on x²/2, best at rates of a few hundredths
    def step(x, t):
        noise = jax.random.normal(jax.random.fold_in(key, t))
        return x - schedule(t) * (x + noise), 0.5 * x**2
    x, losses = jax.lax.scan(step, jnp.float32(9), jnp.arange(200))
    return {"loss": losses, "last": x}
"""


def run(*arguments):
    return CliRunner().invoke(app, ["find", *map(str, arguments)])


def test_a_function_of_a_file_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "elsewhere.py").write_text(TRAIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "elsewhere", raising=False)  # another test's
    shape = "linear(2.0, end_value=0.0, transition_steps=200)"
    done = run("--task", "elsewhere:train", "--metric", "loss", "--total-steps", 200,
               "--schedule", shape, "--out", "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = Tuning.load(tmp_path / "out" / "tune.json")
    schedule = parse(done.stdout.splitlines()[-1])
    assert float(schedule(0)) == pytest.approx(found.best["peak"], rel=1e-4)
    assert 0.005 < found.best["peak"] < 1
    ranges = RangeTest.load(tmp_path / "out" / "range_test.json")
    assert found.axes[0][1:] == ranges.search_range
    assert str(ranges) in done.stdout
    assert str(found) in done.stdout
    endings = (".csv", ".json", ".png")
    files = {f"{tool}{ending}" for tool in ("range_test", "tune") for ending in endings}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files


def test_all_rates_are_searched_if_the_loss_never_falls(tmp_path, monkeypatch):
    body = "def train(schedule, key):\n    return {'loss': 1 + schedule(jnp.arange(40))}\n"
    (tmp_path / "rising.py").write_text(f"import jax.numpy as jnp\n\n\n{body}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = run("--task", "rising:train", "--total-steps", 40, "--min-value", 0.01,
               "--max-value", 1.0, "--out", "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "the loss never fell" in done.stdout
    assert Tuning.load(tmp_path / "out" / "tune.json").axes[0][1:] == (0.01, 1.0)


def test_the_digits():
    result = run("--total-steps", 40, "--seeds", 1, "--max-value", 1.0)
    assert result.exit_code == 0, result.output
    assert "valley" in result.output
    assert result.output.splitlines()[-1].startswith("scale(cosine_decay(")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--task", "letters"],
            "--task takes digits, text, or your own MODULE:FUNCTION, got 'letters'",
        ),
        (["--task", "no_such_module:train"], "No module named 'no_such_module'"),
        (["--task", "math:train"], "--task math:train: math has no function 'train'"),
        (["--total-steps", 81], "`total_steps` must be a multiple of 40, got 81"),
        (["--schedule", "constant(0.0)"], "constant(0.0) has no rate above 0 in 1000 steps"),
        (["--schedule", "cosine(1.0)"], "cosine"),
        (["--min-value", 0], "`min_value` must be a finite number > 0, got 0.0"),
    ],
)
def test_errors_are_one_line(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("lr-optax: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
