"""A fix as a small diff of the lines it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ._diagnostic import Edit
from ._look import Look
from ._shown import ShownLine, visible
from ._snippet import View, manageable
from ._source import Source, Span

_MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Lines to take out and lines to put in; `first` is the line where both begin."""

    source: Source
    first: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def draw_edits(look: Look, edits: Sequence[Edit], source: Source, gutter: int) -> list[str]:
    """The changed lines, `-` before and `+` after; a file other than `source` is named."""
    rows: list[str] = []
    named = source
    for hunk in _hunks(edits, source):
        if hunk.source != named:
            named = hunk.source
            path = visible(named.path, ascii=look.ascii)
            rows.append(look.row((" " * gutter + "::: ", "gutter"), (path, "")))
        elif rows:
            rows.append(look.row(("...", "gutter")))
        old_focus, new_focus = _difference(hunk)
        rows += _lines(look, "-", "remove", hunk.old, hunk.first, old_focus, gutter)
        rows += _lines(look, "+", "add", hunk.new, hunk.first, new_focus, gutter)
    return rows


def _hunks(edits: Iterable[Edit], own: Source) -> Iterator[_Hunk]:
    def order(edit: Edit) -> tuple[bool, str, str, Span]:
        source = edit.place.source
        return (source != own, source.path, source.text, edit.place.span)

    ordered = sorted(edits, key=order)
    for source, group in groupby(ordered, key=lambda e: e.place.source):
        block: list[Edit] = []
        for edit in _apart(group):
            if block and edit.place.start.line > block[-1].place.end.line + 1:
                yield from _hunk(source, block)
                block = []
            block.append(edit)
        yield from _hunk(source, block)


def _apart(edits: Iterable[Edit]) -> Iterator[Edit]:
    """The edits without those that overlap an earlier one: they could not both be made."""
    end = 0
    for edit in edits:
        if edit.place.span.start >= end:
            end = edit.place.span.end
            yield edit


def _hunk(source: Source, edits: Sequence[Edit]) -> Iterator[_Hunk]:
    first = edits[0].place.start.line
    last = edits[-1].place.end.line
    start = edits[0].place.span.start - (edits[0].place.start.column - 1)
    old = [source.line(number) for number in range(first, last + 1)]
    rest = source.line(last)[edits[-1].place.end.column - 1 :]
    pieces: list[str] = []
    for edit in edits:
        pieces += [source.text[start : edit.place.span.start], edit.replacement]
        start = edit.place.span.end
    new = "".join([*pieces, rest]).replace("\r\n", "\n").split("\n")
    while old and new and old[0] == new[0]:
        del old[0], new[0]
        first += 1
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    if old or new:
        yield _Hunk(source, first, tuple(old), tuple(new))


def _difference(hunk: _Hunk) -> tuple[tuple[int, int], tuple[int, int]]:
    """What differs in the first old and the first new line, so that long lines show it."""
    old = hunk.old[0] if hunk.old else ""
    new = hunk.new[0] if hunk.new else ""
    limit = min(len(old), len(new))
    same = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - same) if old[-1 - i] != new[-1 - i]), limit - same)
    return (same, len(old) - tail), (same, len(new) - tail)


def _lines(
    look: Look,
    sign: str,
    style: str,
    lines: Sequence[str],
    first: int,
    focus: tuple[int, int],
    gutter: int,
) -> list[str]:
    rows: list[str] = []
    for index, line in enumerate(lines[:_MOST_LINES]):
        number = f"{first + index:>{gutter}} "
        at = focus if index == 0 else (0, 0)
        cut_from, piece = manageable(line, [at])
        shown = ShownLine(piece, ascii=look.ascii)
        columns = shown.columns(at[0] - cut_from, at[1] - cut_from)
        view = View(shown, columns, look.room - gutter - 3, look)
        segments = [(text, kind or style) for text, kind in view.segments]
        rows.append(look.row((number, "gutter"), (sign + " ", style), *segments))
    left = len(lines) - _MOST_LINES
    if left > 0:
        more = f"{look.cut} {left} more line{'s' if left > 1 else ''}"
        rows.append(look.row((" " * (gutter + 1), ""), (f"{sign} {more}", style)))
    return rows
