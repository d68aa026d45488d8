"""The rule graph for people: a tree in text, and the same graph for three drawing tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from ._cost import spell_us
from ._draw_svg import draw_svg
from ._labels import facts_of, purpose_of, title_of
from ._nodes import Node
from ._plan import Plan
from ._save import to_json

DrawFormat = Literal["text", "mermaid", "dot", "svg", "json"]
DRAW_FORMATS: tuple[DrawFormat, ...] = ("text", "mermaid", "dot", "svg", "json")

WIDTH = 80


def draw(plan: Plan, format: DrawFormat = "text") -> str:
    """The plan drawn. Every format is plain text, ends with a line break and names no machine."""
    return _DRAWERS[format](plan)


# --- text


def draw_text(plan: Plan) -> str:
    """A tree per surface in 80 columns. What is used twice is shown once and pointed at later."""
    lines = [f"{plan.policy}  {plan.digest[:19]}"]
    shown: set[int] = set()
    for surface in dict.fromkeys(root.surface for root in plan.roots):
        lines.append("")
        for root in plan.roots:
            if root.surface != surface:
                continue
            if root.role == "join":
                lines.extend(_join(plan, plan.nodes[root.node], shown))
            else:
                lines.append(_fitted("", purpose_of(root), ""))
                lines.extend(_tree(plan, root.node, "", True, shown))
    if not plan.roots:
        lines.extend(("", "no rule judges anything"))
    return "\n".join(lines) + "\n"


def _join(plan: Plan, join: Node, shown: set[int]) -> Iterator[str]:
    cost = plan.costs.surface(join.surface)
    priced = (
        f"worst {spell_us(cost.worst_us)}, expected {spell_us(cost.expected_us)}" if cost else ""
    )
    yield _fitted(
        "", title_of(plan, join), " · ".join(filter(None, (facts_of(plan, join), priced)))
    )
    for i in join.inputs:
        yield from _tree(plan, i, "", i == join.inputs[-1], shown)


def _tree(plan: Plan, at: int, margin: str, is_last: bool, shown: set[int]) -> Iterator[str]:
    node = plan.nodes[at]
    branch = "└─ " if is_last else "├─ "
    title = title_of(plan, node)
    below = margin + ("   " if is_last else "│  ")
    children = node.inputs if node.op not in ("check", "field", "window") else ()
    if node.op == "compare":
        # The comparison names its check; one line says both.
        read = plan.nodes[node.inputs[0]]
        facts = facts_of(plan, read)
        again = read.id in shown
        shown.add(read.id)
        yield _fitted(margin + branch, title, f"see %{read.id}" if again else _tagged(read, facts))
        return
    if at in shown and node.op != "rule":
        yield _fitted(margin + branch, title, f"see %{at}")
        return
    shown.add(at)
    has_number = node.op == "check" or (children and node.op not in ("rule", "not"))
    facts = facts_of(plan, node)
    yield _fitted(margin + branch, title, _tagged(node, facts) if has_number else facts)
    gate = getattr(node.what, "gate", 0)
    for position, i in enumerate(children):
        if gate and position == gate:
            yield f"{below}├╌ only if still open"
        yield from _tree(plan, i, below, position == len(children) - 1, shown)


def _tagged(node: Node, facts: str) -> str:
    return f"{facts}  %{node.id}".strip()


def _fitted(margin: str, title: str, facts: str) -> str:
    """Title on the left, facts after it; the title gives way when a line grows too long."""
    room = WIDTH - len(margin) - (len(facts) + 2 if facts else 0)
    if len(title) > room:
        title = f"{title[: max(room - 1, 8)]}…"
    return f"{margin}{title}  {facts}".rstrip()


# --- graphs for other programs

_SHAPES = {
    "rule": ("[", "]"),
    "join": ("([", "])"),
    "check": ("(", ")"),
    "scan": ("[[", "]]"),
    "pass": ("[[", "]]"),
    "view": ("[/", "/]"),
}


def draw_mermaid(plan: Plan) -> str:
    """A Mermaid flow chart, text at the left and joins at the right."""
    lines = ["flowchart LR"]
    for surface in dict.fromkeys(node.surface for node in plan.nodes):
        lines.append(f'  subgraph s_{surface}["{surface}"]')
        for node in plan.nodes:
            if node.surface == surface:
                opening, closing = _SHAPES.get(node.op, ("{{", "}}"))
                label = "<br/>".join(_mermaid(text) for text in _texts(plan, node))
                lines.append(f'    n{node.id}{opening}"{label}"{closing}')
        lines.append("  end")
    for node in plan.nodes:
        lines.extend(f"  n{i} --> n{node.id}" for i in dict.fromkeys(node.inputs))
    return "\n".join(lines) + "\n"


def _texts(plan: Plan, node: Node) -> list[str]:
    return [text for text in (title_of(plan, node), facts_of(plan, node)) if text]


def _mermaid(text: str) -> str:
    """Only letters, digits and harmless signs stay; Mermaid reads the rest as numbered entities."""
    return "".join(
        c if c.isalnum() or c in " .,:·_-/" else f"#{ord(c)};" for c in text if c.isprintable()
    )


def draw_dot(plan: Plan) -> str:
    """A Graphviz graph, one cluster per surface."""
    shapes = {"rule": "box", "join": "oval", "check": "box", "scan": "component"}
    shapes |= {"pass": "component", "view": "note"}
    lines = ["digraph plan {", "  rankdir=LR;", '  node [fontname="sans-serif", fontsize=10];']
    for surface in dict.fromkeys(node.surface for node in plan.nodes):
        lines.append(f"  subgraph cluster_{surface} {{")
        lines.append(f'    label="{surface}";')
        for node in plan.nodes:
            if node.surface == surface:
                label = "\\n".join(_dot(text) for text in _texts(plan, node))
                shape = shapes.get(node.op, "diamond" if node.op != "compare" else "ellipse")
                rounded = ", style=rounded" if node.op == "check" else ""
                lines.append(f'    n{node.id} [label="{label}", shape={shape}{rounded}];')
        lines.append("  }")
    for node in plan.nodes:
        lines.extend(f"  n{i} -> n{node.id};" for i in dict.fromkeys(node.inputs))
    lines.append("}")
    return "\n".join(lines) + "\n"


def _dot(text: str) -> str:
    plain = "".join(c for c in text if c.isprintable())
    return plain.replace("\\", "\\\\").replace('"', '\\"')


_DRAWERS: dict[str, Callable[[Plan], str]] = {
    "text": draw_text,
    "mermaid": draw_mermaid,
    "dot": draw_dot,
    "svg": draw_svg,
    "json": to_json,
}
