"""LlamaIndex's messages in the chat format that `wrap` reads, and the changes to them taken back.

The blocks of a message carry their place as `id`. Calls stand in blocks, or among the keyword
arguments of a message, as each provider likes; they are read in both places.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from guardkit.errors import UsageError

from .._around import Plain
from ._package import package

_ROLES: Final = {"chatbot": "assistant", "model": "assistant"}
_UNREAD: Final = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_NAMES: Final = ("name", "tool_call_id", "tool_calls")
_SCALARS = (str, int, float, bool, type(None), bytes)


# --- out


class Messages:
    """How messages are read, and changed."""

    def plain(self, message: Any) -> Plain:
        """A message in the chat format."""
        role = str(message.role.value)
        made: Plain = {"role": _ROLES.get(role, role), "content": _content(message.blocks)}
        beside = message.additional_kwargs
        if role in ("tool", "function"):
            made["tool_call_id"] = str(beside.get("tool_call_id") or "")
            made["name"] = str(beside.get("name") or "")
        elif beside.get("name") is not None:
            made["name"] = str(beside["name"])
        if calls := [call for _, call in calls_of(message)]:
            made["tool_calls"] = calls
        rest = {key: data_of(value) for key, value in beside.items() if key not in _NAMES}
        if rest:
            made["additional_kwargs"] = rest
        return made

    def changed(self, message: Any, given: Plain) -> Any:
        """A copy with the changes that a rule made.

        Raises:
            UsageError: A rule rewrote what cannot be changed.
        """
        sent = self.plain(message)
        update: dict[str, Any] = {}
        if given["content"] != sent["content"]:
            update["blocks"] = _blocks(given["content"], sent["content"], message.blocks)
        rest = given.get("additional_kwargs")
        if rest != sent.get("additional_kwargs"):
            update["additional_kwargs"] = {**message.additional_kwargs, **(rest or {})}
        if given.get("name") != sent.get("name"):
            named = update.get("additional_kwargs", message.additional_kwargs)
            update["additional_kwargs"] = {**named, "name": given["name"]}
        made = message.model_copy(update=update) if update else message
        calls = given.get("tool_calls") or []
        return made if calls == (sent.get("tool_calls") or []) else with_calls(made, calls)

    def made(self, given: Plain) -> Any:
        """A message for one that the policy's context layer put in."""
        message: Any = package("llms").ChatMessage(role=given["role"], content=given["content"])
        return message


MESSAGES = Messages()


def _content(blocks: Sequence[Any]) -> str | list[Plain]:
    kept = [(place, block) for place, block in enumerate(blocks) if block.block_type != "tool_call"]
    match kept:
        case []:
            return ""
        case [(0, block)] if block.block_type == "text" and len(blocks) == 1:
            text: str = block.text
            return text
    return [{**part, "id": str(place)} for place, block in kept for part in _parts(block)]


def _parts(block: Any) -> list[Plain]:
    kind = block.block_type
    if kind == "text":
        return [{"type": "text", "text": block.text}]
    if kind == "thinking":
        said: Plain = {"type": "thinking", "thinking": block.content or ""}
        if block.additional_information:
            said["additional_information"] = data_of(block.additional_information)
        return [said]
    if kind in _UNREAD:
        beside = [
            {"type": "text", "text": str(value)}
            for name in ("title", "url", "path")
            if (value := getattr(block, name, None)) is not None
            and not str(value).startswith("data:")
        ]
        return [{"type": _UNREAD[kind]}, *beside]
    if kind == "citable":
        content = [part for inner in block.content for part in _parts(inner)]
        found = {"type": "search_result", "title": block.title, "source": block.source}
        return [{**found, "content": content}]
    if kind == "citation":
        inner = _parts(block.cited_content)
        return [{"type": "data", "title": block.title, "source": block.source, "content": inner}]
    return [{"type": "data", **data_of(block.model_dump(exclude={"block_type"}))}]


