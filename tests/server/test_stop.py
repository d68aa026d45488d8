"""A server that is told to stop: nobody new, a proper end for everybody else (E9)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.shared._server import redis_server

from ._served import POLICY, Served, served
from ._traffic import CHAT, CHECK, Heard, Line, Lost, chat, exported, hear, until, verified
from ._upstream_double import Asked, Endless, Say, Upstream, upstream

LEAVES_S = 0.5
"""By when nobody new gets in; the promise is a fifth of that, on a machine of its own."""


class Load:
    """Clients that ask until nobody answers, and listeners of streams."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.said: set[str] = set()
        """Decisions of all that was answered."""
        self.statuses: Counter[int] = Counter()
        self.heard: list[Heard] = []
        self.lost = 0
        """Connections that ended without a reply to what was asked on them."""

    async def client(self) -> None:
        """Ask again and again."""
        async with Line(self.url) as line:
            while True:
                try:
                    answer = await line.ask(CHAT, chat("hello NB-1234"))
                except ConnectionRefusedError:
                    return
                except (Lost, ConnectionError):
                    self.lost += 1
                    return
                self.statuses[answer.status] += 1
                if answer.status == 200:
                    self.said.add(answer.decision)

    async def listener(self, number: int) -> None:
        """One stream."""
        async with Line(self.url) as line:
            heard = await hear(line, chat(f"stream {number}", stream=True))
            self.heard.append(heard)
            if heard.status == 200:
                self.said.add(heard.headers["x-guardkit-decision"])


async def _refuses(server: Served) -> float:
    """How long it takes until nobody new gets in."""
    port = int(server.url.rpartition(":")[2])

    async def is_shut() -> bool:
        with socket.socket() as probe:
            probe.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(probe, ("127.0.0.1", port))
            except ConnectionRefusedError:
                return True
            except ConnectionError:
                return False
        return False

    return await until(is_shut, 10, 0.005)


async def _stop(server: Served, up: Upstream, listeners: int) -> tuple[Load, float, float]:
    """Stop a server under load; what became of everybody, and the times of both."""
    load = Load(server.url)
    tasks = [asyncio.create_task(load.listener(number)) for number in range(listeners)]

    def listening() -> int:
        return sum(each.streams for each in up.asked)

    async def all_listen() -> bool:
        assert not load.heard, "a stream ended before the server was told to"
        for task in tasks:
            if task.done():
                task.result()
        return listening() >= listeners

    await until(all_listen, 20)
    tasks += [asyncio.create_task(load.client()) for _ in range(4)]
    await asyncio.sleep(random.uniform(0.1, 0.4))
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    shut_s = await _refuses(server)
    await asyncio.gather(*tasks)
    while server.process.poll() is None:
        assert time.monotonic() - begun < 30
        await asyncio.sleep(0.01)
    return load, shut_s, time.monotonic() - begun


def _script(asked: Asked) -> Say:
    # A stream of about two seconds; a whole reply at once.
    return Say("word NB-1234 " * 20, chunk=13, delay=0.1) if asked.streams else Say("ok")


