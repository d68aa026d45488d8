"""One policy, deployed in its own way: its parameters and its overlay are in force, and stay so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.shared._server import redis_server

from ._served import Served, served
from ._traffic import CHECK, Line, reload

POLICY = """\
guardkit 1
policy deployed
  title   "What a deployment may set"
  owner   "tests@example.com"
  version "1"

param most: number = 10000

check size   = length { }
check insult = words { list ["idiot"] }

rule short  { tier ethics on input when size > most then block "Too long." }
rule polite { tier ethics on input when insult then block "No." }
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_parameters_and_overlays_are_in_force(workers: int, tmp_path: Path) -> None:
    overlay = tmp_path / "shadow.toml"
    overlay.write_text('[rules]\npolite = "shadow"\n', encoding="utf-8")
    long = "word " * 40

    async def play(server: Served) -> None:
        for _ in range(2):
            for _ in range(2 * workers):  # whichever of them answers
                async with Line(server.url) as line:
                    for text, action in ((long, "block"), ("idiot", "pass"), ("hello", "pass")):
                        answer = await line.ask(CHECK, {"text": text})
                        assert answer.json()["action"] == action, (text, answer)
            with (server.folder / "served.guard").open("a", encoding="utf-8") as file:
                file.write("\n# written again\n")
            async with Line(server.url) as line:
                assert (await reload(line)).status == 200

    options = ("--param", "most=20", "--overlay", str(overlay), "--no-watch")
    with redis_server() as redis:
        more = ("--workers", str(workers), "--redis", redis.url) if workers > 1 else ()
        with served(POLICY, *options, *more, env=redis.env) as server:
            asyncio.run(play(server))
