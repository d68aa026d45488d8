"""Pydantic AI's messages in the chat format that `wrap` reads, and the changes taken back.

Every part of a request is a message of its own, since each has a role; a response is one message
with a part for each of its own. What no rule touched is handed on as it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Final

from guardkit.errors import UsageError

from .._around import Plain
from ._package import part_of
from ._values import FILE, merged, readable

_UNSAID: Final = frozenset({"part_kind", "timestamp", "tool_call_id", "metadata", "kind", "id"})


# --- requests


def plain_request_part(part: Any) -> Plain:
    """One part of a request as a message."""
    match part.part_kind:
        case "system-prompt":
            return {"role": "system", "content": part.content}
        case "user-prompt":
            if isinstance(part.content, str):
                return {"role": "user", "content": part.content}
            return {"role": "user", "content": [_item(each) for each in part.content]}
        case "tool-return" | "retry-prompt" if part.tool_name:
            ids = {"name": part.tool_name, "tool_call_id": part.tool_call_id}
            return {"role": "tool", **ids, "content": _told(part.content)}
        case "retry-prompt" | "retry-feedback":
            # The framework says it, in the name of nobody: no turn of the user.
            return {"role": "developer", "content": _told(part.content)}
        case "speech":
            return {"role": "user", "content": _speech(part)}
    return {"role": "developer", "content": [_data(part)]}


def _told(content: Any) -> Any:
    """What a tool gave: a text, or parts of one message whatever they hold."""
    return content if isinstance(content, str) else [{"type": "data", "output": readable(content)}]


def _item(item: Any) -> Plain:
    """One item of what a user says."""
    if isinstance(item, str):
        return {"type": "text", "text": item}
    if item.kind == "cache-point":
        return {"type": "data"}
    if hasattr(item, "content"):
        text = {"type": "text", "text": item.content}
        # A model that takes structures is sent the value in place of the text.
        return {**text, "data": readable(item.value)} if hasattr(item, "value") else text
    found = readable(item)
    return found if isinstance(found, dict) else {"type": "data", "text": found}


def _speech(part: Any) -> list[Plain]:
    said: list[Plain] = [{"type": "text", "text": part.transcript or ""}]
    return said if part.audio is None else [*said, dict(FILE)]


def _data(part: Any) -> Plain:
    fields = {
        each.name: readable(getattr(part, each.name))
        for each in dataclasses.fields(part)
        if each.name not in _UNSAID
    }
    return {"type": "data", **fields}


def request_part_of(part: Any, given: Plain) -> Any:
    """The part with its changes; the same object where there are none.

    Raises:
        UsageError: A rule rewrote what cannot be changed.
    """
    was, content = plain_request_part(part), given["content"]
    if content == was["content"]:
        return part
    if isinstance(part.content, str) and isinstance(content, str):
        return dataclasses.replace(part, content=content)
    if part.part_kind == "user-prompt":
        items = [
            _changed_item(*each) for each in zip(part.content, was["content"], content, strict=True)
        ]
        return dataclasses.replace(part, content=items)
    if part.part_kind in ("tool-return", "retry-prompt", "retry-feedback"):
        made = merged(part.content, was["content"][0]["output"], content[0]["output"])
        return dataclasses.replace(part, content=made)
    raise UsageError(f"a rule rewrites a part of kind `{part.part_kind}`, which cannot be changed")


def _changed_item(item: Any, was: Plain, given: Plain) -> Any:
    if given == was:
        return item
    if isinstance(item, str):
        return given["text"]
    if hasattr(item, "content"):
        # Of a structure the text alone is left: a rule cannot keep the two in step.
        return part_of("messages").TextContent(given["text"])
    raise UsageError(f"a rule rewrites an item of kind `{item.kind}`, which cannot be changed")


# --- responses


def plain_part(part: Any, output_tools: Sequence[str] = ()) -> Plain:
    """One part of a response.

    Args:
        part: The part.
        output_tools: Tools that no one calls: their arguments are what the model says.
    """
    match part.part_kind:
        case "text":
            cited = {} if part.citations is None else {"citations": readable(part.citations)}
            return {"type": "text", "text": part.content, **cited}
        case "thinking":
            return {"type": "thinking", "thinking": part.content}
        case "tool-call" if part.tool_name in output_tools:
            return {"type": "data", "output": _arguments(part)}
        case "tool-call" | "builtin-tool-call":
            args = {} if part.args is None else part.args
            told = args if isinstance(args, str) else readable(args)
            return {"type": "function_call", "name": part.tool_name, "arguments": told}
        case "builtin-tool-return":
            return {"type": "tool_result", "content": _told(part.content)}
        case "file":
            return dict(FILE)
        case "speech":
            return {"type": "data", "content": _speech(part)}
    return _data(part)


def _arguments(part: Any) -> Any:
    """Of an output tool: read, where they can be, so that a rule sees its texts and not JSON."""
    if not isinstance(part.args, str):
        return readable(part.args)
    try:
        return json.loads(part.args)
    except ValueError:
        return part.args


def response_part_of(part: Any, given: Plain, output_tools: Sequence[str] = ()) -> Any:
    """The part with its changes; the same object where there are none.

    Raises:
        UsageError: A rule rewrote what cannot be changed.
    """
    was = plain_part(part, output_tools)
    if given == was:
        return part
    if part.part_kind in ("text", "thinking"):
        return with_text(part, given[given["type"]])
    if part.part_kind in ("tool-call", "builtin-tool-call"):
        args = given["output"] if "output" in given else given["arguments"]
        # A provider that keeps its own copy of a call must not put it back.
        return dataclasses.replace(part, args=args, id=None, provider_details=None)
    raise UsageError(f"a rule rewrites a part of kind `{part.part_kind}`, which cannot be changed")


def with_text(part: Any, text: str) -> Any:
    """A part that says another text: what the provider seals, keeps or cites of it goes."""
    changes: dict[str, Any] = {"content": text, "id": None, "provider_details": None}
    if part.part_kind == "thinking":
        return dataclasses.replace(part, **changes, signature=None)
    return dataclasses.replace(part, **changes, citations=None)


def plain_response(response: Any, output_tools: Sequence[str] = ()) -> Plain:
    """A response as a message of the assistant."""
    content = [plain_part(part, output_tools) for part in response.parts]
    return {"role": "assistant", "content": content}


def response_of(response: Any, given: Plain, output_tools: Sequence[str] = ()) -> Any:
    """The response with its changes; the same object where there are none."""
    made = [
        response_part_of(part, each, output_tools)
        for part, each in zip(response.parts, given["content"] or [], strict=True)
    ]
    if all(a is b for a, b in zip(made, response.parts, strict=True)):
        return response
    return dataclasses.replace(response, parts=made)
