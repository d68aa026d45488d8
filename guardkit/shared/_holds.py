"""The queue of held texts that replicas share: each text is decided once, whoever is asked."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import anyio

from guardkit.errors import CheckError, UsageError
from guardkit.runtime import (
    MOST_DECIDED,
    MOST_HELD_CHARS,
    MOST_WAITING,
    Bells,
    Decision,
    Hold,
    HoldState,
    Workers,
    fresh_hold,
    known_hold_state,
    named_decider,
    shown_hold,
)

from ._keys import Keys
from ._link import Link, Script, reaching
from ._pulse import Pulse

POLL_S = 0.25
"""How often the server is asked what other replicas decided, while anybody waits."""
LOOK_S = 5.0
"""How often a task that waits looks for itself, should nothing wake it."""
MOST_LISTED = 1000

_BATCH = 100

# Of each text, a hash `hold:ID`: s state, t tenant, c created, d deadline, b the sealed text, z its
# size; once decided: x the sealed decision, a when, n whose it was. Sorted sets name the texts:
# `holds:all` by creation, `holds:due` those that wait by deadline, both also by tenant, and
# `holds:done` the others by the time of their decision. IDs are hashed, tenants too.
_COMMON = """
local p = ARGV[1]
local function drop(id)
    local hold = p .. 'hold:' .. id
    local kept = redis.call('HMGET', hold, 't', 'z')
    redis.call('DEL', hold)
    redis.call('ZREM', p .. 'holds:all', id)
    redis.call('ZREM', p .. 'holds:done', id)
    if kept[1] then redis.call('ZREM', p .. 'holds:all:' .. kept[1], id) end
    if kept[2] then redis.call('DECRBY', p .. 'holds:size', kept[2]) end
end
local function settle(id, state, at, most)
    local hold = p .. 'hold:' .. id
    redis.call('HSET', hold, 's', state, 'a', at)
    redis.call('ZREM', p .. 'holds:due', id)
    redis.call('ZREM', p .. 'holds:due:' .. redis.call('HGET', hold, 't'), id)
    redis.call('ZADD', p .. 'holds:done', at, id)
    local over = redis.call('ZCARD', p .. 'holds:done') - most
    if over > 0 then
        for _, old in ipairs(redis.call('ZRANGE', p .. 'holds:done', 0, over - 1)) do
            if old ~= id then drop(old) end
        end
    end
end
"""

_ADD = Script.of(
    _COMMON
    + """
local id, tenant, created, deadline = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local body, now = ARGV[6], ARGV[7]
local most_waiting, most_size = tonumber(ARGV[8]), tonumber(ARGV[9])
local hold = p .. 'hold:' .. id
if redis.call('EXISTS', hold) == 1 then return 1 end
local size = #body
if redis.call('ZCOUNT', p .. 'holds:due:' .. tenant, '(' .. now, '+inf') >= most_waiting then
    return 0
end
while tonumber(redis.call('GET', p .. 'holds:size') or 0) + size > most_size do
    local oldest = redis.call('ZRANGE', p .. 'holds:done', 0, 0)[1]
    if not oldest then return 0 end
    drop(oldest)
end
redis.call('HSET', hold, 's', 'waiting', 't', tenant, 'c', created, 'd', deadline, 'b', body,
    'z', size)
redis.call('INCRBY', p .. 'holds:size', size)
redis.call('ZADD', p .. 'holds:all', created, id)
redis.call('ZADD', p .. 'holds:all:' .. tenant, created, id)
redis.call('ZADD', p .. 'holds:due', deadline, id)
redis.call('ZADD', p .. 'holds:due:' .. tenant, deadline, id)
return 1
"""
)

_DECIDE = Script.of(
    _COMMON
    + """
local id, state, decision, now, own, most = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local hold = p .. 'hold:' .. id
local kept = redis.call('HMGET', hold, 's', 'd', 'n')
if not kept[1] then return false end
local took = 0
if kept[1] == 'waiting' and tonumber(now) < tonumber(kept[2]) then
    redis.call('HSET', hold, 'x', decision, 'n', own)
    settle(id, state, now, tonumber(most))
    took = 1
elseif kept[3] == own then
    took = 1
end
return {took, redis.call('HGETALL', hold)}
"""
)

_EXPIRE = Script.of(
    _COMMON
    + """
