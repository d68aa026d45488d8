"""Where and when people are: days of birth, postal addresses."""

from __future__ import annotations

import re

from ._numbers import is_day
from ._recogniser import Pattern, Read, Recogniser, listed, needle_of_words, words_pattern

# --- days of birth

_MONTHS = (
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "jan feb mär apr mai jun jul aug sep okt nov dez",
    "janv févr mars avr mai juin juil août sept octobre nov déc",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "jan feb maart apr mei jun jul aug sep okt nov dec",
    "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "янв фев мар апр мая июн июл авг сен окт ноя дек",
    "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "led úno bře dub kvě čer čec srp zář říj lis pro",
    "jan fév mars avril mai juin juillet aout sept oct nov dec",
)
_MONTH_OF = {name: i for line in _MONTHS for i, name in enumerate(line.split(), 1)}
_NAMES = "|".join(sorted(_MONTH_OF, key=lambda name: (-len(name), name)))
_MONTH = rf"(?P<{{0}}>{_NAMES})[^\W\d_]{{{{0,9}}}}\.?"
_FIGURES = (
    r"(?:(?P<y1>[0-9]{4})(?P<s1>[-/. ])(?P<m1>[0-9]{1,2})(?P=s1)(?P<d1>[0-9]{1,2})"
    r"|(?P<d2>[0-9]{1,2})(?P<s2>[-/. ]|\. )(?P<m2>[0-9]{1,2})(?P=s2)(?P<y2>[0-9]{4}|[0-9]{2})"
    r"|(?P<d3>[0-9]{1,2})(?:st|nd|rd|th|er|º|°)?\.?[ -]?(?:of |de |)"
    + _MONTH.format("m3")
    + r",?[ -](?:de |del |)(?P<y3>[0-9]{4})"
    r"|(?P<y5>[0-9]{4})[年년] ?(?P<m5>[0-9]{1,2})[月월] ?(?P<d5>[0-9]{1,2})[日일])"
)
_MONTH_FIRST = (
    "(?:" + _MONTH.format("m4") + r"[ -](?P<d4>[0-9]{1,2})(?:st|nd|rd|th)?,?[ -](?P<y4>[0-9]{4}))"
)
_BIRTH_WORDS = listed(
    "born, birth, birthdate, birthday, dob, d o b, bday, geboren, geb, geburtsdatum, "
    "geburtstag, né, née, naissance, nato, nata, nascita, nacido, nacida, nacimiento, nací, "
    "nascido, nascida, nascimento, geboortedatum, född, fødselsdato, født, syntynyt, "
    "syntymäaika, urodzony, urodzona, urodzenia, narozen, narozena, narození, született, "
    "născut, născută, nașterii, рождения, родился, родилась, народження, γεννήθηκε, "
    "γέννησης, doğum, doğumlu, ngày sinh, lahir, 出生, 生年月日, 誕生日, 生日, 생년월일, 출생, "
    "วันเกิด, الميلاد, מולדת, לידה, जन्म"
)
_SMALL = r"[^\w\n\]}]{1,4}(?:(?:on|is|was|the|am|in|date)[^\w\n]{1,3}){0,2}"
_BIRTH = re.compile(
    # Up to the first digit, or over a few small words to the name of a month.
    rf"(?:{words_pattern(_BIRTH_WORDS).pattern})(?:[^0-9\n\]}}]{{0,28}}+(?P<value>{_FIGURES})"
    rf"|{_SMALL}(?P<named>{_MONTH_FIRST}))(?![0-9])",
    re.IGNORECASE,
)
_BIRTH_AFTER = re.compile(
    rf"(?<![\w.-])(?P<value>(?P<named>{_FIGURES}|{_MONTH_FIRST}))[^0-9\w]{{0,3}}"
    r"(?:(?:(?:was |is |)(?:my |his |her |the |)(?:date of birth|dob|birthday|birthdate))"
    r"|に?生まれ|出生|生日)",
    re.IGNORECASE,
)


