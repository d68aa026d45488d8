"""Streams: nothing of a match leaves, choices and calls stay apart, and a block ends it at once."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anyio
import pydantic
import pytest

from guardkit.errors import Blocked, UsageError
from guardkit.wrap import wrap

from ._guard import ORDER, Scripted, lies_across

Event = dict[str, Any]


def relay(guard: Scripted, chunks: list[Any], **options: Any) -> tuple[list[Any], Blocked | None]:
    """What comes out, and the block that ended it; the same for plain and async streams."""

    def plain(prompt: str) -> Iterator[Any]:
        yield from chunks

    async def later(prompt: str) -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    async def arelay() -> tuple[list[Any], Blocked | None]:
        shown: list[Any] = []
        try:
            async for chunk in wrap(guard, later, **options)("hi"):
                shown.append(chunk)  # noqa: PERF401 - what came before the block counts
        except Blocked as blocked:
            return shown, blocked
        return shown, None

    out: list[Any] = []
    ended = None
    try:
        for chunk in wrap(guard, plain, **options)("hi"):
            out.append(chunk)  # noqa: PERF402 - what came before the block counts
    except Blocked as blocked:
        ended = blocked
    again, ended_again = anyio.run(arelay)
    assert again == out
    assert (ended is None) == (ended_again is None)
    return out, ended


def cut(text: str, *at: int) -> list[str]:
    marks = [0, *at, len(text)]
    return [text[i:j] for i, j in itertools.pairwise(marks)]


@pytest.mark.parametrize("at", range(24))
def test_text_at_every_cut(guard: Scripted, at: int) -> None:
    shown, ended = relay(guard, cut("say NB-1234 and go on...", at))
    assert ("".join(shown), ended) == ("say [ORDER] and go on...", None)
    shown, ended = relay(guard, cut("say it is FORBIDDEN now.", at))
    assert "say it is ".startswith("".join(shown))
    assert ended is not None
    assert ended.__context__ is None
    shown, ended = relay(guard, cut("say it is FORBIDDEN now.", at), on_block="reply")
    assert (shown[-1], ended) == ("Stopped.", None)
    assert "say it is ".startswith("".join(shown[:-1]))


def test_a_block_at_the_very_end(guard: Scripted) -> None:
    assert relay(guard, ["a FORBIDDEN"], on_block="reply")[0][-1] == "Stopped."
    assert relay(guard, ["FORBIDDE"])[1] is None


def test_a_revision_in_a_stream_is_its_else(guard: Scripted) -> None:
    shown, _ = relay(guard, ["this is my ", "ADVICE to you"], on_block="reply")
    assert shown[-1] == "No advice."
    assert "this is my ".startswith("".join(shown[:-1]))


def test_chunks_of_an_unknown_shape_are_one_text(guard: Scripted) -> None:
    chunks = [{"token": text} for text in ("a ", "FORB", "IDDEN")]
    for chunk in (object(), None, 5, b"x", [1, 2]):
        with pytest.raises(UsageError):
            relay(guard, [chunk])
    shown, ended = relay(guard, [{"text": "a "}, {"text": "FORB"}, {"text": "IDDEN"}])
    assert ended is not None
    assert "a ".startswith("".join(each["text"] for each in shown))
    shown, ended = relay(guard, chunks)
    assert ended is not None
    assert "FORB" not in json.dumps(shown)


# --- chat completions


def delta(index: int = 0, *, end: str | None = None, **said: Any) -> Event:
    return {"id": "c", "choices": [{"index": index, "delta": said, "finish_reason": end}]}


def piece(index: int, arguments: str, name: str | None = None, choice: int = 0) -> Event:
    function = {"name": name, "arguments": arguments}
    call = {"index": index, "id": f"i{index}" if name else None, "function": function}
    return delta(choice, tool_calls=[call])


def as_objects(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_objects(inner) for key, inner in value.items()})
    return [as_objects(inner) for inner in value] if isinstance(value, list) else value


def texts(chunks: list[Event], choice: int = 0, field: str = "content") -> str:
    return "".join(
        each["delta"].get(field) or ""
        for chunk in chunks
        for each in chunk["choices"]
        if each["index"] == choice
    )


def calls(chunks: list[Event]) -> list[tuple[int, str, str]]:
    return [
        (each["index"], call["function"]["name"], call["function"]["arguments"])
        for chunk in chunks
        for each in chunk["choices"]
        for call in each["delta"].get("tool_calls") or ()
    ]


def test_chat_chunks(guard: Scripted) -> None:
    chunks = [
        delta(role="assistant", content=""),
        *(delta(content=text) for text in ("for ", "NB-", "1234", ", done")),
        delta(end="stop"),
        {"id": "c", "choices": [], "usage": {"total_tokens": 3}},
    ]
    shown, ended = relay(guard, chunks)
    assert ended is None
    assert texts(shown) == "for [ORDER], done"
    assert shown[0] == chunks[0]
    assert shown[-2:] == chunks[-2:]  # nothing follows the end
    objects, _ = relay(guard, [as_objects(chunk) for chunk in chunks])
    assert objects == [as_objects(chunk) for chunk in shown]


def test_a_blocked_chat_stream_ends_in_its_dialect(guard: Scripted) -> None:
    chunks = [delta(content="it is FORB"), delta(content="IDDEN"), delta(end="stop")]
    shown, ended = relay(guard, chunks)
    assert ended is not None
    assert "it is ".startswith(texts(shown))
    shown, _ = relay(guard, chunks, on_block="reply")
    assert texts(shown) in ("Stopped.", "it is Stopped.")
    assert shown[-1]["choices"][0]["finish_reason"] == "content_filter"


def test_logprobs_do_not_spell_out_what_is_held(guard: Scripted) -> None:
    chunk = delta(content="FORB")
    chunk["choices"][0]["logprobs"] = {"content": [{"token": "FORB"}]}
    assert "FORB" not in json.dumps(relay(guard, [chunk, delta(content="IDDEN")])[0])


def test_choices_and_calls_never_mix(guard: Scripted) -> None:
    """Any interleaving of four choices and three calls gives each its own text."""
    seed = random.Random(7)
    for _ in range(60):
        streams: list[list[Event]] = [
            [delta(i, content=part) for part in cut(f"no. {i}: NB-123{i}!", 3, 8)] for i in range(3)
        ]
        streams.append([delta(3, content="FORB"), delta(3, content="ID")])
        for i in range(3):
            parts = cut(json.dumps({"to": f"NB-000{i}"}), 4, 9)
            streams.append([piece(i, "", "mail.send"), *(piece(i, part) for part in parts)])
        chunks: list[Event] = []
        while any(streams):
            chunks.append(seed.choice([each for each in streams if each]).pop(0))
        chunks += [delta(i, end="stop") for i in range(4)]
        shown, ended = relay(guard, chunks)
        assert ended is None
        assert [texts(shown, i) for i in range(3)] == [f"no. {i}: [ORDER]!" for i in range(3)]
        assert texts(shown, 3) == "FORBID"
        assert sorted(calls(shown)) == [(0, "mail.send", '{"to": "[ORDER]"}')] * 3


def test_a_call_is_held_until_it_is_judged(guard: Scripted) -> None:
    chunks = [piece(0, "", "mail.send"), piece(0, '{"to": "FORB'), piece(0, 'IDDEN"}')]
    shown, ended = relay(guard, [*chunks, delta(end="tool_calls")])
    assert ended is not None
    assert calls(shown) == []
    shown, ended = relay(guard, [piece(0, '{"a"', "f"), delta(end="tool_calls")])
    assert ended is not None  # no JSON: stopped, whatever it says
    shown, ended = relay(guard, [piece(0, '{"a": 1}', "f")])
    assert ended is None  # a stream that ends without a word
    assert calls(shown) == [(0, "f", '{"a": 1}')]


def test_a_call_without_end_is_stopped(guard: Scripted) -> None:
    shown, ended = relay(guard, [piece(0, "x" * 600_000, "f"), piece(0, "x" * 600_000)])
    assert (shown, ended is None) == ([], False)


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(reasoning_content="a FORB"), delta(content="IDDEN b")],
        [delta(content="a "), delta(reasoning_content="FORB"), delta(content="IDDEN b")],
        [delta(content="FORB"), delta(reasoning_content="x"), delta(content="IDDEN b")],
        [{"choices": [{"index": 0, "delta": {"reasoning_content": "FORB", "content": "IDDEN"}}]}],
        [delta(reasoning_content="my NB-"), delta(content="1234")],
    ],
)
def test_fields_are_judged_alone_and_as_they_are_shown(guard: Scripted, chunks: Any) -> None:
    shown, ended = relay(guard, [*chunks, delta(end="stop")])
    assert ended is not None
    said = texts(shown, field="reasoning_content") + texts(shown)
    assert not any(word in said for word in ("FO", "IDD", "NB", "12"))


def test_fields_that_say_nothing_wrong_come_whole(guard: Scripted) -> None:
    chunks = [
        delta(reasoning_content="first I think"),
        delta(reasoning_content=" of NB-1234"),
        delta(content="then I"),
        delta(content=" say it: NB-4321"),
        delta(reasoning_content=" and think again"),
        delta(content=" to you"),
        delta(end="stop"),
    ]
    shown, ended = relay(guard, chunks)
    assert ended is None
    thought = texts(shown, field="reasoning_content")
    assert thought == "first I think of [ORDER] and think again"
    assert texts(shown) == "then I say it: [ORDER] to you"


# --- messages


def block(index: int, *parts: str, kind: str = "text") -> list[Event]:
    key = {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}[kind]
    begin: Event = {"type": kind, key: ""}
    if kind == "tool_use":
        begin = {"type": kind, "id": "t", "name": "mail.send", "input": {}}
    said = {"text": "text_delta", "thinking": "thinking_delta", "tool_use": "input_json_delta"}[
        kind
    ]
    return [
        {"type": "content_block_start", "index": index, "content_block": begin},
        *(
            {"type": "content_block_delta", "index": index, "delta": {"type": said, key: part}}
            for part in parts
        ),
        {"type": "content_block_stop", "index": index},
    ]


def message(*events: Event) -> list[Event]:
    begin = {"type": "message_start", "message": {"role": "assistant", "content": []}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    return [begin, *events, end, {"type": "message_stop"}]


def told(events: list[Event], index: int) -> str:
    return "".join(
        "".join(str(event["delta"].get(key, "")) for key in ("text", "thinking", "partial_json"))
        for event in events
        if event["type"] == "content_block_delta" and event["index"] == index
    )


def is_well_formed(events: list[Event]) -> bool:
    """Blocks open, speak and close in order."""
    is_open = None
    for event in events:
        kind, index = event["type"], event.get("index")
        if kind == "content_block_start":
            if is_open is not None:
                return False
            is_open = index
        elif kind == "content_block_delta" and index != is_open:
            return False
        elif kind == "content_block_stop":
            if index != is_open:
                return False
            is_open = None
    return True


def test_message_events(guard: Scripted) -> None:
    events = message(
        *block(0, "let me", " think of NB-1234", kind="thinking"),
        *block(1, "for NB", "-1234,", " done"),
        *block(2, '{"to": ', '"NB-1234"}', kind="tool_use"),
        *block(3, "bye"),
    )
    shown, ended = relay(guard, events)
    assert ended is None
    assert told(shown, 0) == "let me think of [ORDER]"
    assert told(shown, 1) == "for [ORDER], done"
    assert told(shown, 2) == '{"to": "[ORDER]"}'
    assert told(shown, 3) == "bye"
    assert is_well_formed(shown)
    assert [each["type"] for each in shown[-2:]] == ["message_delta", "message_stop"]


@pytest.mark.parametrize(
    "events",
    [
        block(0, "so FORB", "IDDEN"),
        [*block(0, "so FORB"), *block(1, "IDDEN")],
        [*block(0, "so "), *block(1, '{"to": "FORB', 'IDDEN"}', kind="tool_use")],
        [*block(0, "so FORB", kind="thinking"), *block(1, "IDDEN")],
    ],
)
def test_a_blocked_message(guard: Scripted, events: list[Event]) -> None:
    shown, ended = relay(guard, message(*events))
    assert ended is not None
    assert "FO" not in json.dumps(shown)
    assert is_well_formed(shown)
    shown, _ = relay(guard, message(*events), on_block="reply")
    assert json.dumps(shown).count("topped") == 1


# --- responses and LangChain


def output(kind: str, **said: Any) -> Event:
    return {
        "type": f"response.{kind}",
        "item_id": "m",
        "output_index": 0,
        "content_index": 0,
        **said,
    }


def test_response_events(guard: Scripted) -> None:
    item = {
        "type": "function_call",
        "id": "f",
        "call_id": "c",
        "name": "mail.send",
        "arguments": "",
    }
    whole = {**item, "arguments": '{"to": "NB-1234"}'}
    part = {"type": "output_text", "text": "for NB-1234, done"}
    reply = {"object": "response", "output": [{"type": "message", "content": [part]}, whole]}
    events = [
        {"type": "response.created", "response": {"object": "response", "output": []}},
        output("output_text.delta", delta="for NB-"),
        output("output_text.delta", delta="1234, done"),
        output("output_text.done", text="for NB-1234, done"),
        {"type": "response.output_item.added", "output_index": 1, "item": item},
        {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": '{"to":'},
        {"type": "response.output_item.done", "output_index": 1, "item": whole},
        {"type": "response.completed", "response": reply},
    ]
    shown, ended = relay(guard, events)
    assert ended is None
    assert "".join(each.get("delta", "") for each in shown) == "for [ORDER], done"
    assert "NB-" not in json.dumps(shown)
    kinds = [each["type"] for each in shown if "delta" not in each]
    assert kinds == [each["type"] for each in events if "delta" not in each]
    blocked = json.loads(json.dumps(events).replace("NB-1234", "FORBIDDEN"))
    shown, ended = relay(guard, blocked[4:])
    assert ended is not None
    assert shown == []


class Chunk(pydantic.BaseModel):
    """Like LangChain's AIMessageChunk."""

    type: str = "AIMessageChunk"
    content: Any = ""
    tool_call_chunks: list[dict[str, Any]] = []
    tool_calls: list[dict[str, Any]] = []
    invalid_tool_calls: list[dict[str, Any]] = []
    additional_kwargs: dict[str, Any] = {}
    chunk_position: str | None = None


