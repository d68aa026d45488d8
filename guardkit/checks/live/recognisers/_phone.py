"""Telephone numbers: international ones by country code and length, national ones by layout.

A number with `+` and a country code speaks for itself. A national layout that nothing else uses
does too: an area code in brackets, groups with a leading zero. Any other run of 7 to 12 grouped
digits needs a word nearby, and dates, versions and network addresses are left alone even then.
"""

from __future__ import annotations

import re
from itertools import pairwise

from ._numbers import is_day, is_varied
from ._recogniser import Pattern, Read, Recogniser, listed

_LENGTHS: dict[str, tuple[int, int]] = {}
"""Country code to the fewest and the most digits of a national number (ITU E.164)."""

for _entry in listed(
    "1:10 7:10 20:8-10 27:9 30:10 31:9-11 32:8-9 33:9 34:9 36:8-9 39:6-12 40:9 41:9-12 43:4-13 "
    "44:9-10 45:8 46:7-10 47:5-8 48:9 49:6-13 51:8-9 52:10 53:6-8 54:10-11 55:10-11 56:9 "
    "57:8-10 58:10 60:8-10 61:9 62:7-12 63:8-10 64:8-10 65:8 66:8-9 81:9-10 82:8-11 84:9-10 "
    "86:9-11 90:10 91:10 92:9-10 93:9 94:9 95:7-10 98:10 211:9 212:9 213:8-9 216:8 218:9 220:7 "
    "221:9 222:8 223:8 224:9 225:10 226:8 227:8 228:8 229:8-10 230:7-8 231:7-9 232:8 233:9 "
    "234:8-10 235:8 236:8 237:9 238:7 239:7 240:9 241:7-8 242:9 243:9 244:9 245:9 248:7 249:9 "
    "250:9 251:9 252:7-9 253:8 254:9 255:9 256:9 257:8 258:8-9 260:9 261:9 262:9 263:9 264:8-9 "
    "265:7-9 266:8 267:7-8 268:8 269:7 297:7 298:6 299:6 350:8 351:9 352:4-11 353:7-9 354:7-9 "
    "355:8-9 356:8 357:8 358:5-12 359:7-9 370:8 371:8 372:7-8 373:8 374:8 375:9 376:6-9 "
    "377:8-9 378:6-10 380:9 381:8-9 382:8 383:8-9 385:8-9 386:8 387:8-9 389:8 420:9 421:9 "
    "423:7-9 501:7 502:8 503:8 504:8 505:8 506:8 507:7-8 508:6 509:8 590:9 591:8 592:7 593:8-9 "
    "594:9 595:9 596:9 597:6-7 598:8 599:7-8 670:7-8 672:6 673:7 674:7 675:7-8 676:5-7 677:5-7 "
    "678:5-7 679:7 680:7 681:6 682:5 683:4-7 685:5-7 686:5-8 687:6 688:5-6 689:6-8 690:4 691:7 "
    "692:7 800:8 808:8 850:8-10 852:8 853:8 855:8-9 856:8-10 870:9 878:12 880:8-10 882:7-12 "
    "883:7-12 886:8-9 960:7 961:7-8 962:8-9 963:8-9 964:8-10 965:7-8 966:8-9 967:7-9 968:8 "
    "970:8-9 971:8-9 972:8-9 973:8 974:8 975:7-8 976:8 977:8-10 979:9 992:9 993:8 994:9 995:9 "
    "996:9 998:9",
    by=" ",
):
    _code, _range = _entry.split(":")
    _low, _, _high = _range.partition("-")
    _LENGTHS[_code] = (int(_low), int(_high or _low))

_EXTENSION = r"(?: ?,? ?(?:ext\.?|extension|x|poste|Durchwahl|#) ?[0-9]{1,6}(?![0-9]))?"
_SEP = "[ \u00a0\u202f\u2011().\\-/]"
_INTERNATIONAL = re.compile(
    rf"(?<![\w+.])(?:\+|\(\+|00(?=[ 1-9])){_SEP}?[1-9](?:{_SEP}{{0,3}}[0-9]){{6,18}}", re.IGNORECASE
)
_GROUP = re.compile("[0-9]+")
_BRACKETED = re.compile(r"\(\+ ?[0-9]{1,4}\)")
_TAIL = re.compile(_EXTENSION, re.IGNORECASE)


