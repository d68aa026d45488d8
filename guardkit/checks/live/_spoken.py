"""A text as the words that are spoken: in one case, without punctuation, one blank between two."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate

from guardkit.catalog import Form
from guardkit.text import LOOSE_CLASSES

_NO_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Scripts written without blanks: Thai, Lao, Myanmar, Khmer, Kana, Han. A character is a word."""

_HAS_NO_BLANKS = re.compile(f"[{_NO_BLANKS}]")
_BETWEEN = re.compile(r"[\W_]+")
_WORD = re.compile(rf"[{_NO_BLANKS}]|[^\W_{_NO_BLANKS}]+")
_LOOSE = str.maketrans(dict(LOOSE_CLASSES))


def spoken(text: str) -> str:
    """The words of a text, each with its letters in one case."""
    return _BETWEEN.sub(" ", text.casefold()).strip(" ")


def words_of(said: str) -> list[str]:
    """The words of what `spoken` gives."""
    if _HAS_NO_BLANKS.search(said):
        return _WORD.findall(said)
    return said.split(" ") if said else []


def word_starts(said: str) -> list[int]:
    """Where each word of what `spoken` gives begins."""
    if _HAS_NO_BLANKS.search(said):
        return [found.start() for found in _WORD.finditer(said)]
    if not said:
        return []
    return [0, *accumulate(len(word) + 1 for word in said.split(" "))][:-1]


class Spoken:
    """What `spoken` gives, with the way back to the text.

    Args:
        text: Any text.
        form: For `loose` nothing stands between the words, and look-alikes are one.
    """

    __slots__ = ("_folded", "_origin", "ends", "said", "starts")

    said: str
    """The words."""
    starts: list[int]
    """Where each word begins in `said`."""
    ends: list[int]
    """Where each word ends in `said`."""

    def __init__(self, text: str, form: Form = "plain") -> None:
        folded = text.casefold()
        self._origin: list[int] | None = None
        """For each character of the folded text the one it came of, where their numbers differ."""
        if len(folded) != len(text):
            sizes = [len(char.casefold()) for char in text]
            self._origin = [at for at, size in enumerate(sizes) for _ in range(size)]
        if form == "loose":
            folded = folded.translate(_LOOSE)
        pieces: list[str] = []
        self.starts, self.ends = [], []
        self._folded: list[int] = []
        at = before = 0
        for found in _WORD.finditer(folded):
            start, end = found.span()
            if start > before and pieces and form == "plain":
                pieces.append(" ")
                at += 1
            pieces.append(found.group())
            self._folded.append(start)
            self.starts.append(at)
            at += end - start
            self.ends.append(at)
            before = end
        self.said = "".join(pieces)

    def words(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of `said`, with the words at its edges whole."""
        first = bisect_right(self.ends, start)
        last = bisect_left(self.starts, end) - 1
        return self.starts[first], self.ends[last]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the text that a stretch of `said` stands for."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, at: int) -> int:
        word = bisect_right(self.starts, at) - 1
        place = self._folded[word] + at - self.starts[word]
        return place if self._origin is None else self._origin[place]
