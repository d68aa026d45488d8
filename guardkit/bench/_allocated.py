"""What one call allocates: at most, what its verdict keeps, and what stays behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final, NamedTuple

from ._asking import Asking
from ._lanes import Lane

_PEAKS: Final = 3
_COUNTED: Final = 8
"""Calls whose blocks are counted."""


class Allocated(NamedTuple):
    """The memory of one call, as Python allocates it; what libraries take in C is in none of it."""

    peak_bytes: int
    """The most at one time, the verdict included."""
    verdict_bytes: int
    """What the verdict keeps, and whatever was made for it and stays."""
    verdict_blocks: int
    """In how many pieces of up to 512 bytes."""
    left_blocks: float
    """Pieces that stay for each call when its verdict is gone: caches and sessions, or a leak."""


def allocated(lane: Lane) -> Allocated:
    """What calls with the usual texts allocate."""
    with _no_collection():
        peak, kept = _bytes_of(lane)
        blocks, left = _blocks_of(lane)
    return Allocated(peak, kept, blocks, left)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing is collected while a call is made, or it would seem to take less than it does."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _bytes_of(lane: Lane) -> tuple[int, int]:
    import tracemalloc

    asking, most, kept = lane.asking, 0, []
    was_tracing = tracemalloc.is_tracing()
    for _ in range(_PEAKS):
        text = asking.ready(lane.usual.texts.next())
        if not was_tracing:
            tracemalloc.start()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        verdict = asking.call(text)
        after, peak = tracemalloc.get_traced_memory()
        if not was_tracing:
            tracemalloc.stop()
        most = max(most, peak - before)
        kept.append(after - before)
        asking.tidy(verdict)
    return most, max(round(median(kept)), 0)


def _blocks_of(lane: Lane) -> tuple[int, float]:
    asking = lane.asking
    texts = [lane.usual.texts.next() for _ in range(_COUNTED)]
    found = [0] * _COUNTED  # made now, so that nothing of ours is counted
    began = sys.getallocatedblocks()
    for at, text in enumerate(texts):
        found[at] = _kept_by_one(asking, text)
    gc.collect()
    left = sys.getallocatedblocks() - began
    return max(round(median(found)), 0), max(left / _COUNTED, 0.0)


def _kept_by_one(asking: Asking, text: str) -> int:
    asking.ready(text)
    before = sys.getallocatedblocks()
    verdict = asking.call(text)
    blocks = sys.getallocatedblocks() - before
    asking.tidy(verdict)
    return blocks
