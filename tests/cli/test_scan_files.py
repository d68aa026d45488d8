"""`guardkit scan` over files and folders: into files, by several processes, stopped, resumed."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ._run import SMALL, START, guardkit, plain


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "small.guard"
    path.write_text(SMALL, encoding="utf-8")
    return path


def data(path: Path, rows: int = 2_000, text: str = "good day") -> Path:
    path.write_text("".join(json.dumps({"text": f"{text} {n}"}) + "\n" for n in range(rows)))
    return path


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- what may be judged


def test_tables_texts_and_folders(policy: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    (held / "inner").mkdir(parents=True)
    (held / "a.csv").write_text("id,text\n1,hello\n2,good day\n")
    (held / "b.tsv").write_text("text\ngood day\n")
    (held / "inner" / "c.txt").write_text("good\nhello\n")
    (held / "inner" / "d.md").write_bytes(b"caf\xe9")
    (held / "e.bin").write_bytes(b"\0")
    done = guardkit("scan", policy, held)
    assert done.code == 1
    assert done.out.splitlines() == [
        "block    1                 by no_greeting  GREETING 0-5",
        "pass     2",
        "pass     b.tsv:2",
        "block    inner/c.txt       by no_greeting  GREETING 5-10",
        "error    inner/d.md        it is not UTF-8",
    ]
    assert done.err.splitlines() == [
        "1 file is left out: no files of texts by their names",
        "5 texts: 2 block, 2 pass, 1 unreadable",
    ]


def test_a_text_file_line_by_line(policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("good day\n\nhello\n")
    assert guardkit("scan", policy, path, "--lines").out.splitlines() == [
        "pass     a.log:1",
        "block    a.log:3           by no_greeting  GREETING 0-5",
    ]


def test_another_field(policy: Path, tmp_path: Path) -> None:
    rows = tmp_path / "a.jsonl"
    rows.write_text('{"body": "hello", "text": "good day"}\n{"text": "hello"}\n')
    table = tmp_path / "a.csv"
    table.write_text("body,text\nhello,good day\n")
    done = guardkit("scan", policy, rows, table, "--field", "body")
    assert [line.split()[0] for line in done.out.splitlines()] == ["block", "error", "block"]
    assert "it has no `body`" in done.out
    missing = guardkit("scan", policy, table, "--field", "content")
    assert (missing.code, "has no column `content`" in missing.err) == (2, True)


# --- into a file


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "sqlite"])
def test_into_a_file(policy: Path, tmp_path: Path, suffix: str) -> None:
    rows = data(tmp_path / "data.jsonl")
    out = tmp_path / f"out.{suffix}"
    done = guardkit("scan", policy, rows, "--out", out)
    assert (done.code, done.out, done.err) == (0, "", "2000 texts: 2000 pass\n")
    again = guardkit("scan", policy, rows, "--out", out, "--resume")
    assert (again.code, again.out) == (0, "")
    assert again.err == "2000 texts were judged before\n2000 texts: 2000 pass\n"


def test_the_code_is_that_of_the_whole_run(policy: Path, tmp_path: Path) -> None:
    rows = tmp_path / "data.jsonl"
    rows.write_text('{"text": "hello"}\n' + '{"text": "good day"}\n' * 20)
    out = tmp_path / "out.jsonl"
    for more in ((), ("--resume",)):
        assert guardkit("scan", policy, rows, "--out", out, *more).code == 1
    rows.write_text('{"text": "good day"}\n{\n')
    assert guardkit("scan", policy, rows, "--out", out).code == 3
    rows.write_text("")
    assert guardkit("scan", policy, rows, "--out", out).code == 5


def test_values_are_shown_only_if_asked_for(policy: Path, tmp_path: Path) -> None:
    rows = data(tmp_path / "data.jsonl", 5, "hello zanzibar")
    guardkit("scan", policy, rows, "--out", tmp_path / "a.jsonl")
    assert "zanzibar" not in (tmp_path / "a.jsonl").read_text()
    guardkit("scan", policy, rows, "--out", tmp_path / "b.jsonl", "--show-values")
    assert results(tmp_path / "b.jsonl")[0]["findings"][0]["value"] == "hello"


def test_options_that_make_no_sense_together(policy: Path, tmp_path: Path) -> None:
    rows = data(tmp_path / "data.jsonl", 5)
    for more, says in (
        (("--resume",), "name it by --out"),
        (("--format", "json", "--out", tmp_path / "a.jsonl"), "--format is for standard output"),
        (("--out", tmp_path / "a.csv"), "name it .jsonl, .parquet or .sqlite"),
        (("--workers", "0"), "--workers"),
        (("--engine", "cloud"), "--engine"),
    ):
        done = guardkit("scan", policy, rows, *more)
        assert done.code == 2, done.err
        assert says in done.err
        assert "Traceback" not in done.err


def test_a_run_that_cannot_go_on_says_why(policy: Path, tmp_path: Path) -> None:
    rows, out = data(tmp_path / "data.jsonl"), tmp_path / "out.jsonl"
    guardkit("scan", policy, rows, "--out", out)
    policy.write_text(SMALL.replace("hello", "goodbye"))
    done = guardkit("scan", policy, rows, "--out", out, "--resume")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("out.jsonl` cannot be gone on with: the policy is another one\n")
    assert len(done.err.splitlines()) == 1


def test_ray_without_ray_says_so(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    rows = data(tmp_path / "data.jsonl", 5)
    done = guardkit("scan", policy, rows, "--engine", "ray")
    assert done.code == 2
    assert "pip install 'guardkit[ray]'" in done.err


# --- several processes


def test_workers_change_nothing(policy: Path, tmp_path: Path) -> None:
    rows = tmp_path / "data.jsonl"
    rows.write_text(('{"text": "good day"}\n' * 99 + '{"text": "hello"}\n{\n') * 20)
    one, three = (
        guardkit("scan", policy, rows, "--workers", workers, "--format", "jsonl")
        for workers in ("1", "3")
    )
    assert one.code == three.code == 1
    assert re.sub(r'elapsed_us": [\d.]+', "", one.out) == re.sub(
        r'elapsed_us": [\d.]+', "", three.out
    )
    assert one.err == three.err


# --- interrupted


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_what_can_be_gone_on_with(policy: Path, tmp_path: Path, workers: str) -> None:
    rows, out = data(tmp_path / "data.jsonl", 80_000), tmp_path / "out.jsonl"
    command = [*START, "scan", str(policy), str(rows), "--out", str(out), "--workers", workers]
    started = subprocess.Popen(
        command, env=plain(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 40
    while time.monotonic() < until and (not out.exists() or out.stat().st_size < 100_000):
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does it: to the processes too
    _, said = started.communicate(timeout=30)
    assert started.returncode == 130, said
    assert "Traceback" not in said
    stopped = re.search(r"stopped after (\d+) texts: `--resume` goes on from there", said)
    assert stopped is not None, said
    count = int(stopped[1])
    assert 0 < count < 80_000
    assert len(results(out)) == count
    done = guardkit("scan", policy, rows, "--out", out, "--resume")
    assert done.err == f"{count} texts were judged before\n80000 texts: 80000 pass\n"
    assert [row["id"] for row in results(out)] == [f"data.jsonl:{n}" for n in range(1, 80_001)]


# --- how far it is


def shown(policy: Path, *arguments: str | Path, **env: str) -> str:
    """What a terminal is told while a scan runs."""
    ours, theirs = pty.openpty()
    command = [*START, "scan", str(policy), *(str(a) for a in arguments)]
    started = subprocess.Popen(
        command, env=plain(env), stdout=subprocess.DEVNULL, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    assert started.wait(timeout=30) == 0
    return said.decode()


def test_how_far_it_is(policy: Path, tmp_path: Path) -> None:
    rows = data(tmp_path / "data.jsonl", 120_000)
    told = shown(policy, rows, "--out", tmp_path / "a.jsonl")
    moved = re.findall(r"\[#*\.*\] +(\d+)%  ([\d,]+) texts  [\d,]+/s", told)
    assert len(moved) > 3
    parts = [int(part) for part, _ in moved]
    assert parts == sorted(parts)
    assert re.search(r"\d+ (s|min) left", told)
    assert told.splitlines()[-1].endswith("120000 texts: 120000 pass")


@pytest.mark.parametrize("how", ["--no-progress", "--quiet", "CI"])
def test_nothing_moves_where_nobody_asked_for_it(policy: Path, tmp_path: Path, how: str) -> None:
    rows = data(tmp_path / "data.jsonl", 30_000)
    more, env = ((how,), {}) if how.startswith("--") else ((), {"CI": "1"})
    told = shown(policy, rows, "--out", tmp_path / "a.jsonl", *more, **env)
    assert "texts  " not in told
    assert "[" not in told
