"""What the commands print and write, and how they end: each failure, and Ctrl-C, in one line."""

import codecs
import io
import itertools
import os
import shlex
import signal
import sys
import tempfile
import threading
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lr_optax.results.files import write_whole
from lr_optax.results.printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from lr_optax import Schedule
    from lr_optax.results._result import Result
    from lr_optax.results.page import Section

    Sections = Callable[[], Iterable[Section]]

_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it
_WRITING_SECONDS = 0.5  # a few files take milliseconds; a pipe that nobody reads takes forever
_writing = threading.Lock()


def exit_on_interrupt() -> None:
    """From now on Ctrl-C prints one line and exits with 130, unless the caller ignores it.

    Python's own handler waits until the interpreter is next asked: seconds later when XLA
    compiles, and inside a callback of a running program, where an exception crashes. So the signal
    is blocked in every thread, and one thread waits for it.
    """
    if sys.platform == "win32" or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # later threads inherit this
    threading.Thread(target=_exit_when_interrupted, daemon=True).start()


def _exit_when_interrupted() -> None:
    signal.sigwait({signal.SIGINT})
    _writing.acquire(timeout=_WRITING_SECONDS)
    line = f"{_SHOW_CURSOR}\n" if sys.stderr and sys.stderr.isatty() else ""
    try:
        os.write(2, f"{line}lr-optax: interrupted\n".encode())
    finally:
        os._exit(130)  # sys.exit would only end this thread


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until this block is done, for half a second at most."""
    with _writing:
        yield


def fail(error: Exception) -> NoReturn:
    """Print an error in one line, and exit with 2."""
    # A stream that cannot be written to is replaced: Python would try again at exit, and fail.
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = io.StringIO()
    try:
        print(f"lr-optax: {printable(one_line(error))}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = io.StringIO()
    sys.exit(2)


def one_line(error: BaseException) -> str:
    """The reason for an error, without its traceback; with its place if it is unexpected."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return "out of memory: ask for fewer steps, seeds or peaks"
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(filter(None, (error.strerror, str(error.filename or ""))))
    if isinstance(error, ValueError | OSError):
        return text
    if isinstance(error, ImportError):
        hints = [f"({note})" for note in getattr(error, "__notes__", ())]  # the missing extra
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "site-packages" not in frame.filename]
        hints = [f"({Path(frame.filename).name}, line {frame.lineno})" for frame in own[-1:]]
    return " ".join([f"{type(error).__name__}:", text.partition(". ")[0], *hints])


_ASCII = {
    **dict.fromkeys("▁▂", "_"),
    **dict.fromkeys("▃▄▅", "="),
    **dict.fromkeys("▆▇█", "#"),
    **dict.fromkeys("–—−", "-"),
    **{"±": "+-", "…": "...", "·": "*", "×": "x", "√": "sqrt", "½": "1/2", "⌊": "[", "⌋": "]"},
    **{"⌈": "[", "⌉": "]", "≤": "<=", "≥": ">=", "ᵢ": "i"},
}


def print_in_any_encoding() -> None:
    """Print a character that the terminal does not have as one that looks like it."""
    codecs.register_error("lookalike", _lookalikes)
    sys.stdout, sys.stderr = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lookalike")


def _lookalikes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = ""
    for char in error.object[error.start : error.end]:
        greek = unicodedata.name(char, "").rpartition("GREEK SMALL LETTER ")[2].lower()
        simple = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
        text += _ASCII.get(char) or simple or (greek if greek.isalpha() else "?")
    return text, error.end


def console(*, stderr: bool = False) -> "Console":
    """Where tables and progress bars go; nothing in what a schedule says is markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


def check_folder(folder: Path) -> None:
    """Fail before the work if nothing can be written into a folder, which need not exist yet."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ValueError(f"cannot write into {folder}: {error.strerror}") from None


def check_file(path: Path) -> None:
    """Fail before the work if a file cannot be written."""
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder")
    # Root may write to any file, and a rename asks for rights to the folder alone.
    if path.is_file() and not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222):
        raise ValueError(f"cannot write {path}: the file is read-only")
    if path.is_file() or not path.exists():  # a device fails only when it is written to
        check_folder(path.parent)


def check_distinct(inputs: Iterable[Path], outputs: Iterable[Path | None]) -> None:
    """Fail before the work if an output would replace an input, a module or another output."""
    runs = [file for path in inputs for file in (path, *path.glob("**/*tfevents*"))]
    loaded = [getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()]]
    sources = {_identity(path) for path in (*runs, *map(Path, filter(None, loaded)))}
    # A device takes any number of outputs.
    files = [path for path in outputs if path and (path.is_file() or not path.exists())]
    for path in files:
        if _identity(path) in sources:
            raise ValueError(f"cannot write {path}: it is an input")
    for path, other in itertools.combinations(files, 2):
        a, b = (Path(os.path.realpath(file)) for file in (path, other))
        is_same = _identity(path) == _identity(other)
        if is_same or a.is_relative_to(b) or b.is_relative_to(a):
            raise ValueError(f"cannot write both {path} and {other}: they need the same place")


def _identity(path: Path) -> object:
    """What two names of one file have in common."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


Content = Callable[[], str | bytes]
"""Makes the content of a file when it is written: a picture that fails costs no result."""


def write_files(files: Mapping[Path, Content]) -> None:
    """Write files whole, one after another, with the folders that they need; print their names."""
    for path, content in files.items():
        data = content()
        try:
            with uninterrupted():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, data)
        except OSError as error:
            raise ValueError(f"cannot write {path}: {error.strerror}") from None
        is_unnamed_picture = isinstance(data, bytes) and not path.suffix
        print(f"wrote {printable(str(path))}{' (png)' * is_unnamed_picture}")


def picture(figure: Callable[[], "Figure"], path: Path) -> Content:
    """A figure as a file's content, in the format that its ending names."""
    from lr_optax.results.figure import picture_format, rendered

    return lambda: rendered(figure(), picture_format(path))


def print_result(
    result: "Result",
    title: str,
    sections: "Sections",
    *,
    save: Path | None,
    png: Path | None,
    report: Path | None,
) -> None:
    """Print a result, and write the files that were asked for."""
    print(result)
    files: dict[Path, Content] = {}
    if save is not None:
        files[save] = lambda: result.written(save.suffix.lower())
    if png is not None:
        files[png] = picture(result.plot, png)
    write_files(files | page_file(report, title, sections))


def page_file(report: Path | None, title: str, sections: "Sections") -> dict[Path, Content]:
    """The page of a title and sections as a file, if one was asked for."""
    if report is None:
        return {}
    from lr_optax.results.page import page

    return {report: lambda: page(title, sections(), shlex.join(["lr-optax", *sys.argv[1:]]))}


def schedule_section(schedule: "Schedule") -> "Section":
    """The part of a page that shows a schedule's text."""
    from lr_optax.results.page import Section, code

    return Section("The schedule", code(repr(schedule)))
