"""Streams through a real server: a block ends them at once (C5), parallel ones never mix (C6)."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ._served import MESSAGE, POLICY, START, Served, served
from ._upstream_double import Choices, Say, Sse, Upstream
from ._upstream_wire import event

FINE = "All is fine so far. "
LEAK = FINE + "FORBIDDEN is what nobody may read" + " and more" * 1_000
ASKED: dict[str, Any] = {"model": "m", "stream": True}
USER = [{"role": "user", "content": "Where is it?"}]
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {**ASKED, "messages": USER},
    "/v1/completions": {**ASKED, "prompt": "Where is it?"},
    "/v1/responses": {**ASKED, "input": "Where is it?"},
    "/v1/messages": {**ASKED, "messages": USER, "max_tokens": 99},
}
ENDS = {
    "/v1/chat/completions": "data: [DONE]",
    "/v1/completions": "data: [DONE]",
    "/v1/responses": "event: response.incomplete",
    "/v1/messages": "event: message_stop",
}
SOON_S = 0.1


@pytest.fixture(scope="module")
def server(up: Upstream) -> Iterator[Served]:
    with served(POLICY, "--audit", "audit.db", upstream=up.url) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as made:
        yield made


# --- C5


def _block_midway(up: Upstream, client: httpx2.Client, path: str) -> float:
    """One stream that would go on for seconds; how long upstream was read after its end here."""
    before = len(up.closed_early)
    with client.stream("POST", path, json=PATHS[path]) as got:
        text = "".join(got.iter_text())
    ended = time.monotonic()
    assert "FOR" not in text, path
    assert text.count(MESSAGE) >= 1
    _, _, rest = text.rpartition(MESSAGE)
    assert "and more" not in rest
    *events, last = text.split("\n\n")
    assert last == ""
    assert events[-1].startswith(ENDS[path])
    assert text.count(ENDS[path]) == 1
    assert up.wait(lambda: len(up.closed_early) == before + 1), "upstream is still read"
    return up.closed_early[-1].at - ended


def _audited(server: Served) -> list[Any]:
    """The records of the audit log, once it has been found whole."""
    file = server.folder / "audit.db"
    for verb in ("verify", "export"):
        command = [*START, "audit", verb, str(file)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=50)
        assert done.returncode in (0, 5), done.stderr.decode()  # 5: there are none yet
    return [json.loads(line) for line in done.stdout.splitlines()]


def _blocks_midway(up: Upstream, server: Served, client: httpx2.Client, runs: int) -> None:
    up.say(Say(LEAK, delay=0.002, chunk=5))
    before = sum(record.get("action") == "block" for record in _audited(server))
    took = [_block_midway(up, client, path) for _ in range(runs) for path in PATHS]
    assert statistics.median(took) <= SOON_S
    assert sorted(took)[len(took) * 9 // 10] <= 5 * SOON_S  # other work shares this machine
    after = sum(record.get("action") == "block" for record in _audited(server))
    assert after - before >= len(took)


def test_a_block_midway_ends_at_once(up: Upstream, server: Served, client: httpx2.Client) -> None:
    _blocks_midway(up, server, client, 5)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_block_midway_ends_at_once_always(
    up: Upstream, server: Served, client: httpx2.Client
) -> None:
    _blocks_midway(up, server, client, 250)


# --- C6

WORDS = ("parcel", "tuesday", "grüße", "🚚", "order", "blue", "left", "depot")


def _said(chance: random.Random, bad: bool) -> Say:
    """One choice with a text, or thoughts, and three calls, all of which name it."""
    name = f"choice-{chance.randrange(10**9)}"
    text = " ".join([name, *chance.choices(WORDS, k=chance.randrange(2, 12))])
    calls = [
        (f"{name}-{at}", json.dumps({"of": name, "number": at, "order": "NB-1234"}))
        for at in range(3)
    ]
    if bad:
        text += " FORBIDDEN " + text
    chunk = chance.randrange(2, 12)
    if chance.random() < 0.3:
        return Say("", calls, reasoning=text, chunk=chunk)
    return Say(text, calls, chunk=chunk)


def _choices(text: str) -> dict[int, Any]:
    """What each choice of a stream came to."""
    out: dict[int, Any] = defaultdict(lambda: {"text": "", "reasoning": "", "calls": {}, "ends": 0})
    for line in text.splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            one, delta = out[choice["index"]], choice["delta"]
            one["text"] += delta.get("content") or ""
            one["reasoning"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls") or ():
                named = one["calls"].setdefault(call["index"], ["", ""])
                named[0] += call["function"].get("name") or ""
                named[1] += call["function"].get("arguments") or ""
            one["ends"] += choice["finish_reason"] is not None
    return out


def _interleaved(up: Upstream, client: httpx2.Client, seed: int) -> None:
    chance = random.Random(seed)
    bad = chance.randrange(4) if seed % 3 == 0 else None
    says = [_said(chance, bad=at == bad) for at in range(4)]
    up.say(Choices(says, seed))
    path = "/v1/chat/completions"
    text = client.post(path, json={**PATHS[path], "n": 4}).text
    assert "FORB" not in text, seed
    assert "NB-" not in text, seed
    heard = _choices(text)
    assert bad is not None or len(heard) == 4, seed
    assert all(one["ends"] == 1 for one in heard.values()), seed
    for at, one in heard.items():
        wanted = (says[at].text, says[at].reasoning)
        shown = (one["text"].replace(MESSAGE, ""), one["reasoning"].replace(MESSAGE, ""))
        if bad is None:
            assert shown == wanted, seed
            assert len(one["calls"]) == 3, seed
        for whole, part in zip(wanted, shown, strict=True):
            assert whole.partition("FORBIDDEN")[0].startswith(part), seed
        name = "".join(wanted).split(" ")[0]
        for number, (called, given) in one["calls"].items():
            assert called == f"{name}-{number}", seed
            assert json.loads(given) == {"of": name, "number": number, "order": "[ORDER]"}, seed
    assert (MESSAGE in text) is (bad is not None), seed


def test_choices_and_calls_never_mix(up: Upstream, client: httpx2.Client) -> None:
    for seed in range(30):
        _interleaved(up, client, seed)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_choices_and_calls_never_mix_in_any_order(up: Upstream, client: httpx2.Client) -> None:
    for seed in range(10_000):
        _interleaved(up, client, seed)


def test_a_field_that_is_interrupted(up: Upstream, client: httpx2.Client) -> None:
    """Half a match, another field, the other half: its reader puts both halves together."""
    deltas = [
        {"role": "assistant", "content": "fine FORB"},
        {"reasoning_content": "some other words come here"},
        {"content": "IDDEN and more"},
    ]
    path = "/v1/chat/completions"
    up.say(Sse(b"".join(map(_chunk, deltas)) + _chunk({}, "stop") + b"data: [DONE]\n\n"))
    text = client.post(path, json=PATHS[path]).text
    assert MESSAGE in text
    assert "FORB" not in text


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices})
