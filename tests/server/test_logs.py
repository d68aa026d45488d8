"""One event is one line of ASCII that nobody can forge; libraries say nothing of traffic."""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardkit.server._logs import MOST_CHARS, MOST_NAMES, Log, quiet_libraries

ROOT = Path(__file__).parents[2]
CANARY = "Zx9QuartzOMEGA7731"

HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="\n\r\t\x1b[31m\x7f\u202e\u2028\u2066\x00\x85\ud800=\" ,{}'\\", max_size=300),
    st.sampled_from(
        [
            'x\n{"event":"request","action":"pass"}',
            "\x1b[2K\x1b[1Ginnocent",
            "pass status=200 rules=[]",
            'ok","action":"pass',
            "\u202etxet desrever",
            "a" * 5000,
        ]
    ),
)
FACTS = st.one_of(
    HOSTILE,
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(HOSTILE, max_size=30),
)


def log_to(lines: list[str], style: Any = "json", **more: Any) -> Log:
    return Log(lines.append, style, clock=lambda: 1_790_000_000.123, **more)


def parsed(line: str) -> dict[str, Any]:
    """A strict reader of the form `text`."""
    when, _, rest = line.rstrip("\n").partition(" ")
    decode = json.JSONDecoder().raw_decode

    def value(at: int) -> tuple[Any, int]:
        if rest[at] == '"':
            return decode(rest, at)
        if rest[at] == "[":
            found = []
            at += 1
            while rest[at] != "]":
                one, at = value(at)
                found.append(one)
                at += rest[at] == ","
            return found, at + 1
        word = re.compile(r"[A-Za-z0-9_./:@+-]+").match(rest, at)
        assert word is not None
        return word[0], word.end()

    event, at = value(0)
    found: dict[str, Any] = {"time": when, "event": event}
    while at < len(rest):
        key = re.compile(r" ([a-z0-9_]+)=").match(rest, at)
        assert key is not None, rest[at:]
        assert key[1] not in found
        found[key[1]], at = value(key.end())
    return found


# --- one line


@given(
    name=HOSTILE,
    facts=st.dictionaries(HOSTILE, FACTS, max_size=6),
    style=st.sampled_from(["json", "text"]),
)
def test_an_event_is_one_line_of_printable_ascii_and_cannot_be_forged(
    name: str, facts: dict[str, Any], style: Any
) -> None:
    lines: list[str] = []
    log = log_to(lines, style)
    log.event(name, **facts)
    assert log.lost == 0
    (line,) = lines
    assert line.endswith("\n")
    assert re.fullmatch(r"[\x20-\x7e]*", line[:-1])
    read = json.loads(line) if style == "json" else parsed(line)
    assert read["time"] == "2026-09-21T14:13:20.123Z"
    cut = name if len(name) <= MOST_CHARS else name[: MOST_CHARS - 3] + "..."
    assert read["event"] == cut
    keys = {re.sub("[^a-z0-9_]", "_", key[:40]) or "_" for key in facts} - {"time", "event"}
    assert set(read) == {"time", "event"} | keys
    for value in read.values():
        assert not isinstance(value, str) or len(value) <= MOST_CHARS
        assert not isinstance(value, list) or len(value) <= MOST_NAMES + 1


@given(value=HOSTILE.filter(lambda text: len(text) <= MOST_CHARS))
def test_a_short_value_can_be_read_back(value: str) -> None:
    for style in ("json", "text"):
        lines: list[str] = []
        log_to(lines, style).event("e", word=value, many=[value])
        read = json.loads(lines[0]) if style == "json" else parsed(lines[0])
        assert (read["word"], read["many"]) == (value, [value])


def test_a_request_says_what_operators_ask_for() -> None:
    lines: list[str] = []
    log = log_to(lines, key=b"k" * 16)
    log.request(
        decision="d-1",
        route="chat",
        dialect="openai",
        status=200,
        action="block",
        tenant="acme",
        peer="203.0.113.9",
        policy="sha256:ab",
        rules=("stop", "mask"),
        unknown=("judge",),
        elapsed_ms=12.34567,
        upstream_ms=None,
    )
    assert json.loads(lines[0]) == {
        "time": "2026-09-21T14:13:20.123Z",
        "event": "request",
        "decision": "d-1",
        "route": "chat",
        "dialect": "openai",
        "status": 200,
        "action": "block",
        "elapsed_ms": 12.346,
        "rules": ["stop", "mask"],
        "unknown": ["judge"],
        "tenant": "acme",
        "peer": log.peer("203.0.113.9"),
        "policy": "sha256:ab",
    }
    lines.clear()
    text = log_to(lines, "text", key=b"k" * 16)
    text.request(decision="d-2", route="health", status=200, elapsed_ms=0.5, upstream_ms=0.25)
    assert lines == [
        "2026-09-21T14:13:20.123Z request decision=d-2 route=health dialect=none status=200"
        " action=none elapsed_ms=0.5 upstream_ms=0.25\n"
    ]


