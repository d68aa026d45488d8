"""Pattern literals: compiled with RE2 here, measured, and looked over for the usual slips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import re2

from guardkit._util.dialect import shape_of, sre
from guardkit.diagnostics import Span
from guardkit.syntax import ast

from ._scope import Scope

UNBOUNDED = -1
FLAGS = "ism"
MAX_PATTERN_CHARS = 4_000
MAX_PROGRAM_BYTES = 4 << 20
MAX_PLACES = 32
"""How many places of a refused piece are tried before the last one is blamed."""

_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_HOST_LIKE = re.compile(
    r"(?<![\\\w])[a-z0-9-]{2,}(\.)(?:com|net|org|io|ai|dev|app|example|co|de|fr|eu|uk|gov|edu)\b"
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pattern that compiles: as RE2 reads it, and the longest text it can match."""

    source: str
    flags: str
    width: int


MOST_KEPT = 4_096
_CLEAN: dict[tuple[str, str], Compiled] = {}
"""Patterns that nobody had anything to say about: an editor checks the same ones at every key."""


def compile_pattern(scope: Scope, node: ast.Pattern) -> Compiled | None:
    """Compile one literal; reports what RE2 or the language refuses, and lints the rest."""
    key = (node.source, node.flags)
    clean = _CLEAN.get(key)
    if clean is not None:
        return clean
    before = len(scope.report)
    made = _compiled(scope, node)
    if made is not None and len(scope.report) == before:
        if len(_CLEAN) >= MOST_KEPT:
            _CLEAN.clear()
        _CLEAN[key] = made
    return made


def forget() -> None:
    """Compile everything anew from here on, for who measures what it costs."""
    _CLEAN.clear()


def _compiled(scope: Scope, node: ast.Pattern) -> Compiled | None:
    unknown = [flag for flag in node.flags if flag not in FLAGS]
    if unknown:
        end = node.span.end
        scope.error(
            "bad-flag",
            Span(end - len(node.flags), end),
            f"`{unknown[0]}` is not a pattern flag",
            help="the flags are `i` (any case), `s` (a dot matches line breaks), `m` (lines)",
        )
        return None
    if len(node.source) > MAX_PATTERN_CHARS:
        scope.error(
            "pattern-too-large",
            node,
            f"the pattern has {len(node.source):,} characters; the limit is {MAX_PATTERN_CHARS:,}",
            help="put long lists into a `words` check with a file",
        )
        return None
    backtracking = _needs_backtracking(node.source)
    if backtracking:
        at, length, what, advice = backtracking
        begin = node.span.start + 1 + at
        scope.error(
            "pattern-backtracking",
            Span(begin, begin + length),
            f"{what} needs backtracking, and patterns here run in linear time",
            help=advice,
        )
        return None
    prefix = f"(?{''.join(sorted(set(node.flags)))})" if node.flags else ""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    try:
        program = re2.compile(prefix + node.source, options)
    except re2.error as error:
        _refused(scope, node, error)
        return None
    shape = shape_of(node.source)
    tree = shape.tree if shape is not None else None
    width = _width(tree)
    shortest = tree.getwidth()[0] if tree is not None else None
    if shortest == 0 or program.search("") is not None:
        scope.error(
            "pattern-matches-empty",
            node,
            "the pattern matches the empty text, so it matches every text",
            help="replace `*` by `+`, remove an empty alternative, or make one part required",
        )
        return None
    _lint(scope, node, tree, width)
    return Compiled(node.source, "".join(sorted(set(node.flags))), width)


