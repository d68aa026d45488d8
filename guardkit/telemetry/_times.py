"""Durations in buckets that double: a whole day of them in a hundred numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Final, NamedTuple

BUCKETS: Final = 121
"""How many there are; the last one is for everything longer than 17 minutes."""
_STEPS: Final = 4
"""Buckets per doubling: a quantile is at most a tenth off."""
_QUANTILES: Final = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))


def bucket_of(us: float) -> int:
    """The bucket of so many microseconds."""
    return min(int(_STEPS * log2(us)), BUCKETS - 1) if us > 1.0 else 0


class Times(NamedTuple):
    """A histogram of durations in microseconds."""

    number: int
    sum_us: int
    buckets: Mapping[int, int]
    """How many fell into each bucket that is not empty."""

    def quantile(self, q: float) -> float | None:
        """Microseconds, as near as the buckets tell; None of none."""
        wanted = q * self.number
        reached = 0
        for bucket in sorted(self.buckets):
            reached += self.buckets[bucket]
            if reached >= wanted:
                return float(2.0 ** ((bucket + 0.5) / _STEPS))
        return None

    def below(self, doublings: int) -> int:
        """How many took less than 2 to this power."""
        return sum(n for bucket, n in self.buckets.items() if bucket < doublings * _STEPS)

    def as_dict(self) -> dict[str, object]:
        """Plain data: count, mean and quantiles."""
        mean = round(self.sum_us / self.number, 1) if self.number else None
        shown: dict[str, object] = {"count": self.number, "mean_us": mean}
        for name, q in _QUANTILES:
            us = self.quantile(q)
            shown[f"{name}_us"] = us if us is None else round(us, 1)
        return shown
