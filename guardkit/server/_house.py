"""All that the requests of one server share: made from its settings, opened and closed with it."""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread
from time import perf_counter, time
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from guardkit.guard import Guard
from guardkit.runtime import HoldQueue, SqliteHolds
from guardkit.shared import MemoryQuotas, MemorySessions, Quotas, Shared, Turns
from guardkit.telemetry import Audit, LogAlarm
from guardkit.wire import DIALECTS, Family, Fault, write_json

from ._admin import Admin
from ._admission import Admission, Denials
from ._checks import CheckApi
from ._counters import Counters
from ._exchange import Exchange, decision, span
from ._exposition import joined, labelled
from ._health import Health
from ._http import Handler, Reply, Request
from ._keys import Keys, key_of
from ._logs import Log
from ._named import audit_of, holds_of, senders_of
from ._policies import Loaded, Policies
from ._proxy import Proxy
from ._send import Sender
from ._settings import LOCAL, Settings
from ._spans import Spans
from ._tenant import OPEN
from ._watch import changes, watched_folders
from .console import Console

MOST_RECENT: Final = 200
_SHED: Final = frozenset(
    {"overloaded", "too_many_at_once", "quota_exceeded", "too_many_blocks", "stopping"}
)
_REFRESH_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Route:
    """What answers at one path."""

    name: str
    handlers: Mapping[str, Handler]
    """By method."""
    family: Family = "openai"
    """In whose shape faults are told."""
    needs_key: bool = False
    is_proxied: bool = False
    is_always: bool = False
    """Whether it is answered while the server stops."""


class Loading(Protocol):
    """How a policy file becomes a guard; the command line knows how to run its tests, too."""

    def __call__(self, path: Path, **machine: Any) -> Loaded:
        """The guard, and a text that it stops.

        Raises:
            PolicyError: It does not compile, or its own tests fail.
            BindError: This machine cannot run it.
        """


