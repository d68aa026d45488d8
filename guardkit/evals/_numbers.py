"""What scores and labels come to: rates with their intervals, areas, thresholds.

Everything about thresholds follows from one list of steps: each score that occurs, the highest
first, with how many harmful and benign texts reach it. Ties are one step, so the order of texts
never matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log, sqrt
from typing import Any, Final, NamedTuple

from guardkit._util.shares import Share, wilson
from guardkit.models import auc_of

RATES: Final = (0.001, 0.01, 0.05)
"""The false alarm rates at which recall is told."""
_SWEPT: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_SURE: Final = 1.959963984540054
_MOST_POINTS: Final = 160
_BINS: Final = 24


class Estimate(NamedTuple):
    """A figure, and where it lies with 95 % of certainty."""

    value: float
    low: float
    high: float


class Counts(NamedTuple):
    """What came of labelled texts: how many were found, missed, stopped by mistake, let through."""

    found: int
    missed: int
    alarms: int
    passed: int
    unknown_harmful: int = 0
    """Harmful texts without an answer: they are neither found nor missed."""
    unknown_benign: int = 0

    @property
    def recall(self) -> Share:
        """Of harmful texts, those found."""
        return Share(self.found, self.found + self.missed)

    @property
    def false_alarms(self) -> Share:
        """Of benign texts, those stopped."""
        return Share(self.alarms, self.alarms + self.passed)

    @property
    def precision(self) -> Share:
        """Of stopped texts, those that are harmful."""
        return Share(self.found, self.found + self.alarms)

    @property
    def f1(self) -> Estimate | None:
        """The harmonic mean of precision and recall; None where nothing is harmful or stopped."""
        of = self.found + self.missed + self.alarms
        if not of:
            return None
        # F1 grows with the share of right finds among right, missed and false ones.
        value, low, high = (
            2 * share / (1 + share) for share in (self.found / of, *wilson(self.found, of))
        )
        return Estimate(value, low, high)

    @property
    def unknown(self) -> int:
        """Texts without an answer."""
        return self.unknown_harmful + self.unknown_benign

    @property
    def texts(self) -> int:
        """All of them."""
        return sum(self)


class Point(NamedTuple):
    """One threshold, and what it comes to."""

    threshold: float
    counts: Counts
    cost: float | None = None
    """Of all texts together, where misses and false alarms have a price."""
    why: tuple[str, ...] = ()
    """Why it is told: a false alarm rate, a bound of the policy, the least cost."""

    @property
    def missed_in_1000(self) -> float | None:
        """Of 1,000 harmful texts, those missed."""
        share = self.counts.recall.value
        return None if share is None else 1000 * (1 - share)

    @property
    def stopped_in_1000(self) -> float | None:
        """Of 1,000 benign texts, those stopped."""
        share = self.counts.false_alarms.value
        return None if share is None else 1000 * share


class AtRate(NamedTuple):
    """The lowest threshold with no more false alarms than a rate; or why there is none."""

    rate: float
    point: Point | None
    why: str = ""


class Histogram(NamedTuple):
    """How many texts of each label lie in each of some equal parts of the range."""

    low: float
    high: float
    harmful: tuple[int, ...]
    benign: tuple[int, ...]


class Prices(NamedTuple):
    """What a miss and a false alarm cost."""

    miss: float
    alarm: float


class Scored(NamedTuple):
    """What a score makes of labelled texts."""

    auc: Estimate | None
    """None where all texts are of one kind."""
    average_precision: float | None
    brier: float | None
    """The mean squared error of the score as a probability; None for numbers that are none."""
    at_rates: tuple[AtRate, ...]
    sweep: tuple[Point, ...]
    """A few thresholds worth a look, the highest first."""
    cheapest: Point | None
    curve: tuple[tuple[float, float, float], ...]
    """(threshold, false alarm rate, recall), the highest threshold first; thinned out."""
    precision: tuple[tuple[float, float], ...]
    """(recall, precision), the highest threshold first; thinned out."""
    histogram: Histogram
    distinct: int
    """How many different scores there are."""


# --- areas


def auc_estimate(scores: Any, bad: Any) -> Estimate | None:
    """The area under the curve with DeLong's interval, on the logit scale; None for one kind only.

    Where all harmful texts score above all benign ones, that interval would have no width; the
    smaller of the two kinds then says how sure one can be.
    """
    import numpy as np

    positive, negative = int(bad.sum()), int((~bad).sum())
    if not positive or not negative:
        return None
    value = auc_of(scores, bad)
    over = _midranks(scores)
    # Of each harmful text, the share of benign ones below it; of each benign one, those above.
    harmful = (over[bad] - _midranks(scores[bad])) / negative
    benign = 1 - (over[~bad] - _midranks(scores[~bad])) / positive
    # Sorted, so that not even the last digit depends on the order of the texts.
    parts = [np.sort(part) for part in (harmful, benign) if len(part) > 1]
    spread = sum(float(np.var(part, ddof=1)) / len(part) for part in parts)
    if min(positive, negative) < 2 or spread <= 0 or not 0 < value < 1:
        fewest = min(positive, negative)
        low, high = wilson(round(value * fewest), fewest)
        return Estimate(value, min(low, value), max(high, value))
    logit, half = log(value / (1 - value)), _SURE * sqrt(spread) / (value * (1 - value))
    return Estimate(value, _share(logit - half), _share(logit + half))


def _share(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit > -700 else 0.0


def _midranks(scores: Any) -> Any:
    import numpy as np

    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


# --- steps


class Steps(NamedTuple):
    """Each score that occurs, the highest first, and how many texts reach it."""

    scores: Any
    found: Any
    alarms: Any
    harmful: int
    benign: int
    least: float
    """Where scores begin: 0, or below all of them."""

    @classmethod
    def of(cls, scores: Any, bad: Any, *, is_share: bool) -> Steps:
        """The steps of some scores."""
        import numpy as np

        values, place = np.unique(-scores, return_inverse=True)
        found = np.cumsum(np.bincount(place[bad], minlength=len(values)))
        alarms = np.cumsum(np.bincount(place[~bad], minlength=len(values)))
        lowest = float(-values[-1]) if len(values) else 0.0
        least = 0.0 if is_share else lowest - max(1.0, abs(lowest))
        return cls(-values, found, alarms, int(bad.sum()), int((~bad).sum()), least)

    def point(self, at: int, why: tuple[str, ...] = ()) -> Point:
        """The threshold that the first `at + 1` steps reach."""
        below = float(self.scores[at + 1]) if at + 1 < len(self.scores) else self.least
        return Point(shortest(below, float(self.scores[at])), self.counts(at), why=why)

    def counts(self, at: int) -> Counts:
        """What stopping the first `at + 1` steps comes to; -1 stops nothing."""
        found, alarms = (int(self.found[at]), int(self.alarms[at])) if at >= 0 else (0, 0)
        return Counts(found, self.harmful - found, alarms, self.benign - alarms)

    def reached(self, threshold: float) -> int:
        """How many steps reach a threshold, less one."""
        import numpy as np

        return int(np.searchsorted(-self.scores, -threshold, side="right")) - 1

    def within(self, rate: float) -> int:
        """The last step with no more false alarms than a rate; -1 for none."""
        import numpy as np

        return int(np.searchsorted(self.alarms, self.benign * rate + 1e-9, side="right")) - 1


def shortest(below: float, most: float) -> float:
    """The number with the fewest decimals that lies above one number and not above another."""
    if not below < most:
        return most
    for digits in range(2, 17):
        made: float = round(int(most * 10**digits) / 10**digits, digits)
        step = 10.0**-digits
        for near in (made, round(made - step, digits), round(made + step, digits)):
            if below < near <= most:
                return near
    return most


# --- all of it


def scored(
    scores: Any,
    bad: Any,
    *,
    is_share: bool,
    used: Iterable[float] = (),
    prices: Prices | None = None,
) -> Scored:
    """What a score makes of labelled texts.

    Args:
        scores: One for each text; none may be missing.
        bad: Which of them are harmful.
        is_share: Whether a score lies between 0 and 1, as a probability does.
        used: Bounds that the policy compares it with.
        prices: What mistakes cost.
    """
    import numpy as np

    steps = Steps.of(scores, bad, is_share=is_share)
    both = bool(steps.harmful and steps.benign)
    cheapest = _cheapest(steps, prices) if prices is not None and both else None
    low, high = (0.0, 1.0) if is_share else _range(scores)
    return Scored(
        auc=auc_estimate(scores, bad),
        average_precision=_average_precision(steps) if steps.harmful else None,
        brier=float(np.mean(np.sort((scores - bad) ** 2))) if is_share and len(scores) else None,
        at_rates=tuple(_at_rate(steps, rate) for rate in RATES) if both else (),
        sweep=_sweep(steps, used, cheapest, prices) if len(scores) else (),
        cheapest=cheapest,
        curve=_curve(steps) if both else (),
        precision=_precisions(steps) if steps.harmful else (),
        histogram=Histogram(
            low,
            high,
            *(
                tuple(int(n) for n in np.histogram(part, bins=_BINS, range=(low, high))[0])
                for part in (scores[bad], scores[~bad])
            ),
        ),
        distinct=len(steps.scores),
    )


def _range(scores: Any) -> tuple[float, float]:
    if not len(scores):
        return 0.0, 1.0
    low, high = float(scores.min()), float(scores.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _average_precision(steps: Steps) -> float:
    """Precision, averaged over the harmful texts in the order of their scores."""
    import numpy as np

    precision = steps.found / (steps.found + steps.alarms)
    return float((np.diff(steps.found, prepend=0) * precision).sum() / steps.harmful)


def _at_rate(steps: Steps, rate: float) -> AtRate:
    if steps.benign * rate < 1 - 1e-9:
        return AtRate(rate, None, f"it takes {round(1 / rate):,} benign texts")
    at = steps.within(rate)
    if at < 0:
        return AtRate(rate, None, "more benign texts than that have the highest score")
    return AtRate(rate, steps.point(at, (_percent(rate),)))


def _percent(rate: float) -> str:
    return f"{100 * rate:g} %"


def _cheapest(steps: Steps, prices: Prices) -> Point | None:
    """Of all thresholds the one at which the mistakes cost least; of equals the highest."""
    import numpy as np

    found, alarms = (np.concatenate([[0], part]) for part in (steps.found, steps.alarms))
    costs = prices.miss * (steps.harmful - found) + prices.alarm * alarms
    at = int(np.argmin(costs)) - 1
    if at < 0:
        top = float(steps.scores[0])
        above = 1.0 if 0 <= top < 1 else top + max(1.0, abs(top))
        return Point(above, steps.counts(-1), float(costs[0]), ("least cost",))
    return steps.point(at, ("least cost",))._replace(cost=float(costs[at + 1]))


def _sweep(
    steps: Steps, used: Iterable[float], cheapest: Point | None, prices: Prices | None
) -> tuple[Point, ...]:
    """Thresholds at common rates, those of the policy, and the cheapest; the highest first."""
    points: dict[float, Point] = {}

    def add(point: Point) -> None:
        known = points.get(point.threshold)
        why = point.why if known is None else (*known.why, *point.why)
        points[point.threshold] = point._replace(why=why)

    for bound in sorted(set(used)):
        add(Point(bound, steps.counts(steps.reached(bound)), why=("policy",)))
    if cheapest is not None:
        add(cheapest)
    last = -1
    for rate in _SWEPT if steps.benign else ():
        at = steps.within(rate)
        if steps.benign * rate >= 1 - 1e-9 and at > last:
            add(steps.point(at, (_percent(rate),)))
            last = at
    if not steps.benign:  # nothing to go by but how many are found
        for share in (0.5, 0.8, 0.9, 0.95, 0.99, 1.0):
            at = next(i for i, n in enumerate(steps.found) if n >= share * steps.harmful - 1e-9)
            add(steps.point(at, (f"found {share:.0%}",)))
    ranked = sorted(points.values(), key=lambda point: -point.threshold)
    if prices is None:
        return tuple(ranked)
    return tuple(
        one._replace(cost=prices.miss * one.counts.missed + prices.alarm * one.counts.alarms)
        for one in ranked
    )


def _curve(steps: Steps) -> tuple[tuple[float, float, float], ...]:
    """The curve of recall over false alarms, with enough points for any picture of it."""
    fpr, tpr = steps.alarms / steps.benign, steps.found / steps.harmful
    kept = _thinned(fpr, tpr)
    points = [(float(steps.scores[i]), float(fpr[i]), float(tpr[i])) for i in kept]
    return tuple(points)


def _precisions(steps: Steps) -> tuple[tuple[float, float], ...]:
    recall, precision = steps.found / steps.harmful, steps.found / (steps.found + steps.alarms)
    kept = _thinned(recall, precision)
    return tuple((float(recall[i]), float(precision[i])) for i in kept)


def _thinned(x: Any, y: Any) -> list[int]:
    """Places of a curve that keep its shape: no more than a picture can show."""
    import numpy as np

    if len(x) <= _MOST_POINTS:
        return list(range(len(x)))
    # A point where the curve has gone far enough in either direction; small rates in detail.
    far = np.concatenate([[0], np.abs(np.diff(x)) + np.abs(np.diff(y))]).cumsum()
    fine = np.log10(np.maximum(x, 1e-4)) / 4 + 1
    walked = far / max(float(far[-1]), 1e-12) + (fine - fine[0]) / max(
        float(fine[-1] - fine[0]), 1e-12
    )
    marks = np.linspace(0, float(walked[-1]), _MOST_POINTS)
    kept = np.searchsorted(walked, marks, side="left").clip(0, len(x) - 1)
    return sorted({0, len(x) - 1, *(int(i) for i in kept)})
