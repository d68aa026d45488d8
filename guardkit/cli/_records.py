"""Files of texts to judge: JSONL and Parquet rows with a `text`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from guardkit.diagnostics import visible
from guardkit.types import SURFACES, Surface

DATA_SUFFIXES = frozenset({".jsonl", ".ndjson", ".parquet"})


class DataError(Exception):
    """A file of texts cannot be read at all; the message is for people."""


@dataclass(frozen=True, slots=True)
class Case:
    """One text to judge, and what belongs to it."""

    id: str
    text: str = field(repr=False)
    on: Surface
    context: Mapping[str, object] | None = field(default=None, repr=False)
    session: str | None = None
    tool: str | None = None
    label: object = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no case. It is never skipped in silence."""

    id: str
    why: str


def cases_of(path: Path, on: Surface) -> Iterator[Case | Unreadable]:
    """The cases of a file, in order; `on` is the surface of those that name none.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        for number, row in _parquet(path) if path.suffix == ".parquet" else _jsonl(path):
            where = f"{path.name}:{number}"
            yield Unreadable(where, row.why) if isinstance(row, _Broken) else _case(where, row, on)
    except OSError as error:
        why = (error.strerror or "it is no file of rows").lower()
        raise DataError(f"`{visible(path.as_posix())}` cannot be read: {why}") from None


def texts_of(lines: Iterable[bytes], name: str, on: Surface) -> Iterator[Case | Unreadable]:
    """Every line that is not blank as a case."""
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        try:
            text = line.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            yield Unreadable(where, "it is not UTF-8")
            continue
        if text.strip():
            yield Case(where, text, on)


class _Broken(NamedTuple):
    why: str


_Rows = Iterator[tuple[int, object]]
"""Rows and their numbers; a `_Broken` stands for a line that is none."""


def _jsonl(path: Path) -> _Rows:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield number, _Broken("it is not UTF-8")
            except (ValueError, RecursionError):
                yield number, _Broken("it is not JSON")
            else:
                yield number, row


def _parquet(path: Path) -> _Rows:
    shown = visible(path.as_posix())
    with path.open("rb") as file:  # that a file is missing is said before what would read it
        try:
            from pyarrow import ArrowException, parquet  # type: ignore
        except ImportError:
            advice = "to read it: pip install 'guardkit[parquet]'"
            raise DataError(f"`{shown}` is Parquet; {advice}") from None
        try:
            batches = parquet.ParquetFile(file).iter_batches()
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
        except ArrowException:
            raise DataError(f"`{shown}` is not Parquet") from None


def _case(where: str, row: object, on: Surface) -> Case | Unreadable:
    if not isinstance(row, dict):
        return Unreadable(where, "it is no object")
    text = row.get("text")
    if not isinstance(text, str):
        return Unreadable(where, "it has no `text`")
    surface = row.get("on")
    if surface is None:
        surface = on
    elif surface not in SURFACES or surface == "conversation":
        return Unreadable(where, "`on` names no surface")
    context = row.get("context")
    if context is not None and not isinstance(context, dict):
        return Unreadable(where, "`context` is no object")
    session, tool = row.get("session"), row.get("tool")
    if not isinstance(session, str | None):
        return Unreadable(where, "`session` is no text")
    if not isinstance(tool, str | None):
        return Unreadable(where, "`tool` is no text")
    id = row.get("id")
    shown = where if id is None else str(id)
    return Case(shown, text, surface, context, session, tool, row.get("label"))
