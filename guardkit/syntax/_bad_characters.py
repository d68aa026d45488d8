"""Characters no word begins with: what the author probably had in mind."""

from __future__ import annotations

import re

from guardkit.diagnostics import Diagnostic, Edit, Fix, Place, Source, Span, diagnose

from ._machine import UnknownCharacterError
from ._tables import parser

_FOREIGN = {"&&": "and", "||": "or", "&": "and", "|": "or", "!": "not"}
_SYMBOLS = {
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "∧": "and",
    "∨": "or",
    "¬": "not",
    "→": "then",
    "∈": "in",
    "…": "",
}
_QUOTES = "'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
_CLOSING_QUOTE = re.compile(f"[{_QUOTES}]")
_NUMBER_LIKE = re.compile(r"[-+]?\.?\d[\w.%,]*")
_GLUED = re.compile(r"-?[0-9][0-9.%]*[\w.%]+")
_BLANKS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_BLANKS += "\u202f\u205f\u3000"
_WORD_LIKE = re.compile(r"\w[\w-]*")
_CONSTANTS = {"true": "yes", "false": "no"}


def explain_character(source: Source, chunk: Span, error: UnknownCharacterError) -> Diagnostic:
    """The diagnostic for a declaration that holds a character no word begins with."""
    text, at = source.text, error.at
    char = text[at]
    line_end = text.find("\n", at, chunk.end)
    rest = text[at : line_end if line_end >= 0 else chunk.end].rstrip()
    to_line_end = Place(source, Span(at, at + max(1, len(rest))))
    if char == '"':
        return diagnose(
            "unclosed-text",
            to_line_end,
            "a text is not closed on its line",
            help='close it with `"`; a text stands on one line, `\\n` writes a line break',
        )
    for mark in ("//", "/*", "--"):
        if rest.startswith(mark):
            return _foreign_comment(Place(source, Span(at, at + 2)), mark)
    if char == "/":
        return diagnose(
            "unclosed-pattern",
            to_line_end,
            "a pattern is not closed on its line",
            help="close it with `/`; a slash inside is written `\\/`",
        )
    if char in _QUOTES:
        return _wrong_quote(source, at, rest)
    symbol = _operator(source, at, rest)
    if symbol is not None:
        return symbol
    accepts = error.accepted
    if _NUMBER_LIKE.match(rest):
        return _malformed_number(
            source, at, rest, is_name="NAME" in accepts and "NUMBER" not in accepts
        )
    if char.isalpha() or char == "_":
        if "STRING" in accepts and "NAME" not in accepts:
            opener = _WORD_LIKE.match(text, chunk.start)
            place, fix = unquoted_stretch(source, chunk, at, opener.group() if opener else "")
            return diagnose(
                "unquoted-text",
                place,
                "a text stands in double quotes",
                help='write `"…"`',
                fix=fix,
            )
        return _capitals(source, at, rest, accepts, begins=at == chunk.start)
    return _other(source, at, char, rest)


def unquoted_stretch(
    source: Source, chunk: Span, start: int, opener: str
) -> tuple[Place, Fix | None]:
    """The words that should have been a text, and the quotes around them."""
    text = source.text
    line_end = text.find("\n", start, chunk.end)
    stretch = text[start : line_end if line_end >= 0 else chunk.end]
    ending = {"use": r" (?:as|version)\b", "test": r"\s*\{| for each\b"}.get(opener, r"\s*[}#]")
    found = re.search(ending, stretch)
    stretch = (stretch[: found.start()] if found else stretch).rstrip()
    place = Place(source, Span(start, start + max(1, len(stretch))))
    if not stretch or '"' in stretch or "\\" in stretch:
        return place, None
    return place, Fix("put it in quotes", (Edit(place, f'"{stretch}"'),), safe=False)


def _foreign_comment(place: Place, mark: str) -> Diagnostic:
    fix = Fix("begin it with `#`", (Edit(place, "#"),)) if mark != "/*" else None
    return diagnose(
        "unknown-character",
        place,
        f"`{mark}` begins nothing here",
        help="a comment begins with `#` and ends with its line",
        fix=fix,
    )


def _wrong_quote(source: Source, at: int, rest: str) -> Diagnostic:
    closing = _CLOSING_QUOTE.search(rest, 1)
    # An apostrophe inside a word closes nothing: 'I can't'.
    while closing and re.match(r"\w['\u2019]\w", rest[closing.start() - 1 : closing.end() + 1]):
        closing = _CLOSING_QUOTE.search(rest, closing.end())
    length = closing.end() if closing else len(rest)
    place = Place(source, Span(at, at + max(1, length)))
    inner = rest[1 : length - 1]
    fix = None
    if closing and '"' not in inner and "\\" not in inner:
        fix = Fix("use double quotes", (Edit(place, f'"{inner}"'),))
    return diagnose(
        "wrong-quote", place, "a text is written in double quotes", help='write `"…"`', fix=fix
    )


def _operator(source: Source, at: int, rest: str) -> Diagnostic | None:
    written = rest[:2] if rest[:2] in _FOREIGN else rest[:1]
    right = _FOREIGN.get(written) or _SYMBOLS.get(written)
    if not right:
        return None
    place = Place(source, Span(at, at + len(written)))
    replacement = f"{right} " if written in "!¬" else right
    return diagnose(
        "foreign-operator",
        place,
        f"`{written}` is not an operator of this language",
        help=f"write `{right}`",
        fix=Fix(f"write `{right}`", (Edit(place, replacement),)),
    )


