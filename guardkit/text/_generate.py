"""Writes the table file from the interpreter's Unicode data and the look-alikes of this room."""

from __future__ import annotations

import json
import sys
import unicodedata as ud
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from ._lookalikes import ALWAYS, STRONG, TURNED, WEAK, by_name, styled
from ._tables import PATH, UNICODE_VERSION

_UNUSED = {"Cn", "Co", "Cs"}
_ALL = [c for c in map(chr, range(sys.maxunicode + 1)) if ud.category(c) not in _UNUSED]
_SCRIPTS = {
    "ARABIC": "arabic", "ARMENIAN": "armenian", "BENGALI": "bengali", "BOPOMOFO": "bopomofo",
    "CHEROKEE": "cherokee", "CYRILLIC": "cyrillic", "DEVANAGARI": "devanagari",
    "ETHIOPIC": "ethiopic", "GEORGIAN": "georgian", "GREEK": "greek", "GUJARATI": "gujarati",
    "GURMUKHI": "gurmukhi", "CJK UNIFIED": "han", "CJK COMPATIBILITY": "han",
    "IDEOGRAPHIC ITERATION": "han", "HANGUL": "hangul", "HALFWIDTH HANGUL": "hangul",
    "HEBREW": "hebrew", "HIRAGANA": "hiragana", "KANNADA": "kannada", "KATAKANA": "katakana",
    "HALFWIDTH KATAKANA": "katakana", "KHMER": "khmer", "LAO": "lao", "LATIN": "latin",
    "FULLWIDTH LATIN": "latin", "MALAYALAM": "malayalam", "MONGOLIAN": "mongolian",
    "MYANMAR": "myanmar", "ORIYA": "oriya", "SINHALA": "sinhala", "SYRIAC": "syriac",
    "TAMIL": "tamil", "TELUGU": "telugu", "THAANA": "thaana", "THAI": "thai", "TIBETAN": "tibetan",
}  # fmt: skip

_NEVER_LETTERS = set("ꟷ")
_LOOKALIKE_SCRIPTS = "CYRILLIC", "GREEK", "ARMENIAN"


def write() -> None:
    """Write the table file.

    Raises:
        RuntimeError: This interpreter has another version of Unicode than the package names.
    """
    if ud.unidata_version != UNICODE_VERSION:
        raise RuntimeError(f"needs the Unicode data of {UNICODE_VERSION}, not {ud.unidata_version}")
    lines = [f" {json.dumps(key)}: {_line(value)}" for key, value in build().items()]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def build() -> dict[str, object]:
    """The content of the table file."""
    marks = [c for c in _ALL if _is_mark(c)]
    fold = {c: to for c in _ALL if (to := _folded(c)) != c and c > "\x7f"}
    low = [c for c in marks if c < "\U00010000"]
    return {
        "version": UNICODE_VERSION,
        "marks": list(_runs(marks)),
        "changed": _body({*low, *(c for c in fold if c < "\U00010000")}) + _COARSE,
        "dropped": list(_runs(c for c in marks if ud.category(c) in {"Mn", "Me"})),
        "extend": _ranges(lambda c: ud.category(c) in {"Mn", "Me", "Mc"}),
        "scripts": list(_scripts()),
        "strong": _inverted(STRONG),
        "weak": _weak(),
        "turned": _inverted(TURNED),
        # Few texts need these: they stay unread until one does.
        "decompose": _line({
            c: ud.normalize("NFKD", c) for c in _ALL
            if not "\uac00" <= c <= "\ud7a3" and ud.normalize("NFKD", c) != c
        }),
        "compose": _line(_pairs()),
        "ccc": _line(_classes()),
        "fold": fold,
    }  # fmt: skip


# --- what may not be cut off, and what changes

# Whole planes of rare letters: looked up one by one, so that the class stays small.
_COARSE = r"\U00010000-\U0001f1ff\U0001fbf0-\U0001fbf9\U0002f800-\U0002fa1f"


_SECOND = {
    ud.normalize("NFD", c)[1]
    for c in _ALL
    if len(ud.normalize("NFD", c)) > 1 and ud.normalize("NFC", ud.normalize("NFD", c)) == c
}


def _is_mark(char: str) -> bool:
    """Whether the character may change what stands before it, or be changed by it."""
    first = ud.normalize("NFKD", char)[0]
    if ud.category(char) == "Me":
        return True
    is_tail = "\u1161" <= first <= "\u1175" or "\u11a8" <= first <= "\u11c2"
    return (
        ud.combining(first) != 0
        or (first in _SECOND and not "\u1100" <= first <= "\u1112")
        or (is_tail)
    )


