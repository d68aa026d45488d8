"""The file behind a durable queue: rows in SQLite, each change on disk before it is reported.

It knows rows and states, and nothing of what is held. Any number of threads and processes may use
one file. SQLite locks files, so the file has to lie on a disk of this machine.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import BindError, CheckError

APPLICATION = 0x676B6864
"""Says in the file's header whose it is."""
VERSION = 1

_SCHEMA = """
CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'denied', 'expired')),
    created REAL NOT NULL,
    deadline REAL NOT NULL,
    facts TEXT NOT NULL,
    payload BLOB NOT NULL,
    is_sealed INTEGER NOT NULL,
    decided_at REAL,
    decision TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX hold_waiting ON hold (state, tenant, deadline);
"""

_COLUMNS = "id, tenant, state, created, deadline, facts, payload, is_sealed, decided_at, decision"
# A row that nobody decided in time is shown as expired, whether or not anybody wrote it down yet.
_SHOWN = {
    None: "1",
    "waiting": "state = 'waiting' AND deadline > :now",
    "approved": "state = 'approved'",
    "denied": "state = 'denied'",
    "expired": "(state = 'expired' OR state = 'waiting' AND deadline <= :now)",
}
# INVARIANT: SQL is made of the constants above and nothing else; every value is a parameter.
_SELECTS = {
    state: f"SELECT {_COLUMNS} FROM hold WHERE {shown} AND (:tenant IS NULL OR tenant = :tenant)"  # noqa: S608
    " ORDER BY created, id LIMIT :limit"
    for state, shown in _SHOWN.items()
}
_GET = f"SELECT {_COLUMNS} FROM hold WHERE id = ?"  # noqa: S608
_LATE = f"SELECT {_COLUMNS} FROM hold WHERE state = 'waiting' AND deadline <= ?"  # noqa: S608
_COUNT = "SELECT count(*) FROM hold WHERE state = 'waiting' AND tenant = ? AND deadline > ?"
_INSERT = f"INSERT INTO hold ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_DECIDE = (
    "UPDATE hold SET state = ?, decided_at = ?, decision = ?"
    " WHERE id = ? AND state = 'waiting' AND deadline > ?"
)
_EXPIRE = (
    "UPDATE hold SET state = 'expired', decided_at = deadline"
    " WHERE state = 'waiting' AND deadline <= ?"
)
_PRUNE = "DELETE FROM hold WHERE state <> 'waiting' AND decided_at < ?"


class Row(NamedTuple):
    """One held text, as it lies in the file."""

    id: str
    tenant: str
    state: str
    created: float
    deadline: float
    facts: str
    payload: bytes
    is_sealed: int
    decided_at: float | None
    decision: str


