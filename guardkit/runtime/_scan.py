"""One multi-pattern scan of a text for all finders of a surface; further views only where a sign
says that one may matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import re2

from guardkit.catalog import Finder, Form, Hit, Viewed
from guardkit.errors import BindError
from guardkit.text import SIGN_SETS, TRIGGERS, shuffled_words, turned_words, views_of

MAX_MEM = 512 << 20
"""What the automaton may keep. It is built as texts need it: a policy of 100 patterns uses 1 MB."""

MOST_KEY_WORDS = 400
"""Turned spellings of more words than these are not looked for."""
LEAST_LETTERS = 5
"""A shorter word, its letters moved on in the alphabet, is too often another word."""

_SENTINEL = "\x00guardkit\x00"


class Sought(NamedTuple):
    """A finder, the check node it answers, and the views it reads."""

    node: int
    finder: Finder
    views: frozenset[str]


class Located(NamedTuple):
    """A match in code points of the original, and the view in which it was found."""

    start: int
    end: int
    label: str = ""
    view: str = "raw"
    pointer: str = ""


class Sighting(NamedTuple):
    """What a scan found: matches by check node, and whether every view could be read."""

    found: Mapping[int, tuple[Located, ...]]
    is_complete: bool
    views: tuple[Viewed, ...]
    """The views that were derived, the original first; empty when only the original was read."""
    failed: Mapping[int, str]
    """Check nodes whose finder could not answer, and why."""


NOTHING = Sighting({}, True, (), {})


def encoded(text: str) -> bytes:
    """UTF-8 for RE2; a lone surrogate becomes another character that no pattern names."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _without_surrogates(text).encode()


