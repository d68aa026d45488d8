"""The gate itself, on every commit; and that it would say no."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

from benchmarks import gate, works
from benchmarks.counts import counted
from benchmarks.gate import Best, Found
from benchmarks.pairs import Lap
from benchmarks.workload import text
from guardkit.runtime import _scan


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    return gate.recorded_now()


def test_no_call_runs_more_python(recorded: dict[str, Any]) -> None:
    if gate.PYTHON not in recorded["counts"]:
        pytest.skip(f"NOT TESTED: no counts are recorded for Python {gate.PYTHON}")
    found = gate.counts_beside(recorded)
    assert {one.id for one in found} == set(recorded["counts"][gate.PYTHON])
    assert [gate.said(one) for one in found if one.is_slower] == []


@pytest.mark.timeout(400)
def test_no_work_is_slower_against_its_floor(recorded: dict[str, Any]) -> None:
    found = [*gate.ratios_beside(recorded)]
    assert {one.id for one in found} == set(recorded["ratios"])
    assert [gate.said(one) for one in found if one.is_slower] == []


def test_the_same_is_counted_twice() -> None:
    guard, texts = works.guard_of(), [text(seed) for seed in range(8)]
    assert counted(guard.check, texts) == counted(guard.check, texts)


# --- the gate would say no


def test_a_scan_slower_by_two_fifths_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured beside what was true a moment ago, so that nothing recorded plays a part."""
    before = Best(works.w1())
    before.go(4)
    known = {"ratios": {"W1-1024": before.ratio}}
    slow_down(monkeypatch, 0.4 * before.work_s)
    (found,) = gate.ratios_beside(known, [works.w1], most=8)
    assert found.is_slower
    assert found.laps == 8


def test_more_python_in_a_scan_is_counted(
    recorded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, texts = works.guard_of(), [text(seed) for seed in range(8)]
    before = counted(guard.check, texts)
    slow_down(monkeypatch, 1e-3)
    now = counted(guard.check, texts)
    assert Found("W1", "instructions", now.instructions, before.instructions).is_slower
    assert Found("W1", "c_functions", now.c_functions, before.c_functions).change > 1


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Each scan of a text keeps the processor busy for longer."""
    look = _scan.Scanner.look

    def slower(self: _scan.Scanner, text: str) -> _scan.Sighting:
        until = perf_counter() + seconds
        while perf_counter() < until:
            pass
        return look(self, text)

    monkeypatch.setattr(_scan.Scanner, "look", slower)


@pytest.mark.parametrize(
    ("now", "then", "is_slower"),
    [(1.24, 1.0, False), (1.26, 1.0, True), (0.5, 1.0, False), (1.0, None, True)],
)
def test_a_quarter_is_too_much(now: float, then: float | None, is_slower: bool) -> None:
    assert Found("W1", "ratio", now, then).is_slower is is_slower


def test_the_best_of_each_input_counts() -> None:
    best = Best(works.w2(chunks=2, calls=1))
    best.add(Lap([1.0, 4.0], [9.0, 6.0]))
    best.add(Lap([3.0, 1.0], [4.0, 8.0]))
    assert best.ratio == (4.0 + 6.0) / (1.0 + 1.0)
    assert best.laps == 2
