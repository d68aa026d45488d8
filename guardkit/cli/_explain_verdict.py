"""The decision tree of one verdict, in the width of the terminal."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import Case, ParamValue
from guardkit.runtime import Explanation, Told
from guardkit.types import STRENGTH, Verdict

from ._bound import bound_file
from ._exits import CLEAN, WRONG
from ._screen import Screen, quoted

if TYPE_CHECKING:
    from guardkit.packs import Installed

_STYLES = {"yes": "strong", "no": "dim", "unknown": "warn", "not asked": "dim"}
_RANKS = ("yes", "unknown", "not asked", "no")
"""What a reader looks for first: the rules that fired."""
_NARROWEST = 12
"""A title gets this many columns, however deep it stands."""


def explain_verdict(
    show: Screen,
    policy: str,
    case: Case,
    params: Mapping[str, ParamValue],
    std: Path | None,
    packs: Installed | None = None,
    overlay: Path | None = None,
    *,
    show_values: bool,
) -> int:
    """Write the verdict and its tree; the exit code says whether there is one."""
    guard = bound_file(show, policy, params, std, packs, overlay)
    if guard is None:
        return WRONG
    try:
        case = replace(case, text=_given(case.text))
        told = guard.explain(case.text, on=case.on, context=case.context, tool=case.tool)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    for line in _head(show, told, case, show_values=show_values):
        show.out.line(line)
    column = max((len(answer) for rule in told.rules for answer in _answers(rule)), default=0)
    for rule in sorted(told.rules, key=lambda rule: _RANKS.index(rule.answer)):
        show.out.line()
        for line in _tree(show, _with_fate(rule, told.verdict), column, "", ""):
            show.out.line(line)
    return CLEAN


def _given(text: str) -> str:
    if text != "-":
        return text
    if sys.stdin is None:  # closed by whoever started us
        raise UsageError("standard input is closed")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8") from None


# --- the verdict


def _head(show: Screen, told: Explanation, case: Case, *, show_values: bool) -> Iterator[str]:
    out, verdict = show.out, told.verdict
    is_stopped = STRENGTH[verdict.action] >= STRENGTH["revise"]
    action = out.paint(verdict.action, "bad" if is_stopped else "good")
    by = f" by {', '.join(verdict.fired)}" if verdict.fired else ""
    said = f" on {verdict.surface}{by}"
    first, *more = _wrapped(said, out.width - len(verdict.action))
    yield action + first
    yield from ("  " + line for line in more)
    for name, text in _facts(told, case, show_values=show_values):
        first, *more = _wrapped(text, out.width - 10)
        yield f"  {out.paint(f'{name:<8}', 'dim')}{first}"
        yield from (" " * 10 + line for line in more)


def _facts(told: Explanation, case: Case, *, show_values: bool) -> Iterator[tuple[str, str]]:
    verdict = told.verdict
    if verdict.message is not None:
        yield "says", quoted(verdict.message)
    if show_values:
        found = dict.fromkeys((f.label, f.start, f.end) for f in verdict.findings if not f.pointer)
        for label, start, end in found:
            yield "found", f"{label} {start}-{end} {quoted(case.text[start:end])}"
        if verdict.action == "rewrite":
            yield "becomes", quoted(verdict.text)
    if verdict.shadow:
        yield "shadow", ", ".join(verdict.shadow)
    if not told.views:
        yield "unread", "a tool call is a JSON object of arguments, and TEXT is none"
    elif not told.rules:
        yield "rules", f"none judges `{verdict.surface}`"
    else:
        took = verdict.elapsed_us
        spent = f"{took / 1000:.1f} ms" if took >= 1000 else f"{took:.0f} µs"
        yield "read", f"{', '.join(told.views)}, in {spent}"


# --- the tree


def _answers(told: Told) -> Iterator[str]:
    yield told.answer
    for below in told.below:
        yield from _answers(below)


def _with_fate(rule: Told, verdict: Verdict) -> Told:
    """A rule with what became of it beyond its answer."""
    name = rule.title.removeprefix("rule ")
    fate = ""
    if name in verdict.exempted:
        fate = ", exempted"
    elif name in verdict.undecided:
        said = {record.by: record.outcome for record in verdict.records}
        fate = f", on error: {said.get(rule.title, verdict.action)}"
    return rule._replace(detail=rule.detail + fate)


def _tree(show: Screen, told: Told, column: int, branch: str, margin: str) -> Iterator[str]:
    """A condition, its answer in the column on the left, and the conditions it was made of."""
    out = show.out
    hanging = margin + ("│  " if told.below else "   ")
    room = out.width - column - 2
    title = _wrapped(visible(told.title), room - len(hanging))
    detail = _wrapped(told.detail, room - len(hanging)) if told.detail else []
    # The detail stands behind the title where both fit, else in lines of its own.
    is_short = len(title) == 1 and len(branch) + len(title[0]) + 2 + len(told.detail) <= room
    style = "strong" if not branch and told.answer == "yes" else ""
    answer = out.paint(f"{told.answer:<{column}}", _STYLES[told.answer])
    head = f"{answer}  {branch}{out.paint(title[0], style) if style else title[0]}"
    if is_short:
        yield head + (f"  {out.paint(told.detail, 'dim')}" if told.detail else "")
    else:
        yield head
        start = " " * (column + 2) + hanging
        yield from (start + line for line in title[1:])
        yield from (start + out.paint(line, "dim") for line in detail)
    for below in told.below:
        is_last = below is told.below[-1]
        edge, go_on = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _tree(show, below, column, margin + edge, margin + go_on)


def _wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns; a rule's name stays beside its `rule`."""
    lines = textwrap.wrap(
        re.sub(r"^rule ", "rule\u00a0", text), max(width, _NARROWEST), break_on_hyphens=False
    )
    return [line.replace("\u00a0", " ") for line in lines] or [""]
