"""Text to tree. A file is cut into declarations first, so one slip costs one declaration."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from guardkit.diagnostics import Diagnostic, Edit, Fix, Place, Source, Span, diagnose, nearest

from . import _ast as ast
from ._build import BadEscapeError, TrueFalseError
from ._characters import STRETCH, check_characters
from ._machine import UnexpectedTokenError, UnknownCharacterError
from ._mistakes import explain_mistake
from ._tables import parser
from ._words import CLAUSES_OF, CONTINUATIONS, DECLARATIONS

EDITION = 1
# A megabyte of policy, some five thousand rules, parses in about a second.
MAX_CHARS = 1_000_000
MAX_DEPTH = 64
MAX_ERRORS = 100
MOST_KEPT_CHARS = 65_536

MAX_DECLARATION_CHARS = 100_000

_DECLARATION_START = re.compile(r"^[^\W\d]\w*", re.MULTILINE)
_HEADER_WORDS = ("guardkit", "policy", "module")
_WORD = re.compile(r"\w*")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_WRITTEN = re.compile(r"^[ \t]*[^\s#][^\n]*", re.MULTILINE)
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text says, as far as it says anything, and everything wrong with how it says it."""

    file: ast.File
    diagnostics: tuple[Diagnostic, ...]

    @property
    def is_clean(self) -> bool:
        return not self.diagnostics


def parse(source: Source) -> Parsed:
    """Parse one policy or module.

    Returns the declarations that could be read and at most one syntax diagnostic for each that
    could not. Never raises for any text. INVARIANT: a rejected text has a diagnostic whose span
    lies inside it.
    """
    return _kept(source) if len(source.text) <= MOST_KEPT_CHARS else _parsed(source)


@lru_cache(maxsize=16)
def _kept(source: Source) -> Parsed:
    """An editor asks about a text several times, and about its modules at every key."""
    return _parsed(source)


def forget() -> None:
    """Parse everything anew from here on, for who measures what it costs."""
    _kept.cache_clear()


def _parsed(source: Source) -> Parsed:
    text = source.text
    if len(text) > MAX_CHARS:
        return _refused(source, _too_large(source))
    start = _BLANK.match(text)
    if start is not None and start.end() == len(text):
        return _refused(source, _empty(source))
    found = list(check_characters(source, MAX_ERRORS))
    odd = sorted(diagnostic.place.span for diagnostic in found)
    declarations: list[ast.Declaration] = []
    cuts = _cuts(text)
    stray = list(_stray(source, cuts[0] if cuts else len(text)))
    found.extend(stray)
    errors = 0
    for begin, end in pairwise([*cuts, len(text)]):
        result = _declaration(source, begin, end)
        if not isinstance(result, Diagnostic):
            declarations.append(result)
            continue
        errors += 1
        if not _is_told(result, odd):
            found.append(result)
        if errors >= MAX_ERRORS:
            break
    newer = _newer_edition(source, declarations)
    if newer:
        return Parsed(ast.File(source, ()), (newer,))  # its other lines may mean something else
    if not stray:
        found.extend(_header_mistakes(source, declarations, cuts))
    file = ast.File(source, tuple(declarations))
    return Parsed(file, tuple(sorted(found, key=lambda diagnostic: diagnostic.order)))


def _is_told(diagnostic: Diagnostic, odd: list[Span]) -> bool:
    """Whether an odd character, which has a diagnostic of its own, is what did not parse."""
    start, end = diagnostic.place.span
    at = bisect_left(odd, (start, start))
    around = odd[max(0, at - 1) : at + 1]
    return any(span.start < end and start < span.end for span in around)


def _cuts(text: str) -> list[int]:
    """Where declarations begin. A clause that slid into the first column begins none."""
    return [
        match.start()
        for i, match in enumerate(_DECLARATION_START.finditer(text))
        if i == 0 or match.group() not in CONTINUATIONS
    ]


def _slid(source: Source, begin: int, end: int) -> Diagnostic | None:
    """A clause in the first column of a declaration that reads well otherwise."""
    for match in _DECLARATION_START.finditer(source.text, begin + 1, end):
        start = match.start()
        return diagnose(
            "clause-not-indented",
            Place(source, Span(*match.span())),
            f"`{match.group()}` begins no declaration, "
            "and only declarations begin in the first column",
            help="indent it, so that it belongs to the declaration above",
            fix=Fix("indent it", (Edit(Place(source, Span(start, start)), "  "),)),
        )
    return None


