"""Runs a plan: bound to live checks it judges events and streams, and remembers sessions."""

from __future__ import annotations

from ._after import aexpected, ameasured, ascores, decided, held, unread
from ._bind import Bound, Machine, Thresholds, bind
from ._drive import drive
from ._engine import Engine, Job, Judgement, Measured
from ._event import MAX_CHARS, MOST_DEPTH, Event, Given
from ._expect import Expected
from ._explain import Explanation, Memory, Told
from ._hold import (
    Bells,
    Decision,
    Hold,
    HoldQueue,
    HoldState,
    fresh_hold,
    known_hold_state,
    named_decider,
    shown_hold,
)
from ._holds import MOST_CHARS as MOST_HELD_CHARS
from ._holds import MOST_DECIDED, MOST_WAITING, MemoryHolds, SqliteHolds
from ._scan import NOTHING, Glance, Located, Sighting
from ._stream import Stream
from ._vault import Restorer, Vault
from ._workers import Bridge, Workers

__all__ = [
    "MAX_CHARS",
    "MOST_DECIDED",
    "MOST_DEPTH",
    "MOST_HELD_CHARS",
    "MOST_WAITING",
    "NOTHING",
    "Bells",
    "Bound",
    "Bridge",
    "Decision",
    "Engine",
    "Event",
    "Expected",
    "Explanation",
    "Given",
    "Glance",
    "Hold",
    "HoldQueue",
    "HoldState",
    "Job",
    "Judgement",
    "Located",
    "Machine",
    "Measured",
    "Memory",
    "MemoryHolds",
    "Restorer",
    "Sighting",
    "SqliteHolds",
    "Stream",
    "Thresholds",
    "Told",
    "Vault",
    "Workers",
    "aexpected",
    "ameasured",
    "ascores",
    "bind",
    "decided",
    "drive",
    "fresh_hold",
    "held",
    "known_hold_state",
    "named_decider",
    "shown_hold",
    "unread",
]