def test_langchain_chunks(guard: Scripted) -> None:
    def call(args: str, name: str | None = None) -> Chunk:
        written = {"name": name, "args": args, "id": name and "1", "index": 0}
        return Chunk(tool_call_chunks=[written], invalid_tool_calls=[written])

    chunks = [
        Chunk(content="for NB-"),
        Chunk(content=[{"type": "text", "text": "1234"}]),
        call('{"to": ', "mail.send"),
        call('"NB-1234"}'),
        Chunk(chunk_position="last"),
    ]
    shown, ended = relay(guard, [chunks[0], Chunk(content="1234"), *chunks[2:]])
    assert ended is None
    assert "".join(chunk.content for chunk in shown) == "for [ORDER]"
    (made,) = [chunk for chunk in shown if chunk.tool_call_chunks]
    assert made.tool_call_chunks[0]["args"] == '{"to": "[ORDER]"}'
    assert made.tool_calls[0]["args"] == {"to": "[ORDER]"}
    assert relay(guard, chunks)[1] is not None


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}},
        {"type": "server_tool_use", "name": "search", "input": {"query": "FORBIDDEN"}},
        {"type": "text", "text": "well", "FORBIDDEN": 1},
    ],
)
def test_langchain_chunks_hold_more_than_text(guard: Scripted, odd: dict[str, Any]) -> None:
    said: list[Any] = [{"type": "text", "text": "so far"}, odd]
    shown, ended = relay(guard, [Chunk(content="fine "), Chunk(content=said)])
    assert ended is not None
    assert "fine ".startswith("".join(chunk.content for chunk in shown))


