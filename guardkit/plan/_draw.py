"""The rule graph for people: a tree in text, and the same graph for three drawing tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from ._cost import spell_us
from ._draw_svg import draw_svg
from ._graph import parents_of
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
    lines = [_fitted("", plan.policy, plan.digest[:19])]
    tree = _Tree(plan)
    for surface in dict.fromkeys(root.surface for root in plan.roots):
        lines.append("")
        for root in plan.roots:
            if root.surface != surface:
                continue
            if root.role == "join":
                lines.extend(tree.join(plan.nodes[root.node]))
            else:
                lines.append(_fitted("", purpose_of(root), ""))
                lines.extend(tree.of(root.node, "", True))
    if not plan.roots:
        lines.extend(("", "no rule judges anything"))
    return "\n".join(lines) + "\n"


class _Tree:
    """Draws conditions; remembers what it has shown."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.shown: set[int] = set()
        uses = [len(parents) for parents in parents_of(plan.nodes)]
        for root in plan.roots:
            uses[root.node] += 1
        self.often = {i for i, count in enumerate(uses) if count > 1}

    def join(self, join: Node) -> Iterator[str]:
        cost = self.plan.costs.surface(join.surface)
        facts = [facts_of(self.plan, join)]
        if cost is not None:
            facts.append(f"worst {spell_us(cost.worst_us)}, expected {spell_us(cost.expected_us)}")
        yield _fitted("", title_of(self.plan, join), " · ".join(facts))
        for i in join.inputs:
            yield from self.of(i, "", i == join.inputs[-1])

    def of(self, at: int, margin: str, is_last: bool) -> Iterator[str]:
        """One node and what is below it."""
        plan = self.plan
        node = plan.nodes[at]
        branch = margin + ("└─ " if is_last else "├─ ")
        below = margin + ("   " if is_last else "│  ")
        # A comparison names its check, so one line says both.
        told = plan.nodes[node.inputs[0]] if node.op == "compare" else node
        title = title_of(plan, node)
        if told.id in self.shown:
            yield _fitted(branch, title, f"see %{told.id}")
            return
        self.shown.add(told.id)
        number = f"%{told.id}" if {at, told.id} & self.often else ""
        yield _fitted(branch, title, facts_of(plan, told), number)
        if told.op in ("check", "field", "window"):
            return
        gate = getattr(node.what, "gate", 0)
        for position, i in enumerate(node.inputs):
            if gate and position == gate:
                yield f"{below}├╌ only if still open"
            yield from self.of(i, below, position == len(node.inputs) - 1)


def _fitted(margin: str, title: str, facts: str, number: str = "") -> str:
    """Title, facts, number; the number stays whole, the longer of the others gives way."""
    title, facts = _seen(title), _seen(facts)
    room = max(WIDTH - len(margin) - (len(number) + 2 if number else 0), 24)
    over = len(title) + 2 + len(facts) - room
    if over > 0:
        title = _cut(title, max(room // 2, len(title) - over))
        facts = _cut(facts, max(room - 2 - len(title), 0))
    return f"{margin}{'  '.join(filter(None, (title, facts, number)))}"


def _seen(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: max(size - 1, 0)]}…"


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
