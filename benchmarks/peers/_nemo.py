"""nemoguardrails: its regex rail on both engines. It runs in its own environment."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from _worker import TRIVIAL, StoppedError, serve
from nemoguardrails import LLMRails, RailsConfig
from nemoguardrails.guardrails.iorails import IORails, _TurnConversation
from nemoguardrails.rails.llm.options import RailStatus


def _config(patterns: Sequence[str], streaming: dict[str, Any] | None = None) -> RailsConfig:
    """The regex rail on input and output. JSON is YAML, so no pattern is quoted by hand."""
    given = {"patterns": list(patterns)}
    output: dict[str, Any] = {"flows": ["regex check output"]}
    if streaming:
        output["streaming"] = {"enabled": True, **streaming}
    rails = {
        "config": {"regex_detection": {"input": given, "output": given}},
        "input": {"flows": ["regex check input"]},
        "output": output,
    }
    return RailsConfig.from_content(yaml_content=json.dumps({"models": [], "rails": rails}))


def scan(patterns: Sequence[str], engine: Any = IORails) -> Callable[[str], Awaitable[bool]]:
    check = engine(_config(patterns)).check_async

    async def ask(text: str) -> bool:
        found = await check([{"role": "user", "content": text}])
        return bool(found.status == RailStatus.BLOCKED)

    return ask


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    check = IORails(_config([TRIVIAL])).check_async

    async def call(prompt: str) -> str:
        if (await check([{"role": "user", "content": prompt}])).status == RailStatus.BLOCKED:
            raise StoppedError
        answer = await function(prompt)
        if (await check([{"role": "assistant", "content": answer}])).status == RailStatus.BLOCKED:
            raise StoppedError
        return answer

    return call


def stream(patterns: Sequence[str], **settings: Any) -> Callable[[Any], Awaitable[str]]:
    """The output rails over a stream; `IORails` itself reads streams of an HTTP model only."""
    rails = IORails(_config(patterns, settings or {"stream_first": True}))
    guarded = rails._run_output_rails_in_streaming

    async def given(tokens: Sequence[str]) -> AsyncIterator[str]:
        for token in tokens:
            yield token

    async def ask(tokens: Sequence[str]) -> str:
        turn = _TurnConversation([{"role": "user", "content": "hello"}])
        shown = []
        async for part in guarded(given(tokens), turn):
            if '"guardrails_violation"' in part:
                break
            shown.append(part)
        return "".join(shown)

    return ask


if __name__ == "__main__":
    first = partial(stream, stream_first=False)
    serve(
        ("nemoguardrails",),
        scan={
            "`IORails.check_async`, regex rail": scan,
            "`LLMRails.check_async`, regex rail": partial(scan, engine=LLMRails),
        },
        wrap={"`IORails.check_async` before and after the call": wrap},
        stream={
            "output rails of `IORails`, chunks of 200 tokens (default)": stream,
            "the same, `stream_first: false`": first,
            "the same, chunks of 1 token, context of 64": partial(
                first, chunk_size=1, context_size=64
            ),
        },
    )
