"""The public test kit: the reference evaluator, the judge of every other engine; policy tests.

The names are loaded on first use: the pytest plugin lies here, and every run of pytest imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader as _loader

if TYPE_CHECKING:
    from ._coverage import KINDS, Coverage, Covered, Kind, Seen
    from ._probes import MissedCase, ProbeResult, ProbeStatus, Rate, run_probes
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
    from ._stage import Stage, stage
    from ._worded import Worded, worded, worded_probe

__all__ = [
    "BLOCKED",
    "HELD",
    "KINDS",
    "Answer",
    "CaseResult",
    "Coverage",
    "Covered",
    "Event",
    "Finding",
    "Kind",
    "Miss",
    "MissedCase",
    "Outcome",
    "ProbeResult",
    "ProbeStatus",
    "Rate",
    "Reference",
    "Seen",
    "Settled",
    "Span",
    "Stage",
    "Status",
    "Thresholds",
    "Token",
    "Worded",
    "run_probes",
    "run_tests",
    "stage",
    "worded",
    "worded_probe",
]

__getattr__ = _loader(
    __name__,
    {
        "_coverage": ("KINDS", "Coverage", "Covered", "Kind", "Seen"),
        "_probes": ("MissedCase", "ProbeResult", "ProbeStatus", "Rate", "run_probes"),
        "_reference": (
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
        ),
        "_runner": ("CaseResult", "Miss", "Status", "run_tests"),
        "_stage": ("Stage", "stage"),
        "_worded": ("Worded", "worded", "worded_probe"),
    },
)
