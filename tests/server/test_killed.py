"""What a server had said before it was killed is in its audit log (E7)."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from ._served import POLICY, Served, served
from ._traffic import CHAT, CHECK, Answer, Line, Lost, chat, exported, hear, verified
from ._upstream_double import Asked, Say, upstream


def _slowly(asked: Asked) -> Say:
    return Say("word " * 20, chunk=5, delay=0.01 if asked.streams else 0.0)


class Told:
    """What reached clients until the server was gone."""

    def __init__(self) -> None:
        self.whole: set[str] = set()
        """Decisions of replies that came to their end."""
        self.begun: set[str] = set()
        """Decisions of streams of which something came."""

    async def client(self, url: str, body: dict[str, object], path: str) -> None:
        """Ask until nobody answers any more."""
        async with Line(url) as line:
            while True:
                try:
                    answer = await line.ask(path, body)
                except (Lost, ConnectionError):
                    return
                assert answer.status == 200, answer
                self.whole.add(answer.decision)

    async def listener(self, url: str) -> None:
        """The same, with streams."""
        async with Line(url) as line:
            while True:
                try:
                    status, headers = await line.begin(CHAT, chat("NB-1234", stream=True))
                    assert status == 200
                    async for _ in line.pieces(headers):
                        self.begun.add(headers["x-guardkit-decision"])
                except (Lost, ConnectionError):
                    return


async def _kill(server: Served, told: Told, after_s: float) -> None:
    tasks = [
        asyncio.create_task(told.client(server.url, chat("hello NB-1234"), CHAT)),
        asyncio.create_task(told.client(server.url, chat("FORBIDDEN"), CHAT)),
        asyncio.create_task(told.client(server.url, {"text": "hello NB-1234"}, CHECK)),
        asyncio.create_task(told.listener(server.url)),
        asyncio.create_task(told.listener(server.url)),
    ]
    await asyncio.sleep(after_s)
    server.process.send_signal(signal.SIGKILL)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    "rounds", [5, pytest.param(100, marks=[pytest.mark.full, pytest.mark.timeout(1200)])]
)
def test_nothing_that_was_said_is_missing(rounds: int, tmp_path: Path) -> None:
    """Killed at random times under load, each time begun again on the same file."""
    audit = tmp_path / "audit.db"
    told = Told()
    rng = random.Random(7)
    with upstream(_slowly) as up:
        for _ in range(rounds):
            options = ("--audit", str(audit), "--audit-mode", "durable", "--no-watch")
            with served(POLICY, *options, upstream=up.url, ends=-signal.SIGKILL) as server:
                asyncio.run(_kill(server, told, rng.uniform(0.05, 0.6)))
            verified(audit)
    records = exported(audit)
    kept = {each["decision"] for each in records}
    missing = (told.whole | told.begun) - kept
    print(
        f"\n{rounds} kills, {len(told.whole)} replies and {len(told.begun)} streams were heard,"
        f" {len(records)} records kept, {len(missing)} missing"
    )
    assert len(told.whole) > 4 * rounds
    assert len(told.begun) > rounds
    assert not missing
    assert [each["number"] for each in records] == list(range(1, len(records) + 1))


# --- a log that cannot be written


def _limit(server: Served, size: int) -> None:
    """No file of the server may grow beyond so many bytes: to it the disk is full."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


UNKEPT = "This request could not be recorded and was stopped."


