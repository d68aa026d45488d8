"""A guard inside a client of a model: one HTTP request of it at a time, whole or streamed.

Who carries the bytes differs from client to client; what is judged, and what the client reads
instead of a block, is the same here as in `guardkit serve`.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, NamedTuple, TypedDict

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict
from guardkit.wire import (
    DIALECTS,
    EVENTS,
    JSON,
    Asked,
    Dialect,
    Fault,
    Headers,
    Refused,
    Translator,
    Unreadable,
    awaited,
    fault_body,
    read_json,
    since,
    write_json,
)
from guardkit.wrap import Judgements

from ._target import guard_of
from ._third_party import third_party

SESSION: Final = "x-guardkit-session"
"""The header of a request that names its session. It is not sent on."""
Context = Mapping[str, object]
_LISTED: Final = ("/models", "/v1/models")
_SHOWN: Final = ("pass", "flag")
_BROKEN: Final = "the model gave no reply that could be judged"


class Asking(NamedTuple):
    """A request of the client."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Answer(NamedTuple):
    """What the model's server answered, or what the client is given."""

    status: int
    headers: Headers
    kind: str
    """The media type, without parameters."""
    body: Any
    """Bytes; or a (possibly async) iterator of them."""


class Chosen(TypedDict, total=False):
    """What whoever sets an adapter up may choose."""

    on_block: Literal["raise", "reply"]
    """Raise `Blocked` (default), or answer in the dialect of the request, as `guardkit serve`."""
    on_hold: Literal["block", "wait"]
    """Treat what is held for approval as blocked (default), or wait for the approval."""
    session: str | Callable[[Mapping[str, Any]], str | None] | None
    """The session, or a function of the request's body; the header `x-guardkit-session` wins."""
    context: Context | Callable[[Mapping[str, Any]], Context] | None
    """What rules may ask about, or a function of the request's body."""
    watch: Callable[[Verdict], object] | None
    """Told of every verdict that is more than a pass."""
    ledger: Callable[[Ledger], object] | None
    """Told at the end of every exchange what it came to."""
    unjudged: Collection[str]
    """Paths that may pass without being judged: `/v1/files`, and all below it."""


