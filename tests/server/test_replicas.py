"""Two servers on one Redis are one: one quota, one window, one queue of held texts."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guardkit.server import new_key
from tests.shared._server import Server, redis_server

from ._served import Served, served
from ._traffic import (
    AS_ADMIN,
    CHAT,
    CHECK,
    Answer,
    Line,
    Lost,
    chat,
    exported,
    hear,
    until,
    verified,
)
from ._upstream_double import Asked, Endless, Say, Slow, Upstream, upstream

POLICY = """\
guardkit 1
policy replicated
  title   "What replicas have in common"
  owner   "tests@example.com"
  version "1"

defaults { session_ttl 2h }

check card   = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check insult = pattern { match /insult/ }
check odd    = pattern { match /odd/ }

rule hide    { tier safety on input when card then rewrite matches as pseudonym }
rule counted { tier ethics on input when insult then flag }
rule wait    { tier ethics on input when odd then hold for "desk" within 1m else block "Later." }
window often { count counted last 9 turns per session }
rule over { tier safety on conversation when often >= 3 then block "Over." for session }
"""
STATELESS = """\
guardkit 1
policy stateless
  title   "What needs nobody's memory"
  owner   "tests@example.com"
  version "1"

check forbidden = pattern { match /FORBIDDEN/ }
rule stop { tier safety on input, output when forbidden then block "Stopped." }
"""
QUOTA = 20


class Pair(NamedTuple):
    """Two servers that share a Redis, in front of one model."""

    one: Served
    two: Served
    redis: Server
    up: Upstream
    keys: dict[str, str]
    audits: tuple[Path, Path]

    def line(self, server: Served, tenant: str = "acme") -> Line:
        """A connection of a tenant."""
        return Line(server.url, {"authorization": f"Bearer {self.keys[tenant]}"})


def _echo(asked: Asked) -> Say:
    return Say(str(asked.body["messages"][-1]["content"]), chunk=5)


@contextmanager
def _pair(folder: Path, script: Any = _echo, *, ends: int = 0) -> Iterator[Pair]:
    made = {name: new_key(name) for name in ("acme", "limited", "plain")}
    (folder / "plain.guard").write_text(STATELESS, encoding="utf-8")
    keys = folder / "keys.toml"
    keys.write_text(
        f"[tenants.acme]\nkeys = [{made['acme'].line}]\n"
        f"[tenants.limited]\nkeys = [{made['limited'].line}]\n"
        f'policy = "plain.guard"\nper_minute = {QUOTA}\n'
        f'[tenants.plain]\nkeys = [{made["plain"].line}]\npolicy = "plain.guard"\n',
        encoding="utf-8",
    )
    keys.chmod(0o600)
    audits = (folder / "one.db", folder / "two.db")
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        up = stack.enter_context(upstream(script))
        env = {**redis.env, "MODEL_KEY": "key-of-the-model"}
        servers = [
            stack.enter_context(
                served(
                    POLICY,
                    *("--keys", str(keys), "--upstream-key-env", "MODEL_KEY", "--no-watch"),
                    *("--redis", redis.url, "--drain", "1", "--audit", str(audit)),
                    upstream=up.url,
                    env=env,
                    ends=ends if audit is audits[0] else 0,
                )
            )
            for audit in audits
        ]
        found = {name: each.key for name, each in made.items()}
        yield Pair(servers[0], servers[1], redis, up, found, audits)


def _session(name: str) -> dict[str, str]:
    return {"x-guardkit-session": name}


def test_one_quota_and_one_memory(tmp_path: Path) -> None:
    async def quota(pair: Pair) -> None:
        lines = [pair.line(server, "limited") for server in (pair.one, pair.two) for _ in range(3)]
        answers: list[Answer] = []

        async def ask(line: Line) -> None:
            answers.extend([await line.ask(CHECK, {"text": "hello"}) for _ in range(QUOTA // 2)])
            line.close()

        await asyncio.gather(*(ask(line) for line in lines))
        by = Counter(each.status for each in answers)
        assert by == {200: QUOTA, 429: 2 * QUOTA}, by

    async def windows(pair: Pair) -> None:
        async with pair.line(pair.one) as one, pair.line(pair.two) as two:
            for name, order in (("a", (one, two, one)), ("b", (two, two, two))):
                said = [
                    (await line.ask(CHAT, chat(f"insult {turn}"), headers=_session(name))).text
                    for turn, line in enumerate(order)
                ]
                assert said == ["insult 0", "insult 1", "Over."]
                # What is over for one is over for the other.
                for line in (one, two):
                    assert (
                        await line.ask(CHAT, chat("hello"), headers=_session(name))
                    ).text == "Over."
            assert (await two.ask(CHAT, chat("hello"), headers=_session("c"))).text == "hello"

    async def names(pair: Pair) -> None:
        async with pair.line(pair.one) as one, pair.line(pair.two) as two:
            own = _session("vault")
            assert (await one.ask(CHAT, chat("1234 5678"), headers=own)).text == "1234 5678"
            assert pair.up.asked[-1].body["messages"][-1]["content"] == "[CARD_1]"
            assert (await two.ask(CHAT, chat("say [CARD_1]"), headers=own)).text == "say 1234 5678"
            assert (await two.ask(CHAT, chat("8765 4321"), headers=own)).text == "8765 4321"
            assert pair.up.asked[-1].body["messages"][-1]["content"] == "[CARD_2]"
            assert (await one.ask(CHAT, chat("8765 4321 x"), headers=own)).text == "8765 4321 x"
            assert pair.up.asked[-1].body["messages"][-1]["content"] == "[CARD_2] x"

    async def holds(pair: Pair) -> None:
        async with pair.line(pair.one) as one, Line(pair.two.url, AS_ADMIN) as admin:
            for what, said in (("approve", "an odd thing"), ("deny", "Later.")):
                asked = asyncio.create_task(
                    one.ask(CHAT, chat("an odd thing"), headers=_session(what))
                )
                found: list[Any] = []

                async def waits(found: list[Any] = found) -> bool:
                    answer = await admin.ask("/console/api/holds", method="GET")
                    found[:] = answer.json()["waiting"]
                    return bool(found)

                await until(waits, 10)
                assert not asked.done()
                body = {"id": found[0]["id"], "what": what, "by": "somebody"}
                made = await admin.ask("/console/api/holds/decide", body)
                assert made.json()["took"] is True
                assert (await asked).text == said
                again = await admin.ask("/console/api/holds/decide", {**body, "what": "approve"})
                assert again.json()["took"] is False

    with _pair(tmp_path) as pair:
        asyncio.run(quota(pair))
        asyncio.run(windows(pair))
        asyncio.run(names(pair))
        asyncio.run(holds(pair))


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(40, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_either_may_be_killed_and_what_was_said_counts(rounds: int, tmp_path: Path) -> None:
    """One is killed in the middle of a stream: what its client saw had counted before."""

    async def play(pair: Pair) -> set[str]:
        said: set[str] = set()
        async with pair.line(pair.one) as one, pair.line(pair.two) as two:
            first = await one.ask(CHAT, chat("insult 1"), headers=_session("s"))
            assert first.headers["x-guardkit-action"] == "flag"
            said.add(first.decision)
            pair.up.say(Endless(delay=0.02))
            body = chat("insult 2 of 1234 5678", stream=True)
            status, headers = await one.begin(CHAT, body, headers=_session("s"))
            assert status == 200
            assert await anext(one.pieces(headers))
            said.add(headers["x-guardkit-decision"])
            pair.one.process.send_signal(signal.SIGKILL)
            pair.one.process.wait(10)
            pair.up.say(_echo)
            # The other has to wait until the lease of the dead one is over, and knows both.
            third = await two.ask(CHAT, chat("insult 3"), headers=_session("s"))
            assert third.text == "Over."
            print(f"\nthe other had the session after {third.seconds:.1f} s")
            assert third.seconds < 12
            other = await two.ask(CHAT, chat("[CARD_1]"), headers=_session("t"))
            assert other.text == "[CARD_1]"
        return said

    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        with _pair(folder, ends=-signal.SIGKILL) as pair:
            said = asyncio.run(play(pair))
        for audit in pair.audits:
            verified(audit)
        assert said <= {each["decision"] for each in exported(pair.audits[0])}


def test_counts_under_load_are_exact_when_one_dies(tmp_path: Path) -> None:
    """Every place of the quota that was given is counted, whoever gave it and whatever happened."""

    async def play(pair: Pair) -> None:
        passed = 0
        gone = False

        async def ask(server: Served) -> None:
            nonlocal passed
            async with pair.line(server, "limited") as line:
                for _ in range(QUOTA):
                    try:
                        answer = await line.ask(CHAT, chat("hello"))
                    except (ConnectionError, Lost):
                        if gone:
                            return
                        raise
                    passed += answer.status == 200
                    await asyncio.sleep(0.005)

        tasks = [asyncio.create_task(ask(each)) for each in (pair.one, pair.two) for _ in range(2)]
        await asyncio.sleep(0.15)
        gone = True
        pair.one.process.send_signal(signal.SIGKILL)
        await asyncio.gather(*tasks)
        async with pair.line(pair.two, "limited") as line:
            while (answer := await line.ask(CHAT, chat("hello"))).status == 200:
                passed += 1
            assert answer.status == 429
        # What was under way when it was killed may have taken a place, and got no answer.
        print(f"\n{passed} of {QUOTA} were answered")
        assert QUOTA - 2 <= passed <= QUOTA
        assert len(pair.up.asked) <= QUOTA

    with _pair(tmp_path, Slow(0.02, Say("ok")), ends=-signal.SIGKILL) as pair:
        asyncio.run(play(pair))


def test_without_redis_what_needs_it_fails_closed(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        async with (
            pair.line(pair.one) as acme,
            pair.line(pair.one, "limited") as limited,
            pair.line(pair.two, "plain") as plain,
            Line(pair.one.url, AS_ADMIN) as admin,
        ):
            own = _session("s")
            assert (await acme.ask(CHAT, chat("insult 1"), headers=own)).status == 200
            assert (await limited.ask(CHAT, chat("hello"))).status == 200
            held = asyncio.create_task(_held(pair))
            await asyncio.sleep(0.5)
            number = len(pair.up.asked)
            pair.redis.kill()

            for line, headers in ((acme, own), (limited, {}), (acme, _session("new"))):
                named = {"session": headers["x-guardkit-session"]} if headers else {}
                for path, body in ((CHAT, chat("hello")), (CHECK, {"text": "hello", **named})):
                    answer = await line.ask(path, body, headers=headers)
                    assert answer.status == 503, answer
                    assert answer.json()["error"]["code"] == "not_available"
                    assert answer.seconds < 5
            heard = await hear(acme, chat("hello", stream=True), own)
            assert heard.status == 503
            assert len(pair.up.asked) == number, "the model was asked"
            listed = await admin.ask("/console/api/holds", method="GET")
            assert listed.status in (500, 503), listed
            # What needs nobody's memory goes on, and the server says what it lacks.
            answer = await plain.ask(CHAT, chat("hello"))
            assert (answer.status, answer.text) == (200, "hello")
            assert (await plain.ask(CHAT, chat("FORBIDDEN"))).text == "Stopped."
            assert not held.done(), "what is held was let go"

            pair.redis.start()

            async def is_back() -> bool:
                return (await acme.ask(CHAT, chat("hello"), headers=_session("x"))).status == 200

            took_s = await until(is_back, 15, 0.1)
            print(f"\nback after {took_s:.1f} s")
            assert (await limited.ask(CHAT, chat("hello"))).status == 200
            held.cancel()

    async def _held(pair: Pair) -> Answer:
        async with pair.line(pair.one) as line:
            return await line.ask(CHAT, chat("an odd thing"), headers=_session("held"))

    with _pair(tmp_path) as pair:
        asyncio.run(play(pair))


def test_what_lies_in_redis_says_nothing(tmp_path: Path) -> None:
    """No text, no name of a tenant or session and no key is to be read there."""

    async def play(pair: Pair) -> None:
        async with pair.line(pair.one) as one:
            own = _session("session-with-a-name")
            await one.ask(CHAT, chat("pay with 1234 5678 insult"), headers=own)
            asked = asyncio.create_task(one.ask(CHAT, chat("an odd and secret thing"), headers=own))
            await asyncio.sleep(0.7)
            found = await asyncio.to_thread(pair.redis.everything)
            asked.cancel()
        assert len(found) > 200
        for word in (b"1234 5678", b"secret thing", b"session-with", b"acme", b"insult", b"CARD"):
            assert word not in found
        for key in pair.keys.values():
            assert key.encode() not in found

    with _pair(tmp_path) as pair:
        asyncio.run(play(pair))
