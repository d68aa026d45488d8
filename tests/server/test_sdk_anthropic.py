"""The real `anthropic` client, against a real `guardkit serve`, in front of a scripted upstream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from ._parcels import ASKED, BAD, LEAK, TEXT
from ._served import MESSAGE, POLICY, SESSIONS, served
from ._upstream_double import Choices, Cut, Error, Gzipped, Raw, Say, Upstream, upstream

CALLS = (("find_order", '{"id":"A-1","lines":[1,2]}'), ("send", '{"to":"me@example.com"}'))
FULL = Say(TEXT, CALLS, reasoning="They ask for a parcel.", chunk=3)
SENT: Any = {"model": "m", "max_tokens": 99}
USED = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}


@pytest.fixture
def client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="sk-client", max_retries=0) as made:
        yield made


@pytest.fixture
def direct(up: Upstream) -> Iterator[anthropic.Anthropic]:
    """The same client without anything between it and upstream."""
    with anthropic.Anthropic(base_url=up.url, api_key="sk-client", max_retries=0) as made:
        yield made


def _watched(client: anthropic.Anthropic, events: list[Any]) -> None:
    """Ask for a stream and keep each of its events, however it ends."""
    with client.messages.create(**SENT, messages=ASKED, stream=True) as stream:
        for event in stream:
            events.append(event)  # noqa: PERF402 - one by one, to keep what came before an error


def _texts(message: Any) -> list[str]:
    return [block.text for block in message.content if block.type == "text"]


# --- what is clean goes through


def test_a_clean_reply_is_what_upstream_said(
    up: Upstream, client: anthropic.Anthropic, direct: anthropic.Anthropic
) -> None:
    up.say(FULL)
    tools = [{"name": "find_order", "input_schema": {"type": "object"}}]
    sent: Any = {**SENT, "messages": ASKED, "system": "Be brief.", "tools": tools}
    raw = client.messages.with_raw_response.create(**sent)
    assert raw.parse().to_dict() == direct.messages.create(**sent).to_dict()
    ours, theirs = up.asked
    assert ours.body == theirs.body == sent
    for name in ("authorization", "anthropic-version"):
        assert ours.headers[name] == theirs.headers[name]
    assert raw.headers["x-guardkit-action"] == "pass"
    assert raw.headers["x-guardkit-decision"]
    assert raw.headers["x-guardkit-policy"].startswith("sha256:")


def test_a_clean_stream_comes_to_what_upstream_said(
    up: Upstream, client: anthropic.Anthropic
) -> None:
    """The client's own accumulator takes it."""
    up.say(FULL)
    with client.messages.stream(**SENT, messages=ASKED) as stream:
        got = stream.get_final_message()
    blocks: list[Any] = list(got.content)
    assert (blocks[0].thinking, blocks[0].signature) == (FULL.reasoning, "c2lnbmVk")
    assert _texts(got) == [TEXT]
    calls = [(block.name, block.input) for block in blocks if block.type == "tool_use"]
    assert calls == [(name, json.loads(given)) for name, given in CALLS]
    assert got.stop_reason == "tool_use"
    assert got.usage.output_tokens > 0


def _blocks(events: list[Any], *, all_end: bool = True) -> dict[int, str]:
    """What each block of a stream came to: its text, its thoughts or its arguments."""
    said: dict[int, str] = {}
    stopped: set[int] = set()
    for event in events:
        if event.type == "content_block_start":
            assert event.index not in said, "a block began twice"
            said[event.index] = ""
        elif event.type == "content_block_delta":
            assert event.index not in stopped, "a block went on after its end"
            one = event.delta
            if one.type != "signature_delta":
                said[event.index] += (
                    getattr(one, "text", "")
                    or getattr(one, "thinking", "")
                    or getattr(one, "partial_json", "")
                )
        elif event.type == "content_block_stop":
            stopped.add(event.index)
    if all_end:
        assert stopped == said.keys(), "a block did not end"
    return said