def _country(digits: str) -> str:
    return next((digits[:n] for n in (1, 2, 3) if digits[:n] in _LENGTHS), "")


def _read_international(match: re.Match[str]) -> Read | None:
    """The longest run of whole groups that is as long as numbers of that country are."""
    text, best = match[0], 0
    is_plus = "+" in text[:2]
    start = 0 if is_plus else 2  # of `00`
    digits, country = "", ""
    for group in _GROUP.finditer(text, start):
        before = text[group.start() - 1 : group.start()]
        is_trunk = group[0] == "0" and before == "(" and bool(digits)
        digits += "" if is_trunk else group[0]
        country = country or _country(digits)
        if not country:
            return None
        low, high = _LENGTHS[country]
        if len(digits) - len(country) > high:
            break
        if low <= len(digits) - len(country):
            best = group.end()
    following = match.string[match.start() + best : match.start() + best + 1]
    if not best or following.isalnum() or following == "_" or not is_varied(digits[len(country) :]):
        return None
    stop = match.start() + best
    tail = _TAIL.match(match.string, stop)
    is_grouped = any(char in " -./()\u00a0" for char in text[2:best])
    is_opened = text.startswith("(+") and not _BRACKETED.match(text)  # by the sentence around it
    begin = match.start() + is_opened
    return Read(begin, tail.end() if tail else stop, is_plus or is_grouped)


_LEFT = r"(?<![\w+$€£¥#&])(?<![\w)][.\-/])(?<![0-9][,:])"
_RIGHT = r"(?!\w)(?![-/.,:][0-9])(?! ?[%€$£])"
_NATIONAL = re.compile(
    _LEFT + r"(?:"
    # North America: an area code in brackets, or groups of 3, 3 and 4.
    r"(?P<sure>(?:1[ .-]?)?\([0-9]{3}\)[\s.-]?[0-9]{3}[ .-][0-9]{4}"
    r"|(?:1[ .-])?[2-9][0-9]{2}([.-])[2-9][0-9]{2}\2[0-9]{4}"
    # A trunk zero: an area in brackets or before a slash, pairs, three groups and more.
    r"|\(0[0-9]{1,5}\)[ -]?[0-9]{3,5}(?:[ -]?[0-9]{2,4}){0,3}"
    r"|0[1-9][0-9]{1,4}/ ?[0-9]{4,8}(?:[ -][0-9]{1,4}){0,2}"
    r"|0[1-9][0-9]{1,3} ?/ ?[0-9]{2,4}(?: [0-9]{2,3}){1,3}"
    r"|0[1-9](?:([ .-])[0-9]{2})(?:\3[0-9]{2}){3}"
    r"|0[1-9][0-9]{0,3}([ -])[0-9]{2,4}\4[0-9]{3,4}"
    r"|0[1-9][0-9]{1,3} [0-9]{3} [0-9]{2} [0-9]{2})"
    # All others.
    r"|(?P<told>(?:\([0-9]{2,5}\)|[0-9]{2,5})(?:[ \u00a0\u2011-]{1,2}[0-9]{2,5}){1,4}"
    r"|0[0-9]{8,10}|[2-9][0-9]{6,9}"
    r"|1?[2-9][0-9]{9}|0[0-9]{2,4}[ -][0-9]{4,8}|[0-9]{3,4}(?:[./][0-9]{3,4}){1,2}))" + _RIGHT
)
_NO_PHONE = re.compile(
    # Days, spans of years, and the layout of American social security numbers.
    r"[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}"
    r"|(?:19|20)[0-9]{2}[ -](?:0?[1-9]|1[0-2])[ -](?:0?[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[ -](?:0?[1-9]|1[0-2])[ -](?:(?:19|20)[0-9]{2}|[0-9]{2})"
    r"|(?:19|20)[0-9]{2}[ -]{1,2}(?:19|20)[0-9]{2}|(?:19|20)[0-9]{6}"
)
_OTHER_NUMBER = re.compile(
    r"(?<![^\W_])(?:order|invoice|ticket|ref(?:erence)?|isbn|issn|part|serial|version|case|item|sku|"
    r"model|tracking|account|konto|iban|bestell\w*|rechnung\w*|commande|pedido|facture|ssn|"
    r"bsn|tin|vat|passport|id|pid|port|room|page|p|year|rfc|cve|doi|plate)"
    r"(?: ?(?:no|number|nr|code|id|#))?[ .:#№=\"']{0,4}$",
    re.IGNORECASE,
)


