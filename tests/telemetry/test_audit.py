"""The audit log: what it keeps, what it never keeps, and that it keeps it under every loop."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

import guardkit
from guardkit.errors import AuditError, UsageError
from guardkit.telemetry import COLUMNS, Audit, export, verify
from guardkit.telemetry._audit_file import LogFile
from guardkit.types import Finding, Ledger, Record, Verdict

from ._logs import BLOCKED, ENDED, KEY, PASSED, POLICY, edited, filled, rows_of

POLICY_TEXT = """\
guardkit 1
policy canaries
  title   "Canaries"
  owner   "me@example.com"
  version "1"

check marked = pattern {
  match /\\bzq[a-z]{22}\\b/i
  label "mark"
}

check asked = python { call "m:asked" }

rule cover_marks {
  tier safety
  on   input, output, tool_call, tool_result, retrieved
  when marked
  then rewrite matches as "[{label}]"
}

rule ask {
  tier safety
  on   input
  when asked
  then block "Not this."
}
"""


def lines_of(path: Path, **options: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    export(path, out, **options)
    return [json.loads(line) for line in out.getvalue().splitlines()]


# --- what is kept


def test_a_verdict_is_kept_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with Audit(path, clock=lambda: 1.5) as audit:
        assert audit.record(BLOCKED, session="s1", tenant="acme", decision="d-1") == 1
        assert audit.exchange(ENDED, session="s1", tenant="acme") == 2
        assert audit.record(PASSED) == 3
    first, second, third = lines_of(path)
    who = {"session": first.pop("session"), "tenant": first.pop("tenant")}
    assert all(re.fullmatch(r"#[0-9a-f]{32}", name) for name in who.values())
    assert first.pop("hash")
    assert first == {
        "number": 1,
        "verified": True,
        "kind": "verdict",
        "time": "1970-01-01T00:00:01.500Z",
        "decision": "d-1",
        "guardkit": guardkit.__version__,
        "action": "block",
        "surface": "output",
        "policy": POLICY,
        "elapsed_us": 45.7,
        "chars": len(BLOCKED.text),
        "fired": ["no_card"],
        "exempted": ["no_mail"],
        "shadow": ["no_name"],
        "findings": [
            {
                "rule": "no_card",
                "check": "card",
                "label": "CARD",
                "start": 3,
                "end": 22,
                "score": 0.5,
                "view": "raw",
            }
        ],
        "unknown": ["judge"],
        "undecided": ["no_harm"],
        "ledger": [
            {"layer": "output", "by": "check card", "outcome": "yes", "elapsed_us": 3.2},
            {"layer": "output", "by": "rule no_card", "outcome": "block"},
        ],
    }
    assert {name: second[name] for name in who} == who
    assert len(second["decision"]) == 32
    kept = ("kind", "outcome", "layer", "by", "refusal", "expected", "judgement", "elapsed_us")
    assert [second[name] for name in kept] == [
        *("exchange", "refused", "output", "rule no_card", "none", "answer"),
        *(ENDED.judgement, 99.9),
    ]
    assert third["decision"] != second["decision"]
    assert not third.keys() & {"session", "tenant", "findings", "fired", "ledger", "text"}


def test_names_of_people_are_hashed_under_a_key(tmp_path: Path) -> None:
    given = [("s1", "a"), ("s1", "b"), ("s2", "a"), ("s1", ""), ("", ""), ("\ud800", "\ud800")]
    hashes: dict[str, list[str]] = {}
    for name, key in (("one", None), ("two", None), ("keyed", KEY), ("again", KEY)):
        path = tmp_path / name
        with Audit(path, "fast", key) as audit:
            for session, tenant in given:
                audit.record(PASSED, session=session, tenant=tenant)
        hashes[name] = [line["session"] for line in lines_of(path, key=key)]
        assert len(set(hashes[name])) == len(given)
        raw = path.read_bytes()
        assert key is None or key not in raw
    # Each file has a key of its own, unless it is given: then names are the same in both.
    assert not set(hashes["one"]) & set(hashes["two"])
    assert hashes["keyed"] == hashes["again"]


def test_what_users_and_models_name_is_kept_only_where_it_is_known(tmp_path: Path) -> None:
    verdict = BLOCKED._replace(
        tool="mail.send",
        findings=(
            Finding("r", "c", "CARD", 0, 4, pointer="/to"),
            Finding("r", "c", "CARD", 0, 4, pointer="/anna karenina"),
            Finding("r", "c", "ANNA KARENINA", 0, 4),
        ),
        records=(
            Record("tool_call", "check language", "ru", 1.0),
            Record("tool_call", "check topic", "anna karenina", 1.0, None, "read anna karenina"),
            Record("tool_call", "check count", "-1.5e-07", 1.0),
            Record("tool_call", "rule no_card", "shadow: block", 1.0),
            Record("tool_call", "rule anna \x1b[2J karenina", "yes", 1.0),
        ),
    )
    closed = tmp_path / "closed.db"
    with Audit(closed) as audit:
        audit.record(verdict)
    opened = tmp_path / "opened.db"
    with Audit(opened, plain={"mail.send", "ru", "/to"}) as audit:
        audit.record(verdict)
    (line,) = lines_of(closed)
    assert "anna" not in json.dumps(line).lower()
    assert [one["outcome"][0] for one in line["ledger"]] == ["#", "#", "-", "s", "y"]
    assert line["ledger"][4]["by"].startswith("#")
    assert line["tool"].startswith("#")
    assert [one["label"][0] for one in line["findings"]] == ["C", "C", "#"]
    assert line["findings"][0]["pointer"] != line["findings"][1]["pointer"]
    (line,) = lines_of(opened)
    assert "anna" not in json.dumps(line).lower()
    assert (line["tool"], line["ledger"][0]["outcome"]) == ("mail.send", "ru")
    assert line["findings"][0]["pointer"] == "/to"


def test_texts_are_kept_where_somebody_asked_for_them(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    verdict = PASSED._replace(
        text="\x1b[31m=1+1\n\x7f\u202e\ud800" + "x" * 20_000, tool="anna", surface="tool_result"
    )
    with Audit(path, text=True) as audit:
        audit.record(verdict)
    (line,) = lines_of(path)
    assert line["text"] == verdict.text[:8000]
    assert (line["chars"], line["tool"]) == (len(verdict.text), "anna")
    for format in ("jsonl", "csv"):
        out = io.StringIO()
        export(path, out, format)
        assert all(one.isprintable() for one in out.getvalue().splitlines())
        assert len(out.getvalue().splitlines()) == (1 if format == "jsonl" else 2)


def test_a_record_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    long = "r" * 128
    verdict = Verdict(
        "block",
        "\U0001f600" * 100_000,
        "output",
        POLICY,
        1.0,
        fired=(long,) * 5000,
        exempted=(long,) * 5000,
        shadow=(long,) * 5000,
        unknown=(long,) * 5000,
        undecided=(long,) * 5000,
        findings=tuple(
            Finding(long, long, "L" * 64, i, i + 1, 0.1, long, long) for i in range(9999)
        ),
        records=(Record(long, long, "yes", 1.0, float("nan")),) * 5000,
        tool=long * 100,
    )
    few = BLOCKED._replace(findings=BLOCKED.findings * 150)
    with Audit(path, text=True) as audit:
        audit.record(verdict)
        audit.record(few)
        audit.exchange(Ledger("failed", "transport", "E" * 9999, records=verdict.records))
    assert all(len(body) < 1 << 18 for _, body, _ in rows_of(path))
    first, second, third = lines_of(path)
    assert first["cut"]["fired"] == first["cut"]["ledger"] == 5000
    assert first["cut"]["findings"] == 9999
    assert (first["action"], len(first["fired"])) == ("block", 200)
    assert (second["cut"], len(second["findings"])) == ({"findings": 150}, 100)
    assert (third["cut"], len(third["ledger"])) == ({"ledger": 5000}, 200)
    assert verify(path).is_whole


# --- no canary, in whatever spelling


LETTERS = "gijklmnoprstuvwxyz"
"""None that a hex digit is: no hash may look like a part of a canary."""


def fragments(canary: str) -> Iterator[str]:
    """Any eight characters in a row of a text, of its reverse and of its base64."""
    raw = canary.encode()
    texts = [canary, canary[::-1]]
    for shift in range(3):
        # Less the ends, which depend on what stands around it.
        texts.append(base64.b64encode(b"\0" * shift + raw).decode()[4:-4])
        texts.append(base64.urlsafe_b64encode(b"\0" * shift + raw).decode()[4:-4])
    for text in texts:
        for at in range(len(text) - 7):
            yield text[at : at + 8]


def found_in(raw: str, canary: str, windows: set[str]) -> bool:
    """Whether any spelling of a canary, or a part of it, is in a file."""
    hexed = canary.encode().hex()
    escaped = "".join(f"%{byte:02x}" for byte in canary.encode())
    return (
        hexed in raw
        or hexed.upper() in raw
        or escaped in raw
        or any(fragment in windows for fragment in fragments(canary))
    )


def windows_of(raw: str) -> set[str]:
    return {raw[at : at + 8] for at in range(len(raw) - 7)}


def test_no_canary_is_ever_in_the_file(tmp_path: Path) -> None:
    rng = random.Random(3)
    spoken: list[str] = []

    def canary() -> str:
        spoken.append("zq" + "".join(rng.choices(LETTERS, k=22)))
        return spoken[-1]

    def asked(text: str) -> bool:
        if "fail" in text:
            raise ValueError(text)
        return "block" in text

    guard = guardkit.loads(POLICY_TEXT, checks={"asked": asked})
    closed, opened = tmp_path / "closed.db", tmp_path / "opened.db"
    actions = set()
    with Audit(closed, "fast") as audit, Audit(opened, "fast", text=True) as telling:
        for number in range(60):
            word = ("", "fail", "block")[number % 3]
            session, tenant = canary(), canary()
            verdicts = [
                guard.check(f"a text with {canary()} {word}"),
                guard.check(f"{canary()} and more", on="output"),
                guard.check(canary(), on="tool_result", tool=canary()),
                guard.check_tool_call(canary(), {canary(): canary(), "to": [canary()]}),
                guard.check_tool_call("t", '{"broken": "' + canary()),
            ]
            careless = Record("output", "check topic", canary(), 1.0, None, canary())
            said = PASSED._replace(records=(careless,), text=canary(), message=canary())
            for verdict in (*verdicts, said):
                actions.add(verdict.action)
                audit.record(verdict, session=session, tenant=tenant)
                telling.record(verdict, session=session, tenant=tenant)
            ended = Ledger("refused", "model", "refusal full", records=(careless,))
            audit.exchange(ended, session=session, tenant=tenant)
            with pytest.raises(UsageError) as caught:
                audit.record(PASSED, decision=f"{canary()} {number}")
            assert spoken[-1] not in repr(caught.value)
            assert spoken[-1] not in repr(audit)
        live = b"".join(file.read_bytes() for file in tmp_path.glob("closed.db*"))
    assert actions == {"pass", "rewrite", "block"}
    raw = (live + closed.read_bytes()).decode("latin-1") + json.dumps(lines_of(closed))
    windows = windows_of(raw)
    assert len(spoken) > 800
    assert not [one for one in spoken if found_in(raw, one, windows)]
    # Where texts are asked for they are found, so the search is one that finds them.
    told = opened.read_bytes().decode("latin-1")
    windows = windows_of(told)
    assert sum(found_in(told, one, windows) for one in spoken) >= 300


# --- calls


@pytest.mark.parametrize("mode", ["durable", "fast"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_tasks_share_one_log(tmp_path: Path, backend: str, mode: Any) -> None:
    path = tmp_path / "audit.db"
    numbers: list[int] = []
    audit = Audit(path, mode)

    async def one(number: int) -> None:
        keep = audit.aexchange(ENDED) if number % 5 == 0 else audit.arecord(BLOCKED, session="s")
        numbers.append(await keep)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(one, number)

    anyio.run(main, backend=backend)
    audit.close()
    assert sorted(numbers) == ([0] * 100 if mode == "fast" else list(range(1, 101)))
    assert verify(path).count == 100


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_waits_can_be_cancelled(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "audit.db"
    with Audit(path) as audit:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            async def main() -> None:
                with anyio.move_on_after(0.05) as scope:
                    await audit.arecord(PASSED)
                assert scope.cancelled_caught

            anyio.run(main, backend=backend)
            other.execute("ROLLBACK")
        assert audit.record(PASSED) == 2  # the other one was kept all the same
    assert verify(path).count == 2


def test_many_threads_share_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.db"
    numbers: list[int] = []
    commits: list[int] = []
    add = LogFile.add

    def counted(self: LogFile, bodies: Sequence[bytes]) -> int:
        commits.append(len(bodies))
        return add(self, bodies)

    monkeypatch.setattr(LogFile, "add", counted)
    with Audit(path) as audit:
        gate = threading.Barrier(16)

        def work() -> None:
            gate.wait()
            numbers.extend(audit.record(BLOCKED) for _ in range(25))

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(numbers) == list(range(1, 401))
    assert sum(commits) == verify(path).count == 400
    assert len(commits) < 200


@pytest.mark.parametrize(("mode", "level"), [("durable", 2), ("fast", 1)])
def test_only_durable_waits_for_the_disk(tmp_path: Path, mode: Any, level: int) -> None:
    """No test can cut the power: what SQLite was told is all that can be seen."""
    with Audit(tmp_path / "audit.db", mode) as audit:
        db = audit._file._db
        assert db is not None
        assert db.execute("PRAGMA synchronous").fetchone() == (level,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_log_that_gets_no_thread_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Audit(tmp_path / "audit.db") as audit:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            with pytest.raises(AuditError, match="no thread"):
                audit.record(PASSED)
        assert audit.record(PASSED) == 1


def test_a_log_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    for number in range(3):
        filled(path, 150)
        assert verify(path).count == 150 * (number + 1)
    assert verify(path).since <= verify(path).until


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    audit = Audit(path)
    audit.record(PASSED)
    audit.close()
    audit.close()
    with pytest.raises(AuditError, match="closed"):
        audit.record(PASSED)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["audit.db"]
    assert verify(path).count == 1


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Audit(tmp_path / "audit.db") as audit:
            audit.record(PASSED)
            modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_arguments_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    for wrong in ({"mode": "quick"}, {"key": b"short"}, {"plain": "mail.send"}):
        with pytest.raises(UsageError):
            Audit(path, **wrong)  # type: ignore[arg-type]
    assert not path.exists()
    with Audit(path) as audit:
        for id in ("", "a b", "a\n", "x" * 65, "\u202e"):
            with pytest.raises(UsageError, match="decision id"):
                audit.record(PASSED, decision=id)


# --- export


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Four verdicts and an exchange, a day each from the first of January 1970."""
    path = tmp_path / "days.db"
    now = [0.0]
    verdicts = [
        PASSED,
        BLOCKED,
        PASSED._replace(action="flag", fired=("no_mail",)),
        PASSED._replace(surface="output", shadow=("no_card",)),
    ]
    with Audit(path, clock=lambda: now[0]) as audit:
        for verdict in verdicts:
            audit.record(verdict)
            now[0] += 86_400
        audit.exchange(ENDED)
    return path


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"since": "1970-01-03"}, [3, 4, 5]),
        ({"until": "1970-01-02"}, [1, 2]),
        ({"until": "1970-01-02T00:00"}, [1]),
        ({"since": "1970-01-02T00:00+00:00", "until": "1970-01-03T23:59:59.999"}, [2, 3]),
        ({"since": "1970-01-02T01:00+02:00"}, [2, 3, 4, 5]),
        ({"action": ["block", "flag"]}, [2, 3]),
        ({"rule": ["no_card"]}, [2, 4]),
        ({"rule": ["no_mail", "other"]}, [2, 3]),
        ({"surface": ["output"]}, [2, 4]),
        ({"surface": ["output"], "action": ["pass"]}, [4]),
        ({"action": ["hold"]}, []),
    ],
)
def test_export_keeps_what_was_asked_for(
    days: Path, options: dict[str, Any], numbers: list[int]
) -> None:
    assert [line["number"] for line in lines_of(days, **options)] == numbers


