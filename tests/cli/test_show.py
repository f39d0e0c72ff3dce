"""``lr-optax show``."""

from pathlib import Path

import matplotlib as mpl
import pytest
from typer.testing import CliRunner

from lr_optax.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["show", *map(str, arguments)])


def test_draws_and_tabulates(tmp_path):
    png = tmp_path / "new" / "s.png"
    result = run(
        "step_decay(0.1, decay_rate=0.5, decay_steps=10)", "--total-steps", 20, "--png", png
    )
    assert result.exit_code == 0
    assert "█" in result.output
    rows = [[cell.strip() for cell in line.split(None, 2)] for line in result.output.splitlines()]
    assert ["0", "0.1", "first step, highest"] in rows
    assert ["10", "0.05", "half, lowest"] in rows
    assert ["20", "0.025", "after the run"] in rows
    assert png.read_bytes().startswith(b"\x89PNG")


def test_warns():
    output = run("cosine_decay(0.1, decay_steps=2000)").output
    assert "! the schedule is longer than the run" in output


def test_a_name_alone_shows_its_arguments():
    result = run("cosine_decay", "constant")
    assert result.exit_code == 0
    assert result.output == (
        "cosine_decay(init_value, *, decay_steps, end_value=0.0, exponent=1.0)\nconstant(value)\n"
    )


def test_a_picture_without_an_ending_is_a_png(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "wrote noext (png)" in run("constant(0.1)", "--png", "noext").output
    assert Path("noext").read_bytes().startswith(b"\x89PNG")


def test_several_schedules_share_a_picture_with_a_legend(tmp_path):
    svg = tmp_path / "both.svg"
    texts = "constant(0.1)", "linear(0.1, transition_steps=1000)"
    with mpl.rc_context({"svg.fonttype": "none"}):
        assert run(*texts, "--png", svg).exit_code == 0
    assert all(f">{text}<" in svg.read_text() for text in texts)


def test_the_longest_run_is_shown_from_a_sample():
    text = (
        "join((constant(0.01), linear(0.1, transition_steps=1000000000)), boundaries=(1234567890,))"
    )
    result = run(text, "--total-steps", 2**31 - 1)
    assert result.exit_code == 0
    assert "the rate jumps up at step 1234567890, to 0.1" in result.output
    assert "2147483647" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cosine_deca(1)"], "did you mean cosine_decay?"),
        (["cosine_deca"], "did you mean cosine_decay?"),
        (["constant("], "is not the text of a schedule"),
        (["constant(-1)"], "`value` must be a finite number >= 0"),
        (["constant(0.1)", "constant(.1)"], "constant(.1) is given twice"),
        (["constant(0.1)", "constant"], "constant(value): missing a required argument"),
        (["constant(0.1)", "--png", "new/a.xyz"], "there are no .xyz pictures; one of"),
        (["constant(0.1)", "--png", "/proc/a.png"], "cannot write into /proc"),
        (["constant(0.1)", "--png", "/dev/full"], "cannot write /dev/full: No space left"),
        (["constant(0.1)", "--png", "."], "cannot write .: it is a folder"),
        (["constant(0.1)", "--import", "no_such"], "--import no_such: ModuleNotFoundError"),
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
