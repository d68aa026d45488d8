"""Too many requests, and requests that are too much (E1, E2)."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import pytest

from ._served import POLICY, Served, served
from ._traffic import (
    CHAT,
    CHECK,
    Answer,
    Line,
    Lost,
    chat,
    forget_most,
    metrics,
    quantile,
    size_of,
    summed,
    until,
)
from ._upstream_double import Endless, Say, Slow, Upstream, upstream

# --- E1: ten times as many as can be served

DELAY_S = 0.25
PLACES = 4
PER_S = round(10 * PLACES / DELAY_S)


async def _alone(url: str, number: int) -> list[float]:
    """Times of requests when nobody else asks."""
    async with Line(url) as line:
        return [(await line.ask(CHAT, chat("NB-1234 alone"))).seconds for _ in range(number)]


class _Burst(NamedTuple):
    """What came of many requests at once."""

    answers: list[Answer]
    most: int
    """Memory of the server."""
    slack_s: float
    """How late the test itself was, and what the cheapest of all answers took beside it: a machine
    that has other work to do is no fault of the server."""


async def _burst(url: str, number: int, pid: int) -> _Burst:
    """So many requests, evenly, whatever becomes of those before."""
    answers: list[Answer] = []
    late: list[float] = []
    looked: list[float] = []
    free: list[Line] = []
    begun = time.monotonic()
    most = 0

    async def one(at: int) -> None:
        nonlocal most
        await asyncio.sleep(max(begun + at / PER_S - time.monotonic(), 0))
        late.append(time.monotonic() - begun - at / PER_S)
        line = free.pop() if free else Line(url)
        answers.append(await line.ask(CHAT, chat(f"NB-1234 {at}")))
        free.append(line)
        if at % 100 == 0:
            most = max(most, size_of(pid).resident)

    async def look() -> None:
        async with Line(url) as line:
            while True:
                looked.append((await line.ask("/healthz", method="GET")).seconds)
                await asyncio.sleep(0.05)

    looking = asyncio.create_task(look())
    await asyncio.gather(*(one(at) for at in range(number)))
    looking.cancel()
    for line in free:
        line.close()
    return _Burst(answers, most, quantile(late, 0.99) + quantile(looked, 0.99))


@pytest.mark.parametrize(
    "seconds", [4, pytest.param(300, marks=[pytest.mark.full, pytest.mark.timeout(500)])]
)
def test_ten_times_the_capacity_is_shed(seconds: int) -> None:
    async def play(server: Served, up: Upstream) -> None:
        alone = await _alone(server.url, 10)
        up.asked.clear()
        before = size_of(server.process.pid).resident
        answers, most, slack_s = await _burst(server.url, seconds * PER_S, server.process.pid)
        ended = time.monotonic()
        async with Line(server.url) as line:

            async def serves() -> bool:
                answer = await line.ask(CHAT, chat("NB-1234 after"))
                return answer.status == 200 and answer.seconds < 2 * max(alone)

            assert len(up.asked) == sum(each.status == 200 for each in answers)
            await until(serves, 5)
            recovered_s = time.monotonic() - ended
            counted = await metrics(line)

        by = Counter(each.status for each in answers)
        assert set(by) == {200, 503}, by
        assert by[503] > 0.8 * len(answers)
        assert by[200] > 0.5 * PLACES * seconds / DELAY_S, "what can be served is served"
        refused = [each for each in answers if each.status == 503]
        served_s = [each.seconds for each in answers if each.status == 200]
        p99 = quantile((each.seconds for each in refused), 0.99)
        ratio = quantile(served_s, 0.99) / quantile(alone, 0.99)
        print(
            f"\n{len(answers)} asked at {PER_S}/s, {by[200]} served, {by[503]} shed;"
            f" refusals p50 {quantile((e.seconds for e in refused), 0.5) * 1e3:.0f} ms"
            f" p99 {p99 * 1e3:.0f} ms (slack {slack_s * 1e3:.0f} ms);"
            f" served p99 {ratio:.2f} x alone;"
            f" memory +{(most - before) >> 20} MiB; recovered in {recovered_s:.2f} s"
        )
        assert all(each.headers["retry-after"] == "1" for each in refused)
        assert all(each.json()["error"]["code"] == "overloaded" for each in refused)
        assert p99 < 0.2 + 3 * slack_s
        assert ratio < 2 + 8 * slack_s / DELAY_S
        assert most - before < 100 << 20
        # Nothing went past the judging: the number of an order is masked in all that was asked.
        texts = [each.body["messages"][0]["content"] for each in up.asked]
        assert all(text.startswith("[ORDER] ") for text in texts)
        assert summed(counted, "guardkit_requests_shed_total") == by[503]

    with (
        upstream(Slow(DELAY_S, Say("ok"))) as up,
        served(POLICY, "--at-once", str(PLACES), upstream=up.url) as server,
    ):
        asyncio.run(play(server, up))


def test_what_was_left_in_the_queue_gives_its_place_back() -> None:
    """Clients that leave while they wait, or while they are served, cost nothing any more."""

    async def play(server: Served, up: Upstream) -> None:
        for _ in range(3):
            lines = [Line(server.url) for _ in range(20)]
            asked = [asyncio.create_task(line.begin(CHAT, chat("hello"))) for line in lines]
            await asyncio.sleep(0.05)
            for line, task in zip(lines, asked, strict=True):
                line.close()
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        async with Line(server.url) as line:

            async def is_empty() -> bool:
                return (await metrics(line))["guardkit_requests_inside"] == 0

            took_s = await until(is_empty, 5)
            print(f"\nthe places were free again after {took_s * 1e3:.0f} ms")
            up.say(Say("ok"))
            assert (await line.ask(CHAT, chat("hello"))).status == 200

    with (
        upstream(Slow(30, Say("ok"))) as up,
        served(POLICY, "--at-once", "4", upstream=up.url) as server,
    ):
        asyncio.run(play(server, up))
        assert up.wait(lambda: len(up.closed_early) + up.finished >= 1)


# --- E2: one request cannot sink the server

MOST = 16 << 20


async def _raw(url: str, *pieces: bytes, pause: float = 0.0, seconds: float = 15.0) -> bytes:
    """Send bytes as they are; all that comes back until the connection is closed."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    got = b""

    async def read() -> None:
        nonlocal got
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                got += piece

    try:
        async with asyncio.timeout(seconds):
            reading = asyncio.create_task(read())
            with suppress(ConnectionError):  # it may be closed before everything is said
                for piece in pieces:
                    if reading.done():
                        break
                    writer.write(piece)
                    await writer.drain()
                    if pause:
                        await asyncio.sleep(pause)
            await reading
            return got
    finally:
        writer.transport.abort()