def _declaration(source: Source, begin: int, end: int) -> ast.Declaration | Diagnostic:
    refusal = _too_long(source, begin, end) or _too_deep(source, begin, end)
    if refusal:
        return refusal
    try:
        tree: ast.Declaration = parser().parse(source.text, begin, end)
    except (UnexpectedTokenError, UnknownCharacterError) as error:
        return explain_mistake(source, Span(begin, end), error)
    except BadEscapeError as error:
        return diagnose(
            "bad-escape",
            Place(source, error.span),
            f"`{error.escape}` is not an escape",
            help='the escapes are \\" \\\\ \\n \\r \\t and \\u{…}'
            if error.escape != "\\u"
            else "a code point is written `\\u{20AC}`: hexadecimal, in braces, up to 10FFFF",
            fix=Fix(
                "write the backslash itself",
                (Edit(Place(source, Span(error.span.start, error.span.start + 1)), "\\\\"),),
                safe=False,
            ),
        )
    except TrueFalseError as error:
        word = "yes" if error.word == "true" else "no"
        place = Place(source, error.span)
        return diagnose(
            "boolean-word",
            place,
            f"`{error.word}` is written `{word}`",
            fix=Fix(f"write `{word}`", (Edit(place, word),)),
        )
    return (
        _slid(source, begin, end) or _misnamed(source, tree) or _empty_block(source, tree) or tree
    )


def _misnamed(source: Source, tree: ast.Declaration) -> Diagnostic | None:
    """A parameter's name is part of a label, and labels may be any word."""
    if not isinstance(tree, ast.Param):
        return None
    name, place = tree.name.text, Place(source, tree.name.span)
    if name in parser().reserved:
        return diagnose(
            "reserved-name",
            place,
            f"`{name}` is a reserved word and cannot be a name",
            help=f"choose another name, such as `{name}_1` or `my_{name}`",
        )
    if _NAME.fullmatch(name):
        return None
    better = re.sub(r"\W+", "_", name.strip('"').lower()).strip("_")
    fix = Fix(f"write `{better}`", (Edit(place, better),)) if _NAME.fullmatch(better) else None
    if name.startswith('"'):
        return diagnose("unexpected-token", place, "a name stands without quotes", fix=fix)
    return diagnose(
        "uppercase-name",
        place,
        "names are written in lower case",
        help=f"write `{better}`",
        fix=fix,
    )


def _empty_block(source: Source, tree: ast.Declaration) -> Diagnostic | None:
    if isinstance(tree, ast.Block):
        inside: tuple[object, ...] = tree.clauses
        kind: str = tree.kind
    elif isinstance(tree, ast.Test):
        inside, kind = tree.steps, "test"
    else:
        return None
    if inside:
        return None
    clauses = ", ".join(f"`{word}`" for word in CLAUSES_OF[kind])
    return diagnose(
        "empty-block",
        Place(source, Span(tree.span.start, tree.span.start + len(kind))),
        f"this `{kind}` says nothing",
        help=f"its clauses are {clauses}" if kind != "test" else f"its steps are {clauses}",
    )


def _too_long(source: Source, begin: int, end: int) -> Diagnostic | None:
    if end - begin <= MAX_DECLARATION_CHARS:
        return None
    # Comments and blank lines behind a declaration are not its own.
    last = None
    for match in _WRITTEN.finditer(source.text, begin, end):
        last = match
    size = last.end() - begin if last else 0
    if size <= MAX_DECLARATION_CHARS:
        return None
    return diagnose(
        "too-large",
        Place(source, _first_line(source.text, begin)),
        f"the declaration has {size:,} characters; one may have {MAX_DECLARATION_CHARS:,}",
        help="move word lists and examples into files of their own",
    )


def _too_deep(source: Source, begin: int, end: int) -> Diagnostic | None:
    text = source.text
    if sum(text.count(bracket, begin, end) for bracket in "([{") <= MAX_DEPTH:
        return None
    depth = 0
    for match in STRETCH.finditer(text, begin, end):
        if match.group() in "([{":
            depth += 1
            if depth > MAX_DEPTH:
                return diagnose(
                    "too-deep",
                    Place(source, Span(*match.span())),
                    f"brackets are nested more than {MAX_DEPTH} deep",
                    help="give the inner condition a rule or a check of its own",
                )
        elif match.group() in ")]}":
            depth -= 1
    return None


