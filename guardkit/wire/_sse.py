"""Server-sent events: bytes as they come from the wire to events, and events to bytes.

The rules are those of the event stream format of the web, to the letter, with two exceptions on
the strict side: bytes that are no UTF-8 break the stream where a browser would show a replacement
character, and an event has a largest size. Where the bytes are cut makes no difference.
"""

from __future__ import annotations

from typing import NamedTuple

LARGEST_EVENT = 4 * 2**20
"""Bytes of the lines of one event. A line that adds nothing to it, such as a comment, counts only
until its end has come."""

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event."""

    kind: str
    """What its `event` field says; empty where it has none."""
    data: str


class BrokenStream(Exception):  # noqa: N818 - a word for a stream, said to its reader
    """The bytes cannot be read as events. The message quotes none of them."""


class EventReader:
    """Reads events from bytes, however they are cut: `feed` them, then `finish`.

    The events of all calls together depend on the bytes alone. So where a stream breaks, the
    events before the break are returned first, and the next call raises.
    """

    __slots__ = ("_after_cr", "_broken", "_data", "_is_first", "_kind", "_line", "_size", "is_cut")

    def __init__(self) -> None:
        self.is_cut = False
        """Whether the stream ended within an event, known after `finish`."""
        self._line = bytearray()  # the line whose end has not come
        self._data: list[str] = []
        self._kind = ""
        self._size = 0  # bytes of the lines in `_data`
        self._is_first = True  # no line has ended yet
        self._after_cr = False  # a line feed now belongs to the line before
        self._broken = ""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with `data`. It costs in proportion to `data`.

        Raises:
            BrokenStream: The stream is not UTF-8, or an event is too large.
        """
        self._stop_if_broken()
        events: list[Event] = []
        if not data:
            return events
        if self._after_cr:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        for piece in data.splitlines(keepends=True):
            part = piece.rstrip(b"\r\n")
            if self._size + len(self._line) + len(part) > LARGEST_EVENT:
                self._broken = "an event is too large"
                break
            if len(part) == len(piece):  # its end has not come
                self._line += part
                break
            if self._line:
                part = bytes(self._line + part)
                self._line = bytearray()
            if part:
                self._end_line(part)
                if self._broken:
                    break
            else:
                self._is_first = False
                if self._data:
                    events.append(Event(self._kind, "\n".join(self._data)))
                    self._data = []
                    self._size = 0
                self._kind = ""
        else:
            self._after_cr = data.endswith(b"\r")
        if not events:
            self._stop_if_broken()
        return events

    def finish(self) -> list[Event]:
        """Say that no more bytes come. An event without its end is dropped: see `is_cut`.

        Returns:
            No event, ever: one that is complete was returned when its end came.

        Raises:
            BrokenStream: The stream broke in the last call of `feed`.
        """
        self._stop_if_broken()
        line = self._line.removeprefix(_BOM) if self._is_first else self._line
        self.is_cut = bool(line or self._data or self._kind)
        self._line = bytearray()
        self._data = []
        self._kind = ""
        return []

    def _stop_if_broken(self) -> None:
        if self._broken:
            raise BrokenStream(self._broken)

    def _end_line(self, line: bytes) -> None:
        """Take in one line that is not empty."""
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            # Not raised from here: the decoder's error would carry the bytes along.
            self._broken = "the stream is not UTF-8"
            return
        name, _, value = text.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
            self._size += len(line)
        elif name == "event":
            self._kind = value.removeprefix(" ")
        # All else has no meaning here: comments, whose name is empty, `id`, `retry`, other fields.


def event_bytes(data: bytes, kind: str = "") -> bytes:
    """One event as bytes.

    Args:
        data: What it carries: JSON, or a word such as `[DONE]`.
        kind: Its `event` field; none where it is empty.

    Raises:
        ValueError: A line would end within a field, and what follows become fields of its own.
    """
    if b"\n" in data or b"\r" in data or "\n" in kind or "\r" in kind:
        raise ValueError("a field of an event must be one line")
    if kind:
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"
