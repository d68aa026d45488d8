"""The real `openai` client, against a real `guardkit serve`, in front of a scripted upstream."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest

from ._parcels import ASKED, BAD, CALLS, FULL, LEAK, TEXT
from ._served import MESSAGE, POLICY, SESSIONS, served
from ._upstream_double import Choices, Cut, Error, Gzipped, Raw, Say, Upstream

TOOLS: list[Any] = [{"type": "function", "function": {"name": "find_order", "parameters": {}}}]


@dataclass
class Heard:
    """What one choice of a stream came to."""

    text: str = ""
    reasoning: str = ""
    finish: list[str] = field(default_factory=list)
    calls: dict[int, list[str]] = field(default_factory=lambda: defaultdict(lambda: ["", ""]))

    @property
    def called(self) -> list[tuple[str, str]]:
        """Names and arguments."""
        return [(name, given) for _, (name, given) in sorted(self.calls.items())]


def _hear(chunks: Any) -> dict[int, Heard]:
    """Put a stream of chat chunks together, as a client does."""
    heard: dict[int, Heard] = defaultdict(Heard)
    for chunk in chunks:
        for choice in chunk.choices:
            one = heard[choice.index]
            assert not one.finish, "a choice went on after its end"
            one.text += choice.delta.content or ""
            one.reasoning += (choice.delta.model_extra or {}).get("reasoning_content") or ""
            for call in choice.delta.tool_calls or []:
                one.calls[call.index][0] += call.function.name or ""
                one.calls[call.index][1] += call.function.arguments or ""
            if choice.finish_reason:
                one.finish.append(choice.finish_reason)
    return heard


def _known(reply: Any) -> Any:
    """A reply as plain data; `logprobs: null` says no more than no `logprobs`."""
    known = reply.to_dict()
    for choice in known["choices"]:
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
    return known


def _watched(client: openai.OpenAI, chunks: list[Any]) -> None:
    """Ask for a stream and keep each of its chunks, however it ends."""
    with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
        for chunk in stream:
            chunks.append(chunk)  # noqa: PERF402 - one by one, to keep what came before an error


def _no_part(of: str, text: str) -> bool:
    """Whether no beginning of a match, of three characters or more, stands in a text."""
    return of[:3] not in text


# --- what is clean goes through


@pytest.mark.parametrize("n", [1, 2])
def test_a_clean_reply_is_what_upstream_said(
    up: Upstream, client: openai.OpenAI, direct: openai.OpenAI, n: int
) -> None:
    up.say(FULL)
    sent: Any = {"model": "m", "messages": ASKED, "tools": TOOLS, "n": n, "seed": 7, "user": "u1"}
    raw = client.chat.completions.with_raw_response.create(**sent)
    wanted = direct.chat.completions.create(**sent)
    assert _known(raw.parse()) == _known(wanted)
    ours, theirs = up.asked
    assert ours.body == theirs.body == sent
    assert ours.headers["authorization"] == "Bearer sk-client"
    assert raw.headers["x-guardkit-action"] == "pass"
    assert raw.headers["x-guardkit-decision"]
    assert raw.headers["x-guardkit-policy"].startswith("sha256:")
    assert raw.headers["x-request-id"] == "req_double"


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_clean_stream_comes_to_what_upstream_said(
    up: Upstream, client: openai.OpenAI, seed: int | None
) -> None:
    """Also when the deltas of four choices and of their calls come in any order."""
    says = [FULL, Say("second"), Say(calls=CALLS), Say(TEXT * 3, reasoning="hm")]
    up.say(FULL if seed is None else Choices(says, seed))
    sent: Any = {"model": "m", "messages": ASKED, "n": 4, "stream_options": {"include_usage": True}}
    with client.chat.completions.create(**sent, stream=True) as stream:
        chunks = list(stream)
    heard = _hear(chunks)
    for at, say in enumerate(says if seed else [FULL] * 4):
        assert (heard[at].text, heard[at].reasoning) == (say.text, say.reasoning)
        assert heard[at].called == [*say.calls]
        assert heard[at].finish == ["tool_calls" if say.calls else "stop"]
    assert chunks[-1].usage is not None
    assert up.asked[0].body == {**sent, "stream": True}


def test_the_stream_helper_accepts_the_stream(up: Upstream, client: openai.OpenAI) -> None:
    up.say(Say(TEXT, CALLS[:1]))
    with client.chat.completions.stream(model="m", messages=ASKED, tools=TOOLS) as stream:
        got = stream.get_final_completion().choices[0]
    assert (got.message.content, got.finish_reason) == (TEXT, "tool_calls")
    assert got.message.tool_calls is not None
    assert got.message.tool_calls[0].function.arguments == CALLS[0][1]


async def _many(url: str, prompts: Sequence[str]) -> list[str]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as client:

        async def ask(prompt: str, streams: bool) -> str:
            sent: Any = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
            if not streams:
                got = await client.chat.completions.create(**sent)
                return str(got.choices[0].message.content)
            stream = await client.chat.completions.create(**sent, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        asks = (ask(prompt, streams) for prompt in prompts for streams in (False, True))
        return await asyncio.gather(*asks)


def test_many_at_once_never_mix(up: Upstream, url: str) -> None:
    """The async client: each gets its own answer, and only the bad ones are stopped."""
    up.say(lambda asked: Say(f"to {asked.body['messages'][-1]['content']}", delay=0.001))
    prompts = [f"number {at}" + (" FORBIDDEN" if at % 4 == 0 else "") for at in range(20)]
    got = asyncio.run(_many(url, prompts))
    for at, prompt in enumerate(prompts):
        wanted = MESSAGE if "FORBIDDEN" in prompt else f"to {prompt}"
        assert got[2 * at : 2 * at + 2] == [wanted, wanted]
    assert len(up.asked) == 30


# --- what is not allowed in


@pytest.mark.parametrize("n", [1, 3])
def test_a_blocked_request_is_answered_and_never_sent(
    up: Upstream, client: openai.OpenAI, n: int
) -> None:
    up.say(FULL)
    raw = client.chat.completions.with_raw_response.create(model="m", messages=BAD, n=n)
    got = raw.parse()
    assert [one.message.content for one in got.choices] == [MESSAGE] * n
    assert [one.finish_reason for one in got.choices] == ["content_filter"] * n
    assert raw.headers["x-guardkit-action"] == "block"
    with client.chat.completions.create(model="m", messages=BAD, n=n, stream=True) as stream:
        heard = _hear(stream)
    assert [heard[at].text for at in range(n)] == [MESSAGE] * n
    assert [heard[at].finish for at in range(n)] == [["content_filter"]] * n
    assert up.asked == []


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "FORBIDDEN"}, *ASKED],
        [{"role": "developer", "content": [{"type": "text", "text": "FORBIDDEN"}]}, *ASKED],
        [{"role": "user", "content": [{"type": "text", "text": "a"}], "name": "FORBIDDEN"}],
        [*ASKED, {"role": "assistant", "content": "FORBIDDEN"}, *ASKED],
        [
            *ASKED,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"a":"FORBIDDEN"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        ],
        [
            *ASKED,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "FORBIDDEN"},
        ],
    ],
    ids=["system", "developer part", "name", "assistant", "earlier call", "tool result"],
)
def test_every_message_is_judged(up: Upstream, client: openai.OpenAI, messages: Any) -> None:
    up.say(FULL)
    got = client.chat.completions.create(model="m", messages=messages)
    assert got.choices[0].finish_reason == "content_filter"
    assert up.asked == []


def test_what_is_rewritten_on_the_way_in(up: Upstream, client: openai.OpenAI) -> None:
    up.say(Say("ok"))
    parts = [{"type": "text", "text": "Where is NB-1234?"}, {"type": "text", "text": "And NB-9?"}]
    messages: Any = [{"role": "user", "content": parts}]
    raw = client.chat.completions.with_raw_response.create(model="m", messages=messages)
    assert raw.headers["x-guardkit-action"] == "rewrite"
    (asked,) = up.asked
    texts = [part["text"] for part in asked.body["messages"][0]["content"]]
    assert texts == ["Where is [ORDER]?", "And NB-9?"]
    assert b"NB-1234" not in asked.raw


def test_what_nobody_can_read_is_not_sent(up: Upstream, client: openai.OpenAI) -> None:
    up.say(Say("ok"))
    image = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    got = client.chat.completions.create(model="m", messages=messages)
    assert got.choices[0].finish_reason == "content_filter"
    assert up.asked == []


# --- what is not allowed out


@pytest.mark.parametrize("where", ["text", "reasoning", "refusal"])
def test_a_blocked_reply(up: Upstream, client: openai.OpenAI, where: str) -> None:
    fields: dict[str, Any] = {"text": "fine", "calls": CALLS, where: LEAK}
    up.say(Say(**fields))
    raw = client.chat.completions.with_raw_response.create(model="m", messages=ASKED)
    (choice,) = raw.parse().choices
    assert (choice.message.content, choice.finish_reason) == (MESSAGE, "content_filter")
    assert not choice.message.tool_calls
    assert _no_part("FORBIDDEN", raw.text)
    assert raw.headers["x-guardkit-action"] == "block"
    assert len(up.asked) == 1


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_a_stream_that_is_blocked_midway(up: Upstream, client: openai.OpenAI, chunk: int) -> None:
    up.say(Say(LEAK, CALLS, chunk=chunk))
    with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
        (heard,) = _hear(stream).values()
    assert heard.text in ("All is fine so far. " + MESSAGE, MESSAGE)
    assert heard.finish == ["content_filter"]
    assert heard.called == []


@pytest.mark.parametrize("seed", range(5))
def test_one_bad_choice_of_many(up: Upstream, client: openai.OpenAI, seed: int) -> None:
    """Whatever the order: of no choice a character is shown that was not cleared."""
    says = [Say("The first is long and good."), Say(LEAK), Say("x", CALLS), Say("The fourth.")]
    up.say(Choices(says, seed))
    with client.chat.completions.create(model="m", messages=ASKED, n=4, stream=True) as stream:
        heard = _hear(stream)
    for at, say in enumerate(says):
        shown = heard[at].text.replace(MESSAGE, "") if at in heard else ""
        assert say.text.partition("FORBIDDEN")[0].startswith(shown)
    assert sum(MESSAGE in one.text for one in heard.values()) >= 1
    assert all(len(one.finish) == 1 for one in heard.values())
    assert all(_no_part("FORBIDDEN", one.text) for one in heard.values())


def test_a_match_across_reasoning_and_text(up: Upstream, client: openai.OpenAI) -> None:
    """Judged as people read them, the reasoning first, though a whole reply has it second."""
    up.say(Say("BIDDEN is the rest", reasoning="one half is FOR"))
    (choice,) = client.chat.completions.create(model="m", messages=ASKED).choices
    assert choice.finish_reason == "content_filter"
    with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
        (heard,) = _hear(stream).values()
    assert "FORBIDDEN" not in heard.reasoning + heard.text
    assert heard.finish == ["content_filter"]


@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_a_reply_is_rewritten(up: Upstream, client: openai.OpenAI, chunk: int) -> None:
    up.say(Say("Both NB-1234 and NB-5678.", chunk=chunk, logprobs=True))
    raw = client.chat.completions.with_raw_response.create(model="m", messages=ASKED, n=2)
    said = [choice.message.content for choice in raw.parse().choices]
    assert said == ["Both [ORDER] and [ORDER]."] * 2
    assert "1234" not in raw.text
    assert raw.headers["x-guardkit-action"] == "rewrite"
    shown = ""
    with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
        for part in stream:
            shown += part.choices[0].delta.content or ""
            assert "NB-" not in shown
            assert "234" not in part.to_json()
    assert shown == "Both [ORDER] and [ORDER]."


# --- tools


@pytest.mark.parametrize("streams", [False, True])
def test_calls_are_judged_whole(up: Upstream, client: openai.OpenAI, streams: bool) -> None:
    """Rewritten they stay JSON; in a stream no fragment of a call comes before its judgement."""
    given = json.dumps({"order": "NB-1234", "note": "a" * 50, "deep": [{"b": "of NB-5678"}]})
    up.say(Say("", [CALLS[0], ("look_up", given)], chunk=1))
    if streams:
        with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
            chunks = list(stream)
        (heard,) = _hear(chunks).values()
        called, finish = heard.called, heard.finish
        named = [
            call
            for chunk in chunks
            for choice in chunk.choices
            for call in choice.delta.tool_calls or []
        ]
        assert len(named) == 2, "a call came in pieces"
    else:
        (choice,) = client.chat.completions.create(model="m", messages=ASKED).choices
        finish = [choice.finish_reason]
        calls: Any = choice.message.tool_calls
        called = [(call.function.name, call.function.arguments) for call in calls]
    assert called[0][0] == CALLS[0][0]
    assert json.loads(called[0][1]) == json.loads(CALLS[0][1])
    assert json.loads(called[1][1]) == {
        "order": "[ORDER]",
        "note": "a" * 50,
        "deep": [{"b": "of [ORDER]"}],
    }
    assert finish == ["tool_calls"]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("given", ['{"a": "FORBIDDEN"}', '{"a": 1, "a": 2}', '{"a": NaN}', '{"a'])
def test_bad_calls_never_come(
    up: Upstream, client: openai.OpenAI, streams: bool, legacy: bool, given: str
) -> None:
    """One that is denied, and those that two readers may read in two ways."""
    up.say(Say("", [("run", given)], legacy=legacy, chunk=2))
    try:
        if streams:
            with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
                text = "".join(chunk.to_json(indent=None) for chunk in stream)
        else:
            text = client.chat.completions.create(model="m", messages=ASKED).to_json(indent=None)
    except openai.APIError as error:
        text = str(error.body)
    else:
        assert '"content_filter"' in text
    assert '"run"' not in text
    assert "FORBIDDEN" not in text


# --- what goes wrong


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": "text"},
        {"messages": []},
        {"n": 0},
        {"n": 10**9},
        {"n": "2"},
        {"messages": [{"role": "user", "content": 7}]},
        {"stream": "yes"},
    ],
    ids=lambda wrong: str(wrong)[:30],
)
def test_malformed_requests_are_refused(up: Upstream, client: openai.OpenAI, wrong: Any) -> None:
    up.say(FULL)
    sent: Any = {"model": "m", "messages": ASKED, **wrong}
    stream = sent.pop("stream", None)
    extra = {"extra_body": {"stream": stream}} if stream else {}
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)) as error:
        client.chat.completions.create(**sent, **extra)
    assert error.value.type == "invalid_request_error"
    assert error.value.response.headers["x-guardkit-decision"]
    assert up.asked == []


def test_other_endpoints_are_not_there(up: Upstream, client: openai.OpenAI) -> None:
    up.say(FULL)
    with pytest.raises(openai.NotFoundError):
        client.models.list()
    with pytest.raises(openai.NotFoundError):
        client.moderations.create(input="x")
    with pytest.raises(openai.NotFoundError):
        client.images.generate(prompt="x", model="m")
    assert up.asked == []


def test_errors_of_upstream_are_typed(up: Upstream, client: openai.OpenAI) -> None:
    up.say(Error(429, headers=(("retry-after", "7"),)))
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="m", messages=ASKED)
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.response.headers["x-request-id"] == "req_double"
    up.say(Error(401))
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="m", messages=ASKED)
    up.say(Error(400, message="no such thing as FORBIDDEN"))
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="m", messages=ASKED)
    assert "FORBIDDEN" not in str(bad.value)
    for script in (Error(418), Raw(b"<html>FORBIDDEN", "text/html"), Raw(b'{"id":'), Raw(b"[]")):
        up.say(script)
        with pytest.raises(openai.InternalServerError) as broken:
            client.chat.completions.create(model="m", messages=ASKED)
        assert broken.value.status_code == 502
        assert "FORBIDDEN" not in str(broken.value.body)


@pytest.mark.parametrize("how", ["reset", "close", "clean", "error"])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_stream_that_breaks_off_does_not_look_whole(
    up: Upstream, client: openai.OpenAI, how: Any, after: int
) -> None:
    up.say(Cut(after, Say(TEXT * 10), how=how))
    with pytest.raises(openai.APIError):
        _watched(client, heard := [])
    assert not any(choice.finish_reason for chunk in heard for choice in chunk.choices)
    # The client raises for no error event of responses: it gives it to its caller.
    try:
        with client.responses.create(model="m", input="x", stream=True) as stream:
            kinds = [event.type for event in stream]
    except openai.APIError:
        return
    assert kinds[-1] == "error"
    assert "response.completed" not in kinds


@pytest.mark.parametrize("streams", [False, True])
def test_what_comes_compressed_is_read(up: Upstream, client: openai.OpenAI, streams: bool) -> None:
    up.say(Gzipped(Say(LEAK)))
    if streams:
        with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
            (heard,) = _hear(stream).values()
        text, finish = heard.text, heard.finish[0]
    else:
        (choice,) = client.chat.completions.create(model="m", messages=ASKED).choices
        text, finish = str(choice.message.content), choice.finish_reason
    assert text.endswith(MESSAGE)
    assert _no_part("FORBIDDEN", text)
    assert finish == "content_filter"
    assert up.asked[0].headers["accept-encoding"] == "identity"


# --- blocks as errors


def test_blocks_as_typed_errors(up: Upstream) -> None:
    with (
        served(POLICY, "--on-block", "error", upstream=f"{up.url}/v1") as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0) as client,
    ):
        up.say(FULL)
        for streams in (False, True):
            with pytest.raises(openai.BadRequestError) as error:
                client.chat.completions.create(model="m", messages=BAD, stream=streams)
            assert (error.value.code, error.value.type) == ("guardkit_blocked",) * 2
            assert error.value.body["message"] == MESSAGE  # type: ignore[index]
            assert error.value.response.headers["x-guardkit-action"] == "block"
        with pytest.raises(openai.BadRequestError) as error:
            client.responses.create(model="m", input="FORBIDDEN")
        assert error.value.code == "guardkit_blocked"
        assert up.asked == []
        up.say(Say(LEAK))
        with pytest.raises(openai.BadRequestError) as error:
            client.chat.completions.create(model="m", messages=ASKED)
        assert (error.value.code, "FORBIDDEN" in error.value.response.text) == (
            "guardkit_blocked",
            False,
        )
        with pytest.raises(openai.APIError) as midway:
            _watched(client, heard := [])
        shown = "".join(chunk.choices[0].delta.content or "" for chunk in heard)
        assert "All is fine so far. ".startswith(shown)
        assert midway.value.code == "guardkit_blocked"
        up.say(Say(TEXT))
        got = client.chat.completions.create(model="m", messages=ASKED)
        assert got.choices[0].message.content == TEXT
        assert "FORBIDDEN" not in server.said()


# --- sessions


def test_pseudonyms_and_the_context_layer(up: Upstream) -> None:
    """The model never sees the number; who is in the session does, in text, streams and calls."""
    given = '{"card": "[CARD_1]"}'
    with (
        served(SESSIONS, upstream=up.url) as server,
        openai.OpenAI(
            base_url=f"{server.url}/v1",
            api_key="k",
            max_retries=0,
            default_headers={"x-guardkit-session": "s1"},
        ) as client,
    ):
        up.say(Say("Your card [CARD_1] is fine.", [("charge", given)], chunk=3))
        messages: list[Any] = [{"role": "user", "content": "Is my card 1234 5678 fine?"}]
        sent: Any = {"model": "m", "messages": messages}
        (choice,) = client.chat.completions.create(**sent).choices
        assert choice.message.content == "Your card 1234 5678 is fine."
        calls: Any = choice.message.tool_calls
        assert json.loads(calls[0].function.arguments) == {"card": "1234 5678"}
        with client.chat.completions.create(**sent, stream=True) as stream:
            (heard,) = _hear(stream).values()
        assert heard.text == "Your card 1234 5678 is fine."
        assert json.loads(heard.called[0][1]) == {"card": "1234 5678"}
        assert client.responses.create(model="m", input="My card 1234 5678").output_text == (
            "Your card 1234 5678 is fine."
        )
        for asked in up.asked:
            assert b"1234 5678" not in asked.raw
            assert b"[CARD_1]" in asked.raw
            assert b"You speak of parcels and of nothing else." in asked.raw
        first = up.asked[0].body["messages"][0]
        assert first["role"] == "system"
        other = client.with_options(default_headers={"x-guardkit-session": "s2"})
        (choice,) = other.chat.completions.create(model="m", messages=ASKED).choices
        assert choice.message.content == "Your card [CARD_1] is fine."
        unnamed = client.with_options(set_default_headers={})
        with pytest.raises(openai.BadRequestError) as error:
            unnamed.chat.completions.create(**sent)
        assert error.value.code == "session_required"
