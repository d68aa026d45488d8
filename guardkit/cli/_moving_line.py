"""One line on a terminal that is written over while something runs; nothing of it stays."""

from __future__ import annotations

from time import monotonic
from typing import Final

from ._screen import Screen

_BAR: Final = 24
_BETWEEN_S: Final = 0.1
"""More often nobody reads it."""


def bar(part: float) -> str:
    """How much of something is done: `[########................]`."""
    full = int(_BAR * min(max(part, 0.0), 1.0))
    return f"[{'#' * full}{'.' * (_BAR - full)}]"


class MovingLine:
    """A line that says how far a run is. It says nothing where nobody would see it move.

    Args:
        show: Where to write.
    """

    def __init__(self, show: Screen) -> None:
        self._err = show.err if show.progress else None
        self._told_at = 0.0
        self._width = 0

    @property
    def is_due(self) -> bool:
        """Whether it is time to say something again; spares making what would not be shown."""
        return self._err is not None and monotonic() - self._told_at >= _BETWEEN_S

    def tell(self, line: str) -> None:
        """Say it in place of what stood there."""
        if self._err is None:
            return
        self._told_at = monotonic()
        line = line[: self._err.width - 1]  # one that wraps cannot be taken back
        self._err.write(f"\r{line:<{self._width}}")
        self._err.file.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Take it back."""
        if self._err is not None and self._width:
            self._err.write(f"\r{'':<{self._width}}\r")  # a dumb terminal knows no other way
            self._err.file.flush()
            self._width = 0
