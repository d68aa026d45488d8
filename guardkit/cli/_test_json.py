"""What came of tests and probes, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from guardkit.diagnostics import Diagnostic, Place, to_json
from guardkit.testing import KINDS, CaseResult, MissedCase, ProbeResult, Rate

from ._test_coverage import is_under, percent, total
from ._test_report import Suite, counted


def json_text(
    suites: Sequence[Suite],
    wrong: Sequence[Diagnostic],
    fail_under: float | None = None,
    *,
    values: bool = False,
) -> str:
    """One object with `tests`, `probes`, `diagnostics` and `summary`, in plain ASCII; `coverage`
    where it was asked for. Texts of cases stand in it only with `values`."""
    counts = counted(suites)
    errors = [*wrong, *(d for s in suites if s.policy is None for d in s.diagnostics)]
    data: dict[str, object] = {
        "tests": [_test(suite.path, result) for suite in suites for result in suite.results],
        "probes": [
            _probe(suite.path, result, values=values) for suite in suites for result in suite.probes
        ],
        "diagnostics": [to_json(d) for d in errors],
        "summary": {
            "passed": counts["passed"],
            "failed": counts["failed"],
            "undecided": counts["undecided"],
            "files": len(suites),
            "broken": sum(suite.policy is None for suite in suites) + counts["broken"],
        },
    }
    if any(suite.covered for suite in suites):
        data["coverage"] = {
            "percent": percent(total(suites)),
            "fail_under": fail_under,
            "is_enough": not is_under(suites, fail_under),
            "files": [_coverage(suite) for suite in suites if suite.covered],
        }
    return json.dumps(data, indent=2) + "\n"


def _test(path: str, result: CaseResult) -> dict[str, object]:
    miss = result.miss if result.status == "failed" else None
    return {
        "path": path,
        "name": result.name,
        "status": result.status,
        "line": _line(result.place),
        "unanswered": list(result.unanswered),
        "placeless": list(result.placeless),
        "miss": None
        if miss is None
        else {
            "line": _line(miss.expected.place),
            "expected": {
                "action": miss.expected.action,
                "by": list(miss.expected.by),
                "becomes": miss.expected.becomes,
            },
            "actual": {
                "action": miss.action,
                "fired": [name for name, _ in miss.fired],
                "text": miss.text,
            },
            "exempted": list(miss.exempted),
            "shadow": list(miss.shadow),
            "given": dict(miss.given),
        },
    }


def _probe(path: str, result: ProbeResult, *, values: bool) -> dict[str, object]:
    probe = result.probe
    return {
        "path": path,
        "name": result.name,
        "status": result.status,
        "line": _line(probe.place),
        "why": result.why,
        "expected": {
            "outcome": probe.outcome,
            "bound": probe.bound,
            "rate": probe.rate,
            "confidence": probe.confidence,
        },
        "cases": result.cases,
        "left_out": result.left_out,
        "rate": _rate(result.rate) if result.rate.of else None,
        "bounds": list(result.bounds) if result.rate.of else None,
        "disguises": [{"disguise": r.disguise, **_rate(r)} for r in result.rates],
        "needed": result.needed,
        "unanswered": list(result.unanswered),
        "missed": [_missed(missed, values=values) for missed in result.missed],
    }


def _rate(rate: Rate) -> dict[str, object]:
    return {"value": rate.value, "hits": rate.hits, "of": rate.of, "unknown": rate.unknown}


def _missed(missed: MissedCase, *, values: bool) -> dict[str, object]:
    text: Mapping[str, object] = {"text": missed.text} if values else {}
    return {
        "id": missed.id,
        "line": missed.line,
        "disguise": missed.disguise,
        "action": missed.action,
        "fired": list(missed.fired),
        "unknown": list(missed.unknown),
        **text,
    }


def _coverage(suite: Suite) -> dict[str, object]:
    covered = suite.covered
    assert covered is not None
    kinds = {kind: covered.of(kind) for kind in KINDS}
    return {
        "path": suite.path,
        "percent": percent(covered.rules),
        "seen": {kind: {"seen": share.hits, "of": share.of} for kind, share in kinds.items()},
        "missing": [
            {
                "kind": one.kind,
                "name": one.name,
                "part": one.part,
                "what": one.what,
                "path": None if one.place is None else one.place.source.path,
                "line": _line(one.place),
            }
            for one in covered.missing
        ],
    }


def _line(place: Place | None) -> int | None:
    return None if place is None else place.start.line
