"""A field that is refused is named to the operator, where it is a plain word, and to no client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from guardkit.wire import Fault, UnknownField, field_of

from ._served import POLICY, Served, served
from ._traffic import CHAT, CHECK, Line, chat
from ._upstream_double import Upstream

LITELLM = "/beta/litellm_basic_guardrail_api"


@pytest.mark.parametrize("name", ["colour", "top_p", "a", "x" * 40])
def test_a_plain_word_is_kept(name: str) -> None:
    fault = UnknownField("a field is not known", name)
    assert (fault.status, fault.code, field_of(fault)) == (400, "unknown_field", name)
    assert name == "a" or name not in str(fault) + fault.message


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 41,
        "sk_live_4111",
        "4111 1111",
        "Alice",
        "my secret is",
        "a-b",
        "_a",
        "a_",
        "a__b",
        "pass\n",
        "a\nevent",
        "ключ",
        "\u0661",
    ],
)
def test_anything_else_is_not(name: str) -> None:
    assert field_of(UnknownField("a field is not known", name)) == ""


def test_other_faults_are_about_no_field() -> None:
    assert field_of(Fault(400, "unknown_field", "a field is not known")) == ""


def test_the_log_names_it_and_the_reply_does_not(up: Upstream) -> None:
    asked: tuple[tuple[str, dict[str, Any], str | None], ...] = (
        (CHECK, {"text": "hello", "colour": 1}, "colour"),
        (CHECK, {"text": "hello", "Zebrafinch7731": 1}, None),
        (f"{CHECK}/batch", {"items": [{"text": "hello"}], "extra_items": []}, "extra_items"),
        (LITELLM, {"input_type": "request", "texts": ["hello"], "shade": "x"}, "shade"),
        (LITELLM, {"input_type": "request", "texts": ["hello"], "Zebra finch": "x"}, None),
        (CHAT, {**chat("hello"), "colour": "x"}, "colour"),
        (CHAT, {**chat("hello"), "Zebra": "x"}, None),
    )

    async def play(server: Served) -> dict[str, str | None]:
        wanted: dict[str, str | None] = {}
        async with Line(server.url) as line:
            for path, body, name in asked:
                answer = await line.ask(path, body)
                assert answer.status == 400, answer
                assert answer.json()["error"]["code"] == "unknown_field"
                said = answer.body.decode() + str(answer.headers)
                assert all(word not in said for word in ("colour", "extra", "shade", "ebra"))
                wanted[answer.decision] = name
        return wanted

    options = ("--strict", "--no-watch", "--log-format", "json")
    with served(POLICY, *options, upstream=up.url) as server:
        wanted = asyncio.run(play(server))
        lines = [json.loads(line) for line in server.said().splitlines() if line[:1] == "{"]
        told = {line["decision"]: line for line in lines if line["event"] == "request"}
        assert {each: told[each].get("field") for each in wanted} == wanted
        assert all(told[each]["error"] == "unknown_field" for each in wanted)
        assert "ebra" not in server.said()
