"""Cancelled at any wait, under both event loops, an exchange leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from guardkit.types import Surface, Verdict
from guardkit.wrap import wrap

from ._guard import Scripted, ScriptedStream


class Counter:
    """Cancels a scope at the k-th wait."""

    def __init__(self, k: int) -> None:
        self.left = k
        self.scope = anyio.CancelScope()

    async def wait(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


class Waiting(Scripted):
    """A guard whose every answer is waited for."""

    counter: Counter

    async def acheck(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        await self.counter.wait()
        return self.check(text, on=on, **keys)

    def stream(self, *, on: Surface = "output", **keys: Any) -> ScriptedStream:
        stream = super().stream(on=on, **keys)
        feed, finish = stream.feed, stream.finish

        async def afeed(chunk: str, /) -> str:
            await self.counter.wait()
            return feed(chunk)

        async def afinish() -> str:
            await self.counter.wait()
            return finish()

        stream.afeed, stream.afinish = afeed, afinish  # type: ignore[method-assign]  # scripted
        return stream


class Upstream:
    """Knows how many of its calls are open."""

    def __init__(self) -> None:
        self.open = 0
        self.counter: Counter

    async def ask(self, prompt: str) -> str:
        self.open += 1
        try:
            await self.counter.wait()
            return "some words and NB-1234"
        finally:
            self.open -= 1

    async def advise(self, prompt: str) -> str:
        said = await self.ask(prompt)
        return said if "principle" in prompt else "ADVICE"

    async def spell(self, prompt: str) -> AsyncIterator[str]:
        self.open += 1
        try:
            for _ in range(4):
                await self.counter.wait()
                yield "some words "
        except GeneratorExit:
            # Closing waits, too: it has to come to its end all the same.
            self.open += 1
            await anyio.lowlevel.checkpoint()
            self.open -= 1
            raise
        finally:
            self.open -= 1

    async def start(self, prompt: str) -> AsyncIterator[str]:
        await self.counter.wait()
        return self.spell(prompt)


async def consume(function: Callable[[str], Any]) -> str:
    result = function("hi")
    if hasattr(result, "__await__"):
        result = await result
    if isinstance(result, str):
        return result
    async with aclosing(result):
        return "".join([text async for text in result])


WHOLE = {
    "ask": "some words and [ORDER]",
    "advise": "some words and [ORDER]",
    "spell": "some words " * 4,
    "start": "some words " * 4,
}


@pytest.mark.parametrize("name", WHOLE)
def test_cancelled_at_every_wait(name: str, backend: str) -> None:
    async def at(k: int) -> bool:
        """Whether there was a k-th wait."""
        guard, upstream = Waiting(), Upstream()
        guard.counter = upstream.counter = counter = Counter(k)
        tasks = len(anyio.get_running_tasks())
        wrapped = wrap(guard, getattr(upstream, name))
        result = None
        with counter.scope:
            result = await consume(wrapped)
        assert upstream.open == 0
        assert len(anyio.get_running_tasks()) == tasks
        cancelled = counter.left <= 0
        assert (result is None) == cancelled
        assert counter.scope.cancelled_caught == cancelled
        # The next exchange knows nothing of it.
        guard.counter = upstream.counter = Counter(0)
        assert await consume(wrapped) == WHOLE[name]
        assert upstream.open == 0
        return cancelled

    async def main() -> int:
        k = 1
        while await at(k):
            k += 1
        return k

    assert anyio.run(main, backend=backend) > 3


def test_a_revision_that_takes_too_long_is_given_up(backend: str) -> None:
    guard, upstream = Scripted(), Upstream()

    async def slow(prompt: str) -> str:
        if "principle" not in prompt:
            return "ADVICE"
        upstream.open += 1
        try:
            await anyio.sleep_forever()
        finally:
            upstream.open -= 1
        return "never"

    async def main() -> str:
        return await wrap(guard, slow, on_block="reply", within=0.01)("hi")

    assert anyio.run(main, backend=backend) == "No advice."
    assert upstream.open == 0
