"""One process at a time: a lock on a file, which the system gives back when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PAUSE_S = 0.02


@contextmanager
def locked(path: Path, *, patience_s: float) -> Iterator[None]:
    """Hold the lock `path`, a file that is made where it is missing and stays.

    Raises:
        TimeoutError: Somebody else held it all the time.
        OSError: The file cannot be made or opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        deadline = time.monotonic() + patience_s
        while not _taken(handle):
            if time.monotonic() >= deadline:
                raise TimeoutError("the lock is held by somebody else")
            time.sleep(_PAUSE_S)
        try:
            yield
        finally:
            _given_back(handle)
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _given_back(handle: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_UN)