def _is_stopped(answer: Answer) -> bool:
    """Whether it was stopped because nobody could keep a record of it."""
    if answer.status == 200 and answer.headers["x-guardkit-action"] == "block":
        assert UNKEPT in answer.body.decode()
        return True
    assert answer.status in (200, 503), answer
    return answer.status == 503


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_a_full_disk_blocks(mode: str, tmp_path: Path) -> None:
    audit = tmp_path / "audit.db"
    said: list[str] = []
    refused: list[Answer] = []

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            said.append((await line.ask(CHAT, chat("hello"))).decision)
            _limit(server, 1)
            for _ in range(200):
                answer = await line.ask(CHAT, chat("hello"))
                if _is_stopped(answer):
                    refused.append(answer)
                    break
                said.append(answer.decision)
            assert refused, "it went on without a log"
            # The whole surface of the server is shut, and not by accident of one route.
            assert _is_stopped(await line.ask(CHECK, {"text": "hello"}))
            heard = await hear(line, chat("hello", stream=True))
            assert heard.text in ("", UNKEPT)
            assert (await line.ask("/healthz", method="GET")).status == 200
            _limit(server, resource.RLIM_INFINITY)
            await asyncio.sleep(1.1)
            again = await line.ask(CHAT, chat("hello"))
            assert (again.status, again.text) == (200, "ok")
            said.append(again.decision)

    with (
        upstream(Say("ok")) as up,
        served(
            POLICY, "--audit", str(audit), "--audit-mode", mode, "--no-watch", upstream=up.url
        ) as server,
    ):
        asyncio.run(play(server))
    print(f"\n{mode}: {refused[0].status} {refused[0].body[:200]!r} after {len(said)} replies")
    verified(audit)
    kept = {each["decision"] for each in exported(audit)}
    assert set(said) <= kept


def test_a_full_disk_is_no_reason_where_the_operator_says_so(tmp_path: Path) -> None:
    audit = tmp_path / "audit.db"

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            assert (await line.ask(CHAT, chat("hello"))).status == 200
            _limit(server, 1)
            answers = [await line.ask(CHAT, chat("hello NB-1234")) for _ in range(20)]
            assert {(each.status, each.text) for each in answers} == {(200, "ok")}
            assert (await line.ask(CHAT, chat("FORBIDDEN"))).text == "Stopped by a rule."
            _limit(server, resource.RLIM_INFINITY)

    options = ("--audit", str(audit), "--on-audit-error", "continue", "--no-watch")
    with upstream(Say("ok")) as up, served(POLICY, *options, upstream=up.url) as server:
        asyncio.run(play(server))
    verified(audit)


@pytest.mark.full
def test_a_log_that_somebody_else_has_locked_blocks(tmp_path: Path) -> None:
    """Nothing is said until the record is kept; and what was not kept was not said."""
    audit = tmp_path / "audit.db"

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            assert (await line.ask(CHECK, {"text": "hello"})).status == 200
            other = sqlite3.connect(audit, isolation_level=None)
            other.execute("begin immediate")
            try:
                answer = await line.ask(CHECK, {"text": "hello"})
            finally:
                other.execute("rollback")
                other.close()
            assert _is_stopped(answer)
            assert (await line.ask(CHECK, {"text": "hello"})).status == 200

    with served(POLICY, "--audit", str(audit), "--no-watch") as server:
        asyncio.run(play(server))


def test_a_log_that_cannot_be_opened_is_no_server(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere" / "audit.db", tmp_path):
        with (
            pytest.raises(AssertionError, match="it did not start"),
            served(POLICY, "--audit", str(place), "--no-watch"),
        ):
            pytest.fail("it serves without its log")


def test_a_record_that_is_taken_out_is_noticed(tmp_path: Path) -> None:
    audit = tmp_path / "audit.db"

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            for _ in range(5):
                assert (await line.ask(CHECK, {"text": "hello"})).status == 200

    with served(POLICY, "--audit", str(audit), "--no-watch") as server:
        asyncio.run(play(server))
    verified(audit)
    with sqlite3.connect(audit) as file:
        table = file.execute("select name from sqlite_master where type = 'table'").fetchall()
        name = next(each for (each,) in table if "record" in each)
        file.execute(f"delete from {name} where rowid = (select min(rowid) + 2 from {name})")
    file.close()
    with pytest.raises(AssertionError):
        verified(audit)