def _read_national(match: re.Match[str]) -> Read | None:
    text = match[0]
    digits = "".join(_GROUP.findall(text))
    if not 7 <= len(digits) <= 12 or not is_varied(digits) or _NO_PHONE.fullmatch(text):
        return None
    string, start = match.string, match.start()
    if match["sure"] is None and _OTHER_NUMBER.search(string, max(0, start - 24), start):
        return None
    if (
        len(digits) == 8
        and digits.isdigit()
        and is_day(*map(int, (digits[:4], digits[4:6], digits[6:])))
    ):
        return None
    pairs = [int(group) for group in _GROUP.findall(text)]
    is_counting = len(pairs) > 2 and {b - a for a, b in pairwise(pairs)} == {1}
    tail = _TAIL.match(string, match.end())
    end = tail.end() if tail else match.end()
    return None if is_counting else Read(start, end, match["sure"] is not None)


_WORDS = listed(
    "phone*, telephone*, tel, tél, telno, mobile*, cell, cellphone*, fax*, call, calls, "
    "called, calling, dial*, ring, whatsapp, sms, text me, texted, contact*, hotline*, "
    "helpline*, landline*, pager, voicemail, reach me, reached at, ph, mob, signal, "
    "telegram, viber, callback, questions, emergency*, telefon*, handy*, mobil*, anruf*, "
    "rufnummer*, ruf, rückruf*, durchwahl, notruf, teléfono*, telefono*, móvil*, movil*, "
    "celular*, llam*, cellulare*, chiam*, téléphone*, portable*, appel*, mon numéro, "
    "telemóvel*, telemovel*, ligue*, ligar, telefoon*, bel, bellen, gsm, puhelin*, puh, "
    "tlf*, ring meg, ringa, sími, komórk*, zadzwoń*, mobilni*, тел, телефон*, моб, звон*, "
    "τηλ*, κινητό*, cep, ara, arayın, arayin, nomor, hp, điện thoại, 电话, 電話, 手机, 手機, 携帯, "
    "전화, 휴대폰, 연락처, โทร, هاتف, جوال, تلفن, טלפון, נייד, फोन, मोबाइल"
)

_GAP = r"[\s().\-/\x{a0}\x{202f}\x{2011}]"

RECOGNISERS: tuple[Recogniser, ...] = (
    Pattern(
        "phone",
        needle=rf"(?:\+|00){_GAP}?[1-9](?:{_GAP}|[0-9]){{5}}",
        pattern=_INTERNATIONAL,
        width=96,
        read=_read_international,
        starts=re.compile(r"[+(0](?<![\w+.].)"),
        words=_WORDS,
        before=40,
        after=10,
        specific=5,
    ),
    Pattern(
        "phone",
        needle=rf"[0-9]{{2}}{_GAP}{{1,2}}[0-9]{{2}}(?:{_GAP}|[0-9])[0-9]|[0-9]{{7}}",
        pattern=_NATIONAL,
        width=48,
        read=_read_national,
        starts=re.compile(r"[0-9(](?<![\w+$€£¥#&].)"),
        words=_WORDS,
        before=40,
        after=10,
        specific=3,
    ),
)
"""International numbers, national numbers."""
