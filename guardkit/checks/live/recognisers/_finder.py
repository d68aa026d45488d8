"""Finds the values of several kinds in one text: layouts by look-up, patterns one after another.

All numbers in fixed groups are found together. The text is reduced to its shape (`9` a digit, `A` a
letter), cut into groups, and every run of groups is looked up in one table. So 70 national numbers
cost what one does, until a layout fits.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import NamedTuple

from guardkit.catalog import Form, Hit

from ._recogniser import AFTER, BEFORE, Layouts, Pattern, Recogniser, words_pattern

_SEPARATORS = " .-/\u00a0\u2010\u2011\u2012\u2013\u202f\u2009"
_SHAPE = str.maketrans(
    {
        **dict.fromkeys(string.digits, "9"),
        **dict.fromkeys(string.ascii_letters, "A"),
        **dict.fromkeys("\u00a0\u202f\u2009", " "),
        **dict.fromkeys("\u2010\u2011\u2012\u2013", "-"),
    }
)
_COMPACT = str.maketrans("", "", _SEPARATORS)
_SEP = "[ .\\-/\u00a0\u2009\u202f\u2010-\u2013]"
_NUMBERED = "[A-Za-z]{0,5}[0-9][0-9A-Za-z]{0,18}"
_LEAD = re.compile(rf"(?<!\w)(?:[A-Za-z]{{1,3}}{_SEP}){{0,2}}[A-Za-z]{{0,5}}\Z")
_STRETCH = re.compile(
    rf"(?:[A-Za-z]{{1,3}}{_SEP}){{0,2}}{_NUMBERED}(?!\w)"
    rf"(?:{_SEP}(?:{_NUMBERED}|[A-Za-z]{{1,3}})(?!\w))*+"
)
_DIGIT = re.compile("[0-9]")
_REST_OF_WORD = re.compile(r"\w*")
_GROUP = re.compile("[9A]+")
_JOINS = frozenset("-./")
_BEFORE_NO = frozenset("$€£¥+@")
_AFTER_NO = frozenset("@%€£¥")


_FAR = 1 << 20

MOST_ROUNDS = 4
"""How often a text is searched again; a second round has never been seen to find much."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A recogniser with its words compiled."""

    it: Recogniser
    label: str
    words: re.Pattern[str] | None
    before: int
    after: int

    @classmethod
    def of(cls, it: Recogniser) -> _Ready:
        before, after = (BEFORE, AFTER) if isinstance(it, Layouts) else (it.before, it.after)
        words = words_pattern(it.words) if it.words else None
        return cls(it, it.kind.upper(), words, before, after)

    def distance(self, text: str, start: int, end: int) -> int:
        """How many characters the nearest of the words is away; `_FAR` where there is none."""
        if self.words is None:
            return _FAR
        nearest = _FAR
        left = max(0, start - self.before - 1)
        window = text[left:start].lower()  # one more in front: a word does not begin inside another
        for word in self.words.finditer(window, 1 if left else 0):
            if not _is_label(text, left + word.start(), left + word.end()):
                nearest = len(window) - word.end()
        for word in self.words.finditer(text[end : end + self.after].lower()):
            if not _is_label(text, end + word.start(), end + word.end()):
                return min(nearest, word.start())
        return nearest


class _Candidate(NamedTuple):
    """A find before it is settled which of several on one stretch is kept."""

    start: int
    end: int
    ready: _Ready


_LABEL = re.compile(r"\[[A-Z0-9_]{2,32}\]")


def _is_label(text: str, start: int, end: int) -> bool:
    """Whether a word belongs to what an earlier rewrite left: `PHONE` in `[PHONE]`."""
    left = text.rfind("[", max(0, start - 32), start)
    label = _LABEL.match(text, left) if left >= 0 else None
    return label is not None and label.end() > end


