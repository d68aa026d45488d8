"""Policies replaced while requests run: each request is judged by exactly one of them (E6)."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ._served import Served, served
from ._traffic import (
    AS_ADMIN,
    CHAT,
    CHECK,
    Line,
    chat,
    exported,
    hear,
    log_says,
    metrics,
    reload,
    until,
)
from ._upstream_double import Asked, Say, Upstream, upstream


def policy(letter: str, more: str = "") -> str:
    """A policy in whose two rules, one for each way, the same letter stands.

    A request that one of them judged on its way in and the other on its way out shows both.
    """
    return f"""\
guardkit 1
policy reloaded
  title   "Two rules that belong together"
  owner   "tests@example.com"
  version "1"

check mark   = pattern {{ match /@/ }}
check stop   = pattern {{ match /STOP/ }}
check insult = pattern {{ match /insult/ }}

rule on_input  {{ tier safety on input  when mark then rewrite matches as "{letter}" }}
rule on_output {{ tier safety on output when mark then rewrite matches as "{letter}" }}
rule stopped   {{ tier safety on input  when stop then block "Stopped." }}
rule counted   {{ tier ethics on input  when insult then flag }}

test "what is to be stopped is" {{
  input "STOP"
  expect block by stopped
}}
{more}
"""


WINDOW = """
window often { count counted last 9 turns per session }
rule over { tier safety on conversation when often >= 3 then block "Over." for session }
"""
BROKEN = policy("9", "rule nobody { tier safety on input when missing then flag }\n")
FAILING = policy(
    "9", 'test "wrong" {\n  input "nothing of the kind"\n  expect block by stopped\n}\n'
)
UNBOUND = policy("8", 'check words = words { file "nowhere.txt" }\n')


def _put(server: Served, text: str) -> None:
    """Replace the policy's file as a whole."""
    beside = server.folder / "new.tmp"
    beside.write_text(text, encoding="utf-8")
    beside.replace(server.folder / "served.guard")


def _echo(asked: Asked) -> Say:
    """What was asked, and a mark more; both ways show in the reply."""
    said = asked.body["messages"][-1]["content"]
    if asked.streams:
        return Say(f"{said} " + "@ and " * 12, chunk=6, delay=0.01)
    return Say(f"{said} @")


class Seen:
    """What clients saw of the policies."""

    def __init__(self, letters: dict[str, str]) -> None:
        self.letters = letters
        """By digest."""
        self.number = 0
        self.streams = 0
        self.by_letter: dict[str, int] = {}
        self.stops = False

    def one(self, digest: str, text: str) -> None:
        """One reply: every mark in it is of the policy that the header names."""
        letter = self.letters[digest]
        marks = [each for each in text if each.isdigit() or each == "@"]
        assert len(marks) >= 2, text
        assert set(marks) == {letter}, (letter, text)
        self.number += 1
        self.by_letter[letter] = self.by_letter.get(letter, 0) + 1

    async def client(self, url: str) -> None:
        """Ask until told to stop."""
        async with Line(url) as line:
            while not self.stops:
                answer = await line.ask(CHAT, chat("say @"))
                assert answer.status == 200, answer
                self.one(answer.headers["x-guardkit-policy"], answer.text)

    async def listener(self, url: str) -> None:
        """Ask for streams until told to stop."""
        async with Line(url) as line:
            while not self.stops:
                heard = await hear(line, chat("say @", stream=True))
                assert heard.is_whole, heard
                self.one(heard.headers["x-guardkit-policy"], heard.text)
                self.streams += 1


