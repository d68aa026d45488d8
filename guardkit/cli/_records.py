"""Case files: JSONL and Parquet rows with a `text`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guardkit.types import SURFACES, Surface

DATA_SUFFIXES = frozenset({".jsonl", ".ndjson", ".parquet"})


@dataclass(frozen=True, slots=True)
class Case:
    """One text to judge, and what belongs to it."""

    id: str
    text: str = field(repr=False)
    on: Surface
    context: Mapping[str, object] | None = field(default=None, repr=False)
    session: str | None = None
    label: object = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no case. It is never skipped in silence."""

    id: str
    why: str


def cases_of(path: Path, on: Surface) -> Iterator[Case | Unreadable]:
    """The cases of a file, in order; `on` is the surface of those that name none.

    Raises:
        OSError: The file cannot be read.
        ImportError: It is Parquet, and nothing here reads that.
    """
    rows = _parquet(path) if path.suffix == ".parquet" else _jsonl(path)
    for number, row in enumerate(rows, 1):
        where = f"{path.name}:{number}"
        if row is None:
            continue
        yield row if isinstance(row, Unreadable) else _case(where, row, on)


def _jsonl(path: Path) -> Iterator[object]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                yield None
                continue
            try:
                yield json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except (ValueError, RecursionError):
                yield Unreadable(f"{path.name}:{number}", "the line is not JSON")


def _parquet(path: Path) -> Iterator[object]:
    import pyarrow.parquet as parquet  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _case(where: str, row: object, on: Surface) -> Case | Unreadable:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return Unreadable(where, "it has no `text`")
    surface = row.get("on", on)
    if surface not in SURFACES or surface == "conversation":
        return Unreadable(where, "`on` names no surface")
    context = row.get("context")
    if context is not None and not isinstance(context, dict):
        return Unreadable(where, "`context` is no object")
    session = row.get("session")
    if session is not None and not isinstance(session, str):
        return Unreadable(where, "`session` is no text")
    name = row.get("id")
    shown = where if name is None else str(name)
    return Case(shown, row["text"], surface, context, session, row.get("label"))
