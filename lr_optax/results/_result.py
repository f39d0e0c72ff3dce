"""What every tool here returns: a frozen result that prints, draws, saves and reads itself."""

from __future__ import annotations


import csv
import dataclasses
import html
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self
import numpy as np
from lr_optax.results.files import write_whole
from lr_optax._core.schedule import Schedule
from lr_optax._core.hyperparameters import is_array
from lr_optax.results import figure as figures
from lr_optax.results.panels import Panel
from lr_optax.results.page import Section
from lr_optax.text import from_dict, to_dict
if TYPE_CHECKING:
    from matplotlib.figure import Figure



class Table(NamedTuple):
    """Columns by name, and rows of numbers, texts and None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]



@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """The base of all results; a subclass is a frozen dataclass that says its table and picture.

    Fields hold None, booleans, numbers, strings, tuples, dictionaries with string keys, NumPy
    arrays, schedules and other results, and nothing else: so each can be saved without loss.
    """

    _kinds: ClassVar[dict[str, type[Result]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Result._kinds[cls.__name__] = cls

    def table(self) -> Table:
        """What the result says, as columns and rows."""
        raise NotImplementedError

    def shown(self) -> Table:
        """The table as it is printed; not as it is saved."""
        return self.table()

    def legend(self) -> tuple[str, ...]:
        """What the table means, a sentence each."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """What speaks against taking the table at its word, a sentence each."""
        return ()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture in inches."""
        return 8, 4.5

    def panels(self) -> Sequence[Panel]:
        """The picture of the result, as data."""
        raise NotImplementedError

    def draw(self, figure: Figure) -> None:
        """Draw the result on an empty figure of matplotlib."""
        figures.draw(figure, self.panels())

    def section(self, heading: str = "") -> Section:
        """The result as a part of a page: its table and what it means, and its picture."""
        return Section(heading, self._repr_html_(), self.panels())

    def __str__(self) -> str:
        columns, rows = self.shown()
        cells = [columns, *(tuple(map(_cell, row)) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [all(_is_number(v) for v in column) for column in zip(*rows, strict=True)]
        right = right or [False] * len(columns)
        lines = [
            "  ".join(
                cell.rjust(width) if flush else cell.ljust(width)
                for cell, width, flush in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in cells
        ]
        return "\n".join([*lines, *self.legend(), *(f"! {note}" for note in self.notes())])

    def _repr_html_(self) -> str:
        columns, rows = self.shown()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(_cell(value))}</td>' for value in row)}</tr>"
            for row in rows
        )
        notes = "".join(f"<p>{html.escape(n)}</p>" for n in (*self.legend(), *self.notes()))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div style="overflow-x: auto">{table}</div>{notes}'

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the result, with matplotlib.

        Args:
            path: the picture file to write; its ending names the format. None for no file.

        Returns:
            The figure.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            ValueError: matplotlib writes no files of that ending.
        """
        figure = figures.new_figure(*self.size)
        self.draw(figure)
        if path is not None:
            figures.write(figure, Path(path))
        return figure

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result to a file: all of it to ``.json``, its table to ``.csv``.

        Args:
            path: a file ending in ``.json`` (read back by :meth:`load`, nothing lost) or ``.csv``
                (every number with all of its digits).

        Raises:
            ValueError: another ending.
            TypeError: a field has no form as plain data.
            OSError: the file cannot be written; then nothing is.
        """
        write_whole(path, self.written(Path(path).suffix))

    def written(self, ending: str) -> str:
        """What :meth:`save` writes into a file of an ending.

        Args:
            ending: ".json" or ".csv".

        Raises:
            ValueError: another ending.
            TypeError: a field has no form as plain data.
        """
        match ending:
            case ".json":
                return json.dumps(_plain(self), indent=1, allow_nan=False) + "\n"
            case ".csv":
                lines = io.StringIO()
                writer = csv.writer(lines, lineterminator="\n")
                columns, rows = self.table()
                writer.writerows([columns, *rows])
                return lines.getvalue()
        raise ValueError(f"save: a result is saved as .json or .csv, not as {ending!r}")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The result that :meth:`save` wrote to a ``.json`` file.

        Args:
            path: that file.

        Raises:
            ValueError: the file holds something else, or another kind of result.
        """
        try:
            result = _read(json.loads(Path(path).read_text("utf-8")))
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            raise ValueError(f"{path} is not a saved result: {error}") from None
        if not isinstance(result, cls):
            raise ValueError(f"{path} holds a {type(result).__name__}, not a {cls.__name__}")
        return result



def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)



def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float | np.number)



def _plain(value: Any) -> Any:
    """Plain data, each special kind as a dictionary of one entry, ``{"kind": content}``."""
    if isinstance(value, Result):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"result": [type(value).__name__, fields]}
    if isinstance(value, Schedule):
        return {"schedule": to_dict(value)}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _plain(item) for key, item in value.items()}}
    if isinstance(value, np.generic) or is_array(value):
        known = np.asarray(value)
        values = _finite_or_text(known.tolist())
        return {"array": [values, str(known.dtype), list(known.shape)]}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"save: {type(value).__name__} has no form as plain data: {value!r}")



def _finite_or_text(values: Any) -> Any:
    if isinstance(values, list):
        return [_finite_or_text(value) for value in values]
    return str(values) if isinstance(values, float) and not math.isfinite(values) else values



def _read(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(map(_read, data))
    if not isinstance(data, dict):
        return data
    ((kind, content),) = data.items()
    match kind:
        case "result":
            name, fields = content
            return Result._kinds[name](**{key: _read(item) for key, item in fields.items()})
        case "schedule":
            return from_dict(content)
        case "dict":
            return {key: _read(item) for key, item in content.items()}
        case "array":
            values, dtype, shape = content
            return np.array(values, np.dtype(dtype)).reshape(shape)
        case "float":
            return float(content)
    raise ValueError(f"unknown kind {kind!r}")
