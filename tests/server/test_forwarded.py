"""E4 and E5: upstream gets what was judged and nothing else, at one address, by one way."""

from __future__ import annotations

import gzip
import json
import random
import re
import socket
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest

from ._fields import CANARY, REQUESTS, STRICT, Body, is_in, planted, texts
from ._served import ADMIN, Served, served
from ._upstream_double import Redirect, Say, Upstream, upstream

CHAT = "/v1/chat/completions"
ASKED: Body = {"model": "m", "messages": [{"role": "user", "content": "Where is it?"}]}
BODY = json.dumps(ASKED).encode()
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(Say("All is well.")) as double:
        yield double


@pytest.fixture(scope="module")
def server(up: Upstream) -> Iterator[Served]:
    with served(STRICT, upstream=up.url) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=20) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_asked(up: Upstream) -> None:
    up.say(Say("All is well."))


# --- E4: what is forwarded is what was judged


class _Ambiguous(Exception):  # noqa: N818 - no error of the test
    """Two readers may read this differently."""


def _once(pairs: Sequence[tuple[str, Any]]) -> Body:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Ambiguous
    return made


def _strictly(raw: bytes) -> Any:
    """JSON as every reader has to read it; an independent reading, written for this test."""

    def refuse(word: str) -> Any:
        raise _Ambiguous

    if raw.startswith(b"\xef\xbb\xbf"):
        raise _Ambiguous
    try:
        text = raw.decode()
        return json.loads(text, object_pairs_hook=_once, parse_constant=refuse)
    except ValueError:
        raise _Ambiguous from None


TRICKS = [
    b"NaN", b"-Infinity", b"1e999", b"99999999999999999999999", b'"role":"user",', b"\xff", b"\x00",
    b'"\\u0072ole":"user",', b'"messages":[],', b'"mess\\u0061ges":[],', b"\\ud800", b"\\u0000",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"}", b"{}", b"]", b",", b"//", b"/**/", b"'", b"\t",
    b'"stream":true,', b'"n":2,', b"1.0", b"-0", b"null", b"01", b"+1", b".5", b"[" * 60, b"\\",
    b'"', b"\xc2\xa0", b"\xe2\x80\xa8", b"\\/", b"\\u2028", b'"__proto__":{"x":1},', b"true", b"\n",
    b"e", b"\\x41",
]  # fmt: skip


def _mutated(body: bytes, chance: random.Random) -> bytes:
    raw = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(raw))
        match chance.randrange(6):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randrange(1, 8)]
            case 2:
                end = at + chance.randrange(1, 40)
                raw[at:at] = raw[at:end]
            case 3:
                # After a comma or an opening brace: where a trick may be read as a field.
                places = [m.end() for m in re.finditer(rb"[{,]", bytes(raw))] or [at]
                at = chance.choice(places)
                raw[at:at] = chance.choice(TRICKS)
            case _:
                raw[at:at] = chance.choice(TRICKS)
        if not raw:
            raw += b"{"
    return bytes(raw)


def _fuzz(up: Upstream, client: httpx2.Client, count: int, seed: int) -> tuple[int, int]:
    """Send mutated bodies. How many went on, and how many were refused."""
    chance = random.Random(seed)
    bodies = [(CHAT, ASKED), *REQUESTS.items()]
    went = refused = 0
    for number in range(count):
        path, body = bodies[number % len(bodies)]
        if number % 3 == 0:
            body = planted(body, chance.choice(list(texts(body))))
        sent = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode()
        # Every fourth is only written in another way: those have to go on.
        sent = _mutated(sent, chance) if number % 4 else json.dumps(body, indent=1).encode()
        up.asked.clear()
        got = client.post(path, content=sent, headers=JSON)
        if not up.asked:
            refused += 1
            is_blocked = got.headers.get("x-guardkit-action") == "block"
            assert is_blocked or 400 <= got.status_code < 500, (seed, number, got.status_code)
            continue
        went += 1
        [asked] = up.asked
        forwarded = _strictly(asked.raw)
        judged = _strictly(sent)  # raises where two readers might differ: then nothing may go on
        nulls = {name for name, value in judged.items() if value is None}
        assert {**dict.fromkeys(nulls), **forwarded} == judged, (seed, number)
        assert asked.raw == orjson.dumps(forwarded), "these are bytes of the client"
        assert not is_in(CANARY, forwarded), (seed, number)
    return went, refused


