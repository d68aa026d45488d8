"""Alarms reach logs, programs and web addresses, hold no text, and never get in the way."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from guardkit.errors import UsageError
from guardkit.telemetry import Alarm, Answers, LogAlarm, Monitors, Stretch, Webhook
from guardkit.types import Record

from ._watching import CANARY, POLICY, Clock, counted, plan_of, shown, verdict, watching

RINGING = Alarm(
    "watched",
    "attacks",
    "rate",
    "ringing",
    at=1_790_000_100.0,
    began=1_790_000_100.0,
    direction="above",
    bound=0.05,
    over_s=3600.0,
    window=Answers(30, 970, 4),
    lately=Stretch(1_790_000_000.0, 8, 20),
)
QUIET = RINGING._replace(state="quiet", at=1_790_004_100.0, window=Answers(12, 588, 0), lately=None)


def monitors_with(*sinks: Callable[[Alarm], object]) -> Monitors:
    return Monitors(plan_of(POLICY), clock=Clock(), alarms=sinks)


def ring(monitors: Monitors) -> None:
    """Have one monitor ring: `courtesy`, which sees no yes."""
    for _ in range(60):
        monitors.saw(verdict("output", Record("output", "monitor courtesy", "no", 1.0)))


# --- what is told


def test_an_alarm_says_in_one_line_what_people_need() -> None:
    blind = QUIET._replace(kind="blind", state="ringing", window=Answers(1, 9, 40))
    below = RINGING._replace(direction="below", bound=0.9, over_s=600.0)
    assert [alarm.sentence for alarm in (RINGING, QUIET, below, blind)] == [
        "monitor `attacks` rings: 40.0% (21.9-61.3), 8 of 20 since 2026-09-21T14:13:20Z; "
        "allowed is at most 5% over 1h",
        "monitor `attacks` is quiet again after 67m: 2.0% (1.1-3.5), 12 of 600; "
        "allowed is at most 5% over 1h",
        "monitor `attacks` rings: 40.0% (21.9-61.3), 8 of 20 since 2026-09-21T14:13:20Z; "
        "allowed is at least 90% over 10m",
        "monitor `attacks` is blind: 40 of 50 answers of the last 1h unknown",
    ]


def test_the_data_of_an_alarm_is_plain() -> None:
    shown = json.loads(json.dumps(RINGING.as_dict()))
    assert shown["window"] == {
        "yes": 30,
        "known": 1000,
        "unknown": 4,
        "rate": 0.03,
        "low": pytest.approx(0.0211, abs=1e-3),
        "high": pytest.approx(0.0425, abs=1e-3),
    }
    assert shown["lately"]["rate"] == 0.4
    assert shown["lately"]["since"] == "2026-09-21T14:13:20Z"
    assert "lately" not in QUIET.as_dict()


def test_the_log_has_a_line_and_the_data(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "guardkit.monitor"):
        for alarm in (RINGING, QUIET):
            LogAlarm()(alarm)
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("guardkit.monitor", "WARNING"),
        ("guardkit.monitor", "INFO"),
    ]
    assert [record.getMessage() for record in caplog.records] == [RINGING.sentence, QUIET.sentence]
    assert caplog.records[0].__dict__["guardkit"] == RINGING.as_dict()


def test_monitors_log_unless_told_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    ring(Monitors(plan_of(POLICY), clock=Clock()))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "`courtesy` rings" in caplog.text


def test_no_log_line_holds_what_was_judged(caplog: pytest.LogCaptureFixture) -> None:
    guard, watched, *_ = watching()
    monitors = Monitors(guard.plan, clock=Clock(), alarms=(LogAlarm(), _raises))
    with caplog.at_level(logging.DEBUG):
        for _ in range(100):
            monitors.saw(guard.check(f"FORBIDDEN LOUD {CANARY}", session=CANARY))
            monitors.saw(guard.check(f"FORBIDDEN {CANARY}", on="output", session=CANARY))
    assert len([r for r in caplog.records if r.name == "guardkit.monitor"]) >= 3
    formatter = logging.Formatter("%(message)s %(guardkit)s", defaults={"guardkit": ""})
    assert not [r for r in caplog.records if CANARY in formatter.format(r)]
    assert shown(watched, "attacks")["alarms"] == 1


# --- listeners that fail, and slow ones


def _raises(alarm: Alarm) -> None:
    raise RuntimeError(f"about {CANARY}")


def test_a_listener_that_raises_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Alarm] = []
    guard, _, clock, _, _ = watching()
    monitors = Monitors(guard.plan, clock=clock, alarms=(_raises, heard.append))
    for number in range(4000):
        clock.now += 60
        is_bad = number // 1000 % 2 == 0
        monitors.saw(verdict("input", fired=("stop",) if is_bad else ()))
    assert [alarm.state for alarm in heard if alarm.monitor == "attacks"] == [
        "ringing",
        "quiet",
        "ringing",
        "quiet",
    ]
    complaints = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(complaints) == 1
    assert "_raises raised RuntimeError" in complaints[0].getMessage()
    assert CANARY not in caplog.text
    snapshot: Any = monitors.snapshot()
    assert snapshot["listeners"][0] == {
        "name": "_raises",
        "failed": len(heard),
        "sent": None,
        "dropped": 0,
    }
    assert f'guardkit_alarm_failures_total{{listener="_raises"}} {len(heard)}' in monitors.metrics()


def test_a_slow_listener_holds_up_no_other_thread_and_nothing_is_out_of_order() -> None:
    heard: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def slow(alarm: Alarm) -> None:
        entered.set()
        assert leave.wait(20)
        heard.append(f"{alarm.monitor} {alarm.state}")

    guard, _, clock, _, _ = watching()
    monitors = Monitors(guard.plan, clock=clock, alarms=[slow])
    first = threading.Thread(target=ring, args=(monitors,))
    first.start()
    assert entered.wait(20)
    for _ in range(100):  # rings too, here, while the other thread is still telling
        monitors.saw(verdict("input", fired=("stop",)))
    assert counted(monitors)["surfaces"]["input"]["events"] == 100
    assert heard == []
    leave.set()
    first.join(20)
    assert heard == ["courtesy ringing", "attacks ringing", "stops ringing"]


def test_a_listener_may_look_at_the_monitors_and_feed_them() -> None:
    seen: list[Any] = []

    def curious(alarm: Alarm) -> None:
        seen.append(monitors.snapshot())
        monitors.saw(verdict("input"))

    monitors = monitors_with(curious)
    ring(monitors)
    assert len(seen) == 1
    assert counted(monitors)["surfaces"]["input"]["events"] == 1


# --- a web address


class Place:
    """A real server on this machine, which answers as it is told."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}/in/tok-en?a=1"
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[Any] = []
        """Statuses to give, or functions of the handler; then 204 for ever."""


