"""One search of a text for all finders of a surface; further views only where a sign says that one
may matter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from guardkit.catalog import Finder, Form, Hit, Viewed
from guardkit.text import HINTS, SIGN_SETS, TRIGGERS, SignSet, views_of

from ._batches import Batch, Needle, Owner, Pattern, batched
from ._turned import PART, Turned

_COUNTED = ("base64",)
"""Signs that count along a word, as keys of many shapes do: one automaton counts for both."""


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


class Glance(NamedTuple):
    """What a first look at a text saw, and when it began, on the clock of `perf_counter`."""

    sighting: Sighting
    begun: float


def encoded(text: str) -> bytes:
    """UTF-8 for RE2; a lone surrogate becomes another character that no pattern names."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _without_surrogates(text).encode()


def _without_surrogates(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


class _Gated(NamedTuple):
    """Patterns that are tried only where a text has what every match of them needs."""

    batch: Batch
    needs: tuple[bytes, ...]
    """Stretches of which a text must have one."""
    after: str = ""
    """The sign that must have been seen before, if any."""

    def seen(self, data: bytes, before: Collection[Owner]) -> list[Owner]:
        """The owners of those that stand in a text."""
        is_open = not self.after or self.after in before
        if is_open and any(need in data for need in self.needs):
            return self.batch.seen(data)
        return []


_Gates = tuple[tuple[int, _Gated], ...]
"""The first byte of each need, and what has it: one byte is found by its number at a tenth of what
any other search costs."""


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
        "_rare",
        "_reads_views",
        "_signs",
        "_sought",
        "_turned",
    )

    def __init__(self, sought: Sequence[Sought]) -> None:
        self._sought = tuple(sought)
        self._reads_views = any(s.views != {"raw"} for s in sought)
        disguised = [one if "all" in one.views else None for one in sought]
        self._turned = Turned([one.finder for one in disguised if one is not None])
        signs = SIGN_SETS if self._reads_views else ()
        counted = [one for one in signs if one.names == _COUNTED]
        ordinary = [one for one in signs if one.names != _COUNTED]
        led, free, needing = batched(_needles(sought, "plain"))
        groups = (led + self._turned.parts, free + [s for one in counted for s in _patterns(one)])
        self._plain = tuple(Batch(group) for group in groups if group)
        """What is searched for in every text and in every view of form `plain`."""
        self._rare = _gates(_gated(group, [*chars]) for chars, group in needing.items())
        """The rest of it, for texts that have the characters it needs."""
        shuffled = self._turned.shuffled
        self._always = (*self._plain, *([shuffled] if shuffled.owners else ()))
        self._signs = tuple(Batch(_patterns(one)) for one in ordinary if not one.needs)
        """What is searched for in ASCII. The signs of any other text are left to `views_of`."""
        self._gated = _gates(
            _gated(_patterns(one), one.needs, one.after) for one in ordinary if one.needs
        )
        self._least = min((getattr(one.finder, "least", 0) for one in sought), default=0)
        """The shortest match of any finder, blanks not counted."""
        self._loose = Batch(_needles(disguised, "loose"))
        if self._reads_views:
            views_of("é", ())  # the first look behind a disguise loads tables; a call never does

    @property
    def reads_views(self) -> bool:
        """Whether it looks for signs that further views are worth making."""
        return self._reads_views

    def glance(self, text: str) -> Sighting:
        """What `look` finds, where nobody but the finders reads the text."""
        if len(text) < self._least and text.isascii():
            return NOTHING  # nothing makes ASCII longer, however it is written
        return self.look(text)

    def look(self, text: str) -> Sighting:
        """Everything that the finders find in a text."""
        is_ascii = text.isascii()
        data = text.encode() if is_ascii else encoded(text)
        seen: list[Owner] = []
        for batch in self._always:
            if hits := batch.match(data):
                seen += batch.owned(hits)
        for byte, one in self._rare:
            if byte in data:
                seen += one.seen(data, ())
        if is_ascii:
            for batch in self._signs:
                if hits := batch.match(data):
                    seen += batch.owned(hits)
            for byte, one in self._gated:
                if byte in data:
                    seen += one.seen(data, seen)
        if not seen and (is_ascii or not self._reads_views):
            return NOTHING
        return self._look_closer(text, data, seen, is_ascii=is_ascii)

    def _look_closer(
        self, text: str, data: bytes, seen: Sequence[Owner], *, is_ascii: bool
    ) -> Sighting:
        needles = [owner for owner in seen if not isinstance(owner, str)]
        signals = {owner for owner in seen if isinstance(owner, str)}
        if PART in signals:
            signals.update(self._turned.whole(data))
        signals -= HINTS
        is_viewed = self._reads_views and bool(signals or not is_ascii)
        if not needles and not is_viewed:
            return NOTHING
        found: dict[int, list[Located]] = {}
        failed: dict[int, str] = {}
        every: tuple[Viewed, ...] = ()
        is_complete = True
        if is_viewed:
            made = views_of(text, signals, self._turns)
            every, is_complete = made.all, made.is_complete
        # Where no view of a kind was derived, the original is that view.
        derived = {view.name for view in every[1:]}
        read_as = frozenset({"raw", "all", *({"cleaned", "folded"} - derived)})
        for i, own in _by_finder(needles).items():
            sought = self._sought[i]
            if sought.views & read_as:
                hits = _found(sought, text, own, "plain", failed)
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
        for i, own in _by_finder(self._needles_in(view)).items():
            sought = self._sought[i]
            if "all" not in sought.views and view.name not in sought.views:
                continue
            for hit in _found(sought, view.text, own, view.form, failed):
                start, end = view.back(hit.start, hit.end)
                if view.form == "loose" and _is_plain(text[start:end], hit.end - hit.start):
                    continue  # written as it is meant: the plain needles speak for it
                located = Located(start, end, hit.label, view.name)
                found.setdefault(sought.node, []).append(located)

    def _needles_in(self, view: Viewed) -> list[Needle]:
        """The needles that stand in a derived view."""
        data = encoded(view.text)
        if view.form == "loose":
            batches = [self._loose]
        else:
            batches = [*self._plain, *(one.batch for byte, one in self._rare if byte in data)]
        seen = [owner for batch in batches for owner in batch.seen(data)]
        return [owner for owner in seen if not isinstance(owner, str)]

    def _turns(self, text: str) -> list[str]:
        """The turned words that stand in a derived text."""
        return self._turned.signs(encoded(text))

    def blind(self, sighting: Sighting) -> Mapping[int, str]:
        """The check nodes that may not say no, and why."""
        if sighting.is_complete:
            return sighting.failed
        why = "the text could not be decoded within limits"
        return dict.fromkeys((s.node for s in self._sought if s.views != {"raw"}), why)


