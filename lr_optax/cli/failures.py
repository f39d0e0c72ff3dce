"""What went wrong, in one line."""

import traceback
from pathlib import Path


def one_line(error: BaseException) -> str:
    """The reason, without the way there; what the program did not foresee with its place."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return "out of memory: ask for fewer steps, seeds or peaks"
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(filter(None, (error.strerror, str(error.filename or ""))))
    if isinstance(error, ValueError | OSError):
        return text
    return " ".join([f"{type(error).__name__}:", text.partition(". ")[0], *_place(error)])


def _place(error: BaseException) -> list[str]:
    if isinstance(error, ImportError):
        return [f"({note})" for note in getattr(error, "__notes__", ())]  # which extra has it
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if "site-packages" not in frame.filename]
    return [f"({Path(frame.filename).name}, line {frame.lineno})" for frame in theirs[-1:]]