def test_the_address_of_a_client_is_a_word_that_only_the_key_makes_again() -> None:
    lines: list[str] = []
    log, same, other = (log_to(lines, key=key * 16) for key in (b"a", b"a", b"b"))
    address = "198.51.100.7"
    for one in (log, same, other):
        one.request(decision="d", route="chat", status=200, peer=address)
    words = [json.loads(line)["peer"] for line in lines]
    assert words[0] == words[1] != words[2]
    assert address not in "".join(lines)
    assert log_to([]).peer(address) != log_to([]).peer(address)
    log.peer("\ud800")  # no address, and no crash


def test_of_what_is_no_word_only_the_type_is_written() -> None:
    lines: list[str] = []
    bad: Any = ValueError(CANARY)
    log_to(lines).event("failed", error=bad, bytes=CANARY.encode(), more=[bad], nest={CANARY: 1})
    assert CANARY not in lines[0]
    assert json.loads(lines[0])["error"] == "<ValueError>"
    assert json.loads(lines[0])["more"] == ["<ValueError>"]
    log_to(lines).event("numbers", a=math.nan, b=-math.inf, c=1 << 90, d=True)
    read = json.loads(lines[1])
    assert (read["a"], read["b"], read["c"], read["d"]) == ("nan", "-inf", "large", True)


def test_a_log_that_cannot_be_written_is_counted_and_stops_nothing() -> None:
    def full(line: str) -> None:
        raise OSError(28, "no space left")

    log = Log(full)
    log.event("one")
    log.request(decision="d", route="chat", status=200)
    assert log.lost == 2
    assert repr(log) == "<Log json>"


def test_lines_of_many_threads_on_standard_error_do_not_mix() -> None:
    program = """
        import threading
        from guardkit.server._logs import Log
        log = Log.to_stderr("text")
        def work(number):
            for _ in range(200):
                log.event("e", thread=number, word="x" * 150)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        [t.start() for t in threads]; [t.join() for t in threads]
    """
    lines = ran(program).stderr.splitlines()
    assert len(lines) == 1600
    assert all(re.fullmatch(r"\S+Z e thread=[0-7] word=x{150}", line) for line in lines)


# --- what libraries write


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", dedent(program)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HTTPX_LOG_LEVEL": "trace"},
    )


TRAFFIC = """
    import logging, sys, threading, time, warnings
    import httpx2, uvicorn
    from guardkit.server._logs import Log, quiet_libraries

    CANARY, quiet = {canary!r}, {quiet}
    if quiet:
        quiet_libraries(Log.to_stderr("json"))
    else:
        logging.basicConfig(level=1)
    logging.getLogger().setLevel(1)

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        body = (await receive())["body"].decode()
        if scope["path"].startswith("/boom"):
            raise ValueError(f"cannot read {{body}} of {{scope['query_string']}}")
        logging.getLogger("some.library").error("body was %s", body, extra={{"body": body}})
        logging.getLogger("some.library").warning(f"body was {{body}}", stack_info=True)
        answer = b"answer " + body.encode()
        head = [(b"content-type", b"text/plain"), (b"x-answer", body.encode())]
        await send({{"type": "http.response.start", "status": 200, "headers": head}})
        await send({{"type": "http.response.body", "body": answer}})

    config = uvicorn.Config(
        app, port=0, log_config=None, log_level=5, access_log=True, http="httptools", lifespan="off"
    )
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    for path in ("/v1/chat", "/boom"):
        try:
            httpx2.post(
                f"http://127.0.0.1:{{port}}{{path}}/{{CANARY}}?key={{CANARY}}",
                headers={{"authorization": f"Bearer {{CANARY}}", "x-{canary}": "1"}},
                content=CANARY,
            ).raise_for_status()
        except httpx2.HTTPStatusError as error:
            logging.getLogger("other").exception("failed: %s", error)
    import socket
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(f"BROKEN {{CANARY}}\\r\\n\\r\\n".encode())
        raw.recv(1000)
    server.should_exit = True
    thread.join()

    def fails():
        raise ValueError(CANARY)

    class Dropped:
        def __del__(self):
            raise ValueError(CANARY)

    other = threading.Thread(target=fails)
    other.start(); other.join()
    Dropped()
    warnings.warn(f"deprecated: {{CANARY}}", stacklevel=1)
    logging.getLogger("guardkit.monitor").warning("monitor %s rings", "`attacks`")
    logging.getLogger("guardkitty").warning(CANARY)
    fails()
"""


