"""Results as JSONL, a result a line; the journal lies beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from guardkit._util.locking import locked
from guardkit._util.writing import write_atomically
from guardkit.errors import UsageError

from ._journal import Journal
from ._judging import Result


class Lines:
    """JSONL, a result a line; the journal lies beside it, its name with `.journal` added.

    Args:
        path: The file.
        shown: What errors call it.
        lines: Where the lines are while the run is under way; the file itself when left out.
    """

    def __init__(self, path: Path, shown: str, *, lines: Path | None = None) -> None:
        self.path = path
        self.lines = lines or path
        self._shown = shown
        self._beside = path.with_name(path.name + ".journal")
        self._file: BinaryIO | None = None
        self._lock: AbstractContextManager[None] | None = None

    def found(self) -> Journal | None:
        try:
            content = self._beside.read_bytes()
        except FileNotFoundError:
            if any(path.exists() and path.stat().st_size for path in (self.path, self.lines)):
                raise UsageError(
                    f"`{self._shown}` is there already, and no run wrote it that could go on"
                ) from None
            return None
        return Journal.read(content, self._shown)

    def begin(self, journal: Journal) -> None:
        if self.path.is_dir():
            raise UsageError(f"`{self._shown}` is a folder")
        self._lock = self._locked()
        if journal.size == 0:
            self._note(journal)
        file = self.lines.open("r+b")
        self._file = file
        if file.seek(0, os.SEEK_END) < journal.size:
            raise UsageError(f"`{self._shown}` is shorter than its journal says")
        file.truncate(journal.size)
        file.seek(journal.size)

    def write(self, results: Sequence[Result]) -> int:
        content = "".join(f"{result.line}\n" for result in results).encode("ascii")
        self._opened.write(content)
        return len(content)

    def keep(self, journal: Journal) -> None:
        file = self._opened
        file.flush()
        os.fsync(file.fileno())
        self._note(journal)

    def finish(self, journal: Journal) -> None:
        self._note(journal)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk said so before
                self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise UsageError(f"`{self._shown}` is not open")
        return self._file

    def _note(self, journal: Journal) -> None:
        write_atomically(self._beside, journal.spelled().encode("ascii"))

    def _locked(self) -> AbstractContextManager[None]:
        lock = locked(self.lines, patience_s=0)
        try:
            lock.__enter__()
        except TimeoutError:
            raise UsageError(f"another run writes `{self._shown}`") from None
        return lock
