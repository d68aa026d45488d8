"""Lines of one source with carets under them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ._look import Look, Segment
from ._shown import ShownLine, text_width, wrap
from ._source import Place, Source

_LONGEST_LINE = 2_000
_LEAST_NOTE = 24
_INLINE_NOTE = 32
_HANGING_NOTE = 44


@dataclass(frozen=True, slots=True)
class Extent:
    """A place in lines counted from 1 and code points of a line counted from 0."""

    first: int
    start: int
    last: int
    end: int

    @property
    def is_multiline(self) -> bool:
        return self.last > self.first


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch to underline, its note and its style."""

    extent: Extent
    note: str
    style: str
    primary: bool


@dataclass(frozen=True, slots=True)
class _Underline:
    left: int
    right: int
    note: str
    style: str
    glyph: str


def extent_of(place: Place) -> Extent:
    """Where a place lies on the screen: inside the file, and not on the line after a line break."""
    source = place.source
    start = min(max(place.span.start, 0), len(source.text))
    end = min(max(place.span.end, start), len(source.text))
    first, column = source.position(start)
    if end > start and source.text[end - 1] == "\n":
        end -= 1
    last, after = source.position(end)
    return Extent(
        first,
        min(column - 1, len(source.line(first))),
        last,
        min(after - 1, len(source.line(last))),
    )


class View:
    """The part of a line that fits `room` columns, around the columns that matter."""

    __slots__ = ("_edge", "_left", "_shift", "segments")

    def __init__(self, shown: ShownLine, focus: tuple[int, int], room: int, look: Look) -> None:
        left, right = _window(shown.width, focus, room, len(look.cut))
        before, after = left > 0, right < shown.width
        first, cells = shown.between(left, right)
        self.segments: list[Segment] = [(look.cut, "gutter")] if before else []
        for cell in cells:
            style = "escape" if cell.escaped else ""
            if self.segments and self.segments[-1][1] == style:
                self.segments[-1] = (self.segments[-1][0] + cell.text, style)
            else:
                self.segments.append((cell.text, style))
        if after:
            self.segments.append((look.cut, "gutter"))
        self._left = first
        self._shift = len(look.cut) if before else 0
        inside = self._shift + sum(cell.width for cell in cells)
        self._edge = inside + len(look.cut) if after else room

    def columns(self, left: int, right: int) -> tuple[int, int]:
        """Where columns of the line are in this view; what lies outside shrinks to its edge."""
        shown_left = min(max(left - self._left + self._shift, 0), self._edge - 1)
        shown_right = min(max(right - self._left + self._shift, 0), self._edge)
        return shown_left, max(shown_right, shown_left + 1)


def _window(width: int, focus: tuple[int, int], room: int, cut: int) -> tuple[int, int]:
    # One column stays free for a caret just after the text.
    if width < room or (width == room and focus[1] <= width):
        return 0, width
    low, high = focus
    if high <= room - cut:
        return 0, room - cut
    inner = room - 2 * cut
    left = low - max(0, inner - (high - low)) // 2
    left = max(1, min(left, width - (room - cut) + 1))
    return left, width if width - left < room - cut else left + inner


def draw(look: Look, source: Source, marks: Sequence[Mark], gutter: int) -> list[str]:
    """The lines the marks lie on, underlined; skipped lines become one `...` row."""
    bar = next((m for m in marks if m.primary and m.extent.is_multiline), None)
    rows: list[str] = []
    previous = 0
    for number in _lines_to_show(source, marks):
        if previous and number > previous + 1:
            side = look.bar if bar and bar.extent.first <= previous < bar.extent.last else ""
            rows.append(look.row((f"{'...':<{gutter + 3}}", "gutter"), (side, _bar_style(bar))))
        previous = number
        rows += _draw_line(look, source, number, marks, bar, gutter)
    return rows


def gutter_of(extents: Iterable[Extent]) -> int:
    """How many columns the line numbers need; two at least, so that most frames line up."""
    return max(2, *(len(str(extent.last)) for extent in extents), 2)


def numbered(look: Look, number: int | str, gutter: int) -> Segment:
    """The gutter of one row."""
    return (f"{number:>{gutter}} {look.bar} ", "gutter")


def _bar_style(bar: Mark | None) -> str:
    return bar.style if bar else ""


def _lines_to_show(source: Source, marks: Sequence[Mark]) -> list[int]:
    wanted: set[int] = set()
    for mark in marks:
        wanted.add(mark.extent.first)
        if mark.primary:
            wanted.add(mark.extent.last)
    for number in sorted(wanted):
        # A caret on an empty line says little without the line before it.
        if number > 1 and not source.line(number).strip() and source.line(number - 1).strip():
            wanted.add(number - 1)
    for number in sorted(wanted):
        if number + 2 in wanted:
            wanted.add(number + 1)
    return sorted(wanted)


