"""Models and agents of the OpenAI Agents SDK, as the tests use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio

from ._tools import WITH_MEMORY

COUNTS_ORDERS = WITH_MEMORY.replace("count stop", "count mask")


def model_of(*steps: Any) -> Any:
    from agents.testing import ScriptedModel

    return ScriptedModel(steps)


def says(*texts: str) -> list[Any]:
    from agents.testing import assistant_message

    return [assistant_message(text, item_id=f"m{i}") for i, text in enumerate(texts)]


def calls(name: str, call_id: str = "c1", **arguments: Any) -> list[Any]:
    from agents.testing import function_call

    return [function_call(name, arguments, call_id=call_id)]


def streams(*pieces: str, log: list[str] | None = None) -> Any:
    """A step that streams a message in these pieces."""
    from agents.testing import ModelStep
    from openai.types import responses as r

    at = {"item_id": "m0", "output_index": 0, "content_index": 0}
    (whole,) = says("".join(pieces))
    response = r.Response(
        id="r1", created_at=0, model="m", object="response", output=[], tools=[],
        parallel_tool_calls=False, tool_choice="none",
    )  # fmt: skip

    async def events(call: Any) -> AsyncIterator[Any]:
        try:
            bare = whole.model_copy(update={"content": []})
            empty = whole.content[0].model_copy(update={"text": ""})
            kind = "response.created"
            yield r.ResponseCreatedEvent(type=kind, response=response, sequence_number=0)
            yield r.ResponseOutputItemAddedEvent(
                type="response.output_item.added", item=bare, output_index=0, sequence_number=1
            )
            yield r.ResponseContentPartAddedEvent(
                type="response.content_part.added", part=empty, sequence_number=2, **at
            )
            for number, piece in enumerate(pieces, 3):
                yield r.ResponseTextDeltaEvent(
                    type="response.output_text.delta",
                    delta=piece,
                    logprobs=[],
                    sequence_number=number,
                    **at,
                )
            done = response.model_copy(update={"output": [whole]})
            kind = "response.completed"
            yield r.ResponseCompletedEvent(type=kind, response=done, sequence_number=99)
        finally:
            if log is not None:
                log.append("closed")

    return ModelStep.stream(events)


def item_streams(item: Any) -> Any:
    """A step that streams one item whole."""
    from agents.testing import ModelStep
    from openai.types import responses as r

    response = r.Response(
        id="r1", created_at=0, model="m", object="response", output=[item], tools=[],
        parallel_tool_calls=False, tool_choice="none",
    )  # fmt: skip
    at = {"item": item, "output_index": 0}
    added = "response.output_item.added"
    return ModelStep.stream(
        [
            r.ResponseOutputItemAddedEvent(type=added, sequence_number=0, **at),
            r.ResponseOutputItemDoneEvent(
                type="response.output_item.done", sequence_number=1, **at
            ),
            r.ResponseCompletedEvent(
                type="response.completed", response=response, sequence_number=2
            ),
        ]
    )


def agent_of(model: Any, **fields: Any) -> Any:
    from agents import Agent

    return Agent(name="shop", model=model, **fields)


def asked(agent: Any, said: Any, **how: Any) -> Any:
    from agents import Runner

    async def main() -> Any:
        return await Runner.run(agent, said, **how)

    return anyio.run(main)


def streamed(agent: Any, said: Any = "hello") -> tuple[str, list[str], Any]:
    """What was shown, by which events, and the result of the run."""
    from agents import Runner

    text, kinds = "", []

    async def main() -> Any:
        nonlocal text
        result = Runner.run_streamed(agent, said)
        async for event in result.stream_events():
            if event.type == "raw_response_event":
                kinds.append(event.data.type)
                if event.data.type == "response.output_text.delta":
                    text += event.data.delta
        return result

    result = anyio.run(main)
    return text, kinds, result


def answer_of(answer: Callable[[Any], Any]) -> Any:
    from agents.testing import ModelStep

    return ModelStep.respond(answer)


PLACES: dict[str, Any] = {
    "input": [{"role": "user", "content": "FORBIDDEN"}],
    "part": [{"role": "user", "content": [{"type": "input_text", "text": "FORBIDDEN"}]}],
    "history": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "FORBIDDEN"},
        {"role": "user", "content": "go on"},
    ],
    "result": [
        {"role": "user", "content": "hello"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "FORBIDDEN"},
    ],
}
