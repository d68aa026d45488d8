"""The decision tree of one verdict, in the width of the terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import ParamValue
from guardkit.runtime import Explanation, Told
from guardkit.types import Surface

from ._bound import bound_file
from ._exits import CLEAN, WRONG
from ._screen import Screen

_STYLES = {"yes": "strong", "no": "dim", "unknown": "warn", "not asked": "dim"}
_WIDEST_ANSWER = 9


def explain_verdict(
    show: Screen,
    policy: str,
    text: str,
    *,
    on: Surface,
    params: Mapping[str, ParamValue],
    std: Path | None,
) -> int:
    """Write the tree; the exit code says whether there was one."""
    guard = bound_file(show, policy, params, std)
    if guard is None:
        return WRONG
    try:
        explanation = guard.explain(_given(text), on=on)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    for line in _lines(show, explanation):
        show.out.line(line)
    return CLEAN


def _given(text: str) -> str:
    if text != "-":
        return text
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8") from None


def _lines(show: Screen, explanation: Explanation) -> Iterator[str]:
    verdict = explanation.verdict
    by = f" by {', '.join(verdict.fired)}" if verdict.fired else ""
    head = f"{verdict.action} on {verdict.surface}{by}"
    paint = show.out.paint
    yield paint(head, "bad" if verdict.action == "block" else "strong")
    took = verdict.elapsed_us
    spent = f"{took / 1000:.1f} ms" if took >= 1000 else f"{took:.0f} µs"
    yield paint(f"{spent}, views read: {', '.join(explanation.views)}", "dim")
    if verdict.message is not None:
        yield from textwrap.wrap(f"says: {visible(verdict.message)}", show.out.width)
    if not explanation.rules:
        yield f"no rule judges `{verdict.surface}`"
    for told in explanation.rules:
        yield ""
        yield from _tree(show, told, "", "")


def _tree(show: Screen, told: Told, branch: str, margin: str) -> Iterator[str]:
    paint = show.out.paint
    answer = paint(f"{told.answer:<{_WIDEST_ANSWER}}", _STYLES[told.answer])
    head = f"{branch}{told.title}"
    room = show.out.width - _WIDEST_ANSWER - 1 - len(head) - 2
    detail = told.detail if len(told.detail) <= room else told.detail[: max(room - 1, 0)] + "…"
    yield f"{answer} {head}" + (f"  {paint(detail, 'dim')}" if detail and room > 3 else "")
    for told_below in told.below:
        is_last = told_below is told.below[-1]
        yield from _tree(
            show,
            told_below,
            margin + ("└─ " if is_last else "├─ "),
            margin + ("   " if is_last else "│  "),
        )
