"""What every tool here returns: a frozen result that prints, draws, saves and reads itself."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from lr_optax.results.figure import draw, new_figure, write
from lr_optax.results.files import write_whole
from lr_optax.results.page import Section
from lr_optax.results.panels import Panel
from lr_optax.results.printable import printable
from lr_optax.text import from_plain, to_plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Table(NamedTuple):
    """Columns by name, and rows of numbers, texts and None.

    Attributes:
        columns: their names.
        rows: as many cells in each.
        legend: what the columns mean, a sentence each.
        printed: the table as it is printed, if that is not the table as it is saved.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    legend: tuple[str, ...] = ()
    printed: Table | None = None

    def text(self) -> str:
        """The table for a terminal: numbers flush right, with four digits."""
        columns, rows, *_ = self.printed or self
        cells = [columns, *(tuple(map(_cell, row)) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [all(map(_is_number, column)) for column in zip(*rows, strict=True)]
        flush = [str.rjust if number else str.ljust for number in right or [False] * len(columns)]
        return "\n".join(
            "  ".join(put(x, n) for put, x, n in zip(flush, line, widths, strict=True)).rstrip()
            for line in cells
        )

    def html(self) -> str:
        """The table for a page, in a box that scrolls where the window is narrow."""
        columns, rows, *_ = self.printed or self
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        lines = [f"<td>{'</td><td>'.join(html.escape(_cell(x)) for x in row)}</td>" for row in rows]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div style="overflow-x: auto">{table}</div>'

    def csv(self) -> str:
        """The table as the content of a CSV file, every number with all of its digits."""
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([self.columns, *self.rows])
        return lines.getvalue()


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """The base of all results: a subclass is a frozen dataclass with a table and panels.

    Fields hold None, booleans, numbers, strings, tuples, dictionaries with string keys, NumPy
    arrays, schedules and other results, and nothing else, so that each can be saved without loss.
    """

    _kinds: ClassVar[dict[str, type[Result]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Result._kinds[cls.__name__] = cls

    def table(self) -> Table:
        """The result as columns and rows."""
        raise NotImplementedError

    def notes(self) -> tuple[str, ...]:
        """What limits the result, a sentence each."""
        return ()

    def panels(self) -> Sequence[Panel]:
        """The picture of the result, as data."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """The result in one line, above its picture; empty for none."""
        return ""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture in inches."""
        return 8, 4.5

    def section(self, heading: str = "") -> Section:
        """The result as a part of a page: its table and what it means, and its picture."""
        return Section(heading, self._repr_html_(), self.panels())

    def __str__(self) -> str:
        table = self.table()
        lines = [table.text(), *table.legend, *(f"! {note}" for note in self.notes())]
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        table = self.table()
        sentences = (*table.legend, *self.notes())
        return table.html() + "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)

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
        figure = new_figure(*self.size)
        draw(figure, self.panels(), self.title)
        if path is not None:
            write(figure, Path(path))
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
                return json.dumps(_plain(self, "result"), indent=1, allow_nan=False) + "\n"
            case ".csv":
                return self.table().csv()
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
    number = isinstance(value, float | np.floating)
    return f"{value:.4g}" if number else printable(str(value)).replace("\n", "\\n")


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float | np.number)


def _plain(value: object, name: str) -> Any:
    return to_plain(value, name, _other)


def _other(value: object, name: str) -> dict[str, Any]:
    """What no schedule holds, as a dictionary of one entry, ``{"kind": content}``."""
    if isinstance(value, Result):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"result": [type(value).__name__, {n: _plain(v, n) for n, v in fields.items()}]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _plain(item, name) for key, item in value.items()}}
    if isinstance(value, float):
        return {"float": str(value)}
    raise TypeError(f"save: {type(value).__name__} has no form as plain data: {value!r}")


def _read(data: object) -> Any:
    return from_plain(data, {"result": _read_result, "dict": _read_dict, "array": _read_array,
                             "float": float})  # fmt: skip


def _read_result(content: Sequence[Any]) -> Result:
    name, fields = content
    return Result._kinds[name](**_read_dict(fields))


def _read_dict(content: Mapping[str, object]) -> dict[str, Any]:
    return {key: _read(item) for key, item in content.items()}


def _read_array(content: Mapping[str, Any]) -> np.ndarray:
    array = np.array(content["values"], np.dtype(content["dtype"]))
    return array.reshape(content.get("shape", array.shape))
