"""Asks the model behind the proxy: one address, no redirects, every size and time bounded."""

from __future__ import annotations

import select
import ssl
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream, SocketAttribute

from guardkit.errors import BindError, ModelError
from guardkit.wire import Headers

if TYPE_CHECKING:
    from httptools import HttpResponseParser

MOST_BYTES: Final = 64 << 20
"""What one reply, or one stream, may come to."""
MOST_HEAD_BYTES: Final = 64 << 10
CONNECT_S: Final = 5.0
IDLE_S: Final = 30.0
"""How long a connection waits for its next request."""
MOST_IDLE: Final = 256
_AT_ONCE: Final = 65_536


class Unserved(ModelError):  # noqa: N818 - an answer to the client
    """The model gave no reply that can be judged.

    Args:
        shown: What the operator's ledger says: `HTTP 503`.
        status: The status for the client.
        code: A stable word for the client's program.
        body: What the model's server said, parsed and not judged yet.
        headers: Those of its headers that may go on.
    """

    def __init__(
        self,
        shown: str,
        status: int,
        code: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(shown, code)
        self.status = status
        self.word = code
        self.body = body
        self.headers = headers


class Upstream:
    """The server of the model, spoken to in HTTP/1.1 over connections that are kept.

    Nothing comes from the environment, no cookie is kept and no redirect followed.

    Args:
        url: Its address, with or without `/v1`.
        quiet_s: How long it may say nothing.

    Raises:
        BindError: That is no address.
    """

    def __init__(self, url: str, *, quiet_s: float = 120.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BindError("an upstream is an address such as `https://models.example/v1`")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise BindError("an upstream's address has neither a query nor a password")
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._is_tls else 80)
        self._base = parts.path.rstrip("/").removesuffix("/v1")
        self._quiet_s = quiet_s
        self._idle: deque[_Connection] = deque()
        self._tls: ssl.SSLContext | None = None
        if self._is_tls:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        self._named = parts.netloc

    def __repr__(self) -> str:
        return f"<Upstream {self._named}>"

    async def ask(self, path: str, headers: Headers, body: bytes) -> Answer:
        """Send a request; back as soon as the head of the reply is there.

        Raises:
            Unserved: The server cannot be reached, or is too slow.
        """
        lines = [
            f"POST {self._base}{path} HTTP/1.1",
            f"host: {self._named}",
            *(f"{name}: {value}" for name, value in (*_ALWAYS, *headers)),
            f"content-length: {len(body)}",
            "\r\n",
        ]
        request = "\r\n".join(lines).encode("latin-1") + body
        if (kept := await self._kept()) is not None:
            try:
                return await self._asked(kept, request)
            except _Closed:
                pass  # most likely given up while it waited; once more, and on a new one
        try:
            return await self._asked(await self._connected(), request)
        except _Closed:
            raise Unserved("closed", 502, "upstream_broken") from None

    async def _asked(self, connection: _Connection, request: bytes) -> Answer:
        answer = Answer(connection, self._quiet_s, self._keep)
        try:
            with anyio.fail_after(self._quiet_s):
                await connection.send(request)
                await answer.begin()
        except TimeoutError:
            await connection.drop()
            raise Unserved("timeout", 504, "upstream_timeout") from None
        except BaseException:
            await connection.drop()
            raise
        return answer

    async def _connected(self) -> _Connection:
        try:
            with anyio.fail_after(CONNECT_S):
                if self._tls is None:
                    return _Connection(await anyio.connect_tcp(self._host, self._port))
                return _Connection(
                    await anyio.connect_tcp(
                        self._host,
                        self._port,
                        tls=True,
                        ssl_context=self._tls,
                        tls_standard_compatible=False,
                    )
                )
        except TimeoutError:
            raise Unserved("timeout", 504, "upstream_timeout") from None
        except (OSError, ssl.SSLError) as error:
            raise Unserved(type(error).__name__, 502, "upstream_unreachable") from None

    async def _kept(self) -> _Connection | None:
        """The connection used last that is still good."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_good():
                return connection
            await connection.drop()
        return None

    async def _keep(self, connection: _Connection) -> None:
        connection.idle_since = monotonic()
        self._idle.append(connection)
        if len(self._idle) > MOST_IDLE:
            await self._idle.popleft().drop()

    async def aclose(self) -> None:
        """Close what is open."""
        while self._idle:
            await self._idle.pop().drop()


_ALWAYS: Final[Headers] = (
    ("content-type", "application/json"),
    ("accept-encoding", "identity"),
    ("user-agent", "guardkit"),
)


class _Closed(Exception):  # noqa: N818 - a word between a connection and who asks on it
    """The connection was closed before anything of a reply came."""


class _Connection:
    """One connection: bytes out, a parsed reply in."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.idle_since = 0.0

    def is_good(self) -> bool:
        """Whether it may be used again: nobody waited too long, and nothing came unasked."""
        if monotonic() - self.idle_since > IDLE_S:
            return False
        try:
            look = select.poll()
            look.register(self._stream.extra(SocketAttribute.raw_socket), select.POLLIN)  # noqa: S610
            return not look.poll(0)
        except (anyio.TypedAttributeLookupError, OSError, ValueError):
            return False

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise _Closed from None

    async def receive(self) -> bytes:
        """Some bytes; none at the end."""
        try:
            return await self._stream.receive(_AT_ONCE)
        except anyio.EndOfStream:
            return b""

    async def drop(self) -> None:
        """Close it at once, without a word and without waiting."""
        await anyio.aclose_forcefully(self._stream)


Keep = Callable[[_Connection], Awaitable[None]]


class Answer:
    """A reply: its head, and its body as it comes.

    Args:
        connection: Where it comes.
        quiet_s: How long it may pause.
        keep: Takes the connection back when the reply was read to its end.
    """

    def __init__(self, connection: _Connection, quiet_s: float, keep: Keep) -> None:
        import httptools

        self._connection: _Connection | None = connection
        self._quiet_s = quiet_s
        self._keep = keep
        self._parser: HttpResponseParser = httptools.HttpResponseParser(self)
        self._errors = (httptools.HttpParserError, httptools.HttpParserUpgrade)
        self._pieces: deque[bytes] = deque()
        self._head_size = self._unread = 0
        self._has_head = self._is_whole = self._is_kept = self._may_be_more = False
        self.status = 0
        self.headers: dict[str, str] = {}
        """Names in lower case."""

    @property
    def kind(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    # --- what the parser tells

    def on_message_begin(self) -> None:
        if self._has_head:
            raise ValueError  # a second reply to one request
        self.headers = {}
        self._head_size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        if self._head_size > MOST_HEAD_BYTES:
            raise ValueError
        if self._has_head:
            return  # behind the body: too late to say what the body is
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= 200  # what comes before is no reply yet

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._is_whole = self._has_head
        # Asked here: it is not known any more afterwards.
        self._is_kept = self._parser.should_keep_alive() and not self._may_be_more

    # --- reading

    async def begin(self) -> None:
        """Read the head.

        Raises:
            _Closed: The connection was closed before anything came.
            Unserved: It is none, or does not come.
        """
        has_come = False
        while not self._has_head:
            data = await self._some()
            if not data and not has_come:
                await self._drop()
                raise _Closed
            if not data:
                raise await self._broken("closed")
            has_come = True
            await self._fed(data)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body, decoded, as it comes.

        Raises:
            Unserved: It breaks off, takes too long or grows too large.
        """
        decode = _decoder(self.headers.get("content-encoding", "").strip().lower())
        size = 0
        while True:
            while self._pieces:
                try:
                    for piece in decode(self._pieces.popleft()):
                        size += len(piece)
                        if size > MOST_BYTES:
                            raise await self._broken("too large", "upstream_too_large")
                        yield piece
                except zlib.error:
                    raise await self._broken("unreadable encoding") from None
            if self._is_whole:
                await self._give_back()
                return
            data = await self._more()
            if data:
                await self._fed(data)
            elif {"content-length", "transfer-encoding"} & self.headers.keys():
                raise await self._broken("closed")
            else:
                self._is_whole = True  # its end is the end of the connection
                await self._drop()

    async def body(self) -> bytes:
        """All of it."""
        try:
            return b"".join([piece async for piece in self.pieces()])
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Nobody reads on: a connection with something left on it is closed at once."""
        if self._is_whole and not self._pieces:
            await self._give_back()
        else:
            await self._drop()

    async def _more(self) -> bytes:
        try:
            with anyio.fail_after(self._quiet_s):
                return await self._some()
        except TimeoutError:
            await self._drop()
            raise Unserved("timeout", 504, "upstream_timeout") from None
        except BaseException:
            await self._drop()
            raise

    async def _some(self) -> bytes:
        """Some bytes; none where no more will come."""
        assert self._connection is not None
        try:
            return await self._connection.receive()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return b""

    async def _fed(self, data: bytes) -> None:
        # What was read may be a part of what has come: the rest would be the next one's reply.
        self._may_be_more = len(data) == _AT_ONCE
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except self._errors:
            raise await self._broken("no HTTP") from None
        # The parser tells of a header when it is whole, and until then keeps what comes.
        if self._unread > MOST_HEAD_BYTES + _AT_ONCE:
            raise await self._broken("no end of a head")

    async def _broken(self, shown: str, code: str = "upstream_broken") -> Unserved:
        await self._drop()
        return Unserved(shown, 502, code)

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._is_kept:
            await self._keep(connection)
        else:
            await connection.drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.drop()


Decode = Callable[[bytes], Iterator[bytes]]


def _decoder(encoding: str) -> Decode:
    """From what comes to what was meant, in pieces that are never large.

    Raises:
        Unserved: Nobody asked for this encoding, and it is none that can be undone.
    """
    if encoding in ("", "identity"):
        return lambda raw: iter((raw,))
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unserved("unknown encoding", 502, "upstream_broken")
    inflate = zlib.decompressobj(wbits=15 if encoding == "deflate" else 47)

    def decode(raw: bytes) -> Iterator[bytes]:
        while raw:
            yield inflate.decompress(raw, _AT_ONCE)
            raw = inflate.unconsumed_tail

    return decode
