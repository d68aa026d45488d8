"""One request on its ASGI channel: read within limits, answered once, ended properly."""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio

from guardkit.wire import EVENTS, Fault, Headers

from ._http import Reply, Request, Streamed

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

SLOWEST_BYTES: Final = 32_768
"""Bytes a second that a body has to come with, after the first seconds."""
PATIENCE_S: Final = 10.0
SLOWEST_READ_S: Final = 60.0
"""How long a client may take nothing of a stream."""
MOST_BUFFERED: Final = 512 << 20
"""Bytes of all bodies that are held at once."""
_ONCE: Final = frozenset({
    "authorization", "x-api-key", "api-key", "content-type", "content-length", "content-encoding",
    "x-guardkit-session", "x-guardkit-context", "x-guardkit-csrf", "origin", "cookie", "host",
    "anthropic-version", "anthropic-beta", "openai-beta", "openai-organization", "openai-project",
    "idempotency-key", "traceparent",
})  # fmt: skip
"""Headers that two readers may read differently where they come twice."""


class Buffers:
    """What the bodies of all requests take together."""

    def __init__(self, most: int = MOST_BUFFERED) -> None:
        self._left = most

    def take(self, size: int) -> None:
        """So much more came.

        Raises:
            Fault: There is no room for it.
        """
        self._left -= size
        if self._left < 0:
            self._left += size
            message = "the server is busy: try again soon"
            raise Fault(503, "overloaded", message, (("retry-after", "1"),))

    def give_back(self, size: int) -> None:
        """So much is not needed any more."""
        self._left += size


class Wire:
    """One request and the way back.

    Args:
        scope: What ASGI says of the request.
        receive: Gives what comes.
        send: Takes what goes.
        most: Bytes of a body.
        buffers: What all bodies may take together.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, most: int, buffers: Buffers
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._most = most
        self._buffers = buffers
        self._body: bytes | None = None
        self._length = "0"
        """What the client says of the size of its body."""
        self._size = 0
        self.scope = anyio.CancelScope()
        """Within it the request is served; its deadline is that of a body that is under way."""
        self.decision = secrets.token_urlsafe(16)
        self.path: str = scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
        """As it was sent: a path that is spelled in another way is another path."""
        self.method: str = scope["method"]
        self.has_begun = False
        """Whether something of the reply was sent."""

    def request(self) -> Request:
        """The request.

        Raises:
            Fault: A header stands there twice.
        """
        headers: dict[str, str] = {}
        for raw, value in self._scope["headers"]:
            name = raw.decode("latin-1")
            if name in headers and name in _ONCE:
                raise Fault(400, "header_twice", "a header of the request stands there twice")
            said = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {said}" if name in headers else said
        self._length = headers.get("content-length", "0")
        asked = self._scope.get("query_string", b"").decode("latin-1")
        try:
            query = dict(parse_qsl(asked, max_num_fields=20))
        except ValueError:
            raise Fault(400, "bad_query", "the query has too many fields") from None
        client = self._scope.get("client")
        return Request(
            self.method,
            self.path,
            query,
            headers,
            client[0] if client else "",
            self.decision,
            self.body,
        )

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Fault: It is too large, or comes too slowly, or there is no room for it.
        """
        if self._body is not None:
            return self._body
        said = self._length
        # Of a text alone, `isdigit` knows more digits than `int`.
        if not (said.isascii() and said.isdigit()) or int(said) > self._most:
            raise self._too_large()
        pieces: list[bytes] = []
        begun = anyio.current_time()
        while True:
            self.scope.deadline = begun + PATIENCE_S + self._size / SLOWEST_BYTES
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientLeft
            pieces.append(message.get("body", b""))
            self._buffers.take(len(pieces[-1]))
            self._size += len(pieces[-1])
            if self._size > self._most:
                raise self._too_large()
            if not message.get("more_body", False):
                self.scope.deadline = math.inf
                self._body = b"".join(pieces)
                return self._body

    def close(self) -> None:
        """The request is over: its body makes room for others."""
        self._buffers.give_back(self._size)
        self._size, self._body = 0, None

    def _too_large(self) -> Fault:
        message = f"the body is larger than {self._most:,} bytes"
        return Fault(413, "body_too_large", message, (("connection", "close"),))

    def when_left(self, tell: Callable[[], object]) -> None:
        """Have a function called as soon as the client has gone."""
        leaving: Leaving | None = self._scope.get("extensions", {}).get(LEAVING)
        if leaving is not None:
            leaving.tell = tell

    async def reply(self, reply: Reply, headers: Headers) -> None:
        """Send a whole reply."""
        join = self._scope.get("extensions", {}).get(JOINING)
        if join is not None:
            join()
        await self._begin(reply.status, reply.kind, (*reply.headers, *headers), len(reply.body))
        await self._send({"type": "http.response.body", "body": reply.body})

    async def stream(self, reply: Streamed, headers: Headers) -> None:
        """Send a reply as it comes; its source is closed whatever happens."""
        async with aclosing(reply.source) as source:  # type: ignore[type-var]  # a generator
            await self._begin(reply.status, reply.kind, (*reply.headers, *headers), None)
            async for piece in source:
                with anyio.move_on_after(SLOWEST_READ_S) as scope:
                    await self._send(
                        {"type": "http.response.body", "body": piece, "more_body": True}
                    )
                if scope.cancelled_caught:
                    raise ClientLeft  # it takes nothing: what waits for it must not wait for ever
        await self.end()

    async def end(self, last: bytes = b"") -> None:
        """Send the last piece of a stream."""
        await self._send({"type": "http.response.body", "body": last})

    async def _begin(self, status: int, kind: str, headers: Headers, size: int | None) -> None:
        lines = [(b"content-type", f"{kind}; charset=utf-8" if kind == EVENTS else kind)]
        if size is not None:
            lines.append((b"content-length", str(size)))
        if kind == EVENTS:
            lines.append((b"cache-control", "no-cache"))
            lines.append((b"x-accel-buffering", "no"))
        raw = [(name, value.encode("latin-1")) for name, value in lines]
        raw += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


def too_slow() -> Fault:
    """The fault of a body that does not come."""
    return Fault(408, "too_slow", "the body came too slowly", (("connection", "close"),))


class Leaving:
    """Says that a client has gone, to whoever serves it: no task has to wait for that."""

    __slots__ = ("tell",)

    def __init__(self) -> None:
        self.tell: Callable[[], object] | None = None

    def gone(self) -> None:
        """The connection was lost."""
        if self.tell is not None:
            self.tell()


LEAVING: Final = "guardkit.leaving"
"""Where the scope of a request has its `Leaving`."""
JOINING: Final = "guardkit.joining"
"""Where it has what makes the head of a whole reply wait for the body."""


class ClientLeft(Exception):  # noqa: N818 - nobody is there to hear of an error
    """The client went away."""
