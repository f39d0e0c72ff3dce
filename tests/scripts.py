"""Runs Python programs as ``python -W error`` does, without the seconds that imports take.

Each is a process of its own, forked before JAX starts its threads from one that has imported what
takes longest. ``python scripts.py`` is that one: a line on stdin asks for a program, a line on
stdout gives its exit status.
"""

import atexit
import functools
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# Not lr_optax, whose own warnings at import are to be seen.
SLOW_IMPORTS = ("jax.numpy", "optax", "flax.nnx", "flax.linen", "sklearn.datasets", "equinox")


class Ended(NamedTuple):
    """What a program printed and gave back."""

    returncode: int
    stdout: str
    stderr: str


@functools.cache
def server():
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
    )

    def end():
        process.stdin.close()
        process.wait(30)
        process.stdout.close()

    atexit.register(end)
    return process


def run_script(path, *arguments):
    """Runs a file with arguments, and waits until it has ended."""
    process = server()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps([folder, str(path), *map(str, arguments)]), file=process.stdin, flush=True)
        status = int(process.stdout.readline())
        return Ended(status, *(Path(folder, name).read_text() for name in ("stdout", "stderr")))


def run_code(code):
    """Runs the text of a program."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(code)
        file.flush()
        return run_script(file.name)


def become(folder, path, *arguments):
    """Turns this process into that of a program."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT), number)
    warnings.resetwarnings()
    warnings.simplefilter("error")
    # Processes share a cache (see conftest.py), and may read what another one is just writing.
    warnings.filterwarnings("ignore", message="Error reading persistent compilation cache entry")
    sys.argv = [path, *arguments]
    sys.path[0] = str(Path(path).parent)
    status = 0
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main():
    for name in SLOW_IMPORTS:
        try:
            importlib.import_module(name)
        except ImportError:  # the tests that need it are skipped
            continue
    warnings.filterwarnings("ignore", message=".*os.fork.*")
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            become(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
