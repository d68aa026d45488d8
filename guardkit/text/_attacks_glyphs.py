"""Glyph substitution: other characters that a reader takes for the same letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import Literal

from ._attacks import Disguise, Form, Put, translated

# --- look-alikes from other alphabets

_CYRILLIC = dict(
    zip(
        "abcdehijklmopqrstvwxyABCEGHIJKMOPQSTVWXY",
        "аЬсԁеһіјкӏморԛгѕтѵԝхуАВСЕԌНІЈКМОРԚЅТѴԜХУ",
        strict=True,
    )
)
_GREEK = dict(zip("abeiknoptuvwxyABEHIKMNOPTXYZ", "αβεικηορτυνωχγΑΒΕΗΙΚΜΝΟΡΤΧΥΖ", strict=True))
_ARMENIAN = dict(zip("fghjnoquwLOSU", "քցհյոօզսաԼՕՏՍ", strict=True))
_IPA = dict(zip("abdeghiklmnorstuvyz", "ɑɓɗɛɡɦɪƙɭɱɳɵɾʂʈʊʋʏʐ", strict=True))
_ALPHABETS = {"Cyrillic": _CYRILLIC, "Greek": _GREEK, "Armenian": _ARMENIAN, "IPA": _IPA}


def _drawn(choices: Mapping[str, str]) -> Put:
    """Each letter by one of its choices, most of the time."""

    def put(text: str, rng: Random) -> str:
        rate = rng.uniform(0.7, 1.0)
        return "".join(rng.choice(choices.get(c, c)) if rng.random() < rate else c for c in text)

    return put


_EVERY_ALPHABET = {
    letter: "".join(alphabet.get(letter, "") for alphabet in _ALPHABETS.values()) or letter
    for letter in ascii_letters
}

# --- styled letters

_FULLWIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"}

# Some letters had a place of their own before the mathematical alphabets came.
_HOLES = {
    "italic": {"h": "\u210e"},
    "script": dict(zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ", strict=True)),
    "fraktur": dict(zip("CHIRZ", "ℭℌℑℜℨ", strict=True)),
    "double-struck": dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)),
}
_STYLES = {
    "bold": (0x1D400, 0x1D7CE),
    "italic": (0x1D434, 0),
    "script": (0x1D49C, 0),
    "fraktur": (0x1D504, 0),
    "double-struck": (0x1D538, 0x1D7D8),
    "sans bold": (0x1D5D4, 0x1D7EC),
    "monospace": (0x1D670, 0x1D7F6),
}


def _run(letters: str, first: int) -> dict[str, str]:
    return {letter: chr(first + n) for n, letter in enumerate(letters)}


def _style(name: str) -> Put:
    first, first_digit = _STYLES[name]
    numbers = _run(digits, first_digit) if first_digit else {}
    letters = _run(ascii_uppercase + ascii_lowercase, first)
    return translated(letters | numbers | _HOLES.get(name, {}))


_CIRCLED = _run(ascii_uppercase + ascii_lowercase, 0x24B6) | {"0": "\u24ea"}
_PARENTHESISED = _run(ascii_lowercase, 0x249C) | _run(ascii_uppercase, 0x249C)
_SMALL_CAPITALS = dict(zip(ascii_lowercase, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ", strict=True))


def _either_case(first: int) -> dict[str, str]:
    return _run(ascii_uppercase, first) | _run(ascii_lowercase, first)


_indicated = translated(_either_case(0x1F1E6))
_BETWEEN_INDICATORS = re.compile("(?<=[\U0001f1e6-\U0001f1ff])(?=[\U0001f1e6-\U0001f1ff])")


def _indicators(text: str, rng: Random) -> str:
    # Without a break between them two neighbours would show as a flag.
    return _BETWEEN_INDICATORS.sub("\u200b", _indicated(text, rng))


_lowered = translated(_SMALL_CAPITALS)


def _small_capitals(text: str, rng: Random) -> str:
    return _lowered(text.lower(), rng)


# --- turned round

_TURNED = dict(
    zip(
        ascii_lowercase + "0123456789" + ".,'?!\"()[]{}<>&_;",
        "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz" + "0Ɩ\u1105Ɛㄣϛ9ㄥ86" + "˙',¿¡„)(][}{><⅋‾؛",
        strict=True,
    )
)
_OTHERWISE_TURNED = _TURNED | {"g": "ɓ", "i": "ı", "l": "ן", "j": "ɾ", "t": "ʇ", "k": "ʞ"}


def _upside_down(table: Mapping[str, str]) -> Put:
    turn = translated(table)
    return lambda text, rng: turn(text.lower(), rng)[::-1]


# --- marks on letters

_ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0331"
_PILED = "".join(chr(code) for code in range(0x300, 0x370) if code not in (0x345, 0x34F))


def _accented(form: Literal["NFC", "NFD"]) -> Put:
    def put(text: str, rng: Random) -> str:
        marked = "".join(c + rng.choice(_ACCENTS) if c.isalpha() else c for c in text)
        return unicodedata.normalize(form, marked)

    return put


def _piled(least: int, most: int) -> Put:
    def put(text: str, rng: Random) -> str:
        return "".join(
            c + "".join(rng.choices(_PILED, k=rng.randint(least, most))) if c.isalpha() else c
            for c in text
        )

    return put


# --- digits and cases

_LEET = {
    "a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1|", "o": "0", "s": "5$",
    "t": "7+", "z": "2",
}  # fmt: skip


def _leet(pick: slice) -> Put:
    def put(text: str, rng: Random) -> str:
        return "".join(rng.choice(_LEET.get(c.lower(), c)[pick]) for c in text)

    return put


_ODD_CASES = {"k": "kK\u212a", "s": "sS\u017f", "i": "iI\u0131\u0130"}


def _any_case(text: str, rng: Random) -> str:
    return "".join(rng.choice((c.lower(), c.upper())) for c in text)


def _odd_case(text: str, rng: Random) -> str:
    return "".join(rng.choice(_ODD_CASES.get(c.lower()) or (c.lower(), c.upper())) for c in text)


_LOOK_ALIKES: dict[str, Form] = {name: _drawn(table) for name, table in _ALPHABETS.items()}

GLYPHS = (
    Disguise(
        "homoglyph",
        "must",
        "Most Latin letters replaced by look-alikes from other alphabets.",
        {**_LOOK_ALIKES, "mixed": _drawn(_EVERY_ALPHABET)},
    ),
    Disguise(
        "fullwidth",
        "must",
        "Each ASCII character in its full-width form, blanks as ideographic spaces.",
        {"fullwidth": translated(_FULLWIDTH)},
    ),
    Disguise(
        "math_alnum",
        "must",
        "Letters and digits from one of the mathematical alphabets.",
        {style: _style(style) for style in _STYLES},
    ),
    Disguise(
        "circled",
        "must",
        "Letters and digits in circles or in brackets.",
        {
            "circled": translated(_CIRCLED | _run(digits[1:], 0x2460)),
            "parenthesised": translated(_PARENTHESISED | _run(digits[1:], 0x2474)),
        },
    ),
    Disguise(
        "letterlike",
        "must",
        "Letters as flag halves, as white letters on black shapes or as small capitals.",
        {
            "regional indicators": _indicators,
            "negative squared": translated(_either_case(0x1F170)),
            "negative circled": translated(_either_case(0x1F150)),
            "small capitals": _small_capitals,
        },
    ),
    Disguise(
        "upside_down",
        "should",
        "Turned letters in reversed order: a page read from the other side.",
        {"turned": _upside_down(_TURNED), "otherwise turned": _upside_down(_OTHERWISE_TURNED)},
    ),
    Disguise(
        "diacritics",
        "must",
        "One accent on each letter, composed with it or not.",
        {"NFC": _accented("NFC"), "NFD": _accented("NFD")},
    ),
    Disguise(
        "zalgo",
        "must",
        "Piles of combining marks over and under each letter.",
        {"4": _piled(4, 4), "4 to 40": _piled(4, 40), "40": _piled(40, 40)},
    ),
    Disguise(
        "leetspeak",
        "must",
        "Letters as the digits and signs that look like them.",
        {
            "digits": _leet(slice(0, 1)),
            "signs": _leet(slice(-1, None)),
            "mixed": _leet(slice(None)),
        },
    ),
    Disguise(
        "case_chaos",
        "must",
        "Upper and lower case by lot, with a Kelvin sign, a long s and Turkish i's among them.",
        {"upper and lower": _any_case, "odd letters": _odd_case},
    ),
)
