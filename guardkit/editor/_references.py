"""Every place where a name is used, in this file and in those that can see it."""

from __future__ import annotations

from ._definition import Location, symbol_at
from ._document import Document
from ._names import Symbol, occurrences
from ._workspace import Workspace

_PRIVATE = (
    "policy",
    "variable",
    "module",
    "tools",
    "tier",
    "window",
    "sequence",
    "probe",
    "monitor",
)
"""Kinds that no other file can name."""


def references(
    workspace: Workspace, document: Document, offset: int, *, declarations: bool = True
) -> tuple[Location, ...]:
    """Where the name at a place is used, this file first.

    Args:
        workspace: The open files.
        document: The file.
        offset: A place in it.
        declarations: Whether the place that declares the name is one of them.
    """
    found = symbol_at(workspace, document, offset)
    if found is None:
        return ()
    return uses_of(workspace, document, found.symbol, declarations=declarations)


def uses_of(
    workspace: Workspace, document: Document, symbol: Symbol, *, declarations: bool = True
) -> tuple[Location, ...]:
    """Where a symbol is used."""
    own = workspace.real(document.source.path)
    places = _in(workspace, document, symbol, declarations)
    if symbol.kind in _PRIVATE and symbol.path == own:
        return tuple(places)
    for other in workspace.related(symbol.path):
        if workspace.real(other.source.path) != own:
            places += _in(workspace, other, symbol, declarations)
    return tuple(places)


def highlights(workspace: Workspace, document: Document, offset: int) -> tuple[Location, ...]:
    """Where the name at a place stands in this file."""
    found = symbol_at(workspace, document, offset)
    return () if found is None else tuple(_in(workspace, document, found.symbol, True))


def _in(
    workspace: Workspace, document: Document, symbol: Symbol, declarations: bool
) -> list[Location]:
    return [
        Location(document, one.span)
        for one in occurrences(workspace.names(document))
        if one.symbol == symbol and (declarations or not one.declares)
    ]
