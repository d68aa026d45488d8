"""What `guardkit scan` writes: a line or an object for each text, and the sum of them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from guardkit.batch import UNJUDGED, Result, Totals
from guardkit.diagnostics import visible
from guardkit.types import STRENGTH

from ._exits import CLEAN, FINDINGS, NOTHING
from ._exits import UNJUDGED as CANNOT_JUDGE
from ._screen import Screen, quoted

Format = Literal["text", "json", "jsonl"]
_STYLES: Final = {
    "block": "bad",
    "hold": "warn",
    "revise": "warn",
    "rewrite": "info",
    "flag": "info",
    UNJUDGED: "warn",
}
_USUAL_NAME: Final = 16
_WIDEST_NAME: Final = 24
_INDENT: Final = 9
"""Where a line goes on: behind the longest action."""


def code_of(totals: Totals) -> int:
    """What the process ends with."""
    if any(STRENGTH.get(action, 0) >= STRENGTH["revise"] for action in totals.actions):
        return FINDINGS
    if totals.actions.get(UNJUDGED) or totals.undecided:
        return CANNOT_JUDGE
    return CLEAN if totals.rows else NOTHING


def sum_up(show: Screen, totals: Totals) -> None:
    """Say how many texts came to what."""
    if not totals.rows:
        show.say(show.err.paint("there is nothing to judge", "warn"))
        return
    judged = [item for item in totals.actions.items() if item[0] != UNJUDGED]
    ranked = sorted(judged, key=lambda item: -STRENGTH[item[0]])
    parts = [f"{count} {action}" for action, count in ranked]
    if unread := totals.actions.get(UNJUDGED, 0):
        parts.append(f"{unread} unreadable")
    texts = "text" if totals.rows == 1 else "texts"
    show.say(f"{totals.rows} {texts}: {', '.join(parts)}")
    if count := totals.undecided:
        what = "a check could not answer" if count == 1 else "checks could not answer"
        show.say(show.err.paint(f"{what}: `on_error` decided for {count}", "warn"))


class Report:
    """Writes results to standard output as they come.

    Args:
        show: Where to write.
        format: In which form.
        is_alone: The texts are few and have no names to be put under each other.
    """

    def __init__(self, show: Screen, format: Format, *, is_alone: bool) -> None:
        self._show = show
        self._format = format
        self._widest = 0 if is_alone else _USUAL_NAME
        self._is_first = True
        self.totals = Totals()

    def begin(self) -> None:
        """Open what has to be closed."""
        if self._format == "json":
            self._show.out.data("[")

    def add(self, results: Sequence[Result]) -> None:
        """Write what came of some rows."""
        self.totals = self.totals.plus(results)
        if self._format == "jsonl":
            self._show.out.data("".join(f"{result.line}\n" for result in results))
            return
        for result in results:
            self._write(result)

    def end(self) -> None:
        """Close it again."""
        if self._format == "json":
            self._show.out.data("]\n" if self._is_first else "\n]\n")

    def _write(self, result: Result) -> None:
        out = self._show.out
        if self._format == "text":
            for line in self._laid_out(result.action, result.data):
                out.line(line)
        else:
            out.data(("\n" if self._is_first else ",\n") + result.line)
        self._is_first = False

    def _laid_out(self, word: str, data: Mapping[str, Any]) -> Iterator[str]:
        """One line; in a terminal as many as its width asks for."""
        out = self._show.out
        name = visible(str(data["id"]))
        name = name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 1]}…"
        self._widest = max(self._widest, len(name))
        head = out.paint(word, _STYLES.get(word, "good")) + " " * (_INDENT - len(word)) + name
        line, used = head + " " * (self._widest - len(name)), _INDENT + self._widest
        room = out.width if out.file.isatty() else sys.maxsize  # in a pipe a text is a line
        for fact in _facts(data):
            if used + 2 + len(fact) <= room:
                line, used = f"{line}  {fact}", used + 2 + len(fact)
                continue
            yield line.rstrip()
            *whole, last = textwrap.wrap(fact, room - _INDENT) or [""]
            yield from (" " * _INDENT + piece for piece in whole)
            line, used = " " * _INDENT + last, _INDENT + len(last)
        yield line.rstrip()


def _facts(data: Mapping[str, Any]) -> Iterator[str]:
    if "error" in data:
        yield data["error"]
        return
    for key, word in (("fired", "by"), ("shadow", "in shadow:"), ("unknown", "no answer:")):
        if data[key]:
            yield f"{word} {', '.join(data[key])}"
    yield from dict.fromkeys(_place(found) for found in data["findings"])
    if "text" in data and data["action"] == "rewrite":
        yield f"becomes {quoted(data['text'])}"


def _place(found: Mapping[str, Any]) -> str:
    """Where a match is; what it says only if that was asked for."""
    where = f"{found['start']}-{found['end']}"
    if found["pointer"]:
        where = f"{found['pointer']} {where}"
    seen = "" if found["view"] == "raw" else f" ({found['view']})"
    said = f" {quoted(found['value'])}" if "value" in found else ""
    return f"{found['label']} {where}{seen}{said}"
