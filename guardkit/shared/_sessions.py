"""Sessions that replicas share: one of them has a session at a time, and all that is known."""

from __future__ import annotations

import json
import random
import secrets
import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from time import monotonic
from types import TracebackType
from typing import Any, Protocol

import anyio

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import CheckError, UsageError
from guardkit.plan import Plan

from ._keys import Keys
from ._link import Link, Script, reaching, running_loop
from ._pulse import Pulse

LEASE_S = 5.0
"""How long a session stays with a replica that fell silent."""
WAIT_S = 10.0
"""How long to wait for a session that another request has."""
CLOSING_S = 2.0
"""How long a request that was cancelled may take to save its session."""
MOST_BYTES = 1 << 26
"""What the memory of one session may take."""

_VERSION = 1
_LOST = "the session went to another replica while it was in use"

_SOON_S = 0.01
_LATE_S = 0.1
"""Between two looks whether a session is free."""


class Busy(CheckError):  # noqa: N818 - a state that passes, and not a fault
    """The session is in use by another request, and was for too long."""


class Known(Protocol):
    """What is carried from one process to another: of a guard, of judgements."""

    def memory_of(self, session: str, *, tenant: str = "") -> dict[str, Any]:
        """All that is known of a session, as data that JSON can hold."""

    def remember(self, session: str, memory: Mapping[str, Any], *, tenant: str = "") -> None:
        """Know of a session just that."""


class Remembers(Known, Protocol):
    """A guard, seen from here."""

    @property
    def plan(self) -> Plan:
        """Says how long a session lives."""


class Turn(Protocol):
    """A session that is this request's for now."""

    async def save(self) -> None:
        """Have every replica know what is known here by now.

        Call it before the first word of a stream goes out: what a client has seen must have
        counted, should this process be killed.

        Raises:
            CheckError: It could not be kept. Nothing that depends on it may go out.
        """


class Turns(Protocol):
    """Where sessions are kept."""

    def turn(
        self, guard: Remembers, known: Known, session: str, tenant: str
    ) -> AbstractAsyncContextManager[Turn]:
        """The session is this request's until the end of the block, and saved there.

        Raises:
            Busy: Another request has it, and does not end.
            CheckError: It could not be had, or could not be kept. Nothing may go out.
        """


class MemorySessions:
    """Sessions of one process: guards remember them by themselves."""

    def __repr__(self) -> str:
        return "<MemorySessions>"

    def turn(
        self, guard: Remembers, known: Known, session: str, tenant: str
    ) -> AbstractAsyncContextManager[Turn]:
        """Nothing is waited for, and nothing has to be kept."""
        return _Free()


class _Free:
    async def __aenter__(self) -> _Free:
        return self

    async def __aexit__(self, *raised: object) -> None:
        return

    async def save(self) -> None:
        return


_TAKE = Script.of("""
-- The lease of a session, and what is known of it, for whoever holds this token.
local lease = ARGV[1] .. 'session:' .. ARGV[2] .. ':lease'
if not redis.call('SET', lease, ARGV[3], 'NX', 'PX', ARGV[4])
    and redis.call('GET', lease) ~= ARGV[3] then
    return 0
end
return {redis.call('GET', ARGV[1] .. 'session:' .. ARGV[2] .. ':memory')}
""")

_SAVE = Script.of("""
-- Keep what is known, if the session is still this token's; a second run of it changes nothing.
local lease = ARGV[1] .. 'session:' .. ARGV[2] .. ':lease'
local memory = ARGV[1] .. 'session:' .. ARGV[2] .. ':memory'
if redis.call('GET', lease) ~= ARGV[3] then
    if redis.call('GET', memory) == ARGV[4] then return 1 end
    return 0
end
redis.call('SET', memory, ARGV[4], 'PX', ARGV[5])
if ARGV[6] == '1' then
    redis.call('DEL', lease)
else
    redis.call('PEXPIRE', lease, ARGV[7])
end
return 1
""")

