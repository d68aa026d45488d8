"""OpenAI's chat completions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, ClassVar

from ._asked import Asked, take_apart
from ._dialect import Context, Event, Events, Family, Flow, Send, Unreadable, fault_body
from ._fault import Fault
from ._fields import want, want_many, want_messages, want_number
from ._reading import holds_figures, listed, parted, unclaimed, without

# fmt: off
KNOWN = frozenset({
    "model", "audio", "frequency_penalty", "function_call", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls",
    "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_retention",
    "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
    "store", "stream", "stream_options", "temperature", "tool_choice", "top_logprobs", "top_p",
    "user", "verbosity", "web_search_options", "top_k", "min_p", "repetition_penalty",
})
# fmt: on
WORDS = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier"})
PLAIN = frozenset({"usage"})
MOST_CHOICES = 128
SEARCHES = ("web_search_options", "search_parameters", "plugins")
"""By these the provider reads what nobody here has seen."""
FUNCTION_TOOLS = frozenset({"function", "custom"})


class Chat:
    """`/v1/chat/completions`."""

    name: ClassVar[str] = "chat"
    path: ClassVar[str] = "/v1/chat/completions"
    family: ClassVar[Family] = "openai"
    text: ClassVar[tuple[str, ...]] = ("messages",)
    ends_with_done: ClassVar[bool] = True
    context: ClassVar[Context] = "messages"
    can_refuse: ClassVar[bool] = True

    def ask(self, body: Mapping[str, Any], *, strict: bool) -> Asked:
        messages = want_messages(body, "messages")
        want(body, "model", str, needed=True)
        tools = want_many(body, "tools", dict)
        functions = want_many(body, "functions", dict)
        want_number(body, "n", 1, MOST_CHOICES)
        hosted = sum(each.get("type", "function") not in FUNCTION_TOOLS for each in tools or ())
        if any(each.keys().isdisjoint(("function", "custom")) for each in tools or ()):
            raise Fault(400, "unsupported", "a tool has to be a `function` or `custom`")
        unseen = hosted + sum(body.get(name) is not None for name in SEARCHES)
        texts = {"messages": messages, "tools": tools, "functions": functions}
        return take_apart(body, texts, KNOWN, strict=strict, unseen=unseen)

    def call(self, send: Send) -> Callable[..., Any]:
        def call(messages: Any, tools: Any, functions: Any, other_text: Any, about: Any) -> Any:
            texts = {"messages": messages, "tools": tools, "functions": functions}
            return send(about, texts, other_text)

        return call

    def reply(self, reply: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], Event]:
        choices = listed(reply, "choices")
        if not choices or any(type(each.get("message")) is not dict for each in choices):
            raise Unreadable
        unclaimed(reply)
        judged, head = parted(reply, WORDS, PLAIN)
        judged["choices"] = [_in_order(each) for each in choices]
        return judged, head

    def refusal(self, message: str, asked: Asked, decision: str) -> Event:
        said = {"role": "assistant", "content": message, "refusal": None}
        choices = [
            {"index": place, "message": said, "finish_reason": "content_filter", "logprobs": None}
            for place in range(asked.body.get("n") or 1)
        ]
        return {
            "id": f"chatcmpl-{decision}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked.model,
            "choices": choices,
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }

    def events(self, asked: Asked, decision: str) -> ChatEvents:
        return ChatEvents(asked, decision, "chat.completion.chunk")

    def kind(self, event: Event) -> str:
        return ""

    def fault(self, fault: Fault, decision: str, events: Events | None) -> tuple[str, Event]:
        return "", fault_body(self.family, fault, decision)


class ChatEvents(Flow):
    """A stream of chunks, of chat or of plain completions."""

    def __init__(self, asked: Asked, decision: str, kind: str) -> None:
        super().__init__()
        self._asked = asked
        self._decision = decision
        self._kind = kind
        self._taken: dict[int, bool] = {}
        """The choices that upstream began, and whether they go on."""
        self._given: dict[int, bool] = {}
        """The same, as the client knows them."""
        self._last: Event = {}

    def take(self, event: Event) -> Event | None:
        if type(event.get("choices")) is not list:
            raise Unreadable
        for choice in event["choices"]:
            if type(choice) is not dict or not _is_piece(choice):
                raise Unreadable
            if type(choice.setdefault("index", 0)) is not int:
                raise Unreadable
            _note(self._taken, choice)
            self.came(_text_of(choice))
        if len({choice["index"] for choice in event["choices"]}) < len(event["choices"]):
            raise Unreadable  # two pieces of one choice: which comes first is anybody's guess
        unclaimed(event)
        # Random padding against guessing by length: the lengths here are others.
        judged, head = parted(without(event, "obfuscation"), WORDS, ())
        if judged.get("model") == self._asked.model:
            head["model"] = judged.pop("model")  # the client's own word, judged when it came
        if "usage" in judged and holds_figures(judged["usage"]):
            head["usage"] = judged.pop("usage")
        if judged.keys() & WORDS:
            raise Unreadable
        # What `wrap` leaves out of a whole reply of another dialect is judged here.
        return {**head, "object": self._kind, **judged}

    def give(self, event: Event) -> Event:
        for choice in event["choices"]:
            _note(self._given, choice)
            self.went(_text_of(choice))
        self._last = event
        return event

    def end(self, event: Any, message: str) -> Event:
        # Made anew: what else stands in the chunk may be the very text that was stopped.
        begun = event if type(event) is dict else {**self._last, "choices": []}
        head = {name: value for name, value in begun.items() if name in WORDS}
        places = [choice.get("index", 0) for choice in begun["choices"]] or [0]
        key = (
            {"text": message}
            if self._kind == "text_completion"
            else {"delta": {"content": message}}
        )
        choices = [{"index": place, **key, "finish_reason": "content_filter"} for place in places]
        return self.give({**head, "choices": choices})

    def refusal(self, message: str) -> list[Event]:
        head = {
            "id": f"chatcmpl-{self._decision}",
            "object": self._kind,
            "created": int(time.time()),
            "model": self._asked.model,
        }
        events = []
        for place in range(self._asked.body.get("n") or 1):
            said: Event = {"index": place, "finish_reason": None}
            end: Event = {"index": place, "finish_reason": "content_filter"}
            if self._kind == "text_completion":
                said["text"], end["text"] = message, ""
            else:
                said["delta"], end["delta"] = {"role": "assistant", "content": message}, {}
            events += [{**head, "choices": [said]}, {**head, "choices": [end]}]
        return events

    @property
    def is_over(self) -> bool:
        return bool(self._taken) and not any(self._taken.values())

    def closing(self, *, is_blocked: bool) -> list[Event]:
        if not is_blocked:
            return []
        head = without(self._last, "choices", "usage")
        quiet: Event = {"text": ""} if self._kind == "text_completion" else {"delta": {}}
        return [
            {**head, "choices": [{"index": place, **quiet, "finish_reason": "content_filter"}]}
            for place, goes_on in self._given.items()
            if goes_on
        ]


def _text_of(choice: Event) -> object:
    delta = choice.get("delta")
    return delta.get("content") if type(delta) is dict else choice.get("text")


def _in_order(choice: Event) -> Event:
    """A choice in the order in which it is read: what the model thought stands before its text."""
    message = choice["message"]
    first = {name: message[name] for name in _THOUGHTS if name in message}
    return {**choice, "message": {**first, **message}} if first else choice


_THOUGHTS = ("reasoning", "reasoning_content")


def _is_piece(choice: Event) -> bool:
    """Whether a choice has the shape in which a stream has them: no whole message among it."""
    delta = choice.get("delta", {})
    calls = delta.get("tool_calls") if type(delta) is dict else None
    if calls is not None and (
        type(calls) is not list
        or any(type(one) is not dict or type(one.get("index", 0)) is not int for one in calls)
    ):
        return False
    return (
        type(choice.get("delta", {})) in (dict, NoneType)
        and type(choice.get("text", "")) in (str, NoneType)
        and choice.get("message") is None
    )


def _note(choices: dict[int, bool], choice: Event) -> None:
    place = choice.get("index", 0)
    ended = choice.get("finish_reason") is not None
    choices[place] = choices.get(place, True) and not ended
