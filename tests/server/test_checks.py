"""The decision API: every kind of question, what is answered and what is told of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import AuditError
from guardkit.guard import Guard
from guardkit.server._question import MOST_ITEMS
from guardkit.server._tenant import Tenant
from guardkit.types import ACTIONS

from ._decide import BATCH, CHECK, STOPPED, Deciding, deciding

SESSIONS = """\
guardkit 1
policy turns
  title   "Counts over a session, gives pseudonyms"
  owner   "tests@example.com"
  version "1"

check card = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check slip = pattern { match /slip/ }
window slips { count slipped last 10 turns per session }

rule hide    { tier safety on input, tool_result when card then rewrite matches as pseudonym }
rule slipped { tier safety on input when slip then flag }
rule often   { tier safety on conversation when slips >= 2 then block "Too often." }
"""
ACTING = """\
guardkit 1
policy acting
  title   "Holds and revises"
  owner   "tests@example.com"
  version "1"

check wait  = pattern { match /WAIT/ }
check blunt = pattern { match /BLUNT/ }
principle kind { tier safety text "Be kind." }
rule held    { tier safety on input when wait then hold for "ops" within 5m else block "Late." }
rule revised { tier safety on output when blunt then revise by kind at most 2 else block "Blunt." }
"""
FACTS = """\
guardkit 1
policy facts
  title   "Asks who is there"
  owner   "tests@example.com"
  version "1"

check any = pattern { match /./ }
rule only { tier safety on input when any and context.tenant == "rival" then block "Not you." }
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Deciding:
    return deciding(tmp_path_factory.mktemp("checks"))


@pytest.fixture
def told(api: Deciding) -> list[dict[str, Any]]:
    api.told.clear()
    api.numbers.clear()
    api.verdicts.clear()
    return api.told


# --- one text


def test_a_text_is_judged_and_its_matches_are_told_without_what_they_say(api: Deciding) -> None:
    status, said, headers = api.ask(CHECK, {"text": "my NB-1234, odd word"})
    assert (status, said["action"], said["text"]) == (200, "rewrite", "my [ORDER], odd word")
    assert said["decision"] == "decision-1"
    assert said["fired"] == ["mask", "noted"]
    found = {(each["rule"], each["start"], each["end"]) for each in said["findings"]}
    assert found == {("mask", 3, 10), ("noted", 12, 20)}
    assert headers == {"x-guardkit-action": "rewrite", "x-guardkit-policy": said["policy"]}
    assert "1234" not in json.dumps(said)


def test_a_block_is_an_answer(api: Deciding, told: list[dict[str, Any]]) -> None:
    said = api.check(text="so FORBIDDEN", on="output")
    assert (said["action"], said["text"], said["message"]) == ("block", STOPPED, STOPPED)
    assert "FORBIDDEN" not in json.dumps({k: v for k, v in said.items() if k != "findings"})
    [fact] = told
    assert (fact["status"], fact["action"], fact["rules"]) == (200, "block", ("stop",))
    assert (fact["route"], fact["surface"], fact["policy"]) == ("check", "output", said["policy"])
    assert [each["by"] for each in fact["ledger"]][-1] == "policy"


@pytest.mark.parametrize("surface", ["input", "retrieved", "tool_result", "output"])
def test_a_text_is_judged_on_the_surface_that_is_named(api: Deciding, surface: str) -> None:
    assert api.check(text="x", on=surface)["surface"] == surface


def test_verdicts_are_recorded_under_the_decision_of_the_request(
    api: Deciding, told: list[dict[str, Any]]
) -> None:
    api.check(text="x")
    api.check(tool="t", arguments={"a": "b"})
    api.check(messages=[{"role": "user", "content": "x"}])
    api.ask(BATCH, {"items": [{"text": "a"}, {"text": "b"}]})
    assert api.numbers == ["decision-1"] * 5
    assert {fact["decision"] for fact in told} == {"decision-1"}


