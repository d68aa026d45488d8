"""Quotas: how often a tenant may ask in any minute, for one process or for all replicas."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from guardkit._util.forks import renewed_after_fork

from ._keys import Keys
from ._link import Link, Script

MINUTE_S = 60.0
MOST_TENANTS = 10_000
"""Tenants kept in memory at once; beyond them the one that was idle longest is forgotten."""


class Quotas(Protocol):
    """How often tenants may ask."""

    async def take(self, tenant: str, per_minute: int) -> float | None:
        """Ask once more.

        Returns:
            None where the tenant may go on; else in how many seconds it may.

        Raises:
            CheckError: Nobody can say. The request must not go on.
        """


class MemoryQuotas:
    """Quotas of one process: at most so many in any 60 seconds.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<MemoryQuotas of {len(self._taken)} tenants>"

    async def take(self, tenant: str, per_minute: int) -> float | None:
        """Ask once more; see `Quotas`."""
        if per_minute < 1:
            return MINUTE_S
        now = self._clock()
        with self._lock:
            taken = self._taken.setdefault(tenant, deque())
            self._taken.move_to_end(tenant)
            while taken and now - taken[0] >= MINUTE_S:
                taken.popleft()
            if len(taken) >= per_minute:
                return taken[-per_minute] + MINUTE_S - now
            taken.append(now)
            if len(self._taken) > MOST_TENANTS:
                self._taken.popitem(last=False)
        return None


_TAKE = Script.of("""
-- The last times at which somebody took, the newest last, in milliseconds of this server's clock.
local key, most = ARGV[1] .. 'quota:' .. ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('LINDEX', key, -1) or 0)
if last > now then now = last end
local oldest = redis.call('LINDEX', key, -most)
if oldest and now - oldest < 60000 then
    return 60000 - (now - oldest)
end
redis.call('RPUSH', key, string.format('%.0f', now))
redis.call('LTRIM', key, -most, -1)
redis.call('PEXPIRE', key, 60000)
return 0
""")


class RedisQuotas:
    """Quotas of all replicas together: at most so many in any 60 seconds, by the server's clock.

    Args:
        link: The connection.
        keys: What names are hidden with.
    """

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def __repr__(self) -> str:
        return "<RedisQuotas>"

    async def take(self, tenant: str, per_minute: int) -> float | None:
        """Ask once more; see `Quotas`. A connection that breaks may cost a place, never give one.

        Raises:
            CheckError: The shared state cannot be reached.
        """
        if per_minute < 1:
            return MINUTE_S
        wait_ms = await self._link.acall(_TAKE, self._keys.name("tenant", tenant), per_minute)
        return int(wait_ms) / 1000 if wait_ms else None
