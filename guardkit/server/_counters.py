"""What the server counts: requests, times, errors, sheds. Words of closed sets and numbers only.

Every label is one word of a set that is known at the start; anything else counts as `other`. So
neither a client nor an upstream can drive the memory, or put a text where operators look.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from threading import Lock
from typing import Any, Final

from guardkit._util.forks import renewed_after_fork
from guardkit.judging import UNJUDGED
from guardkit.telemetry import (
    BUCKETS,
    Family,
    Labels,
    Spread,
    Times,
    Value,
    bucket_of,
    exposition,
    written,
)
from guardkit.types import ACTIONS

OTHER: Final = "other"
NOT_JUDGED: Final = UNJUDGED
"""The action of a request that came to no verdict: `/healthz`, a malformed body."""

ROUTES: Final = (
    "chat",
    "responses",
    "completions",
    "embeddings",
    "messages",
    "check",
    "litellm",
    "reload",
    "console",
    "health",
    "metrics",
    "openapi",
)
DIALECTS: Final = ("openai", "anthropic", "guardkit", "litellm", "none")
UPSTREAM_ERRORS: Final = (
    "unreachable",
    "timeout",
    "broken",
    "too_large",
    "malformed",
    "redirect",
    "status_4xx",
    "status_5xx",
)
SHED_REASONS: Final = (
    "overloaded",
    "patience",
    "too_many_at_once",
    "quota",
    "denials",
    "draining",
)
CUT_REASONS: Final = ("block", "hold", "unknown", "upstream", "client", "deadline", "shutdown")
RELOADS: Final = ("ok", "unchanged", "refused")

# fmt: off
_STATUSES: Final = frozenset({
    200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410,
    411, 413, 414, 415, 421, 422, 425, 429, 431, 499, 500, 501, 502, 503, 504, 529,
})
_SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0,
)
# fmt: on
_CHARS: Final = (0.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0)

_MINUTES: Final = 60
_QUANTILES: Final = (("p50_ms", 0.50), ("p95_ms", 0.95), ("p99_ms", 0.99))


class _Histogram:
    """How many were at most each bound."""

    __slots__ = ("bounds", "counts", "number", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.number = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.number += 1
        self.total += value

    def spread(self, labels: Labels) -> Spread:
        below, reached = [], 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            reached += count
            below.append((f"{bound:g}", reached))
        return Spread(labels, below, self.number, written(round(self.total, 6)))


class _Minute:
    """What one minute counted."""

    __slots__ = (
        "actions",
        "added",
        "cut",
        "failed",
        "number",
        "requests",
        "shed",
        "upstream",
        "whole",
    )

    def __init__(self) -> None:
        self.whole = array("Q", bytes(8 * BUCKETS))
        self.added = array("Q", bytes(8 * BUCKETS))
        self.begin(-1)

    def begin(self, number: int) -> None:
        """Forget everything: this part of the ring stands for another minute now."""
        self.number = number
        self.requests = self.failed = self.shed = self.upstream = self.cut = 0
        self.actions: dict[str, int] = {}
        for place in range(BUCKETS):
            self.whole[place] = self.added[place] = 0


class Counters:
    """Counts what the server does, in fixed memory, from any number of threads. It raises nothing.

    Args:
        routes: The words for routes; another word counts as `other`, as everywhere here.
        dialects: The words for dialects.
        clock: Seconds since 1970.

    Example:
        >>> counters = Counters()
        >>> counters.began()
        >>> counters.ended("chat", "openai", 200, "pass", 0.120, 0.119)
        >>> counters.snapshot()["totals"]["requests"]
        1
    """

    def __init__(
        self,
        *,
        routes: Iterable[str] = ROUTES,
        dialects: Iterable[str] = DIALECTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._routes = frozenset(routes)
        self._dialects = frozenset(dialects)
        self._clock = clock
        self._since = clock()
        self._inside = 0
        self._newest = -1
        self._requests: dict[tuple[str, str, str, str], int] = {}
        self._upstream_errors: dict[tuple[str, str], int] = {}
        self._shed: dict[str, int] = {}
        self._cut: dict[str, int] = {}
        self._reloads: dict[str, int] = {}
        self._times: dict[tuple[str, str], _Histogram] = {}
        self._held = _Histogram(_CHARS)
        self._ring = [_Minute() for _ in range(_MINUTES)]
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = Lock()
        self._news: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()  # any arguments
        self._inside = 0  # what was under way in the parent of a fork ends there

    def __repr__(self) -> str:
        return "<Counters>"

    # --- what comes in

    def began(self) -> None:
        """A request was let in."""
        self._tell(self._add_inside, 1)

    def ended(
        self,
        route: str,
        dialect: str,
        status: int,
        action: str,
        whole_s: float,
        upstream_s: float | None,
    ) -> None:
        """A request that `began` came to its end, whichever.

        Args:
            route: Which part of the server served it.
            dialect: Whose wire format it spoke; `none` for none.
            status: The HTTP status it was answered with; 499 where the client left before.
            action: The action of its strongest verdict; `none` without one.
            whole_s: From its first byte to the last of the reply.
            upstream_s: How much of that was spent waiting for the upstream; None where none was
                asked.
        """
        self._tell(self._add_request, route, dialect, status, action, whole_s, upstream_s)

    def shed(self, reason: str) -> None:
        """A request was turned away before it began."""
        self._tell(self._add_shed, reason)

    def upstream_error(self, route: str, kind: str) -> None:
        """The upstream did not answer, or not as it should; the code of an `Unserved` is a kind."""
        self._tell(self._add_upstream_error, route, kind)

    def cut(self, reason: str) -> None:
        """A stream that had begun was ended before its end."""
        self._tell(self._add_cut, reason)

    def held(self, chars: int) -> None:
        """A stream ended: so many characters were held back when they were most."""
        self._tell(self._held.add, float(max(chars, 0)))

    def reloaded(self, outcome: str) -> None:
        """A policy was loaded anew, or was not."""
        self._tell(self._add_reload, outcome)

    def _tell(self, add: Callable[..., None], *what: object) -> None:
        # A stream may be finalized in any line below, and its end is counted too: news wait in a
        # queue, and whoever holds the lock takes all of them.
        self._news.append((add, what))
        while self._news and self._lock.acquire(blocking=False):
            try:
                self._take()
            finally:
                self._lock.release()

    def _take(self) -> None:
        while self._news:
            add, what = self._news.popleft()
            add(*what)

    def _add_inside(self, number: int) -> None:
        self._inside += number

    def _add_request(
        self,
        route: str,
        dialect: str,
        status: int,
        action: str,
        whole_s: float,
        upstream_s: float | None,
    ) -> None:
        self._inside -= 1
        route = route if route in self._routes else OTHER
        dialect = dialect if dialect in self._dialects else OTHER
        if action != NOT_JUDGED and action not in ACTIONS:
            action = OTHER
        code = str(status) if status in _STATUSES else _class_of(status)
        _add(self._requests, (route, dialect, code, action))
        whole_s = _sane(whole_s)
        added_s = whole_s
        if upstream_s is not None:
            upstream_s = _sane(upstream_s)
            added_s = max(whole_s - upstream_s, 0.0)
            self._time("upstream", route, upstream_s)
        self._time("request", route, whole_s)
        self._time("added", route, added_s)
        minute = self._minute()
        minute.requests += 1
        minute.failed += status >= 500
        _add(minute.actions, action)
        minute.whole[bucket_of(whole_s * 1e6)] += 1
        minute.added[bucket_of(added_s * 1e6)] += 1

    def _time(self, what: str, route: str, seconds: float) -> None:
        histogram = self._times.get((what, route))
        if histogram is None:
            histogram = self._times[(what, route)] = _Histogram(_SECONDS)
        histogram.add(seconds)

    def _add_shed(self, reason: str) -> None:
        _add(self._shed, reason if reason in SHED_REASONS else OTHER)
        self._minute().shed += 1

    def _add_upstream_error(self, route: str, kind: str) -> None:
        kind = kind.removeprefix("upstream_")
        kind = kind if kind in UPSTREAM_ERRORS else OTHER
        _add(self._upstream_errors, (route if route in self._routes else OTHER, kind))
        self._minute().upstream += 1

    def _add_cut(self, reason: str) -> None:
        _add(self._cut, reason if reason in CUT_REASONS else OTHER)
        self._minute().cut += 1

    def _add_reload(self, outcome: str) -> None:
        _add(self._reloads, outcome if outcome in RELOADS else OTHER)

    def _minute(self) -> _Minute:
        """Where this minute is counted."""
        number = self._newest = self._number(self._clock())
        minute = self._ring[number % _MINUTES]
        if minute.number != number:
            minute.begin(number)
        return minute

    def _number(self, now: float) -> int:
        """The number of this minute. Where the clock was put back a little, the newest there is."""
        number = int(now // 60)
        return max(number, self._newest) if number > self._newest - _MINUTES else number

    # --- what can be seen

    def families(self) -> list[Family]:
        """Everything that was counted, as numbers with names."""
        with self._lock:
            self._take()
            return self._families()

    def metrics(self) -> str:
        """The same in the text format of Prometheus, version 0.0.4."""
        return exposition(self.families())

    def _families(self) -> list[Family]:
        requests = [
            Value(tuple(zip(("route", "dialect", "status", "action"), key, strict=True)), count)
            for key, count in sorted(self._requests.items())
        ]
        upstream_errors = [
            Value((("route", route), ("kind", kind)), count)
            for (route, kind), count in sorted(self._upstream_errors.items())
        ]
        return [
            Family("guardkit_requests_total", "counter", "Requests that were let in", requests),
            self._seconds("request", "How long requests took, the upstream's share included"),
            self._seconds("added", "What guardkit added to requests"),
            self._seconds("upstream", "How long the upstream took"),
            Family(
                "guardkit_upstream_errors_total",
                "counter",
                "Upstream calls that failed",
                upstream_errors,
            ),
            _counted("requests_shed", "reason", "Requests turned away", self._shed),
            Family(
                "guardkit_requests_inside",
                "gauge",
                "Requests under way",
                [Value((), self._inside)],
            ),
            _counted("streams_cut", "reason", "Streams ended before their end", self._cut),
            _counted("reloads", "outcome", "Policies loaded anew", self._reloads),
            Family(
                "guardkit_stream_hold_chars",
                "histogram",
                "Characters a stream held back when they were most",
                spreads=[self._held.spread(())] if self._held.number else (),
            ),
        ]

    def _seconds(self, what: str, says: str) -> Family:
        spreads = [
            histogram.spread((("route", route),))
            for (which, route), histogram in sorted(self._times.items(), key=lambda item: item[0])
            if which == what
        ]
        return Family(f"guardkit_{what}_seconds", "histogram", says, spreads=spreads)

    def snapshot(self) -> dict[str, Any]:
        """Plain data for the console: totals, the last hour by minute, rates and quantiles.

        Returns:
            `since` and `at` in seconds since 1970, `inside`, `totals`, `hour` (60 minutes, oldest
            first, each with its start), `rates` of the last five minutes, and `whole` and `added`
            with `p50_ms`, `p95_ms` and `p99_ms` of the last hour, None where nothing was timed.
        """
        with self._lock:
            self._take()
            return self._snapshot()

    def _snapshot(self) -> dict[str, Any]:
        now = self._clock()
        newest = self._number(now)
        hour = [
            (number, self._ring[number % _MINUTES])
            for number in range(newest - _MINUTES + 1, newest + 1)
        ]
        shown = [_shown(n, minute if minute.number == n else None) for n, minute in hour]
        kept = [minute for number, minute in hour if minute.number == number]
        return {
            "since": self._since,
            "at": now,
            "inside": self._inside,
            "totals": {
                "requests": sum(self._requests.values()),
                "routes": self._sums(0),
                "dialects": self._sums(1),
                "statuses": self._sums(2),
                "actions": self._sums(3),
                "shed": dict(sorted(self._shed.items())),
                "upstream_errors": _by_last(self._upstream_errors),
                "cut": dict(sorted(self._cut.items())),
                "reloads": dict(sorted(self._reloads.items())),
            },
            "hour": shown,
            "rates": _rates(shown[-5:], min(max(now - self._since, 1.0), 240.0 + now % 60)),
            "whole": _quantiles(minute.whole for minute in kept),
            "added": _quantiles(minute.added for minute in kept),
        }

    def _sums(self, place: int) -> dict[str, int]:
        sums: dict[str, int] = {}
        for key, count in self._requests.items():
            sums[key[place]] = sums.get(key[place], 0) + count
        return dict(sorted(sums.items()))


def _add(counts: dict[Any, int], thing: object) -> None:
    counts[thing] = counts.get(thing, 0) + 1


def _class_of(status: int) -> str:
    return f"{status // 100}xx" if 100 <= status < 600 else OTHER


def _sane(seconds: float) -> float:
    """Not negative and a number: one bad time would spoil a sum for ever."""
    return seconds if seconds >= 0 and isfinite(seconds) else 0.0


def _counted(name: str, label: str, says: str, counts: Mapping[str, int]) -> Family:
    values = [Value(((label, word),), count) for word, count in sorted(counts.items())]
    return Family(f"guardkit_{name}_total", "counter", says, values)


def _by_last(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (_, word), count in sorted(counts.items()):
        sums[word] = sums.get(word, 0) + count
    return dict(sorted(sums.items()))


def _shown(number: int, minute: _Minute | None) -> dict[str, Any]:
    return {
        "at": number * 60,
        "requests": minute.requests if minute else 0,
        "actions": dict(sorted(minute.actions.items())) if minute else {},
        "failed": minute.failed if minute else 0,
        "shed": minute.shed if minute else 0,
        "upstream_errors": minute.upstream if minute else 0,
        "cut": minute.cut if minute else 0,
    }


def _rates(minutes: list[dict[str, Any]], over_s: float) -> dict[str, float | None]:
    """Shares and speeds of the last minutes; a share of nothing is None."""
    requests = sum(minute["requests"] for minute in minutes)
    shed = sum(minute["shed"] for minute in minutes)
    judged = blocked = 0
    for minute in minutes:
        for action, count in minute["actions"].items():
            judged += count if action != NOT_JUDGED else 0
            blocked += count if action == "block" else 0
    failed = sum(minute["failed"] for minute in minutes)
    came = requests + shed
    return {
        "requests_per_s": round(requests / over_s, 3),
        "blocked": round(blocked / judged, 6) if judged else None,
        "failed": round(failed / requests, 6) if requests else None,
        "shed": round(shed / came, 6) if came else None,
    }


def _quantiles(arrays: Iterable[array[int]]) -> dict[str, float | int | None]:
    sums = [0] * BUCKETS
    for counts in arrays:
        for bucket, count in enumerate(counts):
            sums[bucket] += count
    times = Times(sum(sums), 0, {bucket: count for bucket, count in enumerate(sums) if count})
    found: dict[str, float | int | None] = {"count": times.number}
    for name, share in _QUANTILES:
        us = times.quantile(share)
        found[name] = us if us is None else round(us / 1000, 3)
    return found