def _draw_line(
    look: Look, source: Source, number: int, marks: Sequence[Mark], bar: Mark | None, gutter: int
) -> list[str]:
    line = source.line(number)
    here = [m for m in marks if m is not bar and m.extent.first == number]
    starts = bar is not None and bar.extent.first == number
    ends = bar is not None and bar.extent.last == number
    inside = bar is not None and bar.extent.first < number <= bar.extent.last
    points = [(m.extent.start, _end_on(line, m.extent)) for m in here]
    if bar and starts:
        points.insert(0, (bar.extent.start, bar.extent.start + 1))
    if bar and ends:
        points.insert(0, (max(bar.extent.end - 1, 0), max(bar.extent.end, 1)))

    cut_from, piece = manageable(line, points)
    shown = ShownLine(piece, ascii=look.ascii)
    spans = [shown.columns(start - cut_from, end - cut_from) for start, end in points]
    room = look.room - gutter - 3 - (2 if bar else 0)
    view = View(shown, _focus(spans, room), room, look)
    spans = [view.columns(*span) for span in spans]

    style = _bar_style(bar)
    opens_here = bool(bar and starts and not line[: bar.extent.start].strip())
    margin: list[Segment] = []
    if bar:
        glyph = look.opening if opens_here else f"{look.bar} " if inside else "  "
        margin = [(glyph, style)]
    below: list[Segment] = [(f"{look.bar} ", style)] if opens_here or inside else []
    if bar and not below:
        below = [("  ", "")]

    empty = numbered(look, "", gutter)
    rows = [look.row(numbered(look, number, gutter), *margin, *view.segments)]
    underlines = [
        _Underline(*span, mark.note, mark.style, "^" if mark.primary else "-")
        for span, mark in zip(spans[len(points) - len(here) :], here, strict=True)
    ]
    rows += [look.row(empty, *below, *row) for row in _underline_rows(underlines, room)]
    if bar and starts and not opens_here:
        left = spans[1 if ends else 0][0]
        rows.append(look.row(empty, (look.start_corner + look.rule * left + "^", style)))
    if bar and ends:
        left = spans[0][1] - 1
        rows += [look.row(empty, *row) for row in _closing_rows(look, bar, left, room)]
    return rows


def _closing_rows(look: Look, bar: Mark, left: int, room: int) -> list[list[Segment]]:
    """The corner of a multi-line mark with its caret in column `left`, and the note."""
    corner = (look.end_corner + look.rule * left + "^", bar.style)
    end = left + 1
    if end + 1 + min(text_width(bar.note), _INLINE_NOTE) > room:
        note = wrap(bar.note, room, split_words=True)
        return [[corner], *([("  ", ""), (piece, bar.style)] for piece in note)]
    first, *others = _note_rows(end, bar.note, bar.style, room)
    return [[corner, *first], *([(" " * len(corner[0]), ""), *row] for row in others)]


def _end_on(line: str, extent: Extent) -> int:
    return len(line) if extent.is_multiline else extent.end


def manageable(line: str, points: Sequence[tuple[int, int]]) -> tuple[int, str]:
    """A stretch of a huge line around what matters, so that one line cannot cost a second."""
    if len(line) <= _LONGEST_LINE:
        return 0, line
    middle = points[0][0] if points else 0
    start = max(0, min(middle - _LONGEST_LINE // 2, len(line) - _LONGEST_LINE))
    return start, line[start : start + _LONGEST_LINE]


def _focus(spans: Sequence[tuple[int, int]], room: int) -> tuple[int, int]:
    if not spans:
        return 0, 0
    low, high = min(s[0] for s in spans), max(s[1] for s in spans)
    return (low, high) if high - low < room - 8 else spans[0]


def _underline_rows(underlines: Sequence[_Underline], room: int) -> list[list[Segment]]:
    """The row of carets, and the notes: the last beside its caret, the others hanging below."""
    if not underlines:
        return []
    ordered = sorted(underlines, key=lambda u: (u.left, u.glyph == "^"))
    end = max(u.right for u in ordered)
    glyphs: list[Segment] = [(" ", "")] * end
    for underline in sorted(ordered, key=lambda u: u.glyph == "^"):
        for column in range(underline.left, underline.right):
            glyphs[column] = (underline.glyph, underline.style)
    rows = [_joined(glyphs)]

    pending = [u for u in ordered if u.note]
    if pending and pending[-1] is ordered[-1] and pending[-1].right == end:
        note = pending[-1]
        if end + 1 + min(text_width(note.note), _INLINE_NOTE) <= room:
            pending.pop()
            for index, row in enumerate(_note_rows(end, note.note, note.style, room)):
                if index == 0:
                    rows[0] += row
                else:
                    rows.append(_hangers(pending, end) + row)
    if pending and len(underlines) > 1:
        rows.append(_hangers(pending, end))
    while pending:
        hanging = pending.pop()
        column = max(0, min(hanging.left, room - min(text_width(hanging.note), _HANGING_NOTE)))
        beside = _hangers(pending, column)
        pieces = wrap(hanging.note, room - column, split_words=True)
        rows += [[*beside, (piece, hanging.style)] for piece in pieces]
    return rows


def _note_rows(end: int, note: str, style: str, room: int) -> list[list[Segment]]:
    """A note that begins one column after `end`, wrapped; one empty row without a note."""
    if not note:
        return [[]]
    pieces = wrap(note, max(room - end - 1, _LEAST_NOTE), split_words=True)
    return [[(" ", ""), (piece, style)] for piece in pieces]


def _hangers(pending: Sequence[_Underline], end: int) -> list[Segment]:
    """Bars from the carets above down to the notes still to come, up to column `end`."""
    glyphs: list[Segment] = [(" ", "")] * end
    for underline in pending:
        if underline.left < end:
            glyphs[underline.left] = ("|", underline.style)
    return _joined(glyphs)


def _joined(glyphs: Sequence[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for text, style in glyphs:
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + text, style)
        else:
            joined.append((text, style))
    return joined