ROUNDS = pytest.mark.parametrize(
    "rounds", [2, pytest.param(50, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)


@ROUNDS
def test_streams_come_to_their_end(rounds: int, tmp_path: Path) -> None:
    for number in range(rounds):
        audit = tmp_path / f"{number}.db"
        options = ("--audit", str(audit), "--drain", "20", "--no-watch")
        with upstream(_script) as up, served(POLICY, *options, upstream=up.url) as server:
            load, shut_s, whole_s = asyncio.run(_stop(server, up, 6))
        print(
            f"\nshut after {shut_s * 1e3:.0f} ms, gone after {whole_s:.1f} s;"
            f" {dict(load.statuses)}, {load.lost} lost, streams {len(load.heard)}"
        )
        assert shut_s < LEAVES_S
        assert len(load.heard) == 6
        for heard in load.heard:
            assert heard.is_whole, heard
            assert heard.is_closed
            assert heard.text == "word [ORDER] " * 20
        assert set(load.statuses) <= {200, 503}
        # A connection that is kept may be closed between two requests, never under one.
        assert load.lost == 0
        verified(audit)
        kept = {each["decision"] for each in exported(audit)}
        assert load.said <= kept


@ROUNDS
def test_streams_that_do_not_end_are_cut_properly(rounds: int, tmp_path: Path) -> None:
    for number in range(rounds):
        audit = tmp_path / f"{number}.db"
        options = ("--audit", str(audit), "--drain", "1", "--no-watch")
        with (
            upstream(lambda asked: Endless(delay=0.02) if asked.streams else Say("ok")) as up,
            served(POLICY, *options, upstream=up.url) as server,
        ):
            load, shut_s, whole_s = asyncio.run(_stop(server, up, 6))
            assert up.wait(lambda: len(up.closed_early) == 6, 2), "the model goes on"
        print(f"\nshut after {shut_s * 1e3:.0f} ms, gone after {whole_s:.1f} s")
        assert shut_s < LEAVES_S
        assert 1.0 <= whole_s < 10
        assert len(load.heard) == 6
        for heard in load.heard:
            assert not heard.is_whole
            assert heard.is_closed, "it broke off instead of ending"
            assert heard.error is not None
            assert heard.error["code"] == "stopping"
            assert heard.text.startswith("more more ")
        verified(audit)
        kept = {each["decision"] for each in exported(audit)}
        assert load.said <= kept


def test_messages_are_cut_in_their_own_dialect() -> None:
    async def play(server: Served) -> bytes:
        body = {"model": "m", "max_tokens": 9, **chat("hello"), "stream": True}
        async with Line(server.url) as line:
            status, headers = await line.begin("/v1/messages", body)
            assert status == 200
            server.process.send_signal(signal.SIGTERM)
            return b"".join([piece async for piece in line.pieces(headers)])

    with (
        upstream(Endless(delay=0.02)) as up,
        served(POLICY, "--drain", "0.5", "--no-watch", upstream=up.url) as server,
    ):
        raw = asyncio.run(play(server))
    *_, last = raw.decode().strip().split("\n\n")
    assert last.startswith("event: error\ndata: {")
    assert '"type":"error"' in last
    assert "message_stop" not in raw.decode()


def test_who_is_inside_is_told_and_ready_says_no() -> None:
    """On connections that are kept: 503 with when to try again, and `/readyz` for the balancer."""

    async def play(server: Served, up: Upstream) -> None:
        async with (
            Line(server.url) as listening,
            Line(server.url) as kept,
            Line(server.url) as also,
            Line(server.url) as asks,
        ):
            for line in (kept, also, asks):
                assert (await line.ask("/healthz", method="GET")).status == 200
            status, headers = await listening.begin(CHAT, chat("hello", stream=True))
            assert status == 200
            server.process.send_signal(signal.SIGTERM)
            await _refuses(server)
            number = len(up.asked)
            for path in (CHAT, CHECK):
                answer = await kept.ask(path, chat("hello") if path == CHAT else {"text": "hello"})
                assert answer.status == 503
                assert answer.json()["error"]["code"] == "stopping"
                assert answer.headers["retry-after"] == "1"
                assert answer.headers["connection"] == "close"
                kept = also
            ready = await asks.ask("/readyz", method="GET")
            assert (ready.status, ready.json()["status"]) == (503, "not ready")
            assert (await asks.ask("/healthz", method="GET")).status == 200
            assert len(up.asked) == number
            async for _ in listening.pieces(headers):
                pass

    with upstream(_script) as up, served(POLICY, "--no-watch", upstream=up.url) as server:
        asyncio.run(play(server, up))


def test_a_request_that_is_held_ends_in_an_answer() -> None:
    """What waits for somebody's approval is not kept from ending for as long as it may wait."""
    held = (
        POLICY
        + "rule wait { tier ethics on input when odd"
        + ' then hold for "desk" within 1h else block "Later." }\n'
    )
    held += "check odd = pattern { match /odd/ }\n"

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            asked = asyncio.create_task(line.ask(CHAT, chat("an odd word")))
            await asyncio.sleep(0.5)
            assert not asked.done()
            server.process.send_signal(signal.SIGTERM)
            answer = await asked
            assert (answer.status, answer.json()["error"]["code"]) == (503, "stopping")

    with (
        upstream(Say("ok")) as up,
        served(held, "--drain", "0.5", "--no-watch", upstream=up.url) as server,
    ):
        asyncio.run(play(server))


def test_interrupted_from_the_keyboard() -> None:
    with served(POLICY, "--no-watch") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert "Traceback" not in server.said()


def test_told_twice_it_still_ends_well() -> None:
    """A second signal while it drains is no reason to break off."""

    async def play(server: Served) -> Heard:
        async with Line(server.url) as line:
            asked = asyncio.create_task(hear(line, chat("hello", stream=True)))
            await asyncio.sleep(0.4)
            for _ in range(2):
                server.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.2)
            return await asked

    with upstream(_script) as up, served(POLICY, "--no-watch", upstream=up.url) as server:
        heard = asyncio.run(play(server))
    assert heard.is_closed
    assert heard.is_whole


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(20, marks=[pytest.mark.full, pytest.mark.timeout(600)])]
)
def test_several_workers_stop_together(rounds: int, tmp_path: Path) -> None:
    with redis_server() as redis:
        for number in range(rounds):
            audit = tmp_path / f"{number}.db"
            options = ("--workers", "2", "--redis", redis.url, "--audit", str(audit), "--no-watch")
            with (
                upstream(_script) as up,
                served(POLICY, *options, upstream=up.url, env=redis.env) as server,
            ):
                children = _children(server.process.pid)
                assert len(children) == 2
                load, shut_s, whole_s = asyncio.run(_stop(server, up, 6))
            print(f"\nshut after {shut_s * 1e3:.0f} ms, gone after {whole_s:.1f} s")
            assert shut_s < LEAVES_S
            assert all(heard.is_whole and heard.is_closed for heard in load.heard)
            assert len(load.heard) == 6
            assert load.lost == 0
            verified(audit)
            assert load.said <= {each["decision"] for each in exported(audit)}
            for child in children:
                assert not Path(f"/proc/{child}").exists()