local found = {}
local late = redis.call('ZRANGEBYSCORE', p .. 'holds:due', '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(late) do
    local hold = p .. 'hold:' .. id
    settle(id, 'expired', redis.call('HGET', hold, 'd'), tonumber(ARGV[4]))
    found[#found + 1] = {id, redis.call('HGETALL', hold)}
end
return found
"""
)

_PRUNE = Script.of(
    _COMMON
    + """
local old = redis.call('ZRANGEBYSCORE', p .. 'holds:done', '-inf', '(' .. ARGV[2], 'LIMIT', 0,
    ARGV[3])
for _, id in ipairs(old) do drop(id) end
return #old
"""
)


class RedisHolds:
    """A queue that all replicas share; a `HoldQueue`. Texts and decisions lie there sealed.

    Every call waits for the server: keep them off an event loop. Times are those of the replicas,
    so their clocks have to agree.

    Args:
        link: The connection.
        keys: What seals texts and hides names.
        clock: Seconds since 1970.
        most_waiting: Texts of one tenant that may wait.
        most_decided: Decided texts that are kept.
        most_chars: What all of them may take, sealed.
        poll_s: How often `wait` learns what other replicas decided.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        *,
        clock: Callable[[], float] = time.time,
        most_waiting: int = MOST_WAITING,
        most_decided: int = MOST_DECIDED,
        most_chars: int = MOST_HELD_CHARS,
        poll_s: float = POLL_S,
    ) -> None:
        self._link = link
        self._keys = keys
        self._clock = clock
        self._most_waiting = most_waiting
        self._most_decided = max(1, most_decided)
        self._most_chars = most_chars
        self._bells = Bells()
        self._workers = Workers()
        self._pulse = Pulse(self._listen, poll_s)

    def __repr__(self) -> str:
        return "<RedisHolds>"

    def close(self) -> None:
        """Listen no more; the next `wait` begins again."""
        self._pulse.stop()

    def add(self, hold: Hold) -> str:
        """Have a text wait; its new id. Every replica knows it then.

        Raises:
            CheckError: The queue is full, or the shared state cannot be reached.
        """
        hold = fresh_hold(hold)
        facts = [
            hold.id,
            hold.tenant,
            hold.session,
            hold.policy,
            hold.rules,
            hold.surface,
            hold.tool,
            hold.approvers,
            hold.created,
            hold.deadline,
            hold.payload,
        ]
        name = self._name(hold.id)
        is_kept = self._link.call(
            _ADD,
            name,
            self._keys.name("tenant", hold.tenant),
            repr(hold.created),
            repr(hold.deadline),
            self._keys.seal(json.dumps(facts), "hold", name),
            repr(self._clock()),
            self._most_waiting,
            self._most_chars,
        )
        if not is_kept:
            raise CheckError("the queue of held texts is full")
        return hold.id

    def get(self, id: str) -> Hold | None:
        """What is held under an id."""
        with reaching():
            row = self._link.client.hgetall(self._key(self._name(id)))
        return self._hold(self._name(id), row) if row else None

    def list(
        self,
        *,
        state: HoldState | None = None,
        tenant: str | None = None,
        limit: int = MOST_LISTED,
    ) -> tuple[Hold, ...]:
        """What is held, in the order in which it came."""
        known_hold_state(state)
        found: list[Hold] = []
        names = self._named(state, tenant)
        for at in range(0, len(names), _BATCH):
            if len(found) >= limit:
                break
            batch = names[at : at + _BATCH]
            with reaching():
                pipe = self._link.client.pipeline(transaction=False)
                for name in batch:
                    pipe.hgetall(self._key(name))
                rows = pipe.execute()
            holds = [self._hold(name, row) for name, row in zip(batch, rows, strict=True) if row]
            found += [hold for hold in holds if state in (None, hold.state)]
        return tuple(sorted(found, key=lambda hold: (hold.created, hold.id))[:limit])

    def approve(self, id: str, by: str) -> Decision:
        """Let a waiting text be delivered."""
        return self._decide(id, "approved", by, "")

    def deny(self, id: str, by: str, reason: str = "") -> Decision:
        """Have a waiting text not delivered."""
        return self._decide(id, "denied", by, reason)

    def expire(self, now: float | None = None) -> tuple[Hold, ...]:
        """Write down what came to its deadline; each is given back by one call only."""
        now = self._clock() if now is None else now
        late: list[Hold] = []
        while True:
            rows = self._link.call(_EXPIRE, repr(now), _BATCH, self._most_decided)
            late += [self._hold(name.decode(), _mapping(row)) for name, row in rows]
            if len(rows) < _BATCH:
                break
        for hold in late:
            self._bells.ring(hold.id)
        return tuple(late)

    def prune(self, before: float) -> int:
        """Drop what was decided before that time, texts included; how many."""
        count = 0
        while dropped := int(self._link.call(_PRUNE, repr(before), _BATCH)):
            count += dropped
        return count

    async def wait(self, id: str) -> Hold:
        """Wait until a text is decided or expires, here or at another replica.

        A server that cannot be reached for a while is waited for, until the deadline at most.

        Raises:
            UsageError: Nothing is held under this id.
            CheckError: Nobody can say what became of it. It must not be delivered.
        """
        deadline: float | None = None
        while True:
            with self._bells.heard(id) as signal:  # before the look: no decision falls in between
                try:
                    hold = await self._workers.run(self.get, id)
                except CheckError:
                    if deadline is None or self._clock() >= deadline:
                        raise
                else:
                    if hold is None:
                        raise UsageError("nothing is held under this id")
                    if hold.state != "waiting":
                        return hold
                    deadline = hold.deadline
                self._pulse.start()
                with anyio.move_on_after(min(deadline - self._clock(), LOOK_S)):
                    await signal.wait()

    # --- inside

    def _listen(self) -> bool:
        """Wake those who wait for what is decided by now, in a thread; whether anybody waits."""
        ids = self._bells.ids()
        if not ids:
            return False
        with reaching():
            pipe = self._link.client.pipeline(transaction=False)
            for id in ids:
                pipe.hget(self._key(self._name(id)), "s")
            states = pipe.execute()
        for id, state in zip(ids, states, strict=True):
            if state != b"waiting":
                self._bells.ring(id)
        return True

    def _decide(self, id: str, state: HoldState, by: str, reason: str) -> Decision:
        named_decider(by)
        name = self._name(id)
        decision = self._keys.seal(json.dumps([state, by, reason]), "decision", name)
        answer = self._link.call(
            _DECIDE,
            name,
            state,
            decision,
            repr(self._clock()),
            secrets.token_hex(16),
            self._most_decided,
        )
        if answer is None:
            return Decision(False, None)
        took, row = answer
        if took:
            self._bells.ring(id)
        return Decision(bool(took), self._hold(name, _mapping(row)))

    def _named(self, state: HoldState | None, tenant: str | None) -> Sequence[str]:
        """The hidden ids of what may be in a state, in the order in which it came."""
        whose = "" if tenant is None else f":{self._keys.name('tenant', tenant)}"
        everything = f"{self._link.prefix}holds:all{whose}"
        due = f"{self._link.prefix}holds:due{whose}"
        with reaching():
            client = self._link.client
            names: list[bytes] = client.zrange(everything, 0, -1)
            if state is not None:
                waiting = frozenset(client.zrangebyscore(due, f"({self._clock()!r}", "+inf"))
                names = [name for name in names if (name in waiting) is (state == "waiting")]
        return [name.decode() for name in names]

    def _hold(self, name: str, row: Mapping[bytes, bytes]) -> Hold:
        facts = json.loads(self._keys.unseal(row[b"b"], "hold", name))
        id, tenant, session, policy, rules, surface, tool, approvers, *rest = facts
        created, deadline, payload = rest
        state: Any = row[b"s"].decode()
        said, by, reason = state, None, ""
        if b"x" in row:
            said, by, reason = json.loads(self._keys.unseal(row[b"x"], "decision", name))
        # INVARIANT: nobody approves without the key, not even who may write to the server.
        if said != state or (state in ("approved", "denied") and by is None):
            raise CheckError("a held text was changed by somebody who has not the key")
        hold = Hold(
            id=id,
            tenant=tenant,
            session=session,
            policy=policy,
            rules=tuple(rules),
            surface=surface,
            tool=tool,
            approvers=tuple(approvers),
            created=created,
            deadline=deadline,
            state=state,
            decided_by=by,
            decided_at=float(row[b"a"]) if b"a" in row else None,
            reason=reason,
            payload=payload,
        )
        return shown_hold(hold, self._clock())

    def _name(self, id: str) -> str:
        return self._keys.name("hold", id)

    def _key(self, name: str) -> str:
        return f"{self._link.prefix}hold:{name}"


def _mapping(flat: Sequence[bytes]) -> Mapping[bytes, bytes]:
    pairs: Iterator[bytes] = iter(flat)
    return dict(zip(pairs, pairs, strict=True))
