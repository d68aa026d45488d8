"""Answers yes where the text repeats a long stretch of a protected one.

Both texts are compared word by word, without regard to case, blanks and punctuation. Each stretch
longer than `max`, counted with one blank between two words, is a span. When the protected text is
not part of the exchange the answer is unknown.

Why it matters
    It finds a leaked system prompt without a canary, and documents or questions that are copied out
    instead of answered.

Known misses
    A retelling, a translation, copies broken into pieces shorter than `max`. With a small `max`,
    ordinary turns of phrase are false alarms: 40 characters are about seven words.

Example
    check parroted = echo {
      of  context
      max 40 chars
    }

Options
    of: the protected text: context (the system prompt), retrieved or input
    max: the longest repeat that is still fine, 8 to 4096 chars; 40 when left out
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out

Cost
    About 90 µs for 1 KB. The protected text is indexed when it is first seen, in about 0.3 ms for
    1 KB, and the index is kept for the next exchange.

Data it reads
    The text and its views, and the protected text. No file, no network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

from ._properties import LABEL, VIEWS

SPEC = CheckSpec(
    kind="echo",
    summary="Answers yes where the text repeats a long stretch of a protected one",
    answers="answer",
    cost=Cost(10.0, 80.0),
    properties=(
        PropertySpec(
            "of",
            "word",
            "the protected text",
            required=True,
            choices=("context", "retrieved", "input"),
        ),
        # The ceiling is `hold_limit`: a longer repeat could not be held back on a stream.
        PropertySpec(
            "max",
            "size",
            "the longest repeat that is fine; 40 chars when left out",
            choices=("chars",),
            minimum=8.0,
            maximum=4_096.0,
        ),
        LABEL,
        VIEWS,
    ),
    spans=True,
    width=4_096,
    width_from="max",
    reach="window",
    yes_rate=0.005,
)
