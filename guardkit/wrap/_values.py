"""Values of any shape: their members by name, and copies with some of them changed."""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from guardkit.errors import UsageError

Path = tuple[Any, ...]
"""The way to a member: keys of mappings, places in lists, names of attributes."""

MISSING: Any = object()

# Objects that say nothing about their fields are asked for these.
# fmt: off
NAMES = (
    "role", "type", "index", "id", "name", "content", "text", "output_text", "page_content",
    "choices", "message", "delta", "output", "refusal", "reasoning", "reasoning_content",
    "thinking", "tool_calls", "tool_call_chunks", "function", "function_call", "arguments",
    "args", "input", "partial_json", "call_id", "tool_call_id", "tool_use_id", "item_id",
    "content_block", "finish_reason", "stop_reason", "logprobs", "object",
)
# fmt: on


def member(value: Any, name: Any, default: Any = None) -> Any:
    """One member of a mapping, a sequence or an object."""
    if type(value) is dict:  # nearly always; asking an abstract class costs more than the rest
        return value.get(name, default)
    if isinstance(value, Mapping):
        return value.get(name, default)
    if isinstance(value, list | tuple) and isinstance(name, int):
        return value[name]
    return getattr(value, name, default) if isinstance(name, str) else default


def word(value: Any, name: str) -> str:
    """A member that is text, else nothing."""
    found = member(value, name)
    return found if isinstance(found, str) else ""


def members(value: Any) -> Iterator[tuple[Any, Any]] | None:
    """The named members of a mapping or an object; None for what has none."""
    if isinstance(value, Mapping):
        return iter(value.items())
    kind = type(value)
    if hasattr(kind, "model_fields"):
        more = getattr(value, "model_extra", None) or {}
        return iter([(name, getattr(value, name)) for name in (*kind.model_fields, *more)])
    if dataclasses.is_dataclass(kind):
        return iter([(each.name, getattr(value, each.name)) for each in dataclasses.fields(kind)])
    if kind is SimpleNamespace:
        named: dict[str, Any] = vars(value)
        return iter(named.items())
    if isinstance(value, list | tuple | str | bytes | int | float | set | frozenset | type):
        return None
    found = [(name, getattr(value, name, MISSING)) for name in NAMES]
    found = [(name, inner) for name, inner in found if inner is not MISSING and not callable(inner)]
    return iter(found) if found else None


def like(chunk: Any, event: dict[str, Any]) -> Any:
    """An event in the kind of a chunk: plain data stays plain, objects are alike."""
    if isinstance(chunk, Mapping):
        return event
    # The classes of an SDK's events stand beside that of the chunk: whoever holds one has them.
    module = sys.modules.get(type(chunk).__module__.rpartition(".")[0])
    kind = getattr(module, _CLASSES.get(event["type"], ""), None)
    if kind is not None and hasattr(kind, "model_construct"):
        return kind.model_construct(**{name: _object(value) for name, value in event.items()})
    return _object(event)


_CLASSES = {
    "content_block_start": "RawContentBlockStartEvent",
    "content_block_delta": "RawContentBlockDeltaEvent",
    "content_block_stop": "RawContentBlockStopEvent",
    "message_delta": "RawMessageDeltaEvent",
    "message_stop": "RawMessageStopEvent",
    "response.output_item.added": "ResponseOutputItemAddedEvent",
    "response.content_part.added": "ResponseContentPartAddedEvent",
    "response.output_text.delta": "ResponseTextDeltaEvent",
    "response.output_text.done": "ResponseTextDoneEvent",
    "response.content_part.done": "ResponseContentPartDoneEvent",
    "response.output_item.done": "ResponseOutputItemDoneEvent",
    "response.incomplete": "ResponseIncompleteEvent",
}


def _object(value: Any) -> Any:
    if isinstance(value, Mapping):
        return SimpleNamespace(**{key: _object(inner) for key, inner in value.items()})
    return [_object(inner) for inner in value] if isinstance(value, list) else value


def put(value: Any, changes: Mapping[Path, Any]) -> Any:
    """A copy with these members changed; whatever lies on no path is shared, not copied."""
    if not changes:
        return value
    if () in changes:
        return changes[()]
    if len(changes) == 1:
        [(path, new)] = changes.items()
        new = put(member(value, path[0]), {path[1:]: new}) if len(path) > 1 else new
        return _with(value, {path[0]: new})
    steps: dict[Any, dict[Path, Any]] = {}
    for path, new in changes.items():
        steps.setdefault(path[0], {})[path[1:]] = new
    made = {step: put(member(value, step), inner) for step, inner in steps.items()}
    return _with(value, made)


def _with(value: Any, made: dict[Any, Any]) -> Any:
    if isinstance(value, Mapping):
        if type(value) is dict:
            return {**value, **made}
        return _set(value, made, lambda copied, name, new: copied.__setitem__(name, new))
    if isinstance(value, tuple):
        items = [made.get(place, item) for place, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [made.get(place, item) for place, item in enumerate(value)]
    if hasattr(type(value), "model_fields"):
        return value.model_copy(update=made)
    # A frozen dataclass refuses `setattr`; its copy is ours, so the refusal is gone around.
    if dataclasses.is_dataclass(value):
        return _set(value, made, object.__setattr__)
    return _set(value, made, setattr)


def _set(value: Any, made: dict[Any, Any], assign: Any) -> Any:
    try:
        copied = copy.copy(value)
        for name, new in made.items():
            assign(copied, name, new)
    except (AttributeError, TypeError, ValueError):
        raise UsageError(
            f"a text in `{type(value).__qualname__}` has to be changed and cannot be: "
            "say how with a `Lens`"
        ) from None
    return copied
