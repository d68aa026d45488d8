"""Nobody says of their own text where it is to be judged, and nothing unread passes for text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ._served import Served, served
from ._upstream_double import Say, Upstream, upstream

INPUT_ONLY = """\
guardkit 1
policy input_only
check word = pattern { match /FORBIDDEN/ }
rule stop { tier safety on input when word then block "Stopped by a rule." }
"""
X = "FORBIDDEN"
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
USER = {"role": "user", "content": "hello"}


def chat(**more: Any) -> tuple[str, dict[str, Any]]:
    return CHAT, {"model": "m", "messages": [USER], **more}


def messages(**more: Any) -> tuple[str, dict[str, Any]]:
    return MESSAGES, {"model": "m", "max_tokens": 9, "messages": [USER], **more}


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(Say("All is well.")) as double:
        yield double


@pytest.fixture(scope="module")
def server(up: Upstream) -> Iterator[Served]:
    with served(INPUT_ONLY, upstream=up.url) as running:
        yield running


def ask(up: Upstream, server: Served, path: str, body: dict[str, Any]) -> httpx2.Response:
    up.asked.clear()
    with httpx2.Client(trust_env=False) as client:
        return client.post(server.url + path, json=body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        chat(messages=[{"role": "user", "type": "tool_result", "content": X}]),
        chat(messages=[{"role": "user", "type": "x_call_output", "content": X}]),
        chat(messages=[{"role": "user", "type": "document", "content": X}]),
        chat(messages=[{"role": "user", "content": [{"type": "text", "role": "tool", "text": X}]}]),
        messages(system=[{"type": "text", "role": "tool", "text": X}]),
        chat(tools=[{"type": "function", "role": "tool", "function": {"name": "f", "note": X}}]),
        chat(tools=[{"type": "function", "function": {"type": "document", "description": X}}]),
        chat(role="tool", note=X),
        chat(type="document", note=X),
        messages(role="tool", note=X),
        ("/v1/completions", {"model": "m", "prompt": "hi", "role": "tool", "suffix": X}),
        ("/v1/embeddings", {"model": "m", "input": "hi", "type": "document", "note": X}),
    ],
)
def test_a_text_of_the_client_is_judged_as_input(
    up: Upstream, server: Served, path: str, body: dict[str, Any]
) -> None:
    got = ask(up, server, path, body)
    assert got.headers["x-guardkit-action"] == "block"
    assert not up.asked


@pytest.mark.parametrize(
    ("path", "body"),
    [
        chat(messages=[{"role": "user", "content": [{"type": "audio_url", "audio_url": {}}]}]),
        chat(messages=[{"role": "user", "content": [{"image_url": {"url": "https://a.example"}}]}]),
        chat(messages=[{**USER, "images": ["aGVsbG8="]}]),
        chat(search_parameters={"mode": "on"}),
        messages(container={"skills": [{"type": "custom", "skill_id": "s"}]}),
        messages(
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "document", "source": {"type": "url", "url": "https://a.example"}}
                    ],
                }
            ]
        ),
        (RESPONSES, {"model": "m", "input": [{"type": "item_reference", "id": "msg_1"}]}),
        (RESPONSES, {"model": "m", "input": "hi", "conversation": "conv_1"}),
        (
            RESPONSES,
            {
                "model": "m",
                "input": "hi",
                "tools": [{"type": "shell", "environment": {"type": "container_auto"}}],
            },
        ),
    ],
)
def test_what_nobody_can_read_is_not_forwarded(
    up: Upstream, server: Served, path: str, body: dict[str, Any]
) -> None:
    got = ask(up, server, path, body)
    assert got.headers["x-guardkit-action"] == "block"
    assert not up.asked


@pytest.mark.parametrize("name", ["prompt_token_ids", "input_ids", "prompt_embeds"])
def test_tokens_are_no_text(up: Upstream, server: Served, name: str) -> None:
    got = ask(up, server, *chat(**{name: [1, 2, 3]}))
    assert (got.status_code, got.json()["error"]["code"]) == (400, "not_a_text")
    assert not up.asked


def test_a_tool_says_what_it_is(up: Upstream, server: Served) -> None:
    got = ask(up, server, *chat(tools=[{"mcp": {"server": "s"}}]))
    assert (got.status_code, got.json()["error"]["code"]) == (400, "unsupported")
    assert not up.asked
