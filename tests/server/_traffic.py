"""Many clients at once on raw sockets, and what can be seen of the server from outside.

A client library hides what these tests are about: when a connection was refused, when it was
closed, how much of a stream had come.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ._served import ADMIN, ROOT, Served

CHAT = "/v1/chat/completions"
CHECK = "/v1/guardrails/check"
AS_ADMIN = {"authorization": f"Bearer {ADMIN}"}
TIME_S = 20.0


class Answer(NamedTuple):
    """One reply."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)

    @property
    def decision(self) -> str:
        """Under what the server knows it."""
        return self.headers["x-guardkit-decision"]

    @property
    def text(self) -> str:
        """What a chat completion says."""
        said: str = self.json()["choices"][0]["message"]["content"]
        return said


class Lost(Exception):  # noqa: N818 - what became of a connection
    """The connection ended before the reply did."""


class Line:
    """One connection, kept between requests and made anew when it is gone."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._headers = dict(headers or {})
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> tuple[str, int]:
        """Where it goes."""
        return self._host, self._port

    def again(self) -> Line:
        """Another one to the same place."""
        return Line(f"http://{self._host}:{self._port}", self._headers)

    def close(self) -> None:
        """Close it at once."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, and read the whole reply.

        Raises:
            Lost: There is none, or no end of it.
            ConnectionRefusedError: Nobody listens.
        """
        begun = time.monotonic()
        async with asyncio.timeout(TIME_S):
            status, found = await self.begin(path, body, method=method, headers=headers)
            read = b"".join([piece async for piece in self.pieces(found)])
        return Answer(status, found, read, time.monotonic() - begun)

    async def begin(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str]]:
        """Ask, and read the head of the reply; `pieces` reads the rest.

        Raises:
            Lost: There is none.
        """
        is_used = self._writer is not None
        try:
            return await self._begun(path, body, method, headers)
        except Lost:
            # A server may close a connection that is only kept: nothing was read there then.
            if not is_used:
                raise
        return await self._begun(path, body, method, headers)

    async def _begun(
        self, path: str, body: Any, method: str, headers: Mapping[str, str] | None
    ) -> tuple[int, dict[str, str]]:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        sent = body if isinstance(body, bytes) else b"" if body is None else _written(body)
        lines = {
            "host": f"{self._host}:{self._port}",
            "content-type": "application/json",
            "content-length": str(len(sent)),
            **self._headers,
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        try:
            self._writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + sent)
            await self._writer.drain()
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            raise Lost from error
        first, *rest = raw.decode("latin-1").split("\r\n")
        found = (line.partition(": ") for line in rest if line)
        return int(first.split(" ")[1]), {name.lower(): value for name, _, value in found}

    async def pieces(self, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Lost: It breaks off.
        """
        assert self._reader is not None
        try:
            if headers.get("transfer-encoding") != "chunked":
                yield await self._reader.readexactly(int(headers.get("content-length", "0")))
            else:
                while size := int(await self._reader.readuntil(b"\r\n"), 16):
                    yield (await self._reader.readexactly(size + 2))[:-2]
                await self._reader.readexactly(2)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            raise Lost from error
        if headers.get("connection", "").lower() == "close":
            self.close()


def _written(body: Any) -> bytes:
    return json.dumps(body).encode()


def chat(text: str, **more: Any) -> dict[str, Any]:
    """The body of a chat completion that asks one thing."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


class Heard(NamedTuple):
    """What came of a stream."""

    status: int
    headers: dict[str, str]
    text: str
    """What it said."""
    error: dict[str, Any] | None
    """Of its error event."""
    is_whole: bool
    """Whether it ended in `[DONE]`."""
    is_closed: bool
    """Whether its connection came to a proper end."""


async def hear(line: Line, body: Any, headers: Mapping[str, str] | None = None) -> Heard:
    """Ask for a chat stream and read it to its end, whatever that is."""
    status, found = await line.begin(CHAT, body, headers=headers)
    raw, is_closed = b"", True
    try:
        async for piece in line.pieces(found):
            raw += piece
    except Lost:
        is_closed = False
    said, error, is_whole = "", None, False
    if status != 200:
        return Heard(status, found, "", json.loads(raw)["error"], False, is_closed)
    for block in raw.decode().split("\n\n"):
        data = "".join(
            each.removeprefix("data: ") for each in block.splitlines() if each.startswith("data: ")
        )
        if data == "[DONE]":
            is_whole = True
        elif data:
            event = json.loads(data)
            error = event.get("error", error)
            for choice in event.get("choices", ()):
                said += choice["delta"].get("content") or ""
    return Heard(status, found, said, error, is_whole, is_closed)


async def until(ready: Callable[[], Awaitable[bool]], seconds: float, pause: float = 0.02) -> float:
    """Wait until something is so, and say how long that took.

    Raises:
        AssertionError: It did not come to be.
    """
    begun = time.monotonic()
    while not await ready():
        assert time.monotonic() - begun < seconds, f"not so within {seconds:g} s"
        await asyncio.sleep(pause)
    return time.monotonic() - begun


async def reload(line: Line) -> Answer:
    """Have the policies loaded again."""
    return await line.ask("/v1/policy/reload", headers=AS_ADMIN)


async def metrics(line: Line) -> dict[str, float]:
    """What `/metrics` says, by name with labels."""
    answer = await line.ask("/metrics", method="GET", headers=AS_ADMIN)
    assert answer.status == 200
    lines = [each for each in answer.body.decode().splitlines() if not each.startswith("#")]
    return {name: float(value) for name, _, value in (each.rpartition(" ") for each in lines)}


def summed(found: Mapping[str, float], name: str) -> float:
    """All numbers of one family."""
    return sum(value for key, value in found.items() if key.partition("{")[0] == name)


def quantile(values: Iterable[float], share: float) -> float:
    """The value that so large a share is at most."""
    ordered = sorted(values)
    return ordered[min(round(share * (len(ordered) - 1)), len(ordered) - 1)]


# --- the process, seen from outside


class Size(NamedTuple):
    """What a process takes."""

    resident: int
    """Bytes."""
    most: int
    """Bytes at most since the start, or since `forget_most`."""
    threads: int
    files: int


def size_of(pid: int) -> Size:
    """What a process takes now."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM", "Threads"):
            found[name] = int(value.split()[0])
    files = len(os.listdir(f"/proc/{pid}/fd"))
    return Size(found["VmRSS"] << 10, found["VmHWM"] << 10, found["Threads"], files)


def forget_most(pid: int) -> None:
    """Count what a process takes at most from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


# --- its audit log


def exported(path: Path) -> list[dict[str, Any]]:
    """The records of an audit log, as `guardkit audit export` writes them."""
    done = guardkit("audit", "export", str(path))
    assert done.returncode in (0, 5), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def verified(path: Path) -> None:
    """The chain of an audit log holds, says `guardkit audit verify`."""
    done = guardkit("audit", "verify", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def guardkit(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-c", "from guardkit.cli import main; main()", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def log_says(server: Served, words: str, seconds: float = 5.0) -> None:
    """Wait until the server has written some words."""

    async def has_said() -> bool:
        return words in server.said()

    await until(has_said, seconds)
