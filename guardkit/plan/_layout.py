"""Where things stand on a layered drawing: columns by depth, rows by neighbours.

Knows nothing of plans: boxes with a width, edges between them. An edge over several columns gets a
bend in each, which takes room like a box, so that no edge runs through a label.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

BOX_HEIGHT = 34.0
_BEND_HEIGHT = 8.0
_SPACE = 12.0
_GAP = 54.0
_SWEEPS = 12


@dataclass(slots=True, eq=False)
class Box:
    """One box, or a bend of an edge where `width` is 0. `y` is the middle."""

    column: int
    width: float
    order: int
    x: float = 0.0
    y: float = 0.0
    right: float = 0.0  # of the column: up to here an edge keeps its row
    before: list[Box] = field(default_factory=list)
    after: list[Box] = field(default_factory=list)

    @property
    def height(self) -> float:
        return BOX_HEIGHT if self.width else _BEND_HEIGHT


Edge = tuple[Box, ...]
"""From the right side of a box, through bends, to the left side of another."""


def place(boxes: list[Box], links: Iterable[tuple[Box, Box]]) -> tuple[list[Edge], float, float]:
    """Give every box its place; returns the edges and the size of it all. Starts at (0, 0)."""
    edges = [_bent(boxes, start, end) for start, end in links]
    for edge in edges:
        for a, b in itertools.pairwise(edge):
            a.after.append(b)
            b.before.append(a)
    columns: dict[int, list[Box]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(box)
    ordered = [columns[column] for column in sorted(columns)]
    right = _across(ordered)
    _down(ordered)
    top = min((box.y - box.height / 2 for box in boxes), default=0.0)
    for box in boxes:
        box.y -= top
    return edges, right, max((box.y + box.height / 2 for box in boxes), default=0.0)


def _bent(boxes: list[Box], start: Box, end: Box) -> Edge:
    bends = [
        Box(column, 0.0, len(boxes) + i)
        for i, column in enumerate(range(start.column + 1, end.column))
    ]
    boxes.extend(bends)
    return (start, *bends, end)


def _across(columns: list[list[Box]]) -> float:
    x = 0.0
    for column in columns:
        widest = max(box.width for box in column)
        for box in column:
            box.x = x
            box.right = x + widest
        x += widest + _GAP
    return x - _GAP


def _down(columns: list[list[Box]]) -> None:
    """Order each column by the middle of its neighbours, back and forth, then settle heights."""
    for column in columns:
        _spread(column, [0.0] * len(column))
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            wanted = {id(box): _middle(box, forward) for box in column}
            column.sort(key=lambda box, at=wanted: (at[id(box)], box.order))  # type: ignore[misc]  # bound here
            _spread(column, [wanted[id(box)] for box in column])
    for _ in range(2):  # heights only: the order stands
        for column in columns:
            _spread(column, [(_middle(box, True) + _middle(box, False)) / 2 for box in column])


def _middle(box: Box, forward: bool) -> float:
    near = box.before if forward else box.after
    return sum(other.y for other in near) / len(near) if near else box.y


def _spread(column: list[Box], wanted: list[float]) -> None:
    """As near as possible to where each box wants to be, none over another, the order kept."""
    offsets = [0.0]
    for above, below in itertools.pairwise(column):
        offsets.append(offsets[-1] + (above.height + below.height) / 2 + _SPACE)
    groups: list[tuple[float, int]] = []  # sum of wishes, how many: neighbours that push share one
    for wish, offset in zip(wanted, offsets, strict=True):
        groups.append((wish - offset, 1))
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            (a, m), (b, k) = groups[-2:]
            groups[-2:] = [(a + b, m + k)]
    settled = [total / count for total, count in groups for _ in range(count)]
    for box, at, offset in zip(column, settled, offsets, strict=True):
        box.y = at + offset