class EntityFinder:
    """Finds the values of some kinds in a text.

    Args:
        recognisers: Those of the kinds that are asked for.
        spaced: The longest find that may have a blank in it, the words it needs included.
    """

    __slots__ = ("_layouts", "_needles", "_of_needle", "_prefixes", "_shortest", "spaced")

    def __init__(self, recognisers: Iterable[Recogniser], *, spaced: int = 256) -> None:
        self.spaced = spaced
        needles: dict[str, list[_Ready]] = {}
        self._layouts: dict[str, list[tuple[_Ready, bool]]] = {}
        prefixes: set[str] = set()
        shared: set[str] = set()
        told_by_words: list[str] = []
        for ready in map(_Ready.of, recognisers):
            if isinstance(ready.it, Pattern):
                needles.setdefault(ready.it.needle, []).append(ready)
                continue
            if ready.it.needle:
                told_by_words.append(ready.it.needle)
            else:
                shared.update(ready.it.sure + ready.it.told)
            for layout, is_sure in ready.it.layouts():
                self._layouts.setdefault(layout, []).append((ready, is_sure))
                prefixes.update(layout[: m.end()] for m in _GROUP.finditer(layout))
        self._prefixes = frozenset(prefixes)
        self._shortest = min(map(len, self._layouts), default=0)
        self._needles = (*needles, *dict.fromkeys(told_by_words), *_layout_needles(shared))
        self._of_needle = tuple(tuple(ready) for ready in needles.values())

    def needles(self, form: Form) -> tuple[str, ...]:
        """One pattern a kind with a shape of its own, a few for all numbers together."""
        return self._needles if form == "plain" else ()

    @property
    def key_words(self) -> tuple[str, ...]:
        """None: values are not made of words."""
        return ()

    @property
    def words(self) -> tuple[str, ...]:
        """None: values are not made of words."""
        return ()

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Every value in one view, each labelled with its kind in capitals.

        A find may hide another: a word stands too far away, a number continues another one. So the
        text is searched again with labels in place of what was found, until nothing is left.
        """
        hits = self._once(text, seen)
        more = hits
        for _ in range(MOST_ROUNDS):
            if not more:
                break
            redacted, pieces = _redacted(text, hits)
            more = self._once(redacted, seen)
            hits = _united(hits, (_moved(hit, pieces) for hit in more))
        return hits

    def _once(self, text: str, seen: Sequence[int]) -> tuple[Hit, ...]:
        found: list[_Candidate] = []
        reads_layouts = False
        for index in seen:
            if index >= len(self._of_needle):
                reads_layouts = True
                continue
            for ready in self._of_needle[index]:
                found.extend(_matches(ready, text))
        if reads_layouts:
            found.extend(self._numbers(text))
        return _settled(text, found)

    def _numbers(self, text: str) -> Iterator[_Candidate]:
        for stretch in _stretches(text):
            if len(stretch[0]) < self._shortest:
                continue
            at, shape = stretch.start(), stretch[0].translate(_SHAPE)
            spans = [group.span() for group in _GROUP.finditer(shape)]
            for i, (start, _) in enumerate(spans):
                for _, end in spans[i : i + 8]:
                    layout = shape[start:end]
                    if layout not in self._prefixes:
                        break
                    readies = self._layouts.get(layout)
                    if readies is not None and _stands_alone(text, at + start, at + end):
                        yield from _numbers_here(readies, text, at + start, at + end, layout)


def _stretches(text: str) -> Iterator[re.Match[str]]:
    """Groups in a row, of which one has a digit; short words among them. Digit by digit: a search
    that begins at every word would cost ten times as much on prose."""
    at = 0
    while (digit := _DIGIT.search(text, at)) is not None:
        lead = _LEAD.search(text[max(0, digit.start() - 15, at) : digit.start()])
        start = digit.start() - len(lead[0]) if lead else -1
        stretch = _STRETCH.match(text, start) if lead else None
        if stretch is None:
            rest = _REST_OF_WORD.match(text, digit.start())
            at = rest.end() if rest else digit.end()
        else:
            yield stretch
            at = stretch.end()


def _numbers_here(
    readies: Iterable[tuple[_Ready, bool]], text: str, start: int, end: int, layout: str
) -> Iterator[_Candidate]:
    raw = text[start:end]
    number = raw.translate(_COMPACT).upper()
    is_small = "A" in layout and not raw.isupper()
    for ready, is_sure in readies:
        it = ready.it
        assert isinstance(it, Layouts)
        if (is_small and it.only_capitals) or not it.valid(number):
            continue
        is_told = not is_sure or (is_small and it.capitals)
        if not is_told or ready.distance(text, start, end) < _FAR:
            yield _Candidate(start, end, ready)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Not a part of something longer: a decimal, a path, a slug, a price, a mail address."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if before and (
        before[-1] in _BEFORE_NO
        or (before[-1] in _JOINS and len(before) == 2 and before[0].isalnum()
            and not (before[-1] == "/" and before[0].isalpha()))
    ):  # fmt: skip
        return False
    return not (
        after
        and (
            after[0] in _AFTER_NO or (after[0] in _JOINS and len(after) == 2 and after[1].isalnum())
        )
    )


def _matches(ready: _Ready, text: str) -> Iterator[_Candidate]:
    it = ready.it
    assert isinstance(it, Pattern)
    search, at = it.pattern.search, 0
    if it.starts is not None:
        search = partial(_search_from, it.starts, it.pattern)
    while (match := search(text, at)) is not None:
        read = it.read(match)
        at = match.start() + 1
        if read is None:
            continue
        start, end, is_sure = read
        if is_sure or ready.distance(text, start, end) < _FAR:
            yield _Candidate(start, end, ready)
            at = max(end, at)


def _search_from(
    starts: re.Pattern[str], pattern: re.Pattern[str], text: str, at: int
) -> re.Match[str] | None:
    """The next match that begins where a start stands: far quicker than a search of its own."""
    for start in starts.finditer(text, at):
        match = pattern.match(text, start.start())
        if match is not None:
            return match
    return None


def _settled(text: str, found: list[_Candidate]) -> tuple[Hit, ...]:
    """The outermost finds, and one of those on the same stretch."""
    found.sort(key=lambda c: (c.start, -c.end))
    hits: list[Hit] = []
    reached = 0
    for (start, end), same in groupby(found, key=lambda c: c[:2]):
        if end > reached:
            rivals = [candidate.ready for candidate in same]
            best = rivals[0] if len(rivals) == 1 else _best(text, start, end, rivals)
            hits.append(Hit(start, end, best.label))
            reached = end
    return tuple(hits)


def _best(text: str, start: int, end: int, rivals: Iterable[_Ready]) -> _Ready:
    """The kind whose word stands nearest, then the one least likely by chance, then by name."""
    return min(rivals, key=lambda r: (r.distance(text, start, end), -r.it.specific, r.label))


# --- searching again


class _Piece(NamedTuple):
    """A stretch of a redacted text and the stretch of the text it stands for."""

    start: int
    end: int
    text_start: int
    text_end: int


def _redacted(text: str, hits: Sequence[Hit]) -> tuple[str, list[_Piece]]:
    """The text with labels in place of the hits, which are sorted, and the way back."""
    parts: list[str] = []
    pieces: list[_Piece] = []
    at = reached = 0
    for start, end, label in hits:
        for part, left, right in (
            (text[reached:start], reached, start),
            (f"[{label}]" if start >= reached else "", max(start, reached), end),
        ):
            parts.append(part)
            pieces.append(_Piece(at, at + len(part), left, right))
            at += len(part)
        reached = max(reached, end)
    parts.append(text[reached:])
    pieces.append(_Piece(at, at + len(text) - reached, reached, len(text)))
    return "".join(parts), pieces


def _moved(hit: Hit, pieces: Sequence[_Piece]) -> Hit:
    """A hit in a redacted text as a hit in the text; a label that it touches counts whole."""
    first = pieces[bisect_right(pieces, hit.start, key=lambda piece: piece.start) - 1]
    last = pieces[bisect_left(pieces, hit.end, key=lambda piece: piece.end)]
    is_same = first.end - first.start == first.text_end - first.text_start
    start = first.text_start + (hit.start - first.start if is_same else 0)
    is_same = last.end - last.start == last.text_end - last.text_start
    end = last.text_end - (last.end - hit.end if is_same else 0)
    return Hit(start, end, hit.label)


def _united(hits: Iterable[Hit], more: Iterable[Hit]) -> tuple[Hit, ...]:
    """All hits in order, without those that lie inside another."""
    united: list[Hit] = []
    for hit in sorted((*hits, *more), key=lambda hit: (hit.start, -hit.end)):
        if not united or hit.end > united[-1].end:
            united.append(hit)
    return tuple(united)


# --- needles

_CLASSES = {"9": "[0-9]", "A": "[A-Za-z]", "*": "[0-9A-Za-z]"}


def _layout_needles(layouts: Iterable[str]) -> tuple[str, ...]:
    """One pattern for enough digits in a row, and one for all layouts with fewer."""
    runs = {layout: max(map(_digits_in, re.findall(r"[9 .\-/]+", layout))) for layout in layouts}
    lettered = {layout for layout in runs if "A" in layout or "*" in layout}
    fewest = min((run for layout, run in runs.items() if layout not in lettered), default=0)
    needles = [f"[0-9](?:{_SEP}?[0-9]){{{fewest - 1}}}"] if fewest else []
    rest = sorted(layout for layout in lettered if not fewest or runs[layout] < fewest)
    if rest:
        needles.append("|".join(re.sub(r"(.)\1*", _counted, layout) for layout in rest))
    return tuple(needles)


def _digits_in(text: str) -> int:
    return text.count("9")


def _counted(match: re.Match[str]) -> str:
    return f"{_CLASSES.get(match[1], _SEP)}{{{len(match[0])}}}"
