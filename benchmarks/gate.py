"""Says no when guardkit became slower: `python -m benchmarks.gate`; `--update` records anew.

Two gates, a quarter each. **Counts** of what Python runs for one call are the same on every run,
so they come first; they do not see inside of C code. **Ratios** see all: the time of a work against
its floor in the same process, each input at its best of several laps, and more laps before a no.
What else runs on the machine can make a time longer, never shorter, so the best of some laps is
near the truth, and near it for both. `gate.json` holds what was recorded.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any, NamedTuple

from . import works
from .counts import Counts, all_counts
from .pairs import Lap, Work

RECORDED = Path(__file__).parent / "gate.json"
TOLERANCE = 0.25
FIRST_LAPS, MOST_LAPS, TIMES_TO_RECORD = 4, 24, 5
PYTHON = "{}.{}".format(*sys.version_info)

WORKS: tuple[Callable[[], Work], ...] = (
    partial(works.w1, 200),
    works.w1,
    partial(works.w1, 8192),
    partial(works.w1, views="raw"),
    works.w1h,
    works.w2,
    partial(works.w3, thread_time),
    works.w4,
    partial(works.w8_sixty, thread_time),
    partial(works.w8, 50, thread_time),
)


class Found(NamedTuple):
    """One number beside the recorded one."""

    id: str
    of: str
    now: float
    recorded: float | None
    laps: int = 0

    @property
    def change(self) -> float:
        """1.25 is a quarter more than recorded; what was not recorded is as bad as it gets."""
        return self.now / self.recorded if self.recorded else float("inf")

    @property
    def is_slower(self) -> bool:
        """Whether the gate says no."""
        return self.change > 1 + TOLERANCE


# --- counts


def counts_beside(recorded: dict[str, Any]) -> list[Found]:
    """What Python runs now for each work, beside what was recorded for this version of Python."""
    before = recorded["counts"].get(PYTHON, {})
    found = []
    for id, counts in all_counts().items():
        known = before.get(id, [None] * len(counts))
        for name, now, then in zip(Counts._fields, counts, known, strict=True):
            found.append(Found(id, name, now, then))
    return found


# --- ratios


class Best:
    """The shortest time of each input so far, for a work and for its floor."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.laps = 0
        self._floor: list[float] = []
        self._work: list[float] = []

    def go(self, laps: int = 1) -> None:
        """More laps, always over the same inputs."""
        if not self.laps:
            self.work.prove()
            self.work.lap(0)  # warm
        for _ in range(laps):
            self.add(self.work.lap(1))

    def add(self, lap: Lap) -> None:
        """One lap more."""
        self._floor = _shorter(self._floor, lap.floor)
        self._work = _shorter(self._work, lap.work)
        self.laps += 1

    @property
    def work_s(self) -> float:
        """What one input takes, on average."""
        return sum(self._work) / len(self._work)

    @property
    def ratio(self) -> float:
        """The work against its floor, all inputs together."""
        return sum(self._work) / sum(self._floor)


def _shorter(known: Sequence[float], found: Sequence[float]) -> list[float]:
    return [min(pair) for pair in zip(known, found, strict=True)] if known else [*found]


def ratios_beside(
    recorded: dict[str, Any], made: Sequence[Callable[[], Work]] = WORKS, most: int = MOST_LAPS
) -> Iterator[Found]:
    """Each ratio beside the recorded one. Only what looks slower gets more laps, up to `most`."""
    for make in made:
        best = Best(make())
        best.go(min(FIRST_LAPS, most))
        while (found := _found(best, recorded)).is_slower and best.laps < most:
            best.go()
        yield found


def _found(best: Best, recorded: dict[str, Any]) -> Found:
    return Found(best.work.id, "ratio", best.ratio, recorded["ratios"].get(best.work.id), best.laps)


# --- the command


def recorded_now() -> dict[str, Any]:
    """What is recorded."""
    found: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return found


def update() -> None:
    """Record how it is now; counts of other versions of Python stay."""
    before = recorded_now() if RECORDED.exists() else {"counts": {}}
    counts = before["counts"] | {PYTHON: {id: list(c) for id, c in all_counts().items()}}
    ratios = {}
    for make in WORKS:
        id, ratio = _usual(make)
        ratios[id] = round(ratio, 4)
        print(f"{id:10} {ratio:.3f}", flush=True)
    made = {
        "recorded": {
            "date": datetime.now(UTC).date().isoformat(),
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
        "counts": dict(sorted(counts.items())),
        "ratios": ratios,
    }
    RECORDED.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _usual(make: Callable[[], Work]) -> tuple[str, float]:
    """What the gate usually sees first: the middle of some times that it looks."""
    ratios = []
    for _ in range(TIMES_TO_RECORD):
        best = Best(make())
        best.go(FIRST_LAPS)
        ratios.append(best.ratio)
    return best.work.id, median(ratios)


def said(found: Found) -> str:
    """A line about one number."""
    then = "nothing recorded" if found.recorded is None else f"{found.recorded:.6g} recorded"
    laps = f", {found.laps} laps" if found.laps else ""
    note = " SLOWER" if found.is_slower else ""
    if found.change < 1 - TOLERANCE:
        note = " faster: record it with --update"
    return f"{found.id:10} {found.of:12} {found.now:12.6g} {then}, {found.change:.2f}×{laps}{note}"


def main() -> None:
    """Both gates, or record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--update", action="store_true", help="record how it is now")
    parser.add_argument("--counts", action="store_true", help="only the counts, in some seconds")
    given = parser.parse_args()
    if given.update:
        update()
        return
    recorded = recorded_now()
    slower = 0
    if PYTHON in recorded["counts"]:
        for found in counts_beside(recorded):
            print(said(found))
            slower += found.is_slower
    else:
        print(f"no counts are recorded for Python {PYTHON}", file=sys.stderr)
    if not given.counts:
        for found in ratios_beside(recorded):
            print(said(found), flush=True)
            slower += found.is_slower
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
