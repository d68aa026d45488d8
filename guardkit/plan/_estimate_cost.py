"""Worst and expected cost of every node and surface, and what the dearest rule waits for."""

from __future__ import annotations

from dataclasses import replace

from guardkit.types import Surface

from ._nodes import Check, Node, Pass, Rule, Scan
from ._plan import Costs, NodeCost, Plan, Step, SurfaceCost
from ._prices import chances, open_rates, usual_us, worst_us

_SHOWN = 0.01
"""A step of a critical path is left out when it is less than this part of it."""


def estimate_cost(plan: Plan) -> Plan:
    """The plan with its costs for a text of one kilobyte."""
    return replace(plan, costs=costs_of(plan, 1.0))


def costs_of(plan: Plan, kilobytes: float) -> Costs:
    """What the plan costs for a text of this size, in microseconds on one core.

    Worst is everything that can run on a surface, whatever the tool. Expected goes through the
    gates: members later in a condition run as often as the earlier ones leave it open.
    """
    rates = run_rates(plan)
    worst = [worst_us(node.what, kilobytes) for node in plan.nodes]
    nodes = tuple(
        NodeCost(
            node.id, worst[node.id], usual_us(node.what, kilobytes) * rates[node.id], rates[node.id]
        )
        for node in plan.nodes
        if worst[node.id] or node.op == "check"
    )
    by_surface: dict[Surface, list[NodeCost]] = {}
    for cost in nodes:
        by_surface.setdefault(plan.nodes[cost.node].surface, []).append(cost)
    surfaces = []
    for surface in dict.fromkeys(node.surface for node in plan.nodes):
        priced = by_surface.get(surface, [])
        rule, path = _critical(plan, surface, worst)
        surfaces.append(
            SurfaceCost(
                surface,
                sum((cost.worst_us for cost in priced), 0.0),
                sum((cost.expected_us for cost in priced), 0.0),
                rule,
                path,
            )
        )
    return Costs(kilobytes, nodes, tuple(surfaces))


def run_rates(plan: Plan) -> list[float]:
    """Per node, how often an event on its surface makes it run."""
    chance = chances(plan.nodes)
    spared = [1.0] * len(plan.nodes)  # the chance that nobody asks
    for root in plan.roots:
        asked = 0.0 if root.role == "exempt" else 1.0
        spared[root.node] *= 1.0 - asked
    for root in plan.roots:
        if root.role == "exempt":
            spared[root.node] *= 1.0 - _fires(plan, root.name, root.surface, chance)
    for node in reversed(plan.nodes):
        rate = 1.0 - spared[node.id]
        if not rate:
            continue
        opened = (
            open_rates(node.what, [chance[i] for i in node.inputs])
            if node.op in ("and", "or", "at_least")
            else [1.0] * len(node.inputs)
        )
        for i, share in zip(node.inputs, opened, strict=True):
            spared[i] *= 1.0 - rate * share
    return [1.0 - chance for chance in spared]


def _fires(plan: Plan, exemption: str, surface: Surface, chance: list[float]) -> float:
    """How often the rule of an exemption fires on a surface."""
    rule = next(row.rule for row in plan.exemptions if row.name == exemption)
    join = plan.join(surface)
    for i in join.inputs if join else ():
        what = plan.nodes[i].what
        if isinstance(what, Rule) and what.name == rule:
            return chance[i]
    return 0.0


def _critical(plan: Plan, surface: Surface, worst: list[float]) -> tuple[str, tuple[Step, ...]]:
    """What may wait longest, mostly a rule, and for what: cheapest first as gates have it."""
    asking: list[tuple[str, int]] = []
    for root in plan.roots:
        if root.surface != surface:
            continue
        for i in plan.nodes[root.node].inputs if root.role == "join" else (root.node,):
            what = plan.nodes[i].what
            asking.append((what.name if isinstance(what, Rule) else root.name, i))
    dearest: tuple[float, str, list[Node]] = (0.0, "", [])
    for name, i in asking:
        below = [node for node in _below(plan, i) if worst[node.id]]
        total = sum(worst[node.id] for node in below)
        if total > dearest[0]:
            dearest = (total, name, below)
    total, name, below = dearest
    steps = [
        Step(_named(node), worst[node.id]) for node in below if worst[node.id] >= total * _SHOWN
    ]
    return name, tuple(sorted(steps, key=lambda step: (step.us, step.name)))


def _below(plan: Plan, start: int) -> list[Node]:
    seen = {start}
    stack = [start]
    while stack:
        for i in plan.nodes[stack.pop()].inputs:
            if i not in seen:
                seen.add(i)
                stack.append(i)
    return [plan.nodes[i] for i in sorted(seen)]


def _named(node: Node) -> str:
    what = node.what
    if isinstance(what, Check):
        return f"{what.kind} {what.names[0]}"
    if isinstance(what, Pass):
        return f"pass {what.encoder}"
    if isinstance(what, Scan):
        return "scan"
    return what.op


def price_of(plan: Plan, check: Node, kilobytes: float) -> float:
    """One check at worst, with the scan or pass it reads, as if nothing shared it."""
    group = plan.nodes[check.inputs[0]]
    return worst_us(check.what, kilobytes) + worst_us(group.what, kilobytes)
