"""A stream of events that is in no dialect: what of each is judged, and the event again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from guardkit.wire import BrokenStream, EventReader, Fault, Unreadable, write_json

from ._bodies import read_value

Path = tuple[str | int, ...]
Chunk = dict[str, Any]
"""What is judged of an event: under `index` which one it is, under other names its texts."""

DONE: Final = "[DONE]"
_KIND = re.compile(r"[A-Za-z0-9_.:-]{0,100}\Z")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}\Z")
_LINES = re.compile(r"\r\n|\r|\n")
_LABELS: Final = frozenset({
    "created", "created_at", "event", "finish_reason", "id", "kind", "model", "name", "object",
    "role", "status", "stop_reason", "timestamp", "type",
})  # fmt: skip
"""Fields whose words are labels, complete in each event; `…_id` too. They are judged alone, while
all other fields go on from event to event."""


class Said(NamedTuple):
    """One event as it came."""

    kind: str
    value: Any
    """Its data: a JSON value, or a text."""
    is_json: bool
    places: dict[str, Path]
    """Where the texts that go on stand in it."""


class Place(int):
    """An event among the others: a number, in which nobody looks for text."""

    said: Said


class Events:
    """Reads one stream, however it is cut."""

    def __init__(self) -> None:
        self._reader = EventReader()
        self._number = 0
        self.closing = b""
        """What stands behind the last text, whenever that may be shown."""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """What is to be judged of the events that are complete with `data`.

        Raises:
            Unreadable: One cannot be read; those before it came out.
        """
        try:
            for event in self._reader.feed(data):
                if event.data == DONE:
                    self.closing = bytes_of("", DONE)
                else:
                    yield self._chunk(event.kind, event.data)
        except (BrokenStream, Fault):
            raise Unreadable from None

    def finish(self) -> None:
        """Say that no more bytes come. An event without its end is dropped, as by every reader.

        Raises:
            Unreadable: The last bytes could not be read.
        """
        try:
            self._reader.finish()
        except BrokenStream:
            raise Unreadable from None

    def _chunk(self, kind: str, data: str) -> Chunk:
        if _KIND.match(kind) is None:
            raise Unreadable
        place = Place(self._number)
        self._number += 1
        value, is_json = _value_of(data)
        place.said = Said(kind, value, is_json, {})
        chunk: Chunk = {"index": place}
        for path, text in _leaves(value, ()):
            if text is None or _is_label(path, text):
                # A name of a field: judged once, and nothing that goes on.
                chunk["\n".join(("", *map(str, path), text or ""))] = None
                continue
            name = "\n".join(("", *map(str, path))) if path else "text"
            if name in chunk:
                raise Unreadable  # two fields whose names cannot be told apart
            place.said.places[name] = path
            chunk[name] = text
        return chunk


def event_of(chunk: Chunk) -> bytes:
    """The event of a chunk, with the texts that may be shown."""
    said: Said = chunk["index"].said
    value = said.value
    for name, path in said.places.items():
        value = _with(value, path, chunk[name])
    data = write_json(value).decode() if said.is_json else value
    return bytes_of(said.kind, data)


def bytes_of(kind: str, data: str) -> bytes:
    """An event as it is sent; each line of its data is a field of its own."""
    lines = [f"event: {kind}"] if kind else []
    lines += [f"data: {line}" for line in _LINES.split(data)]
    return "\n".join([*lines, "", ""]).encode()


def _value_of(data: str) -> tuple[Any, bool]:
    """The data of an event, and whether it is JSON. A bare number is text: a token may be one."""
    if not data.lstrip().startswith(("{", "[", '"')):
        return data, False
    try:
        return read_value(data.encode(), what="event"), True
    except Fault as fault:
        # Nobody reads it as JSON; but where some parser might, escapes would hide what it says.
        if fault.code == "invalid_json" and "\\u" not in data:
            return data, False
        raise Unreadable from None


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str | None]]:
    """Every text, and the way to it; None for the end of a way without a text."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    elif any(isinstance(name, str) for name in path):
        yield path, None


def _is_label(path: Path, text: str) -> bool:
    name = path[-1] if path else ""
    is_named = isinstance(name, str) and (name in _LABELS or name.endswith("_id"))
    return is_named and _WORD.match(text) is not None


def _with(value: Any, path: Path, text: str) -> Any:
    """A copy with another text in one place."""
    if not path:
        return text
    copy: Any = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], text)
    return copy
