"""From code points to the units other programs count in."""

from __future__ import annotations

from array import array
from bisect import bisect_left


class Offsets:
    """UTF-8 bytes and UTF-16 units before each code point of a text.

    A lone surrogate counts as three bytes and one unit. Nothing is counted until it is asked for,
    and then only the characters that take more than one byte are remembered.
    """

    __slots__ = ("_astral", "_extra", "_is_ascii", "_places", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_ascii = text.isascii()
        self._places: array[int] | None = None
        self._extra = array("Q")
        self._astral = array("Q")

    def utf8(self, at: int) -> int:
        """The bytes before this code point."""
        return at if self._is_ascii else at + self._sum(at, self._extra)

    def utf16(self, at: int) -> int:
        """The UTF-16 units before this code point."""
        return at if self._is_ascii else at + self._sum(at, self._astral)

    def _sum(self, at: int, of: array[int]) -> int:
        if self._places is None:
            self._count()
        assert self._places is not None
        before = bisect_left(self._places, at)
        return of[before - 1] if before else 0

    def _count(self) -> None:
        places = array("Q")
        extra = astral = 0
        for at, char in enumerate(self._text):
            if char > "\x7f":
                extra += 1 if char < "\u0800" else 2 if char < "\U00010000" else 3
                astral += char >= "\U00010000"
                places.append(at)
                self._extra.append(extra)
                self._astral.append(astral)
        self._places = places
