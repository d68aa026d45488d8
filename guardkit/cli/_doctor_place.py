"""What stands around guardkit here: the clock, the port of a server, the lock of a store."""

from __future__ import annotations

import errno
import socket
import time
from pathlib import Path
from typing import Final

from guardkit._util.locking import locked
from guardkit.diagnostics import visible

from ._doctor_found import Found

PORT: Final = 8080
"""Where `guardkit serve` listens when nobody says otherwise."""
_HOST: Final = "127.0.0.1"
_DAY_S: Final = 86_400.0
_LATEST: Final = 4_102_444_800.0  # the year 2100
_PATIENCE_S: Final = 1.0


def clock(now: float | None = None, installed: float | None = None) -> Found:
    """Whether the clock can be right: nothing here was installed in its future.

    Args:
        now: Seconds since 1970; this machine's clock when left out.
        installed: When this package was written to the disk.
    """
    now = time.time() if now is None else now
    if installed is None:
        installed = Path(__file__).stat().st_mtime
    behind = (installed - now) / _DAY_S
    fix = "set it: approvals, exemptions, packs and the audit log go by it"
    if behind > 1:
        said = f"it stands {behind:,.0f} days before guardkit was installed"
        return Found("clock", "wrong", said, fix)
    if now > _LATEST:
        return Found("clock", "wrong", "it stands after the year 2100", fix)
    return Found("clock", "ok", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now)))


def port(number: int | None) -> Found:
    """Whether a server could listen; nothing stands in the way of one that nobody asked for.

    Args:
        number: The port that was asked for; None for the usual one.
    """
    wanted = PORT if number is None else number
    fix = f"end what listens there, or `guardkit serve --port {0 if wanted < 1024 else wanted + 1}`"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        # As servers do it: a port that is only cooling down is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((_HOST, wanted))
        except OSError as error:
            if error.errno == errno.EACCES:
                said = f"{wanted} is kept for the system"
                fix = "take one from 1024 on, and put a proxy in front of it"
            elif error.errno == errno.EADDRINUSE:
                said = f"something listens at {_HOST}:{wanted} already"
            else:
                said = f"{_HOST}:{wanted}: {(error.strerror or 'not to be had').lower()}"
            return Found("port", "note" if number is None else "wrong", said, fix)
    return Found("port", "ok", f"{wanted} is free for `guardkit serve`")


def lock(folder: Path) -> Found:
    """Whether a store of packs can be changed: whether somebody holds its lock, and does not end.

    The system takes a lock back when its holder dies, so the file alone means nothing.
    """
    shown = visible(folder.as_posix())
    held = folder / ".lock"
    if not (folder / "state.json").is_file():
        fix = f"`guardkit packs trust {shown} KEY` makes one"
        return Found("packs", "wrong", f"`{shown}` is no store of packs", fix)
    if not held.exists():
        return Found("packs", "ok", f"`{shown}`: nobody holds its lock")
    try:
        with locked(held, patience_s=_PATIENCE_S):
            return Found("packs", "ok", f"`{shown}`: nobody holds its lock")
    except TimeoutError:
        said = f"another process holds the lock of `{shown}`, and does not let go"
        fix = f"`fuser {visible(held.as_posix())}` names it: wait for it, or end it"
    except OSError as error:
        said = f"the lock of `{shown}` cannot be taken: {(error.strerror or 'an error').lower()}"
        fix = "give this user the right to write there"
    return Found("packs", "wrong", said, fix)
