"""Addresses of machines, mail and money on the net, and of points on a map."""

from __future__ import annotations

import re

from .._validators import VALIDATE
from ._recogniser import Pattern, Read, Recogniser, listed, whole

_BEFORE_AT = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}$")


def _read_email(match: re.Match[str]) -> Read | None:
    """From the `@` outwards: the match begins at the host."""
    text, at = match.string, match.start()
    local = _BEFORE_AT.search(text, max(0, at - 64), at)
    if local is None:
        return None
    name = local[0]
    if local.end() - local.start() == 64 and at > 64 and text[at - 65].isalnum():
        return None  # longer than a mailbox may be
    # What often stands before an address and belongs to it only in theory: `mail=`, quotes, `://`.
    kept = re.split(r"[=/'`{|}?&!#$%^*]", name)[-1] if not _PLAIN.fullmatch(name) else name
    kept = _UNSPACED.sub("", kept).lstrip(".-")
    if not kept or kept.endswith(".") or ".." in kept:
        return None
    return Read(at - len(kept), match.end())


_PLAIN = re.compile(r"[\w.+-]+")
_HOST = re.compile(
    # The last label is written in one script: in `a@b.exampleです` it ends where the other begins.
    r"@(?:[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?\.){1,6}"
    r"(?:xn--[a-z0-9-]{2,40}|[a-zA-Z]{2,24}|[^\W\d_a-zA-Z]{2,24})(?![a-zA-Z0-9_])(?!-[^\W_])",
    re.IGNORECASE,
)
_UNSPACED = re.compile(
    r".*[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af](?=[\w.+-]*[a-zA-Z0-9])"
)

_STOP = r"""\s<>"'`{}|\\^，。、；：！？）」』】》\u201c\u201d\u2018\u2019\u00ab\u00bb"""
_END = rf"[^{_STOP}.,;:!?()\[\]*_~]"
_URL = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:https?|ftp|wss?)://(?=[^\s/?#<>\"':]{1,253}[.]|\[|localhost)|www\.(?=[^\W_]))"
    rf"(?:[^{_STOP}]{{0,2000}}"
    rf"(?:{_END}|\([^{_STOP}()]{{0,100}}\)))",
    re.IGNORECASE,
)


def _read_url(match: re.Match[str]) -> Read | None:
    """Up to the bracket that the text around it opened: `(see https://a.example)`."""
    text = match[0]
    depth = 0
    for i, char in enumerate(text):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                kept = text[:i].rstrip(".,;:!?")
                return Read(match.start(), match.start() + len(kept)) if "." in kept else None
    return Read(*match.span())


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?<!\w-){_OCTET}(?:\.{_OCTET}){{3}}(?!\w)(?!\.[0-9])(?!-[0-9])")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:.]{2,45})(?:[0-9A-Fa-f]{1,4}:|:)(?:[0-9A-Fa-f]{0,4}:){1,7}"
    r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4})(?![\w:])"
)
_VERSION = re.compile(r"(?:version|v|ver|release|build|rev|firmware|section|chapter)\.? ?$", re.I)


def _read_ipv4(match: re.Match[str]) -> Read | None:
    """Not after `version`: four numbers with points are the number of many a program."""
    before = match.string[max(0, match.start() - 10) : match.start()]
    return None if _VERSION.search(before) else Read(*match.span())


def _is_ipv6(text: str) -> bool:
    """More than a pair of colons: `::` and `::1` alone are code."""
    return len(text) > 6 and sum(c.isdigit() for c in text) > 0 and VALIDATE["ip"](text)


_HEX = "[0-9A-Fa-f]"
_MAC = re.compile(
    rf"(?<![\w:.-])(?:{_HEX}{{2}}([:-]){_HEX}{{2}}(?:\1{_HEX}{{2}}){{4}}"
    rf"|{_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}})(?![\w:]|[.-]\w)"
)

_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
_BECH32 = "[02-9ac-hj-np-z]"
_WALLET = re.compile(
    rf"(?<![\w/])(?:0x[0-9a-fA-F]{{40}}|(?:bc1|ltc1|tb1){_BECH32}{{11,87}}"
    rf"|(?:BC1|LTC1|TB1)[02-9AC-HJ-NP-Z]{{11,87}}|[13LMDT]{_BASE58}{{25,34}})(?!\w)"
)
_WALLET_WORDS = listed(
    "wallet*, bitcoin*, btc, ethereum, eth, litecoin, ltc, dogecoin, doge, tron, trx, usdt, usdc,"
    "crypto*, satoshi*, portefeuille*, monedero*, cartera, кошел*, 钱包, 比特币, ウォレット,"
    "ビットコイン, 지갑"
)


