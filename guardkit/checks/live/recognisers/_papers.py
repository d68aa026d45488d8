"""Money, devices and documents: numbers that mean the same in every country."""

from __future__ import annotations

import re

from .._validators import VALIDATE
from ._numbers import is_luhn, is_mod_11_10, is_varied, is_ymd, weighted
from ._recogniser import Layouts, Pattern, Read, Recogniser, listed, needle_of_words

# --- bank accounts

_IBAN_LENGTHS = {
    pair[:2]: int(pair[2:])
    for pair in listed(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 "
        "DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 "
        "IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 "
        "MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
        "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30",
        by=" ",
    )
}
_IBAN = re.compile(
    # Begins at the first digit, the country in a look behind: letters are everywhere.
    r"[0-9](?<=[A-Z]{2}.)(?<![^\W_]...)[0-9](?:[ \u00a0-]?[A-Z0-9]){11,30}",
    re.IGNORECASE,
)
_GAP = re.compile(r"[ \u00a0-]")


def _read_iban(match: re.Match[str]) -> Read | None:
    """As many characters as the country has; words that follow after a blank are not among them."""
    start = match.start() - 2
    text = match.string[start : match.end()]
    length = _IBAN_LENGTHS.get(text[:2].upper())
    if length is None:
        return None
    places = [i for i, char in enumerate(text, 1) if char not in " \u00a0-"]
    if len(places) < length:
        return None
    end = places[length - 1]
    stop = start + end
    following = match.string[stop : stop + 1]
    if following.isalnum() or following == "_":
        return None
    return Read(start, stop) if VALIDATE["iban"](_GAP.sub("", text[:end])) else None


_BIC = re.compile(r"(?<!\w)[A-Z]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?!\w)")
_BIC_COUNTRIES = frozenset(_IBAN_LENGTHS) | frozenset(
    listed("AU CA CN HK ID IN JP KR MX MY NZ PH SG TH TW US ZA AR CL CO PE UY VN KE NG MA", by=" ")
)


def _read_bic(match: re.Match[str]) -> Read | None:
    return Read(*match.span(), False) if match[1] in _BIC_COUNTRIES else None


# --- cards

_IIN: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (300_000, 305_999, (14, 16)),  # Diners Club
    (309_500, 309_599, (14, 16)),
    (340_000, 349_999, (15,)),  # American Express
    (352_800, 358_999, (16, 17, 18, 19)),  # JCB
    (360_000, 369_999, (14, 16)),
    (370_000, 379_999, (15,)),
    (380_000, 399_999, (14, 16)),
    (400_000, 499_999, (13, 16, 19)),  # Visa
    (500_000, 509_999, (16, 17, 18, 19)),  # Maestro, Elo
    (510_000, 559_999, (16,)),  # Mastercard
    (560_000, 599_999, (16, 17, 18, 19)),
    (222_100, 272_099, (16,)),  # Mastercard
    (220_000, 220_499, (16, 17, 18, 19)),  # Mir
    (600_000, 609_999, (16, 17, 18, 19)),  # Discover, RuPay, Hipercard
    (620_000, 629_999, (16, 17, 18, 19)),  # UnionPay
    (630_000, 639_999, (16, 17, 18, 19)),
    (640_000, 659_999, (16, 17, 18, 19)),  # Discover
    (670_000, 679_999, (16, 17, 18, 19)),  # Maestro
    (810_000, 829_999, (16, 17, 18, 19)),  # RuPay, UnionPay
)


def card(number: str) -> bool:
    """An issuer's range, a length that the range has, a Luhn digit."""
    if not is_luhn(number) or not is_varied(number):
        return False
    prefix, length = int(number[:6]), len(number)
    return any(low <= prefix <= high and length in lengths for low, high, lengths in _IIN)


# --- devices and vehicles


def imei(number: str) -> bool:
    """Fifteen digits with a Luhn digit; the software version has sixteen and none."""
    return is_varied(number) and (len(number) == 16 or is_luhn(number))


_VIN = re.compile(r"(?<!\w)[A-HJ-NPR-Z0-9]{17}(?!\w)", re.IGNORECASE)


def _read_vin(match: re.Match[str]) -> Read | None:
    """The check digit is law in America and China only: elsewhere a word has to stand nearby."""
    text = match[0].upper()
    digits = sum(char.isdigit() for char in text)
    if not 3 <= digits <= 15 or not text[-3:].isdigit():
        return None
    is_sure = match[0].isupper() and text[0].isalnum() and VALIDATE["vin"](text) and digits < 15
    return Read(*match.span(), is_sure and not text.isdigit())


# --- documents

