"""Members of `and`, `or` and quorums stand in the order that settles most for least."""

from __future__ import annotations

from typing import Any

from ._graph import renumber, structural_keys
from ._nodes import Check, Node
from ._plan import Plan
from ._prices import DEAR_US, chances, open_rates, usual_us

KILOBYTES = 1.0
"""The text that orders are made for."""

_LEAST = 0.001
"""No member is taken to decide less often than this."""

_ORDERED = frozenset({"and", "or", "at_least"})


def order_by_cost(plan: Plan) -> Plan:
    """Cheap members first; within cheap and within dear, by cost ÷ how often they decide.

    Dear members go last whatever they decide: the rates are estimates, and a gate that is wrong
    costs microseconds where a dear check asked for nothing costs milliseconds. Ties fall by
    structure, so written order never shows.
    """
    chance = chances(plan.nodes)
    keys = structural_keys(plan.nodes)
    cost: list[float] = []  # what asking a node costs, on average and with nothing shared
    dear: list[bool] = []
    nodes: list[Node] = []
    for node in plan.nodes:
        op = node.op
        if op in _ORDERED:
            inputs = tuple(
                sorted(
                    node.inputs,
                    key=lambda i, op=op: _rank(op, i, cost, dear, chance, keys),  # type: ignore[misc]  # the default binds the loop's value
                )
            )
            rates = open_rates(node.what, [chance[i] for i in inputs])
            cost.append(sum(cost[i] * rate for i, rate in zip(inputs, rates, strict=True)))
            dear.append(any(dear[i] for i in inputs))
            nodes.append(Node(node.id, node.surface, inputs, node.what))
            continue
        own = usual_us(node.what, KILOBYTES)
        cost.append(own + sum(cost[i] for i in node.inputs))
        what = node.what
        is_dear = isinstance(what, Check) and (cost[-1] >= DEAR_US or what.needs_gate)
        dear.append(is_dear or any(dear[i] for i in node.inputs))
        nodes.append(node)
    return renumber(plan, nodes)


def _rank(
    op: str,
    i: int,
    cost: list[float],
    dear: list[bool],
    chance: list[float],
    keys: list[tuple[Any, ...]],
) -> tuple[bool, float, tuple[Any, ...]]:
    yes = chance[i]
    decides = {"and": 1.0 - yes, "or": yes}.get(op, 1.0)
    return dear[i], round(cost[i] / max(decides, _LEAST), 6), keys[i]
