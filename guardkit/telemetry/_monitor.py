"""One monitor: counts answers, rings when their rate leaves its bound, stops when it is back.

No clock and no I/O: whoever brings answers brings the time, and is told what rang.
"""

from __future__ import annotations

from math import inf, log
from typing import Final, Literal, NamedTuple

from guardkit._util.shares import wilson

from ._changes import WINDOWS_PER_FALSE_ALARM, Changes, Direction
from ._window import Answers, Window

Kind = Literal["rate", "blind"]
"""What rang: the rate that is watched, or that too few answers are known to watch it."""

BLIND_ABOVE: Final = 0.5
"""A monitor is blind once more than this share of what it sees is unknown."""
_BLIND_RATIOS: Final = (2.0, 30.0)
_LATELY: Final = 2.0
"""The odds ratio from which answers look like those after a change."""


class Stretch(NamedTuple):
    """The answers since the change, as far as they tell when it was."""

    since: float
    yes: int
    known: int


class Ring(NamedTuple):
    """A monitor began to ring or stopped."""

    kind: Kind
    is_ringing: bool
    at: float
    began: float
    """When it began to ring."""
    lately: Stretch | None
    """Which answers made it ring; None where it stopped, and where it is blind."""
    window: Answers


class Reading(NamedTuple):
    """What a monitor shows at one moment."""

    window: Answers
    rate: float | None
    """The rate over the window; None where nothing is known."""
    low: float
    high: float
    """Wilson's interval of 95 % around it."""
    nearness: float
    """How near an alarm is, from 0 to 1."""
    ringing_since: float | None
    blind_since: float | None
    total: Answers
    alarms: int
    """How often it rang since it was made, for either reason."""


class Monitor:
    """Watches one rate.

    It rings when `Changes` says so. It stops when the answers since then, those of the last window
    at most, are back inside the bound: surely, with their whole Wilson interval, or for as long as
    a window. A monitor without answers goes on ringing: nobody knows that anything is better.

    Args:
        bound: The rate, from 0 to 1.
        over_s: The window in seconds.
        direction: Whether it rings above the bound or below it.
    """

    __slots__ = ("_alarms", "_blind", "_no", "_rate", "_runs", "_unknown", "_window", "_yes")

    def __init__(self, bound: float, over_s: float, direction: Direction = "above") -> None:
        self._rate = _Bell("rate", bound, over_s, direction, Changes(bound, over_s, direction))
        blind = Changes(BLIND_ABOVE, over_s, ratios=_BLIND_RATIOS)
        self._blind = _Bell("blind", BLIND_ABOVE, over_s, "above", blind)
        self._window = Window(over_s)
        self._runs = _Run(bound, direction)
        self._yes = self._no = self._unknown = self._alarms = 0

    def observe(self, now: float, yes: int = 0, no: int = 0, unknown: int = 0) -> tuple[Ring, ...]:
        """Take in answers, and say what began to ring or stopped.

        Args:
            now: The time in seconds.
            yes: So many answers were yes.
            no: So many were no.
            unknown: So many were neither. They are counted apart and never move the rate.
        """
        self._window.add(now, yes, no, unknown)
        self._yes += yes
        self._no += no
        self._unknown += unknown
        known = yes + no
        turned = False
        if known:
            self._runs.add(now, yes, no)
            turned = self._rate.observe(now, yes, no)
        if self._blind.observe(now, unknown, known):
            return self._told(now, self._blind, *((self._rate,) if turned else ()))
        return self._told(now, self._rate) if turned else ()

    def reading(self, now: float) -> Reading:
        """What there is to see at this moment."""
        window = self._window.counts(now)
        low, high = wilson(window.yes, window.known)
        rate = window.yes / window.known if window.known else None
        return Reading(
            window,
            rate,
            low,
            high,
            self._rate.nearness,
            self._rate.since,
            self._blind.since,
            Answers(self._yes, self._no, self._unknown),
            self._alarms,
        )

    def _told(self, now: float, *bells: _Bell) -> tuple[Ring, ...]:
        window = self._window.counts(now)
        rings: list[Ring] = []
        for bell in bells:
            is_ringing = bell.since is not None
            lately = None
            if is_ringing:
                self._alarms += 1
                if bell is self._rate:
                    lately = self._runs.stretch(window, self._window.since)
            else:
                self._runs.restart()
            rings.append(Ring(bell.kind, is_ringing, now, bell.began, lately, window))
        return tuple(rings)


