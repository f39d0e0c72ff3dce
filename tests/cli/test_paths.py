"""What the commands read, run and write: no file of the user's is run or lost by accident."""

import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lr_optax
from lr_optax.cli.app import app
from lr_optax.results import figure

TISSUE = {"L0": 2.0, "A": 0.1, "alpha": 0.5, "C": 0.4, "lambda": 0.99}
ROWS = ["step,loss,lr,grad_norm\n", *(f"{n},{3 - n / 100},0.1,{2 - n / 100}\n" for n in range(100))]
PREDICT = ["predict", "a.csv", "--total-steps", "100", "--candidate", "constant(0.1)"]
OPTIMIZE = ["optimize", "a.csv", "--total-steps", "100"]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("a.csv").write_text("".join(ROWS))
    return tmp_path


# Like the installed program, it is a file elsewhere: its folder is on the path, the current is not.
PROGRAM = """
import json, sys
from typer.testing import CliRunner
from lr_optax.cli.app import app
done = [CliRunner().invoke(app, call) for call in json.loads(sys.argv[1])]
print(json.dumps([(call.exit_code, call.output) for call in done]))
"""
CALLS = [
    ["list"],
    ["show", "constant(0.1)", "--png", "shown.png"],
    ["refine", "a.csv", "--report", "refined.html"],
    [*PREDICT[:2], "nothing.csv", *PREDICT[2:]],
    [*OPTIMIZE, "--peak", "0"],
    ["compare", "--total-steps", "41"],
    ["find", "--total-steps", "41"],
    ["list", "--import", "mine"],
    ["find", "--task", "mine:nothing"],
]
MINE = """
import logging
from lr_optax import schedule

@schedule
def mine(step):
    return 1.0
"""


def set_traps(folder, names):
    for name in names:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py was run')")


def test_no_file_of_the_current_folder_is_run_by_any_command(folder):
    installed = {*sys.stdlib_module_names, *packages_distributions()} - {"lr_optax", "mine"}
    set_traps(folder, (name for name in installed if name.isidentifier()))
    Path("mine.py").write_text(MINE)
    program = folder / "elsewhere" / "program.py"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    command = [sys.executable, program, json.dumps(CALLS)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    done = dict(zip(map(" ".join, CALLS), json.loads(output), strict=True))
    assert not [text for _, text in done.values() if "was run" in text]
    assert [code for code, _ in done.values()] == [0, 0, 0, 2, 2, 2, 2, 0, 2], done
    assert "mine()" in done["list --import mine"][1]
    assert "mine has no function 'nothing'" in done["find --task mine:nothing"][1]


def test_a_module_that_is_run_with_m_runs_no_file_of_the_current_folder(folder):
    # What Python itself has imported by then, nobody can keep it from.
    before = "import runpy, sys, pkgutil, lr_optax.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", before], stdout=subprocess.PIPE, check=True)
    names = {*sys.stdlib_module_names, "jax", "numpy", "ml_dtypes", "typer", "rich"}
    names -= {*loaded.stdout.decode().split()}
    set_traps(folder, {"tensorboard", *(name for name in names if find_spec(name))})
    command = [sys.executable, "-m", "lr_optax.cli", "show", "constant(0.1)"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_current_folder_that_is_gone_does_not_matter(tmp_path):
    code = (
        "import os, sys\n"
        "os.rmdir(os.getcwd())\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'lr_optax.cli', *sys.argv[1:]])"
    )
    for call, words in (
        (["show", "constant(0.1)", "--import", "json"], "constant(0.1)"),
        (["list", "--import", "nothing_here"], "No module named 'nothing_here'"),
    ):
        gone = tmp_path / "gone"
        gone.mkdir()
        path = os.pathsep.join([*filter(None, sys.path)])
        command = [sys.executable, "-c", code, *call]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=gone,
            env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        assert words in done.stdout + done.stderr
        assert len(done.stderr.splitlines()) <= 1


@pytest.fixture
def no_work(folder, monkeypatch):
    """A folder in which no command may begin its work."""

    def begin(*_, **__):
        pytest.fail("the work was begun")

    for name in ("fit_loss_law", "refine", "compare", "range_test"):
        monkeypatch.setattr(lr_optax, name, begin)
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*PREDICT, "--save", "a.csv"], "cannot write a.csv: it is an input"),
        ([*PREDICT, "--save", "./b/../a.csv"], "it is an input"),
        ([*PREDICT, "--save", "link.csv"], "cannot write link.csv: it is an input"),
        (["refine", "link.csv", "--report", "a.csv"], "cannot write a.csv: it is an input"),
        ([*OPTIMIZE, "--report", "a.csv"], "cannot write a.csv: it is an input"),
        (["refine", "events", "--report", "events/x.tfevents.1"], "it is an input"),
        (["refine", "a.csv", "--save", "r.json", "--report", "b/../r.json"], "write both r.json"),
        ([*OPTIMIZE, "--save", "new.json", "--report", "dangling"], "the same place"),
        ([*PREDICT, "--png", "r", "--report", "r"], "the same place"),
        ([*PREDICT, "--save", "new/r.json", "--report", "new"], "the same place"),
        (["compare", "--out", "d", "--report", "d/compare.json"], "the same place"),
        (["compare", "--out", "d", "--report", "d"], "the same place"),
        (["find", "--out", "d", "--report", "d/../d/tune.csv"], "the same place"),
        (["find", "--task", "own_task:train", "--report", "own_task.py"], "it is an input"),
        (
            ["show", "constant(0.1)", "--import", "own_png", "--png", "own_png/__init__.py"],
            "no .py",
        ),
        ([*PREDICT, "--save", "kept.csv"], "cannot write kept.csv: the file is read-only"),
    ],
)
def test_an_output_takes_no_other_files_place(no_work, arguments, words):
    Path("b").mkdir()
    Path("events").mkdir()
    Path("own_png").mkdir()
    Path("link.csv").symlink_to("a.csv")
    Path("dangling").symlink_to("new.json")
    Path("own_task.py").write_text("def train(schedule, key):\n    return {}\n")
    for path in ("events/x.tfevents.1", "own_png/__init__.py", "kept.csv"):
        Path(path).write_text("")
    Path("kept.csv").chmod(0o444)
    before = {path: path.read_bytes() for path in no_work.rglob("*") if path.is_file()}
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    after = {
        path for path in no_work.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    }
    assert after == {*before}
    assert all(path.read_bytes() == text for path, text in before.items())


