"""Held texts: decided once, by whoever is first, and still there after a crash."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any

import anyio
import pytest

from guardkit.errors import BindError, CheckError, UsageError
from guardkit.runtime import Decision, Hold, HoldQueue, MemoryHolds, SqliteHolds

ROOT = Path(__file__).parents[2]
SECRET = "wire 9,000 EUR to Mallory"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., HoldQueue]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Make]:
    made: list[Any] = []

    def make(**options: Any) -> HoldQueue:
        options.setdefault("clock", clock)
        if request.param == "memory":
            return MemoryHolds(**options)
        made.append(SqliteHolds(tmp_path / f"holds{len(made)}.db", poll_s=0.01, **options))
        return made[-1]

    yield make
    for queue in made:
        queue.close()


@pytest.fixture
def queue(make: Make) -> HoldQueue:
    return make()


def hold(**changes: Any) -> Hold:
    plain = Hold(
        tenant="bank",
        session="s1",
        policy="sha256:1234",
        rules=("hold_mail", "b"),
        surface="tool_call",
        tool="mail.send",
        approvers=("secops",),
        created=1000.0,
        deadline=1900.0,
        payload=json.dumps({"approved": {"text": SECRET}, "otherwise": None}),
    )
    return replace(plain, **changes)


# --- one text


def test_what_is_added_comes_back(queue: HoldQueue) -> None:
    id = queue.add(hold())
    assert queue.get(id) == hold(id=id)
    assert queue.list() == (hold(id=id),)
    assert queue.get("hold_x") is None
    assert re.fullmatch(r"hold_[\w-]{22}", id)


def test_any_text_is_kept_as_it_is(queue: HoldQueue) -> None:
    odd = 'ä"\\\0\ud800\U0001f600\n'
    given = hold(tenant=odd, session=odd, tool=odd, rules=(odd,), approvers=(), payload=odd)
    id = queue.add(given)
    assert queue.get(id) == replace(given, id=id)
    assert queue.list(tenant=odd) == (replace(given, id=id),)
    done = queue.deny(id, odd, odd).hold
    assert done is not None
    assert queue.get(id) == done
    assert (done.decided_by, done.reason) == (odd, odd)


def test_ids_cannot_be_guessed(queue: HoldQueue) -> None:
    ids = {queue.add(hold()) for _ in range(50)}
    assert len(ids) == 50
    assert len({id[5:9] for id in ids}) == 50  # no common beginning, no count


def test_a_hold_is_frozen_and_its_repr_keeps_quiet() -> None:
    one = hold(reason=SECRET)
    with pytest.raises(FrozenInstanceError):
        one.state = "approved"  # type: ignore[misc]  # wrong on purpose
    assert SECRET not in repr(one)
    assert "Mallory" not in repr(Decision(True, one))


def test_no_repr_of_a_queue_shows_a_text(queue: HoldQueue) -> None:
    queue.add(hold())
    assert "Mallory" not in repr(queue)


# --- decisions


@pytest.mark.parametrize("state", ["approved", "denied"])
def test_the_first_decision_counts(queue: HoldQueue, clock: Clock, state: str) -> None:
    id = queue.add(hold())
    clock.now = 1100
    first = queue.approve(id, "ann") if state == "approved" else queue.deny(id, "ann", "no")
    clock.now = 1200
    assert first.took
    assert first.hold is not None
    assert (first.hold.state, first.hold.decided_by, first.hold.decided_at) == (state, "ann", 1100)
    assert first.hold.reason == ("" if state == "approved" else "no")
    for later in (queue.approve(id, "bob"), queue.deny(id, "bob"), queue.approve(id, "ann")):
        assert later == Decision(False, first.hold)
    assert queue.get(id) == first.hold
    clock.now = 3000
    assert queue.expire() == ()
    assert queue.get(id) == first.hold


def test_a_wrong_id_is_no_decision(queue: HoldQueue) -> None:
    queue.add(hold())
    assert queue.approve("hold_nothing", "ann") == Decision(False, None)
    assert queue.deny("' OR 1=1 --", "ann") == Decision(False, None)
    assert len(queue.list(state="waiting")) == 1


def test_past_its_deadline_nobody_can_approve(queue: HoldQueue, clock: Clock) -> None:
    id = queue.add(hold())
    clock.now = 1900
    late = queue.approve(id, "ann")
    assert not late.took
    assert late.hold == queue.get(id) == hold(id=id, state="expired", decided_at=1900.0)
    assert queue.list(state="waiting") == ()
    assert queue.list(state="expired") == (late.hold,)


def test_each_expiry_is_reported_once(queue: HoldQueue, clock: Clock) -> None:
    ids = [queue.add(hold(deadline=1100.0 + i)) for i in range(3)]
    assert queue.expire() == ()
    assert [one.id for one in queue.expire(now=1101)] == ids[:2]
    assert queue.expire(now=1101) == ()
    clock.now = 1102
    (last,) = queue.expire()
    assert (last.id, last.state, last.decided_at) == (ids[2], "expired", 1102.0)


def test_lists_are_filtered_and_in_order(queue: HoldQueue, clock: Clock) -> None:
    ids = [
        queue.add(hold(tenant=tenant, created=1000.0 + i))
        for i, tenant in enumerate(["a", "b", "a", "b"])
    ]
    queue.approve(ids[0], "ann")
    queue.deny(ids[3], "ann")

    def listed(**options: Any) -> list[int]:
        return [ids.index(one.id) for one in queue.list(**options)]

    assert listed() == [0, 1, 2, 3]
    assert listed(tenant="a") == [0, 2]
    assert listed(state="waiting") == [1, 2]
    assert listed(state="denied", tenant="b") == [3]
    assert listed(state="denied", tenant="a") == []
    assert listed(limit=2) == [0, 1]
    with pytest.raises(UsageError, match="`waiting`"):
        queue.list(state="lost")  # type: ignore[arg-type]  # wrong on purpose


def test_who_decides_has_a_name(queue: HoldQueue) -> None:
    id = queue.add(hold())
    with pytest.raises(UsageError):
        queue.approve(id, "")
    for bad in (hold(id="x"), hold(state="approved")):
        with pytest.raises(UsageError):
            queue.add(bad)


def test_a_tenant_fills_only_its_own_queue(make: Make, clock: Clock) -> None:
    queue = make(most_waiting=3)
    ids = [queue.add(hold()) for _ in range(3)]
    with pytest.raises(CheckError, match="full") as caught:
        queue.add(hold())
    assert "Mallory" not in str(caught.value)
    queue.add(hold(tenant="other"))
    queue.approve(ids[0], "ann")
    queue.add(hold(deadline=1050.0))
    clock.now = 1050
    queue.add(hold())  # what expired waits no longer


def test_decided_texts_are_pruned(queue: HoldQueue, clock: Clock) -> None:
    ids = [queue.add(hold()) for _ in range(3)]
    queue.approve(ids[0], "ann")
    clock.now = 1200
    queue.deny(ids[1], "ann")
    assert queue.prune(1100) == 1
    assert [one.id for one in queue.list(limit=9)] == sorted(ids[1:])
    assert queue.prune(1300) == 1
    assert [one.id for one in queue.list()] == [ids[2]]


def test_memory_holds_are_bounded(clock: Clock) -> None:
    queue = MemoryHolds(clock=clock, most_decided=2, most_chars=1000)
    ids = [queue.add(hold(payload="x" * 100)) for _ in range(5)]
    for id in ids[:4]:
        queue.approve(id, "ann")
    assert [queue.get(id) is None for id in ids] == [True, True, False, False, False]
    queue.add(hold(payload="x" * 850))  # decided ones make room
    assert [queue.get(id) is None for id in ids] == [True, True, True, True, False]
    with pytest.raises(CheckError, match="full"):
        queue.add(hold(payload="x" * 100))


# --- waiting


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_decision_wakes_whoever_waits(queue: HoldQueue, backend: str) -> None:
    ids = [queue.add(hold()) for _ in range(3)]
    seen: dict[str, str] = {}

    async def wait(id: str) -> None:
        seen[id] = (await queue.wait(id)).state

    async def main() -> None:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for id in ids:
                    group.start_soon(wait, id)
                    group.start_soon(wait, id)
                await anyio.wait_all_tasks_blocked() if backend == "trio" else await anyio.sleep(0)
                queue.approve(ids[0], "ann")
                thread = threading.Thread(target=queue.deny, args=(ids[1], "ann"))
                thread.start()
                queue.expire(now=5000)
                thread.join()

    anyio.run(main, backend=backend)
    assert seen[ids[0]] == "approved"
    assert seen[ids[1]] in ("denied", "expired")
    assert seen[ids[2]] == "expired"
    assert queue._bells._signals == {}  # type: ignore[attr-defined]  # nobody is left listening


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waiting_ends_with_the_deadline(queue: HoldQueue, clock: Clock, backend: str) -> None:
    near = queue.add(hold(deadline=1000.02))
    past = queue.add(hold(deadline=1000.0))
    done = queue.add(hold())
    queue.approve(done, "ann")

    async def main() -> None:
        assert (await queue.wait(past)).state == "expired"
        assert (await queue.wait(done)).state == "approved"
        with pytest.raises(UsageError):
            await queue.wait("hold_x")
        with anyio.move_on_after(0.001) as scope:
            await queue.wait(near)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(queue.wait, near)
            await anyio.lowlevel.checkpoint()
            clock.now = 1001

    with_limit(main, backend)


def with_limit(main: Callable[[], Any], backend: str) -> None:
    async def limited() -> None:
        with anyio.fail_after(10):
            await main()

    anyio.run(limited, backend=backend)


def test_a_decision_of_another_process_is_seen(tmp_path: Path, clock: Clock) -> None:
    with (
        SqliteHolds(tmp_path / "a.db", clock=clock, poll_s=0.01) as mine,
        SqliteHolds(tmp_path / "a.db", clock=clock) as other,
    ):
        id = mine.add(hold())

        async def main() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(seen)
                await anyio.sleep(0)
                other.approve(id, "ann")

        async def seen() -> None:
            assert (await mine.wait(id)).state == "approved"

        with_limit(main, "asyncio")


# --- races


def test_64_threads_decide_each_text_once(queue: HoldQueue) -> None:
    ids = [queue.add(hold(tenant=f"t{i}")) for i in range(6)]
    took: list[tuple[str, str]] = []
    gate = threading.Barrier(64)

    def decide(number: int) -> None:
        gate.wait()
        for id in ids:
            match number % 3:
                case 0:
                    done = queue.approve(id, f"{number}")
                case 1:
                    done = queue.deny(id, f"{number}")
                case _:
                    if any(one.id == id for one in queue.expire(now=1900)):
                        took.append((id, "expired"))
                    continue
            if done.took and done.hold is not None:
                took.append((id, done.hold.state))

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # What expires together is reported together, so a thread may have seen others of its call.
    decided = [id for id, state in took if state != "expired"]
    assert len(decided) == len(set(decided))
    for id in ids:
        now = queue.get(id)
        assert now is not None
        assert now.state != "waiting"
        assert (now.state == "expired") != (id in decided)


RACERS = """
    import json, os, sys, threading
    from guardkit.runtime._holds import Hold, SqliteHolds

    path, ids = sys.argv[1], json.loads(sys.argv[2])
    gate, go = os.pipe()

    def race(name):
        queue = SqliteHolds(path, clock=lambda: 1000.0)
        took = []

        def decide(number):
            for id in ids if number % 2 else reversed(ids):
                done = queue.approve(id, name) if number % 3 else queue.deny(id, name)
                if done.took:
                    took.append(id)

        threads = [threading.Thread(target=decide, args=(i,)) for i in range(4)]
        os.close(go)
        os.read(gate, 1)  # until all are there
        queue.add(Hold(tenant="", session="", policy="", rules=(), surface="input",
                       created=1.0, deadline=9e9, payload="{}"))
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        queue.close()
        os.write(1, (json.dumps([name, took]) + chr(10)).encode())

    children = []
    for i in range(4):
        if not (child := os.fork()):
            race(f"p{i}")
            os._exit(0)
        children.append(child)
    os.close(go)
    sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def started(program: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-B", "-c", dedent(program), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
@pytest.mark.parametrize("is_made", [True, False])
def test_four_processes_decide_each_text_once(tmp_path: Path, clock: Clock, is_made: bool) -> None:
    path = tmp_path / "holds.db"
    ids: list[str] = []
    if is_made:
        with SqliteHolds(path, clock=clock) as queue:
            ids = [queue.add(hold()) for _ in range(12)]
    racers = started(RACERS, str(path), json.dumps(ids))
    told, _ = racers.communicate(timeout=30)
    assert racers.returncode == 0
    took = [(id, name) for name, own in map(json.loads, told.splitlines()) for id in own]
    assert sorted(id for id, _ in took) == sorted(ids)
    with SqliteHolds(path, clock=clock) as queue:
        assert len(queue.list(tenant="")) == 4
        for id, name in took:
            done = queue.get(id)
            assert done is not None
            assert done.decided_by == name


# --- crashes

CRASHER = """
    import os, signal, sys
    from guardkit.runtime._holds import Hold, SqliteHolds

    queue = SqliteHolds(sys.argv[1], clock=lambda: 1000.0)

    def add():
        return queue.add(Hold(tenant="", session="", policy="", rules=(), surface="input",
                              created=1000.0, deadline=2000.0, payload="acknowledged"))

    for _ in range(5):
        print(id := add(), flush=True)
    queue.approve(id, "ann")
    with queue._store._change() as db:
        # In the middle of a transaction: written, not committed.
        db.execute("UPDATE hold SET state = 'denied'")
        db.execute("INSERT INTO hold SELECT 'torn', tenant, state, created, deadline, facts,"
                   " payload, is_sealed, decided_at, decision FROM hold LIMIT 1")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing_it_reported(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "holds.db"
    crasher = started(CRASHER, str(path))
    told, _ = crasher.communicate(timeout=30)
    assert crasher.returncode == -signal.SIGKILL
    ids = told.split()
    assert len(ids) == 5
    with SqliteHolds(path, clock=clock) as queue:
        assert {one.id for one in queue.list()} == set(ids)
        assert [one.id for one in queue.list(state="approved")] == [ids[-1]]
        assert queue.approve(ids[0], "bob").took
        assert queue.add(hold())


def test_a_queue_is_there_after_it_was_closed(tmp_path: Path, clock: Clock) -> None:
    queue = SqliteHolds(tmp_path / "holds.db", clock=clock)
    id = queue.add(hold())
    queue.close()
    queue.close()
    assert queue.get(id) == hold(id=id)  # opened again
    queue.close()
    with SqliteHolds(tmp_path / "holds.db", clock=clock) as other:
        assert other.get(id) == hold(id=id)


# --- the file


def test_only_its_owner_may_read_the_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "holds.db"
    before = os.umask(0)
    try:
        with SqliteHolds(path, clock=clock) as queue:
            queue.add(hold())
            modes = {
                stat.S_IMODE(file.stat().st_mode)
                for file in tmp_path.iterdir()
                if file.name.startswith("holds.db")
            }
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    SqliteHolds(tmp_path / "holds.db")
    assert list(tmp_path.iterdir()) == []


def test_a_sealed_text_is_not_in_the_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "holds.db"

    def turned(text: str) -> str:
        return text[::-1]

    with SqliteHolds(path, clock=clock, seal=turned, unseal=turned) as queue:
        id = queue.add(hold())
        assert queue.get(id) == hold(id=id)
        assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    with SqliteHolds(path, clock=clock) as queue, pytest.raises(UsageError, match="unseal"):
        queue.get(id)

    def refuse(text: str) -> str:
        raise ValueError(text)

    with SqliteHolds(path, clock=clock, seal=turned, unseal=refuse) as queue:
        with pytest.raises(UsageError, match="ValueError") as caught:
            queue.get(id)
        assert SECRET[::-1] not in repr(caught.value)
        assert caught.value.__suppress_context__
    with pytest.raises(UsageError):
        SqliteHolds(path, seal=turned)


def test_a_pruned_text_is_not_in_the_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "holds.db"
    with SqliteHolds(path, clock=clock) as queue:
        queue.approve(queue.add(hold()), "ann")
        clock.now = 2000
        assert queue.prune(1500) == 1
    assert SECRET.encode() not in path.read_bytes()


def no_folder(path: Path) -> Path:
    return path / "none" / "holds.db"


def a_folder(path: Path) -> Path:
    return path


def no_database(path: Path) -> Path:
    file = path / "notes.txt"
    file.write_text("not a database, " * 100)
    file.chmod(0o600)
    return file


def of_another_program(path: Path) -> Path:
    file = path / "other.db"
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE customers (name TEXT)")
    db.close()
    file.chmod(0o600)
    return file


def of_a_later_version(path: Path) -> Path:
    with SqliteHolds(path / "later.db"):
        pass
    db = sqlite3.connect(path / "later.db")
    db.execute("PRAGMA user_version = 2")
    db.close()
    return path / "later.db"


def for_everybody(path: Path) -> Path:
    with SqliteHolds(path / "holds.db"):
        pass
    (path / "holds.db").chmod(0o644)
    return path / "holds.db"


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (no_folder, "folder does not exist"),
        (a_folder, "is no file"),
        (no_database, "is damaged, or another file"),
        (of_another_program, "is a database of another program"),
        (of_a_later_version, "is of version 2"),
        (for_everybody, "everybody may read"),
    ],
)
def test_a_bad_file_is_one_clear_error(
    tmp_path: Path, prepare: Callable[[Path], Path], says: str
) -> None:
    path = prepare(tmp_path)
    before = path.read_bytes() if path.is_file() else None
    queue = SqliteHolds(path, busy_s=0.05)
    for use in (queue.open, queue.list, lambda: queue.add(hold()), queue.expire):
        with pytest.raises(BindError, match=says) as caught:
            use()
        assert len(caught.value.problems) == 1
        assert path.name in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


READ_ONLY = """
    import os, sqlite3, sys
    from guardkit.errors import BindError
    from guardkit.runtime import _holds_sqlite
    from guardkit.runtime._holds import SqliteHolds

    if os.getuid() == 0:  # whom modes do not bind
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for name in ("holds.db", "new.db"):
        try:
            SqliteHolds(f"{sys.argv[1]}/{name}", busy_s=0.05).open()
        except BindError as error:
            print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="platform: modes bind nobody here")
