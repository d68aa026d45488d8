"""CSV and TSV, row by row: a header that names the columns, then a text or fact in each field."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import BinaryIO, Final

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, Case, case_of
from guardkit.types import Surface

MOST_FIELD: Final = 64 << 20
"""Characters of one field: more than any text that can be judged."""
_OPTIONAL: Final = ("id", "on", "session", "tool")
"""Columns in which nothing means that the row has none."""


def cases_of_table(
    file: BinaryIO,
    name: str,
    shown: str,
    on: Surface,
    *,
    delimiter: str,
    field: str = "text",
    skip: int = 0,
) -> Iterator[Case | BrokenRow]:
    """The cases of a table, one by one, in order.

    A field may be quoted, and then hold line ends. A column `context` holds JSON objects. A row
    with another number of fields than the header is no case, and neither is one that is not UTF-8.

    Args:
        file: The file, from its start.
        name: What the ids of rows without one begin with; the number of their first line follows.
        shown: What an error calls it.
        on: The surface of rows that name none.
        delimiter: What stands between fields.
        field: The column that has the text.
        skip: Rows at the start that are passed over unread.

    Raises:
        UsageError: It has no such column.
    """
    # The limit is one for the process; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MOST_FIELD))
    # A byte that is no UTF-8 becomes half of a surrogate pair, which no UTF-8 holds.
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        header = _header(rows, shown, field)
        for line, given, why in _records(rows, len(header)):
            if skip:
                skip -= 1
                continue
            made: dict[str, object] = {} if why else dict(zip(header, given, strict=True))
            why = why or _made_plain(made)
            yield case_of(made, f"{name}:{line}", line, on, field, why=why)
    finally:
        text.detach()  # the file belongs to the caller


def _header(rows: Iterator[list[str]], shown: str, field: str) -> list[str]:
    try:
        header = next(rows, [])
    except csv.Error:
        header = []
    if header.count(field) != 1:
        found = "no column" if field not in header else "more than one column"
        raise UsageError(f"`{shown}` has {found} `{visible(field)}`")
    if len(set(header)) < len(header):
        raise UsageError(f"`{shown}` names a column twice")
    return header


def _records(rows: Iterator[list[str]], width: int) -> Iterator[tuple[int, list[str], str]]:
    """Line, fields, and what is wrong with each row that is not blank."""
    while True:
        line = rows.line_num + 1  # type: ignore[attr-defined]  # the stubs hide the reader's own
        try:
            given = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield line, [], "its quotes are wrong, or a field is too long"
            continue
        if not given:
            continue
        if not all(_is_sound(one) for one in given):
            yield line, [], "it is not UTF-8"
        elif len(given) != width:
            yield line, [], f"it has {len(given)} fields and the header {width}"
        else:
            yield line, given, ""


def _is_sound(given: str) -> bool:
    return given.isascii() or not any("\udc80" <= char <= "\udcff" for char in given)


def _made_plain(row: dict[str, object]) -> str:
    """Reads what is no text in a row, in place; why that cannot be done."""
    for name in _OPTIONAL:
        if row.get(name) == "":
            del row[name]
    written = row.pop("context", "")
    if written:
        try:
            row["context"] = json.loads(str(written))
        except (ValueError, RecursionError):
            return "`context` is no JSON"
    return ""
