"""Files: asked for early, written late, all of them or none."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from lr_optax.cli.interrupts import uninterrupted
from lr_optax.results.files import write_whole


def check_folder(folder: Path) -> None:
    """Fail before the work if nothing can be written into a folder, which need not exist yet.

    Raises:
        ValueError: no file can be made there.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
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
    if path.is_file() or not path.exists():  # a device says it when it is written to
        check_folder(path.parent)


def write(files: Mapping[Path, str | bytes]) -> None:
    """Write files whole, with the folders that they need.

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
