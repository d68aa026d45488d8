"""The scripted upstream speaks what the real clients read, and says what the clients did."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from ._parcels import CALLS, FULL, TEXT
from ._upstream_double import (
    Choices,
    Cut,
    Endless,
    Error,
    Gzipped,
    Raw,
    Redirect,
    Say,
    Slow,
    Sse,
    Upstream,
    upstream,
    vector,
)

ASKED: list[Any] = [{"role": "user", "content": "Where is it?"}]


def _openai(up: Upstream) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{up.url}/v1", api_key="k", max_retries=0)


def _anthropic(up: Upstream) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=up.url, api_key="k", max_retries=0)


# --- openai


def test_chat_whole() -> None:
    with upstream(FULL) as up, _openai(up) as client:
        got = client.chat.completions.create(model="m", messages=ASKED, n=2)
    assert [choice.index for choice in got.choices] == [0, 1]
    for choice in got.choices:
        assert choice.message.content == TEXT
        assert choice.finish_reason == "tool_calls"
        calls = choice.message.tool_calls or []
        assert [(call.function.name, call.function.arguments) for call in calls] == [*CALLS]  # type: ignore[union-attr]
        assert choice.message.model_extra == {"reasoning_content": FULL.reasoning}
    assert got.usage is not None
    assert up.asked[0].path == "/v1/chat/completions"
    assert up.asked[0].body == {"model": "m", "messages": ASKED, "n": 2}
    assert up.asked[0].headers["authorization"] == "Bearer k"
    assert (up.finished, up.closed_early) == (1, [])


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_chat_stream(seed: int | None) -> None:
    """Every choice and call is put together again, in whichever order its deltas come."""
    many = [FULL, Say("second", n=1), Say(calls=[("one", "{}")])]
    script = FULL if seed is None else Choices(many, seed)
    with upstream(script) as up, _openai(up) as client:
        options: Any = {"include_usage": True}
        with client.chat.completions.create(
            model="m", messages=ASKED, stream=True, n=3, stream_options=options
        ) as stream:
            chunks = list(stream)
    texts: dict[int, str] = defaultdict(str)
    thoughts: dict[int, str] = defaultdict(str)
    calls: dict[tuple[int, int], list[str]] = defaultdict(lambda: ["", ""])
    ended: dict[int, str] = {}
    order = []
    for chunk in chunks[:-1]:
        assert chunk.usage is None
        (choice,) = chunk.choices
        assert choice.index not in ended
        order.append(choice.index)
        texts[choice.index] += choice.delta.content or ""
        thoughts[choice.index] += (choice.delta.model_extra or {}).get("reasoning_content", "")
        for call in choice.delta.tool_calls or []:
            assert call.function is not None
            calls[choice.index, call.index][0] += call.function.name or ""
            calls[choice.index, call.index][1] += call.function.arguments or ""
        if choice.finish_reason:
            ended[choice.index] = choice.finish_reason
    assert (chunks[-1].choices, chunks[-1].usage is not None) == ([], True)
    said = many if seed else [FULL] * 3
    assert [texts[at] for at in range(3)] == [one.text for one in said]
    assert [thoughts[at] for at in range(3)] == [one.reasoning for one in said]
    assert {key: tuple(value) for key, value in calls.items()} == {
        (at, number): call for at, one in enumerate(said) for number, call in enumerate(one.calls)
    }
    assert [ended[at] for at in range(3)] == ["tool_calls" if one.calls else "stop" for one in said]
    assert order != sorted(order), "the choices came one after the other"


def test_chat_stream_helper() -> None:
    """The client's own accumulator, which checks the order of what comes."""
    say = Say("no", refusal="I will not.", logprobs=True)
    with (
        upstream(say) as up,
        _openai(up) as client,
        client.chat.completions.stream(model="m", messages=ASKED) as stream,
    ):
        got = stream.get_final_completion().choices[0]
    assert (got.message.content, got.message.refusal) == ("no", "I will not.")
    assert got.logprobs is not None
    assert "".join(one.token for one in got.logprobs.content or []) == "no"


def test_legacy_function_call() -> None:
    with upstream(Say(calls=CALLS[:1], legacy=True)) as up, _openai(up) as client:
        got = client.chat.completions.create(model="m", messages=ASKED).choices[0]
        stream = client.chat.completions.create(model="m", messages=ASKED, stream=True)
        deltas = [chunk.choices[0].delta.function_call for chunk in stream]
    assert got.message.function_call is not None
    assert (got.message.function_call.arguments, got.finish_reason) == (
        CALLS[0][1],
        "function_call",
    )
    assert "".join(one.arguments or "" for one in deltas if one) == CALLS[0][1]