def _refused(scope: Scope, node: ast.Pattern, error: Exception) -> None:
    text = _said(error)
    reason, _, piece = text.partition(": ")
    at = _unclosed(node.source) if reason.startswith("missing") else -1
    length = 1
    if at < 0 and piece and piece != node.source:
        at, length = _where(node.source, piece, text), len(piece)
    span = node.span
    if at >= 0:
        span = Span(node.span.start + 1 + at, node.span.start + 1 + at + length)
    counts = [int(count) for count in re.findall(r"\d+", piece)]
    is_backwards = len(counts) == 2 and counts[0] > counts[1]
    if "too large" in text or ("repetition size" in text and not is_backwards):
        scope.error(
            "pattern-too-large",
            span,
            "the pattern compiles to too large a program",
            help="lower the repetition counts; one count may be at most 1000",
        )
        return
    said, advice = _REASONS.get(reason, (reason or "it is not well formed", ""))
    if reason == "invalid escape sequence":
        advice = _ESCAPE_ADVICE.get(piece[:2], advice)
    elif reason == "invalid character class range" and piece.startswith(("\\p", "\\P", "[:")):
        said, advice = (
            "no class of characters has this name",
            "two are `\\p{Greek}` and `[:alpha:]`",
        )
    scope.error("bad-pattern", span, f"the pattern does not compile: {said}", help=advice or ())


_REASONS = {
    "missing )": ("a bracket is not closed", "close it with `)`, or write `\\(` for a bracket"),
    "missing ]": ("a class is not closed", "close it with `]`, or write `\\[` for a bracket"),
    "unexpected )": ("a bracket closes nothing", "remove it, or write `\\)` for a bracket"),
    "no argument for repetition operator": (
        "there is nothing to repeat",
        "write a backslash before the character to match it as it stands",
    ),
    "bad repetition operator": (
        "a repetition is repeated",
        "one of the two is enough; brackets make it `(?:…)*`",
    ),
    "invalid character class range": ("a range runs backwards", "write the lower end first: `0-9`"),
    "invalid escape sequence": (
        "this escape means nothing here",
        "write `\\\\` for a backslash; `\\b`, `\\d`, `\\s` and `\\w` are common escapes",
    ),
    "invalid repetition size": ("a repetition runs backwards", "write the smaller count first"),
    "trailing \\": ("it ends in a backslash", "write `\\\\` for a backslash"),
    "invalid named capture group": ("a group has no proper name", "write `(?P<name>…)`"),
    "invalid perl operator": ("this group means nothing here", "write `(?:…)` for a plain group"),
}
"""What RE2 says against a pattern, in the words of this language, and what to do."""

_ESCAPE_ADVICE = {
    "\\Z": "the end of the text is `\\z`",
    "\\b": "a class has no `\\b`; is its `]` missing?",
    "\\x": "write two hexadecimal digits, `\\x2D`, or braces, `\\x{20AC}`",
    "\\u": "a code point is written `\\x{20AC}`",
    "\\h": "a blank or a tab is `[ \\t]`",
}


def _where(source: str, piece: str, refused: str) -> int:
    """Where RE2 stopped: the first such piece up to which the pattern is refused the same way."""
    options = re2.Options()
    options.log_errors = False
    for match in islice(re.finditer(re.escape(piece), source), MAX_PLACES):
        try:
            re2.compile(source[: match.end()], options)
        except re2.error as error:
            if _said(error) == refused:
                return match.start()
    return source.rfind(piece)


def _said(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)


def _unclosed(source: str) -> int:
    """The innermost bracket, or the class, that nothing closes; -1 where all are closed."""
    opened: list[int] = []
    in_class = -1
    i = 0
    while i < len(source):
        char = source[i]
        if char == "\\":
            i += 1
        elif in_class >= 0:
            if char == "]" and source[in_class:i] not in ("[", "[^"):
                in_class = -1
        elif char == "[":
            in_class = i
        elif char == "(":
            opened.append(i)
        elif char == ")" and opened:
            opened.pop()
        i += 1
    if in_class >= 0:
        return in_class
    return opened[-1] if opened else -1


_COUNT = re.compile(r"\{\d+(?:,\d*)?\}\Z")
_BACK_REFERENCE = ("a back-reference", "match both places and compare them in a check of your own")


