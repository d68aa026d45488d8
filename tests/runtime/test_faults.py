"""A check that fails blocks by default, whatever it does (D1); time is bounded (D2, D3)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product

import anyio
import pytest

from guardkit.guard import Guard, loads

from ._faults import FAULTS, PATIENCE, bad_server, callable_of

KINDS = ("judge async", "judge sync", "python async", "python sync")
POSITIONS = {
    "behind a no": "cascade {{ no if banned  yes if {check}  else no }}",
    "behind a yes": "cascade {{ yes if banned  yes if {check}  else no }}",
    "in a quorum": "cascade {{ no if banned  yes if 2 of (marked, {check}, banned)  else no }}",
}
PASSING = "a marked and otherwise ordinary text"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with bad_server() as address:
        yield address


def guard_of(kind: str, fault: str, position: str, url: str, tier: str = "safety") -> Guard:
    if kind.startswith("judge"):
        declared = f'judge {{ call "m:f"  rubric "Bad?"  timeout {PATIENCE} }}'
        asked = "asked >= 0.5"
    else:
        declared = f'python {{ call "m:f"  answers score  timeout {PATIENCE} }}'
        asked = "asked >= 0.5"
    condition = POSITIONS[position].format(check=asked)
    then = "flag" if tier == "helpfulness" else "block"
    policy = f"""guardkit 1
policy faults
defaults {{ hold_back all }}
check banned = words {{ list ["forbidden"] }}
check marked = words {{ list ["marked"] }}
check asked = {declared}
rule r {{ tier {tier} on input, output when {condition} then {then} }}
"""
    return loads(policy, checks={"asked": callable_of(kind, fault, url)})


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_blocks_by_default(kind: str, url: str) -> None:
    cells = 0
    for fault, position in product(FAULTS, POSITIONS):
        guard = guard_of(kind, fault, position, url)
        for is_stream in (False, True):
            if is_stream:
                stream = guard.stream(on="output", says=False)
                shown = stream.feed(PASSING) + stream.finish()
                verdict = stream.verdict
                assert shown == ""
            else:
                verdict = guard.check(PASSING, on="input")
            cells += 1
            assert verdict is not None
            where = f"{fault}, {position}, stream {is_stream}"
            assert verdict.action == "block", where
            assert verdict.unknown == ("asked",), where
            assert verdict.undecided == ("r",), where
            assert PASSING not in verdict.text
    assert cells == len(FAULTS) * len(POSITIONS) * 2 == 72


@pytest.mark.parametrize("fault", ["raise", "nan", "late"])
def test_a_pass_on_error_is_counted_and_shown(fault: str, url: str) -> None:
    guard = guard_of("judge async", fault, "behind a no", url, tier="helpfulness")
    verdict = guard.check(PASSING)
    assert verdict.action == "pass"
    assert verdict.undecided == ("r",)
    assert verdict.unknown == ("asked",)
    outcomes = {record.by: record.outcome for record in verdict.ledger}
    assert outcomes["check asked"] == "unknown"


def test_the_budget_of_a_surface_bounds_the_verdict() -> None:
    async def slow(text: str, rubric: str) -> float:
        await anyio.sleep(10)
        return 0.0

    guard = loads(
        "guardkit 1\npolicy slow\ndefaults { budget input 300ms }\n"
        'check asked = judge { call "m:f"  rubric "Bad?"  timeout 20s }\n'
        'check off = words { list ["never"] }\n'
        "rule r { tier safety on input\n"
        "  when cascade { no if off  yes if asked >= 0.5  else no }  then block }\n",
        checks={"asked": slow},
    )
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        assert guard.check("hello").action == "block"
        taken.append(time.perf_counter() - began)
    assert min(taken) >= 0.29
    assert sorted(taken)[2] <= 0.6, "300 ms, and what a busy machine adds"


def test_a_check_that_always_fails_is_not_asked_for_ever() -> None:
    calls = 0

    async def broken(text: str, rubric: str) -> float:
        nonlocal calls
        calls += 1
        raise RuntimeError

    guard = loads(
        "guardkit 1\npolicy broken\n"
        'check asked = judge { call "m:f"  rubric "Bad?" }\n'
        'check off = words { list ["never"] }\n'
        "rule r { tier safety on input\n"
        "  when cascade { no if off  yes if asked >= 0.5  else no }  then block }\n",
        checks={"asked": broken},
    )
    verdicts = [guard.check("hello") for _ in range(60)]
    assert {verdict.action for verdict in verdicts} == {"block"}
    assert calls <= 21
    assert "failed too often" in str(verdicts[-1].ledger)