_RENEW = Script.of("""
local lease = ARGV[1] .. 'session:' .. ARGV[2] .. ':lease'
if redis.call('GET', lease) ~= ARGV[3] then return 0 end
return redis.call('PEXPIRE', lease, ARGV[4])
""")

_RELEASE = Script.of("""
local lease = ARGV[1] .. 'session:' .. ARGV[2] .. ':lease'
if redis.call('GET', lease) ~= ARGV[3] then return 0 end
return redis.call('DEL', lease)
""")


class RedisSessions:
    """Sessions of all replicas together.

    A request takes a lease on its session, loads what is known of it, and saves that at its end.
    A replica that is killed keeps its leases for `lease_s` at most. Where a lease ran out before
    its time, such as in a process that was stopped for a while, nothing is saved and the request
    fails: two replicas never write one session at once.

    Args:
        link: The connection.
        keys: What seals memories and hides names.
        lease_s: How long a lease lasts that nobody renews.
        wait_s: How long to wait for one.
    """

    def __init__(
        self, link: Link, keys: Keys, *, lease_s: float = LEASE_S, wait_s: float = WAIT_S
    ) -> None:
        self._link = link
        self._keys = keys
        self._lease_ms = max(1, int(lease_s * 1000))
        self._wait_s = wait_s
        self._pulse = Pulse(self._renew_leases, lease_s / 4)
        self._queues: dict[tuple[str, object], _Queue] = {}
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        """By token. INVARIANT: changed only under `_lock`."""

    def __repr__(self) -> str:
        return f"<RedisSessions: {len(self._held)} in use>"

    def turn(
        self, guard: Remembers, known: Known, session: str, tenant: str
    ) -> AbstractAsyncContextManager[Turn]:
        """The session is this request's until the end of the block; see `Turns`."""
        return _Held(self, guard, known, session, tenant)

    def close(self) -> None:
        """Renew nothing any more."""
        self._pulse.stop()

    # --- leases

    async def _enter(self, held: _Held) -> None:
        queue = self._queues.get(held.place)
        if queue is None:
            queue = self._queues[held.place] = _Queue()
        queue.count += 1
        try:
            with anyio.fail_after(self._wait_s):
                await queue.gate.acquire()
                try:
                    await self._take(held)
                except BaseException:
                    queue.gate.release()
                    raise
        except TimeoutError:
            self._leave(held)
            raise Busy("the session is in use by another request") from None
        except BaseException:
            self._leave(held)
            raise

    async def _take(self, held: _Held) -> None:
        pause_s = _SOON_S
        while True:
            began = monotonic()
            try:
                found = await self._link.acall(_TAKE, held.name, held.token, self._lease_ms)
            except CheckError:
                raise
            except BaseException:
                # It may have come through, though nobody heard: nobody shall have to wait for it.
                await self._release(held)
                raise
            if found != 0:
                break
            await anyio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(pause_s * 1.5, _LATE_S)
        held.until = began + self._lease_ms / 1000
        try:
            self._load(held, found[0] if found else None)
        except BaseException:
            await self._release(held)
            raise
        with self._lock:
            self._held[held.token] = held
        self._pulse.start()

    def _load(self, held: _Held, sealed: bytes | None) -> None:
        if sealed is None:
            # Never saved, or the server lost it: what this process knows is better than nothing.
            return
        memory = json.loads(self._keys.unseal(sealed, "memory", held.tenant, held.session))
        if memory.get("v") != _VERSION:
            raise CheckError("the memory of a session is of another version of guardkit")
        try:
            held.guard.remember(held.session, memory["guard"], tenant=held.tenant)
            held.known.remember(held.session, memory["known"], tenant=held.tenant)
        except UsageError:
            raise CheckError("the memory of a session cannot be read here") from None

    async def _save(self, held: _Held, *, is_last: bool) -> None:
        memory = {
            "v": _VERSION,
            "guard": held.guard.memory_of(held.session, tenant=held.tenant),
            "known": held.known.memory_of(held.session, tenant=held.tenant),
        }
        text = json.dumps(memory, separators=(",", ":"))
        if len(text) > MOST_BYTES:
            raise CheckError("the memory of a session is too large to be shared")
        sealed = self._keys.seal(text, "memory", held.tenant, held.session)
        ttl_ms = max(1, int(held.guard.plan.limits.session_ttl_ms))
        began = monotonic()
        kept = not held.is_lost and await self._link.acall(
            _SAVE, held.name, held.token, sealed, ttl_ms, int(is_last), self._lease_ms
        )
        if not kept:
            held.is_lost = True
            raise CheckError(_LOST)
        held.until = began + self._lease_ms / 1000

    async def _release(self, held: _Held) -> None:
        with anyio.move_on_after(CLOSING_S, shield=True):
            try:
                await self._link.acall(_RELEASE, held.name, held.token)
            except CheckError:
                return  # it ends by itself

    async def _exit(self, held: _Held) -> None:
        with self._lock:
            self._held.pop(
                held.token, None
            )  # first: a lease that is given back is none that was lost
        try:
            with anyio.move_on_after(CLOSING_S, shield=True) as scope:
                await self._save(held, is_last=True)
            if scope.cancelled_caught:
                raise CheckError("the memory of a session could not be kept in time")
        except BaseException:
            if not held.is_lost:
                await self._release(held)
            raise
        finally:
            self._queues[held.place].gate.release()
            self._leave(held)

    def _leave(self, held: _Held) -> None:
        queue = self._queues[held.place]
        queue.count -= 1
        if not queue.count:
            del self._queues[held.place]

    def _renew_leases(self) -> bool:
        """Renew what is in use, in a thread; whether anything is."""
        with self._lock:
            all_held = list(self._held.values())
        for held in all_held:
            held.is_lost = held.is_lost or monotonic() >= held.until
        alive = [held for held in all_held if not held.is_lost]
        if not alive:
            return bool(all_held)
        began = monotonic()
        pipe = self._link.client.pipeline(transaction=False)
        for held in alive:
            pipe.eval(_RENEW.text, 0, self._link.prefix, held.name, held.token, self._lease_ms)
        with reaching():
            renewed = pipe.execute()
        for held, is_renewed in zip(alive, renewed, strict=True):
            if is_renewed:
                held.until = began + self._lease_ms / 1000
            elif held.token in self._held:
                held.is_lost = True
        return True


