"""What is wrong with a document, as editors show it: places of this file, fixes, related places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guardkit.diagnostics import Diagnostic, Fix, Place, Span
from guardkit.syntax import ast

from ._document import Document
from ._workspace import Workspace

_MOST = 500


class Related(NamedTuple):
    """Another place that helps to understand a finding."""

    path: str
    place: Place
    text: str


class Finding(NamedTuple):
    """One finding at a place of the document; where it lies in another file, at its `use`."""

    span: Span
    message: str
    code: str
    level: str
    related: tuple[Related, ...] = ()
    fix: Fix | None = None


class Findings(NamedTuple):
    """What was found in one version; `is_complete` where more than the syntax was looked at."""

    version: int
    text: str
    found: tuple[Finding, ...]
    is_complete: bool


def findings(
    workspace: Workspace, document: Document, diagnostics: Iterable[Diagnostic]
) -> Findings:
    """The diagnostics of `guardkit check`, each at a place of this document."""
    made = [_finding(workspace, document, one) for one in diagnostics]
    return Findings(document.version, document.text, tuple(made[:_MOST]), True)


def early_findings(workspace: Workspace, document: Document, earlier: Findings | None) -> Findings:
    """The syntax of this version, and what was known about the meaning of the last one.

    Places move with the text around them; what was edited has lost its finding until the check of
    this version is done.
    """
    parsed = document.parsed
    syntax = [_finding(workspace, document, one) for one in parsed.diagnostics]
    moved = [] if earlier is None else _moved(earlier, document.text)
    kept = [one for one in moved if not one.code.startswith("GK1")]
    found = tuple([*syntax, *kept][:_MOST])
    return Findings(document.version, document.text, found, False)


def _finding(workspace: Workspace, document: Document, one: Diagnostic) -> Finding:
    message = one.message + (f" ({one.note})" if one.note else "")
    message = "\n".join([message, *(f"help: {line}" for line in one.help)])
    labels = [(label.place, label.text) for label in one.labels]
    span = one.place.span
    if one.place.source.path != document.source.path:
        # The finding of a module stands at the line that uses it.
        labels.insert(0, (one.place, one.message))
        span = _use_of(workspace, document, one.place)
        message = f"{one.place.source.path}: {message}"
    related = tuple(
        Related(workspace.real(place.source.path), place, text) for place, text in labels
    )
    own_fix = one.fix if one.fix is not None and _is_of(document, one.fix) else None
    return Finding(span, message, one.code.id, one.level, related, own_fix)


def _is_of(document: Document, fix: Fix) -> bool:
    return all(edit.place.source.path == document.source.path for edit in fix.edits)


def _use_of(workspace: Workspace, document: Document, place: Place) -> Span:
    """The `use` a finding of another file belongs to; the first line where none is known."""
    wanted = workspace.real(place.source.path)
    first: Span | None = None
    for node in document.file.declarations:
        if isinstance(node, ast.UseModule):
            module = workspace.module(document, str(node.path.value))
            if module is not None and module.path == wanted:
                return node.path.span
            first = first or node.path.span
    return first or document.lines.line_span(0)


def _moved(earlier: Findings, text: str) -> list[Finding]:
    """Findings of an earlier text at their places in a new one."""
    old = earlier.text
    same = _common(old, text)
    tail = min(_common(old[::-1], text[::-1]), min(len(old), len(text)) - same)
    end, ahead = len(old) - tail, len(text) - len(old)
    kept: list[Finding] = []
    for one in earlier.found:
        start, stop = one.span
        if stop <= same:
            kept.append(one)
        elif start >= end:
            kept.append(one._replace(span=Span(start + ahead, stop + ahead), fix=None))
    return kept


def _common(left: str, right: str) -> int:
    """How many characters two texts have in common at their start."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
