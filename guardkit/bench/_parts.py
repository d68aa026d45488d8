"""What calls are made of: the scan, every other check, every rule, each by itself."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

from guardkit.errors import BindError
from guardkit.guard import Guard
from guardkit.plan import Plan

from ._alone import only_checks, only_rule, rules_of
from ._calls import time_alone
from ._lanes import Lane
from ._machine import Watch
from ._quantiles import Spread, spread_of
from ._report import Part, RuleTime

_SHORTEST_S: Final = 0.01
"""Less time says nothing of a check or a rule."""


def parts_of(
    lane: Lane,
    bind: Callable[[Plan], Guard] | None,
    seconds: float,
    watch: Watch,
) -> tuple[tuple[Part, ...], tuple[RuleTime, ...], int]:
    """Where the time of a call goes, every rule alone, and how many there was no time for."""
    plan, surface, usual = lane.asking.guard.plan, lane.surface, lane.usual
    others = [check for check in lane.checks if not check.is_scanned]
    scanned = [check for check in lane.checks if check.is_scanned]
    rules = rules_of(plan, surface)
    single = scanned if len(scanned) > 1 else []  # one is the scan itself
    each = max(seconds / max(len(others) + len(rules) + len(single), 1), _SHORTEST_S)
    until = perf_counter() + seconds
    left_out = 0

    def alone(part: Plan) -> Spread | None:
        nonlocal left_out
        if bind is None:
            return None
        if perf_counter() >= until:
            left_out += 1
            return None
        watch.tick()
        try:
            spread = time_alone(lane.asking.about(bind(part)), usual.texts, each)
        except BindError:  # it needs something that is not part of it
            spread = None
        left_out += spread is None
        return spread

    whole = rest = usual.mean
    parts: list[Part] = []
    if lane.scan is not None:
        _, scan = lane.scan
        took = min(scan.mean, whole)
        rest -= took
        parts.append(Part(scan.name, "scan", False, None, took / whole, spread_of(scan.rounds)))
    for check in others:
        asked = usual.asked[check.name] / usual.calls
        spread = alone(only_checks(plan, surface, [check]))
        took = usual.took[check.name] / usual.calls
        if lane.asking.clock_name == "cpu" and spread is not None:
            took = asked * spread.mean  # verdicts have the time of the wall
        took = min(took, rest)
        rest -= took
        parts.append(Part(check.name, check.kind, False, asked, took / whole, spread))
    if lane.scan is not None or not scanned:
        parts.append(Part("the rest", "rest", False, None, max(rest, 0.0) / whole, None))
    found = []
    for name in rules:
        spread = alone(only_rule(plan, surface, name))
        if spread is not None:
            found.append(RuleTime(name, spread))
    # One by one last: there may be hundreds of them, and the scan asks them all at once.
    for check in single:
        spread = alone(only_checks(plan, surface, [check]))
        if spread is not None:
            parts.append(Part(check.name, check.kind, True, None, None, spread))
    return tuple(parts), tuple(found), left_out
