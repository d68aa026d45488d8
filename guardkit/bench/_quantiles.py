"""Quantiles of measured times, and between which values they lie. Pure functions, no numpy."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil, exp, floor, lgamma, log, log1p, sqrt
from typing import Final, Literal, NamedTuple

QuantileName = Literal["p50", "p95", "p99"]
QUANTILES: Final[dict[QuantileName, float]] = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

SURE: Final = 0.95
"""Of a hundred intervals, so many hundredths hold the true quantile."""
_Z: Final = 1.959963984540054
_MANY: Final = 30.0
"""From so many expected values on either side a normal approximation is as good."""


def quantile(values: Sequence[float], q: float) -> float:
    """The inclusive quantile of sorted values: the extremes are the quantiles 0 and 1."""
    if not values:
        raise ValueError("there are no values")
    place = q * (len(values) - 1)
    below = floor(place)
    above = min(below + 1, len(values) - 1)
    part = place - below
    return values[below] + (values[above] - values[below]) * part


def ranks(count: int, q: float) -> tuple[int | None, int | None]:
    """Which of `count` sorted values, from 0, bound the quantile; None where none is sure to.

    The interval of order statistics: it asks nothing of how the values are spread. Each side is
    wrong in at most 2.5 of 100 cases.
    """
    tail = (1.0 - SURE) / 2
    if count * min(q, 1 - q) > _MANY:
        middle, half = count * q, _Z * sqrt(count * q * (1 - q))
        return max(floor(middle - half) - 1, 0), min(ceil(middle + half), count - 1)
    chances = _binomial(count, q)
    low = high = None
    under = 0.0
    for k in range(count):
        under += chances[k]  # P(at most k of them lie below the quantile)
        if under <= tail:
            low = k
        if high is None and under >= 1.0 - tail:
            high = k
    return low, high


def _binomial(count: int, q: float) -> list[float]:
    whole = lgamma(count + 1)
    return [
        exp(whole - lgamma(k + 1) - lgamma(count - k + 1) + k * log(q) + (count - k) * log1p(-q))
        for k in range(count + 1)
    ]


class Quantile(NamedTuple):
    """One quantile of times, in microseconds."""

    us: float
    low: float | None
    """The interval; None where too few calls were made to know a bound."""
    high: float | None
    rounds: tuple[float, ...] = ()
    """The same quantile of each round by itself."""


class Spread(NamedTuple):
    """How long calls took, in microseconds."""

    calls: int
    mean: float
    p50: Quantile
    p95: Quantile
    p99: Quantile
    most: float

    def at(self, name: QuantileName) -> Quantile:
        """One of its quantiles by name."""
        found: Quantile = getattr(self, name)
        return found


def spread_of(rounds: Sequence[Sequence[float]]) -> Spread:
    """The spread of the times of all rounds together.

    Args:
        rounds: The times of each round in microseconds; at least one in all.
    """
    ordered = [sorted(one) for one in rounds if one]
    every = sorted(value for one in ordered for value in one)
    found = {name: _quantile(every, ordered, q) for name, q in QUANTILES.items()}
    mean = sum(every) / len(every)
    return Spread(len(every), mean, found["p50"], found["p95"], found["p99"], every[-1])


def _quantile(every: Sequence[float], rounds: Sequence[Sequence[float]], q: float) -> Quantile:
    low, high = ranks(len(every), q)
    return Quantile(
        quantile(every, q),
        None if low is None else every[low],
        None if high is None else every[high],
        tuple(quantile(one, q) for one in rounds),
    )


def is_over(limit_us: float, rounds: Sequence[float]) -> bool:
    """Whether a quantile is over a limit: in most rounds, since one may have been disturbed."""
    return 2 * sum(value > limit_us for value in rounds) > len(rounds)


# --- a small picture

BINS: Final = 24


def axis(low: float, high: float, bins: int = BINS) -> list[float]:
    """The upper bounds of bins that grow by the same factor, from `low` to `high`."""
    low = max(low, 1e-3)
    step = log(max(high / low, 1.0001)) / bins
    return [low * exp(step * (i + 1)) for i in range(bins)]


def histogram(values: Sequence[float], bounds: Sequence[float]) -> tuple[int, ...]:
    """How many values lie in each bin; those past either end are in the last one there."""
    counts = [0] * len(bounds)
    for value in values:
        counts[min(bisect_right(bounds, value), len(bounds) - 1)] += 1
    return tuple(counts)
