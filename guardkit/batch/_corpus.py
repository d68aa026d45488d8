"""A corpus: which files hold the texts, in which order, and how to tell that they are the same."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import CASE_SUFFIXES
from guardkit.types import Surface

Kind = Literal["rows", "csv", "tsv", "text", "lines", "given", "stdin"]

TEXT_SUFFIXES: Final = (".txt", ".text", ".md", ".log")
SUFFIXES: Final = (*CASE_SUFFIXES, ".csv", ".tsv", *TEXT_SUFFIXES)
"""What the name of a file of texts ends in."""


class Mark(NamedTuple):
    """A place in a corpus: how many rows of which source are done. Those before are done whole."""

    source: int = 0
    row: int = 0


START: Final = Mark()


@dataclass(frozen=True, slots=True)
class Source:
    """One file, the standard input, or a text that was given as such. Its repr shows no text."""

    kind: Kind
    name: str
    """As it was named, or below the folder that was; what results call it."""
    path: Path | None = None
    size: int = 0
    stamp: int = 0
    """When it was changed last, in nanoseconds."""
    is_regular: bool = False
    """Whether it can be read a second time."""
    is_named: bool = True
    """By itself, not with a folder: then that it cannot be read ends the run."""
    text: str = field(default="", repr=False)

    @property
    def begins(self) -> str:
        """What the ids of rows begin with that have none of their own."""
        if self.path is not None and self.is_named:
            return self.path.name
        return self.name


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts to judge.

    Args:
        sources: Where they are, in order.
        on: The surface of texts that name none.
        field: The field or column that has the text.
        left_out: Files below a folder whose names say that they hold something else.
    """

    sources: tuple[Source, ...]
    on: Surface = "input"
    field: str = "text"
    left_out: int = 0

    @property
    def size(self) -> int:
        """Bytes of its files; 0 where it is not known."""
        is_known = all(source.is_regular or source.kind == "given" for source in self.sources)
        return sum(source.size for source in self.sources) if is_known else 0

    @property
    def can_be_read_again(self) -> bool:
        """Whether all of it lies in files."""
        return all(source.is_regular for source in self.sources)

    @property
    def identity(self) -> str:
        """A digest of names, sizes and times of change: another one, another corpus."""
        files = [[s.kind, s.name, s.size, s.stamp] for s in self.sources]
        told = json.dumps([files, self.on, self.field])
        return hashlib.sha256(told.encode()).hexdigest()

    def holds(self, path: Path) -> bool:
        """Whether a file is one of those that are read."""
        real = path.resolve()
        return any(s.path is not None and s.path.resolve() == real for s in self.sources)


def corpus_of(
    inputs: Sequence[str], *, on: Surface = "input", field: str = "text", lines: bool = False
) -> Corpus:
    """The corpus that somebody named.

    Args:
        inputs: Files, folders, texts, and `-` for the standard input. What ends as a file of texts
            does is a file; what is a folder stands for all such files below it, sorted.
        on: The surface of texts that name none.
        field: The field or column that has the text.
        lines: Every line of a plain text is a text.

    Raises:
        UsageError: A folder cannot be listed, or what reads its files is not installed.
    """
    sources: list[Source] = []
    left_out = 0
    for number, name in enumerate(inputs, 1):
        if name == "-":
            sources.append(Source("stdin", "stdin"))
        elif name.endswith(SUFFIXES):
            sources.append(_file(Path(name), name, lines, is_named=True))
        elif name and _is_folder(name):
            for inside, path in sorted(_below(Path(name))):
                if inside.endswith(SUFFIXES):
                    if inside.endswith(".parquet"):
                        _need_parquet(inside)
                    sources.append(_file(path, inside, lines, is_named=False))
                else:
                    left_out += 1
        else:
            own = "text" if len(inputs) == 1 else f"text:{number}"
            sources.append(Source("given", own, size=len(name), text=name))
    return Corpus(tuple(sources), on, field, left_out)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long for a name, or a NUL in it: a text
        return False


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder; a folder that is a link counts as one, and is not entered."""

    def refuse(error: OSError) -> None:
        shown = visible(Path(error.filename or folder).as_posix())
        raise UsageError(f"`{shown}` cannot be listed: {(error.strerror or 'it failed').lower()}")

    for base, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        folders[:] = [name for name in folders if name not in links]
        for name in (*files, *links):
            path = Path(base, name)
            inside = path.relative_to(folder).as_posix()
            yield (f"{inside}/" if name in links else inside), path


def _file(path: Path, name: str, lines: bool, *, is_named: bool) -> Source:
    kind = _kind(name, lines)
    try:
        found = path.stat()
    except OSError:  # said when it is read, in its turn
        return Source(kind, name, path, is_named=is_named)
    is_regular = stat.S_ISREG(found.st_mode)
    return Source(kind, name, path, found.st_size, found.st_mtime_ns, is_regular, is_named)


def _need_parquet(name: str) -> None:
    try:
        import pyarrow  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
    except ImportError:
        advice = "to read it: pip install 'guardkit[parquet]'"
        raise UsageError(f"`{visible(name)}` is Parquet; {advice}") from None


def _kind(name: str, lines: bool) -> Kind:
    if name.endswith(".csv"):
        return "csv"
    if name.endswith(".tsv"):
        return "tsv"
    if name.endswith(TEXT_SUFFIXES):
        return "lines" if lines else "text"
    return "rows"
