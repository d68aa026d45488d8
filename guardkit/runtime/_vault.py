"""Pseudonyms: what stands for a real value in one session, and the way back in that session only.

A pseudonym is `[CARD_1]`: the label, and a number that stays with the value for as long as the
session lives. Sessions of other names and of other tenants have numbers and values of their own.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import islice
from time import monotonic
from typing import Any, NoReturn

from guardkit.errors import UsageError

from ._kept import ENTRY, Kept, KeptSession, Key

DAY_S = 86_400.0
MOST_SESSIONS = 100_000
"""Sessions kept at once; beyond them the tenant with the most loses the one idle longest."""
MOST_VALUES = 10_000
"""Values kept of one session; beyond them the oldest is forgotten."""
MOST_CHARS = 1 << 26
"""What all values together may take; one session may take an eighth of it."""
HASH_BYTES = 8

_LONGEST_LABEL = 64
_OUTSIDE_LABELS = re.compile(r"[^\w.-]+")
_SHAPED = re.compile(r"\[[\w.-]{3,80}\]")
"""Whatever may be a pseudonym. It holds no second bracket, so two of them never overlap."""
_SHAPED_IN_JSON = re.compile(r"\[[\w.\\-]{3,400}\]")
"""The same in a JSON text, where a letter may be written `\\u00c4`."""
_NUMBERED = re.compile(r"\[[\w.-]{1,64}_[0-9]{1,12}\]")


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


class Vault:
    """Keeps real values apart from their pseudonyms, by tenant and session, for a limited time.

    It may be used from any number of threads. It cannot be copied or serialised, and its repr
    counts only: what it keeps leaves this process by `memory_of` and in no other way.

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
        self._kept = Kept(clock, max_sessions, max_values, max_chars)

    def __repr__(self) -> str:
        sessions = list(self._kept.sessions.values())
        values = sum(len(session.values) for session in sessions)
        return f"<Vault: {values} pseudonyms in {len(sessions)} sessions>"

    def __len__(self) -> int:
        """How many sessions are kept."""
        return len(self._kept.sessions)

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
        all_kept = self._kept
        with all_kept.lock:
            kept = all_kept.use((tenant, session), self._ttl_s)
            token = kept.tokens.get((label, value))
            if token is not None:
                return token
            token = kept.number(label)
            size = len(value) + ENTRY
            if size > all_kept.max_share:
                return token  # too large to keep: it stays what it is, and is never given back
            while kept.values and (
                len(kept.values) >= all_kept.max_values or kept.size + size > all_kept.max_share
            ):
                before = kept.size
                kept.drop_oldest()
                all_kept.grow(tenant, kept.size - before)
            all_kept.grow(tenant, kept.put(token, label, value))
            all_kept.make_room((tenant, session))
            return token

    def reserve(self, tenant: str, session: str, text: str) -> None:
        """Note what looks like a pseudonym in a text of the session, so that none becomes one.

        Call it with every text that comes in, before values of it get pseudonyms: else `[CARD_1]`
        that a user typed could not be told from the one that stands for a card.
        """
        if "[" not in text:
            return
        all_kept = self._kept
        most = all_kept.max_values
        found = set(islice((hit[0] for hit in _NUMBERED.finditer(text)), most + 1))
        if not found:
            return
        with all_kept.lock:
            kept = all_kept.use((tenant, session), self._ttl_s)
            if kept.is_crowded:
                return
            fresh = [token for token in found - kept.reserved if token not in kept.values]
            size = sum(map(len, fresh)) + len(fresh) * ENTRY
            count = len(kept.reserved) + len(fresh)
            if count > most or kept.size + size > all_kept.max_share:
                size = -sum(len(token) + ENTRY for token in kept.reserved)
                kept.is_crowded = True
                kept.reserved = set()
            else:
                kept.reserved.update(fresh)
            kept.size += size
            all_kept.grow(tenant, size)
            all_kept.make_room((tenant, session))

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
            values = self.values((tenant, session), wanted) if wanted else {}
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
        with self._kept.lock:
            kept = self._kept.use((tenant, session), self._ttl_s, must_exist=True)
            tokens = tuple(kept.values) if kept is not None else ()
        return Restorer(self, (tenant, session), tokens, as_json=as_json)

    def forget(self, tenant: str, session: str) -> None:
        """The session is over; its values are dropped now."""
        with self._kept.lock:
            if (tenant, session) in self._kept.sessions:
                self._kept.drop((tenant, session))

    def forget_all(self) -> None:
        """Every session is over."""
        with self._kept.lock:
            self._kept.clear()

    def expire(self) -> None:
        """Drop sessions that were idle too long; every other call does so too."""
        with self._kept.lock:
            self._kept.sweep(self._kept.clock())

    # --- what another vault goes on with

    @property
    def hash_key(self) -> bytes:
        """The key of `hashed`; vaults that have it in common give the same hashes."""
        return self._kept.hash_key

    @hash_key.setter
    def hash_key(self, key: bytes) -> None:
        if not 16 <= len(key) <= 64:
            raise UsageError("a key for hashes has 16 to 64 bytes")
        self._kept.hash_key = bytes(key)

    def follow(self, old: Vault) -> None:
        """Go on with all that another vault keeps, and will keep: from now on it is kept once.

        How long a session is kept is up to the vault that used it last.
        """
        self._kept = old._kept

    def memory_of(self, tenant: str, session: str) -> dict[str, Any] | None:
        """All that is kept of a session, real values included, as data that JSON can hold."""
        with self._kept.lock:
            kept = self._kept.sessions.get((tenant, session))
            is_over = kept is None or kept.until <= self._kept.clock()
            return None if kept is None or is_over else kept.written()

    def remember(self, tenant: str, session: str, memory: Mapping[str, Any] | None) -> None:
        """Have a session know just what `memory_of` gave, here or elsewhere.

        Raises:
            UsageError: It gave no such thing.
        """
        if memory is None:
            self.forget(tenant, session)
            return
        try:
            kept = KeptSession.read(memory)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UsageError("this is no memory of a vault") from None
        with self._kept.lock:
            self._kept.replace((tenant, session), kept, self._ttl_s)

    def values(self, key: Key, wanted: Iterable[str]) -> dict[str, str]:
        """What those of the tokens stand for that the session has given out."""
        with self._kept.lock:
            kept = self._kept.use(key, self._ttl_s, must_exist=True)
            if kept is None:
                return {}
            return {token: kept.values[token][1] for token in wanted if token in kept.values}


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
        known = self._vault.values(self._key, {self._names[name] for name in names})
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
