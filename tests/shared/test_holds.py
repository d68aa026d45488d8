"""The shared queue keeps every promise of the others, and those that only replicas can break."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import pytest

from guardkit.errors import CheckError
from guardkit.guard import loads
from guardkit.runtime import HoldQueue
from guardkit.shared import RedisHolds, Shared
from guardkit.shared._keys import Keys
from guardkit.shared._link import Link

from ..runtime import test_holds as suite
from ..runtime.test_holds import SECRET, Clock, hold
from ._server import KEY, Server

ROOT = Path(__file__).parents[2]

# What every queue promises, with this one as the queue.
for _name, _test in vars(suite).items():
    _wants = getattr(getattr(_test, "__code__", None), "co_varnames", ())[:4]
    if _name.startswith("test_") and {"queue", "make"} & {*_wants}:
        globals()[_name] = _test


@pytest.fixture
def clock() -> Clock:
    return Clock()


def queue_at(server: Server, key: bytes = KEY, **options: Any) -> RedisHolds:
    keys = Keys(key)
    return RedisHolds(Link(server.url, f"guardkit:1:{keys.id}:"), keys, **options)


@pytest.fixture
def make(server: Server, clock: Clock) -> Iterator[Callable[..., HoldQueue]]:
    made: list[RedisHolds] = []

    def make(**options: Any) -> RedisHolds:
        made.append(queue_at(server, **{"clock": clock, "poll_s": 0.02, **options}))
        return made[-1]

    yield make
    for queue in made:
        queue.close()
        queue._link.close()


@pytest.fixture
def queue(make: Callable[..., HoldQueue]) -> HoldQueue:
    return make()


def test_the_promises_of_every_queue_are_asked_of_this_one() -> None:
    asked = [name for name in globals() if name.startswith("test_") and hasattr(suite, name)]
    assert len(asked) >= 15


# --- replicas


def test_200_decisions_at_once_are_one(server: Server) -> None:
    replicas = [queue_at(server) for _ in range(2)]
    id = replicas[0].add(hold(deadline=9e9))
    gate = threading.Barrier(200)

    def decide(number: int) -> tuple[bool, str, str]:
        gate.wait()
        queue, by = replicas[number % 2], f"n{number}"
        done = queue.approve(id, by) if number % 3 else queue.deny(id, by, "no")
        assert done.hold is not None
        return done.took, by, f"{done.hold.state} by {done.hold.decided_by}"

    with ThreadPoolExecutor(200) as pool:
        told = list(pool.map(decide, range(200)))
    took = [by for is_mine, by, _ in told if is_mine]
    assert len(took) == 1
    assert {said for _, _, said in told} == {
        f"{'approved' if int(took[0][1:]) % 3 else 'denied'} by {took[0]}"
    }
    for replica in replicas:
        replica._link.close()


RACER = """
    import json, sys
    from guardkit.shared import Shared

    url, ids, name = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    holds = Shared(url, bytes(range(32))).holds
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps([id for id in ids if holds.approve(id, name).took]))
"""


def test_two_processes_decide_each_text_once(server: Server, shared: Shared) -> None:
    ids = [shared.holds.add(hold(deadline=9e9)) for _ in range(60)]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", dedent(RACER), server.url, json.dumps(ids), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in ("a", "b")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    took = [json.loads(racer.communicate(timeout=30)[0]) for racer in racers]
    assert sorted(took[0] + took[1]) == sorted(ids)
    for own, name in zip(took, "ab", strict=True):
        for id in own:
            found = shared.holds.get(id)
            assert found is not None
            assert found.decided_by == name


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_decision_of_another_replica_wakes_whoever_waits(server: Server, backend: str) -> None:
    mine, other = queue_at(server), queue_at(server)
    ids = [mine.add(hold(deadline=9e9)) for _ in range(20)]
    took_s: list[float] = []

    async def wait(id: str) -> None:
        assert (await mine.wait(id)).state == "approved"
        took_s.append(time.monotonic() - decided)

    async def main() -> None:
        nonlocal decided
        async with anyio.create_task_group() as group:
            for id in ids:
                group.start_soon(wait, id)
            await anyio.sleep(0.6)
            decided = time.monotonic()
            for id in ids:
                other.approve(id, "ann")

    decided = 0.0
    suite.with_limit(main, backend)
    assert len(took_s) == 20
    assert max(took_s) < 2.0
    mine.close()


def test_what_expired_is_told_to_one_replica_only(server: Server) -> None:
    replicas = [queue_at(server, clock=lambda: 1000.0) for _ in range(2)]
    ids = {replicas[0].add(hold(deadline=1001.0 + i)) for i in range(250)}
    gate = threading.Barrier(8)

    def expire(number: int) -> list[str]:
        gate.wait()
        return [one.id for one in replicas[number % 2].expire(now=2000)]

    with ThreadPoolExecutor(8) as pool:
        told = [id for own in pool.map(expire, range(8)) for id in own]
    assert len(told) == 250
    assert set(told) == ids


def test_what_a_dead_replica_added_is_still_there(server: Server, clock: Clock) -> None:
    program = """
        import os, signal, sys
        from guardkit.runtime import Hold
        from guardkit.shared import Shared

        holds = Shared(sys.argv[1], bytes(range(32))).holds
        for _ in range(5):
            print(holds.add(Hold(tenant="", session="", policy="", rules=(), surface="input",
                                 created=1000.0, deadline=9e9, payload="acknowledged")), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    told, _ = suite.started(program, server.url).communicate(timeout=30)
    assert len(told.split()) == 5
    assert {one.id for one in queue_at(server, clock=clock).list()} == {*told.split()}


# --- bounds


def test_decided_texts_are_bounded_and_make_room(server: Server, clock: Clock) -> None:
    queue = queue_at(server, clock=clock, most_decided=2, most_chars=6000)
    ids = [queue.add(hold(payload="x" * 100)) for _ in range(5)]
    for id in ids[:4]:
        clock.now += 1
        queue.approve(id, "ann")
    assert [queue.get(id) is None for id in ids] == [True, True, False, False, False]
    size = int(queue._link.client.hget(queue._key(queue._name(ids[4])), "z"))
    queue.add(hold(payload="x" * (6000 - 3 * size + 101)))  # one more than fits beside two
    assert [queue.get(id) is None for id in ids] == [True, True, True, True, False]
    with pytest.raises(CheckError, match="full"):
        queue.add(hold(payload="x" * 1000))
    clock.now = 5000
    queue.expire()
    assert queue.prune(9000) == 2
    assert queue.list() == ()
    left = server.everything()
    assert b"hold:" not in left
    assert queue._link.client.get(f"{queue._link.prefix}holds:size") == b"0"


def test_many_texts_are_listed_in_order(server: Server, clock: Clock) -> None:
    queue = queue_at(server, clock=clock)
    ids = [queue.add(hold(created=1000.0 + i, tenant=f"t{i % 2}")) for i in range(230)]
    for id in ids[::3]:
        queue.deny(id, "ann", "no")
    assert [one.id for one in queue.list(limit=1000)] == ids
    assert [one.id for one in queue.list(state="denied", tenant="t1")] == ids[3::6]
    assert [one.id for one in queue.list(state="waiting", limit=3)] == [ids[1], ids[2], ids[4]]


# --- what lies in the server


def test_nothing_readable_lies_in_the_server(server: Server) -> None:
    queue = queue_at(server)
    id = queue.add(hold(deadline=9e9))
    queue.deny(id, "ann", f"because of {SECRET}")
    shown = server.everything()
    for word in ("wire", "Mallory", "bank", "s1", "ann", "because", "secops", "mail.send", id):
        assert word.encode() not in shown, word


def test_another_key_sees_nothing(server: Server) -> None:
    queue_at(server).add(hold(deadline=9e9))
    other = queue_at(server, key=b"o" * 32)
    assert other.list() == ()
    other.add(hold(deadline=9e9))
    assert len(queue_at(server).list()) == 1


@pytest.mark.parametrize("change", ["state", "denied", "text", "moved"])
def test_nobody_approves_without_the_key(server: Server, change: str) -> None:
    queue = queue_at(server)
    first, second = (queue.add(hold(deadline=9e9)) for _ in range(2))
    keys = [queue._key(queue._name(id)) for id in (first, second)]
    client = queue._link.client
    if change == "state":
        client.hset(keys[0], "s", "approved")
    elif change == "denied":
        queue.deny(first, "ann")
        client.hset(keys[0], "s", "approved")
    elif change == "text":
        body = client.hget(keys[0], "b")
        client.hset(keys[0], "b", body[:-1] + bytes([body[-1] ^ 1]))
    else:
        queue.approve(second, "ann")
        client.hset(keys[0], mapping={"s": "approved", "x": client.hget(keys[1], "x")})
    with pytest.raises(CheckError) as caught:
        queue.get(first)
    assert "Mallory" not in repr(caught.value)
    assert caught.value.__cause__ is None


# --- without the server

HOLDS = """guardkit 1
policy holding
check mail = words { list ["wire"] }
rule wait { tier safety on output when mail then hold for "ops" within 15m else block "Not sent." }
"""


def test_without_the_server_nothing_is_held_and_nothing_delivered(server: Server) -> None:
    queue = queue_at(server)
    guard = loads(HOLDS, holds=queue)
    held = guard.check("wire it", on="output")
    assert (held.action, held.hold is not None) == ("hold", True)
    server.kill()
    began = time.monotonic()
    for use in (
        lambda: queue.add(hold()),
        lambda: queue.get("hold_x"),
        queue.list,
        lambda: queue.approve(held.hold or "", "ann"),
        queue.expire,
        lambda: queue.prune(5e9),
    ):
        with pytest.raises(CheckError, match="cannot be reached") as caught:
            use()
        assert str(server.port) not in str(caught.value)
    assert time.monotonic() - began < 6
    lost = guard.check("wire it", on="output")
    assert (lost.action, lost.hold) == ("block", None)
    assert "wire" not in lost.text
    server.start()
    assert guard.check("wire it", on="output").action == "hold"  # by itself
    assert len(queue.list()) == 1


def test_a_server_that_hangs_is_given_up_soon(server: Server) -> None:
    queue = queue_at(server)
    queue.add(hold(deadline=9e9))
    server.freeze()
    began = time.monotonic()
    with pytest.raises(CheckError, match="cannot be reached"):
        queue.add(hold(deadline=9e9))
    assert time.monotonic() - began < 4
    server.thaw()
    assert queue.add(hold(deadline=9e9))


def test_waiting_outlives_a_server_that_was_away(server: Server) -> None:
    queue = queue_at(server, poll_s=0.02)
    id = queue.add(hold(deadline=time.time() + 30))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(seen)
            await anyio.sleep(0.2)
            server.freeze()
            await anyio.sleep(1.5)
            server.thaw()
            with suppress(CheckError):
                await anyio.to_thread.run_sync(queue_at(server).approve, id, "ann")

    async def seen() -> None:
        assert (await queue.wait(id)).state == "approved"

    suite.with_limit(main, "asyncio")
    queue.close()


def test_waiting_without_a_server_ends_with_the_deadline(server: Server) -> None:
    queue = queue_at(server, poll_s=0.02)
    id = queue.add(hold(deadline=time.time() + 1.5))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(seen)
            await anyio.sleep(0.3)
            server.kill()

    async def seen() -> None:
        with pytest.raises(CheckError, match="cannot be reached"):
            await queue.wait(id)

    suite.with_limit(main, "asyncio")
    queue.close()
    server.start()
