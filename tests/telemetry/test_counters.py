"""Counters hold names of the policy and numbers, in fixed memory, and lose nothing."""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardkit.telemetry import Monitors
from guardkit.types import Finding, Ledger, Record, Verdict

from ._watching import CANARY, POLICY, Clock, counted, ledger, plan_of, shown, verdict, watching

# --- counters


def test_windows_forget_and_the_total_does_not() -> None:
    clock = Clock(1_790_000_000.0)
    monitors = Monitors(plan_of(POLICY), clock=clock, alarms=())

    def events() -> dict[str, int]:
        snapshot: Any = monitors.snapshot()
        return {
            name: counts["surfaces"].get("output", {}).get("events", 0)
            for name, counts in snapshot["counters"].items()
        }

    for _ in range(10):
        monitors.saw(verdict())
    assert events() == {"minute": 10, "hour": 10, "day": 10, "all": 10}
    clock.now += 59
    monitors.saw(verdict())
    assert events() == {"minute": 11, "hour": 11, "day": 11, "all": 11}
    clock.now += 30
    assert events() == {"minute": 1, "hour": 11, "day": 11, "all": 11}
    clock.now += 3600
    assert events() == {"minute": 0, "hour": 0, "day": 11, "all": 11}
    clock.now += 86_400
    monitors.saw(verdict())
    assert events() == {"minute": 1, "hour": 1, "day": 1, "all": 12}


