"""W7: a call through `guardkit serve` beside the same call straight to the model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .pairs import Lap, Work
from .serve import Speed, fast_upstream, in_turn, served

ONE_RULE = (
    'guardkit 1\npolicy one\n  owner "bench@example.com"\n  version "1"\n'
    'check bad = words { list ["forbidden"] }\n'
    "rule r { tier safety on input, output when bad then block }\n"
)
CALLS = 250


@contextmanager
def w7(policy: str | None = None, at_once: int = 1) -> Iterator[Work]:
    """One client, one worker, connections kept; without a policy it is one rule each way."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "one.guard")
        path.write_text(ONE_RULE, encoding="utf-8")
        with fast_upstream() as upstream, served(policy or str(path), upstream) as server:

            async def go() -> tuple[Speed, Speed]:
                (lap,) = [lap async for lap in in_turn(upstream, server, at_once, CALLS, 1)]
                return lap

            def lap(number: int) -> Lap:
                straight, through = asyncio.run(go())
                notes = {"p99_ms": (through.p99 - straight.p99) * 1e3}
                # The floor is part of the work here: what counts is what is added.
                return Lap([straight.p50], [through.p50], [straight.p50], notes)

            yield Work(
                id=f"W7-{policy or 'one'}",
                what=f"`guardkit serve`, {policy or 'one rule each way'}, one call at a time",
                floor="the same call straight to the upstream",
                lap=lap,
                prove=lambda: None,  # every reply is compared
                once=go,
                laps=7,
                notes={"p99_ms": "added, at the 99th of a hundred"},
            )
