"""C1, C2 and C4 to C6 over real sockets: however a stream is cut or mixed, it is judged the same.

Nothing of a match leaves, wherever the events are cut; a block in the middle of a stream ends it
in the way of its dialect, and ends what it costs.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from ._served import MESSAGE, POLICY, Served, served
from ._upstream_double import Choices, Cut, Endless, Gzipped, Raw, Say, Sse, Upstream
from ._upstream_items import ALL

PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/messages")
SECRET = "FORBIDDEN"
TEXT = "Grüße: the parcel leaves on Tuesday 🚚, as it was said."
Body = dict[str, Any]


@pytest.fixture(scope="module")
def server(up: Upstream) -> Iterator[Served]:
    options = ("--upstream-timeout", "3", "--log-format", "json")
    with served(POLICY, *options, upstream=up.url) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as made:
        yield made


def _asked(path: str, **more: Any) -> Body:
    question = [{"role": "user", "content": "Where is it?"}]
    plain: dict[str, Body] = {
        "/v1/chat/completions": {"messages": question},
        "/v1/responses": {"input": "Where is it?"},
        "/v1/completions": {"prompt": "Where is it?"},
        "/v1/messages": {"messages": question, "max_tokens": 100},
    }
    return {"model": "m", "stream": True, **plain[path], **more}


def _events(raw: str) -> list[Body]:
    """The events of a stream, read as plainly as can be; each has to be one well-formed line."""
    out = []
    for block in filter(None, raw.split("\n\n")):
        *named, data = block.split("\n")
        assert data.startswith("data: "), block
        if data != "data: [DONE]":
            out.append(json.loads(data[6:]))
            if named:
                assert named == [f"event: {out[-1]['type']}"]
    return out


def _text(path: str, events: list[Body], choice: int = 0) -> str:
    """The text of one choice as a client shows it."""
    out = ""
    for event in events:
        for each in event.get("choices", ()):
            if each["index"] == choice:
                out += each.get("text") or (each.get("delta") or {}).get("content") or ""
        if event.get("type") == "response.output_text.delta":
            out += event["delta"]
        if event.get("type") == "content_block_delta":
            out += event["delta"].get("text", "")
    return out


def _stream(client: httpx2.Client, path: str, **more: Any) -> tuple[int, list[Body], str]:
    got = client.post(path, json=_asked(path, **more))
    if got.status_code != 200:
        return got.status_code, [], got.text
    return 200, _events(got.text), got.text


def _written(path: str, say: Say | Choices) -> bytes:
    """What upstream would write for it."""
    events = ALL[path].events
    assert events is not None
    says = [say] if isinstance(say, Say) else list(say.says)
    return b"".join(events(says, _asked(path), None))


# --- C4: bytes are not characters


def _commented(raw: bytes) -> bytes:
    odd = b": a comment\n\nretry: 10\nid: 7\n:\n"
    return odd + raw.replace(b"\n\n", b"\n: another\n\n" + odd)


def _in_lines(raw: bytes) -> bytes:
    """Each event over several data lines; a reader joins them with line feeds."""
    return re.sub(rb"data: \{(.*)\}\n", rb"data: {\ndata:\1\ndata: }\n", raw)


WRITTEN = {
    "LF": lambda raw: raw,
    "CRLF": lambda raw: raw.replace(b"\n", b"\r\n"),
    "CR": lambda raw: raw.replace(b"\n", b"\r"),
    "mixed": lambda raw: raw.replace(b"\n\n", b"\r\n\n"),
    "BOM": lambda raw: b"\xef\xbb\xbf" + raw,
    "comments": _commented,
    "many lines": _in_lines,
    "no blank": lambda raw: raw.replace(b"data: ", b"data:"),
}


def _cuts(raw: bytes, chance: random.Random) -> list[int]:
    """Places within characters, line ends and field names first, then anywhere."""
    within = [at for at in range(1, len(raw)) if raw[at] & 0xC0 == 0x80]
    ends = [m.start() + 1 for m in re.finditer(rb"\r\n|data|\n\n", raw)]
    anywhere = [chance.randrange(1, len(raw)) for _ in range(10)]
    return sorted({*within, *chance.sample(ends, min(10, len(ends))), *anywhere})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", WRITTEN)
def test_however_it_is_written_the_text_is_the_same(
    up: Upstream, client: httpx2.Client, path: str, way: str
) -> None:
    chance = random.Random(way)
    plain = _written(path, Say(f"{TEXT} NB-1234 {TEXT}", chunk=3))
    up.say(Sse(plain))
    _, events, _ = _stream(client, path)
    wanted = _text(path, events)
    assert wanted == f"{TEXT} [ORDER] {TEXT}"
    raw = WRITTEN[way](plain)
    for cuts in ([], _cuts(raw, chance)):
        up.say(Sse(raw, cuts))
        status, events, _ = _stream(client, path)
        assert (status, _text(path, events)) == (200, wanted)


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_that_is_packed_though_nobody_asked(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    up.say(Gzipped(Say(f"{TEXT} NB-1234", chunk=3)))
    _, events, _ = _stream(client, path)
    assert _text(path, events) == f"{TEXT} [ORDER]"
    assert up.asked[0].headers["accept-encoding"] == "identity"
    up.say(Gzipped(Say(f"{TEXT} {SECRET}", chunk=3)))
    _, events, raw = _stream(client, path)
    assert SECRET[:3] not in _text(path, events)
    assert MESSAGE in raw


# --- C1, C2: no cut lets a match out


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("secret", [SECRET, "NB-1234"])
def test_no_cut_lets_a_part_of_a_match_out(
    up: Upstream, client: httpx2.Client, path: str, secret: str
) -> None:
    """The match in two and in three pieces, at every place, and by single characters."""
    ways = [(at,) for at in range(1, len(secret))]
    ways += list(itertools.combinations(range(1, len(secret)), 2))[:: 1 if path == PATHS[0] else 4]
    ways.append(tuple(range(1, len(secret))))
    masked = "So it is: [ORDER] and so on."
    for cuts in ways:
        pieces = [secret[a:b] for a, b in itertools.pairwise((0, *cuts, len(secret)))]
        up.say(Sse(_in_pieces(path, ["So it is: ", *pieces, " and so on."])))
        status, events, raw = _stream(client, path)
        assert status == 200
        emitted = _text(path, events)
        assert _is_cut(emitted, "So it is: ") if secret == SECRET else emitted == masked, cuts
        assert not any(part in emitted for part in (secret[:3], secret[-3:], secret[2:5])), cuts
        assert secret not in raw


def _is_cut(emitted: str, before: str) -> bool:
    """Whether this is the message, behind what was cleared of the text before a match."""
    return emitted.endswith(MESSAGE) and before.startswith(emitted.removesuffix(MESSAGE))


def _in_pieces(path: str, pieces: list[str]) -> bytes:
    """A stream whose deltas are these pieces."""
    raw = _written(path, Say("".join(pieces), chunk=10**6))
    whole = json.dumps("".join(pieces), ensure_ascii=False)
    out = b""
    for block in raw.split(b"\n\n"):
        is_delta = b"delta" in block or path == "/v1/completions"
        if is_delta and f":{whole}".encode() in block:
            for piece in pieces:
                out += block.replace(whole.encode(), json.dumps(piece).encode()) + b"\n\n"
        else:
            out += block + b"\n\n" if block else b""
    return out


# --- C5: a block in the middle ends the stream, and ends what it costs


def _finished(path: str, events: list[Body], raw: str, *may: str) -> None:
    """One well-formed end, and nothing behind it; choices that `may` had ended before it."""
    if path == "/v1/messages":
        kinds = [event["type"] for event in events]
        assert kinds.count("message_stop") == kinds.count("message_delta") == 1
        assert kinds[-2:] == ["message_delta", "message_stop"]
        assert events[-2]["delta"]["stop_reason"] == "refusal"
        assert kinds.count("content_block_start") == kinds.count("content_block_stop")
    elif path == "/v1/responses":
        ends = [e for e in events if e["type"].split(".")[-1] in ("completed", "incomplete")]
        assert ends == [events[-1]]
        assert events[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
    else:
        assert raw.endswith("data: [DONE]\n\n")
        assert raw.count("[DONE]") == 1
        ended: dict[int, list[str]] = defaultdict(list)
        for event in events:
            for each in event["choices"]:
                assert not ended[each["index"]], "a choice went on after its end"
                if each.get("finish_reason"):
                    ended[each["index"]].append(each["finish_reason"])
        reasons = set(itertools.chain(*ended.values()))
        assert "content_filter" in reasons
        assert reasons <= {"content_filter", *may}


def _blocked_midway(
    up: Upstream, server: Served, client: httpx2.Client, path: str, chance: random.Random
) -> float:
    """One stream that is blocked while upstream has much more to say; how long it cost after."""
    before = TEXT[: chance.randrange(1, len(TEXT))]
    say = Say(f"{before} {SECRET} {TEXT * 20}", chunk=chance.randrange(1, 9), delay=0.002)
    up.say(say)
    started = time.monotonic()
    came: list[tuple[float, str]] = []
    with client.stream("POST", path, json=_asked(path)) as got:
        decision = got.headers["x-guardkit-decision"]
        for piece in got.iter_text():
            came.append((time.monotonic(), piece))  # noqa: PERF401 - each at its own time
    raw = "".join(piece for _, piece in came)
    events = _events(raw)
    assert _is_cut(_text(path, events), f"{before} ")
    _finished(path, events, raw)
    assert up.wait(lambda: bool(up.closed_early)), "upstream was read to its end"
    told = next(at for at, piece in came if MESSAGE in piece)
    assert told > started
    lines = [json.loads(line) for line in server.said().splitlines() if decision in line]
    assert [(line["action"], line["status"]) for line in lines] == [("block", 200)]
    assert SECRET not in server.said()
    return up.closed_early[0].at - told


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


@pytest.mark.parametrize("path", PATHS)
def test_a_block_midway_ends_the_stream_and_what_it_costs(
    up: Upstream, server: Served, client: httpx2.Client, path: str
) -> None:
    chance = random.Random(5)
    took = [_blocked_midway(up, server, client, path, chance) for _ in range(5)]
    assert _median(took) <= 0.1
    assert max(took) <= 1.0, "far longer than a busy machine explains"


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", PATHS)
def test_a_block_midway_250_times(
    up: Upstream, server: Served, client: httpx2.Client, path: str
) -> None:
    chance = random.Random(6)
    took = sorted(_blocked_midway(up, server, client, path, chance) for _ in range(250))
    assert took[int(len(took) * 0.99) - 1] <= 0.1


def test_the_real_parsers_read_the_end_of_a_blocked_stream(up: Upstream, server: Served) -> None:
    """The `openai` and `anthropic` clients, which know how each dialect ends."""
    up.say(Say(f"{TEXT} {SECRET} {TEXT}", chunk=3))
    question: Any = [{"role": "user", "content": "Where is it?"}]
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0) as made:
        chunks = list(made.chat.completions.create(model="m", messages=question, stream=True))
        assert chunks[-1].choices[0].finish_reason == "content_filter"
        shown = "".join(each.choices[0].delta.content or "" for each in chunks)
        assert _is_cut(shown, f"{TEXT} ")
        with (
            pytest.raises(openai.ContentFilterFinishReasonError),
            made.chat.completions.stream(model="m", messages=question) as chat,
        ):
            chat.get_final_completion()
        with made.responses.stream(model="m", input="Where is it?") as told:
            *_, last = told
        assert last.type == "response.incomplete"
        assert _is_cut(last.response.output_text, f"{TEXT} ")
    with anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0) as other:
        with other.messages.stream(model="m", max_tokens=9, messages=question) as said:
            message = said.get_final_message()
        assert message.stop_reason == "refusal"
        texts = [each.text for each in message.content if each.type == "text"]
        assert _is_cut("".join(texts), f"{TEXT} ")


# --- C6: choices and calls are streams of their own


def _mix(up: Upstream, client: httpx2.Client, seed: int) -> None:
    """Four choices with three calls each, mixed by chance; one of the sixteen may be stopped."""
    chance = random.Random(seed)
    names = [
        [(f"tool_{n}_{c}", json.dumps({"of": n, "call": c, "text": "ü" * c})) for c in range(3)]
        for n in range(4)
    ]
    texts = [
        f"{n}: {TEXT[: chance.randrange(len(TEXT))]} NB-{n}{n}{n}{n} end {n}" for n in range(4)
    ]
    where = chance.choice(["nowhere", "text", "call"])
    bad, which = chance.randrange(4), chance.randrange(3)
    if where == "text":
        texts[bad] += f" {SECRET}"
    elif where == "call":
        names[bad][which] = (names[bad][which][0], json.dumps({"to": SECRET}))
    says = [Say(t, c, chunk=chance.randrange(1, 9)) for t, c in zip(texts, names, strict=True)]
    up.say(Choices(says, seed=seed))
    path = PATHS[0]
    status, events, raw = _stream(client, path, n=4)
    assert status == 200
    assert SECRET not in raw
    calls: dict[tuple[int, int], list[str]] = defaultdict(lambda: ["", ""])
    for event in events:
        for each in event["choices"]:
            for call in each["delta"].get("tool_calls") or ():
                made = calls[each["index"], call["index"]]
                made[0] += call["function"].get("name") or ""
                made[1] += call["function"].get("arguments") or ""
    for (choice, number), (name, given) in calls.items():
        # Whole or not at all: no call is cut, none has a piece of another.
        assert (name, given) == names[choice][number], seed
        assert SECRET not in given
    for choice in range(4):
        shown = _text(path, events, choice)
        wanted = re.sub(r"NB-\d{4}", "[ORDER]", texts[choice])
        if where == "nowhere":
            assert shown == wanted, seed
        else:
            said = shown.replace(MESSAGE, "")
            assert wanted.startswith(said) or wanted.replace(SECRET, "").startswith(said), seed
            assert "FOR" not in said, seed
    if where == "nowhere":
        assert len(calls) == 12
        assert MESSAGE not in raw
    else:
        assert MESSAGE in raw, (seed, where)
        _finished(path, events, raw, "tool_calls")


def test_choices_and_calls_never_mix(up: Upstream, client: httpx2.Client) -> None:
    for seed in range(100):
        _mix(up, client, seed)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_choices_and_calls_never_mix_10_000_times(up: Upstream, client: httpx2.Client) -> None:
    for seed in range(1_000, 11_000):
        _mix(up, client, seed)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_mixed_items_and_blocks_are_judged_each(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    for seed in range(20):
        calls = [(f"tool_{c}", json.dumps({"call": c})) for c in range(3)]
        if is_bad := seed % 2 == 1:
            calls[seed % 3] = (calls[seed % 3][0], json.dumps({"to": SECRET}))
        up.say(Choices([Say(TEXT, calls, reasoning="They ask.", chunk=3)], seed=seed))
        status, _, raw = _stream(client, path)
        assert status == 200
        assert SECRET not in raw
        assert (MESSAGE in raw) == is_bad


# --- what upstream may write instead (abuse case 17)

HTML = b"<!doctype html><title>Bad gateway</title><p>try later"
CHATTED = json.dumps({"id": "x", "choices": [{"index": 0}]}).encode()
JUNK = {
    "HTML with 200": Raw(HTML, "text/html"),
    "HTML called JSON": Raw(HTML),
    "HTML called events": Raw(HTML, "text/event-stream"),
    "JSON called text": Raw(b'{"choices":[]}', "text/plain"),
    "nothing": Raw(b""),
    "a list": Raw(b"[]"),
    "a reply of no dialect": Raw(b'{"hello":"world"}'),
    "a choice without a message": Raw(CHATTED),
    "a key twice": Raw(b'{"choices":[],"choices":[]}'),
    "NaN": Raw(b'{"choices":NaN}'),
    "no UTF-8": Raw(b'{"choices":"\xff"}'),
    "packed in an unknown way": Raw(b"{}", headers=(("content-encoding", "br"),)),
    "packed and is not": Raw(b"{}", headers=(("content-encoding", "gzip"),)),
    "cut": Cut(2, how="close"),
    "reset": Cut(2, how="reset"),
    "cut at once": Cut(0, how="close"),
    "garbage with 500": Raw(HTML, "text/html", 500),
    "an unheard status": Raw(b"{}", status=299),
    "events that are no JSON": Sse(b"data: hello\n\n"),
    "events that are no events": Sse(b"data: {}\n\ndata: [DONE]\n\n"),
    "no events at all": Sse(b""),
    "events that end too soon": Sse(b'data: {"choices":[]}\n\n'),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("name", JUNK)
def test_junk_is_never_delivered(
    up: Upstream, client: httpx2.Client, path: str, streams: bool, name: str
) -> None:
    up.say(JUNK[name])
    got = client.post(path, json=_asked(path, stream=streams))
    assert got.headers["x-guardkit-decision"]
    assert "hello" not in got.text
    assert "doctype" not in got.text
    if got.status_code == 200:
        # It began well: then it has to end as an error, and not as a reply.
        last = _events(got.text)[-1]
        assert "error" in json.dumps(last), last
    else:
        assert got.status_code in (500, 502, 504)
        assert got.json()["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_that_breaks_off_is_no_whole_reply(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    """What was cleared came; the end says that it was none, and no part of a match was let out."""
    for how, after in itertools.product(("reset", "close", "clean"), (3, 8, 12)):
        up.say(Cut(after, Say(f"{TEXT} {SECRET[:5]}", chunk=5), how=how))
        status, events, raw = _stream(client, path)
        if status == 200:
            assert "FORB" not in _text(path, events)
            kinds = {event.get("type") for event in events}
            assert not kinds & {"message_stop", "response.completed"}
            assert "[DONE]" not in raw.split("error")[0]
            assert "error" in json.dumps(events[-1])
        else:
            assert status == 502


@pytest.mark.parametrize("path", PATHS)
def test_a_slow_drip_ends_and_a_silence_is_a_504(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    up.say(Say("x" * 40, chunk=1, delay=0.01))
    status, events, _ = _stream(client, path)
    assert (status, _text(path, events)) == (200, "x" * 40)
    plain = _written(path, Say("never shown", chunk=3))
    up.say(Sse(plain, [10], delay=8.0))
    began = time.monotonic()
    status, _, raw = _stream(client, path)
    assert status == 504, raw
    assert 2.0 < time.monotonic() - began < 7.0
    assert "never" not in raw


def test_an_endless_reply_is_bounded(up: Upstream, client: httpx2.Client) -> None:
    """64 MiB, and no more of it than that is read; nothing of it is delivered."""
    up.say(Endless("x" * 262_144, delay=0.0))
    got = client.post(PATHS[0], json=_asked(PATHS[0], stream=False))
    assert got.status_code == 502
    assert got.json()["error"]["code"] == "upstream_too_large"
    assert len(got.content) < 1_000
    assert up.wait(lambda: bool(up.closed_early))
    assert up.closed_early[0].sent < 64 * 4 + 64


def test_an_endless_stream_is_bounded(up: Upstream, client: httpx2.Client) -> None:
    """A stream may come to as much as a reply, and no more; it ends as an error."""
    up.say(Endless("more " * 40_000, delay=0.0))
    with client.stream("POST", PATHS[0], json=_asked(PATHS[0])) as got:
        size, tail = 0, b""
        for piece in got.iter_bytes():
            size += len(piece)
            tail = (tail + piece)[-2_000:]
    assert size < 80 << 20
    # What the guard holds of one stream has a bound of its own, which may come first.
    assert b"upstream_too_large" in tail or b"unreadable_reply" in tail
    assert b"[DONE]" not in tail
    assert up.wait(lambda: bool(up.closed_early))
