"""Input that makes no sense is a clear error or a block: never a pass, never a trace."""

from __future__ import annotations

import math
from typing import Any

import pytest

from guardkit.errors import UsageError
from guardkit.guard import Guard, loads

POLICY = """guardkit 1
policy inputs
check secret = pattern { match /secret-\\d{4}/ }
check score  = python  { call "m:f"  answers score }
rule a { tier safety on input, output, retrieved, tool_result, tool_call when secret then block }
rule b { tier safety on retrieved when score >= 0.5 then block }
"""
STATEFUL = """guardkit 1
policy counting
check rude = words { list ["damn"] }
rule flagged { tier ethics on input when rude then flag }
window often { count flagged last 5 turns per session }
rule ended { tier safety on conversation when often >= 2 then block "Over." for session }
"""


@pytest.fixture(scope="module")
def guard() -> Guard:
    return loads(POLICY, checks={"score": lambda text: float(len(text))})


@pytest.mark.parametrize("text", [None, b"bytes", 3, ["a"], {"text": "a"}, object()])
def test_what_is_no_text_is_refused(guard: Guard, text: Any) -> None:
    for on in ("input", "output", "tool_result", "retrieved"):
        with pytest.raises(UsageError, match="has to be a str"):
            guard.check(text, on=on)  # type: ignore[arg-type]


@pytest.mark.parametrize("on", ["inptu", "", "conversation", None, 3, "Input"])
def test_an_unknown_surface_is_refused(guard: Guard, on: Any) -> None:
    with pytest.raises(UsageError, match="no surface of this name"):
        guard.check("hello", on=on)
    with pytest.raises(UsageError, match="no surface of this name"):
        guard.stream(on=on)


@pytest.mark.parametrize("session", [3, b"s", ("a",), 1.5])
def test_a_session_is_a_str(guard: Guard, session: Any) -> None:
    with pytest.raises(UsageError, match="session"):
        guard.check("hello", session=session)
    with pytest.raises(UsageError, match="tenant"):
        guard.check("hello", tenant=session)


def test_a_policy_that_counts_needs_a_session() -> None:
    guard = loads(STATEFUL)
    with pytest.raises(UsageError, match="session="):
        guard.check("hello")
    assert guard.check("hello", session="s").action == "pass"


@pytest.mark.parametrize(
    "text",
    [
        "\ud800 secret-1234 \udfff",
        "\x00secret-1234\x00",
        "secret-1234" + "\u0301" * 10_000,
        "\u202esecret-1234",
        "🏴\U000e0067\U000e0062 secret-1234",
    ],
)
def test_odd_text_is_judged(guard: Guard, text: str) -> None:
    assert guard.check(text).action == "block"
    stream = guard.stream()
    assert "1234" not in stream.feed(text) + stream.finish()
    assert stream.verdict is not None
    assert stream.verdict.action == "block"


def test_a_huge_text_is_refused_not_cut(guard: Guard) -> None:
    with pytest.raises(UsageError, match="10,000,000 characters"):
        guard.check("a" * 10_000_000)
    with pytest.raises(UsageError, match="limit"):
        guard.check("é" * 10_000_000)
    stream = guard.stream()
    for _ in range(4):
        stream.feed("a" * 1_000_000)
    with pytest.raises(UsageError, match="limit"):
        stream.feed("a")
    with pytest.raises(UsageError, match="limit"):
        stream.finish()


def test_a_long_text_is_read_to_its_end(guard: Guard) -> None:
    assert guard.check("word " * 600_000 + "secret-1234").action == "block"


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "not json",
        "[1]",
        "null",
        '{"a": 1',
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": 1e999}',
        "[" * 100_000,
        '{"a":' * 50_000,
    ],
)
def test_tool_arguments_that_nobody_can_read_block(guard: Guard, arguments: str) -> None:
    verdict = guard.check_tool_call("mail.send", arguments)
    assert verdict.action == "block"
    assert verdict.message == "This could not be checked."


@pytest.mark.parametrize(
    "arguments",
    [
        {"a": math.nan},
        {"a": math.inf},
        {"a": object()},
        {1: "a"},
        {"a": {"b": {2: 3}}},
        {"a": {1, 2}},
    ],
)
def test_arguments_that_are_no_plain_data_block(guard: Guard, arguments: Any) -> None:
    assert guard.check_tool_call("mail.send", arguments).action == "block"


def test_deep_arguments_block(guard: Guard) -> None:
    nested: dict[str, Any] = {}
    inner = nested
    for _ in range(500):
        inner["a"] = {}
        inner = inner["a"]
    assert guard.check_tool_call("mail.send", nested).action == "block"


@pytest.mark.parametrize("arguments", [None, 3, ["a"], b"{}"])
def test_arguments_are_a_mapping_or_its_json(guard: Guard, arguments: Any) -> None:
    with pytest.raises(UsageError, match="mapping"):
        guard.check_tool_call("mail.send", arguments)
    with pytest.raises(UsageError, match="name"):
        guard.check_tool_call(arguments, {})


def test_every_string_of_a_call_is_judged(guard: Guard) -> None:
    for arguments in (
        {"a": "secret-1234"},
        {"a": {"b": ["x", {"c": "secret-1234"}]}},
        {"secret-1234": 1},
        {"a": {"secret-1234": None}},
    ):
        assert guard.check_tool_call("any", arguments).action == "block", arguments
    assert guard.check_tool_call("any", {"a": 1, "b": [True, None, "fine"]}).action == "pass"


def test_the_text_of_a_tool_call_is_read_as_one(guard: Guard) -> None:
    assert guard.check("not json", on="tool_call").action == "block"
    assert guard.check('{"a": "secret-1234"}', on="tool_call").action == "block"
    verdict = guard.check('{"a": 1}', on="tool_call", tool="t")
    assert (verdict.action, verdict.arguments) == ("pass", {"a": 1})


def test_a_tool_call_is_no_stream(guard: Guard) -> None:
    with pytest.raises(UsageError, match="judged whole"):
        guard.stream(on="tool_call")


@pytest.mark.parametrize("context", [3, "app", ["a"], b"x"])
def test_a_context_is_a_mapping(guard: Guard, context: Any) -> None:
    with pytest.raises(UsageError, match="context"):
        guard.check("hello", context=context)


def test_a_score_that_is_none_blocks(guard: Guard) -> None:
    assert guard.check("long", on="retrieved").unknown == ("score",)
    assert guard.check("long", on="retrieved").action == "block"
    assert guard.check("x", on="retrieved").action == "block"
    assert guard.check("", on="retrieved").action == "pass"


def test_a_verdict_is_not_a_yes() -> None:
    verdict = loads(STATEFUL).check("hello", session="s")
    with pytest.raises(TypeError, match="is_allowed"):
        bool(verdict)
    assert verdict.is_allowed
