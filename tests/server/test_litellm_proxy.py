"""LiteLLM's own proxy asks `guardkit serve` through its generic guardrail, end to end.

LiteLLM needs other versions of the clients than guardkit is tested with, so it has an environment
of its own: `make integrations` runs this there. `GUARDKIT_LITELLM` names the command of another.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ._parcels import LEAK
from ._served import MESSAGE, POLICY, Served, served
from ._upstream_double import Say, Upstream

LITELLM = os.environ.get("GUARDKIT_LITELLM") or shutil.which("litellm")
pytestmark = [
    pytest.mark.skipif(
        LITELLM is None,
        reason="NOT TESTED: litellm is not on this machine: run `make integrations`",
    ),
    pytest.mark.timeout(180),  # it needs half a minute to start
]
STARTS_S = 120.0
MASTER = "sk-of-the-tests-0123456789abcdef0123456789abcdef"
CALL = ("look_up", '{"order":"FORBIDDEN"}')

CONFIG = """\
model_list:
  - model_name: m
    litellm_params: {{ model: openai/m, api_base: "{upstream}/v1", api_key: k, max_retries: 0 }}
litellm_settings: {{ telemetry: false, num_retries: 0 }}
guardrails:
  - guardrail_name: guardkit
    litellm_params:
      guardrail: generic_guardrail_api
      mode: [pre_call, post_call]
      api_base: "{guardkit}"
      api_key: "gk"
      unreachable_fallback: fail_closed
      default_on: true
      streaming_transform_mode: incremental_diff
"""


@pytest.fixture(scope="module")
def guardkit() -> Iterator[Served]:
    """The decision API alone: LiteLLM itself asks the model."""
    with served(POLICY) as server:
        yield server


@pytest.fixture(scope="module")
def url(up: Upstream, guardkit: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("litellm")
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(upstream=up.url, guardkit=guardkit.url), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": MASTER}
    dropped = ("PYTHONPATH", "PYTHONWARNINGS", "VIRTUAL_ENV")
    env = {key: value for key, value in os.environ.items() if key not in dropped}
    command = [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**env, **own},
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTS_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if httpx2.get(f"{address}/health/liveliness", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass  # nobody listens yet
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])


def _ask(url: str, content: str, **more: Any) -> httpx2.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **more}
    key = {"authorization": f"Bearer {MASTER}"}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, headers=key, timeout=60)


def _content(got: httpx2.Response) -> Any:
    return got.json()["choices"][0]["message"]["content"]


def test_what_is_clean_passes(up: Upstream, url: str) -> None:
    up.say(Say("The parcel leaves on Tuesday."))
    got = _ask(url, "Where is it?")
    assert (got.status_code, _content(got)) == (200, "The parcel leaves on Tuesday.")
    assert up.asked[0].body["messages"][-1]["content"] == "Where is it?"


def test_a_blocked_request_is_never_sent(up: Upstream, url: str) -> None:
    up.say(Say("ok"))
    got = _ask(url, "the FORBIDDEN one")
    assert got.status_code == 400
    assert MESSAGE in got.text
    assert up.asked == []


def test_texts_are_rewritten_both_ways(up: Upstream, url: str) -> None:
    up.say(Say("It is NB-5678."))
    got = _ask(url, "Where is NB-1234?")
    assert up.asked[0].body["messages"][-1]["content"] == "Where is [ORDER]?"
    assert _content(got) == "It is [ORDER]."
    assert "5678" not in got.text


@pytest.mark.parametrize("say", [Say(LEAK), Say("", [CALL])], ids=["text", "call"])
def test_a_blocked_reply_never_comes(up: Upstream, url: str, say: Say) -> None:
    up.say(say)
    got = _ask(url, "Where is it?")
    assert got.status_code == 400
    assert MESSAGE in got.text
    assert "FORBIDDEN" not in got.text
    assert len(up.asked) == 1


def _shown(got: httpx2.Response) -> str:
    lines = [line[6:] for line in got.text.splitlines() if line.startswith("data: {")]
    chunks = [json.loads(line) for line in lines]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_a_stream_is_rewritten(up: Upstream, url: str) -> None:
    """With `incremental_diff`: `block_only`, LiteLLM's own default, shows what it should not."""
    up.say(Say("Both NB-1234 and NB-5678 are on their way.", chunk=3))
    got = _ask(url, "Where is it?", stream=True)
    assert _shown(got) == "Both [ORDER] and [ORDER] are on their way."
    assert "NB-" not in got.text


def test_a_stream_is_blocked(up: Upstream, url: str) -> None:
    """No character of the match: LiteLLM holds back what guardkit says it has to."""
    up.say(Say(LEAK, chunk=3))
    got = _ask(url, "Where is it?", stream=True)
    assert "All is fine so far. ".startswith(_shown(got))
    assert "FORBIDDEN" not in got.text
    assert MESSAGE in got.text


def test_no_guardkit_no_reply(up: Upstream, url: str, guardkit: Served) -> None:
    """Runs last: LiteLLM lets nothing through once nobody can be asked."""
    up.say(Say("ok"))
    guardkit.process.terminate()
    guardkit.process.wait(20)
    got = _ask(url, "Where is it?")
    assert got.status_code >= 400
    assert up.asked == []
