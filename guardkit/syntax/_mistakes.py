"""From a parser's surprise to words that help: what was found, what was expected, what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from guardkit.diagnostics import (
    Diagnostic,
    Edit,
    Fix,
    Label,
    Place,
    Source,
    Span,
    diagnose,
    did_you_mean,
    nearest,
)

from ._machine import END, Token, UnexpectedTokenError, UnknownCharacterError
from ._tables import parser

DECLARATIONS = (
    "apply",
    "check",
    "context",
    "defaults",
    "exempt",
    "guardkit",
    "model",
    "module",
    "monitor",
    "param",
    "policy",
    "principle",
    "probe",
    "rule",
    "sequence",
    "test",
    "tier",
    "tiers",
    "use",
    "window",
)
CLAUSES = (
    "alarm",
    "answers",
    "budget",
    "canary",
    "cases",
    "count",
    "disguise",
    "expect",
    "first",
    "given",
    "hold_back",
    "hold_limit",
    "input",
    "last",
    "mode",
    "note",
    "on",
    "on_error",
    "output",
    "owner",
    "reason",
    "refs",
    "refuses",
    "retrieved",
    "say",
    "seed",
    "session_ttl",
    "severity",
    "text",
    "then",
    "title",
    "tool_call",
    "tool_result",
    "unless",
    "unread",
    "until",
    "version",
    "watch",
    "when",
    "within",
)

_KINDS = {
    "NAME": "a name",
    "STRING": "a text in double quotes",
    "INT": "a whole number",
    "NUMBER": "a number",
    "PERCENT": "a percentage",
    "DURATION": "a duration such as `25ms`",
    "DATE": "a date such as `2027-01-31`",
    "REGEX": "a pattern such as `/…/`",
    "LABEL": "a label such as `name:`",
    "ATTR": "`.name`",
    "$END": "the end of the declaration",
}
_FOREIGN = {"&&": "and", "||": "or", "&": "and", "|": "or", "!": "not"}
_OPERATORS = frozenset({"==", "!=", ">=", "<=", "<", ">"})
_NUMBER_LIKE = re.compile(r"[-+]?\.?\d[\w.%,]*")
_WORD_LIKE = re.compile(r"\w[\w-]*")


@dataclass(frozen=True, slots=True)
class _Slip:
    """One surprise of the parser, with what lies before and after it."""

    source: Source
    chunk: Span
    token: Token
    accepts: frozenset[str]
    words: frozenset[str]
    before: tuple[Token, ...]
    after: tuple[Token, ...]

    @property
    def place(self) -> Place:
        start = self.token.start
        return Place(self.source, Span(start, max(self.token.end, start + 1)))

    @property
    def begins_line(self) -> bool:
        return not self.before or self.breaks_between(self.before[-1], self.token)

    def breaks_between(self, left: Token, right: Token) -> bool:
        """Whether a line ends between two tokens."""
        return self.source.text.find("\n", left.end, right.start) >= 0

    @property
    def opener(self) -> str:
        """The word that begins the declaration."""
        return self.before[0].text if self.before else ""


def explain_mistake(
    source: Source, chunk: Span, error: UnexpectedTokenError | UnknownCharacterError
) -> Diagnostic:
    """The one diagnostic for a declaration that does not parse."""
    if isinstance(error, UnknownCharacterError):
        return _character(source, chunk, error.at)
    slip = _slip(source, chunk, error)
    for look in _LOOKS:
        found = look(slip)
        if found is not None:
            return found
    return _anything_else(slip)


# --- characters no word begins with


def _character(source: Source, chunk: Span, at: int) -> Diagnostic:
    text = source.text
    char = text[at]
    line_end = text.find("\n", at)
    rest = text[at : line_end if line_end >= 0 else len(text)].rstrip()
    to_line_end = Place(source, Span(at, at + max(1, len(rest))))
    one = Place(source, Span(at, at + 1))
    if char == '"':
        return diagnose(
            "unclosed-text",
            to_line_end,
            "a text is not closed on its line",
            help='close it with `"`; a text stands on one line, `\\n` writes a line break',
        )
    if rest.startswith("//"):
        return diagnose(
            "unknown-character",
            Place(source, Span(at, at + 2)),
            "`//` begins nothing here",
            help="a comment begins with `#`",
            fix=Fix("begin it with `#`", (Edit(Place(source, Span(at, at + 2)), "#"),)),
        )
    if char == "/":
        return diagnose(
            "unclosed-pattern",
            to_line_end,
            "a pattern is not closed on its line",
            help="close it with `/`; a slash inside is written `\\/`",
        )
    if char in "'`\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e":
        return _wrong_quote(source, at, rest)
    operator = rest[:2] if rest[:2] in _FOREIGN else char
    if operator in _FOREIGN:
        place = Place(source, Span(at, at + len(operator)))
        word = _FOREIGN[operator]
        return diagnose(
            "foreign-operator",
            place,
            f"`{operator}` is not an operator of this language",
            help=f"write `{word}`",
            fix=Fix(f"write `{word}`", (Edit(place, f"{word} " if operator == "!" else word),)),
        )
    if _NUMBER_LIKE.match(rest):
        return _malformed_number(source, at, rest)
    if char.isalpha():
        return _capitals(source, at, rest, at == chunk.start)
    help_text = {
        ";": "clauses need no separator: begin each on a line of its own",
        "-": "names are written with `_`",
        "*": "there are no wildcards: list the names",
        "\\": "a backslash belongs inside a text or a pattern",
        "=": "compare with `==`",
    }.get(char, "remove it, or put it inside a text")
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    return diagnose("unknown-character", one, f"`{shown}` means nothing here", help=help_text)


def _wrong_quote(source: Source, at: int, rest: str) -> Diagnostic:
    closing = re.compile(r"['`\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e]").search(rest, 1)
    length = closing.end() if closing else len(rest)
    place = Place(source, Span(at, at + max(1, length)))
    inner = rest[1 : length - 1]
    fix = None
    if closing and '"' not in inner and "\\" not in inner:
        fix = Fix("use double quotes", (Edit(place, f'"{inner}"'),))
    return diagnose(
        "wrong-quote", place, "a text is written in double quotes", help='write `"…"`', fix=fix
    )


def _malformed_number(source: Source, at: int, rest: str) -> Diagnostic:
    match = _NUMBER_LIKE.match(rest)
    found = match.group().rstrip(".,") if match else rest[:1]
    found = found or rest[:1]
    advice = "numbers are written `3` or `0.85`, durations `25ms`, `2s`, `15m`, `1h`, `7d`, `2w`"
    if found.startswith("."):
        advice = f"write `0{found}`"
    elif found.startswith("+"):
        advice = f"write `{found[1:]}`"
    place = Place(source, Span(at, at + len(found)))
    return diagnose("malformed-number", place, f"`{found}` is not a number", help=advice)


def _capitals(source: Source, at: int, rest: str, begins: bool) -> Diagnostic:
    match = _WORD_LIKE.match(rest)
    word = match.group() if match else rest[:1]
    place = Place(source, Span(at, at + max(1, len(word))))
    lower = word.lower().replace("-", "_")
    if word.isascii() and lower != word:
        what = "keywords" if lower in DECLARATIONS or lower in CLAUSES or begins else "names"
        return diagnose(
            "uppercase-name",
            place,
            f"{what} are written in lower case",
            help=f"write `{lower}`",
            fix=Fix(f"write `{lower}`", (Edit(place, lower),)),
        )
    return diagnose(
        "unknown-character",
        place,
        "names are written with the letters a to z, digits and `_`",
        help="other writing belongs inside a text",
    )


# --- words in the wrong place


def _slip(source: Source, chunk: Span, error: UnexpectedTokenError) -> _Slip:
    machine = parser()
    token = error.token
    words = frozenset(machine.written[k] for k in error.accepted if k in machine.written)
    before: list[Token] = []
    after: list[Token] = []
    try:
        for found in machine.tokens(source.text, chunk.start, chunk.end):
            (before if found.start < token.start else after).append(found)
    except UnknownCharacterError:
        pass  # the slip lies before the bad character; what was lexed so far is enough
    if token.kind == END:
        token = Token(END, "", before[-1].start, before[-1].end)
    return _Slip(source, chunk, token, error.accepted, words, tuple(before), tuple(after))


def _first_word(slip: _Slip) -> Diagnostic | None:
    if slip.before:
        return None
    word = slip.token.text
    start = slip.place.span.start
    if word in CLAUSES:
        return diagnose(
            "clause-not-indented",
            slip.place,
            f"`{word}` is a clause; only declarations begin in the first column",
            help="indent it, so that it belongs to the declaration above",
            fix=Fix("indent it", (Edit(Place(slip.source, Span(start, start)), "  "),)),
        )
    return diagnose(
        "unknown-declaration",
        slip.place,
        f"no declaration begins with `{word}`",
        help=did_you_mean(word, DECLARATIONS)
        or "a declaration is one of " + ", ".join(f"`{name}`" for name in DECLARATIONS),
        fix=_replace(slip, nearest(word, DECLARATIONS)),
    )


def _mixed(slip: _Slip) -> Diagnostic | None:
    word = slip.token.text
    other = {"and": "or", "or": "and"}.get(word)
    if other is None or other not in slip.words or word in slip.words:
        return None
    left, start = _chain_before(slip, other)
    right = _unit_after(slip)
    if not left:
        return None
    joined = f" {other} ".join(left)
    first = f"({joined}) {word} {right}"
    second = f"{f' {other} '.join(left[:-1])} {other} ({left[-1]} {word} {right})"
    return diagnose(
        "mixed-and-or",
        slip.place,
        f"`{other}` and `{word}` need brackets",
        note="this could join either side",
        labels=(
            Label(
                Place(slip.source, Span(start, slip.before[-1].end)),
                f"joined by `{other}`",
            ),
        ),
        help=(f"write  {first}", f"or     {second}"),
    )


def _chain_before(slip: _Slip, joiner: str) -> tuple[list[str], int]:
    """The members already joined, from the nearest open bracket or clause word on."""
    depth = 0
    begin = len(slip.before)
    while begin > 0:
        token = slip.before[begin - 1]
        if token.text in (")", "]", "}"):
            depth += 1
        elif token.text in ("(", "[", "{"):
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and (token.text in ("when", "unless", "where", "if", "watch", ",")):
            break
        begin -= 1
    members: list[str] = []
    first: Token | None = None
    last: Token | None = None
    for token in slip.before[begin:]:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth == 0 and token.text == joiner and first is not None and last is not None:
            members.append(slip.source.text[first.start : last.end])
            first = None
            continue
        first = first or token
        last = token
    if first is not None and last is not None:
        members.append(slip.source.text[first.start : last.end])
    start = slip.before[begin].start if begin < len(slip.before) else slip.chunk.start
    return [" ".join(member.split()) for member in members], start


def _unit_after(slip: _Slip) -> str:
    """The member that follows the slip, as written."""
    depth = 0
    taken: list[Token] = []
    for token in slip.after[1:]:
        if depth == 0 and taken:
            ends = token.text in ("and", "or", ")", "}", ",") or token.text in CLAUSES
            new_answer = token.text in ("yes", "no", "else") and slip.breaks_between(
                taken[-1], token
            )
            if ends or new_answer:
                break
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        taken.append(token)
    if not taken:
        return "…"
    return " ".join(slip.source.text[taken[0].start : taken[-1].end].split())


def _negated(slip: _Slip) -> Diagnostic | None:
    if len(slip.before) < 2 or slip.before[-2].text != "not":
        return None
    word, negation = slip.before[-1], slip.before[-2]
    if slip.token.text == "of" or (word.text == "cascade" and slip.token.text == "{"):
        place = Place(slip.source, Span(negation.start, word.end))
        what = "a quorum" if slip.token.text == "of" else "a cascade"
        return diagnose(
            "negated-quorum",
            place,
            f"`not` cannot stand before {what}",
            help=(
                "write `none of (…)` where no member may hold",
                f"or put brackets around it: `not ({word.text} …)`",
            ),
        )
    return None


def _no_else(slip: _Slip) -> Diagnostic | None:
    if "else" not in slip.words:
        return None
    opening = _open_bracket(slip)
    if opening is not None and "cascade" in _words_before(slip, opening):
        return diagnose(
            "cascade-without-else",
            slip.place,
            "a cascade ends with `else yes` or `else no`",
            labels=(Label(_token_place(slip, opening), "the cascade begins here"),),
            help="say what holds when no step decides",
        )
    verb = next((t for t in reversed(slip.before) if t.text in ("hold", "revise")), None)
    if verb is None:
        return None
    return diagnose(
        "missing-else",
        slip.place,
        f"`{verb.text}` needs an `else`",
        labels=(Label(_token_place(slip, verb), "this action may not come to an end"),),
        help="say what happens then: `else block`",
    )


def _end(slip: _Slip) -> Diagnostic | None:
    if slip.token.kind != END:
        return None
    opening = _open_bracket(slip)
    if opening is not None:
        closing = {"{": "}", "(": ")", "[": "]"}[opening.text]
        return diagnose(
            "unexpected-end",
            slip.place,
            f"`{closing}` is missing",
            note="the declaration ends here",
            labels=(Label(_token_place(slip, opening), "opened here"),),
            help="a letter in the first column begins the next declaration",
        )
    return diagnose(
        "unexpected-end",
        slip.place,
        f"the declaration ends too early: expected {_expected(slip)}",
    )


def _boolean(slip: _Slip) -> Diagnostic | None:
    word = {"true": "yes", "false": "no"}.get(slip.token.text)
    if word is None or word not in slip.words:
        return None
    return diagnose(
        "boolean-word",
        slip.place,
        f"`{slip.token.text}` is written `{word}`",
        fix=_replace(slip, word),
    )


def _equals(slip: _Slip) -> Diagnostic | None:
    if slip.token.text != "=" or not _OPERATORS & slip.words:
        return None
    return diagnose(
        "single-equals",
        slip.place,
        "`=` gives a value; `==` compares",
        help="write `==`",
        fix=_replace(slip, "=="),
    )


def _misplaced(slip: _Slip) -> Diagnostic | None:
    word = slip.token.text
    if word not in DECLARATIONS or not slip.begins_line or "}" not in slip.words:
        return None
    opening = _open_bracket(slip)
    labels = (Label(_token_place(slip, opening), "this block is still open"),) if opening else ()
    return diagnose(
        "misplaced-declaration",
        slip.place,
        f"`{word}` begins a declaration, and a declaration cannot stand inside another",
        labels=labels,
        help="close the block above with `}` and begin the declaration in the first column",
    )


def _clause(slip: _Slip) -> Diagnostic | None:
    word = slip.token.text
    known = slip.words & (set(CLAUSES) | {"tier", "principle"})
    if (
        "NAME" in slip.accepts
        or len(known) < 2
        or not slip.begins_line
        or not re.fullmatch(r"[a-z_]\w*", word)
    ):
        return None
    near = nearest(word, known)
    return diagnose(
        "unknown-clause",
        slip.place,
        f"`{word}` is not a clause of `{slip.opener}`",
        help=(f"did you mean `{near}`?",) if near else f"expected {_expected(slip)}",
        fix=_replace(slip, near),
    )


def _reserved(slip: _Slip) -> Diagnostic | None:
    word = slip.token.text
    is_word = re.fullmatch(r"[a-z_]+", word)
    if "NAME" not in slip.accepts or slip.begins_line or not is_word or slip.token.kind == "NAME":
        return None
    return diagnose(
        "reserved-name",
        slip.place,
        f"`{word}` is a reserved word and cannot be a name",
        help=f"choose another name, such as `{word}_1` or `my_{word}`",
    )


def _unquoted(slip: _Slip) -> Diagnostic | None:
    if "STRING" not in slip.accepts or "NAME" in slip.accepts or slip.begins_line:
        return None
    if not re.fullmatch(r"\w+", slip.token.text) or slip.words - {"}"}:
        return None
    text = slip.source.text
    start = slip.token.start
    line_end = text.find("\n", start)
    stretch = text[start : line_end if line_end >= 0 else slip.chunk.end].rstrip(" \t\r}")
    place = Place(slip.source, Span(start, start + max(1, len(stretch))))
    fix = None
    if '"' not in stretch and "\\" not in stretch:
        fix = Fix("put it in quotes", (Edit(place, f'"{stretch}"'),), safe=False)
    return diagnose(
        "unquoted-text", place, "a text stands in double quotes", help='write `"…"`', fix=fix
    )


def _anything_else(slip: _Slip) -> Diagnostic:
    word = slip.token.text
    near = nearest(word, slip.words) if re.fullmatch(r"\w+", word) else None
    return diagnose(
        "unexpected-token",
        slip.place,
        f"expected {_expected(slip)}, found `{word}`",
        help=(f"did you mean `{near}`?",) if near else (),
        fix=_replace(slip, near),
    )


_LOOKS: tuple[Callable[[_Slip], Diagnostic | None], ...] = (
    _first_word,
    _mixed,
    _negated,
    _no_else,
    _boolean,
    _equals,
    _end,
    _misplaced,
    _clause,
    _reserved,
    _unquoted,
)


def _expected(slip: _Slip) -> str:
    """What could stand here, in words; a long list is cut."""
    names = slip.accepts
    parts = [_KINDS[kind] for kind in _KINDS if kind in names and kind != "INT"]
    if "INT" in names and "NUMBER" not in names:
        parts.append(_KINDS["INT"])
    # Where any name may stand, soft words are only more names.
    if "NAME" not in names:
        parts.extend(f"`{word}`" for word in _ordered(slip.words))
    if len(parts) > 8:
        parts = [*parts[:7], "…"]
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + f" or {parts[-1]}" if parts else "something else"


def _ordered(words: Iterable[str]) -> list[str]:
    return sorted(words, key=lambda word: (not word[:1].isalpha(), word))


def _open_bracket(slip: _Slip) -> Token | None:
    stack: list[Token] = []
    for token in slip.before:
        if token.text in ("{", "(", "["):
            stack.append(token)
        elif token.text in ("}", ")", "]") and stack:
            stack.pop()
    return stack[-1] if stack else None


def _words_before(slip: _Slip, opening: Token) -> tuple[str, ...]:
    index = slip.before.index(opening)
    for i, token in enumerate(slip.before):
        if token is opening:
            index = i
    return tuple(token.text for token in slip.before[max(0, index - 1) : index])


def _token_place(slip: _Slip, token: Token) -> Place:
    return Place(slip.source, Span(token.start, token.end))


def _replace(slip: _Slip, word: str | None) -> Fix | None:
    return Fix(f"write `{word}`", (Edit(slip.place, word),)) if word else None
