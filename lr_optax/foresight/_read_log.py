"""Logs of training runs, read from the files that trackers write."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from lr_optax._core.hyperparameters import show
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._log import MOST_STEPS, TOO_FAR, Log, rates_between

STEP_NAMES = ("step", "steps", "_step", "iter", "iteration", "global_step", "trainer/global_step")

LOSS_NAMES = (
    *("loss", "val_loss", "valid_loss", "validation_loss", "eval_loss", "train_loss"),
    *("training_loss", "test_loss"),
)

RATE_NAMES = ("lr", "learning_rate", "rate", "train_lr", "train_learning_rate")

NORM_NAMES = (
    *("grad_norm", "grad_norms", "gradient_norm", "global_norm", "global_grad_norm"),
    *("train_grad_norm", "train_gradient_norm"),
)


def read_log(
    path: str | os.PathLike[str],
    *,
    step: str | None = None,
    loss: str | None = None,
    rate: str | None = None,
    schedule: Schedule | None = None,
    name: str | None = None,
) -> Log:
    r"""Read a log that a tracker wrote.

    CSV (``.csv``; also what Weights & Biases exports, whose columns read "run - val/loss"), JSON
    lines (``.jsonl``, ``.ndjson``), or TensorBoard's event files (``events.out.tfevents...``, or a
    folder of them; needs ``pip install tensorboard``).

    A column that is not given is found by its usual names; if none or several match, the error
    lists the columns. Rows are sorted by step. Rows without a finite loss are left out, and if a
    step was logged twice (by a run that was restarted) its lowest loss is kept; the log's notes
    say how many.

    Args:
        path: the file, or a folder of event files.
        step: the column with the steps; None for "step", "iter", "global_step" and the like.
        loss: the column with the loss; None for "loss", "val_loss", "val/loss" and the like.
        rate: the column with the rates; None for "lr", "learning_rate" and the like. Rates that
            are in other rows than the losses are interpolated.
        schedule: the schedule of the run, instead of a column.
        name: the name of the run; None for the file's name.

    Returns:
        The log, with notes on what was left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not what its ending says, with the row and the column, or a pipe or
            a device; a column is missing or ambiguous; or there are neither rates nor a schedule.
        ModuleNotFoundError: event files, and tensorboard is not installed.

    Example:
        >>> import tempfile, pathlib
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "run.csv")
        >>> _ = path.write_text("iter,lr,val/loss\n100,0.1,3.5\n200,0.1,3.1\n")
        >>> print(read_log(path))
        step  loss  rate
         100   3.5   0.1
         200   3.1   0.1
        >>> folder.cleanup()
    """
    rows = _read_rows(Path(path))
    step = rows.column(step, STEP_NAMES, "step")
    loss = rows.column(loss, LOSS_NAMES, "loss")
    logged_at, losses = rows.pairs(step, loss)
    if schedule is None:
        rate = rows.column(rate, RATE_NAMES, "rate", otherwise=", or give `schedule`")
        schedule = rates_between(*_unique_steps(*rows.pairs(step, rate), np.maximum))
    elif rate is not None:
        raise ValueError("read_log: give `rate` or `schedule`, not both")
    steps, lowest = _unique_steps(logged_at, losses, np.minimum)
    remarks = rows.left_out(loss)
    if repeated := len(logged_at) - len(steps):
        remarks += (f"{repeated} points at steps logged before: the lowest loss of a step is kept",)
    return Log(steps, lowest, schedule, name=name or rows.path.stem, remarks=remarks)


def read_norms(
    path: str | os.PathLike[str], *, step: str | None = None, norm: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Steps and gradient norms from a file that :func:`read_log` can read, for ``refine``.

    Rows without a finite norm are left out; if a step was logged twice, its highest
    norm counts. Errors are those of :func:`read_log`.

    Args:
        path: the file, or a folder of event files.
        step: the column with the steps, as in :func:`read_log`.
        norm: the column with the norms; None for "grad_norm", "global_norm" and the like.

    Returns:
        Steps, ascending, and the norm at each.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "run.csv")
        ...     _ = path.write_text("step,grad_norm\n0,3.5\n10,nan\n20,1.5\n")
        ...     print(*read_norms(path))
        [ 0 20] [3.5 1.5]
    """
    rows = _read_rows(Path(path))
    step = rows.column(step, STEP_NAMES, "step")
    norm = rows.column(norm, NORM_NAMES, "norm")
    steps, norms = _unique_steps(*rows.pairs(step, norm), np.maximum)
    return steps.astype(np.int64), norms


Cells = Mapping[str, object]
"""What a row holds, by column: text or numbers, as the file has them."""

Numbered = Sequence[tuple[int, Cells]]
"""Rows with their numbers in the file."""


