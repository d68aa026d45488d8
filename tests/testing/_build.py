"""Checked policies put together by hand, and random ones from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from guardkit.diagnostics import Place, Source
from guardkit.diagnostics import Span as SourceSpan
from guardkit.semantics import (
    Act,
    And,
    Asked,
    AtLeast,
    CascadeCond,
    CascadeStep,
    Check,
    CheckedPolicy,
    Compared,
    Cond,
    Context,
    Defaults,
    Exemption,
    FieldTest,
    Model,
    Not,
    On,
    Or,
    Rule,
    Sequence,
    SequenceEvent,
    SequenceSeen,
    Tier,
    Window,
    WindowCount,
)
from guardkit.testing import Answer, Event, Span
from guardkit.types import ACTIONS, SEVERITIES, Severity, Surface

NOWHERE = Place(Source("built.guard", ""), SourceSpan(0, 0))
TIERS = (
    Tier("safety", ACTIONS[1:], "block"),
    Tier("ethics", ACTIONS[1:], "hold"),
    Tier("guidelines", ACTIONS[1:], "flag"),
    Tier("helpfulness", ("flag",), "pass"),
)
YES_NO = ("a", "b", "c")
SCORES = ("s", "t")
TEXT = "0123456789"


def check(name: str, answers: str = "answer", **more: Any) -> Check:
    values: dict[str, Any] = {
        "kind": "pattern",
        "spans": answers == "answer",
        "label": name.upper(),
        "labels": (),
        "config": (("match", name),),
        "place": NOWHERE,
    }
    return Check(name=name, answers=answers, **{**values, **more})  # type: ignore[arg-type]  # a word of `Answers`


CHECKS = (*(check(name) for name in YES_NO), *(check(name, "score") for name in SCORES))


def rule(name: str, condition: Cond, action: Act | str = "block", **more: Any) -> Rule:
    values: dict[str, Any] = {
        "tier": "safety",
        "severity": "medium",
        "on": (On("input"),),
        "on_error": "block",
    }
    act = Act(action) if isinstance(action, str) else action  # type: ignore[arg-type]  # a verb
    return Rule(name=name, condition=condition, action=act, **{**values, **more})


def policy(rules: Iterable[Rule], checks: Iterable[Check] = CHECKS, **more: Any) -> CheckedPolicy:
    values: dict[str, Any] = {
        "tiers": TIERS,
        "windows": (),
        "sequences": (),
        "exemptions": (),
    }
    return CheckedPolicy(
        name="built",
        kind="policy",
        title="",
        owner="",
        version="",
        defaults=Defaults(),
        params=(),
        checks=tuple(checks),
        rules=tuple(rules),
        principles=(),
        context=Context(),
        model=Model(),
        tools=(),
        tests=(),
        probes=(),
        monitors=(),
        **{**values, **more},
    )


# --- random ones


def random_condition(rng: random.Random, depth: int = 3, sequences: bool = False) -> Cond:
    kinds = ["asked", "asked", "asked", "compared", "field", *(["sequence"] if sequences else [])]
    if depth:
        kinds += ["and", "or", "not", "quorum", "cascade"]
    match rng.choice(kinds):
        case "asked":
            return Asked(rng.choice(YES_NO))
        case "compared":
            return Compared(rng.choice(SCORES), rng.choice((">=", "<")), rng.choice((0.3, 0.7)))
        case "field":
            op = rng.choice(("==", "!=", "in", "not in"))
            return FieldTest("context", ("f",), op, ("x",), "text")  # type: ignore[arg-type]  # a FieldOp
        case "sequence":
            return SequenceSeen("flow")
        case "not":
            return Not(random_condition(rng, depth - 1, sequences))
        case "cascade":
            steps = [
                CascadeStep(rng.random() < 0.6, random_condition(rng, depth - 1, sequences))
                for _ in range(rng.randint(1, 3))
            ]
            return CascadeCond(tuple(steps), rng.random() < 0.3)
        case kind:
            members = [
                random_condition(rng, depth - 1, sequences) for _ in range(rng.randint(2, 3))
            ]
            if kind == "quorum":
                return AtLeast(rng.randint(1, len(members)), tuple(members))
            return And(tuple(members)) if kind == "and" else Or(tuple(members))


def random_fallback(rng: random.Random) -> Act:
    return rng.choice(
        [
            Act("block", text="else {label}"),
            Act("flag"),
            Act("pass"),
            Act("rewrite", text="<{label}>", form="text"),
            Act("rewrite", text="gone", form="text", whole=True),
        ]
    )


def random_act(rng: random.Random, *, closes: bool = True) -> Act:
    match rng.choice(("block", "hold", "revise", "text", "mask", "token", "whole", "flag")):
        case "block":
            is_closing = closes and rng.random() < 0.1
            text = rng.choice((None, "no", "no {label} by {rule}"))
            return Act("block", text=text, for_session=is_closing)
        case "hold":
            waits = random_fallback(rng)
            return Act("hold", approvers="team", within_ms=60_000, otherwise=waits)
        case "revise":
            return Act("revise", principle="kind", rounds=2, otherwise=random_fallback(rng))
        case "text":
            return Act("rewrite", text="[{label}]", form="text")
        case "mask":
            return Act("rewrite", form="mask", keep=rng.randint(0, 3))
        case "token":
            return Act("rewrite", form=rng.choice(("hash", "pseudonym")))
        case "whole":
            return Act("rewrite", text="all of {label}", form="text", whole=True)
        case _:
            return Act("flag")


def random_rule(rng: random.Random, name: str, *, closes: bool = True) -> Rule:
    surfaces: list[Surface] = rng.sample(["input", "output", "retrieved"], rng.randint(1, 3))  # type: ignore[arg-type]  # surfaces
    severity: Severity = rng.choice(SEVERITIES)
    tier = rng.choice(TIERS[:3])
    return rule(
        name,
        random_condition(rng, sequences=True),
        random_act(rng, closes=closes),
        tier=tier.name,
        severity=severity,
        on=tuple(On(surface) for surface in sorted(surfaces)),
        on_error=rng.choice(("block", "hold", "flag", tier.on_error)),
        mode=rng.choices(("enforce", "shadow", "retired"), (8, 1, 1))[0],
    )


def random_policy(rng: random.Random, *, closes: bool = True) -> CheckedPolicy:
    rules = [random_rule(rng, f"r{i}", closes=closes) for i in range(rng.randint(1, 5))]
    counted = tuple(sorted(r.name for r in rng.sample(rules, rng.randint(1, len(rules)))))
    window = Window("often", counted, rng.randint(1, 3))
    flow = Sequence(
        "flow",
        SequenceEvent(On("retrieved"), rng.choice((None, random_condition(rng, 1)))),
        SequenceEvent(On(rng.choice(("input", "output"))), None),  # type: ignore[arg-type]  # surfaces
        rng.randint(1, 3),
    )
    if rng.random() < 0.5:
        count = WindowCount("often", rng.choice((">=", "<", "==")), rng.randint(1, 3))
        act = Act("block", text="over", for_session=closes and rng.random() < 0.3)
        rules.append(rule("talk", count, rng.choice((act, Act("flag"))), on=(On("conversation"),)))
    exemptions = [
        Exemption(
            rng.choice(rules).name,
            "safety",
            rng.choice((None, FieldTest("context", ("drill",), "==", (True,), "answer"))),
            "me",
            "why",
            rng.choice(("2026-05-31", "2026-06-01")),
        )
        for _ in range(rng.randint(0, 2))
    ]
    return policy(rules, windows=(window,), sequences=(flow,), exemptions=tuple(exemptions))


def random_answer(rng: random.Random, name: str) -> Answer:
    if name in SCORES:
        return Answer(rng.choice((0.0, 0.3, 0.5, 0.7, 1.0, None)))
    value = rng.choice((True, True, False, None))
    spans = []
    for _ in range(rng.randint(0, 2) if value else 0):
        start = rng.randrange(len(TEXT))
        spans.append(Span(start, rng.randint(start + 1, len(TEXT)), rng.choice(("", "card"))))
    return Answer(value, tuple(spans))


def random_event(rng: random.Random) -> Event:
    context: dict[str, object] = {}
    if rng.random() < 0.6:
        context["f"] = rng.choice(("x", "y", 1, None, ["x"], ["x", "y"], []))
    if rng.random() < 0.3:
        context["drill"] = rng.choice((True, False, "yes"))
    return Event(
        surface=rng.choice(("input", "output", "retrieved")),
        text=TEXT,
        answers={name: random_answer(rng, name) for name in (*YES_NO, *SCORES)},
        context=context,
    )


def random_unknowns(rng: random.Random, event: Event) -> Event:
    """The same event with some answers lost."""
    lost = rng.sample(sorted(event.answers), rng.randint(1, len(event.answers)))
    return replace(event, answers={n: a for n, a in event.answers.items() if n not in lost})
