"""Finds the mark of a session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from guardkit.catalog import NO, UNKNOWN, Answer, Form, Hit, Setting, Subject
from guardkit.text import LOOSE_CLASSES

from ._viewed import outermost

MOST_KEPT = 256
"""Canaries whose patterns are kept: one lives as long as a process or a session does."""

_GAP = r"[^A-Za-z0-9]{0,3}"


def bind(config: Mapping[str, object], setting: Setting) -> Canary:
    """A reader that looks for the canary of the session."""
    return Canary()


class Canary:
    """Finds the session's canary; implements `Reader`."""

    __slots__ = ("_patterns_of",)

    def __init__(self) -> None:
        self._patterns_of = lru_cache(MOST_KEPT)(_patterns)

    def read(self, subject: Subject) -> Answer:
        """Where the canary stands in any view; unknown in a session that has none."""
        canary = subject.canary
        if not canary:
            return UNKNOWN
        patterns = self._patterns_of(canary)
        hits: list[Hit] = []
        for view in subject.views():
            found = patterns[view.form].finditer(view.text)
            hits += [Hit(*view.back(*match.span())) for match in found]
        if hits:
            return Answer(True, outermost(hits))
        return NO if subject.is_complete else UNKNOWN


def _patterns(canary: str) -> dict[Form, re.Pattern[str]]:
    return {
        "plain": re.compile(re.escape(canary), re.IGNORECASE),
        "loose": re.compile(_loose(canary), re.IGNORECASE),
    }


def _loose(canary: str) -> str:
    """The canary as it reads where look-alikes are one, whatever stands between its letters."""
    letters = (LOOSE_CLASSES.get(char, char) for char in canary.lower() if char.isalnum())
    return _GAP.join(map(re.escape, letters)) or re.escape(canary)
