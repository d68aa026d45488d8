"""Quantiles and their intervals, against values worked out by hand."""

from __future__ import annotations

import statistics
from random import Random

import pytest

from guardkit.bench import quantile, ranks, spread_of
from guardkit.bench._quantiles import axis, histogram, is_over


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([7.0], 0.99, 7.0),
        ([1.0, 3.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.5, 3.0),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.0, 1.0),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 1.0, 5.0),
        # Place 0.95 * 10 = 9.5: half way between the tenth value and the eleventh.
        ([float(i) for i in range(11)], 0.95, 9.5),
        # Place 0.99 * 100 = 99 of 101 values from 0.
        ([float(i) for i in range(101)], 0.99, 99.0),
    ],
)
def test_a_quantile_is_inclusive(values: list[float], q: float, expected: float) -> None:
    assert quantile(values, q) == pytest.approx(expected)


def test_a_quantile_is_that_of_the_standard_library() -> None:
    random = Random(4)
    for count in (2, 10, 101, 1_000):
        values = sorted(random.expovariate(1) for _ in range(count))
        theirs = statistics.quantiles(values, n=100, method="inclusive")
        for percent in (50, 95, 99):
            assert quantile(values, percent / 100) == pytest.approx(theirs[percent - 1])


def test_of_nothing_there_is_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("count", "q", "low", "high"),
    [
        # The textbook: of 10 values the 2nd and the 9th hold the median in 97.9 of 100 cases, of
        # 20 the 6th and the 15th in 95.9.
        (10, 0.5, 1, 8),
        (20, 0.5, 5, 14),
        # Of 5 values, the smallest is above the median in 1 of 32 cases: that is too often.
        (5, 0.5, None, None),
        (6, 0.5, 0, 5),
        # All of 100 values lie below the 99th percentile in 0.99 ** 100 = 37 of 100 cases; four of
        # them lie above it in 1.8 of 100, three in 7.9.
        (100, 0.99, 96, None),
        # 0.99 ** 367 > 0.025 > 0.99 ** 368
        (367, 0.99, 358, None),
        (368, 0.99, 359, 367),
        (1, 0.5, None, None),
    ],
)
def test_the_ranks_that_bound_a_quantile(
    count: int, q: float, low: int | None, high: int | None
) -> None:
    assert ranks(count, q) == (low, high)


def test_the_two_ways_to_find_ranks_agree_where_they_meet() -> None:
    exact_low, exact_high = ranks(2_990, 0.99)
    near_low, near_high = ranks(3_010, 0.99)
    assert exact_low is not None
    assert exact_high is not None
    assert near_low is not None
    assert near_high is not None
    assert abs((3_010 - near_low) - (2_990 - exact_low)) <= 2
    assert abs((3_010 - near_high) - (2_990 - exact_high)) <= 2


def test_the_interval_holds_the_true_quantile_as_often_as_it_says() -> None:
    random = Random(11)
    held = 0
    for _ in range(400):
        values = sorted(random.random() for _ in range(200))
        low, high = ranks(200, 0.95)
        assert low is not None
        assert high is not None
        held += values[low] <= 0.95 <= values[high]
    # 95 of 100 and a little more, since ranks are whole numbers; 0.92 is three sigma off.
    assert held / 400 > 0.92


def test_a_spread_is_of_all_rounds_and_of_each() -> None:
    spread = spread_of([[3.0, 1.0, 2.0], [10.0, 30.0, 20.0], []])
    assert (spread.calls, spread.mean, spread.most) == (6, 11.0, 30.0)
    assert spread.p50.us == 6.5
    assert spread.p50.rounds == (2.0, 20.0)
    assert (spread.p50.low, spread.p50.high) == (1.0, 30.0)
    assert (spread.p99.low, spread.p99.high) == (20.0, None)
    assert spread.at("p95") is spread.p95


@pytest.mark.parametrize(
    ("rounds", "over"),
    [
        ((11.0, 11.0, 11.0), True),
        ((9.0, 11.0, 11.0), True),
        ((9.0, 9.0, 900.0), False),
        ((10.0, 10.0, 10.0), False),
        ((11.0, 9.0), False),
        ((11.0,), True),
        ((), False),
    ],
)
def test_a_limit_is_broken_in_most_rounds_or_not_at_all(
    rounds: tuple[float, ...], over: bool
) -> None:
    assert is_over(10.0, rounds) is over


def test_bins_grow_by_a_factor_and_hold_everything() -> None:
    bounds = axis(1.0, 16.0, bins=4)
    assert bounds == pytest.approx([2, 4, 8, 16])
    assert histogram([0.5, 1.0, 1.9, 2.0, 5.0, 15.0, 400.0], bounds) == (3, 1, 1, 2)
    assert len(axis(3.0, 3.0)) == 24
