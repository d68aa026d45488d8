"""Answers yes where a word or phrase of its lists stands.

Each hit is a span. An entry matches whole words in any case, up to eight blanks in a row count as
one, and the lists may hold tens of thousands of entries. For anything cleverer use `pattern`.

Why it matters
    Names of rivals, slurs, project names: lists that other people keep. They belong in a file
    beside the policy, where a change is one reviewable line.

Known misses
    Other forms of a word ("rivals" when the list says "rival"), synonyms, misspellings that no view
    undoes. Languages written without blanks have no word edges: there an entry matches anywhere. In
    de-spaced text only entries of five letters or more are found, and only the first 200 words in
    text that was turned letter by letter (rot13, reversed).

Example
    check rivals = words {
      file "words/rivals.txt"
      list ["Acme", "Globex"]
    }

Options
    list: the entries, in the policy
    file: a text file inside the policy's folder, one entry a line, `#` begins a comment;
        repeat the line for more files
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out

    At least one of `list` and `file` is needed.

Cost
    Shares `scan`: the entries join the one pass over the text, about 13 µs for 1 KB. The number of
    entries costs memory, hardly time.

Data it reads
    The text and its views; its files, when the policy is compiled. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import LABEL, VIEWS
from ._shared_costs import scan_cost

SPEC = CheckSpec(
    kind="words",
    summary="Answers yes where a word or phrase of its lists stands",
    answers="answer",
    cost=scan_cost(0.5),
    properties=(
        PropertySpec("list", "texts", "the entries"),
        PropertySpec("file", "file", "a text file, one entry a line", repeated=True),
        LABEL,
        VIEWS,
    ),
    spans=True,
    one_of=("list", "file"),
    yes_rate=0.01,
)
