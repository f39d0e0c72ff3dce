"""A result prints, saves without loss, and is read back."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from lr_optax import cosine_decay
from lr_optax.results import files
from lr_optax.results._result import Result, Table
from lr_optax.results.files import write_whole
from lr_optax.results.panels import Curve, Panel


@dataclasses.dataclass(frozen=True, eq=False)
class Inner(Result):
    value: object

    def table(self):
        rows = (("a<b", 0.123456789), ("long name", None))
        return Table(("name", "value"), rows, ("value: in <units>",))

    def notes(self):
        return ("one thing",)

    def panels(self):
        return (Panel("x", "y", (Curve([0, 1], [0, 1]),)),)


VALUES = [
    None,
    True,
    3,
    0.1,
    float("nan"),
    float("-inf"),
    "η",
    (1, (2.5, "x")),
    {"dict": (1,), "array": 2},
    np.float32([[0.1, np.nan], [np.inf, -1]]),
    np.float32(0.1),
    np.zeros((0, 3), np.int64),
    np.array([True, False]),
    np.arange(3, dtype=np.uint32),
    cosine_decay(0.1, decay_steps=9),
    Inner(np.float64(1 / 3)),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_json_loses_nothing(value, tmp_path):
    Inner(value).save(tmp_path / "result.json")
    json.loads((tmp_path / "result.json").read_text(), parse_constant=pytest.fail)
    back = Inner.load(tmp_path / "result.json").value
    assert type(back) is (np.ndarray if isinstance(value, np.generic) else type(value))
    if isinstance(value, Inner):
        value, back = value.value, back.value
    np.testing.assert_equal(back, value)
    if isinstance(value, np.ndarray | np.generic):
        assert back.dtype == value.dtype
        assert back.shape == value.shape


def test_csv_is_the_table_with_all_digits(tmp_path):
    for name in ("result.csv", "RESULT.CSV"):
        Inner(0).save(tmp_path / name)
        assert (tmp_path / name).read_text() == "name,value\na<b,0.123456789\nlong name,\n"


def test_a_table_may_be_printed_otherwise_than_it_is_saved():
    table = Table(("a", "b"), ((1, 0.25),), printed=Table(("both",), (("1 (0.25)",),)))
    assert table.text() == "both\n1 (0.25)"
    assert "<td>1 (0.25)</td>" in table.html()
    assert table.csv() == "a,b\n1,0.25\n"


def test_prints_and_shows_in_a_notebook():
    assert (
        str(Inner(0))
        == "name        value\na<b        0.1235\nlong name\nvalue: in <units>\n! one thing"
    )
    assert "<td>a&lt;b</td><td>0.1235</td>" in Inner(0)._repr_html_()
    assert "<p>value: in &lt;units&gt;</p><p>one thing</p>" in Inner(0)._repr_html_()


def test_draws_into_a_file(tmp_path):
    figure = Inner(0).plot(tmp_path / "picture.png")
    assert len(figure.axes) == 1
    assert figure._suptitle is None
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    Inner(1).save(path)
    with pytest.raises(TypeError, match="object has no form as plain data"):
        Inner(object()).save(path)
    with pytest.raises(ValueError, match=r"as \.json or \.csv, not as '\.txt'"):
        Inner(1).save(tmp_path / "result.txt")
    assert Inner.load(path).value == 1
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_an_interrupt_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    def renamed(self, target):
        self.rename(target)
        raise KeyboardInterrupt

    for step, instead, left in (("replace", interrupted, []), ("replace", renamed, ["file"])):
        with monkeypatch.context() as patch:
            patch.setattr(Path, step, instead)
            with pytest.raises(KeyboardInterrupt):
                write_whole(tmp_path / "file", "whole")
        assert [file.name for file in tmp_path.iterdir()] == left
    monkeypatch.setattr(files.shutil, "copymode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", "another")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "whole"


def test_a_link_and_a_mode_stay(tmp_path, monkeypatch):
    target, link = tmp_path / "target", tmp_path / "folder" / "link"
    link.parent.mkdir()
    link.symlink_to("../target")
    write_whole(link, "first")  # a dangling link is a file to be made
    target.chmod(0o640)
    write_whole(link, "second")
    assert link.is_symlink()
    assert target.read_text() == "second"
    assert target.stat().st_mode & 0o777 == 0o640
    assert len([*link.parent.iterdir()]) == 1

    monkeypatch.setattr(os, "umask", pytest.fail)  # other threads would see it changed
    write_whole(tmp_path / "new", "new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_read_only_stays(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=rf"read-only: '{path}'"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    with pytest.raises(FileNotFoundError, match="none/file"):
        write_whole(tmp_path / "none" / "file", "new")


def test_what_was_not_saved_here_is_refused(tmp_path):
    path = tmp_path / "result.json"
    for text in ["{", "[1]", '{"result": ["Nothing", {}]}', '{"result": ["Inner", {}]}', "{}"]:
        path.write_text(text)
        with pytest.raises(ValueError, match=r"result\.json (is not a saved result|holds a)"):
            Inner.load(path)
