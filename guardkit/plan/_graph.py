"""Walking and rewiring graphs: what every pass needs and none of them is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from ._nodes import Node, What
from ._plan import Plan, Root


def renumber(plan: Plan, nodes: Sequence[Node], roots: Iterable[Root] | None = None) -> Plan:
    """The plan with these nodes, numbered in the order in which its roots reach them.

    Args:
        nodes: The new nodes; a node's id is its index here, whatever its `id` says.
        roots: The new roots; those of the plan when left out.

    Returns:
        A plan that keeps the order of inputs, drops what no root reaches, and has every node
        after its inputs.
    """
    chosen = plan.roots if roots is None else tuple(roots)
    place: dict[int, int] = {}
    ordered: list[Node] = []
    for root in chosen:
        stack = [root.node]
        while stack:
            at = stack[-1]
            if at in place:
                stack.pop()
                continue
            node = nodes[at]
            open_inputs = [i for i in node.inputs if i not in place]
            if open_inputs:
                stack.extend(reversed(open_inputs))
                continue
            stack.pop()
            place[at] = len(ordered)
            inputs = tuple([place[i] for i in node.inputs])
            if node.id == len(ordered) and node.inputs == inputs:
                ordered.append(node)
            else:
                ordered.append(Node(len(ordered), node.surface, inputs, node.what))
    return replace(
        plan,
        nodes=tuple(ordered),
        roots=tuple(replace(root, node=place[root.node]) for root in chosen),
    )


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
    return renumber(plan, rewired)


def structural_keys(nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
    """A sort key per node that depends on what it computes, not on numbers or on written order."""
    keys: list[tuple[Any, ...]] = []
    for node in nodes:
        # Payloads of one operation have comparable texts: their fields are plain data.
        inputs = sorted([keys[i] for i in node.inputs])
        keys.append((node.op, repr(node.what), *inputs))
    return keys


def parents_of(nodes: Sequence[Node]) -> list[list[int]]:
    """Per node, the ids that read it; a parent that reads twice stands twice."""
    parents: list[list[int]] = [[] for _ in nodes]
    for node in nodes:
        for i in node.inputs:
            parents[i].append(node.id)
    return parents


def dump(plan: Plan) -> str:
    """The graph as stable text, one node a line: for goldens and for people."""
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
