"""The formats a JSON Schema may ask of a text, each a plain yes or no."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from guardkit._util import values

_TIME = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DURATION = re.compile(
    r"P(?!\Z)(?:[0-9]+W|(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?"
    r"(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?)"
)
_URI_CHARS = r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]*"
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:{_URI_CHARS}(?:%[0-9A-Fa-f]{{2}}{_URI_CHARS})*")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def _is_date_time(text: str) -> bool:
    day, mark, time = text[:10], text[10:11], text[11:]
    return mark in ("T", "t") and values.parse_date(day) is not None and bool(_TIME.fullmatch(time))


def _is_uri(text: str) -> bool:
    return text.count("#") <= 1 and _URI.fullmatch(text) is not None


def _is_ip(kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> Callable[[str], bool]:
    def is_ip(text: str) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return "%" not in text

    return is_ip


FORMATS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "date": lambda text: values.parse_date(text) is not None,
        "date-time": _is_date_time,
        "duration": lambda text: _DURATION.fullmatch(text) is not None,
        "email": values.is_email,
        "hostname": lambda text: len(text) <= 253 and _HOSTNAME.fullmatch(text) is not None,
        "ipv4": _is_ip(ipaddress.IPv4Address),
        "ipv6": _is_ip(ipaddress.IPv6Address),
        "time": lambda text: _TIME.fullmatch(text) is not None,
        "uri": _is_uri,
        "uuid": lambda text: _UUID.fullmatch(text) is not None,
    }
)
"""What each format accepts."""
