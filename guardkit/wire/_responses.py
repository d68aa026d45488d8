"""OpenAI's responses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ._asked import Asked, take_apart
from ._dialect import Context, Event, Events, Family, Flow, Send, Unreadable, fault_body
from ._fault import Fault
from ._fields import holds_no_text, want, want_many, want_messages
from ._reading import FOREIGN, is_kind, is_name, listed, parted, without

# fmt: off
KNOWN = frozenset({
    "model", "background", "context_management", "conversation", "include", "max_output_tokens",
    "max_tool_calls", "metadata", "moderation", "parallel_tool_calls", "previous_response_id",
    "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature",
    "text", "tool_choice", "top_logprobs", "top_p", "truncation", "user",
})
OWN = frozenset({
    "function", "custom", "local_shell", "apply_patch", "shell", "computer_use_preview", "computer",
    "namespace",
})
"""Tools that the client runs: their calls are judged before they do anything."""
# fmt: on
WORDS = frozenset({"id", "object", "model", "service_tier", "created_at", "completed_at"})
PLAIN = frozenset({"usage"})
_ANSWER = frozenset({"output", "status", "error", "incomplete_details"})


class Responses:
    """`/v1/responses`."""

    name: ClassVar[str] = "responses"
    path: ClassVar[str] = "/v1/responses"
    family: ClassVar[Family] = "openai"
    text: ClassVar[tuple[str, ...]] = ("input",)
    ends_with_done: ClassVar[bool] = False
    context: ClassVar[Context] = "messages"
    can_refuse: ClassVar[bool] = True

    def ask(self, body: Mapping[str, Any], *, strict: bool) -> Asked:
        said = want(body, "input", str, list, needed=True)
        if isinstance(said, list):
            want_messages(body, "input")
        want(body, "model", str, needed=True)
        instructions = want(body, "instructions", str)
        tools = want_many(body, "tools", dict)
        if body.get("background"):
            message = "`background` replies cannot be judged: leave it out"
            raise Fault(400, "unsupported", message)
        hosted = sum(_is_hosted(each) for each in tools or ())
        # A prompt that is stored elsewhere is read by the model and by nobody here.
        unseen = hosted + sum(body.get(name) is not None for name in ("prompt", "conversation"))
        if isinstance(said, list):
            unseen += sum(item.get("type") == "item_reference" for item in said)
        texts = {"input": said, "instructions": instructions, "tools": tools}
        return take_apart(body, texts, KNOWN, strict=strict, unseen=unseen)

    def call(self, send: Send) -> Callable[..., Any]:
        def call(input: Any, instructions: Any, tools: Any, other_text: Any, about: Any) -> Any:
            texts = {"input": input, "instructions": instructions, "tools": tools}
            return send(about, texts, other_text)

        return call

    def reply(self, reply: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], Event]:
        listed(reply, "output")
        return _parted(reply, asked)

    def refusal(self, message: str, asked: Asked, decision: str) -> Event:
        part = {"type": "output_text", "text": message, "annotations": []}
        item = {
            "id": f"msg_{decision}",
            "type": "message",
            "role": "assistant",
            "status": "incomplete",
            "content": [part],
        }
        return {**_head(asked, decision), **_FILTERED, "output": [item]}

    def events(self, asked: Asked, decision: str) -> ResponseEvents:
        return ResponseEvents(asked, decision)

    def kind(self, event: Event) -> str:
        return str(event.get("type", ""))

    def fault(self, fault: Fault, decision: str, events: Events | None) -> tuple[str, Event]:
        number = events.number if isinstance(events, ResponseEvents) else 0
        said = fault_body(self.family, fault, decision)["error"]
        return "error", {**said, "type": "error", "sequence_number": number}


_FILTERED: Event = {
    "status": "incomplete",
    "incomplete_details": {"reason": "content_filter"},
}


def _is_hosted(tool: Mapping[str, Any]) -> bool:
    """Whether the provider runs a tool: its calls pass nobody here before they happen."""
    where = tool.get("environment")
    if type(where) is dict and where.get("type") != "local":
        return True
    inner = tool.get("tools")
    if type(inner) is list and any(type(one) is not dict or _is_hosted(one) for one in inner):
        return True
    return tool.get("type") not in OWN


def _parted(reply: Mapping[str, Any], asked: Asked) -> tuple[Event, Event]:
    """What is judged, and the head. A response repeats the request: the client's own, not ours."""
    judged, head = parted(reply, WORDS, PLAIN)
    for name in [name for name in judged if name not in _ANSWER]:
        value = judged[name]
        if name in asked.body:
            del judged[name]
            head[name] = asked.body[name]
        elif name in ("instructions", "tools"):
            del judged[name]
            head[name] = [] if name == "tools" else None
        elif holds_no_text(value) and is_name(name):
            del judged[name]
            head[name] = value
    return judged, head


