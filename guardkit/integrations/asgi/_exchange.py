"""One request and its reply: read, judged on the way in and out, answered."""

from __future__ import annotations

import codecs
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import anyio

from guardkit.errors import Blocked, GuardkitError, UsageError
from guardkit.types import Verdict
from guardkit.wire import (
    DIALECTS,
    EVENTS,
    Dialect,
    Fault,
    Unreadable,
    event_bytes,
    fault_body,
    write_json,
)

from .._http import SESSION, Answer, Asking
from ._bodies import (
    MOST_REPLY_WORK,
    Kind,
    RawHeaders,
    header,
    kind_of,
    media_of,
    read_value,
    strings_of,
    with_strings,
    without,
)
from ._events import Events, bytes_of, event_of
from ._line import App, Line, Receive, Scope, Send, Start, TooLarge, Unanswered, read_body
from ._settings import Settings, now, query_of

_BROKEN: Final = "the app gave no reply that could be judged"
_GOES: Final = ("pass", "flag")
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"trailer"})
_OF_BYTES = _FRAMING | {
    b"accept-ranges", b"content-digest", b"content-encoding", b"content-md5", b"digest", b"etag",
    b"repr-digest",
}  # fmt: skip
"""Headers that are true of other bytes."""
_NOT_ASKED = frozenset({
    b"accept-encoding", b"content-digest", b"content-encoding", b"content-length", b"content-md5",
    b"digest", b"expect", b"if-range", b"range", b"te", b"transfer-encoding", SESSION.encode(),
})  # fmt: skip
"""Headers of a request that are true of other bytes, or ask for what cannot be read: a part of a
body, a compressed one."""


