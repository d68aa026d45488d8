"""Tells a secret from a stand-in for one, and what a value next to a telling name is worth."""

from __future__ import annotations

import base64
import binascii
import re

from ._validators import entropy

MIN_KEY = 16
"""Fewer characters than these are no key unless they have a shape of their own."""

MAX_VALUE = 512
"""A value is read up to here; what is longer and has no shape is no key but a file."""

_STAND_IN = re.compile(
    r"example|sample|placeholder|your|insert|replace|change.?me|change.?it|dummy|fake|redacted"
    r"|hidden|masked|removed|goes.?here|foobar|deadbeef|lorem|not.?a.?real|undefined|[x*•.#?]{4}"
    r"|<[a-z_ -]{2,40}>|\$\{|\{\{|\.\.\.|…|^%\w+%$|12345678|98765432|abcdefgh"
    r"|^(?:pass(?:word|wd)?|pwd|secret|token|user(?:name)?|test|string|foo|bar)$"
)
"""In lower case: half as dear as any case."""
_RUN = re.compile(r"(.)\1{5}", re.DOTALL)


def is_stand_in(value: str) -> bool:
    """Whether a value only shows where a secret goes: `YOUR_KEY`, `xxxx`, `<token>`, `sk-…`.

    A key with one of these words in it is missed. Of random keys of forty characters that is one
    in ten thousand.
    """
    return (
        _STAND_IN.search(value.lower()) is not None
        or _RUN.search(value) is not None
        or len(set(value.lower())) <= min(5, len(value) // 3)
    )


def is_random(value: str) -> bool:
    """Whether letters and digits are mixed as nobody writes words."""
    if any(char.isdigit() for char in value):
        return True
    capitals = sum(char.isupper() for char in value)
    return 2 <= capitals <= len(value) - 4 and not _CAMEL.fullmatch(value)


_CAMEL = re.compile(r"[\W_]*[A-Z]?[a-z]{2,}(?:[\W_]*[A-Z][a-z]{2,})*[\W_]*")


# --- values that are known by their names

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_KEY = re.compile(r"[\w+/=.~:%!@#$^&*-]+", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+|[a-z]+(?:_[a-z0-9]+)+")
_CODE = re.compile(
    r"\w\(|\)$|\]$|^[\[{(<$%@]|^//|://|environ|getenv|process\.env|^sha\d+[:-]|^\d+(?:[.:/-]\d+)*$"
    r"|^(?:true|false|null|none|nil)\b|\w\[",
    re.IGNORECASE,
)
_WORD = r"(?:[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,})*|[A-Z]{2,})"
_SLUG = re.compile(rf"{_WORD}(?:[-_./:]{_WORD}|[-_./:v]+\d{{1,4}})+")


def is_key(value: str, floor: float) -> bool:
    """Whether a value beside the name of a key is one.

    Args:
        value: The value.
        floor: How many bits a character of it has to carry. Text in hexadecimal digits, which
            has four at the most, needs half a bit less.
    """
    if len(value) < MIN_KEY or not _KEY.fullmatch(value) or is_stand_in(value):
        return False
    if _UUID.fullmatch(value):
        return True
    if _CODE.search(value) or _IDENTIFIER.fullmatch(value) or _SLUG.fullmatch(value):
        return False
    if _HEX.fullmatch(value):
        return any(char.isalpha() for char in value) and entropy(value) >= floor - 0.5
    return is_random(value) and entropy(value) >= floor


def is_password(value: str, *, is_quoted: bool) -> bool:
    """Whether a value beside the name of a password is one: letters, and digits or signs."""
    if not 6 <= len(value) <= 128 or is_stand_in(value) or _CODE.search(value):
        return False
    if not is_quoted and _IDENTIFIER.fullmatch(value):
        return False
    letters = sum(char.isalpha() for char in value)
    # Passwords are words with something added; a hyphen, a point or a slash alone adds nothing.
    added = sum(not (char.isalpha() or char in "-_./:,;'’") for char in value)
    return letters > 0 and added > 0 and _SLUG.fullmatch(value) is None


def is_login(value: str) -> bool:
    """Whether a value is a name and a password in base 64, as `Basic` headers have it."""
    try:
        return b":" in base64.b64decode(value, validate=True)[1:-1]
    except (binascii.Error, ValueError):
        return False