def test_completions() -> None:
    with upstream(Say(TEXT)) as up, _openai(up) as client:
        got = client.completions.create(model="m", prompt=["a", "b"])
        stream = client.completions.create(model="m", prompt="a", stream=True)
        streamed = "".join(chunk.choices[0].text for chunk in stream)
    assert [choice.text for choice in got.choices] == [TEXT, TEXT]
    assert streamed == TEXT


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_embeddings(encoding: Any) -> None:
    with upstream() as up, _openai(up) as client:
        given = {"encoding_format": encoding} if encoding else {}
        got = client.embeddings.create(model="m", input=["a", "b"], **given)
    assert up.asked[0].body["encoding_format"] == (encoding or "base64")
    if encoding == "base64":
        assert all(isinstance(row.embedding, str) for row in got.data)
    else:
        assert [row.embedding for row in got.data] == [vector("a"), vector("b")]


@pytest.mark.parametrize("reasoning_as", ["summary", "content"])
@pytest.mark.parametrize("mixed", [False, True])
def test_responses(reasoning_as: str, mixed: bool) -> None:
    say = Say(TEXT, CALLS, "Because.", "No.", reasoning_as=reasoning_as)
    with upstream(Choices([say], seed=3) if mixed else say) as up, _openai(up) as client:
        whole = client.responses.create(model="m", input="Where is it?")
        with client.responses.stream(model="m", input="Where is it?") as stream:
            events: list[Any] = list(stream)
            final = stream.get_final_response()
    assert [event.sequence_number for event in events] == [*range(len(events))]
    assert events[-1].type == "response.completed"
    for got in (whole, final):
        assert got.output_text == TEXT
        assert (got.status, got.usage is None) == ("completed", False)
        kinds = [item.type for item in got.output]
        assert kinds == ["reasoning", "message", "message", "function_call", "function_call"]
        calls: list[Any] = [item for item in got.output if item.type == "function_call"]
        assert [(call.name, call.arguments) for call in calls] == [*CALLS]
    for kind, text in (
        ("response.output_text.delta", TEXT),
        ("response.refusal.delta", "No."),
        ("response.function_call_arguments.delta", None),
        (
            f"response.reasoning_{'summary_text' if reasoning_as == 'summary' else 'text'}.delta",
            "Because.",
        ),
    ):
        deltas = "".join(event.delta for event in events if event.type == kind)
        assert deltas == text if text else len(deltas) == sum(len(given) for _, given in CALLS)


def test_responses_incomplete() -> None:
    with upstream(Say("half", finish="max_output_tokens")) as up, _openai(up) as client:
        got = client.responses.create(model="m", input="x")
        kinds = [event.type for event in client.responses.create(model="m", input="x", stream=True)]
    assert got.status == "incomplete"
    assert got.incomplete_details is not None
    assert got.incomplete_details.reason == "max_output_tokens"
    assert kinds[-1] == "response.incomplete"


async def _async_texts(up: Upstream) -> list[str]:
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key="k") as one:
        stream = await one.chat.completions.create(model="m", messages=ASKED, stream=True)
        chat = [chunk.choices[0].delta.content or "" async for chunk in stream]
    async with (
        anthropic.AsyncAnthropic(base_url=up.url, api_key="k") as two,
        two.messages.stream(model="m", messages=ASKED, max_tokens=9) as said,
    ):
        messages = [text async for text in said.text_stream]
    return ["".join(chat), "".join(messages)]


def test_async_clients() -> None:
    with upstream(Say(TEXT)) as up:
        assert asyncio.run(_async_texts(up)) == [TEXT, TEXT]


# --- anthropic


@pytest.mark.parametrize("mixed", [False, True])
def test_messages(mixed: bool) -> None:
    with upstream(Choices([FULL], seed=5) if mixed else FULL) as up, _anthropic(up) as client:
        whole = client.messages.create(model="m", messages=ASKED, max_tokens=9)
        with client.messages.stream(model="m", messages=ASKED, max_tokens=9) as stream:
            final = stream.get_final_message()
    assert up.asked[0].headers["authorization"] == "Bearer k"
    for got in (whole, final):
        blocks: list[Any] = list(got.content)
        assert [block.type for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]
        assert (blocks[0].thinking, blocks[0].signature) == (FULL.reasoning, "c2lnbmVk")
        assert blocks[1].text == TEXT
        assert [(one.name, one.input) for one in blocks[2:]] == [
            (name, json.loads(given)) for name, given in CALLS
        ]
        assert (got.stop_reason, got.usage.output_tokens > 0) == ("tool_use", True)


def test_messages_refusal_and_events() -> None:
    with upstream(Say(refusal="I will not.")) as up:
        body = {"model": "m", "messages": ASKED, "max_tokens": 9, "stream": True}
        got = httpx2.post(f"{up.url}/v1/messages", json=body)
        with _anthropic(up) as client:
            said = client.messages.create(model="m", messages=ASKED, max_tokens=9)
    kinds = [line[7:] for line in got.text.splitlines() if line.startswith("event: ")]
    deltas = ["content_block_delta"] * 3
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        *deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert said.stop_reason == "refusal"


# --- what goes wrong


