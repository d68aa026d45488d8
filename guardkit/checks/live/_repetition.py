"""Counts how often a stretch of words stands back to back."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from itertools import islice

from guardkit.catalog import Answer, Setting, Subject

from ._spoken import spoken, words_of

LONGEST = 200
"""Characters of the longest stretch, with one blank between two words."""

MOST_WORDS = (LONGEST + 1) // 2
"""Words of the longest stretch: each of one letter."""

_PROBES = (4, 16)
_BYTES = 8
_UNLIKE = re.compile(rb"[^\0]")


def bind(config: Mapping[str, object], setting: Setting) -> Repetition:
    """A reader that counts repeats."""
    most = config.get("max")
    return Repetition(most if isinstance(most, float) else None)


class Repetition:
    """Counts how often a stretch repeats back to back; implements `Reader`.

    Args:
        most: How many repeats in a row are fine; None when the count is asked for.
    """

    __slots__ = ("_most",)

    def __init__(self, most: float | None) -> None:
        self._most = most

    def read(self, subject: Subject) -> Answer:
        """The highest count, or whether it is above the bound."""
        words = words_of(spoken(subject.text))
        if self._most is None:
            return Answer(float(most_in_a_row(words)))
        # One more copy than is fine settles it; fewer words than copies cannot hold them.
        enough = int(self._most) + 1
        return Answer(len(words) >= enough and most_in_a_row(words, enough) >= enough)


def most_in_a_row(words: list[str], enough: int | None = None) -> int:
    """How often a stretch of words stands back to back, at most.

    A text is laid over itself, moved by as many words as a stretch may have: where it repeats, one
    minus the other is nothing but zeros. Words are numbers of 64 bits here that nobody can guess, a
    text is one large number, and so each of the at most `MOST_WORDS` comparisons is one operation.

    Args:
        words: The words of a text.
        enough: A count after which there is no need to go on.
    """
    count = len(words)
    best = 1 if enough is None else max(enough - 1, 1)
    numbers = array("q", map(hash, words))
    whole = int.from_bytes(numbers.tobytes(), "little")
    for size in range(1, min(_longest_period(words), count // (best + 1)) + 1):
        if size * (best + 1) > count:
            break
        moved = whole >> (size * _BYTES * 8)
        kept = (count - size) * _BYTES
        low = whole & ((1 << (kept * 8)) - 1)
        best = _best_for(size, (low ^ moved).to_bytes(kept, "little"), words, best)
        if enough is not None and best >= enough:
            break
    if enough is not None and best < enough:
        return 1
    return best


def _best_for(size: int, unlike: bytes, words: list[str], best: int) -> int:
    """`best`, or a higher count of copies of a stretch of so many words.

    Args:
        size: How many words the stretch has.
        unlike: Zero for each word that is also the one `size` words on, `_BYTES` bytes a word.
        words: The words.
        best: The highest count so far.
    """
    at = 0
    while (at := unlike.find(bytes(size * best * _BYTES), at)) >= 0:
        first = -(-at // _BYTES)
        other = _UNLIKE.search(unlike, at)
        last = (other.start() if other else len(unlike)) // _BYTES
        copies = (last - first) // size + 1
        if copies > best and sum(map(len, words[first : first + size])) + size - 1 <= LONGEST:
            best = copies
        at = other.end() if other else len(unlike)
    return best


def _longest_period(words: list[str]) -> int:
    """No stretch of more words than these stands twice in a row.

    In two copies of it every shorter row of words stands twice. Ordinary text hardly ever repeats
    four words, so that three comparisons are enough.
    """
    for size in _PROBES:
        rows = [islice(words, start, None) for start in range(size)]
        count = len(words) - size + 1
        if count <= 0 or len(set(map(hash, zip(*rows, strict=False)))) == count:
            return size - 1
    return MOST_WORDS
