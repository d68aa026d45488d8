"""LiteLLM's generic guardrail API: what its gateway sends, and what it may rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import AuditError
from guardkit.guard import Guard
from guardkit.judging import Whose, held_back
from guardkit.server._tenant import Tenant

from ._decide import LITELLM, STOPPED, Deciding, deciding

HEAD = {
    "litellm_call_id": "call-1",
    "litellm_trace_id": "trace-1",
    "litellm_version": "1.109.1",
    "request_data": {"user_api_key_hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df77"},
    "request_headers": {"authorization": "[present]", "user-agent": "OpenAI/Python 2.54"},
    "additional_provider_specific_params": {},
    "model": "gpt-4",
    "images": None,
    "tools": None,
    "tool_calls": None,
    "structured_messages": None,
}
"""What every request of the gateway has."""
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
rule slipped { tier safety on output when slip then flag }
rule often   { tier safety on conversation when slips >= 2 then block "Too often." }
"""
WHOLE = """\
guardkit 1
policy whole
  title   "Reads whole replies"
  owner   "tests@example.com"
  version "1"
defaults { hold_back all }

check key = pattern { match /KEY-\\w+/ }
rule mask { tier safety on output when key then rewrite matches as "[KEY]" }
"""
PARTIAL = """\
guardkit 1
policy partial
  title   "Holds back what may be a match"
  owner   "tests@example.com"
  version "1"
defaults { hold_back 16 chars }

check order = pattern { match /NB-\\d{4,8}/  label "order" }
check name  = pattern { match /Ann Bo/  label "a rather long label" }
rule mask { tier safety on output when order then rewrite matches as "[{label}]" }
rule hide { tier safety on output when name then rewrite matches as "<{label} in its place>" }
"""


def _ask(api: Deciding, input_type: str, **more: Any) -> Any:
    status, said, _ = api.ask(LITELLM, {**HEAD, "input_type": input_type, **more})
    assert status == 200, said
    return said


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Deciding:
    return deciding(tmp_path_factory.mktemp("litellm"))


# --- before the model


def test_nothing_against_a_request_is_said_in_one_word(api: Deciding) -> None:
    messages = [{"role": "user", "content": "hello"}]
    said = _ask(api, "request", texts=["hello"], structured_messages=messages)
    assert said == {"action": "NONE"}
    assert api.told[-1]["route"] == "litellm"
    assert (api.told[-1]["status"], api.told[-1]["action"]) == (200, "pass")


def test_a_block_says_what_the_user_may_be_told(api: Deciding) -> None:
    said = _ask(api, "request", texts=["so FORBIDDEN"])
    assert said == {"action": "BLOCKED", "blocked_reason": STOPPED}
    assert api.told[-1]["action"] == "block"


def test_texts_come_back_in_the_order_and_number_they_came_in(api: Deciding) -> None:
    messages = [
        {"role": "system", "content": "plain"},
        {"role": "user", "content": [{"type": "text", "text": "NB-1111"}, {"type": "text"}]},
        {"role": "assistant", "content": None},
        {"role": "tool", "tool_call_id": "c", "content": "NB-2222 and plain"},
    ]
    texts = ["plain", "NB-1111", "NB-2222 and plain"]
    said = _ask(api, "request", texts=texts, structured_messages=messages)
    assert said["action"] == "GUARDRAIL_INTERVENED"
    assert said["texts"] == ["plain", "[ORDER]", "[ORDER] and plain"]


def test_messages_are_judged_by_their_roles_and_texts_beside_them_as_input(api: Deciding) -> None:
    api.verdicts.clear()
    messages = [{"role": "tool", "tool_call_id": "c", "content": "from a tool"}]
    _ask(api, "request", texts=["from a tool", "NB-1234"], structured_messages=messages)
    judged = {(verdict.surface, verdict.action) for verdict, _, _ in api.verdicts}
    assert judged == {("tool_result", "pass"), ("input", "pass"), ("input", "rewrite")}
    assert len([1 for verdict, _, _ in api.verdicts if verdict.surface == "tool_result"]) == 1