@pytest.mark.parametrize(
    "time", ["", "yesterday", "1970", "9999-12-31", "2026-02-30", "1970-01-01 \x1b"]
)
def test_a_time_that_is_none_is_refused(days: Path, time: str) -> None:
    with pytest.raises(UsageError, match="no time") as caught:
        lines_of(days, until=time)
    assert str(caught.value).isprintable()


def test_a_table_has_one_row_for_each_record(days: Path) -> None:
    import csv

    out = io.StringIO()
    done = export(days, out, "csv")
    assert (done.written, done.bad) == (5, None)
    header, *rows = csv.reader(io.StringIO(out.getvalue()))
    assert tuple(header) == COLUMNS
    second = dict(zip(header, rows[1], strict=True))
    assert (second["action"], second["findings"], second["verified"]) == ("block", "1", "yes")
    fifth = dict(zip(header, rows[4], strict=True))
    assert (fifth["kind"], fifth["outcome"], fifth["by"]) == ("exchange", "refused", "rule no_card")


def test_a_spreadsheet_takes_no_cell_for_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with Audit(path, text=True) as audit:
        for text in ("=1+1", "+1", "-1", "@a", "fine"):
            audit.record(PASSED._replace(text=text))
    out = io.StringIO()
    export(path, out, "csv")
    cells = [line.rpartition(",")[2] for line in out.getvalue().splitlines()[1:]]
    assert cells == ["'=1+1", "'+1", "'-1", "'@a", "fine"]


