"""The monitors of one policy, live: fed by verdicts and exchanges, heard by listeners."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, NamedTuple

from guardkit._util.forks import renewed_after_fork
from guardkit._util.values import format_duration
from guardkit.plan import Plan
from guardkit.types import SURFACES, Ledger, Verdict

from ._alarms import Alarm, LogAlarm, Sink, Sinks, alarm_of, name_of
from ._changes import Direction
from ._counters import Counters
from ._metrics import Listener, Live, as_metrics
from ._monitor import Monitor, Reading, Ring

BUDGET: Final = "budget refusals"
"""The monitor that `budget refusals N%` makes. No `monitor` block can have this name."""
BUDGET_OVER_MS: Final = 3_600_000

_MODEL_SIDE: Final = ("context", "weights", "model", "provider")
_YES: Final = (1, 0, 0)
_NO: Final = (0, 1, 0)
_UNKNOWN: Final = (0, 0, 1)
_ANSWERS: Final = {"yes": _YES, "no": _NO}

Answer = tuple[int, int, int]
"""One answer, as so many that are yes, no and unknown."""


class _Watched(NamedTuple):
    """One monitor of the policy and what it watches."""

    name: str
    watches: str
    """`rule NAME`, `condition`, or `over-refusals` and `refusals` for the budget."""
    direction: Direction
    bound: float
    over_ms: int
    monitor: Monitor


class Monitors:
    """Counts what a guard decides, and rings where a rate that the policy watches leaves its bound.

    A monitor on a rule counts the events of that rule's surfaces: yes where the rule fired, in
    shadow too; no where it was silent or exempted; unknown where an unknown reached it. A monitor
    on a condition counts what that condition came to. `budget refusals N%` is a monitor of its own
    over one hour: the share of exchanges that were over-refusals.

    It may be used from any number of threads and raises nothing.

    Args:
        plan: The compiled policy.
        clock: Seconds since 1970.
        alarms: Who is told when a monitor rings or stops: `LogAlarm`, `Webhook`, any callable.

    Example:
        >>> monitors = Monitors(plan, alarms=[LogAlarm(), print])  # doctest: +SKIP
        >>> monitors.saw(guard.check("hello"))  # doctest: +SKIP
    """

    def __init__(
        self,
        plan: Plan,
        *,
        clock: Callable[[], float] = time.time,
        alarms: Iterable[Sink] = (LogAlarm(),),
    ) -> None:
        self._policy, self._digest = plan.policy, plan.digest
        self._clock = clock
        self._since = clock()
        self._counters = Counters(plan)
        self._sinks = Sinks(alarms)
        self._rules: dict[str, list[tuple[str, _Watched]]] = {name: [] for name in SURFACES}
        self._conditions: dict[str, list[tuple[str, _Watched]]] = {name: [] for name in SURFACES}
        self._all: list[_Watched] = []
        self._budget: _Watched | None = None
        self._has_answers = bool(plan.model.answers)
        self._place(plan)
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = Lock()
        self._news: deque[Verdict | Ledger] = deque()
        self._sinks.renew()

    def __repr__(self) -> str:
        return f"<Monitors {self._policy}: {len(self._all)}>"

    def _place(self, plan: Plan) -> None:
        """Which monitors see the events of which surface."""
        for row in plan.monitors:
            by = "condition" if row.rule is None else f"rule {row.rule}"
            watched = _watched(row.name, by, row.direction, row.rate, row.over_ms)
            self._all.append(watched)
            if row.rule is None:
                for root in plan.roots:
                    if root.role == "watch" and root.name == row.name:
                        self._conditions[root.surface].append((f"monitor {row.name}", watched))
                continue
            surfaces = plan.rule(row.rule).surfaces if row.surface is None else (row.surface,)
            # What is said of the conversation is asked after every event.
            for surface in SURFACES if "conversation" in surfaces else surfaces:
                self._rules[surface].append((row.rule, watched))
        share = plan.limits.refusals
        if share is not None and share < 1:
            by = "over-refusals" if self._has_answers else "refusals"
            self._budget = _watched(BUDGET, by, "above", share, BUDGET_OVER_MS)
            self._all.append(self._budget)
        self._all.sort(key=lambda watched: watched.name)

    # --- what comes in

    def saw(self, verdict: Verdict) -> None:
        """A text or a tool call was judged."""
        self._news.append(verdict)
        self._hear()

    def ended(self, ledger: Ledger) -> None:
        """An exchange came to its end."""
        self._news.append(ledger)
        self._hear()

    def _hear(self) -> None:
        # The interpreter may finalize somebody's stream in any line below, and that tells what its
        # exchange came to: news wait in a queue, and whoever holds the lock takes all of them.
        while self._news and self._lock.acquire(blocking=False):
            alarms: list[Alarm] = []
            try:
                while self._news:
                    alarms += self._counted(self._news.popleft(), self._clock())
            finally:
                self._lock.release()
            if alarms:
                self._sinks.tell(alarms)

    def _counted(self, news: Verdict | Ledger, now: float) -> list[Alarm]:
        if isinstance(news, Verdict):
            return self._watch(news, now) if self._counters.saw(news, now) else []
        self._counters.ended(news, now)
        if self._budget is None:
            return []
        return self._take(self._budget, self._refusal(news), now)

    def _watch(self, verdict: Verdict, now: float) -> list[Alarm]:
        alarms: list[Alarm] = []
        rules = self._rules.get(verdict.surface)
        conditions = self._conditions.get(verdict.surface)
        if rules:
            is_unread = _is_unread(verdict)
            for rule, watched in rules:
                answer = _UNKNOWN if is_unread else _rule_answer(rule, verdict)
                alarms += self._take(watched, answer, now)
        if conditions:
            said = {record.by: record.outcome for record in verdict.records}
            for by, watched in conditions:
                # A verdict that does not say is one on which the condition was not asked.
                alarms += self._take(watched, _ANSWERS.get(said.get(by, ""), _UNKNOWN), now)
        return alarms

    def _refusal(self, ledger: Ledger) -> Answer:
        """Whether an exchange counts against the budget; one that failed shows nothing."""
        if ledger.outcome == "failed":
            return _UNKNOWN
        if ledger.judgement == "over-refusal":
            return _YES
        # A policy that does not say what is to be answered counts what its model refuses.
        is_counted = not self._has_answers and ledger.layer in _MODEL_SIDE
        return _YES if is_counted and ledger.judgement == "refused" else _NO

    def _take(self, watched: _Watched, answer: Answer, now: float) -> list[Alarm]:
        rings = watched.monitor.observe(now, *answer)
        return [self._alarm(watched, ring) for ring in rings] if rings else []

    def _alarm(self, watched: _Watched, ring: Ring) -> Alarm:
        return alarm_of(
            ring,
            policy=self._policy,
            monitor=watched.name,
            direction=watched.direction,
            bound=watched.bound,
            over_s=watched.over_ms / 1000,
        )

    # --- what can be seen

    def snapshot(self) -> dict[str, object]:
        """Everything there is to see now, as plain sorted data: counters, monitors, listeners.

        Counters are given for the last minute, hour and day, and for all since the beginning.
        """
        now, live = self._live()
        return {
            "policy": live.policy,
            "digest": live.digest,
            "since": self._since,
            "at": now,
            "counters": {name: counts.as_dict() for name, counts in live.counts.items()},
            "monitors": [
                _shown(watched, reading)
                for watched, (_, reading) in zip(self._all, live.readings, strict=True)
            ],
            "listeners": [listener._asdict() for listener in live.listeners],
        }

    def metrics(self) -> str:
        """The counters and the monitors in the text format of Prometheus, version 0.0.4."""
        return as_metrics(self._live()[1])

    def _live(self) -> tuple[float, Live]:
        with self._lock:
            now = self._clock()
            counts = self._counters.counts(now)
            readings = [(watched, watched.monitor.reading(now)) for watched in self._all]
        self._hear()  # what came meanwhile
        sinks = self._sinks
        listeners = [
            Listener(name_of(sink), failed, getattr(sink, "sent", None), _dropped(sink))
            for sink, failed in zip(sinks.sinks, sinks.failed, strict=True)
        ]
        shown = [((watched.name, watched.bound), reading) for watched, reading in readings]
        return now, Live(self._policy, self._digest, counts, shown, listeners, sinks.dropped)


def _watched(name: str, by: str, direction: Direction, bound: float, over_ms: int) -> _Watched:
    return _Watched(name, by, direction, bound, over_ms, Monitor(bound, over_ms / 1000, direction))


def _rule_answer(rule: str, verdict: Verdict) -> Answer:
    if rule in verdict.undecided:
        return _UNKNOWN
    return _YES if rule in verdict.fired or rule in verdict.shadow else _NO


def _is_unread(verdict: Verdict) -> bool:
    """Whether nothing could be judged: an image, a file, arguments that are no JSON."""
    records = verdict.records
    return bool(records) and records[0].by == "policy" and records[0].outcome == "unread"


def _dropped(sink: Sink) -> int:
    dropped = getattr(sink, "dropped", 0)
    return dropped if isinstance(dropped, int) else 0


def _shown(watched: _Watched, reading: Reading) -> dict[str, object]:
    return {
        "monitor": watched.name,
        "watches": watched.watches,
        "direction": watched.direction,
        "bound": watched.bound,
        "over": format_duration(watched.over_ms),
        "rate": reading.rate,
        "low": reading.low,
        "high": reading.high,
        "yes": reading.window.yes,
        "known": reading.window.known,
        "unknown": reading.window.unknown,
        "nearness": round(reading.nearness, 4),
        "ringing_since": reading.ringing_since,
        "blind_since": reading.blind_since,
        "alarms": reading.alarms,
    }
