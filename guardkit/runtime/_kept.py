"""What a vault keeps: values and their pseudonyms by session, bounded, under one lock."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal, overload

from guardkit._util.forks import renewed_after_fork

ENTRY = 128
"""What an entry takes besides its characters."""

Key = tuple[str, str]
"""(tenant, session)."""


class KeptSession:
    """What one session knows."""

    __slots__ = ("counts", "is_crowded", "reserved", "size", "tokens", "until", "values")

    def __init__(self) -> None:
        self.tokens: dict[tuple[str, str], str] = {}
        """(label, value) -> token."""
        self.values: dict[str, tuple[str, str]] = {}
        """token -> (label, value), the oldest first."""
        self.counts: dict[str, int] = {}
        """The last number of each label."""
        self.reserved: set[str] = set()
        """What looks like a pseudonym and came with a text."""
        self.is_crowded = False
        """So much of that came that it is not kept: numbers are drawn by lot from now on."""
        self.size = 0
        self.until = 0.0
        """When it is forgotten, unless it is used before."""

    def __repr__(self) -> str:
        return f"<session with {len(self.values)} pseudonyms>"

    def number(self, label: str) -> str:
        """A token that stands nowhere yet."""
        while True:
            if self.is_crowded:
                count = 10**11 + secrets.randbelow(9 * 10**11)
            else:
                count = self.counts[label] = self.counts.get(label, 0) + 1
            token = f"[{label}_{count}]"
            if token not in self.reserved and token not in self.values:
                return token

    def put(self, token: str, label: str, value: str) -> int:
        """Keep a value under its token; what that takes."""
        self.tokens[label, value] = token
        self.values[token] = (label, value)
        size = len(value) + ENTRY
        self.size += size
        return size

    def drop_oldest(self) -> None:
        """Forget the value that is known longest."""
        token = next(iter(self.values))
        known = self.values.pop(token)
        del self.tokens[known]
        self.size -= len(known[1]) + ENTRY

    def written(self) -> dict[str, Any]:
        """All of it as plain data that JSON can hold."""
        return {
            "values": [[token, *known] for token, known in self.values.items()],
            "counts": dict(self.counts),
            "reserved": sorted(self.reserved),
            "is_crowded": self.is_crowded,
        }

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> KeptSession:
        """What `written` gave. Raises what reading of anything else raises."""
        made = cls()
        for token, label, value in data["values"]:
            made.put(str(token), str(label), str(value))
        made.counts = {str(label): int(count) for label, count in data["counts"].items()}
        made.reserved = set(map(str, data["reserved"]))
        made.is_crowded = bool(data["is_crowded"])
        made.size += sum(len(token) + ENTRY for token in made.reserved)
        return made


class KeptTenant:
    """The sessions of one tenant, the one idle longest first."""

    __slots__ = ("sessions", "size")

    def __init__(self) -> None:
        self.sessions: OrderedDict[Key, None] = OrderedDict()
        self.size = 0


class Kept:
    """The sessions of a vault. Several vaults may have one in common: then also its limits.

    All methods are called under `lock`.

    Args:
        clock: Seconds that never go back.
        max_sessions: Sessions kept at once.
        max_values: Values kept of one session.
        max_chars: Characters kept in all.
    """

    def __init__(
        self, clock: Callable[[], float], max_sessions: int, max_values: int, max_chars: int
    ) -> None:
        self.clock = clock
        self.max_values = max_values
        self.max_share = max(1, max_chars // 8)
        self._max_sessions = max_sessions
        self._max_chars = max_chars
        self.lock = threading.Lock()
        self.hash_key = secrets.token_bytes(32)
        """What hashes of values are made with, so that nobody finds a value by trying."""
        self.sessions: OrderedDict[Key, KeptSession] = OrderedDict()
        """The one idle longest first. INVARIANT: this and `_tenants` name the same sessions."""
        self._tenants: dict[str, KeptTenant] = {}
        self._size = 0
        renewed_after_fork(self)

    @overload
    def use(self, key: Key, ttl_s: float) -> KeptSession: ...
    @overload
    def use(self, key: Key, ttl_s: float, *, must_exist: Literal[True]) -> KeptSession | None: ...
    def use(self, key: Key, ttl_s: float, *, must_exist: bool = False) -> KeptSession | None:
        """The session; its time to live begins anew."""
        now = self.clock()
        self.sweep(now)
        kept = self.sessions.get(key)
        if kept is not None and kept.until <= now:  # one that lives longer stands before it
            self.drop(key)
            kept = None
        if kept is None:
            if must_exist:
                return None
            kept = self._add(key, KeptSession())
        kept.until = now + ttl_s
        self.sessions.move_to_end(key)
        self._tenants[key[0]].sessions.move_to_end(key)
        return kept

    def replace(self, key: Key, session: KeptSession, ttl_s: float) -> None:
        """Have a session know just this."""
        if key in self.sessions:
            self.drop(key)
        while session.values and (
            len(session.values) > self.max_values or session.size > self.max_share
        ):
            session.drop_oldest()
        session.until = self.clock() + ttl_s
        self._add(key, session)
        self.make_room(key)

    def _add(self, key: Key, session: KeptSession) -> KeptSession:
        if len(self.sessions) >= self._max_sessions:
            most = max(self._tenants.values(), key=lambda tenant: len(tenant.sessions))
            self.drop(next(iter(most.sessions)))
        self.sessions[key] = session
        self._tenants.setdefault(key[0], KeptTenant()).sessions[key] = None
        self.grow(key[0], session.size)
        return session

    def sweep(self, now: float) -> None:
        """Drop sessions that were idle too long."""
        while self.sessions:
            key, oldest = next(iter(self.sessions.items()))
            if now < oldest.until:
                return
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Forget a session."""
        kept = self.sessions.pop(key)
        tenant = self._tenants[key[0]]
        del tenant.sessions[key]
        self.grow(key[0], -kept.size)
        if not tenant.sessions:
            del self._tenants[key[0]]

    def clear(self) -> None:
        """Forget every session."""
        self.sessions.clear()
        self._tenants.clear()
        self._size = 0

    def grow(self, tenant: str, size: int) -> None:
        """A session of a tenant takes so much more, or less."""
        self._size += size
        self._tenants[tenant].size += size

    def make_room(self, key: Key) -> None:
        """Forget sessions of the tenant that takes most, but never the one in use."""
        while self._size > self._max_chars:
            most = max(self._tenants.values(), key=lambda tenant: tenant.size)
            victims = (victim for victim in most.sessions if victim != key)
            victim = next(victims, None) or next(one for one in self.sessions if one != key)
            self.drop(victim)

    def _renew(self) -> None:
        """In a new process: a lock that another thread held would never be released."""
        if self.lock.locked():
            self.clear()
        self.lock = threading.Lock()
