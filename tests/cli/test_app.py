"""The program: its help and version, how it fails, and modules of the user."""

import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

import lr_optax
from lr_optax.cli import commands
from lr_optax.cli.app import app
from lr_optax.cli.output import one_line
from lr_optax.inspection import _plot
from lr_optax.tasks import _task
from lr_optax.tasks._task import Task


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def program(*arguments, **options):
    """The command line as a process of its own."""
    command = [sys.executable, "-m", "lr_optax.cli", *map(str, arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.run(command, check=False, **settings)


def calls_of_one_process(*calls, **options):
    """Exit code, output and errors of each of several calls, all in one process of its own."""
    code = (
        "import json, sys\n"
        "from typer.testing import CliRunner\n"
        "from lr_optax.cli.app import app\n"
        "done = [CliRunner().invoke(app, call) for call in json.loads(sys.argv[1])]\n"
        "print(json.dumps([(call.exit_code, call.stdout, call.stderr) for call in done]))"
    )
    command = [sys.executable, "-c", code, json.dumps(calls)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout)


def test_version():
    assert run("--version").output == f"lr-optax {lr_optax.__version__}\n"


def test_help_answers_without_jax():
    code = "import sys, lr_optax.cli.app; assert not {'jax', 'numpy', 'rich'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


COMMANDS = [module.name for module in iter_modules(commands.__path__)]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_help_are_calls_that_work(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lr_optax, "compare", untrained_comparison)
    monkeypatch.setattr(lr_optax, "fit_loss_law", unfitted_law)
    monkeypatch.setitem(sys.modules, "my_schedules", sys)  # a user's, imported already
    monkeypatch.setitem(sys.modules, "my_task", SimpleNamespace(train=train))
    task = Task("digits", "", lambda total_steps: train, peaks=(0.1,), seeds=2, total_steps=80)
    monkeypatch.setattr(_task, "load_task", lambda name: task)
    logged = [
        {"step": n, "grad_norm": 2 - n / 100, "optim/grad_l1": 2 - n / 100} for n in range(100)
    ]
    Path("run.jsonl").write_text("\n".join(map(json.dumps, logged)))
    rows = [f"{n},{2 - n / 100},{3 - n / 100},0.001\n" for n in range(100)]
    for path in ("run.csv", "level.csv", "falls.csv"):
        Path(path).write_text("".join(["step,grad_norm,val/loss,lr\n", *rows]))
    text = run(name.replace("_", "-"), "--help").output
    for line in import_module(f"{commands.__name__}.{name}").EXAMPLES:
        assert line in text
        program, *arguments = shlex.split(line)
        assert program == "lr-optax"
        # No user's module defines a sine here; and both runs to optimize are of one length.
        swaps = ("sine(0.1, period=50)", "constant(0.1)"), ("50000", "2000")
        for old, new in swaps:
            arguments = [text.replace(old, new) for text in arguments]
        result = run(*arguments)
        assert result.exit_code == 0, (line, result.output)


def train(schedule, key):
    return dict.fromkeys(("loss", "validation_loss"), schedule(np.arange(80)) + 1)


def untrained_comparison(train, keys, *, peaks, total_steps, **_):
    shape = 1, len(peaks), len(keys)
    return lr_optax.Comparison(
        names=("constant",),
        candidates=(tuple(map(lr_optax.constant, peaks)),),
        peaks=np.array([peaks]),
        history=np.ones((*shape, 40)),
        final=np.ones(shape),
        total_steps=total_steps,
    )


def unfitted_law(logs, law):
    tissue = {"L0": 2.6, "A": 0.1, "alpha": 0.5, "C": 0.4, "lambda": 0.999}
    return lr_optax.LossLaw("tissue", tissue, logs=tuple(logs))


def test_list_has_an_entry_for_every_schedule_with_its_arguments():
    output = run("list").output
    for name in lr_optax.catalogue():
        assert f"  {name}(" in output
    assert "  constant(value)\n      The same rate at every step" in output
    assert not re.search("``|:func:", output)
    families = re.findall(r"^(\w+): ", output, re.MULTILINE)
    assert {"decays", "warmups", "cycles", "tables", "combine"} <= {*families}
    assert len(families) == len({*families})


def test_a_module_is_named_without_its_ending():
    result = run("list", "--import", "json.py")
    assert result.exit_code == 2
    assert "give a module's name, as in `import`" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not result.stdout


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of memory: ask for fewer steps, seeds or peaks"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "out of memory: ask"),
        (RuntimeError("two\nlines. And more"), "RuntimeError: two lines (test_app.py, line "),
    ],
)
def test_an_unexpected_error_is_one_line_too(error, line, monkeypatch, tmp_path):
    def fail(*_):
        raise error

    monkeypatch.setattr(_plot, "overview", fail)
    result = run("show", "constant(0.1)", "--png", tmp_path / "a.png")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"lr-optax: {line}")
    assert result.stderr.count("\n") == 1


def test_a_missing_extra_is_named():
    error = ModuleNotFoundError("No module named 'matplotlib'")
    error.add_note('Pictures need matplotlib: pip install "lr_optax[plot]"')
    assert one_line(error).endswith('(Pictures need matplotlib: pip install "lr_optax[plot]")')


MINE = '''
import jax.numpy as jnp
from lr_optax import schedule

@schedule
def wave(step, peak_value, *, period):
    """A sine, with a mark: :func:`lr_optax.cyclical`."""
    return peak_value * jnp.sin(jnp.pi * step / period) ** 2

@schedule
def broken(step, value):
    return undefined * value
'''


def test_a_users_schedules_are_known_by_name(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    examples = Path(__file__).parents[2] / "examples"
    (tmp_path / "own_schedule.py").write_text((examples / "own_schedule.py").read_text())
    unknown, shown, listed, broken = calls_of_one_process(
        ["show", "sine(0.1, period=100)"],
        ["show", "sine(0.1, period=100)", "--import", "own_schedule"],
        ["list", "--import", "mine"],
        ["show", "broken(1)", "--import", "mine"],
        cwd=tmp_path,
    )
    assert unknown[0] == 2
    assert "there is no schedule 'sine'" in unknown[2]
    assert shown[0] == 0, shown
    assert "50    0.1" in shown[1]
    assert (
        "mine:\n  broken(value)\n  wave(peak_value, *, period)\n      A sine, with a mark: "
        in listed[1]
    )
    error = "lr-optax: NameError: name 'undefined' is not defined (mine.py, line 12)\n"
    assert (broken[0], broken[2]) == (2, error)


def test_ascii_terminals_and_narrow_ones():
    code = (
        "from lr_optax.cli.app import app\n"
        "app(['show', 'cosine_decay(0.1, decay_steps=900)'], standalone_mode=False)\n"
        "print('--------')\n"
        "app(['list'], standalone_mode=False)"
    )
    settings = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, check=True, env=settings, stdout=subprocess.PIPE).stdout
    shown, listed = output.decode("ascii").split("--------\n")
    assert "######" in shown
    assert max(map(len, shown.splitlines()[1:16])) <= 40
    assert "eta(t) = " in listed
    assert "?" not in listed


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["show", "constant(0.1)"]])
def test_a_full_disk_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        result = program(*arguments, stdout=full)
    assert result.returncode == 2
    assert result.stderr == "lr-optax: No space left on device\n"
