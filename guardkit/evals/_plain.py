"""An evaluation as plain data, for JSON. Shares come with their intervals."""

from __future__ import annotations

from typing import Any

from guardkit._util.shares import Share

from ._evaluate import Confusion, Evaluation, Line, Subject
from ._numbers import Counts, Estimate, Point, Scored

_DIGITS = 6


def as_dict(made: Evaluation) -> dict[str, Any]:
    """All figures; no text, and nothing that depends on the clock."""
    return {
        "policy": made.policy,
        "digest": made.digest,
        "files": list(made.files),
        "texts": made.texts,
        "harmful": made.harmful,
        "benign": made.benign,
        "unjudged": made.unjudged,
        "why_unjudged": [one._asdict() for one in made.why_unjudged],
        "undecided": made.undecided,
        "surfaces": dict(made.surfaces),
        "actions": {
            action: {"harmful": harmful, "benign": benign}
            for action, harmful, benign in made.actions
        },
        "stopped_from": made.weakest,
        "prices": None if made.prices is None else made.prices._asdict(),
        "notes": list(made.notes),
        "subjects": [_subject(subject) for subject in made.subjects],
    }


def _subject(one: Subject) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "kind": one.kind,
        "name": one.name,
        "answers": one.answers,
        "texts": one.texts,
        "unknown": one.unknown,
    }
    if one.mode:
        plain["mode"] = one.mode
    if one.threshold is not None:
        plain["threshold"] = one.threshold
    if one.counts is not None:
        plain |= _counts(one.counts)
    if one.score is not None:
        plain["score"] = _scored(one.score)
    if one.confusion is not None:
        plain["confusion"] = _confusion(one.confusion)
    for name, lines in (
        ("sources", one.sources),
        ("groups", one.groups),
        ("categories", one.categories),
    ):
        if lines:
            plain[name] = [_line(line) for line in lines]
    for name, ids in (("missed_ids", one.missed), ("alarm_ids", one.alarms)):
        if ids:
            plain[name] = list(ids)
    if one.notes:
        plain["notes"] = list(one.notes)
    return plain


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "counts": counts._asdict(),
        "recall": _share(counts.recall),
        "false_alarms": _share(counts.false_alarms),
        "precision": _share(counts.precision),
        "f1": _estimate(counts.f1),
    }


def _line(line: Line) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": line.name, "texts": line.counts.texts}
    if line.auc is not None:
        plain["auc"] = round(line.auc, _DIGITS)
    shares = {"recall": line.counts.recall, "false_alarms": line.counts.false_alarms}
    plain |= {name: _share(share) for name, share in shares.items() if share.of}
    if line.counts.unknown:
        plain["unknown"] = line.counts.unknown
    return plain


def _scored(score: Scored) -> dict[str, Any]:
    return {
        "auc": _estimate(score.auc),
        "average_precision": _rounded(score.average_precision),
        "brier": _rounded(score.brier),
        "distinct": score.distinct,
        "at_rates": [
            {"rate": one.rate, "why": one.why}
            if one.point is None
            else {"rate": one.rate, **_point(one.point)}
            for one in score.at_rates
        ],
        "sweep": [{**_point(point), "why": list(point.why)} for point in score.sweep],
        "cheapest": None if score.cheapest is None else _point(score.cheapest),
        "curve": [[round(number, _DIGITS) for number in point] for point in score.curve],
        "precision_recall": [[round(n, _DIGITS) for n in point] for point in score.precision],
        "histogram": score.histogram._asdict(),
    }


def _point(point: Point) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "threshold": point.threshold,
        "counts": {name: getattr(point.counts, name) for name in Counts._fields[:4]},
        "recall": _share(point.counts.recall),
        "false_alarms": _share(point.counts.false_alarms),
        "missed_in_1000": _rounded(point.missed_in_1000, 1),
        "stopped_in_1000": _rounded(point.stopped_in_1000, 1),
    }
    if point.cost is not None:
        plain["cost"] = _rounded(point.cost)
    return plain


def _confusion(confusion: Confusion) -> dict[str, Any]:
    return {
        "truths": list(confusion.truths),
        "said": [*confusion.said, None],
        "table": [list(row) for row in confusion.table],
        "labels": [{"name": line.name, **_counts(line.counts)} for line in confusion.lines],
    }


def _share(share: Share) -> dict[str, Any] | None:
    if share.value is None:
        return None
    low, high = share.interval
    return {
        "share": round(share.value, _DIGITS),
        "low": round(low, _DIGITS),
        "high": round(high, _DIGITS),
        "of": share.of,
    }


def _estimate(one: Estimate | None) -> dict[str, float] | None:
    return None if one is None else {k: round(v, _DIGITS) for k, v in one._asdict().items()}


def _rounded(number: float | None, digits: int = _DIGITS) -> float | None:
    return None if number is None else round(number, digits)