def _read_birth(match: re.Match[str]) -> Read | None:
    """A day of the calendar; of two numbers either may be the month."""
    parts = match.groupdict()
    n = next(i for i in "12345" if parts[f"d{i}"])
    year, day = int(parts[f"y{n}"]), int(parts[f"d{n}"])
    if len(parts[f"y{n}"]) == 2:
        year += 1900 if year > 26 else 2000
    name = parts[f"m{n}"].lower()
    month = _MONTH_OF.get(name) or (int(name) if name.isdigit() else 0)
    is_date = is_day(year, month, day) or (n == "2" and is_day(year, day, month))
    return (
        Read(*match.span("value" if parts["value"] else "named"))
        if is_date and year >= 1880
        else None
    )


# --- postal addresses

_CAP = r"[A-ZÀ-ÖØ-ÞŁŚŻŠČŘŽĐİŞ][^\W\d_]{1,20}(?:['’-][^\W\d_]{1,20}){0,2}"
_NAME = (
    rf"(?:(?:de|la|le|les|des|du|del|della|di|da|dos) ){{0,3}}(?:[ld]['’])?"
    rf"{_CAP}(?: (?:{_CAP}|de|la|le|les|des|du|del|della|di|da|dos|of|the|van|der|den|y|et)){{0,4}}"
)
_NUMBER = r"[0-9]{1,5} ?[A-Za-z]?(?:[-/][0-9]{1,4}[A-Za-z]?)?(?![\w])"
_CITY = rf"{_CAP}(?:[ -]{_CAP}){{0,2}}"
_UNIT = (
    r"(?:,? ?(?:Apt|Apartment|Flat|Suite|Ste|Unit|Floor|Fl|Room|#|Top|Whg|Piso|Appt)\.? ?#?"
    r"[0-9A-Za-z]{1,5})?"
)
_CODE = (
    r"(?:(?:[A-Z]{1,2}-)?[0-9]{4,6}|[0-9]{3} [0-9]{2}|[0-9]{5}-[0-9]{3,4}|[0-9]{4} [A-Z]{2}"
    r"|[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])(?!\w)"
)
_TOWN = (
    rf"(?:,?\s{{1,2}}(?:{_CODE} {_CITY}|{_CITY}(?:, [A-Z]{{2}})?,? {_CODE}"
    rf"|{_CITY}, [A-Z]{{2}}(?!\w)))|, {_CITY}"
)
_ENGLISH = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Way|Square|Sq|"
    r"Terrace|Close|Crescent|Cres|Highway|Hwy|Parkway|Pkwy|Gardens|Grove|Mews|Row|Hill|Quay|Walk)"
)
_ROMANCE = (
    r"(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Pp]lace|[Aa]llée|[Cc]hemin|[Ii]mpasse|[Qq]uai|Via|Viale|Piazza|"
    r"Corso|Vicolo|Largo|Calle|Avenida|Av\.|Plaza|Paseo|Carrer|C/|Rua|Praça|Travessa|Strada|Ulica|"
    r"ul\.|ulica|Aleja|al\.|Ulice|ulitsa|Utca|улица|ул\.|проспект|пр\.)"
)
_GERMANIC = (
    rf"(?:{_CAP}[ -]){{0,3}}(?:[A-ZÄÖÜ][^\W\d_]{{1,24}}(?:straße|strasse|str\.|weg|platz|allee|"
    r"gasse|ring|ufer|damm|graben|hof|steig|berg|straat|laan|plein|gracht|kade|gatan|vägen|gata|"
    r"veien|vej|gade|katu|tie|utca)|(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring|Markt))"
)
_ADDRESS = re.compile(
    r"(?<![\w.,/-])(?:"
    rf"(?P<english>(?:(?:Flat|Apt\.?|Apartment|Unit|Suite) [0-9A-Za-z]{{1,5}}, )?{_NUMBER} "
    rf"(?:[NSEW]\.? )?(?:(?:{_CAP}|[0-9]{{1,3}}(?:st|nd|rd|th)) ){{1,4}}{_ENGLISH}(?!\w)\.?"
    rf"(?: [NSEW][EW]?(?!\w))?{_UNIT})"
    rf"|(?P<romance>{_NUMBER},? {_ROMANCE} {_NAME}|{_ROMANCE} {_NAME},? (?:n\.? ?º? ?)?{_NUMBER})"
    rf"|(?P<germanic>{_GERMANIC} {_NUMBER})"
    rf"|(?P<bare>{_NAME} {_NUMBER}(?=,\s(?!(?:19|20)[0-9][0-9]\s){_CODE} {_CITY}))"
    r"|(?P<box>P\.? ?O\.? Box [0-9]{1,6}|Postfach [0-9]{1,6}(?: [0-9]{2})?))"
    rf"(?P<town>{_TOWN})?"
)
_NEEDLE = (
    rf"[\p{{L}}.] {_ENGLISH}\b|\b(?:{_ROMANCE.replace('(?:', '', 1)} \p{{L}}|"
    r"(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|ufer|damm|graben|hof|steig|berg|straat|laan|"
    r"plein|gracht|kade|gatan|vägen|gata|veien|vej|gade|katu|tie|utca|Stra(?:ß|ss)e|Str\.|Weg|Platz|"
    r"Allee|Ring|Markt) [0-9]|\p{L} [0-9]{1,5} ?[A-Za-z]?,\s[0-9A-Z]|P\.? ?O\.? Box|Postfach"
)
_CJK = re.compile(
    r"[\u4e00-\u9fff]{2,8}(?:省|市|区|區|县|縣|都|道|府)[\u4e00-\u9fff]{1,12}(?:路|街|道|巷|丁目|町)"
    r"[\u4e00-\u9fff]{0,6}[0-9０-９一二三四五六七八九十]{1,6}(?:[号號番]|-[0-9]{1,4}(?:-[0-9]{1,4})?)"
    r"(?:[0-9A-Z]{1,5}[室楼樓栋单元号號]){0,3}"
)


