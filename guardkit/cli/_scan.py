"""`guardkit scan`: verdicts over a text, standard input, or files of texts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import click

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import STRENGTH, SURFACES, Surface, Verdict

from ._bound import bound_file
from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._policies import PARAM, STD, Params
from ._records import DATA_SUFFIXES, Case, Unreadable, cases_of
from ._screen import Screen, screen
from ._verbs import verb

Format = Literal["text", "json", "jsonl"]
_STYLES = {"block": "bad", "hold": "warn", "revise": "warn", "rewrite": "info", "flag": "info"}
_WIDEST_NAME = 24


@verb("scan")
@click.argument("policy", metavar="FILE")
@click.argument("inputs", nargs=-1, metavar="[TEXT|-|DATA]...")
@click.option(
    "--on",
    type=click.Choice([s for s in SURFACES if s != "conversation"]),
    default="input",
    metavar="SURFACE",
    help="The surface of texts that name none: input, output, retrieved, tool_call, tool_result.",
)
@click.option("--lines", is_flag=True, help="Every line of standard input is a text.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    metavar="FORMAT",
    help="text, json or jsonl.",
)
@click.option("--show-values", is_flag=True, help="Show what was found, and the text.")
@PARAM
@STD
def command(
    policy: str,
    inputs: tuple[str, ...],
    on: Surface,
    lines: bool,
    format: Format,
    show_values: bool,
    params: Params,
    std: Path | None,
) -> int:
    """Judge texts by a policy.

    An input is a text, `-` for standard input, or a file of cases: JSONL with a field `text`, or
    Parquet with such a column. A case may bring `id`, `on`, `context` and `session`.

    Exits with 0 when everything may pass, 1 when something was stopped, 2 when the policy does not
    compile or a file is wrong, 3 when something could not be judged, 5 without any text.
    """
    show = screen()
    guard = bound_file(show, policy, dict(params), std)
    if guard is None:
        return WRONG
    report = _Report(show, format, show_values=show_values)
    report.begin()
    try:
        for case in _cases(inputs, on, lines):
            report.add(case, None if isinstance(case, Unreadable) else _judged(guard, case))
    except OSError as error:
        show.complain(f"`{visible(str(error.filename))}` cannot be read: {error.strerror}".lower())
        return WRONG
    except ImportError:
        show.complain("reading Parquet needs the package `pyarrow`: pip install pyarrow")
        return WRONG
    report.end()
    return report.code


def _cases(inputs: tuple[str, ...], on: Surface, lines: bool) -> Iterator[Case | Unreadable]:
    if not inputs:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Give a TEXT, a data file, or `-` for standard input.")
        inputs = ("-",)
    for name in inputs:
        if name == "-":
            yield from _standard_input(on, lines)
        elif Path(name).suffix in DATA_SUFFIXES:
            yield from cases_of(Path(name), on)
        else:
            yield Case("text", name, on)


def _standard_input(on: Surface, lines: bool) -> Iterator[Case | Unreadable]:
    raw = sys.stdin.buffer.read()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        yield Unreadable("stdin", "it is not UTF-8")
        return
    if not lines:
        yield Case("stdin", text, on)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield Case(f"stdin:{number}", line, on)


def _judged(guard: Guard, case: Case) -> Verdict | str:
    """The verdict, or why there is none."""
    session = case.session if case.session is not None else f"scan {case.id}"
    try:
        return guard.check(case.text, on=case.on, context=case.context, session=session)
    except UsageError as error:
        return str(error)


class _Report:
    """Writes verdicts as they come, and sums them up."""

    def __init__(self, show: Screen, format: Format, *, show_values: bool) -> None:
        self._show = show
        self._format = format
        self._show_values = show_values
        self._actions: Counter[str] = Counter()
        self._unjudged = 0
        self._first = True

    @property
    def code(self) -> int:
        """What the process ends with."""
        if self._unjudged:
            return UNJUDGED
        if any(STRENGTH[action] >= STRENGTH["revise"] for action in self._actions):
            return FINDINGS
        return CLEAN if self._actions else NOTHING

    def begin(self) -> None:
        if self._format == "json":
            self._show.out.data("[")

    def add(self, case: Case | Unreadable, verdict: Verdict | str | None) -> None:
        if isinstance(case, Unreadable) or not isinstance(verdict, Verdict):
            why = case.why if isinstance(case, Unreadable) else str(verdict)
            self._unjudged += 1
            self._write({"id": case.id, "error": why}, f"{'?':<8}{visible(case.id)}  {why}", "warn")
            return
        # What a check could not answer was decided by `on_error`; the reader should know.
        self._unjudged += bool(verdict.undecided)
        self._actions[verdict.action] += 1
        data = {"id": case.id, **verdict.as_dict(text=self._show_values)}
        self._write(data, self._line(case, verdict), _STYLES.get(verdict.action, ""))

    def end(self) -> None:
        if self._format == "json":
            self._show.out.data("\n]\n" if not self._first else "]\n")
        parts = [
            f"{count} {action}"
            for action, count in sorted(self._actions.items(), key=lambda kv: -STRENGTH[kv[0]])
        ]
        if self._unjudged:
            parts.append(f"{self._unjudged} could not be judged")
        self._show.say(", ".join(parts) if parts else "there was nothing to judge")

    def _write(self, data: dict[str, object], line: str, style: str) -> None:
        out = self._show.out
        if self._format == "text":
            out.line(out.paint(line, style) if style else line)
            return
        spelled = json.dumps(data, ensure_ascii=False)
        if self._format == "jsonl":
            out.data(spelled + "\n")
        else:
            out.data(("\n" if self._first else ",\n") + spelled)
        self._first = False

    def _line(self, case: Case, verdict: Verdict) -> str:
        name = visible(case.id)
        name = name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 1]}…"
        parts = [f"{verdict.action:<8}{name}"]
        if verdict.fired:
            parts.append(f"by {', '.join(verdict.fired)}")
        if verdict.unknown:
            parts.append(f"unanswered: {', '.join(verdict.unknown)}")
        parts += _places(case, verdict, show_values=self._show_values)
        return "  ".join(parts)


def _places(case: Case, verdict: Verdict, *, show_values: bool) -> Iterable[str]:
    """Where the matches are; what they say only if asked for."""
    places = dict.fromkeys((f.label, f.start, f.end, f.view, f.pointer) for f in verdict.findings)
    for label, start, end, view, pointer in places:
        where = f"{pointer} {start}-{end}" if pointer else f"{start}-{end}"
        seen = "" if view == "raw" else f" ({view})"
        said = f" {visible(case.text[start:end])!r}" if show_values and not pointer else ""
        yield f"{label} {where}{seen}{said}"