class _Bell:
    """A detector, whether it rings, and when it may stop."""

    __slots__ = (
        "_bound",
        "_changes",
        "_since_then",
        "_swaps",
        "began",
        "kind",
        "over_s",
        "since",
    )

    def __init__(
        self, kind: Kind, bound: float, over_s: float, direction: Direction, changes: Changes
    ) -> None:
        self.kind: Kind = kind
        self.over_s = over_s
        self.since: float | None = None
        """Since when it rings; None where it does not."""
        self.began = 0.0
        """When it began to ring the last time."""
        self._swaps = direction == "below"
        self._bound = 1.0 - bound if self._swaps else bound
        self._changes = changes
        self._since_then = Window(over_s)

    @property
    def nearness(self) -> float:
        if self.since is not None:
            return 1.0
        return min(self._changes.evidence / WINDOWS_PER_FALSE_ALARM, 1.0)

    def observe(self, now: float, yes: int, no: int) -> bool:
        """Take in answers; whether it began to ring or stopped."""
        if self.since is None:
            if self._changes.observe(now, yes, no):
                self.since = self.began = now
                self._since_then = Window(self.over_s)
                return True
            return False
        self._since_then.add(now, yes, no, 0)
        if self._is_back(now, self.since):
            self.since = None
            self._changes.restart()
            return True
        return False

    def _is_back(self, now: float, since: float) -> bool:
        counts = self._since_then.counts(now)
        known = counts.known
        bad = counts.no if self._swaps else counts.yes
        if not known or bad > self._bound * known:
            return False
        return now - since >= self.over_s or wilson(bad, known)[1] <= self._bound


class _Run:
    """Remembers the answers since they began to look bad: a cumulative sum, begun anew at zero."""

    __slots__ = ("_bound", "_down", "_known", "_since", "_sum", "_swaps", "_up", "_yes")

    def __init__(self, bound: float, direction: Direction) -> None:
        self._swaps = direction == "below"
        self._bound = 1.0 - bound if self._swaps else bound
        self._down = -log(1.0 + self._bound * (_LATELY - 1.0))
        self._up = log(_LATELY) + self._down
        self.restart()

    def restart(self) -> None:
        self._sum = 0.0
        self._since = -inf
        self._yes = self._known = 0

    def add(self, now: float, yes: int, no: int) -> None:
        bad, good = (no, yes) if self._swaps else (yes, no)
        if self._sum <= 0.0:
            if not bad:
                return  # nothing looks bad, and nothing begins
            self._sum = 0.0
            self._since, self._yes, self._known = now, 0, 0
        self._sum += bad * self._up + good * self._down
        self._yes += yes
        self._known += yes + no

    def stretch(self, window: Answers, begun: float) -> Stretch:
        """This run or the whole window: which of them shows more clearly what is wrong."""
        run = Stretch(self._since, self._yes, self._known)
        whole = Stretch(begun, window.yes, window.known)
        return max(run, whole, key=self._clearness)

    def _clearness(self, stretch: Stretch) -> float:
        known = stretch.known
        bad = known - stretch.yes if self._swaps else stretch.yes
        if not known or bad <= self._bound * known:
            return 0.0
        if self._bound <= 0.0:
            return inf
        share = bad / known
        rest = 0.0 if share == 1.0 else (1.0 - share) * log((1.0 - share) / (1.0 - self._bound))
        return known * (share * log(share / self._bound) + rest)
