"""`guardkit scan`: verdicts over a text, standard input, or files of texts."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import (
    CASE_SUFFIXES,
    BrokenRow,
    Case,
    cases_of,
    judged,
    text_of,
    texts_of,
)
from guardkit.types import STRENGTH, Finding, Surface, Verdict

from ._bound import bound_file
from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, Params, facts_of, on_option
from ._screen import Screen, quoted, screen
from ._verbs import verb

if TYPE_CHECKING:
    from guardkit.packs import Installed

Format = Literal["text", "json", "jsonl"]
_STYLES = {"block": "bad", "hold": "warn", "revise": "warn", "rewrite": "info", "flag": "info"}
_USUAL_NAME = 16
_WIDEST_NAME = 24
_INDENT = 9
"""Where a line goes on: behind the longest action."""


@verb("scan")
@click.argument("policy", metavar="FILE")
@click.argument("inputs", nargs=-1, metavar="[TEXT|-|DATA]...")
@on_option("texts that name none")
@click.option("--lines", is_flag=True, help="Every line of standard input is a text.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    metavar="FORMAT",
    help="text, json or jsonl.",
)
@click.option(
    "--show-values", is_flag=True, help="Show what was found and what a text becomes, not masked."
)
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    policy: str,
    inputs: tuple[str, ...],
    on: Surface,
    lines: bool,
    format: Format,
    show_values: bool,
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Judge texts by a policy.

    FILE is a policy, or the name of one that ships, such as `starter`. An input is a text, `-` for
    standard input, or a file that ends in .jsonl, .jsonl.gz or .parquet: its rows have a field
    `text`, and may have `id`, `on`, `context`, `session` and `tool`.

    Exits with 0 when everything may pass, 1 when something was stopped, 2 when the policy or a file
    is wrong, 3 when something could not be judged, 5 without any text.
    """
    show = screen()
    context = facts_of(facts)
    guard = bound_file(show, policy, dict(params), std, packs, overlay)
    if guard is None:
        return WRONG
    is_alone = not lines and not any(name.endswith(CASE_SUFFIXES) for name in inputs)
    report = _Report(show, format, 0 if is_alone else _USUAL_NAME, show_values=show_values)
    is_wrong = False
    report.begin()
    try:
        for case in _cases(inputs, on, lines):
            verdict = None if isinstance(case, BrokenRow) else judged(guard, case, context=context)
            report.add(case, verdict)
    except UsageError as error:
        show.complain(str(error))
        is_wrong = True
    report.end()
    return WRONG if is_wrong else report.code


def _cases(inputs: tuple[str, ...], on: Surface, lines: bool) -> Iterator[Case | BrokenRow]:
    if not inputs:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Give a TEXT, a data file, or `-` for standard input.")
        inputs = ("-",)
    for number, name in enumerate(inputs, 1):
        if name == "-":
            yield from _standard_input(on, lines)
        elif name.endswith(CASE_SUFFIXES):
            yield from cases_of(Path(name), on)
        else:
            yield Case("text" if len(inputs) == 1 else f"text:{number}", name, on)


def _standard_input(on: Surface, lines: bool) -> Iterator[Case | BrokenRow]:
    if sys.stdin is None:  # closed by whoever started us
        raise UsageError("standard input is closed")
    if lines:
        yield from texts_of(sys.stdin.buffer, "stdin", on)
    else:
        yield text_of(sys.stdin.buffer, "stdin", on)


