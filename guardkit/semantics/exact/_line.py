"""An ordered line cut into stretches: which of them a comparison holds in, a value inside each."""

from __future__ import annotations

import math
from bisect import bisect_left


class Line:
    """Cut by every comparison first, then `settle`, then ask.

    A cut lies just before (0) or just after (1) a bound; stretch n lies between cuts n-1 and n.
    Cuts with nothing on one side of them are dropped, so no stretch is empty.

    Example:
        >>> line = Line(0.0, 1.0)
        >>> line.cut(">=", 0.3); line.cut("<", 0.8); line.settle()
        >>> line.size, list(line.where(">=", 0.3)), [line.inside(n) for n in range(3)]
        (3, [1, 2], [0.1, 0.6, 0.9])
    """

    __slots__ = ("_cuts", "_high", "_integral", "_low", "_made")

    def __init__(
        self, low: float = -math.inf, high: float = math.inf, *, is_integral: bool = False
    ) -> None:
        self._low, self._high, self._integral = low, high, is_integral
        self._made: set[tuple[float, int]] = set()
        self._cuts: list[tuple[float, int]] = []

    def cut(self, op: str, bound: float) -> None:
        """Cut where a comparison changes its answer."""
        if op in (">=", "<", "==", "!="):
            self._made.add(self._cut_at(bound, 0))
        if op in (">", "<=", "==", "!="):
            self._made.add(self._cut_at(bound, 1))

    def _cut_at(self, bound: float, after: int) -> tuple[float, int]:
        if not self._integral:
            return bound, after
        return float(math.floor(bound) + 1 if after else math.ceil(bound)), 0

    def settle(self) -> None:
        """End the cutting."""
        inside = [cut for cut in self._made if (self._low, 0) < cut < (self._high, 1)]
        self._cuts = sorted(inside)

    @property
    def size(self) -> int:
        """How many stretches there are."""
        return len(self._cuts) + 1

    def where(self, op: str, bound: float) -> range | list[int]:
        """The stretches in which a comparison holds."""
        # The number of the first stretch that lies beyond the cut.
        before = self._beyond(self._cut_at(bound, 0))
        after = self._beyond(self._cut_at(bound, 1))
        match op:
            case ">=":
                return range(before, self.size)
            case ">":
                return range(after, self.size)
            case "<":
                return range(before)
            case "<=":
                return range(after)
            case "==":
                return range(before, after)
            case _:
                return [*range(before), *range(after, self.size)]

    def _beyond(self, cut: tuple[float, int]) -> int:
        if cut <= (self._low, 0):
            return 0
        if cut >= (self._high, 1):
            return self.size
        return bisect_left(self._cuts, cut) + 1

    def inside(self, stretch: int) -> float:
        """A short number that lies in a stretch."""
        low = self._cuts[stretch - 1] if stretch > 0 else (self._low, 0)
        high = self._cuts[stretch] if stretch < len(self._cuts) else (self._high, 1)
        if self._integral:
            return low[0] if math.isfinite(low[0]) else high[0] - 1
        return between(low, high)


def between(low: tuple[float, int], high: tuple[float, int]) -> float:
    """The shortest decimal near the middle of two cuts, an end of the line being infinite."""
    (a, _), (b, b_after) = low, high
    if a == b:
        return a
    if math.isinf(a) and math.isinf(b):
        return 0.0
    if math.isinf(a):
        return b - 1
    if math.isinf(b):
        return a + 1
    middle = (a + b) / 2
    for digits in range(12):
        value = round(middle, digits)
        if a < value < b:
            return value
    return middle if a < middle < b else (b if b_after else a)
