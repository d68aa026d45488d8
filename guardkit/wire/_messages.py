"""Anthropic's messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ._asked import Asked, take_apart
from ._dialect import Context, Event, Events, Family, Flow, Send, Unreadable, fault_body
from ._fault import Fault
from ._fields import want, want_many, want_messages
from ._reading import FOREIGN, holds_figures, is_kind, listed, parted, without

# fmt: off
KNOWN = frozenset({
    "model", "max_tokens", "metadata", "stop_sequences", "stream", "temperature", "thinking",
    "tool_choice", "top_k", "top_p", "service_tier", "container", "mcp_servers",
    "context_management", "output_config", "output_format", "cache_control", "inference_geo",
})
HOSTED = ("web_search", "web_fetch", "code_execution", "tool_search", "mcp", "advisor")
"""Tools that the provider runs: their calls and results pass nobody here before they happen."""
# fmt: on
WORDS = frozenset({"id", "model"})
PLAIN = frozenset({"usage"})


class Messages:
    """`/v1/messages`."""

    name: ClassVar[str] = "messages"
    path: ClassVar[str] = "/v1/messages"
    family: ClassVar[Family] = "anthropic"
    text: ClassVar[tuple[str, ...]] = ("messages",)
    ends_with_done: ClassVar[bool] = False
    context: ClassVar[Context] = "messages"
    can_refuse: ClassVar[bool] = True

    def ask(self, body: Mapping[str, Any], *, strict: bool) -> Asked:
        messages = want_messages(body, "messages")
        want(body, "model", str, needed=True)
        system = want(body, "system", str, list)
        tools = want_many(body, "tools", dict)
        hosted = sum(str(each.get("type", "")).startswith(HOSTED) for each in tools or ())
        servers = want_many(body, "mcp_servers", dict) or []
        container = body.get("container")
        hosted += type(container) is dict and bool(container.get("skills"))
        texts = {"messages": messages, "system": system, "tools": tools}
        return take_apart(body, texts, KNOWN, strict=strict, unseen=hosted + len(servers))

    def call(self, send: Send) -> Callable[..., Any]:
        def call(messages: Any, system: Any, tools: Any, other_text: Any, about: Any) -> Any:
            texts = {"messages": messages, "system": system, "tools": tools}
            return send(about, texts, other_text)

        return call

    def reply(self, reply: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], Event]:
        listed(reply, "content")
        if reply.keys() & FOREIGN:
            raise Unreadable
        return parted(reply, WORDS, PLAIN)

    def refusal(self, message: str, asked: Asked, decision: str) -> Event:
        return {
            **_head(asked, decision),
            "content": [{"type": "text", "text": message}],
            "stop_reason": "refusal",
        }

    def events(self, asked: Asked, decision: str) -> MessageEvents:
        return MessageEvents(asked, decision)

    def kind(self, event: Event) -> str:
        return str(event.get("type", ""))

    def fault(self, fault: Fault, decision: str, events: Events | None) -> tuple[str, Event]:
        return "error", fault_body(self.family, fault, decision)


def _head(asked: Asked, decision: str) -> Event:
    return {
        "id": f"msg_{decision}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


class MessageEvents(Flow):
    """A stream of blocks."""

    def __init__(self, asked: Asked, decision: str) -> None:
        super().__init__()
        self._asked = asked
        self._decision = decision
        self._head: Event = {}
        self._usage: Any = None
        self._has_begun = self._is_over = False

    def take(self, event: Event) -> Event | None:
        kind = event.get("type")
        if not is_kind(kind) or kind == "error" or event.keys() & FOREIGN:
            raise Unreadable
        if kind == "ping":
            return {"type": "ping"}
        if type(event.get("index", 0)) is not int:
            raise Unreadable
        if not self._has_begun and kind != "message_start":
            raise Unreadable
        self.came(_text_of(event))
        self._has_begun = True
        self._is_over = self._is_over or kind == "message_stop"
        if kind == "message_start":
            message = event.get("message")
            if type(message) is not dict:
                raise Unreadable
            judged, self._head = parted(message, WORDS, PLAIN)
            return {**event, "message": judged}
        if kind == "message_delta" and holds_figures(event.get("usage")):
            self._usage = event.get("usage")
            return without(event, "usage")
        return event

    def give(self, event: Event) -> Event:
        self.went(_text_of(event))
        kind = event["type"]
        if kind == "message_start":
            return {**event, "message": {**self._head, **event["message"]}}
        if kind == "message_delta" and "usage" not in event and self._usage is not None:
            return {**event, "usage": self._usage}
        return event

    def end(self, event: Event, message: str) -> Event:
        return self.give(event)

    def refusal(self, message: str) -> list[Event]:
        said = {"type": "text_delta", "text": message}
        why = {"stop_reason": "refusal", "stop_sequence": None}
        block = {"type": "text", "text": ""}
        return [
            {"type": "message_start", "message": _head(self._asked, self._decision)},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": said},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": why, "usage": {"output_tokens": 0}},
            {"type": "message_stop"},
        ]

    @property
    def is_over(self) -> bool:
        return self._is_over

    def closing(self, *, is_blocked: bool) -> list[Event]:
        return []


def _text_of(event: Event) -> object:
    delta = event.get("delta")
    return delta.get("text") if type(delta) is dict else None
