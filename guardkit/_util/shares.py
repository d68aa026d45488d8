"""So many of so many, and what that says of those one has not seen."""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

_SURE: Final = 1.959963984540054
"""Of a hundred intervals this wide, 95 hold what they are about."""


class Share(NamedTuple):
    """So many of so many."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """None of none."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 %."""
        return wilson(self.hits, self.of)

    @property
    def shown(self) -> str:
        """`92.1% (90.0-93.8)`: what it is, and where it lies; nothing of none."""
        if self.value is None:
            return ""
        low, high = self.interval
        return f"{self.value:.1%} ({100 * low:.1f}-{100 * high:.1f})"


def wilson(hits: int, count: int, confidence: float | None = None) -> tuple[float, float]:
    """Where a share lies, after so many hits; anything is possible after none.

    Args:
        hits: How many it was.
        count: Of how many.
        confidence: How sure each *side* is by itself; 95 % for both together when left out.
    """
    if not count:
        return 0.0, 1.0
    sure = _SURE if confidence is None else _quantile(confidence)
    share, spread = hits / count, sure * sure / count
    middle = (share + spread / 2) / (1 + spread)
    half = sure / (1 + spread) * sqrt(share * (1 - share) / count + spread / (4 * count))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == count else min(1.0, middle + half)


def _quantile(confidence: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(confidence)
