"""What the commands print and write, and how they end: each failure, and Ctrl-C, in one line."""

import codecs
import io
import os
import shlex
import signal
import sys
import tempfile
import threading
import traceback
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lr_optax.results.files import write_whole

if TYPE_CHECKING:
    from rich.console import Console

    from lr_optax import Schedule
    from lr_optax.results._result import Result
    from lr_optax.results.page import Section

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
        print(f"lr-optax: {one_line(error)}", file=sys.stderr, flush=True)
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
    return "".join(map(_lookalike, error.object[error.start : error.end])), error.end


def _lookalike(char: str) -> str:
    greek = unicodedata.name(char, "").rpartition("GREEK SMALL LETTER ")[2].lower()
    simple = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return _ASCII.get(char) or simple or (greek if greek.isascii() and greek.isalpha() else "?")


def console(*, stderr: bool = False) -> "Console":
    """Where tables and progress bars go; nothing in what a schedule says is markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


def check_folder(folder: Path) -> None:
    """Fail before the work if nothing can be written into a folder, which need not exist yet.

    Raises:
        ValueError: no file can be made there.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ValueError(f"cannot write into {folder}: {error.strerror}") from None


def check_file(path: Path) -> None:
    """Fail before the work if a file cannot be written.

    Raises:
        ValueError: it is a folder, or in one that takes no files.
    """
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a folder")
    if path.is_file() or not path.exists():  # a device fails only when it is written to
        check_folder(path.parent)


def write_files(files: Mapping[Path, str] | Mapping[Path, str | bytes]) -> None:
    """Write files whole, with the folders that they need, and print their names.

    Raises:
        ValueError: one of them cannot be written.
    """
    with uninterrupted():
        for path, content in files.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
            except OSError as error:
                raise ValueError(f"cannot write {path}: {error.strerror}") from None
    for path, content in files.items():
        is_unnamed_picture = isinstance(content, bytes) and not path.suffix
        print(f"wrote {path}{' (png)' * is_unnamed_picture}")


def print_result(
    result: "Result", picture: Path | None, saved: Path | None, page: dict[Path, str]
) -> None:
    """Print a result, and write the files that were asked for."""
    from lr_optax.results.figure import picture_format, rendered

    files: dict[Path, str | bytes] = {}
    if saved is not None:
        files[saved] = result.written(saved.suffix)
    if picture is not None:
        files[picture] = rendered(result.plot(), picture_format(picture))
    print(result)
    write_files({**files, **page})


def page_file(report: Path | None, title: str, sections: Iterable["Section"]) -> dict[Path, str]:
    """The page that a command was asked for, by its file; nothing if it was not.

    Args:
        report: the file.
        title: the finding, in one line.
        sections: what the page shows; not evaluated if there is no page.
    """
    if report is None:
        return {}
    from lr_optax.results.page import page

    return {report: page(title, sections, shlex.join(["lr-optax", *sys.argv[1:]]))}


def schedule_section(schedule: "Schedule") -> "Section":
    """The part of a page that shows a schedule's text."""
    from lr_optax.results.page import Section, code

    return Section("The schedule", code(repr(schedule)))
