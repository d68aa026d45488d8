"""Which messages of a session were judged before: digests of conversations, never their text."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from cachetools import LRUCache

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import UsageError

from ._parts import Part

MOST_KNOWN = 2_000_000
"""Digests remembered of all sessions, about 170 MB; those used longest ago are forgotten first."""
MOST_MESSAGES = 4_000
"""Digests remembered of one session, two a message; the oldest are forgotten first."""

Key = tuple[str, str]
"""(tenant, session)."""
Seen = dict[bytes, str | None]
"""Digests of what went on, the oldest first: the policy under which it passed as it is, or None."""

_VERSION = 1
"""Of what `memory_of` gives. Another shape gets another number."""
_NONE = -1
_DIGEST_BYTES = 16


class Judgements:
    """Remembers messages that went on, each by the digest of all up to it.

    So a history that was edited anywhere is judged again from there on. Of each it is kept under
    which policy it passed as it is: another policy judges it again, and one that was rewritten is
    judged, and rewritten, every time. Neither counts it a second time.

    One of them may be given to any number of wrapped callables, of one guard and of those that
    follow it (`wrap(known=…)`); then what one of them judged is known to all. It may be used from
    any number of threads.
    """

    def __init__(self) -> None:
        self._seen: LRUCache[Key, Seen] = LRUCache(MOST_KNOWN, getsizeof=_size)
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Judgements of {len(self._seen)} sessions>"

    def known(self, key: Key, digests: Iterable[bytes]) -> Seen:
        """Those of the digests that went on before, and under which policy as they are."""
        with self._lock:
            seen = self._seen.get(key)
            return {digest: seen[digest] for digest in digests if digest in seen} if seen else {}

    def note(self, key: Key, went: Mapping[bytes, str | None]) -> None:
        """These went on; each as it is under a policy, or rewritten."""
        with self._lock:
            seen = self._seen.get(key)
            if seen is None:
                seen = self._seen[key] = {}
            for digest, policy in went.items():
                seen.pop(digest, None)
                seen[digest] = policy
            while len(seen) > MOST_MESSAGES:
                del seen[next(iter(seen))]
            self._seen[key] = seen  # its size is asked when it is put there

    def forget(self, session: str, *, tenant: str = "") -> None:
        """The session is over."""
        with self._lock:
            self._seen.pop((tenant, session), None)

    def memory_of(self, session: str, *, tenant: str = "") -> dict[str, Any]:
        """What is known of a session, as data that JSON can hold: digests, no text."""
        with self._lock:
            seen = dict(self._seen.get((tenant, session), {}))
        policies = sorted({policy for policy in seen.values() if policy is not None})
        number: dict[str | None, int] = {policy: i for i, policy in enumerate(policies)}
        number[None] = _NONE
        return {
            "v": _VERSION,
            "policies": policies,
            "digests": b"".join(seen).hex(),
            "under": [number[policy] for policy in seen.values()],
        }

    def remember(self, session: str, memory: Mapping[str, Any], *, tenant: str = "") -> None:
        """Know of a session just what `memory_of` gave, in this process or another one.

        Raises:
            UsageError: It gave no such thing, or it is of another version.
        """
        if not isinstance(memory, Mapping) or memory.get("v") != _VERSION:
            raise UsageError(f"these are no judgements of version {_VERSION}")
        try:
            policy = dict(enumerate(map(str, memory["policies"]))) | {_NONE: None}
            digests = bytes.fromhex(memory["digests"])
            places = range(0, len(digests), _DIGEST_BYTES)
            under = map(policy.__getitem__, memory["under"])
            seen: Seen = {
                digests[at : at + _DIGEST_BYTES]: name
                for at, name in zip(places, under, strict=True)
            }
        except (KeyError, TypeError, ValueError):
            raise UsageError("these are no judgements of a session") from None
        with self._lock:
            self._seen[tenant, session] = seen


def _size(seen: Seen) -> int:
    return 16 + len(seen)  # a session counts, however little is known of it


class Digests(NamedTuple):
    """How a message is known."""

    place: bytes
    """Over it, all before it, and the context they were judged in."""
    own: bytes
    """Over it, the context, and how many messages like it stand before it. So it is known where
    what stands before it was edited or left out."""


def digests_of(messages: list[list[Part]], context: Mapping[str, Any] | None) -> list[Digests]:
    """The digests of every message."""
    head = repr(sorted((context or {}).items(), key=str)).encode("utf-8", "surrogatepass")
    chain = blake2b(head, digest_size=_DIGEST_BYTES)
    alike: Counter[bytes] = Counter()
    made = []
    for parts in messages:
        said = blake2b(head, digest_size=_DIGEST_BYTES, person=b"message")
        for part in parts:
            text = part.text
            if part.kind == "call":
                text = f"{text}{part.arguments!r}"
            line = f"{part.kind} {part.surface} {part.tool!r} {part.path[1:]!r} {len(text)} "
            said.update(line.encode("utf-8", "surrogatepass"))
            said.update(text.encode("utf-8", "surrogatepass"))
        one = said.digest()
        chain.update(one)
        alike[one] += 1
        said.update(b"%d" % alike[one])
        made.append(Digests(chain.digest(), said.digest()))
    return made