def _head(asked: Asked, decision: str) -> Event:
    return {
        "id": f"resp_{decision}",
        "object": "response",
        "created_at": int(time.time()),
        "model": asked.model,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": asked.body.get("instructions"),
        "metadata": asked.body.get("metadata"),
        "output": [],
        "parallel_tool_calls": asked.body.get("parallel_tool_calls", True),
        "temperature": asked.body.get("temperature"),
        "tool_choice": asked.body.get("tool_choice", "auto"),
        "tools": asked.body.get("tools") or [],
        "top_p": asked.body.get("top_p"),
    }


class ResponseEvents(Flow):
    """A stream of items and their parts."""

    def __init__(self, asked: Asked, decision: str) -> None:
        super().__init__()
        self._asked = asked
        self._decision = decision
        self._head: Event = {}
        self._is_over = False
        self.number = 0
        """What the next event is numbered: those that are held back come in another order."""

    def take(self, event: Event) -> Event | None:
        kind = event.get("type")
        if not is_kind(kind) or not kind.startswith("response."):
            raise Unreadable
        if event.keys() & (FOREIGN - {"response"}):
            raise Unreadable
        self.came(_text_of(event))
        self._is_over = self._is_over or kind in _ENDS
        event = without(event, "obfuscation")
        response = event.get("response")
        if response is None:
            return event
        if type(response) is not dict:
            raise Unreadable
        judged, self._head = _parted(response, self._asked)
        return {**event, "response": judged}

    def give(self, event: Event) -> Event:
        self.went(_text_of(event))
        response = event.get("response")
        if response is not None:
            event = {**event, "response": {**self._head, **response}}
        self.number += 1
        return {**event, "sequence_number": self.number - 1}

    def end(self, event: Event, message: str) -> Event:
        return self.give(event)

    def refusal(self, message: str) -> list[Event]:
        head = _head(self._asked, self._decision)
        reply = Responses().refusal(message, self._asked, self._decision)
        item = reply["output"][0]
        [part] = item["content"]
        at = {"item_id": item["id"], "output_index": 0}
        begun = {**item, "status": "in_progress", "content": []}
        said: list[Event] = [
            {"type": "response.created", "response": head},
            {"type": "response.output_item.added", "output_index": 0, "item": begun},
            {
                "type": "response.content_part.added",
                **at,
                "content_index": 0,
                "part": {**part, "text": ""},
            },
            {
                "type": "response.output_text.delta",
                **at,
                "content_index": 0,
                "delta": message,
                "logprobs": [],
            },
            {
                "type": "response.output_text.done",
                **at,
                "content_index": 0,
                "text": message,
                "logprobs": [],
            },
            {"type": "response.content_part.done", **at, "content_index": 0, "part": part},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.incomplete", "response": reply},
        ]
        return [{**event, "sequence_number": place} for place, event in enumerate(said)]

    @property
    def is_over(self) -> bool:
        return self._is_over

    def closing(self, *, is_blocked: bool) -> list[Event]:
        return []


_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def _text_of(event: Event) -> object:
    is_text = event["type"] == "response.output_text.delta"
    return event.get("delta") if is_text else None
