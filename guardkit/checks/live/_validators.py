"""What a match may have to pass: checksums, shapes and entropy, each a total function of a text.

A number may be grouped by blanks and hyphens wherever its checksum is over digits. No function here
raises, and each takes time in step with the length of what it is given.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import MappingProxyType

Validator = Callable[[str], bool]

MAX_WALLET_CHARS = 128
"""The longest text in base 58 that is decoded: the longest key in use has 112 characters."""


def validator(name: str, bound: float = 0.0) -> Validator:
    """The validator of this name; `bound` is for `entropy`, in bits per character.

    Raises:
        KeyError: There is none of this name.
    """
    if name == "entropy":
        return lambda text: entropy(text) >= bound
    return VALIDATE[name]


def entropy(text: str) -> float:
    """Bits per character; 0 for the empty text."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


# --- numbers

_GAPS = re.compile(r"[\s-]+")


def _bare(text: str) -> str:
    """The text without blanks and hyphens, in capitals; empty when more than ASCII stands there."""
    bare = _GAPS.sub("", text)
    return bare.upper() if bare.isascii() and bare.isalnum() else ""


def _digits(text: str) -> list[int]:
    bare = _bare(text)
    return [int(char) for char in bare] if bare.isdigit() else []


def _is_luhn(digits: list[int]) -> bool:
    doubled = (d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2])
    return len(digits) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _spelled(bare: str) -> str:
    """Letters as numbers, `A` as 10."""
    return "".join(str(int(char, 36)) for char in bare)


def luhn(text: str) -> bool:
    """Payment cards and many other numbers."""
    return _is_luhn(_digits(text))


def imei(text: str) -> bool:
    """A mobile device: fifteen digits."""
    digits = _digits(text)
    return len(digits) == 15 and _is_luhn(digits)


def isin(text: str) -> bool:
    """A security: a country, nine characters, a check digit over the letters as numbers."""
    bare = _bare(text)
    shape = re.fullmatch(r"[A-Z]{2}[A-Z0-9]{9}[0-9]", bare)
    return shape is not None and _is_luhn([int(char) for char in _spelled(bare)])


def mod97(text: str) -> bool:
    """ISO 7064, MOD 97-10, letters as numbers."""
    rest = 0
    for char in _spelled(_bare(text)):  # digit by digit: one large number would take the square
        rest = (rest * 10 + int(char)) % 97
    return rest == 1


def iban(text: str) -> bool:
    """A bank account: a country, two check digits, up to thirty characters."""
    bare = _bare(text)
    shape = re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", bare)
    return shape is not None and mod97(bare[4:] + bare[:4])


def lei(text: str) -> bool:
    """A legal entity: eighteen characters and two check digits."""
    bare = text.upper()
    return re.fullmatch(r"[A-Z0-9]{18}[0-9]{2}", bare) is not None and mod97(bare)


def mod11(text: str) -> bool:
    """Weights from the right: 1, 2, 3 … up to ten digits, beyond that 1 and 2 to 7 in turn."""
    bare = _bare(text)
    if not re.fullmatch(r"[0-9]+[0-9X]", bare):
        return False
    figures = [10 if char == "X" else int(char) for char in reversed(bare)]
    turns = len(figures) > 10
    weights = (1 + (at - 1) % 6 + 1 if turns and at else 1 + at for at in range(len(figures)))
    return sum(w * f for w, f in zip(weights, figures, strict=True)) % 11 == 0


