"""Reading the file of an audit log, and what is known of its layout."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from guardkit.diagnostics import visible
from guardkit.errors import AuditError

from ._audit_chain import MOST_BYTES, Follower, Row
from ._audit_record import FORMAT

APPLICATION = 0x676B6175
"""Says in the file's header whose it is."""
TABLES = {
    "record": "CREATE TABLE record (number INTEGER PRIMARY KEY, body BLOB NOT NULL,"
    " hash BLOB NOT NULL)",
    "head": "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL,"
    " hash BLOB NOT NULL, seal BLOB NOT NULL)",
}
ROWS = "SELECT number, body, hash FROM record WHERE number >= ? ORDER BY number"
HEAD = "SELECT count, hash, seal FROM head WHERE one = 1"

_NEXT = f"{ROWS} LIMIT 1"
_LEAST_NUMBER, _MOST_NUMBER = -(1 << 63), (1 << 63) - 1
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_TOOBIG")
_SENTENCES = (
    (("SQLITE_FULL",), "the disk is full"),
    (("SQLITE_BUSY", "SQLITE_LOCKED"), "another process has it locked"),
    (("SQLITE_READONLY", "SQLITE_PERM"), "it may not be written"),
    (("SQLITE_CANTOPEN",), "it cannot be opened"),
    (_DAMAGED, "it is damaged, or another file"),
    (("SQLITE_IOERR",), "the disk does not take it, or give it back"),
)


class ChangedError(AuditError):
    """The tables of the file are not those that were made."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A file as it is at one moment; nothing of it is changed.

    Raises:
        AuditError: It cannot be read, or is no audit log.
    """
    try:
        is_there = path.is_file()
        has_wal = is_there and Path(f"{path}-wal").exists()
    except OSError as error:
        raise AuditError(f"{named(path)} cannot be read: {error.strerror}") from error
    if not is_there:
        raise AuditError(f"{named(path)} cannot be read: there is no such file")
    try:
        with closing(_read_only(path, has_wal)) as db:
            if not is_begun(db, path):
                raise AuditError(f"{named(path)} is no audit log: it is empty")
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * MOST_BYTES)
            db.text_factory = _no_text  # a body that became a text is none of ours
            yield db  # closing it ends what it reads, even in a file that takes no COMMIT any more
    except sqlite3.Error as error:
        refuse(path, error)


def rows_of(db: sqlite3.Connection, follower: Follower) -> Iterator[Row]:
    """All records in their order. Where the file itself is damaged they end, and it is noted."""
    at = _LEAST_NUMBER
    try:
        for row in db.execute(ROWS, (at,)):
            yield Row(*row)
            at = row[0] + 1
    except sqlite3.Error as error:
        if not name_of(error).startswith(_DAMAGED):
            raise
    else:
        return
    # Python looks one row ahead, so the one before the damage has not been seen.
    try:
        while at <= _MOST_NUMBER and (row := db.execute(_NEXT, (at,)).fetchone()) is not None:
            yield Row(*row)
            at = row[0] + 1
    except sqlite3.Error as error:
        if not name_of(error).startswith(_DAMAGED):
            raise
        if follower.bad is None:
            follower.fails(
                "it is larger than a record can be"
                if name_of(error) == "SQLITE_TOOBIG"
                else "the file itself is damaged from there on, as by a torn write"
            )


def head_of(db: sqlite3.Connection) -> tuple[object, ...] | None:
    """The head as it lies in the file; None where there is none that can be read."""
    try:
        found: tuple[object, ...] | None = db.execute(HEAD).fetchone()
    except sqlite3.Error as error:
        if not name_of(error).startswith(_DAMAGED):
            raise
        return None
    return found


def opening_of(body: object) -> dict[str, Any] | None:
    """The content of record 0; None where it is none."""
    try:
        data = json.loads(body) if isinstance(body, bytes) else None
    except ValueError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("is_keyed"), bool):
        return None
    names = data.get("names")
    if not data["is_keyed"] and not (isinstance(names, str) and len(names) == 64):
        return None
    return data


def named(path: Path) -> str:
    """How sentences name the file."""
    return f"the audit log `{visible(path.as_posix())}`"


def _read_only(path: Path, has_wal: bool) -> sqlite3.Connection:
    place = path.resolve().as_uri()
    # A closed log in a folder that may not be written: SQLite would want to make files beside it.
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        db = sqlite3.connect(f"{place}?{mode}", uri=True, timeout=5.0, isolation_level=None)
        try:
            db.execute("PRAGMA trusted_schema = OFF")
            # SQLite refuses a file that was cut unless it is told that somebody repairs it. What is
            # left of one is worth reading, and this connection cannot write.
            db.execute("PRAGMA writable_schema = ON")
            db.execute("BEGIN")
            db.execute("PRAGMA application_id").fetchone()
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            db.close()
            is_last = has_wal or mode != "mode=ro"
            if is_last or not name_of(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                raise
            continue
        return db
    raise AssertionError  # one of the two returned or raised


def is_begun(db: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is an audit log; False for one that is empty.

    Raises:
        AuditError: It is something else.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    tables = dict(db.execute("SELECT name, sql FROM sqlite_master"))
    if application == APPLICATION and version != FORMAT:
        raise AuditError(
            f"{named(path)} is of version {version}; this guardkit reads version {FORMAT}"
        )
    if application != APPLICATION and (application or version or tables):
        raise AuditError(f"{named(path)} is a database of another program")
    # A trigger or a view could change what is written and what is read.
    if application == APPLICATION and tables != TABLES:
        raise ChangedError(f"{named(path)} was changed: its tables are not those that were made")
    return bool(application == APPLICATION)


def _no_text(_: bytes) -> str:
    return ""


def refuse(path: Path, error: sqlite3.Error) -> NoReturn:
    """Say in a sentence what SQLite says in a code.

    Raises:
        AuditError: Always.
    """
    name = name_of(error)
    if isinstance(error, sqlite3.IntegrityError):
        said = "records stand behind its head"
    else:
        said = next((said for names, said in _SENTENCES if name.startswith(names)), "it failed")
    # Not chained to SQLite's own error: that may quote what was bound to a statement.
    raise AuditError(f"{named(path)} cannot be used: {said} ({name})") from None


def name_of(error: sqlite3.Error) -> str:
    """SQLite's own name of an error."""
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    return name