def _pairs() -> dict[str, str]:
    pairs = {}
    for char in _ALL:
        parts = ud.decomposition(char)
        if not parts or parts.startswith("<") or " " not in parts:
            continue
        first, second = (chr(int(part, 16)) for part in parts.split())
        if ud.normalize("NFC", first + second) == char:
            pairs[first + second] = char
    return pairs


def _classes() -> dict[str, str]:
    classes: dict[int, list[str]] = {}
    for char in _ALL:
        if ud.combining(char):
            classes.setdefault(ud.combining(char), []).append(char)
    return {str(number): "".join(chars) for number, chars in sorted(classes.items())}


# --- folding of single characters

_ALWAYS = {char: to for to, chars in ALWAYS.items() for char in chars} | dict(styled())
_KEPT = {char for table in (STRONG, WEAK) for chars in table.values() for char in chars}


def _folded(char: str) -> str:
    folded = _ALWAYS.get(char)
    if folded is None:
        normal = ud.normalize("NFKC", char)
        folded = "".join(_glyph(c) for c in normal)
        if len(folded) > 1:
            # Marks fall off a plain sign, the blank before a lone accent among them.
            folded = folded[0] + "".join(
                c for before, c in pairwise(folded)
                if before >= "\u0590" or not ud.category(c).startswith("M")
            )  # fmt: skip
    return folded


def _glyph(char: str) -> str:
    if char < "\x80":
        return char
    if char in _ALWAYS:
        return _ALWAYS[char]
    if ud.category(char) == "Nd":
        return str(ud.digit(char))
    base = ud.normalize("NFD", char)[0]
    if base < "\x80" and base.isalpha():
        return base
    if (ud.category(char) == "Me" and char != "\u20e3") or "\u0363" <= char <= "\u036f":
        return ""
    if base != char and ud.name(base, "").startswith("LATIN"):
        return _glyph(base)
    named = None if char in _TURNED_ONLY else by_name(ud.name(char, ""))
    return named or char


_TURNED_ONLY = set("ɐɔǝəɟɥᴉʞɯɹʇʌʍʎɒʁ")


# --- letters of other alphabets


def _inverted(table: dict[str, str]) -> dict[str, str]:
    """By the look-alike; the first letter that claims one keeps it."""
    found: dict[str, str] = {}
    for to, chars in table.items():
        for char in chars:
            found.setdefault(char, to)
    return found


def _weak() -> dict[str, str]:
    strong = _inverted(STRONG)
    weak = {char: to for char, to in _inverted(WEAK).items() if char not in strong}
    # An accent does not make a letter unlike: composed letters follow their base.
    for char in _ALL:
        base = ud.normalize("NFD", char)
        if len(base) > 1 and char not in strong and char not in weak:
            to = strong.get(base[0]) or weak.get(base[0])
            if to and ud.name(base[0], "").startswith(_LOOKALIKE_SCRIPTS):
                weak[char] = to
    return {char: to for char, to in weak.items() if _folded(char) == char}


# --- sets


def _ranges(has: Callable[[str], bool]) -> list[list[int]]:
    return [[a, b] for a, b in _runs(c for c in _ALL if has(c))]


def _runs(chars: Iterable[str]) -> Iterator[tuple[int, int]]:
    start = end = -2
    for code in sorted(ord(c) for c in chars):
        if code == end + 1:
            end = code
            continue
        if end >= 0:
            yield start, end
        start = end = code
    if end >= 0:
        yield start, end


def _body(chars: Iterable[str]) -> str:
    """The inside of a character class of `re`."""
    return "".join(_escape(a) if a == b else f"{_escape(a)}-{_escape(b)}" for a, b in _runs(chars))


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _script(char: str) -> str | None:
    if not ud.category(char).startswith("L") and ud.category(char) not in {"Mc", "Nl"}:
        return None
    name = ud.name(char, "")
    return next((of for prefix, of in _SCRIPTS.items() if name.startswith(prefix + " ")), None)


def _scripts() -> Iterator[tuple[int, int, str]]:
    start, last, current = 0, -1, ""
    for char in _ALL:
        script = _script(char) or ""
        if script != current or ord(char) != last + 1:
            if current:
                yield start, last, current
            start, current = ord(char), script
        last = ord(char)
    if current:
        yield start, last, current
