"""What each word of a text is, for colouring: the tokens say most, the names the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guardkit.diagnostics import Span
from guardkit.syntax import comments_of
from guardkit.types import ACTIONS, SURFACES

from ._document import Document
from ._grammar import BROKEN, grammar
from ._names import Kind, occurrences
from ._positions import width
from ._workspace import Workspace

TYPES: tuple[str, ...] = (
    "keyword",
    "string",
    "number",
    "regexp",
    "comment",
    "operator",
    "variable",
    "property",
    "function",
    "class",
    "parameter",
    "namespace",
    "enumMember",
    "type",
)
MODIFIERS: tuple[str, ...] = ("declaration",)

_OF_TOKEN = {
    "STRING": "string",
    "REGEX": "regexp",
    "NUMBER": "number",
    "INT": "number",
    "PERCENT": "number",
    "DURATION": "number",
    "DATE": "number",
    "LABEL": "property",
    "ATTR": "property",
    "NAME": "variable",
}
_OF_NAME: dict[Kind, str] = {
    "check": "function",
    "module": "namespace",
    "monitor": "class",
    "param": "parameter",
    "policy": "namespace",
    "principle": "class",
    "probe": "class",
    "rule": "class",
    "sequence": "class",
    "tier": "type",
    "tools": "namespace",
    "variable": "parameter",
    "window": "variable",
}


class Coloured(NamedTuple):
    """A stretch and what it is, one of `TYPES`; whether it declares a name."""

    span: Span
    type: str
    declares: bool = False


def semantic_tokens(workspace: Workspace, document: Document) -> tuple[Coloured, ...]:
    """Every stretch that is something, in order and without overlaps."""
    named = {
        one.span.start: Coloured(one.span, _OF_NAME[one.symbol.kind], one.declares)
        for one in occurrences(workspace.names(document))
    }
    known = grammar()
    found: list[Coloured] = [Coloured(note.span, "comment") for note in comments_of(document.text)]
    end = 0
    for token in known.tokens(document.text):
        if token.start < end:
            continue  # a part of a name that has been said whole
        name = named.get(token.start)
        if name is not None:
            found.append(name)
            end = name.span.end
            continue
        type = _OF_TOKEN.get(token.kind)
        if type is None and token.kind in known.written and token.text in known.words:
            is_choice = token.text in ACTIONS or token.text in SURFACES
            type = "enumMember" if is_choice else "keyword"
        elif type is None and token.kind == BROKEN:
            type = "string" if token.text.startswith('"') else None
        elif type is None and token.text in _OPERATORS:
            type = "operator"
        if type is not None:
            found.append(Coloured(Span(token.start, token.end), type))
    return tuple(_apart(sorted(found)))


def _apart(found: list[Coloured]) -> Iterator[Coloured]:
    """Without what begins inside another: a `#` behind a quote that is not closed."""
    end = 0
    for one in found:
        if one.span.start >= end:
            yield one
            end = one.span.end


_OPERATORS = frozenset({"==", "!=", "<=", ">=", "<", ">", "="})


def encoded(document: Document, found: tuple[Coloured, ...]) -> list[int]:
    """The tokens as the protocol wants them: five numbers each, counted from the one before."""
    numbers: list[int] = []
    line = character = 0
    for one in found:
        point = document.lines.point(one.span.start)
        size = width(document.text[slice(*one.span)], document.encoding)
        ahead = point.character - (character if point.line == line else 0)
        numbers += (point.line - line, ahead, size, TYPES.index(one.type), int(one.declares))
        line, character = point
    return numbers
