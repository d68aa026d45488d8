"""Pieces of a text that a reader is asked to put together, put together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._view import Trail, View

MOST_PIECES = 2_000
"""More pieces than these are not joined."""

_STRING = (
    r"\"[^\"\\\n]{0,4000}+(?:\\.[^\"\\\n]{0,4000}+)*+\""
    r"|'[^'\\\n]{0,4000}+(?:\\.[^'\\\n]{0,4000}+)*+'"
)
_ASSIGNED = re.compile(
    rf"(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_]{{0,40}}+) ?(?::?=|:) ?({_STRING})"
)
_SUM = re.compile(
    r"(?<![A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]{0,40}+"
    r"(?: ?[+&.,] ?[A-Za-z_][A-Za-z0-9_]{0,40}+){1,99}+"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LITERAL = re.compile(_STRING)
_PLUS = re.compile(r"\s*(?:\+|\.|&|\|\||,|\\?\n)?\s*")
_NUMBERED = re.compile(
    r"(?:(?<=\n)|\A)[ \t(*-]{0,4}(?:[A-Za-z]{4,9} ?#?)?([0-9]{1,3}) ?[:=.)] ?(.{1,2000})"
)
_PART = re.compile(
    r"(?i)(?<![A-Za-z])(?:part|piece|chunk|fragment|segment) ?#?([0-9]{1,3}) ?[:=] ?"
    rf"({_STRING}|[^\n]{{1,2000}})"
)
_ESCAPED = re.compile(r"\\(.)")

MOST_STRINGS = 20_000
"""More strings than these are not even looked through."""

Piece = tuple[int, int]


def joined(view: View, signals: frozenset[str]) -> tuple[list[View], bool]:
    """Each way to put the pieces together, and whether there were too many of them."""
    made: list[View] = []
    is_complete = True
    for pieces in _candidates(view.text, signals):
        if len(pieces) > MOST_PIECES:
            is_complete = False
        elif len(pieces) > 1:
            trail = Trail(view.text)
            for start, end in pieces:
                trail.keep(start, end)
            made.append(View("joined", "plain", trail.text(), view, trail))
    return made, is_complete


def _candidates(text: str, signals: frozenset[str]) -> Iterator[list[Piece]]:
    if "parts" in signals:
        yield from _literals(text)
        yield _in_order(
            (int(found[1]), _inside(text, *found.span(2))) for found in _PART.finditer(text)
        )
    if "numbered" in signals:
        yield _in_order(
            (int(found[1]), _inside(text, *found.span(2))) for found in _NUMBERED.finditer(text)
        )
    if "sums" in signals:
        values: dict[str, Piece] = {}
        for count, found in enumerate(_ASSIGNED.finditer(text)):
            values[found[1]] = _inside(text, *found.span(2))
            if count > MOST_STRINGS:
                yield [(0, 0)] * count
                return
        wanted = 0
        for found in _SUM.finditer(text):
            names = _NAME.findall(found[0])
            known = [values[name] for name in names if name in values]
            wanted += len(known)
            if wanted > MOST_PIECES:
                yield known * MOST_PIECES
                return
            yield known


def _literals(text: str) -> Iterator[list[Piece]]:
    """Strings that stand beside each other with a plus between them."""
    run: list[Piece] = []
    last = -1
    for count, found in enumerate(_LITERAL.finditer(text)):
        between = text[last : found.start()] if last >= 0 else ""
        if last < 0 or len(between) > 6 or "+" not in between or between.strip() != "+":
            yield run
            run = []
        run.append(_inside(text, *found.span()))
        last = found.end()
        if count > MOST_STRINGS:
            yield [(0, 0)] * count
            return
    yield run


def _in_order(numbered: Iterator[tuple[int, Piece]]) -> list[Piece]:
    """By number; a number that was given before starts anew and ends the list."""
    seen: dict[int, Piece] = {}
    for number, piece in numbered:
        if number in seen and len(seen) > 1:
            break
        seen[number] = piece
    return [seen[number] for number in sorted(seen)]


def _inside(text: str, start: int, end: int) -> Piece:
    """A string without its quotes, a line without the blanks at its end."""
    while end > start and text[end - 1] in " \t\r":
        end -= 1
    if end - start > 1 and text[start] in "\"'" and text[end - 1] == text[start]:
        return start + 1, end - 1
    return start, end
