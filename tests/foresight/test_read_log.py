"""Logs: what every kind of file holds, and what a bad one is told."""

import csv
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import optax
import pytest

from lr_optax import Log, LossLaw, constant, interpolate, linear, read_log

ROWS = [(100, 0.1, 3.5), (200, 0.05, 3.25), (300, 0.0, 3.0)]


def write(folder, kind, rows=ROWS, names=("step", "lr", "loss")):
    path = folder / f"run.{kind}"
    if kind == "csv":
        path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))
    else:
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "names",
    [
        ("step", "lr", "loss"),
        ("iter", "learning_rate", "val/loss"),
        ("Step", "first - lr", "first - val/loss"),
        ("trainer/global_step", "train/lr", "eval_loss"),
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path, kind, names):
    log = read_log(write(tmp_path, kind, names=names))
    assert log.name == "run"
    assert log.steps.tolist() == [100, 200, 300]
    assert log.losses.tolist() == [3.5, 3.25, 3.0]
    np.testing.assert_allclose(log.every_rate[[0, 100, 150, 300]], [0.1, 0.1, 0.075, 0])


def test_named_columns_and_a_schedule(tmp_path):
    path = write(tmp_path, "csv", names=("a", "b", "c"))
    schedule = linear(0.2, end_value=0.0, transition_steps=300)
    log = read_log(path, step="a", loss="c", schedule=schedule, name="mine")
    assert (log.name, log.rates) == ("mine", schedule)
    assert read_log(path, step="a", loss="c", rate="b").losses.tolist() == [3.5, 3.25, 3.0]


def test_restarts_are_sorted_and_lost_losses_told(tmp_path):
    rows = [(200, 0.1, 3.3), (100, 0.1, 3.5), (200, 0.1, 3.25), (300, 0.1, "NaN"), (400, 0.1, "")]
    log = read_log(write(tmp_path, "csv", rows))
    assert log.steps.tolist() == [100, 200]
    assert log.losses.tolist() == [3.5, 3.25]
    assert log.notes() == (
        "1 points whose loss is not finite are left out",
        "1 points at steps logged before: the lowest loss of a step is kept",
    )


def test_rates_and_losses_in_different_lines(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"step": 0, "lr": 0.2}\n\n{"step": 50, "loss": 3}\n{"step": 100, "lr": 0.1}')
    log = read_log(path)
    np.testing.assert_allclose(log.every_rate[-1], 0.15)
    assert log.steps.tolist() == [50]


def test_event_files(tmp_path):
    writer = pytest.importorskip("tensorboardX").SummaryWriter(str(tmp_path))
    pytest.importorskip("tensorboard", reason="reads event files")
    for step, rate, loss in ROWS:
        writer.add_scalar("val/loss", loss, step)
        writer.add_scalar("lr", rate, step)
    writer.close()
    log = read_log(tmp_path)
    assert log.steps.tolist() == [100, 200, 300]
    assert log.losses.tolist() == [3.5, 3.25, 3.0]
    np.testing.assert_allclose(log.every_rate[[100, 200, 300]], [0.1, 0.05, 0], rtol=1e-6)
    with pytest.raises(ValueError, match="no column 'train/loss'; there are 'step', 'val/loss'"):
        read_log(tmp_path, loss="train/loss")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "a.csv",
            "step,lr,loss\n1,0.1,3\n2,0.1,x\n",
            "a.csv, row 3, column 'loss': 'x' is not a num",
        ),
        ("a.csv", "step,lr,loss\n1.5,0.1,3\n", "row 2, column 'step': '1.5' is not a whole number"),
        ("a.csv", "step,lr,loss\n1,0.1\n", "row 2: 2 cells for 3 columns"),
        ("a.csv", "", "row 1: there is no line with the names"),
        ("a.csv", "step,loss,loss\n", "row 1, column 'loss': duplicate column name"),
        ("a.csv", "step,lr,loss\n", "column 'loss' holds no finite number"),
        ("a.csv", "step,loss\n1,3\n", "no column is recognized as the rate; .* or give `schedule`"),
        ("a.csv", "step,lr,loss,val_loss\n1,1,1,1", "several columns could be the loss"),
        ("a.csv", b"step,lr\xff,loss", "is not a CSV file"),
        ("a.csv", 'step,lr,loss\n1,1,"3', "is not a CSV file"),
        ("a.jsonl", '{"step": 1', "a.jsonl, line 1: Expecting"),
        ("a.jsonl", "[1, 2]", "line 1: not an object"),
        ("a.jsonl", "[" * 100_000, "line 1: nested too deeply"),
        ("a.jsonl", '{"step": ' + "1" * 5000 + "}", "line 1: Exceeds the limit"),
        (
            "a.jsonl",
            '{"step": 1, "lr": 1, "loss": 1' + "0" * 400 + "}",
            "'loss': 10{76}... is not",
        ),
        ("a.jsonl", '{"step": 1, "lr": 1, "loss": [1]}', r"'loss': \[1\] is not a number"),
        (
            "a.csv",
            "step,lr,loss\n1e19,0.1,3\n",
            "'step': '1e19' is beyond 2147483647, .* divide",
        ),
        (
            "a.jsonl",
            '{"step": 1, "lr": 1, "loss": true}',
            "line 1, column 'loss': True is not a nu",
        ),
        ("a.txt", "step,lr,loss\n", "a log is a .csv, a .jsonl or an event file"),
    ],
)
def test_bad_files_are_told_where(tmp_path, file, content, message):
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        read_log(path)


