"""Rates, areas and thresholds, against counting by hand."""

from __future__ import annotations

from itertools import pairwise
from math import isclose, sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit.evals import Counts, Prices, scored

ROWS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)
"""Few different scores, so that most of them tie."""


def figures(rows: list[tuple[float, bool]], **more: object):  # type: ignore[no-untyped-def]
    scores = np.array([score for score, _ in rows], dtype=float)
    bad = np.array([is_bad for _, is_bad in rows], dtype=bool)
    return scored(scores, bad, is_share=True, **more)  # type: ignore[arg-type]


def shares(rows: list[tuple[int, bool]]) -> list[tuple[float, bool]]:
    return [(score / 12, bad) for score, bad in rows]


def pairs(rows: list[tuple[float, bool]]) -> float | None:
    """How often a harmful text is above a benign one; ties count half."""
    harmful = [s for s, bad in rows if bad]
    benign = [s for s, bad in rows if not bad]
    if not harmful or not benign:
        return None
    won = sum((h > b) + (h == b) / 2 for h in harmful for b in benign)
    return won / len(harmful) / len(benign)


def counted(rows: list[tuple[float, bool]], threshold: float) -> tuple[int, int, int, int]:
    over = [(bad, s >= threshold) for s, bad in rows]
    return (
        over.count((True, True)),
        over.count((True, False)),
        over.count((False, True)),
        over.count((False, False)),
    )


# --- areas


@given(ROWS)
@settings(deadline=None)
def test_the_area_is_the_share_of_pairs(given: list[tuple[int, bool]]) -> None:
    rows = shares(given)
    area, expected = figures(rows).auc, pairs(rows)
    if area is None:
        assert expected is None
    else:
        assert expected is not None
        assert isclose(area.value, expected)
        assert 0 <= area.low <= area.value <= area.high <= 1


def test_the_interval_is_that_of_delong() -> None:
    rng = Random(5)
    rows = [(rng.gauss(0.6 if bad else 0.4, 0.15), bad) for bad in [True] * 40 + [False] * 60]
    area = figures(rows).auc
    harmful = [s for s, bad in rows if bad]
    benign = [s for s, bad in rows if not bad]
    by_harmful = [sum((h > b) + (h == b) / 2 for b in benign) / len(benign) for h in harmful]
    by_benign = [sum((h > b) + (h == b) / 2 for h in harmful) / len(harmful) for b in benign]
    spread = np.var(by_harmful, ddof=1) / 40 + np.var(by_benign, ddof=1) / 60
    logit = np.log(area.value / (1 - area.value))
    half = 1.959964 * sqrt(spread) / (area.value * (1 - area.value))
    assert isclose(area.low, 1 / (1 + np.exp(-logit + half)), rel_tol=1e-6)
    assert isclose(area.high, 1 / (1 + np.exp(-logit - half)), rel_tol=1e-6)


def test_a_perfect_score_of_few_texts_is_not_certain() -> None:
    area = figures([(0.9, True)] * 5 + [(0.1, False)] * 500).auc
    assert area.value == 1
    assert area.high == 1
    assert 0.5 < area.low < 0.6  # Wilson's bound of five in five


def test_average_precision() -> None:
    assert isclose(
        figures([(0.9, True), (0.8, False), (0.7, True)]).average_precision, (1 + 2 / 3) / 2
    )


def test_brier() -> None:
    assert isclose(figures([(0.9, True), (0.2, False)]).brier, (0.01 + 0.04) / 2)


# --- counts


def test_counts() -> None:
    counts = Counts(found=8, missed=2, alarms=2, passed=88)
    assert counts.recall.value == 0.8
    assert counts.precision.value == 0.8
    assert isclose(counts.false_alarms.value or 0, 2 / 90)
    f1 = counts.f1
    assert f1 is not None
    assert isclose(f1.value, 0.8)
    assert f1.low < 0.8 < f1.high


def test_what_is_unknown_is_neither_found_nor_missed() -> None:
    counts = Counts(1, 1, 0, 2, unknown_harmful=5, unknown_benign=3)
    assert counts.recall == (1, 2)
    assert counts.false_alarms == (0, 2)
    assert counts.unknown == 8


def test_counts_of_nothing() -> None:
    counts = Counts(0, 0, 0, 0)
    assert counts.recall.value is None
    assert counts.precision.value is None
    assert counts.f1 is None


# --- thresholds


@given(ROWS, st.lists(st.floats(0, 1), max_size=3))
@settings(deadline=None)
def test_each_threshold_is_what_counting_says(
    given: list[tuple[int, bool]], used: list[float]
) -> None:
    rows = shares(given)
    made = figures(rows, used=used, prices=Prices(3, 1))
    points = [*made.sweep, *(one.point for one in made.at_rates if one.point is not None)]
    for point in points:
        assert point.counts[:4] == counted(rows, point.threshold)