def _head(*lines: str) -> bytes:
    first = f"POST {CHECK} HTTP/1.1"
    return "\r\n".join(
        [first, "host: 127.0.0.1", "content-type: application/json", *lines]
    ).encode()


def _many_keys(number: int) -> bytes:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    names = itertools.islice(itertools.product(letters, repeat=4), number)
    return b"{" + b",".join(b'"%b":0' % "".join(each).encode() for each in names) + b"}"


def _refused(got: bytes) -> bool:
    """Whether it was answered with 4xx, or closed without a word."""
    return not got or got.startswith(b"HTTP/1.1 4")


def _nested(depth: int) -> bytes:
    return b'{"text":"x","context":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


HUGE: dict[str, tuple[int, Callable[[], list[bytes]]]] = {
    "a body that says it is too large": (
        0,
        lambda: [_head(f"content-length: {MOST + 1}", "connection: close", "", "")],
    ),
    "a body that is too large and does not say so": (
        MOST,
        lambda: [
            _head("transfer-encoding: chunked", "", ""),
            *([b"10000\r\n" + b"x" * 65_536 + b"\r\n"] * 2_000),
        ],
    ),
    "many headers": (
        0,
        lambda: [_head(*(f"x-{at}: {'v' * 100}" for at in range(2_000)), "", "")],
    ),
    "one header of 64 MiB": (0, lambda: [_head("x: "), *([b"v" * 65_536] * 1_024)]),
    "a name of a header of 64 MiB": (0, lambda: [_head(""), *([b"v" * 65_536] * 1_024)]),
    "an address of 64 MiB": (0, lambda: [b"POST /", *([b"v" * 65_536] * 1_024)]),
    "trailers without end": (
        0,
        lambda: [
            _head("transfer-encoding: chunked", "", "") + b"2\r\n{}\r\n0\r\n",
            *([b"x: " + b"v" * 65_536 + b"\r\n"] * 1_024),
        ],
    ),
    "JSON that is nested too deeply": (
        200_000,
        lambda: [_posted(_nested(100_000))],
    ),
    "an object of a million keys": (MOST, lambda: [_posted(_many_keys(1_000_000))]),
    "a list of millions of numbers": (
        MOST,
        lambda: [_posted(b'{"text":"x","context":{"a":[' + b"1," * 7_000_000 + b"1]}}")],
    ),
    "a number of a million digits": (
        1_000_000,
        lambda: [_posted(b'{"text":"x","context":{"a":' + b"9" * 1_000_000 + b"}}")],
    ),
}
"""How each is sent, and how large the body is of which the memory may be a multiple."""


