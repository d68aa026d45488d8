"""The records of an audit log as lines that people, programs and spreadsheets can read."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

from guardkit.diagnostics import visible
from guardkit.errors import UsageError

from ._audit import checked_key
from ._audit_chain import Chain, Follower, Row
from ._audit_read import head_of, opening_of, reading, rows_of
from ._audit_record import moment

ExportFormat = Literal["jsonl", "csv"]

COLUMNS = (
    *("number", "time", "kind", "action", "surface", "outcome", "layer", "by", "judgement"),
    *("refusal", "fired", "exempted", "shadow", "unknown", "undecided", "findings", "tool"),
    *("hold", "session", "tenant", "decision", "policy", "elapsed_us", "guardkit", "hash"),
    *("verified", "text"),
)
"""The columns of a table. Of findings it has how many there are; the lines of JSON have all."""

_PIECE = 1 << 16
_FORMULA = frozenset("=+-@\t\r")
"""What makes a spreadsheet take a cell for a formula."""


class Output(Protocol):
    """Where lines go: an open text file, say."""

    def write(self, text: str, /) -> object:
        """Take some of the text."""


class Exported(NamedTuple):
    """What an export wrote, and whether it can be believed."""

    written: int
    """How many records matched the filters."""
    bad: int | None
    """The first record that is not as it was written; from there on lines say so. None where all
    is whole, and where a log that has a key was exported without it."""
    why: str


def export(
    path: str | os.PathLike[str],
    out: Output,
    format: ExportFormat = "jsonl",
    *,
    key: bytes | None = None,
    since: str | None = None,
    until: str | None = None,
    action: Collection[str] = (),
    rule: Collection[str] = (),
    surface: Collection[str] = (),
) -> Exported:
    """Write records, one a line, with nothing in them that a terminal would obey.

    Every line says whether the chain holds up to it: `verified` is true, false, or null for a log
    that has a key which was not given.

    Args:
        path: The file. It may be in use.
        out: Where lines go.
        format: `jsonl`, or `csv` with the columns `COLUMNS`.
        key: The key the log was made with.
        since: Records from this time on, as `2026-01-31` or `2026-01-31T12:00`, in UTC.
        until: Records before this time; a date means that the day counts.
        action: Verdicts of these actions only.
        rule: Verdicts in which one of these rules fired, was exempted or fired in shadow.
        surface: Verdicts on these surfaces only.

    Raises:
        AuditError: The log cannot be read, or is none.
        UsageError: An argument makes no sense.
    """
    if format not in get_args(ExportFormat):
        raise UsageError("an audit log is exported as `jsonl` or `csv`")
    wanted = _wanted(since, until, action, rule, surface)
    follower = Follower(Chain(checked_key(key)))
    lines = _Lines(out, format)
    with reading(Path(path)) as db:
        is_followed = True
        for row in rows_of(db, follower):
            if is_followed and not follower.follows(row) and row.number == 0 and key is None:
                told = opening_of(row.body)
                is_followed = told is None or not told["is_keyed"]
            if row.number == 0:
                continue
            data = _content(row)
            if data is None or wanted(data):
                verified = follower.bad is None if is_followed else None
                lines.add({**(data or {"unreadable": True}), **_facts(row, verified)})
        if is_followed and follower.bad is None:
            follower.ends(head_of(db))
    lines.end()
    if not is_followed:
        return Exported(lines.written, None, "")
    return Exported(lines.written, follower.bad, follower.why)


# --- which records


def _wanted(
    since: str | None,
    until: str | None,
    action: Collection[str],
    rule: Collection[str],
    surface: Collection[str],
) -> Callable[[Mapping[str, Any]], bool]:
    for given in (action, rule, surface):
        if isinstance(given, str):
            raise UsageError("`action`, `rule` and `surface` have to be several words, not one")
    first = None if since is None else moment_of(since)
    behind = None if until is None else moment_of(until, is_end=True)
    rules = frozenset(rule)

    def wanted(data: Mapping[str, Any]) -> bool:
        time = data.get("time")
        if first is not None or behind is not None:
            if not isinstance(time, str):
                return True  # nobody can say, so it is shown
            if (first is not None and time < first) or (behind is not None and time >= behind):
                return False
        if action and data.get("action") not in action:
            return False
        if surface and data.get("surface") not in surface:
            return False
        return not rules or not rules.isdisjoint(_rules(data))

    return wanted


def _rules(data: Mapping[str, Any]) -> Iterator[str]:
    for word in ("fired", "exempted", "shadow"):
        names = data.get(word)
        if isinstance(names, list):
            yield from (name for name in names if isinstance(name, str))


def moment_of(text: str, *, is_end: bool = False) -> str:
    """A time that somebody typed, as records spell it.

    Args:
        text: A date, or a date and a time; in UTC where it does not say.
        is_end: Whether a date means the end of that day.

    Raises:
        UsageError: It is no time.

    Example:
        >>> moment_of("2026-01-31", is_end=True)
        '2026-02-01T00:00:00.000Z'
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        if is_end and len(text) <= len("2026-01-31"):
            found += timedelta(days=1)
        return moment(found.timestamp())
    except (ValueError, OverflowError):
        raise UsageError(
            f"`{visible(text)}` is no time such as 2026-01-31 or 2026-01-31T12:00"
        ) from None


# --- what a line says


def _content(row: Row) -> dict[str, Any] | None:
    """What a record says; None where it is no record."""
    try:
        if not isinstance(row.body, bytes):
            return None
        data = json.loads(row.body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _no_number(_: str) -> None:
    raise ValueError  # `NaN` is no JSON, and no other reader should have to know it


def _facts(row: Row, verified: bool | None) -> dict[str, Any]:
    hash = row.hash.hex() if isinstance(row.hash, bytes) else None
    return {"number": row.number, "hash": hash, "verified": verified}


class _Lines:
    """Lines on their way out, a good many at a time."""

    def __init__(self, out: Output, format: ExportFormat) -> None:
        self._out = out
        self._format = format
        self._piece = StringIO(newline="")
        self._table = csv.writer(self._piece, lineterminator="\n")
        self.written = 0
        if format == "csv":
            self._table.writerow(COLUMNS)

    def add(self, data: Mapping[str, Any]) -> None:
        """Write a record."""
        if self._format == "csv":
            self._table.writerow([_cell(name, data.get(name)) for name in COLUMNS])
        else:
            line = json.dumps(data, sort_keys=True, ensure_ascii=True)
            # The one character below 128 that terminals obey and JSON leaves as it is.
            self._piece.write(line.replace("\x7f", "\\u007f") + "\n")
        self.written += 1
        if self._piece.tell() > _PIECE:
            self.end()

    def end(self) -> None:
        """Write what is left."""
        self._out.write(self._piece.getvalue())
        self._piece.seek(0)
        self._piece.truncate()


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = len(value) if name == "findings" else " ".join(str(one) for one in value)
    if isinstance(value, int | float):
        return str(value)
    shown = visible(str(value))
    return f"'{shown}" if shown[:1] in _FORMULA else shown
