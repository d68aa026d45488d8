"""One exchange on the wire: read in any pieces, said in its dialect, refused if unreadable."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from guardkit.wire import DIALECTS, Cut, Fault, Translator, Unreadable, read_json, write_json

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "responses": {"model": "m", "input": "hi"},
    "completions": {"model": "m", "prompt": "hi"},
    "messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
}


def translator(name: str, **more: Any) -> Translator:
    dialect = BY_NAME[name]
    return Translator(dialect, dialect.ask({**ASKED[name], **more}, strict=True), "d1")


def chunk(text: str | None = None, end: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    said = {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + write_json(said) + b"\n\n"


STREAM = chunk("caf\u00e9 ") + chunk("\U0001f600") + chunk(end="stop") + b"data: [DONE]\n\n"


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_reads_the_same_however_it_is_cut(seed: int) -> None:
    whole = translator("chat", stream=True)
    expected = list(whole.feed(STREAM))
    cuts = sorted(Random(seed).sample(range(1, len(STREAM)), 12))
    one = translator("chat", stream=True)
    read = [
        event
        for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)
        for event in one.feed(STREAM[start:end])
    ]
    one.finish()
    assert read == expected
    assert [event["choices"][0]["delta"].get("content") for event in read] == ["café ", "😀", None]
    assert one.has_ended


@pytest.mark.parametrize("kept", range(0, len(STREAM) - 16, 7))
def test_a_stream_that_breaks_off_never_looks_whole(kept: int) -> None:
    one = translator("chat", stream=True)
    list(one.feed(STREAM[:kept]))
    with pytest.raises(Cut):
        one.finish()
    assert not one.has_ended


def test_an_early_done_is_a_cut() -> None:
    one = translator("chat", stream=True)
    assert len(list(one.feed(chunk("half")))) == 1
    with pytest.raises(Cut):
        list(one.feed(b"data: [DONE]\n\n"))


def test_events_before_an_unreadable_one_still_come_out() -> None:
    one = translator("chat", stream=True)
    events = one.feed(chunk("good") + b'data: {"a": 1, "a": 2}\n\n')
    assert next(events)["choices"][0]["delta"] == {"content": "good"}
    with pytest.raises(Unreadable):
        next(events)


def test_what_stands_after_the_end_is_not_read() -> None:
    one = translator("chat", stream=True)
    list(one.feed(STREAM))
    assert list(one.feed(b"data: no JSON at all\n\n" + chunk("late"))) == []


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_refusal_reads_like_a_reply_of_the_dialect(name: str) -> None:
    said = read_json(translator(name).refusal("Not here."), what="reply")
    judged = translator(name).reply(write_json(said))
    assert "Not here." in str(judged)
    stream = translator(name, stream=True)
    pieces = b"".join(stream.refusals("Not here."))
    reader = translator(name, stream=True)
    assert "Not here." in str(list(reader.feed(pieces)))
    reader.finish()


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_fault_in_a_stream_says_its_code_and_nothing_else(name: str) -> None:
    said = translator(name, stream=True).fault(Fault(502, "upstream_broken", "no reply"))
    assert said.endswith(b"\n\n")
    kinds = {"chat": b"data: ", "completions": b"data: "}
    assert said.startswith(kinds.get(name, b"event: error\ndata: "))
    assert b"no reply" in said


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"choices": []}', b"\xff", b'{"a":NaN}'])
def test_what_is_no_reply_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        translator("chat").reply(data)


def test_odds_of_tokens_are_not_read() -> None:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "hi"},
        "logprobs": {"content": [{"token": "FORB"}, {"token": "IDDEN"}]},
    }
    one = translator("chat", logprobs=True)
    judged = one.reply(write_json({"id": "c", "object": "chat.completion", "choices": [choice]}))
    assert "FORB" not in str(judged)
    assert b"FORB" not in one.whole(judged, None)