@pytest.mark.parametrize(
    "number", [50, pytest.param(1_000, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_no_request_is_judged_by_two_policies(number: int) -> None:
    async def play(server: Served) -> None:
        digests: dict[str, str] = {}
        async with Line(server.url) as line:
            for letter in "12":
                _put(server, policy(letter))
                made = (await reload(line)).json()["policies"][0]
                assert made["outcome"] == "ok"
                digests[made["digest"]] = letter
            seen = Seen(digests)
            tasks = [asyncio.create_task(seen.client(server.url)) for _ in range(2)]
            tasks += [asyncio.create_task(seen.listener(server.url)) for _ in range(2)]
            begun = time.monotonic()
            for turn in range(number):
                _put(server, policy("12"[turn % 2]))
                answer = await reload(line)
                assert answer.status == 200, answer
                made = answer.json()["policies"][0]
                assert made["outcome"] == "ok"
                # What is asked once the reload is answered is judged by the new one.
                after = await line.ask(CHAT, chat("say @"))
                assert after.headers["x-guardkit-policy"] == made["digest"]
                seen.one(made["digest"], after.text)
                for task in tasks:
                    if task.done():
                        task.result()
            took_s = time.monotonic() - begun
            seen.stops = True
            await asyncio.gather(*tasks)
            counted = await metrics(line)
        print(
            f"\n{number} reloads in {took_s:.1f} s, {seen.number} replies, {seen.streams} streams,"
            f" by policy {seen.by_letter}; none mixed"
        )
        assert min(seen.by_letter.values()) > number / 4
        assert seen.streams >= 4
        assert counted['guardkit_reloads_total{outcome="ok"}'] == number + 2

    with upstream(_echo) as up, served(policy("0"), "--no-watch", upstream=up.url) as server:
        asyncio.run(play(server))


def test_a_stream_ends_by_the_policy_it_began_with() -> None:
    async def play(server: Served, up: Upstream) -> None:
        async with Line(server.url) as listening, Line(server.url) as line:
            status, headers = await listening.begin(CHAT, chat("say @", stream=True))
            assert status == 200
            _put(server, policy("2"))
            made = (await reload(line)).json()["policies"][0]
            assert made["outcome"] == "ok"
            assert made["digest"] != headers["x-guardkit-policy"]
            assert up.finished == 0, "the stream ended before the reload"
            raw = b"".join([piece async for piece in listening.pieces(headers)])
            assert raw.endswith(b"data: [DONE]\n\n")
            said = "".join(
                choice["delta"].get("content") or ""
                for line in raw.decode().splitlines()
                if line.startswith("data: {")
                for choice in json.loads(line[6:])["choices"]
            )
            assert set(said) & set("@12") == {"1"}
            assert said.count("1") == 17

    def slowly(asked: Asked) -> Say:
        return Say(f"{asked.body['messages'][-1]['content']} " + "@ and " * 16, chunk=6, delay=0.08)

    with upstream(slowly) as up, served(policy("1"), "--no-watch", upstream=up.url) as server:
        asyncio.run(play(server, up))


BAD = {
    "does not compile": (BROKEN, "missing"),
    "fails its own test": (FAILING, "wrong"),
    "lacks a file": (UNBOUND, "nowhere.txt"),
    "is empty": ("", ""),
    "is half written": (policy("7")[:-60], ""),
}


def test_a_bad_policy_leaves_the_old_one_in_force() -> None:
    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            before = await line.ask(CHAT, chat("say @"))
            assert before.text == "say 1 1"
            for number, (name, (text, says)) in enumerate(BAD.items(), start=1):
                _put(server, text)
                answer = await reload(line)
                assert answer.status == 422, (name, answer)
                made = answer.json()["policies"][0]
                assert made["outcome"] == "refused"
                assert made["digest"] == before.headers["x-guardkit-policy"]
                assert made["problems"], f"it is not said that it {name}"
                assert says in "\n".join(made["problems"]), (name, made)

                after = await line.ask(CHAT, chat("say @"))
                assert after.text == "say 1 1"
                assert after.headers["x-guardkit-policy"] == before.headers["x-guardkit-policy"]
                ready = await line.ask("/readyz", method="GET")
                assert (ready.status, ready.json()["status"]) == (200, "ready")
                assert (await metrics(line))['guardkit_reloads_total{outcome="refused"}'] == number
            await log_says(server, "refused")
            shown = await line.ask("/console/api/monitor", method="GET", headers=AS_ADMIN)
            assert shown.body.decode().count('"refused"') >= len(BAD)

            # And the next good one is taken.
            _put(server, policy("2"))
            assert (await reload(line)).status == 200
            assert (await line.ask(CHAT, chat("say @"))).text == "say 2 2"

    with upstream(_echo) as up, served(policy("1"), "--no-watch", upstream=up.url) as server:
        asyncio.run(play(server))


def test_windows_of_sessions_go_on() -> None:
    """Two turns before a reload and one after it are three; a session that is over stays over."""

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            turn = itertools.count()

            async def said(session: str, text: str = "insult") -> Any:
                # The same text once more would be the same turn, sent again.
                text = f"{text} {next(turn)}"
                answer = await line.ask(CHAT, chat(text), headers={"x-guardkit-session": session})
                return answer.json()["choices"][0]["finish_reason"]

            assert [await said("a"), await said("a")] == ["stop", "stop"]
            assert [await said("over"), await said("over")] == ["stop", "stop"]
            assert await said("over") == "content_filter"
            _put(server, policy("2", WINDOW))
            assert (await reload(line)).status == 200
            assert await said("b") == "stop"
            assert await said("a") == "content_filter"
            assert await said("over", "nothing of the kind") == "content_filter"

    text = policy("1", WINDOW)
    with upstream(Say("ok")) as up, served(text, "--no-watch", upstream=up.url) as server:
        asyncio.run(play(server))


def test_a_file_that_changes_is_loaded_by_itself() -> None:
    async def play(server: Served) -> None:
        file = server.folder / "served.guard"
        async with Line(server.url) as line:
            for letter, way in zip(
                "2345", ("replaced", "bad", "in place", "in pieces"), strict=True
            ):
                text = policy(letter)
                if way == "replaced":
                    _put(server, text)
                elif way == "bad":
                    before = server.said().count("refused")
                    _put(server, FAILING)

                    async def is_told(number: int = before) -> bool:
                        return server.said().count("refused") > number

                    await until(is_told, 15)
                    assert (await line.ask(CHAT, chat("say @"))).text == "say 2 2"
                    _put(server, text)
                elif way == "in place":
                    file.write_text(text, encoding="utf-8")
                else:
                    file.write_text(text[: len(text) // 2], encoding="utf-8")
                    await asyncio.sleep(0.2)
                    file.write_text(text, encoding="utf-8")

                async def is_new(letter: str = letter) -> bool:
                    return (await line.ask(CHAT, chat("say @"))).text == f"say {letter} {letter}"

                took_s = await until(is_new, 15, 0.05)
                print(f"\n{way}: in force after {took_s:.1f} s", end="")

    with upstream(_echo) as up, served(policy("1"), upstream=up.url) as server:
        asyncio.run(play(server))


def test_only_the_admin_reloads() -> None:
    with served(policy("1"), "--no-watch") as server, httpx2.Client(trust_env=False) as client:
        at = f"{server.url}/v1/policy/reload"
        assert client.post(at).status_code == 401
        assert client.post(at, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get(at, headers=AS_ADMIN).status_code == 405
        assert client.post(at, headers=AS_ADMIN).json()["policies"][0]["outcome"] == "unchanged"


def test_every_record_names_the_policy_that_judged(tmp_path: Path) -> None:
    """The digest in the header of a reply is that of the audit log's record of it."""
    audit = tmp_path / "audit.db"
    seen: dict[str, str] = {}

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            for letter in "121":
                _put(server, policy(letter))
                assert (await reload(line)).status == 200
                for path, body in ((CHAT, chat("say @")), (CHECK, {"text": "say @"})):
                    answer = await line.ask(path, body)
                    seen[answer.decision] = answer.headers["x-guardkit-policy"]

    with (
        upstream(_echo) as up,
        served(policy("0"), "--no-watch", "--audit", str(audit), upstream=up.url) as server,
    ):
        asyncio.run(play(server))
    records = [each for each in exported(audit) if each["kind"] == "verdict"]
    assert {each["decision"] for each in records} == set(seen)
    assert len({*seen.values()}) == 2
    for record in records:
        assert record["policy"] == seen[record["decision"]], record
