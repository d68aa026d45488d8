"""Answers yes where the session's canary appears.

The canary is a random mark that `context { canary }` puts into the system prompt, new for every
session. Each appearance is a span, also when spaced out, encoded or in another case. A session
without a canary makes the answer unknown, never no.

Why it matters
    A model that repeats its instructions repeats the mark in them. It is proof of a leak without a
    threshold, and nobody can guess it.

Known misses
    Instructions retold in other words, or repeated without the line that holds the mark. Pair it
    with `echo`.

Example
    check leaked = canary { }

Options
    None.

Cost
    Shares `scan`: about 13 µs for 1 KB.

Data it reads
    The text and its views, and the session's canary. No file, no network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec

from ._shared_costs import scan_cost

SPEC = CheckSpec(
    kind="canary",
    summary="Answers yes where the session's canary appears",
    answers="answer",
    cost=scan_cost(0.2),
    spans=True,
    yes_rate=0.0001,
)
