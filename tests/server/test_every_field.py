"""E3: every text that the model or a user will read is judged, wherever it stands.

A canary is put into each place of requests and replies that use all their fields, one at a time,
and as the name of each field. A request that holds it never reaches the model, a reply that holds
it never reaches the client. What the dialects prescribe (ids, roles, kinds) is no text as long as
it has their shape, and the canary has not.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ._fields import (
    CANARY,
    REQUESTS,
    STREAMED,
    STRICT,
    UNREAD,
    Body,
    Path,
    is_in,
    keys,
    planted,
    renamed,
    shown,
    texts,
)
from ._said_fields import EVENTS, REPLIES, written
from ._served import MESSAGE, served
from ._upstream_double import Raw, Say, Sse, Upstream, upstream

# Places that upstream fills and the proxy fills anew: with figures and names of the request.
ANEW = {
    "/v1/responses": {"model", "instructions"},
    "/v1/embeddings": {"data"},
}
NEEDED = {"model", "messages", "input", "prompt"}
"""Fields without which there is no request: under another name they are missing."""


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(Say("All is well.")) as double:
        yield double


@pytest.fixture(scope="module")
def client(up: Upstream) -> Iterator[httpx2.Client]:
    with (
        served(STRICT, upstream=up.url) as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=20) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def lenient(up: Upstream) -> Iterator[httpx2.Client]:
    with (
        served(UNREAD, upstream=up.url) as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=20) as made,
    ):
        yield made


def _asked(path: str, **more: Any) -> Body:
    question = [{"role": "user", "content": "Where is it?"}]
    plain: dict[str, Body] = {
        "/v1/chat/completions": {"messages": question},
        "/v1/responses": {"input": "Where is it?", "instructions": "Be kind."},
        "/v1/completions": {"prompt": "Where is it?"},
        "/v1/embeddings": {"input": "Where is it?"},
        "/v1/messages": {"messages": question, "max_tokens": 100},
    }
    return {"model": "m", **plain[path], **more}


def _everywhere(value: Any) -> Iterator[tuple[str, Path, Any]]:
    """Copies with the canary in each place, with the name of the place."""
    for path in texts(value):
        yield f"text {shown(path)}", path, planted(value, path)
    for path in keys(value):
        yield f"key {shown(path)}", path, renamed(value, path)


# --- requests


@pytest.mark.parametrize("path", REQUESTS)
def test_a_request_with_every_field_goes_on_as_it_is(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    up.say(Say("All is well."))
    got = client.post(path, json=REQUESTS[path])
    assert (got.status_code, got.headers["x-guardkit-action"]) == (200, "pass")
    [asked] = up.asked
    assert asked.body == REQUESTS[path]


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("streams", [False, True])
def test_no_place_of_a_request_is_unjudged(
    up: Upstream, client: httpx2.Client, path: str, streams: bool
) -> None:
    body = {**REQUESTS[path], "stream": streams}
    up.say(Say("All is well."))
    passed, unblocked = [], []
    places = list(_everywhere(body))
    assert len(places) > 15
    if streams:  # the same reading: enough to see that it is
        places = random.Random(7).sample(places, min(40, len(places)))
    for name, where, made in places:
        up.asked.clear()
        got = client.post(path, json=made)
        if up.asked:
            passed.append(name)
        is_needed = len(where) == 1 and name == f"key {where[0]}" and where[0] in NEEDED
        # What a chat tool is has to be said by one of these two.
        is_needed |= name.startswith("key tools.") and name.endswith((".function", ".custom"))
        if not is_needed and got.headers.get("x-guardkit-action") != "block":
            unblocked.append((name, got.status_code))
    assert passed == []
    assert unblocked == [], "refused, but for another reason than the rule"


PARTS: dict[str, list[Body]] = {
    "/v1/chat/completions": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://a.example/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file_1"}},
    ],
    "/v1/responses": [
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_file", "file_id": "file_1"},
    ],
    "/v1/messages": [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        },
        {"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        },
        {"type": "container_upload", "file_id": "file_1"},
    ],
}
_WITH = [(path, part) for path, parts in PARTS.items() for part in parts]


def _with_part(path: str, part: Body) -> Body:
    field = "input" if path == "/v1/responses" else "messages"
    return _asked(path) | {field: [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(("path", "part"), _WITH)
def test_what_cannot_be_read_is_stopped_unless_the_policy_says_otherwise(
    up: Upstream, client: httpx2.Client, lenient: httpx2.Client, path: str, part: Body
) -> None:
    up.say(Say("All is well."))
    body = _with_part(path, part)
    assert client.post(path, json=body).headers["x-guardkit-action"] == "block"
    assert up.asked == []
    assert lenient.post(path, json=body).headers["x-guardkit-action"] == "flag"
    assert [asked.body for asked in up.asked] == [body]


@pytest.mark.parametrize(("path", "part"), _WITH)
def test_text_beside_what_cannot_be_read_is_judged_all_the_same(
    up: Upstream, lenient: httpx2.Client, path: str, part: Body
) -> None:
    up.say(Say("All is well."))
    passed = []
    for name, where, made in _everywhere({**part, "alt": "a picture"}):
        if where == ("type",) and name.startswith("text"):
            continue  # then it is no such part any more; the place itself is walked above
        lenient.post(path, json=_with_part(path, made))
        passed += [name] if up.asked else []
        up.asked.clear()
    assert passed == []


# --- replies


@pytest.mark.parametrize("path", REPLIES)
def test_a_reply_with_every_field_comes_as_it_is(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    reply = REPLIES[path]
    up.say(Raw(json.dumps(reply).encode()))
    got = client.post(path, json=_asked(path))
    assert (got.status_code, got.headers["x-guardkit-action"]) == (200, "pass")
    said = got.json()
    for name in reply.keys() - ANEW.get(path, set()):
        assert _bare(said.get(name)) == _bare(reply[name]), name


def _bare(value: Any) -> Any:
    """Without log probabilities: texts in pieces that no rule can read never go on."""
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if name != "logprobs"}
    return [_bare(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", REPLIES)
def test_no_place_of_a_reply_is_unjudged(up: Upstream, client: httpx2.Client, path: str) -> None:
    leaked, count = [], 0
    for name, _, made in _everywhere(REPLIES[path]):
        count += 1
        up.say(Raw(json.dumps(made).encode()))
        got = client.post(path, json=_asked(path))
        leaked += [name] if is_in(CANARY, got.json()) or CANARY in got.text else []
        assert got.headers["x-guardkit-decision"]
    assert leaked == []
    assert count > 30


def test_a_blocked_reply_says_its_message_and_nothing_else(
    up: Upstream, client: httpx2.Client
) -> None:
    """What else upstream wrote may be what was stopped: none of it is kept."""
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/messages"):
        reply = {**REPLIES[path], "vendor": {"note": f"so {CANARY} it is"}}
        up.say(Raw(json.dumps(reply).encode()))
        got = client.post(path, json=_asked(path))
        assert got.headers["x-guardkit-action"] == "block"
        said = got.json()
        assert is_in(MESSAGE, said)
        for text in ("as usual", "They ask.", "A-1", "a plain note", "there was"):
            assert not is_in(text, said), (path, text)
        assert said["id"] == reply["id"]


# --- replies as events


def _streamed(path: str) -> list[Body]:
    return EVENTS[path]


def _places(path: str) -> list[tuple[str, int, Body]]:
    """Each place of each event: its name, the number of the event, the event with the canary."""
    return [
        (f"{number} {event.get('type', '')} {name}", number, made)
        for number, event in enumerate(_streamed(path))
        for name, _, made in _everywhere(event)
    ]


@pytest.mark.parametrize("path", STREAMED)
def test_a_stream_with_every_field_comes_to_its_end(
    up: Upstream, client: httpx2.Client, path: str
) -> None:
    up.say(Sse(written(path, _streamed(path))))
    got = client.post(path, json=_asked(path, stream=True))
    assert (got.status_code, got.headers["x-guardkit-action"]) == (200, "pass")
    assert '"error":{' not in got.text
    ends = {"/v1/responses": "response.completed", "/v1/messages": "message_stop"}
    assert got.text.rstrip().splitlines()[-1].startswith("data: ")
    assert ends.get(path, "[DONE]") in got.text.rstrip().splitlines()[-1]


def _leaks(up: Upstream, client: httpx2.Client, path: str, places: Any) -> list[str]:
    leaked = []
    events = _streamed(path)
    for name, number, made in places:
        up.say(Sse(written(path, [*events[:number], made, *events[number + 1 :]])))
        got = client.post(path, json=_asked(path, stream=True))
        data = [line.removeprefix("data: ") for line in got.text.splitlines()]
        said = [json.loads(line) for line in data if line.startswith("{")]
        leaked += [name] if CANARY in got.text or is_in(CANARY, said) else []
    return leaked


@pytest.mark.parametrize("path", STREAMED)
def test_no_place_of_a_stream_is_unjudged(up: Upstream, client: httpx2.Client, path: str) -> None:
    """A hundred places of each dialect; `full` walks all of them."""
    places = _places(path)
    some = random.Random(7).sample(places, min(100, len(places)))
    assert _leaks(up, client, path, some) == []


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", STREAMED)
def test_no_place_of_any_stream_is_unjudged(up: Upstream, client: httpx2.Client, path: str) -> None:
    assert _leaks(up, client, path, _places(path)) == []


def test_a_plain_call_in_a_stream_is_stopped(up: Upstream, client: httpx2.Client) -> None:
    """Calls that take one text come in no shape that can be held and judged piece by piece."""
    path = "/v1/chat/completions"
    call = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "note", "input": CANARY}}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [
        {**head, "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ]
    up.say(Sse(written(path, events)))
    got = client.post(path, json=_asked(path, stream=True))
    assert CANARY not in got.text
    assert "unreadable_reply" in got.text or MESSAGE in got.text
