"""What happened, and the texts in it that are to be judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from guardkit.types import Surface

from ._scan import Glance, Located

MAX_CHARS = 4_000_000
"""The longest text that is judged; a longer one is refused, never cut."""
MOST_DEPTH = 100
"""How deep the arguments of a tool call may be nested."""


class Given(NamedTuple):
    """What a test says a check answers; value None makes it fail."""

    value: bool | float | str | None
    hits: tuple[Located, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in an exchange. Its repr names the surface and nothing else."""

    surface: Surface
    text: str = field(default="", repr=False)
    tool: str | None = None
    arguments: Mapping[str, object] | None = field(default=None, repr=False)
    context: Mapping[str, object] = field(default_factory=dict, repr=False)
    session: str | None = None
    tenant: str = ""
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """Texts of the exchange that checks may compare with, by surface."""
    given: Mapping[str, Given] = field(default_factory=dict, repr=False)
    same_turn: bool = False
    """An input that belongs to the turn under way."""
    again: bool = False
    """A text that was judged before in another form: the session does not count it twice."""
    stream: str = field(default="", repr=False)
    """What stands for the session of a stream that has none."""
    glance: Glance | None = field(default=None, repr=False, compare=False)
    """What was seen in the text already; a text is searched once."""


class Part(NamedTuple):
    """One text of an event. `pointer` is None for the name of an argument."""

    pointer: str | None
    text: str


def parts_of(event: Event) -> list[Part]:
    """The text of an event; of a tool call every string, name and number, since a card number that
    is written as a number is one."""
    if event.surface != "tool_call":
        return [Part("", event.text)]
    return list(_strings(event.arguments or {}, ""))


def _strings(value: object, pointer: str) -> Iterator[Part]:
    if isinstance(value, str):
        yield Part(pointer, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Part(pointer, str(value))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            name = str(key)
            yield Part(None, name)
            yield from _strings(inner, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{pointer}/{index}")


def escaped(name: str) -> str:
    """A name as a JSON pointer spells it."""
    return name.replace("~", "~0").replace("/", "~1")


def with_texts(value: object, changed: Mapping[str, str], pointer: str = "") -> object:
    """A copy of the arguments with what stands at these pointers replaced."""
    if isinstance(value, str | int | float):
        return changed.get(pointer, value)
    if isinstance(value, Mapping):
        return {
            key: with_texts(inner, changed, f"{pointer}/{escaped(str(key))}")
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [with_texts(inner, changed, f"{pointer}/{i}") for i, inner in enumerate(value)]
    return value


def spelled(arguments: Mapping[str, object]) -> str:
    """Arguments as JSON text, one spelling for equal arguments."""
    return json.dumps(arguments, ensure_ascii=False, sort_keys=True, default=str)