def test_a_file_that_has_no_end_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero")):
        with pytest.raises(ValueError, match="a log is a file, not a pipe or a device"):
            read_log(path)


def test_what_trackers_write_into_files(tmp_path):
    """Endings in capitals, a byte order mark, line breaks of Unicode, very long cells."""
    (tmp_path / "run.CSV").write_text(f"step,lr,loss,config\n1,0.1,3,{'x' * 200_000}\n")
    assert read_log(tmp_path / "run.CSV").losses.tolist() == [3]
    assert csv.field_size_limit() == 131_072
    line = '{"step": 1, "lr": 0.1, "loss": 3, "note": "a\u2028b\x85c"}'
    for ending, encoding in (("JSONL", "utf-8-sig"), ("ndjson", "utf-8")):
        path = tmp_path / f"run.{ending}"
        path.write_text(f"{line}\r\n\r\n{line}\n", encoding, newline="")
        assert read_log(path).notes() == (
            "1 points at steps logged before: the lowest loss of a step is kept",
        )


def test_memory_for_the_points_and_not_for_the_last_step(tmp_path):
    """200 rows that end at step 8·10⁸, read and fitted."""
    steps = np.linspace(0, 8e8, 200).astype(int)
    rows = [(step, 0.1, 2 + 1 / (1 + i)) for i, step in enumerate(steps)]
    log = read_log(write(tmp_path, "csv", rows))
    tracemalloc.start()
    assert "800000000" in str(log)
    assert log.peak == pytest.approx(0.1)
    steps, residuals = LossLaw(
        "tissue", {"L0": 2.0, "A": 1.0, "alpha": 0.5, "C": 0.1, "lambda": 0.9}
    ).residuals(log)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(steps) == len(residuals) > 10
    assert most < 500e6


def test_no_file_and_two_sources_of_rates(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_log(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="`rate` or `schedule`, not both"):
        read_log(write(tmp_path, "csv"), rate="lr", schedule=constant(0.1))


@pytest.mark.parametrize(
    ("steps", "losses", "rates", "message"),
    [
        ([], [], [], "at least one"),
        ([1, 2], [3.0], [0.1], "same length, at least one, got 2 and 1"),
        ([2, 1], [3.0, 3.0], [0.1, 0.1], "ascending"),
        ([1, 1], [3.0, 3.0], [0.1, 0.1], "each once"),
        ([1.5], [3.0], [0.1], "whole numbers"),
        ([float("nan")], [3.0], [0.1], "whole numbers"),
        ([0, float("nan")], [3.0, 3.0], [0.1, 0.1], "whole numbers"),
        ([2**31], [3.0], [0.1], "`steps` end at 2147483648, beyond 2147483647"),
        ([1e19], [3.0], [0.1], r"`steps` end at 1e\+19, beyond .* so divide samples or tokens"),
        ([1], [float("nan")], [0.1], "finite and > 0, got nan at step 1"),
        ([1], [3.0], [0.1, 0.2], "got 2 for 1"),
        ([[1]], [3.0], [0.1], "list of numbers"),
    ],
)
def test_bad_logs(steps, losses, rates, message):
    with pytest.raises(ValueError, match=message):
        Log(steps, losses, rates)


def test_any_function_of_the_step_is_a_schedule():
    log = Log([1, 5], [3.0, 2.0], optax.constant_schedule(0.5))
    assert str(log) == str(Log([1, 5], [3.0, 2.0], constant(0.5)))


def test_a_log_saves_and_reads_itself(tmp_path):
    log = Log([1, 5], np.float32([3, 2]), [0.5, 0.25], name="a", remarks=("b",))
    log.save(tmp_path / "log.json")
    again = Log.load(tmp_path / "log.json")
    assert str(again) == str(log)
    assert again.rates == log.rates == interpolate(np.float32([0.5, 0.25]), boundaries=(1, 5))
    with pytest.raises(ValueError, match="read-only"):
        log.losses[0] = 0
    assert [text.get_text() for text in log.plot().axes[0].get_legend().get_texts()] == ["a"]