def test_errors_are_typed() -> None:
    with upstream(Error(429, headers=(("retry-after", "7"),))) as up:
        with _openai(up) as one, pytest.raises(openai.RateLimitError) as limited:
            one.chat.completions.create(model="m", messages=ASKED)
        up.say(Error(529))
        with _anthropic(up) as two, pytest.raises(anthropic.APIStatusError) as overloaded:
            two.messages.create(model="m", messages=ASKED, max_tokens=9)
    assert limited.value.type == "rate_limit_error"
    assert limited.value.response.headers["retry-after"] == "7"
    assert overloaded.value.type == "overloaded_error"


@pytest.mark.parametrize("how", ["reset", "close", "clean", "error"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_cut(how: Any, path: str) -> None:
    """Some events come; then the body ends, properly or not."""
    lines: list[str] = []
    with upstream(Cut(3, how=how)) as up:
        body = {"model": "m", "messages": ASKED, "input": "x", "stream": True}
        with httpx2.stream("POST", up.url + path, json=body) as got:
            try:
                lines.extend(line for line in got.iter_lines() if line.startswith("data: "))
                ended = True
            except httpx2.TransportError:
                ended = False
    assert ended is (how in ("clean", "error"))
    if how != "reset":  # what the kernel had not handed over is lost with a reset
        assert len(lines) == (4 if how == "error" else 3)
    assert ("error" in lines[-1] if lines else False) is (how == "error")


@pytest.mark.parametrize("streams", [False, True])
def test_gzip_though_not_asked(streams: bool) -> None:
    with upstream(Gzipped(Say(TEXT))) as up:
        body = {"model": "m", "messages": ASKED, "stream": streams}
        url = f"{up.url}/v1/chat/completions"
        with httpx2.stream("POST", url, json=body, headers={"accept-encoding": "identity"}) as got:
            raw = b"".join(got.iter_raw())
    assert got.headers["content-encoding"] == "gzip"
    assert raw.startswith(b"\x1f\x8b")


def test_pieces_arrive_as_they_were_cut() -> None:
    text = 'data: {"a":"ü"}\r\n\r\n: a comment\r\n\r\n'.encode()
    with upstream(Sse(text, cuts=[1, 13, 13, 16, 900])) as up:
        url = f"{up.url}/v1/chat/completions"
        with httpx2.stream("POST", url, json={"stream": True}) as got:
            pieces = list(got.iter_raw())
    assert pieces == [text[:1], text[1:13], text[13:16], text[16:]]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_who_leaves_an_endless_reply_is_seen_at_once(path: str, streams: bool) -> None:
    with upstream(Endless()) as up:
        body = {"model": "m", "messages": ASKED, "input": "x", "stream": streams}
        with httpx2.stream("POST", up.url + path, json=body) as got:
            rows = got.iter_raw()
            assert b"more " in b"".join(next(rows) for _ in range(12))
        left = time.monotonic()
        assert up.wait(lambda: len(up.closed_early) == 1)
    assert up.closed_early[0].sent >= 12
    assert up.closed_early[0].at - left < 1.0
    assert up.finished == 0


def test_who_does_not_wait_for_a_slow_reply_is_seen() -> None:
    with upstream(Slow(30)) as up:
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(f"{up.url}/v1/chat/completions", json={"model": "m"}, timeout=0.1)
        assert up.wait(lambda: len(up.closed_early) == 1)
        up.say(Slow(0.05))
        assert httpx2.post(f"{up.url}/v1/chat/completions", json={"model": "m"}).status_code == 200


def test_a_script_is_followed() -> None:
    """In turn, by request, and raw; connections are kept; other paths are refused and known."""
    with upstream([Say("1"), Raw(b"{", "text/plain", 418)]) as up, httpx2.Client() as client:
        url = f"{up.url}/v1/chat/completions"
        first = client.post(url, json={"model": "m"})
        second = client.post(url, content=b"no json")
        up.say(lambda asked: Redirect(f"{up.url}/{asked.body['model']}"))
        third = client.post(url, json={"model": "m"})
        other = client.get(f"{up.url}/v1/models?x=1")
        assert first.json()["choices"][0]["message"]["content"] == "1"
        assert (second.status_code, second.content) == (418, b"{")
        assert (third.status_code, third.headers["location"]) == (307, f"{up.url}/m")
        assert (other.status_code, up.asked[1].path) == (404, "/v1/models?x=1")
        assert up.connections == 1


def test_a_failing_script_fails_the_test() -> None:
    with pytest.raises(IndexError), upstream([]) as up:
        assert httpx2.post(f"{up.url}/v1/messages", json={}).status_code == 500


def test_large_bodies_both_ways() -> None:
    big = "ä" * 3_000_000
    with upstream(lambda asked: Say(asked.body["messages"][0]["content"], chunk=50_000)) as up:
        for streams in (False, True):
            body = {"messages": [{"role": "user", "content": big}], "stream": streams}
            got = httpx2.post(f"{up.url}/v1/chat/completions", json=body, timeout=30)
            assert len(got.content) > 6_000_000
