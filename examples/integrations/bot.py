"""What is guarded in these examples: a stand-in for a function that asks a model."""

from __future__ import annotations

from typing import Any


def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A chat completion, as the clients of most providers give it."""
    said = messages[-1]["content"]
    text = "It is order NB-1234." if "order" in said else f"You said: {said}"
    return {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
    }