def test_outputs_may_replace_earlier_ones_and_go_to_one_device(folder):
    arguments = ["refine", "a.csv", "--png", "out.PNG", "--save", "out.JSON"]
    for _ in range(2):
        assert run(*arguments).exit_code == 0
    assert Path("out.PNG").read_bytes().startswith(b"\x89PNG")
    assert lr_optax.Refinement.load("out.JSON").total_steps == 100
    assert run("refine", "a.csv", "--png", "/dev/null", "--report", "/dev/null").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            [*PREDICT, "--candidate", "scale(constant(1),factor=-1)"],
            "rates must be finite and >= 0",
        ),
        ([*PREDICT, "--candidate", "constant(0)"], "constant(0): rates must be finite and >= 0"),
        ([*OPTIMIZE, "--peak", "-1"], "--peak must be a finite number > 0, got -1.0"),
        ([*OPTIMIZE, "--peak", "nan"], "--peak must be a finite number > 0, got nan"),
        ([*OPTIMIZE, "--warmup-steps", "99"], "--warmup-steps must be in [0, 98]"),
        (["optimize", "a.csv", "b.csv", *OPTIMIZE[2:]], "the runs' peaks range from 0.1 to 0.3"),
        (["optimize", "a.csv", "--total-steps", 2 * 10**9], "held in memory, about 340 GB"),
        (["predict", "a.csv", *PREDICT[4:], "--total-steps", 10**8 + 1], "at most 100000000 here"),
        (["compare", "--total-steps", 4 * 10**8], "--total-steps takes at most 100000000 here"),
        (["find", "--total-steps", 4 * 10**8], "--total-steps takes at most 100000000 here"),
    ],
)
def test_arguments_are_checked_before_the_fit(no_work, arguments, words):
    Path("b.csv").write_text("".join(ROWS).replace(",0.1,", ",0.3,"))
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.fixture
def unfitted(folder, monkeypatch):
    """A folder with a log of a hostile name; a law that takes no time to fit."""

    def fit(logs, law):
        return lr_optax.LossLaw("tissue", TISSUE, logs=tuple(logs))

    monkeypatch.setattr(lr_optax, "fit_loss_law", fit)
    Path("$a^{$\x1b[2J.csv").write_text("".join(ROWS))
    return ["predict", "$a^{$\x1b[2J.csv", *PREDICT[2:]]


def test_a_name_is_text_in_pictures_and_in_the_terminal(unfitted):
    name = unfitted[1]
    law = lr_optax.LossLaw("tissue", TISSUE, logs=(lr_optax.read_log(name),))
    law.plot("law.png")
    result = run(*unfitted, "--png", "$p^{$\x1b.png", "--report", "r.html")
    assert result.exit_code == 0, result.output
    assert "wrote $p^{$\\x1b.png" in result.stdout
    missing = run("refine", "no\x1b[2J.csv")
    assert "no\\x1b[2J.csv: there is no such file" in missing.stderr
    assert "\x1b" not in result.output + missing.output


def test_what_was_fitted_is_saved_before_it_is_drawn(unfitted, monkeypatch):
    def fail(*_):
        raise ValueError("cannot draw")

    monkeypatch.setattr(figure, "rendered", fail)
    result = run(*unfitted, "--png", "p.png", "--save", "r.json", "--report", "r.html")
    assert (result.exit_code, result.stderr) == (2, "lr-optax: cannot draw\n")
    assert "constant(0.1)" in result.stdout
    assert lr_optax.Ranking.load("r.json").names == ("constant(0.1)",)
