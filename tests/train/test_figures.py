"""Shares, their intervals, and lines per source."""

from __future__ import annotations

import pytest

from guardkit._util.shares import Share, wilson
from guardkit.models import Head
from guardkit.train import Judged, Threshold, figures
from guardkit.train._figures import threshold_of

HEAD = Head(name="h", output="logits", labels=("h",), kind="sigmoid")


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 100, 0.0018, 0.0545),
        (960, 1000, 0.9460, 0.9705),
    ],
)
def test_intervals_are_those_of_the_tables(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-5)


def test_a_share_is_shown_with_its_interval() -> None:
    assert Share(5, 10).shown == "50.0% (23.7-76.3)"
    assert Share(0, 0).shown == ""


def test_one_threshold_counts_everywhere() -> None:
    rows = [
        Judged(0.9, True, "a", "g"),
        Judged(0.5, True, "a", "g"),
        Judged(0.2, False, "a"),
        Judged(0.6, False, "b"),
        Judged(0.1, False, "b"),
        Judged(0.1, False, "b"),
    ]
    found = figures(rows, Threshold(0.5, 0.01, "a pool"))
    assert [line.name for line in found.sources] == ["a", "b"]
    one, two = found.sources
    assert (one.recall, one.alarms, one.auc, one.rows) == ((2, 2), (0, 1), 1.0, 3)
    assert (two.recall, two.alarms, two.auc) == ((0, 0), (1, 3), None)
    assert found.whole.auc == pytest.approx(7 / 8)
    said = found.dumped()
    assert said["sources"][0]["recall"] == {"of": 2, "share": 1.0, "low": 0.3424, "high": 1.0}
    assert "recall" not in said["sources"][1]
    assert said["pool"] == "a pool"


def test_the_threshold_is_that_of_1_percent_if_there_is_one() -> None:
    both = HEAD.model_copy(update={"fpr": ((0.01, 0.9), (0.05, 0.6))})
    assert threshold_of(both, "p") == (0.9, 0.01, "p")
    high = HEAD.model_copy(update={"fpr": ((0.02, 0.8), (0.05, 0.6))})
    assert threshold_of(high, "p") == (0.8, 0.02, "p")
    assert threshold_of(HEAD, "p") == (0.5, None, "p")
