"""One fixed loop that every benchmark is measured against, so that figures travel."""

from __future__ import annotations

import time

import pytest


def reference_loop() -> int:
    """A million additions and look-ups in plain Python: 50 to 100 ms on an ordinary core."""
    table = list(range(256))
    total = 0
    for i in range(1_000_000):
        total += table[i & 255]
    return total


@pytest.fixture(scope="session")
def reference_s() -> float:
    """The best of seven runs of the reference loop on this machine, in seconds."""
    best = float("inf")
    for _ in range(7):
        began = time.perf_counter()
        assert reference_loop() == 127_493_856
        best = min(best, time.perf_counter() - began)
    return best
