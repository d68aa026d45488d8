"""What the client is told: a reply, whole or in pieces, or what stopped it."""

from __future__ import annotations

import secrets
from contextlib import aclosing
from typing import Any

import anyio

from guardkit.errors import UsageError
from guardkit.wire import Dialect, Fault, event_bytes, fault_body, write_json

from ._bodies import FRAMING, RawHeaders, without
from ._events import bytes_of
from ._line import Send

BLOCKED = "guardkit_blocked"


class Client:
    """The client's side of one exchange.

    Args:
        send: The server's.
        dialect: In which it is spoken to, if in any.
        gone: Set once it listens no more.
    """

    def __init__(self, send: Send, dialect: Dialect | None, gone: anyio.Event) -> None:
        self._send, self._dialect, self._gone = send, dialect, gone
        self.is_sent = self.is_complete = False
        self.events: tuple[int, RawHeaders] | None = None
        """How a stream of events begins, where that is what it gets."""

    async def whole(self, status: int, headers: RawHeaders, body: bytes | None) -> None:
        """A whole reply; None where it has no body."""
        if body is not None:
            headers = [*without(headers, FRAMING), (b"content-length", b"%d" % len(body))]
        await self.give(status, headers, body or b"", more=False)

    async def stream(self, status: int, headers: RawHeaders, pieces: Any) -> None:
        """A reply in pieces, all of which may be shown."""
        async with aclosing(pieces):
            async for piece in pieces:
                if piece:
                    await self.give(status, headers, piece, more=True)
        await self.give(status, headers, b"", more=False)

    async def give(self, status: int, headers: RawHeaders, body: bytes, *, more: bool) -> None:
        """One piece, which may be shown; in front of the first, the beginning."""
        # INVARIANT: nothing is sent before something was cleared, so a block can still be an error.
        if not self.is_sent:
            self.is_sent = True
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await self._send(start)
        if not more:
            self.is_complete = True
            self._gone.set()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def refuse(self, fault: Fault) -> None:
        """Say what stopped it, in whatever shape the client reads.

        Raises:
            UsageError: There is none: the server cuts it, so that nobody takes it for whole.
        """
        if self.is_complete:
            return
        if self._dialect is None:
            said = write_json({"error": {"type": fault.code, "message": fault.message}})
        else:
            said = write_json(fault_body(self._dialect.family, fault, secrets.token_hex(12)))
        is_block = fault.code == BLOCKED
        if self.events is not None and (self.is_sent or is_block):
            await self.give(*self.events, bytes_of("error", said.decode()), more=False)
        elif not self.is_sent:
            headers = [(b"content-type", b"application/json")]
            await self.whole(fault.status, headers, said)
        elif self._dialect is not None:
            kind = "error" if self._dialect.family == "anthropic" else ""
            await self._last(event_bytes(said, kind))
        elif is_block:
            await self._last(fault.message.encode())
        else:
            raise UsageError(fault.message)

    async def _last(self, body: bytes) -> None:
        await self.give(0, [], body, more=False)
