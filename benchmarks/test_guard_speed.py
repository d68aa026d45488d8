"""What a guard costs while it runs: W1 to W4 of the targets, beside their floors in the same run.

Each benchmark asserts the answer too, and keeps the floor, the ratio to it and the target side by
side. The limits asserted are a quarter above what was reached; they are not the targets. W1 (1.8
times the raw scan at 1 KB) and W4 (1.2 times its floor) are not met yet. Texts are distinct: an
automaton that has seen a text before is faster on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import median
from typing import Any

import anyio
import pytest
import re2
from pytest_benchmark.fixture import BenchmarkFixture

from guardkit.guard import Guard, loads

from .workload import near_hits, patterns, policy, text, with_values

MAX_MEM = 64 << 20

W1_TARGET = 1.8
W1_LIMIT = 3.0
W1_LIMIT_SHORT = 4.4
W1_LIMIT_RAW = 1.75
W1H_LIMIT = 4.0
W4_TARGET = 1.2
W4_LIMIT = 3.7


@pytest.fixture(scope="module")
def guard() -> Guard:
    return loads(policy())


@pytest.fixture(scope="module")
def bare() -> Any:  # Any: the binding has no types
    """The raw multi-pattern scan of the same 100 patterns."""
    options = re2.Options()
    options.max_mem = MAX_MEM
    options.log_errors = False
    scan = re2.Set.SearchSet(options)
    for pattern in patterns():
        scan.Add(pattern)
    scan.Compile()
    return scan


def paired(
    floor: Callable[[Any], object],
    work: Callable[[Any], object],
    warm: Sequence[Any],
    inputs: Sequence[Any],
) -> tuple[float, float]:
    """Median seconds of both on inputs that neither has seen, taken in turns."""
    for item in warm:
        floor(item)
        work(item)
    floors: list[float] = []
    works: list[float] = []
    for item in inputs:
        a = time.perf_counter()
        floor(item)
        b = time.perf_counter()
        work(item)
        c = time.perf_counter()
        floors.append(b - a)
        works.append(c - b)
    return median(floors), median(works)


def keep(
    benchmark: BenchmarkFixture, floor_s: float, work_s: float, target: float | None = None
) -> float:
    """Keep floor, time, ratio and the ratio that is the target in the report; gives the ratio."""
    benchmark.extra_info["floor_us"] = round(floor_s * 1e6, 2)
    benchmark.extra_info["work_us"] = round(work_s * 1e6, 2)
    benchmark.extra_info["ratio"] = round(work_s / floor_s, 2)
    benchmark.extra_info["target"] = target
    return work_s / floor_s


@pytest.mark.parametrize(
    ("size", "limit"),
    [(200, W1_LIMIT_SHORT), (1024, W1_LIMIT), (8192, W1_LIMIT), (65536, W1_LIMIT)],
)
def test_w1_clean_text(
    benchmark: BenchmarkFixture, guard: Guard, bare: Any, size: int, limit: float
) -> None:
    """The target is 1.8 times the raw scan at 1 KB. What is above it looks for disguises."""
    count = max(20, 500_000 // size)
    warm, texts = (
        [text(seed, size) for seed in range(first, first + count)] for first in (0, count)
    )
    floor_s, work_s = paired(bare.Match, guard.check, warm, texts)
    assert sum(guard.check(one).action != "pass" for one in texts) <= max(2, count // 50)
    following = cycle(texts)
    benchmark(lambda: guard.check(next(following)))
    assert keep(benchmark, floor_s, work_s, W1_TARGET) <= limit


def test_w1_clean_text_without_views(benchmark: BenchmarkFixture, bare: Any) -> None:
    """The same where every check reads the text as it stands: what the engine itself adds."""
    guard = loads(policy(views="raw"))
    warm, texts = ([text(seed) for seed in range(first, first + 500)] for first in (0, 500))
    floor_s, work_s = paired(bare.Match, guard.check, warm, texts)
    following = cycle(texts)
    benchmark(lambda: guard.check(next(following)))
    assert keep(benchmark, floor_s, work_s, W1_TARGET) <= W1_LIMIT_RAW


def test_w1h_hostile_text(benchmark: BenchmarkFixture, guard: Guard, bare: Any) -> None:
    warm, texts = ([near_hits(seed) for seed in range(i, i + 200)] for i in (0, 200))
    floor_s, work_s = paired(bare.Match, guard.check, warm, texts)
    following = cycle(texts)
    benchmark(lambda: guard.check(next(following)))
    assert keep(benchmark, floor_s, work_s) <= W1H_LIMIT


def test_w2_wrapped_call(benchmark: BenchmarkFixture) -> None:
    """A no-op async callable with one trivial rule each way."""
    trivial = loads(
        'guardkit 1\npolicy trivial\ncheck bad = words { list ["forbidden"] }\n'
        "rule r { tier safety on input, output when bad then block }\n"
    )

    async def bare_call(prompt: str) -> str:
        return "fine"

    wrapped = trivial(bare_call)

    async def laps(function: Callable[[str], Any], count: int) -> float:
        for _ in range(1_000):
            await function("hello")
        best = float("inf")
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(count):
                await function("hello")
            best = min(best, time.perf_counter() - began)
        return best / count

    async def both() -> tuple[float, float]:
        assert await wrapped("hello") == "fine"
        return await laps(bare_call, 20_000), await laps(wrapped, 20_000)

    bare_s, wrapped_s = anyio.run(both)
    added_us = (wrapped_s - bare_s) * 1e6
    benchmark.extra_info["added_us"] = round(added_us, 2)
    benchmark(lambda: trivial.check("hello"))
    assert added_us <= 8, "the target is 3 on an idle machine"


def test_w3_stream(benchmark: BenchmarkFixture, guard: Guard, bare: Any) -> None:
    """500 tokens, a secret at any position, nothing of it shown."""
    warm, texts = ([text(seed, 2_500) for seed in range(i, i + 40)] for i in (0, 40))

    def streamed(one: str) -> str:
        stream = guard.stream(on="output", says=False)
        shown = "".join([stream.feed(one[i : i + 5]) for i in range(0, len(one), 5)])
        return shown + stream.finish()

    began = time.perf_counter()
    assert streamed(texts[0]) == texts[0]
    first_s = time.perf_counter() - began
    secret = "ghp_" + "a1B2" * 9
    for position in range(0, 2_400, 97):
        one = texts[1][:position] + " " + secret + " " + texts[1][position:]
        assert "ghp_" not in streamed(one)
    floor_s, work_s = paired(bare.Match, streamed, warm, texts)
    following = cycle(texts)
    benchmark(lambda: streamed(next(following)))
    keep(benchmark, floor_s, work_s)
    benchmark.extra_info["first_ms"] = round(first_s * 1e3, 2)
    assert work_s <= 0.007 * 4, "the target is 7 ms"


def test_w4_redact_four_values(benchmark: BenchmarkFixture, bare: Any) -> None:
    guard = loads(policy("rewrite"))
    programs = [re2.compile(pattern) for pattern in patterns()]
    warm, texts = ([with_values(seed) for seed in range(i, i + 300)] for i in (0, 300))

    def floor(one: str) -> str:
        spans = sorted(m.span() for i in bare.Match(one) for m in programs[i].finditer(one))
        parts, at = [], 0
        for start, end in spans:
            if start >= at:
                parts += (one[at:start], "[X]")
                at = end
        return "".join((*parts, one[at:]))

    for one in texts:
        verdict = guard.check(one)
        assert verdict.action == "rewrite"
        assert len({(f.start, f.end) for f in verdict.findings}) >= 4
        assert "@mail.example" not in verdict.text
    floor_s, work_s = paired(floor, guard.check, warm, texts)
    following = cycle(texts)
    benchmark(lambda: guard.check(next(following)))
    assert keep(benchmark, floor_s, work_s, W4_TARGET) <= W4_LIMIT
