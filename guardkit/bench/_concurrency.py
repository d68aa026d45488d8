"""How many calls a second one event loop makes, so and so many at once."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter, perf_counter_ns
from typing import Final, NamedTuple

import anyio
import anyio.lowlevel

from ._asking import Asking
from ._quantiles import Spread, spread_of
from ._texts import Texts

LEVELS: Final = (1, 8, 64)


class Loaded(NamedTuple):
    """The calls of one level."""

    at_once: int
    per_s: float
    spread: Spread
    """How long a call took, its wait for a turn included."""


def loaded(
    asking: Asking, texts: Texts, *, seconds: float, levels: Sequence[int] = LEVELS
) -> tuple[Loaded, ...]:
    """Call `acheck` from as many tasks as a level says, each at once again, until the time is up.

    Every call waits for its turn first, as a server's would: that wait is part of its time.

    Args:
        asking: Calls the guard.
        texts: What it is asked about.
        seconds: How long, for each level.
        levels: How many at once.
    """
    return tuple(anyio.run(_level, asking, texts, level, seconds) for level in levels)


async def _level(asking: Asking, texts: Texts, at_once: int, seconds: float) -> Loaded:
    times: list[float] = []
    begun = perf_counter()
    until = begun + seconds

    async def caller() -> None:
        while True:
            text = texts.next()
            sources = asking.sources(text)
            ready = perf_counter_ns()
            await anyio.lowlevel.checkpoint()
            if times and perf_counter() >= until:
                return
            await asking.acall(text, sources)
            times.append((perf_counter_ns() - ready) / 1e3)

    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(caller)
    return Loaded(at_once, len(times) / (perf_counter() - begun), spread_of([times]))
