"""The language's typed values: money, durations, dates, addresses, URLs, hosts, domains and paths.

Every function is pure, answers any text at all (lone surrogates too) and raises for none. Programs
disagree about odd spellings of hosts and paths, so a text that two common programs would read
differently is malformed here: it is `None` or `False`, never a guess.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

# --- money

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
"""ISO 4217 codes of money people are paid in: no funds, metals or test codes."""

_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_AMOUNT = r"(?:0|[1-9][0-9]{0,17}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,5})(?:\.[0-9]{1,4})?"
_UNIT_FIRST = re.compile(rf"(-?)([A-Z]{{3}}|[$€£¥]) ?(-?)({_AMOUNT})")
_UNIT_LAST = re.compile(rf"(-?)({_AMOUNT}) ?([A-Z]{{3}}|[$€£¥])")


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency. It has no order of its own: see `compare_money`."""

    amount: Decimal
    currency: str


def parse_money(text: str) -> Money | None:
    """Read `1,200.50 EUR`, `EUR 1200.50`, `$12`; `None` for anything else.

    A comma only groups thousands. Three decimals are read only in a currency that counts in
    thousandths: elsewhere `1.200 EUR` means 1.2 to one reader and 1200 to another.
    """
    if found := _UNIT_FIRST.fullmatch(text):
        before, unit, after, amount = found.groups()
    elif found := _UNIT_LAST.fullmatch(text):
        before, amount, unit = found.groups()
        after = ""
    else:
        return None
    currency = _SIGNS.get(unit, unit)
    if currency not in CURRENCIES or (before and after):
        return None
    if len(amount.partition(".")[2]) == 3 and currency not in _THOUSANDTHS:
        return None
    return Money(Decimal(before + after + amount.replace(",", "")), currency)


def compare_money(a: Money, b: Money) -> int | None:
    """-1, 0 or 1 within one currency; `None` where the two cannot be compared."""
    if a.currency != b.currency or not a.amount.is_finite() or not b.amount.is_finite():
        return None
    return (a.amount > b.amount) - (a.amount < b.amount)


# --- time

_UNITS = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
"""Milliseconds per unit, longest first."""


def parse_duration(text: str) -> int | None:
    """Milliseconds in `250ms`, `15s`, `15m`, `24h`, `7d`, `2w`; `None` for anything else."""
    found = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d|w)", text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def format_duration(milliseconds: int) -> str:
    """The shortest exact spelling: `parse_duration(format_duration(n)) == n` for n >= 0."""
    if milliseconds == 0:
        return "0s"
    unit = next(name for name, size in _UNITS.items() if milliseconds % size == 0)
    return f"{milliseconds // _UNITS[unit]}{unit}"


def parse_date(text: str) -> datetime.date | None:
    """The day written `2027-01-31`; `None` for any other spelling or a day that is not."""
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
    if found is None:
        return None
    try:
        return datetime.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


# --- hosts

