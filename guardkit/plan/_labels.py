"""The words on a drawing: one short title and one line of facts per node."""

from __future__ import annotations

from ._cost import spell_us
from ._estimate_cost import price_of
from ._nodes import (
    AtLeast,
    Check,
    Compare,
    Field,
    Join,
    Node,
    Pass,
    Rule,
    Scan,
    Sequence,
    View,
    Window,
)
from ._plan import Plan, Root
from ._prices import DEAR_US, KILOBYTES, worst_us


def title_of(plan: Plan, node: Node) -> str:
    """What a node is, in the words of the policy."""
    what = node.what
    match what:
        case Check():
            return ", ".join(what.names)
        case Rule(name):
            return name
        case Compare():
            return _comparison(plan, node, what)
        case Field():
            values = ", ".join(_value(value) for value in what.values)
            listed = what.relation in ("in", "not in")
            return f"{what.name} {what.relation} {f'[{values}]' if listed else values}"
        case Window(name) | Sequence(name):
            return f"{what.op} {name}"
        case AtLeast(count):
            return f"{count} of {len(node.inputs)}"
        case Pass(encoder):
            return f"pass {encoder}"
        case View(views):
            return f"text: {', '.join(views)}"
        case Join():
            return node.surface
        case Scan():
            return "scan"
        case _ if not node.inputs:
            return "always" if what.op == "and" else "never"
        case _:
            return what.op


def facts_of(plan: Plan, node: Node) -> str:
    """Kind, cost and gates; empty where there is nothing to add."""
    what = node.what
    cost = worst_us(what, KILOBYTES)
    match what:
        case Check():
            # A head by itself costs next to nothing: its pass is what a reader wants to know.
            group = plan.nodes[node.inputs[0]]
            shared = "" if group.op == "view" else title_of(plan, group)
            price = price_of(plan, node, KILOBYTES)
            is_dear = price >= DEAR_US or what.needs_gate
            gated = "gated" if is_dear and what.is_gated else ""
            return _joined(what.kind, shared, spell_us(price), gated)
        case Rule(name, tools):
            row = plan.rule(name)
            shadow = "" if row.mode == "enforce" else f"{row.mode}"
            if row.share < 100:
                shadow = f"for {row.share:g}% of sessions"
            only = f"only {', '.join(tools)}" if tools else ""
            return _joined(row.tier, row.severity, row.action.verb, shadow, only)
        case Scan() | Pass():
            return spell_us(cost)
        case Join():
            return _joined("join", _held(what))
        case Sequence(_, tools) if tools:
            return f"only {', '.join(tools)}"
        case _:
            return ""


def purpose_of(root: Root) -> str:
    """Who asks for a condition that belongs to no rule."""
    return {
        "join": root.name,
        "first": f"first event of {root.name}",
        "then": f"second event of {root.name}",
        "exempt": f"exemption of {root.name}",
        "watch": f"watched by {root.name}",
    }[root.role]


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _held(join: Join) -> str:
    if join.reach == "whole":
        return "sees the whole text"
    return f"sees {join.look_behind} characters back" if join.look_behind > 0 else ""


def _comparison(plan: Plan, node: Node, what: Compare) -> str:
    read = plan.nodes[node.inputs[0]].what
    name = read.names[0] if isinstance(read, Check) else getattr(read, "name", "")
    if what.relation == "at":
        return f"{name} at {what.measure} {what.bound * 100:g}%"
    if what.relation == "in":
        return f"{name} is {' or '.join(what.labels)}"
    return f"{name} {what.relation} {what.bound:g}"


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
