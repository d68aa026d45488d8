"""W6: what the policy `chat` costs on ordinary messages, and how many need the mini model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import guardkit
from guardkit.types import Verdict

from .test_static_speed import pages

HERE = Path(__file__).parent
HARD = HERE.parent / "policies" / "chat" / "cases" / "lookalikes.jsonl"
TARGET_P50_MS, TARGET_P99_MS, TARGET_SPARED = 1.0, 25.0, 0.95
FLOORS = {"ordinary": 0.85, "hard": 0.5, "prose of 1,000": 0.2}
"""Which share of the texts the mini model is not asked about, at least."""
SLOWEST_P50_MS = {"ordinary": 4.0, "hard": 10.0, "prose of 1,000": 40.0}
"""Of the processor's time."""


def _ordinary() -> list[str]:
    """Messages of most days, each with several things and places."""
    lines, lists = (HERE / "messages.txt").read_text("utf-8").split("---\n")
    things, places = (line.removeprefix("PLACE: ").split(", ") for line in lists.splitlines())
    wanted = [line for line in lines.splitlines() if not line.startswith("#")]
    made = [
        re.sub("PLACE", places[(at + turn) % len(places)], line).replace("THING", thing)
        for turn, thing in enumerate(things)
        for at, line in enumerate(wanted)
    ]
    return list(dict.fromkeys(made))


def _hard() -> list[str]:
    """Questions that were chosen because they look like attacks."""
    return [json.loads(line)["text"] for line in HARD.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("kind", ["ordinary", "hard", "prose of 1,000"])
def test_chat(benchmark: BenchmarkFixture, kind: str) -> None:
    guard = guardkit.load("chat")
    texts = {"ordinary": _ordinary, "hard": _hard}.get(kind, lambda: pages(1_000)[:120])()
    for text in texts[-20:]:
        guard.check(text)
    taken, worked, spared, passed = [], [], 0, 0
    for text in texts[:-20]:
        begun, worked_until = perf_counter(), process_time()
        verdict = guard.check(text)
        taken.append(perf_counter() - begun)
        worked.append(process_time() - worked_until)
        spared += not _asks_mini(verdict)
        passed += verdict.action == "pass"
    count = len(taken)
    wall, work = (quantiles(each, n=100, method="inclusive") for each in (taken, worked))
    benchmark.extra_info.update(
        without_mini=spared / count,
        passed=passed / count,
        p50_ms=wall[49] * 1e3,
        p99_ms=wall[98] * 1e3,
        p50_work_ms=work[49] * 1e3,
        p99_work_ms=work[98] * 1e3,
        targets=(TARGET_P50_MS, TARGET_P99_MS, TARGET_SPARED),
    )
    at = iter(texts * 1_000)
    benchmark.pedantic(lambda: guard.check(next(at)), rounds=40, warmup_rounds=5)
    assert passed / count >= 0.9
    # Well below what was measured (91 % and 62 %): on a busy machine counts hold, times do not.
    assert spared / count >= FLOORS[kind]
    assert work[49] * 1e3 < SLOWEST_P50_MS[kind]


def _asks_mini(verdict: Verdict) -> bool:
    asked = {record.by.removeprefix("check ") for record in verdict.records}
    return any(name.endswith((".classifier", ".self_harm", ".new_harm")) for name in asked)
