"""What was acknowledged is in the log: after kill -9, full disks, forks, beside others."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest

from guardkit.errors import AuditError
from guardkit.telemetry import Audit, _audit, export, verify

from ._logs import KEY, PASSED, filled, started

DEADLINE_S = 20.0


def decisions(path: Path, key: bytes | None = None) -> dict[str, int]:
    """The number of every record, by the id of its decision."""
    out = io.StringIO()
    assert export(path, out, key=key).bad is None
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    found = {line["decision"]: line["number"] for line in lines}
    assert len(found) == len(lines)
    return found


def eventually(claim: Callable[[], Any]) -> None:
    """Try until it does not raise."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            claim()
        except AuditError:
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        else:
            return


def for_a_while(use: Callable[[], Any]) -> None:
    """Go on until it raises."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        use()


# --- kill -9

WRITES = """
    import itertools, os, sys, threading
    from guardkit.telemetry import Audit
    from guardkit.types import Finding, Verdict

    path, name, key = sys.argv[1], sys.argv[2], sys.argv[3].encode() or None
    verdict = Verdict("block", "no", "input", "sha256:0", 1.0, fired=("r",),
                      findings=(Finding("r", "c", "L", 0, 4),) * 20)
    audit = Audit(path, key=key, busy_s=20.0)
    most = int(sys.argv[4])

    def work(thread):
        for number in range(most) if most else itertools.count():
            decision = f"{name}-{thread}-{number}"
            kept = audit.record(verdict, session="s", decision=decision)
            os.write(1, f"{decision} {kept}\\n".encode())

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    audit.close()
"""


def killed_at_random(path: Path, rounds: int, seed: int, key: bytes | None) -> None:
    """Two processes of four threads write and are killed, again and again, on one file."""
    rng = random.Random(seed)
    acknowledged: dict[str, int] = {}
    for number in range(rounds):
        writers = [
            started(WRITES, path, f"{number}{name}", (key or b"").decode(), 0) for name in "ab"
        ]
        assert writers[0].stdout is not None
        for _ in range(rng.randint(1, 150)):
            said = writers[0].stdout.readline()
            assert said, "it ended by itself"
            decision, kept = said.split()
            acknowledged[decision] = int(kept)
        for writer in writers:
            writer.kill()
        for writer in writers:
            rest, _ = writer.communicate(timeout=30)
            assert writer.returncode == -signal.SIGKILL
            for line in rest.split("\n")[:-1]:
                decision, kept = line.split()
                acknowledged[decision] = int(kept)
        # Everything a caller was told of is there, under the number it was told.
        report = verify(path, key=key)
        assert report.is_whole, report
        kept_now = decisions(path, key)
        assert acknowledged.items() <= kept_now.items()
        with Audit(path, key=key) as audit:
            decision = f"after-{number}"
            acknowledged[decision] = audit.record(PASSED, decision=decision)
        assert verify(path, key=key).count == len(kept_now) + 1
    assert len(acknowledged) > rounds * 2


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "keyed"])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, key: bytes | None) -> None:
    killed_at_random(tmp_path / "audit.db", 4, 1, key)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_kill_9_a_hundred_times_loses_nothing(tmp_path: Path) -> None:
    killed_at_random(tmp_path / "audit.db", 100, 2, None)


def test_a_torn_end_is_left_out_and_the_next_record_is_whole(tmp_path: Path) -> None:
    """The file beside it is cut, as a crash of the machine may cut what was not synced."""
    path = tmp_path / "audit.db"
    with Audit(path, clock=lambda: 0.0) as audit:
        for _ in range(40):
            audit.record(PASSED)
        main, wal = path.read_bytes(), (tmp_path / "audit.db-wal").read_bytes()
    rng = random.Random(5)
    counts = set()
    for number in range(40):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        torn = folder / "audit.db"
        torn.write_bytes(main)
        torn.chmod(0o600)
        size = rng.randrange(len(wal))
        junk = rng.randbytes(rng.choice([0, 0, 100, 5000]))
        (folder / "audit.db-wal").write_bytes(wal[:size] + junk)
        if size > 20_000:
            report = verify(torn)
            assert report.is_whole
            counts.add(report.count)
        with Audit(torn) as audit:
            kept = audit.record(PASSED)
        report = verify(torn)
        assert report.is_whole
        assert report.count == kept
    assert len(counts) > 5
    assert max(counts) <= 40


# --- several processes


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    writers = [started(WRITES, path, name, "", 60) for name in "ab"]
    acknowledged: dict[str, int] = {}
    for writer in writers:
        told, _ = writer.communicate(timeout=50)
        assert writer.returncode == 0
        acknowledged |= {line.split()[0]: int(line.split()[1]) for line in told.splitlines()}
    assert len(acknowledged) == 480
    assert sorted(acknowledged.values()) == list(range(1, 481))
    assert decisions(path) == acknowledged
    assert verify(path).count == 480


def test_processes_that_begin_a_log_at_once_begin_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    writers = [started(WRITES, path, name, KEY.decode(), 3) for name in "abcd"]
    for writer in writers:
        writer.communicate(timeout=50)
        assert writer.returncode == 0
    assert verify(path, key=KEY).count == 4 * 4 * 3


FORKS = """
    import os, sys
    from guardkit.telemetry import Audit, verify
    from guardkit.types import Verdict

    verdict = Verdict.passed("", "input", "sha256:0", 1.0, None)
    audit = Audit(sys.argv[1], sys.argv[2])
    for _ in range(20):
        audit.record(verdict)
    if not (child := os.fork()):
        for _ in range(20):
            audit.record(verdict)
        audit.close()
        os._exit(0)
    for _ in range(20):
        audit.record(verdict)
    assert os.waitpid(child, 0)[1] == 0
    audit.close()
    print(verify(sys.argv[1]).count)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_a_fork_writes_on(tmp_path: Path, mode: str) -> None:
    told, _ = (process := started(FORKS, tmp_path / "audit.db", mode)).communicate(timeout=30)
    assert (process.returncode, told) == (0, "60\n")