def test_workers_do_not_outlive_their_parent() -> None:
    """Nobody could stop them, and they would go on by a policy that nobody can replace."""

    async def play(server: Served, children: list[int]) -> None:
        async def are_gone() -> bool:
            return not any(Path(f"/proc/{child}").exists() for child in children)

        took_s = await until(are_gone, 10)
        print(f"\ngone after {took_s * 1e3:.0f} ms")

    with redis_server() as redis:
        options = ("--workers", "2", "--redis", redis.url, "--no-watch")
        with served(POLICY, *options, env=redis.env, ends=-signal.SIGKILL) as server:
            children = _children(server.process.pid)
            assert len(children) == 2
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(10)
            asyncio.run(play(server, children))


@pytest.mark.full
def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    async def play(server: Served) -> None:
        async def serves() -> bool:
            with contextlib.suppress(Lost, ConnectionError):
                async with Line(server.url) as line:
                    return (await line.ask(CHECK, {"text": "hello"})).status == 200
            return False

        # One that ends sooner would be one that cannot begin.
        await asyncio.sleep(5.5)
        before = _children(server.process.pid)
        await asyncio.to_thread(_kill, before[0])

        async def are_two() -> bool:
            now = _children(server.process.pid)
            return len(now) == 2 and before[0] not in now and await serves()

        took_s = await until(are_two, 20, 0.1)
        print(f"\nreplaced after {took_s:.1f} s")

    with (
        redis_server() as redis,
        served(
            POLICY, "--workers", "2", "--redis", redis.url, "--no-watch", env=redis.env
        ) as server,
    ):
        asyncio.run(play(server))


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in listed]


def _kill(pid: int) -> None:
    import os

    os.kill(pid, signal.SIGKILL)
