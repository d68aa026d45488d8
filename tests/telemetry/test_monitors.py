"""Monitors count what a guard decides, and ring where a rate that the policy watches has left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guardkit.guard import compile_file, policy_path
from guardkit.guard import plan_of as compiled
from guardkit.telemetry import BUDGET, Monitor, Monitors, delay
from guardkit.types import Record

from ._watching import (
    CANARY,
    HEAD,
    POLICY,
    Clock,
    counted,
    ledger,
    plan_of,
    shown,
    verdict,
    watching,
)

HOUR = 3600.0
SHIPPED = ("agent", "chat", "code", "moderation", "pii", "rag")


# --- one monitor


def rings_of(monitor: Monitor, answers: list[tuple[float, int, int, int]]) -> list[tuple[str, Any]]:
    return [
        (f"{ring.kind} {'rings' if ring.is_ringing else 'stops'}", ring)
        for answer in answers
        for ring in monitor.observe(*answer)
    ]


def test_a_spike_rings_once_says_since_when_and_stops_when_it_is_over() -> None:
    monitor = Monitor(0.05, HOUR)
    quiet = [(minute * 60.0, 0 if minute % 5 else 1, 10, 0) for minute in range(600)]
    spike = [(36_000 + second * 10.0, second % 2, 1 - second % 2, 0) for second in range(360)]
    after = [(39_600 + minute * 60.0, 0, 10, 0) for minute in range(600)]
    found = rings_of(monitor, quiet + spike + after)
    assert [says for says, _ in found] == ["rate rings", "rate stops"]
    began, ended = (ring for _, ring in found)
    assert 36_000 <= began.at <= 36_000 + 600
    assert began.lately is not None
    assert abs(began.lately.since - 36_000) <= 60
    assert began.lately.yes / began.lately.known == pytest.approx(0.5, abs=0.1)
    # Over the whole hour nothing would have been seen yet.
    assert began.window.yes / began.window.known < 0.07
    assert 39_600 < ended.at <= 39_600 + 2 * HOUR
    assert ended.began == began.at
    reading = monitor.reading(ended.at)
    assert reading.ringing_since is None
    assert reading.alarms == 1


def test_while_a_rate_stays_bad_the_monitor_goes_on_ringing() -> None:
    monitor = Monitor(0.05, HOUR)
    found = rings_of(monitor, [(second * 10.0, second % 10 == 0, 1, 0) for second in range(20_000)])
    assert [says for says, _ in found] == ["rate rings"]
    assert monitor.reading(200_000.0).ringing_since == found[0][1].at


def test_a_second_ring_is_not_stopped_by_what_stopped_the_first() -> None:
    monitor = Monitor(0.05, HOUR)
    answers = [(20, 0), *[(0, 1)] * 100, (20, 0), *[(0, 1)] * 5]
    found = rings_of(monitor, [(float(at), *each, 0) for at, each in enumerate(answers)])
    assert [says for says, _ in found] == ["rate rings", "rate stops", "rate rings"]


def test_silence_does_not_stop_a_ringing_monitor() -> None:
    monitor = Monitor(0.05, HOUR)
    assert rings_of(monitor, [(float(second), 1, 0, 0) for second in range(60)])
    reading = monitor.reading(40 * HOUR)
    assert reading.rate is None
    assert reading.ringing_since is not None
    assert not monitor.observe(40 * HOUR, 0, 0, 1)  # nor does an answer that is none
    # One good answer after a window is what there is to go by.
    assert [ring.is_ringing for ring in monitor.observe(40 * HOUR + 1, 0, 1)] == [False]


def test_a_rate_near_its_bound_does_not_flap() -> None:
    # Two hundred hours at twice the bound: it rings nearly all the time, and turns seldom.
    random = np.random.default_rng(1)
    monitor = Monitor(0.05, HOUR)
    turns = rung = 0
    for minute in range(200 * 60):
        bad = int(random.binomial(10, 0.10))
        turns += len(monitor.observe(minute * 60.0, bad, 10 - bad))
        rung += monitor.reading(minute * 60.0).ringing_since is not None
    assert rung > 0.95 * 200 * 60
    assert turns <= 9


def test_below_rings_when_too_little_is_seen() -> None:
    monitor = Monitor(0.90, HOUR, "below")
    fine = [(minute * 60.0, 19, 1, 0) for minute in range(300)]
    worse = [(18_000 + minute * 60.0, 14, 6, 0) for minute in range(120)]
    again = [(25_200 + minute * 60.0, 19, 1, 0) for minute in range(300)]
    found = rings_of(monitor, fine + worse + again)
    assert [says for says, _ in found] == ["rate rings", "rate stops"]
    assert 0 < found[0][1].at - 18_000 <= delay(0.7, 0.9, 1200, direction="below") * HOUR


def test_a_monitor_that_sees_only_unknowns_says_that_it_is_blind() -> None:
    monitor = Monitor(0.05, HOUR)
    fine = [(minute * 10.0, 0, 1, 0) for minute in range(600)]
    failing = [(6_000 + minute * 10.0, 0, 0, 1) for minute in range(300)]
    again = [(9_000 + minute * 10.0, 0, 1, 0) for minute in range(600)]
    found = rings_of(monitor, fine + failing + again)
    assert [says for says, _ in found] == ["blind rings", "blind stops"]
    assert found[0][1].at <= 6_000 + 40 * 10
    assert found[0][1].lately is None
    assert 9_000 < found[1][1].at <= 9_000 + HOUR + 10


def test_some_unknowns_are_counted_apart_and_ring_nothing() -> None:
    random = np.random.default_rng(4)
    monitor = Monitor(0.05, HOUR)
    for second in range(50_000):
        kind = random.random()
        answer = (1, 0, 0) if kind < 0.02 else (0, 0, 1) if kind < 0.3 else (0, 1, 0)
        assert not monitor.observe(float(second), *answer)
    reading = monitor.reading(50_000.0)
    assert reading.rate == pytest.approx(0.02 / 0.72, abs=0.01)
    assert reading.low < 0.02 / 0.72 < reading.high
    assert reading.window.known + reading.window.unknown == pytest.approx(3600, abs=61)
    assert sum(reading.total) == 50_000


def test_the_window_forgets() -> None:
    monitor = Monitor(0.5, HOUR)
    monitor.observe(0.0, 3, 7, 2)
    assert monitor.reading(HOUR - 60).window == (3, 7, 2)
    assert monitor.reading(HOUR + 1).window == (0, 0, 0)
    monitor.observe(5 * HOUR, 1, 0, 0)
    assert monitor.reading(5 * HOUR).window == (1, 0, 0)
    monitor.observe(2 * HOUR, 0, 1, 0)  # the clock was put back
    assert monitor.reading(2 * HOUR).window == (0, 1, 0)


# --- monitors on rules, with real verdicts


def test_a_monitor_on_a_rule_counts_the_events_of_its_surface() -> None:
    guard, monitors, *_ = watching()
    guard.check(f"FORBIDDEN {CANARY}")
    guard.check(f"fine {CANARY}")
    guard.check(f"FORBIDDEN {CANARY}", on="output")
    guard.check("from somewhere", on="retrieved")
    attacks, stops = shown(monitors, "attacks"), shown(monitors, "stops")
    assert (attacks["yes"], attacks["known"]) == (1, 2)
    assert (stops["yes"], stops["known"]) == (2, 3)
    assert stops["watches"] == "rule stop"


def test_a_rule_in_shadow_counts_as_what_it_would_have_done() -> None:
    guard, monitors, *_ = watching()
    assert guard.check("LOUD").shadow == ("quietly",)
    guard.check("soft")
    assert (shown(monitors, "loud")["yes"], shown(monitors, "loud")["known"]) == (1, 2)
    assert counted(monitors)["rules"]["quietly"] == {"shadow": 1}


def test_an_exempted_rule_counts_as_no() -> None:
    guard, monitors, *_ = watching()
    assert guard.check("FORBIDDEN", context={"team": "red"}).exempted == ("stop",)
    assert (shown(monitors, "attacks")["yes"], shown(monitors, "attacks")["known"]) == (0, 1)
    assert counted(monitors)["rules"]["stop"] == {"exempted": 1}


def test_a_rule_that_an_unknown_reached_is_unknown_whatever_became_of_it() -> None:
    guard, monitors, _, alarms, tone = watching()
    tone.fails = True
    said = guard.check("hello")
    assert said.undecided == ("rude",)
    assert said.unknown == ("tone",)
    tones = shown(monitors, "tones")
    assert (tones["known"], tones["unknown"]) == (0, 1)
    assert counted(monitors)["unknown"] == {"tone": 1}
    for _ in range(60):
        guard.check("hello")
    assert [(alarm.monitor, alarm.kind) for alarm in alarms] == [("tones", "blind")]


def test_what_cannot_be_read_is_unknown_to_monitors() -> None:
    guard, monitors, *_ = watching()
    guard.unread("input")
    assert shown(monitors, "attacks")["unknown"] == 1
    assert counted(monitors)["surfaces"]["input"]["actions"] == {"block": 1}


def test_a_spike_of_attacks_rings_within_the_stated_delay() -> None:
    guard, monitors, clock, alarms, _ = watching()
    for number in range(300):
        clock.now += 6.0
        guard.check("FORBIDDEN" if number % 50 == 0 else "fine")
    assert not alarms
    began = clock.now
    for number in range(300):
        clock.now += 6.0
        guard.check("FORBIDDEN" if number % 3 == 0 else "fine")
    rung = {alarm.monitor: alarm for alarm in alarms}
    assert sorted(rung) == ["attacks", "stops"]
    assert rung["attacks"].at - began <= delay(1 / 3, 0.05, 600) * HOUR
    assert shown(monitors, "attacks")["ringing_since"] == rung["attacks"].at


SESSIONS = (
    HEAD
    + """
