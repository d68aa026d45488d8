"""Where one address leads: its host, read as strictly as it can be, and the hosts within it.

Browsers forgive a lot: backslashes for slashes, tabs inside, coded letters, a missing slash. This
does not forgive the same: an odd address is one that leads nobody knows where.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

from guardkit._util.values import host_of

MOST_ROUNDS = 3
"""How often an address may be coded inside another."""

_LONGEST = 300
"""A longer host is none, with whatever stands before it for a user."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_AUTHORITY = re.compile(r"[^/?#\\\s<>]*")
_ODD = re.compile(r"[^\w.:-]")
_NEVER_IN_HOSTS = re.compile(r"[\[\]^|]")
_LEADS_ON = re.compile("[.\u3002@%/\\\\?#]")
_INNER = re.compile(r":[/\\]+|=[/\\]{2,}(?=[\w\[])|[wW]{3}[0-9]{0,3}\.(?=\w)")
_SPECIAL = ("http", "https", "ftp", "ws", "wss")
_INNER_AUTHORITY = re.compile(r"[^/?#\\\s<>&]{0,600}")
_COPIES = re.compile(r"(?:^|&)(?:to|cc|bcc)=([^&]*)", re.IGNORECASE)
_BLANKS = "".join(map(chr, range(33)))
_CUT_OUT = str.maketrans("", "", "\t\n\r")
_HOST_FIRST = re.compile(r"(?:[\w-]+\.)+[^\W\d_]{2,}(?::\d+)?/|www\d{0,3}\.\w", re.IGNORECASE)
_SCHEME_FIRST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class Hosts:
    """Hosts that may be linked.

    Args:
        patterns: Hosts, and `*.` and a domain for what is under it; each is well formed.
    """

    __slots__ = ("_below", "_hosts")

    def __init__(self, patterns: Iterable[str]) -> None:
        self._hosts: set[str] = set()
        self._below: set[str] = set()
        for pattern in patterns:
            base = pattern.removeprefix("*.")
            host = host_of(base)
            if host is not None:
                (self._hosts if base == pattern else self._below).add(host)

    def knows(self, host: str) -> bool:
        """Whether this is one of them to the letter, so that nobody need parse it."""
        return host in self._hosts

    def __call__(self, host: str) -> bool:
        """Whether a host in the form of `host_of` is one of them."""
        if host in self._hosts:
            return True
        dot = host.find(".") if self._below else -1
        while dot >= 0:
            if host[dot + 1 :] in self._below:
                return True
            dot = host.find(".", dot + 1)
        return False


def is_fine(address: str, allows: Hosts) -> bool:
    """Whether an absolute address, and every address within it, leads to an allowed host."""
    found = _SCHEME.match(address)
    if found is None:
        return False
    scheme, slashes = found.groups()
    if scheme.lower() == "mailto":
        return _is_fine_mail(address[found.end() :], allows)
    if slashes is None or (scheme.lower() not in _SPECIAL and _is_hostless(scheme)):
        return False
    authority = _AUTHORITY.match(address, found.end())
    assert authority is not None
    end = authority.end()
    if address[end : end + 1] in ("?", "#") and "@" in address[end:]:
        return False  # some programs look for the `@` first
    if address[end : end + 1] == "\\":
        # Some programs read a slash here, others a part of the host.
        behind = _AUTHORITY.match(address, end + 1)
        if behind is not None and _LEADS_ON.search(behind.group().rstrip(_TRAILING)):
            return False
    if not allows.knows(authority.group().lower()):
        host = _host(scheme, authority.group())
        if host is None or not allows(host):
            return False
    # Without another slash, sign or code there is no address behind the host.
    return end + 1 >= len(address) or are_fine_inside(address[found.end() :], allows)


def _is_hostless(scheme: str) -> bool:
    return host_of(f"{scheme}://localhost") is None


def _host(scheme: str, authority: str) -> str | None:
    """The host of an authority. What runs on behind it without another dot is not its business.

    So `northbank.example,see` leads to `northbank.example`: no host can end in `example,see`.
    """
    if len(authority) > _LONGEST:
        return None
    host = host_of(f"{scheme}://{authority}")
    odd = _ODD.search(authority) if host is None and "@" not in authority else None
    if odd is None or (authority[odd.start()] == "[" and odd.start() == 0):
        return host
    behind = _NEVER_IN_HOSTS.split(authority[odd.start() :], maxsplit=1)[0]
    if _LEADS_ON.search(unicodedata.normalize("NFKC", behind.rstrip(_TRAILING))):
        return None
    return host_of(f"{scheme}://{authority[: odd.start()].rstrip('.:')}")


def are_fine_inside(rest: str, allows: Hosts) -> bool:
    """Whether every address in what follows a scheme leads to an allowed host, coded or not."""
    for _ in range(MOST_ROUNDS + 1):
        for found in _INNER.finditer(rest):
            sign, start = found.group(), found.start()
            if sign == ":/" and not rest[max(start - 5, 0) : start].lower().endswith(_SPECIAL):
                continue  # one slash is enough where a browser adds the other
            authority = _INNER_AUTHORITY.match(rest, start if sign[0] in "wW" else found.end())
            assert authority is not None
            host = _host("http", authority.group())
            if host is None or not allows(host):
                return False
        if "%" not in rest:
            return True
        decoded = unquote(rest, errors="replace")
        if decoded == rest:
            return True
        rest = decoded
    return True


def _is_fine_mail(rest: str, allows: Hosts) -> bool:
    """Whether a `mailto:` goes to allowed hosts alone."""
    path, _, query = rest.partition("?")
    listed = [path, *(found[1] for found in _COPIES.finditer(query))]
    addresses = [one.strip() for part in listed for one in re.split("[,;]", unquote(part))]
    return all(_is_fine_address(one, allows) for one in addresses if one)


def _is_fine_address(address: str, allows: Hosts) -> bool:
    host = host_of(address) if "@" in address else None
    return host is not None and allows(host)


def leads_outside(target: str, allows: Hosts) -> bool:
    """Whether the target of a link in markup leads to a host that is not allowed.

    A target without a scheme and without a host stays on the page it stands on.
    """
    bare = target.strip(_BLANKS).translate(_CUT_OUT)
    first = bare[:2].replace("\\", "/")
    if scheme := _SCHEME_FIRST.match(bare):
        return len(bare) > scheme.end() and not is_fine(bare, allows)
    if first == "//":
        return not (bare.startswith("//") and is_fine(f"https:{bare}", allows))
    if _HOST_FIRST.match(bare):
        return not is_fine(f"https://{bare}", allows)
    return False


_TRAILING = "?!.,:;*_~`'\")]}|>\u3002\uff0c\u3001\uff01\uff1f\u300d\uff09\u2026"


def trimmed(text: str, start: int, end: int) -> int:
    """Where an address in running text ends: without the punctuation that follows it."""
    spare = text.count(")", start, end) - text.count("(", start, end)
    while end > start and text[end - 1] in _TRAILING:
        if text[end - 1] == ")":
            if spare <= 0:
                break
            spare -= 1
        end -= 1
    return end
