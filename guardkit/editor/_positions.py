"""Places in a text as editors count them: lines from 0, columns in units of one encoding.

Everything else here counts code points from the start of the text. A line ends with LF, CR LF or
CR, as the protocol says; a place past the end of a line is its end, one past the last line the end
of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Literal, NamedTuple

from guardkit.diagnostics import Span

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_BREAK = re.compile(r"\r\n?|\n")
_LONE = re.compile(r"[\ud800-\udfff]")


class Point(NamedTuple):
    """A line and a column, both from 0; the column in units of the encoding."""

    line: int
    character: int


class Range(NamedTuple):
    """From one point to another, the end exclusive."""

    start: Point
    end: Point


class Change(NamedTuple):
    """What replaces a stretch of a text; without `range` it replaces all of it."""

    text: str
    range: Range | None = None


class Lines:
    """The lines of one text, and the way between offsets and points."""

    __slots__ = ("_ends", "_starts", "encoding", "text")

    def __init__(self, text: str, encoding: Encoding = "utf-16") -> None:
        self.text = text
        self.encoding = encoding
        self._starts = [0]
        self._ends: list[int] = []
        for found in _BREAK.finditer(text):
            self._ends.append(found.start())
            self._starts.append(found.end())
        self._ends.append(len(text))

    def __len__(self) -> int:
        return len(self._starts)

    def offset(self, point: Point) -> int:
        """The offset of a point, wherever it lies."""
        line, character = point
        if line < 0:
            return 0
        if line >= len(self._starts):
            return len(self.text)
        start, end = self._starts[line], self._ends[line]
        if character <= 0:
            return start
        body = self.text[start:end]
        if self.encoding == "utf-32" or body.isascii():
            return min(start + character, end)
        units = 0
        for index, char in enumerate(body):
            units += _units(char, self.encoding)
            # A point inside a character is the place before it.
            if units > character:
                return start + index
        return end

    def point(self, offset: int) -> Point:
        """The point of an offset."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        body = self.text[start:offset]
        return Point(line, width(body, self.encoding))

    def line_of(self, offset: int) -> int:
        """The line an offset lies in."""
        return bisect_right(self._starts, min(max(offset, 0), len(self.text))) - 1

    def range(self, span: Span) -> Range:
        """A span as two points."""
        return Range(self.point(span.start), self.point(span.end))

    def span(self, range: Range) -> Span:
        """Two points as a span, in order."""
        start, end = sorted((self.offset(range.start), self.offset(range.end)))
        return Span(start, end)

    def line_span(self, line: int) -> Span:
        """A line without its line break."""
        return Span(self._starts[line], self._ends[line])


def changed(lines: Lines, change: Change) -> str:
    """The text after a change. What is no character, half of a pair, becomes U+FFFD."""
    text = _LONE.sub("\ufffd", change.text)
    if change.range is None:
        return text
    start, end = lines.span(change.range)
    return lines.text[:start] + text + lines.text[end:]


def width(text: str, encoding: Encoding) -> int:
    """How many units of an encoding a text has."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    return sum(_units(char, encoding) for char in text)


def _units(char: str, encoding: Encoding) -> int:
    code = ord(char)
    if encoding == "utf-16":
        return 2 if code > 0xFFFF else 1
    if encoding == "utf-32":
        return 1
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
