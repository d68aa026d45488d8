"""One diagnostic as a frame: headline, snippets, help and the fix."""

from __future__ import annotations

from ._diagnostic import Diagnostic, Fix
from ._fix import draw_edits
from ._look import Look
from ._shown import visible, wrap
from ._snippet import Mark, draw, extent_of, gutter_of, numbered
from ._source import Source

_NEAR = 8
_Snippet = tuple[Source, list[Mark]]


def frame(diagnostic: Diagnostic, look: Look) -> list[str]:
    """The lines of one diagnostic; prose is wrapped, and quoted lines never pass `look.width`."""
    source = diagnostic.place.source
    snippets = _snippets(diagnostic, look)
    gutter = gutter_of(mark.extent for _, marks in snippets for mark in marks)
    empty = look.row(numbered(look, "", gutter))

    rows = _headline(diagnostic, look)
    rows.append(_where(look, "-->", source, *diagnostic.place.start, gutter))
    if source.text:
        rows += [empty, *draw(look, source, snippets[0][1], gutter)]
    for other, marks in snippets[1:]:
        first = marks[0].extent
        rows += [empty] if source.text else []
        rows.append(_where(look, ":::", other, first.first, first.start + 1, gutter))
        if other.text:
            rows += [empty, *draw(look, other, marks, gutter)]

    remarks: list[str] = []
    if diagnostic.note and not source.text:
        remarks += _remark(look, "note", diagnostic.note, gutter)
    for text in diagnostic.help:
        remarks += _remark(look, "help", text, gutter)
    if diagnostic.fix:
        remarks += _fix_rows(look, diagnostic.fix, source, gutter)
    return [*rows, empty, *remarks] if remarks else rows


def _headline(diagnostic: Diagnostic, look: Look) -> list[str]:
    name = f"{diagnostic.level}[{diagnostic.code.id}]"
    indent = len(name) + 2
    pieces = wrap(visible(diagnostic.message, ascii=look.ascii), look.room - indent)
    rows = [look.row((name, diagnostic.level), (": " + pieces[0], "strong"))]
    rows += [look.row((" " * indent, ""), (piece, "strong")) for piece in pieces[1:]]
    return rows


def _where(look: Look, arrow: str, source: Source, line: int, column: int, gutter: int) -> str:
    where = f"{source.path}:{line}:{column}"
    return look.row((" " * gutter + arrow + " ", "gutter"), (visible(where, ascii=look.ascii), ""))


def _remark(look: Look, kind: str, text: str, gutter: int) -> list[str]:
    """`= kind: text`, wrapped under its own beginning."""
    lead = " " * (gutter + 1) + "= "
    indent = len(lead) + len(kind) + 2
    pieces = [
        piece
        for line in text.splitlines() or [""]
        for piece in wrap(visible(line, ascii=look.ascii), max(look.room - indent, 24))
    ]
    rows = [look.row((lead, "gutter"), (kind + ":", "help"), (" " + pieces[0], ""))]
    rows += [look.row((" " * indent, ""), (piece, "")) for piece in pieces[1:]]
    return rows


def _fix_rows(look: Look, fix: Fix, source: Source, gutter: int) -> list[str]:
    kind = "fix" if fix.safe else "unsafe fix"
    return [
        *_remark(look, kind, fix.title, gutter),
        *draw_edits(look, fix.edits, source, gutter),
    ]


def _snippets(diagnostic: Diagnostic, look: Look) -> list[_Snippet]:
    """The primary mark with the labels near it, then a snippet for each place further away."""
    place = diagnostic.place
    primary = Mark(
        extent_of(place), visible(diagnostic.note, ascii=look.ascii), diagnostic.level, True
    )
    snippets: list[_Snippet] = [(place.source, [primary])]
    for label in diagnostic.labels:
        text = visible(label.text, ascii=look.ascii)
        mark = Mark(extent_of(label.place), text, "label", False)
        for source, marks in snippets:
            if source == label.place.source and _is_near(mark, marks[0]):
                marks.append(mark)
                break
        else:
            snippets.append((label.place.source, [mark]))
    return snippets


def _is_near(mark: Mark, other: Mark) -> bool:
    line = mark.extent.first
    return other.extent.first - _NEAR <= line <= other.extent.last + _NEAR