def test_sliding_windows_agree_with_a_list_of_everything() -> None:
    random = np.random.default_rng(8)
    clock = Clock(1_790_000_000.0)
    monitors = Monitors(plan_of(POLICY), clock=clock, alarms=())
    times: list[int] = []
    spans = {"minute": (1, 60), "hour": (60, 60), "day": (900, 96)}
    for _ in range(3000):
        clock.now += float(random.exponential(20.0) if random.random() < 0.99 else 9000.0)
        monitors.saw(verdict())
        times.append(int(clock.now))
        if random.random() < 0.05:
            snapshot: Any = monitors.snapshot()
            for name, (size, parts) in spans.items():
                first = int(clock.now) // size - parts + 1
                wanted = sum(at // size >= first for at in times)
                assert snapshot["counters"][name]["surfaces"]["output"]["events"] == wanted


def test_quantiles_of_times_are_near_the_true_ones() -> None:
    random = np.random.default_rng(2)
    monitors = Monitors(plan_of(POLICY), clock=Clock(), alarms=())
    took = random.lognormal(7.0, 1.5, 5000)
    for us in took.tolist():
        monitors.saw(verdict()._replace(elapsed_us=us))
    found = counted(monitors)["surfaces"]["output"]["took"]
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert found[f"{name}_us"] == pytest.approx(float(np.quantile(took, q)), rel=0.12)
    assert found["mean_us"] == pytest.approx(float(took.mean()), rel=0.01)
    for odd in (0.0, -1.0, 0.5, 1e15):
        monitors.saw(verdict()._replace(elapsed_us=odd))


def test_a_leaked_canary_is_counted() -> None:
    guard, monitors, *_ = watching()
    mark = guard.system_prompt.rsplit(" ", 1)[-1]
    guard.check(f"my secret is {mark}", on="output")
    guard.check("no secret", on="output")
    assert counted(monitors)["canary_leaks"] == {"output": 1}


def test_held_texts_and_how_long_they_waited_are_counted() -> None:
    monitors = Monitors(plan_of(POLICY), clock=Clock(), alarms=())
    rule = Record("input", "rule stop", "hold", 0.0)
    monitors.saw(verdict("input", rule, fired=("stop",), action="hold", hold="h1"))
    assert shown(monitors, "attacks")["yes"] == 1
    approval = Record("input", "approval", "approved", 90e6)
    monitors.saw(verdict("input", approval, fired=("stop",), action="pass"))
    found = counted(monitors)
    assert found["holds"]["held"] == found["holds"]["approved"] == 1
    assert found["holds"]["waited"]["p50_us"] == pytest.approx(90e6, rel=0.12)
    # What was judged once is not judged again.
    assert shown(monitors, "attacks")["known"] == 1
    assert found["surfaces"]["input"]["events"] == 1


def test_a_name_that_the_policy_does_not_have_counts_as_other() -> None:
    monitors = Monitors(plan_of(POLICY), clock=Clock(), alarms=())
    odd: Any = "somewhere " + CANARY
    monitors.saw(Verdict(odd, CANARY, odd, CANARY, 1.0, fired=(CANARY,), unknown=(CANARY,)))
    monitors.ended(Ledger(odd, odd, CANARY, odd))
    found = counted(monitors)
    assert found["surfaces"]["other"]["actions"] == {"other": 1}
    assert found["rules"] == {"other": {"fired": 1}}
    assert found["unknown"] == found["refusals"] == {"other": 1}
    assert CANARY not in json.dumps(monitors.snapshot()) + monitors.metrics()


def test_a_snapshot_is_plain_and_sorted_and_holds_no_text() -> None:
    guard, monitors, clock, alarms, tone = watching()
    tone.fails = True
    for number in range(120):
        clock.now += 1
        where: Any = "output" if number % 2 else "input"
        guard.check(f"FORBIDDEN LOUD {CANARY}", on=where, session=f"session {CANARY}")
    guard.check_tool_call("mail", {CANARY: f"FORBIDDEN {CANARY}"}, session=CANARY)
    assert alarms
    snapshot: Any = monitors.snapshot()
    told = json.dumps(snapshot) + monitors.metrics() + repr(monitors)
    told += "".join(json.dumps(alarm.as_dict()) + alarm.sentence + repr(alarm) for alarm in alarms)
    assert CANARY not in told
    assert CANARY.lower() not in told.lower()
    names = [entry["monitor"] for entry in snapshot["monitors"]]
    assert names == sorted(names)
    for counts in snapshot["counters"].values():
        assert list(counts["rules"]) == sorted(counts["rules"])
        assert list(counts["surfaces"]) == sorted(counts["surfaces"])


# --- fixed memory, many threads, forks


def everything(number: int) -> Verdict:
    """Ever new names and times: an attempt to make something grow."""
    finding = Finding(f"rule{number}", f"check{number}", f"label{number}", 0, 1)
    return Verdict(
        "block",
        f"text {number}",
        "output" if number % 2 else "input",
        f"digest {number}",
        float(number % 10**7),
        fired=("stop", f"rule{number}"),
        unknown=(f"check{number}",),
        findings=(finding,),
        records=(Record("output", f"monitor m{number}", "yes", 0.0),),
        tool=f"tool{number}",
        hold=f"hold{number}",
    )


def grows(events: int) -> int:
    """By how many bytes the memory grows in the second half of so many events."""
    clock = Clock()
    monitors = Monitors(plan_of(POLICY), clock=clock, alarms=())

    def feed(first: int, last: int) -> None:
        for number in range(first, last):
            clock.now += 200_000.0 / events  # over two days: every window turns
            monitors.saw(everything(number))

    feed(0, events // 2)
    gc.collect()
    tracemalloc.start()
    feed(events // 2, events)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return grown


def test_memory_stays_the_same_whatever_comes() -> None:
    # What is alive was made in the second half, as parts of windows are: they are 216.
    assert grows(8_000) < 600_000


@pytest.mark.full
@pytest.mark.timeout(600)
def test_memory_stays_the_same_over_a_million_events() -> None:
    assert grows(1_000_000) < 600_000


def test_many_threads_lose_no_count() -> None:
    alarms: list[Any] = []
    plan = plan_of(POLICY)
    monitors = Monitors(plan, alarms=[alarms.append])
    seen = verdict("input", Record("input", "rule stop", "block", 0.0), fired=("stop",))

    def work() -> None:
        for number in range(2000):
            monitors.saw(seen)
            monitors.ended(ledger())
            if number % 500 == 0:
                monitors.snapshot()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = counted(monitors)
    assert found["rules"]["stop"] == {"fired": 16_000}
    assert found["exchanges"]["answered"] == 16_000
    assert shown(monitors, "attacks")["yes"] == 16_000
    assert sorted(alarm.monitor for alarm in alarms) == ["attacks", "stops"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
def test_a_forked_process_goes_on_counting(tmp_path: Path) -> None:
    monitors = Monitors(plan_of(POLICY), alarms=())
    with monitors._lock:  # as if another thread counted at this moment
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # a child that waits for a lock for ever would outlive the tests
            monitors.saw(verdict("input"))
            (tmp_path / "counted").write_text(str(shown(monitors, "attacks")["known"]))
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "counted").read_text() == "1"


# --- metrics


def test_metrics_are_lines_that_a_scraper_reads() -> None:
    guard, monitors, *_ = watching()
    for text in ("FORBIDDEN", "fine", "fine"):
        guard.check(text)
    monitors.ended(ledger("refused", layer="model", refusal="full"))
    text = monitors.metrics()
    assert text.endswith("\n")
    families: dict[str, str] = {}
    samples: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families
            families[name] = kind
        elif not line.startswith("# HELP "):
            sample, _, value = line.rpartition(" ")
            assert sample not in samples
            samples[sample] = float(value)
            name = sample.partition("{")[0]
            stem = name
            for suffix in ("_bucket", "_sum", "_count"):
                stem = stem.removesuffix(suffix)
            assert stem in families, line
            assert name.startswith("guardkit_")
    assert samples['guardkit_verdicts_total{surface="input",action="block"}'] == 1
    assert samples['guardkit_rules_total{rule="stop",standing="fired"}'] == 1
    assert samples['guardkit_monitor_rate{monitor="attacks"}'] == pytest.approx(1 / 3)
    assert samples['guardkit_monitor_bound{monitor="attacks"}'] == 0.05
    assert samples['guardkit_monitor_ringing{monitor="attacks",kind="rate"}'] == 0
    assert samples['guardkit_refusals_total{kind="full"}'] == 1
    buckets = [
        value
        for sample, value in samples.items()
        if sample.startswith('guardkit_verdict_seconds_bucket{surface="input"')
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples['guardkit_verdict_seconds_count{surface="input"}'] == 3


def test_what_a_verdict_costs_to_count_is_small_beside_a_dictionary() -> None:
    # About 4 µs; beside other work of the interpreter, so that a busy machine does not matter.
    plan = plan_of(POLICY)
    monitors = Monitors(plan, alarms=())
    seen = verdict("input")

    def cost(call: Any, rounds: int) -> float:
        best = float("inf")
        for _ in range(9):
            begun = time.process_time()
            for _ in range(rounds):
                call()
            best = min(best, (time.process_time() - begun) / rounds)
        return best

    def yardstick() -> None:
        counts: dict[tuple[str, int], int] = {}
        for number in range(20):
            counts["a", number % 5] = counts.get(("a", number % 5), 0) + 1

    assert cost(lambda: monitors.saw(seen), 3000) < 12 * cost(yardstick, 3000)
