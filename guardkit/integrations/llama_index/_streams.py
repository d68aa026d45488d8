"""Streams in both directions: LlamaIndex's responses as chunks, and chunks as responses again.

Sans-I/O: plain and async streams feed the same objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from .._around import Plain
from ._messages import calls_of, text_of, thinking_of, with_calls
from ._package import package

Kind = Literal["chat", "completion"]


class Said:
    """What a model says, piece by piece, as chunks of the chat format.

    Calls grow from response to response, so they are taken from the last one, whole.
    """

    def __init__(self, kind: Kind) -> None:
        self._is_chat = kind == "chat"
        self._text = self._thinking = ""
        self.last: Any = None
        """The last response that was fed."""
        self.calling: Any = None
        """The last message with calls in it."""

    def feed(self, response: Any) -> list[Plain]:
        """The chunks that a response adds."""
        self.last = response
        whole = text_of(response.message) if self._is_chat else response.text
        chunks: list[Plain] = []
        if self._is_chat:
            chunks += self._thought(response)
            if calls_of(response.message):
                self.calling = response.message
        piece = response.delta
        if piece is None:
            piece = whole[len(self._text) :] if whole.startswith(self._text) else whole
        self._text += piece
        return [*chunks, _chunk({"content": piece})] if piece else chunks

    def finish(self) -> list[Plain]:
        """What is left at the end: words that no piece brought, calls, and the end itself."""
        chunks: list[Plain] = []
        if self.last is not None:
            whole = text_of(self.last.message) if self._is_chat else self.last.text
            if whole.startswith(self._text) and len(whole) > len(self._text):
                chunks.append(_chunk({"content": whole[len(self._text) :]}))
        if self.calling is not None:
            calls = [
                {**call, "index": place} for place, (_, call) in enumerate(calls_of(self.calling))
            ]
            chunks.append(_chunk({"tool_calls": [_as_text(call) for call in calls]}))
        return [*chunks, _chunk({}, "tool_calls" if self.calling is not None else "stop")]

    def _thought(self, response: Any) -> list[Plain]:
        whole = thinking_of(response.message)
        if whole.startswith(self._thinking):
            piece = whole[len(self._thinking) :]
        else:
            piece = whole
        beside = response.additional_kwargs.get("thinking_delta")
        if not whole and isinstance(beside, str):
            piece = beside
        self._thinking += piece
        return [_chunk({"reasoning_content": piece})] if piece else []


class Shown:
    """What may be shown, chunk by chunk, as responses."""

    def __init__(self, kind: Kind, said: Said) -> None:
        self._is_chat = kind == "chat"
        self._said = said
        self._text = self._thinking = ""
        self._calls: dict[int, Plain] = {}

    def feed(self, chunk: Plain) -> list[Any]:
        """The responses that a chunk makes."""
        delta = chunk["choices"][0].get("delta") or {}
        text = delta.get("content") or ""
        thinking = delta.get("reasoning_content") or ""
        calls = delta.get("tool_calls") or []
        if not (text or thinking or calls):
            return []
        self._text += text
        self._thinking += thinking
        for call in calls:
            self._calls[call["index"]] = call
        return [self._response(text, thinking)]

    def _response(self, text: str, thinking: str) -> Any:
        llms = package("llms")
        if not self._is_chat:
            return llms.CompletionResponse(text=self._text, delta=text)
        types = package("base.llms.types")
        blocks: list[Any] = []
        if self._thinking:
            blocks.append(types.ThinkingBlock(content=self._thinking))
        if self._text or not blocks:
            blocks.append(types.TextBlock(text=self._text))
        message = types.ChatMessage(role="assistant", blocks=blocks)
        said = self._said.calling
        if said is not None and len(self._calls) == len(calls_of(said)):
            message = _with_calls(message, said, self._calls)
        beside = {"thinking_delta": thinking} if thinking else {}
        return llms.ChatResponse(message=message, delta=text, additional_kwargs=beside)


def _with_calls(message: Any, said: Any, calls: Mapping[int, Plain]) -> Any:
    """A message with the calls of another, as they may be made."""
    own = [block for block in said.blocks if block.block_type == "tool_call"]
    listed = said.additional_kwargs.get("tool_calls")
    beside = {"tool_calls": listed} if listed else {}
    bare = said.model_copy(update={"blocks": own, "additional_kwargs": beside})
    was = [sent["function"]["arguments"] for _, sent in calls_of(bare)]
    made = with_calls(
        bare,
        [
            {
                "function": {
                    "arguments": _arguments(calls[place]["function"]["arguments"], was[place])
                }
            }
            for place in range(len(was))
        ],
    )
    return message.model_copy(
        update={
            "blocks": [*message.blocks, *made.blocks],
            "additional_kwargs": made.additional_kwargs,
        }
    )


def _arguments(text: str, was: Any) -> Any:
    """Arguments in the form in which they were said: text, or an object."""
    if text == _text(was):
        return was
    return text if isinstance(was, str) else json.loads(text)


def _as_text(call: Plain) -> Plain:
    function = call["function"]
    return {**call, "function": {**function, "arguments": _text(function["arguments"])}}


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _chunk(delta: Plain, reason: str | None = None) -> Plain:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"object": "chat.completion.chunk", "choices": [choice]}
