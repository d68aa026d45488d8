"""Stops asking a check that only fails, and asks again now and then whether it is well."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Literal

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import UsageError

State = Literal["closed", "open", "half-open"]

IN_A_ROW = 10
"""So many failures one after another open a breaker."""
WINDOW = 20
"""The calls over which a rate of failures is taken; it takes so many before there is one."""
RATE = 0.5
"""Such a rate of failures opens a breaker."""
INTERVAL_S = 5.0
"""While it is open, one call in so many seconds is let through."""


class Breaker:
    """Whether a check is to be asked.

    Closed, it lets every call through. It opens after `in_a_row` failures one after another, or
    when at least `rate` of the last `window` calls failed: a check that always fails is asked ten
    times. Open, it lets one call through per interval, the first after a whole interval; half-open
    means that this one is under way. The first good one closes it, with nothing held against it.

    It may be used from any number of threads. A call that is not let through is no answer: what
    that means says the policy.

    Args:
        in_a_row: Failures one after another that open it.
        window: Calls over which the rate is taken.
        rate: The rate of failures that opens it.
        interval_s: Seconds between calls that are let through while it is open.
        clock: Seconds that never go back.

    Example:
        >>> breaker = Breaker(in_a_row=2)
        >>> for _ in range(2):
        ...     breaker.record(ok=False)
        >>> breaker.allow(), breaker.state
        (False, 'open')
    """

    def __init__(
        self,
        *,
        in_a_row: int = IN_A_ROW,
        window: int = WINDOW,
        rate: float = RATE,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if min(in_a_row, window) < 1 or not 0 < rate <= 1 or not interval_s > 0:
            raise UsageError("the limits of a breaker have to be positive, its rate at most 1")
        self._in_a_row = in_a_row
        self._rate = rate
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._last: deque[bool] = deque(maxlen=window)
        """Whether each of the last calls was good."""
        self._failures = 0
        """Failures one after another."""
        self._next: float | None = None
        """When the next call is let through while it is open; None while it is closed."""
        self._is_probing = False
        renewed_after_fork(self)

    def __repr__(self) -> str:
        return f"<Breaker {self.told}>"

    @property
    def state(self) -> State:
        """What it is now."""
        if self._next is None:
            return "closed"
        return "half-open" if self._is_probing else "open"

    @property
    def told(self) -> str:
        """The state with its reason, for a ledger: `open: 10 of the last 10 calls failed`."""
        with self._lock:
            failed, calls = self._last.count(False), len(self._last)
            state = self.state
        return f"{state}: {failed} of the last {calls} calls failed" if calls else state

    def allow(self) -> bool:
        """Whether a call is let through. One that is has to be followed by `record` or `release`.

        A probe that nobody reports is written off after an interval.
        """
        return self._next is None or self._probe()  # closed, the common case, takes no lock

    def _probe(self) -> bool:
        with self._lock:
            if self._next is None:
                return True
            now = self._clock()
            if now < self._next:
                return False
            self._next = now + self._interval_s
            self._is_probing = True
            return True

    def record(self, ok: bool) -> None:
        """A call that was let through is over.

        While the breaker is open only a probe counts: calls that began before it opened come too
        late to say anything.
        """
        with self._lock:
            if self._next is not None:
                if self._is_probing:
                    self._is_probing = False
                    if ok:
                        self._next = None
                        self._failures = 0
                        self._last.clear()
                return
            self._last.append(ok)
            if ok:
                self._failures = 0
                return
            self._failures += 1
            is_full = len(self._last) == self._last.maxlen
            is_bad = is_full and self._last.count(False) >= self._rate * len(self._last)
            if is_bad or self._failures >= self._in_a_row:
                self._next = self._clock() + self._interval_s

    def release(self) -> None:
        """A call that was let through was cancelled: it says nothing about the check."""
        with self._lock:
            self._is_probing = False

    def _renew(self) -> None:
        self._lock = threading.Lock()
