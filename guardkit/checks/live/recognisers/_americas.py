"""National numbers of the Americas: identity, tax, social security and health."""

from __future__ import annotations

import re

from ._numbers import digits_of, is_luhn, is_varied, is_ymd, weighted
from ._recogniser import Layouts, Pattern, Read, Recogniser, listed


def ar_cuit(number: str) -> bool:
    """Argentina: a prefix that is in use and a check digit."""
    rest = 11 - weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    is_used = number[:2] in ("20", "23", "24", "25", "26", "27", "30", "33", "34")
    return is_used and {11: 0, 10: 9}.get(rest, rest) == int(number[10])


def _brazilian(number: str, highest: int) -> bool:
    """Two check digits, each over all before it, weights from the right 2 up to the highest."""
    for end in (len(number) - 2, len(number) - 1):
        weights = [i % (highest - 1) + 2 for i in range(end)]
        rest = weighted(number[:end][::-1], weights) % 11
        if (0 if rest < 2 else 11 - rest) != int(number[end]):
            return False
    return is_varied(number)


def br_cpf(number: str) -> bool:
    """Brazil, people."""
    return _brazilian(number, 12)


def br_cnpj(number: str) -> bool:
    """Brazil, companies."""
    return _brazilian(number, 9)


def ca_sin(number: str) -> bool:
    """Canada: a Luhn digit; nothing begins with 8."""
    return number[0] != "8" and is_varied(number) and is_luhn(number)


def cl_rut(number: str) -> bool:
    """Chile: the rest by 11, `K` for ten."""
    weights = (2, 3, 4, 5, 6, 7, 2, 3)
    rest = 11 - weighted(number[-2::-1], weights) % 11
    return is_varied(number) and {11: "0", 10: "K"}.get(rest, str(rest)) == number[-1]


_CURP_VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ")}
_CURP = re.compile(
    r"(?<!\w)[A-Z][AEIOUX][A-Z]{2}([0-9]{6})[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z][0-9](?!\w)",
    re.IGNORECASE,
)


def _read_curp(match: re.Match[str]) -> Read | None:
    """Mexico: day of birth, sex, state, consonants, check digit."""
    code = match[0].upper()
    total = sum(_CURP_VALUES[c] * (18 - i) for i, c in enumerate(code[:17]))
    is_valid = is_ymd(match[1]) and (10 - total % 10) % 10 == int(code[17])
    return Read(*match.span()) if is_valid else None


_RFC_VALUES = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ")}
_RFC = re.compile(
    r"(?<![\w&])([A-ZÑ&]{3,4})[ -]?([0-9]{6})[ -]?([0-9A-Z]{2}[0-9A])(?!\w)", re.IGNORECASE
)


def _read_rfc(match: re.Match[str]) -> Read | None:
    """Mexico, tax: initials, day of birth, two characters, a check digit from old ones wrong."""
    code = (match[1].rjust(4) + match[2] + match[3]).upper()
    total = sum(_RFC_VALUES.get(c, 0) * (13 - i) for i, c in enumerate(code[:12]))
    check = "0A987654321"[total % 11] if total % 11 else "0"
    if not is_ymd(match[2]):
        return None
    return Read(*match.span(), check == code[12] and match[0].isupper())


def us_aba(number: str) -> bool:
    """Bank routing: a Federal Reserve district and weights 3, 7, 1."""
    district = int(number[:2])
    is_used = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
    return is_used and is_varied(number) and weighted(number, (3, 7, 1) * 3) % 10 == 0


def us_dea(number: str) -> bool:
    """Prescribers: the second letter is an initial; odd digits and twice the even ones."""
    digits = digits_of(number[2:])
    total = sum(digits[:6:2]) + 2 * sum(digits[1:6:2])
    return number[0] in "ABCDEFGHJKLMPRSTUX" and total % 10 == digits[6] and is_varied(number[2:])


_NO_EIN = frozenset(listed("00 07 08 09 17 18 19 28 29 49 69 70 78 79 89 96 97", by=" "))


def us_ein(number: str) -> bool:
    """Employers: a prefix that a campus gives out."""
    return number[:2] not in _NO_EIN and is_varied(number[2:])


def us_itin(number: str) -> bool:
    """Taxpayers without a social security number: 9 and a group in use."""
    group = int(number[3:5])
    is_used = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return number[0] == "9" and is_used


