"""W7: what a proxy adds to a call, guardkit's and others', each in front of the same upstream.

One pattern is looked for in the question and in the answer. All are asked in turn, and the upstream
itself beside them: what is stated is the time above it.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serve import QUESTION, TEXT, asked, fast_upstream, free_port, served

from ._environments import VENVS, Peer, variables

CALLS, SLOW_CALLS = 150, 20
SLOW_S = 0.05
KEYS = {
    "OPENAI_API_KEY": "none",
    "NEMO_GUARDRAILS_IORAILS_ENGINE": "true",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
"""The upstream asks for no key, and nobody but this benchmark asks the proxies."""
WORD = "forbidden"
STARTS_S = 120.0
POLICY = (
    f"guardkit 1\npolicy one\ncheck bad = pattern {{ match /{WORD}/ }}\n"
    "rule r { tier safety on input, output when bad then block }\n"
)
OWN = "`guardkit serve`, one pattern each way"


class ServerError(Exception):
    """A server did not start."""


def litellm_config(upstream: int) -> dict[str, Any]:
    """Its own filter of patterns, before and after the call. JSON is YAML."""
    pattern = {"pattern_type": "regex", "pattern": WORD, "name": "word", "action": "BLOCK"}
    return {
        "model_list": [
            {
                "model_name": "m",
                "litellm_params": {
                    "model": "openai/m",
                    "api_base": f"http://127.0.0.1:{upstream}/v1",
                    "api_key": "none",
                },
            }
        ],
        "guardrails": [
            {
                "guardrail_name": mode,
                "litellm_params": {
                    "guardrail": "litellm_content_filter",
                    "mode": mode,
                    "default_on": True,
                    "patterns": [pattern],
                },
            }
            for mode in ("pre_call", "post_call")
        ],
        "litellm_settings": {"telemetry": False},
    }


def nemo_config(upstream: int) -> dict[str, Any]:
    """The regex rail on input and output, the rest passed through."""
    given = {"patterns": [WORD]}
    return {
        "passthrough": True,
        "models": [
            {
                "type": "main",
                "engine": "openai",
                "model": "m",
                "parameters": {"base_url": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"},
            }
        ],
        "rails": {
            "config": {"regex_detection": {"input": given, "output": given}},
            "input": {"flows": ["regex check input"]},
            "output": {"flows": ["regex check output"]},
        },
    }


def litellm(peer: Peer, upstream: int, folder: Path, port: int) -> list[str]:
    """The proxy of LiteLLM with one worker."""
    config = folder / "litellm.yaml"
    config.write_text(json.dumps(litellm_config(upstream)), encoding="utf-8")
    program = str(peer.python.parent / "litellm")
    return [program, "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]


def nemo(peer: Peer, upstream: int, folder: Path, port: int) -> list[str]:
    """The server of nemoguardrails."""
    at = folder / "nemo" / "one"
    at.mkdir(parents=True)
    (at / "config.yml").write_text(json.dumps(nemo_config(upstream)), encoding="utf-8")
    program = str(peer.python.parent / "nemoguardrails")
    options = ("--default-config-id", "one", "--disable-chat-ui")
    return [program, "server", "--config", str(at.parent), "--port", str(port), *options]


SERVERS = {
    "litellm": ("its proxy with its content filter, one pattern each way", litellm),
    "nemoguardrails": ("its server with the regex rail, one pattern each way", nemo),
}


@contextmanager
def running(peer: Peer, upstream: int, folder: Path) -> Iterator[int]:
    """A server of somebody else, in its own environment.

    Raises:
        ServerError: It answers no question.
    """
    port = free_port()
    line = SERVERS[peer.name][1](peer, upstream, folder, port)
    own = variables(peer) | KEYS
    with (VENVS / f"{peer.name}-server.log").open("wb") as log:
        process = subprocess.Popen(line, cwd=folder, env=own, stdout=log, stderr=log)
    try:
        until = time.monotonic() + STARTS_S
        while not passes(port, QUESTION):
            if process.poll() is not None or time.monotonic() > until:
                raise ServerError("its server answered nothing")
            time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def passes(port: int, question: str) -> bool:
    """Whether the answer of the upstream comes back for a question."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": question}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        head = {"content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, head)
        answer = connection.getresponse()
        return answer.status == 200 and TEXT.strip() in answer.read().decode()
    except OSError:
        return False
    finally:
        connection.close()


async def rows(
    peers: Sequence[Peer], rounds: int
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """What each proxy adds in every round; and what could not be measured, and why."""
    missing = []
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        policy = folder / "one.guard"
        policy.write_text(POLICY, encoding="utf-8")
        upstream = stack.enter_context(fast_upstream())
        ports = {("guardkit", OWN): stack.enter_context(served(str(policy), upstream))}
        for peer in peers:
            if peer.name not in SERVERS:
                continue
            try:
                port = stack.enter_context(running(peer, upstream, folder))
                ports[peer.name, SERVERS[peer.name][0]] = port
            except (OSError, ServerError) as error:
                missing.append({"peer": peer.name, "work": "serve", "why": str(error)})
        stops = {key: not passes(port, f"a {WORD} word") for key, port in ports.items()}
        calls = {}
        for key, port in ports.items():
            before = await asked(port, 1, SLOW_CALLS)  # warm
            calls[key] = SLOW_CALLS if before.p50 > SLOW_S else CALLS
        found: dict[tuple[str, str], list[dict[str, float]]] = {key: [] for key in ports}
        for _ in range(rounds):
            direct = (await asked(upstream, 1, CALLS)).p50
            for key, port in ports.items():
                took = (await asked(port, 1, calls[key])).p50
                found[key].append({"peer": (took - direct) * 1e6, "direct": direct * 1e6})
    return [_row(key, found[key], found["guardkit", OWN], stops[key]) for key in ports], missing


def _row(key: tuple[str, str], own: list[Any], ours: list[Any], is_stopped: bool) -> dict[str, Any]:
    pairs = zip(own, ours, strict=True)
    return {
        "case": "w7",
        "peer": key[0],
        "mechanism": key[1],
        "rounds": own,
        "us": median(one["peer"] for one in own),
        "ratios": {
            "guardkit": median(one["peer"] / us["peer"] for one, us in pairs),
            "direct": median(one["peer"] / one["direct"] for one in own),
        },
        "judged": {"stops_input": is_stopped},
    }
