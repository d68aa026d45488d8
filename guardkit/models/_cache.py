"""Readings that were made lately. No text is kept: only numbers, by a keyed hash of the text.

A reading depends on the model, the surface and the text and on nothing else, so tenants share it
without learning anything of each other but, by the time it takes, that the very same text was read
lately. A model forgets what it has read with `clear()`.
"""

from __future__ import annotations

import os
import threading
from hashlib import blake2b
from typing import Final

from cachetools import LRUCache

from guardkit._util.forks import renewed_after_fork

from ._reading import Reading

MOST_BYTES: Final = 16 << 20
_LEAST: Final = 4 << 10
"""What the smallest reading counts: so there are 4,096 of them at most."""


class Readings:
    """The readings of one model that were used last, up to a number of bytes.

    Args:
        most_bytes: How large they may be together.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        # Without the key nobody can find out which text a hash in a memory dump stands for.
        self._key = os.urandom(32)
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        # All of it: at a fork, another thread may have been in the middle of a change.
        self._lock = threading.Lock()
        self._kept: LRUCache[bytes, Reading] = LRUCache(self._most, getsizeof=_size)

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, text: str, surface: str) -> bytes:
        """What a reading of this text is found by."""
        made = blake2b(f"{surface}\0".encode(), key=self._key, digest_size=16)
        made.update(text.encode("utf-8", "surrogatepass"))
        return made.digest()

    def get(self, key: bytes) -> Reading | None:
        """The reading, if it is kept."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: bytes, reading: Reading) -> None:
        """Keep a reading; those used longest ago make room."""
        if _size(reading) * 4 > self._most:
            return  # one that would drive out most others
        with self._lock:
            self._kept[key] = reading

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()


def _size(reading: Reading) -> int:
    vectors = 0 if reading.vectors is None else int(reading.vectors.nbytes)
    return max(_LEAST, 1_000 + vectors + 200 * len(reading.spans))