def test_what_is_forwarded_is_what_was_judged(up: Upstream, client: httpx2.Client) -> None:
    went, refused = _fuzz(up, client, 300, seed=1)
    assert went > 50
    assert refused > 100


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_what_is_forwarded_is_what_was_judged_100_000_times(
    up: Upstream, client: httpx2.Client
) -> None:
    for seed in range(100):
        went, refused = _fuzz(up, client, 1_000, seed=100 + seed)
        assert went > 150
        assert refused > 300


MESSAGES = b'"messages":[{"role":"user","content":"Where is it?"}]'
MALFORMED = {
    "a key twice": b'{"model":"m",%b,%b}' % (MESSAGES, MESSAGES),
    "a key twice, once escaped": b'{"model":"m",%b,"mess\\u0061ges":[]}' % MESSAGES,
    "a key twice, deep": b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}',
    "bytes that are no UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    "an encoded surrogate": b'{"model":"m","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
    "an overlong form": b'{"model":"m","messages":[{"role":"user","content":"\xc0\xaf"}]}',
    "half a pair": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "NaN": b'{"model":"m",%b,"temperature":NaN}' % MESSAGES,
    "Infinity": b'{"model":"m",%b,"temperature":-Infinity}' % MESSAGES,
    "a number that overflows": b'{"model":"m",%b,"temperature":1e999}' % MESSAGES,
    "an integer of no machine": b'{"model":"m",%b,"seed":123456789012345678901}' % MESSAGES,
    "more behind the end": BODY + b'{"model":"x"}',
    "a null byte behind the end": BODY + b"\x00",
    "a mark in front": b"\xef\xbb\xbf" + BODY,
    "UTF-16": BODY.decode().encode("utf-16"),
    "UTF-7": BODY.replace(b'"', b"+ACI-"),
    "a list": b"[" + BODY + b"]",
    "a text": json.dumps(BODY.decode()).encode(),
    "nothing": b"",
    "a comment": b"/* */" + BODY,
    "too deep": b'{"model":"m",%b,"x":%b}' % (MESSAGES, b"[" * 60 + b"]" * 60),
    "a body that is packed": gzip.compress(BODY),
    "a form": b"model=m&messages=x",
    "tokens": b'{"model":"m","messages":[[1,2,3]]}',
    "a text for messages": b'{"model":"m","messages":"FORBIDDEN"}',
    "an absurd n": b'{"model":"m",%b,"n":100000}' % MESSAGES,
    "a number that is a text": b'{"model":"m",%b,"n":"2"}' % MESSAGES,
    "stream that is no truth value": b'{"model":"m",%b,"stream":"yes"}' % MESSAGES,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_two_readers_read_differently_is_refused(
    up: Upstream, client: httpx2.Client, name: str
) -> None:
    got = client.post(CHAT, content=MALFORMED[name], headers=JSON)
    assert 400 <= got.status_code < 500
    assert got.json()["error"]["code"]
    assert got.headers["x-guardkit-decision"]
    assert up.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/json", "content-encoding": "gzip, identity"},
        {"content-type": "application/json", "content-encoding": "br"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; charset=utf-7"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json; charset=utf-8; charset=utf-16"},
        {"content-type": "application/json, text/plain"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {},
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_no_other_way_to_write_a_body(
    up: Upstream, client: httpx2.Client, headers: dict[str, str], is_packed: bool
) -> None:
    body = gzip.compress(BODY) if is_packed else BODY
    assert client.post(CHAT, content=body, headers=headers).status_code == 415
    assert up.asked == []


# --- E5: there is no way around


def _said(server: Served, head: str, body: bytes = BODY) -> tuple[int, bytes]:
    """One request, written by hand: the status and all of the answer."""
    parts = urlsplit(server.url)
    out = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        while True:
            try:
                data = wire.recv(65_536)
            except ConnectionResetError:
                break
            out += data
            first, has_head, rest = out.partition(b"\r\n\r\n")
            size = re.search(rb"(?i)content-length: (\d+)", first)
            if not data or (has_head and size is not None and len(rest) >= int(size[1])):
                break
    assert out.startswith(b"HTTP/1.1 "), out[:80]
    return int(out[9:12]), out


def _head(server: Served, line: str, *more: str, host: str | None = None) -> str:
    named = urlsplit(server.url).netloc if host is None else host
    sized = ("content-type: application/json", f"content-length: {len(BODY)}")
    return "\n".join([f"{line} HTTP/1.1", f"host: {named}", *sized, *more])


@pytest.mark.parametrize(
    "target",
    [
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/Chat/Completions",
        "/v1/%63hat/completions",
        "/v1%2fchat%2fcompletions",
        "/v1/chat%2Fcompletions",
        "/v1/x/../chat/completions",
        "/../v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/chat/completions;x=y",
        "/v1/chat/completions%00",
        "/v1/chat/completions%20",
        "/v1/chat/completions%3fx",
        "/v1/chat\\completions",
        "/v1/embeddings/../chat/completions",
        "//models.example/v1/chat/completions",
        "/chat/completions",
        "/openai/v1/chat/completions",
        "/v1/models",
        "/v1/files",
        "/v1/batches",
        "/v1/responses/resp_1",
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/audio/speech",
        "/v1/images/generations",
        "/v1/realtime",
        "v1/chat/completions",
        "*",
    ],
)
def test_no_other_path_leads_upstream(up: Upstream, server: Served, target: str) -> None:
    status, _ = _said(server, _head(server, f"POST {target}"))
    assert status in (400, 404, 405)
    assert up.asked == []


@pytest.mark.parametrize(
    "method",
    ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "post", "ASK"],
)
@pytest.mark.parametrize("path", REQUESTS)
def test_no_other_method_leads_upstream(
    up: Upstream, server: Served, method: str, path: str
) -> None:
    override = "x-http-method-override: POST"
    status, _ = _said(server, _head(server, f"{method} {path}", override))
    assert status in (400, 405)
    assert up.asked == []


