"""What was counted lately, in fixed memory: a window of 60 parts, and windows of many things."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from typing import Final, NamedTuple

from ._changes import PARTS


class Answers(NamedTuple):
    """So many answers of each kind."""

    yes: int
    no: int
    unknown: int

    @property
    def known(self) -> int:
        return self.yes + self.no


class Window:
    """The answers of the last so many seconds, exact to a 60th of them.

    Args:
        over_s: How long it is.
    """

    __slots__ = ("_no", "_part_s", "_parts", "_unknown", "_yes")

    def __init__(self, over_s: float) -> None:
        self._part_s = over_s / PARTS
        self._parts: deque[list[int]] = deque()  # [number of the part, yes, no, unknown]
        self._yes = self._no = self._unknown = 0

    def add(self, now: float, yes: int, no: int, unknown: int) -> None:
        """Count answers of this moment."""
        number = int(now / self._part_s)
        parts = self._parts
        if not parts or parts[-1][0] != number:
            self._turn(number)
            if not parts or parts[-1][0] != number:
                parts.append([number, 0, 0, 0])
        part = parts[-1]
        part[1] += yes
        part[2] += no
        part[3] += unknown
        self._yes += yes
        self._no += no
        self._unknown += unknown

    def counts(self, now: float) -> Answers:
        """The answers that are not too old at this moment."""
        self._turn(int(now / self._part_s))
        return Answers(self._yes, self._no, self._unknown)

    @property
    def since(self) -> float:
        """From when its oldest answers are; 0 without any."""
        return self._parts[0][0] * self._part_s if self._parts else 0.0

    def _turn(self, number: int) -> None:
        """Drop what is too old; where the clock was put back, what it says lies ahead."""
        parts = self._parts
        while parts and parts[0][0] <= number - PARTS:
            self._drop(parts.popleft())
        while parts and parts[-1][0] > number:
            self._drop(parts.pop())

    def _drop(self, part: list[int]) -> None:
        self._yes -= part[1]
        self._no -= part[2]
        self._unknown -= part[3]


Tally = dict[Hashable, int]
"""How often each thing was counted."""

SPANS: Final[Mapping[str, tuple[int, int]]] = {
    "minute": (1, 60),
    "hour": (60, 60),
    "day": (900, 96),
}
"""Each window: the seconds of a part, and how many parts it has."""


class Tallies:
    """Counts things in the last minute, hour and day, and since the beginning.

    One number is written for each thing that is counted; parts are added up when they are over.
    Memory is that of 216 parts times the things there are: whoever counts names a bounded set.
    """

    __slots__ = ("_closed", "_now", "_open", "_second", "total")

    def __init__(self) -> None:
        self.total: Tally = {}
        """Since the beginning, without what `add_up` has not yet added."""
        self._second = -1
        self._now: Tally = {}
        self._open: dict[str, tuple[int, Tally]] = {}
        self._closed: dict[str, deque[tuple[int, Tally]]] = {
            name: deque(maxlen=parts) for name, (_, parts) in SPANS.items()
        }

    def at(self, now: float) -> Tally:
        """Where things of this moment are counted: `tally[thing] = tally.get(thing, 0) + 1`."""
        second = int(now)
        if second != self._second:
            self._turn(second)
        return self._now

    def add_up(self, now: float) -> dict[str, Tally]:
        """Everything by window, and under `all` since the beginning."""
        self._turn(int(now))
        found = {"all": dict(self.total)}
        for name, (size, parts) in SPANS.items():
            sums: Tally = {}
            newest = int(now) // size
            for number, tally in self._parts_of(name):
                if newest - parts < number <= newest:
                    _merge(sums, tally)
            found[name] = sums
        return found

    def _parts_of(self, name: str) -> Iterator[tuple[int, Tally]]:
        yield from self._closed[name]
        if name in self._open:
            yield self._open[name]

    def _turn(self, second: int) -> None:
        """Put what the second that is over counted where it belongs."""
        over, self._second = self._second, second
        tally, self._now = self._now, {}
        if not tally:
            return
        _merge(self.total, tally)
        for name, (size, _) in SPANS.items():
            number = over // size
            begun = self._open.get(name)
            if begun is None or begun[0] != number:
                if begun is not None:
                    self._closed[name].append(begun)
                begun = self._open[name] = (number, {})
            _merge(begun[1], tally)


def _merge(sums: Tally, more: Tally) -> None:
    for thing, count in more.items():
        sums[thing] = sums.get(thing, 0) + count
