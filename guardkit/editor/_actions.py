"""What the editor may change for the user: fixes of findings, and the one style."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from guardkit.diagnostics import Fix, Span
from guardkit.syntax import NotFormattedError, format_source

from ._document import Document
from ._findings import Finding, Findings


class Edit(NamedTuple):
    """What replaces a stretch of the document."""

    span: Span
    text: str


class Action(NamedTuple):
    """A change to offer. `finding` is what it mends; without one it is all safe fixes at once."""

    title: str
    edits: tuple[Edit, ...]
    finding: Finding | None
    is_safe: bool


def actions(document: Document, known: Findings | None, span: Span) -> tuple[Action, ...]:
    """What can be mended in a stretch; nothing while the findings are of another version."""
    if known is None or known.text != document.text:
        return ()
    found = [
        Action(one.fix.title, _edits(one.fix), one, one.fix.safe)
        for one in known.found
        if one.fix is not None and one.span.start <= span.end and span.start <= one.span.end
    ]
    safe = [one.fix for one in known.found if one.fix is not None and one.fix.safe]
    every = _apart(safe)
    if len(every) > 1:
        found.append(Action("make every safe fix", every, None, True))
    return tuple(found)


def _edits(fix: Fix) -> tuple[Edit, ...]:
    return tuple(Edit(edit.place.span, edit.replacement) for edit in fix.edits)


def _apart(fixes: Iterable[Fix]) -> tuple[Edit, ...]:
    """The edits of many fixes; a fix that would touch what another changes waits."""
    kept: list[Edit] = []
    for fix in fixes:
        edits = _edits(fix)
        if all(not _touch(one.span, other.span) for one in edits for other in kept):
            kept.extend(edit for edit in edits if edit not in kept)
    return tuple(sorted(kept))


def _touch(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def formatting(document: Document) -> tuple[Edit, ...]:
    """What has to change for the one style, line by line; nothing for a text that is no policy."""
    try:
        after = format_source(document.source)
    except NotFormattedError:
        return ()
    before = document.text.splitlines(keepends=True)
    wanted = after.splitlines(keepends=True)
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, before, wanted, autojunk=False)
    return tuple(
        Edit(Span(starts[a], starts[b]), "".join(wanted[c:d]))
        for what, a, b, c, d in matcher.get_opcodes()
        if what != "equal"
    )
