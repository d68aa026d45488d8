"""A reply that is blocked says the message: what was stopped is gone wherever it stood."""

from __future__ import annotations

import json
from typing import Any

import pytest

import guardkit

POLICY = """
guardkit 1
policy scrubbed
check word = pattern { match /FORBIDDEN/ }
rule stop { tier safety on output, tool_call when word then block "Stopped." }
"""
GUARD = guardkit.loads(POLICY)

CHAT: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "fine"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3},
}


def asked(reply: Any) -> Any:
    @GUARD(on_block="reply", refusal=lambda text: {"said": text})
    def ask(prompt: str) -> Any:
        return reply

    return ask("hello")


@pytest.mark.parametrize(
    "reply",
    [
        {**CHAT, "note": "FORBIDDEN"},
        {**CHAT, "notes": {"deep": ["FORBIDDEN"]}},
        {**CHAT, "FORBIDDEN": 1},
        {**CHAT, "choices": [{**CHAT["choices"][0], "note": "FORBIDDEN"}]},
        {
            **CHAT,
            "choices": [
                {**CHAT["choices"][0], "message": {"content": "fine", "note": "FORBIDDEN"}},
            ],
        },
        {**MESSAGE, "note": "FORBIDDEN"},
        {**MESSAGE, "content": [{"type": "text", "text": "fine", "note": "FORBIDDEN"}]},
        {**MESSAGE, "content": [{"type": "text", "text": "x"}, {"type": "odd", "t": "FORBIDDEN"}]},
    ],
)
def test_nothing_is_left_of_what_was_stopped(reply: dict[str, Any]) -> None:
    said = asked(reply)
    assert "FORBIDDEN" not in json.dumps(said)
    assert "Stopped." in json.dumps(said)
    assert said == {"said": "Stopped."} or said["usage"] == reply["usage"]


def test_a_reply_of_an_sdk_is_scrubbed_too() -> None:
    chat = pytest.importorskip("openai.types.chat")
    reply = chat.ChatCompletion.model_validate({**CHAT, "note": "FORBIDDEN"})
    said = asked(reply)
    assert "FORBIDDEN" not in said.model_dump_json()
    assert said.choices[0].message.content == "Stopped."
