"""What two counts say of the difference that a layer makes: intervals and probabilities.

Three choices, each measured in `tests/layers/test_effects.py`:

- The interval of a difference is Miettinen's and Nurminen's. At 20 runs a side, over true rates
  from 0.05 to 0.95, it holds the truth in 95.1 % of cases and in 93.3 % at the worst place.
  Newcombe's hybrid falls to 92.1 %, and is wider where it counts, at 20 of 20 against 0 of 20;
  Agresti's and Caffo's keeps 93.9 %, is wider too, and lies above 97 % at more places.
- Runs come in two stages. Where every form of the stack gave one and the same outcome in each of
  the `FIRST` runs of the first, the second is left out. The interval is then that of the runs that
  were had. An exact count over all ways it can come out shows that this costs nothing: at 20 runs
  the worst place stays at 93.3 %. Where one side is known by rule, the other one has
  mid-p bounds, wider after agreement; Wilson's would hold the truth in 91.2 % there.
- Probabilities come from the posterior of the rates under Jeffreys' prior, by seeded draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import acos, comb, copysign, cos, pi, sqrt
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.random import Generator

FIRST: Final = 8
"""Runs of the first stage."""
SURE: Final = 0.95
"""From where a probability names a layer."""
_QUANTILE: Final = 1.959963984540054
_TAIL: Final = 0.025
_STOPPED: Final = 0.01
"""What may lie beyond a bound after the first stage: the second one has its own tails."""
_HALVINGS: Final = 40
_DRAWS: Final = 20_000
_PRIOR: Final = 0.5


def difference_interval(hits: int, of: int, left: int, of_left: int) -> tuple[float, float]:
    """Where `hits/of - left/of_left` truly lies, 95 % sure; anywhere after no run.

    Args:
        hits: How often it was so with everything in place.
        of: Of how many runs.
        left: How often with something taken away.
        of_left: Of how many.
    """
    if not of or not of_left:
        return -1.0, 1.0
    seen = hits / of - left / of_left

    def excess(difference: float) -> float:
        return _score(hits, of, left, of_left, difference)

    low = _crossing(excess, -1.0, seen, _QUANTILE)
    high = _crossing(excess, seen, 1.0, -_QUANTILE)
    return low, high


def rate_interval(hits: int, of: int) -> tuple[float, float]:
    """Where a rate lies, 95 % sure, where the other one of a difference is known.

    By the mid-p tails of the binomial distribution; wider for runs that all agree, the more so as
    agreement is what ends the first stage.
    """
    if not of:
        return 0.0, 1.0
    if hits in (0, of):
        tail = _STOPPED if of <= FIRST else _TAIL
        return (0.0, 1 - tail ** (1 / of)) if not hits else (tail ** (1 / of), 1.0)

    def above(rate: float) -> float:
        return -_upper_tail(hits, of, rate)

    def below(rate: float) -> float:
        return _upper_tail(of - hits, of, 1 - rate)

    seen = hits / of
    return _crossing(above, 0.0, seen, -_TAIL), _crossing(below, seen, 1.0, _TAIL)


def _upper_tail(hits: int, of: int, rate: float) -> float:
    """How likely more hits are than so many, and half of just as many."""
    chances = [
        comb(of, count) * rate**count * (1 - rate) ** (of - count) for count in range(hits, of + 1)
    ]
    return sum(chances) - chances[0] / 2


def _crossing(falls: Callable[[float], float], low: float, high: float, target: float) -> float:
    """Where a function that falls goes through a value; the end that is nearer, if it does not."""
    if falls(low) <= target:
        return low
    if falls(high) >= target:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if falls(middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _score(hits: int, of: int, left: int, of_left: int, difference: float) -> float:
    """How many standard errors what was seen lies above a difference that is supposed.

    The errors are those of the likeliest rates that have this difference: the root of a cubic.
    """
    total, both = of + of_left, hits + left
    cubic = total
    square = (of + 2 * of_left) * difference - total - both
    linear = (of_left * difference - total - 2 * left) * difference + both
    constant = left * difference * (1 - difference)
    third = square / (3 * cubic)
    turn = third**3 - linear * square / (6 * cubic**2) + constant / (2 * cubic)
    size = copysign(sqrt(max(0.0, third**2 - linear / (3 * cubic))), turn)
    angle = 0.0 if size == 0 else acos(min(1.0, max(-1.0, turn / size**3)))
    rate_left = min(1.0, max(0.0, 2 * size * cos((pi + angle) / 3) - third))
    rate = min(1.0, max(0.0, rate_left + difference))
    spread = rate * (1 - rate) / of + rate_left * (1 - rate_left) / of_left
    spread *= total / (total - 1)
    gap = hits / of - left / of_left - difference
    if spread < 1e-14:
        return 0.0 if abs(gap) < 1e-12 else copysign(1e9, gap)
    return gap / sqrt(spread)


# --- probabilities


def chance_halved(
    whole: tuple[int, int],
    left: tuple[int, int],
    *,
    exact: tuple[bool, bool] = (False, False),
    seed: int = 0,
) -> float:
    """How likely it is that at least half of a rate goes when something is taken away.

    Args:
        whole: How often it was so with everything in place, and of how many runs.
        left: The same with something taken away.
        exact: Which of the two rates are known instead of estimated.
        seed: Of the draws.
    """
    if all(exact):
        return float(left[0] / left[1] < whole[0] / whole[1] / 2)
    draws = _rng(seed)
    rates = [
        hits / of if is_known else draws.beta(hits + _PRIOR, of - hits + _PRIOR, _DRAWS)
        for (hits, of), is_known in zip((whole, left), exact, strict=True)
    ]
    return _share(rates[1] < rates[0] / 2)


def odds_of(
    counts: Mapping[str, int],
    other: int,
    *,
    split: str = "",
    into: Sequence[str] = (),
    left: tuple[int, int] = (0, 0),
    seed: int = 0,
) -> dict[str, float]:
    """For each cause of an outcome, how likely it is that most of the outcome is its doing.

    Args:
        counts: How many runs each cause is known to have made so.
        other: Runs with another outcome.
        split: The one of the causes that stands for two: what goes with a layer, and what stays.
        into: The names of these two.
        left: How often the outcome was still of this kind without that layer, and of how many.
        seed: Of the draws.
    """
    import numpy as np

    names = sorted(counts)
    draws = _rng(seed)
    seen = [counts[name] + _PRIOR for name in names]
    rates = draws.dirichlet([*seen, other + _PRIOR], _DRAWS)
    columns = {name: rates[:, at] for at, name in enumerate(names)}
    if split in columns:
        whole = columns.pop(split)
        hits, of = left
        stays = np.minimum(draws.beta(hits + _PRIOR, of - hits + _PRIOR, _DRAWS), whole)
        columns |= {into[0]: whole - stays, into[1]: stays}
    if len(columns) == 1:
        return dict.fromkeys(columns, 1.0)
    most = np.argmax(np.column_stack(list(columns.values())), axis=1)
    return {name: _share(most == at) for at, name in enumerate(columns)}


def _rng(seed: int) -> Generator:
    from numpy.random import PCG64, Generator

    return Generator(PCG64(seed))


def _share(events: Any) -> float:
    """Draws prove nothing impossible: the share of one more that went the other way half."""
    return float((events.sum() + 0.5) / (len(events) + 1))
