"""Small plots with two logarithmic axes, as one SVG: no library draws them."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from typing import Any

WIDE, HIGH, COLUMNS = 330, 250, 3
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 46, 40
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a }
.name { font-size: 13px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.ideal { stroke: #8c959f; stroke-dasharray: 2 4; fill: none; stroke-width: 1.5 }
.floor { stroke: #8250df; fill: none; stroke-width: 1.5; stroke-dasharray: 6 3 }
.work { stroke: #0969da; fill: none; stroke-width: 2.2 }
.dot { fill: #0969da }
.no { fill: #cf222e; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 }
  .name { fill: #f0f6fc }
  .grid { stroke: #30363d }
  .ideal { stroke: #6e7681 }
  .floor { stroke: #bc8cff }
  .work { stroke: #58a6ff }
  .dot { fill: #58a6ff }
  .no { fill: #ff7b72 }
}
"""
UNITS = ((0, "s"), (-3, "ms"), (-6, "µs"), (-9, "ns"))
KEY = 30


def plotted(lanes: list[dict[str, Any]]) -> str:
    """All lanes, a plot each; the dotted line is what linear or flat growth would be."""
    rows = ceil(len(lanes) / COLUMNS)
    wide, high = COLUMNS * WIDE, rows * HIGH + KEY
    body = [_key()]
    for number, lane in enumerate(lanes):
        x, y = number % COLUMNS * WIDE, number // COLUMNS * HIGH + KEY
        body.append(f'<g transform="translate({x} {y})">{_panel(lane)}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
        f'height="{high}" role="img" aria-label="cost against size">\n<style>{STYLE}</style>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _key() -> str:
    parts, x = [], 12
    for name, said, room in (
        ("work", "guardkit", 100),
        ("floor", "floor in the same run", 170),
        ("ideal", "linear, or flat, from the first size", 0),
    ):
        parts.append(f'<path class="{name}" d="M{x} 16H{x + 26}"/>')
        parts.append(f'<text x="{x + 32}" y="20">{said}</text>')
        x += room
    return "".join(parts)


def _panel(lane: dict[str, Any]) -> str:
    points = [(p["size"], p["s"]) for p in lane["points"]]
    floors = [(p["size"], p["floor_s"]) for p in lane["points"] if p["floor_s"]]
    first_size, first = points[0]
    is_flat = lane["grows"] == "flat"
    ideal = [(size, first if is_flat else first * size / first_size) for size, _ in points]
    costs = [cost for line in (points, floors, ideal) for _, cost in line]
    axes = _Axes([size for size, _ in points], costs)
    rise = f"{lane['grows']}, worst rise {lane['rise']:.2f}×"
    kind = "" if lane["holds"] else ' class="no"'
    return "".join(
        (
            f'<text class="name" x="{LEFT}" y="16">{escape(lane["id"])}</text>',
            f'<text{kind} x="{WIDE - RIGHT}" y="16" text-anchor="end">{rise}</text>',
            f'<text x="{LEFT}" y="33">{escape(lane["what"])}</text>',
            axes.drawn(lane["of"]),
            axes.line(ideal, "ideal"),
            axes.line(floors, "floor") if floors else "",
            axes.line(points, "work"),
            "".join(
                f'<circle class="dot" cx="{axes.x(a):.1f}" cy="{axes.y(b):.1f}" r="3"/>'
                for a, b in points
            ),
        )
    )


class _Axes:
    """Where sizes and costs lie."""

    def __init__(self, sizes: list[int], costs: list[float]) -> None:
        self._sizes = sizes
        self._x0, self._x1 = log10(min(sizes)), log10(max(sizes))
        self._y0, self._y1 = floor(log10(min(costs))), ceil(log10(max(costs)))

    def x(self, size: float) -> float:
        """Where a size lies."""
        part = (log10(size) - self._x0) / (self._x1 - self._x0)
        return LEFT + part * (WIDE - LEFT - RIGHT)

    def y(self, cost: float) -> float:
        """Where a cost lies."""
        part = (log10(cost) - self._y0) / max(1, self._y1 - self._y0)
        return HIGH - BOTTOM - part * (HIGH - TOP - BOTTOM)

    def line(self, points: list[tuple[int, float]], name: str) -> str:
        """A line through points."""
        path = "L".join(f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in points)
        return f'<path class="{name}" d="M{path}"/>'

    def drawn(self, of: str) -> str:
        """Decades of the cost, and the sizes that were measured."""
        parts = []
        for power in range(self._y0, self._y1 + 1):
            y = self.y(10.0**power)
            parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDE - RIGHT}"/>')
            parts.append(
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_power(power)}</text>'
            )
        for size in self._sizes:
            at = f'x="{self.x(size):.1f}" y="{HIGH - BOTTOM + 15}"'
            parts.append(f'<text {at} text-anchor="middle">{_short(size)}</text>')
        middle = (LEFT + WIDE - RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{HIGH - 9}" text-anchor="middle">{escape(of)}</text>')
        return "".join(parts)


def _power(power: int) -> str:
    """A power of ten seconds, as people write it."""
    size, unit = next((u for u in UNITS if power >= u[0]), UNITS[-1])
    return f"{10 ** (power - size)} {unit}"


def _short(size: int) -> str:
    for unit, many in (("M", 1_000_000), ("k", 1_000)):
        if size >= many and size % (many // 10) == 0:
            return f"{size / many:g}{unit}"
    return f"{size:,}"
