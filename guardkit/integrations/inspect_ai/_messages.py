"""Inspect's messages in the chat format that `wrap` reads, and the changes to them taken back.

Messages and the parts of one carry their place as `id`, so that what a rule changed goes back
where it came from, and what was put in between is told apart. What no rule touched is handed on as
it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from guardkit.errors import UsageError

from .._third_party import third_party

Plain = dict[str, Any]

_UNREAD: Final = frozenset({"image", "audio", "video"})


# --- out


def plain_messages(messages: Sequence[Any]) -> list[Plain]:
    """Messages in the chat format."""
    return [{**plain(message), "id": str(place)} for place, message in enumerate(messages)]


def plain(message: Any) -> Plain:
    """One message in the chat format."""
    content = message.content
    made: Plain = {
        "role": message.role,
        "content": content if isinstance(content, str) else _parts(content),
    }
    if message.role == "tool":
        made["tool_call_id"] = message.tool_call_id or ""
        made["name"] = message.function or ""
        if message.error is not None:
            made["error"] = message.error.message  # the model reads it in place of the content
    if message.role == "assistant" and message.tool_calls:
        made["tool_calls"] = [_call(call) for call in message.tool_calls]
    return made


def plain_output(output: Any) -> Plain:
    """A reply as a chat completion."""
    choices = [
        {"index": place, "finish_reason": choice.stop_reason, "message": plain(choice.message)}
        for place, choice in enumerate(output.choices)
    ]
    return {"object": "chat.completion", "choices": choices}


def _call(call: Any) -> Plain:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.function, "arguments": dict(call.arguments)},
    }


def _parts(content: Sequence[Any]) -> list[Plain]:
    made: list[Plain] = []
    for place, each in enumerate(content):
        made += [{**part, "id": str(place)} for part in _part(each)]
    return made


def _part(part: Any) -> list[Plain]:
    if part.type == "text":
        return [{"type": "text", "text": part.text}]
    if part.type == "reasoning":
        # What is redacted is sealed: only its summary can be read.
        said = part.summary or "" if part.redacted else part.reasoning
        also = {"summary": part.summary} if part.summary and not part.redacted else {}
        return [{"type": "thinking", "thinking": said, **also}]
    if part.type in _UNREAD:
        return [{"type": part.type}]
    if part.type == "document":
        return [{"type": "file"}, {"type": "text", "text": part.filename}]
    if part.type == "tool_use":  # a tool that the provider ran by itself
        called = {"type": "tool_use", "name": part.name, "input": _object(part.arguments)}
        text = part.result if part.error is None else f"{part.result}\n{part.error}"
        return [called, {"type": "tool_result", "content": text}]
    fields: Plain = part.model_dump(exclude={"internal", "type"})
    return [{"type": "data", **fields}]


def _object(arguments: str) -> Mapping[str, object]:
    try:
        found = json.loads(arguments)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"input": arguments}


# --- back


def messages_of(given: Sequence[Plain], messages: Sequence[Any]) -> list[Any]:
    """The messages that may be sent: those that were judged, with their changes, and new ones.

    Args:
        given: Messages in the chat format, as they came out of the judgement.
        messages: Those that went in.

    Raises:
        UsageError: A rule rewrote what cannot be changed.
    """
    made: list[Any] = []
    for each in given:
        place = each.get("id")
        if place is None:
            made.append(_message(each))
        else:
            made.append(message_of(each, messages[int(place)]))
    return made


def _message(given: Plain) -> Any:
    model = third_party("inspect_ai.model", "inspect")
    kinds = {
        "system": model.ChatMessageSystem,
        "assistant": model.ChatMessageAssistant,
        "user": model.ChatMessageUser,
    }
    return kinds[given["role"]](content=given["content"])


def message_of(given: Plain, message: Any) -> Any:
    """A message with its changes; the same object where there are none.

    Raises:
        UsageError: A rule rewrote what cannot be changed.
    """
    sent = plain(message)
    changes: dict[str, Any] = {}
    if given["content"] != sent["content"]:
        changes["content"] = _content(given["content"], sent["content"], message.content)
    if given.get("error") != sent.get("error"):
        changes["error"] = _copied(message.error, message=given["error"])
    if given.get("tool_calls") != sent.get("tool_calls"):
        changes["tool_calls"] = _calls(given.get("tool_calls"), message.tool_calls)
    return message.model_copy(update=changes) if changes else message


def _content(given: Any, sent: Any, content: Any) -> Any:
    if given is None:
        return ""
    if isinstance(given, str) or isinstance(content, str):
        return given
    text = third_party("inspect_ai.model", "inspect").ContentText
    # The context layer may have come in front; the rest are the parts that were sent, in order.
    own = [part for part in given if part.get("id") is not None]
    made = {
        int(part["id"]): _rewritten(content[int(part["id"])], part)
        for part, was in zip(own, sent, strict=True)
        if part != was
    }
    new = [text(text=part["text"]) for part in given if part.get("id") is None]
    return [*new, *(made.get(place, part) for place, part in enumerate(content))]


def _rewritten(part: Any, given: Plain) -> Any:
    if part.type == "text" and given["type"] == "text":
        return part.model_copy(update={"text": given["text"]})
    if part.type == "reasoning" and not part.redacted:
        # The signature seals what was there before.
        changes = {"reasoning": given["thinking"], "summary": given.get("summary")}
        return part.model_copy(update={**changes, "signature": None})
    raise UsageError(f"a rule rewrites a part of type `{part.type}`, which cannot be changed")


def _calls(given: Any, calls: Any) -> Any:
    if not given:
        return None
    return [
        _copied(call, arguments=dict(each["function"]["arguments"]), view=None)
        for each, call in zip(given, calls, strict=True)
    ]


def _copied(value: Any, **changes: Any) -> Any:
    return dataclasses.replace(value, **changes)
