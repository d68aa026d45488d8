"""A server that runs for long stays as large as it is (E10)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from ._served import POLICY, Served, served
from ._traffic import (
    AS_ADMIN,
    CHAT,
    CHECK,
    Line,
    Lost,
    Size,
    chat,
    hear,
    metrics,
    reload,
    size_of,
    until,
)
from ._upstream_double import Act, Asked, Cut, Error, Raw, Say, Upstream, upstream

WITH_SESSIONS = (
    POLICY
    + """
defaults { session_ttl 1h }
check card = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check odd  = pattern { match /odd/ }
rule hide { tier safety on input when card then rewrite matches as pseudonym }
rule rare { tier ethics on input when odd then flag }
window often { count rare last 9 turns per session }
rule over { tier safety on conversation when often >= 5 then block "Over." for session }
"""
)
KINDS = (
    "whole", "whole", "whole", "stream", "stream", "left", "blocked", "check", "check", "wrong",
    "broken", "refused", "nowhere", "console",
)  # fmt: skip


def _script(asked: Asked) -> Act:
    text = str(asked.body["messages"][-1]["content"])
    if "broken" in text:
        return Cut(2, how="close") if asked.streams else Raw(b"<html>no</html>", kind="text/html")
    if "refused" in text:
        return Error(429)
    return Say("word NB-1234 " * 8, chunk=7, delay=0.002 if asked.streams else 0.0)


class Traffic:
    """All kinds of requests, mixed, until told to stop."""

    def __init__(self, url: str, names: int) -> None:
        self._url = url
        self._names = names
        """Sessions there are: what is kept of sessions is bounded by how many are in use."""
        self.number: Counter[str] = Counter()
        self.stops = False

    async def client(self, seed: int) -> None:
        """One client."""
        rng = random.Random(seed)
        line = Line(self._url)
        while not self.stops:
            kind = rng.choice(KINDS)
            self.number[kind] += 1
            session = {"x-guardkit-session": f"s{rng.randrange(self._names)}"}
            text = f"{kind} NB-1234 1234 {rng.randrange(5):04d} {rng.randrange(4)}"
            if kind == "left":
                with contextlib.suppress(Lost):
                    await line.begin(CHAT, chat(text, stream=True), headers=session)
                line.close()
            elif kind in ("stream", "broken", "refused"):
                heard = await hear(line, chat(text, stream=True), session)
                assert heard.is_whole == (kind == "stream" and heard.status == 200), heard
            elif kind == "whole":
                assert (await line.ask(CHAT, chat(text), headers=session)).status == 200
            elif kind == "blocked":
                answer = await line.ask(CHAT, chat(f"{text} FORBIDDEN"), headers=session)
                assert answer.headers["x-guardkit-action"] == "block"
            elif kind == "check":
                named = {"text": text, "session": session["x-guardkit-session"]}
                assert (await line.ask(CHECK, named)).status == 200
            elif kind == "wrong":
                assert (await line.ask(CHAT, b'{"model": "m", "model": "n"}')).status == 400
            elif kind == "console":
                answer = await line.ask("/console/api/monitor", method="GET", headers=AS_ADMIN)
                assert answer.status == 200
            else:
                assert (await line.ask(f"/{rng.random()}", {})).status == 404
        line.close()


@pytest.mark.parametrize(
    ("seconds", "reloads"),
    [
        (12, 8),
        pytest.param(1_800, 100, marks=[pytest.mark.full, pytest.mark.timeout(2_000)]),
    ],
)
def test_it_stays_as_large_as_it_is(seconds: int, reloads: int, tmp_path: Path) -> None:
    async def play(server: Served, up: Upstream) -> None:
        pid = server.process.pid
        traffic = Traffic(server.url, names=50)
        tasks = [asyncio.create_task(traffic.client(seed)) for seed in range(6)]
        begun = time.monotonic()
        sizes: list[Size] = []
        async with Line(server.url) as line:
            for turn in range(reloads):
                while time.monotonic() - begun < seconds * (turn + 1) / reloads:
                    await asyncio.sleep(0.05)
                    up.asked.clear()  # the double keeps what it was asked; nobody wants it here
                    up.closed_early.clear()
                    for task in tasks:
                        if task.done():
                            task.result()
                text = WITH_SESSIONS.replace("[{label}]", f"[{{label}} {turn}]")
                (server.folder / "served.guard").write_text(text, encoding="utf-8")
                assert (await reload(line)).json()["policies"][0]["outcome"] == "ok"
                sizes.append(size_of(pid))
            traffic.stops = True
            await asyncio.gather(*tasks)

            async def is_idle() -> bool:
                found = await metrics(line)
                return found["guardkit_requests_inside"] == 0

            await until(is_idle, 5)
            ends = await metrics(line)
        await asyncio.sleep(0.2)
        last = size_of(pid)
        warm = sizes[len(sizes) // 2 - 1]
        hours = seconds / 2 / 3600
        rise = (sizes[-1].resident - warm.resident) / 2**20
        print(
            f"\n{sum(traffic.number.values())} requests in {seconds} s, {reloads} reloads;"
            f" MiB {[round(each.resident / 2**20, 1) for each in sizes][:: max(reloads // 8, 1)]},"
            f" threads {sizes[0].threads} -> {last.threads}, files {sizes[0].files} -> {last.files}"
        )
        assert min(traffic.number.values()) > 5, traffic.number
        # What the first half has brought in is warm: its arenas, its sessions, its caches.
        assert rise < (16 if seconds < 60 else 1 + hours)
        assert last.threads <= max(each.threads for each in sizes[: len(sizes) // 2 + 1])
        # All connections but this one are closed, and of those to the model the idle ones are left.
        assert last.files <= warm.files
        assert ends['guardkit_reloads_total{outcome="ok"}'] == reloads

    options = ("--no-watch", "--audit", str(tmp_path / "audit.db"), "--audit-mode", "fast")
    with upstream(_script) as up, served(WITH_SESSIONS, *options, upstream=up.url) as server:
        asyncio.run(play(server, up))
