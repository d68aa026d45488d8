"""Who may call, and who gets in: keys, shares of tenants, places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from guardkit.shared import Quotas
from guardkit.wire import Fault

from ._admission import Admission, Denials
from ._counters import Counters
from ._http import Request
from ._keys import Keys, key_of
from ._logs import Log
from ._settings import LOCAL, Settings
from ._tenant import OPEN


class Door:
    """What a request has to pass before anything of it is judged.

    Args:
        settings: What the operator chose.
        quotas: Where it is kept how often tenants asked.
        counters: Told who was turned away.
        log: Told what is wrong with the file of keys.

    Raises:
        BindError: The file of keys cannot be used.
    """

    def __init__(self, settings: Settings, quotas: Quotas, counters: Counters, log: Log) -> None:
        self._host = settings.host
        self._keys = None if settings.keys is None else Keys.read(settings.keys)
        self._admission = Admission(
            settings.most_inside, settings.most_waiting, settings.patience_s
        )
        self._denials = None if settings.denials is None else Denials(settings.denials)
        self._quotas = quotas
        self._counters = counters
        self._log = log

    @property
    def has_keys(self) -> bool:
        """Whether callers need one."""
        return self._keys is not None

    def policies(self) -> dict[str, Path]:
        """The policies of tenants that have one of their own, by the name of the tenant."""
        tenants = () if self._keys is None else self._keys.tenants
        return {one.name: Path(one.policy) for one in tenants if one.policy is not None}

    async def refresh(self) -> bool:
        """Read the keys again where their file changed; whether there are other tenants now."""
        if self._keys is None:
            return False
        keys = await anyio.to_thread.run_sync(self._keys.refreshed)
        if keys is self._keys:
            return False
        for problem in keys.problems:
            self._log.event("keys_refused", problem=problem)
        before, self._keys = self._keys, keys
        return keys.tenants != before.tenants

    def know(self, request: Request) -> None:
        """Find out whose request it is.

        Raises:
            Fault: Nobody's.
        """
        if self._keys is None:
            if self._host in LOCAL and _host_of(request) not in LOCAL:
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
                self._counters.began()
                request.is_inside = True
                yield
        except Fault as fault:
            if fault.code in ("overloaded", "too_many_at_once"):
                self._counters.shed(fault.code)
            raise

    def blocked(self, request: Request) -> None:
        """A rule ended a request: who is blocked too often has to wait."""
        if self._denials is not None:
            self._denials.note(request.tenant.name, request.peer)

    def _shed(self, reason: str, code: str, message: str, seconds: float) -> Fault:
        self._counters.shed(reason)
        return Fault(429, code, message, (("retry-after", str(max(1, round(seconds)))),))


def _host_of(request: Request) -> str:
    """The host that a client thinks it speaks to, without its port."""
    name = request.headers.get("host", "").lower()
    return name.partition("]")[0].lstrip("[") if name.startswith("[") else name.partition(":")[0]