def test_offsets_come_in_every_unit_that_is_asked_for(api: Deciding) -> None:
    text = "é😀 NB-1234 漢 NB-5678😀"
    said = api.check(text=text, offsets=["utf8", "utf16"])
    assert len(said["findings"]) == 2
    for found in said["findings"]:
        match = text[found["start"] : found["end"]]
        assert match.startswith("NB-")
        start, end = found["utf8"]
        assert text.encode()[start:end].decode() == match
        start, end = found["utf16"]
        assert text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le") == match
    assert "utf8" not in api.check(text=text)["findings"][0]


def test_the_decision_tree_says_why_and_quotes_nothing(api: Deciding) -> None:
    said = api.check(text="my NB-1234", explain=True)
    trees = {tree["title"]: tree["answer"] for tree in said["explanation"]["rules"]}
    assert trees == {"rule mask": "yes", "rule noted": "no", "rule stop": "no"}
    assert "1234" not in json.dumps(said)
    tool = api.check(tool="t", arguments={"a": "FORBIDDEN"}, explain=True)
    assert tool["explanation"]["answers"]["forbidden"] is True


# --- tool calls


@pytest.mark.parametrize("arguments", [{"q": "NB-1234"}, '{"q": "NB-1234"}'])
def test_a_tool_call_is_judged_with_its_arguments(api: Deciding, arguments: object) -> None:
    said = api.check(tool="look_up", arguments=arguments)
    assert (said["surface"], said["tool"], said["action"]) == ("tool_call", "look_up", "rewrite")
    assert said["arguments"] == {"q": "[ORDER]"}
    assert said["findings"][0]["pointer"] == "/q"


@pytest.mark.parametrize("arguments", ["no json", '{"a": 1, "a": 2}', "[1]"])
def test_arguments_that_nobody_can_read_are_blocked(api: Deciding, arguments: str) -> None:
    assert api.check(tool="look_up", arguments=arguments)["action"] == "block"


def test_what_a_tool_gave_back_is_judged_as_that(api: Deciding) -> None:
    said = api.check(text="x", on="tool_result", tool="look_up")
    assert (said["surface"], said["tool"]) == ("tool_result", "look_up")


# --- messages

CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Speak of parcels."},
    {"role": "user", "content": [{"type": "text", "text": "for"}, {"type": "text", "text": "me"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "It is NB-1234."},
]


def test_messages_are_judged_as_in_the_proxy_each_by_its_role(api: Deciding) -> None:
    said = api.check(messages=CONVERSATION)
    assert (said["action"], said["message"]) == ("rewrite", None)
    assert said["messages"][:3] == CONVERSATION[:3]
    assert said["messages"][3] == {**CONVERSATION[3], "content": "It is [ORDER]."}
    assert {each["index"] for each in said["verdicts"]} == {0, 1, 2, 3}
    [last] = [each for each in said["verdicts"] if each["index"] == 3]
    assert (last["surface"], last["tool"], last["action"]) == ("tool_result", "look_up", "rewrite")
    assert all(each["surface"] == "input" for each in said["verdicts"] if each["index"] < 3)


def test_a_match_across_the_parts_of_a_message_is_stopped_at_that_message(api: Deciding) -> None:
    split = [{"type": "text", "text": "FORBID"}, {"type": "text", "text": "DEN"}]
    messages = [*CONVERSATION, {"role": "user", "content": split}, {"role": "user", "content": "x"}]
    said = api.check(messages=messages)
    assert (said["action"], said["messages"], said["message"]) == ("block", None, STOPPED)
    assert said["verdicts"][-1]["index"] == 4
    assert "FORBID" not in json.dumps(
        [{**each, "findings": [], "ledger": []} for each in said["verdicts"]]
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_part_that_cannot_be_read_is_unknown_at_its_own_message(
    api: Deciding, place: int
) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "x"} for _ in range(3)]
    messages[place] = {"role": "user", "content": [picture]}
    said = api.check(messages=messages)
    assert said["action"] == "block"
    assert said["verdicts"][-1]["index"] == place
    assert said["verdicts"][-1]["ledger"][0]["outcome"] == "unread"


