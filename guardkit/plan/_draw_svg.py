"""The rule graph as one self-contained SVG: one band per surface, text at the left, joins right.

No script, no font, no colour scheme is fetched: text is set in the reader's own sans-serif, and the
colours are mid-tones that hold on light and dark pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from ._cost import spell_us
from ._graph import parents_of
from ._labels import facts_of, purpose_of, title_of
from ._layout import BOX_HEIGHT, Box, Edge, place
from ._nodes import Node
from ._plan import Plan

_MARGIN = 20.0
_HEAD = 34.0  # of a band, above its boxes
_TITLE_PX = 7.0  # the width of a character at 12 px, generously
_FACT_PX = 5.8
_LONGEST = 44
_GREY = "#7a7f87"

_FILLS = {
    "view": "#5d6a80",
    "scan": "#23796f",
    "pass": "#9a5f10",
    "check": "#2f6db0",
    "rule": "#b0413e",
    "join": "#6f4e9a",
}
_CONDITION = "#62686f"
_ROUND = frozenset({"and", "or", "not", "at_least", "join"})
_BESIDE_READERS = frozenset(
    {"and", "or", "not", "at_least", "compare", "field", "window", "sequence"}
)


@dataclass(slots=True)
class _Shown:
    """What is written in a box. Without an op it is the caption of a root."""

    box: Box
    title: str
    facts: str
    op: str


def draw_svg(plan: Plan) -> str:
    """Edges never run backwards; a dashed one runs only where the steps before leave it open."""
    bands = [_band(plan, surface) for surface in dict.fromkeys(n.surface for n in plan.nodes)]
    right = max((band.width for band in bands), default=440.0) + 4 * _MARGIN
    top = _MARGIN + 30
    body: list[str] = []
    for band in bands:
        height = band.height + _HEAD + 20
        body.extend(_drawn(band, top, right - 2 * _MARGIN, height))
        top += height + 16
    head = _text(f"{plan.policy} · {plan.digest[:19]}")
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:.0f} {top:.0f}"'
            f' width="{right:.0f}" height="{top:.0f}" role="img"'
            ' font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{_text(plan.policy)}: rule graph</title>",
            f'<text x="{_MARGIN:.0f}" y="32" font-size="14" fill="{_GREY}">{head}</text>',
            *body,
            "</svg>",
            "",
        )
    )


def _text(text: str) -> str:
    return escape("".join(c for c in text if c.isprintable()))


# --- one band


@dataclass(slots=True)
class _Band:
    title: str
    shown: list[_Shown]
    edges: list[tuple[Edge, bool]]
    width: float
    height: float


def _band(plan: Plan, surface: str) -> _Band:
    nodes = [node for node in plan.nodes if node.surface == surface]
    column = _columns(plan, nodes)
    shown: dict[int, _Shown] = {}
    boxes: list[Box] = []
    for node in nodes:
        shown[node.id] = _boxed(
            boxes, column[node.id], title_of(plan, node), facts_of(plan, node), node.op
        )
    links: list[tuple[Box, Box]] = []
    waits: list[bool] = []
    for node in nodes:
        gate = getattr(node.what, "gate", 0)
        for position, i in enumerate(dict.fromkeys(node.inputs)):
            links.append((shown[i].box, shown[node.id].box))
            waits.append(bool(gate) and position >= gate)
    captions: list[_Shown] = []
    rules = max((column[node.id] for node in nodes if node.op == "rule"), default=0)
    for root in plan.roots:
        if root.surface == surface and root.role != "join":
            read = shown[root.node].box
            beside = max(read.column + 1, rules)
            caption = _boxed(boxes, beside, purpose_of(root), "", "")
            captions.append(caption)
            links.append((read, caption.box))
            waits.append(False)
    edges, width, height = place(boxes, links)
    cost = plan.costs.surface(surface)
    title = surface
    if cost is not None:
        title += f" · worst {spell_us(cost.worst_us)} · expected {spell_us(cost.expected_us)}"
    drawn = list(zip(edges, waits, strict=True))
    return _Band(title, [*shown.values(), *captions], drawn, width, height)


def _boxed(boxes: list[Box], column: int, title: str, facts: str, op: str) -> _Shown:
    title, facts = _short(title), _short(facts)
    width = max(len(title) * _TITLE_PX, len(facts) * _FACT_PX, 24.0) + 20
    box = Box(column, width, len(boxes))
    boxes.append(box)
    return _Shown(box, title, facts, op)


def _columns(plan: Plan, nodes: list[Node]) -> dict[int, int]:
    """By the longest way from the text; conditions beside a reader, rules in one column."""
    column: dict[int, int] = {}
    for node in nodes:
        column[node.id] = max((column[i] + 1 for i in node.inputs), default=0)
    rules = [node.id for node in nodes if node.op == "rule"]
    last = max((column[i] for i in rules), default=0)
    column.update(dict.fromkeys(rules, last))
    column.update({node.id: last + 1 for node in nodes if node.op == "join"})
    parents = parents_of(plan.nodes)
    for node in reversed(nodes):
        readers = [column[i] for i in parents[node.id]]
        if node.op in _BESIDE_READERS and (readers or not node.inputs):
            column[node.id] = min(readers, default=max(last, 1)) - 1
    return column


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


# --- drawing


def _drawn(band: _Band, top: float, width: float, height: float) -> Iterator[str]:
    yield f'<g transform="translate(0 {top:.1f})">'
    yield (
        f'<rect x="{_MARGIN:.0f}" y="0" width="{width:.0f}" height="{height:.0f}" rx="10"'
        ' fill="#8a93a6" fill-opacity="0.10" stroke="#8a93a6" stroke-opacity="0.45"/>'
    )
    yield (
        f'<text x="{2 * _MARGIN:.0f}" y="22" font-size="13" font-weight="600" fill="{_GREY}">'
        f"{_text(band.title)}</text>"
    )
    yield f'<g transform="translate({2 * _MARGIN:.0f} {_HEAD:.0f})">'
    for edge, waits in band.edges:
        dashes = ' stroke-dasharray="5 4"' if waits else ""
        yield f'<path d="{_path(edge)}" fill="none" stroke="#8a93a6" stroke-width="1.3"{dashes}/>'
    for shown in band.shown:
        yield from _box(shown)
    yield "</g></g>"


def _path(edge: Edge) -> str:
    """Level lines across columns, curves between them: no edge meets a box that is not its own."""
    start = edge[0]
    x, y = start.right, start.y
    parts = [f"M{start.x + start.width:.1f} {y:.1f}H{x:.1f}"]
    for box in edge[1:]:
        bend = max(18.0, min(60.0, (box.x - x) / 2))
        parts.append(
            f"C{x + bend:.1f} {y:.1f} {box.x - bend:.1f} {box.y:.1f} {box.x:.1f} {box.y:.1f}"
        )
        if box is not edge[-1]:
            x, y = box.right, box.y
            parts.append(f"H{x:.1f}")
    return "".join(parts)


def _box(shown: _Shown) -> Iterator[str]:
    box = shown.box
    top = box.y - BOX_HEIGHT / 2
    look = f'fill="{_FILLS.get(shown.op, _CONDITION)}"'
    ink = "#ffffff"
    if not shown.op:
        look = f'fill="none" stroke="{_GREY}" stroke-dasharray="2 3"'
        ink = _GREY
    radius = 17 if shown.op in _ROUND else 6
    yield (
        f'<rect x="{box.x:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{BOX_HEIGHT:.0f}"'
        f' rx="{radius}" {look}/>'
    )
    middle = box.x + box.width / 2
    line = top + (15 if shown.facts else 21.5)
    yield (
        f'<text x="{middle:.1f}" y="{line:.1f}" text-anchor="middle" fill="{ink}">'
        f"{_text(shown.title)}</text>"
    )
    if shown.facts:
        yield (
            f'<text x="{middle:.1f}" y="{top + 27.5:.1f}" text-anchor="middle" font-size="10"'
            f' fill="{ink}" fill-opacity="0.9">{_text(shown.facts)}</text>'
        )
