"""Texts that wait for somebody's approval, each decided once, in memory or in a file that lasts."""

from __future__ import annotations

import heapq
import json
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import CheckError, UsageError

from ._hold import (
    MOST_LISTED,
    Bells,
    Decision,
    Hold,
    HoldState,
    fresh_hold,
    known_hold_state,
    named_decider,
    shown_hold,
    when_decided,
)

if TYPE_CHECKING:
    from ._holds_sqlite import Row, Store

MOST_WAITING = 10_000
"""Texts of one tenant that may wait."""
MOST_DECIDED = 10_000
"""Decided texts that a queue in memory keeps; beyond them the first decided is dropped."""
MOST_CHARS = 1 << 28
"""What all texts of a queue in memory may take."""
POLL_S = 1.0
"""How often a file is asked whether another process decided."""


class MemoryHolds:
    """A queue that ends with its process.

    Args:
        clock: Seconds since 1970.
        most_waiting: Texts of one tenant that may wait.
        most_decided: Decided texts that are kept.
        most_chars: What all of them may take.

    Example:
        >>> MemoryHolds()
        <MemoryHolds: 0 waiting>
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        most_waiting: int = MOST_WAITING,
        most_decided: int = MOST_DECIDED,
        most_chars: int = MOST_CHARS,
    ) -> None:
        self._clock = clock
        self._most_waiting = most_waiting
        self._most_decided = most_decided
        self._most_chars = most_chars
        self._bells = Bells()
        self._lock = threading.RLock()
        self._holds: dict[str, Hold] = {}
        self._decided: OrderedDict[str, None] = OrderedDict()
        self._waiting: Counter[str] = Counter()
        self._deadlines: list[tuple[float, str]] = []
        self._size = 0
        renewed_after_fork(self)

    def __repr__(self) -> str:
        return f"<MemoryHolds: {self._waiting.total()} waiting>"

    def add(self, hold: Hold) -> str:
        """Have a text wait; its new id.

        Raises:
            CheckError: The queue is full.
        """
        hold = fresh_hold(hold)
        self.expire()
        with self._lock:
            size = len(hold.payload)
            while self._decided and self._size + size > self._most_chars:
                self._drop(next(iter(self._decided)))
            if (
                self._waiting[hold.tenant] >= self._most_waiting
                or self._size + size > self._most_chars
            ):
                raise CheckError("the queue of held texts is full")
            self._holds[hold.id] = hold
            self._waiting[hold.tenant] += 1
            self._size += size
            heapq.heappush(self._deadlines, (hold.deadline, hold.id))
        return hold.id

    def get(self, id: str) -> Hold | None:
        """What is held under an id."""
        hold = self._holds.get(id)
        return None if hold is None else shown_hold(hold, self._clock())

    def list(
        self, *, state: HoldState | None = None, tenant: str | None = None, limit: int = MOST_LISTED
    ) -> tuple[Hold, ...]:
        """What is held, in the order in which it came."""
        known_hold_state(state)
        now = self._clock()
        with self._lock:
            holds = [shown_hold(hold, now) for hold in self._holds.values()]
        wanted = [
            hold for hold in holds if state in (None, hold.state) and tenant in (None, hold.tenant)
        ]
        return tuple(sorted(wanted, key=lambda hold: (hold.created, hold.id))[:limit])

    def approve(self, id: str, by: str) -> Decision:
        """Let a waiting text be delivered."""
        return self._decide(id, "approved", by, "")

    def deny(self, id: str, by: str, reason: str = "") -> Decision:
        """Have a waiting text not delivered."""
        return self._decide(id, "denied", by, reason)

    def expire(self, now: float | None = None) -> tuple[Hold, ...]:
        """Write down what came to its deadline; each is given back by one call only."""
        now = self._clock() if now is None else now
        late: dict[str, Hold] = {}
        with self._lock:
            while self._deadlines and self._deadlines[0][0] <= now:
                _, id = heapq.heappop(self._deadlines)
                hold = self._holds.get(id)
                if hold is not None and hold.state == "waiting":
                    late[id] = self._settle(shown_hold(hold, now))
        for id in late:
            self._bells.ring(id)
        return tuple(late.values())

    def prune(self, before: float) -> int:
        """Drop what was decided before that time, texts included; how many."""
        with self._lock:
            old = [id for id in self._decided if (self._holds[id].decided_at or 0.0) < before]
            for id in old:
                self._drop(id)
        return len(old)

    async def wait(self, id: str) -> Hold:
        """Wait until a text is decided or expires; the decision itself wakes the task.

        Raises:
            UsageError: Nothing is held under this id.
        """
        return await when_decided(self, self._bells, id, self._clock, float("inf"))

    def _decide(self, id: str, state: HoldState, by: str, reason: str) -> Decision:
        named_decider(by)
        now = self._clock()
        with self._lock:
            hold = self._holds.get(id)
            if hold is None:
                return Decision(False, None)
            hold = shown_hold(hold, now)
            if hold.state != "waiting":
                return Decision(False, hold)
            hold = self._settle(
                replace(hold, state=state, decided_by=by, decided_at=now, reason=reason)
            )
        self._bells.ring(id)
        return Decision(True, hold)

    def _settle(self, hold: Hold) -> Hold:
        self._holds[hold.id] = hold
        self._decided[hold.id] = None
        self._waiting[hold.tenant] -= 1
        if not self._waiting[hold.tenant]:
            del self._waiting[hold.tenant]
        while len(self._decided) > self._most_decided:
            self._drop(next(iter(self._decided)))
        return hold

    def _drop(self, id: str) -> None:
        del self._decided[id]
        self._size -= len(self._holds.pop(id).payload)

    def _renew(self) -> None:
        self._lock = threading.RLock()


class SqliteHolds:
    """A queue in a file: what was added or decided is on disk before the call returns.

    Any number of threads and processes may use the file, each through an object of its own. It is
    opened by the first call, or by `open`. Adding and deciding wait for the disk: keep them off an
    event loop.

    Args:
        path: The file, on a disk of this machine; it is made where there is none.
        clock: Seconds since 1970.
        most_waiting: Texts of one tenant that may wait.
        seal: Encrypts a payload before it is written; without it the file holds plain text.
        unseal: Decrypts it again.
        poll_s: How often `wait` looks for what another process decided.
        busy_s: How long to wait for other processes to finish writing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], float] = time.time,
        most_waiting: int = MOST_WAITING,
        seal: Callable[[str], str] | None = None,
        unseal: Callable[[str], str] | None = None,
        poll_s: float = POLL_S,
        busy_s: float = 5.0,
    ) -> None:
        if (seal is None) != (unseal is None):
            raise UsageError("`seal` and `unseal` belong together")
        self._path = path
        self._clock = clock
        self._most_waiting = most_waiting
        self._seal = seal
        self._unseal = unseal
        self._poll_s = poll_s
        self._busy_s = busy_s
        self._bells = Bells()
        self._kept: Store | None = None

    def __repr__(self) -> str:
        return f"<SqliteHolds {os.fspath(self._path)!r}>"

    @property
    def _store(self) -> Store:
        if self._kept is None:
            from ._holds_sqlite import Store  # most guards hold nothing, and load no database

            with self._bells.lock:
                if self._kept is None:
                    self._kept = Store(self._path, self._busy_s)
        return self._kept

    def open(self) -> None:
        """Open the file now, to learn early whether it can be used.

        Raises:
            BindError: It cannot, and why.
        """
        self._store.open()

    def close(self) -> None:
        """Close the file; another call opens it again."""
        if self._kept is not None:
            self._kept.close()

    def __enter__(self) -> SqliteHolds:
        self.open()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def add(self, hold: Hold) -> str:
        """Have a text wait; its new id. It is on disk then.

        Raises:
            BindError: The file cannot be used.
            CheckError: The queue is full, or cannot be written.
        """
        hold = fresh_hold(hold)
        if not self._store.insert(self._row(hold), self._clock(), self._most_waiting):
            raise CheckError("the queue of held texts is full")
        return hold.id

    def get(self, id: str) -> Hold | None:
        """What is held under an id."""
        row = self._store.get(_spelled(id))
        return None if row is None else self._hold(row)

    def list(
        self, *, state: HoldState | None = None, tenant: str | None = None, limit: int = MOST_LISTED
    ) -> tuple[Hold, ...]:
        """What is held, in the order in which it came."""
        known_hold_state(state)
        whose = None if tenant is None else _spelled(tenant)
        return tuple(map(self._hold, self._store.select(state, whose, self._clock(), limit)))

    def approve(self, id: str, by: str) -> Decision:
        """Let a waiting text be delivered."""
        return self._decide(id, "approved", by, "")

    def deny(self, id: str, by: str, reason: str = "") -> Decision:
        """Have a waiting text not delivered."""
        return self._decide(id, "denied", by, reason)

    def expire(self, now: float | None = None) -> tuple[Hold, ...]:
        """Write down what came to its deadline; each is given back by one call only."""
        now = self._clock() if now is None else now
        late = tuple(shown_hold(self._hold(row), now) for row in self._store.expire(now))
        for hold in late:
            self._bells.ring(hold.id)
        return late

    def prune(self, before: float) -> int:
        """Delete what was decided before that time, texts included; how many."""
        return self._store.prune(before)

    async def wait(self, id: str) -> Hold:
        """Wait until a text is decided or expires.

        What is decided through this object wakes the task; for the rest the file is asked.

        Raises:
            UsageError: Nothing is held under this id.
        """
        return await when_decided(self, self._bells, id, self._clock, self._poll_s)

    def _decide(self, id: str, state: HoldState, by: str, reason: str) -> Decision:
        named_decider(by)
        decision = json.dumps([by, reason])
        took, row = self._store.decide(_spelled(id), state, decision, self._clock())
        if took:
            self._bells.ring(id)
        return Decision(took, None if row is None else self._hold(row))

    def _row(self, hold: Hold) -> Row:
        from ._holds_sqlite import Row

        facts = [hold.session, hold.policy, hold.rules, hold.surface, hold.tool, hold.approvers]
        payload = hold.payload if self._seal is None else self._seal(hold.payload)
        return Row(
            hold.id,
            _spelled(hold.tenant),
            hold.state,
            hold.created,
            hold.deadline,
            json.dumps(facts),
            payload.encode("utf-8", "surrogatepass"),
            self._seal is not None,
            None,
            json.dumps([None, ""]),
        )

    def _hold(self, row: Row) -> Hold:
        session, policy, rules, surface, tool, approvers = json.loads(row.facts)
        by, reason = json.loads(row.decision)
        state: Any = row.state
        hold = Hold(
            id=row.id,
            tenant=json.loads(f'"{row.tenant}"'),
            session=session,
            policy=policy,
            rules=tuple(rules),
            surface=surface,
            tool=tool,
            approvers=tuple(approvers),
            created=row.created,
            deadline=row.deadline,
            state=state,
            decided_by=by,
            decided_at=row.decided_at,
            reason=reason,
            payload=self._payload(row),
        )
        return shown_hold(hold, self._clock())

    def _payload(self, row: Row) -> str:
        payload = row.payload.decode("utf-8", "surrogatepass")
        if not row.is_sealed:
            return payload
        if self._unseal is None:
            raise UsageError("the held texts are sealed: pass `unseal`")
        try:
            return self._unseal(payload)
        except Exception as error:  # noqa: BLE001 - what a cipher says may quote what it was given
            raise UsageError(f"a held text cannot be unsealed: {type(error).__name__}") from None


def _spelled(text: str) -> str:
    """One spelling in ASCII for every text, since SQLite takes no lone surrogates."""
    return json.dumps(text)[1:-1]
