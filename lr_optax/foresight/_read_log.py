"""Logs of training runs: made from arrays, or read from the files that trackers write."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lr_optax._core.schedule import Schedule
from lr_optax.foresight._log import Log, _through

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
    lines (``.jsonl``), or TensorBoard's event files (``events.out.tfevents...``, or a folder of
    them; needs ``pip install tensorboard``).

    A column that is not named is found by its usual names; where none or several would do, an
    error says so and lists what is there. Rows are sorted by step. Rows without a loss, or with
    one that is no finite number, are left out, and of a step logged twice (a run that was
    restarted) the lowest loss is kept; the log's notes say how many.

    Args:
        path: the file, or a folder of event files.
        step: the column with the steps; None for "step", "iter", "global_step" and the like.
        loss: the column with the loss; None for "loss", "val_loss", "val/loss" and the like.
        rate: the column with the rates; None for "lr", "learning_rate" and the like. Where the
            rates stand in other rows than the losses, they are read between.
        schedule: the schedule of the run, instead of a column.
        name: of the run; None for the file's name.

    Returns:
        A :class:`Log`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read as what its ending says, with its row and column; a
            column is missing or not clear; or there are neither rates nor a schedule.
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
    path = rows.path
    step = rows.column(step, STEP_NAMES, "step")
    loss = rows.column(loss, LOSS_NAMES, "loss")
    at, losses = rows.pairs(step, loss)
    remarks = rows.left_out(loss)
    if len(at) == 0:
        raise ValueError(f"{path}: column {loss!r} holds no finite number")
    if schedule is None:
        rate = rows.column(rate, RATE_NAMES, "rate", otherwise=", or give `schedule`")
        rate_steps, rates = rows.pairs(step, rate)
        if len(rate_steps) == 0:
            raise ValueError(f"{path}: column {rate!r} holds no finite number")
        schedule = _through(*_once(rate_steps, rates, np.maximum))
    elif rate is not None:
        raise ValueError("read_log: give `rate` or `schedule`, not both")
    steps, lowest = _once(at, losses, np.minimum)
    if len(steps) < len(at):
        count = len(at) - len(steps)
        remarks += (f"{count} points at steps logged before: the lowest loss of a step is kept",)
    return Log(steps, lowest, schedule, name=name or path.stem, remarks=remarks)


def read_norms(
    path: str | os.PathLike[str], *, step: str | None = None, norm: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Gradient norms from a file that :func:`read_log` can read, for ``refine``.

    Args:
        path: the file, or a folder of event files.
        step: the column with the steps; None for "step", "iter", "global_step" and the like.
        norm: the column with the norms; None for "grad_norm", "global_norm" and the like.

    Returns:
        Steps, ascending, and the norm at each; rows without a finite one are left out, and of a
        step logged twice the highest counts.

    Raises:
        FileNotFoundError, ValueError, ModuleNotFoundError: as :func:`read_log`.

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
    steps, norms = _once(*rows.pairs(step, norm), np.maximum)
    if len(steps) == 0:
        raise ValueError(f"{path}: column {norm!r} holds no finite number")
    return steps.astype(np.int64), norms


def _read_rows(path: Path) -> _Rows:
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.is_dir() or "tfevents" in path.name:
        return _Rows(path, "event", *_read_events(path))
    if path.suffix in (".jsonl", ".ndjson"):
        return _Rows(path, "line", *_read_json_lines(path))
    if path.suffix == ".csv":
        return _Rows(path, "row", *_read_csv(path))
    raise ValueError(f"{path}: a log is a .csv, a .jsonl or an event file of TensorBoard")


def _once(steps: np.ndarray, values: np.ndarray, keep: np.ufunc) -> tuple[np.ndarray, np.ndarray]:
    """Each step once, ascending, with the lowest or highest of its values."""
    order = np.argsort(steps, kind="stable")
    unique, first = np.unique(steps[order], return_index=True)
    return unique, keep.reduceat(values[order], first)


@dataclasses.dataclass
class _Rows:
    """The rows of a file, as (its place in the file, cells by column)."""

    path: Path
    unit: str
    columns: list[str]
    rows: list[tuple[int, dict[str, Any]]]

    def column(
        self, named: str | None, usual: tuple[str, ...], what: str, otherwise: str = ""
    ) -> str:
        listed = ", ".join(map(repr, self.columns))
        if named is not None:
            if named not in self.columns:
                raise ValueError(f"{self.path}: no column {named!r}; there are {listed}")
            return named
        known = {_plain(name) for name in usual}
        found = [name for name in self.columns if _plain(name) in known]
        if len(found) == 1:
            return found[0]
        state = "no column is known as" if not found else "several columns could be"
        raise ValueError(
            f"{self.path}: {state} the {what}; name one with `{what}`{otherwise}; "
            f"there are {listed}"
        )

    def pairs(self, step: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of the rows where the column holds a finite number."""
        pairs = []
        for place, cells in self.rows:
            value = self._number(place, cells, column)
            if math.isfinite(value):
                at = self._number(place, cells, step)
                if not at.is_integer() or at < 0:
                    self._fail(place, step, cells.get(step), "is no whole number >= 0")
                pairs.append((at, value))
        return tuple(np.array(pairs, np.float64).reshape(-1, 2).T)  # type: ignore[return-value]

    def left_out(self, column: str) -> tuple[str, ...]:
        bad = [
            value
            for place, cells in self.rows
            if not _is_empty(cells.get(column))
            and not math.isfinite(value := self._number(place, cells, column))
        ]
        return (f"{len(bad)} points whose loss is not finite are left out",) if bad else ()

    def _number(self, place: int, cells: dict[str, Any], column: str) -> float:
        cell = cells.get(column)
        if _is_empty(cell):
            return math.nan
        try:
            if isinstance(cell, bool):
                raise TypeError
            return float(cell)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            self._fail(place, column, cell, "is no number")

    def _fail(self, place: int, column: str, cell: object, rule: str) -> NoReturn:
        raise ValueError(f"{self.path}, {self.unit} {place}, column {column!r}: {cell!r} {rule}")


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _plain(column: str) -> str:
    """A column's name without its run ("run - val/loss"), in one spelling."""
    return re.sub(r"[/ .-]", "_", column.rpartition(" - ")[2].strip().lower())


