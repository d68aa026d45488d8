"""State that replicas share stops answering, and answers again: one line in the log for each."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from guardkit.server import _store as store_module
from guardkit.server._logs import Log
from guardkit.server._store import watch_store
from tests.shared._server import Server, redis_server

from ._served import POLICY, Served, served
from ._traffic import CHECK, Line, log_says


def _outcomes(text: str) -> list[str]:
    lines = [json.loads(line) for line in text.splitlines() if line[:1] == "{"]
    return [line["outcome"] for line in lines if line["event"] == "shared_state"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_change_is_one_line(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOOK_S", 0)
    script: list[bool | Exception] = [
        *(True, True),  # nothing to tell
        *(False, False, OSError("redis://:Zebrafinch@127.0.0.1"), False),  # away, told once
        *(True, True),
        ValueError("Zebrafinch"),  # whoever asks may fail in any way: that is no answer
        True,
    ]
    lines: list[str] = []

    async def play() -> None:
        async with anyio.create_task_group() as group:

            async def is_up() -> bool:
                if not script:
                    group.cancel_scope.cancel()
                    await anyio.sleep(1)
                said = script.pop(0)
                if isinstance(said, Exception):
                    raise said
                return said

            group.start_soon(watch_store, is_up, Log(lines.append))

    anyio.run(play, backend=backend)
    assert not script
    assert _outcomes("".join(lines)) == ["away", "back", "away", "back"]
    assert "Zebrafinch" not in "".join(lines)


@pytest.mark.parametrize(("goes", "comes"), [("kill", "start"), ("freeze", "thaw")])
def test_a_redis_that_goes_away_and_comes_back_is_told_of(goes: str, comes: str) -> None:
    async def play(server: Served, redis: Server) -> None:
        async with Line(server.url) as line:
            getattr(redis, goes)()
            await log_says(server, '"away"', 15)
            assert (await line.ask(CHECK, {"text": "hello"})).status == 200
            await asyncio.sleep(2.5)  # another look finds the same, and says nothing
            assert _outcomes(server.said()) == ["away"]
            getattr(redis, comes)()
            await log_says(server, '"back"', 15)
            await asyncio.sleep(2.5)
        assert _outcomes(server.said()) == ["away", "back"]

    options: tuple[Any, ...] = ("--no-watch", "--log-format", "json")
    with (
        redis_server() as redis,
        served(POLICY, "--redis", redis.url, *options, env=redis.env) as server,
    ):
        asyncio.run(play(server, redis))
        assert redis.url.removeprefix("redis://") not in server.said()