@contextmanager
def serving() -> Iterator[Place]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            place.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            place.headers.append({name.lower(): value for name, value in self.headers.items()})
            place.paths.append(self.path)
            answer = place.answers.pop(0) if place.answers else 204
            if callable(answer):
                answer(self)
                return
            self.send_response(answer)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    place = Place(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(claim: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not claim():
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.005)


def test_a_webhook_posts_the_alarm_and_signs_it() -> None:
    with serving() as place:
        hook = Webhook(place.url, secret="shared")
        ring(monitors_with(hook))
        hook.close()
    assert (hook.sent, hook.dropped) == (1, 0)
    assert place.paths == ["/in/tok-en?a=1"]
    said = json.loads(place.bodies[0])
    assert (said["monitor"], said["state"], said["policy"]) == ("courtesy", "ringing", "watched")
    assert said["says"].startswith("monitor `courtesy` rings")
    assert CANARY.encode() not in place.bodies[0]
    headers = place.headers[0]
    assert headers["content-type"] == "application/json"
    seconds, _, code = headers["x-guardkit-signature"].removeprefix("t=").partition(",v1=")
    wanted = hmac.new(b"shared", seconds.encode() + b"." + place.bodies[0], hashlib.sha256)
    assert hmac.compare_digest(code, wanted.hexdigest())
    assert abs(int(seconds) - time.time()) < 60


def test_without_a_secret_nothing_is_signed() -> None:
    with serving() as place:
        hook = Webhook(place.url)
        hook(RINGING)
        hook.close()
    assert "x-guardkit-signature" not in place.headers[0]


def test_a_server_that_fails_is_tried_again_with_the_same_id() -> None:
    def broken(handler: Any) -> None:
        handler.connection.close()

    with serving() as place:
        place.answers = [503, 429, broken]
        hook = Webhook(place.url, pause_s=0.01)
        hook(RINGING)
        hook.close(20)
    assert (hook.sent, hook.dropped) == (1, 0)
    assert len(place.bodies) == 4
    assert len({json.loads(body)["id"] for body in place.bodies}) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404])
