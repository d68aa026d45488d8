"""What `/healthz` and `/readyz` say is so (E11)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.shared._server import redis_server

from ._served import ADMIN, POLICY, ROOT, START, Served, served
from ._traffic import CHAT, CHECK, Line, chat, metrics, reload, until
from ._upstream_double import Say, upstream

TESTED = (
    POLICY
    + """
test "a word that is forbidden" {
  input "this is FORBIDDEN"
  expect block by stop
}
"""
)
FLAKY = (
    TESTED
    + """
check own = python { call "flaky_check:answer"  timeout 1s }
rule asked { tier safety on input when own then block "Asked." }
"""
)
SWITCHED = """\
import os, time

time.sleep(float(os.environ.get("LOADING_S", "0")))

def answer(text):
    if os.path.exists(os.environ["BROKEN"]):
        raise OSError("it does not answer")
    return "asked for" in text
"""


def _own_check(folder: Path) -> Mapping[str, str]:
    """A check of the operator's that fails while a file exists: what the environment needs."""
    (folder / "flaky_check.py").write_text(SWITCHED, encoding="utf-8")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "BROKEN": str(folder / "broken")}


def _ready(server: Served) -> tuple[int, dict[str, Any]]:
    with httpx2.Client(trust_env=False) as client:
        answer = client.get(f"{server.url}/readyz")
    said: dict[str, Any] = answer.json()
    return answer.status_code, said


def test_nobody_is_let_in_while_it_loads(tmp_path: Path) -> None:
    """From its start until it is ready a server refuses connections or says 503, and no more."""
    (tmp_path / "loading.guard").write_text(FLAKY, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*START, "serve", str(tmp_path / "loading.guard"), "--port", str(port), "--no-watch"]
    env = {**os.environ, **_own_check(tmp_path), "LOADING_S": "2", "GUARDKIT_ADMIN_TOKEN": ADMIN}
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seen: list[int] = []
    try:
        with httpx2.Client(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:
            while not seen or seen[-1] != 200:
                assert process.poll() is None
                assert time.monotonic() - begun < 40
                try:
                    seen.append(client.get("/readyz").status_code)
                except httpx2.TransportError:
                    seen.append(0)
                time.sleep(0.02)
            took_s = time.monotonic() - begun
            # The first that is let in is judged.
            answer = client.post(CHECK, json={"text": "FORBIDDEN"}).json()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    print(f"\nready after {took_s:.1f} s, refused {seen.count(0)} times")
    assert took_s > 2
    assert set(seen) == {0, 200} or set(seen) == {0, 503, 200}
    assert answer["action"] == "block"


def test_a_policy_that_cannot_be_loaded_is_no_server(tmp_path: Path) -> None:
    cases = {
        "does not compile": POLICY + "rule x { when nothing_like_it then block }",
        "fails its own test": TESTED.replace("this is FORBIDDEN", "nothing of the kind"),
        "calls what is not there": POLICY + 'check c = python { call "nowhere_at_all:answer" }\n'
        'rule r { tier safety on input when c then block "No." }\n',
    }
    path = tmp_path / "bad.guard"
    for why, text in cases.items():
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [*START, "serve", str(path), "--port", "0", "--no-watch"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=40,
            check=False,
        )
        assert done.returncode == 2, (why, done.returncode, done.stderr)


def test_ready_says_that_a_known_bad_text_is_stopped() -> None:
    with served(TESTED, "--no-watch") as server:
        status, said = _ready(server)
    assert status == 200
    assert said["status"] == "ready"
    assert said["lacks"] == []
    (policy,) = said["policies"]
    assert policy["probe"] == "stopped"
    assert policy["policy"] == "served"
    assert policy["digest"].startswith("sha256:")
    assert "FORBIDDEN" not in str(said)


def test_a_policy_that_shows_nothing_of_itself_is_degraded() -> None:
    with served(POLICY, "--no-watch") as server:
        status, said = _ready(server)
    assert (status, said["status"]) == (200, "degraded")
    assert said["policies"][0]["probe"] == "none"


def test_the_probe_counts_for_nothing() -> None:
    """Who asks whether the server is ready changes no counter and no record, and costs little."""

    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            before = await metrics(line)
            begun = time.monotonic()
            for _ in range(100):
                assert (await line.ask("/readyz", method="GET")).status == 200
            print(f"\n{(time.monotonic() - begun) * 10:.2f} ms each")
            assert await metrics(line) == before

    with served(TESTED, "--no-watch") as server:
        asyncio.run(play(server))


def test_a_breaker_that_is_open_is_degraded_and_comes_back(tmp_path: Path) -> None:
    """A check that does not answer is unknown, and so a block; and where it is silent is said."""
    broken = tmp_path / "broken"

    async def play(server: Served) -> None:
        async with Line(server.url) as line:

            async def status() -> tuple[int, str, list[str]]:
                answer = await line.ask("/readyz", method="GET")
                said = answer.json()
                return answer.status, said["status"], said["policies"][0]["silent"]

            assert await status() == (200, "ready", [])
            broken.touch()
            for _ in range(30):
                answer = await line.ask(CHAT, chat("hello"))
                assert answer.headers["x-guardkit-action"] == "block", "it failed open"
            found: list[Any] = []

            async def is_degraded() -> bool:
                found[:] = await status()
                return found[1] != "ready"

            await until(is_degraded, 5, 0.1)
            assert found == [200, "degraded", ["own"]]
            broken.unlink()

            async def is_back() -> bool:
                answer = await line.ask(CHAT, chat("hello"))
                return answer.headers["x-guardkit-action"] == "pass"

            took_s = await until(is_back, 40, 0.2)

            async def is_ready() -> bool:
                return await status() == (200, "ready", [])

            await until(is_ready, 5, 0.1)
            print(f"\nclosed again after {took_s:.1f} s")

    with (
        upstream(Say("ok")) as up,
        served(FLAKY, "--no-watch", upstream=up.url, env=_own_check(tmp_path)) as server,
    ):
        asyncio.run(play(server))


def test_a_policy_that_was_refused_keeps_the_server_ready() -> None:
    async def play(server: Served) -> None:
        async with Line(server.url) as line:
            (server.folder / "served.guard").write_text("guardkit 1\nrule", encoding="utf-8")
            assert (await reload(line)).status == 422
            answer = await line.ask("/readyz", method="GET")
            assert (answer.status, answer.json()["status"]) == (200, "ready")

    with served(TESTED, "--no-watch") as server:
        asyncio.run(play(server))


def test_without_redis_it_is_degraded_and_lives() -> None:
    async def play(server: Served, redis: Any) -> None:
        async with Line(server.url) as line:

            async def said() -> tuple[int, str, list[str]]:
                answer = await line.ask("/readyz", method="GET")
                return answer.status, answer.json()["status"], answer.json()["lacks"]

            assert await said() == (200, "ready", [])
            redis.kill()

            async def is_told() -> bool:
                return await said() == (200, "degraded", ["redis"])

            await until(is_told, 10, 0.1)
            assert (await line.ask("/healthz", method="GET")).status == 200
            assert (await line.ask(CHECK, {"text": "FORBIDDEN"})).json()["action"] == "block"
            redis.start()

            async def is_ready() -> bool:
                return await said() == (200, "ready", [])

            await until(is_ready, 10, 0.1)

    with (
        redis_server() as redis,
        served(TESTED, "--redis", redis.url, "--no-watch", env=redis.env) as server,
    ):
        asyncio.run(play(server, redis))