def _refused(source: Source, diagnostic: Diagnostic) -> Parsed:
    return Parsed(ast.File(source, ()), (diagnostic,))


def _too_large(source: Source) -> Diagnostic:
    return diagnose(
        "too-large",
        Place(source, Span(0, 1)),
        f"the file has {len(source.text):,} characters; a policy may have {MAX_CHARS:,}",
        help="move word lists and examples into files of their own",
    )


def _empty(source: Source) -> Diagnostic:
    return diagnose(
        "empty-file",
        Place(source, Span(0, min(1, len(source.text)))),
        "the file holds no policy",
        help="a policy begins with `guardkit 1` and `policy NAME`; `guardkit init` writes one",
    )


def _stray(source: Source, end: int) -> Iterator[Diagnostic]:
    blank = _BLANK.match(source.text)
    begin = blank.end() if blank else 0
    if begin < end:
        line_end = source.text.find("\n", begin)
        stop = min(end, line_end if line_end > 0 else end)
        yield diagnose(
            "stray-text",
            Place(source, Span(begin, max(stop, begin + 1))),
            "text stands before the first declaration",
            help="a declaration begins in the first column",
        )


def _newer_edition(source: Source, declarations: list[ast.Declaration]) -> Diagnostic | None:
    for declaration in declarations:
        if isinstance(declaration, ast.Edition) and declaration.number != EDITION:
            return diagnose(
                "newer-edition",
                Place(source, declaration.span),
                f"the policy is written for edition {declaration.number}; "
                f"this guardkit reads edition {EDITION}",
                help="upgrade guardkit, or write `guardkit 1`",
            )
    return None


def _header_mistakes(
    source: Source, declarations: list[ast.Declaration], cuts: list[int]
) -> Iterator[Diagnostic]:
    text = source.text
    editions = [d for d in declarations if isinstance(d, ast.Edition)]
    headers = [d for d in declarations if isinstance(d, ast.Header)]
    # A slip in a header line has its own diagnostic; do not call the line missing as well.
    first = Place(source, _first_line(text, cuts[0] if cuts else 0))
    words: set[str | None] = {_first_word(text, cut) for cut in cuts}
    words |= {_meant(_first_word(text, cut).lower()) for cut in cuts[:2]}
    if not editions and "guardkit" not in words:
        has_name = bool({"policy", "module"} & words)
        yield diagnose(
            "missing-edition",
            first,
            "the file does not begin with its edition",
            help=f"write `guardkit {EDITION}` as the first line"
            + ("" if has_name else " and `policy NAME` as the second"),
            fix=Fix(
                "add the edition",
                (Edit(Place(source, Span(first.span.start, first.span.start)), "guardkit 1\n"),),
            ),
        )
        return
    is_first = not editions or editions[0].span.start == cuts[0]
    if not is_first:
        yield _misplaced(source, editions[0], "`guardkit 1` is the first line of a file")
    if not headers and not {"policy", "module"} & words:
        place = Place(source, editions[0].span) if editions else first
        yield diagnose(
            "missing-name",
            place,
            "neither `policy NAME` nor `module NAME` follows the edition",
            help="write `policy` and a name of your choice as the second line",
        )
    elif is_first and headers and editions and len(cuts) > 1 and headers[0].span.start != cuts[1]:
        yield _misplaced(source, headers[0], f"`{headers[0].kind}` is the second line of a file")
    extras: list[ast.Edition | ast.Header] = [*editions[1:], *headers[1:]]
    for extra in extras:
        yield _misplaced(source, extra, "this line stands once, at the top of a file")


def _meant(word: str) -> str | None:
    return word if word in DECLARATIONS else nearest(word, _HEADER_WORDS)


def _misplaced(source: Source, node: ast.Edition | ast.Header, message: str) -> Diagnostic:
    line = source.text[node.span.start : node.span.end].split("\n", 1)[0]
    span = Span(node.span.start, node.span.start + len(line))
    return diagnose("misplaced-header", Place(source, span), message)


def _first_word(text: str, at: int) -> str:
    match = _WORD.match(text, at)
    return match.group() if match else ""


def _first_line(text: str, at: int) -> Span:
    end = text.find("\n", at)
    return Span(at, max(min(end if end > 0 else len(text), len(text)), min(at + 1, len(text))))
