"""Providers of the OpenAI Agents SDK behind a policy, down to the wire."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

import guardkit
from guardkit.integrations.openai_agents import guarded

from ._openai_agents import agent_of, asked, model_of, says, streamed, streams
from ._tools import found, guard_of, needs


@pytest.fixture(autouse=True)
def _silent() -> None:
    """Else the SDK sends what it traces to its house."""
    if found()["openai_agents"] is not None:
        import agents

        agents.set_tracing_disabled(True)


@needs("openai_agents")
def test_a_provider_guards_every_model_of_a_run() -> None:
    import agents

    model = model_of(says("NB-1234"))

    class Provider(agents.ModelProvider):
        closed = False

        def get_model(self, model_name: str | None) -> Any:
            return model

        async def aclose(self) -> None:
            self.closed = True

    provider = Provider()
    behind = guarded(provider, guard_of())
    run = agents.RunConfig(model_provider=behind)
    agent = agents.Agent(name="a", model="any")
    assert asked(agent, "hello", run_config=run).final_output == "[ORDER]"
    anyio.run(behind.aclose)
    assert provider.closed
    with pytest.raises(guardkit.UsageError, match="no model"):
        guarded(object(), guard_of())


@needs("openai_agents")
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_socket_of_the_provider_is_no_way_around(is_streamed: bool) -> None:
    """A responses WebSocket goes past any guard at the transport; a model is asked all the same."""
    from agents import Agent, OpenAIProvider, RunConfig, Runner
    from openai import AsyncOpenAI
    from websockets.asyncio.server import serve

    heard: list[str] = []

    async def answer(socket: Any) -> None:
        async for frame in socket:
            heard.append(frame)
            async for event in streams("Order NB-", "1234").stream_events(None):
                await socket.send(event.model_dump_json())

    async def main() -> str:
        async with serve(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = AsyncOpenAI(
                api_key="k",
                base_url=f"http://127.0.0.1:{port}/v1",
                websocket_base_url=f"ws://127.0.0.1:{port}/v1",
            )
            provider = OpenAIProvider(openai_client=client, use_responses_websocket=True)
            behind = guarded(provider, guard_of())
            run = RunConfig(model_provider=behind)
            agent = Agent(name="a", model="gpt-4o")
            try:
                with pytest.raises(guardkit.Blocked):
                    await Runner.run(agent, "FORBIDDEN", run_config=run)
                assert heard == []
                if not is_streamed:
                    result: Any = await Runner.run(agent, "about NB-1234", run_config=run)
                else:
                    result = Runner.run_streamed(agent, "about NB-1234", run_config=run)
                    async for _ in result.stream_events():
                        pass
            finally:
                await behind.aclose()
            said: str = result.final_output
            return said

    assert anyio.run(main) == "Order [ORDER]"
    assert "[ORDER]" in heard[0]
    assert "NB-1234" not in heard[0]


@needs("openai_agents")
def test_a_model_of_chat_completions() -> None:
    import httpx2
    from agents import OpenAIChatCompletionsModel
    from openai import AsyncOpenAI

    sent: list[Any] = []

    def answer(request: Any) -> Any:
        sent.append(json.loads(request.content))
        pieces = ["Order NB-", "12", "34."]
        choices = [{"index": 0, "delta": {"content": piece}} for piece in pieces]
        choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        frame = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        lines = [f"data: {json.dumps({**frame, 'choices': [each]})}\n\n" for each in choices]
        body = "".join([*lines, "data: [DONE]\n\n"])
        kind = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=kind, content=body.encode())

    client = AsyncOpenAI(
        api_key="k",
        base_url="https://api.example.com/v1",
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )
    agent = agent_of(guarded(OpenAIChatCompletionsModel("m", client), guard_of()))
    text, _, result = streamed(agent, "about NB-1234")
    assert text == result.final_output == "Order [ORDER]."
    assert sent[0]["messages"] == [{"role": "user", "content": "about [ORDER]"}]
