"""Gives the length of the text, or with a bound answers yes when the length is outside it.

Without a bound the answer is a number of characters: `size > 4000`. With `max` or `min` it is yes
when the text is longer than `max` or shorter than `min`. Exactly at the bound is a no.

Why it matters
    Length is the cheapest defence there is: many-shot prompts, padding and runaway replies are long
    before they are anything else. It also bounds what every later check costs.

Known misses
    Tokens are those of the shipped `static` model, not of yours: leave room. Characters are code
    points, so one emoji may count as several. Words stand between blanks: text in a language that
    writes none is one word.

Example
    check too_long = length {
      max 4000 chars
    }
    check empty_reply = length {
      min 1 words
    }

Options
    max: the largest allowed length, in chars, tokens, words, lines or bytes
    min: the smallest allowed length, in the same units

Cost
    About 6 µs for 1 KB; with a bound in tokens about 0.3 ms for 1 KB.

    The length of a text is known at its end, and so is whether it reached `min`: a rule on a stream
    needs `hold_back all`. A text past `max` is a yes at once, and the rest is not awaited.

Data it reads
    The text; with a bound in tokens the shipped `static` model, at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

from ._properties import MAX_CHARS

_UNITS = ("chars", "tokens", "words", "lines", "bytes")
_TOKENIZED = Cost(20.0, 290.0, shared="tokens")

SPEC = CheckSpec(
    kind="length",
    summary="Gives the length of the text, or with a bound answers yes when the length is outside"
    " it",
    answers="number",
    cost=Cost(0.5, 5.0),
    properties=(
        PropertySpec(
            "max", "size", "the largest allowed", choices=_UNITS, minimum=0.0, maximum=MAX_CHARS
        ),
        PropertySpec(
            "min", "size", "the smallest allowed", choices=_UNITS, minimum=1.0, maximum=MAX_CHARS
        ),
    ),
    # INVARIANT: never narrower than any property needs; `max` alone could do with less.
    reach="whole",
    # More than `max` is known as soon as it is there; less than `min` only at the end.
    reach_with=(("min", "whole"), ("max", "window")),
    answers_with=(("max", "answer"), ("min", "answer")),
    costs=(("max", "tokens", _TOKENIZED), ("min", "tokens", _TOKENIZED)),
)
