"""Answers yes where the text holds characters that nobody can see.

Each run is a span: zero-width characters, bidirectional controls, tag characters, variation
selectors in a row, soft hyphens inside words, blank letters. What Persian, Hindi, emoji and flags
need to be written correctly is left alone.

Why it matters
    Hidden characters carry whole instructions past a reader, and cut words apart so that no list
    finds them. Honest text hardly ever holds any.

Known misses
    Text hidden by other means: white on white, tiny print, comments in markup. A joiner placed
    where a script would allow it.

Example
    check hidden = invisible { }

Options
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out. `cleaned` and `folded` hold no hidden
        characters any more: `raw` reads the text as sent, `all` also what was decoded from it

Cost
    Shares `scan`: about 13 µs for 1 KB. ASCII text is decided at once.

Data it reads
    The text and its views. No file, no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardkit.catalog import CheckSpec, Form, Hit, Setting
from guardkit.text import hidden_runs

from ._properties import LABEL, VIEWS
from ._shared_costs import scan_cost

SPEC = CheckSpec(
    kind="invisible",
    summary="Answers yes where the text holds characters that nobody can see",
    answers="answer",
    cost=scan_cost(0.2),
    properties=(LABEL, VIEWS),
    spans=True,
    yes_rate=0.01,
)

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