_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_HOSTLESS = frozenset(
    {"about", "blob", "data", "javascript", "mailto", "tel", "urn", "vbscript", "view-source"}
)
"""Schemes without a host, whatever follows: `javascript://good.example/%0a...` is a program."""
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_USERINFO = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:%-]*")
_QUOTED_NAME = re.compile(r'"[^"\\]*"')
_LOCAL_PART = re.compile(r"[\w+\-=&'*^~$]+(?:\.[\w+\-=&'*^~$]+)*")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_STOPS = re.compile("[\u3002\uff0e\uff61]")
_READ_TWO_WAYS = frozenset("\u00df\u03c2\u1e9e")
"""Sharp s and final sigma: the older standard folds them to another name, the newer keeps them."""
_WORD = frozenset({"Ll", "Lm", "Lo", "Lu", "Mc", "Mn", "Nd"})
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Letters and marks that browsers drop from a name without a word."""


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _is_word(label: str) -> bool:
    """Letters, marks, digits, underscores and, inside, hyphens; no mark in front."""
    return (
        "-" not in (label[0], label[-1])
        and unicodedata.category(label[0])[0] != "M"
        and all(c in "-_" or unicodedata.category(c) in _WORD for c in label)
        and not _UNSEEN.search(label)
    )


def _a_label(label: str) -> str | None:
    """One label of a host in its ASCII form."""
    if not label or len(label) > 255:
        return None
    if label.isascii():
        folded = label.lower()
    else:
        if _READ_TWO_WAYS & set(unicodedata.normalize("NFKC", label)) or _UNSEEN.search(label):
            return None
        folded = _fold(label)
        if unicodedata.normalize("NFC", "".join(map(_fold, label))) != folded:
            # Folding before or after composing gives different names; so do programs.
            return None
    if folded.isascii():
        if not _LABEL.fullmatch(folded):
            return None
        return _checked_a_label(folded) if folded.startswith("xn--") else folded
    if folded.startswith("xn--") or not _is_word(folded) or _fold(folded) != folded:
        return None
    ascii_form = "xn--" + folded.encode("punycode").decode("ascii")
    return ascii_form if len(ascii_form) <= 63 else None


def _checked_a_label(label: str) -> str | None:
    """`label`, if it is the one spelling of a name that needs it."""
    try:
        name = label[4:].encode("ascii").decode("punycode")
    except ValueError:
        return None
    if not name or name.isascii() or not _is_word(name):
        return None
    plain = "".join(c for c in name if c not in _READ_TWO_WAYS)
    if _fold(plain) != plain or unicodedata.normalize("NFC", name) != name or "\u1e9e" in name:
        return None
    return label if "xn--" + name.encode("punycode").decode("ascii") == label else None


def _ip(text: str) -> str | None:
    """An IP literal in its one spelling; an IPv4 address dressed as IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        return str(address.ipv4_mapped or address)
    return str(address)


def _host(text: str) -> str | None:
    """A bare host: a domain of one label or more, or an IP literal."""
    if not text or len(text) > 1024:
        return None
    if text.startswith("[") and text.endswith("]"):
        return _ip(text[1:-1]) if ":" in text else None
    labels = _STOPS.sub(".", text).removesuffix(".").split(".")
    done = []
    for label in labels:
        ascii_form = _a_label(label)
        if ascii_form is None:
            return None
        done.append(ascii_form)
    host = ".".join(done)
    if _NUMERIC.fullmatch(done[-1]):
        # Resolvers read `127.1`, `0x7f.1` and `2130706433` as addresses: one spelling is enough.
        return _ip(host)
    return host if len(host) <= 253 else None


def _hides(text: str, delimiters: str) -> bool:
    """Whether a character becomes a delimiter once a program normalises the text."""
    if text.isascii():
        return False
    return any(
        not c.isascii() and not set(delimiters).isdisjoint(unicodedata.normalize("NFKC", c))
        for c in text
    )


def _host_of_url(value: str) -> str | None:
    found = _URL.fullmatch(value)
    if found is None or "\\" in value or re.search(r"\s", value):
        return None
    scheme, authority, rest = found.groups()
    if scheme.lower() in _HOSTLESS:
        return None
    if rest[:1] in ("?", "#") and "@" in rest:
        # `https://a?@b`: programs that look for `@` before `?` go to b.
        return None
    userinfo, at, host_and_port = authority.rpartition("@")
    if at and not _USERINFO.fullmatch(userinfo):
        return None
    parts = _AUTHORITY.fullmatch(host_and_port)
    if parts is None or (parts[2] and int(parts[2]) > 65535):
        return None
    return _host(parts[1])


def _host_of_address(value: str) -> str | None:
    local, _, domain = value.rpartition("@")
    if len(local) > 64 or not _LOCAL_PART.fullmatch(local) or _hides(local, '@:/\\?#%!<>"(),;. '):
        return None
    return None if domain.startswith("[") else _host(domain)


def _host_of_mailbox(value: str) -> str | None:
    """The host in `Name <a@b>`; a name that could pass for a second address is refused."""
    name, _, address = value.removesuffix(">").partition("<")
    name = name.removesuffix(" ")
    if not value.endswith(">") or set("<>") & set(address):
        return None
    inner = name[1:-1] if _QUOTED_NAME.fullmatch(name) else name
    refused = "@<>" if inner is not name else '@<>,;:"()[]\\'
    if "=?" in name or set(refused) & set(inner) or _hides(inner, '@<>,;:"'):
        return None
    return _host_of_address(address)


