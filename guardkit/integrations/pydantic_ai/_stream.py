"""A stream of parts, judged as it comes.

`wrap` reads a stream of blocks that open, speak and stop, each with its number: that is what parts
are. Texts stream; calls, files and the like are held to the end, and judged whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from guardkit.errors import Blocked

from .._around import Plain
from ._asked import Asked
from ._guarding import Guarding
from ._messages import plain_part, response_part_of, with_text
from ._package import part_of

_STREAMS = ("text", "thinking")


def _delta(index: int, kind: str, text: str) -> Plain:
    delta = {"type": f"{kind}_delta", kind: text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _opened(index: int, block: Plain) -> Plain:
    return {"type": "content_block_start", "index": index, "content_block": block}


async def events_of(stream: Any, output_tools: tuple[str, ...]) -> AsyncIterator[Plain]:
    """What a model streams, as `wrap` reads it."""
    async for event in stream:
        match event.event_kind:
            case "part_start" if event.part.part_kind in _STREAMS:
                kind = event.part.part_kind
                yield _opened(event.index, {"type": kind, kind: ""})
                if event.part.content:
                    yield _delta(event.index, kind, event.part.content)
            case "part_delta" if event.delta.part_delta_kind in _STREAMS:
                if event.delta.content_delta:
                    kind = event.delta.part_delta_kind
                    yield _delta(event.index, kind, event.delta.content_delta)
            case "part_end" if event.part.part_kind in _STREAMS:
                yield {"type": "content_block_stop", "index": event.index}
    for index, part in enumerate(stream.get().parts):
        if part.part_kind not in _STREAMS:
            yield _opened(index, plain_part(part, output_tools))
        elif getattr(part, "citations", None):
            cited = plain_part(part)["citations"]
            yield _opened(index, {"type": "data", "citations": cited})


def stream_of(stream: Any, events: AsyncIterator[Plain], guarding: Guarding, asked: Asked) -> Any:
    """The stream that may be shown.

    Args:
        stream: The model's own.
        events: What `events_of` made of it, judged.
        guarding: The policy.
        asked: What the model was asked.
    """
    return _stream_class()(stream, events, guarding, asked)


class _Shown:
    """The parts that were shown, in place of what the package puts together from all that came."""

    special_token_restorer = None

    def __init__(self) -> None:
        self.parts: dict[int, Any] = {}

    def get_parts(self) -> dict[int, Any]:
        """The parts by their numbers, some of which may still be held."""
        return self.parts


@cache
def _stream_class() -> type:
    base: Any = part_of("models").StreamedResponse
    messages = part_of("messages")
    deltas = {"text": messages.TextPartDelta, "thinking": messages.ThinkingPartDelta}
    kinds = {"text": messages.TextPart, "thinking": messages.ThinkingPart}

    class GuardedStream(base):  # type: ignore[misc]  # a class of theirs is `Any` here
        """A stream of a model behind a policy."""

        def __init__(
            self, stream: Any, events: AsyncIterator[Plain], guarding: Guarding, asked: Asked
        ) -> None:
            super().__init__(model_request_parameters=asked.parameters)
            self._stream, self._events = stream, events
            self._guarding, self._tools = guarding, asked.output_tools
            self.__dict__["_parts_manager"] = self._shown = _Shown()
            self._uncited: set[int] = set()
            self._refusal: Any = None

        async def _get_event_iterator(self) -> AsyncIterator[Any]:
            try:
                async for event in self._events:
                    if (made := self._event(event)) is not None:
                        yield made
            except Blocked as blocked:
                verdict = blocked.verdict
            else:
                return
            self._refusal = self._guarding.refused(verdict, self._stream.get())
            (part,) = self._refusal.parts
            index = max(self._shown.parts, default=-1) + 1
            self._shown.parts[index] = part
            yield messages.PartStartEvent(index=index, part=part)

        def _event(self, event: Plain) -> Any:
            index, shown = event["index"], self._shown.parts
            if event["type"] == "content_block_delta":
                kind = event["delta"]["type"].removesuffix("_delta")
                text = event["delta"][kind]
                before = shown[index]
                shown[index] = dataclasses.replace(before, content=before.content + text)
                return messages.PartDeltaEvent(index=index, delta=deltas[kind](content_delta=text))
            if event["type"] != "content_block_start":
                return None
            block = event["content_block"]
            if "citations" in block:
                if block["citations"] != plain_part(self._whole[index])["citations"]:
                    self._uncited.add(index)
                return None
            if block["type"] in _STREAMS:
                shown[index] = kinds[block["type"]]("")
            else:
                shown[index] = response_part_of(self._whole[index], block, self._tools)
            return messages.PartStartEvent(index=index, part=shown[index])

        @property
        def _whole(self) -> Any:
            return self._stream.get().parts

        def get(self) -> Any:
            if self._refusal is not None:
                return self._refusal
            response = self._stream.get()
            parts = []
            for index, part in sorted(self._shown.parts.items()):
                own = response.parts[index] if index < len(response.parts) else part
                is_text = part.part_kind in _STREAMS
                is_same = is_text and own.part_kind == part.part_kind
                if is_same and own.content == part.content and index not in self._uncited:
                    parts.append(own)  # with what its provider seals
                else:
                    parts.append(with_text(part, part.content) if is_text else part)
            return dataclasses.replace(response, parts=parts)

        async def close_stream(self) -> None:
            await self._stream.close_stream()

        def get_stream_cancel_errors(self) -> tuple[type[BaseException], ...]:
            found: tuple[type[BaseException], ...] = self._stream.get_stream_cancel_errors()
            return found

        usage = property(lambda self: self._stream.usage)
        model_name = property(lambda self: self._stream.model_name)
        provider_name = property(lambda self: self._stream.provider_name)
        provider_url = property(lambda self: self._stream.provider_url)
        timestamp = property(lambda self: self._stream.timestamp)

    return GuardedStream
