"""What checking a policy costs: W8 of the targets. Each asserts the answer too.

Limits are ratios to a fixed loop of plain Python that runs in turn with the work for about as long,
so a busy machine does not upset them.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from pytest_benchmark.fixture import BenchmarkFixture

from guardkit.diagnostics import Source
from guardkit.syntax import format_source, parse

from . import works
from .pairs import Measured, Work
from .workload import reference_loop, thousand_rules

Kept = Callable[[Work, int], Measured]


def test_check_1000_rules(kept: Kept) -> None:
    """The aim is a second where the loop takes 50 ms."""
    assert kept(works.w8(), 3).ratio.value <= 33


def test_check_60_line_policy(kept: Kept) -> None:
    """The aim is 10 ms where the loop takes 50 ms: a ratio of 0.2."""
    assert kept(works.w8_sixty(), 7).ratio.value <= 0.27


def over_loop(benchmark: BenchmarkFixture, work: Callable[[], object], loops: int) -> float:
    """The least ratio of three turns to so many loops as take about as long."""
    ratios = []

    def turn() -> None:
        works.forget()
        begun = perf_counter()
        work()
        middle = perf_counter()
        for _ in range(loops):
            reference_loop()
        ratios.append((middle - begun) / (perf_counter() - middle) * loops)

    benchmark.pedantic(turn, rounds=3, warmup_rounds=1)
    benchmark.extra_info["ratio_to_loop"] = round(min(ratios), 3)
    return min(ratios)


def test_parse_1000_rules(benchmark: BenchmarkFixture) -> None:
    source = Source("thousand.guard", thousand_rules())
    assert parse(source).is_clean
    assert over_loop(benchmark, lambda: parse(source), loops=6) <= 10


def test_format_1000_rules(benchmark: BenchmarkFixture) -> None:
    source = Source("thousand.guard", thousand_rules())
    assert format_source(source).count("rule ") >= 1_000
    assert over_loop(benchmark, lambda: format_source(source), loops=20) <= 45
