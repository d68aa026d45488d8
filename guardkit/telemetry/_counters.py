"""Live counters over verdicts and exchanges: names of the policy and numbers, nothing else.

What is counted comes from closed sets: surfaces, layers, actions, and the rules and checks of one
policy. A name that is none of them counts as `other`, so neither memory nor a label can be driven
by what somebody sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, get_args

from guardkit.plan import Plan
from guardkit.types import ACTIONS, LAYERS, SURFACES, Judgement, Ledger, Refusal, Verdict

from ._times import BUCKETS, Times, bucket_of
from ._window import Tallies, Tally

OTHER: Final = "other"
"""What every name counts as that the policy does not have."""

_STANDINGS: Final = ("fired", "exempted", "shadow", "undecided")
_HOLD_STATES: Final = ("approved", "denied", "expired")
_OUTCOMES: Final = ("answered", "refused", "failed")
_REFUSALS: Final = get_args(Refusal)
_JUDGEMENTS: Final = get_args(Judgement)


class Counts:
    """What was counted over one window: a view of one tally."""

    __slots__ = ("_tally",)

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def of(self, what: str) -> Iterator[tuple[tuple[str, ...], int]]:
        """Everything counted under one heading, sorted."""
        found = [
            (thing[1:], count)
            for thing, count in self._tally.items()
            if isinstance(thing, tuple) and thing[0] == what
        ]
        yield from sorted(found)

    def times(self, what: str) -> Times:
        """How long one kind of thing took."""
        buckets = {
            int(thing[2]): count
            for thing, count in self._tally.items()
            if isinstance(thing, tuple) and thing[0] == "us" and thing[1] == what
        }
        return Times(sum(buckets.values()), self._tally.get(("sum us", what), 0), buckets)

    def as_dict(self) -> dict[str, object]:
        """Plain sorted data."""
        surfaces = {
            surface: {
                "events": sum(actions.values()),
                "actions": actions,
                "took": self.times(surface).as_dict(),
            }
            for surface, actions in self._nested("verdict").items()
        }
        return {
            "surfaces": surfaces,
            "rules": self._nested("rule"),
            "unknown": self._sums("unknown"),
            "canary_leaks": self._sums("canary"),
            "closed_sessions": self._sums("closed"),
            "exchanges": {**self._sums("exchange"), "took": self.times("exchange").as_dict()},
            "layers": self._nested("layer"),
            "refusals": self._sums("refusal"),
            "judgements": self._sums("judgement"),
            "holds": {**self._sums("hold"), "waited": self.times("hold").as_dict()},
        }

    def _sums(self, what: str) -> dict[str, int]:
        return {name: count for (name,), count in self.of(what)}

    def _nested(self, what: str) -> dict[str, dict[str, int]]:
        nested: dict[str, dict[str, int]] = {}
        for (name, kind), count in self.of(what):
            nested.setdefault(name, {})[kind] = count
        return nested


class Counters:
    """Counts what it is shown. It has no lock and no clock of its own.

    Args:
        plan: The policy, whose names are the only ones that are counted.
    """

    __slots__ = ("_canaries", "_checks", "_rules", "_said", "_surfaces", "_tallies", "_times")

    def __init__(self, plan: Plan) -> None:
        self._rules = frozenset(row.name for row in plan.rules)
        # A verdict that could not be recorded says so where checks do that could not answer.
        self._checks = frozenset({row.name for row in plan.checks} | {"audit"})
        self._canaries = frozenset(row.name for row in plan.checks if row.kind == "canary")
        self._said = frozenset(f"check {name}" for name in self._canaries)
        self._tallies = Tallies()
        # Made once: a verdict is counted on the way to whoever waits for it.
        self._surfaces = {
            surface: {action: ("verdict", surface, action) for action in (*ACTIONS, OTHER)}
            for surface in (*SURFACES, OTHER)
        }
        self._times = {what: _Timed(what) for what in (*SURFACES, OTHER, "exchange", "hold")}

    def saw(self, verdict: Verdict, now: float) -> bool:
        """Count a verdict; whether rules judged anything for it.

        They did not where a hold was decided that was judged before, and in a closed session.
        """
        tally = self._tallies.at(now)
        records = verdict.records
        if len(records) == 1 and records[0].by == "approval":
            _add(tally, ("hold", _one_of(_HOLD_STATES, records[0].outcome)))
            self._times["hold"].add(tally, records[0].elapsed_us)
            return False
        surface = verdict.surface if verdict.surface in self._surfaces else OTHER
        actions = self._surfaces[surface]
        thing = actions.get(verdict.action, actions[OTHER])
        tally[thing] = tally.get(thing, 0) + 1
        self._times[surface].add(tally, verdict.elapsed_us)
        if verdict.session_closed and not records:
            _add(tally, ("closed", surface))
            return False
        if verdict.hold is not None:
            _add(tally, ("hold", "held"))
        # Most verdicts have none of these.
        if verdict.fired or verdict.exempted or verdict.shadow or verdict.undecided:
            for standing in _STANDINGS:
                for name in getattr(verdict, standing):
                    _add(tally, ("rule", name if name in self._rules else OTHER, standing))
        for name in verdict.unknown:
            _add(tally, ("unknown", name if name in self._checks else OTHER))
        if self._canaries and self._leaks(verdict):
            _add(tally, ("canary", surface))
        return True

    def ended(self, ledger: Ledger, now: float) -> None:
        """Count an exchange."""
        tally = self._tallies.at(now)
        outcome = _one_of(_OUTCOMES, ledger.outcome)
        _add(tally, ("exchange", outcome))
        if ledger.layer is not None:
            _add(tally, ("layer", _one_of(LAYERS, ledger.layer), outcome))
        _add(tally, ("refusal", _one_of(_REFUSALS, ledger.refusal)))
        _add(tally, ("judgement", _one_of(_JUDGEMENTS, ledger.judgement)))
        self._times["exchange"].add(tally, ledger.elapsed_us)

    def counts(self, now: float) -> dict[str, Counts]:
        """What was counted in the last minute, hour and day, and in all."""
        return {name: Counts(tally) for name, tally in self._tallies.add_up(now).items()}

    def _leaks(self, verdict: Verdict) -> bool:
        return any(found.check in self._canaries for found in verdict.findings) or any(
            record.outcome == "yes" and record.by in self._said for record in verdict.records
        )


def _add(tally: Tally, thing: tuple[object, ...]) -> None:
    tally[thing] = tally.get(thing, 0) + 1


class _Timed:
    """Counts how long one kind of thing took."""

    __slots__ = ("_buckets", "_sum")

    def __init__(self, what: str) -> None:
        self._buckets = tuple(("us", what, bucket) for bucket in range(BUCKETS))
        self._sum = ("sum us", what)

    def add(self, tally: Tally, us: float) -> None:
        thing = self._buckets[bucket_of(us)]
        tally[thing] = tally.get(thing, 0) + 1
        tally[self._sum] = tally.get(self._sum, 0) + int(us)


def _one_of(known: Iterable[str], name: str) -> str:
    return name if name in known else OTHER