@pytest.mark.parametrize("seed", range(5))
def test_blocks_that_are_written_at_the_same_time_never_mix(
    up: Upstream, client: anthropic.Anthropic, seed: int
) -> None:
    """The dialect writes one after the other; nobody has to rely on that."""
    up.say(Choices([FULL, Say("More.", chunk=1), Say("", [("third", '{"a":3}')])], seed))
    _watched(client, events := [])
    said = _blocks(events)
    assert [said[at] for at in (0, 1, 4)] == [FULL.reasoning, TEXT, "More."]
    assert [json.loads(said[at]) for at in (2, 3, 5)] == [
        *(json.loads(given) for _, given in CALLS),
        {"a": 3},
    ]


async def _async(url: str) -> list[str]:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:

        async def ask(at: int) -> list[str]:
            messages: Any = BAD if at % 4 == 0 else [{"role": "user", "content": f"number {at}"}]
            whole = await client.messages.create(**SENT, messages=messages)
            async with client.messages.stream(**SENT, messages=messages) as stream:
                pieces = [text async for text in stream.text_stream]
            return [*_texts(whole), "".join(pieces)]

        return [text for both in await asyncio.gather(*map(ask, range(12))) for text in both]


def test_many_at_once_never_mix(up: Upstream, url: str) -> None:
    up.say(lambda asked: Say(f"to {asked.body['messages'][-1]['content']}", delay=0.001))
    got = asyncio.run(_async(url))
    for at in range(12):
        wanted = MESSAGE if at % 4 == 0 else f"to number {at}"
        assert got[2 * at : 2 * at + 2] == [wanted, wanted]
    assert len(up.asked) == 18


# --- what is not allowed in


def test_a_blocked_request_is_answered_and_never_sent(
    up: Upstream, client: anthropic.Anthropic
) -> None:
    up.say(FULL)
    raw = client.messages.with_raw_response.create(**SENT, messages=BAD)
    assert raw.headers["x-guardkit-action"] == "block"
    with client.messages.stream(**SENT, messages=BAD) as stream:
        streamed = stream.get_final_message()
    for got in (raw.parse(), streamed):
        assert _texts(got) == [MESSAGE]
        assert got.stop_reason == "refusal"
        assert (got.type, got.role, got.model) == ("message", "assistant", "m")
    assert up.asked == []


@pytest.mark.parametrize(
    "sent",
    [
        {"messages": ASKED, "system": "FORBIDDEN"},
        {"messages": ASKED, "system": [{"type": "text", "text": "FORBIDDEN"}]},
        {
            "messages": ASKED,
            "tools": [{"name": "f", "description": "FORBIDDEN", "input_schema": {}}],
        },
        {"messages": [*ASKED, {"role": "assistant", "content": "FORBIDDEN"}, *ASKED]},
        {
            "messages": [
                *ASKED,
                {"role": "assistant", "content": [{**USED, "input": {"a": ["FORBIDDEN"]}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]},
            ]
        },
        {
            "messages": [
                *ASKED,
                {"role": "assistant", "content": [USED]},
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "t1",
                            "content": [{"type": "text", "text": "FORBIDDEN"}],
                        }
                    ],
                },
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {
                                "type": "text",
                                "media_type": "text/plain",
                                "data": "FORBIDDEN",
                            },
                        },
                        {"type": "text", "text": "Sum it up."},
                    ],
                }
            ]
        },
    ],
    ids=["system", "system part", "tool", "assistant", "earlier call", "tool result", "document"],
)
def test_everything_is_judged(up: Upstream, client: anthropic.Anthropic, sent: Any) -> None:
    up.say(FULL)
    assert client.messages.create(**SENT, **sent).stop_reason == "refusal"
    assert up.asked == []


def test_what_is_rewritten_on_the_way_in(up: Upstream, client: anthropic.Anthropic) -> None:
    up.say(Say("ok"))
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "Where is NB-1234?"}]}]
    raw = client.messages.with_raw_response.create(**SENT, messages=messages, system="No NB-1.")
    assert raw.headers["x-guardkit-action"] == "rewrite"
    (asked,) = up.asked
    assert asked.body["messages"][0]["content"][0]["text"] == "Where is [ORDER]?"
    assert asked.body["system"] == "No NB-1."


# --- what is not allowed out


@pytest.mark.parametrize("where", ["text", "reasoning"])
def test_a_blocked_reply(up: Upstream, client: anthropic.Anthropic, where: str) -> None:
    fields: dict[str, Any] = {"text": "fine", "calls": CALLS, where: LEAK}
    up.say(Say(**fields))
    raw = client.messages.with_raw_response.create(**SENT, messages=ASKED)
    got = raw.parse()
    assert [block.type for block in got.content if block.type != "thinking"] == ["text"]
    assert _texts(got) == [MESSAGE]
    assert got.stop_reason == "refusal"
    assert "FOR" not in raw.http_response.text
    assert raw.headers["x-guardkit-action"] == "block"


