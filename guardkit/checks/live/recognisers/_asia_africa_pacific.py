"""National numbers of Asia, Africa and the Pacific: identity, tax and health."""

from __future__ import annotations

import re

from .._validators import VALIDATE
from ._numbers import is_luhn, is_mod_11_2, is_varied, is_ymd, weighted
from ._recogniser import Layouts, Pattern, Read, Recogniser, listed


def au_abn(number: str) -> bool:
    """Australia, business: one less in the first place, a multiple of 89."""
    total = weighted(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10
    return number[0] != "0" and total % 89 == 0


def au_medicare(number: str) -> bool:
    """Australia, health: 2 to 6 in front, the ninth digit checks the eight before it."""
    rest = weighted(number, (1, 3, 7, 9, 1, 3, 7, 9)) % 10
    return number[0] in "23456" and rest == int(number[8])


def au_tfn(number: str) -> bool:
    """Australia, tax: nine digits, or eight from before."""
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10) if len(number) == 9 else (10, 7, 8, 4, 6, 3, 5, 1)
    return is_varied(number) and weighted(number, weights) % 11 == 0


def cn_resident_id(number: str) -> bool:
    """China: region, day of birth, serial, MOD 11-2."""
    body, last = number[:17], number[17:]
    is_shaped = body.isdigit() and (last.isdigit() or last == "X")
    return is_shaped and number[0] in "123456789" and is_ymd(number[6:14]) and is_mod_11_2(number)


_HK = re.compile(r"(?<!\w)([A-Za-z]{1,2})([0-9]{6}) ?(?:(\([0-9A]\))|([0-9A])(?!\w))")


def _read_hk(match: re.Match[str]) -> Read | None:
    """Hong Kong: one or two letters, a blank counting 36; the check digit in brackets."""
    letters = match[1].upper().rjust(2)
    check = (match[3] or match[4]).strip("()")
    values = [36 if c == " " else int(c, 36) for c in letters + match[2] + check]
    total = sum(v * w for v, w in zip(values, range(9, 0, -1), strict=True))
    return Read(*match.span(), match[3] is not None) if total % 11 == 0 else None


def il_id(number: str) -> bool:
    """Israel: a Luhn digit."""
    return is_varied(number) and is_luhn(number)


def in_aadhaar(number: str) -> bool:
    """India: from 2 up, Verhoeff."""
    return number[0] in "23456789" and is_varied(number) and VALIDATE["verhoeff"](number)


def in_pan(number: str) -> bool:
    """India, tax: the fourth letter says who holds it."""
    return number[3] in "ABCFGHJKLPT" and number[5:9] != "0000"


