"""The public test kit: the reference evaluator, the judge of every other engine."""

from ._reference import (
    BLOCKED,
    HELD,
    Answer,
    Event,
    Finding,
    Outcome,
    Reference,
    Settled,
    Span,
    Thresholds,
    Token,
)

__all__ = [
    "BLOCKED",
    "HELD",
    "Answer",
    "Event",
    "Finding",
    "Outcome",
    "Reference",
    "Settled",
    "Span",
    "Thresholds",
    "Token",
]