class Store:
    """Rows in a file, opened when it is first needed.

    One connection writes and another one reads, so that nobody who reads waits for the disk.

    Args:
        path: The file; it is made, for its owner only, where there is none.
        busy_s: How long to wait for other processes.
    """

    def __init__(self, path: str | os.PathLike[str], busy_s: float) -> None:
        self._path = Path(path)
        self._busy_s = busy_s
        self._not_ours: list[sqlite3.Connection | None] = []
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        # A connection must not be used, nor even closed, in a process forked from its own.
        self._not_ours += [self._writer, self._reader]
        self._writer = self._reader = None
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def __repr__(self) -> str:
        return f"<Store {self._path}>"

    def open(self) -> None:
        """Open the file now.

        Raises:
            BindError: It cannot be used, and why.
        """
        with self._writing:
            self._opened()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._writing, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._writer = self._reader = None

    # --- what is done with rows

    def insert(self, row: Row, now: float, most: int) -> bool:
        """Put a row in, unless `most` rows of its tenant wait already."""
        with self._change() as db:
            (waiting,) = db.execute(_COUNT, (row.tenant, now)).fetchone()
            if waiting >= most:
                return False
            db.execute(_INSERT, row)
            return True

    def get(self, id: str) -> Row | None:
        """The row of an id."""
        with self._look() as db:
            found = db.execute(_GET, (id,)).fetchone()
        return None if found is None else Row(*found)

    def select(self, state: str | None, tenant: str | None, now: float, limit: int) -> list[Row]:
        """Rows in the order in which they came."""
        given = {"now": now, "tenant": tenant, "limit": limit}
        with self._look() as db:
            return [Row(*found) for found in db.execute(_SELECTS[state], given)]

    def decide(self, id: str, state: str, decision: str, now: float) -> tuple[bool, Row | None]:
        """Change a waiting row, and say whether it was this call that did; the row as it is now."""
        with self._change() as db:
            took = db.execute(_DECIDE, (state, now, decision, id, now)).rowcount == 1
            found = db.execute(_GET, (id,)).fetchone()
        return took, None if found is None else Row(*found)

    def expire(self, now: float) -> list[Row]:
        """Write down that rows came to their deadline; each is given back by one call only."""
        with self._look() as db:
            if db.execute(_LATE + " LIMIT 1", (now,)).fetchone() is None:
                return []
        with self._change() as db:
            late = [Row(*found) for found in db.execute(_LATE, (now,))]
            db.execute(_EXPIRE, (now,))
        return late

    def prune(self, before: float) -> int:
        """Delete rows decided before; how many."""
        with self._change() as db:
            return db.execute(_PRUNE, (before,)).rowcount

    # --- connections

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes in; on disk when it is left without an error."""
        with self._writing:
            db = self._opened()
            try:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                _refuse(error)

    @contextmanager
    def _look(self) -> Iterator[sqlite3.Connection]:
        if self._reader is None:
            self.open()
        with self._reading:
            if self._reader is None:
                self._reader = self._connect()
            try:
                yield self._reader
            except sqlite3.Error as error:
                _refuse(error)

    def _opened(self) -> sqlite3.Connection:
        if self._writer is None:
            try:
                self._make_file()
                self._writer = self._connect()
            except OSError as error:
                raise BindError(f"{self._named} cannot be used: {error.strerror}") from error
            self._prepare(self._writer)
        return self._writer

    @property
    def _named(self) -> str:
        return f"the queue of held texts `{self._path}`"

    def _make_file(self) -> None:
        if not self._path.parent.is_dir():
            raise BindError(f"{self._named} cannot be used: its folder does not exist")
        try:
            # Made here, not by SQLite: nobody else may read it, not even for a moment. It is not
            # opened if it is there: closing it would end the locks of our other connections.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if not self._path.is_file():
                raise BindError(f"{self._named} cannot be used: it is no file") from None
            if os.name == "posix" and self._path.stat().st_mode & 0o007:
                raise BindError(
                    f"{self._named} holds texts that everybody may read: `chmod 600` it"
                ) from None

    def _connect(self) -> sqlite3.Connection:
        try:
            # Every use is under a lock of ours, so threads may share it.
            db = sqlite3.connect(
                self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise BindError(f"{self._named} cannot be opened: {_name(error)}") from error
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        try:
            self._check_and_fill(db)
        except BaseException as error:
            self._writer = None
            db.close()
            if isinstance(error, sqlite3.Error):
                name = _name(error)
                if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
                    raise BindError(f"{self._named} is damaged, or another file") from error
                if name.startswith("SQLITE_READONLY"):
                    raise BindError(f"{self._named} cannot be written") from error
                raise BindError(f"{self._named} cannot be used: {name}") from error
            raise

    def _check_and_fill(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN")  # what the header says belongs together
        is_ours = self._is_ours(db)  # before anything is written: it may be somebody else's
        db.execute("COMMIT")
        _switched_to_wal(db, time.monotonic() + self._busy_s)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")  # where a plain sync does not reach the disk
        db.execute("PRAGMA secure_delete = ON")
        if is_ours:
            return
        db.execute("BEGIN IMMEDIATE")
        if not self._is_ours(db):  # another process may have been faster
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")

    def _is_ours(self, db: sqlite3.Connection) -> bool:
        """Whether the file is a queue; False for one that is empty."""
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == APPLICATION and version != VERSION:
            raise BindError(
                f"{self._named} is of version {version}; this guardkit reads version {VERSION}"
            )
        if application != APPLICATION and (application or version or tables):
            raise BindError(f"{self._named} is a database of another program")
        return bool(application == APPLICATION)


def _switched_to_wal(db: sqlite3.Connection, deadline: float) -> None:
    """Readers then never wait for writers. SQLite itself does not wait for its turn to switch."""
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if time.monotonic() > deadline or not _name(error).startswith("SQLITE_BUSY"):
                raise
            time.sleep(0.01)


def _refuse(error: sqlite3.Error) -> NoReturn:
    raise CheckError(f"the queue of held texts cannot be used: {_name(error)}") from error


def _name(error: sqlite3.Error) -> str:
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    return name