class Exchange:
    """One request. Its repr shows nothing of it.

    The app runs in the task in which the server called it, so that what it keeps there is its own;
    the guard judges in a task beside it.
    """

    def __init__(
        self, app: App, settings: Settings, scope: Scope, below: str, receive: Receive, send: Send
    ) -> None:
        self._app, self._settings = app, settings
        self._scope, self._below = scope, below
        self._from_client, self._to_client = receive, send
        self._headers: RawHeaders = [(bytes(n), bytes(v)) for n, v in scope["headers"]]
        self._dialect = _dialect_of(scope)
        self._body = b""
        self._lines, self._calls = anyio.create_memory_object_stream[Line](1)
        self._line: Line | None = None
        self._gone = anyio.Event()
        self._listening = anyio.CancelScope()
        self._error: Exception | None = None
        self._kind: Kind = "unread"
        self._start: Start | None = None
        self._value: Any = None
        self._is_sent = self._is_complete = self._is_stopped = False
        self.session: str | None = None
        self.facts: Any = {}

    def __repr__(self) -> str:
        return "<Exchange>"

    async def run(self) -> None:
        """Serve it.

        Raises:
            Blocked: A rule stopped it before anything was sent, and blocks are to be raised.
        """
        try:
            body = await self._read()
        except Fault as fault:
            await self._refuse(fault)
            return
        if body is None:
            return  # the client left
        self._body = body
        failed: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._attend)
            tasks.start_soon(self._listen, tasks.cancel_scope)
            with self._calls:
                async for line in self._calls:
                    await line.run()
                    failed = line.failed
                    if failed is not None:
                        break
        if self._error is not None:
            raise self._error
        if failed is not None:
            raise failed

    async def _read(self) -> bytes | None:
        most = self._settings.most_body
        said = header(self._headers, b"content-length")
        try:
            if said.isdecimal() and int(said[:20]) > most:
                raise TooLarge
            return await read_body(self._from_client, most)
        except TooLarge:
            raise Fault(413, "body_too_large", f"the body has more than {most} bytes") from None

    async def _listen(self, everything: anyio.CancelScope) -> None:
        """Stop it all where the client leaves."""
        with self._listening:
            while (await self._from_client())["type"] != "http.disconnect":
                pass
            # A server says so too once it has sent the last byte.
            if not self._is_complete:
                everything.cancel()

    async def _attend(self) -> None:
        now.set(self)
        is_done = False
        try:
            self.session = self._settings.session_of(self._scope)
            self.facts = self._settings.facts_of(self._scope)
            if self._dialect is not None:
                await self._asked(self._dialect)
            else:
                await self._judged()
            is_done = True
        except Unanswered:
            pass  # nothing that was said could be shown; the app's own error says why
        except Blocked as blocked:
            await self._blocked(blocked)
        except (Fault, Unreadable, TooLarge, GuardkitError) as error:
            await self._refuse(self._fault_of(error))
        except Exception as error:  # noqa: BLE001 - raised where the server called
            self._error = error
        finally:
            self._gone.set()
            self._listening.cancel()
            self._lines.close()
            if self._line is not None:
                if is_done and not self._is_stopped:
                    self._line.leave()
                else:
                    self._line.cut()

    def saw(self, verdict: Verdict) -> None:
        """A verdict that is more than a pass."""
        self._is_stopped = not verdict.is_allowed and verdict.action != "revise"

    # --- the app

    async def _ask(self, body: bytes, media: bytes | None = None) -> Start:
        """Ask the app with a body that was judged."""
        headers = without(self._headers, _NOT_ASKED)
        if media is not None:
            headers = [*without(headers, (b"content-type",)), (b"content-type", media)]
        if body or header(self._headers, b"content-length"):
            headers.append((b"content-length", str(len(body)).encode()))
        known = self._scope.get("extensions") or {}
        # Only what says something of the connection: all else is a way past what is judged.
        extensions = {name: known[name] for name in ("tls",) if name in known}
        scope = {**self._scope, "headers": headers, "extensions": extensions}
        if self._line is not None:
            self._line.leave()
        self._line = Line(self._app, scope, body, self._gone)
        await self._lines.send(self._line)
        return await self._line.start()

    # --- in a dialect

    async def _asked(self, dialect: Dialect) -> None:
        await self._check_query()
        path: str = self._scope["path"]
        answer = await self._settings.http.ahandle(Asking("POST", path, {}, self._body), self._sent)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        headers.append((b"content-type", answer.kind.encode()))
        if isinstance(answer.body, bytes):
            await self._whole(answer.status, headers, answer.body)
        else:
            await self._stream(answer.status, headers, answer.body)

    async def _sent(self, body: bytes) -> Answer:
        start = await self._ask(body, b"application/json")
        line = self._line
        assert line is not None
        kind = media_of(start.headers)
        if kind_of(start.headers) == "unread":
            kind = ""
        headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in without(start.headers, _OF_BYTES | {b"content-type"})
        )
        is_stream = start.status == 200 and kind == EVENTS
        given: Any = line.pieces() if is_stream else await line.whole()
        return Answer(start.status, headers, kind, given)

    async def _check_query(self) -> None:
        """The query of a request in a dialect; its body has no place for it."""
        keys: dict[str, Any] = {"context": self.facts}
        if self.session is not None:
            keys |= {"session": self.session, "same_turn": True}
        for text in filter(None, query_of(self._scope)):
            verdict = await self._settings.guard.acheck(text, on="input", **keys)
            if verdict.action != "pass":
                self._settings.saw(verdict)
            if verdict.action not in _GOES:
                raise Blocked(verdict)

    # --- in none

    async def _judged(self) -> None:
        head = [*query_of(self._scope), *([self._below] if self._below else [])]
        kind = kind_of(self._headers)
        texts: list[Any] = []
        other: list[Any] = [[0, *head]]
        if not self._body:
            kind = "unread"
        elif kind == "json":
            self._value = read_value(self._body)
            other.append(strings_of(self._value))
        elif kind == "text":
            texts.append(_decoded(self._body))
        else:
            kind = "unread"
            other.append([{"type": "file"}])
        self._kind, self._head = kind, head
        shown = await self._settings.call(texts=texts, other_text=other, about=self)
        await self._deliver(shown)

    async def answered(self, texts: list[Any], other_text: list[Any]) -> Any:
        """What the app says to what was judged, for the guard to judge."""
        if other_text[0][1:] != self._head:
            raise UsageError("a rule rewrites the query or the path, and these cannot be changed")
        body = self._body
        if self._kind == "json":
            body = write_json(with_strings(self._value, other_text[1]))
        elif self._kind == "text":
            body = texts[0].encode()
        start = self._start = await self._ask(body)
        self._value = None
        line = self._line
        assert line is not None
        if self._scope["method"] == "HEAD" or start.status in (204, 304):
            self._kind = "unread"
            return []
        first = await line.piece()
        while first == b"" and not line.has_ended:
            first = await line.piece()
        if not first:
            self._kind = "unread"
            return []
        self._kind = kind_of(start.headers)
        pieces = line.pieces(first)
        if self._kind == "json":
            body = first + await line.whole()
            self._value = read_value(body, what="reply", most=MOST_REPLY_WORK)
            return strings_of(self._value)
        if self._kind == "text":
            return _decoded(first) if line.has_ended else _texts(pieces)
        if self._kind == "events":
            return self._events(pieces)
        self._value = pieces
        return [b""]

    async def _deliver(self, shown: Any) -> None:
        """What may be shown of the reply."""
        start = self._start
        assert start is not None
        headers = without(start.headers, _OF_BYTES)
        if self._kind == "json":
            made = write_json(with_strings(self._value, shown))
            await self._whole(start.status, headers, made)
        elif self._kind == "text" and isinstance(shown, str):
            await self._whole(start.status, headers, shown.encode())
        elif self._kind == "text":
            await self._stream(start.status, headers, _encoded(shown))
        elif self._kind == "events":
            await self._relay(start, headers, shown)
        elif self._value is not None:
            # Nobody could read it, and the policy lets that pass.
            await self._stream(start.status, start.headers, self._value)
        else:
            bare = self._scope["method"] == "HEAD" or start.status in (204, 304)
            await self._whole(start.status, headers, None if bare else b"")

    # --- events

    async def _events(self, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[Any]:
        events = Events()
        async with aclosing(pieces):
            async for piece in pieces:
                for chunk in events.feed(piece):
                    yield chunk
                    await self._flush()  # all that may be shown of it was given by now

    async def _relay(self, start: Start, headers: RawHeaders, shown: Any) -> None:
        """Events as they are cleared; the texts of one that come one by one go out as one."""
        self._pending: Any = None
        self._opening = start.status, headers
        async with aclosing(shown):
            async for chunk in shown:
                if self._pending is not None and not _is_other(self._pending, chunk):
                    self._pending |= {name: text for name, text in chunk.items() if text}
                else:
                    await self._flush()
                    self._pending = dict(chunk)
        await self._flush()
        await self._give(start.status, headers, b"", more=False)

    async def _flush(self) -> None:
        if self._pending is not None:
            chunk, self._pending = self._pending, None
            await self._give(*self._opening, event_of(chunk), more=True)

    # --- to the client

    async def _stream(self, status: int, headers: RawHeaders, pieces: Any) -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                if piece:
                    await self._give(status, headers, piece, more=True)
        await self._give(status, headers, b"", more=False)

    async def _whole(self, status: int, headers: RawHeaders, body: bytes | None) -> None:
        if body is not None:
            headers = [*without(headers, _FRAMING), (b"content-length", b"%d" % len(body))]
        await self._give(status, headers, body or b"", more=False)

    async def _give(self, status: int, headers: RawHeaders, body: bytes, *, more: bool) -> None:
        # INVARIANT: nothing is sent before something was cleared, so a block can still be an error.
        if not self._is_sent:
            self._is_sent = True
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await self._to_client(start)
        self._is_complete = not more
        if not more:
            self._gone.set()
        await self._to_client({"type": "http.response.body", "body": body, "more_body": more})

    # --- what stops it

    async def _blocked(self, blocked: Blocked) -> None:
        if self._settings.raises and not self._is_sent:
            self._error = blocked
            return
        verdict = blocked.verdict
        await self._refuse(Fault(400, "guardkit_blocked", verdict.message or verdict.text))

    async def _refuse(self, fault: Fault) -> None:
        """Say what stopped it, in whatever shape the client reads."""
        if self._is_complete:
            return
        dialect, is_events = self._dialect, self._kind == "events"
        if dialect is not None:
            said = write_json(fault_body(dialect.family, fault, secrets.token_hex(12)))
        else:
            said = write_json({"error": {"type": fault.code, "message": fault.message}})
        if self._is_sent and dialect is not None:
            kind = "error" if dialect.family == "anthropic" else ""
            await self._give(0, [], event_bytes(said, kind), more=False)
        elif is_events and self._start is not None and fault.code == "guardkit_blocked":
            headers = without(self._start.headers, _OF_BYTES)
            event = bytes_of("error", said.decode())
            await self._give(self._start.status, headers, event, more=False)
        elif is_events and self._is_sent:
            await self._give(0, [], bytes_of("error", said.decode()), more=False)
        elif not self._is_sent:
            headers = [(b"content-type", b"application/json")]
            await self._whole(fault.status, headers, said)
        elif fault.code == "guardkit_blocked":
            await self._give(0, [], fault.message.encode(), more=False)
        else:
            self._error = UsageError(
                fault.message
            )  # the server cuts it, so that nobody takes it for whole

    def _fault_of(self, error: Exception) -> Fault:
        if isinstance(error, Fault) and self._line is None:
            return error
        if isinstance(error, GuardkitError) and not isinstance(error, UsageError):
            return Fault(503, "not_available", "this could not be judged")
        if self._line is None:
            return Fault(400, "unreadable_request", str(error))
        return Fault(502, "unreadable_reply", _BROKEN)


def _dialect_of(scope: Scope) -> Dialect | None:
    if scope["method"] != "POST":
        return None
    return next((each for each in DIALECTS if scope["path"].endswith(each.path[3:])), None)


def _is_other(pending: Any, chunk: Any) -> bool:
    """Whether two chunks are not parts of one event, or say two things in one place."""
    if pending["index"] is not chunk["index"]:
        return True
    return any(text and pending.get(name) for name, text in chunk.items() if name != "index")


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
