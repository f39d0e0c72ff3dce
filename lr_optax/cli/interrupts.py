"""Ctrl-C ends the program at once, whatever it is doing, and never between two files.

Python's own way is an exception that waits until the interpreter is next asked: seconds later when
XLA compiles, and inside a callback of a running program, where it crashes. Here a thread sleeps
until the signal itself wakes it.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 0.5  # seconds that files may take once Ctrl-C is pressed
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it
_writing = threading.Lock()


def exit_at_once() -> None:
    """From now on Ctrl-C says one line and exits with 130, unless whoever called ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    bell, ear = socket.socketpair()
    bell.settimeout(0)
    signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_listen, args=(ear, bell), daemon=True).start()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What happens here happens whole, if it takes no longer than half a second."""
    with _writing:
        yield


def _listen(ear: socket.socket, _bell: socket.socket) -> None:
    while ear.recv(1) != bytes([signal.SIGINT]):
        pass
    _writing.acquire(timeout=_PATIENCE)
    line = f"{_SHOW_CURSOR}\n" if sys.stderr and sys.stderr.isatty() else ""
    try:
        os.write(2, f"{line}lr-optax: interrupted\n".encode())
    finally:
        os._exit(130)
