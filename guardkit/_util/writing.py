"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file in one step: its mode is kept, links are followed, nothing else is left.

    Args:
        path: The file; its folder has to be there.
        content: All that it will hold.
        mode: Who may read a file that is not there yet; as usual when left out.

    Raises:
        OSError: The file is as it was.
    """
    # Imported here: it takes longer to load than most files take to write.
    import tempfile

    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mode = 0o666 & ~_umask() if mode is None else mode
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def write_new(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file that must not be there yet; what is there is never touched.

    Raises:
        FileExistsError: Something is there.
        OSError: It cannot be written; nothing is left of it.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
