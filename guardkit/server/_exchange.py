"""What is known of one proxied exchange while it runs; never printed, since it holds the texts."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from guardkit.shared import Turn
from guardkit.types import Ledger, Verdict
from guardkit.wire import Asked, Dialect, Fault, Headers, Translator

from ._http import GONE, Request
from ._spans import NO_SPAN, Span
from ._tally import Tally


@dataclass(slots=True, repr=False)
class Exchange:
    """One request, from its first byte to the last of its reply."""

    request: Request
    dialect: Dialect
    asked: Asked
    policy: str
    """The digest of the policy that judges all of it."""
    session: str | None
    facts: Mapping[str, object]
    """For `context.…` in the policy."""
    translator: Translator
    """Reads and writes the bytes of it."""
    prompt: str = ""
    """The context layer, for a dialect whose wrapped call has no place for it."""
    turn: Turn = field(init=False)
    """The session, where it is shared with other servers."""
    begun: float = field(default_factory=perf_counter)
    upstream_status: int = 0
    """What upstream answered with; 0 for nothing."""
    unserved: str = ""
    """Why upstream gave no reply: a word of ours."""
    has_streamed: bool = False
    """Whether the first piece of a stream was given."""
    span: Span = NO_SPAN
    upstream_s: float | None = None
    """How long the model took; None where it was not asked."""
    headers: Headers = ()
    """Those of upstream's headers that go on."""
    status: int = GONE
    """What the client got; until it got anything, that it left."""
    is_sent: bool = False
    stopped: Verdict | None = None
    """The verdict that ended it."""
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        # Nobody tells of what passes: that is what it came to, unless somebody tells of more.
        self.tally = Tally(self.policy, "pass")

    def saw(self, verdict: Verdict) -> None:
        """A verdict that is more than a pass."""
        self.tally.saw(verdict)
        if not verdict.is_allowed:
            self.stopped = verdict

    @property
    def action(self) -> str:
        """The strongest action so far."""
        return self.tally.action

    @property
    def cut(self) -> str:
        """Why a stream that had begun did not come to its own end; empty where it did."""
        if not self.has_streamed or (self.status == 200 and self.stopped is None):
            return ""
        if self.stopped is not None:
            return "hold" if self.stopped.action == "hold" else "block"
        if self.unserved:
            return "upstream"
        return "client" if self.status == GONE else "unknown"

    @property
    def is_blocked(self) -> bool:
        """Whether a rule ended it."""
        return self.stopped is not None


_current: ContextVar[Exchange] = ContextVar("exchange")
"""Each request has a task of its own, and so a context of its own."""
_number: ContextVar[str | None] = ContextVar("number", default=None)
"""The same for a request that is no exchange."""


def begin(exchange: Exchange) -> None:
    """This is the exchange that the task is about from now on."""
    _current.set(exchange)


def number(decision: str) -> None:
    """This is the request that the task is about from now on; it is no exchange.

    Args:
        decision: Its id.
    """
    _number.set(decision)


def saw(verdict: Verdict) -> None:
    """Told by the guard of every verdict that is more than a pass."""
    _current.get().saw(verdict)


def ended(ledger: Ledger) -> None:
    """Told by the guard what the exchange came to."""
    _current.get().tally.records = list(ledger.records)


def decision() -> str | None:
    """The id of the request that the task is about."""
    exchange = _current.get(None)
    return _number.get() if exchange is None else exchange.request.decision


def span() -> Span:
    """The span of the request that the task is about."""
    exchange = _current.get(None)
    return NO_SPAN if exchange is None else exchange.span


def last_words(fault: Fault) -> bytes:
    """What ends the stream that the task gives, in the shape of its dialect; nothing for others."""
    exchange = _current.get(None)
    return b"" if exchange is None else exchange.translator.fault(fault)


def facts_of(call: Mapping[str, Any]) -> Mapping[str, object]:
    """The context of a wrapped call."""
    facts: Mapping[str, object] = call["about"].facts
    return facts


def session_of(call: Mapping[str, Any]) -> str | None:
    """The session of a wrapped call."""
    session: str | None = call["about"].session
    return session


def tenant_of(call: Mapping[str, Any]) -> str:
    """The tenant of a wrapped call."""
    name: str = call["about"].request.tenant.name
    return name
