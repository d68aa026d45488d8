"""What the shape of a key is: how it begins, how it goes on, and what proves it."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

Proof = Callable[[str], bool]
"""Says whether a text is a key of its kind, beyond doubt or not at all."""


class Shape(NamedTuple):
    """A key that is known by how it is written."""

    kind: str
    head: str
    """RE2: how it begins, which says whose it is."""
    body: str
    """RE2: how it goes on."""
    proof: Proof | None = None
    """A checksum or a structure. What has one needs no edge before it, and no look at its
    letters."""
    needle: str = ""
    """RE2: stands in every text with such a key; the head when left out. INVARIANT: nothing is
    counted in it. A count multiplies the states of the scan that all checks share."""
    part: str = ""
    """Python: the secret part of a match, as its group; all but the head when left out."""
    covers_part: bool = True
    """Whether a find covers that part alone."""


class Told(NamedTuple):
    """A key that only the words before it tell from other values."""

    kind: str
    words: str
    """RE2: one of them stands at most `GAP` characters before the value; case is ignored."""
    value: str
    """RE2, without its edges."""


GAP = 40
"""How far before a value its words may stand. INVARIANT: words and gap fit in the 64 characters
that a stream keeps of what has gone out."""


# --- alphabets

EDGE = r"(?:\b|_|\\[nrt])"
"""Where a word begins, or a part of a name, or what follows an escaped blank."""

HEX = "[0-9a-f]"
UUID = f"{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}"


def h(least: int, most: int | None = 0) -> str:
    """So many digits in base 16; `most` None for any number more."""
    return HEX + _times(least, most)


def w(least: int, most: int | None = 0) -> str:
    """So many letters and digits."""
    return "[0-9A-Za-z]" + _times(least, most)


def u(least: int, most: int | None = 0) -> str:
    """So many characters of base 64 for addresses."""
    return "[0-9A-Za-z_-]" + _times(least, most)


def b(least: int, most: int | None = 0) -> str:
    """So many characters of base 64."""
    return "[0-9A-Za-z+/]" + _times(least, most)


def _times(least: int, most: int | None) -> str:
    if most is None:
        return f"{{{least},}}"
    return f"{{{least},{most}}}" if most else f"{{{least}}}"


# --- proofs

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def crc32_base62(token: str) -> bool:
    """The last six characters are the CRC-32 of what stands between them and the underscore."""
    body = token[token.index("_") + 1 :]
    rest, check = zlib.crc32(body[:-6].encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = _BASE62[digit] + check
    return body[-6:] == check


def is_jwt(token: str) -> bool:
    """The first part is a JSON object that names an algorithm."""
    return "alg" in _decoded(token.partition(".")[0])


def _decoded(part: str) -> Iterable[object]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return ()
    return value if isinstance(value, dict) else ()
