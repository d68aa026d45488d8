"""What a handler is given and what it gives back: one request, one reply, no framework."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio

from guardkit.wire import EVENTS, JSON, Headers

from ._tenant import OPEN, Tenant

CLOSING_S = 5.0
"""How long what a stream held may take to be let go."""
GONE = 499
"""The status, in logs and counters alone, of a request whose client left before its reply."""


@dataclass(slots=True, repr=False)
class Request:
    """One request. Its repr shows nothing: a query, a header or a body may hold anything."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case. A name that came twice is refused before any handler sees it."""
    peer: str
    """The address of the client."""
    decision: str
    """The id under which the audit log, the reply and the operator's log know this request."""
    read: Callable[[], Awaitable[bytes]]
    """The whole body; a `Fault` where it is over the limit or comes too slowly."""
    tenant: Tenant = field(default=OPEN)
    is_inside: bool = False
    """Whether it was let in, so that it has to be counted out."""
    is_told: bool = False
    """Whether its end was counted and logged."""

    def bearer(self) -> str:
        """The key in `authorization: Bearer …`; empty where there is none."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""


class Reply(NamedTuple):
    """A whole reply."""

    status: int
    body: bytes = b""
    kind: str = JSON
    headers: Headers = ()


class Streamed(NamedTuple):
    """A reply that comes in pieces. Its source is closed whatever happens."""

    source: AsyncIterator[bytes]
    status: int = 200
    kind: str = EVENTS
    headers: Headers = ()


Handler = Callable[[Request], Awaitable[Reply | Streamed]]


class Within:
    """A stream that keeps what is in a stack until it ends, is left, or was never begun.

    A generator alone could not: one that nobody has asked for anything runs no line of its end.
    """

    def __init__(self, source: AsyncIterator[bytes], stack: AsyncExitStack) -> None:
        self._source = source
        self._stack = stack

    def __aiter__(self) -> Within:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._source)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Let go of everything."""
        with anyio.move_on_after(CLOSING_S, shield=True):
            try:
                await self._source.aclose()  # type: ignore[attr-defined]  # a generator, or this
            finally:
                await self._stack.aclose()
