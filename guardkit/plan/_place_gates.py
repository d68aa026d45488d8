"""Dear members wait behind cheap ones: a pass runs only where the steps before leave it open."""

from __future__ import annotations

from dataclasses import replace

from ._graph import with_payloads
from ._nodes import And, AtLeast, Check, Node, Or, What
from ._plan import Plan
from ._prices import dear_nodes


def place_gates(plan: Plan) -> Plan:
    """Mark how many leading members of a condition are asked before its dear ones.

    The order is there already; a gate says where an engine may stop and look before it pays. A
    check is gated when every path from a root to it passes a gate.
    """
    dear = dear_nodes(plan.nodes)
    payloads: dict[int, What] = {}
    open_paths = [False] * len(plan.nodes)  # reached by a path without a gate
    for root in plan.roots:
        # An exemption is asked only when its rule has fired.
        open_paths[root.node] |= root.role != "exempt"
    for node in reversed(plan.nodes):
        what = node.what
        gate = _gate(node, dear)
        if gate and isinstance(what, And | Or | AtLeast):
            payloads[node.id] = replace(what, gate=gate)
        elif isinstance(what, Check) and not open_paths[node.id]:
            payloads[node.id] = replace(what, is_gated=True)
        if open_paths[node.id]:
            for i in node.inputs[: _asked_at_once(node, gate)]:
                open_paths[i] = True
    return with_payloads(plan, payloads)


def _gate(node: Node, dear: list[bool]) -> int:
    """How many leading members are cheap, if dear ones follow them and they may settle it."""
    if not isinstance(node.what, And | Or | AtLeast):
        return 0
    cheap = sum(not dear[i] for i in node.inputs)
    if cheap == len(node.inputs):
        return 0
    if isinstance(node.what, AtLeast) and not _may_settle(node.what.count, len(node.inputs), cheap):
        return 0
    return cheap


def _may_settle(count: int, size: int, asked: int) -> bool:
    """Whether a quorum can be decided by this many of its members."""
    return asked >= min(count, size - count + 1)


def unavoidable(node: Node) -> int:
    """How many leading inputs of a node with its gate placed run whatever the others say."""
    return _asked_at_once(node, getattr(node.what, "gate", 0))


def _asked_at_once(node: Node, gate: int) -> int:
    match node.what:
        case And() | Or():
            return gate or 1
        case AtLeast(count):
            return gate or min(count, len(node.inputs) - count + 1)
        case _:
            return len(node.inputs)
