"""Two reports side by side: a table of recorded results, and what is said of each."""

from __future__ import annotations

from typing import Any

import pytest

from guardkit.bench import Comparison, compare
from guardkit.errors import UsageError


def figure(us: float, low: float | None, high: float | None, *rounds: float) -> dict[str, Any]:
    return {"us": us, "low": low, "high": high, "rounds": list(rounds) or [us]}


def report(p50: dict[str, Any], **changes: Any) -> dict[str, Any]:
    spread = {"p50": p50, "p95": p50, "p99": p50}
    made: dict[str, Any] = {
        "guardkit_bench": 1,
        "policy": "shop",
        "digest": "sha256:1",
        "models": [],
        "quantile": "p50",
        "machine": {"cpu": "c", "python": "p", "engines": [], "tick_mean_us": 1000.0},
        "surfaces": [
            {
                "surface": "input",
                "groups": [{"name": "prose, 200", "spread": spread}],
                "stream": None,
            }
        ],
    }
    return {**made, **changes}


STEADY = figure(100.0, 98.0, 102.0, 99.0, 100.0, 101.0)

CASES = {
    "the same": (STEADY, STEADY, "same"),
    "a little slower, within tolerance": (STEADY, figure(108.0, 107.0, 109.0), "same"),
    # 112 / 102 = 1.098 at the least
    "slower, but not for certain": (STEADY, figure(115.0, 112.0, 118.0), "same"),
    # 113 / 102 = 1.108
    "slower for certain": (STEADY, figure(115.0, 113.0, 118.0), "slower"),
    "one round was as fast as ever": (STEADY, figure(200.0, 190.0, 210.0, 100.0, 205.0), "same"),
    "all rounds were slower": (STEADY, figure(200.0, 190.0, 210.0, 185.0, 205.0), "slower"),
    "the old one moved a lot": (figure(100.0, 98.0, 102.0, 60.0, 190.0), STEADY, "same"),
    "faster for certain": (STEADY, figure(90.0, 89.0, 91.0), "faster"),
    "faster, but not for certain": (STEADY, figure(97.0, 95.0, 99.0), "same"),
    "too few calls before to know a bound": (
        figure(100.0, 98.0, None),
        figure(900.0, 800.0, 1_000.0),
        "unsure",
    ),
    "too few calls now to know an upper bound": (STEADY, figure(900.0, 800.0, None), "slower"),
    "too few calls to know any": (
        figure(100.0, None, None),
        figure(900.0, None, None),
        "unsure",
    ),
    "an interval that says nothing": (figure(100.0, 20.0, 200.0), STEADY, "unsure"),
    "nothing was measured before": (figure(0.0, 0.0, 0.0), STEADY, "unsure"),
}


@pytest.mark.parametrize(("old", "new", "change"), CASES.values(), ids=CASES)
def test_what_is_said(old: dict[str, Any], new: dict[str, Any], change: str) -> None:
    found = compare(report(old), report(new), tolerance=0.10)
    (one,) = found.ratios
    assert one.change == change
    assert bool(found.slower) is (change == "slower")


def test_the_interval_is_worked_out_by_hand() -> None:
    new = figure(220.0, 200.0, 240.0, 190.0, 250.0)
    (one,) = compare(report(STEADY), report(new)).ratios
    assert one.ratio == pytest.approx(2.2)
    assert one.low == pytest.approx(190 / 102)
    assert one.high == pytest.approx(250 / 98)


@pytest.mark.parametrize(("tolerance", "change"), [(0.0, "slower"), (0.5, "slower"), (0.9, "same")])
def test_the_tolerance_counts(tolerance: float, change: str) -> None:
    new = figure(195.0, 190.0, 200.0)
    found = compare(report(STEADY), report(new), tolerance=tolerance)
    assert found.ratios[0].change == change


def test_a_machine_that_was_slower_may_be_why() -> None:
    slow = {"cpu": "c", "python": "p", "engines": [], "tick_mean_us": 1_900.0}
    found = compare(report(STEADY), report(figure(195.0, 190.0, 200.0), machine=slow))
    (one,) = found.ratios
    assert one.change == "same"
    assert one.low == pytest.approx(190 / 102 / 1.9)
    assert one.high == pytest.approx(200 / 98)
    assert any("1.90 times" in note for note in found.notes)


def test_a_machine_that_was_slower_then_may_be_why() -> None:
    slow = {"cpu": "c", "python": "p", "engines": [], "tick_mean_us": 2_000.0}
    (one,) = compare(report(STEADY, machine=slow), report(figure(60.0, 59.0, 61.0))).ratios
    assert one.change == "same"
    assert one.high == pytest.approx(61 / 98 * 2)


def test_streams_are_compared_and_the_quantile_of_the_verdict() -> None:
    spread = {"p50": STEADY, "p95": STEADY, "p99": figure(300.0, 290.0, 310.0)}
    surface = {
        "surface": "output",
        "groups": [{"name": "own texts", "spread": spread}],
        "stream": {"feed": spread, "finish": spread},
    }
    one = report(STEADY, surfaces=[surface], quantile="p99")
    found = compare(one, one)
    assert [(r.what, r.quantile) for r in found.ratios] == [
        (what, quantile)
        for what in ("own texts", "stream, a token", "stream, its end")
        for quantile in ("p50", "p99")
    ]


def test_what_only_one_of_them_measured_is_named() -> None:
    both = report(STEADY)["surfaces"][0]
    other = {**both, "surface": "output"}
    found = compare(report(STEADY, surfaces=[both, other]), report(STEADY))
    assert found.only_old == ("output: prose, 200",)
    assert found.only_new == ()


def test_what_changed_besides_is_said() -> None:
    machine = {"cpu": "d", "python": "q", "engines": [["e", "1"]], "is_busy": True}
    new = report(
        STEADY, policy="other", digest="sha256:2", models=[["m", "sha256:3"]], machine=machine
    )
    said = " / ".join(compare(report(STEADY), new).notes)
    for piece in ("other names", "plan", "models", "processor", "Python", "libraries", "busy now"):
        assert piece in said


def damaged() -> list[Any]:
    whole = report(STEADY)
    lost = report({"us": 1.0})
    words = report(figure("many", 1, 2))  # type: ignore[arg-type]
    return [None, [], {}, 7, {**whole, "guardkit_bench": 2}, {**whole, "surfaces": 3}, lost, words]


@pytest.mark.parametrize("bad", damaged())
@pytest.mark.parametrize("is_old", [True, False])
def test_what_is_no_report_is_refused_in_one_sentence(bad: Any, is_old: bool) -> None:
    old, new = (bad, report(STEADY)) if is_old else (report(STEADY), bad)
    with pytest.raises(UsageError) as caught:
        compare(old, new)
    assert str(caught.value).startswith("the old report" if is_old else "the new report")
    assert "\n" not in str(caught.value)


def test_reports_without_a_common_figure_are_refused() -> None:
    other = report(STEADY)
    other["surfaces"][0] = {**other["surfaces"][0], "surface": "output"}
    with pytest.raises(UsageError, match="no figure in common"):
        compare(report(STEADY), other)


def test_reports_of_different_clocks_are_refused() -> None:
    with pytest.raises(UsageError, match="same clock"):
        compare(report(STEADY, clock="wall"), report(STEADY, clock="cpu"))


def test_as_json_it_is_plain() -> None:
    found: Comparison = compare(report(STEADY), report(figure(900.0, 800.0, None)))
    data = found.as_json()
    assert data["slower"] == 1
    assert data["ratios"][0]["high"] is None
    assert data["ratios"][0]["change"] == "slower"
