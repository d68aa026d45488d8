"""Pseudonyms: what stands for a real value in one session, and the way back in that session only.

A pseudonym is `[CARD_1]`: the label, and a number that stays with the value for as long as the
session lives. Sessions of other names and of other tenants have numbers and values of their own.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import islice
from time import monotonic
from typing import Literal, NoReturn, overload

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import UsageError

DAY_S = 86_400.0
MOST_SESSIONS = 100_000
"""Sessions kept at once; beyond them the tenant with the most loses the one idle longest."""
MOST_VALUES = 10_000
"""Values kept of one session; beyond them the oldest is forgotten."""
MOST_CHARS = 1 << 26
"""What all values together may take; one session may take an eighth of it."""
HASH_BYTES = 8

_ENTRY = 128
"""What an entry takes besides its characters."""
_LONGEST_LABEL = 64
_OUTSIDE_LABELS = re.compile(r"[^\w.-]+")
_SHAPED = re.compile(r"\[[\w.-]{3,80}\]")
"""Whatever may be a pseudonym. It holds no second bracket, so two of them never overlap."""
_SHAPED_IN_JSON = re.compile(r"\[[\w.\\-]{3,400}\]")
"""The same in a JSON text, where a letter may be written `\\u00c4`."""
_NUMBERED = re.compile(r"\[[\w.-]{1,64}_[0-9]{1,12}\]")

Key = tuple[str, str]
"""(tenant, session)."""


def hashed(key: bytes, label: str, value: str) -> str:
    """What stands for a value where a policy says `as hash`: 16 hex digits that need the key.

    Args:
        key: Up to 64 secret bytes.
        label: The same value under another label has another hash.
        value: The value.

    Example:
        >>> hashed(b"k", "CARD", "4111") == hashed(b"k", "CARD", "4111") != hashed(b"q", "CARD", "")
        True
    """
    told = f"{label}\0{value}".encode("utf-8", "surrogatepass")
    return blake2b(told, key=key, digest_size=HASH_BYTES).hexdigest()


class _Session:
    """What one session knows."""

    __slots__ = ("counts", "is_crowded", "reserved", "size", "tokens", "used", "values")

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
        self.used = 0.0

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

    def drop_oldest(self) -> None:
        token = next(iter(self.values))
        known = self.values.pop(token)
        del self.tokens[known]
        self.size -= len(known[1]) + _ENTRY


class _Tenant:
    """The sessions of one tenant, the one idle longest first."""

    __slots__ = ("sessions", "size")

    def __init__(self) -> None:
        self.sessions: OrderedDict[Key, None] = OrderedDict()
        self.size = 0


class Vault:
    """Keeps real values apart from their pseudonyms, by tenant and session, for a limited time.

    It may be used from any number of threads. What it keeps never leaves this process: it cannot
    be copied or serialised, and its repr counts only.

    Args:
        ttl_s: A session is forgotten so long after its last use.
        clock: Seconds that never go back.
        max_sessions: Sessions kept at once.
        max_values: Values kept of one session.
        max_chars: Characters kept in all; an entry counts 128 besides its own.

    Example:
        >>> vault = Vault()
        >>> vault.token("", "s1", "CARD", "4111 1111 1111 1111")
        '[CARD_1]'
        >>> vault.restore("", "s1", "your card [CARD_1]")
        'your card 4111 1111 1111 1111'
        >>> vault.restore("", "s2", "your card [CARD_1]")
        'your card [CARD_1]'
    """

    def __init__(
        self,
        ttl_s: float = DAY_S,
        clock: Callable[[], float] = monotonic,
        max_sessions: int = MOST_SESSIONS,
        max_values: int = MOST_VALUES,
        max_chars: int = MOST_CHARS,
    ) -> None:
        if min(max_sessions, max_values, max_chars) < 1 or not ttl_s > 0:
            raise UsageError("the limits of a vault have to be positive")
        self._ttl_s = ttl_s
        self._clock = clock
        self._max_sessions = max_sessions
        self._max_values = max_values
        self._max_chars = max_chars
        self._max_share = max(1, max_chars // 8)
        self._lock = threading.Lock()
        self._sessions: OrderedDict[Key, _Session] = OrderedDict()
        """The one idle longest first. INVARIANT: this and `_tenants` name the same sessions."""
        self._tenants: dict[str, _Tenant] = {}
        self._size = 0
        renewed_after_fork(self)

    def __repr__(self) -> str:
        values = sum(len(session.values) for session in list(self._sessions.values()))
        return f"<Vault: {values} pseudonyms in {len(self._sessions)} sessions>"

    def __len__(self) -> int:
        """How many sessions are kept."""
        return len(self._sessions)

    def __reduce__(self) -> NoReturn:
        raise UsageError("a vault cannot be copied or serialised: its values stay in this process")

    def token(self, tenant: str, session: str, label: str, value: str) -> str:
        """The pseudonym of a value; the same one for as long as the session keeps it.

        Args:
            tenant: Whose session it is.
            session: The session.
            label: What kind of value it is. Brackets and blanks in it become `_`.
            value: The value.
        """
        label = _OUTSIDE_LABELS.sub("_", label)[:_LONGEST_LABEL] or "_"
        known = (label, value)
        with self._lock:
            kept = self._use((tenant, session))
            token = kept.tokens.get(known)
            if token is not None:
                return token
            token = kept.number(label)
            size = len(value) + _ENTRY
            if size > self._max_share:
                return token  # too large to keep: it stays what it is, and is never given back
            while kept.values and (
                len(kept.values) >= self._max_values or kept.size + size > self._max_share
            ):
                before = kept.size
                kept.drop_oldest()
                self._grow(tenant, kept.size - before)
            kept.tokens[known] = token
            kept.values[token] = known
            kept.size += size
            self._grow(tenant, size)
            self._make_room((tenant, session))
            return token

    def reserve(self, tenant: str, session: str, text: str) -> None:
        """Note what looks like a pseudonym in a text of the session, so that none becomes one.

        Call it with every text that comes in, before values of it get pseudonyms: else `[CARD_1]`
        that a user typed could not be told from the one that stands for a card.
        """
        if "[" not in text:
            return
        found = set(islice((hit[0] for hit in _NUMBERED.finditer(text)), self._max_values + 1))
        if not found:
            return
        with self._lock:
            kept = self._use((tenant, session))
            if kept.is_crowded:
                return
            fresh = [token for token in found - kept.reserved if token not in kept.values]
            size = sum(map(len, fresh)) + len(fresh) * _ENTRY
            count = len(kept.reserved) + len(fresh)
            if count > self._max_values or kept.size + size > self._max_share:
                size = -sum(len(token) + _ENTRY for token in kept.reserved)
                kept.is_crowded = True
                kept.reserved = set()
            else:
                kept.reserved.update(fresh)
            kept.size += size
            self._grow(tenant, size)
            self._make_room((tenant, session))

    def restore(self, tenant: str, session: str, text: str, *, as_json: bool = False) -> str:
        """The text with the session's pseudonyms replaced by what they stand for, once.

        Args:
            tenant: Whose session it is.
            session: The session.
            text: Any text. What looks like a pseudonym and is none of this session's stays.
            as_json: The text is JSON, so the values are written as JSON strings need it.
        """
        if "[" not in text:
            return text
        if not as_json:
            wanted = set(_SHAPED.findall(text))
            values = self._values((tenant, session), wanted) if wanted else {}
            return _replaced(text, values, as_json=False) if values else text
        return self.restorer(tenant, session, as_json=True).restore(text)

    def restored(self, tenant: str, session: str, value: object) -> object:
        """Plain data with the pseudonyms in its strings replaced; names of fields stay."""
        if isinstance(value, str):
            return self.restore(tenant, session, value)
        if isinstance(value, Mapping):
            return {key: self.restored(tenant, session, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.restored(tenant, session, inner) for inner in value]
        return value

    def restorer(self, tenant: str, session: str, *, as_json: bool = False) -> Restorer:
        """Restores a text that comes in pieces.

        It knows the pseudonyms given out so far. Those that a rule puts into the very text it
        restores come later, and stay: else no rule could keep a value from a reply.
        """
        with self._lock:
            kept = self._use((tenant, session), must_exist=True)
            tokens = tuple(kept.values) if kept is not None else ()
        return Restorer(self, (tenant, session), tokens, as_json=as_json)

    def forget(self, tenant: str, session: str) -> None:
        """The session is over; its values are dropped now."""
        with self._lock:
            if (tenant, session) in self._sessions:
                self._drop((tenant, session))

    def forget_all(self) -> None:
        """Every session is over."""
        with self._lock:
            self._sessions.clear()
            self._tenants.clear()
            self._size = 0

    def expire(self) -> None:
        """Drop sessions that were idle too long; every other call does so too."""
        with self._lock:
            self._sweep(self._clock())

    # --- inside, under the lock

    def _values(self, key: Key, wanted: Iterable[str]) -> dict[str, str]:
        with self._lock:
            kept = self._use(key, must_exist=True)
            if kept is None:
                return {}
            return {token: kept.values[token][1] for token in wanted if token in kept.values}

    @overload
    def _use(self, key: Key) -> _Session: ...
    @overload
    def _use(self, key: Key, *, must_exist: Literal[True]) -> _Session | None: ...
    def _use(self, key: Key, *, must_exist: bool = False) -> _Session | None:
        """The session; its time to live begins anew."""
        now = self._clock()
        self._sweep(now)
        kept = self._sessions.get(key)
        if kept is None:
            if must_exist:
                return None
            if len(self._sessions) >= self._max_sessions:
                most = max(self._tenants.values(), key=lambda tenant: len(tenant.sessions))
                self._drop(next(iter(most.sessions)))
            kept = self._sessions[key] = _Session()
            self._tenants.setdefault(key[0], _Tenant()).sessions[key] = None
        kept.used = now
        self._sessions.move_to_end(key)
        self._tenants[key[0]].sessions.move_to_end(key)
        return kept

    def _sweep(self, now: float) -> None:
        while self._sessions:
            key, oldest = next(iter(self._sessions.items()))
            if now - oldest.used < self._ttl_s:
                return
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._sessions.pop(key)
        tenant = self._tenants[key[0]]
        del tenant.sessions[key]
        self._grow(key[0], -kept.size)
        if not tenant.sessions:
            del self._tenants[key[0]]

    def _grow(self, tenant: str, size: int) -> None:
        self._size += size
        self._tenants[tenant].size += size

    def _make_room(self, key: Key) -> None:
        """Forget sessions of the tenant that takes most, but never the one in use."""
        while self._size > self._max_chars:
            most = max(self._tenants.values(), key=lambda tenant: tenant.size)
            victims = (victim for victim in most.sessions if victim != key)
            victim = next(victims, None) or next(one for one in self._sessions if one != key)
            self._drop(victim)

    def _renew(self) -> None:
        """In a new process: a lock that another thread held would never be released."""
        if self._lock.locked():
            self._sessions.clear()
            self._tenants.clear()
            self._size = 0
        self._lock = threading.Lock()


class Restorer:
    """Puts real values back into a text that comes in pieces. No I/O, no clock.

    Only what may still become a pseudonym of the session is held back, so what comes out in all
    never depends on how the text was cut.

    Args:
        vault: The vault.
        key: Tenant and session.
        tokens: The pseudonyms to look for.
        as_json: The text is JSON.
    """

    __slots__ = ("_as_json", "_held", "_key", "_names", "_order", "_tokens", "_vault")

    def __init__(self, vault: Vault, key: Key, tokens: tuple[str, ...], *, as_json: bool) -> None:
        self._vault = vault
        self._key = key
        self._tokens = tokens
        self._as_json = as_json
        self._names: dict[str, str] = {}
        """How the text may spell a token -> the token; made when the first bracket comes."""
        self._order: list[str] = []
        self._held = ""

    def __repr__(self) -> str:
        return f"<Restorer of {len(self._tokens)} pseudonyms>"

    def __reduce__(self) -> NoReturn:
        raise UsageError("a restorer cannot be copied or serialised")

    def feed(self, chunk: str) -> str:
        """Take the next piece; give back what is settled."""
        if not self._held and "[" not in chunk:
            return chunk
        text = self._held + chunk
        at = text.rfind("[")
        if self._is_live(text[at:]):
            text, self._held = text[:at], text[at:]
        else:
            self._held = ""
        return self._given_back(text)

    def finish(self) -> str:
        """The text is over: what was held back, as it is."""
        rest, self._held = self._held, ""
        return rest

    def restore(self, text: str) -> str:
        """A whole text at once."""
        return self._given_back(text)

    def _is_live(self, tail: str) -> bool:
        """Whether a token may begin like this and go on."""
        if not self._tokens or "]" in tail:
            return False
        order = self._spelled()
        at = bisect_left(order, tail)
        return at < len(order) and order[at].startswith(tail)

    def _given_back(self, text: str) -> str:
        if not self._tokens or "[" not in text:
            return text
        self._spelled()
        shape = _SHAPED_IN_JSON if self._as_json else _SHAPED
        names = {name for name in shape.findall(text) if name in self._names}
        if not names:
            return text
        known = self._vault._values(self._key, {self._names[name] for name in names})
        values = {name: known[self._names[name]] for name in names if self._names[name] in known}
        return _replaced(text, values, as_json=self._as_json)

    def _spelled(self) -> list[str]:
        if not self._names:
            self._names = {token: token for token in self._tokens}
            if self._as_json:
                self._names |= {json.dumps(token)[1:-1]: token for token in self._tokens}
            self._order = sorted(self._names)
        return self._order


def _replaced(text: str, values: Mapping[str, str], *, as_json: bool) -> str:
    """One pass from left to right: what is put in is not looked at again."""
    if as_json:
        values = {name: json.dumps(value)[1:-1] for name, value in values.items()}
    shape = _SHAPED_IN_JSON if as_json else _SHAPED
    return shape.sub(lambda found: values.get(found[0], found[0]), text)
