"""What the monitor shows: the policies in force, the last hour, rules, alarms, decisions.

Everything here is a name of the operator, a known word or a number. No text that was judged comes
near it.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from guardkit.guard import Guard
from guardkit.plan import Check, Plan, costs_of
from guardkit.types import ACTIONS

from ._drafts import SIZE_KB
from ._past import Past, totals_of
from ._stage import Facts, Stage

MOST_SHOWN: Final = 60
"""Decisions in the list; more of them are looked at for times."""
MOST_RULES: Final = 100
MOST_RELOADS: Final = 20
_MOST_NAME: Final = 200
_WORDS: Final = ("decision", "route", "tenant", "policy", "surface", "action")


class Monitor:
    """Gathers what there is to see, and keeps the last hour of each policy by minute.

    Args:
        stage: The server.
        clock: Seconds since 1970.
    """

    def __init__(self, stage: Stage, clock: Callable[[], float] = time.time) -> None:
        self._stage = stage
        self._clock = clock
        self._past = Past()
        self._prices: dict[str, dict[str, float]] = {}
        """What the compiler says each check costs, by the digest of the policy."""

    def sample(self) -> None:
        """Note the totals of now. Done often, the last hour has no gaps."""
        guards = self._stage.policies()
        self._past.forget_all_but(guards)
        for name, guard in guards.items():
            if guard.monitors is not None:
                self._note(name, guard, guard.monitors.snapshot())

    # Any: a snapshot is plain data of many shapes, here and below.
    def _note(self, name: str, guard: Guard, snapshot: Mapping[str, Any]) -> None:
        totals = totals_of(snapshot["counters"]["all"])
        self._past.note(name, guard.digest, totals, self._clock(), snapshot["since"])

    def shown(self, chosen: str | None) -> dict[str, Any]:
        """Everything the monitor shows.

        Args:
            chosen: The policy that is looked at closely; the first one where it is gone.
        """
        now = self._clock()
        guards = self._stage.policies()
        name = chosen if chosen in guards else next(iter(guards), None)
        recent = self._stage.recent()
        shown: dict[str, Any] = {
            "at": now,
            "chosen": name,
            "policies": [_policy(one, guard) for one, guard in guards.items()],
            "reloads": [_reload(one) for one in reversed(self._stage.reloads()[-MOST_RELOADS:])],
            "traffic": dict(self._stage.traffic()),
            "recent": [_decision(one) for one in reversed(recent[-MOST_SHOWN:])],
            "waiting": len(self._stage.holds().list(state="waiting")),
        }
        if name is not None:
            guard = guards[name]
            known = (name, guard.digest, guard.plan.policy, None)
            own = [one for one in recent if one.get("policy") in known]
            shown["live"] = self._live(name, guard, own, now)
        return shown

    def _live(self, name: str, guard: Guard, recent: Sequence[Facts], now: float) -> dict[str, Any]:
        times = _Times(recent)
        shown: dict[str, Any] = {
            "policy": guard.plan.policy,
            "counted": guard.monitors is not None,
            "checks": self._checks(guard.plan, times),
        }
        fired: Mapping[str, Mapping[str, int]] = {}
        if guard.monitors is not None:
            snapshot: Mapping[str, Any] = guard.monitors.snapshot()
            self._note(name, guard, snapshot)
            hour = snapshot["counters"]["hour"]
            fired = hour["rules"]
            shown["hour"] = hour
            shown["monitors"] = snapshot["monitors"]
            shown["minutes"] = self._past.hour(name, now)
            shown["since"] = snapshot["since"]
        shown["rules"], shown["more_rules"] = _rules(guard.plan, fired, times)
        return shown

    def _checks(self, plan: Plan, times: _Times) -> list[dict[str, Any]]:
        prices = self._prices.get(plan.digest)
        if prices is None:
            live = {guard.digest for guard in self._stage.policies().values()}
            self._prices = {digest: self._prices[digest] for digest in live & self._prices.keys()}
            prices = self._prices[plan.digest] = _prices(plan)
        kinds = {row.name: row.kind for row in plan.checks}
        dearest = sorted(prices, key=lambda name: (-prices[name], name))
        return [
            {
                "name": name,
                "kind": kinds.get(name, ""),
                "priced_us": round(prices[name], 2),
                **times.of(f"check {name}"),
            }
            for name in dearest[:MOST_RULES]
        ]


def _prices(plan: Plan) -> dict[str, float]:
    """What each check costs where it runs, on the surface where it is dearest."""
    found: dict[str, float] = {}
    for cost in costs_of(plan, SIZE_KB).nodes:
        what = plan.nodes[cost.node].what
        for name in what.names if isinstance(what, Check) else ():
            found[name] = max(found.get(name, 0.0), cost.worst_us)
    return found


def _policy(name: str, guard: Guard) -> dict[str, Any]:
    plan = guard.plan
    return {
        "name": name,
        "policy": plan.policy,
        "digest": guard.digest,
        "rules": len(plan.rules),
        "shadow": sum(rule.mode == "shadow" for rule in plan.rules),
        "counted": guard.monitors is not None,
    }


def _rules(
    plan: Plan, fired: Mapping[str, Mapping[str, int]], times: _Times
) -> tuple[list[dict[str, Any]], int]:
    """The rules, those first that fired most; how many more there are."""

    def busy(name: str) -> int:
        return sum(fired.get(name, {}).values())

    rows = sorted(plan.rules, key=lambda row: -busy(row.name))
    shown = [
        {
            "name": row.name,
            "tier": row.tier,
            "severity": row.severity,
            "action": row.action.verb,
            "surfaces": list(row.surfaces),
            "mode": row.mode,
            "share": row.share,
            "counts": dict(fired.get(row.name, {})),
            **times.of(f"rule {row.name}"),
        }
        for row in rows[:MOST_RULES]
    ]
    return shown, max(0, len(rows) - MOST_RULES)


class _Times:
    """How long rules and checks took in the last decisions.

    A check that calls a model has its own time in the ledger. A rule's is that of the verdict on
    which it fired: nobody waits for a rule alone.
    """

    def __init__(self, recent: Iterable[Facts]) -> None:
        self._took: dict[str, list[float]] = defaultdict(list)
        for one in recent:
            records = list(one.get("ledger", ()))
            whole = {
                record["layer"]: record["elapsed_us"]
                for record in records
                if record["by"].partition(" ")[0] == "policy"
            }
            for record in records:
                kind = record["by"].partition(" ")[0]
                us = whole.get(record["layer"], 0.0) if kind == "rule" else record["elapsed_us"]
                if us > 0 and kind in ("rule", "check"):
                    self._took[record["by"]].append(us)
        for took in self._took.values():
            took.sort()

    def of(self, name: str) -> dict[str, Any]:
        """Count, median and the 95th of 100, in microseconds."""
        took = self._took.get(name)
        if not took:
            return {"timed": 0, "p50_us": None, "p95_us": None}
        return {
            "timed": len(took),
            "p50_us": round(_quantile(took, 0.50), 1),
            "p95_us": round(_quantile(took, 0.95), 1),
        }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def _decision(one: Facts) -> dict[str, Any]:
    """A decision with what is known to hold no text, and nothing else."""
    shown: dict[str, Any] = {name: _name(one.get(name)) for name in _WORDS}
    if shown["action"] not in ACTIONS:
        shown["action"] = "none"
    shown["at"] = one.get("at")
    shown["rules"] = [_name(rule) for rule in list(one.get("rules", ()))[:20]]
    ms = one.get("ms")
    shown["ms"] = round(ms, 3) if isinstance(ms, int | float) else None
    return shown


def _reload(one: Facts) -> dict[str, Any]:
    return {
        "at": one.get("at"),
        "policy": _name(one.get("policy")),
        "outcome": _name(one.get("outcome")),
        "digest": _name(one.get("digest")),
        "problems": [str(problem)[:1000] for problem in list(one.get("problems", ()))[:20]],
    }


def _name(value: object) -> str:
    return value[:_MOST_NAME] if isinstance(value, str) else ""