@given(ROWS)
@settings(deadline=None)
def test_a_lower_threshold_finds_no_less_and_stops_no_less(given: list[tuple[int, bool]]) -> None:
    sweep = figures(shares(given)).sweep
    for above, below in pairwise(sweep):
        assert above.threshold > below.threshold
        assert above.counts.found <= below.counts.found
        assert above.counts.alarms <= below.counts.alarms


@given(ROWS, st.integers(0, 20), st.integers(0, 20))
@settings(deadline=None)
def test_the_cheapest_threshold_is_the_cheapest(
    given: list[tuple[int, bool]], miss: int, alarm: int
) -> None:
    rows = shares(given)
    made = figures(rows, prices=Prices(miss, alarm))
    if pairs(rows) is None:
        assert made.cheapest is None
        return

    def cost(threshold: float) -> float:
        _, missed, alarms, _ = counted(rows, threshold)
        return miss * missed + alarm * alarms

    least = min(cost(threshold) for threshold in [*(s for s, _ in rows), 2.0])
    assert made.cheapest.cost == least
    assert made.cheapest.threshold in {one.threshold for one in made.sweep}
    if made.cheapest.counts.found + made.cheapest.counts.alarms:
        assert cost(made.cheapest.threshold) == least


@given(ROWS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_texts_changes_nothing(given: list[tuple[int, bool]], rng: Random) -> None:
    rows = shares(given)
    mixed = rows[:]
    rng.shuffle(mixed)
    assert figures(rows) == figures(mixed)


def test_found_at_a_rate() -> None:
    benign = [(number / 1000, False) for number in range(200)]
    harmful = [(0.1975, True), (0.5, True), (0.9, True), (0.01, True)]
    made = figures([*benign, *harmful])
    none, one, five = made.at_rates
    assert none.point is None
    assert none.why == "it takes 1,000 benign texts"
    # One percent of 200 is two: 0.199 and 0.198 may be stopped, 0.197 may not.
    assert one.point.counts[:4] == (3, 1, 2, 198)
    assert 0.197 < one.point.threshold <= 0.1975
    assert five.point.counts[:4] == (3, 1, 10, 190)


def test_benign_texts_that_tie_at_the_top_leave_no_threshold() -> None:
    rows = [(1.0, False)] * 10 + [(0.0, False)] * 90 + [(1.0, True)] * 10
    for one in figures(rows).at_rates[1:]:
        assert one.point is None
        assert "highest score" in one.why


def test_a_threshold_has_no_more_decimals_than_it_needs() -> None:
    rows = [(0.123456789, False)] * 100 + [(0.987654321, True)] * 100
    assert figures(rows).at_rates[1].point.threshold == 0.98


# --- degenerate data


@pytest.mark.parametrize("bad", [True, False])
def test_texts_of_one_kind(bad: bool) -> None:
    made = figures([(0.2, bad), (0.4, bad)])
    assert made.auc is None
    assert made.at_rates == ()
    assert made.curve == ()
    assert made.cheapest is None
    assert sum(made.histogram.harmful) == (2 if bad else 0)
    assert made.sweep


def test_the_same_score_for_all() -> None:
    made = figures([(0.5, True), (0.5, False)] * 100)
    assert made.distinct == 1
    assert made.auc.value == 0.5
    assert made.average_precision == 0.5
    assert [one.point for one in made.at_rates] == [None] * 3


def test_no_texts() -> None:
    made = figures([])
    assert made.auc is None
    assert made.sweep == ()
    assert made.brier is None


def test_numbers_that_are_no_shares() -> None:
    scores, bad = np.array([5.0, 300.0, 4000.0]), np.array([False, True, True])
    made = scored(scores, bad, is_share=False)
    assert made.brier is None
    assert made.auc.value == 1
    assert (made.histogram.low, made.histogram.high) == (5, 4000)
    assert sum(made.histogram.harmful) == 2


def test_a_curve_of_many_texts_keeps_its_ends() -> None:
    rng = Random(1)
    rows = [(rng.random() ** (0.5 if bad else 2), bad) for bad in [True, False] * 4000]
    made = figures(rows)
    assert 50 < len(made.curve) <= 162
    assert made.curve[-1][1:] == (1, 1)
    assert [fpr for _, fpr, _ in made.curve] == sorted(fpr for _, fpr, _ in made.curve)
    assert sum(fpr < 0.01 for _, fpr, _ in made.curve) >= 5
