"""Work and its floor, measured in turns: one definition that suites, targets and the gate share.

A lap does both on inputs of its own. What others do on the machine meets both alike, so the ratio
within a lap says more than a time; the middle of several laps says more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from guardkit.bench import ranks


class Lap(NamedTuple):
    """Seconds of one lap."""

    floor: Sequence[float]
    work: Sequence[float]
    base: Sequence[float] = ()
    """What both contain and neither is to blame for: the call that is guarded."""
    notes: dict[str, float] = {}  # noqa: RUF012 - never written to
    """What else was seen: a share, the first stream, a tail."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something that a guard does, beside the least that would do the same."""

    id: str
    what: str
    floor: str
    lap: Callable[[int], Lap]
    """Both, on the inputs of this number. Two numbers share no input."""
    prove: Callable[[], None]
    """Asserts the answers."""
    once: Callable[[], object]
    """The work once more, on the next input."""
    laps: int = 9
    notes: dict[str, str] = field(default_factory=dict)
    """What the notes of a lap mean."""


def in_turns(
    floor: Callable[[Any], object],
    work: Callable[[Any], object],
    inputs: Iterable[Any],
    clock: Callable[[], float] = perf_counter,
) -> Lap:
    """Both on each input. Which one meets it first, with cold memory, alternates."""
    floors: list[float] = []
    works: list[float] = []
    for number, item in enumerate(inputs):
        first, second = (floor, work) if number % 2 else (work, floor)
        a = clock()
        first(item)
        b = clock()
        second(item)
        c = clock()
        one, other = (b - a, c - b) if number % 2 else (c - b, b - a)
        floors.append(one)
        works.append(other)
    return Lap(floors, works)


class Middle(NamedTuple):
    """The middle of the laps, and between which values it lies with 95 % certainty."""

    value: float
    low: float | None
    """None where too few laps were made to know."""
    high: float | None


def middle(values: Sequence[float]) -> Middle:
    """The median and its interval of order statistics: from six values on there is one."""
    ordered = sorted(values)
    low, high = ranks(len(ordered), 0.5)
    return Middle(
        median(ordered),
        None if low is None else ordered[low],
        None if high is None else ordered[high],
    )


class Measured(NamedTuple):
    """What the laps said, in seconds."""

    floor: Middle
    work: Middle
    added: Middle
    """The work without what it is not to blame for."""
    ratio: Middle
    notes: dict[str, Middle]


def measured(work: Work, laps: int | None = None) -> Measured:
    """Prove the answers, warm up with a lap that does not count, then go round."""
    work.prove()
    work.lap(0)
    return summed([work.lap(number) for number in range(1, 1 + (laps or work.laps))])


def summed(laps: Sequence[Lap]) -> Measured:
    """The middles of the laps. The ratio is that within each lap."""
    floors = [median(lap.floor) for lap in laps]
    works = [median(lap.work) for lap in laps]
    bases = [median(lap.base) if lap.base else 0.0 for lap in laps]
    notes = {name: middle([lap.notes[name] for lap in laps]) for name in laps[0].notes}
    return Measured(
        middle(floors),
        middle(works),
        middle([work - base for work, base in zip(works, bases, strict=True)]),
        middle([work / floor for work, floor in zip(works, floors, strict=True)]),
        notes,
    )
