"""All that the requests of one server share: made from its settings, opened and closed with it."""

from __future__ import annotations

import gc
import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from guardkit.guard import Guard
from guardkit.runtime import HoldQueue, SqliteHolds
from guardkit.shared import MemoryQuotas, MemorySessions, Quotas, Shared, Turns
from guardkit.telemetry import LogAlarm
from guardkit.wire import DIALECTS, Family, Fault

from ._admin import Admin
from ._checks import CheckApi
from ._counters import Counters
from ._door import Door
from ._health import Health
from ._http import Handler, Request
from ._journal import Journal
from ._logs import Log
from ._named import audit_of, holds_of, senders_of
from ._numbered import Numbered
from ._operations import Operations
from ._policies import Loaded, Policies
from ._proxy import Proxy
from ._send import Sender
from ._settings import Settings
from ._spans import Spans
from ._store import watch_store
from ._watch import changes, watched_folders
from .console import Console

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
        self._shared = None if settings.redis is None else Shared(settings.redis)
        quotas: Quotas = MemoryQuotas() if self._shared is None else self._shared.quotas
        self._door = Door(settings, quotas, self.counters, log)
        self._journal = Journal(self.counters, log, self._door.blocked)
        self._holds = holds_of(settings, self._shared)
        self._audit = audit_of(settings)
        self.is_stopping = False
        """Whether new requests are turned away."""
        self._stopped = anyio.Event()
        self._upstreams, senders = senders_of(settings)
        machine = {
            "holds": self._holds,
            "audit": Numbered(self._audit) if self._audit is not None or settings.otel else None,
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
        self._policies.open(self._door.policies())
        self._health = Health(self._policies, self.pings)
        self.routes = self._routes(senders)

    def _routes(self, senders: Mapping[str, Sender]) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        for dialect in DIALECTS:
            if dialect.name in senders:
                proxy = Proxy(
                    dialect, self._policies, self.settings, self._journal.told, self.spans
                )
                routes[dialect.path] = Route(
                    dialect.name, {"POST": proxy}, dialect.family, needs_key=True, is_proxied=True
                )
        checks = CheckApi(self._policies, self.settings, self._journal.judged)
        for path, name, handler in checks.routes():
            routes[path] = Route(name, {"POST": handler}, needs_key=True)
        operations = Operations(
            self._health,
            self._policies,
            self.counters,
            self.admin,
            self.reload,
            is_open=not self._door.has_keys,
            is_worker=self.settings.workers > 1,
        )
        for path, name, method, handler in (
            ("/healthz", "health", "GET", self._health.alive),
            ("/readyz", "health", "GET", operations.ready),
            ("/metrics", "metrics", "GET", operations.metrics),
            ("/openapi.json", "openapi", "GET", checks.openapi),
            ("/v1/policy/reload", "reload", "POST", operations.reload),
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
        if self._door.has_keys:
            group.start_soon(self._refresh)
        if self._shared is not None:
            group.start_soon(watch_store, self._shared.is_up, self.log)
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
        self._journal.stop()
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
        while True:
            await anyio.sleep(_REFRESH_S)
            if await self._door.refresh():
                await self.reload()

    async def reload(self) -> Sequence[Mapping[str, Any]]:
        """Load every policy again."""
        made = await self._policies.reload(self._door.policies())
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

    # --- what requests pass on their way

    def know(self, request: Request) -> None:
        """Find out whose request it is; a `Fault` where it is nobody's."""
        self._door.know(request)

    def admitted(self, request: Request) -> AbstractAsyncContextManager[None]:
        """A place for a request; a `Fault` where there is none."""
        return self._door.admitted(request)

    def faulted(self, request: Request, route: str, fault: Fault) -> None:
        """A request was refused before anything of it was judged."""
        self._journal.faulted(request, route, fault)

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
        return self._journal.recent()

    def traffic(self) -> Mapping[str, Any]:
        """What was counted."""
        return self.counters.snapshot()

    def reports(self) -> Path | None:
        """Where reports lie."""
        return None if self.settings.reports is None else Path(self.settings.reports)

    async def pings(self) -> Sequence[str]:
        """What the server needs and cannot reach, in words."""
        found = ["stopping"] if self.is_stopping else []
        if self._shared is not None and not await self._shared.is_up():
            found.append("redis")
        return found
