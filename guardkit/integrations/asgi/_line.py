"""The app as one exchange asks it: it runs where the server called it, and is read from beside."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel

from ._bodies import MOST_REPLY, RawHeaders

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Unanswered(Exception):  # noqa: N818 - what the app did, and its own error says why
    """The app ended before its reply did."""


class TooLarge(Exception):  # noqa: N818 - what the app said
    """A reply that has to be whole is larger than anybody waits for."""


class Start(NamedTuple):
    """How the app begins its reply."""

    status: int
    headers: RawHeaders


class Line:
    """One call of the app.

    Args:
        app: The app.
        scope: What it is told of the request.
        body: The body it reads.
        gone: Set once nobody listens to it any more.
    """

    def __init__(self, app: App, scope: Scope, body: bytes, gone: anyio.Event) -> None:
        self._app, self._scope, self._body, self._gone = app, scope, body, gone
        self._out, self._in = anyio.create_memory_object_stream[Message](0)
        self._work = anyio.CancelScope()
        self._has_read = self._has_ended = False
        self.failed: Exception | None = None
        """What the app raised."""

    # --- in the task that the server made

    async def run(self) -> None:
        """Call the app, and wait until it has done everything: what it does behind a reply, too."""
        try:
            with self._work:
                await self._app(self._scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - raised again once the exchange is over
            self.failed = error
        finally:
            self._out.close()

    async def _receive(self) -> Message:
        if not self._has_read:
            self._has_read = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] not in ("http.response.start", "http.response.body"):
            raise RuntimeError(f"the app was not offered `{message['type']}`")
        try:
            await self._out.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            # As a server does when its client has left.
            await anyio.lowlevel.checkpoint()

    # --- in the task that judges

    async def start(self) -> Start:
        """How the reply begins.

        Raises:
            Unanswered: It does not.
        """
        message = await self._next()
        if message["type"] != "http.response.start":
            raise Unanswered
        headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        return Start(message["status"], headers)

    async def piece(self) -> bytes | None:
        """The next piece of the body; None behind the last.

        Raises:
            Unanswered: The app ended before the body did.
        """
        if self._has_ended:
            return None
        message = await self._next()
        if message["type"] != "http.response.body":
            raise Unanswered
        self._has_ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    @property
    def has_ended(self) -> bool:
        """Whether the last piece came."""
        return self._has_ended

    async def whole(self, most: float = MOST_REPLY) -> bytes:
        """The whole body.

        Raises:
            TooLarge: It is larger than that.
            Unanswered: The app ended before it did.
        """
        body = bytearray()
        while (piece := await self.piece()) is not None:
            body += piece
            if len(body) > most:
                raise TooLarge
        return bytes(body)

    def leave(self) -> None:
        """Read no more: whatever the app still says is lost, and what it does behind it goes on."""
        self._in.close()
        self._out.close()

    def cut(self) -> None:
        """Read no more, and stop the app."""
        self.leave()
        self._work.cancel()

    async def _next(self) -> Message:
        try:
            return await self._in.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise Unanswered from None


async def read_body(receive: Receive, most: float = math.inf) -> bytes | None:
    """The body of a request; None where the client left while it sent it.

    Raises:
        TooLarge: It is larger than that.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)
