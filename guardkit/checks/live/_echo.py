"""Compares a text with the protected ones of its exchange, in time linear in both."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from guardkit.catalog import NO, UNKNOWN, Answer, Form, Hit, Setting, Subject, Viewed

from ._spoken import Spoken, spoken, word_starts
from ._viewed import chosen_views, outermost, united, views_to_read

DEFAULT_MAX = 40
QUICK = 48
"""So many characters of a stretch are looked up first; hardly ever are they found."""

MOST_KEPT = 1_000_000
"""Pieces of protected texts that one check keeps, as numbers: about 60 MB."""

_KEY = secrets.token_bytes(32)


def bind(config: Mapping[str, object], setting: Setting) -> Echo:
    """A reader that compares texts with the protected ones of their exchange."""
    most = config.get("max")
    longest = int(most[0]) if isinstance(most, tuple) else DEFAULT_MAX
    return Echo(str(config["of"]), longest, chosen_views(config))


class _Index(NamedTuple):
    """The pieces of a protected text, as numbers that only this process can tell."""

    quick: frozenset[int]
    """The first characters of each piece that begins with a word."""
    whole: frozenset[int]
    """Each piece that begins with a word or ends with one."""


class Echo:
    """Finds stretches of protected texts; implements `Reader`.

    A common stretch longer than `longest` is covered by pieces of just `longest + 1` characters:
    one from the beginning of each of its words, and one that ends with it. So it is enough to know
    which pieces a protected text has, and time and memory stay in step with the text.

    Args:
        of: Which texts of the exchange are protected.
        longest: How many characters of them may be repeated.
        views: The views that are read.
    """

    __slots__ = ("_indexes", "_lock", "_of", "_size", "_views")

    def __init__(self, of: str, longest: int, views: frozenset[str]) -> None:
        self._of = of
        self._size: dict[Form, int] = {
            "plain": longest + 1,
            "loose": longest * 5 // 6 + 1,  # the same stretch without its blanks
        }
        self._views = views
        self._indexes: LRUCache[tuple[bytes, Form], _Index] = LRUCache(MOST_KEPT, _count)
        self._lock = Lock()

    def read(self, subject: Subject) -> Answer:
        """Where a view repeats too much; unknown where nothing is there to compare with."""
        protected = subject.protected(self._of)
        if protected is None:
            return UNKNOWN
        hits: list[Hit] = []
        for view in views_to_read(subject, self._views):
            indexes = [self._index(text, view.form) for text in protected]
            hits += self._in_view(view, indexes)
        if hits:
            return Answer(True, outermost(hits))
        return NO if subject.is_complete or self._views == {"raw"} else UNKNOWN

    def _index(self, text: str, form: Form) -> _Index:
        """The index of a protected text, made when it is first asked for."""
        encoded = text.encode("utf-8", "surrogatepass")
        key = (hashlib.blake2b(encoded, key=_KEY, digest_size=16).digest(), form)
        with self._lock:
            known = self._indexes.get(key)
        if known is not None:
            return known
        size = self._size[form]
        words = Spoken(text, form)
        whole = _numbers(words.said, words.starts, size)
        quick = _numbers(words.said, words.starts, min(size, QUICK)) if whole else whole
        whole |= _numbers(words.said, (end - size for end in words.ends), size)
        made = _Index(frozenset(quick), frozenset(whole))
        if _count(made) <= MOST_KEPT:
            with self._lock:
                self._indexes[key] = made
        return made

    def _in_view(self, view: Viewed, indexes: Iterable[_Index]) -> Iterator[Hit]:
        size, is_plain = self._size[view.form], view.form == "plain"
        words: Spoken | None = None
        said = ""
        if is_plain:
            said = spoken(view.text)
        else:
            words = Spoken(view.text, view.form)
            said = words.said
        if len(said) < size:
            return
        # Nobody knows where the words of a loose text begin.
        places: Sequence[int] = word_starts(said) if is_plain else range(len(said) - size + 1)
        quick = _numbers(said, places, min(size, QUICK))
        suspects = [index.whole for index in indexes if not index.quick.isdisjoint(quick)]
        if not suspects:
            return
        words = words or Spoken(view.text)
        if is_plain:
            places = [*words.starts, *(end - size for end in words.ends)]
        # Two more: of two neighbours that are both common the blank between them is too.
        common = united(
            (at, at + size + 2)
            for at in places
            if 0 <= at <= len(said) - size and _is_in(suspects, hash(said[at : at + size]))
        )
        for start, end in common:
            start, end = words.words(start, end - 2)
            if end - start >= size:  # less when a piece begins with the blank before a word
                yield Hit(*view.back(*words.back(start, end)))


def _is_in(sets: Sequence[frozenset[int]], number: int) -> bool:
    return any(number in one for one in sets)


def _count(index: _Index) -> int:
    return len(index.quick) + len(index.whole) + 1


def _numbers(said: str, places: Iterable[int], size: int) -> set[int]:
    """Each whole piece of so many characters that begins at one of the places, as a number."""
    last = len(said) - size
    return {hash(said[at : at + size]) for at in places if 0 <= at <= last}
