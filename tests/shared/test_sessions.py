"""Sessions that replicas share: counted once, had by one request at a time, never lost unsaid."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import pytest

from guardkit.errors import Blocked, CheckError
from guardkit.guard import Guard, loads
from guardkit.shared import Busy, MemorySessions, RedisSessions, Shared
from guardkit.shared._keys import Keys
from guardkit.shared._link import Link
from guardkit.wrap import Judgements, wrap

from ._server import KEY, Server

ROOT = Path(__file__).parents[2]
POLICY = """guardkit 1
policy counted
defaults { session_ttl 2h }
context { say "Be brief."  canary }
check secret = words   { list ["swordfish"] }
check card   = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check iban   = pattern { match /\\bDE\\d{6}\\b/  label "iban" }
rule rude  { tier ethics on input, output when secret then flag }
rule hide  { tier safety on input when card then rewrite matches as pseudonym }
rule mask  { tier safety on input when iban then rewrite matches as hash }
window often { count rude last 9 turns per session }
rule ended { tier safety on conversation when often >= 3 then block "This is over." for session }
"""
ANSWER = {"role": "assistant", "content": "ok"}


class Replica:
    """A process, but for the process: a guard, its judgements and its way to the server."""

    def __init__(self, server: Server, key: bytes = KEY, **options: Any) -> None:
        keys = Keys(key)
        self.link = Link(server.url, f"guardkit:1:{keys.id}:")
        self.sessions = RedisSessions(self.link, keys, **options)
        self.guard = loads(POLICY)
        self.guard.hash_by(keys.hashes)
        self.known = Judgements()

    def turn(self, session: str = "s", tenant: str = "t") -> Any:
        return self.sessions.turn(self.guard, self.known, session, tenant)

    async def check(self, text: str, session: str = "s", tenant: str = "t") -> Any:
        async with self.turn(session, tenant):
            return await self.guard.acheck(text, session=session, tenant=tenant)

    def key_of(self, what: str, session: str = "s", tenant: str = "t") -> str:
        name = self.sessions._keys.name("session", tenant, session)
        return f"{self.link.prefix}session:{name}:{what}"

    async def aclose(self) -> None:
        self.sessions.close()
        await self.link.aclose()


def played(
    server: Server, play: Callable[..., Coroutine[Any, Any, None]], count: int = 2, **options: Any
) -> None:
    async def main() -> None:
        replicas = [Replica(server, **options) for _ in range(count)]
        try:
            with anyio.fail_after(40):
                await play(*replicas)
        finally:
            for replica in replicas:
                await replica.aclose()

    asyncio.run(main())


# --- one session, several replicas


def test_a_window_counts_over_replicas(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        assert not (await one.check("swordfish")).session_closed
        assert not (await two.check("swordfish")).session_closed
        assert not (await two.check("swordfish", tenant="other")).session_closed
        assert not (await two.check("swordfish", session="other")).session_closed
        assert (await one.check("swordfish")).session_closed
        assert (await two.check("hello")).message == "This is over."

    played(server, play)


def test_pseudonyms_hashes_and_canaries_are_those_of_the_session(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        said = "pay 1234 5678 from DE123456"
        hidden = (await one.check(said)).text
        async with one.turn():
            canary = one.guard.system_prompt_for("s", tenant="t")
        assert "[CARD_1]" in hidden
        assert (await two.check(said)).text == hidden
        assert (await two.check("9876 5432")).text == "[CARD_2]"
        async with one.turn():
            assert one.guard.restore("[CARD_2]", session="s", tenant="t") == "9876 5432"
        assert two.guard.system_prompt_for("s", tenant="t") == canary

    played(server, play)


def test_a_history_is_judged_once_wherever_it_comes(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        asked: list[str] = []

        async def ask(replica: Replica, messages: Any) -> None:
            async def model(messages: Any) -> str:
                asked.append(replica.guard.memory_of("s", tenant="t")["session"]["turn"])
                return "ok"

            async with replica.turn():
                options: Any = {"session": "s", "tenant": "t", "known": replica.known}
                await wrap(replica.guard, model, **options, inject=False)(messages)

        history: list[Any] = []
        for number, replica in enumerate((one, two, one, two)):
            text = "swordfish" if number < 2 else f"and {number}"
            history += [{"role": "user", "content": text}]
            await ask(replica, history)
            history += [ANSWER]
        assert asked == [1, 2, 3, 4]
        assert not (await two.check("hello")).session_closed  # two of three, and no more
        history += [{"role": "user", "content": "swordfish"}]
        with pytest.raises(Blocked):
            await ask(one, history)

    played(server, play)


def test_requests_at_once_are_one_after_the_other(server: Server) -> None:
    async def play(*replicas: Replica) -> None:
        inside = 0

        async def ask(replica: Replica) -> None:
            nonlocal inside
            async with replica.turn():
                inside += 1
                assert inside == 1
                await replica.guard.acheck("hello", session="s", tenant="t")
                await anyio.sleep(0.001)
                inside -= 1

        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(ask, replicas[number % 3])
        async with replicas[0].turn():
            assert replicas[0].guard.memory_of("s", tenant="t")["session"]["turn"] == 60
        assert all(not replica.sessions._queues for replica in replicas)
        assert all(not replica.sessions._held for replica in replicas)

    played(server, play, 3)


TALKER = """
    import asyncio, json, sys
    from guardkit.guard import loads
    from guardkit.shared import Shared
    from guardkit.wrap import Judgements

    async def main():
        shared = Shared(sys.argv[1], bytes(range(32)))
        guard, known = loads(sys.argv[2]), Judgements()
        await shared.ping()
        print("ready", flush=True)
        for line in sys.stdin:
            async with shared.sessions.turn(guard, known, "s", "t") as turn:
                verdict = guard.check(line.strip(), session="s", tenant="t")
                if "slowly" in line:
                    await turn.save()
                    print(json.dumps("saved"), flush=True)
                    await asyncio.sleep(30)
            print(json.dumps(verdict.session_closed), flush=True)
        await shared.aclose()

    asyncio.run(main())
