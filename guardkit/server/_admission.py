"""Who gets in when too many come: a bounded number at once, a bounded queue, and a fair turn.

`Admission` sheds load: what cannot be served soon is refused at once, before it costs anything.
`Denials` sheds probing: who is blocked again and again in a minute has to wait for the next one.
Neither reads a request, and neither knows what becomes of it.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal, NamedTuple

import anyio

from guardkit.errors import UsageError
from guardkit.wire import Fault

from ._tenant import Tenant

Reason = Literal["overloaded", "patience", "too_many_at_once"]
"""Why a request was shed: no room to wait, waited too long, or over the share of its tenant."""

MOST_PRINCIPALS: Final = 100_000
MINUTE_S: Final = 60.0
_KEPT: Final = 8
"""One place in so many is kept for tenants that have less than an equal share."""
_DROPPED_AT_ONCE: Final = 64
"""A full table is thinned by a 64th: looking for whom to forget is not done for each newcomer."""


class _Waiter:
    """A request in the queue. INVARIANT: it is in the queue exactly while `state` is `waiting`."""

    __slots__ = ("state", "turn")

    def __init__(self) -> None:
        self.state: Literal["waiting", "inside", "shed"] = "waiting"
        self.turn = anyio.Event()


class Admission:
    """Admits some requests at once, lets some wait for a short time, and refuses all others.

    A free place goes to the tenant that has the fewest requests inside, in turn among equals. The
    last eighth of the places is for tenants below an equal share of all: one that sends too much
    leaves them free, whoever else is there. Where the queue is full, a newcomer takes the place of
    the last one of the tenant that has the most under way, if that is more than its own will be.
    So a tenant that sends too much waits behind itself, and its queue keeps nobody out. What is
    inside already is never sent away: against streams that last for minutes, the bound is the
    tenant's own `at_once`.

    It belongs to one event loop. Nothing in it is awaited where there is a place.

    Args:
        most: So many are inside at once.
        waiting: So many may wait.
        patience_s: So long each of them waits at most. It is part of what a client waits for a
            refusal: a tenth of a second keeps that short.

    Raises:
        UsageError: Nobody would ever get in.

    Example:
        >>> async def served() -> int:
        ...     admission = Admission(most=2, waiting=8, patience_s=0.1)
        ...     async with admission.enter(Tenant("acme")):
        ...         return admission.inside
        >>> anyio.run(served)
        1
    """

    __slots__ = (
        "_inside",
        "_most",
        "_patience_s",
        "_queues",
        "_shed",
        "_under_way",
        "_waiting",
        "inside",
        "queued",
    )

    def __init__(self, most: int, waiting: int, patience_s: float) -> None:
        if most < 1 or waiting < 0 or not 0 <= patience_s < math.inf:
            raise UsageError("admission needs room for one request and a finite patience")
        self._most = most
        self._waiting = waiting
        self._patience_s = patience_s
        self.inside = 0
        """Requests that have a place."""
        self.queued = 0
        """Requests that wait for one."""
        # INVARIANT: no tenant stands in any of these with nothing, and nobody waits who may have a
        # place. Whose turn it is among equals says the order of the queues.
        self._inside: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._under_way: Counter[str] = Counter()
        """Inside or in the queue."""
        self._shed: dict[Reason, int] = {"overloaded": 0, "patience": 0, "too_many_at_once": 0}

    @property
    def shed(self) -> Mapping[Reason, int]:
        """How many were refused, by reason: exactly the faults that were raised."""
        return dict(self._shed)

    def enter(self, tenant: Tenant) -> AbstractAsyncContextManager[None]:
        """A place for one request, given back at the end whatever happens.

        Raises:
            Fault: 503 `overloaded`, or 429 `too_many_at_once` where the tenant has its share under
                way already, what waits included. Both say `retry-after`.
        """
        return self._entered(tenant)

    @asynccontextmanager
    async def _entered(self, tenant: Tenant) -> AsyncIterator[None]:
        name = tenant.name
        if tenant.at_once is not None and self._under_way[name] >= tenant.at_once:
            raise self._refused("too_many_at_once")
        if self._may_have_place(name):
            self._under_way[name] += 1
            self._take(name)
        elif self.queued < self._waiting or self._makes_room_for(name):
            self._under_way[name] += 1
            await self._wait(name)
        else:
            raise self._refused("overloaded")
        # No await between the taking and the try: a cancellation cannot come in between.
        try:
            yield
        finally:
            self._leave(name)

    # --- places

    def _may_have_place(self, name: str) -> bool:
        free = self._most - self.inside
        if free <= 0:
            return False
        # Without keys there is one tenant, and nobody to keep a place for.
        if not name or free > self._most // _KEPT:
            return True
        sharers = max(len(self._under_way), 2)  # one of them may be yet to come
        return self._inside[name] * sharers < self._most

    def _take(self, name: str) -> None:
        self.inside += 1
        self._inside[name] += 1

    def _leave(self, name: str) -> None:
        """Give a place back, to whoever is next."""
        self.inside -= 1
        _count_down(self._inside, name)
        _count_down(self._under_way, name)
        self._fill()

    def _fill(self) -> None:
        """Give away places as long as somebody waits who may have one."""
        while self._queues:
            # `min` takes the first of equals: who was served last stands at the end. Who has more
            # inside may not have a place where this one may not.
            following = min(self._queues, key=self._inside.__getitem__)
            if not self._may_have_place(following):
                return
            self._queues.move_to_end(following)
            waiter = self._queues[following][0]
            self._dequeue(following, waiter)
            waiter.state = "inside"
            self._take(following)  # on its behalf: the place is never free in between
            waiter.turn.set()

    # --- the queue

    async def _wait(self, name: str) -> None:
        """Come back with a place, or as one that is not under way any more."""
        waiter = _Waiter()
        self._queues.setdefault(name, deque()).append(waiter)
        self.queued += 1
        try:
            with anyio.move_on_after(self._patience_s):
                await waiter.turn.wait()
        except BaseException:
            if waiter.state == "inside":
                # The place came together with the cancellation: it goes on to the next.
                self._leave(name)
            elif waiter.state == "waiting":
                self._give_up(name, waiter)
            raise
        if waiter.state == "waiting":
            self._give_up(name, waiter)
            raise self._refused("patience")
        if waiter.state == "shed":
            raise self._refused("overloaded")

    def _makes_room_for(self, name: str) -> bool:
        """Whether another tenant had to give up a place in the queue."""
        if not self._queues:
            return False
        largest = max(self._queues, key=self._under_way.__getitem__)
        if self._under_way[largest] <= self._under_way[name] + 1:
            return False
        waiter = self._queues[largest][-1]
        self._dequeue(largest, waiter)
        _count_down(self._under_way, largest)
        waiter.state = "shed"
        waiter.turn.set()
        return True

    def _give_up(self, name: str, waiter: _Waiter) -> None:
        self._dequeue(name, waiter)
        _count_down(self._under_way, name)
        self._fill()  # with one tenant less, the share of the others is larger

    def _dequeue(self, name: str, waiter: _Waiter) -> None:
        queue = self._queues[name]
        queue.remove(waiter)
        self.queued -= 1
        if not queue:
            del self._queues[name]

    def _refused(self, reason: Reason) -> Fault:
        self._shed[reason] += 1
        soon = (("retry-after", "1"),)
        if reason == "too_many_at_once":
            return Fault(429, reason, "too many requests are under way for this key", soon)
        return Fault(503, "overloaded", "the server is busy: try again soon", soon)


def _count_down(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]


# --- who is blocked too often


class _Series(NamedTuple):
    """How often somebody was blocked since when."""

    began: float
    blocked: int


class Denials:
    """How often each principal was blocked in its minute, and who has to wait for the next one.

    A minute begins with the first block in it. Whoever is blocked more than so many times is over
    until it ends: one after the other, no 60 seconds see more than twice that, and two. Principals
    are known by a keyed hash, and no more than a fixed number of them: beyond it, those of the
    tenant that has the most are forgotten first, the oldest ones among them. So no tenant drives
    out another's.

    Args:
        per_minute: So many blocks in a minute are no reason.
        most: So many principals are kept.
        clock: Seconds that only ever grow.

    Example:
        >>> denials = Denials(1, clock=lambda: 40.0)
        >>> for _ in range(2):
        ...     denials.note("acme", "192.0.2.7")
        >>> denials.over("acme", "192.0.2.7"), denials.over("acme", "192.0.2.8")
        (60.0, None)
    """

    __slots__ = ("_clock", "_key", "_most", "_number", "_per_minute", "_tables")

    def __init__(
        self,
        per_minute: int,
        *,
        most: int = MOST_PRINCIPALS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_minute < 0 or most < 1:
            raise UsageError("a budget of denials is a number from 0 on, kept for somebody")
        self._per_minute = per_minute
        self._most = most
        self._clock = clock
        self._key = secrets.token_bytes(32)
        # INVARIANT: each table is in the order in which its minutes began, and none is empty.
        self._tables: dict[str, OrderedDict[bytes, _Series]] = {}
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def note(self, tenant: str, principal: str) -> None:
        """Somebody was blocked."""
        now = self._clock()
        key = self._hashed(principal)
        table = self._tables.get(tenant)
        series = table.get(key) if table else None
        if table is not None and series is not None and now - series.began < MINUTE_S:
            table[key] = _Series(series.began, series.blocked + 1)
            return
        if table is not None:
            self._forget_old(tenant, table, now)
        if self._number >= self._most:
            self._make_room(now)
        self._tables.setdefault(tenant, OrderedDict())[key] = _Series(now, 1)
        self._number += 1

    def over(self, tenant: str, principal: str) -> float | None:
        """The seconds for which somebody has to wait; None for who may go on."""
        table = self._tables.get(tenant)
        series = table.get(self._hashed(principal)) if table else None
        if series is None or series.blocked <= self._per_minute:
            return None
        left = series.began + MINUTE_S - self._clock()
        return left if left > 0 else None

    def _hashed(self, principal: str) -> bytes:
        text = network_of(principal).encode("utf-8", "surrogatepass")
        return blake2b(text, digest_size=16, key=self._key).digest()

    def _forget_old(self, tenant: str, table: OrderedDict[bytes, _Series], now: float) -> None:
        """Those whose minute is over: they stand first."""
        while table and now - next(iter(table.values())).began >= MINUTE_S:
            self._forget_first(tenant, table)

    def _forget_first(self, tenant: str, table: OrderedDict[bytes, _Series]) -> None:
        table.popitem(last=False)
        self._number -= 1
        if not table:
            del self._tables[tenant]

    def _make_room(self, now: float) -> None:
        for tenant, table in list(self._tables.items()):
            self._forget_old(tenant, table, now)
        wanted = self._most - max(self._most // _DROPPED_AT_ONCE, 1)
        while self._number > wanted:
            tenant = max(self._tables, key=lambda name: len(self._tables[name]))
            table = self._tables[tenant]
            for _ in range(min(self._number - wanted, max(len(table) // _DROPPED_AT_ONCE, 1))):
                self._forget_first(tenant, table)


def network_of(principal: str) -> str:
    """What counts as one principal: of an IPv6 address the /64 that one line has all to itself.

    Example:
        >>> network_of("2001:db8:1:2:3:4:5:6"), network_of("::ffff:192.0.2.7"), network_of("s-17")
        ('2001:db8:1:2::', '192.0.2.7', 's-17')
    """
    # Most are IPv4, or the word for a session: neither has to be parsed.
    if principal.count(":") < 2 or len(principal) > 64:
        return principal
    try:
        address: IPv4Address | IPv6Address = ip_address(principal.partition("%")[0])
    except ValueError:
        return principal
    if isinstance(address, IPv4Address):
        return principal
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))