def _posted(body: bytes) -> bytes:
    return _head(f"content-length: {len(body)}", "connection: close", "", "") + body


def test_what_is_too_much_is_refused_and_costs_no_memory() -> None:
    async def play(server: Served) -> None:
        pid = server.process.pid
        for name, (size, made) in HUGE.items():
            pieces = made()
            before = size_of(pid).resident
            forget_most(pid)
            begun = time.monotonic()
            got = await _raw(server.url, *pieces)
            took_s = time.monotonic() - begun
            rise = size_of(pid).most - before
            print(
                f"\n{name}: {got[:12].decode() or 'closed'}, {took_s * 1e3:.0f} ms,"
                f" +{rise / 2**20:.1f} MiB",
                end="",
            )
            assert _refused(got), (name, got[:200])
            assert rise <= 16 * size + (4 << 20), (name, rise)
            async with Line(server.url) as line:
                assert (await line.ask(CHECK, {"text": "hello"})).status == 200

    with served(POLICY, "--max-body", str(MOST), "--no-watch") as server:
        asyncio.run(play(server))


async def _p50(url: str, number: int) -> float:
    async with Line(url) as line:
        answers = [await line.ask(CHECK, {"text": "hello NB-1234"}) for _ in range(number)]
    assert {each.status for each in answers} == {200}
    return quantile((each.seconds for each in answers), 0.5)


@pytest.mark.parametrize(
    "number", [2_000, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(200)])]
)
def test_the_slow_and_the_idle_are_closed_and_hold_nobody_up(number: int) -> None:
    """Headers and a body at a byte a second, and thousands of connections that say nothing.

    Beside them a request that takes longer than a head may take, on a connection that is kept.
    """

    async def idle(url: str) -> float:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        begun = time.monotonic()
        try:
            async with asyncio.timeout(30):
                assert not await reader.read(1)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        return time.monotonic() - begun

    async def timed(work: Awaitable[bytes]) -> tuple[bytes, float]:
        begun = time.monotonic()
        return await work, time.monotonic() - begun

    async def play(server: Served) -> None:
        pid = server.process.pid
        alone = await _p50(server.url, 200)
        before = size_of(pid).resident
        long = Line(server.url)
        assert (await long.ask(CHECK, {"text": "hello"})).status == 200
        served_long = asyncio.create_task(long.ask(CHAT, chat("hello")))
        slow_head = [bytes([each]) for each in _head("x: slow", "", "")][:40]
        said = _head("content-length: 4000", "connection: close", "", "")
        slow_body = [said, *([b"x"] * 40)]
        slow = [
            asyncio.create_task(timed(_raw(server.url, *pieces, pause=1.0, seconds=40)))
            for pieces in (slow_head, slow_body)
            for _ in range(20)
        ]
        await asyncio.sleep(0.5)
        waiting = [asyncio.create_task(idle(server.url)) for _ in range(number)]
        await asyncio.sleep(0.5)
        with_them = await _p50(server.url, 400)
        rise = size_of(pid).resident - before
        ended = [await each for each in slow]
        idled = await asyncio.gather(*waiting)
        after = await _p50(server.url, 200)
        answer = await served_long
        assert (answer.status, answer.text) == (200, "ok")
        assert answer.seconds > 11
        assert (await long.ask(CHECK, {"text": "hello"})).status == 200
        long.close()
        heads, bodies = ended[:20], ended[20:]
        print(
            f"\np50 alone {alone * 1e3:.2f} ms, beside {number} idle and 40 slow"
            f" {with_them * 1e3:.2f} ms, after {after * 1e3:.2f} ms;"
            f" +{rise / 2**20:.1f} MiB, {rise / number / 1024:.1f} KiB each; closed after"
            f" {max(took for _, took in ended):.1f} s (slow), {max(idled):.1f} s (idle)"
        )
        assert all(_refused(got) and took < 20 for got, took in heads)
        assert all(got.startswith(b"HTTP/1.1 408") and took < 20 for got, took in bodies)
        assert max(idled) < 20
        assert rise < number * 64 * 1024 + (8 << 20)
        assert with_them < 2.5 * max(alone, after) + 0.002

    with (
        upstream(Slow(11.5, Say("ok"))) as up,
        served(POLICY, "--no-watch", upstream=up.url) as server,
    ):
        asyncio.run(play(server))


