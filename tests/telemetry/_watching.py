"""Policies that watch something, guards that are listened to, and a clock that stands still."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from guardkit.guard import CATALOG, Guard, data_of, loads
from guardkit.plan import Plan
from guardkit.runtime import Machine
from guardkit.telemetry import Alarm, Monitors
from guardkit.types import Ledger, Record, Surface, Verdict

CANARY = "Zx9-quartz-OMEGA"
"""Stands in every text that is judged, and may stand nowhere else."""

HEAD = 'guardkit 1\npolicy watched\n  title "Watched"\n  owner "a@b.example"\n  version "1"\n'

POLICY = (
    HEAD
    + """
defaults {
  budget refusals 5%
}

context {
  say "You sell bicycles."
  canary
}

check forbidden = pattern { match /FORBIDDEN/ }
check shouting  = pattern { match /LOUD/ }
check pleasant  = pattern { match /PLEASE/ }
check tone      = python { call "m:f"  answers score }
check leaked    = canary { }
check bicycles  = pattern { match /bicycle/ }

model {
  answers bicycles
}

rule stop {
  tier safety
  on   input, output
  when forbidden
  then block "No."
}

rule quietly {
  tier safety
  mode shadow
  on   input
  when shouting
  then block "No."
}

rule rude {
  tier ethics
  on   input
  when tone >= 0.5
  then flag
}

rule no_leak {
  tier safety
  on   output
  when leaked
  then block "No."
}

exempt stop {
  tier   safety
  when   context.team == "red"
  owner  "a@b.example"
  reason "exercise"
  until  2090-01-01
}

monitor attacks {
  watch stop on input
  alarm above 5% over 1h
}

monitor stops {
  watch stop
  alarm above 5% over 1h
}

monitor loud {
  watch quietly
  alarm above 10% over 10m
}

monitor tones {
  watch rude
  alarm above 5% over 1h
}

monitor courtesy {
  watch pleasant on output
  alarm below 50% over 1h
}
"""
)


class Clock:
    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Tone:
    """A check of the program's own: fails, or says how rude a text is."""

    def __init__(self) -> None:
        self.fails = False

    def __call__(self, text: str) -> float:
        if self.fails:
            raise ValueError(text)
        return 0.9 if "RUDE" in text else 0.1


@cache
def plan_of(text: str) -> Plan:
    return loads(text, checks=checks_of(text, Tone())).plan


def checks_of(text: str, tone: Tone) -> dict[str, Any]:
    return {"tone": tone} if "check tone" in text else {}


def watching(text: str = POLICY) -> tuple[Guard, Monitors, Clock, list[Alarm], Tone]:
    """A guard that tells monitors of every verdict, and the alarms they gave."""
    clock, alarms, tone = Clock(), list[Alarm](), Tone()
    plan = plan_of(text)
    monitors = Monitors(plan, clock=clock, alarms=[alarms.append])
    machine = Machine(data_of(Path()), checks_of(text, tone), watches=True)
    guard = Guard(plan, catalog=CATALOG, machine=machine, monitors=monitors)
    return guard, monitors, clock, alarms, tone


def verdict(
    surface: Surface = "output", *records: Record, fired: tuple[str, ...] = (), **more: Any
) -> Verdict:
    action = more.pop("action", "block" if fired else "pass")
    return Verdict(action, CANARY, surface, "d", 250.0, fired=fired, records=records, **more)


def shown(monitors: Monitors, name: str) -> dict[str, Any]:
    """One monitor of a snapshot."""
    snapshot: Any = monitors.snapshot()
    return next(entry for entry in snapshot["monitors"] if entry["monitor"] == name)


def counted(monitors: Monitors, window: str = "all") -> dict[str, Any]:
    snapshot: Any = monitors.snapshot()
    found: dict[str, Any] = snapshot["counters"][window]
    return found


def ledger(outcome: Any = "answered", **more: Any) -> Ledger:
    return Ledger(outcome, elapsed_us=1_500_000.0, **more)
