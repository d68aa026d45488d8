"""Results as a table of SQLite. The journal lies in the same file and changes in the same step."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from guardkit.errors import UsageError

from ._journal import Journal
from ._judging import Result

_TABLES: Final = """
CREATE TABLE results (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,
  fired TEXT,
  findings TEXT,
  unknown TEXT,
  elapsed_us REAL,
  error TEXT,
  text TEXT
);
CREATE TABLE run (rows INTEGER NOT NULL, journal TEXT NOT NULL);
"""
_PATIENCE_S: Final = 2.0
"""How long somebody else who reads or writes the file is waited for."""
_LISTS: Final = ("fired", "findings", "unknown")


class Table:
    """A SQLite file: `results`, with lists as JSON, and `run`, the journal.

    Args:
        path: The file.
        shown: What errors call it.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._path = path
        self._shown = shown
        self._base: sqlite3.Connection | None = None
        self._rows = 0
        self._kept = 0
        """Rows that the file has for sure, and is expected to have when it is written next."""

    def found(self) -> Journal | None:
        if not self._path.exists():
            return None
        try:
            row = self._opened.execute("SELECT journal FROM run").fetchone()
        except sqlite3.Error:
            row = None
        if row is None:
            raise UsageError(
                f"`{self._shown}` is there already, and no run wrote it that could go on"
            )
        return Journal.read(row[0], self._shown)

    def begin(self, journal: Journal) -> None:
        self._rows = self._kept = journal.totals.rows
        try:
            if self._kept:
                self._opened.execute("DELETE FROM results WHERE number > ?", (self._kept,))
                self._opened.commit()
                return
            self._opened.executescript(
                f"BEGIN IMMEDIATE; DROP TABLE IF EXISTS results; DROP TABLE IF EXISTS run;{_TABLES}"
            )
            self._opened.execute("INSERT INTO run VALUES (0, ?)", (journal.spelled(),))
            self._opened.commit()
        except sqlite3.Error as error:
            raise self._refusal(error) from None

    def write(self, results: Sequence[Result]) -> int:
        rows = []
        for result in results:
            self._rows += 1
            rows.append((self._rows, *_fields(result.data)))
        try:
            self._opened.executemany(
                "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
        except sqlite3.Error as error:
            raise self._refusal(error) from None
        return 0

    def keep(self, journal: Journal) -> None:
        rows = journal.totals.rows
        try:
            done = self._opened.execute(
                "UPDATE run SET rows = ?, journal = ? WHERE rows IN (?, ?)",
                (rows, journal.spelled(), self._kept, rows),
            )
            if done.rowcount != 1:
                raise UsageError(f"another run writes `{self._shown}`")
            self._opened.commit()
        except sqlite3.Error as error:
            raise self._refusal(error) from None
        self._kept = rows

    def finish(self, journal: Journal) -> None:
        self.keep(journal)

    def close(self) -> None:
        if self._base is not None:
            self._base.close()  # what was not committed is gone, as it should be
            self._base = None

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._base is None:
            try:
                self._base = sqlite3.connect(self._path, timeout=_PATIENCE_S)
            except sqlite3.Error as error:
                raise self._refusal(error) from None
        return self._base

    def _refusal(self, error: sqlite3.Error) -> UsageError:
        name = getattr(error, "sqlite_errorname", "")
        if isinstance(error, sqlite3.IntegrityError) or name in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            return UsageError(f"another run writes `{self._shown}`")
        return UsageError(f"`{self._shown}` cannot be written: {name or type(error).__name__}")


def _fields(data: dict[str, Any]) -> list[object]:
    lists: dict[str, object] = {name: json.dumps(data[name]) for name in _LISTS if name in data}
    names = ("id", "source", "action", *_LISTS, "elapsed_us", "error", "text")
    return [_sound(lists.get(name, data.get(name))) for name in names]


def _sound(value: object) -> object:
    """A value that a column can hold: half of a surrogate pair is spelled out."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
