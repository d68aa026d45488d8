"""What rules and surfaces cost by the compiler's estimate: the figures of `guardkit cost`."""

from __future__ import annotations

from typing import NamedTuple

from guardkit.plan import Check, Plan, Rule, cost_table, costs_of, spell_us


class Price(NamedTuple):
    """What something costs on one surface for a text of 1 KB, in microseconds."""

    surface: str
    worst_us: float
    expected_us: float
    budget_ms: int | None = None

    @property
    def said(self) -> str:
        """`output: at worst 1.2 ms, usually 80 µs`."""
        worst, usual = spell_us(self.worst_us), spell_us(self.expected_us)
        text = f"{self.surface}: at worst {worst}, usually {usual}"
        return text if self.budget_ms is None else f"{text}, of {self.budget_ms} ms"


def surface_prices(plan: Plan) -> tuple[Price, ...]:
    """What one event costs on each surface that rules judge."""
    found = []
    for cost in costs_of(plan, 1.0).surfaces:
        budget = plan.limits.budget(cost.surface)
        limit = None if budget is None or budget.per_chunk else budget.ms
        found.append(Price(cost.surface, cost.worst_us, cost.expected_us, limit))
    return tuple(found)


def rule_prices(plan: Plan) -> dict[str, tuple[Price, ...]]:
    """What each rule would cost alone: everything it waits for, what it shares with others too."""
    by_node = {cost.node: cost for cost in plan.costs.nodes}
    found: dict[str, list[Price]] = {}
    for node in plan.nodes:
        if not isinstance(node.what, Rule):
            continue
        wanted, waiting = {node.id}, [node.id]
        while waiting:
            for one in plan.nodes[waiting.pop()].inputs:
                if one not in wanted:
                    wanted.add(one)
                    waiting.append(one)
        costs = [by_node[one] for one in wanted if one in by_node]
        worst = sum(cost.worst_us for cost in costs)
        usual = sum(cost.expected_us for cost in costs)
        found.setdefault(node.what.name, []).append(Price(node.surface, worst, usual))
    return {name: tuple(prices) for name, prices in found.items()}


def check_prices(plan: Plan, name: str) -> tuple[Price, ...]:
    """What a check costs on each surface that asks it, beside what it shares with others."""
    by_node = {cost.node: cost for cost in plan.costs.nodes}
    return tuple(
        Price(node.surface, by_node[node.id].worst_us, by_node[node.id].expected_us)
        for node in plan.nodes
        if isinstance(node.what, Check) and name in node.what.names and node.id in by_node
    )


def table(plan: Plan) -> str:
    """What `guardkit cost` prints."""
    return cost_table(plan)
