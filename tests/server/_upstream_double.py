"""A remote model's server that says what a test tells it to, on a real socket.

It speaks HTTP/1.1 with keep-alive and chunks, and the wire formats of five endpoints: chat
completions, responses, completions, embeddings and messages. A script decides about each request:

    with upstream(lambda asked: Say(f"you sent {asked.body['model']}")) as up:
        client = openai.OpenAI(base_url=f"{up.url}/v1", api_key="k")

A script is what is done every time, a list of what is done in turn, or a function of the request,
run on the server's own thread. Where it raises, 500 is answered and `upstream` raises at its end.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ._upstream_acts import (
    SENTENCE,
    UNKNOWN,
    Act,
    Asked,
    Cut,
    Endless,
    Error,
    Gzipped,
    Raw,
    Redirect,
    Reply,
    Script,
    Slow,
    Sse,
    is_known,
    render,
)
from ._upstream_wire import Choices, Say, vector

__all__ = [
    "Asked",
    "Choices",
    "Cut",
    "Endless",
    "Error",
    "Gzipped",
    "Left",
    "Raw",
    "Redirect",
    "Say",
    "Slow",
    "Sse",
    "Upstream",
    "upstream",
    "vector",
]


NOTHING = Say(SENTENCE)


class Left(NamedTuple):
    """One reply that the client did not wait for."""

    asked: Asked
    at: float
    """When its connection ended, by `time.monotonic()`."""
    sent: int
    """Pieces that had been written until then."""


class _Gone(Exception):  # noqa: N818 - no error of the double
    """The client did not wait for the rest."""

    def __init__(self, sent: int) -> None:
        super().__init__(sent)
        self.sent = sent


class Upstream:
    """The running server, as a test sees it."""

    def __init__(self, script: Script) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.closed_early: list[Left] = []
        """The replies that the client did not wait for."""
        self.finished = 0
        """Replies written to their end."""
        self.connections = 0
        """Connections there have been."""
        self.failures: list[BaseException] = []
        self._script = script
        self._changed = threading.Condition()

    def wait(self, ready: Callable[[], bool], seconds: float = 5.0) -> bool:
        """Wait until something is so, and say whether it came to be."""
        with self._changed:
            return self._changed.wait_for(ready, seconds)

    def say(self, script: Script) -> None:
        """Another script from the next request on, and what was asked before is forgotten."""
        with self._changed:
            self._script = script
            self.asked.clear()
            self.closed_early.clear()

    def decide(self, asked: Asked) -> Act | None:
        """What the script does about a request; None where no such server would answer it."""
        with self._changed:
            turn = len(self.asked)
            self.asked.append(asked)
            script = self._script
            self._changed.notify_all()
        if not is_known(asked):
            return None
        try:
            if callable(script):
                return script(asked)
            return script[turn] if isinstance(script, Sequence) else script
        except Exception as error:  # noqa: BLE001 - whatever a test's script raises, the test must see
            self.failures.append(error)
            return Error(500, message="the script failed")

    def note(self, left: Left | None) -> None:
        """One reply is over: left by the client, or finished."""
        with self._changed:
            if left is None:
                self.finished += 1
            else:
                self.closed_early.append(left)
            self._changed.notify_all()


# --- the socket


class _Connection(asyncio.StreamReaderProtocol):
    """A connection that knows at once when the client has gone, also while nobody reads."""

    def __init__(self, serve: Callable[[_Connection, Any, Any], Any]) -> None:
        self.gone = asyncio.Event()
        self.closed = asyncio.Event()
        reader = asyncio.StreamReader(limit=1 << 26)
        super().__init__(reader, lambda incoming, outgoing: serve(self, incoming, outgoing))

    def eof_received(self) -> bool:
        self.gone.set()
        super().eof_received()
        return False  # a client that has closed its side waits for nothing

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self.closed.set()
        super().connection_lost(exc)

    async def pause(self, seconds: float) -> bool:
        """Wait, and say whether the client is still there."""
        if not seconds:
            await asyncio.sleep(0)
            return not self.gone.is_set()
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            return True
        return False


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked | None:
    """The next request of a connection; None where it has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers: dict[str, str] = {}
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            assert name.lower() not in headers, "a header that came twice"
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw = await _read_body(reader, headers)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    return Asked(method, target, headers, body, raw, time.monotonic(), 0)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    out = bytearray()
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        data = await reader.readexactly(size + 2)
        if not size:
            return bytes(out)
        out += data[:-2]


