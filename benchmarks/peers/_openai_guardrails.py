"""openai-guardrails: a registered check of all patterns. It runs in its own environment."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from _worker import TRIVIAL, serve
from guardrails import GuardrailsAsyncOpenAI
from guardrails.exceptions import GuardrailTripwireTriggered
from guardrails.registry import default_spec_registry
from guardrails.runtime import instantiate_guardrails, load_config_bundle, run_guardrails
from guardrails.types import GuardrailResult
from pydantic import BaseModel, PrivateAttr

NAME = "All Patterns"


class Patterns(BaseModel):
    """What the check is configured with; compiled when the policy is read."""

    patterns: list[str]
    _searches: list[Any] = PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any) -> None:
        self._searches = [re.compile(pattern).search for pattern in self.patterns]


async def matches(ctx: Any, data: str, config: Patterns) -> GuardrailResult:
    """Every pattern that is found: its library has no check of plain patterns."""
    found = [i for i, search in enumerate(config._searches) if search(data)]
    return GuardrailResult(tripwire_triggered=bool(found), info={"found": found})


default_spec_registry.register(NAME, matches, "Patterns.", "text/plain")


def _bundle(patterns: Sequence[str]) -> dict[str, Any]:
    return {
        "version": 1,
        "guardrails": [{"name": NAME, "config": {"patterns": list(patterns)}}],
    }


def _run(patterns: Sequence[str]) -> Callable[[str], Awaitable[Any]]:
    made = instantiate_guardrails(load_config_bundle(_bundle(patterns)))
    context = SimpleNamespace()

    def run(text: str) -> Awaitable[Any]:
        return run_guardrails(context, text, "text/plain", made, raise_guardrail_errors=True)

    return run


def scan(patterns: Sequence[str]) -> Callable[[str], Awaitable[bool]]:
    run = _run(patterns)

    async def ask(text: str) -> bool:
        try:
            await run(text)
        except GuardrailTripwireTriggered:
            return True
        return False

    return ask


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    run = _run([TRIVIAL])

    async def call(prompt: str) -> str:
        await run(prompt)
        answer = await function(prompt)
        await run(answer)
        return answer

    return call


def stream(patterns: Sequence[str], interval: int = 100) -> Callable[[Any], Awaitable[str]]:
    """The stream of its client, fed with chunks that look like those of the API."""
    client = GuardrailsAsyncOpenAI(
        config={"version": 1, "output": _bundle(patterns)},
        raise_guardrail_errors=True,
        api_key="none",
        base_url="http://127.0.0.1:9",
    )

    guarded = client._stream_with_guardrails

    async def chunks(tokens: Sequence[str]) -> AsyncIterator[Any]:
        for token in tokens:
            delta = SimpleNamespace(content=token)
            yield SimpleNamespace(choices=[SimpleNamespace(delta=delta)])

    async def ask(tokens: Sequence[str]) -> str:
        shown = []
        try:
            async for given in guarded(chunks(tokens), [], [], check_interval=interval):
                shown.append(given.choices[0].delta.content)  # noqa: PERF401 - kept when it raises
        except GuardrailTripwireTriggered:
            pass
        return "".join(shown)

    return ask


if __name__ == "__main__":
    serve(
        ("openai-guardrails",),
        scan={"`run_guardrails`, one registered check of all `re` patterns": scan},
        wrap={"`run_guardrails` before and after the call": wrap},
        stream={
            "stream of `GuardrailsAsyncOpenAI`, checked every 100 chunks (default)": stream,
            "the same, checked every chunk": partial(stream, interval=1),
        },
    )