def told(quiet: bool) -> str:
    done = ran(TRAFFIC.format(canary=CANARY, quiet=quiet))
    assert done.returncode == 1
    return done.stdout + done.stderr


def forms(secret: str) -> list[str]:
    """The secret as it is, encoded, reversed, and its pieces."""
    data = secret.encode()
    return [
        secret,
        secret[::-1],
        data.hex(),
        quote(secret),
        *(base64.b64encode(b"\0" * n + data).decode()[4:-4] for n in range(3)),
        *(secret[at : at + 8] for at in range(len(secret) - 7)),
    ]


def test_no_library_tells_of_traffic_even_at_its_loudest() -> None:
    output = told(quiet=True)
    for form in forms(CANARY):
        assert form.lower() not in output.lower(), form
    events = [json.loads(line) for line in output.splitlines()]  # nothing but our lines
    by: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by.setdefault(event["event"], []).append(event)
    # What is left says who spoke, where, and what went wrong.
    said = {(event["logger"], event.get("says", "")) for event in by["library"]}
    assert ("uvicorn.error", "Exception in ASGI application") in said
    assert ("uvicorn.error", "Invalid HTTP request received.") in said
    assert ("some.library", "") in said
    errors = {event.get("error") for event in by["library"]}
    assert {"ValueError", "HTTPStatusError", None} == errors
    assert {"main", "thread", "finalizer"} == {event["where"] for event in by["crashed"]}
    assert {event["error"] for event in by["crashed"]} == {"ValueError"}
    assert all(event["at"] for event in by["crashed"])
    assert by["warning"][0]["kind"] == "UserWarning"
    assert by["said"][0]["says"] == "monitor `attacks` rings"


def test_without_it_they_would_tell() -> None:
    # The control: the program above does leak, so the test above can fail.
    output = told(quiet=False)
    assert output.count(CANARY) > 20
    for where in ("key=", "uvicorn.access", "body was", "Exception ignored", "deprecated"):
        assert where in output


def test_a_port_that_is_taken_is_said() -> None:
    done = ran(
        """
        import socket, uvicorn
        from guardkit.server._logs import Log, quiet_libraries
        quiet_libraries(Log.to_stderr("json"))
        taken = socket.create_server(("127.0.0.1", 0))
        uvicorn.run(lambda *_: None, port=taken.getsockname()[1], log_config=None, lifespan="off")
        """
    )
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert "Address already in use" in {event.get("says") for event in events}


def failures(secret: str, log: Log) -> list[Callable[[], object]]:
    """Ways in which a text gets into what a program writes about its failures."""
    logger = logging.getLogger("tests.library")

    def chained() -> Exception:
        try:
            try:
                raise KeyError(secret)
            except KeyError as error:
                raise ValueError(f"at {secret}") from error
        except ValueError as error:
            return error

    error = chained()
    trace = (type(error), error, error.__traceback__)

    class Shows:
        def __repr__(self) -> str:
            return secret

    def warned() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"old: {secret}", DeprecationWarning, stacklevel=1)

    def threaded() -> None:
        def work() -> None:
            raise RuntimeError(secret)

        thread = threading.Thread(target=work, name=secret)
        thread.start()
        thread.join()

    def finalized() -> None:
        class Dropped:
            def __del__(self) -> None:
                raise RuntimeError(secret)

        Dropped()

    anything: Any = Shows()
    raised = {"exc_type": trace[0], "exc_value": error, "exc_traceback": trace[2]}
    return [
        lambda: logger.critical("%s", secret),
        lambda: logger.error(f"{secret}"),
        lambda: logger.error("%(a)s", {"a": secret}),
        lambda: logger.error(secret, exc_info=trace),
        lambda: logger.error(error),
        lambda: logger.error(anything),
        lambda: logger.error("too many %s", secret, secret),
        lambda: logger.error("x", extra={"body": secret}),
        lambda: logger.warning("%r", anything, stack_info=True),
        lambda: logging.getLogger("uvicorn.error").error("Shutting down", secret),
        lambda: logging.getLogger(f"tests.{len(secret)}").error(secret),
        lambda: logger.log(logging.ERROR, "%s", [secret, {secret: secret}]),
        lambda: log.event("failed", error=cast(Any, error), what=anything),
        lambda: log.event("failed", many=[cast(Any, error)], raw=cast(Any, secret.encode())),
        lambda: log.request(decision="d", route="chat", status=400, peer=secret),
        lambda: sys.excepthook(*cast(Any, trace)),
        warned,
        threaded,
        finalized,
        lambda: sys.unraisablehook(cast(Any, SimpleNamespace(**raised, object=secret))),
    ]


