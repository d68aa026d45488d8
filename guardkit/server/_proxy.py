"""One proxied exchange: read strictly, judged on its way in and out, answered in its dialect."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from guardkit.errors import Blocked, CheckError, GuardkitError, UsageError
from guardkit.types import Verdict

from ._exchange import Exchange, begin
from ._http import JSON, Fault, Headers, Reply, Request, Streamed, Within
from ._json import check_content, read_json, write_json
from ._policies import Live, Policies
from ._settings import Settings
from ._spans import Spans
from ._sse import event_bytes
from ._upstream import Unserved
from .dialects import Dialect, Event, Events, Refused, fault_body

SESSION: Final = "x-guardkit-session"
CONTEXT: Final = "x-guardkit-context"
_SESSION: Final = re.compile(r"[\x21-\x7e]{1,200}\Z")
BLOCKED: Final = "guardkit_blocked"
Tell = Callable[[Exchange], object]
"""Told at the end of an exchange."""


class Proxy:
    """The handler of one dialect.

    Args:
        dialect: The dialect.
        policies: The policies in force.
        settings: What the operator chose.
        tell: Told of every exchange at its end.
        spans: Makes the span of each.
    """

    def __init__(
        self, dialect: Dialect, policies: Policies, settings: Settings, tell: Tell, spans: Spans
    ) -> None:
        self._dialect = dialect
        self._policies = policies
        self._settings = settings
        self._tell = tell
        self._spans = spans

    async def __call__(self, request: Request) -> Reply | Streamed:
        """Serve one request."""
        check_content(request.headers)
        body = read_json(await request.read())
        asked = self._dialect.ask(body, strict=self._settings.strict)
        # INVARIANT: all of an exchange is judged by this one, whatever is loaded meanwhile.
        live = self._policies.of(request.tenant)
        about = self._begun(request, asked, live)
        about.span = self._spans.begin(
            self._dialect.name, request.method, request.headers.get("traceparent", "")
        )
        begin(about)
        stack = AsyncExitStack()
        stack.callback(self._tell, about)
        try:
            # Where sessions are shared with other servers, this one has it until the end.
            turn = self._policies.turn(live, about.session, request.tenant.name)
            about.turn = await stack.enter_async_context(turn)
            made = await self._served(about, live, stack)
            if isinstance(made, Streamed):
                return made._replace(source=Within(made.source, stack))
            about.status = made.status
        except Fault as fault:
            about.status = fault.status
            await stack.aclose()
            raise
        except BaseException:
            await stack.aclose()
            raise
        await stack.aclose()  # what was counted is kept before anything is said
        return made

    def _begun(self, request: Request, asked: Any, live: Live) -> Exchange:
        session = request.headers.get(SESSION)
        if session is not None and _SESSION.match(session) is None:
            raise Fault(400, "bad_session", f"`{SESSION}` has to be 1 to 200 visible characters")
        if session is None and live.guard.needs_session:
            message = f"this policy remembers a conversation: name it in the header `{SESSION}`"
            raise Fault(400, "session_required", message)
        about = Exchange(
            request, self._dialect, asked, live.guard.digest, session, self._facts(request)
        )
        if not self._dialect.injects and self._dialect.name == "completions":
            about.prompt = live.prompt(session, request.tenant.name)
        if asked.streams:
            about.events = self._dialect.events(asked, request.decision)
        return about

    def _facts(self, request: Request) -> Mapping[str, object]:
        given = request.headers.get(CONTEXT) if self._settings.trust_context else None
        facts = {} if given is None else read_json(given.encode("latin-1"), what="context")
        return {**facts, "tenant": request.tenant.name, "dialect": self._dialect.name}

    async def _served(self, about: Exchange, live: Live, stack: AsyncExitStack) -> Reply | Streamed:
        call = live.calls[self._dialect.name]
        try:
            result = await call(**about.asked.texts, other_text=about.asked.rest, about=about)
            if isinstance(result, Refused):
                return self._refused(about, result.message)
            if about.events is not None:
                stack.push_async_callback(result.aclose)
                return await self._streamed(about, result, about.events)
            return Reply(200, write_json(self._whole(about, result)), JSON, self._headers(about))
        except Blocked as blocked:
            raise self._fault(about, blocked.verdict) from None
        except Unserved as error:
            about.unserved = error.word
            raise await self._unserved(about, live, error) from None
        except UsageError:
            raise _unreadable(about) from None

    # --- blocks

    def _refused(self, about: Exchange, message: str) -> Reply | Streamed:
        """A block before the model was asked."""
        if self._dialect.name == "embeddings":
            raise Fault(400, BLOCKED, message, self._headers(about))
        if about.events is None:
            whole = self._dialect.refusal(message, about.asked, about.request.decision)
            return Reply(200, write_json(whole), JSON, self._headers(about))
        source = self._said(about, about.events.refusal(message))
        return Streamed(source, headers=self._headers(about))

    async def _said(self, about: Exchange, events: list[Event]) -> AsyncGenerator[bytes, None]:
        about.status = 200
        for event in events:
            yield self._bytes(event)
        if self._dialect.ends_with_done:
            yield event_bytes(b"[DONE]")

    def _whole(self, about: Exchange, judged: Event) -> Event:
        stopped = about.stopped
        # A revision that passed was told of, too, and its reply is the model's.
        if stopped is None or (stopped.action == "revise" and not _says(judged, stopped.text)):
            return self._dialect.whole(judged, about.head)
        # Made anew: a field nobody knows may hold the very text that was stopped.
        made = self._dialect.refusal(stopped.text, about.asked, about.request.decision)
        return {**made, **about.head}

    def _fault(self, about: Exchange, verdict: Verdict) -> Fault:
        message = verdict.message or verdict.text
        return Fault(400, BLOCKED, message, self._headers(about))

    async def _unserved(self, about: Exchange, live: Live, error: Unserved) -> Fault:
        """What upstream said in place of a reply, judged like one."""
        message, headers = _GENERIC, (*self._headers(about),)
        said = _message_of(error.body)
        if said:
            keys: dict[str, Any] = {"context": about.facts, "tenant": about.request.tenant.name}
            if about.session is not None:
                keys |= {"session": about.session, "again": True}
            verdict = await live.guard.acheck(said, on="output", **keys)
            if verdict.action in ("pass", "flag"):
                message = said
        return Fault(error.status, error.word, message, headers)

    # --- streams

    async def _streamed(
        self, about: Exchange, relayed: AsyncIterator[Event], events: Events
    ) -> Streamed:
        """A stream, once something of it may be shown: until then it can still be an error."""
        first = await anext(relayed, None)
        # What a client sees must have counted, should this server be killed.
        await about.turn.save()
        return Streamed(self._relay(about, relayed, events, first), headers=self._headers(about))

    async def _relay(
        self,
        about: Exchange,
        relayed: AsyncIterator[Event],
        events: Events,
        first: Event | None,
    ) -> AsyncGenerator[bytes, None]:
        about.has_streamed = True
        try:
            if first is not None:
                yield self._bytes(_given(about, events, first))
                async for event in relayed:
                    yield self._bytes(_given(about, events, event))
            await about.turn.save()
            about.status = 200
            for event in events.closing(is_blocked=about.is_blocked):
                yield self._bytes(event)
            if self._dialect.ends_with_done:
                yield event_bytes(b"[DONE]")
        except Blocked as blocked:
            about.status = 400
            yield self._error(about, self._fault(about, blocked.verdict))
        except Unserved as error:
            about.status, about.unserved = error.status, error.word
            yield self._error(about, Fault(error.status, error.word, _GENERIC))
        except CheckError:
            about.status = 503
            yield self._error(about, Fault(503, "not_available", _GENERIC))
        except GuardkitError:
            about.status = 502
            yield self._error(about, Fault(502, "unreadable_reply", _GENERIC))

    def _error(self, about: Exchange, fault: Fault) -> bytes:
        body = fault_body(self._dialect.family, fault, about.request.decision)
        if self._dialect.name == "responses":
            body = {**body["error"], "type": "error", "sequence_number": about.number}
        return event_bytes(write_json(body), "" if self._dialect.ends_with_done else "error")

    def _bytes(self, event: Event) -> bytes:
        kind, data = self._dialect.chunk(event)
        return event_bytes(write_json(data), kind)

    def _headers(self, about: Exchange) -> Headers:
        return (
            *about.headers,
            ("x-guardkit-action", about.action),
            ("x-guardkit-policy", about.policy),
        )


_GENERIC: Final = "the model gave no reply that could be judged"


def _given(about: Exchange, events: Events, event: Event) -> Event:
    stopped = about.stopped
    return events.give(event) if stopped is None else events.end(event, stopped.text)


def _says(judged: Event, message: str) -> bool:
    """Whether a whole reply says a message and nothing else."""
    said = judged.get("choices") or judged.get("output") or [judged]
    for each in said:
        inner = each.get("message", each)
        texts = inner.get("content", inner.get("text"))
        if type(texts) is list and len(texts) == 1 and type(texts[0]) is dict:
            texts = texts[0].get("text")
        if texts != message:
            return False
    return True


def _unreadable(about: Exchange) -> Fault:
    if about.is_sent:
        return Fault(502, "unreadable_reply", _GENERIC)
    message = "the request holds something that cannot be read, and so cannot be judged"
    return Fault(400, "unreadable_request", message)


def _message_of(body: Mapping[str, Any] | None) -> str:
    error = None if body is None else body.get("error", body)
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
