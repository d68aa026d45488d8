"""The reference evaluator answers every conformance case as the case says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from guardkit.testing import Answer, Event, Outcome, Reference, Settled, Span
from guardkit.types import ACTIONS, SURFACES

from ._load import Case, all_cases, read

CASES = list(all_cases())
EVENT_KEYS = {"on", "text", "tool", "arguments", "answers", "context", "session", "expect"}
LISTS = ("fired", "exempted", "shadow", "unknown")
OPTIONAL = ("text", "message", "rewritten", "unknown_checks", "findings", "approved", "otherwise")
EXPECT_KEYS = {"action", *LISTS, *OPTIONAL, "session_closed"}


def answer(raw: Any) -> Answer:
    if not isinstance(raw, dict):
        return Answer(raw)
    return Answer(raw["value"], tuple(Span(*span) for span in raw["spans"]))


def event(raw: Mapping[str, Any]) -> Event:
    return Event(
        surface=raw["on"],
        text=raw.get("text", ""),
        tool=raw.get("tool"),
        arguments=raw.get("arguments"),
        answers={name: answer(given) for name, given in raw.get("answers", {}).items()},
        context=raw.get("context", {}),
    )


def reference(case: Case) -> Reference:
    thresholds = {(t[0], t[1], t[2]): t[3] for t in case.raw.get("thresholds", [])}
    tokens = {(t[0], t[1], t[2]): t[3] for t in case.raw.get("tokens", [])}
    return Reference(
        case.policy(),
        case.today,
        thresholds=thresholds,
        token=lambda form, label, text: tokens[form, label, text],
    )


def settled(found: Settled | None) -> list[str] | None:
    return None if found is None else [found.action, found.text]


def seen(outcome: Outcome) -> dict[str, Any]:
    """An outcome in the words of the case files."""
    return {
        "action": outcome.action,
        "text": outcome.text,
        "message": outcome.message,
        "rewritten": dict(outcome.rewritten),
        "fired": list(outcome.fired),
        "exempted": list(outcome.exempted),
        "shadow": list(outcome.shadow),
        "unknown": list(outcome.unknown),
        "unknown_checks": list(outcome.unknown_checks),
        "findings": [
            [f.rule, f.check, f.span.start, f.span.end, f.span.label, f.span.pointer]
            for f in outcome.findings
        ],
        "approved": settled(outcome.approved),
        "otherwise": settled(outcome.otherwise),
        "session_closed": outcome.session_closed,
    }


def wanted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a case expects. Lists left out are empty; what passes is delivered as it came."""
    expect = dict(raw["expect"])
    for name in LISTS:
        expect.setdefault(name, [])
    if expect["action"] in ("pass", "flag"):
        expect.setdefault("text", raw.get("text", ""))
    if expect["action"] != "block":
        expect.setdefault("message", None)
    expect.setdefault("rewritten", {})
    expect.setdefault("session_closed", False)
    return expect


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_reference_agrees(case: Case) -> None:
    judge = reference(case)
    for number, raw in enumerate(case.raw["events"], 1):
        outcome = seen(judge.judge(event(raw), raw.get("session", "")))
        if "expect" in raw:
            expect = wanted(raw)
            found = {name: outcome[name] for name in expect}
            assert found == expect, f"event {number}: {case.raw['why']}"


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 120


def test_case_names_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    for file in {case.file for case in CASES}:
        names = [raw["name"] for raw in read(file)["cases"]]
        assert len(set(names)) == len(names), file


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_cases_are_well_formed(case: Case) -> None:
    raw = case.raw
    assert raw["name"]
    assert raw["why"]
    assert any("expect" in one for one in raw["events"])
    allowed = {"name", "why", "policy", "today", "thresholds", "tokens", "events"}
    assert set(raw) <= allowed
    names = {found.name for found in case.policy().checks}
    rules = {found.name for found in case.policy().rules}
    for one in raw["events"]:
        assert set(one) <= EVENT_KEYS
        assert one["on"] in SURFACES
        assert set(one.get("answers", {})) <= names
        expect = one.get("expect")
        if expect is not None:
            assert set(expect) <= EXPECT_KEYS
            assert expect["action"] in ACTIONS
            assert {"action", "fired"} <= set(expect)
            assert {rule for name in LISTS for rule in expect.get(name, [])} <= rules
