"""What benchmarks make of their times, and that the tables say what the files of results say."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from benchmarks import growth, tables, targets
from benchmarks.growth_plot import plotted
from benchmarks.pairs import Lap, in_turns, middle, summed
from benchmarks.targets import ROWS, Aim


def test_which_one_is_first_alternates() -> None:
    seen: list[str] = []
    lap = in_turns(lambda one: seen.append(f"floor {one}"), lambda one: seen.append(one), "ab")
    assert seen == ["a", "floor a", "floor b", "b"]
    assert len(lap.floor) == len(lap.work) == 2


def test_the_ratio_is_that_within_a_lap() -> None:
    """The second lap was disturbed, and both alike."""
    quiet, loud = Lap([1.0], [3.0], [0.5], {"n": 1.0}), Lap([10.0], [30.0], [5.0], {"n": 3.0})
    seen = summed([quiet, loud])
    assert seen.ratio.value == 3.0
    assert seen.added.value == (2.5 + 25.0) / 2
    assert seen.notes["n"].value == 2.0


def test_few_laps_have_no_interval() -> None:
    assert middle([3.0, 1.0, 2.0]) == (2.0, None, None)
    assert middle([float(n) for n in range(7)]) == (3.0, 0.0, 6.0)


@pytest.mark.parametrize(
    ("points", "is_flat", "rise", "holds"),
    [
        ([(1, 1.0), (10, 10.0), (100, 100.0)], False, 1.0, True),
        ([(1, 1.0), (10, 1.0), (100, 1.0)], True, 1.0, True),
        ([(1, 1.0), (10, 10.0), (100, 140.0)], False, 1.4, False),
        # What is spread over more units at first does not hide the rise afterwards.
        ([(1, 9.0), (10, 10.0), (100, 200.0)], False, 2.0, False),
        ([(1, 1.0), (10, 2.0), (100, 1.0)], True, 2.0, False),
    ],
)
def test_the_worst_rise(
    points: list[tuple[int, float]], is_flat: bool, rise: float, holds: bool
) -> None:
    found = growth.judged(points, is_flat=is_flat)
    assert found["rise"] == pytest.approx(rise)
    assert found["holds"] is holds


def test_the_exponent_is_that_of_the_larger_half() -> None:
    points = [(n, 5.0 + 1e-3 * n**2) for n in (1, 10, 1_000, 10_000, 100_000)]
    assert growth.exponent(points) == pytest.approx(2.0, abs=0.01)


def test_aims_read_well_and_know_what_meets_them() -> None:
    assert Aim("figure", most=0.058).text == "≤ 58 µs"
    assert Aim("ratio", most=1.8, unit="×").text == "≤ 1.8×"
    assert (
        Aim("without_mini", least=0.95, unit="%", name="without mini").text == "without mini ≥ 95%"
    )
    assert Aim("ratio", most=1.8).is_met(1.8)
    assert not Aim("ratio", most=1.8).is_met(1.81)
    assert not Aim("share", least=0.95).is_met(0.94)


def test_a_table_goes_between_its_markers() -> None:
    before = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    after = tables.between(before, "x", "new")
    assert after == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    assert tables.between(after, "x", "new") == after
    with pytest.raises(ValueError, match="are not there"):
        tables.between("nothing", "x", "new")


# --- what is committed


def test_the_tables_are_those_of_the_results() -> None:
    readme = tables.README.read_text("utf-8")
    results = json.loads(tables.RESULTS.read_text("utf-8"))
    assert tables.between(readme, "performance", tables.performance(results)) == readme
    grown = json.loads(growth.FILE.read_text("utf-8"))
    assert tables.between(readme, "growth", growth.table(grown)) == readme
    assert growth.PLOT.read_text("utf-8") == plotted(grown["lanes"])


def test_every_work_is_in_the_results_of_one_run() -> None:
    results = json.loads(tables.RESULTS.read_text("utf-8"))
    assert results["command"] == targets.COMMAND
    assert [row["id"] for row in results["rows"]] == [row.id for row in ROWS]
    for row, made in zip(results["rows"], ROWS, strict=True):
        assert [aim["text"] for aim in row["aims"]] == [aim.text for aim in made.aims]
        met = [aim.is_met(said["is"]) for aim, said in zip(made.aims, row["aims"], strict=True)]
        assert row["met"] is (all(met) if met else None)


def test_what_is_said_to_hold_holds() -> None:
    grown = json.loads(growth.FILE.read_text("utf-8"))
    for lane in grown["lanes"]:
        points = [(point["size"], point["s"]) for point in lane["points"]]
        found = growth.judged(points, is_flat=lane["grows"] == "flat")
        assert {key: lane[key] for key in found} == found


def test_the_plots_are_well_formed() -> None:
    lanes = json.loads(growth.FILE.read_text("utf-8"))["lanes"]
    drawn = ElementTree.fromstring(plotted(lanes))
    groups = drawn.findall("{http://www.w3.org/2000/svg}g")
    assert len(groups) == len(lanes)
    for group, lane in zip(groups, lanes, strict=True):
        dots = group.findall("{http://www.w3.org/2000/svg}circle")
        assert len(dots) == len(lane["points"])