def host_of(value: str) -> str | None:
    """The host a domain, an e-mail address, `Name <address>` or an absolute URL leads to.

    Lower case, international names as A-labels, no trailing dot, IPv6 without brackets. `None` is
    "cannot tell": malformed, or read differently by different programs. It never means "no host".

    >>> host_of("https://good.example@evil.example/")
    'evil.example'
    """
    if _CONTROL.search(value):
        return None
    if "://" in value and _URL.fullmatch(value):
        return _host_of_url(value)
    if "<" in value:
        return _host_of_mailbox(value)
    if "@" in value:
        return _host_of_address(value)
    return _bare_host(value)


def _bare_host(text: str) -> str | None:
    if ":" in text and not text.startswith("["):
        return _ip(text)
    return _host(text)


def is_email(text: str) -> bool:
    """Whether `text` is one plain address, without a display name."""
    return "@" in text and "<" not in text and "://" not in text and host_of(text) is not None


def is_url(text: str) -> bool:
    """Whether `text` is an absolute URL with a host."""
    return not _CONTROL.search(text) and _host_of_url(text) is not None


def is_domain_pattern(text: str) -> bool:
    """Whether `text` is a host, or `*.` and a domain; a lone `*` is neither."""
    return _pattern(text) is not None


def _pattern(text: str) -> tuple[str, bool] | None:
    """The host of a pattern, and whether the pattern means the sub-domains."""
    base = text.removeprefix("*.")
    host = None if _CONTROL.search(base) else _bare_host(base)
    below = base != text
    return None if host is None or (below and _ip(host)) else (host, below)


def domain_matches(host: str, pattern: str) -> bool:
    """Whether `host` is the domain `pattern`, or under it where the pattern begins with `*.`.

    Both sides are brought to the form of `host_of` first. A malformed side never matches, so a
    caller that must tell "elsewhere" from "cannot tell" asks `host_of` first.
    """
    wanted = _pattern(pattern)
    place = None if _CONTROL.search(host) else _bare_host(host)
    if wanted is None or place is None:
        return False
    base, below = wanted
    return place.endswith("." + base) if below else place == base


# --- paths

_CODED = re.compile(r"%(?:2e|2f|5c|00|25)", re.IGNORECASE)


def _path_parts(path: str) -> tuple[bool, list[str]] | None:
    """Whether the path is absolute, and its parts without `.` and, but for a start, `..`."""
    if not path or path[0] == "~" or "\\" in path or "://" in path or re.match(r"[A-Za-z]:", path):
        return None
    if _CONTROL.search(path) or _CODED.search(path):
        return None
    absolute = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if parts and parts[-1] != "..":
                parts.pop()
            elif not absolute:
                parts.append(part)
            continue
        plain = part if part.isascii() else unicodedata.normalize("NFKC", part)
        if not part.strip(". ") or not plain.strip(". ") or set("/\\") & set(plain):
            return None
        parts.append(part)
    return absolute, parts


def is_path(text: str) -> bool:
    """Whether `text` is a path with `/` between its parts that every program reads alike.

    Refused: the empty text, control characters, backslashes, drive letters, a leading `~`, coded
    dots and slashes (`%2e`), characters that normalise to a slash, names of dots and blanks only.
    """
    return _path_parts(text) is not None


def path_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies under it, by its spelling alone: links are not followed.

    An absolute path never lies in a relative folder, nor the other way round. A malformed side
    never matches, so a caller that must tell "elsewhere" from "cannot tell" asks `is_path` first.
    """
    inner, outer = _path_parts(path), _path_parts(folder)
    if inner is None or outer is None or inner[0] != outer[0]:
        return False
    if not inner[0] and all(part == ".." for part in outer[1]):
        return inner[1].count("..") <= len(outer[1])
    return inner[1][: len(outer[1])] == outer[1]
