"""Random checked policies, and random answers to what they ask. One seed, one case.

The policies are small and dense: few checks asked often, thresholds that tie with scores, every
form of condition, every kind of unknown. What semantics would refuse (a window off the
conversation, a sequence on it) is not made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from guardkit.catalog import Catalog, CheckSpec, Cost, PropertySpec
from guardkit.diagnostics import Place, Source, Span
from guardkit.semantics import (
    Act,
    And,
    Asked,
    AtLeast,
    Budget,
    CascadeCond,
    CascadeStep,
    Check,
    CheckedPolicy,
    Compared,
    ComparedAtRate,
    Cond,
    Context,
    Defaults,
    Exemption,
    FieldTest,
    Labelled,
    Model,
    Monitor,
    Not,
    On,
    Or,
    Rule,
    Sequence,
    SequenceEvent,
    SequenceSeen,
    Tier,
    Tool,
    Window,
    WindowCount,
)
from guardkit.types import SEVERITIES, Surface

PLACE = Place(Source("generated.guard", "generated"), Span(0, 9))
TEXTS: tuple[Surface, ...] = ("input", "retrieved", "tool_call", "tool_result", "output")
TOOLS = ("mail.send", "web.fetch", "web.post")
BOUNDS = (0.0, 0.25, 0.5, 0.75, 1.0)
SCORES: tuple[Any, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 0.4999999, 1, 0)
NONSENSE: tuple[Any, ...] = (None, float("nan"), float("inf"), -0.1, 1.5, True, "0.7")
LABELS = ("none", "full", "partial")
CHANNELS = ("app", "web", "branch")

CATALOG = Catalog.of(
    (
        CheckSpec("pattern", "a", "answer", Cost(1.5, 11, 0.5, "scan"), spans=True, yes_rate=0.01),
        CheckSpec("words", "a", "answer", Cost(2.0, 9, 0.5, "scan"), spans=True, yes_rate=0.02),
        CheckSpec(
            "similarity",
            "s",
            "score",
            Cost(0, 100, 5, "static"),
            reach="window",
            costs=(("encoder", "mini", Cost(2000, 6000, 5, "mini")),),
            properties=(PropertySpec("encoder", "word", "which", choices=("static", "mini")),),
        ),
        CheckSpec(
            "classifier",
            "s",
            "score",
            Cost(2000, 6000, 20, "mini"),
            reach="window",
            properties=(PropertySpec("model", "model", "which"),),
            costs=(("model", "*", Cost(2000, 6000)),),
        ),
        CheckSpec("kind", "l", "label", Cost(2000, 6000, 20, "mini"), reach="window"),
        CheckSpec("length", "n", "number", Cost(0.5, 5), reach="whole"),
        CheckSpec(
            "judge",
            "j",
            "score",
            Cost(500_000, 0),
            reach="whole",
            needs_gate=True,
            is_deterministic=False,
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, in the words of neither evaluator."""

    surface: Surface
    tool: str | None
    arguments: Mapping[str, object]
    context: Mapping[str, object]
    answers: Mapping[str, Any]
    """Per check: True or False, a number, a label, or None; equal checks answer alike."""


def policy_of(seed: int) -> CheckedPolicy:
    """The random policy of a seed."""
    return _Maker(Random(f"policy {seed}")).policy()


def happening_of(policy: CheckedPolicy, seed: int) -> Happening:
    """A random event for a policy."""
    random = Random(f"event {seed}")
    surface = random.choice(TEXTS)
    is_tool = surface in ("tool_call", "tool_result")
    context: dict[str, object] = {}
    if random.random() < 0.6:
        context["channel"] = random.choice(CHANNELS)
    if random.random() < 0.6:
        context["age"] = random.choice((17, 18, 19.5, "old"))
    same: dict[tuple[str, str], Any] = {}
    mute = random.choice((0.0, 0.1, 0.5))
    for check in policy.checks:
        key = (check.kind, repr(check.config))
        if key not in same:
            same[key] = _answer(check, random, mute)
    return Happening(
        surface=surface,
        tool=random.choice((*TOOLS, "other")) if is_tool else None,
        arguments={"to": random.choice(("a@in.example", "b@out.example", "no address"))},
        context=context,
        answers={c.name: same[c.kind, repr(c.config)] for c in policy.checks},
    )


