"""Members of `and`, `or` and quorums stand in the order that settles most for least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ._graph import renumber, structural_keys
from ._nodes import Node
from ._plan import Plan
from ._prices import KILOBYTES, chances, dear_nodes, open_rates, usual_us

_LEAST = 0.001
"""No member is taken to decide less often than this."""

_DECIDES: dict[str, Callable[[float], float]] = {
    "and": lambda yes: 1.0 - yes,
    "or": lambda yes: yes,
    "at_least": lambda yes: 1.0,
}
"""Per operation, how often a member that says yes so often decides by itself."""


def order_by_cost(plan: Plan) -> Plan:
    """Cheap members first; within cheap and within dear, by cost ÷ how often they decide.

    Dear members go last whatever they decide: the rates are estimates, and a gate that is wrong
    costs microseconds where a dear check asked for nothing costs milliseconds. Ties fall by
    structure, so written order never shows.
    """
    chance = chances(plan.nodes)
    dear = dear_nodes(plan.nodes)
    keys = structural_keys(plan.nodes)
    cost: list[float] = []  # what asking a node costs, on average and with nothing shared
    nodes: list[Node] = []
    for node in plan.nodes:
        inputs = node.inputs
        if node.op not in _DECIDES:
            cost.append(usual_us(node.what, KILOBYTES) + sum([cost[i] for i in inputs]))
            nodes.append(node)
            continue
        decides = _DECIDES[node.op]
        ranks = [
            (dear[i], round(cost[i] / max(decides(chance[i]), _LEAST), 6), keys[i], i)
            for i in inputs
        ]
        ranks.sort()
        inputs = tuple([rank[3] for rank in ranks])
        rates = open_rates(node.what, [chance[i] for i in inputs])
        cost.append(sum([cost[i] * rate for i, rate in zip(inputs, rates, strict=True)]))
        nodes.append(Node(node.id, node.surface, inputs, node.what))
    return renumber(replace(plan, nodes=tuple(nodes)))
