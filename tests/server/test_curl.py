"""Plain curl against a real `guardkit serve`: what stands on the wire, byte by byte."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ._served import ADMIN, MESSAGE, Served
from ._upstream_double import Redirect, Say, Sse, Upstream, upstream

CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")

TEXT = "Grüße from the double 🚚."
LEAK = "All is fine so far. FORBIDDEN is what nobody may read."
CHAT = "/v1/chat/completions"
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Where is it?"}]}
BAD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "FORBIDDEN"}]}


class Got(NamedTuple):
    """What curl printed."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def curl(server: Served, path: str, *options: str | bytes, body: object = None) -> Got:
    """One request; a body that is bytes is sent as it is, any other as JSON."""
    command: list[str | bytes] = [str(CURL), "-sS", "-N", "-i", "-m", "20", "--noproxy", "*"]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if body is not None:
        command += ["--data-binary", "@-"]
    if body is not None and not any("content-type" in str(option) for option in options):
        command += ["-H", "content-type: application/json"]
    done = subprocess.run(
        [*command, *options, server.url + path], input=data, capture_output=True, check=True
    )
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, rest = rest.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(lines), "a header of the reply stands there twice"
    return Got(int(first.split(" ")[1]), headers, rest)


def test_a_clean_reply(up: Upstream, server: Served) -> None:
    up.say(Say(TEXT))
    got = curl(server, CHAT, body=ASKED)
    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-guardkit-action"] == "pass"
    assert got.headers["x-guardkit-policy"].startswith("sha256:")
    assert len(got.headers["x-guardkit-decision"]) >= 16
    assert got.json()["choices"][0]["message"]["content"] == TEXT
    again = curl(server, CHAT, body=ASKED)
    assert again.headers["x-guardkit-decision"] != got.headers["x-guardkit-decision"]


def test_a_stream_on_the_wire(up: Upstream, server: Served) -> None:
    """Events of one line each, ended as the dialect ends."""
    up.say(Say(TEXT))
    got = curl(server, CHAT, body={**ASKED, "stream": True})
    assert got.headers["content-type"].startswith("text/event-stream")
    assert got.headers["cache-control"] == "no-cache"
    *events, end = got.body.decode().split("\n\n")
    assert end == ""
    assert events[-1] == "data: [DONE]"
    assert all(event.startswith("data: {") for event in events[:-1])
    shown = [json.loads(event[6:])["choices"][0]["delta"].get("content") for event in events[:-1]]
    assert "".join(filter(None, shown)) == TEXT


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (CHAT, "data: [DONE]"),
        ("/v1/completions", "data: [DONE]"),
        ("/v1/messages", "event: message_stop"),
        ("/v1/responses", "event: response.incomplete"),
    ],
)
@pytest.mark.parametrize("cuts", [range(1, 4000), range(0, 4000, 7), []], ids=["1", "7", "whole"])
def test_a_block_midway_ends_once(
    up: Upstream, server: Served, path: str, end: str, cuts: Any
) -> None:
    """However the bytes come: nothing of the match, one end, and the dialect's own word for it."""
    body: dict[str, Any] = {**ASKED, "max_tokens": 9, "stream": True}
    body |= {"prompt": "x"} if path == "/v1/completions" else {}
    body |= {"input": "x"} if path == "/v1/responses" else {}
    if path != CHAT and path != "/v1/messages":
        del body["messages"]
    raw = _written(path, body)
    up.say(Sse(raw.replace(b"\n", b"\r\n"), cuts=[cut for cut in cuts if cut < 2 * len(raw)]))
    got = curl(server, path, body=body).body.decode()
    assert "FOR" not in got
    assert MESSAGE in got
    *events, rest = got.split("\n\n")
    assert rest == ""
    assert events[-1].startswith(end)
    assert got.count(end) == 1
    assert any(word in got for word in ('"content_filter"', '"refusal"'))


def _written(path: str, body: dict[str, Any]) -> bytes:
    """The bytes of the double's own stream."""
    with upstream(Say(LEAK)) as direct:
        done = subprocess.run(
            [str(CURL), "-sS", "-N", "--noproxy", "*", "--data-binary", "@-", direct.url + path],
            input=json.dumps(body).encode(),
            capture_output=True,
            check=True,
        )
    assert b"FORB" in done.stdout.replace(b'"', b"")
    return done.stdout


