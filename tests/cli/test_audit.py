"""`audit verify` and `audit export`: what they say, how they end, what they never show."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import guardkit as package
from guardkit.telemetry import Audit, verify

from ._run import SMALL, Done, guardkit, process

KEY = "a key of sixteen bytes or more"
SAID = "hello, I am Anna Karenina"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of verdicts that a guard made: two blocks and a pass."""
    guard = package.loads(SMALL)
    path = tmp_path / "audit.db"
    with Audit(path, clock=lambda: 1_769_860_800.0) as audit:
        for text in (SAID, "good morning", "and hello again"):
            audit.record(guard.check(text), session="anna", tenant="karenina")
    return path


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    path = tmp_path / "keyed.db"
    with Audit(path, key=KEY.encode()) as audit:
        audit.record(package.loads(SMALL).check(SAID))
    return path


def change(path: Path, number: int = 2) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "UPDATE record SET body = replace(body, 'pass', 'flag') WHERE number = ?", [number]
        )
        db.execute("UPDATE record SET body = CAST(body AS BLOB) WHERE number = ?", [number])
        db.commit()


def guarded(done: Done) -> bool:
    return "anna" in (done.out + done.err).lower()


# --- verify


def test_a_whole_log_ends_with_0(log: Path) -> None:
    done = guardkit("audit", "verify", log)
    head = verify(log).head
    assert done.code == 0
    assert done.out == (
        f"whole  3 records, 2026-01-31 12:00:00 to 2026-01-31 12:00:00 UTC\n  {head}\n"
    )
    assert "--head" in done.err
    assert all(len(line) <= 80 for line in (done.out + done.err).splitlines())
    with_head = guardkit("audit", "verify", log, "--head", head)
    assert (with_head.code, with_head.err) == (0, "")
    assert guardkit("audit", "verify", log, "--quiet").err == ""


def test_a_changed_log_ends_with_1_and_names_the_record(log: Path) -> None:
    change(log)
    done = guardkit("audit", "verify", log)
    assert (done.code, done.out) == (1, "")
    said = " ".join(done.err.split())
    assert f"error: `{log.as_posix()}` is not as it was written, from record 2 on:" in said
    assert "before it: 1 record, 2026-01-31 12:00:00" in said
    found = json.loads(guardkit("audit", "verify", log, "--format", "json").out)
    assert (found["whole"], found["bad"], found["records"]) == (False, 2, 1)


def test_a_log_as_json(log: Path) -> None:
    done = guardkit("audit", "verify", log, "--format", "json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "whole": True,
        "records": 3,
        "head": verify(log).head,
        "bad": None,
        "why": "",
        "since": "2026-01-31T12:00:00.000Z",
        "until": "2026-01-31T12:00:00.000Z",
    }


def test_a_head_that_is_not_there_ends_with_1(log: Path) -> None:
    head = verify(log).head.replace("3:", "4:")
    done = guardkit("audit", "verify", log, "--head", head)
    assert done.code == 1
    assert "record 4" in done.err


@pytest.mark.parametrize(
    "arguments", [("none.db",), (".",), ("audit.db", "--head", "x"), ("note.txt",), ("\x1b[2J.db",)]
)
def test_what_cannot_be_read_ends_with_2(
    log: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(log.parent)
    Path("note.txt").write_text(SAID * 100)
    for verb in ("verify", "export"):
        given = arguments if verb == "verify" else arguments[:1]
        if given == ("audit.db",):
            continue
        done = guardkit("audit", verb, *given)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: ")
        assert "\x1b" not in done.err
        assert not guarded(done)


def test_a_key_comes_from_the_environment(keyed: Path) -> None:
    def run(*arguments: str, **env: str) -> int:
        return guardkit("audit", "verify", keyed, *arguments, **env).code

    assert run("--key-env", "AUDIT_KEY", AUDIT_KEY=KEY) == 0
    assert run("--key-env", "AUDIT_KEY", AUDIT_KEY=KEY + "?") == 1
    assert run("--key-env", "AUDIT_KEY", AUDIT_KEY="short") == 2
    assert run() == 2
    assert run("--key-env", "AUDIT_KEY") == 2


# --- export


def test_records_are_exported_one_a_line(log: Path) -> None:
    done = guardkit("audit", "export", log)
    assert (done.code, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["number"], line["action"], line["verified"]) for line in lines] == [
        *((1, "block", True), (2, "pass", True), (3, "block", True)),
    ]
    assert done.out.isascii()
    assert not guarded(done)


def test_records_are_exported_as_a_table(log: Path) -> None:
    done = guardkit("audit", "export", log, "--format", "csv", "--rule", "no_greeting")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["number"] for row in rows] == ["1", "3"]
    assert not guarded(done)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--action", "block"), [1, 3]),
        (("--action", "block", "--action", "pass"), [1, 2, 3]),
        (("--surface", "input", "--since", "2026-01-31"), [1, 2, 3]),
        (("--until", "2026-01-31", "--rule", "no_greeting"), [1, 3]),
    ],
)
def test_records_are_filtered(log: Path, options: tuple[str, ...], numbers: list[int]) -> None:
    done = guardkit("audit", "export", log, *options)
    assert done.code == 0
    assert [json.loads(line)["number"] for line in done.out.splitlines()] == numbers


def test_no_record_that_matches_ends_with_5(log: Path) -> None:
    done = guardkit("audit", "export", log, "--surface", "output")
    assert (done.code, done.out, done.err) == (5, "", "no record matches\n")


def test_an_option_that_makes_no_sense_ends_with_2(log: Path) -> None:
    for options in (
        ("--action", "allow"),
        ("--since", "now"),
        ("--surface", "x"),
        ("--format", "x"),
    ):
        assert process("audit", "export", str(log), *options).code == 2


def test_a_changed_log_is_exported_with_1(log: Path) -> None:
    change(log)
    done = guardkit("audit", "export", log)
    assert done.code == 1
    assert [json.loads(line)["verified"] for line in done.out.splitlines()] == [True, False, False]
    assert "from record 2 on" in done.err


def test_a_log_with_a_key_is_exported_with_and_without_it(keyed: Path) -> None:
    done = guardkit("audit", "export", keyed)
    assert (done.code, json.loads(done.out)["verified"]) == (0, None)
    done = guardkit("audit", "export", keyed, "--key-env", "K", K=KEY)
    assert (done.code, json.loads(done.out)["verified"]) == (0, True)


def test_both_verbs_work_as_processes(log: Path) -> None:
    assert process("audit", "verify", str(log)).code == 0
    assert process("audit", "export", str(log), "--action", "pass").out.count("\n") == 1
    assert process("audit", "verify", str(log), "--key-env", "NO_SUCH_KEY").code == 2
