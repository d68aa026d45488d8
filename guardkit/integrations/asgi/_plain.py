"""A request and a reply that are in no dialect: every string of them is judged."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Protocol

from guardkit.errors import UsageError
from guardkit.wire import Fault, Unreadable, write_json

from ._bodies import (
    MOST_REPLY_WORK,
    OF_BYTES,
    Kind,
    RawHeaders,
    kind_of,
    read_value,
    strings_of,
    with_strings,
    without,
)
from ._client import Client
from ._events import Events, event_of
from ._line import Line, Scope, Start
from ._settings import Settings, query_of

_NO_BODY = (204, 304)


class Asks(Protocol):
    """What an exchange does for its texts."""

    async def ask(self, body: bytes) -> tuple[Line, Start]:
        """Ask the app with a body that was judged."""

    def pieces(self, line: Line, first: bytes) -> AsyncGenerator[bytes, None]:
        """What is left of the body of a reply, behind what was read of it."""


class Plain:
    """The texts of one exchange.

    Args:
        exchange: It.
        settings: Who judges.
        client: Who is answered.
    """

    def __init__(self, exchange: Asks, settings: Settings, client: Client) -> None:
        self._exchange, self._settings, self._client = exchange, settings, client
        self._kind: Kind = "unread"
        self._is_head = False
        self._start = Start(0, [])
        self._body = b""
        self._head: list[str] = []
        self._value: Any = None
        self._pending: Any = None
        self._closing = b""

    async def serve(self, scope: Scope, headers: RawHeaders, below: str, body: bytes) -> None:
        """Judge it, ask the app, and give what may be shown of its reply.

        Raises:
            Blocked: A rule stopped it.
            Fault: It cannot be read.
            Unreadable: The reply cannot be.
        """
        self._body, self._is_head = body, scope["method"] == "HEAD"
        self._head = [*query_of(scope), *([below] if below else [])]
        kind = kind_of(headers) if body else "unread"
        texts: list[Any] = []
        other: list[Any] = [strings_of(self._head)]
        if kind == "json":
            self._value = read_value(body)
            other.append(strings_of(self._value))
        elif kind == "text":
            texts.append(_decoded(body))
        elif body:
            kind = "unread"
            other.append([{"type": "file"}])
        self._kind = kind
        await self._deliver(await self._settings.call(texts=texts, other_text=other, about=self))

    async def answered(self, texts: list[Any], other_text: list[Any]) -> Any:
        """What the app says to what was judged, for the guard to judge."""
        if other_text[0]["data"] != self._head:
            raise UsageError("a rule rewrites the query or the path, and these cannot be changed")
        body = self._body
        if self._kind == "json":
            body = write_json(with_strings(self._value, other_text[1]))
        elif self._kind == "text":
            body = texts[0].encode()
        line, start = await self._exchange.ask(body)
        self._start, self._value, self._kind = start, None, "unread"
        nothing = strings_of(None)
        if self._is_head or start.status in _NO_BODY:
            return nothing
        first = await line.piece()
        while first == b"" and not line.has_ended:
            first = await line.piece()
        if not first:
            return nothing
        self._kind = kind_of(start.headers)
        if self._kind == "json":
            said = first + await line.whole()
            self._value = read_value(said, what="reply", most=MOST_REPLY_WORK)
            return strings_of(self._value)
        if self._kind == "text" and line.has_ended:
            return _decoded(first)
        pieces = self._exchange.pieces(line, first)
        if self._kind == "text":
            return _texts(pieces)
        if self._kind == "events":
            self._client.events = start.status, without(start.headers, OF_BYTES)
            return self._events(pieces)
        self._value = pieces
        return {"data": b""}  # bytes: a part that cannot be read

    async def _deliver(self, shown: Any) -> None:
        """What may be shown of the reply."""
        client, kind, status = self._client, self._kind, self._start.status
        headers = without(self._start.headers, OF_BYTES)
        if kind == "json":
            await client.whole(status, headers, write_json(with_strings(self._value, shown)))
        elif kind == "text" and isinstance(shown, str):
            await client.whole(status, headers, shown.encode())
        elif kind == "text":
            await client.stream(status, headers, _encoded(shown))
        elif kind == "events":
            await self._relay(shown)
        elif self._value is not None:
            # Nobody could read it, and the policy lets that pass.
            await client.stream(status, self._start.headers, self._value)
        else:
            is_bare = self._is_head or status in _NO_BODY
            await client.whole(status, headers, None if is_bare else b"")

    # --- events

    async def _events(self, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[Any]:
        events = Events()
        async with aclosing(pieces):
            async for piece in pieces:
                for chunk in events.feed(piece):
                    yield chunk
                    await self._flush()  # all that may be shown of it was given by now
        events.finish()
        self._closing = events.closing

    async def _relay(self, shown: Any) -> None:
        """Events as they are cleared; the texts of one, which come one by one, go out as one."""
        async with aclosing(shown):
            async for chunk in shown:
                pending = self._pending
                if pending is not None and pending["index"] is chunk["index"]:
                    for name in chunk["index"].said.places:
                        pending[name] += chunk[name]
                else:
                    await self._flush()
                    self._pending = dict(chunk)
        await self._flush()
        await self._give(self._closing, more=False)

    async def _flush(self) -> None:
        if self._pending is not None:
            chunk, self._pending = self._pending, None
            await self._give(event_of(chunk), more=True)

    async def _give(self, body: bytes, *, more: bool) -> None:
        assert self._client.events is not None
        await self._client.give(*self._client.events, body, more=more)


# --- plain text


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Fault(400, "invalid_utf8", "the body is not UTF-8") from None


async def _texts(pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[str]:
    """Text as it comes, however its bytes are cut."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    async with aclosing(pieces):
        try:
            async for piece in pieces:
                if text := decoder.decode(piece):
                    yield text
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise Unreadable from None


async def _encoded(texts: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(texts):
        async for text in texts:
            yield text.encode()
