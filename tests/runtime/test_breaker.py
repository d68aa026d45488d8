"""A check that only fails is left alone, and asked again now and then."""

from __future__ import annotations

import random
import threading

import pytest

from guardkit.errors import UsageError
from guardkit.runtime._breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock, interval_s=5)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allow()
        breaker.record(ok=False)


def test_a_check_that_always_fails_is_asked_at_most_20_times(breaker: Breaker) -> None:
    asked = 0
    while breaker.allow():
        asked += 1
        breaker.record(ok=False)
    assert asked == 10
    assert breaker.state == "open"
    assert breaker.told == "open: 10 of the last 10 calls failed"


def test_failures_in_a_row_are_counted_anew_after_a_success(breaker: Breaker) -> None:
    fail(breaker, 9)
    breaker.record(ok=True)
    fail(breaker, 9)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"


def test_half_of_the_last_calls_are_too_many(breaker: Breaker) -> None:
    for i in range(40):
        assert breaker.allow()
        breaker.record(ok=i % 3 != 0)  # a third fails: bad, but alive
    for i in range(40):
        if not breaker.allow():
            break
        breaker.record(ok=i % 2 != 0)
    assert breaker.state == "open"
    assert i < 40


def test_a_rate_needs_a_full_window(breaker: Breaker) -> None:
    for _ in range(9):
        breaker.record(ok=True)
        breaker.record(ok=False)
    assert breaker.state == "closed"
    breaker.record(ok=True)
    breaker.record(ok=False)
    assert breaker.state == "open"


def test_one_probe_an_interval(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 10)
    let_through = 0
    for _ in range(1000):  # ten seconds, a call each 10 ms
        clock.now += 0.01
        if breaker.allow():
            let_through += 1
            breaker.record(ok=False)
    assert let_through in (1, 2)
    assert not breaker.allow()


def test_one_good_probe_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 10)
    assert not breaker.allow()
    clock.now += 5
    assert breaker.allow()
    assert breaker.state == "half-open"
    assert not breaker.allow()
    breaker.record(ok=True)
    assert (breaker.state, breaker.told) == ("closed", "closed")
    fail(breaker, 9)  # nothing is held against it
    assert breaker.state == "closed"


def test_a_bad_probe_keeps_it_open(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 10)
    clock.now += 5
    assert breaker.allow()
    breaker.record(ok=False)
    assert breaker.state == "open"
    clock.now += 4.9
    assert not breaker.allow()
    clock.now += 0.2
    assert breaker.allow()


def test_calls_that_began_before_it_opened_say_nothing(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 10)
    breaker.record(ok=True)
    assert breaker.state == "open"
    assert not breaker.allow()


@pytest.mark.parametrize("reports", [True, False])
def test_a_probe_that_is_cancelled_neither_closes_nor_jams_it(
    breaker: Breaker, clock: Clock, reports: bool
) -> None:
    fail(breaker, 10)
    clock.now += 5
    assert breaker.allow()
    if reports:
        breaker.release()
        assert breaker.state == "open"
    assert not breaker.allow()
    clock.now += 5
    assert breaker.allow()
    breaker.record(ok=True)
    assert breaker.state == "closed"


def test_a_cancelled_call_counts_for_nothing(breaker: Breaker) -> None:
    fail(breaker, 9)
    breaker.release()
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"


def test_the_repr_is_the_state(breaker: Breaker) -> None:
    assert repr(breaker) == "<Breaker closed>"


@pytest.mark.parametrize(
    "limits", [{"in_a_row": 0}, {"window": 0}, {"rate": 0}, {"rate": 1.1}, {"interval_s": 0}]
)
def test_limits_make_sense(limits: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Breaker(**limits)  # type: ignore[arg-type]  # wrong on purpose


def test_threads_let_one_probe_through(clock: Clock) -> None:
    breaker = Breaker(clock=clock, interval_s=5)
    fail(breaker, 10)
    for _ in range(20):
        clock.now += 5
        passed: list[int] = []
        gate = threading.Barrier(16)

        def ask(i: int, gate: threading.Barrier = gate, passed: list[int] = passed) -> None:
            gate.wait()
            if breaker.allow():
                passed.append(i)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(passed) == 1
        breaker.record(ok=False)


def test_it_does_not_flap(clock: Clock) -> None:
    """A check that is down for a minute costs a handful of calls and is back within an interval."""
    breaker = Breaker(clock=clock, interval_s=5)
    random_ = random.Random(2)
    bad = late = 0
    for _ in range(20_000):
        clock.now += 0.01
        is_down = 130 <= clock.now < 190
        if breaker.allow():
            bad += is_down
            breaker.record(ok=not is_down and random_.random() > 0.01)
        elif not is_down:
            late += 1
    assert bad <= 10 + 60 / 5 + 1
    assert late * 0.01 <= 5.1
    assert breaker.state == "closed"