def _head(reply: Reply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {http.client.responses.get(reply.status, 'Said')}",
        f"content-type: {reply.kind}",
        "x-request-id: req_double",
        "request-id: req_double",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    if reply.streams:
        lines.append("transfer-encoding: chunked")
    else:
        lines.append(f"content-length: {sum(map(len, reply.pieces))}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _write(writer: asyncio.StreamWriter, connection: _Connection, reply: Reply) -> None:
    """Write a reply.

    Raises:
        _Gone: The client has closed the connection before its end.
    """
    writer.write(_head(reply))
    for sent, piece in enumerate(reply.pieces, start=1):
        assert piece or not reply.streams, "a chunk of no bytes would be the end"
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.streams else piece)
        try:
            await writer.drain()
        except ConnectionError:
            raise _Gone(sent) from None
        if reply.streams and not await connection.pause(reply.delay):
            raise _Gone(sent)
    if reply.end == "reset":
        writer.transport.abort()
    elif reply.end == "whole" and reply.streams:
        writer.write(b"0\r\n\r\n")


async def _answer(
    up: Upstream, connection: _Connection, writer: asyncio.StreamWriter, asked: Asked
) -> bool:
    """One request answered. Whether another may come on this connection."""
    act = up.decide(asked)
    try:
        if isinstance(act, Slow) and not await connection.pause(act.seconds):
            raise _Gone(0)
        reply = UNKNOWN if act is None else render(act, asked)
        await _write(writer, connection, reply)
    except _Gone as gone:
        up.note(Left(asked, time.monotonic(), gone.sent))
        return False
    up.note(None)
    return reply.end == "whole"


async def _run(up: Upstream, ready: Callable[[int, Callable[[], None]], None]) -> None:
    """Listen, say at which port and how to stop, and end every connection when stopped."""
    over = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(
        connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        up.connections += 1
        number = up.connections
        try:
            while asked := await _read_request(reader, writer):
                if not await _answer(up, connection, writer, asked._replace(connection=number)):
                    break
            writer.close()
            await connection.closed.wait()
        except asyncio.CancelledError:
            pass  # the test is over
        except Exception as error:  # noqa: BLE001 - a fault of the double must fail the test
            up.failures.append(error)
        finally:
            writer.transport.abort()  # no harm where it has closed; one left open would warn
            await connection.closed.wait()
            tasks.discard(task)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(serve), "127.0.0.1", 0, backlog=4096)
    ready(server.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(over.set))
    await over.wait()
    server.close()
    ending = [*tasks]
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending)
    await server.wait_closed()


@contextmanager
def upstream(script: Script = NOTHING) -> Iterator[Upstream]:
    """A remote model's server for as long as the block lasts.

    Raises:
        BaseException: What a script raised, when the block is left without an error of its own.
    """
    up = Upstream(script)
    started = threading.Event()
    stops: list[Callable[[], None]] = []

    def ready(port: int, stop: Callable[[], None]) -> None:
        up.url = f"http://127.0.0.1:{port}"
        stops.append(stop)
        started.set()

    thread = threading.Thread(target=lambda: asyncio.run(_run(up, ready)), name="upstream")
    thread.start()
    assert started.wait(10), "the double did not start"
    try:
        yield up
    finally:
        stops[0]()
        thread.join(10)
        assert not thread.is_alive(), "the double did not stop"
    if up.failures:
        raise up.failures[0]
