"""The engine and the reference evaluator agree, on random policies, answers and matches.

5,000 pairs on every run, 1,000,000 with `-m full`. A failure names its seed.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from random import Random
from typing import Any

import pytest

from guardkit.guard import Guard
from guardkit.plan import lower
from guardkit.runtime import Event, Given, Located, Machine
from guardkit.semantics import CheckedPolicy
from guardkit.testing import Answer, Outcome, Reference, Span
from guardkit.testing import Event as Asked
from guardkit.types import Next, Verdict

from .generate import CATALOG, Happening, happening_of, policy_of, thresholds_of

TODAY = date(2026, 11, 21)
EVENTS = 5  # a policy is bound once for so many events, which are one session
TEXT = "some text with a few words"


def spans_of(random: Random, length: int, pointer: str) -> tuple[Span, ...]:
    """Some matches, now and then one that lies outside the text."""
    spans = []
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        start = random.randrange(length)
        end = start + random.choice((0, 1, 4, 4, 9)) if random.random() < 0.1 else 0
        end = end or min(length, start + random.randint(1, 6))
        label = random.choice(("", "card", "name"))
        spans.append(Span(start, end, label, pointer))
    return tuple(spans)


def asked_of(policy: CheckedPolicy, happening: Happening, seed: int) -> Asked:
    """The event for the reference, with matches for the checks that say yes."""
    random = Random(f"spans {seed}")
    is_call = happening.surface == "tool_call"
    pointer, length = ("/to", len(str(happening.arguments["to"]))) if is_call else ("", len(TEXT))
    answers: dict[str, Answer] = {}
    same: dict[str, tuple[Span, ...]] = {}
    for check in policy.checks:
        value = happening.answers[check.name]
        spans: tuple[Span, ...] = ()
        if check.spans and value is True:
            key = repr((check.kind, check.config))
            spans = same.setdefault(key, spans_of(random, length, pointer))
        answers[check.name] = Answer(value, spans)
    return Asked(
        happening.surface,
        "" if is_call else TEXT,
        happening.tool,
        happening.arguments if is_call else None,
        answers,
        happening.context,
    )


def event_of(asked: Asked) -> Event:
    """The same event for the engine."""
    given = {
        name: Given(
            answer.value,
            tuple(Located(s.start, s.end, s.label, "raw", s.pointer) for s in answer.spans),
        )
        for name, answer in asked.answers.items()
    }
    return Event(
        asked.surface,
        asked.text,
        asked.tool,
        asked.arguments,
        asked.context,
        session="s",
        given=given,
    )


def assert_equal(verdict: Verdict, outcome: Outcome, asked: Asked) -> None:
    is_call = asked.surface == "tool_call"
    assert verdict.action == outcome.action
    for name in ("fired", "exempted", "shadow", "message", "session_closed"):
        assert getattr(verdict, name) == getattr(outcome, name), name
    assert verdict.undecided == outcome.unknown
    assert set(verdict.unknown) <= set(outcome.unknown_checks)
    found = [(f.rule, f.check, f.label, f.start, f.end, f.pointer) for f in verdict.findings]
    assert found == [
        (f.rule, f.check, f.span.label, f.span.start, f.span.end, f.span.pointer)
        for f in outcome.findings
    ]
    assert_delivers(verdict, outcome, is_call, asked)
    for later, expected in (
        (verdict.approved, outcome.approved),
        (verdict.otherwise, outcome.otherwise),
    ):
        assert (later is None) == (expected is None)
        if later is not None:
            assert later.action == expected.action
            assert_delivers(later, expected, is_call, asked)


def assert_delivers(found: Verdict | Next, expected: Any, is_call: bool, asked: Asked) -> None:
    if not is_call or expected.action in ("block", "hold"):
        assert found.text == expected.text
    elif found.arguments is not None:
        wanted = expected.rewritten.get("/to", asked.arguments["to"])
        assert found.arguments["to"] == wanted


@cache
def guard_of(seed: int) -> tuple[CheckedPolicy, Guard]:
    policy = policy_of(seed)
    machine = Machine(
        file=lambda name: b"",
        thresholds=thresholds_of(policy),
        today=lambda: TODAY,
        may_lack=True,
    )
    return policy, Guard(lower(policy, CATALOG), catalog=CATALOG, machine=machine)


def agree(seeds: range) -> None:
    for seed in seeds:
        policy, guard = guard_of(seed)
        reference = Reference(policy, TODAY, thresholds=thresholds_of(policy))
        for i in range(EVENTS):
            number = seed * EVENTS + i
            asked = asked_of(policy, happening_of(policy, number), number)
            try:
                assert_equal(guard.judge(event_of(asked)), reference.judge(asked, "s"), asked)
            except Exception as error:
                error.add_note(f"policy seed {seed}, event {number}")
                raise
        guard_of.cache_clear()


def test_the_engine_agrees_with_the_reference() -> None:
    agree(range(5_000 // EVENTS))


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_the_engine_agrees_with_the_reference_a_million_times() -> None:
    agree(range(1_000_000, 1_000_000 + 1_000_000 // EVENTS))
