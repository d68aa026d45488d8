"""Every view of a text that may matter, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from ._banner import drawn
from ._carriers import carried
from ._clean import without_unseen
from ._decode import decoded
from ._fold import fold
from ._join import joined
from ._markup import unmarked
from ._signals import signals_of
from ._squeeze import loose, squeezed
from ._turn import (
    displayed,
    likely_turns,
    mirrored,
    mirrored_words,
    rotated,
    turned_over,
    unshuffled,
    without_controls,
)
from ._view import View

MOST_ROUNDS = 3
"""Decoding stops after this many rounds, one inside the other."""

MOST_TIMES = 8
MOST_GROWTH = 4
LEAST_ROOM = 1 << 16
"""All views together hold at most so many times the text, or so many characters."""

_CODED = frozenset({"percent", "escape", "entity", "hex", "base64", "morse", "braille"})
_APART = frozenset({"spaced", "leet", "broken"})
_IN_PIECES = frozenset({"parts", "numbered", "sums"})


class Views(NamedTuple):
    """The views of a text, the original first, and whether everything in it could be read."""

    all: tuple[View, ...]
    is_complete: bool


Turns = Callable[[str], Iterable[str]]
"""Which signals of `turned_words` and `shuffled_words` stand in a text."""


def views_of(text: str, signals: Collection[str], turns: Turns | None = None) -> Views:
    """Every view of a text that its signals ask for.

    Args:
        text: The original.
        signals: Names of `TRIGGERS` whose pattern occurs in it, of `turned_words` and of
            `shuffled_words`.
        turns: Looks for turned words in a text that was derived. Without it, a decoded text is
            turned as its letters make most likely.
    """
    raw = View("raw", "plain", text, stable=len(text))
    if not signals and text.isascii():
        return Views((raw,), True)
    derivation = _Derivation(raw, turns)
    derivation.read(raw, frozenset(signals), 0)
    return Views(tuple(derivation.made), derivation.is_complete)


class _Derivation:
    """The views of one text while they are made."""

    __slots__ = ("_longest", "_room", "_seen", "_turns", "_turns_within", "is_complete", "made")

    def __init__(self, raw: View, turns: Turns | None) -> None:
        self.made = [raw]
        self._turns: Turns = turns or (lambda text: ())
        self._turns_within = turns or likely_turns
        self.is_complete = True
        self._room = max(MOST_TIMES * len(raw.text), LEAST_ROOM)
        self._longest = MOST_GROWTH * len(raw.text) + 1024
        self._seen = {("plain", raw.text)}

    def _add(self, view: View | None) -> bool:
        """Take a view in, unless its text is known or there is no room."""
        if view is None or (view.form, view.text) in self._seen:
            return False
        self._room -= len(view.text)
        if self._room < 0 or len(view.text) > self._longest:
            self.is_complete = False
            return False
        self._seen.add((view.form, view.text))
        self.made.append(view)
        return True

    def read(self, view: View, signals: frozenset[str], depth: int) -> None:
        """Every view that can be made of this one."""
        if not view.text.isascii():
            # Cheap, and the caller need not know which signals lie beyond ASCII.
            signals |= signals_of(view.text)
            if "carried" in signals:
                for fragment in carried(view):
                    if self._add(fragment):
                        self._read_decoded(fragment, depth)
            if "bidi" in signals:
                self._read_anew(displayed(view), depth)
        if "controls" in signals:
            for clean in without_controls(view):
                self._read_anew(clean, depth)
        self._read_plain(view, signals, depth)

    def _read_anew(self, view: View, depth: int) -> None:
        if self._add(view):
            self._read_plain(view, self._signals(view.text), depth)

    def _signals(self, text: str) -> frozenset[str]:
        return signals_of(text).union(self._turns(text))

    def _read_decoded(self, view: View, depth: int) -> None:
        if depth >= MOST_ROUNDS:
            self.is_complete = False
            return
        signals = signals_of(view.text).union(self._turns_within(view.text))
        self.read(view, signals, depth + 1)

    def _read_plain(self, view: View, signals: frozenset[str], depth: int) -> None:
        base = view
        if not view.text.isascii():
            made = without_unseen(view.text)
            if made is not None:
                base = View("cleaned", "plain", made[0], view, made[1])
                self._add(base)
            if "turned" in signals:
                for turned in turned_over(base):
                    self._add(turned)
            base = fold(base)
            if base.text != view.text:
                self._add(base)
                signals |= self._signals(base.text)
        if signals & _IN_PIECES:
            views, is_complete = joined(base, signals)
            self.is_complete &= is_complete
            for one in views:
                if self._add(one):
                    self._read_decoded(one, depth)
        if signals & _CODED:
            made_of = decoded(base, signals)
            if self._add(made_of):
                assert made_of is not None
                self._read_decoded(made_of, depth)
        if not self.is_complete:
            return
        if "banner" in signals:
            self._read_words(drawn(base))
        self._read_layout(base, signals, depth)
        self._read_turned(base, signals)

    def _read_layout(self, base: View, signals: frozenset[str], depth: int) -> None:
        if "markup" in signals or "entity" in signals or "broken" in signals:
            self._read_words(unmarked(base))
        if signals & _APART:
            together = squeezed(base) if "spaced" in signals else None
            self._add(loose(base, together))
            if self._read_words(together):
                assert together is not None
                within = signals_of(together.text)
                if within & _CODED and depth < MOST_ROUNDS:
                    made = decoded(together, within)
                    if self._add(made):
                        assert made is not None
                        self._read_decoded(made, depth)

    def _read_words(self, view: View | None) -> bool:
        """Take in a view with other words than the text has; they may be turned."""
        if not self._add(view):
            return False
        assert view is not None
        self._read_turned(view, frozenset(self._turns(view.text)))
        return True

    def _read_turned(self, base: View, signals: frozenset[str]) -> None:
        for view in self._turned(base, signals):
            self._add(view)

    @staticmethod
    def _turned(base: View, signals: frozenset[str]) -> Iterator[View | None]:
        if "reversed" in signals:
            yield mirrored(base)
            yield mirrored_words(base)
        if "mirrored" in signals:
            yield mirrored(base)
        yield from rotated(base, signals)
        yield unshuffled(base, signals)