def test_anthropic_messages_are_read_too(api: Deciding) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "fetch", "input": {"u": "x"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "NB-1234"}
    messages = [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result, {"type": "document", "source": {"data": "plain"}}]},
    ]
    said = api.check(messages=messages)
    surfaces = {(each["surface"], each.get("tool")) for each in said["verdicts"]}
    assert {("tool_result", "fetch"), ("retrieved", None), ("input", None)} <= surfaces
    assert said["messages"][1]["content"][0]["content"] == "[ORDER]"


def test_messages_on_output_are_what_the_model_said(api: Deciding) -> None:
    call = {"name": "look_up", "arguments": '{"q":"NB-1234"}'}
    messages = [
        {"role": "assistant", "content": "It is NB-1234."},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": call}]},
    ]
    said = api.check(messages=messages, on="output")
    assert said["messages"][0]["content"] == "It is [ORDER]."
    rewritten = said["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(rewritten) == {"q": "[ORDER]"}
    surfaces = [(each["index"], each["surface"]) for each in said["verdicts"]]
    assert surfaces == [(0, "output"), (1, "tool_call")]
    stopped = api.check(messages=[{"role": "assistant", "content": "FORBIDDEN"}], on="output")
    assert (stopped["action"], stopped["messages"]) == ("block", None)


def test_every_string_of_a_message_is_judged(api: Deciding) -> None:
    def holes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if isinstance(value, str):
            yield path
        pairs = value.items() if isinstance(value, dict) else ()
        for key, inner in [*pairs, *(enumerate(value) if isinstance(value, list) else ())]:
            yield from holes(inner, (*path, key))

    message = {
        "role": "user",
        "name": "x",
        "content": [
            {"type": "text", "text": "x"},
            {"type": "mystery", "deep": [{"er": "x"}], "x": "x"},
        ],
        "tool_calls": [{"id": "x", "function": {"name": "x", "arguments": '{"x": "x"}'}}],
    }
    for path in holes(message):
        copy: Any = json.loads(json.dumps(message))
        inner = copy
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = "so FORBIDDEN it is"
        assert api.check(messages=[copy])["action"] == "block", path


# --- sessions, tenants, context


@pytest.fixture
def turns(tmp_path: Path) -> Deciding:
    return deciding(tmp_path, SESSIONS)


def test_a_policy_that_remembers_needs_a_session(turns: Deciding) -> None:
    status, said, _ = turns.ask(CHECK, {"text": "x"})
    assert (status, said["code"]) == (400, "session_required")
    [fact] = turns.told
    assert (fact["status"], fact["action"]) == (400, "none")


def test_a_history_counts_once_however_often_it_is_sent(turns: Deciding) -> None:
    history: list[dict[str, Any]] = [{"role": "user", "content": "a slip"}]
    assert turns.check(messages=history, session="s")["action"] == "flag"
    for turn in range(3):
        history += [
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": f"well {turn}"},
        ]
        said = turns.check(messages=history, session="s")
        assert said["action"] == "pass", said
        assert {each["index"] for each in said["verdicts"]} == {2 * turn + 1, 2 * turn + 2}
    history += [{"role": "assistant", "content": "ok"}, {"role": "user", "content": "a slip"}]
    assert turns.check(messages=history, session="s")["action"] == "block"
    assert turns.check(messages=history[:1], session="other")["action"] == "flag"


def test_pseudonyms_of_a_session_are_undone_in_what_the_model_said(turns: Deciding) -> None:
    asked = turns.check(messages=[{"role": "user", "content": "card 1234 5678"}], session="s")
    sent = asked["messages"][0]["content"]
    assert "1234" not in sent
    reply = [{"role": "assistant", "content": f"Got {sent}"}]
    given = turns.check(messages=reply, on="output", session="s")["messages"]
    assert given[0]["content"] == "Got card 1234 5678"
    other = turns.check(messages=reply, on="output", session="t")["messages"]
    assert other == reply


def test_tenants_share_no_session(turns: Deciding) -> None:
    for name in ("acme", "rival"):
        _, said, _ = turns.ask(CHECK, {"text": "a slip", "session": "s"}, tenant=Tenant(name))
        assert said["action"] == "flag"
    _, said, _ = turns.ask(CHECK, {"text": "a slip", "session": "s"}, tenant=Tenant("acme"))
    assert said["action"] == "block"
    assert {tenant for _, _, tenant in turns.verdicts} == {"acme", "rival"}


def test_the_tenant_is_that_of_the_key_whatever_the_context_says(tmp_path: Path) -> None:
    api = deciding(tmp_path, FACTS)
    body = {"text": "x", "context": {"tenant": "rival"}}
    assert api.ask(CHECK, body, tenant=Tenant("acme"))[1]["action"] == "pass"
    assert api.ask(CHECK, {"text": "x"}, tenant=Tenant("rival"))[1]["action"] == "block"


def test_a_hold_names_what_to_wait_for_and_a_revision_its_principle(tmp_path: Path) -> None:
    api = deciding(tmp_path, ACTING)
    held = api.check(text="WAIT")
    assert held["action"] == "hold"
    assert held["hold"]
    assert api.check(messages=[{"role": "user", "content": "WAIT"}])["action"] == "hold"
    revised = api.check(text="BLUNT", on="output")
    assert (revised["action"], revised["principle"], revised["rounds"]) == ("revise", "kind", 2)
    assert revised["otherwise"] == {"action": "block"}
    said = api.check(messages=[{"role": "assistant", "content": "BLUNT"}], on="output")
    assert (said["action"], said["messages"]) == ("revise", None)


# --- batches


def test_a_batch_answers_in_order_and_one_bad_item_spoils_no_other(
    api: Deciding, told: list[dict[str, Any]]
) -> None:
    items: list[Any] = [{"text": f"NB-{i:04}"} for i in range(40)]
    items[3], items[7], items[9] = {"txt": "x"}, 5, {"text": "x", "extra": 1}
    status, said, headers = api.ask(BATCH, {"items": items})
    assert status == 200
    for place, each in enumerate(said["items"]):
        if place in (3, 7, 9):
            assert set(each) == {"error"}
            assert each["error"]["type"] == "invalid_request_error"
        else:
            assert (each["action"], each["text"]) == ("rewrite", "[ORDER]")
    assert said["action"] == headers["x-guardkit-action"] == "block"  # not all of it was judged
    [fact] = told
    assert (fact["status"], fact["rules"]) == (200, ("mask",))
    assert len(fact["ledger"]) <= 50


def test_the_items_of_one_session_are_judged_in_their_order(turns: Deciding) -> None:
    items = [{"text": "a slip", "session": f"s{i % 5}"} for i in range(15)]
    for _ in range(5):
        _, said, _ = turns.ask(BATCH, {"items": items})
        assert [each["action"] for each in said["items"]] == ["flag"] * 5 + ["block"] * 10
        for i in range(5):
            turns.policies.live[""].guard.forget(f"s{i}")


def test_a_batch_is_bounded(api: Deciding) -> None:
    for items in ([], [{"text": "x"}] * (MOST_ITEMS + 1), {"text": "x"}, None):
        assert api.ask(BATCH, {"items": items})[0] == 400
    assert api.ask(BATCH, {"items": [{"text": "x"}], "more": 1})[1]["code"] == "unknown_field"
    assert api.ask(BATCH, {"items": [{"text": "x"}] * MOST_ITEMS})[0] == 200


# --- what makes no sense, and what fails

BAD: list[tuple[Any, str]] = [
    ({}, "not_one_thing"),
    ({"text": "a", "messages": []}, "not_one_thing"),
    ({"text": None}, "wrong_type"),
    ({"text": ["a"]}, "wrong_type"),
    ({"text": "a", "tenant": "rival"}, "unknown_field"),
    ({"text": "a", "on": "conversation"}, "no_such_surface"),
    ({"text": "a", "on": "tool_call"}, "no_such_surface"),
    ({"text": "a", "tool": "t"}, "not_together"),
    ({"text": "a", "session": "two words"}, "bad_session"),
    ({"text": "a", "session": "s" * 201}, "bad_session"),
    ({"text": "a", "context": []}, "wrong_type"),
    ({"text": "a", "sources": {"retrieved": "one"}}, "wrong_type"),
    ({"text": "a", "sources": {"nowhere": []}}, "wrong_type"),
    ({"text": "a", "explain": 1}, "wrong_type"),
    ({"text": "a", "offsets": ["bytes"]}, "wrong_type"),
    ({"text": "a", "offsets": [[]]}, "wrong_type"),
    ({"messages": []}, "wrong_type"),
    ({"messages": ["a"]}, "wrong_type"),
    ({"messages": [{}], "on": "retrieved"}, "no_such_surface"),
    ({"messages": [{}], "explain": True}, "unknown_field"),
    ({"arguments": {}}, "missing_field"),
    ({"tool": "t", "arguments": [1]}, "wrong_type"),
    ({"tool": "t"}, "not_one_thing"),
    ({"tool": "t", "arguments": {}, "on": "input"}, "no_such_surface"),
    ({"messages": [{"function": {"name": "f", "arguments": 5}}]}, "unreadable_request"),
    (b'{"text": "a", "t\\u0065xt": "FORBIDDEN"}', "duplicate_key"),
    (b'{"text": NaN}', "invalid_json"),
    (b"[]", "not_an_object"),
]


@pytest.mark.parametrize(("body", "code"), BAD)
def test_what_makes_no_sense_is_refused_and_told(
    api: Deciding, told: list[dict[str, Any]], body: Any, code: str
) -> None:
    status, said, _ = api.ask(CHECK, body)
    assert (status, said["code"]) == (400, code)
    assert [(fact["status"], fact["action"]) for fact in told] == [(400, "none")]
    assert "FORBIDDEN" not in json.dumps(said)


def test_a_body_has_to_be_plain_json(api: Deciding) -> None:
    body = b'{"text": "a"}'
    for headers in ({}, {"content-type": "text/plain"}):
        assert api.ask(CHECK, body, headers=headers)[0] == 415
    gzipped = {"content-type": "application/json", "content-encoding": "gzip"}
    assert api.ask(CHECK, body, headers=gzipped)[0] == 415


def test_a_text_over_the_limit_is_refused(api: Deciding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardkit.server._question.MAX_CHARS", 10)
    assert api.ask(CHECK, {"text": "x" * 11})[:1] == (413,)
    assert api.ask(CHECK, {"text": "x" * 10})[0] == 200


def test_what_cannot_be_judged_is_no_answer_but_in_a_batch_its_own_error(
    api: Deciding, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Guard.acheck

    async def fails(self: Guard, text: str, **keys: Any) -> Any:
        if text == "fail":
            raise AuditError("the disk is full")
        return await whole(self, text, **keys)

    monkeypatch.setattr(Guard, "acheck", fails)
    with pytest.raises(AuditError):
        api.ask(CHECK, {"text": "fail"})
    assert [(fact["status"], fact["action"]) for fact in told] == [(503, "none")]
    _, said, headers = api.ask(BATCH, {"items": [{"text": "fail"}, {"text": "x"}]})
    assert said["items"][0]["error"]["code"] == "not_available"
    assert said["items"][1]["action"] == "pass"
    assert headers["x-guardkit-action"] == "block"


def test_a_request_that_is_given_up_is_told_of_too(
    api: Deciding, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(self: Guard, text: str, **keys: Any) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(Guard, "acheck", hangs)

    async def give_up() -> None:
        for path, body in ((CHECK, {"text": "x"}), (BATCH, {"items": [{"text": "x"}]})):
            task = asyncio.create_task(api.aask(path, body))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(give_up())
    assert [fact["status"] for fact in told] == [499, 499]


def test_actions_are_those_of_the_language(api: Deciding) -> None:
    for text in ("x", "odd word", "NB-1234", "FORBIDDEN"):
        assert api.check(text=text)["action"] in ACTIONS
