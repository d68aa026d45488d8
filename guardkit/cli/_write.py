"""Writing files so that nobody ever sees half of one, and saying so where that failed."""

from __future__ import annotations

from pathlib import Path

from guardkit._util.writing import write_atomically
from guardkit.diagnostics import visible

from ._screen import Screen

__all__ = ["not_written", "write_atomically", "write_or_complain"]


def not_written(path: Path | str, error: OSError) -> str:
    """The sentence about a file that could not be written."""
    shown = path if isinstance(path, str) else path.as_posix()
    why = (error.strerror or "it cannot be written").lower()
    return f"`{visible(shown)}` cannot be written: {why}"


def write_or_complain(show: Screen, path: Path, content: bytes) -> bool:
    """Replace a file in one step; whether that worked. If not, people are told why."""
    try:
        write_atomically(path, content)
    except OSError as error:
        show.complain(not_written(path, error))
        return False
    return True
