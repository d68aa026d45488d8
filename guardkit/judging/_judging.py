"""Judges for those who only ask what the policy says: no model is called, and every verdict noted.

Messages go through a wrapped call, as in the proxy, so they are read, judged and rewritten alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial
from typing import Any, Final, NamedTuple, cast

from guardkit.errors import Blocked
from guardkit.guard import Guard
from guardkit.types import Surface, Verdict
from guardkit.wrap import Guarding, Judgements, WrapOptions, wrap

from ._tally import Tally

_NOBODY: Final = "none"
"""What a wrapped call takes for the session of messages that have none."""


class Whose(NamedTuple):
    """What stands around everything that one request asks about."""

    tenant: str
    session: str | None
    facts: Mapping[str, object]
    sources: Mapping[str, Sequence[str]] = {}


class Noted(NamedTuple):
    """A verdict, and the place of the message that it is on."""

    place: int
    verdict: Verdict


class Asking:
    """A guard as one request asks it: what it says is noted.

    The conversation is always that of the request, whatever a wrapped call takes it for.

    Args:
        guard: The guard that judges.
        whose: What stands around the request.
        tally: Told of every verdict.
        known: The messages of sessions that were judged before.
        counted: Of a reply that was judged before, as far as it had come: the rules that the
            session counted for it. None for what is judged for the first time.
    """

    def __init__(
        self,
        guard: Guard,
        whose: Whose,
        tally: Tally,
        known: Judgements,
        counted: set[str] | None = None,
    ) -> None:
        self._guard = guard
        self.whose = whose
        self.known = known
        self._tally = tally
        self._counted = counted
        self._joined: tuple[int, str, Surface, Verdict] | None = None
        self.digest = guard.digest
        self.place = -1
        """The message that is judged now."""
        self.noted: list[Noted] = []

    async def acheck(
        self,
        text: str,
        *,
        on: Surface,
        tool: str | None = None,
        sources: Mapping[str, Sequence[str]] | None = None,
        same_turn: bool = False,
        again: bool = False,
        context: object = None,
        session: object = None,
        tenant: object = None,
    ) -> Verdict:
        """The verdict on a text."""
        whose = self.whose
        here, joined = (self.place, text, on), self._joined
        if whose.session is None and not again and joined is not None and joined[:3] == here:
            return joined[3]  # asked once more for the sake of a session, and there is none
        ask = partial(
            self._guard.acheck,
            text,
            on=on,
            context=whose.facts,
            session=whose.session,
            tenant=whose.tenant,
            tool=tool,
            sources={**whose.sources, **(sources or {})},
            same_turn=same_turn and whose.session is not None,
        )
        verdict = await ask(again=again or self._counted is not None)
        known = self._counted
        if known is not None and not again and not known.issuperset(verdict.fired):
            # A hold is not asked for twice: somebody would have to decide twice.
            verdict = verdict if verdict.action == "hold" else await ask(again=False)
        self._joined = (*here, verdict) if again else None
        return self._note(verdict)

    async def acheck_tool_call(
        self,
        name: str,
        arguments: Mapping[str, object] | str,
        *,
        sources: object = None,
        context: object = None,
        session: object = None,
        tenant: object = None,
    ) -> Verdict:
        """The verdict on a call."""
        whose = self.whose
        verdict = await self._guard.acheck_tool_call(
            name, arguments, context=whose.facts, session=whose.session, tenant=whose.tenant
        )
        return self._note(verdict)

    async def acheck_tool_result(
        self,
        name: str,
        text: str,
        *,
        context: object = None,
        session: object = None,
        tenant: object = None,
    ) -> Verdict:
        """The verdict on what a tool gave back."""
        return await self.acheck(text, on="tool_result", tool=name)

    async def aunread(
        self, on: Surface = "input", *, session: object = None, tenant: object = None
    ) -> Verdict:
        """The verdict on what cannot be read."""
        whose = self.whose
        return self._note(await self._guard.aunread(on, session=whose.session, tenant=whose.tenant))

    def principle(self, name: str) -> str:
        """The text of a principle."""
        return self._guard.principle(name)

    def restore(self, text: str, *, session: object = None, tenant: object = None) -> str:
        """The text with the pseudonyms of the session undone."""
        whose = self.whose
        if whose.session is None:
            return text
        return self._guard.restore(text, session=whose.session, tenant=whose.tenant)

    def stopped(self, verdict: Verdict) -> Verdict:
        """What was said cannot be carried out, or may not: the verdict that ends the request."""
        self._told(verdict)
        return verdict

    def _note(self, verdict: Verdict) -> Verdict:
        self.noted.append(Noted(self.place, verdict))
        self._told(verdict)
        return verdict

    def _told(self, verdict: Verdict) -> None:
        self._tally.saw(verdict)
        self._tally.keep(verdict.ledger)


class Gone(NamedTuple):
    """What became of a request's texts: the verdict that stopped them, or all of them as they may
    go on, in the places they came in."""

    stopped: Verdict | None
    texts: tuple[Any, ...] = ()


async def judge_request(
    asking: Asking,
    messages: list[Any],
    texts: Sequence[Any] = (),
    rest: Sequence[Any] = (),
    tools: list[Any] | None = None,
) -> Gone:
    """Judge what a model is to read.

    Args:
        asking: Who is asked.
        messages: The messages.
        texts: Texts of nobody in particular.
        rest: All other values with text.
        tools: Definitions of tools.

    Raises:
        UsageError: Something in it cannot be read.
    """
    _asking.set(asking)
    gone: list[Gone] = []
    try:
        await _request_call()(messages, list(texts), list(rest), tools, gone)
    except Blocked as blocked:
        return Gone(asking.stopped(blocked.verdict))
    return gone[0]


async def judge_reply(asking: Asking, reply: Any) -> Gone:
    """Judge what a model said; nothing of it is revised.

    Args:
        asking: Who is asked.
        reply: Messages, texts and calls in any shape that a wrapped call may give back.

    Raises:
        UsageError: Something in it cannot be read.
    """
    _asking.set(asking)
    try:
        return Gone(None, (await _reply_call()([], reply),))
    except Blocked as blocked:
        return Gone(asking.stopped(blocked.verdict))


# --- the wrapped calls, made once for all requests

_asking: ContextVar[Asking] = ContextVar("asking")
"""Each request has a task of its own, and so a context of its own."""


class _Asked:
    """The guard of the request that the task is about."""

    listens: Final = False
    """Nobody is told of an exchange, for there is none. The guard itself tells of its verdicts."""
    system_prompt: Final = ""

    @property
    def digest(self) -> str:
        return _asking.get().digest

    # Any: what a wrapped call hands to a guard is what `Asking` takes.
    def acheck(self, text: str, **keys: Any) -> Awaitable[Verdict]:
        return _asking.get().acheck(text, **keys)

    def acheck_tool_call(self, name: str, arguments: Any, **keys: Any) -> Awaitable[Verdict]:
        return _asking.get().acheck_tool_call(name, arguments, **keys)

    def acheck_tool_result(self, name: str, text: str, **keys: Any) -> Awaitable[Verdict]:
        return _asking.get().acheck_tool_result(name, text, **keys)

    def aunread(self, on: Surface, **keys: Any) -> Awaitable[Verdict]:
        return _asking.get().aunread(on, **keys)

    def principle(self, name: str) -> str:
        return _asking.get().principle(name)

    def restore(self, text: str, **keys: Any) -> str:
        return _asking.get().restore(text, **keys)


async def _forward(
    messages: Any, texts: Any, other_text: Any, tools: Any, gone: list[Gone]
) -> list[Any]:
    gone.append(Gone(None, (messages, texts, other_text, tools)))
    return []


async def _said(texts: list[Any], reply: Any) -> Any:
    return reply


@cache
def _request_call() -> Callable[..., Awaitable[Any]]:
    return wrap(_guarding(), _forward, **_options("messages", "texts"))


@cache
def _reply_call() -> Callable[..., Awaitable[Any]]:
    return wrap(_guarding(), _said, **_options("texts"))


def _guarding() -> Guarding:
    return cast("Guarding", _Asked())  # a call that is awaited asks what can be awaited, no more


def _options(*texts: str) -> WrapOptions:
    return {
        "text": texts,
        # No second: nobody can be asked for another reply, and its stand-in is taken at once.
        "within": 0.0,
        "session": lambda call: _asking.get().whose.session or _NOBODY,
        "tenant": lambda call: _asking.get().whose.tenant,
        "context": lambda call: _asking.get().whose.facts,
        "known": cast("Judgements", _Places()),
    }


class _Places:
    """Judgements that say which message is being judged: each is looked up right before it is."""

    def known(self, key: tuple[str, str], digests: Iterable[bytes]) -> _Looked:
        asking = _asking.get()
        found = {} if asking.whose.session is None else asking.known.known(key, digests)
        return _Looked(found, asking)

    def note(self, key: tuple[str, str], went: Mapping[bytes, str | None]) -> None:
        asking = _asking.get()
        if asking.whose.session is not None and went:
            asking.known.note(key, went)


class _Looked(dict[bytes, "str | None"]):
    def __init__(self, found: Mapping[bytes, str | None], asking: Asking) -> None:
        super().__init__(found)
        self._asking = asking

    def get(self, digest: bytes, default: Any = None) -> Any:
        self._asking.place += 1
        return super().get(digest, default)