def _read_csv(path: Path) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            if not columns:
                raise ValueError(f"{path}, row 1: there is no line with the names of columns")
            if len({*columns}) < len(columns):
                twice = next(name for name in columns if columns.count(name) > 1)
                raise ValueError(f"{path}, row 1, column {twice!r}: the name stands twice")
            rows = []
            for cells in reader:
                if not any(cells):
                    continue
                if len(cells) != len(columns):
                    raise ValueError(
                        f"{path}, row {reader.line_num}: {len(cells)} cells for "
                        f"{len(columns)} columns"
                    )
                rows.append((reader.line_num, dict(zip(columns, cells, strict=True))))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV file: {error}") from None
    return columns, rows


def _read_json_lines(path: Path) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    rows: list[tuple[int, dict[str, Any]]] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if not isinstance(cells, dict):
            raise ValueError(f"{path}, line {number}: not an object with names, {line[:40]!r}")
        rows.append((number, cells))
    return list(dict.fromkeys(name for _, cells in rows for name in cells)), rows


def _read_events(path: Path) -> tuple[list[str], list[tuple[int, dict[str, Any]]]]:
    try:
        from tensorboard.backend.event_processing import event_accumulator
        from tensorboard.util import tensor_util
    except ModuleNotFoundError as error:
        error.add_note("To read event files: pip install tensorboard")
        raise
    everything = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}
    events = event_accumulator.EventAccumulator(str(path), everything)
    events.Reload()
    tags = events.Tags()

    def points() -> Iterator[tuple[int, str, float]]:
        for tag in tags["scalars"]:
            yield from ((e.step, tag, e.value) for e in events.Scalars(tag))
        for tag in tags["tensors"]:
            for e in events.Tensors(tag):
                value = tensor_util.make_ndarray(e.tensor_proto)
                if np.ndim(value) == 0 and np.issubdtype(value.dtype, np.number):
                    yield e.step, tag, float(value)

    rows = [(n, {"step": step, tag: value}) for n, (step, tag, value) in enumerate(points(), 1)]
    if not rows:
        raise ValueError(f"{path}: there are no scalars in it")
    return list(dict.fromkeys(name for _, cells in rows for name in cells)), rows
