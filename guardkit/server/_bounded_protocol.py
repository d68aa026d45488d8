"""The HTTP/1.1 reader with the limits that it lacks: slow and large headers, idle connections.

And a whole reply in one piece: the head by itself would be a call of the system and a packet more.
"""

from __future__ import annotations

from typing import Any, Final

from ._wire import JOINING, LEAVING, Leaving

MOST_HEADERS: Final = 32 << 10
"""Bytes of all headers of a request."""
MOST_UNREAD: Final = 4 * MOST_HEADERS
"""Bytes that may come without being the whole of anything: of one header, address or trailer."""
SLOWEST_HEAD_S: Final = 10.0
"""How long a request may take to say its headers."""


class _Joining:
    """A transport that writes a head together with the body behind it, when told to."""

    __slots__ = ("_head", "_inner", "_joins")

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._head = b""
        self._joins = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def join(self) -> None:
        """What is written next waits for what is written after it."""
        self._joins = True

    def write(self, data: bytes) -> None:
        if self._joins:
            self._joins, self._head = False, data
            return
        if self._head:
            data, self._head = self._head + data, b""
        self._inner.write(data)

    def flush(self) -> None:
        """Write what still waits."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._inner.close()


def bounded_protocol(most: int) -> type:
    """A class that reads HTTP/1.1 within limits; all connections of one server are of one class.

    Args:
        most: Connections. Beyond it a newcomer takes the place of the one that is idle for longest.
    """
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    idle: dict[HttpToolsProtocol, None] = {}
    """Those that ask nothing at the moment, the oldest first."""

    class Bounded(HttpToolsProtocol):
        _timer: Any = None
        _size = 0
        _unread = 0
        _is_head = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(_Joining(transport))  # type: ignore[arg-type]  # it acts as one
            if len(self.connections) > most and idle:
                # Who only holds connections open keeps nobody out who asks something.
                oldest = next(iter(idle))
                del idle[oldest]
                oldest.transport.abort()
            self._begin()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            if self.cycle is not None and not self.cycle.response_complete:
                scope: Any = self.cycle.scope
                scope["extensions"][LEAVING].gone()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._timer is None and (self.cycle is None or self.cycle.response_complete):
                self._begin()
            self._unread += len(data)
            super().data_received(data)
            # The parser tells of a header when it is whole, and until then keeps what comes.
            if self._unread > MOST_UNREAD and not self.transport.is_closing():
                self.transport.abort()

        def on_message_begin(self) -> None:
            self._size = 0
            self._is_head = True
            super().on_message_begin()
            scope: Any = self.scope  # the type of it knows no extension but its own
            transport: Any = self.transport
            scope["extensions"] = {LEAVING: Leaving(), JOINING: transport.join}

        def on_body(self, body: bytes) -> None:
            self._unread = 0
            if not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            self._unread = 0
            if self.transport.is_closing():
                return
            super().on_message_complete()
            # The body is whole and nobody asks for more of it: only who reads sees a client leave.
            self.flow.resume_reading()

        def on_url(self, url: bytes) -> None:
            self._count(len(url))
            super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self._count(len(name) + len(value))
            if self._is_head:  # what stands behind the body is no header of the request
                super().on_header(name, value)

        def on_response_complete(self) -> None:
            transport: Any = self.transport
            transport.flush()  # the answer to HEAD has no body to go with
            super().on_response_complete()
            # Else another request was waiting behind it, or there is no connection any more.
            if self.cycle.response_complete and not self.transport.is_closing():
                idle[self] = None

        def on_headers_complete(self) -> None:
            self._stop()
            self._is_head = False
            self._unread = 0
            if self.cycle is not None and not self.cycle.response_complete:
                # A request behind one that is not answered: nobody would see its client leave.
                self.transport.abort()
                return
            super().on_headers_complete()

        def _count(self, size: int) -> None:
            self._size += size
            if self._size > MOST_HEADERS:
                raise ValueError("the headers are too large")

        def _begin(self) -> None:
            idle.pop(self, None)  # it goes to the end
            idle[self] = None
            self._timer = self.loop.call_later(SLOWEST_HEAD_S, self._too_slow)

        def _stop(self) -> None:
            idle.pop(self, None)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _too_slow(self) -> None:
            self._timer = None
            if not self.transport.is_closing():
                self.transport.close()

    return Bounded
