"""National numbers of Europe: identity, tax, social security and health."""

from __future__ import annotations

import re

from ._numbers import (
    digits_of,
    is_day,
    is_dmy,
    is_luhn,
    is_mod_11_10,
    is_varied,
    is_ymd,
    weighted,
)
from ._recogniser import Layouts, Pattern, Read, Recogniser, listed

_ELEVEN = "9" * 11
_TEN = "9" * 10


def at_svnr(number: str) -> bool:
    """Austria: serial, check digit, day of birth; a month from 13 where the days ran out."""
    rest = weighted(number, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11
    month = int(number[6:8])
    is_dated = is_dmy(number[4:]) or (12 < month < 16 and 1 <= int(number[4:6]) <= 31)
    return number[0] != "0" and rest == int(number[3]) and is_dated


def be_nn(number: str) -> bool:
    """Belgium: 97 less the rest of the first nine, with a 2 in front from the year 2000."""
    month, day, check = int(number[2:4]) % 20, int(number[4:6]), int(number[9:])
    is_dated = month <= 12 and day <= 31  # both are 0 where the day is not known
    return is_dated and check in (97 - int(n + number[:9]) % 97 for n in ("", "2"))


def bg_egn(number: str) -> bool:
    """Bulgaria: day of birth, month plus 20 before 1900 and plus 40 from 2000."""
    month = int(number[2:4])
    is_dated = is_ymd(f"{number[:2]}{month % 20 if month != 40 else 0:02}{number[4:6]}")
    rest = weighted(number, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return month // 20 < 3 and is_dated and rest == int(number[9])


def ch_ahv(number: str) -> bool:
    """Switzerland: 756 and a check digit as on trade items."""
    return number.startswith("756") and weighted(number, (1, 3) * 6 + (1,)) % 10 == 0


def cz_rodne_cislo(number: str) -> bool:
    """Czechia, Slovakia: month plus 50 for women, plus 20 in full years; a multiple of 11."""
    month = int(number[2:4]) % 50
    is_dated = is_ymd(f"{number[:2]}{month - 20 if month > 20 else month:02}{number[4:6]}")
    if len(number) == 9:
        return is_dated and int(number[:2]) < 54 and number[6:] != "000"
    rest = int(number[:9]) % 11 % 10
    return is_dated and rest == int(number[9])


def de_svnr(number: str) -> bool:
    """Germany: area, day of birth, initial, serial; digit sums of the weighted digits."""
    spelled = number[:8] + f"{ord(number[8]) - 64:02}" + number[9:11]
    products = zip(digits_of(spelled), (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)
    total = sum(sum(divmod(d * w, 10)) for d, w in products)
    return is_dmy(number[2:8]) and total % 10 == int(number[11])


def de_tax_id(number: str) -> bool:
    """Germany: of the first ten digits exactly one stands there twice or three times."""
    counts = sorted(number[:10].count(digit) for digit in set(number[:10]))
    is_spread = counts[-1] in (2, 3) and counts[-2] == 1
    return number[0] != "0" and is_spread and is_mod_11_10(number)


def _cpr_rest(number: str) -> int:
    return weighted(number, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11


def dk_cpr_checked(number: str) -> bool:
    """Denmark: a day of birth and the check digit that numbers had until 2007."""
    return is_dmy(number[:6]) and _cpr_rest(number) == 0


def dk_cpr(number: str) -> bool:
    """Denmark: a day of birth; since 2007 without a check digit."""
    return is_dmy(number[:6]) and is_varied(number)


def baltic(number: str) -> bool:
    """Estonia and Lithuania: century and sex, day of birth, serial, check digit in two rounds."""
    century = (int(number[0]) + 1) // 2 + 17
    is_dated = "1" <= number[0] <= "8" and is_ymd(f"{century}{number[1:7]}")
    rest = weighted(number, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(number, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return is_dated and rest == int(number[10])


_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_dni(number: str) -> bool:
    """Spain: eight digits and the letter for their rest by 23."""
    return is_varied(number[:8]) and _DNI_LETTERS[int(number[:8]) % 23] == number[8]


def es_nie(number: str) -> bool:
    """Spain, foreigners: `X`, `Y`, `Z` stand for 0, 1, 2."""
    first = "XYZ".find(number[0])
    return first >= 0 and es_dni(f"{first}{number[1:]}")


_HETU = re.compile(r"(?<![\w-])([0-9]{6})([-+A-FU-Y])([0-9]{3})([0-9A-Y])(?![\w-])")


def _read_hetu(match: re.Match[str]) -> Read | None:
    rest = int(match[1] + match[3]) % 31
    is_valid = is_dmy(match[1]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[rest] == match[4]
    return Read(*match.span()) if is_valid else None


def fr_nir(number: str) -> bool:
    """France: sex, year, month, department (2A and 2B in Corsica), commune, serial, key by 97."""
    department = number[5:7]
    plain = number[:13]
    if department in ("2A", "2B"):
        plain = f"{number[:5]}{19 if department == '2A' else 18}{number[7:13]}"
    if not plain.isdigit() or number[0] not in "12378":
        return False
    month = int(number[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42) and 97 - int(plain) % 97 == int(number[13:])


def gr_amka(number: str) -> bool:
    """Greece: day of birth and a Luhn digit."""
    return is_dmy(number[:6]) and is_luhn(number)


def hr_oib(number: str) -> bool:
    """Croatia: eleven digits, MOD 11,10."""
    return is_varied(number) and is_mod_11_10(number)


def ie_pps(number: str) -> bool:
    """Ireland: seven digits, a check letter, and perhaps a second letter."""
    second = ord(number[8]) - 64 if len(number) == 9 else 0
    if second > 9 and number[8:] not in ("W", "T"):
        return False
    extra = 0 if number[8:] in ("W", "T") else second * 9
    rest = (weighted(number[:7], (8, 7, 6, 5, 4, 3, 2)) + extra) % 23
    return "WABCDEFGHIJKLMNOPQRSTUV"[rest] == number[7]


def is_kennitala(number: str) -> bool:
    """Iceland: day of birth, serial, check digit, century."""
    rest = weighted(number, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return is_dmy(number[:6]) and rest == 0 and number[9] in "890"


_FIRST_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (*_FIRST_ODD, *_FIRST_ODD, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)
_CODICE = re.compile(
    r"(?<!\w)[A-Z]{6}[0-9L-NP-V]{2}[A-EHLMPR-T][0-9L-NP-V]{2}[A-Z][0-9L-NP-V]{3}[A-Z](?!\w)",
    re.IGNORECASE,
)


def _read_codice(match: re.Match[str]) -> Read | None:
    code = match[0].upper()
    even = sum(int(c) if c.isdigit() else ord(c) - 65 for c in code[1:15:2])
    is_valid = (sum(_ODD[c] for c in code[:15:2]) + even) % 26 == ord(code[15]) - 65
    return Read(*match.span()) if is_valid else None


def lv_personas_kods(number: str) -> bool:
    """Latvia: day of birth and a check digit, or from 2017 a number from 32 up without either."""
    if number.startswith("32"):
        return is_varied(number[2:])
    rest = (1101 - weighted(number, (1, 6, 3, 7, 9, 10, 5, 8, 4, 2))) % 11 % 10
    return is_dmy(number[:6]) and rest == int(number[10])


def nl_bsn(number: str) -> bool:
    """The Netherlands: the eleven test, the last digit counting against the others."""
    return is_varied(number) and weighted(number.zfill(9), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def no_fnr(number: str) -> bool:
    """Norway: day of birth (day plus 40 for some foreigners), serial, two check digits."""
    day = int(number[0]) % 4
    first = weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return is_dmy(f"{day}{number[1:6]}") and first == 0 and second == 0


def pl_nip(number: str) -> bool:
    """Poland, tax: weights 6, 5, 7 and 2 to 7."""
    return is_varied(number) and weighted(number, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(
        number[9]
    )


def pl_pesel(number: str) -> bool:
    """Poland: day of birth with the century in the month, serial, check digit."""
    month = int(number[2:4])
    century = {0: 19, 1: 20, 2: 21, 3: 22, 4: 18}.get(month // 20, 0)
    rest = weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10
    return is_ymd(f"{century:02}{number[:2]}{month % 20:02}{number[4:6]}") and rest == 0


def pt_nif(number: str) -> bool:
    """Portugal, tax: weights 9 down to 2."""
    rest = 11 - weighted(number, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return number[0] in "1235689" and (rest if rest < 10 else 0) == int(number[8])


def ro_cnp(number: str) -> bool:
    """Romania: sex and century, day of birth, county, serial, check digit."""
    county = int(number[7:9])
    rest = weighted(number, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    is_placed = 1 <= county <= 52 or county in (70, 80, 81, 82, 83, 90)
    is_dated = number[0] != "0" and is_ymd(number[1:7])
    return is_dated and is_placed and (1 if rest == 10 else rest) == int(number[12])


def se_personnummer(number: str) -> bool:
    """Sweden: day of birth (day plus 60 for some foreigners) and a Luhn digit over the last ten."""
    short = number[-10:]
    day = int(short[4:6])
    date = f"{number[:-6]}{day - 60 if day > 60 else day:02}"
    return is_ymd(date) and is_luhn(short)


def si_emso(number: str) -> bool:
    """Slovenia: day of birth with three digits of the year, region, serial, check digit."""
    year = int(number[4:7])
    rest = weighted(number, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    year += 1000 if year > 800 else 2000
    return is_day(year, int(number[2:4]), int(number[:2])) and rest == 0


def tr_tckn(number: str) -> bool:
    """Turkey: two check digits."""
    digits = digits_of(number)
    tenth = (sum(digits[:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return number[0] != "0" and tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


def uk_nhs(number: str) -> bool:
    """England, Wales: weights 10 down to 1, a multiple of 11."""
    return is_varied(number) and weighted(number, range(10, 0, -1)) % 11 == 0


_NO_NINO = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})


def uk_nino(number: str) -> bool:
    """United Kingdom: two letters that are in use, six digits, `A` to `D`."""
    first, second = number[0], number[1]
    is_used = first not in "DFIQUV" and second not in "DFIQUVO" and number[:2] not in _NO_NINO
    return is_used and number[8:] in ("", "A", "B", "C", "D")


_ID_CARD = re.compile(r"(?<!\w)([CFGHJKLMNPRTVWXYZ0-9]{9})([0-9])(?:D)?(?!\w)")


def _read_id_card(match: re.Match[str]) -> Read | None:
    """Germany, identity card: a letter in front, weights 7, 3, 1 over nine characters."""
    rest = weighted(match[1], (7, 3, 1) * 3) % 10
    is_valid = match[1][0].isalpha() and any(c.isdigit() for c in match[1])
    return Read(*match.span(), False) if is_valid and rest == int(match[2]) else None


RECOGNISERS: tuple[Recogniser, ...] = (
    Layouts(
        "at_svnr",
        sure=("9999 999999",),
        told=(_TEN,),
        valid=at_svnr,
        words=(
            "svnr",
            "sv nr",
            "sv nummer",
            "sozialversicherung*",
            "versicherungsnummer",
            "e card",
        ),
    ),
    Layouts(
        "be_nn",
        sure=("99.99.99-999.99", "999999-999-99", "99 99 99 999 99", "99.99.99-999-99"),
        told=(_ELEVEN, "999999 999 99"),
        valid=be_nn,
        words=listed(
            "rijksregister*, registre national, numéro national, niss, insz, nrn, "
            "national number, national register, nationalregister*, belgian*"
        ),
        specific=6,
    ),
    Layouts("bg_egn", told=(_TEN,), valid=bg_egn, words=("егн", "egn", "единен граждански номер")),
    Layouts(
        "ch_ahv",
        sure=("999.9999.9999.99", "999 9999 9999 99", "9999999999999"),
        valid=ch_ahv,
        words=("ahv*", "avs", "navs*", "oasi", "sozialversicherung*"),
        specific=7,
    ),
    Layouts(
        "cz_rodne_cislo",
        sure=("999999/9999",),
        told=(_TEN, "999999/999", "999999 9999"),
        valid=cz_rodne_cislo,
        words=listed("rodné číslo, rodne cislo, rodného čísla, rč, r č, rodné č, birth number"),
    ),
    Pattern(
        "de_id_card",
        needle=r"[CFGHJ-NPRTV-Z][CFGHJ-NPRTV-Z0-9]{8}[0-9]",
        pattern=_ID_CARD,
        width=11,
        read=_read_id_card,
        words=("personalausweis*", "ausweis*", "identity card", "id card", "perso", "id nummer"),
    ),
    Layouts(
        "de_svnr",
        sure=("99 999999 A 999", "99999999A999", "99 999999 A999"),
        valid=de_svnr,
        words=("sozialversicherung*", "rentenversicherung*", "svnr", "sv nummer", "rvnr"),
        specific=7,
    ),
    Layouts(
        "de_tax_id",
        sure=("99 999 999 999",),
        told=(_ELEVEN,),
        valid=de_tax_id,
        words=listed("steuer*, identifikationsnummer, idnr, tin, tax id*, tax number, st id"),
        specific=6,
    ),
    Layouts(
        "dk_cpr",
        sure=("999999-9999",),
        valid=dk_cpr_checked,
        words=("cpr*", "personnummer"),
    ),
    Layouts(
        "dk_cpr",
        told=("999999-9999", _TEN, "999999 9999"),
        valid=dk_cpr,
        words=("cpr*", "personnummer*", "danish id"),
        specific=4,
    ),
    Layouts("ee_isikukood", told=(_ELEVEN,), valid=baltic, words=("isikukood*", "ik", "estonian*")),
    Layouts(
        "es_dni",
        sure=("99999999A", "99999999-A", "99.999.999-A", "99.999.999A"),
        told=("99999999 A", "99 999 999 A"),
        valid=es_dni,
        words=("dni", "nif", "documento nacional", "documento de identidad", "d n i"),
        specific=6,
    ),
    Layouts(
        "es_nie",
        sure=("A9999999A", "A-9999999-A", "A9999999-A"),
        told=("A 9999999 A", "A-9999999A"),
        valid=es_nie,
        words=("nie", "n i e", "extranjero*", "nif"),
        specific=7,
    ),
    Pattern(
        "fi_hetu",
        needle=r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",
        pattern=_HETU,
        width=11,
        read=_read_hetu,
        specific=7,
    ),
    Layouts(
        "fr_nir",
        sure=("9 99 99 9* 999 999 99", "9 99 99 9* 999 999", "999999*99999999", "999999*999999 99"),
        valid=lambda number: len(number) == 15 and fr_nir(number),
        specific=8,
    ),
    Layouts("gr_amka", told=(_ELEVEN,), valid=gr_amka, words=("αμκα", "amka", "α μ κ α")),
    Layouts("hr_oib", told=(_ELEVEN,), valid=hr_oib, words=("oib", "osobni identifikacijski broj")),
    Layouts(
        "ie_pps",
        told=("9999999A", "9999999AA", "999 9999A", "9999999 A", "9999999 AA"),
        valid=ie_pps,
        words=("pps*", "personal public service", "rsi", "irish*"),
        specific=6,
    ),
    Layouts(
        "is_kennitala",
        sure=("999999-9999",),
        told=(_TEN, "999999 9999"),
        valid=is_kennitala,
        words=("kennital*", "kt", "icelandic id"),
    ),
    Pattern(
        "it_codice_fiscale",
        needle=r"(?i)[A-Z]{6}[0-9L-V]{2}[A-T][0-9L-V]{2}[A-Z][0-9L-V]{3}[A-Z]",
        pattern=_CODICE,
        width=16,
        read=_read_codice,
        specific=8,
    ),
    Layouts(
        "lt_asmens_kodas",
        told=(_ELEVEN,),
        valid=baltic,
        words=("asmens kod*", "a k", "lithuanian*"),
    ),
    Layouts(
        "lv_personas_kods",
        sure=("999999-99999",),
        told=(_ELEVEN,),
        valid=lv_personas_kods,
        words=("personas kod*", "p k", "latvian*"),
    ),
    Layouts(
        "nl_bsn",
        told=("999999999", "9999.99.999", "999 999 999", "99999999", "9999 99 999"),
        valid=nl_bsn,
        words=("bsn*", "burgerservicenummer", "burgerservice nummer", "sofi*", "citizen service"),
    ),
    Layouts(
        "no_fnr",
        sure=("999999 99999", _ELEVEN),
        valid=no_fnr,
        words=(
            "fødselsnummer*",
            "fodselsnummer*",
            "personnummer*",
            "fnr",
            "d nummer",
            "norwegian*",
        ),
        specific=6,
    ),
    Layouts(
        "pl_nip",
        sure=("999-999-99-99", "999-99-99-999"),
        told=(_TEN, "999 999 99 99"),
        valid=pl_nip,
        words=("nip", "numer identyfikacji podatkowej", "identyfikacji podatkowej", "tax id*"),
    ),
    Layouts("pl_pesel", told=(_ELEVEN,), valid=pl_pesel, words=("pesel*", "polish id")),
    Layouts(
        "pt_nif",
        told=("999999999", "999 999 999"),
        valid=pt_nif,
        words=(
            "nif",
            "contribuinte",
            "número fiscal",
            "numero fiscal",
            "identificação fiscal",
            "nipc",
        ),
    ),
    Layouts(
        "ro_cnp",
        told=("9" * 13,),
        valid=ro_cnp,
        words=("cnp", "cod numeric personal", "codul numeric personal", "romanian id"),
    ),
    Layouts(
        "se_personnummer",
        sure=("999999-9999", "99999999-9999"),
        told=(_TEN, "9" * 12),
        valid=se_personnummer,
        words=("personnummer*", "personnr", "pnr", "samordningsnummer*", "swedish id"),
    ),
    Pattern(
        "se_personnummer",
        needle=r"[0-9]{6}\+[0-9]{4}",
        pattern=re.compile(r"(?<!\w)([0-9]{6})\+([0-9]{4})(?!\w)"),
        width=11,
        read=lambda m: Read(*m.span()) if se_personnummer(m[1] + m[2]) else None,
        specific=6,
    ),
    Layouts("si_emso", told=("9" * 13,), valid=si_emso, words=("emšo", "emso", "jmbg", "јмбг")),
    Layouts(
        "tr_tckn",
        told=(_ELEVEN, "999 999 999 99"),
        valid=tr_tckn,
        words=listed("tckn, t c, tc kimlik*, kimlik*, t c kimlik*, vatandaşlık*, turkish id"),
    ),
    Layouts(
        "uk_nhs",
        told=("999 999 9999", "999-999-9999", _TEN),
        valid=uk_nhs,
        words=("nhs*", "national health", "health service"),
        specific=6,
    ),
    Layouts(
        "uk_nino",
        sure=("AA 99 99 99 A", "AA999999A", "AA-99-99-99-A"),
        told=("AA 999999 A", "AA999999", "AA 999999", "AA 99 99 99", "AA99 99 99A"),
        valid=uk_nino,
        words=("nino", "ni number", "ni no", "national insurance", "n i number", "nin"),
        specific=6,
    ),
    Layouts(
        "uk_sort_code",
        told=("99-99-99", "999999", "99 99 99"),
        valid=is_varied,
        words=("sort code*", "sortcode*"),
        specific=3,
    ),
)
"""Every kind of this file; a kind with a surer form beside an ordinary one stands here twice."""
