"""Diagnostics as JSON objects with keys that do not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypedDict

from ._diagnostic import Diagnostic, Edit, Fix, Label
from ._source import Place


class JsonPosition(TypedDict):
    """Line and column count code points from 1, the offset from 0."""

    line: int
    column: int
    offset: int


class JsonLabel(TypedDict):
    path: str
    start: JsonPosition
    end: JsonPosition
    text: str


class JsonEdit(TypedDict):
    path: str
    start: JsonPosition
    end: JsonPosition
    replacement: str


class JsonFix(TypedDict):
    title: str
    safe: bool
    edits: list[JsonEdit]


class JsonDiagnostic(TypedDict):
    """One finding. Keys may be added; none is renamed or left out."""

    code: str
    slug: str
    level: str
    message: str
    note: str
    path: str
    start: JsonPosition
    end: JsonPosition
    labels: list[JsonLabel]
    help: list[str]
    fix: JsonFix | None
    explain: str


def to_json(diagnostic: Diagnostic) -> JsonDiagnostic:
    """The finding as plain data, ready for `json.dumps`."""
    place = diagnostic.place
    return {
        "code": diagnostic.code.id,
        "slug": diagnostic.code.slug,
        "level": diagnostic.level,
        "message": diagnostic.message,
        "note": diagnostic.note,
        "path": place.source.path,
        "start": _start(place),
        "end": _end(place),
        "labels": [_label(label) for label in diagnostic.labels],
        "help": list(diagnostic.help),
        "fix": _fix(diagnostic.fix) if diagnostic.fix else None,
        "explain": explain_command(diagnostic),
    }


def explain_command(diagnostic: Diagnostic) -> str:
    """What to type to read the page of this finding's code."""
    return f"guardkit explain {diagnostic.code.id}"


def json_text(diagnostics: Sequence[Diagnostic], summary: dict[str, int]) -> str:
    """One object with `diagnostics` and `summary`, in plain ASCII."""
    found = {"diagnostics": [to_json(d) for d in diagnostics], "summary": summary}
    return json.dumps(found, indent=2)


def json_line(diagnostic: Diagnostic) -> str:
    """One finding on one line, in plain ASCII: no character of a policy reaches a terminal raw."""
    return json.dumps(to_json(diagnostic))


def _start(place: Place) -> JsonPosition:
    line, column = place.start
    return {"line": line, "column": column, "offset": place.span.start}


def _end(place: Place) -> JsonPosition:
    line, column = place.end
    return {"line": line, "column": column, "offset": place.span.end}


def _label(label: Label) -> JsonLabel:
    return {
        "path": label.place.source.path,
        "start": _start(label.place),
        "end": _end(label.place),
        "text": label.text,
    }


def _edit(edit: Edit) -> JsonEdit:
    return {
        "path": edit.place.source.path,
        "start": _start(edit.place),
        "end": _end(edit.place),
        "replacement": edit.replacement,
    }


def _fix(fix: Fix) -> JsonFix:
    return {"title": fix.title, "safe": fix.safe, "edits": [_edit(edit) for edit in fix.edits]}