# --- closing


class Source:
    """An upstream that counts what it gave and knows whether it was closed."""

    def __init__(self, *chunks: str) -> None:
        self.chunks, self.given, self.closed = list(chunks), 0, False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.given == len(self.chunks):
            raise StopIteration
        self.given += 1
        return self.chunks[self.given - 1]

    def close(self) -> None:
        self.closed = True


class ASource(Source):
    def __aiter__(self) -> ASource:
        return self

    async def __anext__(self) -> str:
        await anyio.lowlevel.checkpoint()
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


TEXT = ("fine so far, ", f"and FORBIDDEN{' words' * 10}", "more", "more")


@pytest.mark.parametrize("options", [{}, {"on_block": "reply"}])
def test_a_block_closes_the_source_before_it_is_told(
    guard: Scripted, options: Any, backend: str
) -> None:
    source = Source(*TEXT)
    stream = wrap(guard, lambda prompt: source, **options)("hi")
    seen = []
    try:
        for text in stream:
            seen.append(source.closed)
            if text == "Stopped.":
                assert source.closed
    except Blocked:
        assert source.closed
    assert (source.given, source.closed) == (2, True)

    async def main() -> None:
        asource = ASource(*TEXT)

        async def ask(prompt: str) -> Any:
            return asource

        try:
            async for text in await wrap(guard, ask, **options)("hi"):
                assert asource.closed or text != "Stopped."
        except Blocked:
            assert asource.closed
        assert (asource.given, asource.closed) == (2, True)

    anyio.run(main, backend=backend)


