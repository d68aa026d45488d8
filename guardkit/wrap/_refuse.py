"""A block as a reply: the rule's message in the shape that the callable gives back."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from guardkit.errors import UsageError

from ._find_texts import Lens
from ._parts import is_known, read_reply
from ._values import MISSING, Path, member, put, word

GONE = ("tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "audio")


def maker_for(returns: Any, name: str) -> Callable[[str], Any]:
    """Makes a reply out of nothing, for a block before the callable ran.

    Args:
        returns: The annotation of what the callable gives back.
        name: The callable's name.

    Raises:
        UsageError: Nobody can know what such a reply looks like.
    """
    kind = _plain(returns)
    if kind in (inspect.Parameter.empty, str, Any, "str", object):
        return lambda text: text
    made = _MAKERS.get(getattr(kind, "__name__", ""))
    if made is not None and hasattr(kind, "model_validate"):
        return lambda text: kind.model_validate(made(text))
    if isinstance(kind, type) and hasattr(kind, "model_fields"):
        fields = kind.model_fields
        required = [key for key, each in fields.items() if each.is_required()]
        if len(required) == 1:
            return lambda text: kind(**{required[0]: text})
    raise UsageError(
        f"`{name}` gives back `{_shown(returns)}`, and no such reply can be made of a message: "
        "give `refusal=`, a function of the message, or block by raising"
    )


def _plain(returns: Any) -> Any:
    """What one reply, or one chunk of a stream, is said to be."""
    if isinstance(returns, str):
        inner = returns.rpartition("[")[2].rstrip("]").split(",")[0].strip()
        return "str" if inner == "str" else returns
    origin = typing.get_origin(returns)
    if origin in (typing.Union, types.UnionType):
        return str if str in typing.get_args(returns) else returns
    is_many = isinstance(origin, type) and issubclass(origin, Iterable | AsyncIterable)
    if is_many and not issubclass(origin, Mapping | list | tuple):
        return typing.get_args(returns)[0]
    return returns


def _shown(returns: Any) -> str:
    return getattr(returns, "__qualname__", None) or str(returns)


_MAKERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ChatCompletion": lambda text: {
        "id": "blocked",
        "object": "chat.completion",
        "created": 0,
        "model": "",
        "choices": [
            {
                "index": 0,
                "finish_reason": "content_filter",
                "message": {"role": "assistant", "content": text},
            }
        ],
    },
    "Message": lambda text: {
        "id": "blocked",
        "type": "message",
        "role": "assistant",
        "model": "",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "refusal",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    },
    "AIMessage": lambda text: {"content": text},
}


def refuse(reply: Any, message: str, lens: Lens | None) -> Any:
    """A copy of a reply that says nothing but the message."""
    if isinstance(reply, str):
        return message
    if lens is not None:
        if lens.set is None:
            return message
        found = lens.get(reply)
        texts = [found] if isinstance(found, str) else list(found)
        return lens.set(reply, [message, *("" for _ in texts[1:])])
    if isinstance(choices := member(reply, "choices"), list):
        said = put(reply, {("choices",): [_choice(each, message) for each in choices]})
    elif isinstance(output := member(reply, "output"), list):
        said = put(reply, {("output",): _output(output, message)})
    elif isinstance(content := member(reply, "content"), list):
        changes: dict[Path, Any] = {("content",): [_block(content, message, reply)]}
        said = put(reply, {**changes, **_ends(reply, "refusal")})
    else:
        return _other(reply, message)
    return _alone(said, message)


def _alone(reply: Any, message: str) -> Any:
    """A refused reply without any other text: what was stopped may stand where nobody thought."""
    reply = _prescribed(reply)
    changes: dict[Path, Any] = {}
    for part in read_reply(reply).parts:
        if part.kind != "text":
            changes[part.path] = None
        elif not part.is_fixed and part.text != message:
            changes[part.path] = ""
    return put(reply, changes)


def _prescribed(value: Any) -> Any:
    """Plain data without the fields that no dialect has: their very names are text."""
    if isinstance(value, list):
        return [_prescribed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.get("object") == "response":  # around its output it repeats the request
        return {**value, "output": _prescribed(value.get("output"))}
    kept = {key: inner for key, inner in value.items() if is_known(key)}
    return {
        key: inner if key == "usage" else _prescribed(inner)  # it counts tokens
        for key, inner in kept.items()
    }


def refuse_chunk(chunk: Any, message: str) -> Any:
    """A chunk like the last one seen that says the message."""
    if isinstance(choices := member(chunk, "choices"), list) and not choices:
        return message
    return refuse(chunk, message, None)


def _choice(choice: Any, message: str) -> Any:
    changes = _ends(choice, "content_filter")
    for at in ("message", "delta"):
        inner = member(choice, at)
        if inner is not None:
            changes |= {(at, key): None for key in GONE if member(inner, key) is not None}
            changes[at, "content"] = message
    if isinstance(member(choice, "text"), str):
        changes["text",] = message
    return put(choice, changes)


def _ends(value: Any, reason: str) -> dict[Path, Any]:
    changes: dict[Path, Any] = {}
    for key in ("finish_reason", "stop_reason"):
        if member(value, key, MISSING) is not MISSING:
            changes[key,] = reason
    if member(value, "logprobs") is not None:
        changes["logprobs",] = None
    return changes


def _output(output: list[Any], message: str) -> list[Any]:
    for item in output:
        content = member(item, "content")
        if word(item, "type") == "message" and isinstance(content, list):
            return [put(item, {("content",): [_block(content, message, item, "output_text")]})]
    text = {"type": "output_text", "text": message, "annotations": []}
    said = {"type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return [said if all(isinstance(item, Mapping) for item in output) else SimpleNamespace(**said)]


def _block(content: list[Any], message: str, owner: Any, kind: str = "text") -> Any:
    for block in content:
        if word(block, "type") == kind and isinstance(member(block, "text"), str):
            changes: dict[Path, Any] = {("text",): message}
            for key in ("citations", "annotations", "logprobs"):
                if member(block, key):
                    changes[key,] = [] if key == "annotations" else None
            return put(block, changes)
    made = {"type": kind, "text": message}
    return (
        made if isinstance(owner, Mapping) or _has_plain_blocks(owner) else SimpleNamespace(**made)
    )


def _has_plain_blocks(owner: Any) -> bool:
    content = member(owner, "content") or []
    return bool(content) and all(isinstance(block, str | Mapping) for block in content)


def _other(reply: Any, message: str) -> Any:
    """The first text says the message, all others nothing, and no call is left."""
    reader = read_reply(reply)
    changes: dict[Path, Any] = dict.fromkeys(reader.drops)
    for key in ("tool_calls", "invalid_tool_calls"):
        if member(reply, key):
            changes[key,] = []
    for key in ("function_call",):
        if member(reply, key):
            changes[key,] = None
    if member(reply, "additional_kwargs"):
        changes["additional_kwargs",] = {}
    gone = tuple(path[0] for path in changes if len(path) == 1)
    said, emptied = message, set[Path]()
    for part in _shown_first(reader.parts):
        if part.path and part.path[0] in gone:
            continue
        if part.is_fixed:
            # Names further in may not have been judged any more: what they are of goes.
            if len(part.path) > 1:
                emptied.add(part.path[:-1])
            continue
        if part.kind == "text":
            changes[part.path], said = said, ""
        else:
            changes[part.path] = None
    for path in emptied:
        changes = {at: new for at, new in changes.items() if at[: len(path)] != path}
        changes[path] = {}
    if said and member(reply, "content", MISSING) is not MISSING:
        changes["content",] = message
    return put(reply, changes)


def _shown_first(parts: list[Any]) -> list[Any]:
    names = ("content", "output_text", "text", "answer")
    return sorted(parts, key=lambda part: not (part.path and part.path[-1] in names))
