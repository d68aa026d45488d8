"""Case files: texts to judge, a row each, with what belongs to them. Read once, kept nowhere."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.types import SURFACES, Surface

from ._compile import MAX_DATA_BYTES

CASE_SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet")
"""What the name of a case file ends in."""
MOST_LINE: Final = 64 << 20
"""Bytes of one line: no text that can be judged takes more, however it is escaped."""
_FIELDS: Final = frozenset(
    {"id", "text", "on", "context", "session", "tool", "label"}
    | {"source", "group", "sources", "meta"}
)
"""What is read of a Parquet file: what else it holds may be a hundred times as much."""
_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Case:
    """One text to judge, and what belongs to it. Its repr shows none of it."""

    id: str
    """The row's own, else its file and line."""
    text: str = field(repr=False)
    on: Surface
    context: Mapping[str, object] | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)
    """Cases of one session are one conversation, in the order of the file."""
    tool: str | None = None
    label: object = field(default=None, repr=False)
    """As the row has it: what it means is for others to say."""
    line: int = 0
    """Its number in the file, from 1; of a Parquet file that of the row."""
    row: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The row as it is written, for fields that not everybody reads."""


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A line that is no case. It is never skipped in silence."""

    id: str
    line: int
    why: str
    """It quotes nothing of the row."""


def case_file(name: str) -> Path:
    """The path of a case file that somebody named.

    Raises:
        UsageError: The name does not end as those of case files do.
    """
    if name.endswith(CASE_SUFFIXES):
        return Path(name)
    known = f"{', '.join(CASE_SUFFIXES[:-1])} or {CASE_SUFFIXES[-1]}"
    raise UsageError(f"`{visible(name)}` is no file of texts: those end in {known}")


def cases_of(path: Path, on: Surface) -> Iterator[Case | BrokenRow]:
    """The cases of a file, one by one, in order; a row without `id` has its file and line as one.

    Args:
        path: Parquet or, whatever else its name ends in, JSONL; `.gz` is unpacked.
        on: The surface of rows that name none.

    Raises:
        UsageError: The file cannot be read, or not to its end.
    """
    shown = visible(path.as_posix())
    try:
        with path.open("rb") as file:  # that a file is missing is said before what would read it
            yield from cases_from(file, path.name, shown, on)
    except OSError as error:
        raise UsageError(f"`{shown}` cannot be read: {_reason(error)}") from None


def cases_from(
    file: BinaryIO, name: str, shown: str, on: Surface, *, field: str = "text", skip: int = 0
) -> Iterator[Case | BrokenRow]:
    """The cases of a file that is open; see `cases_of`.

    Args:
        file: The file, from its start.
        name: What says its kind by its end, and what the ids of rows without one begin with.
        shown: What an error calls it.
        on: The surface of rows that name none.
        field: Where a row has its text.
        skip: Rows at the start that are passed over unread.

    Raises:
        UsageError: It is no such file, or is cut off.
        OSError: It cannot be read.
    """
    try:
        for row in _rows(file, name, shown, field, skip):
            yield case_of(row.given, f"{name}:{row.line}", row.line, on, field, why=row.why)
    except gzip.BadGzipFile:
        raise UsageError(f"`{shown}` is no whole gzip file") from None


def _reason(error: OSError) -> str:
    return (error.strerror or "it is no file of rows").lower()


def cases_in(content: bytes, name: str, on: Surface) -> Iterator[Case | BrokenRow]:
    """The cases of a data file of a policy; a row without `id` has `line 12` as one.

    Args:
        content: The file.
        name: As the policy has it.
        on: The surface of rows that name none.

    Raises:
        UsageError: It is no such file, or holds more than a policy may read.
    """
    shown = visible(name)
    room = MAX_DATA_BYTES
    try:
        for row in _rows(BytesIO(content), name, shown):
            room -= row.size
            if room < 0:
                raise UsageError(f"`{shown}` unpacks to more than {MAX_DATA_BYTES // 10**6} MB")
            yield case_of(row.given, f"line {row.line}", row.line, on, why=row.why)
    except OSError:
        raise UsageError(f"`{shown}` is no whole gzip file") from None


def texts_of(file: BinaryIO, name: str, on: Surface) -> Iterator[Case | BrokenRow]:
    """Every line that is not blank as a case: plain text, no JSON."""
    for number, line in _lines(file):
        where = f"{name}:{number}"
        found = _text(where, number, line.removesuffix(b"\n").removesuffix(b"\r"), on)
        if isinstance(found, BrokenRow) or found.text.strip():
            yield found


def text_of(file: BinaryIO, name: str, on: Surface) -> Case | BrokenRow:
    """All of a file as one case."""
    return _text(name, 1, file.read(MOST_LINE + 1), on)