@dataclasses.dataclass
class _Rows:
    """The rows of a file; ``unit`` is what an error calls one of them."""

    path: Path
    unit: str
    columns: list[str]
    rows: Numbered

    def column(
        self, given: str | None, usual: tuple[str, ...], what: str, otherwise: str = ""
    ) -> str:
        listed = ", ".join(map(repr, self.columns))
        if given is not None:
            if given not in self.columns:
                raise ValueError(f"{self.path}: no column {given!r}; there are {listed}")
            return given
        spellings = {_spelling(name) for name in usual}
        candidates = [name for name in self.columns if _spelling(name) in spellings]
        if len(candidates) == 1:
            return candidates[0]
        state = "several columns could be" if candidates else "no column is recognized as"
        raise ValueError(
            f"{self.path}: {state} the {what}; name one with `{what}`{otherwise}; "
            f"there are {listed}"
        )

    def pairs(self, step: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of the rows where the column holds a finite number."""
        pairs = []
        for number, cells in self.rows:
            value = self._value(number, cells, column)
            if math.isfinite(value):
                logged_at = self._value(number, cells, step)
                if not logged_at.is_integer() or logged_at < 0:
                    self._fail(number, step, cells.get(step), "is not a whole number >= 0")
                if logged_at > MOST_STEPS:
                    self._fail(number, step, cells.get(step), f"is {TOO_FAR}")
                pairs.append((logged_at, value))
        if not pairs:
            raise ValueError(f"{self.path}: column {column!r} holds no finite number")
        steps, values = np.array(pairs, np.float64).T
        return steps, values

    def left_out(self, column: str) -> tuple[str, ...]:
        """A remark about the cells that hold a number that is not finite."""
        values = (self._value(number, cells, column, empty=0.0) for number, cells in self.rows)
        count = sum(not math.isfinite(value) for value in values)
        return (f"{count} points whose loss is not finite are left out",) if count else ()

    def _value(self, number: int, cells: Cells, column: str, empty: float = math.nan) -> float:
        cell = cells.get(column)
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return empty
        try:
            if isinstance(cell, bool):
                raise TypeError
            return float(cell)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            self._fail(number, column, cell, "is not a number")

    def _fail(self, number: int, column: str, cell: object, rule: str) -> NoReturn:
        where = f"{self.path}, {self.unit} {number}, column {column!r}"
        raise ValueError(f"{where}: {show(cell)} {rule}")


def _spelling(column: str) -> str:
    """A column's name without its run ("run - val/loss"), in one spelling."""
    return re.sub(r"[/ .-]", "_", column.rpartition(" - ")[2].strip().lower())


def _unique_steps(
    steps: np.ndarray, values: np.ndarray, keep: np.ufunc
) -> tuple[np.ndarray, np.ndarray]:
    """Each step once, ascending, with the lowest or highest of its values."""
    order = np.argsort(steps, kind="stable")
    unique, first = np.unique(steps[order], return_index=True)
    return unique, keep.reduceat(values[order], first)


def _read_rows(path: Path) -> _Rows:
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not (path.is_dir() or path.is_file()):  # it may never end
        raise ValueError(f"{path}: a log is a file, not a pipe or a device; write it to a file")
    if path.suffix.lower() == ".csv" and not path.is_dir():
        return _read_csv(path)
    if path.is_dir() or "tfevents" in path.name:
        unit, rows = "event", _read_events(path)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        unit, rows = "line", _read_json_lines(path)
    else:
        raise ValueError(f"{path}: a log is a .csv, a .jsonl or an event file of TensorBoard")
    # A dictionary keeps the order.
    return _Rows(path, unit, [*dict.fromkeys(name for _, cells in rows for name in cells)], rows)


def _read_csv(path: Path) -> _Rows:
    limit = csv.field_size_limit(2**31 - 1)  # a configuration may be logged into a cell
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from None
    finally:
        csv.field_size_limit(limit)
    if not columns:
        raise ValueError(f"{path}, row 1: there is no line with the names of columns")
    for name in columns:
        if columns.count(name) > 1:
            raise ValueError(f"{path}, row 1, column {name!r}: duplicate column name")
    for number, cells in lines:
        if len(cells) != len(columns):
            counts = f"{len(cells)} cells for {len(columns)} columns"
            raise ValueError(f"{path}, row {number}: {counts}")
    rows = [(number, dict(zip(columns, cells, strict=True))) for number, cells in lines]
    return _Rows(path, "row", columns, rows)


def _read_json_lines(path: Path) -> Numbered:
    try:
        # Not splitlines: JSON may have Unicode's other line breaks inside its strings.
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}") from None
    return [
        (number, _json_object(f"{path}, line {number}", line))
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _json_object(where: str, line: str) -> Cells:
    try:
        cells = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"{where}: {reason}") from None
    if not isinstance(cells, dict):
        raise ValueError(f"{where}: not an object with names, {line[:40]!r}")
    return cells


def _read_events(path: Path) -> Numbered:
    try:
        from tensorboard.backend.event_processing import event_accumulator
        from tensorboard.util import tensor_util
    except ModuleNotFoundError as error:
        error.add_note("To read event files: pip install tensorboard")
        raise
    # 0 means all of them; by default TensorBoard keeps a sample.
    sizes = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}
    events = event_accumulator.EventAccumulator(str(path), sizes).Reload()
    tags = events.Tags()
    scalars = [(e.step, tag, e.value) for tag in tags["scalars"] for e in events.Scalars(tag)]
    for tag in tags["tensors"]:
        for event in events.Tensors(tag):
            value = tensor_util.make_ndarray(event.tensor_proto)
            if np.ndim(value) == 0 and np.issubdtype(value.dtype, np.number):
                scalars.append((event.step, tag, float(value)))
    if not scalars:
        raise ValueError(f"{path}: there are no scalars in it")
    return [(n, {"step": step, tag: value}) for n, (step, tag, value) in enumerate(scalars, 1)]
