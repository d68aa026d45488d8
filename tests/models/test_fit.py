"""Calibration: false alarms are level over window counts, thresholds hold what they promise."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from guardkit.errors import UsageError
from guardkit.models import Fitted, Head, Seen, auc_of, fit, manifest_of

from ._made import head as head_of
from .test_manifest import manifest

HEAD = Head(name="injection", output="logits", labels=("injection",), kind="sigmoid")
COUNTS = (1, 2, 3, 6, 12)


def rows(benign: int, harmful: int, *, seed: int = 0, counts: Sequence[int] = COUNTS) -> list[Seen]:
    """The greatest of so many windows: long texts have more evidence by chance alone."""
    random = np.random.default_rng(seed)

    def chance(windows: int) -> float:
        return float(random.normal(-3, 1.5, size=windows).max())

    found = []
    for windows in counts:
        found += [Seen(chance(windows), windows, False) for _ in range(benign)]
        found += [
            Seen(max(float(random.normal(2, 1.5)), chance(windows)), windows, True)
            for _ in range(harmful)
        ]
    return found


def flagged(fitted: Fitted, data: Sequence[Seen], threshold: float) -> dict[int, float]:
    """The share of benign texts at or above a threshold, by number of windows."""
    return {
        count: sum(
            fitted.head.score(row.z, row.windows) >= threshold
            for row in data
            if row.windows == count and not row.is_harmful
        )
        / sum(row.windows == count and not row.is_harmful for row in data)
        for count in sorted({row.windows for row in data})
    }


def test_false_alarms_are_level_over_window_counts() -> None:
    data = rows(2000, 200)
    fitted = fit(HEAD, data)
    threshold = fitted.head.threshold(0.01)
    assert threshold is not None
    shares = flagged(fitted, data, threshold)
    assert shares == {count: pytest.approx(0.01, abs=0.0005) for count in COUNTS}
    assert [one.false_alarms for one in fitted.classes] == [20] * 5
    assert [shift for _, shift in fitted.head.shifts] == sorted(s for _, s in fitted.head.shifts)

    # Without the shifts the longest texts are flagged many times as often as the shortest.
    flat = HEAD.model_copy(update={"scale": fitted.head.scale})
    raw = sorted(flat.score(row.z, 1) for row in data if row.windows == 1 and not row.is_harmful)
    above = [
        flat.score(row.z, 1) >= raw[-20] for row in data if row.windows == 12 and not row.is_harmful
    ]
    assert sum(above) / len(above) > 0.08

    # And on texts that were not fitted to, they stay near.
    fresh = flagged(fitted, rows(2000, 1, seed=1), threshold)
    assert all(0.004 < share < 0.02 for share in fresh.values()), fresh


def test_thresholds_hold_what_they_promise() -> None:
    data = rows(1000, 100)
    fitted = fit(HEAD, data)
    assert [rate.rate for rate in fitted.rates] == [0.001, 0.005, 0.01, 0.02, 0.05]
    for rate in fitted.rates:
        hits = [row for row in data if fitted.head.score(row.z, row.windows) >= rate.score]
        assert rate.false_alarms == sum(not row.is_harmful for row in hits) == 5_000 * rate.rate
        assert rate.found == sum(row.is_harmful for row in hits)
        assert fitted.head.threshold(rate.rate) == rate.score


def test_scores_are_probabilities() -> None:
    data = rows(1000, 500)
    fitted = fit(HEAD, data)
    scored = sorted((fitted.head.score(row.z, row.windows), row.is_harmful) for row in data)
    for start in range(0, len(scored), 1500):
        part = scored[start : start + 1500]
        said = sum(score for score, _ in part) / len(part)
        assert said == pytest.approx(sum(harmful for _, harmful in part) / len(part), abs=0.05)


def test_the_same_rows_give_the_same_head() -> None:
    data = rows(300, 60)
    first = fit(HEAD, data)
    assert fit(HEAD, data) == first
    assert fit(first.head, data) == first  # an old calibration leaves no trace
    heads = [first.head.model_dump(mode="json")]
    read = manifest_of(json.dumps(manifest(heads=heads)).encode())
    assert read.heads == (first.head,)


@pytest.mark.parametrize(
    ("benign", "rates"),
    [
        (99, []),
        (100, [0.05]),
        (250, [0.02, 0.05]),
        (499, [0.02, 0.05]),
        (500, [0.01, 0.02, 0.05]),
        (1000, [0.005, 0.01, 0.02, 0.05]),
    ],
)
def test_a_rate_needs_five_texts_above(benign: int, rates: list[float]) -> None:
    fitted = fit(HEAD, rows(benign, 50, counts=(1,)))
    assert [rate.rate for rate in fitted.rates] == rates
    left_out = [note for note in fitted.notes if note.startswith("no threshold")]
    assert len(left_out) == 5 - len(rates)
    assert "no threshold for 0.1% false alarms: it takes 5000 benign rows" in left_out


def test_a_small_class_is_levelled_like_the_one_before() -> None:
    data = rows(1000, 100, counts=(1, 2)) + rows(20, 5, counts=(6,), seed=3)
    fitted = fit(HEAD, data)
    assert fitted.head.shift(6) == fitted.head.shift(2) > fitted.head.shift(1)
    assert any("5-8 windows" in note for note in fitted.notes)
    assert [one.start for one in fitted.classes] == [1, 2, 5]


def test_texts_of_one_length_need_no_levelling() -> None:
    fitted = fit(HEAD, rows(1000, 100, counts=(4,)))
    assert len({shift for _, shift in fitted.head.shifts}) == 1
    assert fitted.notes == ("no threshold for 0.1% false alarms: it takes 5000 benign rows",)


def test_ties_raise_no_false_alarm() -> None:
    """Most benign texts have the same evidence: a threshold lies above them, not on them."""
    data = [Seen(-2.0, 1, False)] * 1000 + [Seen(2.0, 1, True)] * 100
    fitted = fit(HEAD, data)
    assert [rate.false_alarms for rate in fitted.rates] == [0, 0, 0, 0]
    assert [rate.found for rate in fitted.rates] == [100] * 4
    assert fitted.auc == 1.0
    worse = fit(HEAD, [*data, *([Seen(3.0, 1, False)] * 4)])
    assert [rate.false_alarms for rate in worse.rates][:3] == [4, 4, 4]


def test_extreme_evidence_is_fitted_too() -> None:
    for scale in (1e-6, 1.0, 1e5):
        data = [Seen(row.z * scale, row.windows, row.is_harmful) for row in rows(300, 60)]
        fitted = fit(HEAD, data)
        assert np.isfinite(fitted.head.scale)
        assert all(np.isfinite(shift) for _, shift in fitted.head.shifts)
    perfect = [Seen(-50.0, 1, False)] * 200 + [Seen(50.0, 1, True)] * 200
    assert fit(HEAD, perfect).head.score(50, 1) > 0.99


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "there are 0 benign rows"),
        (rows(1, 50), "there are 5 benign rows; 10 are the fewest"),
        (rows(50, 1), "there are 5 harmful rows; 10 are the fewest"),
        ([Seen(1.0, 1, i % 2 == 0) for i in range(100)], "the same for every row"),
        ([Seen(float(i % 2), 1, i % 2 == 0) for i in range(100)], "no more evidence"),
    ],
)
def test_rows_that_do_not_suffice_are_refused(data: list[Seen], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        fit(HEAD, data)


def test_auc_counts_pairs() -> None:
    random = np.random.default_rng(2)
    scores = random.integers(0, 8, size=80).astype(float)
    bad = random.random(80) < 0.4
    pairs = [(b > g) + 0.5 * (b == g) for b in scores[bad] for g in scores[~bad]]
    assert auc_of(scores, bad) == pytest.approx(sum(pairs) / len(pairs))


def test_a_head_keeps_what_is_not_fitted() -> None:
    one = Head.model_validate_json(
        json.dumps(head_of("a", ["none", "full"], kind="softmax", rest="none", at=3))
    )
    made = fit(one, rows(200, 50)).head
    assert (made.name, made.labels, made.kind, made.rest, made.at) == (
        "a", ("none", "full"), "softmax", "none", 3
    )  # fmt: skip
