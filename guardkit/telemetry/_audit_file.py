"""The file of an audit log: rows in SQLite that are only added, and a head that names the last.

Any number of threads and processes may use one file; SQLite locks it, so it has to lie on a disk of
this machine. It is a pair of files while somebody has it open: `FILE` and `FILE-wal`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import AuditError

from ._audit_chain import NOTHING_BEFORE, Chain, Follower, Row, names_key
from ._audit_read import (
    APPLICATION,
    HEAD,
    ROWS,
    TABLES,
    is_begun,
    name_of,
    named,
    opening_of,
    refuse,
)
from ._audit_record import FORMAT, opening, to_bytes

TAIL = 100
"""Records at the end that are verified when a file is opened."""

_PAUSE_S = 0.001
_ADD = "INSERT INTO record (number, body, hash) VALUES "
_ROW = "(?, ?, ?)"
_MANY = 100
# Each statement gives the interpreter away and has to get it back: a row each would cost ten times
# as much where other threads are busy.
_ADD_ONE, _ADD_MANY = _ADD + _ROW, _ADD + ", ".join([_ROW] * _MANY)
_MOVE = "UPDATE head SET count = ?, hash = ?, seal = ? WHERE one = 1"
_TOUCH = "UPDATE head SET count = count WHERE one = 1"
_BEGIN = "INSERT INTO head (one, count, hash, seal) VALUES (1, ?, ?, ?)"


class LogFile:
    """An audit log that records are added to. It is opened when it is made.

    Args:
        path: The file; it is made, for its owner only, where there is none.
        key: The key of its chain, or None.
        is_durable: Whether what was added is on disk, and not only on its way there.
        busy_s: How long to wait for other processes.
        clock: Seconds since 1970.

    Raises:
        AuditError: It cannot be used, or its end is not as it was written.
    """

    def __init__(
        self,
        path: Path,
        key: bytes | None,
        *,
        is_durable: bool,
        busy_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._key = key
        self._chain = Chain(key)
        self._is_durable = is_durable
        self._busy_s = busy_s
        self._clock = clock
        self._not_ours: list[sqlite3.Connection | None] = []
        self._db: sqlite3.Connection | None = None
        self._id: tuple[int, int] | None = None
        self.names = b""
        """The key under which names are hashed."""
        self._renew()
        renewed_after_fork(self)
        with self._lock:
            self._open()

    def _renew(self) -> None:
        # A connection must not be used, nor even closed, in a process forked from its own.
        self._not_ours.append(self._db)
        self._db = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<LogFile {self._path}>"

    def add(self, bodies: Sequence[bytes]) -> int:
        """Add records behind the last one, all of them or none; the number of the first.

        Raises:
            AuditError: None was added, and why.
        """
        with self._lock:
            db = self._db or self._open()
            self._is_in_place()
            try:
                _in_turn(db, "BEGIN IMMEDIATE", time.monotonic() + self._busy_s)
                try:
                    first = self._add(db, bodies)
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                refuse(self._path, error)
            return first

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _add(self, db: sqlite3.Connection, bodies: Sequence[bytes]) -> int:
        # Read every time: another process may have added some.
        head = db.execute(HEAD).fetchone()
        follower = Follower(self._chain)
        if head is not None and isinstance(head[0], int) and isinstance(head[1], bytes):
            follower.number, follower.previous = head[0] + 1, head[1]
        if not follower.ends(head):
            _tampered(self._path, follower)
        first, previous = follower.number, follower.previous
        values: list[int | bytes] = []
        for number, body in enumerate(bodies, first):
            previous = self._chain.hash(previous, number, body)
            values += (number, body, previous)
        last = first + len(bodies) - 1
        whole = len(bodies) // _MANY * _MANY * 3
        for at in range(0, whole, _MANY * 3):
            db.execute(_ADD_MANY, values[at : at + _MANY * 3])
        for at in range(whole, len(values), 3):
            db.execute(_ADD_ONE, values[at : at + 3])
        db.execute(_MOVE, (last, previous, self._chain.seal(last, previous)))
        return first

    # --- opening

    def _open(self) -> sqlite3.Connection:
        try:
            self._make_file()
            # Every use is under our lock, so threads may share it.
            db = sqlite3.connect(
                self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False
            )
        except OSError as error:
            raise AuditError(f"{named(self._path)} cannot be used: {error.strerror}") from error
        except sqlite3.Error as error:
            refuse(self._path, error)
        try:
            self._prepare(db)
            status = self._path.stat()
        except BaseException as error:
            db.close()
            if isinstance(error, sqlite3.Error):
                refuse(self._path, error)
            raise
        self._id = (status.st_dev, status.st_ino)
        self._db = db
        return db

    def _make_file(self) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            raise AuditError(f"{named(self._path)} cannot be used: its folder does not exist")
        try:
            # Made here, not by SQLite: nobody else may read it, not even for a moment. It is not
            # opened if it is there: closing it would end the locks of our other connections.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if not self._path.is_file():
                raise AuditError(f"{named(self._path)} cannot be used: it is no file") from None
            if os.name == "posix" and self._path.stat().st_mode & 0o007:
                raise AuditError(
                    f"{named(self._path)} is open to everybody: `chmod 600` it"
                ) from None
            return
        if os.name == "posix":
            # The entry in the folder has to last, too.
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("BEGIN")
        # Before anything is written: it may be another program's, or not as it was.
        is_ours = is_begun(db, self._path)
        if is_ours:
            self._follow_tail(db)
        db.execute("COMMIT")
        # A commit is then one sync. SQLite itself does not wait for its turn to switch.
        _in_turn(db, "PRAGMA journal_mode = WAL", time.monotonic() + self._busy_s)
        db.execute(f"PRAGMA synchronous = {'FULL' if self._is_durable else 'NORMAL'}")
        db.execute("PRAGMA fullfsync = ON")  # where a plain sync does not reach the disk
        db.execute("BEGIN IMMEDIATE")
        try:
            if is_ours:
                db.execute(_TOUCH)  # a file that may only be read is opened without a word
            else:
                if not is_begun(db, self._path):  # another may have been faster
                    self._begin(db)
                self._follow_tail(db)
            db.execute("ROLLBACK" if is_ours else "COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        db.execute("PRAGMA busy_timeout = 0")  # from now on `_in_turn` waits

    def _begin(self, db: sqlite3.Connection) -> None:
        for statement in TABLES.values():
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        body = to_bytes(opening(self._clock(), is_keyed=self._key is not None))
        hash = self._chain.hash(NOTHING_BEFORE, 0, body)
        db.execute(_ADD_ONE, (0, body, hash))
        db.execute(_BEGIN, (0, hash, self._chain.seal(0, hash)))

    def _follow_tail(self, db: sqlite3.Connection) -> None:
        """Verify the opening, the last records and the head: what is added has to follow them."""
        head = db.execute(HEAD).fetchone()
        first = db.execute(ROWS + " LIMIT 1", (0,)).fetchone()
        follower = Follower(self._chain)
        if first is None or not follower.follows(Row(*first)):
            told = opening_of(first[1] if first else None)
            if told is not None and told["is_keyed"] and self._key is None:
                raise AuditError(f"{named(self._path)} was begun with a key, which has to be given")
            _tampered(self._path, follower)
        told = opening_of(follower.last)
        if told is None or told["is_keyed"] is not (self._key is not None):
            follower.bad, follower.why = 0, "its opening is none that this guardkit writes"
            _tampered(self._path, follower)
        self.names = bytes.fromhex(told["names"]) if self._key is None else names_key(self._key)
        count = head[0] if head is not None and isinstance(head[0], int) else 0
        if count > TAIL:
            follower.number = count - TAIL
            (row,) = db.execute(ROWS + " LIMIT 1", (follower.number,)).fetchall() or [(0, b"", 0)]
            # What the tail starts from is taken as it is; `verify` goes all the way.
            follower.number += 1
            follower.previous = row[2] if isinstance(row[2], bytes) else b""
        for row in db.execute(ROWS, (follower.number,)):
            if not follower.follows(Row(*row)):
                break
        if not follower.ends(head):
            _tampered(self._path, follower)

    def _is_in_place(self) -> None:
        """What is added to a file that was moved or deleted would be lost without a word."""
        try:
            status = self._path.stat()
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._id:
            raise AuditError(f"{named(self._path)} was moved or deleted while it was open")


def _in_turn(db: sqlite3.Connection, statement: str, deadline: float) -> None:
    """Run a statement as soon as no other process writes.

    SQLite's own waiting sleeps up to a tenth of a second at a time: beside processes that write
    all the time, it wakes for seconds when somebody else's turn is.
    """
    while True:
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if time.monotonic() > deadline or not name_of(error).startswith("SQLITE_BUSY"):
                raise
            time.sleep(_PAUSE_S)


def _tampered(path: Path, follower: Follower) -> NoReturn:
    raise AuditError(
        f"{named(path)} is not as it was written, at record {follower.bad}: {follower.why};"
        " `guardkit audit verify` says what is left, and a new file has to be begun"
    )