class House:
    """Everything behind the routes; it is the `Stage` of the console too.

    Args:
        settings: What the operator chose.
        loading: Makes a guard of a policy file.
        token: The admin token.
        log: Where events are told.

    Raises:
        BindError: The settings do not fit together, or something they name cannot be used.
    """

    def __init__(self, settings: Settings, loading: Loading, token: str, log: Log) -> None:
        self.settings = settings
        self.log = log
        self.counters = Counters()
        self.spans = Spans.make(settings.otel)
        self.admin = Admin(token)
        self._keys = None if settings.keys is None else Keys.read(settings.keys)
        self._shared = None if settings.redis is None else Shared(settings.redis)
        self._holds = holds_of(settings, self._shared)
        self._audit = audit_of(settings)
        self._recent: deque[Mapping[str, Any]] = deque(maxlen=MOST_RECENT)
        self._admission = Admission(
            settings.most_inside, settings.most_waiting, settings.patience_s
        )
        self._denials = None if settings.denials is None else Denials(settings.denials)
        self._quotas: Quotas = MemoryQuotas() if self._shared is None else self._shared.quotas
        self.is_stopping = False
        """Whether new requests are turned away."""
        self._stopped = anyio.Event()
        self._upstreams, senders = senders_of(settings)
        machine = {
            "holds": self._holds,
            "audit": _Numbered(self._audit) if self._audit is not None or settings.otel else None,
            "on_audit_error": settings.on_audit_error,
            "alarms": [LogAlarm()],
            "device": settings.device,
        }

        def load(path: Path) -> Loaded:
            loaded = loading(path, **machine)
            if self._shared is not None:
                loaded.guard.hash_by(self._shared.hash_key)
            return loaded

        turns: Turns = MemorySessions() if self._shared is None else self._shared.sessions
        self._policies = Policies(settings, load, senders, turns)
        self._policies.open(self._own())
        self._health = Health(self._policies, self.pings)
        self.routes = self._routes(senders)

    def _own(self) -> dict[str, Path]:
        tenants = () if self._keys is None else self._keys.tenants
        return {one.name: Path(one.policy) for one in tenants if one.policy is not None}

    def _routes(self, senders: Mapping[str, Sender]) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        for dialect in DIALECTS:
            if dialect.name in senders:
                proxy = Proxy(dialect, self._policies, self.settings, self.told, self.spans)
                routes[dialect.path] = Route(
                    dialect.name, {"POST": proxy}, dialect.family, needs_key=True, is_proxied=True
                )
        checks = CheckApi(self._policies, self.settings, self.judged)
        for path, name, handler in checks.routes():
            routes[path] = Route(name, {"POST": handler}, needs_key=True)
        for path, name, method, handler in (
            ("/healthz", "health", "GET", self._health.alive),
            ("/readyz", "health", "GET", self._ready),
            ("/metrics", "metrics", "GET", self._metrics),
            ("/openapi.json", "openapi", "GET", checks.openapi),
            ("/v1/policy/reload", "reload", "POST", self._reload),
        ):
            routes[path] = Route(name, {method: handler}, is_always=name != "reload")
        self._console = Console(self, self.admin, is_tls=self.settings.tls_cert is not None)
        found: dict[str, dict[str, Handler]] = {}
        for (method, path), handler in self._console.routes().items():
            found.setdefault(path, {})[method] = handler
        routes |= {path: Route("console", handlers) for path, handlers in found.items()}
        return routes

    # --- the life of the server

    async def reach(self) -> None:
        """Back when what replicas share answers.

        Raises:
            CheckError: It does not.
        """
        if self._shared is not None:
            await self._shared.ping()

    async def open(self, group: TaskGroup) -> None:
        """Begin what runs beside the requests."""
        group.start_soon(self._console.watch)
        if self.settings.watch:
            group.start_soon(self._watch)
        if current_thread() is main_thread():
            group.start_soon(self._hear)
        if self._keys is not None:
            group.start_soon(self._refresh)
        self.spans.watch(self.counters)
        if self.spans.lacks:
            self.log.event("spans", lacks=self.spans.lacks)
        # What is there now stays: the collector need not look at it again with every few requests.
        gc.collect()
        gc.freeze()
        self.log.event("ready", policies=len(self._policies.live))

    def stop(self) -> None:
        """The server is to stop: say so where it is asked whether it is ready."""
        self.is_stopping = True
        self._stopped.set()
        self._health.forget()

    async def aclose(self) -> None:
        """Close what is open; the audit log last."""
        for upstream in self._upstreams:
            await upstream.aclose()
        if self._shared is not None:
            await self._shared.aclose()
        if self._audit is not None:
            await anyio.to_thread.run_sync(self._audit.close)
        if isinstance(self._holds, SqliteHolds):
            self._holds.close()
        self.log.event("stopped")

    async def _hear(self) -> None:
        """Load the policies again at SIGHUP."""
        with anyio.open_signal_receiver(signal.SIGHUP) as heard:
            async for _ in heard:
                await self.reload()

    async def _watch(self) -> None:
        """Load the policies again when their files change."""
        while not self.is_stopping:
            folders = self._policies.folders()
            watched = await anyio.to_thread.run_sync(watched_folders, folders)
            async for _ in changes(watched, self._stopped):
                await self.reload()
                if await anyio.to_thread.run_sync(watched_folders, folders) != watched:
                    break

    async def _refresh(self) -> None:
        """Read the keys again when their file changes."""
        while self._keys is not None:
            await anyio.sleep(_REFRESH_S)
            keys = await anyio.to_thread.run_sync(self._keys.refreshed)
            if keys is self._keys:
                continue
            for problem in keys.problems:
                self.log.event("keys_refused", problem=problem)
            before, self._keys = self._keys, keys
            if keys.tenants != before.tenants:
                await self.reload()

    async def reload(self) -> Sequence[Mapping[str, Any]]:
        """Load every policy again."""
        made = await self._policies.reload(self._own())
        for one in made:
            self.counters.reloaded(one.outcome)
            if one.outcome != "unchanged":
                self.log.event(
                    "reload",
                    policy=one.policy or "server",
                    outcome=one.outcome,
                    digest=one.digest,
                    problems=one.problems,
                )
        self._health.forget()
        return [one._asdict() for one in made]

    # --- who may call

    def know(self, request: Request) -> None:
        """Find out whose request it is.

        Raises:
            Fault: Nobody's.
        """
        if self._keys is None:
            if self.settings.host in LOCAL and _host_of(request) not in LOCAL:
                # A page whose name was made to mean this machine: no browser may call through it.
                raise Fault(421, "other_host", "this server answers for this machine only")
            request.tenant = OPEN
            return
        tenant = self._keys.tenant_of(key_of(request))
        if tenant is None:
            raise Fault(401, "no_such_key", "the request carries no key of this server")
        request.tenant = tenant

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncIterator[None]:
        """A place for a request.

        Raises:
            Fault: There is none, or its tenant has had its share.
        """
        tenant = request.tenant
        if self._denials is not None:
            left = self._denials.over(tenant.name, request.peer)
            if left is not None:
                raise self._shed(
                    "denials", "too_many_blocks", "too many requests were blocked", left
                )
        if tenant.per_minute is not None:
            left = await self._quotas.take(tenant.name, tenant.per_minute)
            if left is not None:
                raise self._shed(
                    "quota", "quota_exceeded", "the quota of this key is used up", left
                )
        try:
            async with self._admission.enter(tenant):
                self.counters.began()
                request.is_inside = True
                yield
        except Fault as fault:
            if fault.code in ("overloaded", "too_many_at_once"):
                self.counters.shed(fault.code)
            raise

    def _shed(self, reason: str, code: str, message: str, seconds: float) -> Fault:
        self.counters.shed(reason)
        return Fault(429, code, message, (("retry-after", str(max(1, round(seconds)))),))

    # --- what came of it

    def told(self, about: Exchange) -> None:
        """A proxied exchange came to its end."""
        elapsed_s = perf_counter() - about.begun
        dialect = about.dialect
        if about.unserved:
            self.counters.upstream_error(dialect.name, about.unserved)
        # While the server stops, who did not wait for the end was not let wait.
        cut = "shutdown" if about.cut == "client" and self.is_stopping else about.cut
        if cut:
            self.counters.cut(cut)
        if about.translator.streams:
            self.counters.held(about.translator.held)
        if about.upstream_s is not None:
            about.span.called(
                dialect.name,
                status=about.upstream_status,
                took_s=about.upstream_s,
                model=about.asked.model,
                error=about.unserved or None,
            )
        about.span.ended(
            status=about.status,
            action=about.action,
            dialect=dialect.family,
            decision=about.request.decision,
            tenant=about.request.tenant.name,
            policy=about.policy,
            upstream_s=about.upstream_s,
            cut=cut or None,
            error=about.unserved or None,
        )
        self._tell(
            about.request,
            route=dialect.name,
            family=dialect.family,
            status=about.status,
            action=about.action,
            policy=about.policy,
            rules=tuple(about.fired),
            unknown=tuple(about.unknown),
            elapsed_s=elapsed_s,
            upstream_s=about.upstream_s,
            ledger=[] if about.ledger is None else about.ledger.as_dict()["records"],
            surface="" if about.stopped is None else about.stopped.surface,
            cut=cut or None,
            error=about.unserved or None,
        )
        if about.is_blocked and self._denials is not None:
            self._denials.note(about.request.tenant.name, about.request.peer)

    def faulted(self, request: Request, route: str, fault: Fault) -> None:
        """A request was refused before anything of it was judged."""
        if fault.code in _SHED:
            return  # counted where it was turned away; a flood of them fills no log
        if not request.is_inside:
            self.counters.began()
        request.is_inside = False
        self.counters.ended(route, "none", fault.status, "none", 0.0, None)
        self.log.request(
            decision=request.decision,
            route=route,
            status=fault.status,
            tenant=request.tenant.name,
            peer=request.peer,
            error=fault.code,
        )

    def judged(self, request: Request, route: str, **facts: Any) -> None:
        """A request of the decision API came to its end."""
        family = "litellm" if route == "litellm" else "guardkit"
        self._tell(request, route=route, family=family, upstream_s=None, **facts)
        if facts["action"] == "block" and self._denials is not None:
            self._denials.note(request.tenant.name, request.peer)

    def _tell(
        self,
        request: Request,
        *,
        route: str,
        family: str,
        status: int,
        action: str,
        policy: str,
        rules: Sequence[str],
        unknown: Sequence[str],
        elapsed_s: float,
        upstream_s: float | None,
        ledger: object,
        surface: str,
        cut: str | None = None,
        error: str | None = None,
    ) -> None:
        request.is_inside, request.is_told = False, True
        self.counters.ended(route, family, status, action, elapsed_s, upstream_s)
        tenant = request.tenant.name
        self.log.request(
            decision=request.decision,
            route=route,
            dialect=family,
            status=status,
            action=action,
            rules=rules,
            unknown=unknown,
            tenant=tenant,
            peer=request.peer,
            policy=policy,
            elapsed_ms=elapsed_s * 1e3,
            upstream_ms=None if upstream_s is None else upstream_s * 1e3,
            cut=cut,
            error=error,
        )
        self._recent.append(
            {
                "at": time(),
                "decision": request.decision,
                "route": route,
                "tenant": tenant,
                "policy": policy,
                "surface": surface,
                "action": action,
                "status": status,
                "rules": list(rules),
                "ms": round(elapsed_s * 1e3, 2),
                "ledger": ledger,
            }
        )

    # --- what the console looks at

    def policies(self) -> Mapping[str, Guard]:
        """The live guards."""
        named = {
            name or Path(self.settings.policy).stem: one
            for name, one in self._policies.live.items()
        }
        return {name: live.guard for name, live in named.items()}

    def reloads(self) -> Sequence[Mapping[str, Any]]:
        """What became of the policies when they were loaded."""
        return [one._asdict() for one in self._policies.reloads]

    def holds(self) -> HoldQueue:
        """The texts that wait."""
        return self._holds

    def recent(self) -> Sequence[Mapping[str, Any]]:
        """The last decisions."""
        return list(self._recent)

    def traffic(self) -> Mapping[str, Any]:
        """What was counted."""
        return self.counters.snapshot()

    def reports(self) -> Path | None:
        """Where reports lie."""
        return None if self.settings.reports is None else Path(self.settings.reports)

    # --- operations

    async def pings(self) -> Sequence[str]:
        """What the server needs and cannot reach, in words."""
        found = ["stopping"] if self.is_stopping else []
        if self._shared is not None and not await self._shared.is_up():
            found.append("redis")
        return found

    async def _ready(self, request: Request) -> Reply:
        reply = await self._health.ready(request)
        if self._keys is None or self._may_look(request):
            return reply
        # Names of tenants and which checks fail are nobody's business that has no token.
        return reply._replace(body=write_json({"status": self._health.word}))

    def _may_look(self, request: Request) -> bool:
        """Whether a request carries the admin token, or that of the scraper."""
        token = os.environ.get("GUARDKIT_METRICS_TOKEN")
        return self.admin.may(request) or (bool(token) and _is(request.bearer(), token or ""))

    async def _metrics(self, request: Request) -> Reply:
        if self._keys is not None and not self._may_look(request):
            raise Fault(401, "no_token", "metrics need a token here")
        texts = [
            labelled(live.guard.monitors.metrics(), "guard", name or "server")
            for name, live in self._policies.live.items()
            if live.guard.monitors is not None
        ]
        body = joined([*texts, self.counters.metrics()])
        return Reply(200, body.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _reload(self, request: Request) -> Reply:
        if not self.admin.may(request):
            raise Fault(401, "no_token", "a reload needs the admin token")
        made = await self.reload()
        if self.settings.workers > 1:
            os.kill(os.getppid(), signal.SIGHUP)  # it tells the others
        is_refused = any(one["outcome"] == "refused" for one in made)
        return Reply(422 if is_refused else 200, write_json({"policies": list(made)}))


def _host_of(request: Request) -> str:
    """The host that a client thinks it speaks to, without its port."""
    name = request.headers.get("host", "").lower()
    return name.partition("]")[0].lstrip("[") if name.startswith("[") else name.partition(":")[0]


def _is(given: str, wanted: str) -> bool:
    from hmac import compare_digest

    return compare_digest(given.encode(), wanted.encode())


class _Numbered:
    """Files every verdict under the decision of its request, in the audit log and in its span."""

    def __init__(self, audit: Audit | None) -> None:
        self._audit = audit

    def record(self, verdict: Any, *, session: str | None = None, tenant: str = "") -> int:
        span().judged(verdict, decision=decision() or "")
        if self._audit is None:
            return 0
        return self._audit.record(verdict, session=session, tenant=tenant, decision=decision())

    async def arecord(self, verdict: Any, *, session: str | None = None, tenant: str = "") -> int:
        span().judged(verdict, decision=decision() or "")
        if self._audit is None:
            return 0
        return await self._audit.arecord(
            verdict, session=session, tenant=tenant, decision=decision()
        )

    def exchange(self, ledger: Any, *, session: str | None = None, tenant: str = "") -> int:
        if self._audit is None:
            return 0
        return self._audit.exchange(ledger, session=session, tenant=tenant, decision=decision())

    async def aexchange(self, ledger: Any, *, session: str | None = None, tenant: str = "") -> int:
        if self._audit is None:
            return 0
        return await self._audit.aexchange(
            ledger, session=session, tenant=tenant, decision=decision()
        )
