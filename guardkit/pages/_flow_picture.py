"""The ribbons of `flow`: one drawing for wide pages, one for narrow ones.

Both come from the same outline: the flow runs *along*, one edge of it straight; what a layer stops
is cut from the other edge and turns away *aside*. Wide pages have along to the right and aside
down, narrow ones along down and aside to the right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from guardkit.diagnostics import text_width, visible

from ._svg import Spot, drawing, length, text_at
from ._words import counted, percent

_LEAST: Final = 1.4
"""One of a million is still to be seen."""
_TURN: Final = 9
"""The radius, at the inner edge, with which a ribbon turns aside."""
_ROUND: Final = 0.5523
"""How far the handles of a curve reach that looks like a quarter of a circle."""
_TIP: Final = 7
_OUT: Final = 14
"""How long the end of a ribbon is that leaves."""
_LINE: Final = 14

# Units of the drawing across, which is about as wide as the widest page.
_WIDE: Final = 880
_BEFORE: Final = 92
_AFTER: Final = 112
_HEAD: Final = 40
_THICK: Final = 66
_BAND: Final = 158
"""From one ribbon to the next: its width, the turn, two lines of text, and air."""
_LEAST_STEP: Final = 80
"""Names of layers have to be told apart in less than this."""

# Units of the drawing downward, which is about as wide as a telephone.
_SLIM: Final = 340
_HALF: Final = 176
_THIN: Final = 44
_STEP: Final = 84
_TITLES: Final = 40
_ASIDE: Final = 84


class Stream(NamedTuple):
    """All texts of one kind on their way through the layers."""

    kind: str
    style: str
    total: int
    stops: tuple[int, ...]

    @property
    def reached(self) -> tuple[int, ...]:
        """How many reached each layer, and last how many were delivered."""
        return tuple(accumulate(self.stops, int.__sub__, initial=self.total))

    @property
    def left(self) -> int:
        """How many were delivered."""
        return self.total - sum(self.stops)


Place = Callable[[float, float], Spot]
"""Where a point along and aside lies in the drawing."""


def fits_across(names: Sequence[str], streams: Sequence[Stream]) -> bool:
    """Whether there is room for the layers side by side: for their names, and for the counts."""
    step = (_WIDE - _BEFORE - _AFTER) / len(names)
    widest = max(_spans(counted(count)) for stream in streams for count in stream.stops)
    return step >= max(_LEAST_STEP, _TURN + widest + 6)


def across(title: str, told: str, names: Sequence[str], streams: Sequence[Stream]) -> str:
    """Layers from left to right, one ribbon below the other."""
    step = (_WIDE - _BEFORE - _AFTER) / len(names)
    nodes = [_BEFORE + step * (at + 0.3) for at in range(len(names))]
    end = float(_WIDE - _AFTER)
    high = _HEAD + _BAND * len(streams) - 14
    guides = "".join(f"M{length(x)} {_HEAD - 4}V{length(high)}" for x in nodes)
    body = [f'<path class="grid" d="{guides}"/>']
    for x, name in zip(nodes, names, strict=True):
        lines = _lines(name, step - 10)
        first = _HEAD - 12 - _LINE * (len(lines) - 1)
        body += [
            text_at(Spot(x, first + _LINE * at), line, "start", "lab")
            for at, line in enumerate(lines)
        ]
    body.append(text_at(Spot(end + _OUT + _TIP + 8, _HEAD - 12), "delivered", "start", "lab"))
    for row, stream in enumerate(streams):
        top = float(_HEAD + _BAND * row + 4)
        drop = top + _THICK + _TURN + _OUT

        def place(along: float, aside: float, top: float = top) -> Spot:
            return Spot(along, top + aside)

        body.append(_ribbons(stream, place, nodes, _BEFORE, end, _THICK, drop - top))
        body.append(_counts(Spot(0, top + 11), stream.total, None, stream.kind))
        for x, count in zip(nodes, stream.stops, strict=True):
            at = Spot(x + _TURN, drop + _TIP + 14)
            body.append(_counts(at, count, stream.total))
        body.append(_counts(Spot(end + _OUT + _TIP + 8, top + 11), stream.left, stream.total))
    return drawing(title, told, "".join(body), wide=_WIDE, high=high, style="across")


def downward(title: str, told: str, names: Sequence[str], streams: Sequence[Stream]) -> str:
    """Layers from the top down, one ribbon beside the other."""
    nodes = [_TITLES + _STEP * at + 34.0 for at in range(len(names))]
    end = _TITLES + _STEP * len(names) + 6.0
    high = end + _OUT + 44
    guides = "".join(f"M0 {length(y)}H{_SLIM}" for y in nodes)
    body = [f'<path class="grid" d="{guides}"/>']
    room = (_HALF if len(streams) > 1 else _SLIM) - _THIN - 20
    for y, name in zip(nodes, names, strict=True):
        lines = _lines(name, room)
        body += [
            text_at(Spot(_THIN + 12, y - 6 - _LINE * (len(lines) - 1 - at)), line, "start", "lab")
            for at, line in enumerate(lines)
        ]
    for column, stream in enumerate(streams):
        left = float(_HALF * column)

        def place(along: float, aside: float, left: float = left) -> Spot:
            return Spot(left + aside, along)

        body.append(_counts(Spot(left, 12), stream.total, None, stream.kind))
        body.append(_ribbons(stream, place, nodes, _TITLES, end, _THIN, _THIN + _TURN + _OUT))
        for y, count in zip(nodes, stream.stops, strict=True):
            body.append(_counts(Spot(left + _ASIDE, y + _TURN + 14), count, stream.total))
        body.append(
            _counts(
                Spot(left, end + _OUT + _TIP + 16), stream.left, stream.total, after=" delivered"
            )
        )
    return drawing(title, told, "".join(body), wide=_SLIM, high=high, style="downward")


# --- the outline


def _ribbons(
    stream: Stream,
    place: Place,
    nodes: Sequence[float],
    start: float,
    end: float,
    thick: float,
    drop: float,
) -> str:
    """One ribbon from start to end, with a branch at each node that stops anything."""
    widths = [_width(count, stream.total, thick) for count in stream.reached]
    outline = [place(start, 0), place(start, widths[0])]
    branches, bars = "", ""
    for along, count, (before, after) in zip(nodes, stream.stops, pairwise(widths), strict=True):
        if not before:
            break  # all of it has been stopped
        far = max(before, after + _width(count, stream.total, thick))
        outline += [place(along, before), place(along, after)]
        bars += f"M{_point(place(along, -3))}L{_point(place(along, far + 3))}"
        if count:
            branches += _branch(place, along, after, far, drop)
    last = widths[-1]
    if last:
        outline += [place(end, last), place(end, 0)]
        tip = [
            place(end, 0),
            place(end, last),
            place(end + _OUT, last),
            place(end + _OUT + min(last / 2, _TIP), last / 2),
            place(end + _OUT, 0),
        ]
        branches += f"M{'L'.join(_point(spot) for spot in tip)}z"
    body = "L".join(_point(spot) for spot in outline)
    return (
        f'<path class="{stream.style}-wash" d="M{body}z"/>'
        f'<path class="{stream.style}" d="{branches}"/><path class="node" d="{bars}"/>'
    )


def _branch(place: Place, along: float, near: float, far: float, drop: float) -> str:
    """What is cut off between `near` and `far` turns aside and leaves."""
    inner, outer = along + _TURN, along + _TURN + far - near
    bend = far + _TURN
    wide = far - near
    tip = min(wide / 2, _TIP)
    points = [
        f"M{_point(place(along, near))}",
        _curve(
            place(along + _ROUND * (outer - along), near),
            place(outer, bend - _ROUND * (bend - near)),
            place(outer, bend),
        ),
        f"L{_point(place(outer, drop))}",
        f"L{_point(place((inner + outer) / 2, drop + tip))}",
        f"L{_point(place(inner, drop))}",
        f"L{_point(place(inner, bend))}",
        _curve(
            place(inner, bend - _ROUND * _TURN),
            place(along + _ROUND * _TURN, far),
            place(along, far),
        ),
        "z",
    ]
    return "".join(points)


def _width(count: int, total: int, thick: float) -> float:
    return max(thick * count / total, _LEAST) if count else 0.0


def _point(spot: Spot) -> str:
    return f"{length(spot.x)} {length(spot.y)}"


def _curve(first: Spot, second: Spot, to: Spot) -> str:
    return f"C{_point(first)} {_point(second)} {_point(to)}"


# --- words


def _counts(spot: Spot, count: int, total: int | None, kind: str = "", *, after: str = "") -> str:
    """A count, and below it what share that is; above it, what is counted."""
    said = []
    if kind:
        said.append(text_at(spot, kind, "start", "lab"))
        spot = Spot(spot.x, spot.y + _LINE)
    said.append(text_at(spot, counted(count) + after, "start", "lab" if count else ""))
    if total and count:
        below = Spot(spot.x, spot.y + _LINE)
        said.append(text_at(below, part(count, total), "start"))
    return "".join(said)


def part(count: int, total: int) -> str:
    """A share that is never rounded to nothing, nor to all."""
    share = count / total
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return percent(share)


def _lines(name: str, room: float) -> list[str]:
    """A name in at most two lines, cut where it is too long for them."""
    words = visible(name[:200]).split(" ")
    line = words[0]
    for at, word in enumerate(words[1:], 1):
        if _spans(f"{line} {word}") > room:
            return [_cut(line, room), _cut(" ".join(words[at:]), room)]
        line += f" {word}"
    return [_cut(line, room)]


def _cut(text: str, room: float) -> str:
    if _spans(text) <= room:
        return text
    while text and _spans(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


def _spans(text: str) -> float:
    """How wide a text may be, in the widest of the usual types, bold."""
    return sum(_span(char) for char in text)


def _span(char: str) -> float:
    if char in "mwMW@%&…":
        return 13.2
    if char in " ijl.,:;'|!()[]":
        return 5.4
    return 10.2 if char.isupper() else 8.5 * text_width(char)