def _read_wallet(match: re.Match[str]) -> Read | None:
    """A checksum is enough; without it a word has to say that this is a wallet."""
    text = match[0]
    if text.startswith("0x"):
        return Read(*match.span())
    is_checked = VALIDATE["bech32"](text) or VALIDATE["base58check"](text)
    is_mixed = any(c.isdigit() for c in text[1:]) and any(c.isalpha() for c in text)
    return Read(*match.span(), is_checked) if is_mixed else None


_DEGREES = r"[0-9]{1,3}(?:\.[0-9]{1,10})? ?°(?: ?[0-9]{1,2}(?:\.[0-9]{1,6})? ?['′’])?"
_SECONDS = r"(?: ?[0-9]{1,2}(?:\.[0-9]{1,6})? ?(?:[\"″”]|''))?"
_DECIMAL = r"[0-9]{1,3}\.[0-9]{3,15}"
_COORDINATES = re.compile(
    rf"(?<![\w.])(?:(?P<dms>{_DEGREES}{_SECONDS} ?[NSns][, ;/]{{0,3}}{_DEGREES}{_SECONDS} ?[EWOew])"
    rf"|(?P<named>{_DECIMAL} ?[NS][, ;/]{{1,3}}{_DECIMAL} ?[EWO])"
    rf"|(?P<lat>[+-]?{_DECIMAL})[,;/ ]{{1,3}}(?P<lon>[+-]?{_DECIMAL}))(?![\w°])(?!\.[0-9])"
)


def _read_coordinates(match: re.Match[str]) -> Read | None:
    """Two bare decimals need a word; degrees or the four winds say it themselves."""
    if match["lat"] is None:
        return Read(*match.span())
    is_on_earth = abs(float(match["lat"])) <= 90 and abs(float(match["lon"])) <= 180
    return Read(*match.span(), False) if is_on_earth else None


RECOGNISERS: tuple[Recogniser, ...] = (
    Pattern(
        "coordinates",
        needle=r"[0-9] ?[°NS]|[0-9]\.[0-9]{3,15} ?[,;/NS ] ?[+-]?[0-9]{1,3}\.[0-9]{3}",
        pattern=_COORDINATES,
        width=64,
        read=_read_coordinates,
        starts=re.compile(r"[-+0-9](?<![\w.].)"),
        words=listed(
            "lat, latitude, lon, lng, longitude, gps, coordinate*, coords, geo*, koordinat*, "
            "coordonnées, coordenadas, location, position, standort, 座標, located, 坐标, 좌표, "
            "координаты, maps"
        ),
        specific=6,
    ),
    Pattern(
        "crypto_wallet",
        needle=rf"0x[0-9a-fA-F]{{40}}|(?i:bc1|ltc1|tb1)[0-9A-Za-z]{{11}}|[13LMDT]{_BASE58}{{25}}",
        pattern=_WALLET,
        width=91,
        read=_read_wallet,
        words=_WALLET_WORDS,
        specific=7,
    ),
    Pattern(
        "email", needle=r"[^\s@]@[^\s@]", pattern=_HOST, width=320, read=_read_email, specific=8
    ),
    Pattern(
        "ip",
        needle=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        pattern=_IPV4,
        width=15,
        read=_read_ipv4,
        starts=re.compile(r"[0-9](?<![\w.].)"),
        specific=6,
    ),
    Pattern(
        "ip",
        needle=r"[0-9A-Fa-f]{0,4}::?[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}",
        pattern=_IPV6,
        width=45,
        read=whole(_is_ipv6),
        specific=6,
    ),
    Pattern(
        "mac",
        needle=rf"{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]|{_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}",
        pattern=_MAC,
        width=17,
        read=whole(lambda mac: VALIDATE["mac"](mac) and len(set(mac.lower())) > 2),
        specific=7,
    ),
    Pattern(
        "url",
        needle=r"(?i)(?:https?|ftp|wss?)://|www\.",
        pattern=_URL,
        width=2_100,
        read=_read_url,
        specific=9,
    ),
)
"""Every kind of this file."""
