"""Streams: text appears as it is cleared, and nothing of what a rule stops ever does.

Offline: the model here is a stand-in. Run it with `python examples/streaming.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio

import guardkit

POLICY = r"""
guardkit 1
policy streams

check key  = pattern { match /\bsk-[A-Za-z0-9]{8,64}\b/ }
check mail = pattern { match /\b[a-z.]{1,40}@[a-z]{1,40}\.example\b/  label "mail" }

rule no_keys {
  tier safety
  on   output, tool_call
  when key
  then block "[stopped: that was a secret]"
}

rule hide_mail {
  tier safety
  on   output, tool_call
  when mail
  then rewrite matches as "[{label}]"
}
"""

guard = guardkit.loads(POLICY)


@guard
async def tell(prompt: str) -> AsyncIterator[str]:
    for word in ("Write to ann", ".lee@", "shop.example", ", she is in ", "until five o'clock."):
        yield word


@guard(on_block="reply")
async def leak(prompt: str) -> AsyncIterator[str]:
    for word in ("Sure, I can look that up for you: the key is s", "k-4Xc", "9Tq2Lm", ". Bye!"):
        yield word


@guard
def act(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Chunks as a chat API sends them: the call comes in pieces, and leaves whole."""
    yield call(name="mail.send", arguments="")
    for piece in ('{"to": "ann', ".lee@shop", '.example"}'):
        yield call(arguments=piece)
    yield chunk("tool_calls")


def call(**function: str) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": 0, "function": function}])


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


async def main() -> None:
    for function in (tell, leak):
        async for text in function("hi"):
            print(text, end="|")
        print("\n")

    for event in act([{"role": "user", "content": "Mail Ann."}]):
        choice = event["choices"][0]
        for each in choice["delta"].get("tool_calls", ()):
            print(f"call: {each['function']['name']} {each['function']['arguments']}")
        if choice["finish_reason"]:
            print(f"end:  {choice['finish_reason']}")


if __name__ == "__main__":
    anyio.run(main)