_NO_MBI = frozenset("SLOIBZ")


def us_mbi(number: str) -> bool:
    """Medicare: letters that look like digits are not used; the layout does the rest."""
    return number[0] != "0" and not _NO_MBI.intersection(number)


def us_npi(number: str) -> bool:
    """Health providers: a Luhn digit with 80840 in front."""
    return number[0] in "12" and is_luhn(f"80840{number}")


def us_ssn(number: str) -> bool:
    """Social security: no area 000, 666 or from 900, no group 00, no serial 0000."""
    area, group, serial = number[:3], number[3:5], number[5:]
    is_used = area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"
    return is_used and number not in ("123456789", "078051120") and is_varied(number)


_NINE = "9" * 9
_SSN_WORDS = ("ssn*", "social security*", "soc sec*", "social insurance", "ss no", "ss number")

RECOGNISERS: tuple[Recogniser, ...] = (
    Layouts(
        "ar_cuit",
        sure=("99-99999999-9",),
        told=("9" * 11,),
        valid=ar_cuit,
        words=("cuit*", "cuil*", "clave única", "clave unica", "afip"),
        specific=6,
    ),
    Layouts(
        "br_cnpj",
        sure=("99.999.999/9999-99",),
        told=("9" * 14,),
        valid=br_cnpj,
        words=("cnpj*", "cadastro nacional"),
        specific=7,
    ),
    Layouts(
        "br_cpf",
        sure=("999.999.999-99", "999999999-99"),
        told=("9" * 11,),
        valid=br_cpf,
        words=("cpf*", "cadastro de pessoa*"),
        specific=7,
    ),
    Layouts(
        "ca_sin",
        told=("999 999 999", "999-999-999", _NINE),
        valid=ca_sin,
        words=("sin", "social insurance*", "nas", "assurance sociale", "n a s"),
    ),
    Layouts(
        "cl_rut",
        sure=("99.999.999-*", "9.999.999-*"),
        told=("99999999-*", "9999999-*", "99999999*", "9999999*"),
        valid=lambda number: number[:-1].isdigit() and cl_rut(number),
        words=("rut", "run", "r u t", "rol único", "rol unico"),
        capitals=False,
    ),
    Pattern(
        "mx_curp",
        needle=r"(?i)[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}",
        pattern=_CURP,
        width=18,
        read=_read_curp,
        specific=8,
    ),
    Pattern(
        "mx_rfc",
        needle=r"(?i)[A-ZÑ&]{3}[ -]?[0-9]{6}[ -]?[0-9A-Z]{2}[0-9A]",
        pattern=_RFC,
        width=15,
        read=_read_rfc,
        words=("rfc", "r f c", "registro federal", "sat"),
        specific=7,
    ),
    Layouts(
        "us_aba",
        told=(_NINE, "9999-9999-9"),
        valid=us_aba,
        words=("aba", "routing*", "rtn", "transit number", "bank code", "ach"),
        specific=6,
    ),
    Layouts(
        "us_dea",
        told=("AA9999999", "AA-9999999", "A99999999"),
        valid=lambda number: number[1].isalpha() and us_dea(number),
        words=("dea*", "drug enforcement*", "prescriber*"),
        specific=6,
    ),
    Layouts(
        "us_ein",
        told=("99-9999999", _NINE),
        valid=us_ein,
        words=(
            "ein",
            "employer identification*",
            "fein",
            "federal tax id*",
            "employer id*",
            "tax id*",
        ),
        specific=4,
    ),
    Layouts(
        "us_itin",
        sure=("999-99-9999", "999 99 9999"),
        told=(_NINE,),
        valid=us_itin,
        words=("itin", "individual taxpayer*", "taxpayer id*"),
        specific=6,
    ),
    Layouts(
        "us_mbi",
        sure=("9A*9-A*9-AA99", "9A*9A*9AA99", "9A*9 A*9 AA99"),
        valid=us_mbi,
        specific=7,
    ),
    Layouts(
        "us_npi",
        told=("9" * 10,),
        valid=us_npi,
        words=("npi", "national provider*", "provider id*", "provider number"),
    ),
    Layouts(
        "us_ssn",
        sure=("999-99-9999",),
        told=("999 99 9999", _NINE, "999.99.9999"),
        valid=us_ssn,
        words=_SSN_WORDS,
    ),
)
"""Every kind of this file."""
