"""One held text, the protocol of the queues it waits in, and what every queue does alike."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

import anyio

from guardkit._util.forks import renewed_after_fork
from guardkit._util.waking import Signal
from guardkit.errors import UsageError

HoldState = Literal["waiting", "approved", "denied", "expired"]
HOLD_STATES: tuple[HoldState, ...] = ("waiting", "approved", "denied", "expired")

MOST_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One text that waits, or waited. Its repr shows neither the text nor why it was denied."""

    tenant: str
    session: str
    policy: str
    """The digest of the plan that held it."""
    rules: tuple[str, ...]
    surface: str
    created: float
    deadline: float
    """When it expires, in seconds since 1970."""
    payload: str = field(repr=False)
    """What is to be delivered, as JSON text: once approved, and else."""
    tool: str | None = None
    approvers: tuple[str, ...] = ()
    """Who may approve, as the policy names them. The queue knows nobody: its caller checks this."""
    id: str = ""
    """Given by the queue; nobody can guess it."""
    state: HoldState = "waiting"
    decided_by: str | None = None
    decided_at: float | None = None
    reason: str = field(default="", repr=False)


class Decision(NamedTuple):
    """What an approval or a denial came to."""

    took: bool
    """Whether it was this one that decided. Of all that are tried, at most one is."""
    hold: Hold | None
    """As it is now: decided by this one, by another one, or expired. None where the id is wrong."""


class HoldQueue(Protocol):
    """Where held texts wait. From any thread; a text leaves `waiting` once and for good.

    A text past its deadline is expired for everybody who asks, written down or not.
    """

    def add(self, hold: Hold) -> str:
        """Have a text wait; its new id.

        Raises:
            CheckError: The queue is full or cannot be written. The text must not be delivered.
        """

    def get(self, id: str) -> Hold | None:
        """What is held under an id."""

    def list(
        self, *, state: HoldState | None = None, tenant: str | None = None, limit: int = MOST_LISTED
    ) -> tuple[Hold, ...]:
        """What is held, in the order in which it came."""

    def approve(self, id: str, by: str) -> Decision:
        """Let a waiting text be delivered."""

    def deny(self, id: str, by: str, reason: str = "") -> Decision:
        """Have a waiting text not delivered."""

    def expire(self, now: float | None = None) -> tuple[Hold, ...]:
        """Write down what came to its deadline; each is given back by one call only."""

    def prune(self, before: float) -> int:
        """Drop what was decided before that time, texts included; how many."""

    async def wait(self, id: str) -> Hold:
        """Wait until a text is decided or expires.

        Raises:
            UsageError: Nothing is held under this id.
        """


# --- what the queues share


def fresh_hold(hold: Hold) -> Hold:
    """The hold with an id that nobody can guess.

    Raises:
        UsageError: It has been in a queue.
    """
    if hold.state != "waiting" or hold.id:
        raise UsageError("only a text that nobody has held yet can be added")
    return replace(hold, id=f"hold_{secrets.token_urlsafe(16)}")


def shown_hold(hold: Hold, now: float) -> Hold:
    """The hold as it is now: past its deadline it waits no longer."""
    if hold.state != "waiting" or now < hold.deadline:
        return hold
    return replace(hold, state="expired", decided_at=hold.deadline)


def known_hold_state(state: str | None) -> None:
    """Raises `UsageError` where there is no such state to list by."""
    if state is not None and state not in HOLD_STATES:
        known = ", ".join(f"`{one}`" for one in HOLD_STATES)
        raise UsageError(f"a held text is in no such state; there are {known}")


def named_decider(by: str) -> None:
    """Raises `UsageError` where a decision has no name to it."""
    if not isinstance(by, str) or not by:
        raise UsageError("a decision needs the name of who decides")


class Bells:
    """Wakes the tasks of this process that wait for a hold."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._signals: dict[str, list[Signal]] = {}
        renewed_after_fork(self)

    @contextmanager
    def heard(self, id: str) -> Iterator[Signal]:
        """A signal that is set when the hold is decided."""
        signal = Signal()
        with self.lock:
            self._signals.setdefault(id, []).append(signal)
        try:
            yield signal
        finally:
            with self.lock:
                rest = [one for one in self._signals.pop(id, ()) if one is not signal]
                if rest:
                    self._signals[id] = rest

    def ids(self) -> tuple[str, ...]:
        """What is waited for."""
        with self.lock:
            return tuple(self._signals)

    def ring(self, id: str) -> None:
        """Wake whoever waits for this one."""
        with self.lock:
            signals = [*self._signals.get(id, ())]
        for signal in signals:
            signal.set()

    def _renew(self) -> None:
        self.lock = threading.Lock()
        self._signals = {}  # those tasks wait in the other process


async def when_decided(
    queue: HoldQueue, bells: Bells, id: str, clock: Callable[[], float], poll_s: float
) -> Hold:
    """Wait for a decision: woken by the bells, or by a look at the queue as often as `poll_s`."""
    while True:
        with bells.heard(id) as signal:  # before the look: no decision falls in between
            hold = queue.get(id)
            if hold is None:
                raise UsageError("nothing is held under this id")
            if hold.state != "waiting":
                return hold
            with anyio.move_on_after(min(hold.deadline - clock(), poll_s)):
                await signal.wait()
