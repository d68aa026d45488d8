"""Gives a score: how much of the reply the source text supports.

Each statement of the reply is set against the nearest passage of the source; the score is the share
of statements that find support, 1 for all of them. Compare it downwards: `supported < 0.6`. A reply
without a source is unknown; a reply without a statement (a greeting, a question) scores 1.

A statement is a sentence of four words or more that asks nothing. It is supported when all of it
comes as near as 0.5 to passages of 8 to 32 words: what stands there word for word comes to 0.75 or
more, another matter to about 0.2. The number follows from that, not from data.

Why it matters
    An assistant that answers from documents should say what they say. It finds replies that have
    left the documents altogether.

Known misses
    It measures nearness, not truth: a reversed statement or a changed number is near its source. A
    fair summary of many pages may score low. For exactness put a `judge` behind it.

Example
    check supported = grounded {
      in retrieved
    }

Options
    in: the source: retrieved (the documents of this exchange) or context (the system prompt)

Cost
    Shares `static`: about 0.1 ms for 1 KB of reply, and as much for 1 KB of source. It needs the
    whole reply, so a rule on a stream needs `hold_back all`.

Data it reads
    The reply and the source; the shipped static encoder, at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._shared_costs import static_cost

SPEC = CheckSpec(
    kind="grounded",
    summary="Gives a score: how much of the reply the source text supports",
    answers="score",
    # The reply's embedding is shared; the source's is this check's own, taken as 5 KB.
    cost=static_cost(500.0),
    properties=(
        PropertySpec("in", "word", "the source", required=True, choices=("retrieved", "context")),
    ),
    reach="whole",
    surfaces=("output",),
    yes_rate=0.1,
)
