"""The optimised plan, the naive plan and the reference agree, on random policies and answers.

5,000 pairs on every run, 1,000,000 with `-m full`. A failure names its seed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import reduce
from operator import or_
from random import Random
from typing import Any

import pytest

from guardkit.plan import (
    Node,
    Plan,
    Run,
    Settler,
    lower,
    lower_naively,
    settle,
)
from guardkit.semantics import CheckedPolicy, FieldTest
from guardkit.testing import Answer, Event, Outcome, Reference
from guardkit.testing._reference import _field, _makes_sense  # the meaning of one field or answer
from guardkit.types import Surface, Truth, strongest

from .generate import CATALOG, Happening, happening_of, policy_of, thresholds_of

TODAY = date(2026, 11, 21)
EVENTS = 5  # a policy is compiled once for so many events, which are one session

Leaves = Callable[[Node], Any]


class Session:
    """What an engine remembers, kept from the plan's tables alone."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.turn = 0
        self.fired: list[tuple[int, str]] = []
        self.firsts: list[tuple[int, str, Truth]] = []

    def count(self, name: str) -> int:
        row = next(row for row in self.plan.windows if row.name == name)
        recent = [rule for turn, rule in self.fired if turn > self.turn - row.turns]
        return sum(rule in row.counts for rule in recent)

    def was_first(self, name: str) -> Truth:
        row = self.plan.sequence(name)
        recent = [t for turn, s, t in self.firsts if s == name and turn > self.turn - row.turns]
        return reduce(or_, recent, Truth.NO)

    def end(self, run: Run, event: Event) -> None:
        """Remember the sequences that this event may begin."""
        roots = {root.name: root.node for root in self.plan.asked("first", event.surface)}
        for row in self.plan.sequences:
            is_tool = not row.first_tools or event.tool in row.first_tools
            if row.first_surface == event.surface and is_tool:
                truth = run.ask(roots[row.name]) if row.name in roots else Truth.YES
                assert isinstance(truth, Truth)
                self.firsts.append((self.turn, row.name, truth))


def leaves_of(event: Event, session: Session) -> Leaves:
    """What an engine would answer: checks by any of their names, fields, counts, first events."""

    def answer(node: Node) -> Any:
        what = node.what
        match what.op:
            case "check":
                return event.answers[what.names[0]].value
            case "field":
                test = FieldTest(what.root, what.path, what.relation, what.values, what.type)
                return _field(test, event)
            case "window":
                return session.count(what.name)
            case _:
                return session.was_first(what.name)

    return answer


def scrambled(leaves: Leaves, seed: int) -> Leaves:
    """The same leaves with any past: sessions that no short run of events would make."""
    random = Random(seed)
    past: dict[str, Any] = {}

    def answer(node: Node) -> Any:
        if node.op not in ("window", "sequence"):
            return leaves(node)
        if node.what.name not in past:
            choices = (0, 1, 2, None) if node.op == "window" else tuple(Truth)
            past[node.what.name] = random.choice(choices)
        return past[node.what.name]

    return answer


def bounds_of(plan: Plan, policy: CheckedPolicy) -> dict[int, float]:
    known = thresholds_of(policy)
    found = {}
    for node in plan.nodes:
        if node.op == "compare" and node.what.relation == "at":
            name = plan.nodes[node.inputs[0]].what.names[0]
            key = (name, node.what.measure, node.what.bound)
            if key in known:
                found[node.id] = known[key]
    return found


def event_of(happening: Happening) -> Event:
    return Event(
        happening.surface,
        "some text",
        happening.tool,
        happening.arguments,
        {name: Answer(value) for name, value in happening.answers.items()},
        happening.context,
    )


class Compiled:
    """One policy, lowered both ways."""

    def __init__(self, policy: CheckedPolicy) -> None:
        self.policy = policy
        self.naive = lower_naively(policy, CATALOG)
        self.plan = lower(policy, CATALOG)
        self.naive_bounds = bounds_of(self.naive, policy)
        self.bounds = bounds_of(self.plan, policy)
        self.settlers: dict[Surface, Settler] = {}

    def settler(self, surface: Surface) -> Settler:
        if surface not in self.settlers:
            self.settlers[surface] = Settler(self.plan, surface, self.bounds)
        return self.settlers[surface]

    def truths(self, surface: Surface, tool: str | None, leaves: Leaves) -> dict[str, Truth]:
        """The rules of one surface, four times over."""
        plain = settle(self.naive, surface, tool, leaves, self.naive_bounds)
        eager = settle(self.plan, surface, tool, leaves, self.bounds)
        settler = self.settler(surface)
        lazy = settler.settle(tool, leaves)
        silent = [
            node.id
            for node in self.plan.nodes
            if node.surface == surface
            and node.op == "check"
            and node.what.answers == "answer"
            and leaves(node) is False
        ]
        quiet = settler.assuming_no(silent).settle(tool, leaves)
        assert eager == plain
        assert lazy.truths == plain
        assert quiet.truths == plain
        assert not lazy.pending
        assert len(set(lazy.asked)) == len(lazy.asked)
        return plain


