"""Plans that ask less: one rule by itself, or a few checks by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from guardkit.plan import (
    Check,
    Compare,
    Join,
    Node,
    Or,
    Pass,
    Plan,
    Root,
    Rule,
    RuleRow,
    Scan,
    Window,
)
from guardkit.plan import (
    Sequence as SequenceNode,
)
from guardkit.semantics import Act, Model
from guardkit.types import Surface

DEAR_US: Final = 500.0
"""From here on, for a kilobyte, a check is dear."""


class Asked(NamedTuple):
    """A check of a surface."""

    node: int
    name: str
    kind: str
    is_scanned: bool
    """Whether the one scan of the surface answers it."""
    encoder: str
    """The model that reads the text for it; empty without one."""
    is_dear: bool
    """Whether it costs half a millisecond and more, or calls out."""


def checks_of(plan: Plan, surface: Surface) -> tuple[Asked, ...]:
    """The checks of a surface, in the order of the plan."""
    return tuple(
        _asked(plan, node, node.what)
        for node in plan.nodes
        if node.surface == surface and isinstance(node.what, Check)
    )


def _asked(plan: Plan, node: Node, what: Check) -> Asked:
    reads = plan.nodes[node.inputs[0]].what
    cost = what.fixed_us + what.per_kb_us
    encoder = ""
    if isinstance(reads, Pass):
        cost += reads.fixed_us + reads.per_kb_us
        encoder = reads.encoder
    is_dear = cost >= DEAR_US or what.needs_gate or what.timeout_us > 0
    is_scanned = isinstance(reads, Scan)
    return Asked(node.id, what.names[0], what.kind, is_scanned, encoder, is_dear)


def rules_of(plan: Plan, surface: Surface) -> tuple[str, ...]:
    """The rules of a surface that need no session to be asked."""
    return tuple(
        what.name
        for node in _rule_nodes(plan, surface)
        if isinstance(what := node.what, Rule)
        and not any(
            isinstance(plan.nodes[i].what, Window | SequenceNode) for i in _below(plan, [node.id])
        )
    )


def _rule_nodes(plan: Plan, surface: Surface) -> list[Node]:
    join = plan.join(surface)
    return [plan.nodes[i] for i in join.inputs] if join is not None else []


def only_rule(plan: Plan, surface: Surface, name: str) -> Plan:
    """The plan with one rule on one surface, and without whatever only others need."""
    (node,) = [n for n in _rule_nodes(plan, surface) if getattr(n.what, "name", "") == name]
    row = replace(plan.rule(name), surfaces=(surface,))
    kept = sorted(_below(plan, [node.id]))
    made = [plan.nodes[i] for i in kept]
    return _made(plan, surface, made, [node.id], row)


def only_checks(plan: Plan, surface: Surface, checks: Sequence[Asked]) -> Plan:
    """The plan with a rule of its own that asks some checks of a surface, and flags."""
    kept = sorted(_below(plan, [check.node for check in checks]))
    made = [plan.nodes[i] for i in kept]
    fresh = len(plan.nodes)
    asked: list[int] = []
    for check in checks:
        what = plan.nodes[check.node].what
        assert isinstance(what, Check)
        if what.answers == "answer":
            asked.append(check.node)
            continue
        compare = (
            Compare("in", labels=what.labels[:1] or ("none",))
            if what.answers == "label"
            else Compare(">=", 1.0)
        )
        made.append(Node(fresh, surface, (check.node,), compare))
        asked.append(fresh)
        fresh += 1
    if len(asked) > 1:
        made.append(Node(fresh, surface, tuple(asked), Or()))
        asked = [fresh]
        fresh += 1
    made.append(Node(fresh, surface, tuple(asked), Rule("alone")))
    tier = plan.tiers[-1].name
    names = tuple(check.name for check in checks)
    row = RuleRow(
        "alone", tier, "info", (surface,), Act("flag"), "flag", "enforce", (), names, names
    )
    return _made(plan, surface, made, [fresh], row)


def _made(
    plan: Plan, surface: Surface, nodes: Sequence[Node], inputs: Sequence[int], row: RuleRow
) -> Plan:
    """A plan of these nodes and this rule; the nodes get new numbers."""
    place = {node.id: at for at, node in enumerate(nodes)}
    numbered = [
        Node(place[node.id], surface, tuple(place[i] for i in node.inputs), node.what)
        for node in nodes
    ]
    join = Node(len(numbered), surface, tuple(place[i] for i in inputs), Join())
    names = {name for node in nodes if isinstance(node.what, Check) for name in node.what.names}
    names.update(row.asks, row.speaks, row.matches)
    return replace(
        plan,
        checks=tuple(check for check in plan.checks if check.name in names),
        rules=(row,),
        prose=(),
        model=Model(),  # whose topics would be asked besides
        windows=(),
        sequences=(),
        exemptions=(),
        monitors=(),
        nodes=(*numbered, join),
        roots=(Root("join", "", surface, join.id),),
    )


def _below(plan: Plan, starts: Iterable[int]) -> set[int]:
    seen = set(starts)
    stack = list(seen)
    while stack:
        for i in plan.nodes[stack.pop()].inputs:
            if i not in seen:
                seen.add(i)
                stack.append(i)
    return seen
