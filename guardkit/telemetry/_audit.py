"""The audit log: every verdict and exchange kept in one file, in a chain, without its text."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, NoReturn, get_args
from weakref import WeakSet

import anyio

from guardkit._util.forks import renewed_after_fork
from guardkit._util.waking import Signal
from guardkit.errors import AuditError, UsageError
from guardkit.types import Ledger, Verdict

from ._audit_chain import LEAST_KEY_BYTES
from ._audit_file import LogFile
from ._audit_read import named
from ._audit_record import Writer

AuditMode = Literal["durable", "fast"]

MOST_WAITING = 10_000
"""Records that may wait to be written."""
MOST_WAITING_BYTES = 1 << 26
MOST_AT_ONCE = 1000
"""Records of one commit."""
PATIENCE_S = 1.0
"""How long a call waits where too many records wait already."""
SLOWEST_S = 30.0
"""How long a call waits for the disk."""
LINGER_S = 0.01
"""How long records gather in the mode `fast` before they are written."""
PAUSE_S = 0.25
"""How long to wait before records that could not be written are tried again."""

_FULL_PAUSE_S = 0.005


class _Waiting:
    """A call that waits until its record is on disk."""

    __slots__ = ("error", "number", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.number = 0
        self.error: str | None = None


class Audit:
    """An append-only log of verdicts and exchanges in one SQLite file.

    From any thread and any event loop; any number of processes may use one file, each through an
    `Audit` of its own. No record holds any of the judged text unless `text` says so.

    Args:
        path: The file, on a disk of this machine; it is made where there is none.
        mode: `durable`: what `record` returned for is on disk and outlives a crash of the machine.
            `fast`: `record` returns at once and the file is written in the background. A crash of
            the process loses what still waited, some hundredths of a second; a crash of the
            machine also loses what its system had not put on the disk yet.
        key: 16 secret bytes or more. With them nobody who has the file alone can write another one
            that verifies, nor find out names by trying; they are needed to verify it.
        text: Whether delivered texts and the names of arguments and tools are kept as they are.
        plain: Names of tools, labels and JSON pointers that may be kept as they are.
        busy_s: How long to wait for other processes.
        clock: Seconds since 1970.

    Raises:
        AuditError: The file cannot be used, or its end is not as it was written.
        UsageError: An argument makes no sense.

    Example:
        >>> with Audit("audit.db") as audit:  # doctest: +SKIP
        ...     audit.record(guard.check("text"))
        1
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: AuditMode = "durable",
        key: bytes | None = None,
        *,
        text: bool = False,
        plain: Collection[str] = (),
        busy_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if mode not in get_args(AuditMode):
            raise UsageError("the mode of an audit log is `durable` or `fast`")
        if isinstance(plain, str):
            raise UsageError("`plain` has to be several words, not one")
        self._path = Path(path).absolute()  # the program may change its folder
        self._mode: AuditMode = mode
        self._is_fast = mode == "fast"
        self._clock = clock
        self._file = LogFile(
            self._path,
            checked_key(key),
            is_durable=not self._is_fast,
            busy_s=busy_s,
            clock=clock,
        )
        self._writer = Writer(self._file.names, text=text, plain=plain)
        self._is_closed = False
        self._renew()
        renewed_after_fork(self)
        _open_logs.add(self)

    def _renew(self) -> None:
        # What waits in the parent of a fork, the parent writes.
        self._change = threading.Condition()  # whoever waits may finalize a stream that is told of
        self._queue: deque[tuple[bytes, _Waiting | None]] = deque()
        self._bytes = 0
        self._thread: threading.Thread | None = None
        self._fault = ""
        """Why the last attempt in the mode `fast` failed; what it held still waits."""

    def __repr__(self) -> str:
        return f"<Audit {os.fspath(self._path)!r} {self._mode}>"

    # --- what is kept

    def record(
        self,
        verdict: Verdict,
        *,
        session: str | None = None,
        tenant: str = "",
        decision: str | None = None,
    ) -> int:
        """Keep a verdict.

        Args:
            verdict: What one text came to.
            session: Kept as a keyed hash.
            tenant: Kept as a keyed hash.
            decision: The id by which others know the verdict; a new one when left out.

        Returns:
            The number of the record, from 1. In the mode `fast` it has none yet: 0.

        Raises:
            AuditError: It could not be kept.
        """
        body = self._writer.verdict(verdict, self._clock(), session, tenant, decision)
        return self._keep(body)

    def exchange(
        self,
        ledger: Ledger,
        *,
        session: str | None = None,
        tenant: str = "",
        decision: str | None = None,
    ) -> int:
        """Keep what a whole exchange came to; see `record`."""
        body = self._writer.exchange(ledger, self._clock(), session, tenant, decision)
        return self._keep(body)

    async def arecord(
        self,
        verdict: Verdict,
        *,
        session: str | None = None,
        tenant: str = "",
        decision: str | None = None,
    ) -> int:
        """`record`, without keeping the event loop waiting. Cancelled, it may have been kept."""
        body = self._writer.verdict(verdict, self._clock(), session, tenant, decision)
        return await self._akeep(body)

    async def aexchange(
        self,
        ledger: Ledger,
        *,
        session: str | None = None,
        tenant: str = "",
        decision: str | None = None,
    ) -> int:
        """`exchange`, without keeping the event loop waiting. Cancelled, it may have been kept."""
        body = self._writer.exchange(ledger, self._clock(), session, tenant, decision)
        return await self._akeep(body)

    def close(self) -> None:
        """Write what still waits and close the file; it takes no further records.

        Raises:
            AuditError: Records that were taken could not be written; how many, and why.
        """
        with self._change:
            self._is_closed = True
            thread = self._thread
            self._change.notify_all()
        if thread is not None:
            thread.join(SLOWEST_S)
        with self._change:
            lost, self._bytes = len(self._queue), 0
            why = self._fault or "the disk is too slow"
            if thread is None or not thread.is_alive():
                self._queue.clear()
        if thread is None or not thread.is_alive():
            self._file.close()
        _open_logs.discard(self)
        if lost:
            raise AuditError(f"{lost:,} records are not in {named(self._path)}: {why}")

    def __enter__(self) -> Audit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- a call

    def _keep(self, body: bytes) -> int:
        if self._is_fast or threading.current_thread() is self._thread:
            # The thread that writes cannot wait for itself: it may finalize somebody's stream.
            self._put(body, None)
            return 0
        done = threading.Lock()
        done.acquire()
        waiting = _Waiting(done.release)
        self._put(body, waiting)
        if not done.acquire(timeout=SLOWEST_S):
            self._too_slow()
        return self._result(waiting)

    async def _akeep(self, body: bytes) -> int:
        if self._is_fast:
            await self._aput(body, None)
            return 0
        signal = Signal()
        waiting = _Waiting(signal.set)
        await self._aput(body, waiting)
        with anyio.move_on_after(SLOWEST_S) as scope:
            await signal.wait()
        if scope.cancelled_caught:
            self._too_slow()
        return self._result(waiting)

    def _result(self, waiting: _Waiting) -> int:
        if waiting.error is not None:
            # One error for each call: two threads must not write into one traceback.
            raise AuditError(waiting.error)
        return waiting.number

    def _put(self, body: bytes, waiting: _Waiting | None) -> None:
        with self._change:
            if not self._took(body, waiting):
                self._change.wait_for(lambda: self._has_room(len(body)), PATIENCE_S)
                if not self._took(body, waiting):
                    self._too_many()

    async def _aput(self, body: bytes, waiting: _Waiting | None) -> None:
        deadline = anyio.current_time() + PATIENCE_S
        while True:
            with self._change:
                if self._took(body, waiting):
                    return
            if anyio.current_time() > deadline:
                self._too_many()
            await anyio.sleep(_FULL_PAUSE_S)

    def _took(self, body: bytes, waiting: _Waiting | None) -> bool:
        """Queue a record, where there is room for it. Needs the lock."""
        if self._is_closed:
            raise AuditError(f"{named(self._path)} is closed")
        if self._fault:
            raise AuditError(self._fault)
        if not self._has_room(len(body)):
            return False
        if self._thread is None:
            self._start()
        self._queue.append((body, waiting))
        self._bytes += len(body)
        if len(self._queue) == 1:
            self._change.notify_all()
        return True

    def _start(self) -> None:
        thread = threading.Thread(target=self._write, name="guardkit audit", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many, or the interpreter ends
            raise AuditError(f"{named(self._path)} has no thread to write it") from error
        self._thread = thread

    def _has_room(self, size: int) -> bool:
        is_room = len(self._queue) < MOST_WAITING and self._bytes + size <= MOST_WAITING_BYTES
        return is_room or self._is_closed or bool(self._fault)

    def _too_many(self) -> NoReturn:
        raise AuditError(f"too many records wait to be written to {named(self._path)}")

    def _too_slow(self) -> NoReturn:
        raise AuditError(f"{named(self._path)} did not take a record within {SLOWEST_S:g} seconds")

    # --- the thread that writes

    def _write(self) -> None:
        change, queue = self._change, self._queue  # a fork gives its child others
        while True:
            with change:
                change.wait_for(lambda: queue or self._is_closed)
                if not queue:
                    return
                if self._is_fast and not self._is_closed:
                    change.wait_for(lambda: self._is_closed, LINGER_S)
                # They stay in the queue until they are written: no error loses one.
                some = [queue[i] for i in range(min(len(queue), MOST_AT_ONCE))]
            first, why = 0, ""
            try:
                first = self._file.add([body for body, _ in some])
            except AuditError as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to hear it
                why = f"{named(self._path)} cannot be used: {type(error).__name__}"
            if self._is_fast and why:
                with change:
                    self._fault = why
                    change.notify_all()
                    if self._is_closed:
                        return
                    change.wait_for(lambda: self._is_closed, PAUSE_S)
                continue
            with change:
                self._fault = ""
                for body, _ in some:
                    queue.popleft()
                    self._bytes -= len(body)
                change.notify_all()
            for number, (_, waiting) in enumerate(some, first):
                if waiting is not None:
                    waiting.number, waiting.error = number, why or None
                    waiting.wake()


def checked_key(key: bytes | None) -> bytes | None:
    """A key that is none or long enough.

    Raises:
        UsageError: It is too short, or no bytes.
    """
    if key is not None and (not isinstance(key, bytes) or len(key) < LEAST_KEY_BYTES):
        raise UsageError(f"the key of an audit log has {LEAST_KEY_BYTES} bytes or more")
    return key


_open_logs: WeakSet[Audit] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Write what waits when the program ends, whether or not it closed its logs."""
    errors: list[AuditError] = []
    for audit in list(_open_logs):
        try:
            audit.close()
        except AuditError as error:
            errors.append(error)
    if errors:
        raise errors[0]
