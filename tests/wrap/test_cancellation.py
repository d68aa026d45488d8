"""Cancelled at any wait, under both event loops, an exchange leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from random import Random
from textwrap import dedent
from typing import Any

import anyio
import pytest

from guardkit.guard import loads
from guardkit.types import Surface, Verdict
from guardkit.wrap import wrap

from ._guard import POLICY, Scripted, ScriptedStream


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


class RealWaiting:
    """The real guard, one of whose checks waits."""

    counter: Counter

    def __init__(self) -> None:
        async def slow(text: str) -> bool:
            await self.counter.wait()
            return False

        waits = """
            defaults { hold_back all }
            check slow = python { call "m:f"  timeout 30s }
            rule never { tier safety on input, output when slow then block }
        """
        self.guard = loads(POLICY + dedent(waits), checks={"slow": slow})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guard, name)


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


@pytest.mark.parametrize("make", [Waiting, RealWaiting])
@pytest.mark.parametrize("name", WHOLE)
def test_cancelled_at_every_wait(name: str, make: Callable[[], Any], backend: str) -> None:
    async def at(k: int) -> bool:
        """Whether there was a k-th wait."""
        guard, upstream = make(), Upstream()
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

    make()  # the loop behind sync calls runs from the first guard on
    threads = threading.active_count()
    assert anyio.run(main, backend=backend) > 3
    assert threading.active_count() <= threads


def test_cancelled_while_somebody_decides(backend: str) -> None:
    guard = loads(POLICY)
    upstream = Upstream()
    chat = guard(on_hold="wait")(upstream.ask)

    async def main() -> None:
        upstream.counter = Counter(0)
        tasks = len(anyio.get_running_tasks())
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(chat, "for APPROVAL")
                with anyio.fail_after(10):
                    while not guard.holds.list(state="waiting"):
                        await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        assert len(anyio.get_running_tasks()) == tasks
        (hold,) = guard.holds.list(state="waiting")
        assert guard.holds.approve(hold.id, "ann").took  # it waits for whoever asks again
        assert (await guard.aawait_hold(hold.id)).text == "for APPROVAL"
        assert await chat("hi") == WHOLE["ask"]

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    "times", [60, pytest.param(2_500, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]
)
def test_cancelled_at_random(times: int, backend: str) -> None:
    guard, upstream = RealWaiting(), Upstream()
    random = Random("wrapped")
    wrapped = [wrap(guard, getattr(upstream, name)) for name in WHOLE]

    async def main() -> None:
        guard.counter = upstream.counter = Counter(0)
        for _ in range(times):
            async with anyio.create_task_group() as group:
                for function in wrapped:
                    group.start_soon(consume, function)
                for _ in range(random.randrange(40)):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            assert upstream.open == 0
        assert [await consume(function) for function in wrapped] == list(WHOLE.values())

    anyio.run(main, backend=backend)


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
