"""Where a name comes from: the declaration, or the file between the quotes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guardkit.diagnostics import Span
from guardkit.syntax import ast

from ._document import Document
from ._names import Names, Occurrence, Symbol, occurrence_at, occurrences
from ._workspace import Workspace


class Location(NamedTuple):
    """A stretch of a file."""

    document: Document
    span: Span


def symbol_at(workspace: Workspace, document: Document, offset: int) -> Occurrence | None:
    """The name a place lies on and what it stands for, if anybody knows."""
    return occurrence_at(occurrences(workspace.names(document)), offset)


def definition(workspace: Workspace, document: Document, offset: int) -> tuple[Location, ...]:
    """Where the name or the file at a place is declared or lies; nothing where neither is there."""
    found = symbol_at(workspace, document, offset)
    if found is not None:
        place = declaration_of(workspace, document, found.symbol)
        return () if place is None else (place,)
    quoted = _quoted_at(document, offset)
    if quoted is None:
        return ()
    path = _file(workspace, document, quoted)
    target = None if path is None else workspace.document_at(path)
    return () if target is None else (Location(target, Span(0, 0)),)


def declaration_of(workspace: Workspace, document: Document, symbol: Symbol) -> Location | None:
    """Where a symbol is declared."""
    home = document if symbol.path == workspace.real(document.source.path) else None
    home = home or workspace.document_at(symbol.path)
    if home is None:
        return None
    names = workspace.names(home)
    if symbol.kind == "variable":
        for one in occurrences(names):
            if one.declares and one.symbol == symbol:
                return Location(home, one.span)
        return None
    span = names.place(symbol._replace(path=names.path))
    return None if span is None else Location(home, span)


def declared_by(workspace: Workspace, document: Document, symbol: Symbol) -> ast.Declaration | None:
    """The declaration of a symbol, as it last could be read."""
    names = _names_of(workspace, document, symbol)
    if names is None:
        return None
    found = names.declared.get((symbol.kind, symbol.name))
    return None if found is None else found[0]


def _names_of(workspace: Workspace, document: Document, symbol: Symbol) -> Names | None:
    if symbol.path == workspace.real(document.source.path):
        return workspace.names(document)
    return workspace.names_at(symbol.path)


def _quoted_at(document: Document, offset: int) -> ast.Literal | None:
    """The name of a file that stands between quotes at a place."""
    node = document.declaration_at(offset)
    for literal in _file_names(node):
        if literal.span.start <= offset <= literal.span.end:
            return literal
    return None


def _file_names(node: ast.Declaration | None) -> Iterator[ast.Literal]:
    match node:
        case ast.UseModule(path=path) | ast.UseTools(path=path):
            yield path
        case ast.Check(properties=properties):
            for one in properties:
                if isinstance(one.value, ast.Literal) and one.value.kind == "text":
                    yield one.value
        case ast.Block(kind="probe", clauses=clauses):
            for clause in clauses:
                if clause.word == "cases" and isinstance(clause.values[0], ast.Literal):
                    yield clause.values[0]


def _file(workspace: Workspace, document: Document, literal: ast.Literal) -> str | None:
    name = str(literal.value)
    node = document.declaration_at(literal.span.start)
    if isinstance(node, ast.UseModule):
        module = workspace.module(document, name)
        return None if module is None else module.path
    if document.path is None or "\0" in name:
        return None
    root = os.path.realpath(document.path.parent)
    path = Path(os.path.realpath(os.path.join(root, name)))
    return path.as_posix() if path.is_relative_to(root) and path.is_file() else None