UNCLOSED = """
    import sys
    from guardkit.telemetry import Audit
    from guardkit.types import Verdict

    audit = Audit(sys.argv[1], "fast")
    for _ in range(500):
        audit.record(Verdict.passed("", "input", "sha256:0", 1.0, None))
"""


def test_a_program_that_ends_writes_what_waits(tmp_path: Path) -> None:
    process = started(UNCLOSED, tmp_path / "audit.db")
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert verify(tmp_path / "audit.db").count == 500


# --- disks that do not take it

FILLS = """
    import json, resource, signal, sys
    from guardkit.errors import AuditError
    from guardkit.telemetry import Audit
    from guardkit.types import Verdict

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    verdict = Verdict.passed("", "input", "sha256:0", 1.0, None)
    audit = Audit(sys.argv[1], key=None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    kept, said = 0, []
    while len(said) < 3:
        try:
            assert audit.record(verdict) == kept + 1
            kept += 1
        except AuditError as error:
            said.append(str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(5):
        assert audit.record(verdict) == kept + 1
        kept += 1
    audit.close()
    print(json.dumps([kept, said]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="platform: the limit is one of Linux")
def test_a_full_disk_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    told, _ = started(FILLS, path).communicate(timeout=50)
    kept, said = json.loads(told)
    assert kept > 10
    assert all("cannot be used: the disk" in sentence for sentence in said)
    report = verify(path)
    assert (report.count, report.bad) == (kept, None)


READ_ONLY = """
    import os, sys
    from guardkit.errors import AuditError
    from guardkit.telemetry import Audit, verify

    verify(f"{sys.argv[1]}/audit.db")  # loads all that is needed, while it may be read
    if os.getuid() == 0:  # whom modes do not bind
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for name in ("audit.db", "new.db"):
        try:
            Audit(f"{sys.argv[1]}/{name}", busy_s=0.05)
        except AuditError as error:
            print(error)
    print(verify(f"{sys.argv[1]}/audit.db").count)
