"""Which alphabet the letters of a text belong to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from ._graphemes import is_extender
from ._tables import tables

_LETTERS = re.compile("[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\U0003ffff]+")
_ASCII_LETTERS = re.compile("[A-Za-z]+")


def script_runs(text: str) -> Iterator[tuple[int, int, str]]:
    """The stretches of letters of one script: start, end and the script in lower case.

    Digits, punctuation, blanks, symbols and emoji belong to none; a mark goes with its letter.

    Example:
        >>> list(script_runs("да, yes"))
        [(0, 2, 'cyrillic'), (4, 7, 'latin')]
    """
    if text.isascii():
        for found in _ASCII_LETTERS.finditer(text):
            yield found.start(), found.end(), "latin"
        return
    seen: dict[str, str] = {}
    for found in _LETTERS.finditer(text):
        start = at = found.start()
        current = ""
        for char in found[0]:
            script = seen.get(char)
            if script is None:
                script = seen[char] = _script(char)
            if script == "mark":
                script = current
            if script != current:
                if current:
                    yield start, at, current
                start, current = at, script
            at += 1
        if current:
            yield start, at, current


@cache
def _table() -> tuple[list[int], list[int], list[str]]:
    known = tables()
    return (*known.ranges("scripts"), known.column("scripts", 2))


def _script(char: str) -> str:
    """The script of a letter, `mark` for what is written onto one, else nothing."""
    if char <= "z":
        return "latin"
    if is_extender(char):
        return "mark"
    starts, ends, names = _table()
    found = bisect_right(starts, ord(char)) - 1
    return names[found] if found >= 0 and ord(char) <= ends[found] else ""
