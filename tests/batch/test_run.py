"""Runs into a file: three forms with the same results, stopped anywhere and gone on with."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guardkit.batch import Asked, Crew, Run, corpus_of
from guardkit.batch._lines import Lines
from guardkit.batch._read import MOST_ROWS
from guardkit.errors import UsageError

from ._corpora import PAN, POLICY, REMEMBERS, SECRET, guard_of, jsonl, policy, run_into, told

ROOT = Path(__file__).parents[2]
BLOCK = MOST_ROWS
ROWS = 11 * BLOCK + 40
"""Twelve blocks, the last of them not full."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return jsonl(tmp_path / "data.jsonl", ROWS)


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return [{k: v for k, v in row.items() if k != "elapsed_us"} for row in rows]


def sqlite_rows(path: Path) -> list[dict[str, Any]]:
    base = sqlite3.connect(path)
    names = ("id", "source", "action", "fired", "findings", "unknown", "error")
    query = f"SELECT {', '.join(names)} FROM results ORDER BY number"
    made = [
        {
            name: json.loads(value) if value and name in ("fired", "findings", "unknown") else value
            for name, value in zip(names, row, strict=True)
        }
        for row in base.execute(query)
    ]
    base.close()
    return made


def without_nothing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


# --- what is written


def test_what_stands_in_a_result(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "data.jsonl", 50)
    totals = run_into(tmp_path / "out.jsonl", data)
    found = told(tmp_path / "out.jsonl")
    assert len(found) == 50
    assert found[1] == {
        "id": "data.jsonl:2",
        "source": str(data),
        "action": "pass",
        "fired": [],
        "findings": [],
        "unknown": [],
    }
    assert (found[7]["action"], found[7]["fired"]) == ("block", ["no_greeting"])
    assert found[7]["findings"][0]["label"] == "GREETING"
    assert (found[11]["action"], found[11]["fired"]) == ("rewrite", ["mask_cards"])
    assert found[49] == {
        "id": "data.jsonl:50",
        "source": str(data),
        "action": "error",
        "error": "it is not JSON",
    }
    assert totals.actions == {"block": 7, "pass": 38, "rewrite": 4, "error": 1}
    raw = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert all(row["elapsed_us"] > 0 for row in raw if row["action"] != "error")


