"""One proxied exchange: read strictly, judged on its way in and out, answered in its dialect."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from guardkit.errors import Blocked, CheckError, GuardkitError, UsageError
from guardkit.types import Verdict
from guardkit.wire import (
    JSON,
    Asked,
    Dialect,
    Event,
    Fault,
    Headers,
    Refused,
    Translator,
    check_content,
    read_json,
    since,
)

from ._exchange import Exchange, begin
from ._http import Reply, Request, Streamed, Within
from ._policies import Live, Policies
from ._settings import Settings
from ._spans import Spans
from ._upstream import Unserved

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

    def _begun(self, request: Request, asked: Asked, live: Live) -> Exchange:
        session = request.headers.get(SESSION)
        if session is not None and _SESSION.match(session) is None:
            raise Fault(400, "bad_session", f"`{SESSION}` has to be 1 to 200 visible characters")
        if session is None and live.guard.needs_session:
            message = f"this policy remembers a conversation: name it in the header `{SESSION}`"
            raise Fault(400, "session_required", message)
        about = Exchange(
            request,
            self._dialect,
            asked,
            live.guard.digest,
            session,
            self._facts(request, asked),
            Translator(self._dialect, asked, request.decision),
        )
        if self._dialect.context == "prompt":
            about.prompt = live.prompt(session, request.tenant.name)
        return about

    def _facts(self, request: Request, asked: Asked) -> Mapping[str, object]:
        given = request.headers.get(CONTEXT) if self._settings.trust_context else None
        facts = {} if given is None else read_json(given.encode("latin-1"), what="context")
        own = {"tenant": request.tenant.name, "dialect": self._dialect.name}
        return {**facts, **own, **since(asked.body)}

    async def _served(self, about: Exchange, live: Live, stack: AsyncExitStack) -> Reply | Streamed:
        call = live.calls[self._dialect.name]
        try:
            result = await call(**about.asked.texts, other_text=about.asked.rest, about=about)
            if isinstance(result, Refused):
                return self._refused(about, result.message)
            if about.translator.streams:
                stack.push_async_callback(result.aclose)
                return await self._streamed(about, result)
            whole = about.translator.whole(result, about.stopped)
            return Reply(200, whole, JSON, self._headers(about))
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
        if not self._dialect.can_refuse:
            raise Fault(400, BLOCKED, message, self._headers(about))
        translator = about.translator
        if translator.streams:
            return Streamed(
                _said(about, translator.refusals(message)), headers=self._headers(about)
            )
        return Reply(200, translator.refusal(message), JSON, self._headers(about))

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

    async def _streamed(self, about: Exchange, relayed: AsyncIterator[Event]) -> Streamed:
        """A stream, once something of it may be shown: until then it can still be an error."""
        first = await anext(relayed, None)
        # What a client sees must have counted, should this server be killed.
        await about.turn.save()
        return Streamed(self._relay(about, relayed, first), headers=self._headers(about))

    async def _relay(
        self, about: Exchange, relayed: AsyncIterator[Event], first: Event | None
    ) -> AsyncGenerator[bytes, None]:
        about.has_streamed = True
        translator = about.translator
        try:
            if first is not None:
                yield translator.event(first, about.stopped)
                async for event in relayed:
                    yield translator.event(event, about.stopped)
            await about.turn.save()
            about.status = 200
            for piece in translator.closing(is_blocked=about.is_blocked):
                yield piece
        except Blocked as blocked:
            about.status = 400
            yield translator.fault(self._fault(about, blocked.verdict))
        except Unserved as error:
            about.status, about.unserved = error.status, error.word
            yield translator.fault(Fault(error.status, error.word, _GENERIC))
        except CheckError:
            about.status = 503
            yield translator.fault(Fault(503, "not_available", _GENERIC))
        except GuardkitError:
            about.status = 502
            yield translator.fault(Fault(502, "unreadable_reply", _GENERIC))

    def _headers(self, about: Exchange) -> Headers:
        return (
            *about.headers,
            ("x-guardkit-action", about.action),
            ("x-guardkit-policy", about.policy),
        )


_GENERIC: Final = "the model gave no reply that could be judged"


async def _said(about: Exchange, pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    about.status = 200
    for piece in pieces:
        yield piece


def _unreadable(about: Exchange) -> Fault:
    if about.is_sent:
        return Fault(502, "unreadable_reply", _GENERIC)
    message = "the request holds something that cannot be read, and so cannot be judged"
    return Fault(400, "unreadable_request", message)


def _message_of(body: Mapping[str, Any] | None) -> str:
    error = None if body is None else body.get("error", body)
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
