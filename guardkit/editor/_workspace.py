"""The open files, and the files on disk they use: open text goes before what the disk says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from guardkit.catalog import Catalog
from guardkit.diagnostics import Source
from guardkit.errors import PolicyError
from guardkit.guard import CATALOG, Disk, plan_of, read_source, shipped
from guardkit.plan import Plan, verify_budgets
from guardkit.semantics import Checked, CheckedPolicy, LibraryError, check
from guardkit.syntax import ast, parse

from ._document import Document
from ._names import Names, names_of
from ._positions import Change, Encoding

MAX_FILES = 500
"""How many policies of a folder are looked through for uses of a name."""
_SKIPPED = frozenset({".git", "node_modules", "__pycache__"})
_MOST_KEPT = 256
"""Trees of files that are not open."""


class Library(Disk):
    """What one policy may use: as on disk, but a file that is open is read as it stands there."""

    def __init__(
        self, root: Path, source: Source, open_texts: Mapping[Path, str], std: Path
    ) -> None:
        super().__init__(root, source.path, std)
        self._open_texts = open_texts
        self.read: set[Path] = set()
        """Every file that was asked for, by its real path."""

    def bytes_of(self, root: Path, path: str, limit: int) -> bytes:
        if "\0" in path:
            raise LibraryError("missing")  # half-typed texts name such files too
        real = Path(os.path.realpath(root / path))
        self.read.add(real)
        try:
            found = super().bytes_of(root, path, limit)
        except LibraryError as error:
            # A new file may be open before it is saved; it still has to lie inside the folder.
            is_inside = real.is_relative_to(os.path.realpath(root))
            if error.kind != "missing" or not is_inside or real not in self._open_texts:
                raise
            found = b""
        text = self._open_texts.get(real)
        return found if text is None else text.encode()


class Compiled(NamedTuple):
    """What the last version that compiled means; a module has no plan."""

    policy: CheckedPolicy
    plan: Plan | None


class Workspace:
    """Every open document, and answers about files that need more than one of them.

    Args:
        catalog: The check kinds.
        std: Where the shipped modules lie.
        today: The day against which exemptions end; today when left out.
    """

    def __init__(
        self, *, catalog: Catalog = CATALOG, std: Path | None = None, today: date | None = None
    ) -> None:
        self.catalog = catalog
        self.std = Path(os.path.realpath(std or shipped("policies") / "std"))
        self.encoding: Encoding = "utf-16"
        self.folders: list[Path] = []
        self.documents: dict[str, Document] = {}
        self._today = today
        self._compiled: dict[str, Compiled] = {}
        self._uses: dict[str, frozenset[Path]] = {}
        self._trees: dict[str, tuple[Source, Names]] = {}

    # --- open files

    def open(self, uri: str, version: int, text: str) -> Document:
        """A file was opened, or its whole text was replaced."""
        document = Document(uri, path_of(uri), version, "", self.encoding, self.documents.get(uri))
        self.documents[uri] = document.after([Change(text)], version)
        return self.documents[uri]

    def change(self, uri: str, version: int, changes: Iterable[Change]) -> Document | None:
        """An open file was edited; None for one that is not open."""
        document = self.documents.get(uri)
        if document is None:
            return None
        self.documents[uri] = document.after(changes, version)
        return self.documents[uri]

    def close(self, uri: str) -> None:
        """A file was closed: from now on it is what the disk says."""
        self.documents.pop(uri, None)
        self._compiled.pop(uri, None)
        self._uses.pop(uri, None)

    # --- compiled

    def library(self, document: Document) -> Library:
        """What a document may use."""
        texts = {
            Path(os.path.realpath(other.path)): other.text
            for other in self.documents.values()
            if other.path is not None
        }
        root = Path("/nonexistent") if document.path is None else document.path.parent
        return Library(root, document.source, texts, self.std)

    def check(self, document: Document, library: Library) -> Checked:
        """What `guardkit check` finds in a document, with all it uses as it stands now.

        It may run in a thread of its own: what it remembers it puts in place in one step.
        """
        checked = check(document.source, self.catalog, library, today=self._today)
        self._uses[document.uri] = frozenset(library.read)
        policy = checked.policy
        if policy is None:
            return checked
        if policy.kind == "module":
            self._compiled[document.uri] = Compiled(policy, None)
            return checked
        try:
            plan = plan_of(policy, self.catalog)
            self._compiled[document.uri] = Compiled(policy, plan)
            planned = verify_budgets(plan, policy)
        except PolicyError as error:
            planned = error.diagnostics
        found = (*checked.diagnostics, *planned)
        return Checked(policy, tuple(sorted(found, key=lambda one: one.order)))

    def policy(self, uri: str) -> CheckedPolicy | None:
        """What a document meant when it last compiled."""
        compiled = self._compiled.get(uri)
        return None if compiled is None else compiled.policy

    def plan(self, uri: str) -> Plan | None:
        """The compiled graph of a document, as it was when it last compiled."""
        compiled = self._compiled.get(uri)
        return None if compiled is None else compiled.plan

    def users(self, document: Document) -> list[Document]:
        """The other open documents that use a document, as far as they have been checked."""
        if document.path is None:
            return []
        real = Path(os.path.realpath(document.path))
        return [
            other
            for other in self.documents.values()
            if other.uri != document.uri and real in self._uses.get(other.uri, ())
        ]

    # --- names, across files

    def real(self, shown: str) -> str:
        """The path of a file by the name findings have for it: `std:` is where modules ship."""
        if shown.startswith("std:"):
            return (self.std / shown.removeprefix("std:")).as_posix()
        return shown

    def is_shipped(self, path: str) -> bool:
        """Whether a file comes with the installation and is nobody's to edit here."""
        return Path(path).is_relative_to(self.std) and uri_of(path) not in self.documents

    def names(self, document: Document) -> Names:
        """What a document declares, and where its modules lead."""
        return self._names(document.source, document.file, document.good, self.library(document))

    def names_at(self, path: str) -> Names | None:
        """The same of any file, open or not."""
        document = self.document_at(path)
        return None if document is None else self.names(document)

    def document_at(self, path: str) -> Document | None:
        """A file by its path: as it is open, else as it is on disk."""
        for document in self.documents.values():
            if document.path is not None and document.path.as_posix() == path:
                return document
        source = read_source(Path(path), path)
        if not isinstance(source, Source):
            return None
        return Document(uri_of(path), Path(path), -1, source.text, self.encoding)

    def related(self, path: str) -> Iterator[Document]:
        """Every policy that could name what a file declares: the open ones, and those on disk."""
        seen: set[str] = set()
        for document in list(self.documents.values()):
            seen.add(document.source.path)
            yield document
        folders = [Path(path).parent, *self.folders] if not self.is_shipped(path) else self.folders
        for found in _policies_in(folders):
            name = found.as_posix()
            if name not in seen and len(seen) < MAX_FILES:
                seen.add(name)
                document_there = self.document_at(name)
                if document_there is not None:
                    yield document_there

    def module(self, document: Document, name: str) -> Names | None:
        """What a module declares, by the name a document has for it."""
        return self._module(name, document.source, self.library(document))

    def _names(
        self, source: Source, file: ast.File, good: ast.File | None, library: Library
    ) -> Names:
        def module(name: str) -> Names | None:
            return self._module(name, source, library)

        return names_of(file, good, self.real(source.path), module)

    def _module(self, name: str, source: Source, library: Library) -> Names | None:
        if not name.startswith(("std/", "./")):
            return None
        try:
            inner = library.module(name, source)
        except LibraryError:
            return None
        path = self.real(inner.path)
        kept = self._trees.get(path)
        if kept is not None and kept[0].text == inner.text:
            return kept[1]
        file = parse(Source(path, inner.text)).file
        made = names_of(file, None, path, _nothing)
        if len(self._trees) >= _MOST_KEPT:
            self._trees.clear()
        self._trees[path] = (inner, made)
        return made


def _nothing(_: str) -> Names | None:
    """What a module's own modules declare is not its users' to name."""
    return None


def _policies_in(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in dict.fromkeys(folders):
        for top, inner, names in os.walk(folder):
            inner[:] = sorted(n for n in inner if n not in _SKIPPED and not n.startswith(".venv"))
            for name in sorted(names):
                if name.endswith(".guard"):
                    yield Path(top) / name


def path_of(uri: str) -> Path | None:
    """The file a URI names, if it names one on this disk."""
    try:
        parts = urlsplit(uri)
        if parts.scheme != "file":
            return None
        path = unquote(parts.path, errors="strict")
    except ValueError:
        return None
    if "\0" in path or not path.startswith("/"):
        return None
    # `/c%3A/policies` is a drive.
    return Path(path[1:] if os.name == "nt" and path[2:3] == ":" else path)


def uri_of(path: str | Path) -> str:
    """The URI of a file."""
    text = Path(path).as_posix()
    return "file://" + quote(text if text.startswith("/") else f"/{text}", safe="/")
