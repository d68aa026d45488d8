"""Diagnostics as a JUnit report, for build servers that show tests."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from ._diagnostic import Diagnostic
from ._frame import frame
from ._look import Look
from ._shown import visible


def junit_text(diagnostics: Sequence[Diagnostic]) -> str:
    """One test suite per file and one case per finding; errors fail, the rest is only told.

    Every text is made visible first, so no character is left that XML forbids.
    """
    errors = sum(d.is_error for d in diagnostics)
    rows = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="guardkit" tests="{len(diagnostics)}" failures="{errors}" errors="0">',
    ]
    for path, group in groupby(diagnostics, key=lambda d: d.place.source.path):
        rows += _suite(path, list(group))
    rows.append("</testsuites>")
    return "\n".join(rows)


def _suite(path: str, found: Sequence[Diagnostic]) -> list[str]:
    name = _attribute(path)
    errors = sum(d.is_error for d in found)
    counts = f'tests="{len(found)}" failures="{errors}" errors="0" skipped="0"'
    rows = [f'  <testsuite name="{name}" {counts} time="0">']
    for diagnostic in found:
        line, column = diagnostic.place.start
        code = diagnostic.code
        case = _attribute(f"{code.id} {code.slug} at {line}:{column}")
        rows.append(f'    <testcase classname="{name}" name="{case}" line="{line}" time="0">')
        told = escape("\n".join(frame(diagnostic, Look())))
        if diagnostic.is_error:
            message = _attribute(diagnostic.message)
            rows.append(f'      <failure type="{code.id}" message="{message}">{told}</failure>')
        else:
            rows.append(f"      <system-out>{told}</system-out>")
        rows.append("    </testcase>")
    return [*rows, "  </testsuite>"]


def _attribute(text: str) -> str:
    return escape(visible(text), quote=True)
