"""Which messages of a session were judged before: digests of conversations, never their text."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from cachetools import LRUCache

from ._parts import Part

MOST_SESSIONS = 10_000
MOST_MESSAGES = 4_000
"""Digests remembered of one session, two a message; the oldest are forgotten first."""

Key = tuple[str, str]
"""(tenant, session)."""


class Judgements:
    """Remembers messages that went on, each by the digest of all up to it.

    So a history that was edited anywhere is judged again from there on. Of each it is kept whether
    it passed as it is: one that was rewritten is judged, and rewritten, every time.
    """

    def __init__(self) -> None:
        self._seen: LRUCache[Key, dict[bytes, bool]] = LRUCache(MOST_SESSIONS)
        self._lock = threading.Lock()

    def known(self, key: Key, digests: Iterable[bytes]) -> dict[bytes, bool]:
        """Those of the digests that went on before, and whether as they are."""
        with self._lock:
            seen = self._seen.get(key)
            return {digest: seen[digest] for digest in digests if digest in seen} if seen else {}

    def remember(self, key: Key, judged: Mapping[bytes, bool]) -> None:
        """These went on; each as it is, or rewritten."""
        with self._lock:
            seen = self._seen.get(key)
            if seen is None:
                seen = self._seen[key] = {}
            for digest, is_as_it_was in judged.items():
                seen.pop(digest, None)
                seen[digest] = is_as_it_was
            while len(seen) > MOST_MESSAGES:
                del seen[next(iter(seen))]


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
    chain = blake2b(head, digest_size=16)
    alike: Counter[bytes] = Counter()
    made = []
    for parts in messages:
        said = blake2b(head, digest_size=16, person=b"message")
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
