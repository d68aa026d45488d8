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

from guardkit.catalog import CheckSpec

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
