"""One version of one open file: its text, its tree, and what the last good version said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from guardkit.diagnostics import Source, Span
from guardkit.syntax import Parsed, ast, parse

from ._positions import Change, Encoding, Lines, changed

_FIRST_COLUMN = re.compile(r"^[^\W\d]\w*", re.MULTILINE)


class Document:
    """One version of a file. A change makes another one; this one stays as it is.

    Parsed at most once, when its tree is first asked for.

    Args:
        uri: How the editor names it.
        path: Where it lies, if it lies on this disk.
        version: The editor's count of its changes.
        text: All of it.
        encoding: How the editor counts columns.
        earlier: The version before.
    """

    __slots__ = (
        "_good",
        "_lines",
        "_parsed",
        "encoding",
        "path",
        "source",
        "text",
        "uri",
        "version",
    )

    def __init__(
        self,
        uri: str,
        path: Path | None,
        version: int,
        text: str,
        encoding: Encoding = "utf-16",
        earlier: Document | None = None,
    ) -> None:
        self.uri = uri
        self.path = path
        self.version = version
        self.text = text
        self.encoding: Encoding = encoding
        self.source = Source(uri if path is None else path.as_posix(), text)
        self._lines: Lines | None = None
        self._parsed: Parsed | None = None
        self._good: ast.File | None = None if earlier is None else earlier.good

    def after(self, changes: Iterable[Change], version: int) -> Document:
        """The version that these changes make, each made on what the one before left."""
        lines, text = self.lines, self.text
        for number, change in enumerate(changes):
            if number:
                lines = Lines(text, self.encoding)
            text = changed(lines, change)
        return Document(self.uri, self.path, version, text, self.encoding, self)

    @property
    def lines(self) -> Lines:
        """Its lines, and the way between offsets and points."""
        if self._lines is None:
            self._lines = Lines(self.text, self.encoding)
        return self._lines

    @property
    def parsed(self) -> Parsed:
        """What could be read of this version, and what is wrong with it."""
        if self._parsed is None:
            self._parsed = parse(self.source)
            if self._parsed.is_clean:
                self._good = self._parsed.file
        return self._parsed

    @property
    def file(self) -> ast.File:
        """The declarations of this version that could be read."""
        return self.parsed.file

    @property
    def good(self) -> ast.File | None:
        """The tree of the last version without a syntax error, perhaps this one."""
        _ = self.parsed
        return self._good

    def declaration_at(self, offset: int) -> ast.Declaration | None:
        """The declaration a place lies in, if it could be read."""
        for node in self.file.declarations:
            if node.span.start <= offset <= node.span.end:
                return node
        return None

    def comment_above(self, offset: int) -> str:
        """The comment lines that stand right above the line of a place, without their `#`."""
        found: list[str] = []
        line = self.lines.line_of(offset) - 1
        while line >= 0:
            text = self.text[slice(*self.lines.line_span(line))].strip()
            if not text.startswith("#"):
                break
            found.append(text.removeprefix("#").strip())
            line -= 1
        return "\n".join(reversed(found))


def stretches(text: str, openers: frozenset[str]) -> list[Span]:
    """Where declarations stand, readable or not: each from its first word to the next one's.

    Args:
        text: A policy.
        openers: The words that begin a declaration.
    """
    starts = [m.start() for m in _FIRST_COLUMN.finditer(text) if m.group() in openers]
    return [Span(a, b) for a, b in pairwise([*starts, len(text)])]
