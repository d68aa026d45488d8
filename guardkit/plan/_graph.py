"""Walking and rewiring graphs: what every pass needs and none of them is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from ._nodes import CONDITIONS, Check, Compare, Node, What
from ._plan import Plan


def renumber(plan: Plan) -> Plan:
    """The plan with its nodes numbered in the order in which its roots reach them.

    Keeps the order of inputs, drops what no root reaches, puts every node after its inputs and the
    nodes of a surface side by side.
    """
    nodes = plan.nodes
    place: dict[int, int] = {}
    ordered: list[Node] = []
    for root in plan.roots:
        stack = [root.node]
        while stack:
            at = stack[-1]
            if at in place:
                stack.pop()
                continue
            node = nodes[at]
            waiting = [i for i in node.inputs if i not in place]
            if waiting:
                stack.extend(reversed(waiting))
                continue
            stack.pop()
            number = place[at] = len(ordered)
            inputs = tuple([place[i] for i in node.inputs])
            if number != at or inputs != node.inputs:
                node = Node(number, node.surface, inputs, node.what)
            ordered.append(node)
    roots = tuple([replace(root, node=place[root.node]) for root in plan.roots])
    return replace(plan, nodes=tuple(ordered), roots=roots)


def with_nodes(plan: Plan, nodes: Sequence[Node], place: Sequence[int]) -> Plan:
    """The plan with other nodes; `place` says which new one each old one became.

    Nodes that nothing reads any more may be among them until the next `renumber`.
    """
    roots = tuple([replace(root, node=place[root.node]) for root in plan.roots])
    return replace(plan, nodes=tuple(nodes), roots=roots)


def with_payloads(plan: Plan, payloads: dict[int, What]) -> Plan:
    """The plan with other payloads at some nodes; the wiring stays."""
    if not payloads:
        return plan
    nodes = [
        Node(node.id, node.surface, node.inputs, payloads[node.id]) if node.id in payloads else node
        for node in plan.nodes
    ]
    return replace(plan, nodes=tuple(nodes))


def redirect(plan: Plan, nodes: Sequence[Node], place: Sequence[int]) -> Plan:
    """The plan with these nodes, each input replaced by the node that took its place."""
    rewired = [
        Node(node.id, node.surface, tuple([place[i] for i in node.inputs]), node.what)
        if any(place[i] != i for i in node.inputs)
        else node
        for node in nodes
    ]
    return with_nodes(plan, rewired, place)


def structural_keys(nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
    """A sort key per condition that depends on what it means, not on numbers or written order."""
    keys: list[tuple[Any, ...]] = []
    for node in nodes:
        what = node.what
        if isinstance(what, Check):
            keys.append(("check", what.names))  # a name stands for its check, whatever it reads
        elif isinstance(what, Compare):
            told = (what.relation, what.bound, what.measure, what.labels)
            keys.append(("compare", told, keys[node.inputs[0]]))
        elif what.op in CONDITIONS:
            inputs = [keys[i] for i in node.inputs]
            if len(inputs) > 1:
                inputs.sort()
            keys.append((what.op, "" if what.op in _BARE else repr(what), *inputs))
        else:
            keys.append((what.op, getattr(what, "name", "")))
    return keys


_BARE = frozenset({"and", "or", "not"})
"""Operations that nothing but their inputs tells apart until gates are placed."""


def parents_of(nodes: Sequence[Node]) -> list[list[int]]:
    """Per node, the ids that read it; a parent that reads twice stands twice."""
    parents: list[list[int]] = [[] for _ in nodes]
    for node in nodes:
        for i in node.inputs:
            parents[i].append(node.id)
    return parents


def dump(plan: Plan) -> str:
    """The graph as stable text, one node a line: for goldens and for people."""
    plan = renumber(plan)
    lines = []
    for node in plan.nodes:
        shown = [
            f"{field.name}={getattr(node.what, field.name)!r}"
            for field in fields(node.what)
            if getattr(node.what, field.name) != field.default
        ]
        reads = " ".join(f"%{i}" for i in node.inputs)
        text = f"%{node.id} {node.surface}: {node.op} {reads}".rstrip()
        lines.append("  ".join((text, *shown)))
    lines.extend(f"{root.role} {root.name} {root.surface}: %{root.node}" for root in plan.roots)
    return "\n".join(lines) + "\n"
