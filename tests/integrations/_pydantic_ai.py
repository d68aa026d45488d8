"""Models and agents of Pydantic AI, as the tests use them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio

from guardkit.integrations.pydantic_ai import guarded, guardrail

from ._tools import POLICY, WITH_MEMORY, guard_of

COUNTS_ORDERS = WITH_MEMORY.replace("count stop", "count mask")


class Model:
    """A model that gives these responses, one after the other, and what it was asked."""

    def __init__(self, *responses: Any) -> None:
        from pydantic_ai.models.function import FunctionModel

        self.responses = list(responses)
        self.asked: list[tuple[Any, Any]] = []
        self.log: list[str] = []
        self.model = FunctionModel(self.answer, stream_function=self.stream)

    def answer(self, messages: Any, info: Any) -> Any:
        from pydantic_ai import ModelResponse, TextPart

        self.asked.append((messages, info))
        made = self.responses.pop(0)
        if isinstance(made, Exception):
            raise made
        if isinstance(made, str):
            made = [TextPart(made)]
        return ModelResponse(made) if isinstance(made, list) else made

    async def stream(self, messages: Any, info: Any) -> AsyncIterator[Any]:
        self.asked.append((messages, info))
        made = self.responses.pop(0)
        try:
            for piece in [made] if isinstance(made, str) else made:
                yield piece
        finally:
            self.log.append("closed")

    def prompts(self, number: int = 0) -> list[Any]:
        """What its messages said."""
        messages = self.asked[number][0]
        return [getattr(part, "content", None) for each in messages for part in each.parts]


def agent_of(by: str, model: Model, policy: str = POLICY, *, agent: Any = None, **how: Any) -> Any:
    from pydantic_ai import Agent

    guard, given = guard_of(policy), agent or {}
    if by == "capability":
        return Agent(model.model, capabilities=[guardrail(guard, **how)], **given)
    return Agent(guarded(model.model, guard, **how), **given)


def call(name: str, **arguments: Any) -> list[Any]:
    from pydantic_ai import ToolCallPart

    return [ToolCallPart(name, arguments, tool_call_id="c1")]


def asked(agent: Any, said: Any, **how: Any) -> Any:
    """The result of a run."""

    async def main() -> Any:
        return await agent.run(said, **how)

    return anyio.run(main)


def streamed(agent: Any, said: Any = "hello", **how: Any) -> tuple[str, Any]:
    """What was shown, and the messages that the run came to."""
    shown: list[str] = []

    async def main() -> Any:
        async with agent.run_stream(said, **how) as result:
            shown.extend([t async for t in result.stream_text(delta=True, debounce_by=None)])
            return result.all_messages()

    messages = anyio.run(main)
    return "".join(shown), messages