def _text(id: str, line: int, content: bytes, on: Surface) -> Case | BrokenRow:
    if len(content) > MOST_LINE:
        return BrokenRow(id, line, _too_long())
    try:
        return Case(id, content.decode(), on, line=line)
    except UnicodeDecodeError:
        return BrokenRow(id, line, _NO_TEXT)


# --- from a row to a case


def case_of(
    given: object, where: str, line: int, on: Surface, field: str = "text", *, why: str = ""
) -> Case | BrokenRow:
    """A row as a case.

    Args:
        given: What stands in it.
        where: Its id where it has none of its own.
        line: Its number in the file.
        on: Its surface where it names none.
        field: Where it has its text.
        why: Why it is no case, where that is known already.
    """
    why = why or _fault(given, field)
    if why or not isinstance(given, dict):
        return BrokenRow(where, line, why)
    id = given.get("id")
    return Case(
        where if id is None else str(id),
        given[field],
        on if given.get("on") is None else given["on"],
        given.get("context"),
        given.get("session"),
        given.get("tool"),
        given.get("label"),
        line,
        given,
    )


def _fault(given: object, field: str) -> str:
    """Why a row is no case; empty if it is one."""
    if not isinstance(given, dict):
        return "it is no object"
    if not isinstance(given.get(field), str):
        return f"it has no `{visible(field)}`"
    surface = given.get("on")
    if surface is not None and (surface not in SURFACES or surface == "conversation"):
        return "`on` names no surface"
    if not isinstance(given.get("context"), dict | None):
        return "`context` is no object"
    for name in ("session", "tool"):
        if not isinstance(given.get(name), str | None):
            return f"`{name}` is no text"
    return ""


# --- from a file to rows


_NO_TEXT: Final = "it is not UTF-8"


def _too_long() -> str:
    return f"it is longer than {MOST_LINE >> 20} MB"


class _Row(NamedTuple):
    """What stands in a row, or why that cannot be known."""

    line: int
    size: int
    given: object = None
    why: str = ""


def _rows(
    file: BinaryIO, name: str, shown: str, field: str = "text", skip: int = 0
) -> Iterator[_Row]:
    if name.endswith(".parquet"):
        yield from _parquet(file, shown, field, skip)
        return
    lines = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if name.endswith(".gz") else file
    try:
        for number, line in _lines(lines):
            if not line.strip():
                continue
            if skip:
                skip -= 1
            else:
                yield _json(number, line)
    except (EOFError, zlib.error):
        raise gzip.BadGzipFile from None


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines and their numbers; what is beyond the limit of a line is passed over."""
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        yield number, line
        is_cut = len(line) > MOST_LINE and not line.endswith(b"\n")
        while is_cut:
            rest = file.readline(1 << 20)
            is_cut = bool(rest) and not rest.endswith(b"\n")


def _json(number: int, line: bytes) -> _Row:
    if len(line) > MOST_LINE:
        return _Row(number, len(line), why=_too_long())
    try:
        given = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return _Row(number, len(line), why=_NO_TEXT)
    except (ValueError, RecursionError):
        return _Row(number, len(line), why="it is not JSON")
    return _Row(number, len(line), given)


def _parquet(file: BinaryIO, shown: str, field: str, skip: int) -> Iterator[_Row]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        advice = "to read it: pip install 'guardkit[parquet]'"
        raise UsageError(f"`{shown}` is Parquet; {advice}") from None
    try:
        table = parquet.ParquetFile(file)
        known = [name for name in table.schema_arrow.names if name in _FIELDS or name == field]
        number, groups = _passed(table.metadata, skip)
        for batch in table.iter_batches(batch_size=_AT_ONCE, row_groups=groups, columns=known):
            size = batch.nbytes // max(batch.num_rows, 1)
            for given in _dicts(batch):
                number += 1
                if number > skip:
                    yield _Row(number, size, given, "" if given is not None else _NO_TEXT)
    except (ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UsageError(f"`{shown}` is not Parquet") from None


def _passed(metadata: Any, skip: int) -> tuple[int, list[int]]:
    """How many rows lie in the groups before the first that matters, and the groups from there."""
    before = 0
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        if before + rows > skip:
            return before, list(range(number, metadata.num_row_groups))
        before += rows
    return before, []


def _dicts(batch: Any) -> list[dict[str, object] | None]:  # of a package that may not be there
    """Each row of a batch; None stands for one with bytes that are no text."""
    try:
        rows: list[dict[str, object] | None] = batch.to_pylist()
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        return [_dicts(batch.slice(at, 1))[0] for at in range(batch.num_rows)]
    return rows