@pytest.mark.parametrize("chunk", [1, 4, 1000])
@pytest.mark.parametrize("where", ["text", "reasoning"])
def test_a_stream_that_is_blocked_midway(
    up: Upstream, client: anthropic.Anthropic, chunk: int, where: str
) -> None:
    fields: dict[str, Any] = {"text": "fine", "calls": CALLS, where: LEAK}
    up.say(Say(**fields, chunk=chunk))
    with client.messages.stream(**SENT, messages=ASKED) as stream:
        events: list[Any] = list(stream)
        got = stream.get_final_message()
    assert all("FOR" not in event.to_json() for event in events)
    assert "".join(_texts(got)).endswith(MESSAGE)
    assert not any(block.type == "tool_use" for block in got.content)
    assert got.stop_reason == "refusal"
    assert events[-1].type == "message_stop"


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_block_among_others(up: Upstream, client: anthropic.Anthropic, seed: int) -> None:
    up.say(Choices([Say("The first is long and good."), Say(LEAK), Say("third", CALLS)], seed))
    _watched(client, events := [])
    assert all("FOR" not in event.to_json() for event in events)
    assert any(MESSAGE in text for text in _blocks(events, all_end=False).values())
    (last,) = [event.delta for event in events if event.type == "message_delta"]
    assert last.stop_reason == "refusal"
    assert events[-1].type == "message_stop"


@pytest.mark.parametrize("chunk", [1, 1000])
def test_a_reply_is_rewritten(up: Upstream, client: anthropic.Anthropic, chunk: int) -> None:
    given = '{"order":"NB-1234","note":"aaaaaaaaaaaaaaaaaaaa"}'
    up.say(Say("It is NB-1234.", [("look_up", given)], chunk=chunk))
    whole = client.messages.create(**SENT, messages=ASKED)
    with client.messages.stream(**SENT, messages=ASKED) as stream:
        events: list[Any] = list(stream)
        final = stream.get_final_message()
    for got in (whole, final):
        assert _texts(got) == ["It is [ORDER]."]
        assert got.content[1].input == {"order": "[ORDER]", "note": "a" * 20}  # type: ignore[union-attr]
        assert got.stop_reason == "tool_use"
    assert all("1234" not in event.to_json() for event in events)


@pytest.mark.parametrize("streams", [False, True])
def test_a_denied_call_never_comes(
    up: Upstream, client: anthropic.Anthropic, streams: bool
) -> None:
    up.say(Say("", [CALLS[0], ("run", '{"command":"FORBIDDEN"}')], chunk=2))
    if streams:
        with client.messages.stream(**SENT, messages=ASKED) as stream:
            events: list[Any] = list(stream)
            got = stream.get_final_message()
        assert all('"run"' not in event.to_json() for event in events)
    else:
        got = client.messages.create(**SENT, messages=ASKED)
    assert MESSAGE in "".join(_texts(got))
    assert got.stop_reason == "refusal"
    assert not any(block.type == "tool_use" and block.name == "run" for block in got.content)


# --- what goes wrong


@pytest.mark.parametrize(
    "wrong",
    [{"messages": "text"}, {"messages": []}, {"messages": [{"role": "user", "content": 7}]}],
    ids=lambda wrong: str(wrong)[:30],
)
def test_malformed_requests_are_refused(
    up: Upstream, client: anthropic.Anthropic, wrong: Any
) -> None:
    up.say(FULL)
    with pytest.raises(anthropic.BadRequestError) as error:
        client.messages.create(**SENT, **wrong)
    assert error.value.type == "invalid_request_error"
    assert error.value.body["type"] == "error"  # type: ignore[index]
    assert up.asked == []


def test_other_endpoints_are_not_there(up: Upstream, client: anthropic.Anthropic) -> None:
    up.say(FULL)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="m", messages=ASKED)
    with pytest.raises(anthropic.NotFoundError):
        client.models.list()
    assert up.asked == []


