"""Tenants of one server know nothing of one another (F5)."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guardkit.server import new_key

from ._served import Served, served
from ._traffic import AS_ADMIN, CHAT, CHECK, Answer, Line, chat, log_says, metrics, quantile, until
from ._upstream_double import Asked, Say, Upstream, upstream


def _opposite(name: str, stops: str, passes: str) -> str:
    """A policy that stops one word and marks another; its opposite does it the other way round."""
    return f"""\
guardkit 1
policy {name}
  title   "What {name} says"
  owner   "tests@example.com"
  version "1"

check stopped = pattern {{ match /{stops}/ }}
check marked  = pattern {{ match /{passes}/ }}

rule {name}_stops {{ tier safety on input, output when stopped then block "{name} stops it." }}
rule {name}_marks {{ tier safety on input, output when marked then rewrite matches as "{name}" }}
"""


COMMON = """\
guardkit 1
policy common
  title   "What two tenants have in common"
  owner   "tests@example.com"
  version "1"

check card   = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check insult = pattern { match /insult/ }
check odd    = pattern { match /odd/ }

rule hide    { tier safety on input when card then rewrite matches as pseudonym }
rule counted { tier ethics on input when insult then flag }
rule wait    { tier ethics on input when odd then hold for "desk" within 1m else block "Later." }
window often { count counted last 9 turns per session }
rule over { tier safety on conversation when often >= 3 then block "Over." for session }
"""
NAMES = ("red", "blue", "green", "teal")
QUOTA = 25


class House:
    """A server with four tenants, and a key for each."""

    def __init__(self, server: Served, up: Upstream, keys: Mapping[str, str], path: Path) -> None:
        self.server = server
        self.up = up
        self.keys = keys
        self.path = path

    def line(self, tenant: str) -> Line:
        """A connection of a tenant."""
        return Line(self.server.url, {"authorization": f"Bearer {self.keys[tenant]}"})


def _echo(asked: Asked) -> Say:
    return Say(str(asked.body["messages"][-1]["content"]), chunk=3)


@contextmanager
def _house(folder: Path, *options: str, extra: str = "") -> Iterator[House]:
    made = {name: new_key(name) for name in NAMES}
    (folder / "red.guard").write_text(_opposite("red", "APPLE", "PEAR"), encoding="utf-8")
    (folder / "blue.guard").write_text(_opposite("blue", "PEAR", "APPLE"), encoding="utf-8")
    path = folder / "keys.toml"
    tables = {name: f"[tenants.{name}]\nkeys = [{made[name].line}]\n" for name in NAMES}
    tables["red"] += 'policy = "red.guard"\n'
    tables["blue"] += 'policy = "blue.guard"\n'
    path.write_text("".join(tables.values()) + extra, encoding="utf-8")
    path.chmod(0o600)
    words = ("--keys", str(path), "--upstream-key-env", "MODEL_KEY", *options)
    with (
        upstream(_echo) as up,
        served(COMMON, *words, upstream=up.url, env={"MODEL_KEY": "key-of-the-model"}) as server,
    ):
        yield House(server, up, {name: each.key for name, each in made.items()}, path)


TEXTS = ("an APPLE", "a PEAR", "both: APPLE and PEAR", "neither")


def _expected(tenant: str, text: str) -> tuple[str, str]:
    """The action and the text that a tenant of the first two has to get."""
    stops, marks = ("APPLE", "PEAR") if tenant == "red" else ("PEAR", "APPLE")
    if stops in text:
        return "block", f"{tenant} stops it."
    if marks in text:
        return "rewrite", text.replace(marks, tenant)
    return "pass", text


@pytest.mark.parametrize(
    "number", [2_000, pytest.param(50_000, marks=[pytest.mark.full, pytest.mark.timeout(1200)])]
)
def test_no_verdict_is_another_tenants(number: int, tmp_path: Path) -> None:
    """Opposite policies, the same texts and the same sessions, in one process and mixed."""
    rng = random.Random(5)
    asked = [(rng.choice(("red", "blue")), rng.choice(TEXTS)) for _ in range(number)]
    crossed: list[tuple[str, str, Answer]] = []

    async def client(house: House, share: list[tuple[str, str]]) -> None:
        lines = {name: house.line(name) for name in ("red", "blue")}
        for at, (tenant, text) in enumerate(share):
            own = {"x-guardkit-session": "the-same"}
            expected, said = _expected(tenant, text)
            if at % 2:
                body = {"text": text, "on": "output", "session": "the-same"}
                answer = await lines[tenant].ask(CHECK, body)
                found = answer.json()
                is_right = (found["action"], found["text"]) == (expected, said)
                is_right &= all(rule.startswith(tenant) for rule in found["fired"])
            else:
                answer = await lines[tenant].ask(CHAT, chat(text), headers=own)
                is_right = answer.headers.get("x-guardkit-action") == expected
                is_right = is_right and answer.text == said
            if answer.status != 200 or not is_right:
                crossed.append((tenant, text, answer))
        for line in lines.values():
            line.close()

    async def play(house: House) -> None:
        await asyncio.gather(*(client(house, asked[at::8]) for at in range(8)))

    with _house(tmp_path, "--no-watch") as house:
        asyncio.run(play(house))
        keys = {each.headers["authorization"] for each in house.up.asked}
    print(f"\n{number} requests of two tenants, {len(crossed)} crossed")
    assert not crossed
    assert keys == {"Bearer key-of-the-model"}, "a key of a client went to the model"


def test_sessions_and_pseudonyms_of_one_name_are_apart(tmp_path: Path) -> None:
    """The same policy and the same session, and another tenant: nothing is known of it."""

    async def play(house: House) -> None:
        own = {"x-guardkit-session": "s-1"}
        async with house.line("green") as green, house.line("teal") as teal:
            first = await green.ask(CHAT, chat("pay with 1234 5678"), headers=own)
            assert first.text == "pay with 1234 5678", "its own is given back"
            name = house.up.asked[-1].body["messages"][-1]["content"].removeprefix("pay with ")
            assert re.fullmatch(r"\[CARD_1\]", name)
            # The other tenant says the name, and its session of that name has none.
            other = await teal.ask(CHAT, chat(f"what is {name}?"), headers=own)
            assert "1234" not in other.text
            mine = await teal.ask(CHAT, chat("pay with 8765 4321"), headers=own)
            assert mine.text == "pay with 8765 4321"
            again = await green.ask(CHAT, chat(f"and {name}?"), headers=own)
            assert again.text == "and 1234 5678?"

            # Two insults here and two there are no three.
            own = {"x-guardkit-session": "s-2"}
            for turn in range(2):
                for line in (green, teal):
                    answer = await line.ask(CHAT, chat(f"insult {turn}"), headers=own)
                    assert answer.headers["x-guardkit-action"] == "flag"
            assert (await green.ask(CHAT, chat("insult 3"), headers=own)).text == "Over."
            assert (await teal.ask(CHAT, chat("hello"), headers=own)).text == "hello"
            assert (await green.ask(CHAT, chat("hello"), headers=own)).text == "Over."

    with _house(tmp_path, "--no-watch") as house:
        asyncio.run(play(house))


def test_what_is_held_is_listed_with_its_tenant(tmp_path: Path) -> None:
    async def play(house: House) -> None:
        own = {"x-guardkit-session": "s"}
        async with (
            house.line("green") as green,
            house.line("teal") as teal,
            Line(house.server.url, AS_ADMIN) as admin,
        ):
            waiting = {
                "green": asyncio.create_task(green.ask(CHAT, chat("odd of green"), headers=own)),
                "teal": asyncio.create_task(teal.ask(CHAT, chat("odd of teal"), headers=own)),
            }

            async def listed() -> dict[str, str]:
                answer = await admin.ask("/console/api/holds", method="GET")
                assert answer.status == 200
                assert "odd of" not in answer.body.decode()
                return {each["tenant"]: each["id"] for each in answer.json()["waiting"]}

            async def are_two() -> bool:
                return len(await listed()) == 2

            await until(are_two, 10)
            ids = await listed()
            assert set(ids) == {"green", "teal"}
            # A key of a tenant opens no console.
            for path in ("/console/api/holds", "/console/api/monitor", "/metrics"):
                async with house.line("green") as line:
                    assert (await line.ask(path, method="GET")).status == 401
            denied = {"id": ids["teal"], "what": "deny", "by": "somebody", "reason": "no"}
            assert (await admin.ask("/console/api/holds/decide", denied)).status == 200
            assert (await waiting["teal"]).text == "Later."
            assert not waiting["green"].done()
            approved = {"id": ids["green"], "what": "approve", "by": "somebody"}
            assert (await admin.ask("/console/api/holds/decide", approved)).status == 200
            assert (await waiting["green"]).text == "odd of green"

    with _house(tmp_path, "--no-watch") as house:
        asyncio.run(play(house))


WRONG_KEYS: tuple[Mapping[str, str], ...] = (
    {},
    {"authorization": ""},
    {"authorization": "Bearer "},
    {"authorization": "Bearer wrong"},
    {"authorization": "Bearer gk_red_" + "A" * 43},
    {"authorization": "Bearer gk_nobody_" + "A" * 43},
    {"x-api-key": "gk_red_" + "A" * 43},
    {"api-key": "sk-1234"},
    {"authorization": "Basic Z2tfcmVkOg=="},
)


def test_who_has_no_key_gets_nothing(tmp_path: Path) -> None:
    async def play(house: House) -> None:
        async with Line(house.server.url) as line:
            for headers in WRONG_KEYS:
                for path in (CHAT, CHECK, "/v1/messages", "/v1/embeddings"):
                    answer = await line.ask(path, chat("hello"), headers=headers)
                    assert answer.status == 401, (headers, path, answer)
            key, mixed = house.keys["red"], house.keys["blue"]
            for headers in (
                {"authorization": f"Bearer {key}"},
                {"x-api-key": key},
                {"api-key": key},
            ):
                assert (await line.ask(CHAT, chat("hello"), headers=headers)).status == 200
            # The name in a key and the tenant it belongs to are one.
            renamed = key.replace("gk_red_", "gk_blue_")
            answer = await line.ask(
                CHAT, chat("hello"), headers={"authorization": f"Bearer {renamed}"}
            )
            assert answer.status == 401
            two = {"authorization": f"Bearer {key}", "x-api-key": mixed}
            assert (await line.ask(CHAT, chat("hello"), headers=two)).status == 400
            assert len(house.up.asked) == 3
            said = house.server.said()
            assert key not in said
            assert key[-20:] not in said

    with _house(tmp_path, "--no-watch") as house:
        asyncio.run(play(house))


def test_a_quota_is_its_tenants_own(tmp_path: Path) -> None:
    async def play(house: House) -> None:
        async with house.line("red") as red, house.line("blue") as blue:
            answers = [await red.ask(CHECK, {"text": "hello"}) for _ in range(QUOTA + 10)]
            assert [each.status for each in answers] == [200] * QUOTA + [429] * 10
            over = answers[-1]
            assert over.json()["error"]["code"] == "quota_exceeded"
            assert 1 <= int(over.headers["retry-after"]) <= 60
            # A route is no way around it, and it is nobody else's.
            assert (await red.ask(CHAT, chat("hello"))).status == 429
            others = [await blue.ask(CHECK, {"text": "hello"}) for _ in range(QUOTA + 10)]
            assert {each.status for each in others} == {200}
            async with Line(house.server.url) as line:
                counted = await metrics(line)
            assert counted['guardkit_requests_shed_total{reason="quota"}'] == 11

    with _house(tmp_path, "--no-watch") as house:
        text = house.path.read_text().replace(
            "[tenants.red]", f"[tenants.red]\nper_minute = {QUOTA}"
        )
        house.path.write_text(text)
        asyncio.run(_refreshed(house))
        asyncio.run(play(house))


async def _refreshed(house: House) -> None:
    """Wait until the keys were read again: a request of a new tenant is let in."""
    made = new_key("probe")
    with house.path.open("a", encoding="utf-8") as file:
        file.write(f"\n[tenants.probe]\nkeys = [{made.line}]\n")
    async with Line(house.server.url, {"x-api-key": made.key}) as line:

        async def is_known() -> bool:
            return (await line.ask(CHECK, {"text": "hello"})).status != 401

        await until(is_known, 15, 0.1)


def test_the_keys_are_read_again_when_they_change(tmp_path: Path) -> None:
    async def play(house: House) -> None:
        made = new_key("red")
        before = house.path.read_text()
        async with (
            house.line("red") as red,
            house.line("blue") as blue,
            Line(house.server.url, {"x-api-key": made.key}) as new,
        ):
            assert (await new.ask(CHECK, {"text": "hello"})).status == 401
            # A file that is wrong changes nothing, and is told.
            house.path.write_text("[tenants.red]\nkeys = 7\n")
            await log_says(house.server, "keys_refused", 15)
            assert (await red.ask(CHECK, {"text": "hello"})).status == 200
            # One key taken away, another given; and who had none of it goes on.
            at = before.index("keys = [") + len("keys = [")
            house.path.write_text(before[:at] + made.line + before[before.index("]\n", at) :])

            async def is_new() -> bool:
                return (await new.ask(CHECK, {"text": "hello"})).status == 200

            await until(is_new, 15, 0.1)
            assert (await red.ask(CHECK, {"text": "hello"})).status == 401
            assert (await blue.ask(CHECK, {"text": "a PEAR"})).json()["action"] == "block"
            assert (await new.ask(CHECK, {"text": "an APPLE"})).json()["fired"] == ["red_stops"]
            # A tenant without a table is nobody from then on.
            gone = before.index("[tenants.blue]"), before.index("[tenants.green]")
            house.path.write_text(before[: gone[0]] + before[gone[1] :])

            async def is_gone() -> bool:
                return (await blue.ask(CHECK, {"text": "hello"})).status == 401

            await until(is_gone, 15, 0.1)

    with _house(tmp_path, "--no-watch") as house:
        asyncio.run(play(house))


def test_one_that_sends_too_much_waits_behind_itself(tmp_path: Path) -> None:
    """Twenty connections of one tenant that never pause, and one of another that does."""

    async def play(house: House) -> None:
        async def quiet(line: Line, number: int) -> list[Any]:
            answers = []
            for _ in range(number):
                answers.append(await line.ask(CHECK, {"text": "hello"}))
                await asyncio.sleep(0.01)
            return answers

        async def loud(stop: asyncio.Event) -> None:
            async with house.line("blue") as line:
                while not stop.is_set():
                    answer = await line.ask(CHAT, chat("hello"))
                    assert answer.status in (200, 429, 503)

        async with house.line("red") as red:
            alone = await quiet(red, 100)
            stop = asyncio.Event()
            tasks = [asyncio.create_task(loud(stop)) for _ in range(20)]
            beside = await quiet(red, 100)
            stop.set()
            await asyncio.gather(*tasks)
        assert {each.status for each in alone} == {each.status for each in beside} == {200}
        p50s = [quantile((each.seconds for each in part), 0.5) for part in (alone, beside)]
        p99s = [quantile((each.seconds for each in part), 0.99) for part in (alone, beside)]
        print(
            f"\np50 {p50s[0] * 1e3:.1f} -> {p50s[1] * 1e3:.1f} ms,"
            f" p99 {p99s[0] * 1e3:.1f} -> {p99s[1] * 1e3:.1f} ms"
        )

    with _house(tmp_path, "--no-watch", "--at-once", "8") as house:
        asyncio.run(play(house))