check forbidden = pattern { match /FORBIDDEN/ }

rule stop { tier safety on input when forbidden then block "No." }

window tries { count stop last 5 turns per session }

rule enough {
  tier safety
  on   conversation
  when tries >= 2
  then block "Closed." for session
}

monitor closing { watch enough alarm above 5% over 1h }
monitor trying { watch stop alarm above 5% over 1h }
"""
)


def test_a_closed_session_is_counted_apart() -> None:
    guard, monitors, *_ = watching(SESSIONS)
    for _ in range(5):
        guard.check("FORBIDDEN", session="s")
    closing, trying = shown(monitors, "closing"), shown(monitors, "trying")
    assert (closing["yes"], closing["known"]) == (1, 2)  # judged twice, then closed
    assert (trying["yes"], trying["known"]) == (2, 2)
    assert counted(monitors)["closed_sessions"] == {"input": 3}
    assert counted(monitors)["rules"]["enough"] == {"fired": 1}
    # A rule on the conversation is judged after every event.
    guard.check("hello", on="output", session="t")
    assert shown(monitors, "closing")["known"] == 3
    assert shown(monitors, "trying")["known"] == 2


# --- monitors on conditions


def test_a_condition_is_watched_where_a_guard_is_listened_to() -> None:
    guard, monitors, clock, alarms, _ = watching()
    for _ in range(200):
        clock.now += 10.0
        guard.check("PLEASE sit down", on="output")
    assert shown(monitors, "courtesy")["rate"] == 1.0
    assert not alarms
    for _ in range(200):
        clock.now += 10.0
        guard.check("sit", on="output")
    assert [(alarm.monitor, alarm.state) for alarm in alarms] == [("courtesy", "ringing")]


def test_a_condition_reads_its_own_line_of_the_verdict() -> None:
    monitors = Monitors(plan_of(POLICY), clock=Clock(), alarms=())
    for outcome in ("yes", "no", "no", "unknown", "nonsense"):
        monitors.saw(verdict("output", Record("output", "monitor courtesy", outcome, 1.0)))
    monitors.saw(verdict("input", Record("input", "monitor courtesy", "yes", 1.0)))
    courtesy = shown(monitors, "courtesy")
    assert (courtesy["yes"], courtesy["known"], courtesy["unknown"]) == (1, 3, 2)


def test_a_condition_that_nobody_asks_makes_its_monitor_blind() -> None:
    alarms: list[Any] = []
    plan = plan_of(POLICY)
    monitors = Monitors(plan, clock=Clock(), alarms=[alarms.append])
    for _ in range(100):
        monitors.saw(verdict("output"))
    assert ("courtesy", "blind") in [(alarm.monitor, alarm.kind) for alarm in alarms]


# --- exchanges


def test_over_refusals_count_against_the_budget() -> None:
    clock, alarms = Clock(), []
    plan = plan_of(POLICY)
    monitors = Monitors(plan, clock=clock, alarms=[alarms.append])
    asked = ledger("refused", layer="model", by="refusal full", refusal="full", expected="answer")
    monitors.ended(asked)
    monitors.ended(asked._replace(layer="input", by="rule stop", refusal="none"))
    monitors.ended(asked._replace(expected="refuse"))
    monitors.ended(asked._replace(expected=None))
    monitors.ended(ledger())
    monitors.ended(ledger("failed", layer="transport", by="TimeoutError"))
    budget = shown(monitors, BUDGET)
    assert (budget["yes"], budget["known"], budget["unknown"]) == (2, 5, 1)
    assert (budget["bound"], budget["over"], budget["watches"]) == (0.05, "1h", "over-refusals")
    found = counted(monitors)
    assert found["judgements"] == {
        "answered": 1,
        "correct refusal": 1,
        "fault": 1,
        "over-refusal": 2,
        "refused": 1,
    }
    assert found["layers"] == {
        "input": {"refused": 1},
        "model": {"refused": 3},
        "transport": {"failed": 1},
    }
    assert found["refusals"] == {"full": 3, "none": 3}
    assert found["exchanges"]["took"]["count"] == 6
    for _ in range(60):
        clock.now += 30
        monitors.ended(asked)
    assert [(alarm.monitor, alarm.kind) for alarm in alarms] == [(BUDGET, "rate")]


def test_without_a_word_on_what_is_answered_refusals_of_the_model_count() -> None:
    text = HEAD + (
        "defaults { budget refusals 2% }\ncheck a = pattern { match /A/ }\n"
        'rule r { tier safety on input when a then block "No." }\n'
    )
    monitors = Monitors(plan_of(text), clock=Clock(), alarms=())
    monitors.ended(ledger("refused", layer="model", refusal="full"))
    monitors.ended(ledger("refused", layer="provider"))
    monitors.ended(ledger("refused", layer="input", by="rule r"))
    monitors.ended(ledger())
    budget = shown(monitors, BUDGET)
    assert (budget["yes"], budget["known"], budget["watches"]) == (2, 4, "refusals")


def test_no_budget_no_monitor_of_it() -> None:
    monitors = Monitors(plan_of(SESSIONS), alarms=())
    monitors.ended(ledger("refused", layer="model", expected="answer"))
    snapshot: Any = monitors.snapshot()
    assert [entry["monitor"] for entry in snapshot["monitors"]] == ["closing", "trying"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_policy_can_be_watched(name: str) -> None:
    plan = compiled(compile_file(policy_path(name)).policy)
    monitors = Monitors(plan, clock=Clock(), alarms=())
    snapshot: Any = monitors.snapshot()
    found = {entry["monitor"] for entry in snapshot["monitors"]}
    assert found >= {row.name for row in plan.monitors}
    assert (BUDGET in found) == (plan.limits.refusals is not None)
