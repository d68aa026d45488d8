"""A policy in front of an ASGI app, by the protocol itself: no framework and no server."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import guardkit
from guardkit.integrations.asgi import Middleware
from guardkit.types import Ledger, Verdict

from ._asgi import JSON, Got, Inner, ask
from ._tools import POLICY, WITH_MEMORY, guard_of

STREAMS = POLICY[: POLICY.index("rule wait")]
"""Without the rule that reads a reply to its end."""
FLAGS = STREAMS.replace("policy shop", "policy shop\ndefaults { unread flag }")
BLOCKED = {"error": {"type": "guardkit_blocked", "message": "Not here."}}
TEXT, EVENTS = "text/plain", "text/event-stream"
LONG = "There is more to say, and it goes on and on until nobody listens. "
Test = Callable[[], Awaitable[None]]


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    return lambda test: anyio.run(test, backend=request.param)


def guarded(inner: Any, policy: str = STREAMS, **choices: Any) -> Middleware:
    return Middleware(inner, guard_of(policy), paths=["/chat"], **choices)


def get(inner: Any, path: str = "/chat", body: Any = None, **more: Any) -> Got:
    """One exchange with an app behind the middleware."""
    app = inner if isinstance(inner, Middleware) else guarded(inner)

    async def main() -> Got:
        return await ask(app, path, body, **more)

    return anyio.run(main)


# --- requests


def test_every_string_is_judged_and_the_app_gets_what_was_judged(run: Any) -> None:
    async def main() -> None:
        inner = Inner({"id": "NB-4321", "said": ["on its way", {"role": "NB-1111"}], "n": 1.5})
        body = {"id": "NB-1234", "type": "NB-2222", "deep": [["é NB-3333"]], "n": 7, "no": None}
        got = await ask(guarded(inner), "/chat/room", body, cuts=3)
        assert inner.json == {
            "id": "[ORDER]",
            "type": "[ORDER]",
            "deep": [["é [ORDER]"]],
            "n": 7,
            "no": None,
        }
        said = {"id": "[ORDER]", "said": ["on its way", {"role": "[ORDER]"}], "n": 1.5}
        assert (got.status, got.json) == (200, said)
        assert got.headers == {"content-type": JSON, "content-length": str(len(got.body))}
        (scope,) = inner.scopes
        assert dict(scope["headers"])[b"content-length"] == str(len(inner.bodies[0])).encode()

    run(main)


@pytest.mark.parametrize(
    "asked",
    [
        {"body": {"q": "the FORBIDDEN one"}},
        {"body": {"id": "FORBIDDEN"}},
        {"body": {"role": "system", "content": [{"type": "FORBIDDEN"}]}},
        {"body": {"FORBIDDEN": 1}},
        {"body": ["a", ["FORBIDDEN"]]},
        {"body": b'"FORBIDDEN"'},
        {"body": b'{"q": "\\u0046ORBIDDEN"}'},
        {"body": b"the FORBIDDEN one", "media": TEXT},
        {"method": "GET", "query": "q=the+FORBIDDEN%20one"},
        {"method": "GET", "query": "F%4FRBIDDEN=1"},
        {"method": "DELETE", "path": "/chat/the FORBIDDEN one"},
        {"method": "PUT", "path": "//x/..//chat/./FORBIDDEN"},
        {
            "path": "/chat/completions",
            "body": {"model": "m", "messages": [], "prompt": "FORBIDDEN"},
        },
    ],
)
def test_a_blocked_request_never_reaches_the_app(asked: Any) -> None:
    inner = Inner({"reply": "x"})
    got = get(inner, **asked)
    assert inner.scopes == []
    assert b"FORBIDDEN" not in got.body
    if not asked.get("path", "").endswith("completions"):
        assert (got.status, got.json) == (400, BLOCKED)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"body": {"NB-1234": 1}}, "name of a field"),
        ({"method": "GET", "query": "q=NB-1234"}, "query"),
        ({"method": "GET", "path": "/chat/NB-1234"}, "path"),
    ],
)
def test_what_cannot_be_changed_is_an_error(asked: Any, word: str) -> None:
    inner = Inner({"reply": "x"})
    got = get(inner, **asked)
    assert (got.status, got.json["error"]["type"]) == (400, "unreadable_request")
    assert word in got.json["error"]["message"]
    assert "1234" not in got.body.decode()
    assert inner.scopes == []


UNREAD: list[dict[str, Any]] = [
    {"body": b"q=hello", "media": "application/x-www-form-urlencoded"},
    {"body": b"--b\r\n", "media": "multipart/form-data; boundary=b"},
    {"body": b"\x00\x01", "media": "application/octet-stream"},
    {"body": b"{}", "media": None},
    {"body": b"{}", "media": "application/json; charset=utf-16"},
    {"body": b"{}", "media": JSON, "headers": [("content-encoding", "gzip")]},
    {"body": b"{}", "media": JSON, "headers": [("content-type", TEXT)]},
    {"body": b"data: x\n\n", "media": EVENTS},
]


@pytest.mark.parametrize("asked", UNREAD)
def test_what_cannot_be_read_is_blocked_unless_the_policy_lets_it_pass(asked: Any) -> None:
    inner = Inner({"reply": "x"})
    got = get(inner, **asked)
    assert (got.status, got.json["error"]["type"]) == (400, "guardkit_blocked")
    assert inner.scopes == []
    seen: list[Verdict] = []
    inner = Inner({"reply": "x"})
    got = get(guarded(inner, FLAGS, watch=seen.append), **asked)
    assert (got.status, inner.bodies) == (200, [asked["body"]])
    assert [each.action for each in seen] == ["flag"]


@pytest.mark.parametrize(
    "asked",
    [
        {"body": b"{"},
        {"body": b'{"a": 1, "a": 2}'},
        {"body": b'1, "b": 2'},
        {"body": b'1, "": 2'},
        {"body": b"\xef\xbb\xbf{}"},
        {"body": b"NaN"},
        {"body": b"[" * 60 + b"]" * 60},
        {"body": b"\xff", "media": TEXT},
        {"method": "GET", "query": "q=%ff"},
        {"method": "GET", "query": "&".join("a=1" for _ in range(1001))},
    ],
)
def test_what_is_malformed_is_refused(asked: Any) -> None:
    inner = Inner({"reply": "x"})
    got = get(inner, **asked)
    assert got.status == 400
    assert got.json["error"]["type"] != "guardkit_blocked"
    assert inner.scopes == []


def test_a_body_has_a_largest_size() -> None:
    inner = Inner({"reply": "x"})
    app = guarded(inner, most_body=20)
    for asked in (
        {"body": b"a" * 21, "media": TEXT},
        {"body": b"a" * 21, "media": TEXT, "cuts": 4},
        {"body": b"a", "media": TEXT, "headers": [("content-length", "9" * 5000)]},
    ):
        got = get(app, **asked)
        assert (got.status, got.json["error"]["type"]) == (413, "body_too_large")
    assert inner.scopes == []
    assert get(app, body=b"a" * 20, media=TEXT).status == 200


def test_the_app_is_not_offered_ways_past_the_policy() -> None:
    inner = Inner({"reply": "x"})
    asked = [("range", "bytes=0-9"), ("accept-encoding", "gzip"), ("x-own", "1")]
    scope = {"extensions": {"http.response.pathsend": {}, "tls": {"version": 1}}}
    get(inner, body={"q": "a"}, headers=[*asked, ("x-guardkit-session", "s")], scope=scope)
    (seen,) = inner.scopes
    names = [name.decode() for name, _ in seen["headers"]]
    assert sorted(names) == ["content-length", "content-type", "x-own"]
    assert seen["extensions"] == {"tls": {"version": 1}}

    async def sends_a_file(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/secret"})

    with pytest.raises(RuntimeError, match=r"http\.response\.pathsend"):
        get(sends_a_file)


# --- what is not judged


def test_everything_else_passes_untouched() -> None:
    for path in ("/", "/chats", "/v1/chat/completions", "/x/chat"):
        inner = Inner({"reply": "FORBIDDEN"})
        got = get(inner, path, {"q": "FORBIDDEN"})
        assert got.json == {"reply": "FORBIDDEN"}
        assert inner.json == {"q": "FORBIDDEN"}


def test_a_path_is_also_found_behind_a_root() -> None:
    inner = Inner({"reply": "x"})
    got = get(inner, "/api/chat", {"q": "FORBIDDEN"}, scope={"root_path": "/api"})
    assert got.json == BLOCKED


def test_lifespan_passes_and_other_connections_do_not() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def main() -> None:
        middle: Any = guarded(app)
        await middle({"type": "lifespan"}, None, None)
        await middle({"type": "websocket", "path": "/chats", "headers": []}, None, None)
        with pytest.raises(guardkit.UsageError, match="of this kind"):
            await middle({"type": "webtransport", "path": "/chat", "headers": []}, None, None)

    anyio.run(main)
    assert seen == ["lifespan", "websocket"]


def test_web_sockets_are_refused_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        inner = Inner()
        middle: Any = guarded(inner)
        for room in ("a", "FORBIDDEN"):
            scope = {"type": "websocket", "path": f"/chat/{room}", "headers": []}
            await middle(scope, receive, send)
        assert inner.scopes == []

    with caplog.at_level(logging.WARNING):
        anyio.run(main)
    assert [each["code"] for each in sent] == [1008, 1008]
    assert [each.getMessage() for each in caplog.records] == [
        "a WebSocket was refused: it would pass the policy by"
    ]


# --- replies


@pytest.mark.parametrize(
    "inner",
    [
        Inner({"reply": "the FORBIDDEN one"}),
        Inner({"FORBIDDEN": "x"}),
        Inner({"id": "FORBIDDEN"}, status=422),
        Inner(["FORBIDDEN"], media="application/problem+json"),
        Inner([b'{"reply": "FORB', b'IDDEN"}']),
        Inner(b"the FORBIDDEN one", media=f"{TEXT}; charset=utf-8"),
        Inner({"object": "response", "note": "FORBIDDEN"}),
        Inner({"choices": [], "logprobs": {"x": "FORBIDDEN"}}),
    ],
)
def test_a_blocked_reply_is_not_shown(inner: Inner) -> None:
    got = get(inner, body={"q": "a"})
    assert (got.status, got.json) == (400, BLOCKED)
    assert inner.is_done  # what an app does behind its reply goes on


@pytest.mark.parametrize(
    ("media", "headers"),
    [
        ("image/png", []),
        ("text/html", []),
        ("application/x-ndjson", []),
        ("", []),
        (JSON, [("content-encoding", "gzip")]),
        (JSON, [("content-range", "bytes 0-1/9")]),
        ("text/plain; charset=latin-1", []),
    ],
)
def test_a_reply_that_cannot_be_read_is_blocked_or_passes_as_it_is(
    media: str, headers: Any
) -> None:
    def inner() -> Inner:
        return Inner([b"{", b"}"], media=media, headers=[*headers, ("etag", "x")])

    got = get(inner(), body={"q": "a"})
    assert (got.status, got.json["error"]["type"]) == (400, "guardkit_blocked")
    got = get(guarded(inner(), FLAGS), body={"q": "a"})
    assert (got.status, got.body, got.headers["etag"]) == (200, b"{}", "x")


@pytest.mark.parametrize("says", [b"{", b'{"a":1,"a":2}', b"NaN"])
def test_a_malformed_reply_is_not_shown(says: bytes) -> None:
    got = get(Inner(says), body={"q": "a"})
    assert (got.status, got.json["error"]["type"]) == (502, "unreadable_reply")


def test_replies_without_a_body_have_none() -> None:
    for status in (204, 304):
        got = get(Inner(b"FORBIDDEN", status=status, media=""), body={"q": "a"})
        assert (got.status, got.body, got.headers) == (status, b"", {})
    length = [("content-length", "99")]
    got = get(Inner({"a": "FORBIDDEN"}, headers=length), method="HEAD", query="q=a")
    assert (got.status, got.body, got.headers) == (200, b"", {"content-type": JSON})
    got = get(Inner(None, status=307, media="", headers=[("location", "/x")]), body={"q": "a"})
    assert (got.status, got.headers) == (307, {"location": "/x", "content-length": "0"})


def test_headers_that_are_true_of_other_bytes_go() -> None:
    headers = [("etag", "x"), ("content-length", "999"), ("x-own", "1"), ("digest", "y")]
    got = get(Inner({"a": "b"}, headers=headers), body={"q": "a"})
    assert got.headers == {"content-type": JSON, "x-own": "1", "content-length": "9"}


# --- streams of text


def cut(text: str, size: int) -> list[bytes]:
    raw = text.encode()
    return [raw[at : at + size] for at in range(0, len(raw), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_text_streams_and_no_byte_of_a_match_is_shown(size: int, run: Any) -> None:
    async def main() -> None:
        inner = Inner(cut(f"é {LONG} NB-4321 {LONG}", size), media=TEXT)
        got = await ask(guarded(inner), body={"q": "a"})
        assert got.body.decode() == f"é {LONG} [ORDER] {LONG}"
        assert got.headers == {"content-type": TEXT}
        assert len(got.pieces) > 1
        inner = Inner(cut(f"{LONG} the FORBIDDEN one {LONG}", size), media=TEXT)
        got = await ask(guarded(inner), body={"q": "a"})
        assert got.status == 200
        assert got.body.decode().endswith("Not here.")
        assert "FORB" not in got.body.decode()
        assert got.is_whole
        assert inner.was_cut or size == 50

    run(main)


def test_text_that_is_no_text_is_cut() -> None:
    with pytest.raises(guardkit.UsageError, match="no reply that could be judged"):
        get(Inner([*cut(LONG * 2, 9), b"\xff"], media=TEXT), body={"q": "a"})


# --- streams of events


def events(*said: Any, size: int = 1000) -> Inner:
    lines = (each if isinstance(each, str) else json.dumps(each) for each in said)
    return Inner(cut("".join(f"data: {line}\n\n" for line in lines), size), media=EVENTS)


def tokens(text: str) -> Iterator[dict[str, Any]]:
    for at in range(0, len(text), 3):
        yield {"type": "token", "run_id": "r-1", "n": at, "text": text[at : at + 3]}


@pytest.mark.parametrize("size", [1, 5, 64, 100_000])
def test_events_stream_and_no_byte_of_a_match_is_shown(size: int, run: Any) -> None:
    async def main() -> None:
        inner = events(*tokens(f"{LONG} NB-4321 {LONG}"), "[DONE]", size=size)
        got = await ask(guarded(inner), body={"q": "a"})
        assert got.events[-1] == ("", "[DONE]")
        said = [json.loads(data) for _, data in got.events[:-1]]
        assert "".join(each["text"] for each in said) == f"{LONG} [ORDER] {LONG}"
        assert {(each["type"], each["run_id"]) for each in said} == {("token", "r-1")}
        inner = events(*tokens(f"{LONG} the FORBIDDEN one {LONG}"), "[DONE]", size=size)
        got = await ask(guarded(inner), body={"q": "a"})
        assert got.status == 200
        kind, data = got.events[-1]
        assert (kind, json.loads(data)) == ("error", BLOCKED)
        assert b"FORB" not in got.body
        assert b"[DONE]" not in got.body
        assert got.is_whole
        assert inner.was_cut or size > 64

    run(main)


def test_the_texts_of_an_event_stay_together() -> None:
    said = {"n": 1, "title": "a b", "body": {"text": "c d"}, "tags": ["x y", {}]}
    inner = Inner(f"event: card\ndata: {json.dumps(said)}\n\n".encode(), media=EVENTS)
    ((kind, data),) = get(inner, body={"q": "a"}).events
    assert (kind, json.loads(data)) == ("card", said)
    # What is longer than what is held back comes in two.
    said = {"n": 1, "title": f"{LONG}a", "body": {"text": f"{LONG}b"}}
    inner = Inner(f"event: card\ndata: {json.dumps(said)}\n\n".encode(), media=EVENTS)
    first, last = (json.loads(data) for _, data in get(inner, body={"q": "a"}).events)
    assert first["title"] + last["title"] == f"{LONG}a"
    assert first["body"]["text"] + last["body"]["text"] == f"{LONG}b"


def test_events_may_be_text() -> None:
    inner = Inner(b"data: two\ndata: lines\n\ndata: 42\n\ndata: {x\n\n", media=EVENTS)
    got = get(inner, body={"q": "a"})
    assert "".join(data for _, data in got.events) == "two\nlines42{x"
    # A match whose digits come one by one, each of them a number to whoever reads JSON.
    inner = events("NB-", "4", "3", "2", "1", " is it")
    got = get(inner, body={"q": "a"})
    assert "".join(data for _, data in got.events) == "[ORDER] is it"


@pytest.mark.parametrize(
    "said",
    [
        {"type": "FORBIDDEN"},
        {"FORBIDDEN": 1},
        {"object": "response", "note": "FORBIDDEN"},
        {"choices": [{"delta": {"content": "x", "note": "FORBIDDEN"}}]},
        '"the FORBIDDEN one"',
        "the FORBIDDEN one",
    ],
)
def test_every_string_of_an_event_is_judged(said: Any) -> None:
    got = get(events(said), body={"q": "a"})
    ((kind, data),) = got.events
    assert (got.status, kind, json.loads(data)) == (200, "error", BLOCKED)


@pytest.mark.parametrize(
    "says",
    [
        b'data: {"a":1,"a":2}\n\n',
        b'data: {"a": NaN, "b": "\\u0046ORBIDDEN"}\n\n',
        b"event: FORBIDDEN one\ndata: x\n\n",
        b"data: \xff\n\n",
    ],
)
def test_an_event_that_cannot_be_read_is_not_shown(says: bytes) -> None:
    got = get(Inner(says, media=EVENTS), body={"q": "a"})
    assert (got.status, got.json["error"]["type"]) == (502, "unreadable_reply")
    shown = b"".join(cut("".join(f"data: {LONG}\n\n" for _ in range(3)), 1000))
    got = get(Inner(shown + says, media=EVENTS), body={"q": "a"})
    kind, data = got.events[-1]
    assert (kind, json.loads(data)["error"]["type"]) == ("error", "unreadable_reply")


# --- dialects

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Where is NB-1234?"}]}
BAD = {"model": "m", "messages": [{"role": "user", "content": "the FORBIDDEN one"}]}


def completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "c-1", "object": "chat.completion", "model": "m", "choices": [choice]}


def chunks(text: str) -> Iterator[dict[str, Any]]:
    head = {"id": "c-1", "object": "chat.completion.chunk", "model": "m"}
    for at in range(0, len(text), 4):
        choice = {"index": 0, "delta": {"content": text[at : at + 4]}, "finish_reason": None}
        yield {**head, "choices": [choice]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def test_a_dialect_is_judged_as_the_server_judges_it(run: Any) -> None:
    async def main() -> None:
        inner = Inner(completion("It is NB-4321."))
        got = await ask(guarded(inner), "/chat/v1/chat/completions", CHAT)
        assert inner.json["messages"][0]["content"] == "Where is [ORDER]?"
        assert got.json["choices"][0]["message"]["content"] == "It is [ORDER]."
        assert got.headers["content-length"] == str(len(got.body))
        inner = Inner(completion("x"))
        got = await ask(guarded(inner), "/chat/v1/chat/completions", BAD)
        (choice,) = got.json["choices"]
        assert (got.status, choice["finish_reason"]) == (200, "content_filter")
        assert choice["message"]["content"] == "Not here."
        assert inner.scopes == []

    run(main)


def test_streams_of_a_dialect_end_as_it_does(run: Any) -> None:
    async def main() -> None:
        asked = {**CHAT, "stream": True}
        inner = events(*chunks(f"{LONG} NB-4321 {LONG}"), "[DONE]", size=11)
        got = await ask(guarded(inner), "/chat/completions", asked)
        said = [json.loads(data)["choices"][0]["delta"] for _, data in got.events[:-1]]
        text = "".join(each.get("content") or "" for each in said)
        assert text == f"{LONG} [ORDER] {LONG}"
        assert inner.is_done  # what stands behind the last event is the app's own
        inner = events(*chunks(f"{LONG} FORBIDDEN {LONG}"), "[DONE]", size=11)
        got = await ask(guarded(inner), "/chat/completions", asked)
        assert b"FORB" not in got.body
        assert got.body.endswith(b"data: [DONE]\n\n")
        assert inner.was_cut

    run(main)


def test_faults_are_said_in_the_dialect() -> None:
    cases: list[tuple[Inner, str, Any, int, str]] = [
        (Inner(), "/chat/completions", b"{", 400, "invalid_request_error"),
        (
            Inner(),
            "/chat/embeddings",
            {"model": "m", "input": "FORBIDDEN"},
            400,
            "guardkit_blocked",
        ),
        (Inner(b"<p>", media="text/html"), "/chat/completions", CHAT, 502, "server_error"),
        (
            Inner(completion("x"), headers=[("content-encoding", "gzip")]),
            "/chat/completions",
            CHAT,
            502,
            "server_error",
        ),
        (Inner({"error": {"message": "NB-1234"}}, status=429), "/chat/completions", CHAT, 429, ""),
    ]
    for inner, path, body, status, kind in cases:
        got = get(inner, path, body)
        assert got.status == status
        assert kind in got.json["error"]["type"]
        assert "NB-1234" not in got.body.decode()
    got = get(Inner(), "/chat/messages", b"{")
    assert (got.status, got.json["type"]) == (400, "error")


def test_the_query_of_a_dialect_is_judged_too() -> None:
    inner = Inner(completion("x"))
    got = get(inner, "/chat/completions", CHAT, query="v=2&q=FORBIDDEN")
    assert (got.status, got.json["error"]["type"]) == (400, "guardkit_blocked")
    assert inner.scopes == []
    assert get(inner, "/chat/completions", CHAT, query="api-version=2026-01-01").status == 200


def test_a_model_may_be_asked_for_another_reply() -> None:
    revises = STREAMS + (
        '\nprinciple polite { tier ethics text "Be polite." }\n'
        'check rude = words { list ["fool"] }\n'
        "rule better { tier ethics on output when rude then revise by polite at most 2 "
        'else block "No." }\n'
    )

    class Learns(Inner):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.says = completion("You fool." if not self.scopes else "Dear friend.")
            await super().__call__(scope, receive, send)

    inner = Learns()
    got = get(guarded(inner, revises), "/chat/completions", CHAT)
    assert got.json["choices"][0]["message"]["content"] == "Dear friend."
    assert len(inner.scopes) == 2


# --- blocks that are raised


def test_a_block_may_be_raised_while_nothing_is_sent() -> None:
    for inner, body in (
        (Inner(), {"q": "FORBIDDEN"}),
        (Inner({"a": "FORBIDDEN"}), {"q": "a"}),
        (events("FORBIDDEN"), {"q": "a"}),
        (Inner([b"FORBIDDEN", b" x"], media=TEXT), {"q": "a"}),
    ):
        with pytest.raises(guardkit.Blocked) as caught:
            get(guarded(inner, on_block="raise"), body=body)
        assert caught.value.verdict.message == "Not here."
        assert "FORBIDDEN" not in str(caught.value) + repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    with pytest.raises(guardkit.Blocked):
        get(guarded(Inner(), on_block="raise"), "/chat/completions", BAD)
    inner = events(*chunks(f"{LONG} FORBIDDEN"), size=11)
    asked = {**CHAT, "stream": True}
    got = get(guarded(inner, on_block="raise"), "/chat/completions", asked)
    assert json.loads(got.events[-1][1])["error"]["type"] == "guardkit_blocked"
    assert got.is_whole


# --- apps that fail, clients that leave


def test_what_an_app_raises_is_raised(run: Any) -> None:
    def app(after: int) -> Any:
        async def fails(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"text/plain")]
            start = {"type": "http.response.start", "status": 200, "headers": headers}
            piece = {"type": "http.response.body", "body": LONG.encode(), "more_body": True}
            for message in [start, piece, piece, {**piece, "more_body": False}][:after]:
                await send(message)
            raise KeyError("of the app")

        return fails

    async def main() -> None:
        for after in range(5):
            got = None
            with pytest.raises(KeyError, match="of the app"):
                got = await ask(guarded(app(after)), body={"q": "a"})
            assert got is None

    run(main)


def test_an_app_that_says_nothing_says_nothing() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    assert get(silent, body={"q": "a"}).status == 0


def test_a_client_that_leaves_stops_the_app(run: Any) -> None:
    async def main() -> None:
        inner = Inner([LONG.encode()] * 50, media=TEXT)
        got = await ask(guarded(inner), body={"q": "a"}, leaves_after=2)
        assert inner.was_cut
        assert not got.is_whole
        assert len(got.pieces) < 9

    run(main)


def test_a_client_that_leaves_while_it_asks_is_forgotten() -> None:
    async def main() -> None:
        inner = Inner()

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        scope = {"type": "http", "method": "POST", "path": "/chat", "headers": []}
        await guarded(inner)(scope, receive, receive)  # type: ignore[arg-type]  # sends nothing
        assert inner.scopes == []

    anyio.run(main)


def test_a_cancelled_exchange_stays_cancelled(run: Any) -> None:
    async def main() -> None:
        waits = anyio.Event()
        closed: list[str] = []

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            waits.set()
            try:
                await anyio.sleep_forever()
            finally:
                closed.append("app")

        with anyio.move_on_after(30) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, guarded(slow), "/chat", {"q": "a"})
                await waits.wait()
                scope.cancel()
        assert scope.cancelled_caught
        assert closed == ["app"]

    run(main)


def test_what_an_app_does_behind_its_reply_is_left_alone(run: Any) -> None:
    done: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})
        assert (await receive())["type"] == "http.disconnect"
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        done.append("work")

    async def main() -> None:
        assert (await ask(guarded(app), body={"q": "a"})).body == b"ok"

    run(main)
    assert done == ["work"]


def test_the_app_runs_where_the_server_called_it(run: Any) -> None:
    said: ContextVar[str] = ContextVar("said", default="nothing")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert said.get() == "outside"
        said.set("inside")
        await Inner({"a": "b"})(scope, receive, send)

    async def main() -> None:
        said.set("outside")
        await ask(guarded(app), body={"q": "a"})
        assert said.get() == "inside"

    run(main)


# --- choices


def test_a_policy_with_a_memory_wants_a_session() -> None:
    inner = Inner({"a": "b"})
    app = guarded(inner, WITH_MEMORY)
    for path, body in (("/chat", {"q": "a"}), ("/chat/completions", CHAT)):
        got = get(app, path, body)
        assert got.status == 400
        assert "remembers a conversation" in got.body.decode()
    assert inner.scopes == []
    assert get(app, body={"q": "a"}, headers=[("x-guardkit-session", "é")]).status == 400


def test_a_session_remembers_across_both_ways_to_ask() -> None:
    app = guarded(Inner(completion("x")), WITH_MEMORY)
    header = [("x-guardkit-session", "s-1")]
    assert get(app, body={"q": "FORBIDDEN"}, headers=header).json == BLOCKED
    got = get(app, "/chat/completions", BAD, headers=header)
    assert got.json["choices"][0]["message"]["content"] == "Enough."
    got = get(app, body={"q": "hello"}, headers=header)
    assert got.json["error"]["message"] == "Enough."
    assert get(app, body={"q": "hello"}, headers=[("x-guardkit-session", "s-2")]).status == 200


def test_a_client_cannot_leave_a_session_that_was_chosen() -> None:
    def user(scope: Any) -> str:
        return str(dict(scope["headers"])[b"x-user"].decode())

    app = guarded(Inner({"a": "b"}), WITH_MEMORY, session=user)
    for session in ("a", "b"):
        headers = [("x-user", "u"), ("x-guardkit-session", session)]
        got = get(app, body={"q": "FORBIDDEN"}, headers=headers)
    assert got.json["error"]["message"] == "Enough."


def test_rules_may_ask_about_the_request() -> None:
    policy = STREAMS + (
        "\nrule closed { tier safety on input "
        'when context.plan == "free" then block "Pay first." }\n'
    )
    app = guarded(Inner({"a": "b"}), policy, context=lambda scope: {"plan": scope["plan"]})
    assert get(app, body={"q": "a"}, scope={"plan": "paid"}).status == 200
    got = get(app, body={"q": "a"}, scope={"plan": "free"})
    assert got.json["error"]["message"] == "Pay first."


def test_each_exchange_is_told_once() -> None:
    seen: list[Verdict] = []
    ended: list[Ledger] = []
    app = guarded(Inner({"a": "NB-1234"}), watch=seen.append, ledger=ended.append)
    get(app, body={"q": "a"})
    assert [(each.action, each.surface) for each in seen] == [("rewrite", "output")]
    assert [each.outcome for each in ended] == ["answered"]
    get(app, body={"q": "FORBIDDEN"})
    assert [(each.outcome, each.layer, each.by) for each in ended[1:]] == [
        ("refused", "input", "rule stop")
    ]
    get(app, "/chat/completions", BAD)
    assert len(ended) == 3


def test_a_held_reply_may_be_waited_for() -> None:
    guard = guard_of()
    app = Middleware(Inner({"a": "a refund"}), guard, paths=["/chat"], on_hold="wait")

    async def main() -> None:
        found: list[Got] = []

        async def asks() -> None:
            found.append(await ask(app, body={"q": "a"}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asks)
            while not (waiting := guard.holds.list()):
                await anyio.sleep(0.01)
            guard.holds.approve(waiting[0].id, by="me")
        assert (found[0].status, found[0].json) == (200, {"a": "a refund"})

    anyio.run(main)


@pytest.mark.parametrize("paths", ["/chat", [], ["chat"]])
def test_the_paths_have_to_be_named(paths: Any) -> None:
    with pytest.raises(guardkit.UsageError, match="`paths`"):
        Middleware(Inner(), guard_of(), paths=paths)


def test_other_choices_are_checked_at_once() -> None:
    for wrong in ({"on_block": "no"}, {"on_hold": "no"}):
        with pytest.raises(guardkit.UsageError, match=r"raise|wait"):
            guarded(Inner(), **wrong)


def test_what_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", None)
    with pytest.raises(guardkit.BindError, match=r"pip install 'guardkit\[asgi\]'"):
        guarded(Inner())


def test_exchanges_at_the_same_time_are_kept_apart(run: Any) -> None:
    """Each answer, verdict and session belongs to its own request."""

    async def main() -> None:
        async def slow(scope: Any, receive: Any, send: Any) -> None:
            said = json.loads((await receive())["body"])["q"]
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            await Inner({"a": said})(scope, receive_of(said), send)

        def receive_of(said: str) -> Any:
            async def receive() -> Any:
                return {"type": "http.request", "body": said.encode(), "more_body": False}

            return receive

        app = guarded(slow, WITH_MEMORY, session=lambda scope: str(scope["who"]))
        got: dict[int, Got] = {}

        async def one(number: int) -> None:
            text = "the FORBIDDEN one" if number % 3 == 0 else f"NB-1234 for {number}"
            got[number] = await ask(app, body={"q": text}, scope={"who": number})

        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(one, number)
        for number in range(60):
            said = BLOCKED if number % 3 == 0 else {"a": f"[ORDER] for {number}"}
            assert got[number].json == said

    run(main)


def test_nothing_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    from guardkit.integrations.asgi._exchange import Exchange

    with caplog.at_level(logging.DEBUG):
        get(Inner({"a": "FORBIDDEN"}), body={"q": "NB-1234"})
    assert [each.name for each in caplog.records if each.name.startswith("guardkit")] == []
    scope = {"method": "POST", "path": "/chat/FORBIDDEN", "headers": []}
    never: Any = None
    settings = guarded(Inner())._settings

    async def main() -> None:
        assert "FORB" not in repr(Exchange(never, settings, scope, "x", never, never))

    anyio.run(main)
