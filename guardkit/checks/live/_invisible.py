"""Finds characters that nobody can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardkit.catalog import Form, Hit, Setting
from guardkit.text import hidden_runs

_UNSEEN = (
    r"[\p{Cf}\x{34f}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}\x{2065}\x{3164}"
    r"\x{fe00}-\x{fe0f}\x{ffa0}\x{fff0}-\x{fff8}\x{e0000}-\x{e0fff}]"
)
"""At least every character that `hidden_runs` looks at."""


def bind(config: Mapping[str, object], setting: Setting) -> InvisibleFinder:
    """A finder for characters nobody can see."""
    return InvisibleFinder()


class InvisibleFinder:
    """Finds characters nobody can see; implements `Finder`."""

    __slots__ = ()

    key_words: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def needles(self, form: Form) -> tuple[str, ...]:
        """Such characters, needed or not. Loose text holds none any more."""
        return (_UNSEEN,) if form == "plain" else ()

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Each run of those that the text does not need."""
        return [Hit(start, end) for start, end in hidden_runs(text)]
