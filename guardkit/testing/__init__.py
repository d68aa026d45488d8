"""The public test kit: the reference evaluator, the judge of every other engine; policy tests."""

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
from ._runner import CaseResult, Miss, Status, run_tests

__all__ = [
    "BLOCKED",
    "HELD",
    "Answer",
    "CaseResult",
    "Event",
    "Finding",
    "Miss",
    "Outcome",
    "Reference",
    "Settled",
    "Span",
    "Status",
    "Thresholds",
    "Token",
    "run_tests",
]
