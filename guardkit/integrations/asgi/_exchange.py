"""One request and its reply: read, judged on the way in and out, answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import anyio

from guardkit.errors import Blocked, GuardkitError, UsageError
from guardkit.types import Verdict
from guardkit.wire import DIALECTS, EVENTS, Dialect, Fault, Unreadable

from .._http import SESSION, Answer, Asking
from ._bodies import OF_BYTES, RawHeaders, header, kind_of, media_of, without
from ._client import BLOCKED, Client
from ._line import App, Line, Receive, Scope, Send, Start, TooLarge, Unanswered, read_body
from ._plain import Plain
from ._settings import Settings, now, query_of

_GOES: Final = ("pass", "flag")
_NOT_ASKED = frozenset({
    b"accept-encoding", b"content-digest", b"content-encoding", b"content-length", b"content-md5",
    b"digest", b"expect", b"if-range", b"range", b"te", b"transfer-encoding", SESSION.encode(),
})  # fmt: skip
"""Headers of a request that are true of other bytes, or ask for what cannot be read: a part of a
body, a compressed one."""
_OFFERED: Final = ("tls",)
"""Extensions that only say something of the connection: all else is a way past what is judged."""


class Exchange:
    """One request. Its repr shows nothing of it.

    The app runs in the task in which the server called it, so that what it keeps there is its own;
    the guard judges in a task beside it.
    """

    def __init__(
        self, app: App, settings: Settings, scope: Scope, below: str, receive: Receive, send: Send
    ) -> None:
        self._app, self._settings = app, settings
        self._scope, self._below, self._receive = scope, below, receive
        self._headers: RawHeaders = [(bytes(n), bytes(v)) for n, v in scope["headers"]]
        self._dialect = _dialect_of(scope)
        self._gone = anyio.Event()
        self._client = Client(send, self._dialect, self._gone)
        self._listening = anyio.CancelScope()
        self._body = b""
        self._line: Line | None = None
        self._error: Exception | None = None
        self._is_stopped = False
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
            await self._client.refuse(fault)
            return
        if body is None:
            return  # the client left
        self._body = body
        failed: Exception | None = None
        self._lines, lines = anyio.create_memory_object_stream[Line](1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._attend)
            tasks.start_soon(self._listen, tasks.cancel_scope)
            with lines:
                async for line in lines:
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
            if said.isdecimal() and (len(said) > 15 or int(said) > most):
                raise TooLarge
            return await read_body(self._receive, most)
        except TooLarge:
            raise Fault(413, "body_too_large", f"the body has more than {most} bytes") from None

    async def _listen(self, everything: anyio.CancelScope) -> None:
        """Stop it all where the client leaves."""
        with self._listening:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            # A server says so too once it has sent the last byte.
            if not self._client.is_complete:
                everything.cancel()

    async def _attend(self) -> None:
        now.set(self)
        is_done = False
        try:
            is_done = await self._served()
        except Unanswered:
            pass  # nothing that was said could be shown; the app's own error says why
        except Exception as error:  # noqa: BLE001 - raised where the server called
            self._error = error
        finally:
            self._gone.set()
            self._listening.cancel()
            self._lines.close()
            if (line := self._line) is not None:
                # What an app does behind its reply is its own, whatever became of the reply.
                if line.has_ended or (is_done and not self._is_stopped):
                    line.leave()
                else:
                    line.cut()

    async def _served(self) -> bool:
        """Serve it; whether the app may go on with what it does."""
        try:
            self.session = self._settings.session_of(self._scope)
            self.facts = self._settings.facts_of(self._scope)
            if self._dialect is not None:
                await self._spoken()
            else:
                plain = Plain(self, self._settings, self._client)
                await plain.serve(self._scope, self._headers, self._below, self._body)
        except Blocked as blocked:
            if self._settings.raises and not self._client.is_sent:
                raise
            message = blocked.verdict.message or blocked.verdict.text
            await self._client.refuse(Fault(400, BLOCKED, message))
            return False
        except (Fault, Unreadable, TooLarge, GuardkitError) as error:
            await self._client.refuse(self._fault_of(error))
            return False
        return True

    def saw(self, verdict: Verdict) -> None:
        """A verdict that is more than a pass."""
        waits = verdict.action == "revise" or (verdict.action == "hold" and self._settings.waits)
        self._is_stopped = not verdict.is_allowed and not waits

    def _fault_of(self, error: Exception) -> Fault:
        if isinstance(error, GuardkitError) and not isinstance(error, UsageError):
            return Fault(503, "not_available", "this could not be judged")
        if self._line is not None:
            message = "the app gave no reply that could be judged"
            return Fault(502, "unreadable_reply", message)
        if isinstance(error, Fault):
            return error
        return Fault(400, "unreadable_request", str(error))

    # --- the app

    async def ask(self, body: bytes, media: bytes | None = None) -> tuple[Line, Start]:
        """Ask the app with a body that was judged.

        Args:
            body: The body.
            media: What it is, where that is not what the client said.

        Raises:
            Unanswered: It did not begin to answer.
        """
        headers = without(self._headers, _NOT_ASKED)
        if media is not None:
            headers = [*without(headers, (b"content-type",)), (b"content-type", media)]
        if body or header(self._headers, b"content-length"):
            headers.append((b"content-length", b"%d" % len(body)))
        known = self._scope.get("extensions") or {}
        extensions = {name: known[name] for name in _OFFERED if name in known}
        scope = {**self._scope, "headers": headers, "extensions": extensions}
        if self._line is not None:
            self._line.leave()
        line = self._line = Line(self._app, scope, body, self._gone)
        try:
            await self._lines.send(line)
        except anyio.BrokenResourceError:
            raise Unanswered from None  # it failed when it was asked before
        return line, await line.start()

    async def pieces(self, line: Line, first: bytes = b"") -> AsyncGenerator[bytes, None]:
        """What is left of the body of a reply, behind what was read of it."""
        try:
            if first:
                yield first
            while (piece := await line.piece()) is not None:
                yield piece
        finally:
            # Before anything else is said: what is blocked must not go on costing.
            if self._is_stopped and not line.has_ended:
                line.cut()

    # --- in a dialect

    async def _spoken(self) -> None:
        await self._check_query()
        asking = Asking("POST", self._scope["path"], {}, self._body)
        answer = await self._settings.http.ahandle(asking, self._sent)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        headers.append((b"content-type", answer.kind.encode()))
        if isinstance(answer.body, bytes):
            await self._client.whole(answer.status, headers, answer.body)
        else:
            await self._client.stream(answer.status, headers, answer.body)

    async def _sent(self, body: bytes) -> Answer:
        line, start = await self.ask(body, b"application/json")
        kind = "" if kind_of(start.headers) == "unread" else media_of(start.headers)
        headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in without(start.headers, OF_BYTES | {b"content-type"})
        )
        is_stream = start.status == 200 and kind == EVENTS
        given: Any = self.pieces(line) if is_stream else await line.whole()
        return Answer(start.status, headers, kind, given)

    async def _check_query(self) -> None:
        """The query of a request in a dialect, which has no place for it."""
        keys: dict[str, Any] = {"context": self.facts}
        if self.session is not None:
            keys |= {"session": self.session, "same_turn": True}
        for text in filter(None, query_of(self._scope)):
            verdict = await self._settings.guard.acheck(text, on="input", **keys)
            if verdict.action != "pass":
                self._settings.saw(verdict)
            if verdict.action not in _GOES:
                raise Blocked(verdict)


def _dialect_of(scope: Scope) -> Dialect | None:
    if scope["method"] != "POST":
        return None
    return next((each for each in DIALECTS if scope["path"].endswith(each.path[3:])), None)
