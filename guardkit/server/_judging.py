"""Judges for those who only ask what the policy says: no model is called, and every verdict noted.

Messages go through a wrapped call, as in the proxy, so they are read, judged and rewritten alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple, cast

from guardkit.errors import Blocked
from guardkit.guard import Guard
from guardkit.runtime import Restorer
from guardkit.types import STRENGTH, Surface, Verdict
from guardkit.wrap import Guarding, Judgements, wrap

from ._counters import NOT_JUDGED
from ._http import Request
from ._policies import Live, Policies

MOST_RECORDS: Final = 50
"""Lines of the ledger that the console shows of one request."""
_NOBODY: Final = "none"
"""What a wrapped call takes for the session of messages that have none."""


@dataclass(slots=True, repr=False)
class Tally:
    """What one request came to, for those who count: names and figures, none of its text."""

    policy: str = ""
    action: str = NOT_JUDGED
    """The strongest action so far."""
    rules: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    surface: str = ""
    """Where the strongest action was taken."""
    records: list[dict[str, Any]] = field(default_factory=list)

    def saw(self, verdict: Verdict) -> None:
        """Another text was judged."""
        self.rules.update(dict.fromkeys(verdict.fired))
        self.unknown.update(dict.fromkeys(verdict.unknown))
        if self.action == NOT_JUDGED or STRENGTH[verdict.action] > STRENGTH[self.action]:
            self.action, self.surface = verdict.action, verdict.surface
        if len(self.records) < MOST_RECORDS:
            self.records += [record._asdict() for record in verdict.ledger]
            del self.records[MOST_RECORDS:]

    def ended(self, *, is_stopped: bool = False) -> None:
        """Everything was judged; `is_stopped` where something of it could not be, or not done."""
        if is_stopped and STRENGTH.get(self.action, 0) < STRENGTH["revise"]:
            self.action = "block"
        elif self.action == NOT_JUDGED:
            self.action = "pass"


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
    """A guard as a wrapped call asks it, for one request: what it says is noted.

    The conversation is always that of the request, whatever the wrapped call takes it for.

    Args:
        guard: The guard that judges.
        whose: What stands around the request.
        tally: Told of every verdict.
        counted: Of a reply that was judged before, as far as it had come: the rules that the
            session counted for it. None for what is judged for the first time.
    """

    listens: Final = False
    """Nobody is told of an exchange, for there is none. The guard itself tells of its verdicts."""
    needs_session: Final = False
    system_prompt: Final = ""

    def __init__(
        self, guard: Guard, whose: Whose, tally: Tally, counted: set[str] | None = None
    ) -> None:
        self._guard = guard
        self._whose = whose
        self._tally = tally
        self._counted = counted
        self._joined: tuple[str, Surface, Verdict] | None = None
        self.digest = guard.digest
        self.place = -1
        """The message that is judged now."""
        self.noted: list[Noted] = []

    @property
    def whose(self) -> Whose:
        """What stands around the request."""
        return self._whose

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
        whose = self._whose
        joined = self._joined
        if whose.session is None and not again and joined is not None and joined[:2] == (text, on):
            return joined[2]  # asked once more for the sake of a session, and there is none
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
        self._joined = (text, on, verdict) if again else None
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
        whose = self._whose
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
        whose = self._whose
        return self._note(await self._guard.aunread(on, session=whose.session, tenant=whose.tenant))

    def principle(self, name: str) -> str:
        """The text of a principle."""
        return self._guard.principle(name)

    def restore(self, text: str, *, session: object = None, tenant: object = None) -> str:
        """The text with the pseudonyms of the session undone."""
        whose = self._whose
        if whose.session is None:
            return text
        return self._guard.restore(text, session=whose.session, tenant=whose.tenant)

    def restorer(self, session: str, *, tenant: str = "") -> Restorer:
        """Undoes pseudonyms in pieces."""
        return self._guard.restorer(self._whose.session or _NOBODY, tenant=self._whose.tenant)

    def stopped(self, verdict: Verdict) -> Verdict:
        """What was said cannot be carried out, or may not: the verdict that ends the request."""
        self._tally.saw(verdict)
        return verdict

    def _note(self, verdict: Verdict) -> Verdict:
        self.noted.append(Noted(self.place, verdict))
        self._tally.saw(verdict)
        return verdict


class _About(NamedTuple):
    request: Request
    session: str | None


def turn(
    policies: Policies, live: Live, request: Request, session: str | None
) -> AbstractAsyncContextManager[None]:
    """The session of a request is this server's until the turn is over."""
    return policies.turn(live, _About(request, session))  # type: ignore[arg-type]  # all it reads


class Gone(NamedTuple):
    """What became of a request's texts: the verdict that stopped them, or all of them as they may
    go on, in the places they came in."""

    stopped: Verdict | None
    texts: tuple[Any, ...] = ()


async def judge_request(
    asking: Asking,
    known: Judgements,
    messages: list[Any],
    texts: Sequence[Any] = (),
    rest: Sequence[Any] = (),
    tools: list[Any] | None = None,
) -> Gone:
    """Judge what a model is to read.

    Args:
        asking: Who is asked.
        known: The messages of sessions that were judged before.
        messages: The messages.
        texts: Texts of nobody in particular.
        rest: All other values with text.
        tools: Definitions of tools.

    Raises:
        UsageError: Something in it cannot be read.
    """

    async def call(messages: Any, texts: Any, rest: Any, tools: Any) -> list[Any]:
        gone.append(Gone(None, (messages, texts, rest, tools)))
        return []

    gone: list[Gone] = []
    whose = asking.whose
    guarded = wrap(
        cast("Guarding", asking),  # a call that is awaited asks what can be awaited, and no more
        call,
        text=("messages", "texts", "rest"),
        session=whose.session or _NOBODY,
        tenant=whose.tenant,
        context=whose.facts,
        known=cast("Judgements", _Places(asking, known)),
    )
    try:
        await guarded(messages, list(texts), list(rest), tools)
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

    async def call(texts: list[Any]) -> Any:
        return reply

    whose = asking.whose
    guarded = wrap(
        cast("Guarding", asking),
        call,
        text="texts",
        session=whose.session or _NOBODY,
        tenant=whose.tenant,
        context=whose.facts,
        within=0.0,  # nobody can be asked for another one: what stands in for it is taken at once
        known=cast("Judgements", _Places(asking, None)),
    )
    try:
        return Gone(None, (await guarded([]),))
    except Blocked as blocked:
        return Gone(asking.stopped(blocked.verdict))


class _Places:
    """Judgements that say which message is being judged: each is looked up right before it is."""

    def __init__(self, asking: Asking, known: Judgements | None) -> None:
        self._asking = asking
        self._known = known if asking.whose.session is not None else None

    def known(self, key: tuple[str, str], digests: Iterable[bytes]) -> _Looked:
        found = {} if self._known is None else self._known.known(key, digests)
        return _Looked(found, self._asking)

    def note(self, key: tuple[str, str], went: Mapping[bytes, str | None]) -> None:
        if self._known is not None and went:
            self._known.note(key, went)


class _Looked(dict[bytes, "str | None"]):
    def __init__(self, found: Mapping[bytes, str | None], asking: Asking) -> None:
        super().__init__(found)
        self._asking = asking

    def get(self, digest: bytes, default: Any = None) -> Any:
        self._asking.place += 1
        return super().get(digest, default)