def test_errors_of_upstream_are_typed(up: Upstream, client: anthropic.Anthropic) -> None:
    up.say(Error(429, headers=(("retry-after", "7"),)))
    with pytest.raises(anthropic.RateLimitError) as limited:
        client.messages.create(**SENT, messages=ASKED)
    assert limited.value.response.headers["retry-after"] == "7"
    up.say(Error(529))
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        client.messages.create(**SENT, messages=ASKED)
    assert (overloaded.value.status_code, overloaded.value.type) == (529, "overloaded_error")
    up.say(Error(400, message="no such thing as FORBIDDEN"))
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(**SENT, messages=ASKED)
    assert "FORBIDDEN" not in str(bad.value)
    for script in (Raw(b"<html>FORBIDDEN", "text/html"), Raw(b'{"id":'), Raw(b"[]")):
        up.say(script)
        with pytest.raises(anthropic.InternalServerError) as broken:
            client.messages.create(**SENT, messages=ASKED)
        assert "FORBIDDEN" not in str(broken.value)


@pytest.mark.parametrize("how", ["reset", "close", "clean", "error"])
@pytest.mark.parametrize("after", [0, 1, 6])
def test_a_stream_that_breaks_off_does_not_look_whole(
    up: Upstream, client: anthropic.Anthropic, how: Any, after: int
) -> None:
    up.say(Cut(after, Say(TEXT * 10), how=how))
    with pytest.raises(anthropic.APIError):
        _watched(client, events := [])
    assert not any(event.type == "message_stop" for event in events)


def test_what_comes_compressed_is_read(up: Upstream, client: anthropic.Anthropic) -> None:
    up.say(Gzipped(Say(LEAK)))
    assert _texts(client.messages.create(**SENT, messages=ASKED)) == [MESSAGE]
    with client.messages.stream(**SENT, messages=ASKED) as stream:
        got = stream.get_final_message()
    assert "".join(_texts(got)).endswith(MESSAGE)
    assert "FOR" not in got.to_json()


# --- blocks as errors, another upstream, sessions


def test_blocks_as_typed_errors(up: Upstream) -> None:
    with (
        upstream() as other,
        served(
            POLICY, "--on-block", "error", "--upstream-anthropic", up.url, upstream=other.url
        ) as server,
        anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0) as client,
    ):
        up.say(Say(LEAK))
        for streams in (False, True):
            with pytest.raises(anthropic.BadRequestError) as error:
                client.messages.create(**SENT, messages=BAD, stream=streams)
            assert error.value.body["error"] == {  # type: ignore[index]
                "type": "guardkit_blocked",
                "message": MESSAGE,
            }
            assert error.value.response.headers["x-guardkit-action"] == "block"
        assert up.asked == []
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**SENT, messages=ASKED)
        with pytest.raises(anthropic.APIStatusError) as midway:
            _watched(client, events := [])
        shown = "".join(event.delta.text for event in events if event.type == "content_block_delta")
        assert "All is fine so far. ".startswith(shown)
        assert "guardkit_blocked" in str(midway.value.body)
        up.say(Say(TEXT))
        assert _texts(client.messages.create(**SENT, messages=ASKED)) == [TEXT]
        assert other.asked == []
        assert "FORBIDDEN" not in server.said()


def test_pseudonyms_and_the_context_layer(up: Upstream) -> None:
    with (
        served(SESSIONS, upstream=up.url) as server,
        anthropic.Anthropic(
            base_url=server.url,
            api_key="k",
            max_retries=0,
            default_headers={"x-guardkit-session": "s1"},
        ) as client,
    ):
        up.say(Say("Your card [CARD_1] is fine.", [("charge", '{"card":"[CARD_1]"}')], chunk=3))
        sent: Any = {**SENT, "messages": [{"role": "user", "content": "Is card 1234 5678 fine?"}]}
        whole = client.messages.create(**sent)
        with client.messages.stream(**sent) as stream:
            streamed = stream.get_final_message()
        for got in (whole, streamed):
            assert _texts(got) == ["Your card 1234 5678 is fine."]
            assert got.content[1].input == {"card": "1234 5678"}  # type: ignore[union-attr]
        for asked in up.asked:
            assert b"1234 5678" not in asked.raw
            assert "You speak of parcels and of nothing else." in json.dumps(asked.body["system"])