class HttpGuard:
    """A guard around the requests of a client.

    Args:
        policy: A path, the name of a policy that ships, or a guard.
        choices: What was chosen.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or `orjson` is missing.
    """

    def __init__(self, policy: str | Guard | None, choices: Chosen) -> None:
        third_party("orjson", "httpx2")  # now, not in the first call
        self.guard = guard_of(policy)
        self._choices = choices
        known = Judgements()
        self._calls = {
            dialect.name: self._around(dialect, dialect.call(_ask), known) for dialect in DIALECTS
        }
        self._acalls = {
            dialect.name: self._around(dialect, awaited(dialect.call(_aask)), known)
            for dialect in DIALECTS
        }

    def passes(self, asking: Asking) -> bool:
        """Whether a request is none that asks a model, and may go by.

        Raises:
            UsageError: Nobody here can judge it, and nobody said that it may pass.
        """
        if self._dialect(asking) is not None:
            return False
        under = any(
            asking.path == path or asking.path.startswith(path.rstrip("/") + "/")
            for path in self._choices.get("unjudged", ())
        )
        lists = asking.method == "GET" and asking.path.endswith(_LISTED)
        if under or lists:
            return True
        raise UsageError(
            f"`{asking.method} {asking.path}` cannot be judged, so it is not sent: "
            "name the path in `unjudged` to let it pass"
        )

    def handle(self, asking: Asking, send: Callable[[bytes], Answer]) -> Answer:
        """One request that asks a model.

        Args:
            asking: The request.
            send: Sends a body in place of the request's own; its answer's body is bytes, or an
                iterator of them where the media type is that of a stream.

        Raises:
            Blocked: A rule stopped it, and blocks are to be raised.
            UsageError: The request is malformed, or holds what cannot be judged.
        """
        about = self._begun(asking, send)
        try:
            with about.current():
                result = self._calls[about.dialect.name](**about.texts)
            if about.streams(result):
                return about.streamed(_relayed(about, result))
            return about.whole(result)
        except (_Unserved, Unreadable) as error:
            said = _message_of(error)
            if said:
                verdict = self.guard.check(said, on="output", **about.keys())
                said = said if verdict.action in _SHOWN else ""
            return _failed(about, error, said or _BROKEN)

    async def ahandle(self, asking: Asking, send: Callable[[bytes], Awaitable[Answer]]) -> Answer:
        """`handle`, for a `send` that has to be awaited."""
        about = self._begun(asking, send)
        try:
            with about.current():
                result = await self._acalls[about.dialect.name](**about.texts)
            if about.streams(result):
                return about.streamed(_arelayed(about, result))
            return about.whole(result)
        except (_Unserved, Unreadable) as error:
            said = _message_of(error)
            if said:
                verdict = await self.guard.acheck(said, on="output", **about.keys())
                said = said if verdict.action in _SHOWN else ""
            return _failed(about, error, said or _BROKEN)

    # --- one exchange

    def _dialect(self, asking: Asking) -> Dialect | None:
        if asking.method != "POST":
            return None
        # Below another base, too: a gateway's prefix, a deployment's name.
        return next((each for each in DIALECTS if asking.path.endswith(each.path[3:])), None)

    def _begun(self, asking: Asking, send: Callable[[bytes], Any]) -> _About:
        dialect = self._dialect(asking)
        assert dialect is not None
        try:
            asked = dialect.ask(read_json(asking.body), strict=False)
        except Fault as fault:
            raise UsageError(f"the request cannot be judged: {fault.message}") from None
        session = asking.headers.get(SESSION) or _given(self._choices.get("session"), asked)
        if session is None and self.guard.needs_session:
            raise UsageError(
                "this policy remembers a conversation: say which with `session=`, or with the "
                f"header `{SESSION}`"
            )
        context = {**(_given(self._choices.get("context"), asked) or {}), **since(asked.body)}
        about = _About(dialect, asked, session, context, send)
        if dialect.context == "prompt":
            about.prompt = self._prompt(session)
        return about

    def _prompt(self, session: str | None) -> str:
        if session is None or not self.guard.system_prompt:
            return self.guard.system_prompt
        return self.guard.system_prompt_for(session)

    def _around(
        self, dialect: Dialect, call: Callable[..., Any], known: Judgements
    ) -> Callable[..., Any]:
        choices = self._choices
        return self.guard(
            call,
            text=dialect.text,
            on_block=choices.get("on_block", "raise") if dialect.can_refuse else "raise",
            on_hold=choices.get("on_hold", "block"),
            session=lambda call: call["about"].session,
            context=lambda call: call["about"].context,
            refusal=Refused,
            inject=dialect.context == "messages",
            watch=self._saw,
            ledger=choices.get("ledger"),
            known=known,
        )

    def _saw(self, verdict: Verdict) -> None:
        _current.get().saw(verdict)
        told = self._choices.get("watch")
        if told is not None:
            told(verdict)


def _ask(about: _About, texts: dict[str, Any], rest: list[Any]) -> Any:
    answer = about.send(about.translator.request(texts, rest))
    about.took(answer)
    if about.translator.streams:
        return _events(about.translator, answer.body)
    return about.translator.reply(answer.body)


async def _aask(about: _About, texts: dict[str, Any], rest: list[Any]) -> Any:
    answer = await about.send(about.translator.request(texts, rest))
    about.took(answer)
    if about.translator.streams:
        return _aevents(about.translator, answer.body)
    return about.translator.reply(answer.body)


def _failed(about: _About, error: Exception, message: str) -> Answer:
    """What the client is told where the model's server gave no reply."""
    status = error.answer.status if isinstance(error, _Unserved) else 502
    fault = Fault(status, "upstream_error", message)
    body = write_json(fault_body(about.dialect.family, fault, about.decision))
    return Answer(status, about.headers, JSON, body)