def test_a_file_that_cannot_be_written_is_one_clear_error() -> None:
    # The usual folder of a test lies in one that only its owner may enter.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "holds.db"
        with SqliteHolds(path):
            pass
        path.chmod(0o440)
        if os.getuid() == 0:
            os.chown(path, -1, 65534)
        Path(folder).chmod(0o555)
        told, _ = started(READ_ONLY, folder).communicate(timeout=30)
        Path(folder).chmod(0o700)
    first, second = told.splitlines()
    assert first == f"the queue of held texts `{path}` cannot be written"
    assert second.endswith("new.db` cannot be used: Permission denied")


def test_a_file_locked_too_long_is_a_failure(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "holds.db"
    with SqliteHolds(path, clock=clock, busy_s=0.01) as queue:
        id = queue.add(hold())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CheckError, match="SQLITE_BUSY"):
            queue.approve(id, "ann")
        with pytest.raises(CheckError):
            queue.add(hold())
        assert queue.get(id) is not None  # readers go on
        other.execute("ROLLBACK")
        other.close()
        assert queue.approve(id, "ann").took


FORKER = """
    import os, sys
    from guardkit.runtime._holds import Hold, SqliteHolds

    queue = SqliteHolds(sys.argv[1], clock=lambda: 1000.0)

    def add(name):
        return queue.add(Hold(tenant=name, session="", policy="", rules=(), surface="input",
                              created=1000.0, deadline=2000.0, payload="x"))

    add("parent")
    children = []
    for i in range(3):
        if not (child := os.fork()):
            for _ in range(5):
                add(f"child {i}")
            os._exit(0 if len(queue.list()) >= 6 else 1)
        children.append(child)
    add("parent")
    codes = [os.waitpid(child, 0)[1] for child in children]
    print(codes, len(queue.list()))
    queue.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
def test_a_forked_process_has_connections_of_its_own(tmp_path: Path) -> None:
    forker = started(FORKER, str(tmp_path / "holds.db"))
    told, _ = forker.communicate(timeout=30)
    assert told == "[0, 0, 0] 17\n"
