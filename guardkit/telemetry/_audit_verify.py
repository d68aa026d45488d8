"""Whether an audit log is as it was written, and the first record that is not."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from guardkit.errors import AuditError, UsageError

from ._audit import checked_key
from ._audit_chain import Chain, Follower
from ._audit_read import ChangedError, head_of, named, opening_of, reading, rows_of

_HEAD = re.compile(r"(?:(\d{1,18}):)?([0-9a-f]{64})", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying an audit log found."""

    count: int
    """The records that follow one another from the first one on; the opening is not counted."""
    head: str
    """`NUMBER:HASH` of the last of them. Kept elsewhere, it can be asked for later."""
    bad: int | None
    """The first record that is not as it was written; 0 is the opening of the file, and one past
    the last record is the head. None where all is whole."""
    why: str
    """What is wrong with it."""
    since: str
    """When the first of them was made, in UTC; the file itself, where there is none."""
    until: str

    @property
    def is_whole(self) -> bool:
        """Whether every record is there as it was written."""
        return self.bad is None


def verify(
    path: str | os.PathLike[str], *, key: bytes | None = None, head: str | None = None
) -> Report:
    """Follow the chain of a log from its first record to its last. Nothing is changed.

    Args:
        path: The file. It may be in use; what is read is as it was at one moment.
        key: The key it was made with.
        head: `NUMBER:HASH`, or the hash alone, that an earlier report gave: the log has to hold
            that record still.

    Raises:
        AuditError: It cannot be read, is no audit log, or needs its key.
        UsageError: An argument makes no sense.
    """
    file = Path(path)
    number, hash = _read_head(head)
    follower = Follower(Chain(checked_key(key)))
    is_found = hash is None
    since = ""
    body: object = None
    try:
        with reading(file) as db:
            for row in rows_of(db, follower):
                body = row.body
                if not follower.follows(row):
                    break
                is_found |= hash == row.hash and number in (None, row.number)
                if follower.number <= 2:
                    since = _time_of(follower.last)
            if follower.bad is None:
                follower.ends(head_of(db))
    except ChangedError:
        follower.fails("the tables of the file are not those that were made")
    if follower.bad == 0 and key is None:
        insist_on_key(file, body)
    if follower.bad is None and not is_found:
        _miss(follower, number)
    until = _time_of(follower.last)
    return Report(
        max(follower.number - 1, 0),
        head_of_last(follower),
        follower.bad,
        follower.why,
        since,
        until,
    )


def head_of_last(follower: Follower) -> str:
    """The last record that followed, as a head: `NUMBER:HASH`. Nothing where none did."""
    return f"{follower.number - 1}:{follower.previous.hex()}" if follower.number else ""


def insist_on_key(path: Path, body: object) -> None:
    """A log whose opening says that it has a key cannot be followed without one.

    Raises:
        AuditError: It says so.
    """
    told = opening_of(body)
    if told is not None and told["is_keyed"]:
        raise AuditError(f"{named(path)} was made with a key, which has to be given")


def _read_head(head: str | None) -> tuple[int | None, bytes | None]:
    if head is None:
        return None, None
    found = _HEAD.fullmatch(head.strip().lower())
    if found is None:
        raise UsageError("a head is `NUMBER:HASH`, or the 64 hex digits of a hash alone")
    number, hash = found.groups()
    return None if number is None else int(number), bytes.fromhex(hash)


def _miss(follower: Follower, number: int | None) -> None:
    """Note that the record which the caller knows is not there."""
    if number is None:
        follower.fails("no record has the hash that was given: the log was cut, or written anew")
    elif number >= follower.number:
        follower.fails(f"it is missing: the head that was given names record {number:,}")
    else:
        # One of those before it may be another, too, and all that come after it are.
        follower.bad = number
        follower.why = "it is not the record that the given head names: the log was written anew"


def _time_of(body: bytes) -> str:
    try:
        data = json.loads(body)
    except ValueError:
        return ""
    time = data.get("time") if isinstance(data, dict) else None
    return time if isinstance(time, str) and _TIME.fullmatch(time) else ""
