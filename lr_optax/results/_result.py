"""What every tool here returns: a frozen result that prints, draws, saves and reads itself."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np

from lr_optax.results._saved import from_plain_data, to_plain_data
from lr_optax.results.figure import draw, new_figure, write
from lr_optax.results.files import write_whole
from lr_optax.results.page import Section
from lr_optax.results.panels import Panel
from lr_optax.results.printable import printable

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
        numbers = (type(None), int, float, np.number)
        flush = [
            str.rjust if rows and all(isinstance(row[i], numbers) for row in rows) else str.ljust
            for i in range(len(columns))
        ]
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
                (every number with all of its digits), in small letters or capitals.

        Raises:
            ValueError: another ending.
            TypeError: a field has no form as plain data.
            OSError: the file cannot be written, or is read-only; then nothing is.
        """
        write_whole(path, self.written(Path(path).suffix))

    def written(self, ending: str) -> str:
        """What :meth:`save` writes into a file with the ending ".json" or ".csv"."""
        match ending.lower():
            case ".json":
                return json.dumps(to_plain_data(self), indent=1, allow_nan=False) + "\n"
            case ".csv":
                return self.table().csv()
        raise ValueError(f"save: a result is saved as .json or .csv, not as {ending!r}")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The result that :meth:`save` wrote to a ``.json`` file.

        Raises:
            ValueError: the file holds something else, with the field, or another kind of result.
        """
        try:
            result = from_plain_data(json.loads(Path(path).read_text("utf-8")), Result._kinds)
            if isinstance(result, cls):
                _check_whole(result)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{path} is not a saved result: {error}") from None
        if not isinstance(result, cls):
            raise ValueError(f"{path} holds a {type(result).__name__}, not a {cls.__name__}")
        return result


def _check_whole(result: Result) -> None:
    """Whether a result that was read can be shown: each field fits alone, but do they together?"""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            str(result)
            result.panels()
    except Exception as error:
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(result))
        raise ValueError(f"{fields} do not fit together: {error}") from None


def _cell(value: object) -> str:
    if value is None:
        return ""
    number = isinstance(value, float | np.floating)
    return f"{value:.4g}" if number else printable(str(value)).replace("\n", "\\n")
