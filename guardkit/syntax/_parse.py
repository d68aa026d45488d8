"""Text to tree. A file is cut into declarations first, so one slip costs one declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from guardkit.diagnostics import Diagnostic, Edit, Fix, Place, Source, Span, diagnose

from . import _ast as ast
from ._build import BadEscapeError
from ._characters import check_characters
from ._machine import UnexpectedTokenError, UnknownCharacterError
from ._mistakes import explain_mistake
from ._tables import parser

EDITION = 1
MAX_CHARS = 4_000_000
MAX_DEPTH = 64
MAX_ERRORS = 100

_DECLARATION_START = re.compile(r"^[^\W\d]", re.MULTILINE)
_STRETCH = re.compile(r'"(?:\\.|[^"\\\n])*"|/(?:\\.|[^/\\\n])+/|#[^\n]*|[([{]|[)\]}]')
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
    text = source.text
    if len(text) > MAX_CHARS:
        return _refused(source, _too_large(source))
    start = _BLANK.match(text)
    if start is not None and start.end() == len(text):
        return _refused(source, _empty(source))
    found = list(check_characters(source, MAX_ERRORS))
    declarations: list[ast.Declaration] = []
    cuts = _cuts(text)
    found.extend(_stray(source, cuts[0] if cuts else len(text)))
    for begin, end in pairwise([*cuts, len(text)]):
        result = _declaration(source, begin, end)
        if isinstance(result, Diagnostic):
            found.append(result)
            if len(found) >= MAX_ERRORS:
                break
        else:
            declarations.append(result)
    newer = _newer_edition(source, declarations)
    if newer:
        return Parsed(ast.File(source, tuple(declarations), ()), (newer,))
    found.extend(_header_mistakes(source, declarations, cuts))
    file = ast.File(source, tuple(declarations), comments_of(text))
    return Parsed(file, tuple(sorted(found, key=lambda diagnostic: diagnostic.order)))


def comments_of(text: str) -> tuple[ast.Comment, ...]:
    """Every comment, in order; `#` inside texts and patterns begins none."""
    if "#" not in text:
        return ()
    return tuple(
        ast.Comment(Span(*m.span()), m.group().rstrip())
        for m in _STRETCH.finditer(text)
        if m.group()[0] == "#"
    )


def _cuts(text: str) -> list[int]:
    return [match.start() for match in _DECLARATION_START.finditer(text)]


def _declaration(source: Source, begin: int, end: int) -> ast.Declaration | Diagnostic:
    deep = _too_deep(source, begin, end)
    if deep:
        return deep
    try:
        tree = parser().parse(source.text, begin, end)
    except (UnexpectedTokenError, UnknownCharacterError) as error:
        return explain_mistake(source, Span(begin, end), error)
    except BadEscapeError as error:
        return diagnose(
            "bad-escape",
            Place(source, error.span),
            f"`{error.escape}` is not an escape",
            help='the escapes are \\" \\\\ \\n \\r \\t and \\u{…} with a code point in hexadecimal',
            fix=Fix(
                "write the backslash itself",
                (Edit(Place(source, Span(error.span.start, error.span.start + 1)), "\\\\"),),
                safe=False,
            ),
        )
    return cast(ast.Declaration, tree)


def _too_deep(source: Source, begin: int, end: int) -> Diagnostic | None:
    text = source.text
    if sum(text.count(bracket, begin, end) for bracket in "([{") <= MAX_DEPTH:
        return None
    depth = 0
    for match in _STRETCH.finditer(text, begin, end):
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
    return Parsed(ast.File(source, (), ()), (diagnostic,))


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
    first = Place(source, _first_line(text, cuts[0] if cuts else 0))
    # A header line that did not parse has its own diagnostic; do not call it missing as well.
    words = [_first_word(text, cut) for cut in cuts]
    if not editions and "guardkit" not in words:
        yield diagnose(
            "missing-edition",
            first,
            "the file does not begin with its edition",
            help=f"write `guardkit {EDITION}` as the first line",
            fix=Fix(
                "add the edition",
                (Edit(Place(source, Span(first.span.start, first.span.start)), "guardkit 1\n"),),
            ),
        )
    elif editions and editions[0].span.start != cuts[0]:
        yield _misplaced(source, editions[0], "`guardkit 1` is the first line of a file")
    if not headers and not {"policy", "module"} & set(words):
        place = Place(source, editions[0].span) if editions else first
        yield diagnose(
            "missing-name",
            place,
            "neither `policy NAME` nor `module NAME` follows the edition",
            help="write `policy` and a name of your choice as the second line",
        )
    elif headers and editions and len(cuts) > 1 and headers[0].span.start != cuts[1]:
        yield _misplaced(source, headers[0], f"`{headers[0].kind}` is the second line of a file")
    extras: list[ast.Edition | ast.Header] = [*editions[1:], *headers[1:]]
    for extra in extras:
        yield _misplaced(source, extra, "this line stands once, at the top of a file")


def _misplaced(source: Source, node: ast.Edition | ast.Header, message: str) -> Diagnostic:
    line = source.text[node.span.start : node.span.end].split("\n", 1)[0]
    span = Span(node.span.start, node.span.start + len(line))
    return diagnose("misplaced-header", Place(source, span), message)


def _first_word(text: str, at: int) -> str:
    match = re.compile(r"\w*").match(text, at)
    return match.group() if match else ""


def _first_line(text: str, at: int) -> Span:
    end = text.find("\n", at)
    return Span(at, max(min(end if end > 0 else len(text), len(text)), min(at + 1, len(text))))
