"""What is told when a monitor rings, to whom, and what becomes of a listener that fails."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Lock
from typing import Final, Literal, NamedTuple

from guardkit._util.shares import Share
from guardkit._util.values import format_duration

from ._changes import Direction
from ._monitor import Kind, Ring, Stretch
from ._window import Answers

LOGGER: Final = "guardkit.monitor"

_MOST_WAITING: Final = 1000
"""So many alarms wait for slow listeners; what comes on top is counted as dropped."""


class Alarm(NamedTuple):
    """A monitor began to ring, or stopped: names, rates, counts and times. It holds no text."""

    policy: str
    monitor: str
    kind: Kind
    """`rate` left its bound, or it is `blind`: most of what it sees is unknown."""
    state: Literal["ringing", "quiet"]
    at: float
    """Seconds since 1970."""
    began: float
    """When it began to ring."""
    direction: Direction
    bound: float
    over_s: float
    window: Answers
    """The answers of the last `over_s` seconds."""
    lately: Stretch | None = None
    """The answers since the change, where it rings: they say more than the window."""

    @property
    def sentence(self) -> str:
        """One line for people."""
        over = format_duration(round(self.over_s * 1000))
        window = self.window
        name = f"monitor `{self.monitor}`"
        if self.kind == "blind":
            says = "is blind" if self.state == "ringing" else f"sees again after {self._lasted}"
            seen = window.known + window.unknown
            return f"{name} {says}: {window.unknown} of {seen} answers of the last {over} unknown"
        most = "at most" if self.direction == "above" else "at least"
        allowed = f"allowed is {most} {100 * self.bound:g}% over {over}"
        if self.lately is not None:
            share = Share(self.lately.yes, self.lately.known)
            since = f"{share.hits} of {share.of} since {_clock_time(self.lately.since)}"
            return f"{name} rings: {share.shown}, {since}; {allowed}"
        share = Share(window.yes, window.known)
        found = f"{share.shown}, {share.hits} of {share.of}" if share.of else "no answers"
        return f"{name} is quiet again after {self._lasted}: {found}; {allowed}"

    @property
    def _lasted(self) -> str:
        """How long it rang, in the unit that says it in one or two digits."""
        seconds = max(self.at - self.began, 0.0)
        for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
            if seconds >= 2 * size:
                return f"{seconds / size:.0f}{unit}"
        return f"{seconds:.0f}s"

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        window = self.window
        shown: dict[str, object] = {
            "policy": self.policy,
            "monitor": self.monitor,
            "kind": self.kind,
            "state": self.state,
            "at": _clock_time(self.at),
            "began": _clock_time(self.began),
            "direction": self.direction,
            "bound": self.bound,
            "over_s": self.over_s,
            "window": {**_share(window.yes, window.known), "unknown": window.unknown},
        }
        if self.lately is not None:
            lately = self.lately
            since = {"since": _clock_time(lately.since)}
            shown["lately"] = {**_share(lately.yes, lately.known), **since}
        return shown


def _share(yes: int, known: int) -> dict[str, object]:
    share = Share(yes, known)
    low, high = share.interval
    return {"yes": yes, "known": known, "rate": share.value, "low": low, "high": high}


def _clock_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def alarm_of(
    ring: Ring, *, policy: str, monitor: str, direction: Direction, bound: float, over_s: float
) -> Alarm:
    """What is told of a monitor that rang."""
    return Alarm(
        policy,
        monitor,
        ring.kind,
        "ringing" if ring.is_ringing else "quiet",
        ring.at,
        ring.began,
        direction,
        bound,
        over_s,
        ring.window,
        ring.lately,
    )


Sink = Callable[[Alarm], object]
"""Who is told of alarms: any callable. It is called in the thread that judged, so it is quick."""


class LogAlarm:
    """Writes one line per alarm to the logger `guardkit.monitor`.

    A monitor that rings is a warning, one that stops is information. The attribute `guardkit` of
    the log record holds the alarm as plain data.
    """

    def __call__(self, alarm: Alarm) -> None:
        """Write the line."""
        level = logging.WARNING if alarm.state == "ringing" else logging.INFO
        logging.getLogger(LOGGER).log(
            level, "%s", alarm.sentence, extra={"guardkit": alarm.as_dict()}
        )

    def __repr__(self) -> str:
        return "<LogAlarm>"


class Sinks:
    """Hands alarms to listeners, in order, one at a time; a listener that fails stops nobody.

    Args:
        sinks: The listeners.
    """

    __slots__ = ("_busy", "_waiting", "dropped", "failed", "sinks")

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.sinks = tuple(sinks)
        self.failed = [0] * len(self.sinks)
        """How often each of them raised."""
        self.dropped = 0
        """Alarms nobody was told of: too many waited for a slow listener."""
        self._waiting: deque[Alarm] = deque()
        self.renew()

    def renew(self) -> None:
        """After a fork: a lock that another thread held stays locked for ever."""
        self._busy = Lock()

    def tell(self, alarms: Iterable[Alarm]) -> None:
        """Tell every listener. It raises nothing, and waits for no other thread's telling."""
        for alarm in alarms:
            if len(self._waiting) >= _MOST_WAITING:
                self.dropped += 1
            else:
                self._waiting.append(alarm)
        # Whoever holds the lock tells what others put there meanwhile, so order is kept.
        while self._waiting and self._busy.acquire(blocking=False):
            try:
                while self._waiting:
                    self._tell(self._waiting.popleft())
            finally:
                self._busy.release()

    def _tell(self, alarm: Alarm) -> None:
        for place, sink in enumerate(self.sinks):
            try:
                sink(alarm)
            except Exception as error:  # noqa: BLE001 - a listener must never stop a verdict
                self.failed[place] += 1
                if self.failed[place] == 1:
                    _complain(sink, error)


def name_of(sink: Sink) -> str:
    """A listener's name: that of its function, or of its type."""
    return str(getattr(sink, "__name__", type(sink).__name__))


def _complain(sink: Sink, error: Exception) -> None:
    try:
        logging.getLogger(LOGGER).error(
            "alarm listener %s raised %s; further failures are only counted",
            name_of(sink),
            type(error).__name__,
        )
    except Exception:  # noqa: BLE001 - so may a log handler raise, when it is set to
        return