def test_a_text_that_only_looks_like_a_part_of_a_message_is_judged(api: Deciding) -> None:
    messages = [{"role": "user", "content": "x", "tool_call_id": "FORBIDDEN"}]
    said = _ask(api, "request", texts=["FORBIDDEN"], structured_messages=messages)
    assert said["action"] == "BLOCKED"


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "description": "NB-1234"}}]},
        {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "NB-1234"}}]},
        {"images": ["https://x.example/NB-1234.png"]},
        {"model": "NB-1234"},
        {"some_new_field": {"deep": ["NB-1234"]}},
        {"structured_messages": [{"role": "user", "name": "NB-1234", "content": "hi"}]},
        {"structured_messages": [{"role": "user", "content": "NB-1234"}], "texts": []},
    ],
)
@pytest.mark.parametrize("what", ["NB-1234", "FORBIDDEN"])
def test_what_cannot_be_given_back_rewritten_is_blocked(
    api: Deciding, more: dict[str, Any], what: str
) -> None:
    text = json.dumps({"texts": ["hi"], **more}).replace("NB-1234", what)
    said = _ask(api, "request", **json.loads(text))
    assert said["action"] == "BLOCKED"
    if "images" not in more:
        plain = json.dumps({"texts": ["hi"], **more}).replace("NB-1234", "plain")
        assert _ask(api, "request", **json.loads(plain))["action"] == "NONE"


@pytest.mark.parametrize("phase", ["request", "response"])
def test_a_picture_cannot_be_read(api: Deciding, phase: str) -> None:
    picture = ["data:image/png;base64,AAAA"]
    assert _ask(api, phase, texts=["hi"], images=picture)["action"] == "BLOCKED"


def test_what_the_gateway_says_of_itself_is_not_the_users_text(api: Deciding) -> None:
    more = {
        "request_headers": {"user-agent": "FORBIDDEN"},
        "request_data": {"user_api_key_alias": "FORBIDDEN"},
        "additional_provider_specific_params": {"a": "FORBIDDEN"},
        "litellm_version": "FORBIDDEN",
        "litellm_call_id": "FORBIDDEN",
        "litellm_trace_id": "FORBIDDEN",
    }
    assert _ask(api, "request", texts=["hi"], **more) == {"action": "NONE"}


# --- after the model


def test_replies_are_judged_each_by_itself_on_output(api: Deciding) -> None:
    api.verdicts.clear()
    said = _ask(api, "response", texts=["a NB-1234", "", "plain"])
    assert said["texts"] == ["a [ORDER]", "", "plain"]
    assert {verdict.surface for verdict, _, _ in api.verdicts} == {"output"}
    assert len(said["stream_holdback_chars"]) == 3
    assert _ask(api, "response", texts=["x", "FORBIDDEN"])["action"] == "BLOCKED"
    # Two choices are two replies: what lies across them is no match.
    assert _ask(api, "response", texts=["FORBID", "DEN"])["action"] == "NONE"


def test_calls_in_a_reply_are_judged_as_calls(api: Deciding) -> None:
    def call(arguments: str) -> list[dict[str, Any]]:
        return [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]

    api.verdicts.clear()
    said = _ask(api, "response", texts=[], tool_calls=call('{"a": "plain"}'))
    assert said["action"] == "NONE"
    assert [verdict.surface for verdict, _, _ in api.verdicts] == ["tool_call"]
    for arguments in ('{"a": "FORBIDDEN"}', '{"a": "NB-1234"}', "no json"):
        said = _ask(api, "response", texts=[], tool_calls=call(arguments))
        assert said["action"] == "BLOCKED", arguments


# --- sessions


@pytest.fixture
def turns(tmp_path: Path) -> Deciding:
    return deciding(tmp_path, SESSIONS)


def test_pseudonyms_are_given_before_the_model_and_undone_after_it(turns: Deciding) -> None:
    said = _ask(turns, "request", texts=["card 1234 5678"])
    sent = said["texts"][0]
    assert "1234" not in sent
    said = _ask(turns, "response", texts=[f"Got {sent}"])
    assert said["texts"] == ["Got card 1234 5678"]
    # Another client of the gateway that names the same trace is somebody else.
    said = _ask(turns, "response", texts=[sent], request_data={"user_api_key_hash": "other"})
    assert said["action"] == "NONE"
    reply = {**HEAD, "input_type": "response", "texts": [sent]}
    assert turns.ask(LITELLM, reply, tenant=Tenant("rival"))[1]["action"] == "NONE"


def test_a_stream_that_is_asked_about_often_counts_once(turns: Deciding) -> None:
    for end in range(1, 12):
        said = _ask(turns, "response", texts=["slip " * end])
        assert said["action"] == "NONE", end
    said = _ask(turns, "response", texts=["a slip"], litellm_call_id="call-2")
    assert said == {"action": "BLOCKED", "blocked_reason": "Too often."}


