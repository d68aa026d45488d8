"""Words of a text as rows of numbers: each distinct word is worked out once, then looked up.

A static model knows *pieces* of words (the vocabulary of its tokenizer) and hashed features of
whole words. Taking a word apart costs some 10 µs, looking it up 50 ns, and running text repeats
itself: so a text costs one search for its words and one gather of their rows. The most
frequent words are taken apart when a model is opened.

Everything a row holds follows from the word alone, never from what was met before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from threading import Lock
from typing import Any, Final, NamedTuple
from zlib import crc32

WORD: Final = re.compile(
    r"[a-z]{1,40}|[0-9]{1,40}"
    r"|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # written without blanks: each sign for itself
    r"|[^\W\d_]{1,40}|[^\w\s]|[\d_]{1,40}"
)
"""A word, in lower case. Longer ones are several: nothing is too long to be read."""

FACTS: Final = 4
"""Plain facts of a word that stand in its row: pieces, sign, digits, letters beyond ASCII."""

GRAM: Final = 4
"""Letters in a run of a word; what its parts are known by, however it is spelt."""

MOST_WORDS: Final = 65_536
"""Distinct words kept. When more are met, all but the known ones are forgotten."""
NOTHING: Final = MOST_WORDS - 1
"""The row of no word: zeros."""


class Parts(NamedTuple):
    """What a word is made of."""

    pieces: Sequence[int]
    """Ids of the tokenizer; at least one."""
    grams: Sequence[int]
    """Hashes of the whole word and of its runs of letters, not yet folded to a table's size."""
    mark: int
    """A hash of the whole word, 32 bits."""
    facts: tuple[float, float, float, float]


def parts_of(word: str, pieces: Sequence[int]) -> Parts:
    """Take a word apart."""
    mark = crc32(word.encode("utf-8", "surrogatepass"))
    framed = f"<{word}>"
    runs = {framed[at : at + GRAM] for at in range(len(framed) - GRAM + 1)}
    grams = [mark, *sorted(crc32(run.encode("utf-8", "surrogatepass")) for run in runs)]
    is_sign = not word[0].isalnum()
    facts = (
        max(1, min(len(pieces), 8)) / 4,
        float(is_sign),
        float(word[0].isdigit()),
        float(not word.isascii()),
    )
    return Parts(pieces, grams, mark, facts)


_ODD: Final = (0x9E3779B1, 0x85EBCA6B)


def pair_of(before: Any, marks: Any, size: int) -> Any:
    """Where a pair of neighbours stands in a table of `size` rows, a power of two.

    Args:
        before: The mark of the word before each word; uint32.
        marks: The mark of each word; uint32.
    """
    import numpy as np

    mixed = before * np.uint32(_ODD[0]) ^ marks * np.uint32(_ODD[1])
    return (mixed ^ mixed >> np.uint32(15)) & np.uint32(size - 1)


class Tables(NamedTuple):
    """The rows that words are put together from. All numpy arrays."""

    pieces: Any
    """float32 [vocabulary, k]"""
    grams: Any
    """float32 [2^n, k]"""


class Book(NamedTuple):
    """The words met so far. INVARIANT: a row is whole before its word is in `at`."""

    at: dict[str, int]
    rows: Any
    """float32 [MOST_WORDS, k + FACTS]"""
    marks: Any
    """uint32 [MOST_WORDS]"""
    pieces: list[Sequence[int]]


class Lexicon:
    """Every word of a text as its row.

    Safe in many threads: a book is only ever added to, or replaced by another.

    Args:
        tables: What rows are put together from.
        pieces_of: Takes words apart into ids of the tokenizer.
        known: Words that are met often; each must be one that `WORD` finds.
    """

    def __init__(
        self,
        tables: Tables,
        pieces_of: Callable[[list[str]], list[Sequence[int]]],
        known: Iterable[str] = (),
    ) -> None:
        self._tables = tables
        self._pieces_of = pieces_of
        self._lock = Lock()
        self._known = [*known][: MOST_WORDS // 4]
        self._book = self._new()

    def look_up(self, words: Sequence[str]) -> tuple[Book, list[int]]:
        """The book that holds these words, and the row of each.

        Args:
            words: As `WORD` finds them in lower case; at most `MOST_WORDS` / 2.
        """
        book = self._book
        try:
            rows = [*map(book.at.__getitem__, words)]
        except KeyError:
            book = self._learn(words)
            rows = [*map(book.at.__getitem__, words)]
        return book, rows

    def _new(self) -> Book:
        """A book with the words that are known from the beginning."""
        import numpy as np

        width = self._tables.pieces.shape[1] + FACTS
        rows = np.zeros((MOST_WORDS, width), np.float32)
        book = Book({}, rows, np.zeros(MOST_WORDS, np.uint32), [])
        self._write(book, self._known)
        return book

    def _learn(self, words: Sequence[str]) -> Book:
        """Put unknown words into the book; the book that has all of them."""
        with self._lock:
            book = self._book
            fresh = [*dict.fromkeys(word for word in words if word not in book.at)]
            if len(book.at) + len(fresh) >= MOST_WORDS:
                book = self._book = self._new()
                fresh = [*dict.fromkeys(word for word in words if word not in book.at)]
            self._write(book, fresh)
            return book

    def _write(self, book: Book, words: list[str]) -> None:
        if not words:
            return
        taken = [*map(parts_of, words, self._pieces_of(words))]
        start, width = len(book.at), self._tables.pieces.shape[1]
        here = slice(start, start + len(words))
        grams, sizes = flat([part.grams for part in taken])
        rows = sums_of(self._tables.grams[grams % len(self._tables.grams)], sizes) / sizes[:, None]
        pieces, sizes = flat([part.pieces for part in taken])
        book.rows[here, :width] = rows + sums_of(self._tables.pieces[pieces], sizes)
        book.rows[here, width:] = [part.facts for part in taken]
        book.marks[here] = [part.mark for part in taken]
        book.pieces.extend(part.pieces for part in taken)
        book.at.update(zip(words, range(start, start + len(words)), strict=True))


def flat(lists: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """The numbers of all lists end to end, and the size of each list."""
    import numpy as np

    return np.array([*chain.from_iterable(lists)], np.int64), np.array([*map(len, lists)], np.int64)


def sums_of(rows: Any, sizes: Any) -> Any:
    """The sum of so many rows each, one after another; no size is nothing.

    Each sum is made of its own rows alone, to the last bit.
    """
    import numpy as np

    return np.add.reduceat(rows, np.cumsum(sizes) - sizes, axis=0)
