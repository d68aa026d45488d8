"""Characters that make a policy read differently to a person than to the parser.

Policy text is reviewed like code: controls that reorder it, characters nobody sees and words that
mix look-alike alphabets are refused everywhere but in patterns, where they may be the very thing
to find. A text that needs one writes it as an escape, `\\u{200B}`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from guardkit.diagnostics import Diagnostic, Edit, Fix, Place, Source, Span, diagnose

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2028\u2029\u2060-\u2065"
    "\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
_SUSPECT = re.compile(f"(?P<bidi>[{_BIDI}])|(?P<invisible>[{_INVISIBLE}])|[{_CONTROL}]|\r(?!\n)")

# Joiners and selectors that ordinary writing needs: emoji sequences, Arabic-script and Indic words.
_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_JOINED_WRITING = "\u0600-\u08ff\u0900-\u0dff\u1780-\u17ff\u1800-\u18af\ufb50-\ufdff\ufe70-\ufeff"
_ORDINARY = re.compile(
    f"(?<=[{_EMOJI}0-9#*])\ufe0f|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"
    f"|(?<=[{_JOINED_WRITING}])[\u200c\u200d](?=[{_JOINED_WRITING}])"
)

# The letter of an escape belongs to no word: `"\\nПривет"` mixes nothing.
_WORD = re.compile(r"\\.|([^\W\d_]+)")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff\uff21-\uff5a]")
_LOOKALIKE = (
    ("Greek", re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")),
    ("Cyrillic", re.compile(r"[\u0400-\u052f\u1c80-\u1c8f]")),
    ("Armenian", re.compile(r"[\u0531-\u058f]")),
    ("Cherokee", re.compile(r"[\u13a0-\u13ff\uab70-\uabbf]")),
)

# What is open at the end of its line ends there; each stretch is walked through once.
STRETCH = re.compile(
    r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|/[^/\\\n]*+(?:\\.[^/\\\n]*+)*+/?|#[^\n]*|[([{]|[)\]}]'
)
"""Texts, patterns, comments and brackets: what the others hold is none of them."""


def check_characters(source: Source, limit: int) -> Iterator[Diagnostic]:
    """The characters of a file that mislead a reader, at most `limit` of them."""
    text = source.text
    if text.isascii() and not _SUSPECT.search(text):
        return
    patterns = [m.span() for m in STRETCH.finditer(text) if m.group()[0] == "/"]
    starts = [begin for begin, _ in patterns]
    found = 0
    for diagnostic in _all(source, text):
        start = diagnostic.place.span.start
        behind = bisect_right(starts, start) - 1
        if behind >= 0 and start < patterns[behind][1]:
            continue
        yield diagnostic
        found += 1
        if found == limit:
            return


def escape_text(text: str) -> str:
    """`text` as it can stand between quotes without misleading anybody."""
    plain = text.translate(_QUOTING)
    escaped = _SUSPECT.sub(_as_escape, plain)
    if any(len(_scripts(match[1] or "")) > 1 for match in _WORD.finditer(escaped)):
        escaped = re.sub(r"[^\x00-\x7f]", _as_escape, escaped)
    return escaped


_QUOTING = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def _as_escape(match: re.Match[str]) -> str:
    return f"\\u{{{ord(match.group()):X}}}"


def _scripts(word: str) -> list[str]:
    """The look-alike alphabets a word takes letters from."""
    if word.isascii():
        return []
    scripts = ["Latin"] if _LATIN.search(word) else []
    return scripts + [name for name, letters in _LOOKALIKE if letters.search(word)]


def _all(source: Source, text: str) -> Iterator[Diagnostic]:
    for match in _SUSPECT.finditer(text):
        if not _ORDINARY.match(text, match.start()):
            yield _suspect(source, match)
    if text.isascii():
        return
    for match in _WORD.finditer(text):
        scripts = _scripts(match[1] or "")
        if len(scripts) > 1:
            yield diagnose(
                "mixed-script",
                Place(source, Span(*match.span())),
                f"a word mixes {' and '.join(scripts)} letters",
                note="letters of different alphabets look the same here",
                help="write the word in one alphabet, or the odd letter as an escape",
            )


def _suspect(source: Source, match: re.Match[str]) -> Diagnostic:
    at, char = match.start(), match.group()
    place = Place(source, Span(at, at + 1))
    escape = f"\\u{{{ord(char):X}}}"
    fix = Fix("remove it", (Edit(place, ""),), safe=False)
    if match.lastgroup == "bidi":
        return diagnose(
            "bidi-control",
            place,
            f"`U+{ord(char):04X}` changes the order in which this line is shown",
            help=f"remove it, or write `{escape}` inside a text",
            fix=fix,
        )
    if match.lastgroup == "invisible":
        return diagnose(
            "invisible-character",
            place,
            f"`U+{ord(char):04X}` cannot be seen",
            help=f"remove it, or write `{escape}` inside a text",
            fix=fix,
        )
    return diagnose(
        "control-character",
        place,
        f"`U+{ord(char):04X}` is a control character",
        help="remove it",
        fix=fix,
    )
