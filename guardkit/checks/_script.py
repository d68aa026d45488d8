"""Answers yes where a letter belongs to a script that is not allowed.

Each run of such letters is a span. Digits, punctuation, blanks, symbols and emoji belong to no
script and are always allowed; a combining mark counts as the letter it stands on. A letter of a
script that is not in the list below is never allowed.

Why it matters
    A deployment that was tested in two languages has been tested in no others, and a single foreign
    letter inside a word is the mark of a look-alike attack.

Known misses
    A script says nothing about the language: Latin letters carry hundreds, and any text can be
    written in Latin letters by sound. Letters of an allowed script can imitate one another.

Example
    check odd_script = script {
      allow [latin, greek]
    }

Options
    allow: the scripts that may be used, by their Unicode names in lower case: `arabic`, `armenian`,
        `bengali`, `bopomofo`, `cherokee`, `cyrillic`, `devanagari`, `ethiopic`, `georgian`,
        `greek`, `gujarati`, `gurmukhi`, `han`, `hangul`, `hebrew`, `hiragana`, `kannada`,
        `katakana`, `khmer`, `lao`, `latin`, `malayalam`, `mongolian`, `myanmar`, `oriya`,
        `sinhala`, `syriac`, `tamil`, `telugu`, `thaana`, `thai`, `tibetan`; Japanese needs `han`,
        `hiragana` and `katakana`
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out

Cost
    Shares `scan`: about 13 µs for 1 KB. ASCII text is decided at once when `latin` is allowed.

Data it reads
    The text and its views. No file, no network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import LABEL, VIEWS
from ._shared_costs import scan_cost

SCRIPTS: tuple[str, ...] = (
    "arabic",
    "armenian",
    "bengali",
    "bopomofo",
    "cherokee",
    "cyrillic",
    "devanagari",
    "ethiopic",
    "georgian",
    "greek",
    "gujarati",
    "gurmukhi",
    "han",
    "hangul",
    "hebrew",
    "hiragana",
    "kannada",
    "katakana",
    "khmer",
    "lao",
    "latin",
    "malayalam",
    "mongolian",
    "myanmar",
    "oriya",
    "sinhala",
    "syriac",
    "tamil",
    "telugu",
    "thaana",
    "thai",
    "tibetan",
)

SPEC = CheckSpec(
    kind="script",
    summary="Answers yes where a letter belongs to a script that is not allowed",
    answers="answer",
    cost=scan_cost(0.5),
    properties=(
        PropertySpec(
            "allow", "words", "the scripts that may be used", required=True, choices=SCRIPTS
        ),
        LABEL,
        VIEWS,
    ),
    spans=True,
    yes_rate=0.01,
)