"""


class Talker:
    def __init__(self, server: Server) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", dedent(TALKER), server.url, POLICY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, text: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return json.loads(self.read())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def test_a_window_counts_over_processes_and_outlives_one_that_is_killed(server: Server) -> None:
    one, two = Talker(server), Talker(server)
    try:
        assert (one.read(), two.read()) == ("ready", "ready")
        assert one.say("swordfish") is False
        assert two.say("hello") is False
        # Killed in the middle of a stream: what was saved before its first word has counted.
        assert two.say("swordfish slowly") == "saved"
        two.process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        assert one.say("swordfish") is True
        assert time.monotonic() - began < 8
    finally:
        one.end()
        two.end()


# --- leases


def test_a_session_in_use_is_busy(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        async with one.turn():
            for replica in (one, two):
                began = time.monotonic()
                with pytest.raises(Busy, match="in use"):
                    await replica.check("hello")
                assert 0.25 < time.monotonic() - began < 2
            await two.check("hello", session="other")
        await two.check("hello")
        assert not one.sessions._queues

    played(server, play, wait_s=0.3)


def test_a_lease_is_renewed_while_it_is_held(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        async with one.turn():
            await one.guard.acheck("hello", session="s", tenant="t")
            await anyio.sleep(1.0)
            time.sleep(1.0)
            with pytest.raises(Busy):
                await two.check("hello")
        assert (await two.check("hello")).action == "pass"
        async with one.turn():
            assert one.guard.memory_of("s", tenant="t")["session"]["turn"] == 2

    played(server, play, lease_s=0.4, wait_s=0.3)


def test_a_lease_of_the_dead_runs_out(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        held = one.turn()
        await held.__aenter__()
        one.sessions.close()  # nobody renews it any more
        began = time.monotonic()
        await two.check("hello")
        assert 0.2 < time.monotonic() - began < 3
        with pytest.raises(CheckError, match="another replica"):
            await held.__aexit__(None, None, None)

    played(server, play, lease_s=0.5, wait_s=5)


def test_a_lost_lease_saves_nothing_and_fails(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        await one.check("hello")

        async def lose() -> None:
            async with one.turn() as turn:
                await one.guard.acheck("swordfish", session="s", tenant="t")
                two.link.client.delete(two.key_of("lease"))
                await two.check("hello")
                with pytest.raises(CheckError, match="another replica"):
                    await turn.save()

        with pytest.raises(CheckError, match="another replica"):
            await lose()
        async with two.turn():
            memory = two.guard.memory_of("s", tenant="t")["session"]
        assert (memory["turn"], memory["fired"]) == (2, [])
        await one.check("hello")  # and goes on with what the other one saved
        assert one.guard.memory_of("s", tenant="t")["session"]["turn"] == 3

    played(server, play)


def test_a_block_is_kept_and_stays_a_block(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        verdict = one.guard.check("hello", session="x")

        async def block(loses: bool) -> None:
            async with one.turn():
                await one.guard.acheck("swordfish", session="s", tenant="t")
                if loses:
                    two.link.client.delete(two.key_of("lease"))
                raise Blocked(verdict)

        with pytest.raises(Blocked):
            await block(loses=False)
        async with two.turn():
            assert two.guard.memory_of("s", tenant="t")["session"]["turn"] == 1
        with pytest.raises(CheckError, match="another replica") as caught:
            await block(loses=True)
        assert caught.value.__suppress_context__

    played(server, play)


def test_a_cancelled_request_saves_its_session(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        with anyio.CancelScope() as scope:
            async with one.turn():
                await one.guard.acheck("swordfish", session="s", tenant="t")
                scope.cancel()
                await anyio.sleep(30)
        assert scope.cancelled_caught
        async with two.turn():
            assert two.guard.memory_of("s", tenant="t")["session"]["turn"] == 1

    played(server, play)


def test_a_request_cancelled_while_it_waits_leaves_nothing(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        async with one.turn():
            for replica in (one, two):
                with anyio.move_on_after(0.05):
                    await replica.check("hello")
        for replica in (two, one):
            with anyio.fail_after(4):  # a lease that was left behind would last longer
                await replica.check("hello")
        assert not one.sessions._queues
        assert not two.sessions._queues

    played(server, play)


def test_a_request_cancelled_while_the_server_is_asked_leaves_no_lease(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        await one.check("hello")
        server.freeze()
        async with anyio.create_task_group() as group:
            group.start_soon(thaw)
            with anyio.move_on_after(0.1):
                await one.check("hello")
        with anyio.fail_after(8):
            await two.check("hello")

    async def thaw() -> None:
        await anyio.sleep(0.3)
        server.thaw()

    played(server, play, lease_s=20)


def test_requests_of_one_process_go_in_their_order(server: Server) -> None:
    async def play(one: Replica) -> None:
        order: list[int] = []

        async def ask(number: int) -> None:
            async with one.turn():
                order.append(number)

        async with anyio.create_task_group() as group, one.turn():
            for number in range(20):
                group.start_soon(ask, number)
            await anyio.sleep(0.2)
            assert order == []
        assert order == [*range(20)]

    played(server, play, 1)


def test_a_turn_may_end_in_another_task_and_out_of_order(server: Server) -> None:
    """As a stream does: begun by the handler, ended by whoever sends it, in whatever scope."""

    async def play(one: Replica, two: Replica) -> None:
        stack = AsyncExitStack()
        with anyio.move_on_after(5):
            turn = await stack.enter_async_context(one.turn())
            await turn.save()

        async def pieces() -> AsyncIterator[str]:
            try:
                yield one.guard.check("hello", session="s", tenant="t").text
            finally:
                await stack.aclose()

        async def send() -> None:
            async for _ in pieces():
                await anyio.sleep(0)

        await asyncio.create_task(send())
        await two.check("hello")
        assert two.guard.memory_of("s", tenant="t")["session"]["turn"] == 2

    played(server, play)


# --- what is kept


def test_what_was_saved_before_a_crash_is_there_after_the_lease(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        turn = one.turn()
        await (await turn.__aenter__()).save()
        one.guard.check("swordfish", session="s", tenant="t")
        await turn.save()
        one.guard.check("swordfish", session="s", tenant="t")
        one.sessions.close()
        await two.check("hello")
        assert two.guard.memory_of("s", tenant="t")["session"]["turn"] == 2
        with pytest.raises(CheckError):
            await turn.__aexit__(None, None, None)

    played(server, play, lease_s=0.5)


def test_a_memory_lives_as_long_as_its_policy_says(server: Server) -> None:
    async def play(one: Replica) -> None:
        await one.check("hello")
        left = one.link.client.pttl(one.key_of("memory"))
        assert 7_100_000 < left <= 7_200_000
        assert one.link.client.exists(one.key_of("lease")) == 0

    played(server, play, 1)


def test_nothing_readable_lies_in_the_server(server: Server) -> None:
    async def play(one: Replica) -> None:
        async with one.turn("session-name", "tenant-name"):
            whose = {"session": "session-name", "tenant": "tenant-name"}
            one.guard.check("swordfish 1234 5678", **whose)
            canary = one.guard.system_prompt_for(**whose).split()[-1]
            shown = server.everything()
        shown += server.everything()
        assert b":memory" in shown
        assert b":lease" in shown
        for word in ("swordfish", "1234", "CARD", "rude", "session-name", "tenant-name", canary):
            assert word.encode() not in shown, word

    played(server, play, 1)


@pytest.mark.parametrize("change", ["moved", "flipped", "cut"])
def test_a_memory_that_was_changed_stops_the_session(server: Server, change: str) -> None:
    async def play(one: Replica) -> None:
        await one.check("hello", session="s")
        await one.check("hello", session="other")
        kept = one.link.client.get(one.key_of("memory"))
        other = one.link.client.get(one.key_of("memory", "other"))
        new = {"moved": other, "flipped": kept[:-1] + bytes([kept[-1] ^ 1]), "cut": kept[:9]}
        one.link.client.set(one.key_of("memory"), new[change])
        with pytest.raises(CheckError, match="does not open"):
            await one.check("hello")
        assert one.link.client.exists(one.key_of("lease")) == 0
        assert not one.sessions._queues

    played(server, play, 1)


def test_a_memory_of_another_version_stops_the_session(server: Server) -> None:
    async def play(one: Replica) -> None:
        keys = one.sessions._keys
        for memory in ({"v": 2}, {"v": 1, "guard": {"v": 7}, "known": {"v": 1}}):
            sealed = keys.seal(json.dumps(memory), "memory", "t", "s")
            one.link.client.set(one.key_of("memory"), sealed)
            with pytest.raises(CheckError, match=r"another version|cannot be read"):
                await one.check("hello")

    played(server, play, 1)


def test_a_reloaded_policy_goes_on_with_shared_sessions(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        await one.check("swordfish")
        await two.check("swordfish")
        new = loads(POLICY.replace("Be brief.", "Be kind."))
        new.follow(one.guard)
        one.guard = new
        assert (await one.check("swordfish")).session_closed
        assert (await two.check("hello")).session_closed

    played(server, play)


# --- without the server


def test_without_the_server_no_session_goes_on(server: Server) -> None:
    async def play(one: Replica, two: Replica) -> None:
        await one.check("swordfish")
        await one.check("swordfish")
        with pytest.raises(CheckError, match="cannot be reached"):
            async with one.turn():
                server.kill()
        began = time.monotonic()
        for replica in (one, two):
            with pytest.raises(CheckError, match="cannot be reached"):
                await replica.check("hello")
        assert time.monotonic() - began < 5
        assert not one.sessions._queues
        # It comes back empty: what a replica still knows is better than nothing.
        server.start()
        assert (await one.check("swordfish")).session_closed
        assert (await two.check("hello")).session_closed

    played(server, play)


def test_a_server_that_comes_back_empty_ends_what_was_under_way(server: Server) -> None:
    async def play(one: Replica) -> None:

        async def ask() -> None:
            async with one.turn():
                server.kill()
                server.start()
                await one.guard.acheck("hello", session="s", tenant="t")

        with pytest.raises(CheckError, match="another replica"):
            await ask()
        await one.check("hello")

    played(server, play, 1)


def test_a_short_pause_of_the_server_ends_nothing(server: Server) -> None:
    async def play(one: Replica) -> None:
        async with one.turn():
            await one.guard.acheck("hello", session="s", tenant="t")
            server.freeze()
            await anyio.sleep(1.2)
            server.thaw()
            await anyio.sleep(0.5)
        await one.check("hello")
        assert one.guard.memory_of("s", tenant="t")["session"]["turn"] == 2

    played(server, play, 1, lease_s=3)


def test_in_one_process_nothing_is_waited_for() -> None:
    async def main() -> None:
        guard: Guard = loads(POLICY)
        sessions, known = MemorySessions(), Judgements()
        outer, inner = (sessions.turn(guard, known, "s", "t") for _ in range(2))
        async with outer, inner as turn:
            await turn.save()

    asyncio.run(main())


def test_what_is_shared_comes_from_one_object(server: Server) -> None:
    async def main() -> None:
        shared = Shared(server.url, KEY)
        guard, known = loads(POLICY), Judgements()
        guard.hash_by(shared.hash_key)
        async with shared.sessions.turn(guard, known, "s", "t"):
            guard.check("hello", session="s", tenant="t")
        await shared.aclose()
        assert (await shared.quotas.take("t", 1)) is None  # opened again
        await shared.aclose()

    asyncio.run(main())
