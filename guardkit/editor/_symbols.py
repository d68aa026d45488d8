"""The outline of a file, and what of it can be folded away."""

from __future__ import annotations

import re
from typing import NamedTuple

from guardkit.diagnostics import Span

from ._document import Document, stretches
from ._grammar import BROKEN, Token, grammar

_BLANK_END = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*\Z")
_OPENING = {"{": "}", "(": ")", "[": "]"}


class Outlined(NamedTuple):
    """One declaration: its word, its name, all of it, and the name alone."""

    kind: str
    name: str
    span: Span
    name_span: Span


class Fold(NamedTuple):
    """Lines that can be folded, from 0; a comment or a block."""

    first: int
    last: int
    is_comment: bool = False


def symbols(document: Document) -> tuple[Outlined, ...]:
    """Every declaration in the order of the file, also one that does not parse at the moment."""
    known = grammar()
    found: list[Outlined] = []
    for stretch in stretches(document.text, known.expected(()).words):
        tokens = list(known.tokens(document.text, *_written(document.text, stretch)))
        if len(tokens) < 2 or tokens[0].text in ("guardkit", "tiers"):
            continue
        name = _name(tokens)
        span = Span(tokens[0].start, tokens[-1].end)
        text = document.text[slice(*name)].strip('"').rstrip(": \t")
        if text:
            found.append(Outlined(tokens[0].text, text, span, name))
    return tuple(found)


def _written(text: str, stretch: Span) -> Span:
    """A stretch without the blanks and comments behind it."""
    end = _BLANK_END.search(text[slice(*stretch)])
    return stretch if end is None else Span(stretch.start, stretch.start + end.start())


def _name(tokens: list[Token]) -> Span:
    """The name of a declaration: the word after the first, dots and all."""
    opener = tokens[0].text
    if opener in ("defaults", "context", "model"):
        return Span(tokens[0].start, tokens[0].end)
    if opener == "use":
        alias = next((i for i, t in enumerate(tokens[:-1]) if t.text == "as"), 0)
        return Span(tokens[alias + 1].start, tokens[alias + 1].end)
    end = tokens[1].end
    for token in tokens[2:]:
        if token.kind != "ATTR":
            break
        end = token.end
    return Span(tokens[1].start, end)


def folds(document: Document) -> tuple[Fold, ...]:
    """What can be folded: brackets over several lines, and comments of several lines."""
    lines = document.lines
    found: set[Fold] = set()
    stack: list[Token] = []
    for token in grammar().tokens(document.text):
        if token.text in _OPENING and token.kind != BROKEN:
            stack.append(token)
        elif stack and token.text == _OPENING[stack[-1].text]:
            first, last = lines.line_of(stack.pop().start), lines.line_of(token.start)
            if last > first + 1:
                found.add(Fold(first, last - 1))
    begin: int | None = None
    for line in range(len(lines) + 1):
        text = document.text[slice(*lines.line_span(line))] if line < len(lines) else ""
        if text.lstrip().startswith("#"):
            begin = line if begin is None else begin
        elif begin is not None:
            if line - 1 > begin:
                found.add(Fold(begin, line - 1, True))
            begin = None
    return tuple(sorted(found))
