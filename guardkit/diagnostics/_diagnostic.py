"""What is wrong with a policy, as a value: code, place, message, labels, help and a fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ._codes import CODES, Code, Level
from ._source import Place


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that helps: "declared here first"."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text at `place`."""

    place: Place
    replacement: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that mends the finding; `safe` fixes keep what the author meant."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding in a policy file.

    `message` is one line, lower-case start, no final full stop, user words in backticks.
    `note` is the short text under the caret; `help` are lines of advice.
    """

    code: Code
    place: Place
    message: str
    note: str = ""
    labels: tuple[Label, ...] = ()
    help: tuple[str, ...] = ()
    fix: Fix | None = None
    level: Level = "error"

    @property
    def is_error(self) -> bool:
        return self.level == "error"

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sort key: file, place, code."""
        return (
            self.place.source.path,
            self.place.span.start,
            self.place.span.end,
            self.code.id,
            self.message,
        )


def diagnose(
    slug: str,
    place: Place,
    message: str,
    *,
    note: str = "",
    labels: Iterable[Label] = (),
    help: Iterable[str] | str = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """Make a diagnostic from the code table; an unknown slug is a bug and raises KeyError."""
    code = CODES[slug]
    lines = (help,) * bool(help) if isinstance(help, str) else tuple(help)
    return Diagnostic(code, place, message, note, tuple(labels), lines, fix, code.level)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, if one is close enough to suggest."""
    candidates = sorted(set(known))
    if len(word) > 80:
        return None
    for candidate in candidates:
        if candidate.casefold() == word.casefold():
            return candidate
    found = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """A help line naming the nearest known word, or nothing."""
    near = nearest(word, known)
    return (f"did you mean `{near}`?",) if near else ()