def test_a_consumer_that_leaves_closes_the_source(guard: Scripted, backend: str) -> None:
    source = Source(*(["some words "] * 10))
    stream = wrap(guard, lambda prompt: source)("hi")
    next(stream)
    stream.close()
    assert source.closed

    async def main() -> None:
        finished = []

        async def spell(prompt: str) -> AsyncIterator[str]:
            try:
                for _ in range(10):
                    yield "some words "
            finally:
                await anyio.lowlevel.checkpoint()
                finished.append(True)

        astream: Any = wrap(guard, spell)("hi")
        await anext(astream)
        await astream.aclose()
        assert finished == [True]

    anyio.run(main, backend=backend)


def test_an_error_of_the_source_passes(guard: Scripted) -> None:
    def fails(prompt: str) -> Iterator[str]:
        yield "some words that are long enough"
        raise OSError("upstream")

    with pytest.raises(OSError, match="upstream"):
        list(wrap(guard, fails)("hi"))


# --- the first words of a stream


@pytest.mark.parametrize("kind", [Iterator[str], "Iterator[str]", None])
def test_a_blocked_input_gives_one_chunk(guard: Scripted, kind: Any) -> None:
    def ask(prompt: str) -> Any:
        yield prompt

    ask.__annotations__["return"] = kind if kind else Callable
    if kind is None:
        with pytest.raises(UsageError, match="refusal="):
            wrap(guard, ask, on_block="reply")
    else:
        assert list(wrap(guard, ask, on_block="reply")("FORBIDDEN")) == ["Stopped."]


