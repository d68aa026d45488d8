"""The file of a run: its head, then a line for each trial as it ends, so that a run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from guardkit.diagnostics import visible
from guardkit.errors import UsageError

from ._ended import Ended
from ._search import Found
from ._tally import Head

VERSION: Final = 1
_KINDS: Final = {
    "id": str, "family": str, "disguise": str, "split": str, "expect": str, "on": str,
    "category": str, "lang": str, "outcome": str, "by": str, "refusal": str, "judgement": str,
}  # fmt: skip
_OUTCOMES: Final = {
    "refuse": frozenset({"stopped", "leaked", "partial", "unjudged"}),
    "answer": frozenset({"refused", "answered", "partial", "unjudged"}),
}
_LAYERS: Final = frozenset(
    {None, "input", "context", "weights", "model", "provider", "output", "transport"}
)
_NAMES: Final = {
    "policy": "another policy",
    "digest": "another version of the policy, or of its parameters",
    "target": "another model",
    "suites": "other cases",
    "seed": "another seed",
    "choice": "other disguises, splits or limits",
    "planned": "another number of trials",
    "adaptive": "another budget for the search",
}


class RunFile:
    """A file to which a run is written. Every line is there as soon as its trial has ended.

    Args:
        path: The file.
        head: What the run is of.
        resume: Go on with what is there; else the file must not be there.

    Raises:
        UsageError: The file cannot be written, or is not of this run.
    """

    def __init__(self, path: Path, head: Head, *, resume: bool = False) -> None:
        self.path = path
        shown = visible(path.as_posix())
        try:
            has_run = path.exists() and path.stat().st_size > 0
            if has_run and not resume:
                raise UsageError(f"`{shown}` is there already: --resume goes on with it")
            if has_run:
                found = head_of(path)
                for name, what in _NAMES.items():
                    if getattr(found, name) != getattr(head, name):
                        raise UsageError(f"`{shown}` is of {what}: this run cannot go on with it")
                _drop_torn(path)
            else:
                path.open("ab").close()  # one that cannot be written is said before the run
        except OSError as error:
            raise UsageError(f"`{shown}` {_not_used(error)}") from None
        # Written with the first line: a run that cannot begin is in the way of no other.
        self._head = b"" if has_run else _line({"guardkit_probe": VERSION, **head._asdict()})
        self._file: BinaryIO | None = None

    def add(self, ended: Ended, said: Mapping[str, object] | None = None) -> None:
        """Write down what a trial came to.

        Args:
            ended: What it came to.
            said: The texts, for people who asked for them.
        """
        self._write({**ended.as_dict(), **(said or {})})

    def add_found(self, found: Found) -> None:
        """Write down what a search came to."""
        self._write(found.as_dict())

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is None:
            self._file = self.path.open("ab")
        self._file.write(self._head + _line(row))
        self._head = b""
        self._file.flush()

    def close(self) -> None:
        """Nothing more will come."""
        if self._file is not None:
            self._file.close()


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"


def head_of(path: Path) -> Head:
    """What the run of a file is of.

    Raises:
        UsageError: It is no file of a run.
    """
    shown = visible(path.as_posix())
    try:
        with path.open("rb") as file:
            row = json.loads(file.readline())
        if row.pop("guardkit_probe") != VERSION:
            raise UsageError(f"`{shown}` was written by another version of guardkit")
        return Head(**row)
    except OSError as error:
        raise UsageError(f"`{shown}` {_not_used(error)}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"`{shown}` is no run of `guardkit probe`") from None


def rows_of(path: Path) -> Iterator[Ended | Found]:
    """What stands in the file of a run; each id once, and not what is torn at its end.

    What could not be judged comes last, and only where no later try could be either.

    Raises:
        UsageError: A line is none that a run writes.
    """
    shown = visible(path.as_posix())
    seen: set[str] = set()
    open: dict[str, Ended | Found] = {}
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, 2):
            if not line.endswith(b"\n"):
                break
            row = _row(line)
            if row is None:
                raise UsageError(f"`{shown}` line {number} is none that a run writes")
            if row.id in seen:
                continue
            if is_open(row):
                open[row.id] = row
                continue
            open.pop(row.id, None)
            seen.add(row.id)
            yield row
    yield from open.values()


def is_open(row: Ended | Found) -> bool:
    """Whether nobody can say what came of it, so that another try may tell."""
    return row.unjudged if isinstance(row, Found) else row.outcome == "unjudged"


def _row(line: bytes) -> Ended | Found | None:
    try:
        row = json.loads(line)
        if "queries" in row:
            return Found.of_dict(row)
        plain = {name: row[name] for name in Ended._fields}
        if any(not isinstance(plain[name], kind) for name, kind in _KINDS.items()):
            return None
        if plain["layer"] not in _LAYERS or plain["marker"] not in (None, True, False):
            return None
        if plain["outcome"] not in _OUTCOMES[plain["expect"]]:
            return None
        return Ended(**{**plain, "elapsed_us": float(plain["elapsed_us"])})
    except (ValueError, KeyError, TypeError):
        return None


def _drop_torn(path: Path) -> None:
    """Cut off a last line that was not written to its end; its trial is made again."""
    with path.open("rb+") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - 65_536)
            file.seek(begin)
            at = file.read(end - begin).rfind(b"\n")
            if at >= 0:
                end = begin + at + 1
                break
            end = begin
        if end != size:
            file.truncate(end)


def _not_used(error: OSError) -> str:
    return f"cannot be used: {(error.strerror or 'it failed').lower()}"
