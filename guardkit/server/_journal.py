"""What became of every request: in the numbers, in the log, in its span, and for the console."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, time
from typing import Any, Final, NamedTuple

from guardkit.wire import Fault, field_of

from ._counters import Counters
from ._exchange import Exchange
from ._http import Request
from ._logs import Log
from ._tally import End

MOST_RECENT: Final = 200
SHED: Final = frozenset(
    {"overloaded", "too_many_at_once", "quota_exceeded", "too_many_blocks", "stopping"}
)
"""Faults of requests that were turned away unread."""


class Journal:
    """Told of every request at its end, once, and tells whoever watches.

    Args:
        counters: The numbers.
        log: The lines.
        blocked: Told of a request that a rule ended.
    """

    def __init__(self, counters: Counters, log: Log, blocked: Callable[[Request], object]) -> None:
        self._counters = counters
        self._log = log
        self._blocked = blocked
        self._recent: deque[_Decision] = deque(maxlen=MOST_RECENT)
        self._is_stopping = False

    def stop(self) -> None:
        """From now on a client that does not wait for the end was not let wait."""
        self._is_stopping = True

    def told(self, about: Exchange) -> None:
        """A proxied exchange came to its end."""
        elapsed_s = perf_counter() - about.begun
        dialect, error = about.dialect, about.unserved or None
        if error is not None:
            self._counters.upstream_error(dialect.name, error)
        cut = "shutdown" if about.cut == "client" and self._is_stopping else about.cut or None
        if cut is not None:
            self._counters.cut(cut)
        if about.translator.streams:
            self._counters.held(about.translator.held)
        if about.upstream_s is not None:
            about.span.called(
                dialect.name,
                status=about.upstream_status,
                took_s=about.upstream_s,
                model=about.asked.model,
                error=error,
            )
        about.span.ended(
            status=about.status,
            action=about.action,
            dialect=dialect.family,
            decision=about.request.decision,
            tenant=about.request.tenant.name,
            policy=about.policy,
            upstream_s=about.upstream_s,
            cut=cut,
            error=error,
        )
        end = End(about.status, about.tally, elapsed_s, about.upstream_s, cut, error)
        self._ended(about.request, dialect.name, dialect.family, end)
        if about.is_blocked:
            self._blocked(about.request)

    def judged(self, request: Request, route: str, end: End) -> None:
        """A request of the decision API came to its end."""
        self._ended(request, route, "litellm" if route == "litellm" else "guardkit", end)
        if end.tally.action == "block":
            self._blocked(request)

    def faulted(self, request: Request, route: str, fault: Fault) -> None:
        """A request was refused before anything of it was judged."""
        if fault.code in SHED:
            return  # counted where it was turned away; a flood of them fills no log
        if not request.is_inside:
            self._counters.began()
        request.is_inside = False
        self._counters.ended(route, "none", fault.status, "none", 0.0, None)
        self._log.request(
            decision=request.decision,
            route=route,
            status=fault.status,
            tenant=request.tenant.name,
            peer=request.peer,
            error=fault.code,
            field=field_of(fault),
        )

    def recent(self) -> Sequence[Mapping[str, Any]]:
        """The last decisions as plain data, the newest last. From any thread."""
        # The list is made in one piece: more may be told meanwhile.
        return [one.as_dict() for one in list(self._recent)]

    def _ended(self, request: Request, route: str, family: str, end: End) -> None:
        request.is_inside, request.is_told = False, True
        tally = end.tally
        self._counters.ended(route, family, end.status, tally.action, end.elapsed_s, end.upstream_s)
        tenant = request.tenant.name
        self._log.request(
            decision=request.decision,
            route=route,
            dialect=family,
            status=end.status,
            action=tally.action,
            rules=tally.rules,
            unknown=tally.unknown,
            tenant=tenant,
            peer=request.peer,
            policy=tally.policy,
            elapsed_ms=end.elapsed_s * 1e3,
            upstream_ms=None if end.upstream_s is None else end.upstream_s * 1e3,
            cut=end.cut,
            error=end.error,
            field=end.field,
        )
        self._recent.append(_Decision(time(), request.decision, route, tenant, end))


class _Decision(NamedTuple):
    """What is kept of a request: plain data is made of it when somebody looks."""

    at: float
    decision: str
    route: str
    tenant: str
    end: End

    def as_dict(self) -> dict[str, Any]:
        end = self.end
        return {
            "at": self.at,
            "decision": self.decision,
            "route": self.route,
            "tenant": self.tenant,
            "policy": end.tally.policy,
            "surface": end.tally.surface,
            "action": end.tally.action,
            "status": end.status,
            "rules": list(end.tally.rules),
            "ms": round(end.elapsed_s * 1e3, 2),
            "ledger": [record._asdict() for record in end.tally.records],
        }