def data_of(value: Any) -> Any:
    """Plain data of what may hold text; what is neither is bytes, which nobody can read."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, Mapping):
        return {str(key): data_of(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [data_of(inner) for inner in value]
    if hasattr(type(value), "model_fields"):
        return data_of(value.model_dump())
    return b""


def text_of(message: Any) -> str:
    """The text of a message, as it streams."""
    return "".join(block.text for block in message.blocks if block.block_type == "text")


def thinking_of(message: Any) -> str:
    """The reasoning of a message."""
    return "".join(b.content or "" for b in message.blocks if b.block_type == "thinking")


# --- calls


def calls_of(message: Any) -> list[tuple[tuple[str, int], Plain]]:
    """The calls of a message, each with the place where it stands."""
    found = [
        (("blocks", place), _call(block.tool_call_id, block.tool_name, block.tool_kwargs))
        for place, block in enumerate(message.blocks)
        if block.block_type == "tool_call"
    ]
    listed = message.additional_kwargs.get("tool_calls")
    for place, call in enumerate(listed if isinstance(listed, list) else []):
        found.append((("tool_calls", place), _foreign(call)))
    return found


def _call(number: Any, name: Any, arguments: Any) -> Plain:
    given = arguments if isinstance(arguments, str | dict) else data_of(arguments)
    function = {"name": str(name or ""), "arguments": given}
    return {"id": str(number or ""), "type": "function", "function": function}


def _foreign(call: Any) -> Plain:
    """A call in the words of a provider's client."""
    function = _member(call, "function")
    if function is not None:
        name, arguments = _member(function, "name"), _member(function, "arguments")
        return _call(_member(call, "id"), name, arguments or "{}")
    if _member(call, "tool_name") is not None:  # LlamaIndex's own
        return _call(_member(call, "tool_id"), call.tool_name, call.tool_kwargs)
    given = data_of(call)
    return _call("", _member(call, "name"), given if isinstance(given, dict) else {"input": given})


def with_calls(message: Any, given: Iterable[Plain]) -> Any:
    """A copy whose calls have these arguments.

    Raises:
        UsageError: A call is written in a way that cannot be changed.
    """
    blocks = list(message.blocks)
    listed = list(message.additional_kwargs.get("tool_calls") or [])
    for ((where, place), sent), call in zip(calls_of(message), given, strict=True):
        arguments = call["function"]["arguments"]
        if arguments == sent["function"]["arguments"]:
            continue
        if where == "blocks":
            blocks[place] = blocks[place].model_copy(update={"tool_kwargs": arguments})
        else:
            listed[place] = _with_arguments(listed[place], arguments)
    update: dict[str, Any] = {"blocks": blocks}
    if listed:
        update["additional_kwargs"] = {**message.additional_kwargs, "tool_calls": listed}
    return message.model_copy(update=update)


def _with_arguments(call: Any, arguments: Any) -> Any:
    function = _member(call, "function")
    if function is not None:
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        return _copied(call, "function", _copied(function, "arguments", text))
    if _member(call, "tool_name") is not None:
        return _copied(call, "tool_kwargs", arguments)
    raise UsageError("a rule rewrites a call that is written in a way that cannot be changed")


def _copied(value: Any, name: str, new: Any) -> Any:
    if isinstance(value, Mapping):
        return {**value, name: new}
    return value.model_copy(update={name: new})


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


# --- back


def _blocks(given: Any, sent: Any, blocks: Sequence[Any]) -> list[Any]:
    text = package("llms").TextBlock
    calls = [block for block in blocks if block.block_type == "tool_call"]
    if isinstance(given, str) or isinstance(sent, str):
        whole = given if isinstance(given, str) else "".join(part["text"] for part in given)
        return [text(text=whole), *calls]
    # The context layer may have come in front; the rest are the parts that were sent, in order.
    own = [part for part in given if part.get("id") is not None]
    made: dict[int, Any] = {}
    for part, was in zip(own, sent, strict=True):
        if part != was:
            place = int(part["id"])
            made[place] = _rewritten(blocks[place], part)
    new = [text(text=part["text"]) for part in given if part.get("id") is None]
    return [*new, *(made.get(place, block) for place, block in enumerate(blocks))]


def _rewritten(block: Any, given: Plain) -> Any:
    if block.block_type == "text" and given["type"] == "text":
        return block.model_copy(update={"text": given["text"]})
    if block.block_type == "thinking":
        # What else it holds seals what was there before.
        return block.model_copy(update={"content": given["thinking"], "additional_information": {}})
    raise UsageError(
        f"a rule rewrites a block of type `{block.block_type}`, which cannot be changed"
    )