class _About:
    """One exchange while it runs. Its repr shows none of it."""

    __slots__ = (
        "context", "decision", "dialect", "headers", "prompt", "send", "session", "stopped",
        "texts", "translator",
    )  # fmt: skip

    def __init__(
        self,
        dialect: Dialect,
        asked: Asked,
        session: str | None,
        context: Mapping[str, object],
        send: Callable[[bytes], Any],
    ) -> None:
        self.decision = secrets.token_hex(12)
        self.dialect = dialect
        self.session = session
        self.context = {**context, "dialect": dialect.name}
        self.send = send
        self.prompt = ""
        self.translator = Translator(dialect, asked, self.decision)
        self.texts: dict[str, Any] = {**asked.texts, "other_text": asked.rest, "about": self}
        self.headers: Headers = ()
        self.stopped: Verdict | None = None

    def keys(self) -> dict[str, Any]:
        """How a text besides is judged in the same session."""
        keys: dict[str, Any] = {"context": self.context}
        return keys if self.session is None else {**keys, "session": self.session, "again": True}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Whatever the guard says meanwhile is about this exchange."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def saw(self, verdict: Verdict) -> None:
        """A verdict that is more than a pass."""
        if not verdict.is_allowed:
            self.stopped = verdict

    def took(self, answer: Answer) -> None:
        """The model's server has answered.

        Raises:
            _Unserved: With something else than a reply.
        """
        self.headers = answer.headers
        if answer.status != 200:
            raise _Unserved(answer)
        if answer.kind != (EVENTS if self.translator.streams else JSON):
            raise Unreadable

    def streams(self, result: Any) -> bool:
        """Whether what came of it is a stream, and no refusal of one."""
        return self.translator.streams and not isinstance(result, Refused)

    def whole(self, result: Any) -> Answer:
        """The answer for the client, where it is no stream or ended before one began."""
        if not isinstance(result, Refused):
            body = self.translator.whole(result, self.stopped)
            return Answer(200, self.headers, JSON, body)
        if not self.translator.streams:
            return Answer(200, self.headers, JSON, self.translator.refusal(result.message))
        body = b"".join(self.translator.refusals(result.message))
        return Answer(200, self.headers, EVENTS, body)

    def streamed(self, body: Any) -> Answer:
        """The answer for the client, in pieces."""
        return Answer(200, self.headers, EVENTS, body)


_current: ContextVar[_About] = ContextVar("about")
"""Set while the guard is at work for an exchange: two streams may be read in turn by one task."""


class _Unserved(Exception):  # noqa: N818 - what the model's server said, not an error of ours
    """The model's server answered with something else than a reply."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def _given(chosen: Any, asked: Asked) -> Any:
    return chosen(asked.body) if callable(chosen) else chosen


def _message_of(error: Exception) -> str:
    """What the model's server said of itself; a rule that would rewrite it is not asked to."""
    body = error.answer.body if isinstance(error, _Unserved) else None
    try:
        said = read_json(body, what="reply") if isinstance(body, bytes) else {}
    except Fault:
        return ""
    inner = said.get("error", said)
    message = inner.get("message") if isinstance(inner, dict) else inner
    return message if isinstance(message, str) else ""


# --- streams


def _events(translator: Translator, pieces: Iterator[bytes]) -> Iterator[Any]:
    try:
        for piece in pieces:
            yield from translator.feed(piece)
            if translator.has_ended:
                return
        translator.finish()
    finally:
        pieces.close()  # type: ignore[attr-defined]  # a generator of ours


async def _aevents(translator: Translator, pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    try:
        async for piece in pieces:
            for event in translator.feed(piece):
                yield event
            if translator.has_ended:
                return
        translator.finish()
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]  # a generator of ours


def _relayed(about: _About, relayed: Iterator[Any]) -> Iterator[bytes]:
    translator = about.translator
    try:
        while True:
            with about.current():
                event = next(relayed, None)
            if event is None:
                break
            yield translator.event(event, about.stopped)
        yield from translator.closing(is_blocked=about.stopped is not None)
    except Unreadable:
        yield translator.fault(Fault(502, "upstream_error", _BROKEN))
    finally:
        relayed.close()  # type: ignore[attr-defined]  # a generator of ours


async def _arelayed(about: _About, relayed: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    translator = about.translator
    try:
        while True:
            with about.current():
                event = await anext(relayed, None)
            if event is None:
                break
            yield translator.event(event, about.stopped)
        for piece in translator.closing(is_blocked=about.stopped is not None):
            yield piece
    except Unreadable:
        yield translator.fault(Fault(502, "upstream_error", _BROKEN))
    finally:
        await relayed.aclose()  # type: ignore[attr-defined]  # a generator of ours