def _needles(sought: Sequence[Sought | None], form: Form) -> Iterable[Pattern]:
    for i, one in enumerate(sought):
        if one is not None:
            for j, needle in enumerate(one.finder.needles(form)):
                yield (i, j), needle


def _patterns(signs: SignSet) -> list[Pattern]:
    return [(name, TRIGGERS[name]) for name in signs.names]


def _gated(patterns: Iterable[Pattern], needs: Iterable[str], after: str = "") -> _Gated:
    return _Gated(Batch(patterns), tuple(need.encode() for need in needs), after)


def _gates(every: Iterable[_Gated]) -> _Gates:
    return tuple((need[0], one) for one in every for need in one.needs)


def _by_finder(needles: Sequence[Needle]) -> dict[int, list[int]]:
    """The needles of each finder, both by number and in order."""
    by_finder: dict[int, list[int]] = {}
    for finder, needle in sorted(set(needles)):
        by_finder.setdefault(finder, []).append(needle)
    return by_finder


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
    hits = tuple(hits)
    if len(hits) < 2:
        return hits
    kept: list[Located] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if not kept or hit.end > kept[-1].end:
            kept.append(hit)
    return tuple(kept)


def located(hits: Iterable[Hit], pointer: str = "") -> tuple[Located, ...]:
    """Hits that a check found in the original by itself."""
    return tuple(Located(hit.start, hit.end, hit.label, "raw", pointer) for hit in hits)