def test_an_export_says_from_where_on_it_cannot_be_believed(days: Path) -> None:
    forged = b'{"action":"pass","time":NaN}'
    with edited(days) as db:
        db.execute("UPDATE record SET body = ? WHERE number = 3", (forged,))
        db.execute("UPDATE record SET body = '\x1b[2J' WHERE number = 4")
    out = io.StringIO()
    done = export(days, out, action=["block", "pass"])
    assert (done.written, done.bad) == (4, 3)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["number"], line["verified"]) for line in lines] == [
        *((1, True), (2, True), (3, False), (4, False)),
    ]
    assert lines[2]["unreadable"] is lines[3]["unreadable"] is True
    assert out.getvalue().replace("\n", "").isprintable()


def test_a_log_with_a_key_is_exported_without_being_believed(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    filled(path, 3, KEY)
    assert [line["verified"] for line in lines_of(path)] == [None] * 3
    assert [line["verified"] for line in lines_of(path, key=KEY)] == [True] * 3
    assert [line["verified"] for line in lines_of(path, key=KEY + b"?")] == [False] * 3


def test_a_log_is_verified_and_exported_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with Audit(path) as audit:
        for number in range(1, 30):
            audit.record(PASSED)
            assert verify(path).count == number
            assert len(lines_of(path)) == number
