"""The chain of an audit log: each hash is over the one before it, so no record changes alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

HASH_BYTES = 32
NOTHING_BEFORE = bytes(HASH_BYTES)
"""What stands for a hash before the first record."""
MOST_BYTES = 1 << 18
"""What one record may take."""
LEAST_KEY_BYTES = 16

_NUMBER_BYTES = 8


class Row(NamedTuple):
    """A record as it lies in the file. In a file that was changed, anything may lie there."""

    number: object
    body: object
    hash: object


class Chain:
    """The hashes of one file: SHA-256, or HMAC-SHA-256 for those who have its key.

    Args:
        key: Without one, everybody can compute the chain: whoever can write the whole file can
            write another one that is as good.
    """

    __slots__ = ("_sum",)

    def __init__(self, key: bytes | None) -> None:
        self._sum: Callable[[bytes], bytes]
        if key is None:
            self._sum = _plain
        else:
            # A key of its own: what a chain's hashes show says nothing about the hashed names.
            own = hmac.digest(key, b"guardkit audit: chain", "sha256")
            self._sum = lambda message: hmac.digest(own, message, "sha256")

    def hash(self, previous: bytes, number: int, body: bytes) -> bytes:
        """The hash of a record, over the hash before it, its number and its bytes."""
        # INVARIANT: all but the last part have one length, so no two records are one message.
        return self._sum(b"R" + previous + number.to_bytes(_NUMBER_BYTES, "big") + body)

    def seal(self, count: int, hash: bytes) -> bytes:
        """The hash of the head: how many records there are, and the hash of the last one."""
        return self._sum(b"H" + count.to_bytes(_NUMBER_BYTES, "big") + hash)


def _plain(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def names_key(key: bytes) -> bytes:
    """The key under which names are hashed, where the key of the file is given from outside."""
    return hmac.digest(key, b"guardkit audit: names", "sha256")


class Follower:
    """Follows a chain record by record, up to the first one that does not follow.

    Args:
        chain: How the hashes are made.
        number: The number of the first record that will come.
        previous: The hash before it.
    """

    __slots__ = ("_chain", "bad", "last", "number", "previous", "why")

    def __init__(self, chain: Chain, number: int = 0, previous: bytes = NOTHING_BEFORE) -> None:
        self._chain = chain
        self.number = number
        """The number that has to come next."""
        self.previous = previous
        self.bad: int | None = None
        """The first record that is not as it was written."""
        self.why = ""
        self.last = b""
        """The bytes of the last record that followed."""

    def follows(self, row: Row) -> bool:
        """Whether a record is the one that has to come next; once one is not, none is."""
        if self.bad is not None:
            return False
        number, body, hash = row
        if number != self.number:
            return self.fails(self._out_of_turn(number))
        if not isinstance(body, bytes) or not isinstance(hash, bytes):
            return self.fails("it is no record at all")
        if not hmac.compare_digest(hash, self._chain.hash(self.previous, self.number, body)):
            if self.number == 0:
                return self.fails("the opening was changed, or made with another key")
            return self.fails("its hash does not fit its content and the record before it")
        self.number += 1
        self.previous = hash
        self.last = body
        return True

    def ends(self, head: tuple[object, ...] | None) -> bool:
        """Whether the head is that of the records that followed."""
        if self.bad is not None:
            return False
        count, hash, seal = head or (None, None, None)
        if (
            not isinstance(count, int)
            or not 0 <= count < 1 << 62
            or not isinstance(hash, bytes)
            or not isinstance(seal, bytes)
            or not hmac.compare_digest(seal, self._chain.seal(count, hash))
        ):
            return self.fails("the head, which names the last record, was changed or is missing")
        if count >= self.number:
            return self.fails(f"it is missing: the head says that there are {count:,} records")
        if count < self.number - 1:
            self.bad = count + 1
            self.why = f"it was put there: the head says that there are {count:,} records"
            return False
        if hash != self.previous:
            return self.fails("the head names another last record")
        return True

    def fails(self, why: str) -> bool:
        """Note that the record that should come next is bad; always False."""
        self.bad, self.why = self.number, why
        return False

    def _out_of_turn(self, number: object) -> str:
        if isinstance(number, int) and number > self.number:
            return "it is missing"
        return "another record stands in its place"
