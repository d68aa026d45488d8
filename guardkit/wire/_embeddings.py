"""OpenAI's embeddings: texts go in, numbers come out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ._asked import Asked, take_apart
from ._completions import want_prompt
from ._dialect import Context, Event, Events, Family, Send, Unreadable, fault_body
from ._fault import Fault
from ._fields import want
from ._reading import listed, parted

KNOWN = frozenset({"model", "dimensions", "encoding_format", "user"})
_HEAD = frozenset({"object", "model", "id", "created"})


class Embeddings:
    """`/v1/embeddings`. A block is always an error: numbers can say no message."""

    name: ClassVar[str] = "embeddings"
    path: ClassVar[str] = "/v1/embeddings"
    family: ClassVar[Family] = "openai"
    text: ClassVar[tuple[str, ...]] = ("input",)
    ends_with_done: ClassVar[bool] = True
    context: ClassVar[Context] = "nowhere"
    can_refuse: ClassVar[bool] = False

    def ask(self, body: Mapping[str, Any], *, strict: bool) -> Asked:
        texts = want_prompt(body, "input")
        want(body, "model", str, needed=True)
        asked = take_apart(body, {"input": texts}, KNOWN, strict=strict)
        asked.streams = False
        return asked

    def call(self, send: Send) -> Callable[..., Any]:
        def call(input: Any, other_text: Any, about: Any) -> Any:
            return send(about, {"input": input}, other_text)

        return call

    def reply(self, reply: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], Event]:
        judged, head = parted(reply, _HEAD, frozenset({"usage"}))
        data = judged.pop("data", None)
        rows = listed({"data": data}, "data")
        head["data"] = [_row(row) for row in rows]
        return judged, head

    def refusal(self, message: str, asked: Asked, decision: str) -> Event:
        raise Unreadable

    def events(self, asked: Asked, decision: str) -> Events:
        raise Unreadable

    def kind(self, event: Event) -> str:
        return ""

    def fault(self, fault: Fault, decision: str, events: Events | None) -> tuple[str, Event]:
        return "", fault_body(self.family, fault, decision)


def _row(row: Mapping[str, Any]) -> Event:
    """A vector, made anew of its numbers: nothing else of the row goes on."""
    vector, place = row.get("embedding"), row.get("index")
    if type(place) is not int:
        raise Unreadable
    if type(vector) is str:
        try:
            packed = base64.b64decode(vector, validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable from None
        if not packed or len(packed) % 4:
            raise Unreadable
    elif type(vector) is not list or not all(type(each) in (int, float) for each in vector):
        raise Unreadable
    return {"object": "embedding", "index": place, "embedding": vector}
