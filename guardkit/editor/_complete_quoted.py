"""What could stand between quotes: modules, their versions, files, surfaces, references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from guardkit.syntax import ast
from guardkit.types import SURFACES

from ._cursor import Cursor
from ._document import Document
from ._workspace import Workspace

_MOST = 500
_SUFFIXES = {"use": (".guard",), "tools": (".json",), "cases": (".jsonl", ".jsonl.gz", ".parquet")}


class Quoted(NamedTuple):
    """A text that could stand here."""

    text: str
    detail: str = ""
    is_file: bool = False


def quoted_words(workspace: Workspace, document: Document, cursor: Cursor) -> Iterable[Quoted]:
    """The texts that fit between the quotes a place stands in; most texts are free."""
    previous = cursor.previous
    if cursor.opener == "use":
        if previous == "use":
            return [*_modules(workspace), *_files(document, _SUFFIXES["use"], "./")]
        if previous == "tools":
            return _files(document, _SUFFIXES["tools"])
        if previous == "version":
            return _version(workspace, document, cursor)
        return ()
    if cursor.opener == "apply" and any(
        token.text.rstrip(": \t") in ("surface", "surfaces") for token in cursor.before
    ):
        return [Quoted(surface, "surface") for surface in SURFACES]
    if cursor.opener == "probe" and previous == "cases":
        return _files(document, _SUFFIXES["cases"])
    if cursor.opener == "check" and cursor.brackets:
        spec = workspace.catalog.specs.get(cursor.after("="))
        known = None if spec is None else spec.property(previous)
        if known is not None and known.type == "file":
            return _files(document, ())
    return ()


def _modules(workspace: Workspace) -> Iterator[Quoted]:
    for folder in sorted(workspace.std.iterdir()) if workspace.std.is_dir() else ():
        if (folder / f"{folder.name}.guard").is_file():
            yield Quoted(f"std/{folder.name}", "shipped module")


def _version(workspace: Workspace, document: Document, cursor: Cursor) -> Iterator[Quoted]:
    name = cursor.after("use").strip('"')
    found = workspace.module(document, name)
    if found is None:
        return
    for node in found.file.declarations:
        if isinstance(node, ast.Header):
            for clause in node.clauses:
                if clause.word == "version" and isinstance(clause.values[0], ast.Literal):
                    yield Quoted(str(clause.values[0].value), f"the version of {name}")


def _files(document: Document, suffixes: tuple[str, ...], before: str = "") -> Iterator[Quoted]:
    """Files beside the document and in its folders, two levels deep."""
    if document.path is None:
        return
    root = document.path.parent
    found = 0
    for pattern in ("*", "*/*"):
        for path in _listed(root, pattern):
            if path == document.path or path.name.startswith("."):
                continue
            if suffixes and not path.name.endswith(suffixes):
                continue
            found += 1
            if found > _MOST:
                return
            yield Quoted(before + path.relative_to(root).as_posix(), "file", True)


def _listed(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in root.glob(pattern) if path.is_file())
    except OSError:
        return []
