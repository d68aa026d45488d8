"""No text and no key stands in what operators and strangers get to see (F4).

Words that stand nowhere else are sent through every way in which a request can fail; then all that
the server has written, counted, kept and answered is searched for any eight characters of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from guardkit.server import new_key

from ._canaries import canary, found_in, hidden
from ._served import POLICY, ROOT, Served, served
from ._traffic import AS_ADMIN, CHAT, CHECK, Answer, Line, Lost, chat, exported, hear, log_says
from ._upstream_double import Act, Asked, Cut, Error, Raw, Say, upstream

LEAKY = (
    POLICY
    + """
check own = python { call "leaky_check:answer"  timeout 1s }
check odd = pattern { match /an odd word/ }
rule asked { tier safety on input when own then block "Asked." }
rule wait  { tier ethics on input when odd then hold for "desk" within 1s else block "Later." }
"""
)
CHECK_CODE = """\
def answer(text):
    if "raise" in text:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError(f"it cannot judge {text!r}") from error
    return text if "nonsense" in text else False
"""
EVERYTHING_AT_DEBUG = """\
import logging, sys, warnings

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
logging.debug("everything is told")
warnings.simplefilter("default")
"""


@dataclass
class Sent:
    """What was sent, and what a stranger was answered."""

    words: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    by: Counter[tuple[str, int]] = field(default_factory=Counter)


def _script(asked: Asked) -> Act:
    """The model; it says what was said, and so every word of it may be a secret."""
    said = json.dumps(asked.body)
    word = said[said.index("<<") + 2 : said.index(">>")] if "<<" in said else "nothing"
    for kind, act in (
        ("blocks", Say(f"FORBIDDEN {word}", delay=0.001)),
        ("junk", Raw(f"<html>{word}".encode(), kind="text/html")),
        ("shape", Raw(json.dumps({"choices": word, word: 1}).encode())),
        ("cut", Cut(2, how="close", say=Say(word * 3))),
        ("limit", Error(429, body={"error": {"message": f"FORBIDDEN {word}", "code": word}})),
        ("fails", Error(418, body={"error": {"message": word}}, headers=(("x-word", word),))),
        ("call", Say(calls=[("tool", '{"a": "' + word)])),
    ):
        if kind in said:
            return act
    return Say(f"it was {word}")


Way = Callable[[Line, str], Awaitable[Answer]]


def _chat(text: str, **more: Any) -> Way:
    async def ask(line: Line, word: str) -> Answer:
        body = json.dumps(chat(text, **more)).replace("WORD", word)
        return await line.ask(CHAT, body.encode())

    return ask


def _stream(text: str) -> Way:
    async def ask(line: Line, word: str) -> Answer:
        heard = await hear(line, chat(text.replace("WORD", word), stream=True))
        said = json.dumps(heard.error).encode()
        return Answer(heard.status, heard.headers, said, 0.0)

    return ask


def _post(path: str, body: Any, **headers: str) -> Way:
    async def ask(line: Line, word: str) -> Answer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {
            name.replace("_", "-"): value.replace("WORD", word) for name, value in headers.items()
        }
        return await line.ask(
            path.replace("WORD", word), sent.replace(b"WORD", word.encode()), headers=named
        )

    return ask


def _raw(data: str) -> Way:
    async def ask(line: Line, word: str) -> Answer:
        reader, writer = await asyncio.open_connection(*line.address)
        try:
            writer.write(data.replace("WORD", word).encode("latin-1"))
            got = await asyncio.wait_for(reader.read(65_536), 15)
        except ConnectionError:
            got = b""
        finally:
            writer.transport.abort()
        return Answer(int(got[9:12] or 0), {}, got.partition(b"\r\n\r\n")[2], 0.0)

    return ask


HEAD = f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
WAYS: dict[str, tuple[Way, int]] = {
    "blocked on its way in": (_chat("FORBIDDEN <<WORD>>"), 200),
    "blocked on its way out": (_chat("blocks <<WORD>>"), 200),
    "blocked in a stream": (_stream("blocks <<WORD>>"), 200),
    "a check that raises": (_chat("raise <<WORD>>"), 200),
    "a check that talks nonsense": (_chat("nonsense <<WORD>>"), 200),
    "a check that raises, asked alone": (_post(CHECK, {"text": "raise WORD"}), 200),
    "held, and not in time": (_chat("an odd word <<WORD>>"), 200),
    "junk from the model": (_chat("junk <<WORD>>"), 502),
    "another shape from the model": (_chat("shape <<WORD>>"), 502),
    "a stream that is cut": (_stream("cut <<WORD>>"), 200),
    "a refusal of the model that is stopped": (_chat("limit <<WORD>>"), 429),
    "a failure of the model": (_chat("fails <<WORD>>"), 502),
    "a call that is no JSON": (_chat("call <<WORD>>"), 200),
    "no JSON": (_post(CHAT, b'{"model": "WORD'), 400),
    "a key twice": (_post(CHAT, b'{"WORD": 1, "WORD": 2}'), 400),
    "no UTF-8": (_post(CHAT, b'{"model": "WORD\xff"}'), 400),
    "no number": (_post(CHAT, b'{"model": "WORD", "n": NaN}'), 400),
    "no object": (_post(CHAT, b'["WORD"]'), 400),
    "a wrong type": (_post(CHAT, {"model": {"WORD": 1}, "messages": ["WORD"]}), 400),
    "another content type": (_post(CHAT, {"a": "WORD"}, content_type="text/WORD"), 415),
    "an encoding": (_post(CHAT, {"a": "WORD"}, content_encoding="WORD"), 415),
    "an unknown path": (_post("/WORD?WORD=WORD", {"a": "WORD"}), 404),
    "an unknown surface": (_post(CHECK, {"text": "WORD", "on": "WORD"}), 400),
    "a key of a batch": (_post(f"{CHECK}/batch", {"items": [{"WORD": "WORD"}]}), 200),
    "another shape for LiteLLM": (
        _post("/beta/litellm_basic_guardrail_api", {"WORD": "WORD", "texts": "WORD"}), 400,
    ),
    "a session that is none": (
        _post(CHAT, chat("WORD"), **{"x-guardkit-session": "WORD WORD"}), 400,
    ),
    "a session of the check that is none": (_post(CHECK, {"text": "x", "session": "WORD\n"}), 400),
    "another host": (_post(CHAT, chat("WORD"), host="WORD.example"), 421),
    "a trace that is none": (_post(CHECK, {"text": "FORBIDDEN WORD"}, traceparent="WORD"), 200),
    "the wrong admin": (_post("/v1/policy/reload", {}, authorization="Bearer WORD"), 401),
    "the wrong token in the form": (_post("/console/sign-in", {"token": "WORD"}), 401),
    "no line of a request": (_raw("WORD\r\n\r\n"), 400),
    "an unknown protocol": (_raw(f"{HEAD}upgrade: WORD\r\nconnection: upgrade\r\n\r\nWORD"), 0),
    "a header that is none": (_raw(f"{HEAD}WORD\x01: WORD\r\n\r\n"), 400),
    "a length that is none": (_raw(f"{HEAD}content-length: WORD\r\n\r\n"), 400),
    "headers that are too large": (_raw(f"{HEAD}x-WORD: {'WORD' * 9_000}\r\n\r\n"), 0),
    "a line in the log that is forged": (
        _chat("FORBIDDEN", user="WORD\n2026-01-01 request \x1b[31mWORD\u202e"), 200,
    ),
}  # fmt: skip
"""How it is asked, and the status that has to come: 0 for any."""


async def _held_texts(line: Line, word: str) -> Answer:
    """What the console lists while something is held, without being asked for its text."""
    waiting = asyncio.create_task(_stream("an odd word <<WORD>>")(line, word))
    async with line.again() as admin:
        await asyncio.sleep(0.3)
        listed = await admin.ask("/console/api/holds", method="GET", headers=AS_ADMIN)
        assert listed.json()["waiting"]
        decided = await admin.ask(
            "/console/api/holds/decide",
            {"id": "x", "what": "deny", "by": "somebody", "reason": "x"},
            headers=AS_ADMIN,
        )
        assert decided.status == 404
    await waiting
    return listed


async def _send(server: Served, rounds: int, sent: Sent, rng: random.Random) -> None:
    key = canary(rng)
    sent.words.append(key)
    # Without `--keys` the client's own key goes to the model: it must stand nowhere else.
    async with Line(server.url, {"authorization": f"Bearer {key}"}) as line:
        for turn in range(rounds):
            for name, (ask, status) in WAYS.items():
                if "held" in name and turn:
                    continue  # each takes a second
                word = canary(rng)
                sent.words.append(word)
                try:
                    answer = await ask(line, word)
                except Lost:
                    assert status == 0, name
                    continue
                if name == "the wrong token in the form" and answer.status == 429:
                    continue  # ten of them in a minute
                assert status in (0, answer.status), (name, answer)
                sent.by[name, answer.status] += 1
                is_own = name in ("a call that is no JSON",)
                if not is_own:
                    sent.answers.append(answer.body.decode("latin-1"))
        word = canary(rng)
        sent.words.append(word)
        sent.answers.append((await _held_texts(line, word)).body.decode())
        for path in ("/metrics", "/readyz", "/healthz", "/console/api/monitor", "/openapi.json"):
            answer = await line.ask(path, method="GET", headers=AS_ADMIN)
            assert answer.status == 200
            sent.answers.append(answer.body.decode())


@pytest.mark.parametrize(
    "rounds", [14, pytest.param(270, marks=[pytest.mark.full, pytest.mark.timeout(1200)])]
)
def test_no_fragment_of_a_text_is_to_be_found(rounds: int, tmp_path: Path) -> None:
    (tmp_path / "leaky_check.py").write_text(CHECK_CODE, encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(EVERYTHING_AT_DEBUG, encoding="utf-8")
    env = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "PYTHONASYNCIODEBUG": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    audit = tmp_path / "audit.db"
    rng = random.Random(11)
    sent = Sent()
    options = ("--no-watch", "--audit", str(audit), "--log-format", "json")
    with upstream(_script) as up, served(LEAKY, *options, upstream=up.url, env=env) as server:
        asyncio.run(_send(server, rounds, sent, rng))
        # And once more with a log that cannot be written, and with a model that is not there.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        asyncio.run(_unrecorded(server, sent, rng))
        resource.prlimit(
            server.process.pid,
            resource.RLIMIT_FSIZE,
            (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
        )
        heard = sum(word in each.raw.decode("latin-1") for each in up.asked for word in sent.words)
        log = server.said()
    records = exported(audit)
    kept = _stored(audit)
    print(
        f"\n{len(sent.words)} words on {len(WAYS)} ways; searched {len(log) >> 10} KiB of log,"
        f" {len(kept) >> 10} KiB of audit log, {len(sent.answers)} answers"
    )
    assert heard > 5 * rounds, "the words went where they were to go"
    assert "everything is told" in log
    assert len(log.splitlines()) > 20 * rounds
    assert len(records) > 5 * rounds
    for line in log.splitlines():
        if line.startswith("{"):
            json.loads(line)
            assert line.isascii()
    assert not found_in(log, sent.words)
    assert not found_in(kept, sent.words)
    assert not found_in(json.dumps(records), sent.words)
    assert not found_in("\n".join(sent.answers), sent.words)


async def _unrecorded(server: Served, sent: Sent, rng: random.Random) -> None:
    async with Line(server.url) as line:
        for _ in range(20):
            word = canary(rng)
            sent.words.append(word)
            answer = await line.ask(CHAT, chat(f"hello <<{word}>>"))
            if answer.status != 200 or answer.headers["x-guardkit-action"] == "block":
                sent.answers.append(answer.body.decode())


def _stored(audit: Path) -> str:
    """All that lies on the disk."""
    with sqlite3.connect(audit) as file:
        file.execute("pragma wal_checkpoint(truncate)")
    file.close()
    return "".join(each.read_bytes().decode("latin-1") for each in audit.parent.glob("audit.db*"))


def test_no_key_is_to_be_found(tmp_path: Path) -> None:
    """Keys of tenants, of the model, of the log and of the admin."""
    rng = random.Random(3)
    made = new_key("acme")
    words = [made.key.removeprefix("gk_acme_"), *(canary(rng) for _ in range(3))]
    path = tmp_path / "keys.toml"
    path.write_text(f"[tenants.acme]\nkeys = [{made.line}]\n", encoding="utf-8")
    path.chmod(0o600)
    (tmp_path / "sitecustomize.py").write_text(EVERYTHING_AT_DEBUG, encoding="utf-8")
    env = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "PYTHONASYNCIODEBUG": "1",
        "MODEL_KEY": words[1],
        "AUDIT_KEY": words[2] * 2,
        "GUARDKIT_METRICS_TOKEN": words[3],
    }
    answers: list[str] = []

    async def play(server: Served) -> None:
        async with Line(server.url, {"authorization": f"Bearer {made.key}"}) as line:
            for body in (chat("hello"), chat("FORBIDDEN"), chat("junk <<x>>"), {"model": 7}):
                answer = await line.ask(CHAT, body)
                answers.append(answer.body.decode())
            for text in ("blocks <<x>>", "cut <<x>>"):
                heard = await hear(line, chat(text, stream=True))
                answers.append(json.dumps([heard.headers, heard.error, heard.text]))
            for place in ("/readyz", "/openapi.json", "/console", f"/{made.key}"):
                answer = await line.ask(place, method="GET")
                answers.append(answer.body.decode())
        async with Line(server.url, {"authorization": f"Bearer {words[3]}"}) as line:
            answer = await line.ask("/metrics", method="GET")
            assert answer.status == 200
            answers.append(answer.body.decode())
            # The token of the metrics opens nothing else.
            assert (await line.ask("/console/api/monitor", method="GET")).status == 401
            assert (await line.ask(CHAT, chat("hello"))).status == 401
        path.write_text(f"[tenants.acme]\nkeys = ['{made.key}']\n", encoding="utf-8")
        await log_says(server, "keys_refused", 15)

    audit = tmp_path / "audit.db"
    options = ("--keys", str(path), "--upstream-key-env", "MODEL_KEY", "--audit", str(audit))
    more = ("--audit-key-env", "AUDIT_KEY", "--no-watch")
    with (
        upstream(_script) as up,
        served(POLICY, *options, *more, upstream=up.url, env=env) as server,
    ):
        asyncio.run(play(server))
        assert {each.headers["authorization"] for each in up.asked} == {f"Bearer {words[1]}"}
        log = server.said()
    assert len(log) > 500
    assert not found_in(log, words)
    assert not found_in("\n".join(answers), words)
    assert not found_in(_stored(audit), words)


def test_a_word_is_found_wherever_it_hides() -> None:
    rng = random.Random(1)
    words = [canary(rng) for _ in range(20)]
    for word in words:
        for text in hidden(word):
            assert found_in(text, words), text
    assert not found_in(" ".join(canary(rng) for _ in range(2_000)), words)