@pytest.mark.parametrize("number", [100, pytest.param(10_000, marks=pytest.mark.full)])
def test_no_failure_tells_what_it_failed_at(number: int) -> None:
    random = Random(41)
    lines: list[str] = []
    log = log_to(lines)
    undo = quiet_libraries(log)
    secrets = ["".join(random.choices(ascii_letters + digits, k=20)) for _ in range(number)]
    try:
        for place, secret in enumerate(secrets):
            ways = failures(secret, log)
            # Each secret fails in two ways, and each way is met as often as every other.
            for way in (ways[place % len(ways)], ways[(place * 7 + 3) % len(ways)]):
                way()
    finally:
        undo()
    assert log.lost == 0
    assert len(lines) > number
    # Every eight characters that stand anywhere: to search them is quicker than to search the text.
    written = {line[at : at + 8].lower() for line in set(lines) for at in range(len(line) - 7)}
    assert '"logger"' in written
    for secret in secrets:
        for form in forms(secret):
            assert form[:8].lower() not in written, (secret, form)


def test_what_it_changed_can_be_undone() -> None:
    lines: list[str] = []
    logger = logging.getLogger("tests.a_library")
    mine = logging.NullHandler()
    logger.addHandler(mine)
    root = logging.getLogger()
    before = (logging.getLogRecordFactory(), list(root.handlers), root.level, sys.unraisablehook)
    undo = quiet_libraries(log_to(lines))
    try:
        logger.error("said %s", CANARY)
        assert logger.handlers == []
    finally:
        undo()
    assert logger.handlers == [mine]
    after = (logging.getLogRecordFactory(), list(root.handlers), root.level, sys.unraisablehook)
    assert after == before
    (line,) = lines
    assert json.loads(line)["logger"] == "tests.a_library"
    assert CANARY not in line
    logger.removeHandler(mine)


def test_a_handler_of_somebody_else_finds_nothing_to_tell() -> None:
    found: list[str] = []

    class Tells(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(logging.Formatter().format(record) + repr(vars(record)))

    logger = logging.getLogger("tests.told")
    handler = Tells()
    undo = quiet_libraries(log_to([]))
    logger.addHandler(handler)
    try:
        try:
            raise ValueError(CANARY)
        except ValueError:
            logger.exception("failed at %s", CANARY, stack_info=True)
        logger.error(f"failed at {CANARY}")
    finally:
        undo()
        logger.removeHandler(handler)
    assert len(found) == 2
    assert CANARY not in "".join(found)


def test_what_others_say_below_a_warning_costs_no_line() -> None:
    lines: list[str] = []
    undo = quiet_libraries(log_to(lines))
    try:
        logging.getLogger("tests.chatty").info("request %s", CANARY)
        logging.getLogger("guardkit.monitor").info("monitor %s is quiet again", "`a`")
        logging.getLogger("guardkit.monitor").info("parts %s that do not fit %d", "a")
    finally:
        undo()
    assert [json.loads(line)["says"] for line in lines] == ["monitor `a` is quiet again", ""]


def test_threads_may_log_while_it_is_set_up() -> None:
    lines: list[str] = []
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            logging.getLogger("tests.busy").debug(CANARY)

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        for _ in range(50):
            quiet_libraries(log_to(lines))()
    finally:
        stop.set()
        thread.join()
    assert CANARY not in "".join(lines)


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_log_says_its_style(style: Any) -> None:
    assert Log(print, style).is_json is (style == "json")
