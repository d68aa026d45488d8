"""The page that `demo.py` writes: 80 columns, in a pipe too, with a few colours in a terminal."""

from __future__ import annotations

import os
import sys
from textwrap import wrap

WIDTH = 80
RIGHT = 42
STYLES = {"head": "1", "good": "32", "bad": "31", "warn": "33", "dim": "2"}


class Page:
    """Rows and columns on standard output."""

    def __init__(self) -> None:
        is_terminal = sys.stdout.isatty()
        is_forced = os.environ.get("FORCE_COLOR", "0") not in ("", "0", "false")
        is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self.has_color = not is_plain and (is_forced or is_terminal)
        self.pause_s = 0.25 if is_terminal and not os.environ.get("CI") else 0.0
        """How long a reader gets between two things; a pipe waits for nothing."""

    def paint(self, text: str, style: str) -> str:
        is_painted = self.has_color and style and text.strip()
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if is_painted else text

    def line(self, text: str = "", style: str = "") -> None:
        print(self.paint(text, style), flush=True)

    def row(self, label: str, text: str, style: str = "") -> None:
        """One thing that was said, beside who said it."""
        for number, part in enumerate(wrap(text, WIDTH - 18) or [""]):
            print(f"   {self.paint((label, '')[number > 0].ljust(14), 'dim')}", end=" ")
            self.line(part, style)

    def left(self, text: str, style: str = "") -> None:
        """The left one of two columns; `right` ends its line."""
        print(f"   {self.paint(text.ljust(RIGHT - 5), style)}", end="  ", flush=True)

    def right(self, text: str, style: str = "") -> None:
        for number, part in enumerate(wrap(text, WIDTH - RIGHT) or [""]):
            print(" " * RIGHT if number else "", end="")
            self.line(part, style)
