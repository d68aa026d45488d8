"""The language in editors: a language server, its features as plain functions, a lexer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader as _loader

if TYPE_CHECKING:
    from ._commands import Ran, Tested, TestRunner
    from ._complete import Completion, Completions, completions
    from ._definition import Location, definition
    from ._document import Document
    from ._findings import Finding, Findings, findings
    from ._hover import Hover, hover
    from ._lexer import GuardLexer
    from ._positions import Change, Encoding, Lines, Point, Range
    from ._references import references
    from ._rename import Refused, Renamed, rename
    from ._server import serve_stdio, serve_tcp
    from ._symbols import symbols
    from ._workspace import Workspace

_NAMES: dict[str, tuple[str, ...]] = {
    "_commands": ("Ran", "TestRunner", "Tested"),
    "_complete": ("Completion", "Completions", "completions"),
    "_definition": ("Location", "definition"),
    "_document": ("Document",),
    "_findings": ("Finding", "Findings", "findings"),
    "_hover": ("Hover", "hover"),
    "_lexer": ("GuardLexer",),
    "_positions": ("Change", "Encoding", "Lines", "Point", "Range"),
    "_references": ("references",),
    "_rename": ("Refused", "Renamed", "rename"),
    "_server": ("serve_stdio", "serve_tcp"),
    "_symbols": ("symbols",),
    "_workspace": ("Workspace",),
}

__all__ = [
    "Change",
    "Completion",
    "Completions",
    "Document",
    "Encoding",
    "Finding",
    "Findings",
    "GuardLexer",
    "Hover",
    "Lines",
    "Location",
    "Point",
    "Ran",
    "Range",
    "Refused",
    "Renamed",
    "TestRunner",
    "Tested",
    "Workspace",
    "completions",
    "definition",
    "findings",
    "hover",
    "references",
    "rename",
    "serve_stdio",
    "serve_tcp",
    "symbols",
]

# A command line starts often, and few of its verbs edit anything.
__getattr__ = _loader(__name__, _NAMES)