def test_what_comes_late_in_a_stream_counts(turns: Deciding) -> None:
    for call in ("a", "b"):
        assert _ask(turns, "response", texts=["so far"], litellm_call_id=call)["action"] == "NONE"
        said = _ask(turns, "response", texts=["so far a slip"], litellm_call_id=call)
    assert said["action"] == "BLOCKED"


@pytest.mark.parametrize("trace", [None, "", "two words", "x" * 201])
def test_a_policy_that_remembers_needs_a_trace(turns: Deciding, trace: str | None) -> None:
    body = {**HEAD, "input_type": "request", "texts": ["x"], "litellm_trace_id": trace}
    status, said, _ = turns.ask(LITELLM, body)
    assert (status, said["code"]) == (400, "session_required")


# --- what must not be shown of a stream yet


@pytest.mark.parametrize("step", [1, 3, 7, 16])
def test_no_character_of_a_match_goes_out_and_nothing_is_taken_back(
    tmp_path: Path, step: int
) -> None:
    api = deciding(tmp_path, PARTIAL)
    guard = api.policies.live[""].guard
    texts = [
        "It is NB-1234 for Ann Bo, then NB-12345678 and Ann Bonn said so, well before the end.",
        "NB-1234NB-12345678" * 6,
        "Ann Bo " * 20,
        "x" * 70 + " NB-1234 " + "y" * 70,
    ]
    whose = Whose("", None, {})
    for text in texts:
        shown = ""
        last = guard.check(text, on="output").text
        for end in [*range(step, len(text), step), len(text)]:
            said = guard.check(text[:end], on="output").text
            held = 0 if end == len(text) else held_back(guard, whose, text[:end], said)
            assert said.startswith(shown), (text[:end], shown)
            shown = said[: max(len(shown), len(said) - held)]
            assert last.startswith(shown), (text[:end], shown)
        assert shown == last


def test_where_only_the_whole_reply_settles_it_all_is_held(tmp_path: Path) -> None:
    api = deciding(tmp_path, WHOLE)
    said = _ask(api, "response", texts=["plain " * 100, "KEY-1"])
    assert said["texts"][1] == "[KEY]"
    assert said["stream_holdback_chars"] == [600, 5]


def test_what_is_read_decoded_is_held_whole(tmp_path: Path) -> None:
    api = deciding(tmp_path, PARTIAL)
    guard = api.policies.live[""].guard
    whose = Whose("", None, {})
    plain = "plain words " * 40
    assert held_back(guard, whose, plain, plain) < 100
    coded = plain + "aGVsbG8gd29ybGQsIHRoaXMgaXMgTkItMTIzNDU2Nzg="
    assert held_back(guard, whose, coded, coded) == len(coded)


# --- what makes no sense, and what fails

BAD: list[tuple[dict[str, Any], str]] = [
    ({"input_type": None}, "wrong_type"),
    ({"input_type": "both"}, "wrong_type"),
    ({"texts": "one"}, "wrong_type"),
    ({"texts": [1]}, "wrong_type"),
    ({"structured_messages": ["x"]}, "wrong_type"),
    ({"tools": {}}, "wrong_type"),
    ({"request_data": []}, "wrong_type"),
    ({"litellm_trace_id": 5}, "wrong_type"),
    ({"model": ["m"]}, "wrong_type"),
]


@pytest.mark.parametrize(("more", "code"), BAD)
def test_what_makes_no_sense_is_refused(api: Deciding, more: dict[str, Any], code: str) -> None:
    status, said, _ = api.ask(LITELLM, {**HEAD, "input_type": "request", "texts": ["x"], **more})
    assert (status, said["code"]) == (400, code)


def test_fields_that_nobody_knows_are_refused_where_that_was_chosen(tmp_path: Path) -> None:
    api = deciding(tmp_path, strict=True)
    assert _ask(api, "request", texts=["x"])["action"] == "NONE"
    body = {**HEAD, "input_type": "request", "new": None}
    assert api.ask(LITELLM, body)[1]["code"] == "unknown_field"


@pytest.mark.parametrize("phase", ["request", "response"])
def test_what_cannot_be_judged_is_blocked_for_an_error_might_be_let_through(
    api: Deciding, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    async def fails(self: Guard, text: str, **keys: Any) -> Any:
        raise AuditError("the disk is full")

    monkeypatch.setattr(Guard, "acheck", fails)
    said = _ask(api, phase, texts=["x"])
    assert said == {"action": "BLOCKED", "blocked_reason": "the request could not be judged"}
    assert api.told[-1]["action"] == "block"
    calls = [{"function": {"name": "f", "arguments": 5}}]
    assert _ask(api, phase, tool_calls=calls, model=None)["action"] == "BLOCKED"
