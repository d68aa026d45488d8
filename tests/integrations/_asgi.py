"""A server and its client, as far as an ASGI app sees them: one request at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio

App = Callable[[Any, Any, Any], Awaitable[None]]
JSON = "application/json"


@dataclass
class Got:
    """What the client got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    is_whole: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str, str]]:
        """Kind and data of each event."""
        found = []
        for each in filter(None, self.body.decode().split("\n\n")):
            kind, data = "", []
            for line in each.split("\n"):
                name, _, value = line.partition(": ")
                kind = value if name == "event" else kind
                data += [value] if name == "data" else []
            found.append((kind, "\n".join(data)))
        return found


async def ask(
    app: App,
    path: str = "/chat",
    body: Any = None,
    *,
    method: str = "POST",
    media: str | None = JSON,
    query: str = "",
    headers: Iterable[tuple[str, str]] = (),
    leaves_after: int | None = None,
    cuts: int | None = None,
    scope: dict[str, Any] | None = None,
) -> Got:
    """One request; the client may leave after some pieces of the reply."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = [(name.encode(), value.encode()) for name, value in headers]
    if raw and media is not None:
        sent.append((b"content-type", media.encode()))
    if raw and b"content-length" not in dict(sent):
        sent.append((b"content-length", str(len(raw)).encode()))
    about = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": sent,
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        **(scope or {}),
    }
    size = cuts or max(len(raw), 1)
    parts = [raw[at : at + size] for at in range(0, max(len(raw), 1), size)]
    left = anyio.Event()
    got = Got()

    async def receive() -> Any:
        if parts:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await anyio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            assert got.status == 0
            got.status = message["status"]
            got.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        assert message["type"] == "http.response.body"
        assert got.status
        assert not got.is_whole
        if message.get("body"):
            got.pieces.append(message["body"])
        got.is_whole = not message.get("more_body", False)
        if got.is_whole or len(got.pieces) == leaves_after:
            left.set()
            await anyio.lowlevel.checkpoint()

    await app(about, receive, send)
    return got


class Inner:
    """An app that says one thing, and what it was asked."""

    def __init__(
        self,
        says: Any = None,
        *,
        media: str = JSON,
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.says, self.media, self.status = says, media, status
        self.headers = list(headers)
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self.was_cut = self.is_closed = self.is_done = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        message = await receive()
        self.bodies.append(message["body"])
        assert message["more_body"] is False
        headers = [(b"content-type", self.media.encode())] if self.media else []
        headers += [(name.encode(), value.encode()) for name, value in self.headers]
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        await send(start)
        try:
            async with aclosing(self._pieces()) as pieces:
                async for piece, more in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": more})
        except anyio.get_cancelled_exc_class():
            self.was_cut = True
            raise
        finally:
            self.is_closed = True
        await anyio.lowlevel.checkpoint()
        self.is_done = True

    async def _pieces(self) -> AsyncGenerator[tuple[bytes, bool], None]:
        says = self.says
        if isinstance(says, list) and all(isinstance(each, bytes) for each in says):
            for each in says:
                yield each, True
            yield b"", False
        elif says is None:
            yield b"", False
        else:
            yield says if isinstance(says, bytes) else json.dumps(says).encode(), False

    @property
    def json(self) -> Any:
        (body,) = self.bodies
        return json.loads(body)
