"""The reference evaluator on policies put together by hand: what no policy text can say."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import guardkit.testing
from guardkit.semantics import (
    Act,
    And,
    Asked,
    Compared,
    ComparedAtRate,
    Exemption,
    FieldTest,
    Labelled,
    Not,
    On,
)
from guardkit.testing import BLOCKED, HELD, Answer, Event, Finding, Reference, Settled, Span

from . import _build as build

TODAY = date(2026, 6, 1)
REWRITE = Act("rewrite", text="[{label}]", form="text")


def judge(*rules: Any, **more: Any) -> Reference:
    return Reference(build.policy(rules), TODAY, **more)


def said(**answers: Any) -> dict[str, Answer]:
    return {name: Answer(value) for name, value in answers.items()}


def test_the_evaluator_stays_small() -> None:
    source = Path(guardkit.testing.__file__).with_name("_reference.py").read_text(encoding="utf-8")
    assert source.count("\n") <= 600


def test_nothing_happens_on_the_conversation() -> None:
    with pytest.raises(ValueError, match="conversation"):
        judge().judge(Event("conversation"))


def test_no_rule_no_objection() -> None:
    outcome = judge().judge(Event("input", "hello"))
    assert (outcome.action, outcome.text, outcome.fired) == ("pass", "hello", ())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1, True, "0.9", None])
def test_nonsense_scores_are_unknown(value: Any) -> None:
    outcome = judge(build.rule("r", Compared("s", "<", 2))).judge(
        Event("input", answers=said(s=value))
    )
    assert outcome.unknown == ("r",)
    assert outcome.unknown_checks == ("s",)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), False, "7"])
def test_nonsense_numbers_are_unknown(value: Any) -> None:
    rule = build.rule("r", Compared("n", ">=", 0))
    policy = build.policy([rule], [build.check("n", "number")])
    assert Reference(policy, TODAY).judge(Event("input", answers=said(n=value))).unknown == ("r",)


def test_numbers_may_be_large() -> None:
    policy = build.policy([build.rule("r", Compared("n", ">=", 5))], [build.check("n", "number")])
    outcome = Reference(policy, TODAY).judge(Event("input", answers=said(n=10**400)))
    assert outcome.fired == ("r",)
    assert outcome.unknown == ()


def test_a_label_check_without_declared_labels_takes_any_text() -> None:
    rule = build.rule("r", Labelled("k", ("full",)))
    judge_ = Reference(build.policy([rule], [build.check("k", "label")]), TODAY)
    assert judge_.judge(Event("input", answers=said(k="other"))).action == "pass"
    assert judge_.judge(Event("input", answers=said(k="full"))).fired == ("r",)


@pytest.mark.parametrize("threshold", [float("nan"), -0.1, 1.5])
def test_a_threshold_that_is_none_is_missing(threshold: float) -> None:
    rule = build.rule("r", ComparedAtRate("s", "fpr", 0.01))
    found = judge(rule, thresholds={("s", "fpr", 0.01): threshold})
    assert found.judge(Event("input", answers=said(s=1.0))).unknown == ("r",)


@pytest.mark.parametrize(
    "span", [Span(0, 0), Span(2, 1), Span(-1, 2), Span(0, 4), Span(0, 1, "", "/x")]
)
def test_a_yes_with_an_impossible_match_is_unknown(span: Span) -> None:
    event = Event("input", "abc", answers={"a": Answer(True, (span,))})
    assert judge(build.rule("r", Asked("a"))).judge(event).unknown == ("r",)


def test_a_no_with_matches_is_a_no() -> None:
    event = Event("input", "abc", answers={"a": Answer(False, (Span(0, 9),))})
    outcome = judge(build.rule("r", Not(Asked("a")), REWRITE)).judge(event)
    assert (outcome.action, outcome.text, outcome.findings) == ("rewrite", "abc", ())


def test_findings_are_sorted_and_labelled() -> None:
    spans = (Span(2, 3), Span(0, 2, "card"), Span(0, 3, "iban"))
    event = Event("input", "abc", answers={"a": Answer(True, spans)})
    outcome = judge(build.rule("r", Asked("a"))).judge(event)
    assert outcome.findings == (
        Finding("r", "a", Span(0, 3, "IBAN")),
        Finding("r", "a", Span(0, 2, "CARD")),
        Finding("r", "a", Span(2, 3, "A")),
    )


def test_what_a_rule_wants_is_handed_on() -> None:
    hold = Act("hold", approvers="team", within_ms=1000, otherwise=Act("block", text="late"))
    outcome = judge(build.rule("r", Asked("a"), hold)).judge(
        Event("input", "x", answers=said(a=True))
    )
    assert outcome.text == HELD
    assert outcome.acts == (("r", hold),)
    assert outcome.approved == Settled("pass", "x")
    assert outcome.otherwise == Settled("block", "late")


def test_a_hold_from_an_error_asks_nobody_in_particular() -> None:
    rule = build.rule("r", Asked("a"), "flag", on_error="hold")
    outcome = judge(rule).judge(Event("input", "x"))
    assert outcome.acts == (("r", Act("hold", otherwise=Act("block"))),)
    assert outcome.otherwise == Settled("block", BLOCKED)


def test_a_hold_without_an_else_falls_back_to_block() -> None:
    outcome = judge(build.rule("r", Asked("a"), "hold")).judge(Event("input", answers=said(a=True)))
    assert outcome.otherwise == Settled("block", BLOCKED)


def test_forgetting_a_session_opens_it() -> None:
    found = judge(build.rule("r", Asked("a"), Act("block", for_session=True)))
    assert found.judge(Event("input", answers=said(a=True)), "s").session_closed
    assert found.judge(Event("input", answers=said(a=False)), "s").fired == ("r",)
    found.forget("s")
    assert found.judge(Event("input", answers=said(a=False)), "s").action == "pass"


def test_an_exemption_with_a_broken_date_does_nothing() -> None:
    lifted = Exemption("r", "safety", None, "me", "why", "2026-02-30")
    policy = build.policy([build.rule("r", Asked("a"))], exemptions=(lifted,))
    outcome = Reference(policy, TODAY).judge(Event("input", answers=said(a=True)))
    assert outcome.fired == ("r",)


def test_values_are_read_exactly() -> None:
    def fires(op: Any, wanted: Any, type: Any, value: object) -> bool:
        field = FieldTest("context", ("f",), op, (wanted,), type)
        event = Event("input", context={"f": value})
        return judge(build.rule("r", field, "flag", on_error="block")).judge(event).action == "flag"

    assert fires("==", 0.1, "number", 0.1)
    assert fires(">", 10**20, "number", 10**20 + 1)
    assert fires("==", 900_000, "duration", "15m")
    assert fires("==", 900_000, "duration", 900_000)
    assert not fires("==", 900_000, "duration", True)
    assert fires("<", "2026-01-01", "date", "2025-12-31")
    assert fires("<=", "10 EUR", "money", "€9.99")


def test_arguments_are_told_apart_by_their_pointers() -> None:
    arguments = {"a/b": "x1", "m~n": ["y2", {"z": "z3"}], "n": 4}
    spans = (Span(0, 2, "L", "/a~1b"), Span(1, 2, "L", "/m~0n/0"), Span(0, 1, "L", "/m~0n/1/z"))
    event = Event("tool_call", tool="t", arguments=arguments, answers={"a": Answer(True, spans)})
    outcome = judge(build.rule("r", Asked("a"), REWRITE, on=(On("tool_call"),))).judge(event)
    assert outcome.rewritten == {"/a~1b": "[L]", "/m~0n/0": "y[L]", "/m~0n/1/z": "[L]3"}
    assert outcome.text == ""


def test_rewrite_all_replaces_every_string() -> None:
    whole = Act("rewrite", text="gone", form="text", whole=True)
    event = Event("tool_call", tool="t", arguments={"x": "a", "n": 1}, answers=said(a=True))
    outcome = judge(build.rule("r", Asked("a"), whole, on=(On("tool_call"),))).judge(event)
    assert outcome.rewritten == {"/x": "gone"}


def test_a_spanless_check_gives_no_matches() -> None:
    checks = [build.check("a"), build.check("b", spans=False)]
    rule = build.rule("r", And((Asked("a"), Not(Asked("b")))), REWRITE)
    event = Event("input", "abc", answers={"a": Answer(True, (Span(0, 1),)), "b": Answer(False)})
    assert Reference(build.policy([rule], checks), TODAY).judge(event).text == "[A]bc"


def test_judging_changes_nothing_it_was_given() -> None:
    arguments = {"x": ["secret"]}
    event = Event(
        "tool_call",
        tool="t",
        arguments=arguments,
        answers={"a": Answer(True, (Span(0, 6, "L", "/x/0"),))},
    )
    judge(build.rule("r", Asked("a"), REWRITE, on=(On("tool_call"),))).judge(event)
    assert arguments == {"x": ["secret"]}


_watching = False
_touched: list[str] = []


def _watch(name: str, arguments: object) -> None:
    if _watching and name.split(".")[0] in ("open", "socket", "subprocess", "os", "import"):
        _touched.append(name)


def test_judging_touches_nothing_outside() -> None:
    global _watching
    found = judge(build.rule("r", Asked("a"), REWRITE))
    event = Event("input", "abc", answers={"a": Answer(True, (Span(0, 1),))})
    found.judge(event)
    sys.addaudithook(_watch)
    _watching = True
    try:
        found.judge(event)
    finally:
        _watching = False
    assert _touched == []