def _malformed_number(source: Source, at: int, rest: str, *, is_name: bool) -> Diagnostic:
    # `.5s` behind a digit is the rest of a number that began earlier.
    begin = at
    while begin > 0 and at - begin < 30 and source.text[begin - 1] in "0123456789.":
        begin -= 1
    rest, at = source.text[begin:at] + rest, begin
    match = _NUMBER_LIKE.match(rest)
    found = (match.group().rstrip(".,") if match else "") or rest[:1]
    place = Place(source, Span(at, at + len(found)))
    if is_name and re.fullmatch(r"\d+[a-z_]\w*", found) and not _is_duration_like(found):
        return diagnose(
            "malformed-number",
            place,
            f"`{found}` is neither a number nor a name",
            help="a name begins with a letter",
        )
    advice = "numbers are written `3` or `0.85`, durations `25ms`, `2s`, `15m`, `1h`, `7d`, `2w`"
    better = _whole_duration(found)
    if better:
        pass
    elif found.startswith("."):
        better = f"0{found}"
    elif found.startswith("+"):
        better = found[1:]
    elif found.isdigit() or re.fullmatch(r"\d+(\.\d+)?%?", found):
        advice = "a number has at most 15 digits before its point and 15 behind it"
    return diagnose(
        "malformed-number",
        place,
        f"`{found}` is not a number",
        help=f"write `{better}`" if better else advice,
        fix=Fix(f"write `{better}`", (Edit(place, better),)) if better else None,
    )


def glued_number(source: Source, at: int, end: int) -> Diagnostic | None:
    """A number token that goes on with something else: `0.5s`, `1.2.3`."""
    found = _GLUED.match(source.text, at, end)
    return _malformed_number(source, at, found.group(), is_name=False) if found else None


def _whole_duration(found: str) -> str | None:
    """`0.5s` as the whole number of a smaller unit."""
    parts = re.fullmatch(r"(\d{1,6}\.\d{1,6})(s|m|h|d|w)", found)
    if not parts:
        return None
    units = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
    count = round(float(parts[1]) * units[parts[2]])
    for unit in ("w", "d", "h", "m", "s"):
        if count and count % units[unit] == 0:
            return f"{count // units[unit]}{unit}"
    return f"{count}ms"


def _is_duration_like(found: str) -> bool:
    return re.fullmatch(r"\d+(?:sec|secs|min|mins|msec|hr|hrs|[a-z])", found) is not None


def _capitals(
    source: Source, at: int, rest: str, accepts: frozenset[str], *, begins: bool
) -> Diagnostic:
    match = _WORD_LIKE.match(rest)
    word = match.group() if match else rest[:1]
    place = Place(source, Span(at, at + max(1, len(word))))
    lower = word.lower().replace("-", "_")
    if lower in _CONSTANTS and word[0].isupper() and "YES" in accepts:
        right = _CONSTANTS[lower]
        return diagnose(
            "boolean-word",
            place,
            f"`{word}` is written `{right}`",
            fix=Fix(f"write `{right}`", (Edit(place, right),)),
        )
    if word.isascii() and lower != word:
        is_keyword = begins or lower in parser().written.values()
        return diagnose(
            "uppercase-name",
            place,
            f"{'keywords' if is_keyword else 'names'} are written in lower case",
            help=f"write `{lower}`",
            fix=Fix(f"write `{lower}`", (Edit(place, lower),)),
        )
    return diagnose(
        "unknown-character",
        place,
        "names are written with the letters a to z, digits and `_`",
        help="other writing belongs inside a text",
    )


def _other(source: Source, at: int, char: str, rest: str) -> Diagnostic:
    one = Place(source, Span(at, at + 1))
    if char in _BLANKS:
        return diagnose(
            "invisible-character",
            one,
            f"`U+{ord(char):04X}` looks like a blank and is none",
            help="write a blank",
            fix=Fix("write a blank", (Edit(one, " "),)),
        )
    if char == "-":
        hyphenated = explain_hyphen(source, at)
        if hyphenated is not None:
            return hyphenated
    if char == ";":
        return diagnose(
            "unknown-character",
            one,
            "`;` means nothing here",
            help="clauses need no separator: begin each on a line of its own",
            fix=Fix("remove `;`", (Edit(one, ""),)),
        )
    if char in "+-*" and rest[1:2] in {" ", "="}:
        return diagnose(
            "unknown-character",
            one,
            f"`{char}` means nothing here: conditions do not compute",
            help="compare a check with a literal, such as `>= 0.5`",
        )
    if char == ".":
        advice = "a name follows the dot directly"
        if rest.startswith(".*"):
            advice = "there are no wildcards: list the names"
        elif rest.startswith(".."):
            advice = "one dot is enough"
        return diagnose("unknown-character", one, "`.` means nothing here", help=advice)
    advice = {
        "*": "there are no wildcards: list the names",
        "\\": "a backslash belongs inside a text or a pattern",
        "$": "names stand by themselves; only a message has `{label}` and `{rule}`",
        "@": "there are no decorators; an address belongs inside a text",
        ":": "a label and its colon stand together: `name: value`",
    }.get(char, "remove it, or put it inside a text")
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    return diagnose("unknown-character", one, f"`{shown}` means nothing here", help=advice)


def explain_hyphen(source: Source, at: int) -> Diagnostic | None:
    """`my-rule`, if the hyphen at `at` joins two words."""
    text = source.text
    begin = at
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "_-"):
        begin -= 1
    found = re.compile(r"[A-Za-z_]\w*(?:-\w+)+").match(text, begin)
    if not found or not found.start() < at < found.end():
        return None
    place = Place(source, Span(*found.span()))
    name = found.group().lower().replace("-", "_")
    return diagnose(
        "unknown-character",
        place,
        "names are written with `_`, not with `-`",
        help=f"write `{name}`",
        fix=Fix(f"write `{name}`", (Edit(place, name),)),
    )