def test_what_is_malformed(up: Upstream, server: Served) -> None:
    """Refused with 4xx in the dialect's shape before anything is forwarded; nothing is quoted."""
    up.say(Say(TEXT))
    text = json.dumps(ASKED).encode()
    twice = text[:-1] + b', "model": "canary"}'
    escaped = text[:-1] + b', "mod\\u0065l": "canary"}'
    for body in (
        b"",
        b"canary",
        b"[]",
        twice,
        escaped,
        text.replace(b'"m"', b"NaN"),
        text.replace(b"Where", b"\xff\xfe"),
        b"\xef\xbb\xbf" + text,
        text + b"{}",
        b'{"model":"m","messages":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    ):
        for path in (CHAT, "/v1/messages"):
            got = curl(server, path, body=body)
            assert 400 <= got.status < 500, body
            error = got.json()["error"]
            assert error["type"] == "invalid_request_error"
            assert b"canary" not in got.body
            assert (got.json().get("type") == "error") is (path == "/v1/messages")
    assert up.asked == []


def test_what_is_encoded(up: Upstream, server: Served) -> None:
    up.say(Say(TEXT))
    packed = gzip.compress(json.dumps(ASKED).encode())
    for header in (
        "content-encoding: gzip",
        "content-encoding: br",
        "content-encoding: gzip, gzip",
    ):
        assert curl(server, CHAT, "-H", header, body=packed).status == 415
    for kind in ("text/plain", "application/json; charset=utf-16", "multipart/form-data", ""):
        got = curl(server, CHAT, "-H", f"content-type: {kind}", body=ASKED)
        assert got.status in (400, 415), kind
    assert up.asked == []
    assert curl(server, CHAT, "-H", "transfer-encoding: chunked", body=ASKED).status == 200


def test_sizes(up: Upstream, server: Served, tmp_path: Path) -> None:
    """`Expect: 100-continue`, as curl sends it, and a limit that holds for chunks too."""
    up.say(Say(TEXT))
    fine = {"model": "m", "messages": [{"role": "user", "content": "parcel " * 150_000}]}
    assert curl(server, CHAT, "-H", "expect: 100-continue", body=fine).status == 200
    huge = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * (9 << 20) + b'"}]}'
    assert curl(server, CHAT, body=huge).status == 413
    assert curl(server, CHAT, "-H", "transfer-encoding: chunked", body=huge).status == 413
    assert len(up.asked) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "/v1/chat%2Fcompletions", 404),
        ("POST", "/v1/CHAT/completions", 404),
        ("POST", "//v1/chat/completions", 404),
        ("POST", "/v1/./chat/completions", 404),
        ("POST", "/v1/x/../chat/completions", 404),
        ("POST", "/openai/deployments/m/chat/completions", 404),
        ("POST", "/v1/audio/transcriptions", 404),
        ("GET", "/v1/models", 404),
        ("GET", CHAT, 405),
        ("PUT", CHAT, 405),
        ("OPTIONS", CHAT, 405),
        ("POST", "/healthz", 405),
    ],
)
def test_no_route_around(up: Upstream, server: Served, method: str, path: str, status: int) -> None:
    up.say(Say(TEXT))
    got = curl(server, path, "-X", method, "--path-as-is", body=ASKED)
    assert got.status == status
    assert got.json()["error"]["type"] == "invalid_request_error"
    assert up.asked == []


def test_the_client_chooses_no_upstream(up: Upstream, server: Served) -> None:
    """Neither by a header nor by an upgrade, and a redirect of upstream is not followed."""
    with upstream() as other:
        up.say(Say(TEXT))
        host = other.url.removeprefix("http://")
        for header in (f"host: {host}", f"x-forwarded-host: {host}", f"x-upstream: {other.url}"):
            assert curl(server, CHAT, "-H", header, body=ASKED).status in (200, 400)
        assert curl(server, CHAT, "-H", "upgrade: websocket", body=ASKED).status in (200, 400, 426)
        up.say(Redirect(other.url + CHAT))
        got = curl(server, CHAT, body=ASKED)
        assert got.status == 502
        assert "location" not in got.headers
        assert other.asked == []


def test_headers_that_go_on(up: Upstream, server: Served) -> None:
    """The client's key and the dialect's own headers; no cookie, no address, nothing unknown."""
    up.say(Say(TEXT))
    options = []
    for line in (
        "authorization: Bearer sk-client",
        "openai-organization: org-1",
        "cookie: a=canary",
        "x-forwarded-for: 10.0.0.1",
        "x-anything: canary",
        "user-agent: canary",
        "accept-encoding: gzip, br",
    ):
        options += ["-H", line]
    assert curl(server, CHAT, *options, body=ASKED).status == 200
    (asked,) = up.asked
    assert asked.headers["authorization"] == "Bearer sk-client"
    assert asked.headers["openai-organization"] == "org-1"
    assert asked.headers["accept-encoding"] == "identity"
    assert "canary" not in str(asked.headers)
    assert not asked.headers.keys() & {"cookie", "x-forwarded-for", "x-anything"}


def test_a_header_twice(up: Upstream, server: Served) -> None:
    up.say(Say(TEXT))
    for name in ("authorization", "x-api-key", "content-type", "x-guardkit-session"):
        got = curl(server, CHAT, "-H", f"{name}: a", "-H", f"{name}: b", body=ASKED)
        assert got.status == 400, name
    assert up.asked == []


def test_small_endpoints(up: Upstream, server: Served) -> None:
    """Health, readiness, numbers, the document, one decision, and the door of the console."""
    assert curl(server, "/healthz").status == 200
    assert curl(server, "/readyz").status == 200
    metrics = curl(server, "/metrics")
    assert metrics.status == 200
    assert b"guardkit_requests_total" in metrics.body
    assert curl(server, "/openapi.json").json()["openapi"].startswith("3.")
    decided = curl(server, "/v1/guardrails/check", body={"text": "FORBIDDEN", "on": "input"})
    assert (decided.status, decided.json()["action"]) == (200, "block")
    assert decided.headers["x-guardkit-action"] == "block"
    assert curl(server, "/v1/policy/reload", body={}).status in (401, 403)
    allowed = curl(server, "/v1/policy/reload", "-H", f"authorization: Bearer {ADMIN}", body={})
    assert allowed.status == 200


def test_nothing_is_written_down(up: Upstream, server: Served) -> None:
    """What was asked, what was answered and the keys stand in no log and in no number."""
    up.say(Say("The answer is canary-out, not FORBIDDEN."))
    body = {"model": "m", "messages": [{"role": "user", "content": "canary-in"}]}
    key = "authorization: Bearer canary-key"
    for streams in (False, True):
        curl(server, f"{CHAT}?canary=query", "-H", key, body={**body, "stream": streams})
    curl(server, CHAT, "-H", key, body=b'{"canary-broken')
    assert "canary" not in server.said()
    assert b"canary" not in curl(server, "/metrics").body
