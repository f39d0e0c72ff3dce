"""Where the commands print: terminals of any width and encoding."""

import codecs
import io
import sys
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = {
    **dict.fromkeys("▁▂", "_"),
    **dict.fromkeys("▃▄▅", "="),
    **dict.fromkeys("▆▇█", "#"),
    **dict.fromkeys("–—−", "-"),
    **{"±": "+-", "…": "...", "·": "*", "×": "x", "√": "sqrt", "½": "1/2", "⌊": "[", "⌋": "]"},
    **{"⌈": "[", "⌉": "]", "≤": "<=", "≥": ">=", "ᵢ": "i"},
}


def any_encoding() -> None:
    """Let every character be printed: one that the terminal does not know as one like it."""
    codecs.register_error("lookalike", _plain)
    sys.stdout, sys.stderr = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lookalike")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_like, error.object[error.start : error.end])), error.end


def _like(char: str) -> str:
    greek = unicodedata.name(char, "").rpartition("GREEK SMALL LETTER ")[2].lower()
    simple = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return _PLAIN.get(char) or simple or (greek if greek.isascii() and greek.isalpha() else "?")


def console(*, stderr: bool = False) -> "Console":
    """What the commands print on: nothing in what a schedule says is markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)