_PASSPORT = re.compile(
    r"(?<![\w-])(?:[A-Z]{1,2} ?[0-9]{6,8}|[0-9]{8,9}|[0-9]{2}[A-Z]{2}[0-9]{5}"
    r"|[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}|[A-Z]{3}[0-9]{6}|[0-9]{7}[A-Z]?"
    r"|[A-Z][0-9]{2}[A-Z]{2}[0-9]{4})(?!\w)(?!-[0-9])",
    re.IGNORECASE,
)
_PASSPORT_WORDS = listed(
    "passport*, reisepass*, passnummer*, pass nr, passeport*, pasaporte*, passaport*, "
    "paspoort*, paszport*, pasaport*, pass no, passnr, passinummer*, passets, útlevél*, "
    "cestovní pas*, pașaport*, паспорт*, διαβατήριο, 护照, 護照, パスポート, 旅券, "
    "여권, جواز, पासपोर्ट, หนังสือเดินทาง, hộ chiếu, דרכון"
)


def _read_passport(match: re.Match[str]) -> Read | None:
    digits = sum(char.isdigit() for char in match[0])
    return Read(*match.span(), False) if digits >= 4 and is_varied(match[0]) else None


_MRZ = re.compile(
    r"(?<![A-Z0-9<])(?:(?P<td3>P[A-Z<][A-Z<]{3}[A-Z<]{39}\r?\n?[A-Z0-9<]{9}[0-9<][A-Z<]{3}"
    r"[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{14}[0-9<][0-9])"
    r"|(?P<td2>[ACIPV][A-Z<][A-Z<]{3}[A-Z<]{31}\r?\n?[A-Z0-9<]{9}[0-9<][A-Z<]{3}"
    r"[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{7,8}[0-9<]?)"
    r"|(?P<td1>[ACI][A-Z0-9<][A-Z<]{3}[A-Z0-9<]{9}[0-9<][A-Z0-9<]{15}\r?\n?[0-9]{6}[0-9]"
    r"[MFX<][0-9]{6}[0-9][A-Z<]{3}[A-Z0-9<]{11}[0-9]\r?\n?[A-Z<]{30}))(?![A-Z0-9<])"
)


def _checks(field: str, digit: str) -> bool:
    """ICAO 9303: weights 7, 3, 1, the filler counting nothing."""
    return weighted(field.replace("<", "0"), (7, 3, 1) * 7) % 10 == int(digit.replace("<", "0"))


def _read_mrz(match: re.Match[str]) -> Read | None:
    """The dates of birth and of expiry have check digits in every layout."""
    flat = match[0].replace("\r", "").replace("\n", "")
    line = flat[30:] if match["td1"] else flat[44:] if match["td3"] else flat[36:]
    birth, expiry = (0, 8) if match["td1"] else (13, 21)
    dated = is_ymd(line[birth : birth + 6])
    valid = all(_checks(line[at : at + 6], line[at + 6]) for at in (birth, expiry))
    return Read(*match.span()) if dated and valid else None


# --- value added tax

_VAT_SHAPES = {
    "AT": r"U[0-9]{8}",
    "BE": r"[01]?[0-9]{9}",
    "BG": r"[0-9]{9,10}",
    "CY": r"[0-9]{8}[A-Z]",
    "CZ": r"[0-9]{8,10}",
    "DE": r"[0-9]{9}",
    "DK": r"[0-9]{8}",
    "EE": r"[0-9]{9}",
    "EL": r"[0-9]{9}",
    "ES": r"[A-Z0-9][0-9]{7}[A-Z0-9]",
    "FI": r"[0-9]{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}[0-9]{9}",
    "GB": r"(?:[0-9]{9}(?:[0-9]{3})?|(?:GD|HA)[0-9]{3})",
    "HR": r"[0-9]{11}",
    "HU": r"[0-9]{8}",
    "IE": r"[0-9][0-9A-Z+*][0-9]{5}[A-Z]{1,2}",
    "IT": r"[0-9]{11}",
    "LT": r"(?:[0-9]{9}|[0-9]{12})",
    "LU": r"[0-9]{8}",
    "LV": r"[0-9]{11}",
    "MT": r"[0-9]{8}",
    "NL": r"[0-9]{9}B[0-9]{2}",
    "PL": r"[0-9]{10}",
    "PT": r"[0-9]{9}",
    "RO": r"[0-9]{2,10}",
    "SE": r"[0-9]{12}",
    "SI": r"[0-9]{8}",
    "SK": r"[0-9]{10}",
    "XI": r"[0-9]{9}",
    "CHE": r"[0-9]{9}(?:MWST|TVA|IVA)?",
}
_VAT_BODY = {country: re.compile(shape) for country, shape in _VAT_SHAPES.items()}
_VAT = re.compile(
    r"(?<![\w-])(CHE|[A-Z]{2})[ -]?((?:[A-Z0-9+*][ .-]?){1,13}[A-Z0-9])(?: (?:MWST|TVA|IVA))?(?!\w)"
)


def _check_rest(number: str, weights: tuple[int, ...], check: int) -> bool:
    return (11 - weighted(number, weights) % 11) % 11 % 10 == check