@pytest.mark.parametrize(
    "waits", [False, pytest.param(True, marks=[pytest.mark.full, pytest.mark.timeout(150)])]
)
def test_a_stream_that_is_never_read_holds_little(waits: bool) -> None:
    """Clients that ask for streams and take nothing of them: the model is read no further either.

    In the full form they stay, and the server lets go of them by itself.
    """

    async def play(server: Served, up: Upstream) -> None:
        pid = server.process.pid
        body = json.dumps(chat("hello", stream=True)).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        asked = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        before = size_of(pid).resident
        clients = [socket.socket() for _ in range(8)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            client.sendall(asked)
        async with Line(server.url) as line:

            async def inside() -> float:
                return (await metrics(line))["guardkit_requests_inside"]

            async def are_inside() -> bool:
                return await inside() == len(clients)

            await until(are_inside, 10)
            await asyncio.sleep(2)
            assert (await line.ask(CHECK, {"text": "hello"})).status == 200
            rise = size_of(pid).resident - before
            print(f"\n{len(clients)} that read nothing: +{rise / 2**20:.1f} MiB")
            assert rise < 32 << 20
            assert await inside() == len(clients)
            if not waits:
                for client in clients:
                    client.close()

            async def is_empty() -> bool:
                return await inside() == 0

            took_s = await until(is_empty, 100 if waits else 5, 0.1)
            print(f"all let go after {took_s:.1f} s")
        for client in clients:
            client.close()

    with (
        upstream(Endless("word " * 400, delay=0.002)) as up,
        served(POLICY, "--no-watch", upstream=up.url) as server,
    ):
        asyncio.run(play(server, up))
        assert up.wait(lambda: len(up.closed_early) == 8), "the model goes on"


@pytest.mark.full
def test_bodies_that_never_end_do_not_fill_the_memory() -> None:
    """Nearly whole bodies, kept open: what they take together is bounded, and others are told."""

    async def play(server: Served) -> None:
        host, _, port = server.url.removeprefix("http://").partition(":")
        before = size_of(server.process.pid).resident
        writers = []
        head = _head(f"content-length: {8 << 20}", "", "")
        for _ in range(100):
            _, writer = await asyncio.open_connection(host, int(port))
            writers.append(writer)
            with suppress(ConnectionError):
                writer.write(head + b"x" * ((8 << 20) - 1))
                await writer.drain()
        await asyncio.sleep(0.5)
        rise = size_of(server.process.pid).resident - before
        print(f"\n800 MiB were sent: +{rise >> 20} MiB")
        assert rise < 640 << 20
        for writer in writers:
            writer.transport.abort()
        async with Line(server.url) as line:

            async def serves() -> bool:
                return (await line.ask(CHECK, {"text": "hello"})).status == 200

            await until(serves, 5)

    with served(POLICY, "--no-watch") as server:
        asyncio.run(play(server))


def test_it_asks_for_the_files_that_it_may_have() -> None:
    """1,024 of them are what many systems give; that many clients would be the end of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        with served(POLICY, "--no-watch") as server:
            found, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert most == hard
    assert found == min(hard, 8_448)


def test_a_line_that_is_lost_says_so() -> None:
    """The client of these tests does not take an end for a reply."""

    async def play() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
            writer.close()

        double = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = double.sockets[0].getsockname()[1]
        async with Line(f"http://127.0.0.1:{port}") as line:
            with pytest.raises(Lost):
                await line.ask(CHECK, method="GET")
        double.close()

    asyncio.run(play())
