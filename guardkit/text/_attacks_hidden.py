"""Hidden carriers: the payload rides on characters that nobody sees, or that take others back."""

from __future__ import annotations

from random import Random
from string import ascii_lowercase

from ._attacks import Disguise, Disguised, Form, Put, covered, in_gaps, per_word, utf8

_COVERS = ("What a lovely day", "Thanks a lot", "See you soon, take care")
_FACES = ("What a lovely day 😊", "Nice work 🎉", "On my way 🚲")

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u180e\u2061\u2062\u2063\u2064\u206a\u3164\uffa0"

_TAG_BASE = 0xE0000
_TAG_BEGIN, _TAG_END = "\U000e0001", "\U000e007f"

_RLO, _PDF = "\u202e", "\u202c"

# Tab, line feed, vertical tab, form feed, carriage return and NEL are blanks, not mere controls.
_CONTROLS = "\x01\x02\x07\x08\x0e\x1b\x1f\x7f\x80\x8d\x9f"


def _named(characters: str) -> dict[str, Form]:
    return {f"U+{ord(character):04X}": in_gaps(character) for character in characters}


def _tags(text: str, rng: Random) -> str:
    return "".join(chr(_TAG_BASE + ord(c)) if " " <= c <= "~" else c for c in text)


def _selectors(text: str, rng: Random) -> str:
    return "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in utf8(text))


def _bits(zero: str, one: str) -> Put:
    digits = str.maketrans("01", zero + one)
    return lambda text, rng: "".join(f"{byte:08b}" for byte in utf8(text)).translate(digits)


def _turned(text: str, rng: Random) -> str:
    return _RLO + text[::-1] + _PDF


def _overridden(put: Put) -> Form:
    """The outermost controls carry nothing of the payload."""

    def form(text: str, rng: Random) -> Disguised:
        made = put(text, rng)
        return Disguised(made, made.startswith(_RLO), len(made) - made.endswith(_PDF))

    return form


def _deleted(eraser: str, times: int = 1) -> Put:
    def change(word: str, rng: Random) -> str:
        junk = ("".join(rng.choices(ascii_lowercase, k=times)) + eraser * times for _ in word[1:])
        return "".join(letter + more for letter, more in zip(word, [*junk, ""], strict=True))

    return lambda text, rng: per_word(change, text, rng)


HIDDEN = (
    Disguise(
        "zero_width",
        "must",
        "A zero-width character between the letters of each word.",
        {**_named(_ZERO_WIDTH), "mixed": in_gaps(_ZERO_WIDTH)},
    ),
    Disguise(
        "invisible_misc",
        "must",
        "A less known invisible character, or a Hangul filler, between the letters of each word.",
        {**_named(_INVISIBLE), "mixed": in_gaps(_INVISIBLE)},
    ),
    Disguise(
        "unicode_tags",
        "must",
        "Each ASCII character as its invisible tag, behind a harmless sentence.",
        {
            "bare": covered(_COVERS, _tags),
            "framed": covered(_COVERS, _tags, _TAG_BEGIN, _TAG_END),
            "as a flag": covered(_COVERS, _tags, " \U0001f3f4", _TAG_END),
        },
    ),
    Disguise(
        "vs_smuggle",
        "must",
        "The bytes of the text as variation selectors behind an emoji or a letter.",
        {"on an emoji": covered(_FACES, _selectors), "on a letter": covered(_COVERS, _selectors)},
    ),
    Disguise(
        "sneaky_bits",
        "must",
        "Eight bits a byte, written with two invisible characters.",
        {
            "U+2062 U+2064": covered(_COVERS, _bits("\u2062", "\u2064")),
            "U+2064 U+2062": covered(_COVERS, _bits("\u2064", "\u2062")),
            "U+200B U+200C": covered(_COVERS, _bits("\u200b", "\u200c")),
            "U+200C U+200B": covered(_COVERS, _bits("\u200c", "\u200b")),
        },
    ),
    Disguise(
        "bidi_override",
        "must",
        "The text stored backwards and turned round on screen by a right-to-left override.",
        {
            "whole": _overridden(_turned),
            "per word": _overridden(lambda text, rng: per_word(_turned, text, rng)),
        },
    ),
    Disguise(
        "control_delete",
        "should",
        "Junk letters behind each letter, taken back by a backspace or a delete.",
        {
            "backspace": _deleted("\b"),
            "delete": _deleted("\x7f"),
            "two at once": _deleted("\b", 2),
            "controls alone": in_gaps(_CONTROLS),
        },
    ),
)