# --- any cut, any order of fields


def any_fields(seed: random.Random) -> list[Event]:
    """A stream that changes its field now and then, in words that are nearly matches."""
    words = ["FORB", "IDDEN", "FORBIDDEN", "NB-", "12", "34", "NB-1234", " and ", "x", ". "]
    chunks = []
    for _ in range(seed.randrange(1, 9)):
        field = seed.choice(["content", "reasoning_content"])
        chunks.append(delta(**{field: seed.choice(words)}))
        if seed.random() < 0.1:
            chunks.append({"choices": [], "usage": {"total_tokens": 1}})
    return [*chunks, delta(end="stop")]


@pytest.mark.parametrize("seed", range(400))
def test_no_match_leaves_in_any_field_or_across_them(guard: Scripted, seed: int) -> None:
    chunks = any_fields(random.Random(seed))
    shown, ended = relay(guard, chunks)
    fields = ("content", "reasoning_content")
    went_in = {field: texts(chunks, field=field) for field in fields}
    came_out = {field: texts(shown, field=field) for field in fields}

    def as_shown(events: list[Event]) -> str:
        said = (each["delta"] for event in events for each in event["choices"])
        return "".join(one.get(field) or "" for one in said for field in fields)

    joined = as_shown(shown)
    for text in (*came_out.values(), joined):
        assert "FORBIDDEN" not in text
        assert not ORDER.search(text)
    is_bad = any("FORBIDDEN" in text for text in (*went_in.values(), as_shown(chunks)))
    if is_bad:
        assert ended is not None
    elif ended is None:
        for field in fields:
            assert came_out[field] == ORDER.sub("[ORDER]", went_in[field])
    elif not (ORDER.search(ORDER.sub("", as_shown(chunks))) or ORDER.search(as_shown(chunks))):
        # Only a match across fields, which has no place to be rewritten in, may stop a good one; or
        # one that would be shown, because what a field held comes later than it came.
        assert lies_across(list(went_in.values()))


def test_a_long_stream_is_remembered_only_as_far_as_needed(guard: Scripted) -> None:
    chunks = [delta(content="some words " * 10) for _ in range(1_000)]
    shown, ended = relay(guard, [*chunks, delta(reasoning_content="FORB"), delta(content="IDDEN")])
    assert ended is not None
    assert "FO" not in texts(shown) + texts(shown, field="reasoning_content")
    assert 110 * 1_000 - 32 < len(texts(shown)) <= 110 * 1_000