def _without_surrogates(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


class _Set:
    """RE2 patterns searched together; each hit belongs to a (sought, needle) pair."""

    __slots__ = ("match", "owners")

    def __init__(self, patterns: Iterable[tuple[tuple[int, int], str]]) -> None:
        options = re2.Options()
        options.max_mem = MAX_MEM
        options.log_errors = False
        made = re2.Set.SearchSet(options)
        self.owners: list[tuple[int, int]] = []
        for owner, pattern in patterns:
            made.Add(pattern)
            self.owners.append(owner)
        made.Add(_SENTINEL)
        made.Compile()
        # The bare method of the binding: its wrapper costs as much as scanning 50 characters.
        self.match: Callable[[bytes], Sequence[int]] = made._set.Match
        # A set that ran out of memory answers "nothing" to every text. Never let one into service.
        if len(self.owners) not in self.match(_SENTINEL.encode()):
            raise BindError("the patterns of this policy are too large to be searched together")


class _Signs:
    """A set of signs that a view other than the original may matter."""

    __slots__ = ("_closer", "_names", "match")

    def __init__(self, names: Iterable[str], patterns: Iterable[str] | None = None) -> None:
        self._names = tuple(names)
        spelled = [TRIGGERS[name] for name in self._names] if patterns is None else list(patterns)
        self.match = _Set(((i, 0), pattern) for i, pattern in enumerate(spelled)).match
        self._closer = self.match

    def behind(self, gate: Iterable[str]) -> _Signs:
        """The same signs, told apart only where one of a few simpler patterns stands."""
        self.match = _Set(((i, 0), pattern) for i, pattern in enumerate(gate)).match
        return self

    def seen(self, data: bytes) -> list[str]:
        """The signs that stand in a text."""
        seen = self.match(data)
        if seen and self._closer is not self.match:
            seen = self._closer(data)
        return [self._names[i] for i in seen if i < len(self._names)] if seen else []


class Scanner:
    """The scan of one surface.

    Args:
        sought: The finders, in plan order.
    """

    __slots__ = (
        "_always",
        "_gated",
        "_least",
        "_loose",
        "_plain",
        "_reads_views",
        "_sought",
        "_turned",
    )

    def __init__(self, sought: Sequence[Sought]) -> None:
        self._sought = tuple(sought)
        self._reads_views = any(s.views != {"raw"} for s in sought)
        self._plain = _Set(_needles(sought, "plain"))
        signs = [(_Signs(one.names), one.needs) for one in SIGN_SETS if self._reads_views]
        self._always = tuple(made for made, needs in signs if not needs)
        self._gated = tuple((needs, made) for made, needs in signs if needs)
        self._turned = tuple(self._turned_signs())
        self._least = min((getattr(one.finder, "least", 0) for one in sought), default=0)
        """The shortest match of any finder, blanks not counted."""
        loose = list(_needles([s if "all" in s.views else None for s in sought], "loose"))
        self._loose = _Set(loose) if loose else None
        if self._reads_views:
            views_of("é", ())  # the first look behind a disguise loads tables; a call never does

    def _turned_signs(self) -> Iterator[_Signs]:
        """Words of the finders as they look reversed, turned or shuffled."""
        finders = [sought.finder for sought in self._sought if "all" in sought.views]
        keys = dict.fromkeys(word for finder in finders for word in finder.key_words)
        long = [word for word in keys if len(word) >= LEAST_LETTERS]
        turned = turned_words(long[:MOST_KEY_WORDS])
        words = dict.fromkeys(word for finder in finders for word in finder.words)
        shuffled = shuffled_words(list(words)[:MOST_KEY_WORDS])
        signs = {signal: _any_of(spellings) for signal, spellings in turned.items()} | shuffled
        if signs:
            # All spellings in one pattern share their beginnings: a third of the cost of 27.
            every = [_any_of(sorted(set().union(*turned.values())))] if turned else []
            yield _Signs(signs, signs.values()).behind((*every, *shuffled.values()))

    def _turns(self, text: str) -> list[str]:
        """The turned words that stand in a derived text."""
        data = encoded(text)
        return [name for signs in self._turned for name in signs.seen(data)]

    def is_clear(self, data: bytes) -> bool:
        """Whether an ASCII text holds nothing that any finder could find in any view."""
        if len(data) < self._least:
            return True  # nothing makes ASCII longer, however it is written
        if self._plain.match(data):
            return False
        for signs in self._always:
            if signs.match(data):
                return False
        for needs, signs in self._gated:
            for byte in needs:
                if byte in data:
                    if signs.match(data):
                        return False
                    break
        return all(not signs.match(data) for signs in self._turned)

    def look(self, text: str) -> Sighting:
        """Everything that the finders find in a text."""
        is_ascii = text.isascii()
        data = text.encode() if is_ascii else encoded(text)
        seen = self._plain.match(data)
        signals: frozenset[str] = frozenset()
        if self._reads_views:
            signals = self._signals(data, is_ascii)
            if not signals and is_ascii and not seen:
                return NOTHING
        elif not seen:
            return NOTHING
        return self._look_closer(text, seen, signals, is_ascii)

    def _signals(self, data: bytes, is_ascii: bool) -> frozenset[str]:
        found: list[str] = []
        if is_ascii:
            for signs in self._always:
                found += signs.seen(data)
            for needs, signs in self._gated:
                for byte in needs:
                    if byte in data:
                        found += signs.seen(data)
                        break
        for signs in self._turned:
            found += signs.seen(data)
        return frozenset(found)

    def _look_closer(
        self, text: str, seen: Sequence[int], signals: frozenset[str], is_ascii: bool
    ) -> Sighting:
        found: dict[int, list[Located]] = {}
        failed: dict[int, str] = {}
        by_sought = self._sorted(self._plain, seen)
        every: tuple[Viewed, ...] = ()
        is_complete = True
        if self._reads_views and (signals or not is_ascii):
            made = views_of(text, signals, self._turns)
            every, is_complete = made.all, made.is_complete
        # Where no view of a kind was derived, the original is that view.
        derived = {view.name for view in every[1:]}
        read_as = frozenset({"raw", "all", *({"cleaned", "folded"} - derived)})
        for i, needles in by_sought.items():
            sought = self._sought[i]
            if sought.views & read_as:
                hits = _found(sought, text, needles, "plain", failed)
                found.setdefault(sought.node, []).extend(
                    Located(hit.start, hit.end, hit.label) for hit in hits
                )
        for view in every[1:]:
            self._look_at(view, text, found, failed)
        settled = {node: outermost(hits) for node, hits in found.items() if hits}
        return Sighting(settled, is_complete, every, failed)

    def _look_at(
        self,
        view: Viewed,
        text: str,
        found: dict[int, list[Located]],
        failed: dict[int, str],
    ) -> None:
        searched = self._plain if view.form == "plain" else self._loose
        if searched is None:
            return
        seen = searched.match(encoded(view.text))
        if not seen:
            return
        by_sought = self._sorted(searched, seen)
        for i, needles in by_sought.items():
            sought = self._sought[i]
            if "all" not in sought.views and view.name not in sought.views:
                continue
            for hit in _found(sought, view.text, needles, view.form, failed):
                start, end = view.back(hit.start, hit.end)
                if view.form == "loose" and _is_plain(text[start:end], hit.end - hit.start):
                    continue  # written as it is meant: the plain needles speak for it
                located = Located(start, end, hit.label, view.name)
                found.setdefault(sought.node, []).append(located)

    @staticmethod
    def _sorted(searched: _Set, seen: Sequence[int]) -> dict[int, list[int]]:
        """Hits by finder."""
        by_sought: dict[int, list[int]] = {}
        owners = searched.owners
        for at in sorted(seen):
            if at < len(owners):
                owner, needle = owners[at]
                by_sought.setdefault(owner, []).append(needle)
        return by_sought

    def blind(self, sighting: Sighting) -> Mapping[int, str]:
        """The check nodes that may not say no, and why."""
        if sighting.is_complete:
            return sighting.failed
        why = "the text could not be decoded within limits"
        return dict.fromkeys((s.node for s in self._sought if s.views != {"raw"}), why)


def _any_of(words: Iterable[str]) -> str:
    return f"(?i)(?:{'|'.join(words)})"


def _needles(sought: Sequence[Sought | None], form: Form) -> Iterable[tuple[tuple[int, int], str]]:
    for i, one in enumerate(sought):
        if one is not None:
            for j, needle in enumerate(one.finder.needles(form)):
                yield (i, j), needle


def _is_plain(stretch: str, length: int) -> bool:
    """Whether a match in a loose view is made of nothing but words as anybody writes them.

    A loose needle has no word edges. Without this, a sign of a disguise in one place would have
    `Scunthorpe` blocked in another, and a stream would know it too late.
    """
    return len(stretch) == length and stretch.isascii() and stretch.replace(" ", "").isalpha()


def _found(
    sought: Sought, text: str, needles: Sequence[int], form: Form, failed: dict[int, str]
) -> Sequence[Hit]:
    """What a finder finds in one view; one that breaks is remembered as failed."""
    try:
        return sought.finder.find(text, needles, form)
    except Exception as error:  # noqa: BLE001 - a check that breaks is an unknown, by rule
        failed[sought.node] = f"raised {type(error).__name__}"
        return ()


def outermost(hits: Iterable[Located]) -> tuple[Located, ...]:
    """Sorted by place; what lies inside another is left out, and so is a second sighting."""
    kept: list[Located] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if not kept or hit.end > kept[-1].end:
            kept.append(hit)
    return tuple(kept)


def located(hits: Iterable[Hit], pointer: str = "") -> tuple[Located, ...]:
    """Hits that a check found in the original by itself."""
    return tuple(Located(hit.start, hit.end, hit.label, "raw", pointer) for hit in hits)