def _read_address(match: re.Match[str]) -> Read | None:
    """A street alone is a place on a map; with a town, a unit or a word it is an address."""
    is_sure = match["town"] is not None or match["bare"] is not None
    return Read(*match.span(), is_sure)


_ADDRESS_WORDS = listed(
    "address*, live at, lives at, living at, reside*, home, house, deliver*, ship*, mail, "
    "moved to, located at, send to, adresse*, anschrift, wohn*, liefer*, habite*, domicil*, "
    "dirección*, direccion*, vivo en, indirizzo*, abito*, residen*, endereço*, moro, adres*, "
    "bor på, osoite*, zamieszk*, адрес*, box, postfach"
)

RECOGNISERS: tuple[Recogniser, ...] = (
    Pattern(
        "date_of_birth",
        needle=needle_of_words(_BIRTH_WORDS),
        pattern=_BIRTH,
        width=96,
        read=_read_birth,
        specific=7,
    ),
    Pattern(
        "date_of_birth",
        needle=r"(?i)(?:date of birth|dob|birthday|birthdate)|生",
        pattern=_BIRTH_AFTER,
        width=64,
        read=_read_birth,
        specific=7,
    ),
    Pattern(
        "postal_address",
        needle=_NEEDLE,
        pattern=_ADDRESS,
        width=200,
        read=_read_address,
        words=_ADDRESS_WORDS,
        specific=2,
    ),
    Pattern(
        "postal_address",
        needle=r"[路街道巷目町][^ ]{0,6}[0-9０-９]",
        pattern=_CJK,
        width=64,
        read=lambda match: Read(*match.span()),
        specific=2,
    ),
)
"""Every kind of this file."""