_SOCKET = (
    "connection: Upgrade",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize(
    ("line", "more"),
    [
        (f"GET {CHAT}", ("upgrade: websocket", *_SOCKET)),
        ("GET /v1/realtime", ("upgrade: websocket", *_SOCKET)),
        (f"POST {CHAT}", ("upgrade: websocket", *_SOCKET)),
        (f"POST {CHAT}", ("upgrade: h2c", "connection: Upgrade, HTTP2-Settings")),
        (f"POST {CHAT}", ("transfer-encoding: chunked",)),
        (f"POST {CHAT}", ("content-length: 3",)),
        (f"POST {CHAT}", ("host: models.example",)),
        (f"POST {CHAT}", ("authorization : Bearer x",)),
        (f"POST {CHAT}", ("authorization: Bearer a", "authorization: Bearer b")),
        (f"POST {CHAT}", ("content-type: application/json",)),
        (f"POST {CHAT}", ("x-guardkit-session: a", "x-guardkit-session: b")),
        ("CONNECT models.example:443", ()),
    ],
)
def test_nothing_is_upgraded_smuggled_or_said_twice(
    up: Upstream, server: Served, line: str, more: tuple[str, ...]
) -> None:
    status, _ = _said(server, _head(server, line, *more))
    assert status in (400, 404, 405)
    assert up.asked == []


@pytest.mark.parametrize("host", ["models.example", "models.example:80", "127.0.0.1.example", ""])
def test_another_host_is_not_served(up: Upstream, server: Served, host: str) -> None:
    status, _ = _said(server, _head(server, f"POST {CHAT}", host=host))
    assert status in (400, 421)
    assert up.asked == []


def test_the_host_of_an_absolute_target_chooses_nothing(up: Upstream, server: Served) -> None:
    """HTTP says that servers take the absolute form; it is judged, and goes where all goes."""
    status, _ = _said(server, _head(server, "POST http://models.example" + CHAT))
    assert status == 200
    [asked] = up.asked
    assert (asked.path, asked.headers["host"]) == (CHAT, urlsplit(up.url).netloc)
    blocked = json.dumps({**ASKED, "user": CANARY}).encode()
    head = _head(server, "POST http://models.example" + CHAT)
    sized = head.replace(f"length: {len(BODY)}", f"length: {len(blocked)}")
    _, answer = _said(server, sized, blocked)
    assert b"x-guardkit-action: block" in answer
    assert len(up.asked) == 1


EVIL = "http://models.example/v1"


@pytest.mark.parametrize("path", REQUESTS)
def test_neither_headers_nor_fields_choose_the_upstream(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    names = (
        "x-upstream", "x-upstream-url", "x-base-url", "x-forwarded-for", "x-forwarded-host",
        "x-forwarded-proto", "forwarded", "via", "x-real-ip", "x-original-url", "x-rewrite-url",
        "proxy-authorization", "proxy-connection", "te", "trailer", "keep-alive", "cookie",
        "referer", "openai-api-base", "anthropic-base-url", "x-portkey-config", "accept",
        "helicone-target-url", "x-guardkit-session", "x-guardkit-context", "traceparent",
        "user-agent", "priority",
    )  # fmt: skip
    headers = dict.fromkeys(names, EVIL) | {"authorization": "Bearer sk-client"}
    fields = dict.fromkeys(("upstream", "base_url", "api_base", "api_key", "url"), EVIL)
    body = {**REQUESTS[path], **fields}
    got = client.post(f"{path}?upstream={EVIL}&api-version=2", json=body, headers=headers)
    assert got.status_code == 200
    [asked] = up.asked
    assert asked.path == path
    assert asked.headers["host"] == urlsplit(up.url).netloc
    assert asked.headers["authorization"] == "Bearer sk-client"
    known = {
        "host", "content-type", "content-length", "accept-encoding", "user-agent", "authorization",
        "anthropic-version",
    }  # fmt: skip
    assert asked.headers.keys() <= known
    assert asked.headers["user-agent"] == "guardkit"
    assert EVIL not in json.dumps(asked.headers)
    assert asked.body == body  # judged like any other text, and of no meaning here


def test_no_header_of_the_client_breaks_a_line(up: Upstream, client: httpx2.Client) -> None:
    odd = {"anthropic-beta": "a\tb", "openai-organization": "\xe9", "idempotency-key": "k" * 300}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in odd.items()]
    sent = [(b"content-type", b"application/json"), (b"openai-project", b"proj_1"), *raw]
    assert client.post(CHAT, content=BODY, headers=sent).status_code == 200
    [asked] = up.asked
    assert asked.headers["openai-project"] == "proj_1"
    assert not odd.keys() & asked.headers.keys()


def test_with_keys_of_its_own_the_server_never_shows_a_clients_key(up: Upstream) -> None:
    """The key of upstream is the operator's, whatever the client sends beside its own."""
    env = {"MODEL_KEY": "sk-of-the-operator"}
    with (
        served(STRICT, "--upstream-key-env", "MODEL_KEY", upstream=up.url, env=env) as running,
        httpx2.Client(base_url=running.url, trust_env=False) as made,
    ):
        mine = {"authorization": "Bearer sk-client", "x-api-key": "sk-client", "api-key": "sk-c"}
        for path in REQUESTS:
            assert made.post(path, json=REQUESTS[path], headers=mine).status_code == 200
    for asked in up.asked:
        shown = asked.headers.get("authorization", "") + asked.headers.get("x-api-key", "")
        assert shown.removeprefix("Bearer ") == "sk-of-the-operator"
        assert "sk-c" not in json.dumps(asked.headers)
    assert len(up.asked) == len(REQUESTS)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("streams", [False, True])
def test_a_redirect_is_not_followed(
    up: Upstream, client: httpx2.Client, status: int, streams: bool
) -> None:
    with upstream(Say("from elsewhere")) as other:
        up.say(Redirect(f"{other.url}{CHAT}", status))
        got = client.post(CHAT, json={**ASKED, "stream": streams})
        assert got.status_code == 502
        assert "location" not in got.headers
        assert other.asked == []
    assert len(up.asked) == 1


def test_the_admin_token_goes_nowhere(up: Upstream, client: httpx2.Client) -> None:
    """It opens the console, and is no key: a request that carries it as a cookie keeps it here."""
    headers = {**JSON, "cookie": f"guardkit={ADMIN}"}
    assert client.post(CHAT, content=BODY, headers=headers).status_code == 200
    [asked] = up.asked
    assert ADMIN not in json.dumps(asked.headers)
