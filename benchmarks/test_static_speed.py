"""What the shipped tiers cost on ordinary text: the static one by itself, and both in a cascade.

Each text is new to the model, and the words of it are not: as in traffic. The floor is the search
for its words, which any reading by words has to do.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from guardkit import loads
from guardkit.models import TIERS, WORD, opened, shipped

from .works_models import pages

TARGET_US = 150
MOST_OVER_SEARCH = 6.0
"""How often the search for words fits into a reading; it fitted 3.6 times when this was written."""

TARGET_SPARED = 0.95
LEAST_SPARED = {200: 0.73, 1_000: 0.67}
"""A quarter below what was reached: 0.98 and 0.89."""

POLICY = """\
guardkit 1
policy both_tiers
  title   "Both tiers"
  owner   "benchmarks@example.com"
  version "1"

check quick = classifier { model static  head "injection" }
check sure  = classifier { model mini    head "injection" }

rule no_injection {
  tier     safety    severity high
  on       input
  when     cascade {
    no  if quick < 0.50
    yes if sure at fpr 1%
    else no
  }
  then     block "No orders, please."
}
"""


def test_static_one_kilobyte(benchmark: BenchmarkFixture) -> None:
    model = opened(shipped("static"))
    texts = pages(1_000)
    for text in texts:
        model.read(text, "input")
    reading, searching = [], []
    for _ in range(3):
        for text in texts:
            begun = perf_counter()
            WORD.findall(text.lower())
            middle = perf_counter()
            model.read(text, "input")
            searching.append(middle - begun)
            reading.append(perf_counter() - middle)
    ratio = median(reading) / median(searching)
    benchmark.extra_info.update(
        target_us=TARGET_US, median_us=median(reading) * 1e6, over_search=ratio
    )
    at = iter(texts * 1_000)
    benchmark(lambda: model.read(next(at), "input"))
    assert ratio <= MOST_OVER_SEARCH


@pytest.mark.parametrize("size", [200, 1_000])
def test_cascade_on_plain_text(benchmark: BenchmarkFixture, size: int, tmp_path: Path) -> None:
    """W6, for one head: most texts are decided by the first step.

    The share is the same on every run, until the pages change. The aim of 95 % is met for 200
    characters and missed for 1,000: longer texts more often hold something that looks doubtful.
    """
    guard = loads(POLICY, root=tmp_path)
    model = opened(shipped("static"))
    texts = pages(size)
    quick = [model.read(text, "input").scores["injection"][0] < 0.50 for text in texts]
    taken = []
    for text in texts:
        begun = perf_counter()
        assert guard.check(text, on="input").action in ("pass", "block")
        taken.append(perf_counter() - begun)
    share = sum(quick) / len(quick)
    spread = quantiles(taken, n=100, method="inclusive")
    benchmark.extra_info.update(
        without_mini=share, target=TARGET_SPARED,
        p50_ms=spread[49] * 1e3, p99_ms=spread[98] * 1e3, tiers=len(TIERS),
    )  # fmt: skip
    at = iter(texts * 1_000)
    benchmark(lambda: guard.check(next(at), on="input"))
    assert share >= LEAST_SPARED[size]
