"""Ends a stream of events the way its dialect does: what is open is closed, in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ._values import like, member, put, word

_MESSAGES = ("content_block_", "message_")
_RESPONSES = "response."


class _Dialect(Protocol):
    def see(self, event: Any, kind: str) -> None: ...
    def end(self, message: str) -> list[dict[str, Any]]: ...


class Ending:
    """Sees what a stream shows, and says how it ends when a rule stops it."""

    def __init__(self) -> None:
        self._dialect: _Dialect | None = None

    def see(self, shown: Iterable[Any]) -> None:
        """These were shown."""
        for event in shown:
            if kind := word(event, "type"):
                if self._dialect is None:
                    self._dialect = _dialect_of(kind)
                if self._dialect is not None:
                    self._dialect.see(event, kind)

    def events(self, message: str, last: Any) -> list[Any] | None:
        """The events that say a message and end the stream; None where its dialect has none.

        Args:
            message: What a rule says.
            last: The last event that came, whether it was shown or not.
        """
        dialect = self._dialect or _dialect_of(word(last, "type"))
        if dialect is None:
            return None
        return [like(last, event) for event in dialect.end(message)]


def _dialect_of(kind: str) -> _Dialect | None:
    if kind.startswith(_MESSAGES):
        return _Messages()
    return _Responses() if kind.startswith(_RESPONSES) else None


class _Messages:
    """Anthropic: a message of blocks that open, speak and stop, as a rule one after the other."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}
        """The blocks that are open, and what they are."""
        self._next = 0

    def see(self, event: Any, kind: str) -> None:
        if kind == "content_block_start":
            index = member(event, "index", self._next)
            self._open[index] = word(member(event, "content_block"), "type")
            self._next = max(self._next, index + 1)
        elif kind == "content_block_stop":
            self._open.pop(member(event, "index"), None)

    def end(self, message: str) -> list[dict[str, Any]]:
        texts = [index for index, kind in self._open.items() if kind == "text"]
        index = texts[-1] if texts else self._next
        events: list[dict[str, Any]] = [
            {"type": "content_block_stop", "index": each} for each in self._open if each != index
        ]
        if not texts:
            block = {"type": "text", "text": ""}
            events.append({"type": "content_block_start", "index": index, "content_block": block})
        said = {"type": "text_delta", "text": message}
        why = {"stop_reason": "refusal", "stop_sequence": None}
        return [
            *events,
            {"type": "content_block_delta", "index": index, "delta": said},
            {"type": "content_block_stop", "index": index},
            {"type": "message_delta", "delta": why, "usage": {"output_tokens": 0}},
            {"type": "message_stop"},
        ]


class _Responses:
    """OpenAI responses: items hold parts, parts hold text; every end repeats what it ends."""

    def __init__(self) -> None:
        self._response: Any = None
        self._done: list[Any] = []
        self._item: Any = None
        self._place = -1
        self._part: int | None = None
        self._parts: list[Any] = []
        self._said: list[str] = []
        self._number: int | None = None

    def see(self, event: Any, kind: str) -> None:
        self._number = member(event, "sequence_number", self._number)
        match kind.removeprefix(_RESPONSES):
            case "created" | "in_progress":
                self._response = member(event, "response")
            case "output_item.added":
                self._item, self._part, self._parts = member(event, "item"), None, []
                self._place = member(event, "output_index", self._place + 1)
            case "output_item.done":
                self._done.append(member(event, "item"))
                self._item, self._part, self._parts = None, None, []
            case "content_part.added":
                self._part, self._said = member(event, "content_index", len(self._parts)), []
            case "content_part.done":
                self._parts.append(member(event, "part"))
                self._part = None
            case "output_text.delta":
                self._said.append(word(event, "delta"))

    def end(self, message: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []

        def say(kind: str, **said: Any) -> None:
            if isinstance(self._number, int):
                self._number += 1
                said["sequence_number"] = self._number
            events.append({"type": _RESPONSES + kind, **said})

        done = list(self._done)
        item, place, part, parts, told = (
            self._item,
            max(self._place, 0),
            self._part,
            self._parts,
            "".join(self._said),
        )
        if item is not None and word(item, "type") != "message":
            done.append(put(item, {("status",): "incomplete"}))
            say("output_item.done", output_index=place, item=done[-1])
            item = None
        if item is None:
            place, part, parts = self._place + 1, None, []
            item = {"id": "blocked", "type": "message", "role": "assistant", "content": []}
            item["status"] = "in_progress"
            say("output_item.added", output_index=place, item=item)
        at = {"item_id": word(item, "id"), "output_index": place}
        if part is None:
            part, told = len(parts), ""
            say("content_part.added", **at, content_index=part, part=_text(""))
        at["content_index"] = part
        whole = _text(told + message)
        say("output_text.delta", **at, delta=message, logprobs=[])
        say("output_text.done", **at, text=whole["text"], logprobs=[])
        say("content_part.done", **at, part=whole)
        done.append(put(item, {("content",): [*parts, whole], ("status",): "incomplete"}))
        say("output_item.done", output_index=place, item=done[-1])
        response = {"object": "response"} if self._response is None else self._response
        ended = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
        changes = {(key,): value for key, value in ended.items()}
        say("incomplete", response=put(response, {**changes, ("output",): done}))
        return events


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}
