"""The command line, as a person calls it."""

import csv
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
from lr_optax import constant
from lr_optax.cli import commands
from lr_optax.cli.app import app
from lr_optax.cli.failures import one_line
from lr_optax.inspection import _plot as plots
from lr_optax.tasks import _task

SMALL = ["--total-steps", "80", "--seeds", "2", "--peaks", "0.02,0.1"]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def program(*arguments, **options):
    """The command line as a process of its own."""
    command = [sys.executable, "-m", "lr_optax.cli", *map(str, arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.run(command, check=False, **settings)


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


def test_compare_is_bit_identical_a_second_time(small, tmp_path):
    out, _, text = small
    run("compare", "--out", tmp_path, "--schedule", text, *SMALL)
    for name in ("compare.csv", "runs.csv", "curves.csv", "compare.png"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "cosine_deca(1)"], "did you mean cosine_decay?"),
        (["show", "cosine_deca"], "did you mean cosine_decay?"),
        (["show", "constant("], "is not the text of a schedule"),
        (["show", "constant(-1)"], "`value` must be a finite number >= 0"),
        (["compare", "--schedule", "nothing"], "there is no schedule 'nothing'"),
        (["compare", "--peaks", "a,b"], "--peaks takes numbers with commas between, got 'a,b'"),
        (["compare", "--peaks", "0,1"], "`peaks` must be finite numbers > 0"),
        (["compare", "--total-steps", "41"], "`total_steps` must be a multiple of 40, got 41"),
        (["compare", "--total-steps", "40", "--schedule", "constant(0)"], "has no rate above 0"),
        (["compare", "--out", "/dev/null/x"], "cannot write into /dev/null/x"),
        (["compare", "--out", "/proc/x"], "cannot write into /proc/x"),
        (
            ["compare", "--task", "no"],
            "--task takes digits, text, or MODULE:FUNCTION of yours, got 'no'",
        ),
        (["compare", "--report", "."], "cannot write .: it is a folder"),
        (["compare", "--peaks", "0.1,0.10"], "--peaks must differ from each other"),
        (["compare", *2 * ["--schedule", "constant(0.1)"]], "constant(0.1) is given twice"),
        (["show", "constant(0.1)", "constant(.1)"], "constant(.1) is given twice"),
        (["show", "constant(0.1)", "constant"], "constant(value): missing a required argument"),
        (["show", "constant(0.1)", "--png", "new/a.xyz"], "there are no .xyz pictures; one of"),
        (["show", "constant(0.1)", "--png", "/proc/a.png"], "cannot write into /proc"),
        (["show", "constant(0.1)", "--png", "/dev/full"], "cannot write /dev/full: No space left"),
        (["show", "constant(0.1)", "--png", "."], "cannot write .: it is a folder"),
        (["show", "constant(0.1)", "--import", "no_such"], "--import no_such: ModuleNotFoundError"),
        (["list", "--import", "json.py"], "give a module's name, as in `import`"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())  # nothing was made before


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


def test_list_has_a_line_for_every_schedule_with_its_arguments():
    output = run("list").output
    for name in lr_optax.catalogue():
        assert f"  {name}(" in output
    assert "  constant(value)\n      The same rate at every step" in output
    assert not re.search("``|:func:", output)
    families = re.findall(r"^(\w+): ", output, re.MULTILINE)
    assert {"steps", "decay", "cycles", "warmups"} <= {*families}
    assert len(families) == len({*families})


def test_a_name_alone_says_how_it_is_called():
    result = run("show", "cosine_decay", "constant")
    assert result.exit_code == 0
    assert result.output == (
        "cosine_decay(init_value, *, decay_steps, end_value=0.0, exponent=1.0)\nconstant(value)\n"
    )


def test_version():
    assert run("--version").output == f"lr-optax {lr_optax.__version__}\n"


COMMANDS = {
    module.name: f"{commands.__name__}.{module.name}" for module in iter_modules(commands.__path__)
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_help_are_calls_that_work(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lr_optax, "compare", lambda _, keys, **options: fake(keys, **options))
    monkeypatch.setitem(sys.modules, "my_schedules", sys)  # a user's, imported already
    task = SimpleNamespace(
        train=lambda s, key: dict.fromkeys(("loss", "validation_loss"), s(np.arange(80)) + 1)
    )
    monkeypatch.setitem(sys.modules, "my_task", task)
    small = _task.Task(
        "digits", "", lambda _: task.train, peaks=(0.1, 0.2), seeds=2, total_steps=80
    )
    monkeypatch.setattr(_task, "load_task", lambda _: small)
    logged = [
        {"step": n, "grad_norm": 2 - n / 100, "optim/grad_l1": 2 - n / 100} for n in range(100)
    ]
    Path("run.jsonl").write_text("\n".join(map(json.dumps, logged)))
    rows = [f"{n},{2 - n / 100},{3 - n / 100},0.001\n" for n in range(100)]
    for path in ("run.csv", "level.csv", "falls.csv"):
        Path(path).write_text("".join(["step,grad_norm,val/loss,lr\n", *rows]))
    tissue = {"L0": 2.6, "A": 0.1, "alpha": 0.5, "C": 0.4, "lambda": 0.999}
    monkeypatch.setattr(
        lr_optax,
        "fit_loss_law",
        lambda logs, law: lr_optax.LossLaw("tissue", tissue, logs=tuple(logs)),
    )
    for line in import_module(COMMANDS[name]).EXAMPLES:
        assert line in run(name.replace("_", "-"), "--help").output
        program, *arguments = shlex.split(line)
        assert program == "lr-optax"
        result = run(*(text.replace("sine(0.1, period=50)", "constant(0.1)") for text in arguments))
        assert result.exit_code == 0, (line, result.output)


def fake(keys, peaks, total_steps, lost=False, **_):
    """What a comparison returns, without the training."""
    names = ("constant", "linear to zero")
    shape = len(names), len(peaks), len(keys)
    losses = np.full(shape, np.nan if lost else 0.5)
    return lr_optax.Comparison(
        names=names,
        candidates=tuple(tuple(map(constant, peaks)) for _ in names),
        peaks=np.tile(peaks, (len(names), 1)),
        history=np.ones((*shape, 40)),
        final=losses,
        total_steps=total_steps,
        error=losses,
        scale=np.ones((*shape, 40)),
        metrics=("validation_loss", "test_loss", "test_error"),
    )


def test_one_seed_has_no_spread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seeds in (1, 3):
        monkeypatch.setattr(lr_optax, "compare", lambda _, keys, **options: fake(keys, **options))
        output = run("compare", "--seeds", seeds).output
        assert ("0.5000 (0.5000 to 0.5000)" in output) == (seeds > 1)
        assert ("one seed" in output) == (seeds == 1)


def test_what_looks_wrong_in_a_comparison_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def compare(_, keys, progress, **options):
        progress(0, 4)
        return fake(keys, lost=True, **options)

    monkeypatch.setattr(lr_optax, "compare", compare)
    momentum, late = (
        "one_cycle_momentum(total_steps=2000, warmup_steps=600)",
        "warmup(constant(0.1), warmup_steps=5000)",
    )
    result = run("compare", "--schedule", momentum, "--schedule", late)
    assert f"! {momentum}: it stays between 0.85 and 0.95" in result.stderr
    assert f"! {late}: the run does not reach the peak" in result.stderr
    assert "! diverged at every peak: constant, linear to zero" in result.stdout


def test_progress_is_drawn_on_stderr(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")

    def compare(_, keys, progress, **options):
        for done in range(5):
            progress(done, 4)
        return fake(keys, **options)

    monkeypatch.setattr(lr_optax, "compare", compare)
    result = run("compare")
    assert "4 of 4 runs" in result.stderr
    assert "runs " not in result.stdout


def test_a_picture_without_an_ending_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "wrote noext (png)" in run("show", "constant(0.1)", "--png", "noext").output
    assert Path("noext").read_bytes().startswith(b"\x89PNG")


def test_several_schedules_share_a_picture_with_a_legend(tmp_path):
    svg = tmp_path / "both.svg"
    texts = "constant(0.1)", "linear(0.1, transition_steps=1000)"
    with plots_with_text():
        assert run("show", *texts, "--png", svg).exit_code == 0
    assert all(f">{text}<" in svg.read_text() for text in texts)


def plots_with_text():
    import matplotlib as mpl

    return mpl.rc_context({"svg.fonttype": "none"})


def test_the_longest_run_is_shown_from_a_sample():
    text = (
        "join((constant(0.01), linear(0.1, transition_steps=1000000000)), boundaries=(1234567890,))"
    )
    result = run("show", text, "--total-steps", 2**31 - 1)
    assert result.exit_code == 0
    assert "the rate jumps up at step 1234567890, to 0.1" in result.output
    assert "2147483647" in result.output


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of memory: ask for fewer steps, seeds or peaks"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "out of memory: ask"),
        (RuntimeError("two\nlines. And more"), "RuntimeError: two lines (test_cli.py, line "),
    ],
)
def test_what_nobody_foresaw_is_one_line_too(error, line, monkeypatch, tmp_path):
    def fail(*_):
        raise error

    monkeypatch.setattr(plots, "overview", fail)
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
def sine(step, peak_value, *, period):
    """A sine, with a mark: :func:`lr_optax.cyclical`."""
    return peak_value * jnp.sin(jnp.pi * step / period) ** 2

@schedule
def broken(step, value):
    return undefined * value
'''


def test_a_users_schedules_are_known_by_name(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    example = "show", "sine(0.1, period=100)", "--import", "own_schedule"
    shown = program(*example, cwd=Path(__file__).parents[2] / "examples")
    assert shown.returncode == 0, shown.stderr
    assert "50    0.1" in shown.stdout
    unknown = program("show", "sine(0.1, period=100)", cwd=tmp_path)
    assert "there is no schedule 'sine'" in unknown.stderr
    listed = program("list", "--import", "mine", cwd=tmp_path)
    assert "mine:\n  broken(value)\n  sine(peak_value, *, period)\n      A sine, with a mark: " in (
        listed.stdout
    )
    broken = program("show", "broken(1)", "--import", "mine", cwd=tmp_path)
    assert (
        broken.stderr == "lr-optax: NameError: name 'undefined' is not defined (mine.py, line 12)\n"
    )
    assert broken.returncode == 2


def test_ascii_terminals_and_narrow_ones(tmp_path):
    settings = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"}
    shown = program("show", "cosine_decay(0.1, decay_steps=900)", env=settings)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.isascii()
    assert "######" in shown.stdout
    table = shown.stdout.splitlines()[1:]
    assert max(map(len, table[:15])) <= 40
    listed = program("list", env=settings)
    assert listed.returncode == 0, listed.stderr
    assert "eta(t) = " in listed.stdout
    assert "?" not in listed.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["show", "constant(0.1)"]])
def test_a_full_disk_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        result = program(*arguments, stdout=full)
    assert result.returncode == 2
    assert result.stderr == "lr-optax: No space left on device\n"


def test_help_answers_without_jax():
    code = "import sys, lr_optax.cli.app; assert not {'jax', 'numpy', 'rich'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
