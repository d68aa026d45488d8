"""Text as a terminal may safely show it: deceptive characters spelled out, widths known."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

TAB = 4
_MOST_MARKS = 4
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})


class Cell(NamedTuple):
    """What stands on the screen for one code point."""

    text: str
    width: int
    escaped: bool = False


def visible(text: str, *, ascii: bool = False) -> str:
    """`text` on one line, with every character that could deceive written as `\\u{…}`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(cell.text for cell in _cells(text, ascii, expand_tabs=False))


def text_width(text: str) -> int:
    """How many columns `text`, already made visible, takes up."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def wrap(text: str, width: int, *, split_words: bool = False) -> list[str]:
    """`text` in lines of at most `width` columns; longer words stay whole unless `split_words`."""
    lines: list[str] = []
    line = ""
    for number, word in enumerate(text.split(" ")):
        if number == 0:
            line = word
        elif text_width(line) + 1 + text_width(word) <= width:
            line += " " + word
        else:
            lines.append(line)
            line = word
        while split_words and text_width(line) > width:
            fits = _fitting(line, width)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line]


class ShownLine:
    """One source line laid out in columns: a cell for each code point."""

    __slots__ = ("cells", "starts")

    def __init__(self, line: str, *, ascii: bool = False) -> None:
        self.cells = list(_cells(line, ascii, expand_tabs=True))
        self.starts = [0]
        for cell in self.cells:
            self.starts.append(self.starts[-1] + cell.width)

    @property
    def width(self) -> int:
        return self.starts[-1]

    def columns(self, start: int, end: int) -> tuple[int, int]:
        """The screen columns under code points `start` to `end`; at least one column wide."""
        start = min(max(start, 0), len(self.cells))
        end = min(max(end, start), len(self.cells))
        # A caret under a combining mark belongs under the letter that carries it.
        while end > start and 0 < start < len(self.cells) and not self.cells[start].width:
            start -= 1
        left = self.starts[start]
        return left, max(self.starts[end], left + 1)

    def between(self, left: int, right: int) -> tuple[int, list[Cell]]:
        """The cells that lie wholly in columns `left` to `right`, and where the first begins."""
        first = bisect_left(self.starts, left, 0, len(self.cells))
        while 0 < first < len(self.cells) and not self.cells[first].width:
            first += 1
        last = bisect_right(self.starts, right) - 1
        return self.starts[first], self.cells[first : max(first, last)]


def _cells(text: str, ascii: bool, *, expand_tabs: bool) -> Iterator[Cell]:
    column = 0
    marks = _MOST_MARKS  # a mark at the very start has no letter to stand on
    for char in text:
        if " " <= char <= "~":
            cell, marks = Cell(char, 1), 0
        elif char == "\t" and expand_tabs:
            room = TAB - column % TAB
            cell, marks = Cell(" " * room, room), _MOST_MARKS
        elif ascii or _is_hidden(char):
            cell, marks = _escape(char), _MOST_MARKS
        elif _width(char) == 0:
            # A tower of marks reaches into the lines above and can cover them.
            cell = _escape(char) if marks >= _MOST_MARKS else Cell(char, 0)
            marks += 1
        else:
            cell, marks = Cell(char, _width(char)), 0
        column += cell.width
        yield cell


def _escape(char: str) -> Cell:
    text = f"\\u{{{ord(char):x}}}"
    return Cell(text, len(text), escaped=True)


def _is_hidden(char: str) -> bool:
    category = unicodedata.category(char)
    if category in _HIDDEN_CATEGORIES:
        return True
    if category == "Zs":
        return char not in " \u3000"
    return _is_ignorable(ord(char))


def _is_ignorable(point: int) -> bool:
    """Characters that are letters or marks by name and nothing on the screen."""
    return (
        point in {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0xFFFC}
        or 0x180B <= point <= 0x180F
        or 0xFE00 <= point <= 0xFE0F
        or 0xE0000 <= point <= 0xE0FFF
    )


def _width(char: str) -> int:
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in _MARKS or _is_joining_jamo(ord(char)):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _is_joining_jamo(point: int) -> bool:
    return 0x1160 <= point <= 0x11FF or 0xD7B0 <= point <= 0xD7FF


def _fitting(text: str, width: int) -> int:
    used = 0
    for index, char in enumerate(text):
        used += _width(char)
        if used > width and index:
            return index
    return len(text)