def assert_equal_to_reference(
    compiled: Compiled, reference: Reference, session: Session, event: Event
) -> None:
    plan = compiled.plan
    expected = reference.judge(event)
    session.turn += event.surface == "input"
    leaves = leaves_of(event, session)
    own = compiled.truths(event.surface, event.tool, leaves)
    standing = {name: judge(compiled, name, truth, event, leaves) for name, truth in own.items()}
    run = compiled.settler(event.surface).start(event.tool, leaves)
    session.fired += [(session.turn, name) for name, (s, _, _) in standing.items() if s == "fired"]
    later = compiled.truths("conversation", event.tool, leaves)
    standing |= {name: judge(compiled, name, truth, event, leaves) for name, truth in later.items()}
    session.end(run, event)

    def named(wanted: str) -> tuple[str, ...]:
        return tuple(row.name for row in plan.rules if standing.get(row.name, ("",))[0] == wanted)

    fired = [verbs for stands, verbs, _ in standing.values() if stands == "fired"]
    found = Outcome(
        action=strongest([verb for verbs in fired for verb in verbs]),
        text="",
        fired=named("fired"),
        exempted=named("exempted"),
        shadow=named("shadow"),
        unknown=tuple(r.name for r in plan.rules if r.name in standing and standing[r.name][2]),
    )
    for name in ("action", "fired", "exempted", "shadow", "unknown"):
        assert getattr(found, name) == getattr(expected, name), name


def judge(
    compiled: Compiled, name: str, truth: Truth, event: Event, leaves: Leaves
) -> tuple[str, tuple[str, ...], bool]:
    """(standing, verbs wanted, unknown) of a rule, from the plan's tables alone."""
    plan = compiled.plan
    row = plan.rule(name)
    rewrites = row.action.verb == "rewrite" and not row.action.whole
    blind = rewrites and any(
        not _makes_sense(event.answers[check], compiled.policy.check(check), event)
        for check in row.matches
    )
    if truth is Truth.NO:
        return "silent", (), False
    is_unknown = truth is Truth.UNKNOWN or blind
    verbs: tuple[str, ...] = (row.action.verb,) if truth is Truth.YES else ()
    if is_unknown and row.on_error != "pass":
        verbs += (row.on_error,)
    if not verbs:
        return "silent", (), is_unknown
    surface = "conversation" if row.surfaces == ("conversation",) else event.surface
    is_exempt = any(
        exemption.until >= TODAY.isoformat()
        and (exemption.always or _holds(compiled, exemption.name, surface, event.tool, leaves))
        for exemption in plan.exemptions
        if exemption.rule == name
    )
    if row.mode == "shadow":
        return "silent" if is_exempt else "shadow", verbs, is_unknown
    return "exempted" if is_exempt else "fired", verbs, is_unknown


def _holds(
    compiled: Compiled, exemption: str, surface: Surface, tool: str | None, leaves: Leaves
) -> bool:
    root = next(r for r in compiled.plan.asked("exempt", surface) if r.name == exemption)
    return compiled.settler(surface).start(tool, leaves).ask(root.node) is Truth.YES


def agree(seeds: range) -> None:
    for seed in seeds:
        policy = policy_of(seed)
        try:
            compiled = Compiled(policy)
            session = Session(compiled.plan)
            reference = Reference(policy, TODAY, thresholds=thresholds_of(policy))
            for i in range(EVENTS):
                event = event_of(happening_of(policy, seed * EVENTS + i))
                assert_equal_to_reference(compiled, reference, session, event)
                leaves = scrambled(leaves_of(event, session), seed * EVENTS + i)
                compiled.truths(event.surface, event.tool, leaves)
        except Exception as error:
            error.add_note(f"policy seed {seed}")
            raise


def test_plans_agree_with_the_reference() -> None:
    agree(range(5_000 // EVENTS))


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_plans_agree_with_the_reference_a_million_times() -> None:
    agree(range(1_000_000, 1_000_000 + 1_000_000 // EVENTS))
