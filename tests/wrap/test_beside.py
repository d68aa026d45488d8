"""Texts that stand beside the ones that are known: beside a call's arguments, beside a delta."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from guardkit.errors import Blocked
from guardkit.wrap import wrap

from ._guard import Scripted

BAD = "it is FORBIDDEN"
CALLS: list[dict[str, Any]] = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "find", "arguments": '{"a": "b"}', "hint": "?"},
        "beside": {"note": "?"},
    },
    {"id": "call_2", "type": "custom", "custom": {"name": "note", "input": "plain", "hint": "?"}},
    {"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}", "caller": "?"},
    {"type": "custom_tool_call", "call_id": "c", "name": "note", "input": "x", "namespace": "?"},
    {"type": "mcp_call", "id": "m", "name": "look", "arguments": "{}", "output": "?"},
    {"type": "tool_use", "id": "t", "name": "find", "input": {"a": "b"}, "caller": {"by": "?"}},
    {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}, "note": "?"},
    {"type": "apply_patch_call", "call_id": "c", "operation": {"path": "a"}, "note": "?"},
]


def _head(**choice: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}


CHUNKS: list[dict[str, Any]] = [
    _head(delta={"content": "so", "role": "?"}),
    _head(delta={"content": "so", "vendor": "?"}),
    _head(delta={"content": "so"}, vendor={"note": "?"}),
    _head(delta={}, finish_reason="?"),
    _head(delta={"reasoning_details": [{"type": "reasoning.text", "text": "?", "format": "?"}]}),
    _head(delta={"content": [{"type": "text", "text": "?"}]}),
    _head(delta={"tool_calls": [{"index": 0, "id": "?", "function": {"name": "?", "hint": "?"}}]}),
    {**_head(delta={"content": "so"}), "type": "?", "usage": {"note": "?"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "so"}}
    | {"vendor": "?"},
    {"type": "content_block_delta", "index": 0}
    | {"delta": {"type": "input_json_delta", "partial_json": "{}", "vendor": "?"}},
    {"type": "content_block_start", "index": 0, "vendor": "?"}
    | {"content_block": {"type": "text", "text": "so", "note": "?"}},
    {"type": "content_block_start", "index": 0}
    | {"content_block": {"type": "tool_use", "id": "?", "name": "?", "input": {}, "note": "?"}},
    {"type": "content_block_stop", "index": 0, "vendor": "?"},
    {"type": "message_delta", "delta": {"stop_details": {"explanation": "?"}}},
    {"type": "message_stop", "vendor": "?"},
    {"type": "ping", "vendor": "?"},
    {"type": "response.output_text.delta", "item_id": "?", "delta": "so", "vendor": "?"},
    {"type": "response.output_item.added", "output_index": 0}
    | {"item": {"type": "function_call", "id": "f", "name": "?", "arguments": "", "note": "?"}},
]


def _planted(value: Any, names: bool = False) -> Iterator[Any]:
    """A copy for each `?`, with the text in its place; or for each of their names."""
    written = json.dumps(value)
    if names:
        for at in [i for i in range(len(written)) if written.startswith('": "?"', i)]:
            yield json.loads(f"{written[:at]} FORBIDDEN{written[at:]}".replace("?", "fine"))
        return
    for at in [i for i in range(len(written)) if written.startswith('"?"', i)]:
        marked = f"{written[:at]}{json.dumps(BAD)}{written[at + 3 :]}"
        yield json.loads(marked.replace('"?"', '"fine"'))


def _clean(value: Any) -> Any:
    return json.loads(json.dumps(value).replace('"?"', '"fine"'))


def _replied(guard: Scripted, reply: Any) -> Any:
    @wrap(guard)
    def chat(messages: Any) -> Any:
        return reply

    return chat("hello")


def _streamed(guard: Scripted, chunks: list[Any]) -> list[Any]:
    @wrap(guard)
    def chat(messages: Any) -> Iterator[Any]:
        yield from chunks

    return list(chat("hello"))


@pytest.mark.parametrize("call", CALLS)
def test_what_stands_beside_a_call_is_text(guard: Scripted, call: dict[str, Any]) -> None:
    reply = {"choices": [{"message": {"role": "assistant", "tool_calls": [_clean(call)]}}]}
    assert _replied(guard, reply) == reply
    made = [*_planted(call), *_planted(call, names=True)]
    assert made
    for bad in made:
        reply = {"choices": [{"message": {"role": "assistant", "tool_calls": [bad]}}]}
        with pytest.raises(Blocked):
            _replied(guard, reply)


def test_the_name_of_a_tool_is_text_where_it_has_no_name_s_shape(guard: Scripted) -> None:
    call = copy.deepcopy(CALLS[0])
    call["function"]["name"] = BAD
    with pytest.raises(Blocked):
        _replied(guard, {"choices": [{"message": {"tool_calls": [call]}}]})


def test_a_nested_object_that_calls_itself_a_response_is_read(guard: Scripted) -> None:
    vendor = {"object": "response", "text": BAD}
    with pytest.raises(Blocked):
        _replied(guard, {"choices": [{"message": {"content": "ok", "vendor": vendor}}]})


@pytest.mark.parametrize("chunk", CHUNKS)
def test_what_stands_beside_a_delta_is_text(guard: Scripted, chunk: dict[str, Any]) -> None:
    begun = {"type": "tool_use", "id": "t", "name": "find", "input": {}}
    start = {"type": "content_block_start", "index": 0, "content_block": begun}
    before = [start] if "partial_json" in json.dumps(chunk) else []
    _streamed(guard, [*before, _clean(chunk)])
    made = list(_planted(chunk))
    assert made
    for bad in made:
        with pytest.raises(Blocked):
            _streamed(guard, [*before, bad])


def test_texts_in_the_parts_of_a_delta_stream(guard: Scripted) -> None:
    """Cut in two, they are judged as one, and nothing of a match is shown before."""

    def part(text: str) -> Any:
        return _head(delta={"reasoning_details": [{"type": "reasoning.text", "text": text}]})

    out: list[Any] = []

    @wrap(guard)
    def chat(messages: Any) -> Iterator[Any]:
        yield from [part("so FORB"), part("IDDEN it is")]

    with pytest.raises(Blocked):
        out.extend(chat("hello"))
    assert "FORB" not in json.dumps(out)
    clean = [part("Think "), part("twice."), _head(delta={}, finish_reason="stop")]
    said = [
        each["text"]
        for chunk in _streamed(guard, clean)
        for each in chunk["choices"][0]["delta"].get("reasoning_details") or ()
    ]
    assert "".join(said) == "Think twice."
