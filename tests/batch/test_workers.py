"""Several processes: the same results in the same order, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from guardkit.batch import Asked, Crew, corpus_of, judge_corpus
from guardkit.batch._judging import Asked as Asking
from guardkit.batch._read import Item
from guardkit.batch._wire import read, read_results, spelled, spelled_results, travels
from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, Case, Guard

from ._corpora import REMEMBERS, SECRET, guard_of, jsonl, run_into, told

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: it cannot fork")

TWO = Crew(workers=2)


def children() -> list[int]:
    """The processes that this one begot to scan."""
    import multiprocessing

    return [
        child.pid
        for child in multiprocessing.active_children()
        if child.name == "guardkit scan" and child.pid is not None
    ]


def test_sessions_are_judged_in_their_order(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "data.jsonl", 3_000, sessions=4)
    for name, crew in (("one", Crew()), ("two", TWO)):
        run_into(tmp_path / f"{name}.jsonl", data, guard=guard_of(REMEMBERS), crew=crew)
    found = told(tmp_path / "two.jsonl")
    assert found == told(tmp_path / "one.jsonl")
    assert any("enough" in row.get("fired", ()) for row in found)


def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "data.jsonl", 20_000)
    run_into(tmp_path / "one.jsonl", data)
    killed: set[int] = set()
    lines: list[str] = []
    for number, judged in enumerate(judge_corpus(guard_of(), corpus_of([str(data)]), Asked(), TWO)):
        if number in (1, 5, 9):
            # One that was killed a moment ago may still be listed.
            victim = next(pid for pid in children() if pid not in killed)
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        lines += [result.line for result in judged.results]
    assert len(killed) == 3
    (tmp_path / "two.jsonl").write_text("\n".join(lines) + "\n")
    assert told(tmp_path / "two.jsonl") == told(tmp_path / "one.jsonl")
    assert not children()


def test_a_block_that_takes_every_process_down_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = jsonl(tmp_path / "data.jsonl", 2_000)
    judge = Asking.judge
    parent = os.getpid()

    def dies(self: Asking, guard: Guard, items: list[Item]) -> Any:
        if os.getpid() != parent and any(item.case.id == "data.jsonl:701" for item in items):
            os._exit(9)
        return judge(self, guard, items)

    monkeypatch.setattr(Asking, "judge", dies)
    totals = run_into(tmp_path / "out.jsonl", data, crew=TWO)
    found = told(tmp_path / "out.jsonl")
    assert totals.rows == len(found) == 2_000
    assert {row["action"] for row in found[640:768]} == {"error"}
    assert "3 processes ended" in found[700]["error"]
    assert sum(row["action"] == "error" for row in found) == 128 + 2_000 // 50 - 3


def test_a_fault_in_a_process_is_told_by_its_type_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = jsonl(tmp_path / "data.jsonl", 100)
    parent = os.getpid()

    def breaks(self: Asking, guard: Guard, items: list[Item]) -> Any:
        assert os.getpid() != parent
        raise LookupError(items[0].case)

    monkeypatch.setattr(Asking, "judge", breaks)
    with pytest.raises(RuntimeError, match=r"^a worker failed: LookupError$"):
        run_into(tmp_path / "out.jsonl", data, crew=TWO)
    assert SECRET not in "".join(capfd.readouterr())


def test_processes_end_when_nobody_listens_any_more(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "data.jsonl", 10_000)
    judging = judge_corpus(guard_of(), corpus_of([str(data)]), Asked(), TWO)
    next(judging)
    assert len(children()) == 2
    judging.close()  # type: ignore[attr-defined]
    assert not children()


def test_what_was_read_before_an_error_is_judged(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "data.jsonl", 1_000)
    corpus = corpus_of([str(data), str(tmp_path / "no.jsonl")])
    judged: list[int] = []
    blocks = (
        judged.append(len(one.results)) for one in judge_corpus(guard_of(), corpus, Asked(), TWO)
    )
    with pytest.raises(UsageError, match="no such file"):
        list(blocks)
    assert sum(judged) == 1_000


def test_a_system_that_cannot_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(UsageError, match="cannot fork"):
        run_into(tmp_path / "out.jsonl", jsonl(tmp_path / "data.jsonl", 9), crew=TWO)


# --- on the wire


def test_rows_and_results_arrive_as_they_were_sent(tmp_path: Path) -> None:
    cases: list[Case | BrokenRow] = [
        Case("1", "a\nb \ud800 \u2028", "input"),
        Case("2", "", "tool_call", {"a": {"b": [1, 2.5, None, True]}}, "s", "t", line=9),
        BrokenRow("3", 7, "it is not JSON"),
    ]
    items = [Item((0, n), "a.jsonl", case) for n, case in enumerate(cases)]  # type: ignore[arg-type]
    assert all(travels(item) for item in items)
    text = spelled(items)
    assert text.isascii()
    assert read(text) == items
    results = Asked(shows_values=True).judge(guard_of(), items)
    assert read_results(spelled_results(results)) == results
    assert read_results("") == []


def test_facts_that_json_would_change_are_judged_here() -> None:
    from datetime import date

    for context in ({"day": date(2027, 1, 31)}, {"pair": (1, 2)}, {"raw": b"x"}):
        item = Item((0, 1), "a", Case("1", "x", "input", context))  # type: ignore[arg-type]
        assert not travels(item)
