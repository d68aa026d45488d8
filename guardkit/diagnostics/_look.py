"""How frames look: colours, glyphs and the room there is."""

from __future__ import annotations

from dataclasses import dataclass

Segment = tuple[str, str]
"""A text and the name of its style."""

_LEAST_WIDTH = 40
_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "label": "1;34",
    "gutter": "1;34",
    "help": "1;36",
    "strong": "1",
    "add": "32",
    "remove": "31",
    "escape": "7",
    "dim": "2",
}


@dataclass(frozen=True, slots=True)
class Look:
    """The choices a reader makes about frames."""

    color: bool = False
    width: int = 80
    ascii: bool = False

    @property
    def room(self) -> int:
        # A frame in fewer columns shows nothing that helps; let the terminal wrap it.
        return max(self.width, _LEAST_WIDTH)

    @property
    def bar(self) -> str:
        return "|" if self.ascii else "│"

    @property
    def cut(self) -> str:
        return "..." if self.ascii else "…"

    @property
    def opening(self) -> str:
        return "/ " if self.ascii else "╭ "

    @property
    def rule(self) -> str:
        return "_" if self.ascii else "─"

    @property
    def start_corner(self) -> str:
        return " _" if self.ascii else "╭─"

    @property
    def end_corner(self) -> str:
        return "|_" if self.ascii else "╰─"

    def paint(self, text: str, style: str) -> str:
        """`text` in a style, or as it is without colour."""
        if not self.color or not style or not text:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def row(self, *segments: Segment) -> str:
        """One line of output, without spaces at its end."""
        kept = list(segments)
        while kept and not kept[-1][0].rstrip():
            kept.pop()
        if kept:
            kept[-1] = (kept[-1][0].rstrip(), kept[-1][1])
        return "".join(self.paint(text, style) for text, style in kept)