class _Queue:
    """The requests of this process that want one session."""

    __slots__ = ("count", "gate")

    def __init__(self) -> None:
        # No lock: the end of a stream may run in another task than its beginning.
        self.gate = anyio.Semaphore(1)
        self.count = 0


class _Held:
    """One turn: the session, and whether it is still this process's."""

    __slots__ = (
        "_sessions",
        "guard",
        "is_lost",
        "known",
        "name",
        "place",
        "session",
        "tenant",
        "token",
        "until",
    )

    def __init__(
        self, sessions: RedisSessions, guard: Remembers, known: Known, session: str, tenant: str
    ) -> None:
        self._sessions = sessions
        self.guard = guard
        self.known = known
        self.session = session
        self.tenant = tenant
        self.name = sessions._keys.name("session", tenant, session)
        self.place: tuple[str, object] = (self.name, None)
        self.token = secrets.token_hex(16)
        self.until = 0.0
        self.is_lost = False

    def __repr__(self) -> str:
        return "<Turn>"

    async def __aenter__(self) -> _Held:
        self.place = (self.name, running_loop())
        await self._sessions._enter(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What was counted stays counted, however the request ended.
        try:
            await self._sessions._exit(self)
        except CheckError as lost:
            if error is None or isinstance(error, Exception):
                raise lost from None
            # A request that is cancelled gives out nothing any more.

    async def save(self) -> None:
        """Have every replica know what is known here by now; see `Turn`."""
        await self._sessions._save(self, is_last=False)
