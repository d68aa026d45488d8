"""Read a file that an untrusted text names, only if it lies inside one folder.

The name is resolved first, links included, and must stay inside. The file is then opened part by
part from the folder down, following no link: whoever swaps a part in between gets a refusal, not a
read. A hard link is an ordinary file here: installers make them, and making one takes the right to
write into the folder.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Kind = Literal["outside", "missing", "not-a-file", "too-large", "unreadable"]

_BY_PART = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether this platform can open a file part by part; elsewhere a swap is noticed afterwards."""

# O_NONBLOCK: opening a FIFO that nobody writes must not hang. O_NOCTTY: nor a terminal take over.
_WANTED = ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT")
_FLAGS: int = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in _WANTED)

_MESSAGES: dict[Kind, str] = {
    "outside": "lies outside its folder",
    "missing": "does not exist",
    "not-a-file": "is not a file of the expected kind",
    "too-large": "is larger than allowed",
    "unreadable": "cannot be read",
}


class ContainmentError(Exception):
    """Why a named file was not read. It quotes the name as given and no path of the machine."""

    def __init__(self, kind: Kind, name: str = "") -> None:
        super().__init__(kind, name)
        self.kind: Kind = kind
        self.name = name

    def __str__(self) -> str:
        return f"{self.name[:200]!a} {_MESSAGES[self.kind]}"


def read_contained(root: Path, name: str, limit: int) -> bytes:
    """The bytes of the regular file `name` inside `root`, at most `limit` of them.

    Args:
        root: a trusted folder; it may itself be reached through links.
        name: relative, with `/` between its parts. `..` and links may lead anywhere inside.
        limit: the largest size accepted, in bytes.

    Raises:
        ContainmentError: `outside`, `missing`, `not-a-file`, `too-large` or `unreadable`.
    """
    top, parts = _locate(root, name)
    if not parts or name.endswith("/"):
        raise ContainmentError("not-a-file", name)
    with _refusals(name):
        file = _open_by_part(top, parts) if _BY_PART else _open_plainly(top, parts)
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode):
                raise ContainmentError("not-a-file", name)
            if facts.st_size > limit:
                raise ContainmentError("too-large", name)
            data = _read(file, limit + 1)
        finally:
            os.close(file)
    if len(data) > limit:
        # It grew while it was read, or it reports no size, as kernel files do.
        raise ContainmentError("too-large", name)
    return data


def resolve_contained(root: Path, name: str) -> Path:
    """The real path of the folder or regular file `name` inside `root`, for a model folder say.

    It holds for this moment. Read the files of an untrusted folder with `read_contained`.

    Raises:
        ContainmentError: `outside`, `missing`, `not-a-file` or `unreadable`.
    """
    top, parts = _locate(root, name)
    path = os.path.join(top, *parts)
    with _refusals(name):
        mode = os.stat(path, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode) or name.endswith("/")):
        raise ContainmentError("unreadable" if stat.S_ISLNK(mode) else "not-a-file", name)
    return Path(path)


def _locate(root: Path, name: str) -> tuple[str, list[str]]:
    """The real root and the parts below it that `name` leads to, free of links and `..`."""
    if not name or "\0" in name or len(name) > 4096:
        raise ContainmentError("missing", name)
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name):
        raise ContainmentError("outside", name)
    depth = 0
    for part in name.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise ContainmentError("outside", name)
    try:
        os.fsencode(name)
    except UnicodeError:
        raise ContainmentError("missing", name) from None
    with _refusals(name):
        top = os.path.realpath(root)
        target = os.path.realpath(os.path.join(top, name))
        if os.path.commonpath([top, target]) != top:
            raise ContainmentError("outside", name)
    below = os.path.relpath(target, top)
    return top, [] if below == os.curdir else below.split(os.sep)


def _open_by_part(top: str, parts: list[str]) -> int:
    here = os.open(top, (_FLAGS | os.O_DIRECTORY) & ~os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        _refuse_special(os.stat(parts[-1], dir_fd=here, follow_symlinks=False))
        return os.open(parts[-1], _FLAGS, dir_fd=here)
    finally:
        os.close(here)


def _open_plainly(top: str, parts: list[str]) -> int:
    path = os.path.join(top, *parts)
    before = os.stat(path, follow_symlinks=False)
    _refuse_special(before)
    file = os.open(path, _FLAGS)
    if not os.path.samestat(before, os.fstat(file)) or os.path.realpath(path) != path:
        os.close(file)
        raise OSError(errno.ELOOP, "changed while it was opened")
    return file


def _refuse_special(facts: os.stat_result) -> None:
    """Do not even open a device, a FIFO or a socket: opening alone can have effects."""
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.ELOOP if stat.S_ISLNK(facts.st_mode) else errno.EISDIR, "special")


def _read(file: int, limit: int) -> bytes:
    pieces = []
    while limit > 0 and (piece := os.read(file, min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what the platform says into our one exception; its text may name machine paths."""
    try:
        yield
    except OSError as error:
        raise ContainmentError(_kind(error), name) from None
    except ValueError:
        raise ContainmentError("outside", name) from None  # no common folder: another drive


def _kind(error: OSError) -> Kind:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "missing"
    if error.errno in (errno.EISDIR, errno.ENXIO, errno.ENODEV):
        return "not-a-file"
    return "unreadable"