def _needs_backtracking(source: str) -> tuple[int, int, str, str] | None:
    """Where a pattern asks for backtracking, how much of it does, what it is and what to do."""
    in_class = False
    i = 0
    while i < len(source):
        char = source[i]
        if char == "\\":
            after = source[i + 1 : i + 2]
            if (not in_class and after and after in "123456789") or after == "k":
                return i, 2, *_BACK_REFERENCE
            i += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            i += 2 if source[i + 1 : i + 2] == "^" else 1
            if source[i : i + 1] == "]":
                i += 1
            continue
        elif source.startswith(_LOOKAROUND, i):
            return (
                i,
                4 if source[i + 2] == "<" else 3,
                "look-around",
                "match the surroundings too, or use two checks joined by `and`",
            )
        elif source.startswith("(?P=", i):
            return i, 4, *_BACK_REFERENCE
        elif source.startswith("(?>", i):
            return i, 3, "an atomic group", "write a plain group: nothing backtracks here"
        elif source[i + 1 : i + 2] == "+" and (
            char in "*+?" or (char == "}" and _COUNT.search(source, 0, i + 1))
        ):
            return i, 2, "a possessive quantifier", "write it without the second `+`"
        i += 1
    return None


def _width(tree: Any) -> int:
    if tree is None:
        return UNBOUNDED
    longest = int(tree.getwidth()[1])
    return UNBOUNDED if longest >= 1 << 31 else longest


# --- lint


def _lint(scope: Scope, node: ast.Pattern, tree: Any, width: int) -> None:
    start = node.span.start + 1
    for match in _HOST_LIKE.finditer(node.source):
        at = start + match.start(1)
        scope.error(
            "unescaped-dot",
            Span(at, at + 1),
            f"the dot in `{match.group()}` matches any character",
            help="write `\\.`",
        )
    if 0 <= width < 3:
        scope.error(
            "short-pattern",
            node,
            f"the pattern matches at most {width} character{'s' if width > 1 else ''}",
            help="such a pattern is found in almost every text",
        )
    repeated = _repeated_class_member(node.source)
    if repeated:
        at, char = repeated
        scope.error(
            "repeated-class-member",
            Span(start + at, start + at + 1),
            f"`{char}` stands twice in this class",
            help="a class names characters, not words: `(?:ab|cd)` matches words",
        )
    if tree is None:
        return
    if any(_nested_repetition(tree)):
        scope.error(
            "nested-repetition",
            node,
            "a repetition repeats a repetition",
            help="it runs in linear time here, but one of the two is enough",
        )
    shadow = _shadowed_alternative(node.source)
    if shadow:
        first, second = shadow
        scope.error(
            "alternation-shadow",
            node,
            f"`{second}` is never reached: `{first}` matches first",
            help="put the longer alternative first",
        )


def _repeated_class_member(source: str) -> tuple[int, str] | None:
    for match in re.finditer(r"(?<!\\)\[(\^?)((?:\\.|[^\]\\])+)\]", source):
        body = match.group(2)
        if "[:" in body or re.search(r"(?<!^)-(?!$)", body):
            continue
        seen: set[str] = set()
        for member in re.finditer(r"\\.|.", body):
            if member.group() in seen:
                return match.start(2) + member.start(), member.group()
            seen.add(member.group())
    return None


def _nested_repetition(tree: Any) -> Iterator[bool]:
    for op, argument in tree:
        if op is sre.MAX_REPEAT or op is sre.MIN_REPEAT:
            _, most, body = argument
            inner = list(body)
            while len(inner) == 1 and inner[0][0] is sre.SUBPATTERN:
                inner = list(inner[0][1][3])
            if (
                most is sre.MAXREPEAT
                and len(inner) == 1
                and inner[0][0] in (sre.MAX_REPEAT, sre.MIN_REPEAT)
                and inner[0][1][1] is sre.MAXREPEAT
            ):
                yield True
            yield from _nested_repetition(body)
        elif op is sre.SUBPATTERN:
            yield from _nested_repetition(argument[3])
        elif op is sre.BRANCH:
            for branch in argument[1]:
                yield from _nested_repetition(branch)


_WORDS_ONLY = re.compile(r"(?:\\b)?(?:\((?:\?:)?)?([\w -]+(?:\|[\w -]+)+)\)?(?:\\b)?")


def _shadowed_alternative(source: str) -> tuple[str, str] | None:
    """A literal alternative that begins with an earlier one, where nothing after it decides."""
    match = _WORDS_ONLY.fullmatch(source)
    if not match or source.endswith("\\b"):
        return None
    words = match.group(1).split("|")
    for i, second in enumerate(words):
        for first in words[:i]:
            if second.startswith(first):
                return first, second
    return None
