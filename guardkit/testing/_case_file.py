"""Case files: texts to judge, a JSON object a line, with what belongs to each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from guardkit.types import SURFACES, Surface


@dataclass(frozen=True, slots=True)
class Case:
    """One text to judge, and what belongs to it."""

    id: str
    """The row's own, else `line 12`."""
    line: int
    text: str = field(repr=False)
    on: Surface
    context: Mapping[str, object] = field(default_factory=dict, repr=False)
    session: str | None = None
    """Cases of one session are one conversation, in the order of the file."""
    tool: str | None = None
    label: object = None

    @property
    def is_wanted(self) -> bool | None:
        """Whether a policy ought to act on this text, as its label says; None where none does."""
        return bool(self.label) if isinstance(self.label, int) and self.label in (0, 1) else None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no case."""

    line: int
    why: str


def cases_in(content: bytes, on: Surface) -> Iterator[Case | BadRow]:
    """The cases of a file, in order; `on` is the surface of those that name none."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode())
        except UnicodeDecodeError:
            yield BadRow(number, "it is not UTF-8")
        except (ValueError, RecursionError):
            yield BadRow(number, "it is not JSON")
        else:
            yield _case(number, row, on)


def _case(line: int, row: object, on: Surface) -> Case | BadRow:
    if not isinstance(row, dict):
        return BadRow(line, "it is no object")
    text = row.get("text")
    if not isinstance(text, str):
        return BadRow(line, "it has no `text`")
    surface = row.get("on")
    if surface is None:
        surface = on
    elif surface not in SURFACES or surface == "conversation":
        return BadRow(line, "`on` names no surface")
    context = row.get("context")
    if context is not None and not isinstance(context, dict):
        return BadRow(line, "`context` is no object")
    session, tool = row.get("session"), row.get("tool")
    if not isinstance(session, str | None):
        return BadRow(line, "`session` is no text")
    if not isinstance(tool, str | None):
        return BadRow(line, "`tool` is no text")
    id = row.get("id")
    shown = f"line {line}" if id is None else str(id)
    return Case(shown, line, text, surface, context or {}, session, tool, row.get("label"))
