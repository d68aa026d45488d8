"""Making the safe fixes of one policy file, a round at a time until nothing is left to fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from guardkit.diagnostics import Diagnostic, Edit, Fix

from ._policies import problem
from ._write import not_written, write_atomically

_MOST_ROUNDS = 10
_BOM = b"\xef\xbb\xbf"


def apply_fixes(
    path: Path, check: Callable[[], Sequence[Diagnostic]]
) -> tuple[int, list[Diagnostic]]:
    """How many fixes were made, and what stood in the way.

    Args:
        path: The policy; no other file is ever changed.
        check: Finds what is wrong with it as it stands: one fix may uncover the next finding.
    """
    made = 0
    shown = path.as_posix()
    for _ in range(_MOST_ROUNDS):
        fixes = [d.fix for d in check() if d.fix is not None and _is_ours(d.fix, shown)]
        chosen = _apart(fixes)
        if not chosen:
            break
        source = chosen[0].edits[0].place.source
        text = source.text
        edits = sorted((e for fix in chosen for e in fix.edits), key=_start, reverse=True)
        for edit in edits:
            span = edit.place.span
            text = text[: span.start] + edit.replacement + text[span.end :]
        try:
            raw = path.read_bytes()
            mark = _BOM if raw.startswith(_BOM) else b""
            if raw != mark + source.text.encode():
                break  # somebody else wrote it meanwhile: their text is not ours to overwrite
            write_atomically(path, mark + text.encode())
        except OSError as error:
            return made, [problem(shown, "unreadable-file", not_written(shown, error))]
        made += len(chosen)
    return made, []


def _is_ours(fix: Fix, path: str) -> bool:
    """Whether a fix keeps what the author meant and touches this file alone."""
    return (
        bool(fix.edits) and fix.safe and all(edit.place.source.path == path for edit in fix.edits)
    )


def _apart(fixes: Sequence[Fix]) -> list[Fix]:
    """The fixes that can be made together: none touches what an earlier one changes."""
    chosen: list[Fix] = []
    taken: list[tuple[int, int]] = []
    for fix in fixes:
        spans = [(edit.place.span.start, edit.place.span.end) for edit in fix.edits]
        # Two insertions at one place would depend on their order.
        if any(s <= end and start <= e for s, e in spans for start, end in taken):
            continue
        taken += spans
        chosen.append(fix)
    return chosen


def _start(edit: Edit) -> tuple[int, int]:
    return edit.place.span.start, edit.place.span.end
