"""The pieces of work that several kinds have in common, and what each costs.

One core, from the floors in the peer measurements: a set of 100 patterns over distinct texts,
pooled static embeddings, a 6-layer int8 encoder. INVARIANT: one name, one price.
"""

from __future__ import annotations

from guardkit.catalog import Cost


def scan_cost(own_us: float) -> Cost:
    """The one multi-pattern scan of a text, and this check's part of it."""
    return Cost(1.5, 11.0, own_us, shared="scan")


def static_cost(own_us: float) -> Cost:
    """The one static embedding of a text, and this check's part of it."""
    return Cost(0.0, 100.0, own_us, shared="static")


def mini_cost(own_us: float) -> Cost:
    """The one pass of the shipped encoder over a text, and this check's part of it."""
    return Cost(4_000.0, 9_000.0, own_us, shared="mini")


OWN_MODEL = Cost(4_000.0, 9_000.0)
"""One pass of a model of your own, which nothing else shares; priced as a 6-layer encoder."""

ANY_OTHER = "*"
"""In `CheckSpec.costs`: every value of the property that has no line of its own."""
