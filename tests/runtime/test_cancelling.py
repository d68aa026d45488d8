"""Cancelling a call at any point leaks nothing, on asyncio and on trio (D4)."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from random import Random

import anyio
import anyio.lowlevel
import pytest

from guardkit.guard import Guard, loads

POLICY = """guardkit 1
policy cancelling
check off   = words  { list ["forbidden"] }
check one   = judge  { call "m:f"  rubric "Bad?"  timeout 5s }
check two   = python { call "m:f"  answers score  timeout 5s }
rule a { tier safety on input, output when cascade { no if off  yes if one >= 0.5 else no } then block }
rule b { tier safety on input, output when two >= 0.5 then block }
"""  # noqa: E501


class Busy:
    """Checks with many points to be cancelled at; they know how many run."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.running = 0
        self.most = 0

    async def __call__(self, text: str, rubric: str = "") -> float:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(self.points):
                await anyio.lowlevel.checkpoint()
            return 0.1
        finally:
            self.running -= 1


def guard_of(busy: Busy) -> Guard:
    return loads(POLICY, checks={"one": busy, "two": busy})


async def cancelled_after(turns: int, work: Callable[[], Awaitable[object]]) -> str:
    """Run `work`, cancelled after so many turns of the loop; how it ended."""
    ended = "cancelled"

    async def run() -> None:
        nonlocal ended
        await work()
        ended = "done"

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    return ended


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_cancelling_at_every_point(backend: str) -> None:
    busy = Busy(points=6)
    guard = guard_of(busy)
    threads = threading.active_count()

    async def main() -> None:
        endings = []
        for turns in range(40):
            endings.append(await cancelled_after(turns, lambda: guard.acheck("hello")))
            assert busy.running == 0, f"a check still runs, cancelled after {turns} turns"
            verdict = await guard.acheck("hello")
            assert verdict.action == "pass", "the next call is not affected"
        assert endings[0] == "cancelled"
        assert endings[-1] == "done"

    anyio.run(main, backend=backend)
    assert busy.most == 2, "both checks run at once"
    assert threading.active_count() <= threads + 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    "times", [100, pytest.param(5_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]
)
def test_random_cancelling(backend: str, times: int) -> None:
    busy = Busy(points=4)
    guard = guard_of(busy)
    random = Random("cancel")

    async def main() -> None:
        for _ in range(times):
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(guard.acheck, "hello")
                for _ in range(random.randrange(30)):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            assert busy.running == 0
        assert (await guard.acheck("hello")).action == "pass"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asyncio_and_trio_agree(backend: str) -> None:
    async def scored(text: str, rubric: str = "") -> float:
        await anyio.lowlevel.checkpoint()
        return 0.9 if "bad" in text else 0.1

    guard = loads(POLICY, checks={"one": scored, "two": scored})

    async def main() -> list[str]:
        return [(await guard.acheck(text)).action for text in ("good", "bad", "forbidden bad")]

    assert anyio.run(main, backend=backend) == ["pass", "block", "block"]
    assert [guard.check(text).action for text in ("good", "bad")] == ["pass", "block"]