def test_the_three_forms_hold_the_same(tmp_path: Path, data: Path) -> None:
    for suffix in ("jsonl", "parquet", "sqlite"):
        run_into(tmp_path / f"out.{suffix}", data)
    plain = told(tmp_path / "out.jsonl")
    assert len(plain) == ROWS
    assert without_nothing(parquet_rows(tmp_path / "out.parquet")) == without_nothing(plain)
    assert without_nothing(sqlite_rows(tmp_path / "out.sqlite")) == without_nothing(plain)
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_no_text_is_written_unless_asked_for(tmp_path: Path, suffix: str) -> None:
    data = jsonl(tmp_path / "data.jsonl", 100)
    out = tmp_path / f"out.{suffix}"
    run_into(out, data, context={"user": SECRET})
    for path in (out, *tmp_path.glob("out*.journal")):
        content = path.read_bytes()
        assert SECRET.encode() not in content
        assert b"4111" not in content
        assert b"hello" not in content
    run_into(tmp_path / f"shown.{suffix}", data, shows_values=True)
    if suffix == "parquet":
        shown = parquet_rows(tmp_path / "shown.parquet")
        assert shown[11]["text"] == f"{SECRET} number 11, card [CARD]"
        assert shown[11]["findings"][0]["value"] == PAN
    else:
        assert SECRET.encode() in (tmp_path / f"shown.{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_text_that_is_no_unicode_is_written(tmp_path: Path, suffix: str) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"id": "\\ud800", "text": "\\ud800 hello"}\n{"text": "\\udfff"}\n')
    totals = run_into(tmp_path / f"out.{suffix}", data, shows_values=True)
    assert totals.actions == {"block": 1, "pass": 1}


# --- stopped and gone on with


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_stopped_after_every_block_and_gone_on_with(
    tmp_path: Path, data: Path, suffix: str
) -> None:
    run_into(tmp_path / "whole.jsonl", data)
    whole = told(tmp_path / "whole.jsonl")
    out = tmp_path / f"out.{suffix}"
    counts = []
    for number in range(20):
        totals = run_into(out, data, resume=number > 0, stop_after=1)
        counts.append(totals.rows)
        if totals.rows == ROWS and counts[-2:] == [ROWS, ROWS]:
            break
    assert counts[:3] == [BLOCK, 2 * BLOCK, 3 * BLOCK]
    read = {"jsonl": told, "parquet": parquet_rows, "sqlite": sqlite_rows}[suffix]
    assert without_nothing(read(out)) == without_nothing(whole)
    assert totals.actions["error"] == ROWS // 50


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out.jsonl"
    first = run_into(out, data)
    before = out.read_bytes()
    again = run_into(out, data, resume=True)
    assert (again, out.read_bytes()) == (first, before)


def test_resume_without_a_run_begins_one(tmp_path: Path, data: Path) -> None:
    assert run_into(tmp_path / "out.jsonl", data, resume=True).rows == ROWS


def test_a_finished_run_is_begun_anew_without_resume(tmp_path: Path, data: Path) -> None:
    for suffix in ("jsonl", "parquet", "sqlite"):
        out = tmp_path / f"out.{suffix}"
        run_into(out, data)
        assert run_into(out, jsonl(tmp_path / "less.jsonl", 10)).rows == 10
    assert len(told(tmp_path / "out.jsonl")) == 10
    assert len(sqlite_rows(tmp_path / "out.sqlite")) == 10
    assert len(parquet_rows(tmp_path / "out.parquet")) == 10


def test_what_lies_beyond_the_journal_does_not_count(tmp_path: Path, data: Path) -> None:
    run_into(tmp_path / "whole.jsonl", data)
    out = tmp_path / "out.jsonl"
    run_into(out, data, stop_after=2)
    with out.open("ab") as file:
        file.write(b'{"id": "data.jsonl:257", "half of a li')
    run_into(out, data, resume=True)
    assert told(out) == told(tmp_path / "whole.jsonl")


def test_a_stop_in_the_midst_of_writing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    write = Lines.write
    left = [3]

    def stopped(self: Lines, results: Any) -> int:
        size = write(self, results)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt  # the lines are out, and nobody has noted them
        return size

    monkeypatch.setattr(Lines, "write", stopped)
    assert run_into(out, data).rows == 2 * BLOCK
    monkeypatch.undo()
    run_into(out, data, resume=True)
    run_into(tmp_path / "whole.jsonl", data)
    assert told(out) == told(tmp_path / "whole.jsonl")


def test_sessions_remember_what_was_judged_before_the_stop(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "data.jsonl", 1_200, sessions=4)
    run_into(tmp_path / "whole.jsonl", data, guard=guard_of(REMEMBERS))
    whole = told(tmp_path / "whole.jsonl")
    late = [row for row in whole[2 * BLOCK :] if "enough" in row.get("fired", ())]
    assert late  # what comes after the stop hangs on what came before
    out = tmp_path / "out.jsonl"
    run_into(out, data, guard=guard_of(REMEMBERS), stop_after=2)
    run_into(out, data, guard=guard_of(REMEMBERS), resume=True)
    assert told(out) == whole


# --- what cannot be gone on with


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        run_into(*arguments, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_another_policy_or_corpus_is_refused(tmp_path: Path, data: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    run_into(out, data, stop_after=1)
    other = guard_of(POLICY.replace("hello", "goodbye"))
    assert refused(out, data, guard=other, resume=True).endswith("the policy is another one")
    assert "something else is asked" in refused(
        out, data, resume=True, context={"user": {"role": SECRET}}
    )
    assert "something else is asked" in refused(out, data, resume=True, shows_values=True)
    with data.open("a") as file:
        file.write('{"text": "more"}\n')
    assert "the files to judge are not what they were" in refused(out, data, resume=True)


def test_another_version_is_refused(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    run_into(out, data, stop_after=1)
    monkeypatch.setattr("guardkit.__version__", "99.0")
    assert "guardkit is another version" in refused(out, data, resume=True)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_an_output_that_is_somebody_elses_is_left_alone(
    tmp_path: Path, data: Path, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    out.write_bytes(b"precious\n")
    for resume in (False, True):
        assert "is there already" in refused(out, data, resume=resume)
    assert out.read_bytes() == b"precious\n"


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_a_stopped_run_is_not_begun_anew_by_mistake(
    tmp_path: Path, data: Path, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    run_into(out, data, stop_after=1)
    assert "go on with `--resume`, or remove it" in refused(out, data)


def test_a_name_without_a_form_and_a_folder_that_is_not_there(tmp_path: Path, data: Path) -> None:
    assert "name it .jsonl, .parquet or .sqlite" in refused(tmp_path / "out.txt", data)
    assert "no such folder" in refused(tmp_path / "no" / "out.jsonl", data)
    (tmp_path / "dir.jsonl").mkdir()
    assert "dir.jsonl" in refused(tmp_path / "dir.jsonl", data)


def test_an_output_among_the_texts(tmp_path: Path) -> None:
    jsonl(tmp_path / "data.jsonl", 5)
    out = tmp_path / "out.jsonl"
    run_into(out, tmp_path / "data.jsonl")
    assert "lies among the texts to judge" in refused(out, tmp_path)


def test_only_files_can_be_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert run_into(out, "hello").actions == {"block": 1}
    assert "only files" in refused(out, "hello", resume=True)


def test_two_runs_do_not_write_one_file(tmp_path: Path, data: Path) -> None:
    for suffix in ("jsonl", "sqlite"):
        out = tmp_path / f"out.{suffix}"
        run_into(out, data, stop_after=1)
        guard = guard_of()
        with Run(guard, corpus_of([str(data)]), Asked(), out, resume=True) as run:
            blocks = iter(run)
            next(blocks)
            with pytest.raises(UsageError, match="another run writes"):
                run_into(out, data, guard=guard, resume=True)


def test_an_output_that_lost_its_end(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out.jsonl"
    run_into(out, data, stop_after=2)
    os.truncate(out, 100)
    assert "shorter than its journal says" in refused(out, data, resume=True)
    out.with_name("out.jsonl.journal").write_text("{}")
    assert "journal of" in refused(out, data, resume=True)


def test_parquet_that_cannot_be_written_is_said_before_anything_is_judged(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'guardkit[parquet]'" in refused(tmp_path / "out.parquet", data)


# --- killed


RUNNING = """
import sys
sys.path.insert(0, {root!r})
from guardkit.cli import main
main()
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("suffix", ["jsonl", "sqlite"])
def test_a_process_that_is_killed_loses_and_repeats_nothing(
    tmp_path: Path, suffix: str, workers: int
) -> None:
    data = jsonl(tmp_path / "data.jsonl", 60_000)
    out = tmp_path / f"out.{suffix}"
    command = [sys.executable, "-c", RUNNING.format(root=str(ROOT)), "scan", str(policy(tmp_path))]
    command += [str(data), "--out", str(out), "--workers", str(workers)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE)
    journal = out.with_name(f"{out.name}.journal")
    until = time.monotonic() + 40
    while time.monotonic() < until and _rows_kept(out, journal) < 512:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    kept = _rows_kept(out, journal)
    assert 512 <= kept < 60_000
    done = subprocess.run([*command, "--resume"], capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    assert f"{kept} texts were judged before" in done.stderr.decode()
    read = told if suffix == "jsonl" else sqlite_rows
    ids = [row["id"] for row in read(out)]
    assert ids == [f"data.jsonl:{number}" for number in range(1, 60_001)]


def _rows_kept(out: Path, journal: Path) -> int:
    try:
        if out.suffix == ".sqlite":
            base = sqlite3.connect(f"file:{out}?mode=ro", uri=True)
            try:
                return int(base.execute("SELECT rows FROM run").fetchone()[0])
            finally:
                base.close()
        return sum(json.loads(journal.read_text())["totals"]["actions"].values())
    except (OSError, ValueError, sqlite3.Error):
        return 0


# --- crews


def test_the_number_of_workers_changes_nothing(tmp_path: Path, data: Path) -> None:
    for workers in (1, 3):
        run_into(tmp_path / f"{workers}.jsonl", data, crew=Crew(workers=workers))
    assert told(tmp_path / "1.jsonl") == told(tmp_path / "3.jsonl")
