"""Whether a rate has left its bound: an alarm with a stated number of false ones. No clock, no I/O.

What is stated. As long as the rate keeps to its bound, the expected number of alarms in n windows
is at most (n + 1/60) / 1000, whatever the traffic is like and wherever under the bound the rate
lies, even if it moves about there and knows what the detector has seen.

Why it holds. An answer on the bad side multiplies the evidence for an odds ratio g by g / D, any
other by 1 / D, with D = 1 + bound (g - 1): at a rate p its mean factor is (1 + p (g - 1)) / D, at
most 1 where p is at most the bound. Time adds one unit of evidence per window, so the expected
evidence never exceeds the number of windows that have passed. An alarm takes 1000 units away, so
per 1000 windows there cannot be more than one of them to be expected.

That is a Shiryaev-Roberts statistic over e-values: `time adds` is every moment's chance of having
been the one at which the rate changed. An answer brings no more than a 60th of a window, however
long the silence before it: where nothing is seen there is nothing to suspect.
"""

from __future__ import annotations

from math import exp, inf, log, log1p, sqrt
from statistics import NormalDist
from typing import Final, Literal

Direction = Literal["above", "below"]

WINDOWS_PER_FALSE_ALARM: Final = 1000
"""Of so many windows within the bound, one false alarm is expected at most."""
PARTS: Final = 60
"""A window is counted in so many parts, and a silence adds as much as one of them at most."""
RATIOS: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""The odds ratios looked for: from a rate that creeps past its bound to one that jumps."""
SURE: Final = 0.95
"""So often the stated delay is kept."""

_MOST: Final = 690.0
"""exp() of more, times the evidence, would be past the largest float."""


class Changes:
    """Collects answers until they show that their rate lies outside a bound.

    A good answer is only counted; a bad one costs a multiplication per ratio. Evidence is kept as
    plain floats: what falls to zero begins again with the time that passes, and what grows rings
    long before it is too large.

    Args:
        bound: The rate that is still good, from 0 to 1.
        over_s: The window, in seconds: the unit in which false alarms are counted.
        direction: Whether rates `above` or `below` the bound are bad.
        ratios: The odds ratios that are looked for.
    """

    __slots__ = (
        "_before",
        "_bound",
        "_evidence",
        "_first",
        "_good",
        "_last",
        "_logs",
        "_over_s",
        "_swaps",
    )

    def __init__(
        self,
        bound: float,
        over_s: float,
        direction: Direction = "above",
        *,
        ratios: tuple[float, ...] = RATIOS,
    ) -> None:
        self._swaps = direction == "below"
        self._bound = 1.0 - bound if self._swaps else bound
        self._over_s = over_s
        self._logs = tuple(_logs(self._bound, ratio) for ratio in ratios)
        self._evidence = [0.0] * len(ratios)
        self._last: float | None = None
        """When time was last added; `_before` is how many answers there were since."""
        self._before = 1
        self._first = 0.0
        """When the first of the `_good` answers came that are not in the evidence yet."""
        self._good = 0

    @property
    def evidence(self) -> float:
        """How much speaks for a change; an alarm takes `WINDOWS_PER_FALSE_ALARM` of it."""
        good = self._good
        pairs = zip(self._evidence, self._logs, strict=True)
        return sum(found * exp(good * down) for found, (_, down) in pairs)

    def observe(self, now: float, yes: int = 0, no: int = 0) -> bool:
        """Take in answers, and say whether an alarm is due.

        Several answers at once are judged together, in no order. With a bound of zero the first
        bad one is proof.

        Args:
            now: The time in seconds. A clock that was put back adds nothing, and goes on.
            yes: So many answers were yes.
            no: So many were no.
        """
        bad, good = (no, yes) if self._swaps else (yes, no)
        if self._bound <= 0.0:
            return bad > 0
        if good:
            if not self._good:
                self._first = now
            self._good += good
        if not bad:
            # Time alone is no reason to wake anybody. A run of good answers up to a bad one is one
            # factor, whose mean is at most 1 like that of each: where it ends is seen as it comes.
            return False
        good, self._good = self._good, 0
        added = self._passed(self._first if good else now)
        self._before = good + bad
        pairs = zip(self._evidence, self._logs, strict=True)
        self._evidence = [
            (found + added) * exp(min(bad * up + good * down, _MOST)) for found, (up, down) in pairs
        ]
        return sum(self._evidence) >= WINDOWS_PER_FALSE_ALARM

    def restart(self) -> None:
        """Forget the evidence, as after an alarm."""
        self._evidence = [0.0] * len(self._logs)
        self._good = 0

    def _passed(self, now: float) -> float:
        """What the time up to an answer adds to the evidence of each ratio.

        It is settled before the answer is known: else it could depend on it.
        """
        last, self._last = self._last, now
        windows = self._before / PARTS
        if last is not None:
            windows = min(max((now - last) / self._over_s, 0.0), windows)
        return windows / len(self._logs)


def delay(
    rate: float,
    bound: float,
    per_hour: float,
    *,
    over_s: float = 3600.0,
    direction: Direction = "above",
) -> float:
    """The hours after which an alarm has come in 95 of 100 cases, once the rate has changed.

    On the average it takes about log(1000 · ratios / windows per answer) / KL(rate || bound)
    answers. This adds what chance in the answers and in their arrival takes in the worst of 20
    cases, and it is infinite for a rate so near to its bound that no ratio points at it: less than
    a twentieth above.

    Args:
        rate: The rate from now on.
        bound: The bound of the monitor.
        per_hour: So many answers come in an hour.
        over_s: The window of the monitor, in seconds.
        direction: Whether rates `above` or `below` the bound are bad.

    Example:
        >>> round(delay(0.20, 0.05, per_hour=600), 2)
        0.33
    """
    if direction == "below":
        rate, bound = 1.0 - rate, 1.0 - bound
    if per_hour <= 0 or rate <= bound:
        return inf
    share = min(3600.0 / per_hour / over_s, 1.0 / PARTS) / len(RATIOS)
    sure = NormalDist().inv_cdf(SURE)
    if bound <= 0.0:
        return -log(1.0 - SURE) / (rate * per_hour)  # the first of them rings
    best = inf
    for ratio in RATIOS:
        up, down = _logs(bound, ratio)
        drift = rate * up + (1.0 - rate) * down
        if drift <= 0:
            continue
        # Answers come as they like: as many as in a Poisson process, so second moments count.
        spread = sure * sqrt(rate * up * up + (1.0 - rate) * down * down)
        begins = max(1.0, 1.0 / drift)  # so many answers' time is about as good as the first one's
        wanted = max(log(WINDOWS_PER_FALSE_ALARM / (share * begins)), up)
        root = (spread + sqrt(spread * spread + 4.0 * drift * wanted)) / (2.0 * drift)
        best = min(best, begins + root * root)
    return best / per_hour


def _logs(bound: float, ratio: float) -> tuple[float, float]:
    """The logarithms of the factors of a bad answer and of a good one."""
    down = -log1p(bound * (ratio - 1.0))
    return log(ratio) + down, down