def _answer(check: Check, random: Random, mute: float) -> Any:
    if random.random() < mute:
        return random.choice(NONSENSE) if random.random() < 0.5 else None
    match check.answers:
        case "answer":
            return random.random() < 0.5
        case "score":
            return random.choice(SCORES)
        case "number":
            return random.choice((0, 10, 10.0, 11, 4000))
        case _:
            return random.choice((*LABELS, "strange"))


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.checks: list[Check] = []
        self.windows: list[Window] = []
        self.sequences: list[Sequence] = []
        self.pool: list[Cond] = []
        """Conditions used before: repeated with their own nodes, so that sharing is tested."""

    def some(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def policy(self) -> CheckedPolicy:
        random = self.random
        self.checks = [self.check(i) for i in range(self.some(2, 9))]
        tiers = (
            Tier("safety", ("block", "hold", "rewrite", "flag"), "block"),
            Tier("ethics", ("block", "hold", "rewrite", "flag"), "hold"),
            Tier("guidelines", ("revise", "flag", "rewrite", "block"), "flag"),
            Tier("helpfulness", ("flag",), "pass"),
        )
        count = self.some(1, 7)
        names = [f"rule_{i}" for i in range(count)]
        self.sequences = [self.sequence(i) for i in range(self.some(0, 2))]
        rules = [self.rule(name, tiers) for name in names]
        self.windows = [
            Window(
                f"window_{i}",
                tuple(sorted(random.sample(names, self.some(1, count)))),
                self.some(1, 5),
            )
            for i in range(self.some(0, 2))
        ]
        if self.windows and random.random() < 0.7:
            rules.append(self.conversation_rule("ending"))
        exemptions = [self.exemption(random.choice(names)) for _ in range(self.some(0, 2))]
        monitors = [self.monitor(i) for i in range(self.some(0, 1))]
        return CheckedPolicy(
            name="generated",
            kind="policy",
            title="",
            owner="",
            version="",
            tiers=tiers,
            defaults=Defaults(budgets=(Budget("input", 25, False),)),
            params=(),
            checks=tuple(self.checks),
            rules=tuple(rules),
            principles=(),
            context=Context(),
            model=Model(),
            tools=tuple(Tool(tool, ((("to",), "email"),)) for tool in TOOLS),
            windows=tuple(self.windows),
            sequences=tuple(self.sequences),
            exemptions=tuple(exemptions),
            tests=(),
            probes=(),
            monitors=tuple(monitors),
        )

    # --- declarations

    def check(self, i: int) -> Check:
        random = self.random
        kind = random.choice(
            ("pattern", "pattern", "words", "similarity", "classifier", "kind", "length", "judge")
        )
        spec = CATALOG.specs[kind]
        config: dict[str, Any] = {"which": random.choice(("a", "a", "b"))}
        if spec.spans:
            config["width"] = random.choice((8, 40, 5000, -1))
            if random.random() < 0.3:
                config["views"] = random.choice((("raw",), ("cleaned", "folded"), ("all",)))
        if kind == "similarity" and random.random() < 0.3:
            config["encoder"] = "mini"
        if kind == "classifier" and random.random() < 0.3:
            config["model"] = random.choice(("models/own", "models/other"))
        if kind == "judge":
            config["timeout"] = random.choice((500, 2000))
        labels = LABELS if spec.answers == "label" else ()
        name = f"{random.choice(('std', 'own', 'm'))}.check_{i}"
        settings = tuple(sorted(config.items()))
        return Check(name, kind, spec.answers, spec.spans, "LABEL", labels, settings, PLACE)

    def rule(self, name: str, tiers: tuple[Tier, ...]) -> Rule:
        random = self.random
        tier = random.choice(tiers)
        on = []
        for surface in random.sample(TEXTS, self.some(1, 3)):
            is_tool = surface in ("tool_call", "tool_result")
            tools = random.sample(TOOLS, self.some(1, 2)) if random.random() < 0.5 else []
            on.append(On(surface, tuple(sorted(tools)) if is_tool else ()))
            if is_tool and random.random() < 0.3:
                on.append(On(surface, (random.choice(TOOLS),)))
        return Rule(
            name=name,
            tier=tier.name,
            severity=random.choice(SEVERITIES),
            on=tuple(on),
            condition=self.condition(self.some(0, 4)),
            action=self.act(random.choice(tier.may)),
            on_error=random.choice(("block", "hold", "flag", "pass")),
            mode=random.choice(("enforce",) * 6 + ("shadow", "retired")),
        )

    def conversation_rule(self, name: str) -> Rule:
        random = self.random
        window = random.choice(self.windows)
        count: Cond = WindowCount(
            window.name, random.choice((">=", ">", "<", "==")), self.some(0, 2)
        )
        if random.random() < 0.4:
            count = And((count, self.field("context")))
        return Rule(
            name, "safety", "high", (On("conversation"),), count, Act("block", "Over."), "block"
        )

    def act(self, verb: str) -> Act:
        match verb:
            case "block":
                return Act("block", self.random.choice(("No.", None)))
            case "rewrite":
                return Act("rewrite", "[{label}]", "text", whole=self.random.random() < 0.3)
            case "revise":
                return Act("revise", principle="p", rounds=1, otherwise=Act("block"))
            case "hold":
                return Act("hold", approvers="us", within_ms=1000, otherwise=Act("block"))
            case _:
                return Act("flag")

    def sequence(self, i: int) -> Sequence:
        def event(surface: Surface) -> SequenceEvent:
            tools = self.random.sample(TOOLS, self.some(0, 2))
            where = self.condition(1) if self.random.random() < 0.6 else None
            return SequenceEvent(On(surface, tuple(sorted(tools))), where)

        first, then = event("tool_result"), event("tool_call")
        return Sequence(f"sequence_{i}", first, then, self.some(1, 5))

    def exemption(self, rule: str) -> Exemption:
        random = self.random
        condition = random.choice((None, self.field("context"), self.condition(1)))
        until = random.choice(("2020-01-31", "2030-01-31"))
        return Exemption(rule, "safety", condition, "me", f"r{self.some(0, 99)}", until)

    def monitor(self, i: int) -> Monitor:
        return Monitor(
            f"monitor_{i}", self.condition(2), None, self.random.choice(TEXTS), "above", 0.5, 1000
        )

    # --- conditions

    def condition(self, depth: int) -> Cond:
        random = self.random
        if self.pool and random.random() < 0.15:
            return random.choice(self.pool)
        made = self.atom() if depth == 0 or random.random() < 0.15 else self.compound(depth - 1)
        self.pool.append(made)
        return made

    def compound(self, depth: int) -> Cond:
        random = self.random

        def members(least: int = 2) -> tuple[Cond, ...]:
            made = [self.condition(depth) for _ in range(self.some(least, 4))]
            if random.random() < 0.2:
                made.append(random.choice(made))
            return tuple(made)

        match random.randrange(7):
            case 0 | 1:
                return And(members())
            case 2:
                return Or(members())
            case 3:
                return Not(self.condition(depth))
            case 4:
                chosen = members(1)
                quorum = AtLeast(self.some(1, len(chosen)), chosen)
                return Not(quorum) if random.random() < 0.2 else quorum
            case _:
                steps = [
                    CascadeStep(random.random() < 0.5, self.condition(depth))
                    for _ in range(self.some(1, 4))
                ]
                return CascadeCond(tuple(steps), random.random() < 0.3)

    def atom(self) -> Cond:
        random = self.random
        choice = random.random()
        if choice < 0.12:
            return self.field(random.choice(("context", "call")))
        if choice < 0.18 and self.sequences:
            return SequenceSeen(random.choice(self.sequences).name)
        check = random.choice(self.checks)
        match check.answers:
            case "answer":
                return Asked(check.name)
            case "label":
                some = random.sample(LABELS, self.some(1, 2))
                return Labelled(check.name, tuple(some))
            case "number":
                return Compared(check.name, random.choice((">=", ">", "<=", "<")), 10.0)
            case _:
                if random.random() < 0.15:
                    return ComparedAtRate(check.name, "fpr", random.choice((0.01, 0.05)))
                relation = random.choice((">=", ">", "<=", "<", "=="))
                return Compared(check.name, relation, random.choice(BOUNDS))

    def field(self, root: str) -> FieldTest:
        random = self.random
        if root == "call":
            hosts = ("in.example", "*.in.example")
            return FieldTest(
                "call", ("to", "domain"), random.choice(("in", "not in")), hosts, "domain"
            )
        if random.random() < 0.5:
            relation = random.choice((">=", "<", "=="))
            return FieldTest("context", ("age",), relation, (18.0,), "number")
        relation = random.choice(("==", "!=", "in", "not in"))
        wanted = random.sample(CHANNELS, 1 if relation in ("==", "!=") else 2)
        return FieldTest("context", ("channel",), relation, tuple(sorted(wanted)), "text")


def thresholds_of(policy: CheckedPolicy) -> dict[tuple[str, str, float], float]:
    """A calibration for some of the rates; the rest stays unknown."""
    found = {}
    for check in policy.checks:
        for rate in (0.01, 0.05):
            # Equal checks have equal calibrations.
            key = json.dumps([check.kind, repr(check.config), rate])
            choice = Random(key).randrange(4)
            if choice:
                found[check.name, "fpr", rate] = (0.25, 0.5, 0.75)[choice - 1]
    return found


__all__ = ["CATALOG", "Happening", "happening_of", "policy_of", "thresholds_of"]