def _vat_checks(country: str, body: str) -> bool | None:
    """Whether the check digits hold; None for countries whose rule is not known here."""
    if country in ("DE", "HR"):
        return is_mod_11_10(body)
    if country == "AT":
        spread = sum(
            sum(divmod(int(d) * w, 10)) for d, w in zip(body[1:8], (1, 2) * 4, strict=False)
        )
        return (96 - spread) % 10 == int(body[8])
    if country == "BE":
        return 97 - int(body.zfill(10)[:8]) % 97 == int(body[-2:])
    if country == "DK":
        return weighted(body, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    if country == "FI":
        return _check_rest(body, (7, 9, 10, 5, 8, 4, 2), int(body[7]))
    if country == "FR" and body.isdigit():
        return (12 + 3 * (int(body[2:]) % 97)) % 97 == int(body[:2])
    if country in ("IT", "SE"):
        return is_luhn(body[:10] if country == "SE" else body)
    if country == "LU":
        return int(body[:6]) % 89 == int(body[6:])
    if country == "PL":
        return weighted(body, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(body[9])
    if country == "PT":
        return _check_rest(body, (9, 8, 7, 6, 5, 4, 3, 2), int(body[8]))
    if country == "CHE":
        return (11 - weighted(body, (5, 4, 3, 2, 7, 6, 5, 4)) % 11) % 11 == int(body[8])
    return None


def _read_vat(match: re.Match[str]) -> Read | None:
    """Check digits say it where the country has them; elsewhere a word does."""
    country = match[1]
    shape = _VAT_BODY.get("EL" if country == "GR" else country)
    body = re.sub(r"[ .-]", "", match[2])
    if shape is None or not shape.fullmatch(body):
        return None
    checked = _vat_checks(country, body)
    return None if checked is False else Read(*match.span(), bool(checked))


_VAT_WORDS = listed(
    "vat*, ust id*, ustid*, uid, umsatzsteuer*, mwst*, tva*, iva, p iva, btw*, moms*, "
    "partita iva, nif, dph, dič, nip, alv*, áfa, afm, φπα, ддс, pvn, pvm, km"
)

RECOGNISERS: tuple[Recogniser, ...] = (
    Pattern(
        "bic",
        needle=r"(?i)(?:bic|swift)",
        pattern=_BIC,
        width=11,
        read=_read_bic,
        words=("bic*", "swift*"),
    ),
    Layouts(
        "card",
        sure=(
            "9999 9999 9999 9999",
            "9999-9999-9999-9999",
            "9999.9999.9999.9999",
            "9999 999999 99999",
            "9999-999999-99999",
            "9999 999999 9999",
            "9999-999999-9999",
            "9999 9999 9999 9999 999",
            *("9" * n for n in range(13, 20)),
        ),
        told=("9999/9999/9999/9999", "999999 9999999999", "9999 9999 9999 999 9"),
        valid=card,
        words=listed(
            "card*, visa, mastercard, amex, kreditkarte*, karte*, carte*, tarjeta*, carta, "
            "cartão, karta, pan, kort*, карт*, 信用卡, クレジットカード, 카드"
        ),
        specific=7,
    ),
    Pattern(
        "iban",
        needle=r"(?i)[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{3}",
        pattern=_IBAN,
        width=64,
        read=_read_iban,
        specific=9,
    ),
    Layouts(
        "imei",
        sure=("99-999999-999999-9",),
        told=("9" * 15, "9" * 16, "999999 99 999999 9", "999999-99-999999-9", "99 999999 999999 9"),
        valid=imei,
        words=("imei*", "device id*", "gerätenummer", "handset*"),
        specific=6,
    ),
    Pattern(
        "passport",
        needle=needle_of_words(_PASSPORT_WORDS),
        pattern=_PASSPORT,
        width=11,
        read=_read_passport,
        words=_PASSPORT_WORDS,
        specific=4,
    ),
    Pattern(
        "passport_mrz",
        needle=r"[PACIV][A-Z0-9<][A-Z<]{3}[A-Z0-9<]{25}",
        pattern=_MRZ,
        width=92,
        read=_read_mrz,
        specific=9,
    ),
    Pattern(
        "vat",
        needle=r"(?:[A-Z]{2}|CHE)[ -]?[A-Z0-9]{0,2}[ .-]?[0-9]{2}[ .]?[0-9]",
        pattern=_VAT,
        width=32,
        read=_read_vat,
        words=_VAT_WORDS,
        specific=6,
    ),
    Pattern(
        "vin",
        needle=r"(?i)[A-HJ-NPR-Z0-9]{14}[0-9]{3}",
        pattern=_VIN,
        width=17,
        read=_read_vin,
        words=listed(
            "vin, v i n, chassis*, fahrgestell*, fin, vehicle id*, châssis, bastidor, "
            "telaio, frame number, 车架号, 車台番号"
        ),
        specific=6,
    ),
)
"""Every kind of this file."""
