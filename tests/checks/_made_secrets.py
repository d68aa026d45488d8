"""Keys that look real and open nothing, made from their shapes: none is stored anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import string
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from guardkit.checks.live._secret_shape import Shape, Told
from guardkit.checks.live._validators import bech32

sre: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

_PRINTABLE = [chr(n) for n in range(33, 127)]
_ANY = string.ascii_letters + string.digits


def made(pattern: str, rng: random.Random) -> str:
    """A text that a pattern matches: repetitions as short as they may be, or a little longer."""
    return "".join(_parts(parser.parse(pattern), rng))


def _parts(tree: Any, rng: random.Random) -> Iterator[str]:
    for op, value in tree:
        if op is sre.LITERAL:
            yield chr(value)
        elif op is sre.NOT_LITERAL:
            yield rng.choice([char for char in _ANY if ord(char) != value])
        elif op is sre.ANY:
            yield " "
        elif op is sre.IN:
            yield _one_of(value, rng)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inner = value
            for _ in range(rng.randint(least, min(most, least + 3))):
                yield from _parts(inner, rng)
        elif op is sre.SUBPATTERN:
            yield from _parts(value[3], rng)
        elif op is sre.BRANCH:
            yield from _parts(rng.choice(value[1]), rng)
        else:
            assert op is sre.AT, op


def _one_of(members: Any, rng: random.Random) -> str:
    if members[0][0] is sre.NEGATE:
        out = set(_class(members[1:]))
        return rng.choice([char for char in _ANY if char not in out])
    return rng.choice(_class(members))


def _class(members: Any) -> list[str]:
    found: list[str] = []
    for op, value in members:
        if op is sre.LITERAL:
            found.append(chr(value))
        elif op is sre.RANGE:
            found.extend(map(chr, range(value[0], value[1] + 1)))
        elif value is sre.CATEGORY_SPACE:
            found.append(" ")
        else:
            found.extend(_ANY)
    return found


# --- keys with a proof

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def github_token(rng: random.Random) -> str:
    from zlib import crc32

    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    body = "".join(rng.choices(digits, k=30))
    rest, check = crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = digits[digit] + check
    return f"gh{rng.choice('opsru')}_{body}{check}"


def wallet_key(rng: random.Random, head: str) -> str:
    short, long = b"\x80" + rng.randbytes(32) + b"\x01", b"\x04\x88\xad\xe4" + rng.randbytes(74)
    payload = long if "prv" in head else short
    twice = hashlib.sha256(hashlib.sha256(payload).digest()).digest()
    number, text = int.from_bytes(payload + twice[:4], "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text


def age_key(rng: random.Random) -> str:
    from guardkit.checks.live._validators import _bech32_sum

    prefix = "age-secret-key-"
    data = [rng.randrange(32) for _ in range(52)]
    high, low = [ord(char) >> 5 for char in prefix], [ord(char) & 31 for char in prefix]
    check = _bech32_sum([*high, 0, *low, *data, *[0] * 6]) ^ 1
    data += [check >> 5 * (5 - i) & 31 for i in range(6)]
    key = f"{prefix}1{''.join(_BECH32[n] for n in data)}".upper()
    assert bech32(key)
    return key


def jwt(rng: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = {"sub": str(rng.randrange(10**9)), "role": "".join(rng.choices(_ANY, k=9))}
    sign = base64.urlsafe_b64encode(rng.randbytes(32)).decode().rstrip("=")
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}.{sign}"


_PROVEN: dict[str, Callable[[random.Random], str]] = {
    "github_token": github_token,
    "age_key": age_key,
    "jwt": jwt,
}


def key_of(row: Shape, rng: random.Random) -> str:
    """A key of this shape."""
    if row.kind == "bitcoin_private_key":
        return wallet_key(rng, row.head)
    if row.proof is not None:
        return _PROVEN[row.kind](rng)
    return made(row.head + row.body, rng)


def told_of(row: Told, rng: random.Random) -> tuple[str, str]:
    """What stands before a value, and the value."""
    value = made(row.value, rng)
    return f"{made(row.words, rng)}_x = '", value


def secret_part(row: Shape, match: str) -> str:
    """What of a key has to be covered."""
    if not row.part or not row.covers_part:
        return match
    found = re.search(row.part, match)
    assert found is not None
    return str(found[1])