def test_a_refusal_and_a_redirect_are_final(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with serving() as place:
        place.answers = [status]
        hook = Webhook(place.url, pause_s=0.01)
        hook(RINGING)
        hook.close()
    assert (hook.sent, hook.dropped) == (0, 1)
    assert place.paths == ["/in/tok-en?a=1"]
    assert f"dropped: status {status}" in caplog.text
    assert "tok-en" not in caplog.text


def test_pauses_double_and_tries_end(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        port = nobody.getsockname()[1]
        hook = Webhook(f"http://127.0.0.1:{port}/", tries=4, pause_s=0.05)
        begun = time.monotonic()
        hook(RINGING)
        until(lambda: hook.dropped == 1)
        took = time.monotonic() - begun
    assert took >= 0.05 + 0.10 + 0.20
    assert "dropped: ConnectionRefusedError" in caplog.text
    hook.close()


@contextmanager
def dripping(head: bytes, pause_s: float) -> Iterator[tuple[int, list[float]]]:
    """A server that gives a byte at a time, or none; the port, and how long each call stayed."""
    stayed: list[float] = []
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                begun = time.monotonic()
                with client:
                    client.settimeout(20)
                    try:
                        client.recv(65_536)
                        for byte in head:
                            if is_over.wait(pause_s):
                                return
                            client.sendall(bytes([byte]))
                        while client.recv(65_536):
                            pass
                    except OSError:
                        pass
                stayed.append(time.monotonic() - begun)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], stayed
        is_over.set()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 " + b"x" * 10_000], ids=["hangs", "drips"])
def test_a_server_that_hangs_or_drips_costs_one_timeout(head: bytes) -> None:
    with dripping(head, 0.02) as (port, stayed):
        hook = Webhook(f"http://127.0.0.1:{port}/", timeout=0.3, tries=1)
        begun = time.monotonic()
        hook(RINGING)
        assert time.monotonic() - begun < 0.25  # it only hands the alarm over
        until(lambda: hook.dropped == 1)
        assert time.monotonic() - begun < 5
        until(lambda: bool(stayed))
    hook.close()


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (b"HTTP/1.1 200 OK\r\n", 1),
        (b"HTTP/1.0 204\r\n", 1),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 0),
        (b"HTTP/1.1 2000 OK\r\n", 0),
        (b"SSH-2.0-something\r\n", 0),
        (b"\x00\xff\n", 0),
    ],
)
def test_only_a_status_of_success_is_success(head: bytes, sent: int) -> None:
    with dripping(head, 0.0) as (port, _):
        hook = Webhook(f"http://127.0.0.1:{port}/", timeout=0.5, tries=1)
        hook(RINGING)
        until(lambda: hook.sent + hook.dropped == 1)
        assert hook.sent == sent
    hook.close()


def test_what_a_slow_server_cannot_take_is_dropped_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go = threading.Event()

    def slow(handler: Any) -> None:
        assert go.wait(20)
        handler.send_response(200)
        handler.end_headers()

    with serving() as place:
        place.answers = [slow]
        hook = Webhook(place.url, timeout=20.0, most_waiting=3)
        hook(RINGING)
        until(lambda: len(place.bodies) == 1)
        begun = time.monotonic()
        for _ in range(10):
            hook(QUIET)
        assert time.monotonic() - begun < 1
        assert hook.dropped == 7
        assert "too many alarms wait; 7 dropped so far" in caplog.text
        go.set()
        hook.close(20)
        assert (hook.sent, hook.dropped) == (4, 7)
        states = [json.loads(body)["state"] for body in place.bodies]
        assert states == ["ringing", "quiet", "quiet", "quiet"]
    monitors = monitors_with(hook)
    snapshot: Any = monitors.snapshot()
    assert snapshot["listeners"] == [{"name": "Webhook", "failed": 0, "sent": 4, "dropped": 7}]
    assert 'guardkit_alarms_dropped_total{listener="Webhook"} 7' in monitors.metrics()


def test_a_closed_webhook_drops_what_is_left_and_what_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with dripping(b"", 0.0) as (port, _):
        hook = Webhook(f"http://127.0.0.1:{port}/", timeout=0.5, tries=3, pause_s=30.0)
        for _ in range(4):
            hook(RINGING)
        begun = time.monotonic()
        hook.close(0.1)
        hook(RINGING)
        assert time.monotonic() - begun < 5
        until(lambda: hook.dropped == 5)  # the one that was being tried gives up too
    assert hook.sent == 0
    assert "dropped: closed" in caplog.text


def test_no_thread_is_begun_before_there_is_an_alarm() -> None:
    before = threading.active_count()
    hook = Webhook("https://alarms.example/in")
    assert threading.active_count() == before
    hook.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "alarms.example/in",
        "ftp://alarms.example/",
        "file:///etc/passwd",
        "https://",
        "https://alarms.example:99999/",
        "https://user:secret@alarms.example/",
        "https://alarms.example/a b",
        "https://alarms.example/a\r\nX-Evil: 1",
        "https://bücher.example/",
        7,
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_quoted(url: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Webhook(url)
    assert "secret@" not in str(caught.value)
    assert "passwd" not in str(caught.value)


def test_a_webhook_shows_its_host_and_no_more() -> None:
    assert repr(Webhook("https://alarms.example/hooks/tok-en")) == "<Webhook alarms.example>"
    for wrong in ({"timeout": 0}, {"tries": 0}, {"most_waiting": 0}, {"secret": ""}):
        with pytest.raises(UsageError):
            Webhook("https://alarms.example/", **wrong)  # type: ignore[arg-type]  # on purpose
