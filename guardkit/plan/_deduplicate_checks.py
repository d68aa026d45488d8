"""Checks of equal kind and settings become one node, and so do equal conditions over them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from ._graph import renumber, with_nodes
from ._nodes import Check, Field, Node
from ._plan import Plan

_ORDERLESS = frozenset({"and", "or", "at_least"})
_IDEMPOTENT = frozenset({"and", "or"})
_NEVER_MERGED = frozenset({"scan", "pass", "rule", "join"})
"""Scans and passes are merged by the passes that know what they can share."""


def deduplicate_checks(plan: Plan) -> Plan:
    """Keep one node for equal work. A quorum still counts a repeated member twice."""
    answers = {row.name: (row.kind, repr(row.config)) for row in plan.checks}
    first: dict[Hashable, int] = {}
    nodes: list[Node] = []
    place: list[int] = []
    aliases: dict[int, set[str]] = {}
    for node in plan.nodes:
        inputs = tuple([place[i] for i in node.inputs])
        what = node.what
        op = what.op
        if op in _IDEMPOTENT and len(inputs) > 1:
            inputs = tuple(dict.fromkeys(inputs))
            if len(inputs) == 1:
                place.append(inputs[0])
                continue
        if op in _NEVER_MERGED:
            place.append(len(nodes))
            nodes.append(Node(len(nodes), node.surface, inputs, what))
            continue
        key: Hashable
        if isinstance(what, Check):
            key = (node.surface, answers[what.names[0]])
        else:
            read = tuple(sorted(inputs)) if op in _ORDERLESS else inputs
            # `repr` keeps 1, 1.0 and True apart, which are equal as values.
            key = (node.surface, repr(what) if isinstance(what, Field) else what, read)
        known = first.get(key)
        if known is None:
            known = first[key] = len(nodes)
            nodes.append(Node(known, node.surface, inputs, what))
        if isinstance(what, Check):
            aliases.setdefault(known, set()).update(what.names)
        place.append(known)
    for at, names in aliases.items():
        check = nodes[at].what
        if isinstance(check, Check) and len(names) > 1:
            merged = replace(check, names=tuple(sorted(names)))
            nodes[at] = Node(at, nodes[at].surface, nodes[at].inputs, merged)
    return renumber(with_nodes(plan, nodes, place))