"""


@pytest.mark.skipif(os.name != "posix", reason="platform: modes bind nobody here")
def test_a_log_that_cannot_be_written_is_one_clear_error() -> None:
    # The usual folder of a test lies in one that only its owner may enter.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "audit.db"
        filled(path, 3)
        path.chmod(0o440)
        if os.getuid() == 0:
            os.chown(path, -1, 65534)
        Path(folder).chmod(0o555)
        told, _ = started(READ_ONLY, folder).communicate(timeout=30)
        Path(folder).chmod(0o700)
    first, second, third = told.splitlines()
    assert first.startswith(f"the audit log `{path}` cannot be used: it may not be written")
    assert second.endswith("new.db` cannot be used: Permission denied")
    assert third == "3"  # it can still be verified


def test_a_log_that_was_moved_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with Audit(path) as audit:
        audit.record(PASSED)
        path.rename(tmp_path / "moved.db")
        with pytest.raises(AuditError, match="moved or deleted"):
            audit.record(PASSED)
        filled(tmp_path / "other.db", 1)
        shutil.move(tmp_path / "other.db", path)
        with pytest.raises(AuditError, match="moved or deleted"):
            audit.record(PASSED)


def test_a_log_locked_too_long_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with Audit(path, busy_s=0.01) as audit:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(AuditError, match="another process has it locked"):
                audit.record(PASSED)
            other.execute("ROLLBACK")
        assert audit.record(PASSED) == 1


@pytest.mark.parametrize("backend", ["", "asyncio", "trio"])
def test_fast_says_what_it_could_not_write_and_writes_it_later(
    tmp_path: Path, backend: str
) -> None:
    path = tmp_path / "audit.db"
    taken = 0

    def keep() -> None:
        nonlocal taken
        if backend:
            anyio.run(audit.arecord, PASSED, backend=backend)
        else:
            audit.record(PASSED)
        taken += 1

    with Audit(path, "fast", busy_s=0.01) as audit:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(AuditError, match="locked"):
                for_a_while(keep)
            assert taken > 0
            other.execute("ROLLBACK")
        eventually(keep)
    assert verify(path).count == taken


def test_fast_waits_for_room_and_then_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_audit, "MOST_WAITING", 20)
    monkeypatch.setattr(_audit, "PATIENCE_S", 0.05)
    path = tmp_path / "audit.db"
    with Audit(path, "fast", busy_s=DEADLINE_S) as audit:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(20):
                audit.record(PASSED)
            with pytest.raises(AuditError, match="too many records wait"):
                audit.record(PASSED)
            with pytest.raises(AuditError, match="too many records wait"):
                anyio.run(audit.arecord, PASSED)
            other.execute("ROLLBACK")
        eventually(lambda: audit.record(PASSED))
    assert verify(path).count == 21


def test_closing_says_how_many_were_lost(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    audit = Audit(path, "fast", busy_s=0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            audit.record(PASSED)
        with pytest.raises(AuditError, match=r"^3 records are not in .*locked"):
            audit.close()
        other.execute("ROLLBACK")
    assert verify(path).count == 0


# --- files that are none


def no_folder(path: Path) -> Path:
    return path / "none" / "audit.db"


def a_folder(path: Path) -> Path:
    return path


def no_database(path: Path) -> Path:
    file = path / "notes.txt"
    file.write_text("not a database, " * 100)
    file.chmod(0o600)
    return file


def of_another_program(path: Path) -> Path:
    file = path / "other.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE customers (name TEXT)")
    file.chmod(0o600)
    return file


def of_a_later_version(path: Path) -> Path:
    file = path / "later.db"
    filled(file, 1)
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 2")
    return file


def for_everybody(path: Path) -> Path:
    file = path / "open.db"
    filled(file, 1)
    file.chmod(0o644)
    return file


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (no_folder, "folder does not exist"),
        (a_folder, "is no file"),
        (no_database, "is damaged, or another file"),
        (of_another_program, "is a database of another program"),
        (of_a_later_version, "is of version 2"),
        (for_everybody, "open to everybody"),
    ],
)
def test_a_bad_file_is_one_clear_error(
    tmp_path: Path, prepare: Callable[[Path], Path], says: str
) -> None:
    path = prepare(tmp_path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(AuditError, match=says) as caught:
        Audit(path, busy_s=0.05)
    assert path.name in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    if prepare is for_everybody:
        return
    for use in (verify, lambda file: export(file, io.StringIO())):
        with pytest.raises(AuditError, match=path.name):
            use(path)


def test_a_link_that_goes_round_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit.db").symlink_to(tmp_path / "audit.db")
    for use in (Audit, verify):
        with pytest.raises(AuditError):
            use(tmp_path / "audit.db")
