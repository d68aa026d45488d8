"""A reply that breaks a principle is asked for again, through the proxy, in every dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ._served import Served, served
from ._upstream_double import Say, Upstream

POLICY = """\
guardkit 1
policy revising
principle kind { tier guidelines text "Be kind." }
check rude = pattern { match /RUDE/ }
rule kindly {
  tier guidelines
  on   output
  when rude
  then revise by kind at most 2 else block "Unkind."
}
"""
DRAFT, BETTER = "You are RUDE.", "You are right."

REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Am I?"}]},
    "/v1/messages": {"messages": [{"role": "user", "content": "Am I?"}], "max_tokens": 9},
    "/v1/responses": {"input": "Am I?"},
    "/v1/completions": {"prompt": "Am I?"},
}


@pytest.fixture(scope="module")
def server(up: Upstream) -> Iterator[Served]:
    with served(POLICY, upstream=up.url) as running:
        yield running


def ask(server: Served, path: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=20) as client:
        return client.post(server.url + path, json={"model": "m", **REQUESTS[path]})


@pytest.mark.parametrize("path", REQUESTS)
def test_the_second_draft_is_delivered(up: Upstream, server: Served, path: str) -> None:
    up.say([Say(DRAFT), Say(BETTER)])
    got = ask(server, path)
    assert got.status_code == 200
    assert BETTER in got.text
    assert "RUDE" not in got.text
    assert got.headers["x-guardkit-action"] == "revise"
    first, second = up.asked
    assert "Be kind." not in first.raw.decode()
    assert "Be kind." in second.raw.decode()
    assert DRAFT in second.raw.decode()


@pytest.mark.parametrize("path", REQUESTS)
def test_a_model_that_does_not_better_itself_is_blocked(
    up: Upstream, server: Served, path: str
) -> None:
    up.say(Say(DRAFT))
    got = ask(server, path)
    assert got.status_code == 200
    assert "Unkind." in got.text
    assert "RUDE" not in got.text
    assert len(up.asked) == 3
    words = ("content_filter", "refusal")
    assert any(word in got.text for word in words)