def ean(text: str) -> bool:
    """A trade item: eight or thirteen digits."""
    digits = _digits(text)
    return len(digits) in (8, 13) and (sum(digits[::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0


def isbn(text: str) -> bool:
    """A book: ten characters with MOD 11, or thirteen digits that begin with 978 or 979."""
    bare = _bare(text)
    return mod11(bare) if len(bare) == 10 else bare.startswith(("978", "979")) and ean(bare)


def aba(text: str) -> bool:
    """An American bank: nine digits weighted 3, 7, 1."""
    digits = _digits(text)
    weighted = (w * d for w, d in zip((3, 7, 1) * 3, digits, strict=False))
    return len(digits) == 9 and sum(weighted) % 10 == 0


_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_PERMUTED = [tuple(range(10))]
for _ in range(7):
    _PERMUTED.append(tuple(_PERMUTATION[digit] for digit in _PERMUTED[-1]))


def _turned(first: int, second: int) -> int:
    """The product of two turns of a pentagon; 5 to 9 are those that also flip it."""
    if first < 5:
        return (first + second) % 5 + (5 if second > 4 else 0)
    return (first - second) % 5 + (5 if second < 5 else 0)


def verhoeff(text: str) -> bool:
    """Indian identity numbers: finds every single slip and every swap of neighbours."""
    digits = _digits(text)
    product = 0
    for at, digit in enumerate(reversed(digits)):
        product = _turned(product, _PERMUTED[at % 8][digit])
    return len(digits) > 1 and product == 0


_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", b"012345678912345678123457923456789", strict=True)
)


def vin(text: str) -> bool:
    """A vehicle: seventeen characters, the ninth of them over the others."""
    number = text.upper()
    if not re.fullmatch(r"[0-9A-HJ-NPR-Z]{17}", number):
        return False
    values = (_VIN_VALUES[char] - ord("0") for char in number)
    rest = sum(w * v for w, v in zip(_VIN_WEIGHTS, values, strict=True)) % 11
    return number[8] == "0123456789X"[rest]


# --- wallets

_BASE58 = {
    char: n for n, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}
_BECH32 = {char: n for n, char in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_BECH32_STEPS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_ENDS = (1, 0x2BC830A3)  # the first form, and the one that fixed its weakness


def base58check(text: str) -> bool:
    """A wallet or a key in base 58: four bytes of a double SHA-256 at the end."""
    if not 8 <= len(text) <= MAX_WALLET_CHARS or not all(char in _BASE58 for char in text):
        return False
    number = 0
    for char in text:
        number = number * 58 + _BASE58[char]
    zeros = len(text) - len(text.lstrip("1"))
    payload = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    twice = hashlib.sha256(hashlib.sha256(payload[:-4]).digest()).digest()
    return len(payload) > 4 and twice[:4] == payload[-4:]


def bech32(text: str) -> bool:
    """A wallet in base 32: a prefix, `1`, characters of which the last six are the checksum."""
    prefix, _, data = text.lower().rpartition("1")
    is_mixed = text not in (text.lower(), text.upper())
    if is_mixed or len(text) > 90 or len(data) < 6 or not re.fullmatch(r"[!-~]+", prefix):
        return False
    if not all(char in _BECH32 for char in data):
        return False
    high, low = [ord(char) >> 5 for char in prefix], [ord(char) & 31 for char in prefix]
    return _bech32_sum([*high, 0, *low, *(_BECH32[char] for char in data)]) in _BECH32_ENDS


def _bech32_sum(values: Iterable[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            state ^= step if top >> bit & 1 else 0
    return state


# --- shapes

_DATE = re.compile(r"(\d{4})([-/.]?)(\d\d?)\2(\d\d?)|(\d\d?)([-/.])(\d\d?)\6(\d{4}|\d\d)", re.ASCII)
_LABEL = re.compile(r"[^\W_](?:[^\W_]|-){0,61}[^\W_]|[^\W_]")
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_MAC = re.compile(
    r"[0-9a-f]{2}([:-]?)[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}", re.I
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


def is_date(text: str) -> bool:
    """A day in the calendar, in figures: year first, or year last with day and month either way."""
    match = _DATE.fullmatch(text)
    if match is None or (match[1] and not match[2] and len(text) != 8):
        return False
    if match[1]:
        return _is_day(match[1], match[3], match[4])
    year = match[8] if len(match[8]) == 4 else f"20{match[8]}"
    return _is_day(year, match[7], match[5]) or _is_day(year, match[5], match[7])


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def domain(text: str) -> bool:
    """A host name of two labels or more, the last of which is not a number."""
    if len(text) > 253:
        return False
    labels = text.split(".")
    shaped = all(_LABEL.fullmatch(label) for label in labels)
    return shaped and len(labels) > 1 and not labels[-1].isdigit() and len(labels[-1]) > 1


def email(text: str) -> bool:
    """A mail address without quotes or comments."""
    local, _, host = text.rpartition("@")
    return len(local) <= 64 and _LOCAL.fullmatch(local) is not None and domain(host)


def ip(text: str) -> bool:
    """An address of version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def mac(text: str) -> bool:
    """A network card: six bytes in hex, with one kind of separator throughout."""
    return _MAC.fullmatch(text) is not None


def uuid(text: str) -> bool:
    """A UUID of any version, with its hyphens."""
    return _UUID.fullmatch(text) is not None


VALIDATE: Mapping[str, Validator] = MappingProxyType(
    {
        "aba": aba,
        "base58check": base58check,
        "bech32": bech32,
        "date": is_date,
        "domain": domain,
        "ean": ean,
        "email": email,
        "iban": iban,
        "imei": imei,
        "ip": ip,
        "isbn": isbn,
        "isin": isin,
        "lei": lei,
        "luhn": luhn,
        "mac": mac,
        "mod11": mod11,
        "mod97": mod97,
        "uuid": uuid,
        "verhoeff": verhoeff,
        "vin": vin,
    }
)
"""Every validator that takes no bound; `validator` also knows `entropy`."""
