"""The server's numbers: exact from many threads, fixed memory, one valid exposition."""

from __future__ import annotations

import gc
import math
import random
import re
import threading
import time
import tracemalloc
from typing import Any

import pytest

from guardkit.guard import loads
from guardkit.server._counters import (
    DIALECTS,
    ROUTES,
    SHED_REASONS,
    UPSTREAM_ERRORS,
    Counters,
)
from guardkit.server._exposition import joined, labelled
from guardkit.telemetry import Family, Monitors, Spread, Value, exposition

POLICY = """guardkit 1
policy {name}
  title "Numbers"
  owner "a@b.example"
  version "1"

check forbidden = pattern {{ match /FORBIDDEN/ }}

rule stop {{
  tier safety
  on   input, output
  when forbidden
  then block "No."
}}

monitor attacks {{
  watch stop on input
  alarm above 5% over 1h
}}
"""


class Clock:
    """A clock that stands still."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def read(text: str) -> tuple[dict[str, str], dict[str, float]]:
    """A strict reader: the kinds by name, and the numbers by series."""
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    numbers: dict[str, float] = {}
    current = ""
    assert text == "" or text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in helped, "HELP twice"
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, "TYPE twice"
            assert kind in ("counter", "gauge", "histogram")
            kinds[name] = kind
            current = name
        else:
            found = re.fullmatch(
                r'([a-z_]+)(?:\{([a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
                r'(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*)\})? (\S+)',
                line,
            )
            assert found is not None, line
            stem = found[1]
            if kinds[current] == "histogram":
                stem = re.sub(r"_(bucket|sum|count)$", "", stem)
                assert stem != found[1]
            assert stem == current, f"{line} stands below {current}"
            labels = re.findall(r'([a-z_]+)="', re.sub(r'\\.|(?<==")[^"]*', "", found[2] or ""))
            assert len(labels) == len(set(labels)), "a label twice"
            series = line.rpartition(" ")[0]
            assert series not in numbers, "a series twice"
            numbers[series] = float(found[3])
    assert set(kinds) == helped
    return kinds, numbers


def filled() -> Counters:
    counters = Counters(clock=Clock())
    for number in range(100):
        counters.began()
        action = "block" if number % 10 == 0 else "pass"
        counters.ended("chat", "openai", 200, action, 0.100 + number / 1000, 0.099)
    counters.began()
    counters.ended("health", "none", 200, "none", 0.0002, None)
    counters.began()
    counters.shed("overloaded")
    counters.upstream_error("chat", "upstream_timeout")
    counters.cut("block")
    counters.reloaded("ok")
    counters.held(37)
    return counters


# --- what is counted


def test_every_family_is_exposed_and_readable() -> None:
    kinds, numbers = read(filled().metrics())
    assert kinds == {
        "guardkit_requests_total": "counter",
        "guardkit_request_seconds": "histogram",
        "guardkit_added_seconds": "histogram",
        "guardkit_upstream_seconds": "histogram",
        "guardkit_upstream_errors_total": "counter",
        "guardkit_requests_shed_total": "counter",
        "guardkit_requests_inside": "gauge",
        "guardkit_streams_cut_total": "counter",
        "guardkit_reloads_total": "counter",
        "guardkit_stream_hold_chars": "histogram",
    }
    chat = 'route="chat",dialect="openai",status="200"'
    assert numbers[f'guardkit_requests_total{{{chat},action="block"}}'] == 10
    assert numbers[f'guardkit_requests_total{{{chat},action="pass"}}'] == 90
    assert numbers['guardkit_upstream_errors_total{route="chat",kind="timeout"}'] == 1
    assert numbers["guardkit_requests_inside"] == 1
    assert numbers['guardkit_request_seconds_count{route="chat"}'] == 100
    assert numbers['guardkit_upstream_seconds_count{route="chat"}'] == 100
    assert 'guardkit_upstream_seconds_count{route="health"}' not in numbers
    # 0.101 to 0.200 and one at 0.100: its bound is part of the bucket.
    assert numbers['guardkit_request_seconds_bucket{route="chat",le="0.1"}'] == 1
    assert numbers['guardkit_request_seconds_bucket{route="chat",le="0.2"}'] == 100
    assert numbers['guardkit_added_seconds_sum{route="chat"}'] == pytest.approx(5.05)
    assert numbers['guardkit_stream_hold_chars_bucket{le="16"}'] == 0
    assert numbers['guardkit_stream_hold_chars_bucket{le="64"}'] == 1


def test_a_server_that_served_nothing_exposes_a_valid_text() -> None:
    kinds, numbers = read(Counters().metrics())
    assert kinds == {"guardkit_requests_inside": "gauge"}
    assert numbers == {"guardkit_requests_inside": 0}


def test_histograms_agree_with_a_list_of_everything() -> None:
    rand = random.Random(7)
    counters = Counters()
    times = [math.exp(rand.uniform(math.log(1e-5), math.log(900))) for _ in range(2000)]
    for seconds in times:
        counters.began()
        counters.ended("check", "guardkit", 200, "pass", seconds, None)
    _, numbers = read(counters.metrics())
    buckets = {
        float(series.split('le="')[1].split('"')[0]): number
        for series, number in numbers.items()
        if series.startswith("guardkit_request_seconds_bucket")
    }
    assert len(buckets) == 19
    for bound, number in buckets.items():
        assert number == sum(seconds <= bound for seconds in times), bound
    snapshot = counters.snapshot()
    times.sort()
    for name, place in (("p50_ms", 999), ("p95_ms", 1899), ("p99_ms", 1979)):
        assert snapshot["whole"][name] == pytest.approx(times[place] * 1000, rel=0.13)


def test_what_is_no_known_word_counts_as_other() -> None:
    counters = Counters()
    canary = 'x"}\n# TYPE évil\u202e counter'
    counters.began()
    counters.ended(canary, canary, 777, canary, math.nan, math.inf)
    counters.began()
    counters.ended("chat", "openai", 418, "pass", -5.0, None)
    for told in (counters.shed, counters.cut, counters.reloaded):
        told(canary)
    counters.upstream_error(canary, canary)
    text = counters.metrics()
    assert text.isascii()
    assert "evil" not in text
    _, numbers = read(text)
    other = 'route="other",dialect="other",status="other",action="other"'
    assert numbers[f"guardkit_requests_total{{{other}}}"] == 1
    assert (
        numbers['guardkit_requests_total{route="chat",dialect="openai",status="4xx",action="pass"}']
        == 1
    )
    assert numbers['guardkit_request_seconds_sum{route="chat"}'] == 0
    assert canary not in str(counters.snapshot())


def test_no_label_can_drive_the_memory() -> None:
    counters = Counters()
    rand = random.Random(3)

    def flood(rounds: int) -> None:
        for number in range(rounds):
            word = f"{rand.random()}"
            counters.began()
            counters.ended(word, word, number, word, rand.random(), rand.random())
            counters.shed(word)
            counters.cut(word)
            counters.upstream_error(word, word)

    flood(2000)
    lines = counters.metrics().count("\n")
    gc.collect()
    tracemalloc.start()
    flood(2000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 20_000
    assert counters.metrics().count("\n") == lines
    # Each set is closed; so is their product.
    assert lines < 60 + len(ROUTES) * 3 * 25


def test_many_threads_lose_nothing() -> None:
    counters = Counters()
    stop = threading.Event()

    def work() -> None:
        for _ in range(500):
            counters.began()
            counters.shed("quota")
            counters.ended("chat", "openai", 200, "pass", 0.01, 0.001)

    def look() -> None:
        while not stop.is_set():
            counters.metrics()
            counters.snapshot()

    workers = [threading.Thread(target=work) for _ in range(8)]
    looking = threading.Thread(target=look)
    for thread in (*workers, looking):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    looking.join()
    snapshot = counters.snapshot()
    assert snapshot["inside"] == 0
    assert snapshot["totals"]["requests"] == 4000
    assert snapshot["totals"]["shed"] == {"quota": 4000}
    assert sum(minute["requests"] for minute in snapshot["hour"]) == 4000


def test_what_is_finalized_while_the_numbers_are_read_is_counted() -> None:
    class Stream:
        def __del__(self) -> None:
            counters.cut("block")

    class Drops(Clock):
        """Drops a stream whenever somebody asks for the time: the lock is held then."""

        stream: Stream | None = None

        def __call__(self) -> float:
            self.stream = None
            return super().__call__()

    clock = Drops()
    counters = Counters(clock=clock)
    clock.stream = Stream()
    counters.snapshot()
    assert clock.stream is None
    assert counters.snapshot()["totals"]["cut"] == {"block": 1}
    clock.stream = Stream()
    counters.shed("quota")
    assert counters.snapshot()["totals"]["cut"] == {"block": 2}


# --- what the console sees


def test_the_hour_goes_by_minute_and_forgets() -> None:
    clock = Clock(1_790_000_040.0)
    counters = Counters(clock=clock)

    def one(action: str = "pass", status: int = 200) -> None:
        counters.began()
        counters.ended("chat", "openai", status, action, 0.2, 0.1)

    one()
    clock.now += 60
    one("block")
    one("none", 502)
    counters.shed("overloaded")
    hour = counters.snapshot()["hour"]
    assert len(hour) == 60
    assert [minute["at"] for minute in hour[-2:]] == [
        1_790_000_040 - 1_790_000_040 % 60 + m for m in (0, 60)
    ]
    assert [minute["requests"] for minute in hour[-2:]] == [1, 2]
    assert hour[-1]["actions"] == {"block": 1, "none": 1}
    assert (hour[-1]["failed"], hour[-1]["shed"]) == (1, 1)
    assert sum(minute["requests"] for minute in hour[:-2]) == 0
    rates = counters.snapshot()["rates"]
    assert rates["blocked"] == 0.5
    assert rates["failed"] == pytest.approx(1 / 3, abs=1e-5)
    assert rates["shed"] == 0.25
    clock.now += 3600
    later = counters.snapshot()
    assert sum(minute["requests"] for minute in later["hour"]) == 0
    assert later["whole"] == {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
    assert later["rates"]["blocked"] is None
    assert later["totals"]["requests"] == 3


def test_the_hour_agrees_with_a_list_whatever_the_clock_does() -> None:
    rand = random.Random(11)
    clock = Clock()
    counters = Counters(clock=clock)
    minutes: list[int] = []
    for _ in range(1500):
        clock.now += rand.expovariate(1 / 40) if rand.random() < 0.995 else 5000
        counters.began()
        counters.ended("chat", "openai", 200, "pass", 0.1, None)
        minutes.append(int(clock.now // 60))
    for minute in counters.snapshot()["hour"]:
        assert minute["requests"] == minutes.count(minute["at"] // 60)


@pytest.mark.parametrize("back_s", [30, 600, 100_000_000])
def test_a_clock_that_was_put_back_still_counts(back_s: int) -> None:
    clock = Clock()
    counters = Counters(clock=clock)
    counters.shed("quota")
    clock.now -= back_s
    for _ in range(5):
        counters.shed("quota")
    seen = sum(minute["shed"] for minute in counters.snapshot()["hour"])
    assert seen == (6 if back_s < 3600 else 5)


# --- one text of several


def test_the_numbers_of_two_policies_and_the_server_are_one_valid_text() -> None:
    texts = []
    for name in ("shop", "desk"):
        guard = loads(POLICY.format(name=name))
        monitors = Monitors(guard.plan, alarms=())
        monitors.saw(guard.check("FORBIDDEN"))
        texts.append(labelled(monitors.metrics(), "guard", name))
    with pytest.raises(AssertionError):
        read("".join(texts))
    counters = filled()
    text = joined([counters.metrics(), *texts])
    kinds, numbers = read(text)
    for name in ("shop", "desk"):
        series = f'guardkit_verdicts_total{{guard="{name}",surface="input",action="block"}}'
        assert numbers[series] == 1
    own, _ = read(counters.metrics())
    theirs, _ = read(texts[0])
    assert not set(own) & set(theirs)
    assert set(kinds) == set(own) | set(theirs)


def test_joining_one_text_changes_nothing() -> None:
    text = filled().metrics()
    assert joined([text]) == text
    assert joined([]) == ""


def test_the_numbers_of_two_processes_are_added_up() -> None:
    text = filled().metrics()
    _, one = read(text)
    _, two = read(joined([text, text]))
    assert two == pytest.approx({series: 2 * number for series, number in one.items()})
    ringing = exposition([Family("guardkit_monitor_ringing", "gauge", "Rings", [Value((), 1)])])
    quiet = ringing.replace(" 1\n", " 0\n")
    assert joined([quiet, ringing, quiet]) == ringing


def test_a_label_holds_any_text() -> None:
    text = exposition(
        [
            Family("a_total", "counter", "A", [Value((("x", 'q"\\\n{} ='),), 2)]),
            Family("b", "gauge", "B", [Value((), 0.5)]),
            Family("c", "histogram", "C", spreads=[Spread((), [("1", 2)], 3, "4.5")]),
        ]
    )
    for found in (text, labelled(text, "guard", 'we"ird\n')):
        read(found)
        assert joined([found]) == found


# --- what it costs


def test_what_a_request_costs_to_count_is_small_beside_a_dictionary() -> None:
    # About 5 µs; beside other work of the interpreter, so that a busy machine does not matter.
    counters = Counters()

    def cost(call: Any, rounds: int) -> float:
        best = float("inf")
        for _ in range(9):
            begun = time.process_time()
            for _ in range(rounds):
                call()
            best = min(best, (time.process_time() - begun) / rounds)
        return best

    def request() -> None:
        counters.began()
        counters.ended("chat", "openai", 200, "pass", 0.12, 0.11)

    def yardstick() -> None:
        counts: dict[tuple[str, int], int] = {}
        for number in range(20):
            counts["a", number % 5] = counts.get(("a", number % 5), 0) + 1

    assert cost(request, 3000) < 12 * cost(yardstick, 3000)


def test_the_words_of_labels_are_plain() -> None:
    for words in (ROUTES, DIALECTS, SHED_REASONS, UPSTREAM_ERRORS):
        assert all(re.fullmatch(r"[a-z0-9_]+", word) for word in words)
        assert len(words) == len(set(words))