def jp_my_number(number: str) -> bool:
    """Japan: weights 2 to 7 and 2 to 6 from the right."""
    rest = weighted(number[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return is_varied(number) and (0 if rest < 2 else 11 - rest) == int(number[11])


def kr_rrn(number: str) -> bool:
    """South Korea: day of birth, sex and century. Numbers from 2020 have no check digit."""
    century = {"1": 19, "2": 19, "3": 20, "4": 20, "5": 19, "6": 19, "7": 20, "8": 20}
    first = century.get(number[6], 18)
    return is_ymd(f"{first}{number[:6]}") and is_varied(number[6:])


def my_nric(number: str) -> bool:
    """Malaysia: day of birth and a place that has a code."""
    place = int(number[6:8])
    unused = (0, 17, 18, 19, 20, 69, 70, 73, 80, 81, 94, 95, 96, 97)
    return is_ymd(number[:6]) and place not in unused and is_varied(number[8:])


def nz_ird(number: str) -> bool:
    """New Zealand, tax: a second round of weights where the first gives ten."""
    full = number.zfill(9)
    if not 10_000_000 <= int(full) <= 150_000_000:
        return False
    rest = -weighted(full, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if rest == 10:
        rest = -weighted(full, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return rest == int(full[8])


def sg_nric(number: str) -> bool:
    """Singapore: citizens `S`, `T`; foreigners `F`, `G`, `M`; a check letter."""
    first = number[0]
    total = weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(first, 0)
    if first in "ST":
        return "JZIHGFEDCBA"[total % 11] == number[8]
    if first in "FG":
        return "XWUTRQPNMLK"[total % 11] == number[8]
    return first == "M" and "XWUTRQPNJLK"[total % 11] == number[8]


def th_id(number: str) -> bool:
    """Thailand: weights 13 down to 2."""
    rest = (11 - weighted(number, range(13, 1, -1)) % 11) % 10
    return number[0] != "0" and is_varied(number) and rest == int(number[12])


_TW_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def tw_id(number: str) -> bool:
    """Taiwan: the letter of a place as a number from 10 up."""
    tens, ones = divmod(_TW_LETTERS.index(number[0]) + 10, 10)
    total = tens + ones * 9 + weighted(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))
    return number[1] in "1289" and total % 10 == 0


def za_id(number: str) -> bool:
    """South Africa: day of birth, sex, citizenship, a Luhn digit."""
    return is_ymd(number[:6]) and number[10] in "012" and is_luhn(number)


_SAID = ("id number", "identity number", "identity document", "south african*", "sa id", "rsa id")

RECOGNISERS: tuple[Recogniser, ...] = (
    Layouts(
        "au_abn",
        sure=("99 999 999 999",),
        told=("9" * 11,),
        valid=au_abn,
        words=("abn", "a b n", "australian business*"),
        specific=6,
    ),
    Layouts(
        "au_medicare",
        sure=("9999 99999 9", "9999 99999 9/9", "9999-99999-9"),
        told=("9" * 10, "9" * 11),
        valid=au_medicare,
        words=("medicare*",),
    ),
    Layouts(
        "au_tfn",
        told=("999 999 999", "9" * 9, "999-999-999", "9" * 8),
        valid=au_tfn,
        words=("tfn", "tax file*"),
    ),
    Layouts(
        "cn_resident_id",
        sure=("99999999999999999*", "999999 99999999 999*"),
        valid=cn_resident_id,
        capitals=False,
        specific=8,
    ),
    Pattern(
        "hk_id",
        needle=r"[A-Za-z][0-9]{6} ?[(0-9A]",
        pattern=_HK,
        width=12,
        read=_read_hk,
        words=("hkid*", "hong kong id*", "香港身份證", "身份證", "身份证"),
        specific=6,
    ),
    Layouts(
        "il_id",
        told=("9" * 9, "99999999-9"),
        valid=il_id,
        words=listed("תעודת זהות, ת ז, מספר זהות, teudat zehut, israeli id, israel id, israeli*"),
    ),
    Layouts(
        "in_aadhaar",
        told=("9999 9999 9999", "9" * 12, "9999-9999-9999"),
        valid=in_aadhaar,
        words=("aadhaar*", "aadhar*", "adhaar*", "uidai", "uid", "आधार"),
    ),
    Layouts(
        "in_pan",
        sure=("AAAAA9999A",),
        valid=in_pan,
        words=("pan", "permanent account*", "income tax", "पैन"),
        specific=6,
    ),
    Layouts(
        "jp_my_number",
        told=("9999 9999 9999", "9" * 12, "9999-9999-9999"),
        valid=jp_my_number,
        words=("マイナンバー", "個人番号", "my number", "mynumber", "kojin bango"),
    ),
    Layouts("kr_rrn", sure=("999999-9999999",), valid=kr_rrn, specific=6),
    Layouts(
        "kr_rrn",
        told=("9" * 13,),
        valid=kr_rrn,
        words=("주민등록번호", "주민번호", "rrn", "resident*"),
    ),
    Layouts(
        "my_nric",
        sure=("999999-99-9999",),
        told=("9" * 12, "999999 99 9999"),
        valid=my_nric,
        words=listed("nric, mykad, kad pengenalan, no k p, ic number, ic no, ic"),
        specific=6,
    ),
    Layouts(
        "nz_ird",
        told=("99-999-999", "999-999-999", "9" * 8, "9" * 9, "99 999 999", "999 999 999"),
        valid=nz_ird,
        words=("ird", "inland revenue*", "i r d"),
    ),
    Layouts(
        "sg_nric",
        sure=("A9999999A",),
        valid=sg_nric,
        words=("nric", "fin", "identity card"),
        specific=7,
    ),
    Layouts(
        "th_id",
        sure=("9-9999-99999-99-9", "9 9999 99999 99 9"),
        told=("9" * 13,),
        valid=th_id,
        words=("บัตรประชาชน", "เลขประจำตัว*", "thai id", "thai national*", "national id*"),
        specific=6,
    ),
    Layouts(
        "tw_id",
        told=("A999999999",),
        valid=tw_id,
        words=listed("身分證*, 身份證*, 身分証*, 統一編號, taiwan id, taiwan*, national id*"),
    ),
    Layouts(
        "za_id",
        told=("9" * 13, "999999 9999 999", "999999 9999 99 9"),
        valid=za_id,
        words=_SAID,
    ),
)
"""Every kind of this file; a kind with a surer form beside an ordinary one stands here twice."""