class _Report:
    """Writes verdicts as they come, and sums them up."""

    def __init__(self, show: Screen, format: Format, widest: int, *, show_values: bool) -> None:
        self._show = show
        self._format = format
        self._show_values = show_values
        self._actions: Counter[str] = Counter()
        self._unread = 0
        self._undecided = 0
        self._widest = widest
        self._is_first = True

    @property
    def code(self) -> int:
        """What the process ends with."""
        if any(STRENGTH[action] >= STRENGTH["revise"] for action in self._actions):
            return FINDINGS
        if self._unread or self._undecided:
            return UNJUDGED
        return CLEAN if self._actions else NOTHING

    def begin(self) -> None:
        if self._format == "json":
            self._show.out.data("[")

    def add(self, case: Case | BrokenRow, verdict: Verdict | str | None) -> None:
        """Write what came of a case: a verdict, or why there is none."""
        if isinstance(case, BrokenRow) or not isinstance(verdict, Verdict):
            why = case.why if isinstance(case, BrokenRow) else str(verdict)
            self._unread += 1
            self._write(case.id, {"error": why}, "error", [why])
            return
        # What a check could not answer was decided by `on_error`; the reader should know.
        self._undecided += not set(verdict.undecided) <= set(verdict.shadow)
        self._actions[verdict.action] += 1
        data = verdict.as_dict(text=self._show_values)
        data.pop("hold", None)
        if self._show_values:
            data["findings"] = [_with_value(finding, case.text) for finding in verdict.findings]
        self._write(case.id, data, verdict.action, list(self._facts(case, verdict)))

    def end(self) -> None:
        if self._format == "json":
            self._show.out.data("]\n" if self._is_first else "\n]\n")
        say, total = self._show.say, self._actions.total() + self._unread
        if not total:
            say(self._show.err.paint("there is nothing to judge", "warn"))
            return
        ranked = sorted(self._actions.items(), key=lambda item: -STRENGTH[item[0]])
        parts = [f"{count} {action}" for action, count in ranked]
        if self._unread:
            parts.append(f"{self._unread} unreadable")
        say(f"{total} {'text' if total == 1 else 'texts'}: {', '.join(parts)}")
        if self._undecided:
            what = "a check could not answer" if self._undecided == 1 else "checks could not answer"
            say(self._show.err.paint(f"{what}: `on_error` decided for {self._undecided}", "warn"))

    def _write(self, id: str, data: dict[str, object], word: str, facts: list[str]) -> None:
        out = self._show.out
        if self._format == "text":
            for line in self._laid_out(id, word, facts):
                out.line(line)
            return
        spelled = json.dumps({"id": id, **data})
        if self._format == "jsonl":
            out.data(spelled + "\n")
        else:
            out.data(("\n" if self._is_first else ",\n") + spelled)
        self._is_first = False

    def _laid_out(self, id: str, word: str, facts: list[str]) -> Iterator[str]:
        """One line; in a terminal as many as its width asks for."""
        out = self._show.out
        name = visible(id)
        name = name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 1]}…"
        self._widest = max(self._widest, len(name))
        style = _STYLES.get(word, "warn" if word == "error" else "good")
        head = out.paint(word, style) + " " * (_INDENT - len(word)) + name
        line, used = head + " " * (self._widest - len(name)), _INDENT + self._widest
        room = out.width if out.file.isatty() else sys.maxsize  # in a pipe a text is a line
        for fact in facts:
            if used + 2 + len(fact) <= room:
                line, used = f"{line}  {fact}", used + 2 + len(fact)
                continue
            yield line.rstrip()
            *whole, last = textwrap.wrap(fact, room - _INDENT) or [""]
            yield from (" " * _INDENT + piece for piece in whole)
            line, used = " " * _INDENT + last, _INDENT + len(last)
        yield line.rstrip()

    def _facts(self, case: Case, verdict: Verdict) -> Iterator[str]:
        if verdict.fired:
            yield f"by {', '.join(verdict.fired)}"
        if verdict.shadow:
            yield f"in shadow: {', '.join(verdict.shadow)}"
        if verdict.unknown:
            yield f"no answer: {', '.join(verdict.unknown)}"
        yield from _places(case, verdict, show_values=self._show_values)
        if self._show_values and verdict.action == "rewrite":
            yield f"becomes {quoted(verdict.text)}"


def _with_value(finding: Finding, text: str) -> dict[str, object]:
    value = {} if finding.pointer else {"value": text[finding.start : finding.end]}
    return {**finding._asdict(), **value}


def _places(case: Case, verdict: Verdict, *, show_values: bool) -> Iterator[str]:
    """Where the matches are; what they say only if asked for."""
    places = dict.fromkeys((f.label, f.start, f.end, f.view, f.pointer) for f in verdict.findings)
    for label, start, end, view, pointer in places:
        where = f"{pointer} {start}-{end}" if pointer else f"{start}-{end}"
        seen = "" if view == "raw" else f" ({view})"
        said = ""
        if show_values and not pointer:
            said = f" {quoted(case.text[start:end])}"
        yield f"{label} {where}{seen}{said}"
