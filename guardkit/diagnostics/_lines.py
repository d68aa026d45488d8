"""Diagnostics a line each: for people, and for workflow logs."""

from __future__ import annotations

from ._diagnostic import Diagnostic
from ._shown import visible

_WORKFLOW_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def concise(diagnostic: Diagnostic, *, ascii: bool = False) -> str:
    """`path:line:column: level[code] message`."""
    line, column = diagnostic.place.start
    where = f"{diagnostic.place.source.path}:{line}:{column}"
    text = f"{where}: {diagnostic.level}[{diagnostic.code.id}] {diagnostic.message}"
    return visible(text, ascii=ascii)


def github(diagnostic: Diagnostic) -> str:
    """A workflow command that puts the finding beside its line in a change."""
    start, end = diagnostic.place.start, diagnostic.place.end
    properties = {"file": visible(diagnostic.place.source.path), "line": str(start.line)}
    if end.line == start.line:
        # Columns are understood only for a range within one line.
        properties |= {"col": str(start.column), "endLine": str(end.line)}
        properties["endColumn"] = str(end.column)
    else:
        properties["endLine"] = str(end.line)
    properties["title"] = f"{diagnostic.code.id} {diagnostic.code.slug}"
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    help_lines = [line for text in diagnostic.help for line in text.splitlines()]
    message = "\n".join(visible(line) for line in [diagnostic.message, *help_lines])
    return f"::{_WORKFLOW_COMMANDS[diagnostic.level]} {listed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
